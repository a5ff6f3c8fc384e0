"""Run-time proofs of the four conditions on toy models."""
