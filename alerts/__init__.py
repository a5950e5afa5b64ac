"""From assessment to a decision by a person."""
