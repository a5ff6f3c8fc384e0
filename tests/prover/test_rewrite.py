"""The rewriter: a rewritten program computes what it did before, and what it sums and prints is logged."""

from __future__ import annotations

import builtins
import threading
from typing import Any

import pytest

pytest.importorskip("torch")

from auditor.prover.child import recorder as recording
from auditor.prover.child.recorder import Recorder
from auditor.prover.child.rewrite import rewrite
from auditor.prover.child.settings import Settings

HOOK = "_hook"


def run(
    source: str, table: list[tuple[str, float]] | None = None, shrunk: int = 1
) -> tuple[dict[str, Any], Recorder, Any]:
    """Execute `source` rewritten and return its namespace, the recorder and the sites."""
    settings = Settings(table or [], {}, shrunk, "DIM")
    recorder = Recorder(settings)
    tree, sites = rewrite(source, "toy.py", HOOK)
    for name, value in ((HOOK, recorder), (HOOK + "_run", 0), (HOOK + "_cover", bytearray(len(sites.statements)))):
        setattr(builtins, name, value)
    namespace: dict[str, Any] = {"__name__": "toy"}
    exec(compile(tree, "toy.py", "exec", dont_inherit=True), namespace)
    return namespace, recorder, sites


def values(recorder: Recorder, sites: Any, target: str) -> list[list[float]]:
    """Return the entries logged under the key whose text is `target`."""
    return [v.tolist() for key, log in recorder.keys.items() if sites.keys[key][1] == target for v in log.values]


def test_a_rewritten_program_computes_the_same() -> None:
    """Docstrings, future imports, decorators, defaults, closures, comprehensions and f-strings keep their meaning."""
    source = '''"""Doc."""
from __future__ import annotations
import functools

@functools.lru_cache
def f(n: int, *, k=2):
    "doc"
    total = 0
    for i in range(n):
        total += i * k
    return total

class A:
    x = 3
    def m(self):
        return [f(i) for i in range(self.x)]

def outer():
    state = {"n": 0.0}
    def inner(v):
        state["n"] = state["n"] + v
        return f"{state['n']:.2f}|{v!r}|{v:>5}"
    return [inner(v) for v in (1.5, 2.5)]

out = (f(5), f.__doc__, A().m(), outer(), __doc__)
'''
    plain: dict[str, Any] = {"__name__": "toy"}
    exec(compile(source, "toy.py", "exec", dont_inherit=True), plain)
    assert run(source)[0]["out"] == plain["out"]


def test_accumulated_scalars_are_traced_to_the_array_they_sum() -> None:
    """`total += float(x.sum())` logs the elements of x, so that single scores can be compared."""
    source = """
import numpy as np
def g():
    total = 0.0
    x = np.array([1.0, 2.5])
    total += float(x.sum())
    return total
g()
"""
    _, recorder, sites = run(source)
    assert values(recorder, sites, "total") == [[1.0, 2.5]]


def test_branches_that_add_to_one_accumulator_share_a_key() -> None:
    """Two places that feed the same sum are one metric, whichever branch a score took."""
    source = """
def g():
    s = 0.0
    for i in range(4):
        if i % 2:
            s += 0.5 * i
        else:
            s = s + 0.25 * i
    return s
g()
"""
    _, recorder, sites = run(source)
    assert values(recorder, sites, "s") == [[0.0], [0.5], [0.5], [1.5]]


def test_printed_numbers_are_kept_before_rounding() -> None:
    """The value that an f-string rounds is logged whole, with the text before it."""
    source = "x = 1.23456789012345\nline = f'val_loss:{x:.2f} n={3}'\n"
    namespace, recorder, _ = run(source)
    assert namespace["line"] == "val_loss:1.23 n=3"
    assert recorder.lines[0]["pieces"] == [("val_loss:", 1.23456789012345)]


def test_class_constants_and_defaults_pass_the_settings_table() -> None:
    """A constant that the script does not read from its environment is lowered all the same."""
    source = """
class H:
    model_dim = 512
    dropout = 0
def f(stride=64):
    return stride
out = (H.model_dim, H.dropout, f())
"""
    namespace, _, _ = run(source, [("MODEL_DIM", 64), ("STRIDE", 16), ("DROPOUT", 0)])
    assert namespace["out"] == (64, 0, 16)


def test_defaults_given_to_a_scripts_own_reader_pass_the_settings_table() -> None:
    """`env("STEPS", 20000)` is a setting, whatever the reader is called; other calls keep their arguments."""
    source = "def env(name, default):\n    return default\nN = env('STEPS', 20000)\nM = env('steps', 20000)\n"
    namespace, _, _ = run(source, [("STEPS", 6)])
    assert namespace["N"] == 6 and namespace["M"] == 20000


def test_large_logs_stay_bounded() -> None:
    """A script that adds for ever keeps a bounded log: the oldest half of a key goes."""
    source = """
import numpy as np
x = np.ones(4096)
def g():
    s = 0.0
    for i in range(200):
        s += (x * i).sum()
g()
"""
    _, recorder, _ = run(source)
    assert all(log.size <= 1 << 17 for log in recorder.keys.values())
    assert any(log.dropped for log in recorder.keys.values())


def test_gradient_accumulation_is_lowered_where_it_is_computed() -> None:
    """Eight passes of a rank become one, whether the number is a name's or an object's; other quotients stay."""
    source = """
class A:
    pass

def main(world_size):
    grad_accum_steps = 8 // world_size
    a = A()
    a.grad_accum_steps = max(1, 8 // world_size)
    tokens = 4096 // world_size
    return grad_accum_steps, a.grad_accum_steps, tokens

out = main(1)
"""
    namespace, _, _ = run(source, [(r"GRAD_ACCUM(ULATION)?(_STEPS)?", 1)])
    assert namespace["out"] == (1, 1, 4096)


@pytest.mark.parametrize(
    "source",
    [
        "def f():\n    ema_decay = 0.997\n    return ema_decay\n",
        "class A:\n    ema_decay: float = 0.997\ndef f():\n    return A.ema_decay\n",
        "def f(ema_decay=0.997):\n    return ema_decay\n",
    ],
)
def test_a_slow_average_is_quickened_wherever_it_is_written(source: str) -> None:
    """After three steps an average over a thousand is what training began with; other fractions stay."""
    table = [("EMA_DECAY", 0.5)]
    assert run(source, table)[0]["f"]() == 0.5
    assert run(source.replace("0.997", "0.25"), table)[0]["f"]() == 0.25
    assert run(source.replace("ema_decay", "momentum"), table)[0]["f"]() == 0.997


@pytest.mark.parametrize(
    ("test", "wide", "narrow"),
    [
        ("w.numel() <= 65536", False, True),
        ("w.numel() > MOST", True, False),
        ("65_536 < w.numel()", True, False),
        ("w.numel() >= 1 << 16 and w.ndim == 2", True, False),
        ("w.numel() > 2", True, True),
        ("w.long().numel() > 65536", False, False),
        ("w.numel() == 4096", True, False),
    ],
)
def test_weights_are_counted_against_a_number_as_in_the_real_run(test: str, wide: bool, narrow: bool) -> None:
    """A matrix is as large as its real one, a vector stays small; tokens are counted as they are."""
    source = f"import torch\nMOST, DIM = 65_536, 64\ndef f(w):\n    return {test}\n"
    lowered = source.replace("MOST, DIM = 65_536, 64", "MOST = 65_536\nDIM = 512")
    namespace, *_ = run(lowered, [("DIM", 64)], shrunk=64)
    torch = namespace["torch"]
    small = torch.zeros(64, 64)
    assert (namespace["f"](small), namespace["f"](torch.zeros(64))) == (wide, narrow)
    assert run(source, shrunk=64)[0]["f"](small) is run(source)[0]["f"](small)


def test_what_small_weights_are_told_by_is_evaluated_once_more_at_most() -> None:
    """A limit that is computed is left alone, as it may do something."""
    source = "import torch\ndef f(w, limits):\n    return w.numel() > limits.pop()\n"
    assert run(source, shrunk=64)[0]["f"](run(source)[0]["torch"].zeros(64, 64), [9, 65536]) is False


@pytest.mark.parametrize(
    "source",
    [
        "def f(n):\n    hop, block = 1, 65536\n    return [min(b + block, n) for b in range(0, n, block)], hop\n",
        "BLOCK = 1 << 16\ndef f(n):\n    return [min(b + BLOCK, n) for b in range(0, n, BLOCK)], 1\n",
        "def f(n, block=64 * 1024):\n    return [min(b + block, n) for b in range(0, n, block)], 1\n",
        "class C:\n    block: int = 65_536\ndef f(n, c=C()):\n"
        "    return [min(b + c.block, n) for b in range(0, n, c.block)], 1\n",
        "def f(n):\n    block, at, out = 65536, 0, []\n    while at < n:\n        out.append(min(at + block, n))\n"
        "        at += block\n    return out, 1\n",
    ],
    ids=["tuple", "module", "default", "class", "while"],
)
def test_a_loop_over_blocks_longer_than_the_text_takes_several_steps(source: str) -> None:
    """What happens between blocks happens in miniature too, and the script agrees with itself on where they end."""
    namespace, *_ = run(source)
    assert namespace["f"](600) == ([256, 512, 600], 1)
    assert run(source.replace("65536", "100").replace("1 << 16", "100").replace("64 * 1024", "100").replace(
        "65_536", "100"))[0]["f"](250) == ([100, 200, 250], 1)  # fmt: skip


def test_a_table_of_hashes_becomes_no_fuller_than_it_would_be() -> None:
    """Sizes that remainders are taken by, or masks made from, shrink with the text; larger ones never collide."""
    source = (
        "TABLE, LARGE, SMALL, OTHER = 1 << 24, 1 << 61, 97, 1 << 22\nmask = TABLE - 1\n"
        "def f(x):\n    return x % TABLE, x % LARGE, x % SMALL, OTHER, mask\n"
    )
    assert run(source)[0]["f"](100_000) == (100_000 % 512, 100_000, 100_000 % 97, 1 << 22, 511)


@pytest.mark.parametrize("length", ["len(table)", "table.size", "table.shape[0]"])
def test_a_table_whose_length_is_taken_of_itself_shrinks_too(length: str) -> None:
    """Where the array is made, through what is called on it; other arrays of that length stay."""
    source = (
        "import numpy as np\n"
        f"def f(x):\n    table, other = np.zeros(1 << 24).astype('f4'), np.zeros(1 << 20)\n"
        f"    return x % {length}, len(table), len(other)\n"
    )
    assert run(source)[0]["f"](100_000) == (100_000 % 512, 512, 1 << 20)
    assert run(source.replace("1 << 24", "97"))[0]["f"](100_000)[:2] == (100_000 % 97, 97)


def test_a_size_kept_as_an_attribute_is_lowered_for_every_method() -> None:
    """Bound in one method or passed by name, and used in another; a local name of another function is another name."""
    source = (
        "class Cache:\n    def __init__(self):\n        self.rows, rows = 1 << 24, 1 << 24\n        self.local = rows\n"
        "    def key(self, x):\n        return x % self.rows\n"
    )
    source += "class Passed:\n    def __init__(self, rows=1 << 23):\n        self.mask = rows - 1\n"
    source += "passed, other = Passed(rows=1 << 24), dict(unused=1 << 24)\n"
    namespace = run(source)[0]
    assert namespace["passed"].mask == 511 and namespace["other"] == {"unused": 1 << 24}
    cache = namespace["Cache"]()
    assert cache.rows == 512 and cache.key(100_000) == 100_000 % 512 and cache.local == 1 << 24


def test_moments_pass_in_the_scripts_own_thread_alone() -> None:
    """What helpers of a pool sum is logged, and moves nothing: their turns differ from run to run."""
    source = """
import threading
import numpy as np
row = np.arange(4.0)
def work():
    for _ in range(9):
        row.sum()
work()
helpers = [threading.Thread(target=work) for _ in range(COUNT)]
for helper in helpers:
    helper.start()
    helper.join()
row.mean()
"""
    moments = []
    for count in (0, 3):
        _, recorder, sites = run(source.replace("COUNT", str(count)))
        moments.append(recorder.now)
        assert len(values(recorder, sites, "row.sum")) == 9 * (count + 1)
    assert moments[0] == moments[1] > 9


def test_a_helper_that_is_logging_silences_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """While it copies what it sums, the script's own thread goes on, and all that it sums is logged."""
    inside, done, real = threading.Event(), threading.Event(), recording.as_array

    def copied(value: Any) -> Any:
        if threading.current_thread() is not threading.main_thread():
            inside.set()
            done.wait(5)
        return real(value)

    monkeypatch.setattr(recording, "as_array", copied)
    recorder = Recorder(Settings([], {}, 1, "DIM"))
    helper = threading.Thread(target=recorder.note, args=(1, [1.0, 2.0], 0, True))
    helper.start()
    assert inside.wait(5)
    recorder.note(2, [3.0], 0, False)
    done.set()
    helper.join()
    assert recorder.now == 1 and {key: len(log.values) for key, log in recorder.keys.items()} == {1: 1, 2: 1}


@pytest.mark.parametrize(("alone", "kept"), [(200, True), (5, False)])
def test_a_scalar_that_is_some_mean_by_chance_stays_a_scalar(alone: int, kept: bool) -> None:
    """Among many single losses one that agrees with an array's mean is no sum of it; among few it is."""
    source = """
import numpy as np
losses = [2.0 + i / 1024 for i in range(ALONE)]
row = np.array([losses[3] - 0.25, losses[3] + 0.25])
row.mean()
total = 0.0
for loss in losses:
    total += loss
"""
    _, recorder, sites = run(source.replace("ALONE", str(alone)))
    log = next(log for key, log in recorder.keys.items() if sites.keys[key][1] == "total")
    assert log.values[3].size == 2
    log.settle()
    assert (log.values[3].size == 1) is kept
    assert list(log.lengths) == [v.size for v in log.values]
    if kept:
        assert sum(v.sum() for v in log.values) == sum(2.0 + i / 1024 for i in range(alone))


def test_counts_are_sums_of_nothing() -> None:
    """Bytes that are added up one token at a time stay what they are, though a mean of others is as large."""
    source = "import numpy as np\nnp.array([2, 4]).mean()\ntotal = 0\nfor n in (3, 3, 1):\n    total += n\n"
    _, recorder, sites = run(source)
    assert values(recorder, sites, "total") == [[3.0], [3.0], [1.0]]
