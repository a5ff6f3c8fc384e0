"""The mutators themselves: a rewrite that broke the script would prove nothing about the auditor."""

from __future__ import annotations

import contextlib
import io

import pytest
from mutators import MUTATORS, Mutator

TOY = """
import math


class Cell:
    def __init__(self, value):
        self.value = value

    def sub_(self, other, alpha=1.0):
        self.value -= alpha * other


class Leaf:
    def __init__(self, value):
        self.data, self.grad = Cell(value), None


class Cost:
    def __init__(self, leaf, target):
        self.leaf, self.target = leaf, target

    def backward(self):
        self.leaf.grad = 2.0 * (self.leaf.data.value - self.target)


class Mover:
    def __init__(self, leaves, lr):
        self.param_groups = [{"params": leaves, "lr": lr}]

    def step(self):
        for group in self.param_groups:
            for leaf in group["params"]:
                leaf.data.value -= group["lr"] * leaf.grad


class torch:
    class autograd:
        @staticmethod
        def backward(cost):
            Cost.backward(cost)


def scaled(amount, factor):
    return amount * factor


def squared_gap(leaf, target):
    gap = (leaf.data.value - target)
    return scaled(gap, gap)


def learn(leaf, stream, rate):
    mover = Mover([leaf], lr=rate)
    for position, token in enumerate(stream):
        cost = Cost(leaf, token)
        cost.backward()
        mover.step()
        price = squared_gap(leaf, token)
        print(f"step:{position} price:{price:.4f}")


def main():
    stream = [math.sin(i) for i in range(6)]
    leaf = Leaf(0.5)
    learn(leaf, stream, 0.1)
    total = squared_gap(leaf, stream[0])
    print(f"final val_loss:{total:.8f}")


if __name__ == "__main__":
    main()
"""

every_mutator = pytest.mark.parametrize("mutate", MUTATORS, ids=lambda mutate: mutate.__name__)


def printed(source: str) -> str:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(source, "toy", "exec"), {"__name__": "__main__"})
    return out.getvalue()


@every_mutator
def test_a_mutated_toy_prints_the_same(mutate: Mutator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every mutator changes the toy's text and none its output."""
    monkeypatch.setenv("PG_LEARN", "1")
    changed = mutate(TOY)
    assert changed is not None
    assert changed != TOY
    assert printed(changed) == printed(TOY)


def test_the_toy_learns() -> None:
    """The output depends on every step, so that a lost update would show."""
    lines = printed(TOY).splitlines()
    assert len(lines) == 7
    assert printed(TOY.replace("        mover.step()\n", "")) != printed(TOY)


def test_renaming_leaves_nothing_to_recognise() -> None:
    """Own functions, classes, variables and attributes lose their names; log templates and settings keep them."""
    renamed = next(mutate for mutate in MUTATORS if mutate.__name__ == "rename_everything")(TOY)
    assert renamed is not None
    for word in ("squared_gap", "learn", "stream", "Mover", "leaf"):
        assert word not in renamed
    assert "final val_loss:" in renamed


@every_mutator
def test_a_script_without_anything_to_change_is_left_alone_or_stays_valid(mutate: Mutator) -> None:
    """A script of one line is no reason to fail."""
    changed = mutate("print('val_bpb:1.0')\n")
    assert changed is None or printed(changed) == "val_bpb:1.0\n"
