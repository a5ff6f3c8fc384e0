"""Try what the level admits and keep the smallest file. Deterministic: candidates are tried in a fixed order.

Nothing here decides whether a text is right (that is `minify`'s proof and `verify`'s check); it only compares sizes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from auditor.limits import PackLimits
from auditor.packer import cm_coder
from auditor.packer.cm_model import CmParams
from auditor.packer.codecs import streams
from auditor.packer.minify import Minified
from auditor.packer.options import Level, PackOptions
from auditor.packer.printing import escape
from auditor.packer.shims import Shim, wrap, wrap_cm

Progress = Callable[[str], None]

RATES = (35, 45, 60, 75)
WEIGHTS = (14, 17)
"""Settings of the context-mixing coder that are tried, all at once; on real scripts they differ by 0.1 to 0.5 %."""
FINISHED = 2
"""Of these, so many of the cheapest are spelled out and wrapped: the wrapping differs by a few bytes."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The smallest file found and the text it holds; `notes` says what was passed over and why."""

    minified: Minified
    shim: Shim
    carried: bytes
    notes: tuple[str, ...]


def _plain_best(text: Minified, options: PackOptions, ascii_only: bool) -> tuple[Shim, bytes]:
    """Return the smallest shim of one text under the standard codecs; beyond ASCII the source stays UTF-8 inside."""
    carried = text.text.encode()
    found = [
        shim
        for stream in streams(carried, options.level, options.codecs)
        for shim in wrap(stream, ascii_only, text.traced)
    ]
    return min(found, key=lambda s: len(s.data)), carried


def _quick_size(text: Minified) -> int:
    return len(next(streams(text.text.encode(), Level.FAST, frozenset())).data)


def _symbols(text: str) -> tuple[str, bool]:
    """Return the symbols to code and whether they need 8 bits."""
    escaped = escape(text)
    return (escaped, False) if escaped is not None else (text.encode().decode("latin-1"), True)


def _settings(length: int, wide: bool, limits: PackLimits) -> list[CmParams]:
    if length > limits.tuned_symbols:
        return [CmParams(length, wide=wide)]
    return [CmParams(length, rate=rate, weight=weight, wide=wide) for rate in RATES for weight in WEIGHTS]


def _mixed(text: Minified, ascii_only: bool, limits: PackLimits, progress: Progress) -> tuple[Shim, bytes] | str:
    """Return the smallest context-mixing shim of a text and the bytes that it carries, or why there is none."""
    from auditor.packer.cm_survey import survey  # numpy takes a quarter of a second to load

    symbols, wide = _symbols(text.text)
    if len(symbols) > limits.cm_symbols:
        return f"{len(symbols)} symbols would take more than {limits.decode_seconds:g} s to decode"
    radix = cm_coder.ASCII if ascii_only else cm_coder.RAW
    progress(f"context mixing: {len(symbols):,} symbols")
    found: list[Shim] = []
    for coded in survey(symbols, _settings(len(symbols), wide, limits)):
        payload = cm_coder.spell(symbols, coded.params.bits, coded.odds.tolist(), radix)
        shim = wrap_cm(payload, coded.params, radix, text.traced)
        if shim is not None:
            progress(f"rate {coded.params.rate}, weight {coded.params.weight}: cm {len(shim.data):,}")
            found.append(shim)
        if len(found) == FINISHED:
            break
    if not found:
        return "no setting of the coder fits the text"
    return min(found, key=lambda shim: len(shim.data)), symbols.encode("latin-1")


def search(texts: list[Minified], options: PackOptions, limits: PackLimits, progress: Progress) -> Choice:
    """Return the smallest shim over texts, codecs and carriers that the options admit."""
    notes: list[str] = []
    ascii_only = options.ascii
    reads = texts[0].reads_itself
    if reads.problem and not ascii_only:
        ascii_only = True
        notes.append(f"ASCII carrier: {reads.problem}")
    text = min(texts, key=_quick_size) if len(texts) > 1 else texts[0]
    shim, carried = _plain_best(text, options, ascii_only)
    progress(f"{text.applied[-1] if text.applied else 'as is'}: {shim.codec} {len(shim.data):,}")
    if options.level is Level.MAX:
        mixed = _mixed(text, ascii_only, limits, progress)
        if isinstance(mixed, str):
            notes.append(f"context mixing passed over: {mixed}")
        elif len(mixed[0].data) < len(shim.data):
            shim, carried = mixed
    return Choice(text, shim, carried, tuple(notes))
