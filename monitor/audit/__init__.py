"""The ledger: what was decided, chained so that a change shows."""
