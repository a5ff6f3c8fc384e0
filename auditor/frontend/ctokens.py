"""C and C++ source as tokens: comments and preprocessor lines are gone, the names of types are known."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_TOKEN = re.compile(
    r"""(?P<space>\s+|//[^\n]*|/\*.*?\*/|^[ \t]*\#(?:[^\n\\]|\\.|\\\n)*)
    |(?P<string>L?"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')
    |(?P<number>(?:0[xX][0-9a-fA-F']+|\d[\d']*\.?\d*(?:[eE][-+]?\d+)?|\.\d+(?:[eE][-+]?\d+)?)[uUlLfF]*)
    |(?P<name>[A-Za-z_]\w*(?:::[A-Za-z_]\w*)*)
    |(?P<op><<=|>>=|->|\+\+|--|<<|>>|<=|>=|==|!=|&&|\|\||[-+*/%&|^]=|[-+*/%&|^~!<>=?:;,.(){}\[\]])""",
    re.VERBOSE | re.MULTILINE | re.DOTALL,
)
TYPES = frozenset(
    (
        "const",
        "unsigned",
        "signed",
        "struct",
        "static",
        "inline",
        "extern",
        "register",
        "volatile",
        "restrict",
        "__restrict__",
        "__restrict",
        "constexpr",
        "int",
        "long",
        "short",
        "char",
        "float",
        "double",
        "void",
        "bool",
        "size_t",
        "ssize_t",
        "auto",
        "int8_t",
        "int16_t",
        "int32_t",
        "int64_t",
        "uint8_t",
        "uint16_t",
        "uint32_t",
        "uint64_t",
        "uintptr_t",
        "intptr_t",
    )
)
WORDS = frozenset(
    ("if", "else", "for", "while", "do", "return", "break", "continue", "switch", "case", "default", "goto", "sizeof")
)


@dataclass(slots=True)
class Token:
    text: str
    kind: str
    line: int


def tokens_of(text: str) -> list[Token]:
    out: list[Token] = []
    line, at = 1, 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            at += 1
            continue
        kind = match.lastgroup or ""
        if kind != "space":
            out.append(Token(match.group(), kind, line))
        line += match.group().count("\n")
        at = match.end()
    return out


def declared_types(tokens: list[Token]) -> frozenset[str]:
    """Return names that the source defines as types."""
    found = set()
    for at, token in enumerate(tokens[:-1]):
        if token.text in ("struct", "class", "enum", "union") and tokens[at + 1].kind == "name":
            found.add(tokens[at + 1].text)
        elif token.text == "typedef":
            end = at
            while end < len(tokens) and tokens[end].text != ";":
                end = closing(tokens, end) + 1 if tokens[end].text == "{" else end + 1
            if end < len(tokens) and tokens[end - 1].kind == "name":
                found.add(tokens[end - 1].text)
    return frozenset(found)


CLOSERS = {"(": ")", "{": "}", "[": "]"}


def closing(tokens: list[Token], at: int) -> int:
    """Return the index of the bracket that closes the one at `at` (the last token where none does)."""
    opener, closer, depth = tokens[at].text, CLOSERS[tokens[at].text], 0
    for index in range(at, len(tokens)):
        depth += (tokens[index].text == opener) - (tokens[index].text == closer)
        if depth == 0:
            return index
    return len(tokens) - 1


def split(tokens: list[Token]) -> Iterator[list[Token]]:
    part: list[Token] = []
    depth = 0
    for token in tokens:
        depth += (token.text in CLOSERS) - (token.text in ")}]")
        if token.text == "," and depth == 0:
            yield part
            part = []
        else:
            part.append(token)
    yield part


def integer(text: str) -> int | None:
    try:
        plain = text.replace("'", "")
        if "x" not in plain.lower():
            # Zero is zero in every notation; other fractions are never asked for.
            plain = "0" if plain.rstrip("uUlLfF").strip("0.") == "" else plain
        return int(plain.rstrip("uUlL"), 0)
    except ValueError:
        return None
