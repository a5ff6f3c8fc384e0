"""The process environment as the program sees it; what it asks for is remembered with its code default."""

from __future__ import annotations

from typing import Any

from auditor.interp.machine import Machine
from auditor.interp.values import MISSING, Sym


def read(m: Machine, name: Any, default: Any) -> Any:
    """Return the value of an environment variable, or the default where it is unset."""
    if not isinstance(name, str):
        return default if default is not MISSING else Sym(name="environ")
    written = m.files.get(f"env:{name}", MISSING)
    if written is not MISSING:
        return written
    m.reads.setdefault(name, None if default is MISSING else default)
    if name in m.world.environ:
        return m.world.environ[name]
    return Sym(name=name) if default is MISSING else default


def misread(m: Machine, value: Any) -> Any:
    """Return the code default of the variable that holds a text which is no number, MISSING where there is none.

    The run converted what it had: a log line shares its name with a setting then, and says something else.
    """
    names = [name for name, default in m.reads.items() if m.world.environ.get(name) == value and default is not None]
    return m.reads[names[0]] if names and isinstance(value, str) else MISSING


def write(m: Machine, name: str, value: Any) -> None:
    """Set an environment variable from inside the program."""
    m.files[f"env:{name}"] = value


def set_default(m: Machine, name: Any, value: Any) -> Any:
    """Set an environment variable unless it is set."""
    if isinstance(name, str) and name not in m.world.environ and f"env:{name}" not in m.files:
        write(m, name, value)
    return read(m, name, value)


def contains(m: Machine, name: Any) -> bool:
    """Say whether a variable is set; a single process without a launcher is assumed."""
    return isinstance(name, str) and (name in m.world.environ or f"env:{name}" in m.files)
