"""Command-line parsers: what an option is worth under the run command that is followed."""

from __future__ import annotations

from typing import Any

from auditor.interp.machine import Machine
from auditor.interp.values import External, Instance

_SWITCH_DEFAULT = {"store_true": False, "store_false": True}


def parser_method(m: Machine, r: Instance, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Call a method of an argument parser: options are known from their defaults and the followed command."""
    options = r.attrs.setdefault("options", {})
    if name == "add_argument":
        flags = [a for a in args if isinstance(a, str)]
        dest = kwargs.get("dest") or (max(flags, key=len).lstrip("-").replace("-", "_") if flags else "")
        # The first of several switches with one destination sets its default.
        default = kwargs.get("default", _SWITCH_DEFAULT.get(kwargs.get("action", "")))
        if isinstance(dest, str) and dest:
            options[dest] = _argument(m, flags, options.get(dest, default), kwargs)
        return None
    if name in ("add_argument_group", "add_mutually_exclusive_group", "add_subparsers", "add_parser"):
        return r
    if name in ("parse_args", "parse_known_args"):
        made = Instance(None, "argparse.Namespace")
        made.attrs.update(options)
        from auditor.interp.classes import apply_overrides

        apply_overrides(m, made.attrs)
        return made if name == "parse_args" else (made, [])
    return None


def _argument(m: Machine, flags: list[str], default: Any, kwargs: dict[str, Any]) -> Any:
    argv = m.world.argv
    if m.world.switches and kwargs.get("action") == "store_true":
        return True
    for i, word in enumerate(argv):
        key, _, glued = word.partition("=")
        if key not in flags:
            continue
        if kwargs.get("action") in _SWITCH_DEFAULT:
            return kwargs["action"] == "store_true"
        text = glued or (argv[i + 1] if i + 1 < len(argv) else "")
        kind = kwargs.get("type")
        if isinstance(kind, External):
            from auditor.interp.library import call_library

            return call_library(m, kind.path, (text,), {})
        return text
    return default
