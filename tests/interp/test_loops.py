"""Loops and branches: sampling, undecided conditions, and what is certain afterwards."""

from __future__ import annotations

from auditor.interp.values import Mark, Sym
from tests.interp.scripts import MODEL, interpret, variables


def test_a_loop_over_data_runs_its_first_three_iterations_and_the_last() -> None:
    """What happens to data in a long loop is seen at both ends of the loop."""
    names = variables(MODEL + "seen = []\nfor i in range(chunks):\n    price(net, *rows(val, i))\n    seen.append(i)\n")
    assert names["seen"] == [0, 1, 2, names["chunks"] - 1]


def test_a_counter_of_a_sampled_loop_is_unknown_afterwards() -> None:
    """Iterations were left out, so that neither the counted nor any other number is the run's."""
    names = variables(MODEL + "n = 0\nfor i in range(chunks):\n    price(net, *rows(val, i))\n    n += 1\n")
    assert isinstance(names["n"], Sym)
    assert names["n"].val is None


def test_a_counter_of_a_loop_that_was_followed_is_known() -> None:
    """A short loop over plain integers is not sampled."""
    assert variables("n = 0\nfor i in range(500):\n    n += i\n")["n"] == sum(range(500))


def test_a_window_list_is_built_to_its_end() -> None:
    """A `while` with an `or` over known integers runs until its condition is false."""
    source = """
    windows = []
    start, stride, total = 0, 10, 100
    while start == 0 or start + stride < total:
        windows.append((start, min(start + 2 * stride, total)))
        start += stride
    """
    names = variables(source)
    assert names["windows"] == [(s, min(s + 20, 100)) for s in range(0, 90, 10)]
    assert names["start"] == 90


def test_an_unknown_part_of_an_or_does_not_hide_a_true_one() -> None:
    """`unknown or True` is true: the loop runs until the known part is false, then a little further."""
    source = """
    import os
    extra, start, starts = os.environ["EXTRA"], 0, []
    while extra or start < 50:
        starts.append(start)
        start += 10
    """
    assert variables(source)["starts"][:5] == [0, 10, 20, 30, 40]


def test_an_undecided_condition_takes_both_branches() -> None:
    """A name that the branches set differently is unknown, one that they agree on is known."""
    source = """
    import os
    if os.environ["MODE"] == "x":
        a, b = 1, 5
    else:
        a, b = 2, 5
    """
    names = variables(source)
    assert isinstance(names["a"], Sym)
    assert names["b"] == 5


def test_joined_tensors_carry_both_origins() -> None:
    """A tensor from either of two branches came from either of two sources."""
    source = 'if os.environ["MODE"] == "x":\n    t = val[:8] + 0\nelse:\n    t = train[:8] + 0\n'
    names = variables(MODEL + source)
    made = names["t"].node
    assert {names["val"].node, names["train"].node} <= {made, *made.parents}


def test_a_search_that_may_have_returned_does_not_raise() -> None:
    """A `raise` after a loop that returns under an undecided condition is not certain."""
    source = """
    import os
    def find(items):
        for item in items:
            if item == os.environ["WANT"]:
                return item
        raise ValueError("none")
    got = find(["a", "b"])
    """
    assert isinstance(variables(source)["got"], Sym)


def test_a_search_beyond_the_sample_does_not_raise() -> None:
    """A `raise` after a sampled loop that may return in an iteration that was left out is not certain."""
    source = """
    def find(n):
        for i in range(n):
            if i == 7000:
                return i
        raise ValueError("none")
    got = find(9000)
    """
    assert isinstance(variables(source)["got"], Sym)


def test_a_search_that_may_have_returned_reaches_no_handler() -> None:
    """The handler around such a search is not taken for certain."""
    source = """
    import os
    def find(items):
        for item in items:
            if item == os.environ["WANT"]:
                return item
        raise ValueError("none")
    try:
        got = find(["a", "b"])
    except ValueError:
        got = None
    """
    assert variables(source)["got"] is not None


def test_a_search_of_nothing_raises() -> None:
    """A list that is known to be empty leaves only the raise."""
    source = """
    def find(items):
        for item in items:
            return item
        raise ValueError("none")
    find([])
    """
    raised = interpret(source).machine.raised
    assert [name for name, _ in raised] == ["ValueError('none')"]


def test_a_loop_whose_else_raises_was_left_before() -> None:
    """`for ... else: raise` with an undecided break is passed, as a check that raises is."""
    source = """
    import os
    for item in ["a", "b"]:
        if item == os.environ["WANT"]:
            break
    else:
        raise ValueError("none")
    after = 1
    """
    assert variables(source)["after"] == 1


def test_a_list_that_loses_elements_while_it_is_walked() -> None:
    """What was taken out is unknown; nothing stops."""
    names = variables("left = [1, 2, 3, 4]\nfor i, item in enumerate(left):\n    left.pop()\n")
    assert names["left"] == []


def test_nonzero_of_a_scalar() -> None:
    """A known or unknown scalar has no axes to index; it is no reason to stop."""
    source = "import torch\nflag = torch.tensor(3) > 2\nfound = flag.nonzero()\n"
    assert isinstance(variables(source)["found"], Sym)


def test_data_assigned_in_a_branch_that_leaves_the_loop_is_there_after_it() -> None:
    """A search that ends with its first hit: what it found comes from the data; a number stays what both ends say."""
    search = "for k in range(6):\n    if torch.rand(()) > 0.5:\n        "
    first = search + "hit = price(net, *rows(val, k)).mean()\n        break\n"
    found = variables(MODEL + "hit, kept = 0.0, 5\n" + first + search + "kept = 5\n        break\n")
    assert found["hit"].mark & Mark.NLL
    assert found["kept"] == 5


def test_data_added_up_in_a_branch_that_goes_on_to_the_next_iteration_is_kept() -> None:
    """`continue` after adding is the same as adding in one branch and doing the rest in the other."""
    body = "    cost = price(net, *rows(val, k)).mean()\n    if torch.rand(()) > 0.5:\n        total = total + cost\n"
    for head in ("for k in range(6):\n", "k = -1\nwhile k < 6:\n    k += 1\n"):
        found = variables(MODEL + "total = 0.0\n" + head + body + "        continue\n    spare = k\n")
        assert found["total"].mark & Mark.NLL
        assert isinstance(found["spare"], int)
