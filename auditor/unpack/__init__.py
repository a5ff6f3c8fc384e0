"""Decode shims statically: bounded constant folding and bounded decompressors. Nothing is ever executed."""

from auditor.unpack.layers import unpack

__all__ = ["unpack"]
