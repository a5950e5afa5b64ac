"""Detection figures on public data: replays, measures, a table and its plots. `make evaluate`."""
