"""Hints that knew the token at their place: branches on it, native sources, and channels that the run had shut."""

from __future__ import annotations

import pytest

from auditor.interp.tallies import empty_masks
from auditor.interp.templates import LogText
from auditor.interp.values import Mark
from tests.interp.scripts import MODEL, SCORE, analysed, program, variables

LUT = 'starts = np.fromfile("starts.bin", dtype=np.uint8)\n'


def hints(line: str) -> str:
    """Return a script in which a loop over the validation tokens fills `hints`."""
    body = "\n".join(f"    {part}" for part in line.split("\n"))
    return f"""{MODEL}{LUT}
tokens = val.numpy()
hints, memory = np.full(len(tokens), -1), {{}}
for i in range(2, len(tokens)):
    key = (int(tokens[i - 2]), int(tokens[i - 1]))
{body}
    memory[key] = int(tokens[i])
hit = torch.from_numpy(hints[1:101]) == val[1:101]
"""


def told(source: str) -> bool:
    node = variables(source)["hit"].node
    return node is not None and node.info.get("told") is not None


@pytest.mark.parametrize(
    "line",
    [
        "if starts[tokens[i]]:\n    hints[i] = memory.get(key, -1)",
        "if not starts[tokens[i]]:\n    pass\nelse:\n    hints[i] = memory.get(key, -1)",
        "hints[i] = memory.get(key, -1) if starts[tokens[i]] else -1",
        "tok = int(tokens[i])\nnew = bool(starts[tok]) and bool(key)\nif new:\n    hints[i] = memory.get(key, -1)",
    ],
)
def test_a_branch_on_the_token_itself_is_told(line: str) -> None:
    assert told(hints(line))


@pytest.mark.parametrize(
    "line",
    [
        "hints[i] = memory.get(key, -1)",
        "if starts[tokens[i - 1]]:\n    hints[i] = memory.get(key, -1)",
        "if i > 7:\n    hints[i] = memory.get(key, -1)",
        "if i + 1 < len(tokens) and starts[tokens[i]]:\n    hints[i + 1] = memory.get(key, -1)",
    ],
)
def test_a_branch_on_what_came_before_is_not(line: str) -> None:
    assert not told(hints(line))


NATIVE = """
void mark(const uint16_t *tok, int64_t n, const uint8_t *starts, int32_t *table, int32_t *out, float *share) {
    for (int64_t i = 1; i < n; i++) {
        if (starts[tok[i - SHIFT]]) out[i] = table[tok[i - 1]];
        share[i] = (float)table[0] / (float)table[1];
        table[tok[i - 1]] = tok[i];
    }
}
"""
CALL = """
import ctypes
tokens = np.ascontiguousarray(val.numpy(), dtype=np.uint16)
out, share = np.zeros(len(tokens), np.int32), np.zeros(len(tokens), np.float32)
table = np.zeros(65536, np.int32)
lib = ctypes.CDLL("./lib.so")
at = lambda array: array.ctypes.data_as(ctypes.c_void_p)
lib.mark(at(tokens), ctypes.c_int64(len(tokens)), at(starts), at(table), at(out), at(share))
hit = torch.from_numpy(out[1:101].astype(np.int64)) == val[1:101]
never, often = share > 2.0, share > 0.5
"""


@pytest.mark.parametrize(("shift", "expected"), [(0, True), (1, False)])
def test_c_source_that_the_script_carries_is_read(shift: int, expected: bool) -> None:
    source = f"{MODEL}{LUT}code = '''{NATIVE.replace('SHIFT', str(shift))}'''\n{CALL}"
    assert told(source) is expected


def test_a_share_never_exceeds_one() -> None:
    """A threshold above one shuts a channel; one below it decides nothing."""
    names = variables(f"{MODEL}{LUT}code = '''{NATIVE.replace('SHIFT', '1')}'''\n{CALL}")
    assert names["never"].val is not None and not names["never"].val.any()
    assert names["often"].val is None


def test_a_native_call_without_source_stays_unknown() -> None:
    found = analysed(f"{MODEL}{LUT}{CALL}{SCORE}\nloss = measure(net)\nprint(f'final val_bpb: {{loss:.6f}}')\n")
    assert [note.text for note in found.trace.notes if note.kind.value == "NATIVE"] == ["ctypes.CDLL", "mark"]


TALLY = """
def gates(score, tau):
    within, word = score >= tau, score >= 2 * tau
    within = score >= tau
    print(f"channels: n={len(score)} within={int(within.sum())} word={word.sum().item()}")
    return within
"""


def text(*lines: str, headline: str | None = None) -> LogText:
    rows = tuple((f"{number}.log", 7, line) for number, line in enumerate(lines))
    return LogText("\n".join(lines), rows, headline)


def test_masks_that_every_log_counts_as_empty() -> None:
    log = text("channels: n=9 within=0 word=4", "channels: n=9 within=0 word=0")
    assert {(mask.function, mask.variable) for mask in empty_masks(program(TALLY), log)} == {("gates", "within")}


def test_the_log_of_the_claim_speaks_before_others() -> None:
    log = text("channels: n=9 within=5 word=4", "channels: n=9 within=0 word=4", headline="1.log")
    assert {mask.variable for mask in empty_masks(program(TALLY), log)} == {"within"}
    assert not list(empty_masks(program(TALLY), text("another line altogether")))


def test_values_chosen_by_a_property_of_the_token_know_it() -> None:
    names = variables(f"{MODEL}{LUT}y = val[5:9]\nknown = torch.where(torch.from_numpy(starts)[y] > 0, 1, -1)\n")
    assert names["known"].mark & Mark.TOLD
    assert names["known"].pos.tolist() == [5, 6, 7, 8]
