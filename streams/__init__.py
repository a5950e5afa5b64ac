"""The runtime: from records to committed effects."""
