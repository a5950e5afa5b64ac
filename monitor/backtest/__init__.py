"""The past under other rules: the journal replayed by the same engine and desk, and compared."""
