"""Shims that `pgolf pack` made: recognised byte for byte by their template and decoded by our own code, never run.

Their payload is a number or a context-mixed stream that a loop decodes, which constant folding cannot follow.
"""

from __future__ import annotations

from auditor.errors import BudgetExceeded, UnpackError
from auditor.limits import DEFAULT_LIMITS, UnpackLimits
from auditor.model.source import Layer, Opaque, Span

_HEADS = (b"#coding:L1\nimport ", b"import ")


def own_layer(layer: Layer, file: str, limits: UnpackLimits, opaque: list[Opaque]) -> Layer | None:
    """Return the layer inside a shim of ours, None for any other file; what cannot be decoded is added to `opaque`."""
    if not layer.raw.startswith(_HEADS) or b"map(ord,r" not in layer.raw[:90]:
        return None
    from auditor.packer.shims import recognise

    found = recognise(layer.raw)
    if found is None:
        return None
    most = DEFAULT_LIMITS.pack.symbols if "context mixing" in found.codecs else limits.layer_bytes
    try:
        raw = found.decode(most)
    except (BudgetExceeded, UnpackError) as error:
        opaque.append(Opaque(Span(file, layer.index, 1), f"decoding was stopped: {error}"))
        return None
    return Layer(layer.index + 1, raw, raw.decode("utf-8", "replace"), found.codecs, found.origin)
