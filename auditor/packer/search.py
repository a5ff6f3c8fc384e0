"""Try what the level admits and keep the smallest file. Deterministic: candidates are tried in a fixed order.

Nothing here decides whether a text is right (that is `minify`'s proof and `verify`'s check); it only compares sizes.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from dataclasses import dataclass, fields, replace

from auditor.errors import BudgetExceeded
from auditor.limits import PackLimits
from auditor.packer import cm_coder
from auditor.packer.cm_model import CmParams
from auditor.packer.codecs import streams
from auditor.packer.minify import Minified
from auditor.packer.options import Level, PackOptions
from auditor.packer.printing import escape
from auditor.packer.shims import Shim, wrap, wrap_cm

Progress = Callable[[str], None]

TUNINGS = (("rate", 45), ("rate", 75), ("lag", 11), ("weight", 17))
"""Parameter steps tried for the context-mixing coder, in this order, each kept where it pays."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The smallest file found and the text it holds; `notes` says what was passed over and why."""

    minified: Minified
    shim: Shim
    carried: bytes
    notes: tuple[str, ...]
    decode_s: float | None = None
    """Seconds that the context-mixing walk took here (decoding takes as long as coding), None for other codecs."""


def _plain_best(text: Minified, options: PackOptions, ascii_only: bool) -> tuple[Shim, bytes]:
    """Return the smallest shim of one text under the standard codecs; beyond ASCII the source stays UTF-8 inside."""
    carried = text.text.encode()
    found = [
        shim
        for stream in streams(carried, options.level, options.codecs)
        for shim in wrap(stream, ascii_only, text.traced)
    ]
    return min(found, key=lambda s: len(s.data)), carried


def _symbols(text: str) -> tuple[str, bool]:
    """Return the symbols to code and whether they need 8 bits."""
    escaped = escape(text)
    return (escaped, False) if escaped is not None else (text.encode().decode("latin-1"), True)


def _stepped(params: CmParams, name: str, value: int) -> CmParams:
    return CmParams(**{**{f.name: getattr(params, f.name) for f in fields(params)}, name: value})


class _ContextMixing:
    """The search over the context-mixing coder's parameters for one text."""

    def __init__(self, text: Minified, ascii_only: bool, limits: PackLimits, progress: Progress) -> None:
        symbols, wide = _symbols(text.text)
        self.symbols, self.traced = symbols, text.traced
        self.radix = cm_coder.ASCII if ascii_only else cm_coder.RAW
        self.params = CmParams(len(symbols), wide=wide)
        self.limits, self.progress = limits, progress
        self.seconds = 0.0

    def pack(self, params: CmParams) -> Shim | None:
        """Return the shim at these parameters, None where it cannot be spelled or proved."""
        start = time.process_time()
        gc.disable()
        try:
            payload = cm_coder.encode(self.symbols, params, self.radix)
        except BudgetExceeded:
            return None
        finally:
            gc.enable()
            self.seconds = time.process_time() - start
        return wrap_cm(payload, params, self.radix, self.traced)

    def best(self) -> Shim | None:
        params, shim = self.params, self.pack(self.params)
        if self.params.length > self.limits.tuned_symbols:
            return shim
        for step in TUNINGS:
            trial = _stepped(params, *step)
            other = self.pack(trial)
            self.progress(f"context mixing {step}: {len(other.data) if other else 'none'}")
            if other is not None and (shim is None or len(other.data) < len(shim.data)):
                params, shim = trial, other
        return shim


def search(texts: list[Minified], options: PackOptions, limits: PackLimits, progress: Progress) -> Choice:
    """Return the smallest shim over texts, codecs and carriers that the options admit."""
    notes: list[str] = []
    ascii_only = options.ascii
    reads = texts[0].reads_itself
    if reads.problem and not ascii_only:
        ascii_only = True
        notes.append(f"ASCII carrier: {reads.problem}")
    text = min(texts, key=lambda t: len(next(streams(t.text.encode(), Level.FAST, frozenset())).data))
    shim, carried = _plain_best(text, options, ascii_only)
    progress(f"{text.applied[-1] if text.applied else 'as is'}: {shim.codec} {len(shim.data):,}")
    chosen = Choice(text, shim, carried, ())
    if options.level is Level.MAX:
        coder = _ContextMixing(chosen.minified, ascii_only, limits, progress)
        if coder.params.length > limits.cm_symbols:
            notes.append(
                f"context mixing passed over: {coder.params.length} symbols would take more than "
                f"{limits.decode_seconds:g} s to decode"
            )
        else:
            mixed = coder.best()
            carried = coder.symbols.encode("latin-1")
            if mixed is not None and len(mixed.data) < len(chosen.shim.data):
                chosen = Choice(chosen.minified, mixed, carried, (), coder.seconds)
    return replace(chosen, notes=tuple(notes))
