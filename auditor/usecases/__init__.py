"""The public Python API: one module per command; prints nothing."""
