"""Hyper-parameters are read from source, without running it."""

from __future__ import annotations

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.sandbox.folding import UNKNOWN, Folder
from auditor.sandbox.hyper import read_hyperparameters


def numbers(source: str) -> tuple[object, object, object]:
    """Return (dim, layers, vocab) of a source."""
    found = read_hyperparameters(ast.parse(source))
    return tuple(None if item is None else item.value for item in (found.dim, found.layers, found.vocab))  # type: ignore


@pytest.mark.parametrize(
    "source",
    [
        "class H:\n    model_dim = 512\n    num_layers = 9\n    vocab_size = 1024\n",
        "import os\nclass H:\n    model_dim = int(os.environ.get('D', 512))\n"
        "    num_layers = int(os.getenv('L', '9'))\n"
        "    vocab_size = 2 ** 10\n",
        "from os import environ as e\nL = 3\nclass H:\n    model_dim = int(e.get('D', '64')) * 8\n"
        "    num_layers = L * L\n"
        "    vocab_size: int = 1 << 10\n",
        "def env_int(name, default):\n    'doc'\n    value = os.environ.get(name)\n"
        "    return int(value) if value else default\n"
        "class H:\n    model_dim = env_int('D', 512)\n    num_layers = env_int('L', default=9)\n"
        "    vocab_size = 1024\n",
        "from dataclasses import dataclass, field\n@dataclass\nclass Cfg:\n    n_embd: int = 512\n"
        "    n_layer: int = field(default=9)\n    vocab_size: int = field(default_factory=lambda: 1024)\n",
        "class Base:\n    dim = 512\nclass H(Base):\n    def __init__(self):\n"
        "        self.n_layers = 9 if self.dim > 100 else 3\n"
        "        self.vocab_size = 1024\n",
        "import argparse\np = argparse.ArgumentParser()\np.add_argument('--model-dim', type=int, default=512)\n"
        "p.add_argument('--num-layers', default=9)\np.add_argument('--vocab_size', default=1024)\n",
        "MODEL_DIM, NUM_LAYERS = 512, 9\nVOCAB_SIZE = 1024\n",
        "def make(dim=512, depth=9, *, vocab=1024): pass\n",
        "import os\ndef _e(k, d, t=str):\n    v = os.environ.get(k, str(d))\n"
        "    if t == bool: return bool(int(v))\n    return t(v)\n"
        "class H:\n    model_dim = _e('D', 512, int)\n    num_layers = _e('L', 9, t=int)\n"
        "    vocab_size = _e('V', 1024, int)\n",
        "CONFIG = {'n_embd': 512, 'n_layer': 9, 'vocab_size': 1024}\nx.mean(dim=1)\n",
        "from types import SimpleNamespace\nC = SimpleNamespace(d=512, l=9)\nC2 = dict(model_dim=C.d, n_layer=C.l)\n"
        "class GPT: pass\nGPT(vocab_size=1024, num_layers=C2['n_layer'])\n",
        "def main():\n    MODEL_DIM = 512\n    num_layers = 9\n    VOCAB_SIZE = 2 ** 10\n    depth = 0\n",
        "FAST = False\nif FAST:\n    dim = 8\nelse:\n    dim = 512\nnum_layers = [3, 9][1]\n"
        "vocab_size = max(1024, 4)\n",
    ],
)
def test_reads_every_usual_way_to_write_them(source: str) -> None:
    """The width, layers and vocabulary come out whichever way they are written."""
    assert numbers(source) == (512, 9, 1024)


@pytest.mark.parametrize(
    "source",
    [
        "import json\nclass H:\n    model_dim = json.load(open('x'))['d']\n    num_layers = len(open('x').read())\n"
        "    vocab_size = __import__('os').getpid()\n",
        "class H:\n    model_dim = 9 ** 9 ** 9\n    num_layers = 'x' * 10 ** 9\n    vocab_size = 1 << 10 ** 6\n",
        "def f(): return f()\nclass H:\n    model_dim = f()\n    num_layers = g()\n    vocab_size = -5\n",
        "",
        "SMALL = {'model_dim': 256}\nLARGE = {'model_dim': 512}\nx.softmax(dim=1)\n",
        "def f():\n    num_layers = 3\ndef g():\n    num_layers = 4\n    depth = 2\n",
    ],
)
def test_what_is_not_written_down_is_unknown(source: str) -> None:
    """Values that only a run would know, or that would take unbounded work, are left out."""
    assert numbers(source) == (None, None, None)


def test_names_the_place() -> None:
    """A value comes with its line and where it stands, and every other setting is listed."""
    found = read_hyperparameters(ast.parse("\n\nclass H:\n    model_dim = 512\n    lr = 0.1\n    name = 'x'\n"))
    assert found.dim is not None and (found.dim.line, found.dim.origin) == (4, "class H")
    assert {item.name: item.value for item in found.all} == {"model_dim": 512, "lr": 0.1, "name": "x"}


def test_helpers_answer_what_the_script_leaves_open() -> None:
    """A launcher's settings stand in the module that it imports; what the script says itself is never replaced."""
    script = ast.parse("from base import main\nNUM_LAYERS = 9\n")
    base = ast.parse("class H:\n    model_dim = 512\n    num_layers = 3\n    vocab_size = 1024\n")
    found = read_hyperparameters(script, [("base", base)])
    assert found.dim is not None and found.layers is not None and found.vocab is not None
    assert (found.dim.value, found.layers.value, found.vocab.value) == (512, 9, 1024)
    assert (found.dim.origin, found.layers.origin) == ("module base, class H", "module")


def test_the_settings_class_wins_over_helpers() -> None:
    """The class with the settings decides, not a module that happens to have a `dim`."""
    source = (
        "class Norm:\n    dim = 3\nclass H:\n    model_dim = 512\n    num_layers = 9\n    vocab_size = 8\nDIM = 4\n"
    )
    assert numbers(source) == (512, 9, 8)


_LEAVES = st.one_of(
    st.integers(-1000, 1000).map(repr), st.sampled_from(["True", "None", "'abc'", "1.5", "x", "f()", "(1, 2)", "[3]"])
)
_EXPRESSIONS = st.recursive(
    _LEAVES,
    lambda inner: st.one_of(
        st.tuples(
            inner, st.sampled_from(["+", "-", "*", "//", "/", "%", "**", "<<", "<", "and", "or", "in"]), inner
        ).map(lambda parts: f"({parts[0]} {parts[1]} {parts[2]})"),
        st.tuples(inner, inner, inner).map(lambda parts: f"({parts[0]} if {parts[1]} else {parts[2]})"),
        inner.map(lambda one: f"(not {one})"),
        inner.map(lambda one: f"int({one})"),
    ),
    max_leaves=12,
)


@given(_EXPRESSIONS)
def test_folding_agrees_with_python(source: str) -> None:
    """What is folded is what Python computes; what Python cannot compute is unknown; nothing raises."""
    folded = Folder().fold(ast.parse(source, mode="eval").body)
    if folded is UNKNOWN:
        return
    value = eval(source, {"__builtins__": {"int": int}})
    assert (type(folded), folded) == (type(value), value)
