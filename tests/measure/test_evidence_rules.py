"""The rules on sizes, logs, times, seeds and claims: each with what it reports and a near miss one change away."""

from __future__ import annotations

import json

import pytest

from auditor.model.finding import Finding
from auditor.model.source import Layer, Module, Program, Unpacked
from auditor.model.submission import Track
from tests.measure.folders import ask, evidence, folder, log_text, manifest, said, three_seeds

Files = dict[str, str | bytes]
BLOCK = "\n".join(f"key_{n}: {n}" for n in range(12))


def _program(text: str) -> Program:
    layer = Layer(0, text.encode(), text)
    return Program(Module("__main__", Unpacked("train_gpt.py", (layer,)), None))


def _with(**changed: str | bytes) -> Files:
    names = {"README": "README.md", "json": "submission.json", "script": "train_gpt.py"}
    return {**three_seeds(), **{names.get(key, key): value for key, value in changed.items()}}


def _one(seed: int, **changed: object) -> Files:
    """Three seeds of which one is changed."""
    files = three_seeds()
    files[f"train_seed{seed}.log"] = log_text(seed, **{"bpb": 1.05011, "model": 15_900_000, **changed})  # type: ignore[arg-type]
    return files


QUIET = ("PG401", "PG403", "PG501", "PG502", "PG504", "PG505", "PG507", "PG508", "PG509", "PG510", "PG512")


@pytest.mark.parametrize("rule", QUIET)
def test_a_consistent_record_passes(rule: str) -> None:
    """Three consistent seeds within every budget give passes that say what was established, and no finding."""
    found = said(ask(rule, three_seeds()))
    assert found and {effect for effect, _ in found} == {"pass"}


VIOLATING: list[tuple[str, Files, str, str]] = [
    ("PG401", three_seeds(model=15_990_000), "action", "3 of 3 runs exceed 16,000,000 bytes"),
    ("PG401", _one(42, model=15_980_001), "action", "1 of 3 runs exceed"),
    ("PG401", _with(script="x" * 150_000), "action", "with the script as shipped (150,000 bytes)"),
    ("PG403", _with(script="x" * 20_002), "note", "(+2 bytes)"),
    ("PG404", _with(json=manifest(val_bpb=1.05067, bytes_total=15_900_042)), "note", "the model alone"),
    ("PG404", _with(json=manifest(val_bpb=1.05067, bytes_total=15_000_000)), "note", "the nearest total"),
    ("PG501", {"submission.json": manifest(val_bpb=1.0)}, "review", "no training or evaluation log"),
    ("PG501", {"train.log": ""}, "review", "train.log are empty"),
    ("PG501", {"train.log": log_text().split("pre-quant")[0]}, "review", "no log reaches a final metric"),
    ("PG501", {"train.log": "final val_loss:2.0 val_bpb:1.2\n"}, "note", "an excerpt"),
    ("PG502", _one(42, stop_ms=602_048), "action", "602.0 s"),
    ("PG502", _one(42, stop_ms=600_700), "note", "600.7 s"),
    ("PG503", three_seeds(after_stop="GPTQ:collected 67 Hessians in 13.3s\n"), "note", "588.0 s of training + 13.3 s"),
    (
        "PG503",
        three_seeds(after_stop="gptq:generated 64 sequences in 190.5s\n"),
        "review",
        "text that the model generated",
    ),
    ("PG503", three_seeds(after_stop="GPTQ:collecting Hessians from calibration data...\n"), "note", "not timed"),
    ("PG504", _one(42, eval_ms=688_000), "action", "688.0 s"),
    (
        "PG504",
        _one(42, extra="total_eval_time:553.3s\nprecompute_outside_timer_done elapsed=164.5s\n"),
        "action",
        "717.8 s",
    ),
    (
        "PG504",
        three_seeds(extra="slow_probe val_loss:2.9 val_bpb:1.2 eval_time:650000ms\n"),
        "note",
        "not the claimed metric",
    ),
    (
        "PG504",
        three_seeds(extra="quantized_sliding val_loss:2.9 val_bpb:1.2 eval_time:300000ms\n"),
        "note",
        "700.0 s together",
    ),
    ("PG505", {"train.log": log_text(42)}, "note", "1 seed;"),
    (
        "PG505",
        {"train.log": log_text(42), "submission.json": manifest(val_bpb=1.08, seeds=[1, 2, 42])},
        "review",
        "claims 3",
    ),
    (
        "PG505",
        {"train_seed42.log": log_text(42), "train_seed1337.log": log_text(42, bpb=1.07)},
        "review",
        "prints seed 42",
    ),
    ("PG507", _with(json=manifest(val_bpb=1.0412)), "review", "is in no log"),
    ("PG507", _with(json=manifest(val_bpb=1.05011)), "note", "the best run, not the mean"),
    ("PG507", _with(json=manifest(val_bpb=1.08395)), "review", "calls itself a diagnostic"),
    (
        "PG507",
        {
            "t.log": log_text().replace("stopping", "4500/20000 val_loss: 2.9 val_bpb: 1.1234\nstopping"),
            "submission.json": manifest(val_bpb=1.1234),
        },
        "review",
        "validation during training",
    ),
    ("PG508", _one(42, model=15_901_337), "review", "not mutually consistent"),
    ("PG509", {"submission.json": '{"val_bpb": 1.0,}'}, "review", "not valid JSON"),
    ("PG509", {"submission.json": manifest(val_bpb=None)}, "note", "no val_bpb is claimed"),
    ("PG509", {"train.log": log_text()}, "note", "no submission.json"),
    ("PG510", three_seeds(loss_per_bpb=2.5831 * 1.17), "note", "1.1700 of the full set"),
    ("PG512", three_seeds(world=4), "review", "another number of processes than 8"),
    ("PG512", _one(42, world=4), "note", "1 of 3 runs"),
    ("PG512", three_seeds(settings="gpu_line: x", extra="gpu:NVIDIA A100-SXM4\n"), "note", "A100"),
    (
        "PG513",
        _one(42, settings=BLOCK + "\nlr: 0.2")
        | {
            f"train_seed{s}.log": log_text(s, bpb=b, model=15_900_000 + s, settings=BLOCK + "\nlr: 0.1")
            for s, b in ((1337, 1.05122), (2025, 1.05067))
        },
        "review",
        "lr (0.1",
    ),
    ("PG513", _one(42, code=20_400), "note", "different code sizes"),
    (
        "PG514",
        _with(README="No SLOT anywhere.")
        | {"train_seed42.log": log_text(42, bpb=1.05011, settings="slot_enabled: True")},
        "note",
        "the text says no SLOT",
    ),
]


@pytest.mark.parametrize(
    ("rule", "files", "effect", "phrase"), VIOLATING, ids=[f"{row[0]}-{row[3][:24]}" for row in VIOLATING]
)
def test_what_each_rule_reports(rule: str, files: Files, effect: str, phrase: str) -> None:
    """The finding has the effect that its weight deserves and says the measured value."""
    found = said(ask(rule, files))
    assert any(got == effect and phrase in text for got, text in found), found


NEAR: list[tuple[str, Files]] = [
    ("PG401", three_seeds(model=15_970_000, code=20_000)),
    ("PG502", three_seeds(stop_ms=600_128)),
    ("PG503", three_seeds(after_stop="GPTQ:collected 67 Hessians in 11.9s\n")),
    ("PG503", three_seeds(after_stop="Serialize: per-group compression done in 101.2s\n")),
    ("PG504", three_seeds(eval_ms=599_900)),
    ("PG504", three_seeds(extra="legal_ttt:done bpb=1.05012 elapsed=400.4s\n")),
    ("PG505", {**three_seeds(), "train.log": three_seeds()["train_seed42.log"]}),
    ("PG507", _with(json=manifest(val_bpb=1.0507))),
    ("PG510", three_seeds(loss_per_bpb=2.5835)),
    (
        "PG514",
        _with(README="No SLOT anywhere.")
        | {"train_seed42.log": log_text(42, bpb=1.05011, settings="slot_enabled: False")},
    ),
]


@pytest.mark.parametrize(("rule", "files"), NEAR, ids=[f"{row[0]}-{index}" for index, row in enumerate(NEAR)])
def test_near_misses_are_no_findings(rule: str, files: Files) -> None:
    """One change away from a violation nothing is reported."""
    assert {effect for effect, _ in said(ask(rule, files))} <= {"pass"}


@pytest.mark.parametrize("rule", ["PG502", "PG503", "PG504", "PG505", "PG507", "PG512"])
def test_budgets_of_the_record_track_bind_only_there(rule: str) -> None:
    """Elsewhere the same numbers are notes or nothing."""
    files = three_seeds(
        stop_ms=7_200_000, eval_ms=900_000, world=1, after_stop="gptq:generated 64 sequences in 900.5s\n"
    )
    files["submission.json"] = manifest(val_bpb=0.9)
    effects = {effect for effect, _ in said(ask(rule, files, track=Track.NON_RECORD))}
    assert effects <= {"note", "pass"}


def test_an_unknown_track_is_held_to_the_record_budgets_unless_it_says_otherwise() -> None:
    """A folder audited by itself has no track of its own; submission.json may name one."""
    files = three_seeds(stop_ms=700_000)
    assert "action" in {effect for effect, _ in said(ask("PG502", files, track=Track.UNKNOWN))}
    files["submission.json"] = manifest(val_bpb=1.05067, track="non-record-16mb")
    assert {effect for effect, _ in said(ask("PG502", files, track=Track.UNKNOWN))} == {"note"}


def test_compressed_code_that_the_log_counts_is_a_note() -> None:
    """Where a log prints code sizes as a pair and counts the compressed one, the shipped size is only noted."""
    files = {
        name: text.replace(
            "Code size: 20000 bytes", "Code size (uncompressed): 150000 bytes\nCode size (compressed): 20000 bytes"
        )
        if isinstance(text, str)
        else text
        for name, text in three_seeds().items()
    }
    files["train_gpt.py"] = "x" * 150_000
    assert [effect for effect, _ in said(ask("PG401", files))] == ["note"]


def test_minutes_are_not_overtime_within_their_rounding() -> None:
    """10.0 minutes with one decimal may be 600 s; 10.1 minutes cannot."""

    def text(minutes: float) -> str:
        lines = [
            f"{n}/20000 train_loss: 3.1 train_time: {minutes * n / 900:.1f}m tok/s: 100" for n in range(100, 1000, 100)
        ]
        return "seed: 1\n" + "\n".join(lines) + "\nfinal val_loss:2.0 val_bpb:1.2\n"

    assert "action" not in {effect for effect, _ in said(ask("PG502", {"a.log": text(10.0)}))}
    assert "action" in {effect for effect, _ in said(ask("PG502", {"a.log": text(10.2)}))}


def test_runs_that_do_not_carry_the_claim_are_not_judged_by_budgets() -> None:
    """A long side run beside the claimed one is a note at most."""
    files: Files = {
        "train_v1.log": log_text(1, bpb=1.2, stop_ms=2_400_000),
        "train_v2.log": log_text(2, bpb=1.1),
        "train_v3.log": log_text(3, bpb=1.3),
        "submission.json": manifest(val_bpb=1.2999999),
    }
    assert "action" not in {effect for effect, _ in said(ask("PG502", files))}


def test_margin_states_both_bars_and_only_notes() -> None:
    """An improvement below the README's bar is a note that also states the later one."""
    ((effect, text),) = said(ask("PG506", three_seeds()))
    assert effect == "pass" and "meets the README's bar" in text
    files = {
        name: text.replace("1.05", "1.06") if name.endswith("log") else text for name, text in three_seeds().items()
    }  # type: ignore[union-attr]
    files["submission.json"] = manifest(val_bpb=1.06067, date="2026-04-28")
    ((effect, text),) = said(ask("PG506", files))
    assert effect == "note" and "later practice asked for p < 0.25" in text


def test_settings_unknown_to_the_code() -> None:
    """An active setting that the code does not name is a note; a block of strangers is another program."""
    files = three_seeds(settings=BLOCK + "\nttt_hash_embed: True\nunused_thing: False")
    known = " ".join([*(f"key_{n}" for n in range(12)), "iterations seed world_size"])
    ((effect, text),) = said(ask("PG511", files, program=_program(known)))
    assert effect == "note" and "ttt_hash_embed=True" in text and "unused_thing" not in text
    assert said(ask("PG511", files, program=_program(known + " ttt_hash_embed")))[0][0] == "pass"
    assert said(ask("PG511", files, program=_program("nothing")))[0][0] == "review"


def test_denial_says_what_the_code_does_with_the_setting() -> None:
    """Both sides are quoted, with whether the shipped code reads the setting."""
    files = {"README.md": "No SLOT.", "a.log": log_text(settings="slot_enabled: True")}
    for code, phrase in (
        ("x", "does not name it"),
        ("slot_enabled = 1", "never reads it"),
        ("slot_enabled = slot_enabled", "reads it"),
    ):
        (found,) = ask("PG514", files, program=_program(code))
        assert isinstance(found, Finding) and phrase in found.message


def test_values_per_seed_are_looked_up_in_the_log_of_the_seed() -> None:
    """A README row or a JSON entry that its seed's log does not hold is a note; one that it holds is confirmed."""
    table = "| Seed | BPB | s |\n|---|---|---|\n| 42 | **1.0501** | 588.0 |\n| 1337 | 1.0444 | 588.0 |\n"
    found = said(ask("PG507", _with(README=table)))
    assert ("note", "README.md:4 states 1.0444 for seed 1337; train_seed1337.log holds none of it") in found
    assert ("pass", "1 per-seed value of submission.json and README is in the logs of their seeds") in found


def test_what_the_text_leaves_out_is_said_with_its_use() -> None:
    """A hash embedding that is on in the log, unmentioned and inert in the code: both sides are reported."""
    files = {"README.md": "A model.", "a.log": log_text(settings="ttt_hash_embed: True")}
    ((effect, text),) = said(ask("PG514", files, program=_program("ttt_hash_embed = 1")))
    assert effect == "note" and "does not mention the hash embedding" in text and "never reads it" in text
    assert said(ask("PG514", {**files, "README.md": "With a hash embedding."})) == []


def test_shipped_models_are_measured_and_tokenizers_stand_apart() -> None:
    """A model file of a printed size is confirmed, one that cannot fit is noted; tokenizers are facts."""
    files = {**three_seeds(), "final.ptz": b"0" * 15_900_042, "other.bin": b"0" * 16_000_000, "t.model": b"0" * 500}
    found = said(ask("PG404", files))
    assert ("pass", "final.ptz has the 15,900,042 bytes that train_seed42.log printed") in found
    assert any(effect == "note" and text.startswith("other.bin has 16,000,000 bytes") for effect, text in found)
    assert evidence(folder(files)).facts["size"]["tokenizers"] == [{"file": "t.model", "bytes": 500}]


def test_helpers_are_counted_and_named() -> None:
    """Code outside the script is part of the size and listed with its bytes."""
    files = {**three_seeds(), "helper.py": "y" * 90_000}
    script = Layer(0, b"x", "x")
    helper = Module("helper", Unpacked("helper.py", (script,)), None)
    program = Program(Module("__main__", Unpacked("train_gpt.py", (script,)), None), (helper,))
    assert "helper.py (90,000)" in said(ask("PG402", files, program=program))[0][1]
    assert any(effect == "action" for effect, _ in said(ask("PG401", files, program=program)))


def test_dumped_source_of_another_program_asks_for_review() -> None:
    """A log whose printed source shares little with the shipped script is not this script's log."""
    dump = "\n".join(f"import module_{n}" for n in range(60)) + "\nif __name__ == '__main__':\n    main()\n"
    files: Files = {"a.log": f"{dump}{'=' * 100}\n" + log_text(), "train_gpt.py": "other = 1\n" * 50}
    effects = {effect for effect, _ in said(ask("PG403", files))}
    assert "review" in effects
    files["train_gpt.py"] = dump
    assert "review" not in {effect for effect, _ in said(ask("PG403", files))}


def test_every_finding_cites_lines_that_exist() -> None:
    """Locations and steps of log findings point at lines of the files that they name."""
    for rule, files, _, _ in VIOLATING:
        for item in ask(rule, files):
            if isinstance(item, Finding):
                spans = [step.span for step in item.path] + ([item.location] if item.location else [])
                for span in spans:
                    text = files[span.file]
                    lines = text.count("\n" if isinstance(text, str) else b"\n") + 1  # type: ignore[arg-type]
                    assert 1 <= span.line <= lines


def test_json_of_facts_is_json() -> None:
    """Facts hold plain values only."""
    assert json.loads(json.dumps(evidence(folder(three_seeds())).facts))["size"]["cap"] == 16_000_000
