"""Reading C: which elements of which arrays an output was made of, and what is left unsaid rather than guessed."""

from __future__ import annotations

import pytest

from auditor.frontend.cfacts import Element, Output, Summary, Unread, Whole
from auditor.frontend.cflow import summarise
from auditor.frontend.csource import functions

HEAD = "void f(const uint16_t *tok, int64_t n, const uint8_t *lut, int32_t *memory, int32_t *out) {\n"


def read(body: str, head: str = HEAD, before: str = "") -> Summary:
    summary = summarise(f"#include <stdint.h>\n{before}{head}{body}\n}}\n", "f")
    assert summary is not None
    return summary


def output(summary: Summary, name: str = "out") -> Output:
    return next(o for o in summary.outputs if summary.parameters[o.parameter] == name)


def shifts(found: Output, parameter: int = 0) -> set[int]:
    return {a.shift for a in found.atoms if isinstance(a, Element) and a.parameter == parameter and a.via is None}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("for (int i = 0; i < n; i++) out[i] = tok[i];", {0}),
        ("for (int i = 1; i < n; i++) out[i] = tok[i - 1];", {-1}),
        ("for (int i = 0; i < n; i++) out[i + 1] = tok[i];", {-1}),
        ("for (int i = 0; i < n; i++) { if (lut[tok[i]]) out[i] = 1; }", {0}),
        ("for (int i = 0; i < n; i++) { if (lut[tok[i - 1]]) out[i] = 1; else out[i] = 2; }", {-1}),
        ("for (int i = 0; i < n; i++) out[i] = lut[tok[i]] ? 3 : 4;", {0}),
        ("for (int i = 0; i < n; i++) { const uint16_t t = (uint16_t)tok[i]; uint32_t k = t * 31u; out[i] = k; }", {0}),
        ("for (int i = 2; i < n; i++) { int h = tok[i-2] ^ tok[i-1]; out[i] = memory[h]; memory[h] = 1; }", {-2, -1}),
        ("for (int i = 2; i < n; i++) { memory[0] = tok[i]; out[i] = memory[0]; }", {0}),
        ("for (int i = 0; i < n; i++) { int h = 0; for (int k = 1; k < 4; k++) h ^= tok[i - k]; out[i] = h; }", {-1}),
        ("for (int i = 0; i < n; i++) { int32_t *p = out; p[i] = tok[i]; }", {0}),
    ],
)  # fmt: skip
def test_distances_from_the_element_that_is_written(body: str, expected: set[int]) -> None:
    assert shifts(output(read(body))) == expected


def test_what_is_remembered_after_the_hint_is_of_the_past() -> None:
    """A table that is updated behind the write holds earlier tokens; one that is updated before it holds this one."""
    later = read("for (int i = 0; i < n; i++) { out[i] = memory[tok[i-1]]; memory[tok[i-1]] = tok[i]; }")
    assert shifts(output(later)) == {-1}
    sooner = read("for (int i = 0; i < n; i++) { memory[tok[i-1]] = tok[i]; out[i] = memory[tok[i-1]]; }")
    assert shifts(output(sooner)) == {-1, 0}


HELPERS = """
typedef struct { uint64_t last; uint32_t *table; } State;
static void push(State *st, uint16_t t) { st->last = st->last * 31 + t; }
static uint32_t find(const State *st, uint64_t key, int *found) {
    if (key == st->last) { *found = 1; return st->table[key]; }
    return 0;
}
"""


def test_calls_are_followed_into_functions_of_the_same_source() -> None:
    """The state is that of earlier tokens until the token at hand is pushed into it."""
    head = "int f(void *ptr, const uint16_t *tok, int n, int32_t *out) {\n"
    head += "State *st = (State *)ptr;\n if (!st) return -1;\n"
    look = "int found = 0; uint32_t v = find(st, st->last, &found); if (found > 0) out[i] = v;"
    before = read(f"for (int i = 0; i < n; i++) {{ {look} push(st, tok[i]); }} return 0;", head, HELPERS)
    assert not shifts(output(before), 1)
    after = read(f"for (int i = 0; i < n; i++) {{ push(st, tok[i]); {look} }} return 0;", head, HELPERS)
    assert shifts(output(after), 1) == {0}


def test_positions_that_are_handed_in_are_followed() -> None:
    """`p = pos[i]`: the token at the position, and the one before it."""
    head = "void f(const int64_t *pos, int n, const int64_t *tok, int32_t *out) {\n"
    found = output(read("for (int i = 0; i < n; i++) { int64_t p = pos[i]; out[i] = tok[p - 1]; }", head))
    assert Element(2, "", -1, 0) in found.atoms
    assert Element(2, "", 0, 0) not in found.atoms


@pytest.mark.parametrize(
    "body",
    [
        "for (int i = 0; i < n; i++) out[i] = tok[memory[i]];",
        "int i = 0; while (i < n) { out[0] = tok[i]; i++; } for (int j = 0; j < n; j++) out[j] = tok[n - 1];",
    ],
)
def test_a_place_that_is_not_known_is_the_whole_array(body: str) -> None:
    assert Whole(0) in output(read(body)).atoms


def test_what_does_not_parse_leaves_its_function_unread() -> None:
    found = read("for (int i = 0; i < n; i++) { goto end; out[i] = 1; }\nend: return;")
    assert Unread() in output(found).atoms


def test_shares_are_told_from_other_numbers() -> None:
    head = "void f(const int *count, const int *total, int n, float *out, float *scaled) {\n"
    body = """for (int i = 0; i < n; i++) {
        if (total[i]) { out[i] = (float)count[i] / (float)total[i]; scaled[i] = 9.0f * count[i] / total[i]; }
        else { out[i] = 0.0f; scaled[i] = 0.0f; }
    }"""
    summary = read(body, head)
    assert output(summary, "out").share
    assert not output(summary, "scaled").share


def test_a_function_that_is_not_defined_is_not_read() -> None:
    assert summarise("int g(int x);\nint h(int x) { return g(x); }", "g") is None


@pytest.mark.parametrize(
    "broken",
    ["", "{", "}}}}", "int h(", "/* no end", '"' * 50, "#define A \\\n", "(" * 5000, "void h(){" + "(" * 5000 + "}"],
)
def test_broken_source_behind_a_function_leaves_that_function_readable(broken: str) -> None:
    """Nothing is raised, and what stood before the damage is still read whole."""
    found = functions("int g(int x) { return x; }\n" + broken)
    assert [(f.name, f.complete) for f in found][:1] == [("g", True)]
    assert all(not f.complete for f in found[1:])


def test_functions_in_an_extern_block_and_their_parameters() -> None:
    (found,) = functions(
        '#include <x>\nextern "C" {\nint f(const float *a, double &b, int c[4], int d) { return d; }\n}\n'
    )
    assert [(p.name, p.pointer, p.writable) for p in found.parameters] == [
        ("a", True, False),
        ("b", True, True),
        ("c", True, True),
        ("d", False, True),
    ]
