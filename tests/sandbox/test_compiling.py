"""C of a submission becomes a library, and the compiler that reads it reaches nothing and can be told nothing else."""

from __future__ import annotations

import ctypes
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from auditor.limits import CompileLimits
from auditor.sandbox.compiling import Build, compile_library
from auditor.sandbox.probe import probe

OPTIONS = ("-O2", "-shared", "-fPIC")
TWICE = b'#include "number.h"\ndouble twice(double x) { return NUMBER * x; }\n'
needs_compiler = pytest.mark.skipif(
    shutil.which("gcc", path="/usr/bin") is None or probe().bwrap is None, reason="needs gcc and bubblewrap"
)


def build(text: bytes, *options: str, **more: bytes) -> Build:
    return Build(False, (*OPTIONS, *options), ("helper.c",), {"helper.c": text, **more})


@needs_compiler
def test_a_library_computes_what_its_source_says(tmp_path: Path) -> None:
    """Sources and the header beside them become a library that can be loaded."""
    built = compile_library(build(TWICE, "-lm", **{"number.h": b"#define NUMBER 2\n"}))
    assert built.library is not None, built.message
    (tmp_path / "helper.so").write_bytes(built.library)
    twice = ctypes.CDLL(str(tmp_path / "helper.so")).twice
    twice.restype, twice.argtypes = ctypes.c_double, [ctypes.c_double]
    assert twice(21.0) == 42.0


@needs_compiler
@pytest.mark.parametrize("path", ["/etc/passwd", "/proc/self/environ", "/root/.profile", "/tmp/../etc/hostname"])
def test_no_file_of_the_machine_is_read(path: str) -> None:
    """What is not the compiler's own does not exist for it, whether included or taken in as bytes."""
    for text in (f'#include "{path}"\n', f'__asm__(".incbin \\"{path}\\"");\n'):
        built = compile_library(build(text.encode()))
        assert built.library is None and ("No such file" in built.message or "file not found" in built.message)


@needs_compiler
def test_a_source_that_grows_without_end_is_bounded() -> None:
    """A file that includes itself twice, and one without an end, are given up."""
    limits = replace(CompileLimits(), seconds=3)
    assert compile_library(build(b'#include "helper.c"\n#include "helper.c"\n'), limits).library is None
    assert compile_library(build(b'#include "/dev/zero"\n'), limits).library is None
    assert compile_library(build(b"char filled[100000000] = {1};\n"), limits).library is None


@pytest.mark.parametrize(
    "option", ["-fplugin=x.so", "-B.", "-wrapper", "-specs=x", "@x", "-Wl,-rpath,/", "-iquote/etc"]
)
def test_options_that_load_or_run_are_refused(option: str) -> None:
    """A compiler can be told to load plug-ins, run wrappers and read lists of options."""
    built = compile_library(build(TWICE, option))
    assert built.library is None and "option" in built.message


@pytest.mark.parametrize(
    "wrong",
    [
        Build(False, ("-O2",), ("a.c",), {"a.c": b""}),
        Build(False, OPTIONS, ("a.c",), {}),
        Build(False, OPTIONS, (), {"a.c": b""}),
        Build(False, OPTIONS, ("../a.c",), {"../a.c": b""}),
        Build(False, OPTIONS, ("a.so",), {"a.so": b""}),
        Build(False, OPTIONS, ("-a.c",), {"-a.c": b""}),
        Build(False, OPTIONS, ("a.c",), {"a.c": b" " * 2_000_000}),
    ],
)
def test_what_is_not_plainly_a_library_of_its_sources_is_refused(wrong: Build) -> None:
    """Programs, missing sources, names that climb or look like options, objects and floods are not compiled."""
    assert compile_library(wrong).library is None
