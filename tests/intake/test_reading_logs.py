"""Reading logs: encodings, sections, prefixes, runs, other text. Facts or unknown, never a crash."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.intake.decode import decode, printable
from auditor.intake.logs import read_log, read_logs
from auditor.intake.sections import classify
from auditor.limits import LogLimits
from auditor.model.logs import LineKind, LogFile
from tests.measure.folders import folder, log_text

LIMITS = LogLimits()


def _read(text: str | bytes, path: str = "train.log", limits: LogLimits = LIMITS) -> LogFile:
    return read_log(path, text.encode() if isinstance(text, str) else text, limits)


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        (b"seed: 7\n", "ascii"),
        ("séed: 7\n".encode(), "utf-8"),
        (b"\xef\xbb\xbfseed: 7\n", "utf-8-sig"),
        ("\ufeffseed: 7\n".encode("utf-16-le"), "utf-16-le"),
        ("\ufeffseed: 7\n".encode("utf-16-be"), "utf-16-be"),
        ("seed: 7 and more\n".encode("utf-16-le"), "utf-16-le"),
        (b"seed: 7 \xff\xfe\n", "utf-8 (damaged)"),
    ],
)
def test_encodings_are_recognised(data: bytes, encoding: str) -> None:
    """Byte order marks, UTF-16 without one, and damaged UTF-8 are each read and named."""
    assert decode(data)[1] == encoding


def test_line_ends_of_all_kinds_are_one() -> None:
    """CRLF and the lone CR of progress bars end lines as LF does."""
    assert decode(b"a\r\nb\rc\n")[0] == "a\nb\nc\n"


def test_escapes_and_controls_never_reach_a_pattern() -> None:
    """A seed behind colour codes and a workflow command is read as the seed."""
    assert printable("\x1b[31mseed: 7\x1b[0m\x00") == "seed: 7"
    log = _read("\x1b[1mseed: 7\x1b[0m\n::error file=x::seed: 9\n")
    assert [item.value for item in log.facts if item.fact == "seed"] == [7]


def test_a_bar_can_carry_a_step_line() -> None:
    """What stands behind a tqdm bar on the same line is read."""
    log = _read("train:   0%|          | 1/1000 [00:01<?]step:1/1000 train_loss:3.5 train_time:80ms step_avg:80.00ms\n")
    assert [(step.step, step.train_loss) for step in log.steps] == [(1, 3.5)]


@pytest.mark.parametrize(
    "prefix",
    [
        "[rank0]: ",
        "[train] ",
        "[2026-04-01 10:00:00] INFO: ",
        "[10:00:00] ",
        "1776143356.801 ",
        "[default0]:",
        "> ",
        "2026-04-01T10:00:00Z ",
    ],
)
def test_prefixes_of_launchers_are_stripped(prefix: str) -> None:
    """A stop line is found behind every kind of prefix that real logs carry."""
    log = _read(f"{prefix}stopping_early: wallclock_cap train_time:600012ms step:100/200\n")
    stop = log.first("stop_ms")
    assert stop is not None and stop.value == 600012.0


def test_other_ranks_are_not_read_twice() -> None:
    """Lines of rank 1 and above repeat rank 0 and are left out."""
    log = _read("[rank0]: seed: 1\n[rank1]: seed: 2\n")
    assert [item.value for item in log.facts if item.fact == "seed"] == [1]


DUMP = (
    "import os\nimport sys\nfrom math import log\nimport torch\n\ndef first():\n    pass\n\ndef second():\n    pass\n\n"
    "class Third:\n    pass\n\ndef main():\n    print('val_bpb:0.5000')\n\nif __name__ == \"__main__\":\n    main()\n"
)


def test_a_source_dump_is_not_read_as_measurement() -> None:
    """Numbers in a printed copy of the script are no metrics; what follows its main block is log again."""
    text = f"seed: 5\n{'=' * 100}\n{DUMP}{'=' * 100}\nRunning Python 3.12.3\nfinal val_loss:2.0 val_bpb:1.2000\n"
    log = _read(text)
    assert [metric.bpb for metric in log.metrics] == [1.2]
    assert {line.kind for line in log.lines if "val_bpb:0.5" in line.raw} == {LineKind.DUMP}


def test_a_dump_without_closing_rule_ends_after_main() -> None:
    """The line after the indented block of the last main guard belongs to the log."""
    kinds = classify((DUMP + "final val_bpb:1.2000").split("\n"))
    assert kinds[0] is LineKind.DUMP and kinds[-1] is LineKind.LOG


def test_nvidia_smi_gives_the_gpu_and_not_its_load() -> None:
    """The table taken before training names GPUs and the driver's CUDA."""
    table = (
        "| NVIDIA-SMI 550.54  Driver Version: 550.54  CUDA Version: 12.4 |\n"
        "+-----------------+\n|   0  NVIDIA H100 80GB HBM3   On  | 0000:18:00.0 Off |\n"
    )
    log = _read(table)
    assert (log.first("gpu") or pytest.fail()).value == "NVIDIA H100 80GB HBM3"
    assert (log.first("cuda") or pytest.fail()).value == "12.4"


def test_runs_appended_to_one_file_are_told_apart() -> None:
    """A second run begins with its settings; metrics carry the run that they belong to."""
    log = _read(log_text(42, bpb=1.2) + log_text(7, bpb=1.1))
    assert log.runs == 2
    assert [(m.run, m.bpb) for m in log.metrics if not m.diagnostic] == [(0, 1.2), (1, 1.1)]


@pytest.mark.parametrize(
    "line",
    [
        "ttt_chunk [5/100] bpb=1.0800",
        "  [ 10.6%] 50/100 windows running_bpb=1.0800",
        "epoch 3 val_bpb:1.0800",
        "val_bpb:enabled tokenizer_kind=sentencepiece",
        "    val_loss, val_bpb = eval_val(",
        '        log0(f"final val_bpb:1.0800")',
        "improvement delta_bpb:0.0100",
        "est_bpb:1.0800 ETA 30s",
        "roundtrip_delta val_loss:+0.0084 val_bpb:+0.0050",
        "step:500/1000 val_loss:2.1 val_bpb:1.0800 train_time:40000ms",
    ],
)
def test_what_is_no_final_metric(line: str) -> None:
    """Progress, headers, code and validations during training are not final metrics."""
    assert _read(line + "\n").metrics == ()


@pytest.mark.parametrize(
    ("line", "name", "bpb", "eval_ms"),
    [
        ("final_int6_roundtrip_exact val_loss:1.8500 val_bpb:1.0957", "final_int6_roundtrip_exact", 1.0957, None),
        ("ttt_sliding:done val_loss=1.85 val_bpb=1.0957 elapsed=275.6s", "ttt_sliding:done", 1.0957, 275600.0),
        ("q_sw_x vl:1.85 bpb:1.0957 t:91000ms", "q_sw_x", 1.0957, 91000.0),
        ("XSA BPB: 1.0957", "XSA", 1.0957, None),
        ("  XSA BPB (full val set): 1.0957", "XSA BPB", 1.0957, None),
        ("val_bpb:          1.0957", "val_bpb", 1.0957, None),
        ("final mode:fast stride=64 val_loss: 1.85 | val_bpb: 1.0957 | eval_time: 12.5s", "final", 1.0957, 12500.0),
        ("blended_bpb=1.0957", "blended_bpb", 1.0957, None),
    ],
)
def test_spellings_of_final_metrics(line: str, name: str, bpb: float, eval_ms: float | None) -> None:
    """One grammar reads the metric lines of every family."""
    (metric,) = _read(line + "\n").metrics
    assert (metric.bpb, metric.eval_ms) == (bpb, eval_ms)
    assert metric.name.startswith(name.split()[0])


def test_settings_are_read_from_blocks_lines_json_and_environment() -> None:
    """Each way of printing settings ends in the same table, names as printed."""
    log = _read(
        'Hyperparameters:\n  ttt_enabled: True\nnum_layers:11 model_dim:512\n{"lr": 0.01, "nested": {"wd": 0.1}}\n'
        "# env.EVAL_STRIDE=64\nNamespace(batch=8, name='x')\nstep:1/10 train_loss:3.0 train_time:10ms\nlate_key=1\n"
    )
    values = {name: value for name, (value, _) in log.hyperparameters.items()}
    expected = {
        "ttt_enabled": "True",
        "num_layers": "11",
        "model_dim": "512",
        "lr": "0.01",
        "wd": "0.1",
        "EVAL_STRIDE": "64",
        "batch": "8",
    }
    assert values.items() >= expected.items()
    assert "late_key" not in values
    assert log.settings_block == {"ttt_enabled"}


def test_which_files_are_logs() -> None:
    """Content decides, not the name; requirements and notes are none; side experiments are marked."""
    text = log_text()
    submission = folder(
        {
            "a.log": text,
            "b.txt": text.replace("seed: 42", "seed: 43"),
            "c.out": text.replace("seed: 42", "seed: 44"),
            "smoke_1gpu.log": text.replace("seed: 42", "seed: 45"),
            "copy.log": text,
            "requirements.txt": "val_bpb:1.0\n",
            "notes.log": "hello\n",
            "empty.log": "",
        }
    )
    logs = {log.file: log for log in read_logs(submission, LIMITS)}
    assert set(logs) == {"a.log", "b.txt", "c.out", "smoke_1gpu.log", "copy.log", "empty.log"}
    assert not logs["smoke_1gpu.log"].main and logs["b.txt"].main
    assert logs["copy.log"].duplicate_of == "a.log"


LONG_NUMBERS = (b"step:", b"peak mem: ", b"iterations:", b"stop tt:", b"model_params:", b"Total submission size: ")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00" * 5000,
        b"step:" * 400_000,
        b"val_bpb:" + b"9" * 2_000_000,
        b"Total submission size " + b"x" * 2_000_000 + b": 5 bytes",
        b"|" * 100_000 + b"\n" + b"=" * 100_000,
        b"import a\n" * 50_000,
        b"{" * 100_000,
        b'{"a":' * 5_000,
        b"val_bpb:1.0 " * 100_000,
        b"gptq " * 300_000 + b"in ",
        b"\r" * 100_000,
        b"\xff\xfe" + b"\x00\xd8" * 10_000,
        b"".join(
            key + b"9" * 6000 + b"\n"
            for key in (b"step:", b"peak mem: ", b"iterations:", b"stop tt:", b"model_params:")
        ),
        b"seed: 99999999999999999999999999\nworld_size:8888\nstop tt:1e999ms s:1/2",
    ],
    ids=range(15),
)
def test_hostile_files_are_read_in_time(data: bytes) -> None:
    """Long lines, NUL bytes, nesting and endless repetitions end in facts or unknown, in seconds."""
    began = time.process_time()
    _read(data)
    assert time.process_time() - began < 8.0


def test_nan_and_infinity_are_unknown() -> None:
    """A failed run's NaN never becomes a value that a report would have to print as JSON."""
    log = _read("final val_loss:nan val_bpb:nan\nother val_bpb:inf\nstep:5/9 val_loss:nan val_bpb:nan train_time:5ms\n")
    assert [metric.bpb for metric in log.metrics] == [None, None]
    assert [step.val_bpb for step in log.steps] == [None]


def test_caps_are_said() -> None:
    """What was left unread is named in the log's problems."""
    log = _read("a\n" * 50 + "b" * 500, limits=LogLimits(file_bytes=400, line_chars=100, lines=20))
    assert len(log.lines) == 20
    assert len(log.problems) == 2


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.sampled_from([*log_text().split("\n"), "=" * 80, "import os", "{", "}", "Hyperparameters:"]), max_size=80
    )
)
def test_any_order_of_lines_is_read(lines: list[str]) -> None:
    """No shuffling, truncation or repetition of real-looking lines makes the reader fail; line numbers stay true."""
    log = _read("\n".join(lines))
    for fact in log.facts:
        assert log.lines[fact.line - 1].raw == fact.raw


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=2000))
def test_any_bytes_are_read(data: bytes) -> None:
    """Arbitrary bytes never make the reader fail, and no line of them is lost."""
    log = _read(data)
    assert [line.number for line in log.lines] == list(range(1, len(log.lines) + 1))
