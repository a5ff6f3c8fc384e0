"""Rounding, GPTQ, calibration, compression and the size ledger."""
