"""Switches that the README's words beside the claimed number name, where no log and no command says how they stood.

The author calls the number by what made it; the code has a switch of that name, which is off by default. Used only
where the claimed number is in no log line that the script prints.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from auditor.interp.printing import words_of

_OFF = frozenset({"", "0", "false", "off", "no", "none"})
_COMMON = frozenset(["enabled", "enable", "use", "eval", "run", "do", "is", "on", "with", "mode"])
"""Parts of a switch's name that say nothing of what it switches."""


def named_switches(reads: Mapping[str, Any], environ: Mapping[str, str], mentions: tuple[str, ...]) -> dict[str, str]:
    """Return name -> "1" of the environment switches that are off by default and whose every word a mention has.

    `reads` holds what the program asked its environment for, with the code's defaults; `environ` what is settled.
    """
    found: dict[str, str] = {}
    for name, default in reads.items():
        own = frozenset(name.lower().split("_")) - _COMMON
        if name in environ or str(default).strip().lower() not in _OFF or default is None or not own:
            continue
        if any(own <= words_of(mention) for mention in mentions):
            found[name] = "1"
    return found
