"""Values: slices, dictionaries, text, objects, the environment."""

from __future__ import annotations

import textwrap

import pytest

from auditor.interp.graph import Kind
from auditor.interp.values import Mark, Sym, Text
from tests.interp.scripts import MODEL, variables


def test_a_known_slice_of_validation_tokens_holds_their_positions() -> None:
    """Index arithmetic over known integers is exact."""
    part = variables(MODEL + "part = val[10:40][5:8]\n")["part"]
    assert part.pos.tolist() == [15, 16, 17]


@pytest.mark.parametrize("taken", ["val[:n]", "val[n:]", "val[5:n]", "val[n:n + 100]", "val.view(1, -1)[:, :n]"])
def test_a_slice_with_an_unknown_bound_is_an_unknown_part(taken: str) -> None:
    """It came from the validation tokens, but which of them it holds is not known."""
    names = variables(MODEL + f'n = int(os.environ["N"])\npart = {taken}\n')
    assert names["part"].pos is None
    assert names["part"].shape is None
    assert names["part"].node is names["val"].node
    assert names["part"].node.kind is Kind.LOAD


def test_a_replaced_dataclass_is_a_copy_with_changed_fields() -> None:
    """dataclasses.replace leaves the original as it is and derives again what __post_init__ derives."""
    source = """
    from dataclasses import dataclass, replace
    @dataclass
    class Config:
        a: int = 1
        b: int = 2
        def __post_init__(self):
            self.both = self.a + self.b
    first = Config(a=5)
    second = replace(first, b=7)
    got = (first.a, first.b, first.both, second.a, second.b, second.both)
    """
    assert variables(source)["got"] == (5, 2, 7, 5, 7, 12)


def test_a_defaultdict_makes_what_is_missing() -> None:
    """A missing key is made by the factory once and kept."""
    source = """
    from collections import defaultdict
    table = defaultdict(list)
    table["a"].append(1)
    table["a"].append(2)
    """
    assert dict(variables(source)["table"]) == {"a": [1, 2]}


def test_an_f_string_of_known_values_is_a_string() -> None:
    """Format specifications are applied as Python would."""
    assert variables('x = 1.5\ntext = f"{x:.3f} and {x!r}"\n')["text"] == "1.500 and 1.5"


def test_an_f_string_of_unknown_values_keeps_its_constant_parts() -> None:
    """The parts around an unknown value stay readable."""
    text = variables("import os\ntext = f\"loss:{float(os.environ['X'])} end\"\n")["text"]
    assert isinstance(text, Text)
    assert [part for part in text.parts if isinstance(part, str)] == ["loss:", " end"]


def test_the_environment_wins_over_a_code_default() -> None:
    """A set variable is read, an unset one has its default, and an unset one without a default is unknown."""
    source = """
    import os
    a = int(os.environ.get("A", "1"))
    b = int(os.environ.get("B", "2"))
    c = os.environ["C"]
    """
    names = variables(source, environ={"A": "7"})
    assert (names["a"], names["b"]) == (7, 2)
    assert isinstance(names["c"], Sym)


def test_a_value_that_the_program_cannot_convert_was_none_of_the_run() -> None:
    """A log line that shares its name with a setting says something else; the run converted what it had."""
    source = 'import os\nflag = bool(int(os.environ.get("A", "1")))\nother = int(os.environ.get("B", "x"))\n'
    names = variables(source, environ={"A": "start"})
    assert names["flag"] is True
    assert not isinstance(names["other"], int)


def test_what_the_program_sets_in_its_environment_is_read_back() -> None:
    """A shim may set defaults; a set variable is not overwritten by setdefault."""
    source = """
    import os
    os.environ.setdefault("A", "1")
    os.environ.setdefault("B", "2")
    a, b = os.environ["A"], os.environ.get("B")
    """
    names = variables(source, environ={"A": "7"})
    assert (names["a"], names["b"]) == ("7", "2")


def test_a_setting_that_the_logs_show_replaces_the_code_default() -> None:
    """Overrides act on class attributes that are plain settings."""
    source = "class Config:\n    epochs = 1\n    lr = 0.5\nepochs, lr = Config.epochs, Config().lr\n"
    names = variables(source, overrides={"epochs": 20})
    assert (names["epochs"], names["lr"]) == (20, 0.5)


def test_a_shallow_copy_is_a_container_of_its_own() -> None:
    """What is added to the copy does not show in the original."""
    names = variables("import copy\na = [1]\nb = copy.copy(a)\nb.append(2)\n")
    assert (names["a"], names["b"]) == ([1], [1, 2])


def test_operators_spelled_as_methods() -> None:
    """Lambdas assign by __setitem__."""
    names = variables("held = [None]\nput = lambda v: held.__setitem__(0, v)\nput(5)\nseen = held.__getitem__(0)\n")
    assert (names["held"], names["seen"]) == ([5], 5)


def test_a_boolean_array_selects() -> None:
    """torch.zeros(dtype=torch.bool) used as an index is a selection, not a look-up of rows 0 and 1."""
    source = """
    import torch
    ids = torch.arange(6)
    keep = torch.zeros(6, dtype=torch.bool)
    keep[1:4] = True
    chosen = ids[keep]
    """
    assert variables(source)["chosen"].val.tolist() == [1, 2, 3]


def test_a_boolean_array_of_two_axes_selects_elements() -> None:
    """It stands for both axes of what it indexes."""
    source = """
    import torch
    ids = torch.arange(1024 * 1024).reshape(1024, 1024)
    keep = torch.zeros(1024, 1024, dtype=torch.bool)
    keep[:, 5] = True
    chosen = ids[keep]
    """
    assert variables(source)["chosen"].shape == (1024,)


def test_numbers_and_tables_come_back_from_an_artifact() -> None:
    """What was saved beside the weights is read back under its name; the parent of a path is a path."""
    source = """
    import io, torch
    from pathlib import Path
    buffer = io.BytesIO()
    torch.save({"order": 5, "inner": {"size": 3}}, buffer)
    state = torch.load(io.BytesIO(buffer.getvalue()))
    order, size = state["order"], state["inner"]["size"]
    by_name = {key: value for key, value in state.items() if key == "order"}
    popped = state.pop("order")
    above = str(Path("a/b/c.bin").parent)
    """
    names = variables(source)
    assert (names["order"], names["size"]) == (5, 3)
    assert (names["by_name"], names["popped"]) == ({"order": 5}, 5)
    assert names["above"] == "a/b"


def test_a_decorator_that_wraps_calls_what_it_wraps() -> None:
    """functools.wraps copies names; it never calls the wrapped function, and the wrapper is what is bound."""
    source = """
    import functools
    calls = []
    def traced(inner):
        @functools.wraps(inner)
        def outer(*args, **kwargs):
            calls.append(len(args))
            return inner(*args, **kwargs)
        return outer
    @traced
    def pair(a, b):
        return a, b
    made = pair(1, 2)
    """
    names = variables(source)
    assert (names["made"], names["calls"]) == ((1, 2), [2])


def test_losses_stacked_over_experts_keep_their_tokens_when_mixed() -> None:
    """The axis of the experts holds the same tokens several times; a slice of the mixture is a slice of the tokens."""
    source = """
    x, y = rows(val, 1)
    one = price(net, x, y).view(1, CTX)
    mixed = torch.stack([one, 2 * one, torch.zeros(1, CTX)], dim=-1).logsumexp(dim=-1)
    part = mixed[0, 10:13]
    """
    names = variables(MODEL + textwrap.dedent(source))
    assert names["mixed"].shape == (1, 1024)
    assert names["part"].pos.tolist() == [1024 + 11, 1024 + 12, 1024 + 13]


def test_an_operand_of_unknown_shape_fits_the_one_with_positions() -> None:
    names = variables(MODEL + 'w = torch.load("w.pt")["w"]\nweighed = w * val[5:9]\nalone = w * 2\n')
    assert names["weighed"].pos.tolist() == [5, 6, 7, 8]
    assert names["alone"].shape is None


def test_a_count_of_losses_is_no_loss() -> None:
    """How many losses pass a test is a number of tokens."""
    source = "x, y = rows(val, 1)\nnll = price(net, x, y)\nmany, finite = (nll > 2).sum(), torch.isfinite(nll).sum()\n"
    names = variables(MODEL + source + "total = nll.sum()\n")
    assert names["total"].mark & Mark.NLL
    assert not names["many"].mark & Mark.NLL
    assert not names["finite"].mark & Mark.NLL


def test_the_width_of_what_is_added_to_a_networks_output_decides_nothing_about_its_rows() -> None:
    """How wide a hidden state is, is not known; how many windows and places it has is."""
    source = """
    x, y = rows(val, 0)
    hidden = net(x)
    shifted = hidden + torch.zeros(1, 1, 384)
    windows, places, width = shifted.shape
    """
    names = variables(MODEL + textwrap.dedent(source))
    assert (names["windows"], names["places"]) == (1, 1024)


def test_places_in_rising_order_are_known_where_their_content_is() -> None:
    """Sorting by known places puts the tokens back in stream order."""
    source = """
    place = torch.cat([torch.arange(64, 128), torch.arange(0, 64)])
    part = val[place]
    ordered = part[place.argsort()]
    """
    assert variables(MODEL + textwrap.dedent(source))["ordered"].pos.tolist() == list(range(128))
