"""Hostile bytes to model. Nothing else touches the PR directory."""
