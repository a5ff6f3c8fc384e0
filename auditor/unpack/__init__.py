"""Shim layers decoded statically, never executed."""
