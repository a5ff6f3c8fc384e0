"""The abstract interpreter: executes a script symbolically and emits an ordered event trace. It runs nothing."""
