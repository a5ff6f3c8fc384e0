"""Find the rules: every module auditor/rules/pgNNN_*.py with a `check` function is a rule of that number."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Callable, Iterator
from functools import lru_cache

import auditor.rules
from auditor.errors import PgolfError
from auditor.model.finding import Finding, Pass
from auditor.rules.context import RuleContext
from auditor.rules.data import cards

Check = Callable[[RuleContext], Iterator[Finding | Pass]]

_MODULE = re.compile(r"pg(\d{3})_\w+")


@lru_cache(maxsize=1)
def checks() -> dict[str, Check]:
    """Return every rule's check by rule id, in the order of the ids; a rule without a card is an error."""
    found: dict[str, Check] = {}
    for info in sorted(pkgutil.iter_modules(auditor.rules.__path__), key=lambda item: item.name):
        match = _MODULE.fullmatch(info.name)
        if not match:
            continue
        rule = f"PG{match.group(1)}"
        if rule not in cards():
            raise PgolfError(f"rule {rule} has a module but no card in rules/")
        found[rule] = importlib.import_module(f"auditor.rules.{info.name}").check
    return found
