"""The rule language: read, checked and compiled; the packs of rules written in it."""
