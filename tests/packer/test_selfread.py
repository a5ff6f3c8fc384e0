"""Scripts that read their own file: rewritten to count bytes, or left for the ASCII carrier with the reason."""

from __future__ import annotations

import ast

import pytest

from auditor.packer.selfread import rewrite

COUNTED = [
    "from pathlib import Path\ncode=Path(__file__).read_text(encoding='utf-8')\nprint(len(code.encode('utf-8')))\n",
    "from pathlib import Path as _P\n_Path=_P\n"
    "code=open(__file__,encoding='utf-8').read()\nprint(len(code.encode()))\n",
    "with open(__file__,'r') as f:\n\tsource=f.read()\nn=len(source.encode('utf-8'))\n",
    "import sys\nwith open(sys.argv[0]) as f:\n\tsource=f.read()\nn=len(source.encode('utf-8'))\n",
    "from pathlib import Path\ndef size(code):\n\treturn len(code.encode('utf-8'))\n"
    "n=size(Path(__file__).read_text())\n",
]


@pytest.mark.parametrize("source", COUNTED)
def test_text_reads_and_their_encodes_become_latin(source: str) -> None:
    """The read decodes one character a byte and the count encodes it back."""
    tree = ast.parse(source)
    found = rewrite(tree)
    assert found.reads == 1 and not found.problem
    assert ast.unparse(tree).count("'L1'") == 2


def test_binary_reads_and_sizes_need_nothing() -> None:
    """Bytes are bytes."""
    source = "import os\nn=len(open(__file__,'rb').read())+os.path.getsize(__file__)\nhere=os.path.dirname(__file__)\n"
    tree = ast.parse(source)
    before = ast.dump(tree)
    found = rewrite(tree)
    assert (found.reads, found.problem) == (0, "")
    assert ast.dump(tree) == before


def test_reads_of_other_files_are_left_alone() -> None:
    """A file beside the script is not the script."""
    source = (
        "from pathlib import Path\n"
        "t=(Path(__file__).parent/'data.txt').read_text(encoding='utf-8')\nt.encode('utf-8')\n"
    )
    tree = ast.parse(source)
    assert rewrite(tree).reads == 0
    assert "L1" not in ast.unparse(tree)


@pytest.mark.parametrize(
    "source",
    [
        "def load(p):\n\treturn open(p).read()\ncode=load(__file__)\n",
        "from pathlib import Path\nfor p in [Path(__file__),Path('x')]:\n\tprint(len(p.read_text()))\n",
        "code=open(__file__).read()\nif 1:\n\tcode=fetch()\nprint(len(code.encode('utf-8')))\n",
    ],
)
def test_what_cannot_be_followed_is_named_and_untouched(source: str) -> None:
    """The tree stays as it was, with a reason."""
    tree = ast.parse(source)
    before = ast.dump(tree)
    assert rewrite(tree).problem
    assert ast.dump(tree) == before
