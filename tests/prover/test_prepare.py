"""Which settings reach the miniature, where what a script writes lands, and which shape a failure asks for."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest

pytest.importorskip("sentencepiece")

from auditor.interp.analysis import Setting
from auditor.limits import DEFAULT_LIMITS, ProverLimits
from auditor.model.submission import FileEntry, FileKind, Submission, Track
from auditor.prover import ladder
from auditor.prover.job import Miniature, Script
from auditor.prover.ladder import SMALL, Failures, named_settings, next_shape
from auditor.prover.prepare import arguments, best_command, doubtful_of, readable, stages_of, unprinted
from auditor.prover.session import Undecided
from auditor.prover.table import table_of_width
from auditor.usecases.prove import claimed_line


@pytest.mark.parametrize("value", ["$DATA", "{seq_len}", "[0", "schedule=[", "None", "set()", "enabled=False"])
def test_torn_prints_are_no_settings(value: str) -> None:
    """What a log shows of a template, half a list or an absent value is left at the code's default."""
    assert not readable(value)


@pytest.mark.parametrize(
    ("shown", "given"),
    [("[0, 3, 6]", "0,3,6"), ("(1,)", "1"), ("0.35", "0.35"), ("a,b", "a,b"), ("./data/", "./data/")],
)
def test_a_printed_list_is_given_as_scripts_read_one(shown: str, given: str) -> None:
    """Python's notation becomes items between commas; everything else stays."""
    assert readable(shown) and unprinted(shown) == given


def test_deduced_settings_are_doubted_before_printed_ones_and_commands_never() -> None:
    """First the settings solved from guards are left out, then those that logs print; run commands stay."""
    found = doubtful_of(
        {
            "A": Setting("1", "guard solved from train.log:9"),
            "B": Setting("2", "train.log:3"),
            "C": Setting("3", "README.md:48"),
        }
    )
    assert found == (frozenset("A"), frozenset("AB"))
    assert doubtful_of({"C": Setting("3", "README.md:48")}) == ()


def test_every_different_failure_is_told() -> None:
    """What came of the first shape is often cured by the next, which fails of something else."""
    failures = Failures()
    failures.add(SMALL, Undecided("crash", "size 32"))
    failures.add(replace(SMALL, name="96 pieces"), Undecided("no-metric", "nothing printed"))
    failures.add(replace(SMALL, name="two heads"), Undecided("crash", "size 32"))
    told = failures.told()
    assert isinstance(told, Undecided) and told.reason_class == "crash"
    assert str(told) == "size 32; 96 pieces: nothing printed"


def test_a_failure_asks_for_a_shape_that_could_cure_it() -> None:
    """Mismatched heads ask for wider heads, then for the model's own width; a launcher's absence for a launcher."""
    widths, shape = [], next_shape("The size of tensor a (8) must match", SMALL)
    while shape is not None:
        widths.append(shape.width)
        shape = next_shape("Expected ~26.8M params", shape)
    assert widths == [128, 256, None]
    launched = next_shape("This script requires torchrun", SMALL)
    assert launched is not None and launched.launched
    assert next_shape("KeyError: 'x' at line 7 in Hyperparameters", SMALL) is None


def test_wider_models_keep_what_counts_a_heads_dimensions() -> None:
    """Only the small shape lowers rotary dimensions; the model's own width lowers no width at all."""
    small, wide, own = (dict(table_of_width(width)) for width in (64, 256, None))
    rotary = next(pattern for pattern in small if "ROTARY" in pattern)
    first = next(iter(small))
    assert rotary not in wide and wide[first] == 256 and small[first] == 64 and first not in own


def test_a_failure_that_quotes_the_vocabulary_asks_for_a_larger_one() -> None:
    """More pieces than the model is wide, where the small vocabulary's size is what does not fit; once only."""
    larger = next_shape("The size of tensor a (32) must match the size of tensor b (64)", SMALL)
    assert larger is not None and larger.vocab > 64 and larger.width == SMALL.width
    again = next_shape("The size of tensor a (32) must match the size of tensor b (64)", larger)
    assert again is not None and again.vocab == larger.vocab and again.width == 128


def test_shapes_add_up() -> None:
    """What one failure asked for stays when the next failure asks for something else."""
    launched = next_shape("This script requires torchrun", SMALL)
    assert launched is not None
    both = next_shape("size mismatch", launched)
    assert both is not None and both.launched and both.width == 128


def test_settings_that_the_error_names_are_left_out() -> None:
    """A run that demands a kernel by name goes on without that setting, and keeps the others."""
    environment = {"KERNEL_REQUIRED": "1", "TTT_ENABLED": "1"}
    session = SimpleNamespace(script=Script("x.py", "", environment=environment))
    assert named_settings(session, "RuntimeError: KERNEL_REQUIRED=1 but no compiler") == {"KERNEL_REQUIRED"}  # type: ignore[arg-type]
    assert not named_settings(session, "RuntimeError: no compiler")  # type: ignore[arg-type]


def test_an_error_that_another_shape_does_not_change_ends_the_search(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second shape that fails in the same way costs one run, not one for every wider model."""
    tried = []

    def examine(session: object, mini: Miniature, doubtful: bool) -> None:
        tried.append(mini.shape.width)
        raise Undecided("crash", "OSError: parameter_golf.so: no such file at line 3 in load")

    monkeypatch.setattr(ladder.contested.ex, "examine", examine)
    session = SimpleNamespace(
        script=Script("x.py", ""), limits=ProverLimits(), progress=lambda text: None, left=lambda: 100.0
    )
    with pytest.raises(Undecided):
        ladder.climb(session)  # type: ignore[arg-type]
    assert tried == [64, 128]


def folder(script: str) -> Submission:
    """Return a submission whose only other file is the shell script `script`."""
    files = {"run.sh": script.encode(), "train_gpt.py": b"print()\n"}
    entries = tuple(FileEntry(path, FileKind.REGULAR, len(body), body) for path, body in files.items())
    return Submission(".", "x", Track.UNKNOWN, entries, "train_gpt.py", "named")


@pytest.mark.parametrize(
    ("script", "given", "stages"),
    [
        ("torchrun train_gpt.py --train\ntorchrun train_gpt.py --eval\n", ("--train",), (("--train",), ("--eval",))),
        ("torchrun train_gpt.py --k 1 2>&1 | tee logs/run.txt\n", ("--k", "1"), ()),
        ("".join(f"torchrun train_gpt.py --k {n}\n" for n in range(5)), ("--k", "0"), ()),
    ],
    ids=["stages", "piped", "trials"],
)
def test_calls_are_read_from_a_run_script(
    script: str, given: tuple[str, ...], stages: tuple[tuple[str, ...], ...]
) -> None:
    """Few different calls may be stages of one run, many are trials; what the shell does with output is no argument."""
    submission = folder(script)
    command = best_command(submission, DEFAULT_LIMITS)
    assert arguments(command) == given
    assert stages_of(submission, command, DEFAULT_LIMITS) == stages


@pytest.mark.parametrize(
    ("carries", "near", "claim", "expected"),
    [
        ("final", "sliding", 1.1, ("final", frozenset())),
        (None, "sliding", 1.1, ("sliding", frozenset())),
        (None, None, 1.1, (None, frozenset({"roundtrip", "final"}))),
        (None, None, None, (None, frozenset())),
    ],
)
def test_lines_that_the_logs_hold_with_other_numbers_are_named(
    carries: str | None, near: str | None, claim: float | None, expected: tuple[str | None, frozenset[str]]
) -> None:
    """The claimed number's line, else the one that misses it by little, else those that are known to be none of it."""

    def named(name: str | None) -> object:
        return None if name is None else SimpleNamespace(name=name)

    logs = (SimpleNamespace(metrics=[named("roundtrip"), named("final")]),)
    headline = SimpleNamespace(metric=named(carries), nearest=named(near))
    evidence = SimpleNamespace(headline=headline, claim=SimpleNamespace(bpb=claim), logs=logs)
    assert claimed_line(evidence) == expected  # type: ignore[arg-type]
    assert claimed_line(None) == (None, frozenset())
