"""The program of a submission: script, payload, local modules and native files, read from memory alone."""

from __future__ import annotations

import base64
import hashlib
import zlib

import pytest

from auditor.frontend.program import load_program
from auditor.limits import DEFAULT_LIMITS
from auditor.model.source import Program
from auditor.model.submission import FileEntry, FileKind, Submission, Track


def submission(files: dict[str, str | bytes], script: str | None = "train_gpt.py") -> Submission:
    entries = []
    for path, content in files.items():
        data = content.encode() if isinstance(content, str) else content
        entries.append(FileEntry(path, FileKind.REGULAR, len(data), data, hashlib.sha256(data).hexdigest()))
    return Submission(".", "s", Track.RECORD, tuple(entries), script, "test")


def program(files: dict[str, str | bytes]) -> Program:
    loaded = load_program(submission(files), "3.10", DEFAULT_LIMITS)
    assert loaded is not None
    return loaded


def packed(source: str) -> str:
    literal = base64.b85encode(zlib.compress(source.encode())).decode()
    return (
        f"import os,zlib,base64\nos.environ.setdefault('A','1')\nexec(zlib.decompress(base64.b85decode({literal!r})))\n"
    )


def test_no_script_no_program() -> None:
    """Without a script, or with one that was not read, there is no program."""
    assert load_program(submission({}, None), "3.10", DEFAULT_LIMITS) is None
    assert load_program(submission({"a.py": "x"}, "train_gpt.py"), "3.10", DEFAULT_LIMITS) is None


def test_local_modules_are_loaded_transitively() -> None:
    """Imports of shipped modules and packages are followed; unshipped ones and cycles are not."""
    loaded = program(
        {
            "train_gpt.py": "import torch, helpers\nfrom pkg import part\n",
            "helpers.py": "import other\n",
            "other.py": "import helpers, train_gpt\n",
            "pkg/__init__.py": "",
            "pkg/part.py": "y = 1\n",
            "unused.py": "z = 1\n",
        }
    )
    assert {helper.file for helper in loaded.helpers} == {"helpers.py", "other.py", "pkg/__init__.py", "pkg/part.py"}


def test_payload_is_the_tree_and_the_shim_stays_visible() -> None:
    """The tree is the payload's, and the shim's own environment defaults can be read from `outer`."""
    import ast

    main = program({"train_gpt.py": packed("import helpers\nprint('payload')\n"), "helpers.py": "x = 1\n"}).main
    assert main.layer == 1
    assert main.tree is not None
    assert "payload" in ast.unparse(main.tree)
    assert main.outer[0] is not None
    assert "setdefault" in ast.unparse(main.outer[0])


def test_problems_name_layer_and_place() -> None:
    """A decoded payload that the target refuses is reported with its layer and still has a tree."""
    main = program({"train_gpt.py": packed('x = []\nprint(f"{", ".join(x)}")\n')}).main
    assert [(p.span.layer, p.span.line, p.span.column, p.minimum) for p in main.problems] == [(1, 2, 10, "3.12")]
    assert main.tree is not None


def test_native_files_are_listed() -> None:
    """Shipped C and CUDA sources are named with their text, compiled libraries without."""
    natives = program({"train_gpt.py": "x=1\n", "a/k.cu": "int x;", "b.md": "", "l.so": b"\x7fELF"}).natives
    assert [(native.file, native.text) for native in natives] == [("a/k.cu", "int x;"), ("l.so", "")]


@pytest.mark.parametrize("data", [b"", b"\xff\xfe", b"\0" * 10, b"x = (", "print(1)".encode("utf-16")])
def test_scripts_that_do_not_parse(data: bytes) -> None:
    """A script that is not Python is a program without a tree or with an empty one, never an exception."""
    main = program({"train_gpt.py": data}).main
    assert main.tree is None or main.tree.body == []


def test_a_module_carried_as_text_has_a_file_name_of_its_own() -> None:
    """Its lines are not those of the script that carries it, so a span of one must not quote the other."""
    carrier = (
        "import types\n"
        "module = types.ModuleType('lib')\n"
        "exec('def f():\\n    return 1\\n', module.__dict__)\n"
        "import sys; sys.modules['lib'] = module\n"
    )
    loaded = program({"train_gpt.py": carrier})
    carried = [helper for helper in loaded.helpers if helper.name == "lib"]
    assert [helper.file for helper in carried] == ["train_gpt.py#lib"]
    assert carried[0].unpacked.payload.text.startswith("def f()")
