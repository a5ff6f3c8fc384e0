"""The printer is python-minifier's, faster: the same text to the byte, proved against the tree it came from."""

from __future__ import annotations

import ast

import pytest
from python_minifier.module_printer import ModulePrinter

from auditor.packer.cm_coder import from_chars, to_chars, width
from auditor.packer.printing import print_tree, same_tree

SOURCES = [
    "",
    "x=1\n",
    "import os\nif os:\n\tx=1;y=2\nelif x:\n\tpass\nelse:\n\tfor i in x:\n\t\tif i:continue\n\t\tbreak\nz=';\\n\\t'\n",
    "class A:\n\tdef f(self,a=';'):\n\t\treturn a\n\n\tasync def g(self):\n\t\tawait self\n",
    "try:f()\nexcept E:pass\nfinally:g()\nwith a as b,c:\n\twhile b:\n\t\tdel b\n",
    "print(f'{a!r:>{w}}',f\"{d['k']}\",f'''{d[\"a\"]}'b\"''',f'{{}}',f'',f'a\\tb\\n{x}\\\\')\n",
    "print(f'{a.b:.4f} {c[0]!r}',f'it''s {x:{w}}',f'a {x} is \"b\"',f'{g(\"k\"):.2f}',f'{{{x}}}',f'{x:\"^9}')\n",
    'print(f"{x=}",f"{n:,} {f\'{y:.2f}\'} {z or {1: 2}}",f"é{x}▁",rf"\\d{x}")\n',
]


@pytest.mark.parametrize("source", SOURCES)
def test_text_is_the_minifiers_own(source: str) -> None:
    """Statements, blocks, strings that end in what lines are stripped of, and f-strings of every kind."""
    printer = ModulePrinter()
    printer(ast.parse(source))
    printed = print_tree(ast.parse(source), False)
    assert printed.rstrip("\n") == printer.code
    assert same_tree(ast.parse(printed), ast.parse(source))


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("x=1", "x=1.0"),
        ("x=0.0", "x=-0.0"),
        ("f(a,b)", "f(a)"),
        ("global a,b", "global a,c"),
        ("x={**a}", "x={a:a}"),
        ("x=a+b", "x=a-b"),
        ("def f(*,a,b=1):0", "def f(*,a=1,b):0"),
        ("x=b'a'", "x='a'"),
        ("if a:b", "if a:b\nelse:c"),
    ],
)
def test_trees_that_differ_are_told_apart(left: str, right: str) -> None:
    """Kinds and values of constants, lengths of lists, names in lists, absent keys and operators count."""
    assert not same_tree(ast.parse(left), ast.parse(right))
    assert same_tree(ast.parse(left), ast.parse(left))


@pytest.mark.parametrize("radix", [126, 254])
def test_numbers_keep_their_width(radix: int) -> None:
    """The number of digits is exact on both sides of every power, and the digits spell the number."""
    for power in (0, 1, 2, 9, 100, 777):
        for number in {radix**power - 1, radix**power, radix**power + 1}:
            digits = width(number, radix)
            assert radix**digits > number >= (radix ** (digits - 1) if digits else 0)
            assert from_chars(to_chars(number, radix, digits), radix) == number
