"""The parse check gives the answer of a real Python 3.10 whatever Python runs it, at the exact place."""

from __future__ import annotations

import ast
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.frontend import compat, pep701
from auditor.frontend.fstrings import scan
from auditor.frontend.parse import parse

TARGET = (3, 10)

ACCEPTED = [
    "f'{x}'",
    "f\"{x['a']}\"",
    "f'{\", \".join(x)}'",
    'f"""{"a"}"""',
    "f'{x!r:>{w}}'",
    "f'{x = }'",
    "f'{x !r}'",
    "f'{x:{w}.{p}}'",
    "f'\\n{x}'",
    "rf'\\d{x:\\d}'",
    "f'\\N{EM DASH}{x}'",
    "f'{{}}{{{x}}}'",
    'f"""{\nx\n}"""',
    "f'{(a:=5)}{b!=c}{a>=b}'",
    "f'{x:%H:%M}'",
    "f\"{'#'}{'}'}{'{'}\"",
    "x = 1 if'a'else'b'",
    "'#' + f'{y}'  # f\"{a[\"b\"]}\"",
    "match x:\n case [1, *r]: pass",
    "with (open(a) as b, open(c) as d): pass",
    "a[(*b,)]",
    "type = 1\ntype(x)",
    "for x in *a, *b: pass",
    "@a[0].b\ndef f(): pass",
    "\x0cx=1",
    "x=1\r\ny=2\r\n",
    "async def f():\n return [y async for y in z]",
    "try: pass\nexcept (A, B): pass",
    "1if 1else 2",
]

REJECTED = [
    ('f"{x["a"]}"', [(1, 6)], "3.12"),
    ('y = f"{", ".join(x)} {x["k"]}"', [(1, 8), (1, 25)], "3.12"),
    ('f"{" ".join(f"a{b}"for b in c)}"', [(1, 4), (1, 14)], "3.12"),
    ("x=1\nf\"{'\\n'.join(x)}\"", [(2, 5)], "3.12"),
    ('f"""{x # c\n}"""', [(1, 8)], "3.12"),
    ('f"{x\n}"', [(1, 5)], "3.12"),
    ("f'{x!r }'", [(1, 7)], "3.12"),
    ("f'{x:{w:{z}}}'", [(1, 9)], "3.12"),
    ('\'é▁\'; f"{x["a"]}"', [(1, 12)], "3.12"),
]

NEWER = [
    ((3, 11), "try: pass\nexcept* E: pass", (2, 1), "3.11"),
    ((3, 11), "a[b, *c]", (1, 6), "3.11"),
    ((3, 11), "def f(*args: *Ts): pass", (1, 14), "3.11"),
    ((3, 11), "async def f():\n return [[y async for y in z] for z in w]", (2, 10), "3.11"),
    ((3, 12), "type X = int", (1, 1), "3.12"),
    ((3, 12), "def f[T](x): pass", (1, 7), "3.12"),
    ((3, 13), "class C[T = int]: pass", (1, 9), "3.12"),
]


def places(source: str | bytes, target: compat.Version = TARGET) -> list[tuple[int, int, str | None]]:
    data = source.encode() if isinstance(source, str) else source
    return [(p.span.line, p.span.column, p.minimum) for p in compat.problems(data, "t.py", 0, target)]


@pytest.mark.parametrize("source", ACCEPTED)
def test_what_310_accepts_is_accepted(source: str) -> None:
    """Valid 3.10 source has no problem on any host."""
    assert places(source) == []


@pytest.mark.parametrize(("source", "expected", "minimum"), REJECTED)
def test_every_place_of_newer_fstrings(source: str, expected: list[tuple[int, int]], minimum: str) -> None:
    """Each place that needs 3.12 is reported, at the column of the place, in characters, and 3.12 accepts all of it."""
    assert places(source) == [(line, column, minimum) for line, column in expected]
    assert places(source, (3, 12)) == []


@pytest.mark.parametrize(("host", "source", "place", "minimum"), NEWER)
def test_newer_statements(host: tuple[int, int], source: str, place: tuple[int, int], minimum: str) -> None:
    """Syntax of later versions is rejected, by the host's grammar or by the walk over its tree."""
    found = places(source)
    assert found
    if sys.version_info >= host:
        assert found[0] == (*place, minimum)


@pytest.mark.parametrize(
    "source", ["x = (", "return 1", "x = 0xZ", "if 1:\n\tx=1\n        y=1", "x—y", "f'{a b}'", "'abc"]
)
def test_broken_on_every_version(source: str) -> None:
    """What no version parses has no minimum version."""
    assert [minimum for *_, minimum in places(source)] == [None]


@pytest.mark.parametrize(
    ("data", "fine"),
    [
        (b"\xef\xbb\xbfx = 1\n", True),
        (b"# -*- coding: latin-1 -*-\nx = '\xe9'\n", True),
        (b"x = '\xe9'\n", False),
        (b"x = 1\0\n", False),
        ("x = 1\n".encode("utf-16"), False),
        (b"# coding: nonsense\nx = 1\n", False),
        (b"", True),
    ],
)
def test_encodings(data: bytes, fine: bool) -> None:
    """Byte order marks and coding lines are honoured; null bytes and undecodable bytes are problems, not crashes."""
    assert (places(data) == []) is fine


def test_rewrite_is_the_line_with_other_quotes() -> None:
    """The suggested line differs in the quotes alone and parses on the target."""
    problem = compat.problems(b'log(f"{", ".join(x)}|{d["k"]}")\n', "t.py", 0, TARGET)[0]
    assert problem.source_line == 'log(f"{", ".join(x)}|{d["k"]}")'
    assert problem.rewrite == "log(f\"{', '.join(x)}|{d['k']}\")"


def test_no_rewrite_where_both_quotes_are_used() -> None:
    """Nothing is suggested where swapping quotes cannot mend the line."""
    assert compat.problems(b'f"{x["it\'s"]}"', "t.py", 0, TARGET)[0].rewrite is None


@pytest.mark.parametrize("source", [row[0] for row in REJECTED])
def test_requote_keeps_every_place(source: str) -> None:
    """The requoted text has the same width and lines, parses on every host, and names stay where they were."""
    changed, _ = pep701.requote(scan(source).formatted, source)
    assert len(changed) == len(source)
    assert [len(line) for line in changed.split("\n")] == [len(line) for line in source.split("\n")]
    assert pep701.places(scan(changed).formatted, changed) == []
    names = {(n.id, n.lineno, n.col_offset) for n in ast.walk(ast.parse(changed)) if isinstance(n, ast.Name)}
    assert all(
        changed.encode().split(b"\n")[line - 1][column:].startswith(name.encode()) for name, line, column in names
    )


def test_payload_with_newer_fstrings_has_a_tree() -> None:
    """A source that only newer f-strings keep from parsing is parsed on every host."""
    parsed = parse(b'def f(x):\n    return f"{", ".join(x)}"\n')
    assert parsed.tree is not None
    assert parsed.requoted is (sys.version_info < (3, 12))


@pytest.mark.parametrize("source", ["(" * 5000, "-" * 200_000 + "1", "[" * 190 + "]" * 190, "a" + ".b" * 50_000])
def test_deep_nesting_ends_quietly(source: str) -> None:
    """Sources built to exhaust the parser give a result, not a crash."""
    parsed = parse(source.encode())
    assert parsed.tree is not None or parsed.error
    assert not (parsed.undecided and places(source))


@pytest.mark.skipif(sys.version_info < (3, 12), reason="the host's tokenizer sees f-strings as plain strings")
def test_scanner_agrees_with_the_hosts_tokenizer() -> None:
    """The scanner finds the same f-strings as the tokenizer of Python 3.12."""
    import io
    import tokenize

    source = "\n".join(line for line in ACCEPTED if "\n" not in line and "\r" not in line and "\x0c" not in line)
    lines = compat.Lines.of(source)
    starts = [
        token.start
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.FSTRING_START
    ]
    found = [lines.locate(literal.start) for literal in scan(source).formatted]
    assert [(line, column - 1) for line, column in found] == starts


PIECES = st.sampled_from(
    ["f'", 'f"', "'", '"', "{", "}", "x", ":", "!r", "\\", "#", "\n", " ", '"""', "'''", "rf'", "(", "]", "=", "é"]
)


@given(st.lists(PIECES, max_size=24).map("".join))
@settings(max_examples=300, deadline=None)
def test_any_text_gets_an_answer(source: str) -> None:
    """Whatever the text, the check answers, and on a host without newer f-strings it agrees with its compiler."""
    found = places(source)
    if sys.version_info < (3, 12):
        try:
            compile(source, "t", "exec", dont_inherit=True)
        except (SyntaxError, ValueError):
            assert found
        else:
            assert not found
