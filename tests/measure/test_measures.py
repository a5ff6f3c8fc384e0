"""Headlines, consistency, code changes, implied bytes and statistics on logs written for the purpose."""

from __future__ import annotations

import math

import pytest

from auditor.intake.logs import read_log
from auditor.limits import LogLimits
from auditor.measure.codechange import code_change
from auditor.measure.consistency import inconsistencies
from auditor.measure.headline import half_unit, resolve_headline
from auditor.measure.implied import implied_bytes
from auditor.measure.settings import differing_settings, is_on
from auditor.measure.stats import frontier, margin, mean_and_std, record_before, welch_less
from auditor.measure.timing import untimed_calibration
from auditor.model.evidence import Claim, Headline
from auditor.model.logs import LogFile
from tests.measure.folders import evidence, folder, log_text, manifest, three_seeds


def _log(text: str, name: str = "train.log") -> LogFile:
    return read_log(name, text.encode(), LogLimits())


def _resolve(bpb: float | None, *texts: str) -> Headline:
    logs = tuple(_log(text, f"train_{index}.log") for index, text in enumerate(texts))
    return resolve_headline(Claim(bpb, "submission.json"), logs)


@pytest.mark.parametrize(
    ("claim", "level"),
    [
        (1.07, "mean"),
        (1.06, "best seed"),
        (1.08, "other seed"),
        (1.2, "not found"),
        (1.0601 + 0.0006, "near"),
        (None, "no claim"),
    ],
)
def test_how_a_claim_is_met(claim: float | None, level: str) -> None:
    """Mean, best and other seeds, near misses and misses are told apart."""
    assert _resolve(claim, log_text(1, bpb=1.06), log_text(2, bpb=1.08)).level == level


def test_a_variant_of_one_seed_is_no_best_seed() -> None:
    """Where only one seed has results, what meets the claim is one run beside a control or an evaluation alone."""
    control = log_text(1, bpb=1.08)
    training = control.partition("peak memory")[0]
    assert _resolve(1.06, log_text(1, bpb=1.06), control).level == "one run"
    assert _resolve(1.06, log_text(1, bpb=1.06), training).level == "one run"
    assert _resolve(1.06, log_text(1, bpb=1.06), control, log_text(2, bpb=1.09)).level == "best seed"


def test_a_mean_over_results_of_different_names() -> None:
    """Each log's last result counts where the runs named it differently."""
    headline = _resolve(1.07, log_text(1, bpb=1.06, name="first_ttt"), log_text(2, bpb=1.08, name="second_ttt"))
    assert headline.level == "mean by seed" and len(headline.matches) == 2


def test_the_only_log_is_single() -> None:
    """One log's metric is called single, not mean."""
    assert _resolve(1.06, log_text(1, bpb=1.06)).level == "single"


def test_a_diagnostic_never_wins_over_a_result() -> None:
    """Where a diagnostic and a result carry the same number, the result is the headline."""
    headline = _resolve(1.08395, log_text(1, bpb=1.08395))
    assert headline.metric is not None and headline.metric.name == "quantized_ttt"


def test_the_metric_with_the_most_digits_wins_among_twins_and_both_are_kept() -> None:
    """X and X_exact name one value; all lines that carry it are matches."""
    extra = "quantized_ttt_exact val_loss:2.74 val_bpb:1.060012\nquantized_ttt val_loss:2.74 val_bpb:1.0600\n"
    headline = _resolve(1.06, log_text(1, bpb=1.5, extra=extra))
    assert headline.metric is not None and headline.metric.name == "quantized_ttt_exact"
    assert {metric.name for metric in headline.matches} == {"quantized_ttt_exact", "quantized_ttt"}


def test_two_families_that_meet_the_claim_are_both_named() -> None:
    """The stronger adaptation is the headline, the other an alternative."""
    headline = _resolve(1.06, log_text(1, bpb=1.06, extra="quantized_sliding_window val_loss:2.7 val_bpb:1.06002\n"))
    assert headline.metric is not None and headline.metric.name == "quantized_ttt"
    assert headline.alternatives in ((), ("quantized_sliding_window",))
    names = {metric.name for metric in headline.matches} | set(headline.alternatives)
    assert "quantized_sliding_window" in names


def test_a_validation_during_training_is_not_a_result() -> None:
    """A claim that only a step line meets is called that."""
    text = log_text(1, bpb=1.06).replace("stopping_early", "4500/20000 val_loss: 2.9 val_bpb: 1.1234\nstopping_early")
    assert _resolve(1.1234, text).level == "training line"


def test_coarse_claims_have_coarse_tolerance() -> None:
    """Two decimals are met by what rounds to them."""
    assert half_unit(1.07) == pytest.approx(0.005, rel=1e-3)
    assert _resolve(1.07, log_text(1, bpb=1.0712)).level == "single"


def test_facts_have_the_shape_of_the_contract() -> None:
    """Size, timing and bpb carry one row per seed, and implied bytes are those of the full set."""
    facts = evidence(folder(three_seeds())).facts
    assert facts["size"]["total_bytes"] == 15_900_000 + 2025 + 20_000
    assert [row["seed"] for row in facts["timing"]["per_seed"]] == [1337, 2025, 42]
    assert facts["timing"]["per_seed"][0]["train_s"] == 588.011
    assert facts["bpb"]["per_seed"][0]["tokenizer"] == "SP8192"
    assert facts["bpb"]["implied_bytes"] == pytest.approx(151_078_222, rel=1e-3)


def test_unknown_is_null_and_never_zero() -> None:
    """A folder without logs has empty rows and nulls."""
    facts = evidence(folder({"submission.json": manifest(val_bpb=1.05)})).facts
    assert facts["size"]["model_bytes"] is None and facts["bpb"]["implied_bytes"] is None
    assert facts["timing"]["per_seed"] == []


def _kinds(*texts: str) -> set[tuple[str, bool]]:
    logs = [_log(text, f"train_{index}.log") for index, text in enumerate(texts)]
    headline = resolve_headline(Claim(None, ""), logs)
    return {(item.kind, item.strong) for item in inconsistencies(logs, headline)}


def test_consistent_logs_are_quiet() -> None:
    """Three consistent runs give no inconsistency."""
    texts = [
        log_text(seed, bpb=1.05 + seed / 1000, model=15_900_000 + seed, stop_ms=588_000 + seed) for seed in (1, 2, 3)
    ]
    assert _kinds(*texts) == set()


def test_a_rounded_metric_and_its_exact_twin() -> None:
    """X rounds X_exact; where it does not, that is noted, unless one name stands for two evaluations."""
    twin = "quantized_ttt_exact val_loss:2.74000000 val_bpb:1.05004000\n"
    assert _kinds(log_text(1, bpb=1.05, extra=twin)) == set()
    other = twin.replace("1.05004", "1.05104")
    assert _kinds(log_text(1, bpb=1.05, extra=other)) == {("exact twin", False)}
    assert _kinds(log_text(1, bpb=1.05, extra=other + twin)) == set()


def test_runs_over_another_number_of_validation_tokens() -> None:
    """One claim is of one set; a cut last window is no other set."""
    logs = [_log(log_text(seed, bpb=1.05 + seed / 1000), f"{seed}.log") for seed in (1, 2)]
    cases: tuple[tuple[str, set[str]], ...] = (("40546304", set()), ("9662464", {"validation tokens"}))
    for tokens, expected in cases:
        text = log_text(3, bpb=1.053).replace("40540160", tokens)
        runs = [*logs, _log(text, "3.log")]
        found = inconsistencies(runs, resolve_headline(Claim(1.052, ""), runs))
        assert {item.kind for item in found} - {"equal size", "equal stop"} == expected


def test_work_after_the_stop_is_listed_apart() -> None:
    """Calibration, quantisation and the reserve each stand for themselves; totals that differ say why."""
    after = (
        "gptq:reserving 12s, effective=588000ms\nGPTQ:collected 60 Hessians in 11.4s\n"
        "Serialize: compression done in 101.2s\n"
    )
    facts = evidence(folder({**three_seeds(after_stop=after, code=20_400)})).facts
    row = facts["timing"]["per_seed"][0]
    assert (row["reserved_s"], row["gptq_s"]) == (12.0, 11.4)
    assert [(item["kind"], item["s"]) for item in row["after_stop"]] == [("calibration", 11.4), ("quantisation", 101.2)]
    assert facts["size"]["per_seed"][0]["totals_differ"] == "the log counts 20,400 bytes of code, 20,000 are shipped"
    assert facts["bpb"]["mean"] == pytest.approx(1.0506667, abs=1e-6) and facts["bpb"]["std"] > 0


def _step_lines(average: float, wrong: int) -> str:
    lines = [f"step:{n}/900 train_loss:3.1 train_time:{n * 80}ms step_avg:80.00ms" for n in range(100, 900, 50)]
    for index in range(wrong):
        lines[index] = lines[index].replace("80.00ms", f"{average:.2f}ms")
    return "seed:1\n" + "\n".join(lines) + "\nfinal val_loss:2.0 val_bpb:1.2\n"


def test_some_wrong_step_averages_are_strong_and_all_are_a_changed_timer() -> None:
    """Where every line is off alike, a timer explains it; where some are, nothing simple does."""
    assert _kinds(_step_lines(80.0, 0)) == set()
    assert _kinds(_step_lines(60.0, 5)) == {("step average", True)}
    assert _kinds(_step_lines(60.0, 16)) == {("step average", False)}


def test_an_unknown_seed_is_not_another_seed() -> None:
    """Two files that print one value are two seeds only where both name one."""
    equal = {"equal value", "equal size"}
    texts = [log_text(seed, bpb=1.05012345) for seed in (1, 2)]
    for second, expected in ((texts[1], equal), (texts[1].replace("  seed: 2\n", ""), set())):
        logs = [_log(texts[0], "run.log"), _log(second, "summary.txt")]
        found = inconsistencies(logs, resolve_headline(Claim(1.05012345, ""), logs))
        assert {item.kind for item in found} & equal == expected


def test_throughput_is_held_against_the_batch_of_its_own_run() -> None:
    """A trial with another batch size before the run in one file is no contradiction; a wrong rate is one."""

    def run(batch: int, rate: int) -> str:
        lines = [
            f"{n}/900 train_loss: 3.1 train_time: {n * batch / 6e6 / 60:.1f}m tok/s: {rate}"
            for n in range(100, 900, 50)
        ]
        return (
            f"Hyperparameters:\n  train_batch_tokens: {batch}\n  seed: 1\n0/900 val_loss: 9.0 val_bpb: 3.4\n"
            + "\n".join(lines)
            + "\nstopping_early: wallclock_cap train_time: 600000ms step: 900/900\nfinal val_loss:2.0 val_bpb:1.2\n"
        )

    assert ("throughput", True) not in _kinds(run(262144, 6_000_000) + run(786432, 6_000_000))
    assert "throughput" in {kind for kind, _ in _kinds(run(786432, 2_000_000))}


def test_time_that_runs_backwards() -> None:
    """A smaller time at a later step of one run is reported."""
    lines = ["seed:1"] + [
        f"step:{n}/900 train_loss:3.1 train_time:{t}ms" for n, t in ((100, 9000), (200, 7000), (300, 8000))
    ]
    assert ("time", True) in _kinds("\n".join(lines))


def test_a_total_that_is_not_the_sum() -> None:
    """Total, model and code are compared where all three are printed."""
    text = log_text(1).replace(
        "Total submission size quantized+brotli: 15920000", "Total submission size quantized+brotli: 15920500"
    )
    assert _kinds(text) == {("total", False)}


def test_ratios_between_seeds() -> None:
    """val_bpb / val_loss is one constant: a relative difference of 1e-3 is strong, of 1e-6 a note."""
    one = log_text(1, bpb=1.05123457, model=15_900_001, stop_ms=588_001)
    assert ("bpb ratio", True) in _kinds(one, log_text(2, bpb=1.06123457, loss_per_bpb=2.5857, model=15_900_002))
    assert ("bpb ratio", False) in _kinds(one, log_text(2, bpb=1.06123457, loss_per_bpb=2.583103, model=15_900_002))


def test_equal_numbers_under_two_seeds() -> None:
    """The same eight digits, the same bytes and the same losses for two seeds are each reported."""
    first = log_text(1, bpb=1.05123457)
    logs = [_log(text, f"seed{text[-1]}.log") for text in (first, first.replace("seed: 1\n", "seed: 2\n") + "2")]
    found = inconsistencies(logs, resolve_headline(Claim(1.05123457, "submission.json"), logs))
    assert {item.kind for item in found} == {"equal value", "equal size", "equal losses"}


def test_a_claim_before_the_last_model() -> None:
    """A metric that stands before the final artifact was written is noted, not judged."""
    later = "Serialized model int6+lzma: 15800000 bytes\n"
    logs = (_log(log_text(1, bpb=1.05, extra=later)),)
    headline = resolve_headline(Claim(1.05, "submission.json"), logs)
    assert "order" in {item.kind for item in inconsistencies(logs, headline)}


def test_a_claim_of_an_earlier_trial_is_in_order() -> None:
    """A later trial in the same file that prints the name again is no reversal; a validation during training is."""
    trial = "Serialized model int6+lzma: 15800000 bytes\nquantized_ttt val_loss:2.8 val_bpb:1.0900\n"
    logs = (_log(log_text(1, bpb=1.05, extra=trial)),)
    assert resolve_headline(Claim(1.05, "submission.json"), logs).level == "any value"
    assert "order" not in _kinds_of(logs, 1.05)
    text = log_text(1, bpb=1.06).replace("stopping_early", "4500/20000 val_loss: 2.9 val_bpb: 1.1234\nstopping_early")
    text += "Serialized model int6+lzma: 15800000 bytes\n"
    assert "order" in _kinds_of((_log(text),), 1.1234)


def test_a_calibrated_step_time_is_no_untimed_calibration() -> None:
    """What stands before any training that can be read is not after its stop."""
    said = "gptq:calibrating with 256 batches...\n"
    assert untimed_calibration(_log("Calibrating step time (10 synthetic steps)\nseed: 1\n")) is None
    assert untimed_calibration(_log(log_text(1, after_stop=said))) is not None


def _kinds_of(logs: tuple[LogFile, ...], bpb: float) -> set[str]:
    return {item.kind for item in inconsistencies(logs, resolve_headline(Claim(bpb, "submission.json"), logs))}


SOURCE = (
    "import os\n"
    'seed = int(os.environ.get("SEED", 1))\n'
    'steps = int(os.environ.get("STEPS", 5))\ndef f(x):\n    """Add."""\n    return x + 1\nprint("a")\n'
)


@pytest.mark.parametrize(
    ("old", "new", "kind"),
    [
        ("", "", "same"),
        ('"SEED", 1', '"SEED", 2', "seed default"),
        ('"STEPS", 5', '"STEPS", 9', "environment defaults"),
        ('"""Add."""', '"""Add one."""', "comments"),
        ("import os\n", "import os\n# note\n", "comments"),
        ('print("a")', 'print("b")', "messages"),
        ("x + 1", "x + 2", "lines"),
    ],
)
def test_classes_of_code_changes(old: str, new: str, kind: str) -> None:
    """Each kind of difference between a dump and the shipped script has its class."""
    dump = list(enumerate(SOURCE.split("\n"), start=10))
    change = code_change(dump, SOURCE.replace(old, new) if old else SOURCE)
    assert change.kind == kind
    assert change.routine == (kind != "lines")


def test_another_program_is_called_that() -> None:
    """Less than three tenths of common lines are no common program."""
    dump = [(n, f"line_{n} = {n}") for n in range(50)]
    assert code_change(dump, "\n".join(f"other_{n} = {n}" for n in range(50))).kind == "another program"


def test_settings_that_differ_leave_seeds_and_paths_out() -> None:
    """Only what configures the run is compared."""
    rows = "\n".join(f"key_{n}: {n}" for n in range(12))
    one = _log(log_text(1, settings=f"{rows}\ntrain_lr: 0.1\nrun_id: a\ndata_path: x"), "a.log")
    two = _log(log_text(2, settings=f"{rows}\ntrain_lr: 0.2\nrun_id: b\ndata_path: y"), "b.log")
    assert [item.name for item in differing_settings([one, two])] == ["train_lr"]


@pytest.mark.parametrize(
    ("value", "on"), [("True", True), ("0", False), ("0.0", False), ("None", False), ("3", True), ("x", True)]
)
def test_values_that_switch_on(value: str, on: bool) -> None:
    """False, zero and nothing are off."""
    assert is_on(value) is on


def test_implied_bytes_by_hand() -> None:
    """One nat per token and one bit per byte give 1 / ln 2 bytes a token."""
    assert implied_bytes(1.0, 1.0, 1000) == pytest.approx(1000 / math.log(2))
    assert implied_bytes(None, 1.0, 1000) is None


def test_welch_against_a_known_value() -> None:
    """The p-value is that of scipy.stats.ttest_ind(equal_var=False, alternative="less"); too few values give none."""
    first, second = [1.07718, 1.0781, 1.07826], [1.07928348, 1.08024795, 1.07996676]
    assert welch_less(first, second) == pytest.approx(0.005757315602969575, rel=1e-6)
    assert welch_less(second, first) == pytest.approx(1 - 0.005757315602969575, rel=1e-6)
    assert welch_less([1.0], second) is None
    assert welch_less([1.0, 1.0], [1.0, 1.0]) is None


def test_the_frontier_is_dated_sourced_and_consistent() -> None:
    """Every record has a source, and its score is the mean of its per-seed values where it has them."""
    records = frontier()
    assert len(records) > 40
    for record in records:
        assert record.source and record.date.startswith("2026-")
        if record.bpb:
            assert sum(record.bpb) / len(record.bpb) == pytest.approx(record.score, abs=2e-4)


def test_the_record_before_is_the_best_of_earlier_days() -> None:
    """Records of the same day do not count as before."""
    records = frontier()
    before = record_before("2026-04-09", records)
    assert before is not None and before.date < "2026-04-09"
    assert before.score == min(record.score for record in records if record.date < "2026-04-09")
    assert record_before("2020-01-01", records) is None


def test_margin_in_nats_uses_the_submissions_own_tokens() -> None:
    """An improvement in bpb becomes nats by the submission's val_loss / val_bpb."""
    record = record_before("2026-04-09", frontier())
    assert record is not None
    found = margin([record.score - 0.01, record.score - 0.011], 2.5, record)
    assert found is not None and found.nats == pytest.approx(found.bpb * 2.5)
    assert mean_and_std([]) == (None, None)
