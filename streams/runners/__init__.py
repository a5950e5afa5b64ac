"""Runners: who drives the processor."""
