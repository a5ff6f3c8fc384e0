"""Answer a script that calls a C compiler. Nothing but this process can run here, so the parent compiles.

The first run that asks ends there and hands over what was to be compiled; the next one finds the library, or the
compiler's message, under the same key.
"""

from __future__ import annotations

import base64
import builtins
import hashlib
import json
import os
import re
from collections.abc import Callable
from typing import Any

COMPILER = re.compile(r"(?:gcc|cc|clang|g\+\+|c\+\+|clang\+\+)(?:-\d+)?")
HEADERS = (".h", ".hpp", ".inc")
MOST_HEADERS = 40
MOST_BYTES = 1_000_000
WITH_VALUE = ("-o", "-x", "-I", "-L")
"""Options whose value may be the next word."""
REAL_OPEN = builtins.open


class Native:
    """The compiler as the script sees it."""

    def __init__(self, folder: str, ask: Callable[[dict[str, Any]], None]) -> None:
        self.folder, self.ask = folder, ask
        self.refused = ""
        """The last message of a compiler that failed."""

    def answer(self, words: list[str], stdin: bytes, read: Callable[[str], Any], place: Callable[[str], Any]) -> Any:
        """Return (exit code, message) of the compiler call `words`, None where nothing is to be compiled.

        `read` and `place` say where a file stands in the scratch, and is to be written.
        """
        call = parsed(words)
        if call is None:
            return None
        try:
            request = self.request(words[0], call, stdin, read)
        except OSError as problem:
            return 1, f"{words[0]}: {problem}"
        key = hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()
        built = os.path.join(self.folder, key)
        if is_file(built + ".txt"):
            with REAL_OPEN(built + ".txt", encoding="utf-8") as file:
                self.refused = file.read()
            return 1, self.refused
        if not is_file(built + ".so"):
            self.ask({"key": key, **request})
        with REAL_OPEN(built + ".so", "rb") as library, REAL_OPEN(place(call["out"]), "wb") as file:
            file.write(library.read())
        return 0, ""

    def request(self, compiler: str, call: dict[str, Any], stdin: bytes, read: Callable[[str], Any]) -> dict[str, Any]:
        """Return what the parent needs to compile: options, and the texts of sources and of the headers beside them."""
        cpp = "+" in os.path.basename(compiler) or call["language"] == "c++"
        sources: dict[str, bytes] = {}
        names = []
        for path in call["inputs"]:
            if path == "-":
                name, sources["stdin.cpp" if cpp else "stdin.c"] = "stdin.cpp" if cpp else "stdin.c", stdin
            else:
                name = os.path.basename(path)
                sources[name] = contents(read(path))
                sources = {**headers(os.path.dirname(read(path))), **sources}
            names.append(name)
        if sum(map(len, sources.values())) > MOST_BYTES:
            raise OSError("sources too large")
        return {
            "cpp": cpp,
            "arguments": call["options"],
            "inputs": names,
            "sources": {name: base64.b64encode(text).decode() for name, text in sources.items()},
        }


def parsed(words: list[str]) -> dict[str, Any] | None:
    """Return options, inputs, output and language of a compiler call, None where it is none or compiles nothing."""
    if not words or not COMPILER.fullmatch(os.path.basename(words[0])):
        return None
    found: dict[str, Any] = {"options": [], "inputs": [], "out": "a.out", "language": ""}
    rest = iter(words[1:])
    for word in rest:
        kind = word[:2] if word[:2] in WITH_VALUE else ""
        value = (word[2:] or next(rest, "")) if kind else ""
        if kind == "-o":
            found["out"] = value
        elif kind == "-x":
            found["language"] = value
        elif kind:
            continue
        elif word == "-" or not word.startswith("-"):
            found["inputs"].append(word)
        else:
            found["options"].append(word)
    return found if found["inputs"] else None


def contents(path: str) -> bytes:
    with REAL_OPEN(path, "rb") as file:
        text: bytes = file.read(MOST_BYTES + 1)
    return text


def headers(folder: str) -> dict[str, bytes]:
    """Return the headers that lie in `folder`."""
    names = sorted(name for name in os.listdir(folder or ".") if name.endswith(HEADERS))[:MOST_HEADERS]
    return {name: contents(os.path.join(folder, name)) for name in names}


is_file = os.path.isfile
"""As it was before the miniature's world took its place."""
