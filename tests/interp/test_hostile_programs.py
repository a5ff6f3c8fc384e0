"""Hostile programs: interpretation ends within its budget and never raises."""

from __future__ import annotations

import pytest

from auditor.limits import InterpLimits
from tests.interp.scripts import interpret

SMALL = InterpLimits(steps=20_000)


def test_a_budget_that_runs_out_is_told() -> None:
    """What was left out is not taken for harmless: the run says that it was stopped."""
    done = interpret(
        "for i in range(100):\n    for j in range(100):\n        x = i + j\n", limits=InterpLimits(steps=500)
    )
    assert "interpretation steps" in done.stopped


@pytest.mark.parametrize(
    "source",
    [
        "while True:\n    x = 1\n",
        "def f(n):\n    return f(n + 1)\nf(0)\n",
        "def f(g):\n    return g(g)\nf(f)\n",
        "x = [0]\nwhile True:\n    x = x + x\n",
        "x = [0]\nfor i in range(100):\n    x += x\n",
        "x = 'a'\nfor i in range(200):\n    x = x * 1000\n",
        "x = 1 << (1 << 40)\n",
        "import sentencepiece as s\nx = s.SentencePieceProcessor().id_to_piece(0)\nfor i in range(99):\n x = x + x\n",
        "import sentencepiece as s\nx = len(s.SentencePieceProcessor().id_to_piece(0))\ny = 'a' * x ** (1 << 40)\n",
        "import sentencepiece as s\nx = s.SentencePieceProcessor().id_to_piece(0) * (1 << 40)\n",
        "x = 10 ** 10 ** 10\n",
        "x = [0] * (1 << 40)\n",
        "x = bytes(1 << 40)\ny = list(range(1 << 40))\n",
        "x = " + "-" * 60 + "1\n",
        "x = 1 // 0\ny = {}[1]\nz = [][5]\nw = None.attr\n",
        "class A(A):\n    pass\n",
        "import numpy as np\nx = np.zeros((1 << 40, 1 << 40))[..., None, 3, 4, 5]\n",
        "import torch\nx = torch.zeros(1 << 40, 1 << 40).view(-1, 7).t()\n",
        "import numpy as np\nx = np.zeros(-5)\ny = np.ones((3, -1))[0]\nz = x.reshape(-1, -1)\n",
        "import torch\nx = torch.zeros(float('inf'), float('nan'))\n",
        "raise SystemExit(3)\n",
        "x = {}\nx['x'] = x\nprint(f'{x}')\nimport json\njson.dumps(x)\n",
    ],
)
def test_a_hostile_program_does_not_raise(source: str) -> None:
    """Endless, exploding, self-referring and failing programs end, in order or stopped by a budget."""
    done = interpret(source, limits=SMALL)
    assert done.machine.steps <= SMALL.steps + 1
    assert done.machine.reached


def test_deep_nesting_does_not_raise() -> None:
    """An expression nested as deeply as the parser takes it ends in an order that is told."""
    done = interpret("x = " + "(" * 150 + "1" + ")" * 150 + "\n" + "y = " + "+".join(["1"] * 900) + "\nz = 1\n")
    assert done.stopped or done.machine.modules["__main__"].scope.variables["z"] == 1


def test_a_script_that_does_not_parse_is_told() -> None:
    """There is nothing to interpret, and that is said."""
    assert interpret("def f(:\n").stopped == "the script does not parse"
