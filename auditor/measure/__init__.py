"""Bytes, time, seeds and bits per byte, measured from what was submitted."""
