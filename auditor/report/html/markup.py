"""HTML that is escaped by construction: a plain string that reaches a tag is text, only `Html` passes as it is."""

from __future__ import annotations

import html
from collections.abc import Iterable

from auditor.report.visible import visible

_EMPTY = frozenset({"input", "rect", "line", "polyline"})


class Html(str):
    """Markup that this package made."""

    __slots__ = ()


def escape(text: str, limit: int | None = None) -> Html:
    """Return text as markup that shows it, hidden and controlling characters written out."""
    return Html(html.escape(visible(text, limit), quote=True))


def join(children: Iterable[object]) -> Html:
    """Return children one after the other; None is left out."""
    return Html("".join(_child(child) for child in children))


def tag(name: str, *children: object, **attributes: object) -> Html:
    """Return an element. `class_` stands for class, `data_x` for data-x; an attribute of None or False is left out."""
    parts = [name]
    for key, value in attributes.items():
        if value is None or value is False:
            continue
        named = key.rstrip("_").replace("_", "-")
        parts.append(named if value is True else f'{named}="{escape(str(value))}"')
    opened = " ".join(parts)
    return Html(f"<{opened}/>" if name in _EMPTY else f"<{opened}>{join(children)}</{name}>")


def _child(child: object) -> str:
    if child is None:
        return ""
    if isinstance(child, Html):
        return child
    if isinstance(child, (str, int, float)):
        return escape(str(child))
    if isinstance(child, Iterable):
        return join(child)
    raise TypeError(f"no markup is made of a {type(child).__name__}")
