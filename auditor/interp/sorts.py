"""What a byte table holds for one piece of each sort: followed from the tokenizer through the table into the byte sum.

A table is filled in a loop over token ids, of which three iterations and the last are run. The tokenizer of the
stand-in answers with a marked piece at id 0, a byte-fallback piece at id 1, a piece within a word at id 2 and a control
token at every other id, so that the loop itself says what it counts for each. Nothing else is known of a piece.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from auditor.interp.graph import Kind
from auditor.interp.machine import Machine
from auditor.interp.values import FACTOR, Sym

PIECES = ("\u2581the", "<0x41>", "ing", "</s>")
"""A piece of each sort, by the id at which the stand-in tokenizer has it; the last one stands for all further ids."""
BYTES = (4, 1, 3)
"""The bytes of the text for each of them, after an ordinary token."""
WORDS = ("a piece with the word-boundary mark", "a byte-fallback piece", "a piece within a word")
SAID = "said"
"""Attribute of a scalar that the tokenizer was asked for: (sort, value)."""
SORTS = "sorts"
"""Attribute of a table, and of what is looked up in it by tokens: sort -> value; a missing or None one is not known."""
_TEXT_METHODS = frozenset(
    ("startswith", "endswith", "encode", "decode", "lstrip", "rstrip", "strip", "replace", "removeprefix", "count")
)
_ASKED: dict[str, Callable[[int], Any]] = {
    "id_to_piece": PIECES.__getitem__,
    "is_byte": lambda sort: sort == 1,
    "is_control": lambda sort: sort == 3,
    "is_unknown": lambda sort: False,
    "is_unused": lambda sort: False,
}
_CAMEL = {
    "IdToPiece": "id_to_piece",
    "IsByte": "is_byte",
    "IsControl": "is_control",
    "IsUnknown": "is_unknown",
    "IsUnused": "is_unused",
}
LONGEST = 64
"""Characters of a text, or bits of a number, that are followed; a loop that doubles a piece stops being known."""
_SCALING = (
    operator.truediv,
    operator.floordiv,
    operator.pow,
    operator.lshift,
    operator.rshift,
    operator.matmul,
    np.clip,
)
"""Functions whose results are other units, or whose bounds may be given by name."""
_PLAIN = (bool, int, float, str, bytes)


def said(value: Any) -> tuple[int, Any] | None:
    """Return (sort, value) of what the tokenizer said of the piece at hand, None where it was not asked."""
    return value.attrs.get(SAID) if type(value) is Sym and value.attrs is not None else None


def asked(made: Sym, name: str, args: tuple[Any, ...]) -> None:
    """Put the answer of the stand-in tokenizer behind a question about a known id."""
    answer = _ASKED.get(_CAMEL.get(name, name))
    if answer is not None and len(args) == 1 and type(args[0]) is int and args[0] >= 0:
        sort = min(args[0], len(PIECES) - 1)
        _put(made, SAID, (sort, answer(sort)))


def of_text(made: Sym, receiver: Sym, name: str, args: tuple[Any, ...]) -> Sym:
    """Apply a method of strings to a piece or its bytes."""
    known = said(receiver)
    if known is not None and name in _TEXT_METHODS and all(isinstance(a, (str, bytes, tuple)) for a in args):
        _apply(made, known[0], lambda: getattr(known[1], name)(*args))
    return made


def of_plain(made: Any, receiver: Any, function: Callable[[Any], Any]) -> Any:
    """Apply a function of one plain value, such as its length or a slice, to what the tokenizer said."""
    known = said(receiver)
    if known is not None and isinstance(made, Sym):
        _apply(made, known[0], lambda: function(known[1]))
    return made


def item(made: Sym, source: Sym, index: Any) -> None:
    """Keep what is known of each sort in a part of what was looked up, and take a part of what the tokenizer said."""
    if source.attrs is None:
        return
    of_plain(made, source, operator.itemgetter(index))
    parts = index if isinstance(index, tuple) else (index,)
    if FACTOR in source.attrs:
        _put(made, FACTOR, source.attrs[FACTOR])
    if SORTS in source.attrs and (source.pos is not None or all(isinstance(part, slice) for part in parts)):
        _put(made, SORTS, source.attrs[SORTS])


def _apply(made: Sym, sort: int, function: Callable[[], Any]) -> None:
    try:
        result = function()
    except (TypeError, ValueError, IndexError, ArithmeticError):
        return
    small = len(result) <= LONGEST if isinstance(result, (str, bytes)) else isinstance(result, (bool, int, float))
    if small and not (isinstance(result, int) and result.bit_length() > LONGEST):
        _put(made, SAID, (sort, result))


def _put(made: Sym, name: str, value: Any) -> None:
    if made.attrs is None:
        made.attrs = {}
    made.attrs[name] = value


def combined(made: Sym, operands: tuple[Any, ...], function: Callable[..., Any] | None) -> None:
    """Combine element by element what operands hold for each sort; unknown where another operand is not known."""
    syms = [v for v in operands if type(v) is Sym and v.attrs is not None]
    if function is None or not any(SORTS in s.attrs or SAID in s.attrs for s in syms if s.attrs is not None):
        return
    if any(SORTS in s.attrs for s in syms if s.attrs is not None):
        columns = [[_of(value, sort) for sort in range(len(BYTES))] for value in operands]
        if not any(value is None for column in columns for value in column) and not _runs_on(function, columns):
            _put(made, SORTS, _by_sort(function, columns))
        return
    answers = [said(v) for v in operands]
    sorts = {answer[0] for answer in answers if answer is not None}
    if function in (*_SCALING, operator.mul):
        return
    if len(sorts) == 1 and all(a is not None or isinstance(v, _PLAIN) for a, v in zip(answers, operands, strict=True)):
        values = [a[1] if a is not None else v for a, v in zip(answers, operands, strict=True)]
        _apply(made, sorts.pop(), lambda: function(*values))


def _of(value: Any, sort: int) -> Any:
    if isinstance(value, (bool, int, float)):
        return value
    if type(value) is not Sym:
        return None
    if value.attrs is not None and SORTS in value.attrs:
        return value.attrs[SORTS].get(sort)
    return None


def _by_sort(function: Callable[..., Any], columns: list[list[Any]]) -> dict[int, Any]:
    try:
        return {sort: function(*row) for sort, row in enumerate(zip(*columns, strict=True))}
    except (TypeError, ValueError, ArithmeticError):
        return {}


def _runs_on(function: Callable[..., Any], columns: list[list[Any]]) -> bool:
    """Say whether a result is no longer bytes of one token: a running total, other units, or truth values added up."""
    if function is operator.add:
        truths = [all(isinstance(value, (bool, np.bool_)) for value in column) for column in columns]
        return all(truths) or not _flags(columns)
    return function in _SCALING or (function is operator.mul and not _flags(columns))


def _flags(columns: list[list[Any]]) -> bool:
    return any(all(value in (0, 1) for value in column) for column in columns)


def handed_on(source: Sym, made: Sym) -> Sym:
    """Keep what is known of each sort through a copy, a view or a change of layout or type."""
    if source.attrs is not None and made is not source:
        for name in (SAID, SORTS, FACTOR):
            if name in source.attrs:
                _put(made, name, source.attrs[name])
    return made


def replaced(current: Sym, result: Sym) -> None:
    """Give a value that was changed in place what is known of the result."""
    known = current.attrs or {}
    if known.pop(SORTS, None) is not None or known.pop(FACTOR, None) or FACTOR in (result.attrs or {}):
        handed_on(result, current)


def listed(made: Sym, values: Any) -> Sym:
    """Read a table out of a list of what was found for each id."""
    first = list(values[: len(BYTES)])
    if len(first) == len(BYTES) and any(said(v) is not None for v in first):
        found = {sort: _entry(value, sort) for sort, value in enumerate(first)}
        made.attrs = {SORTS: found}
    return made


def _entry(value: Any, sort: int) -> Any:
    answer = said(value)
    if answer is not None:
        value = answer[1] if answer[0] == sort else None
    return np.asarray(value)[()] if isinstance(value, (bool, int, float)) else None


def stored(m: Machine, table: Sym, index: tuple[Any, ...], value: Any) -> None:
    """Note what a table got at the id of a sort, before its content is forgotten."""
    at = index[0] if len(index) == 1 else None
    known = table.attrs is not None and SORTS in table.attrs
    if type(at) is not int or table.shape is None or len(table.shape) != 1 or not 0 <= at < len(BYTES):
        return
    if not known and said(value) is None and not m.maybe:
        return
    if not known:
        start = table.val[: len(BYTES)] if table.val is not None else ()
        _put(table, SORTS, dict(enumerate(start)))
    assert table.attrs is not None
    table.attrs[SORTS] = {**table.attrs[SORTS], at: None if m.maybe else _entry(value, at)}


def looked_up(made: Sym, table: Sym) -> Sym:
    """Give what tokens look up in a table its value for each sort of token."""
    if table.attrs is not None and SORTS in table.attrs:
        _put(made, SORTS, table.attrs[SORTS])
    elif table.val is not None and table.val.ndim == 1 and table.val.dtype == bool and table.val.size >= len(BYTES):
        _put(made, SORTS, dict(enumerate(table.val[: len(BYTES)])))
    return made


def summed(m: Machine, value: Sym, made: Any) -> Any:
    """Put an event behind bytes that are added up, where they count more for a piece than the text has."""
    sorts = value.attrs.get(SORTS) if value.attrs is not None else None
    if not sorts or type(made) is not Sym or made.node is None:
        return made
    counts = [sorts.get(sort) for sort in range(len(BYTES))]
    if all(count is not None for count in counts) and any(c > b for c, b in zip(counts, BYTES, strict=True)):
        made.node = m.node(Kind.OP, [made.node], text="adds up bytes", sizes=tuple(float(c) for c in counts))
    return made
