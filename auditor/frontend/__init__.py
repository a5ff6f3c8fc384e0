"""Decoded source to syntax trees, and the target-Python check."""
