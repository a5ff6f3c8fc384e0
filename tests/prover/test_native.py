"""C that a script compiles when it runs: the call is read, the library built apart, and what it does is tested."""

from __future__ import annotations

import base64
import shutil
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("sentencepiece")

from auditor.prover.child.native import Native, parsed
from auditor.prover.failures import error_class
from auditor.prover.native import wanted
from auditor.prover.outcome import Outcome
from auditor.prover.proof import Proof
from auditor.sandbox.probe import probe
from auditor.sandbox.request import SandboxLevel
from tests.prover import toy_scripts as toys
from tests.prover.test_prove import proof_of

needs_compiler = pytest.mark.skipif(
    shutil.which("gcc", path="/usr/bin") is None or probe().best < SandboxLevel.BWRAP,
    reason="needs gcc and bubblewrap",
)


class Asked(Exception):
    """Stands for the end of a run that asks for a library."""


def ask(request: dict[str, Any]) -> None:
    raise Asked(request)


def test_a_compiler_call_is_read_as_a_compiler_reads_it() -> None:
    """Output and language are found wherever they stand, folders to search are dropped, the rest are options."""
    call = parsed(
        ["/usr/bin/g++-12", "-O3", "a.c", "-I", ".", "-o", "lib/x.so", "-fPIC", "b.c", "-shared", "-lm", "-x", "c++"]
    )
    assert call == {
        "options": ["-O3", "-fPIC", "-shared", "-lm"],
        "inputs": ["a.c", "b.c"],
        "out": "lib/x.so",
        "language": "c++",
    }
    assert parsed(["gcc", "--version"]) is None
    assert parsed(["nvidia-smi", "x"]) is None
    assert parsed([]) is None


def test_a_run_asks_once_and_then_finds_the_library(tmp_path: Path) -> None:
    """The request holds sources and headers; the library that came of it goes where the script wants it."""
    (tmp_path / "a.c").write_text('#include "b.h"\n')
    (tmp_path / "b.h").write_text("int f(void);\n")
    (tmp_path / "native").mkdir()
    native = Native(str(tmp_path / "native"), ask)
    call = ["gcc", "-shared", str(tmp_path / "a.c"), "-o", str(tmp_path / "a.so")]
    with pytest.raises(Asked) as asked:
        native.answer(call, b"", str, str)
    one = wanted(asked.value.args[0])
    assert one.build.inputs == ("a.c",) and one.build.sources["b.h"] == b"int f(void);\n"
    (tmp_path / "native" / f"{one.key}.so").write_bytes(b"library")
    assert native.answer(call, b"", str, str) == (0, "")
    assert (tmp_path / "a.so").read_bytes() == b"library" and not native.refused
    (tmp_path / "a.c").write_text("int g;\n")
    with pytest.raises(Asked):
        native.answer(call, b"", str, str)


def test_a_failed_build_fails_for_the_script_too(tmp_path: Path) -> None:
    """The message of the compiler is what the script gets, and what the run reports."""
    native = Native(str(tmp_path), ask)
    with pytest.raises(Asked) as asked:
        native.answer(["gcc", "-shared", "-", "-o", "x.so"], b"int f;", str, str)
    request = asked.value.args[0]
    assert request["sources"] == {"stdin.c": base64.b64encode(b"int f;").decode()}
    (tmp_path / f"{request['key']}.txt").write_text("there is no compiler here")
    code, said = native.answer(["gcc", "-shared", "-", "-o", "x.so"], b"int f;", str, str)
    assert code == 1 and said == native.refused == "there is no compiler here"
    assert native.answer(["gcc", "-shared", "nowhere.c"], b"", str, str)[0] == 1


@pytest.mark.parametrize("key", ["../x", "", "0" * 63, "0" * 64 + "\n"])
def test_a_key_is_no_path(key: str) -> None:
    """A run cannot choose where the library is put."""
    with pytest.raises(ValueError, match="key"):
        wanted({"key": key, "cpp": False, "arguments": [], "inputs": [], "sources": {}})


def test_failures_have_telling_classes() -> None:
    """What only a GPU's compiler, a package or more ranks would cure is told apart from a crash."""
    assert error_class("OSError: CUDA_HOME environment variable is not set") == "native-helper"
    assert error_class("OSError: /x/libh.so: cannot open shared object file") == "native-helper"
    assert error_class("TypeError: int() argument must be a number, not 'Nothing'") == "missing-module"
    assert error_class("RuntimeError: Expected WORLD_SIZE=8") == "several-ranks"
    assert error_class("ValueError: nothing") == "crash"


HELPER = '''
import ctypes, subprocess

CODE = r"""
#include <math.h>
#include <string.h>
static double seen[4096];
void score(const double *rows, const long *y, const long *all, int n, int vocab, int size, double *out) {
    PREPARE
    for (int i = 0; i < n; i++) {
        double mass = MASS;
        out[i] = -log(mass);
    }
    for (int i = 0; i < n; i++) seen[y[i]] += 1.0;
}
"""
open("helper.c", "w").write(CODE)
subprocess.run(["gcc", "-O2", "-shared", "-fPIC", "-o", "helper.so", "helper.c", "-lm"], check=True)
lib = ctypes.CDLL("./helper.so")


def native(rows, y):
    out = np.zeros(y.size)
    whole = np.ascontiguousarray(tokens[1:])
    lib.score(*(ctypes.c_void_p(a.ctypes.data) for a in (rows, y, whole)), y.size, vocab, whole.size,
              ctypes.c_void_p(out.ctypes.data))
    return out
'''
_SCORE = "        loss_sum += float(native(np.ascontiguousarray(probabilities(x)), np.ascontiguousarray(y)).sum())\n"
COUNTS = "double total = 0; for (int v = 0; v < vocab; v++) total += seen[v];"
LOOK = "memset(seen, 0, sizeof seen); for (int j = 0; j < size; j++) seen[all[j]] += 1.0;"
MIXED = "0.5 * rows[i * vocab + y[i]] + 0.5 * (seen[y[i]] + 1.0) / (total + vocab)"


def helper_proof(prepare: str, mass: str) -> Proof:
    """Prove a script whose scores come from C that it compiles."""
    code = HELPER.replace("PREPARE", prepare).replace("MASS", mass)
    return proof_of(toys.PLAIN.replace("\n\ndef evaluate", code + "\n\ndef evaluate").replace(toys._SCORE, _SCORE))


@pytest.mark.torch
@needs_compiler
def test_counts_of_scored_tokens_kept_in_c_are_clean() -> None:
    """A normalised mixture with counts that C takes after the score breaks nothing."""
    proof = helper_proof(COUNTS, MIXED)
    assert proof.outcome is Outcome.CLEAN_IN_MINIATURE, proof


@pytest.mark.torch
@needs_compiler
def test_counts_of_later_tokens_taken_in_c_are_seen() -> None:
    """C that counts the whole text before it scores leaks, and the witness shows it."""
    proof = helper_proof(LOOK + COUNTS, MIXED)
    assert proof.witness is not None, proof


@pytest.mark.torch
@needs_compiler
def test_mass_for_whatever_occurs_given_in_c_is_seen() -> None:
    """C that adds mass to the realised token only has sums above 1."""
    proof = helper_proof("", "0.7 * rows[i * vocab + y[i]] + 0.3")
    assert proof.witness is not None and proof.witness.after > 5, proof
