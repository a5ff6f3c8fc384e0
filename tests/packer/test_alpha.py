"""The bytecode proof of a renaming accepts renamings and nothing else."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

import auditor
from auditor.packer.alpha import difference
from auditor.packer.verify import VERSIONS, interpreters

OLD = (
    "import os\ndef f(one,two):\n\tthree=one+two\n\treturn lambda:three+one\nclass A:\n"
    "\tsize=2\n\tdef m(self):return f(self.size,1)\n"
)


def test_a_consistent_renaming_is_accepted() -> None:
    """Locals, cells, functions and classes may change their spelling together."""
    new = OLD.replace("one", "a").replace("two", "b").replace("three", "c").replace("f(", "g(").replace("A:", "B:")
    assert difference(OLD, new.replace("thrae", "c").replace("thra", "c")) == ""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("def f(a,b):\n\treturn a-b\n", "def f(a,b):\n\treturn b-a\n"),
        ("def f(a,b):\n\treturn a-b\n", "def f(a,a2):\n\treturn a-a\n"),
        ("x.weight=1\n", "x.w=1\n"),
        ("f(lr=1)\n", "f(r=1)\n"),
        ("print('abc')\n", "print('abd')\n"),
        ("a=1\nb=2\nprint(a,b)\n", "a=1\na=2\nprint(a,a)\n"),
        ("import os\n", "import sys\n"),
        ("for i in x:\n\tif i:break\nelse:y()\n", "for i in x:\n\tif i:continue\nelse:y()\n"),
        ("class A:\n\tx=1\n", "class A:\n\ty=1\n"),
        ("def f(a,b=1):return a\n", "def f(a,*,b=1):return a\n"),
        ("def f(a):\n\tg=1\n\treturn lambda:a+g\n", "def f(a):\n\tg=1\n\treturn lambda:g+a\n"),
    ],
)
def test_anything_else_is_refused(old: str, new: str) -> None:
    """Swapped operands, merged names, attributes, keywords, strings, imports, jumps and signatures are seen."""
    assert difference(old, new)
    assert difference(old, old) == ""


def test_line_ends_do_not_count() -> None:
    """The compiler copies jumps by where lines end: the same script on fewer lines is still the same."""
    spread = "def f(a):\n\treturn [\n\t\tx\n\t\tfor x in a\n\t\tif x\n\t\tand (\n\t\t\tx>1\n\t\t\tor x<2\n\t\t)\n\t]\n"
    joined = "def f(b):\n\treturn [y for y in b if y and (y>1 or y<2)]\n"
    assert difference(spread, joined) == ""
    assert difference(spread, joined.replace(" or ", " and "))


COMPREHENSIONS = (
    "def f(one,two):\n\tkept={k:v for k,v in one.items()if v}\n"
    "\tfor k,v in two:one=[[v+k for v in w]for w in kept]\n"
    "\treturn{k for k in one},kept,k\nclass A:\n\tdef __init__(self,p):self.p=[self for self.q in p]\n"
)
PROBE = """
import sys
from auditor.packer.alpha import difference
old, new, wrong = sys.argv[1:]
print([bool(difference(old, text)) for text in (old, new, wrong)])
"""


@pytest.mark.parametrize("version", VERSIONS)
def test_every_host_proves_comprehensions_and_methods(version: str) -> None:
    """Newer hosts put the names of comprehensions into the function and spell what is set on "self"."""
    found = interpreters().get(version)
    if found is None:
        pytest.skip(f"no Python {version} here")
    new = COMPREHENSIONS
    for before, after in (("k,v in one.items()if v", "a,b in one.items()if b"), ("{k:v", "{a:b"), ("self", "s")):
        new = new.replace(before, after)
    wrong = new.replace("v+k for v in w", "k+v for v in w")
    command = [found, "-c", PROBE, COMPREHENSIONS, new, wrong]
    root = str(Path(auditor.__file__).parent.parent)
    done = subprocess.run(command, capture_output=True, text=True, cwd=root, check=True)
    assert done.stdout.strip() == "[False, False, True]"
