"""The roles of a cluster on Kafka."""
