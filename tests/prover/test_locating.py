"""Finding the metric's terms by arithmetic, reading hostile results, and making the data."""

from __future__ import annotations

import dataclasses
import io
import json
import math
import zipfile
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("sentencepiece")

from auditor.prover import data
from auditor.prover.examine import common, examine, locate, same_site
from auditor.prover.job import Shape, miniature
from auditor.prover.locate import (
    BYTEWISE,
    LN2,
    MetricLine,
    find_site,
    find_sites,
    make_site,
    metric_lines,
    tolerance_of,
)
from auditor.prover.native import Wanted
from auditor.prover.runlog import Frames, PrintedLine, ResultError, RunLog, Trace, decode
from auditor.prover.session import Undecided
from auditor.sandbox.compiling import Build

N = 512
RNG = np.random.default_rng(3)


def trace(key: int, values: np.ndarray, entries: int, call: int, start: int) -> Trace:
    """Return `values` logged in equal entries by one call that began at `call`."""
    lengths = np.full(entries, values.size // entries)
    chains = np.tile([call, 0, 0, 0], (entries, 1))
    times = np.arange(start, start + entries)
    return Trace(key, "f", f"acc{key}", 10 + key, 0, values, lengths, times, chains)


def log_of(traces: list[Trace], numbers: tuple[tuple[str, float], ...], at: int = 5000) -> RunLog:
    line = PrintedLine("final " + " ".join(f"{p}{n:.8f}" for p, n in numbers), numbers, at, True)
    return RunLog(None, (line,), {t.key: t for t in traces}, {}, (), 0, False, {})


def test_the_site_is_the_one_whose_sum_is_printed() -> None:
    """Of several logged evaluations the one that reproduces val_loss is found, by number and not by name."""
    right, other = RNG.uniform(2, 4, N), RNG.uniform(2, 4, N)
    log = log_of(
        [trace(1, other, 16, 20, 100), trace(2, right, 16, 30, 200)],
        ((" val_loss:", float(right.mean())), (" val_bpb:", float(right.mean()))),
    )
    site = find_site(log, metric_lines(log)[0], N, 999)
    assert site is not None and site.key == 2 and site.start == 30 and site.by == "val_loss"
    assert np.array_equal(site.values, right)


def test_bits_per_byte_alone_locate_the_site() -> None:
    """A script that prints only val_bpb is located through the bytes of the text."""
    values, real = RNG.uniform(2, 4, N), 1234
    log = log_of([trace(1, values, 16, 20, 100)], ((" val_bpb:", float(values.sum()) / LN2 / real),))
    site = find_site(log, metric_lines(log)[0], N, real)
    assert site is not None and site.by == "val_bpb" and site.unit == 1.0


def test_a_scorer_of_bytes_is_located() -> None:
    """One score in bits per byte of the text: their mean is the printed number, whatever bytes the tokens count."""
    values = RNG.uniform(1, 3, 2 * N)
    log = log_of([trace(1, values, 1, 20, 100)], ((" val_bpb:", float(values.mean())),))
    site = find_site(log, metric_lines(log)[0], N, 999)
    assert site is not None and site.by == BYTEWISE and site.unit == LN2


def test_scores_of_bytes_that_give_the_loss_are_none_of_tokens() -> None:
    """Their sum over the tokens' count is val_loss all the same; what one token's bytes sum to says nothing."""
    values = RNG.uniform(1, 3, 2 * N)
    log = log_of([trace(1, values, 16, 20, 100)], ((" val_loss:", float(values.sum()) / N), (" val_bpb:", 7.25)))
    site = find_site(log, metric_lines(log)[0], N, 2 * N)
    assert site is not None and site.by == BYTEWISE
    site = find_site(log, metric_lines(log)[0], N, 999)
    assert site is not None and site.by == "val_loss"


def test_only_entries_with_forward_passes_between_them_are_in_the_order_of_time() -> None:
    """A loop that adds up what was computed before takes a few moments for each; batches of windows take many."""
    one = trace(1, np.ones(N), 16, 20, 100)
    line = MetricLine(PrintedLine("x", (), 5000, True), 1.0, 1.0)
    batches = dataclasses.replace(one, times=np.repeat([100, 200, 300, 400], 4) + np.tile([0, 8, 16, 24], 4))
    assert not make_site(one, line, 0, 16, 20, (1.0, "val_loss")).timed
    assert make_site(batches, line, 0, 16, 20, (1.0, "val_loss")).timed


def test_a_number_read_from_text_is_asked_for_as_many_digits_as_it_has() -> None:
    """Not as many as another number of the line."""
    line = PrintedLine("val_bpb:1.23456 t:3.12345678", ((" val_bpb:", 1.23456),), 5000, False)
    assert tolerance_of(MetricLine(line, None, 1.23456), 1.23456) == pytest.approx(0.51e-5)


def test_nothing_is_located_where_nothing_adds_up() -> None:
    """When no logged sum gives the printed number there is no site."""
    log = log_of([trace(1, RNG.uniform(2, 4, N), 16, 20, 100)], ((" val_loss:", 1.5), (" val_bpb:", 1.1)))
    assert find_site(log, metric_lines(log)[0], N, 1234) is None


def test_a_place_ranks_by_the_likeliest_of_its_runs() -> None:
    """A second, less likely run of entries of one place does not put another place before it."""
    values = RNG.uniform(2, 4, N)
    near, far = np.concatenate([np.full(64, 1e-12), values]), np.concatenate([values, np.full(16, 1e-12)])
    log = log_of(
        [trace(1, near, 18, 20, 100), trace(2, far, 33, 30, 200)],
        ((" val_loss:", float(values.mean())), (" val_bpb:", 7.25)),
    )
    assert [site.key for site in find_sites(log, metric_lines(log)[0], N, 999)] == [1, 2]


@pytest.mark.parametrize("lasting", [1, 2, None])
def test_a_place_that_agrees_by_chance_is_given_up(lasting: int | None) -> None:
    """Of two places whose sums give the printed number on one text, the one that does so on another text is tested."""
    mini = miniature(Shape("small"), N, 1)

    def run(agreeing: set[int]) -> RunLog:
        values = RNG.uniform(2, 4, N)
        given = {key: values[::-1].copy() if key in agreeing else RNG.uniform(2, 4, N) for key in (1, 2)}
        traces = [trace(key, one, 16, 10 * key, 100 * key) for key, one in given.items()]
        return log_of(traces, ((" val_loss:", float(values.mean())), (" val_bpb:", 7.25)))

    logs = {"base/main": run({1, 2}), "suffix/main": run({lasting} if lasting else set())}
    session = SimpleNamespace(
        run=lambda *_: logs, headline=None, others=frozenset(), conditions=frozenset(), left=lambda: 9.0
    )
    if lasting is None:
        with pytest.raises(Undecided, match="no longer make up"):
            examine(session, mini)  # type: ignore[arg-type]
    else:
        assert examine(session, mini).site.key == lasting  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("headline", "others", "known"),
    [("final", set(), True), (None, set(), None), (None, {"final"}, False), (None, {"sliding"}, None)],
)
def test_a_line_that_the_logs_show_with_another_number_is_not_the_claimed_one(
    headline: str | None, others: set[str], known: bool | None
) -> None:
    """Where a claim stands on no result's line, a line that the logs do hold convicts nobody of it."""
    values = RNG.uniform(2, 4, N)
    log = log_of([trace(1, values, 16, 20, 100)], ((" val_loss:", float(values.mean())), (" val_bpb:", 7.25)))
    session = SimpleNamespace(headline=headline, others=frozenset(others), left=lambda: 9.0)
    assert locate(session, log, miniature(Shape("small"), N, 1))[1] is known  # type: ignore[arg-type]


def test_progress_lines_are_no_results() -> None:
    """A training step's validation line is not the result."""
    line = PrintedLine("step:10/20 val_loss:3.1 val_bpb:1.2", ((" val_loss:", 3.1), (" val_bpb:", 1.2)), 1, True)
    assert metric_lines(RunLog(None, (line,), {}, {}, (), 0, False, {})) == []


def test_a_difference_of_results_is_no_result() -> None:
    """What one evaluation gained over another is no metric, though it is called bits per byte."""
    gained = PrintedLine("delta(a - b) val_bpb: +0.123456", (("delta(a - b) val_bpb: ", 0.123456),), 2, True)
    named = PrintedLine("delta_bpb:-0.123456", (("probe delta_bpb:", -0.123456),), 3, True)
    result = PrintedLine("[a] val_bpb: 1.123456", (("[a] val_bpb: ", 1.123456),), 1, True)
    log = RunLog(None, (result, gained, named), {}, {}, (), 0, False, {})
    assert [m.bpb for m in metric_lines(log)] == [1.123456]


def test_hostile_results_are_refused() -> None:
    """Rubbish, bombs, pickles and arrays that do not fit together never reach the judges."""
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("meta.npy", b"\0" * 10_000_000)
    pickled = io.BytesIO()
    np.savez(pickled, meta=np.array([{"a": 1}], dtype=object))
    ragged = io.BytesIO()
    meta = json.dumps({"error": None, "lines": [], "keys": {"1": ["f", "a", 1, 0]}, "lowered": {}, "stubs": [],
                       "launches": 0, "overflow": False, "builds": [], "refused": "",
                       "coverage": {}}).encode()  # fmt: skip
    np.savez(ragged, meta=np.frombuffer(meta, dtype=np.uint8), v1=np.ones(3), n1=np.array([9]), t1=np.array([1]),
             c1=np.zeros((1, 4)))  # fmt: skip
    for body in (b"rubbish", bomb.getvalue(), pickled.getvalue(), ragged.getvalue()):
        with pytest.raises(ResultError):
            decode(body, 1_000_000)


def test_frames_survive_a_cut_report() -> None:
    """A report that ends inside a frame keeps the whole ones."""
    frame = (1).to_bytes(4, "little") + (3).to_bytes(4, "little") + b"aXYZ"
    for cut in (1, 7, len(frame)):
        taken = Frames()
        for chunk in (frame[:cut], frame[cut:] + frame[:6]):
            taken.feed(chunk)
        assert taken.found == {"a": b"XYZ"}
    broken = Frames()
    broken.feed(b"\xff" * 40)
    assert broken.found == {}


def test_the_stream_is_official_looks_real_and_repeats() -> None:
    """Shards carry the official header; documents open with BOS; contexts of four tokens come again."""
    mini = miniature(Shape("small"), 2048, 1)
    body = data.shard(mini.stream)
    header = np.frombuffer(body[:1024], dtype="<i4")
    assert header[:3].tolist() == [data.SHARD_MAGIC, data.SHARD_VERSION, 2049]
    assert np.array_equal(np.frombuffer(body[1024:], dtype="<u2"), mini.stream)
    grams = [tuple(mini.stream[i : i + 4]) for i in range(2045)]
    assert len(set(grams)) < 0.8 * len(grams)
    assert 2048 // 131 <= int((mini.stream == data.BOS).sum()) <= 2048 // 40
    assert np.array_equal(mini.stream, miniature(Shape("small"), 2048, 1).stream)


def test_bytes_follow_the_rule_for_leading_spaces() -> None:
    """A leading space counts one byte, but not after a control piece."""
    mini = miniature(Shape("small"), 2048, 1)
    spaced = next(i for i, s in enumerate(mini.tokenizer.spaced) if s and not mini.tokenizer.control[i])
    plain = mini.tokenizer.lengths[spaced]
    counted = data.target_bytes(mini.tokenizer, np.array([data.BOS, spaced, spaced]))
    assert counted.tolist() == [plain, plain + 1]
    assert math.isclose(sum(mini.tokenizer.control), 4)


def test_changed_tokens_count_the_same_bytes() -> None:
    """Every position gets another token of the same length and the same leading space, where one exists."""
    mini = miniature(Shape("small"), 2048, 1)
    changes = data.other_tokens(mini.tokenizer, mini.stream, range(1000, 1400), 5)
    alike = [
        data.size_of(mini.tokenizer, t) == data.size_of(mini.tokenizer, int(mini.stream[p])) for p, t in changes.items()
    ]
    assert all(t != mini.stream[p] for p, t in changes.items()) and sum(alike) > 0.9 * len(alike)


def test_bits_per_byte_of_a_changed_text_are_held_against_its_own_bytes() -> None:
    """A run on other tokens divides by the bytes of those."""
    mini = miniature(Shape("small"), 2048, 1)
    changes = {p: 23 for p in range(1000, 2000) if mini.stream[p] != data.BOS}
    stream = mini.stream.copy()
    stream[list(changes)] = 23
    values = RNG.uniform(2, 4, 2048)
    logs = []
    for text in (mini.stream, stream):
        real = int(data.target_bytes(mini.tokenizer, text).sum())
        logs.append(log_of([trace(1, values, 16, 20, 100)], ((" val_bpb:", float(values.sum()) / LN2 / real),)))
    real = int(data.target_bytes(mini.tokenizer, mini.stream).sum())
    site = find_site(logs[0], metric_lines(logs[0])[0], 2048, real)
    assert site is not None
    assert same_site(logs[1], site, mini, changes) is not None
    assert same_site(logs[1], site, mini, {}) is None


def test_a_library_is_built_only_where_another_text_asks_for_it_too() -> None:
    """Source that changes with the text could carry the text, and its scores, into later runs."""
    same, other = (Wanted(kind * 64, Build(False, (), (), {})) for kind in "ab")
    assert common((same, other), (same,)) == (same,)
    assert common((same,), ()) == ()
