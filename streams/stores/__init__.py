"""Stores: where journal, states and positions lie."""
