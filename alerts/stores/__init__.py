"""Stores of alerts: one contract, several databases."""
