"""The bytecode proof of a renaming accepts renamings and nothing else."""

from __future__ import annotations

import pytest

from auditor.packer.alpha import difference

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
