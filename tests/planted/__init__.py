"""Bugs that are put in on purpose, and the battery that must notice each."""
