"""Detectors of the unusual in a population, their versions, and what is said about a score."""
