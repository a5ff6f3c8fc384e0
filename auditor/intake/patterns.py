"""The ordered table of line patterns: which fact a log line states, in which unit.

Not one parser per trainer family: families mix freely, so every pattern is tried on every line that holds one of its
needles. Patterns are anchored or bounded, so that no line can make them backtrack. Metric lines have their own module.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

FLOAT = r"[-+]?(?:\d{1,15}(?:\.\d{0,20})?(?:[eE][-+]?\d{1,3})?|nan|inf)"
_N = r"\d[\d,]{0,20}"
_INT = r"(?P<x>\d{1,12})"
_REAL = r"(?P<x>\d{1,12}(?:\.\d{1,9})?)"
_STEP = r"\d{1,12}"

Value = float | int | str
Read = Callable[[re.Match[str]], tuple[Value, str] | None]


@dataclass(frozen=True, slots=True)
class Pattern:
    """One row: `needles` are lower-case substrings of which one must occur before `regex` is searched."""

    fact: str
    needles: tuple[str, ...]
    regex: re.Pattern[str]
    read: Read
    skip: tuple[str, ...] = ()
    """Lower-case substrings that rule the line out."""


def facts_in(text: str, lower: str) -> Iterator[tuple[str, Value, str]]:
    """Yield (fact, value, unit or label) for every pattern that reads this line."""
    if _SOME_NEEDLE.search(lower) is None:
        return
    for row in TABLE:
        if any(needle in lower for needle in row.needles) and not any(word in lower for word in row.skip):
            match = row.regex.search(text)
            value = row.read(match) if match else None
            if value is not None:
                yield row.fact, *value


def _milliseconds(match: re.Match[str]) -> tuple[float, str]:
    unit = (match.groupdict().get("unit") or "ms").lower()
    scale = {"ms": 1.0, "s": 1000.0, "m": 60_000.0}[unit[:2] if unit.startswith("ms") else unit[:1]]
    return float(match["x"].replace(",", "")) * scale, "ms"


def _integer(match: re.Match[str]) -> tuple[int, str]:
    return int(match["x"].replace(",", "")), ""


def _seconds(match: re.Match[str]) -> tuple[float, str]:
    return float(match["x"]), "s"


def _text(match: re.Match[str]) -> tuple[str, str]:
    return match["x"].strip().rstrip(".,;)"), ""


def _labelled(match: re.Match[str]) -> tuple[int, str]:
    label = (match.groupdict().get("label") or "").strip().strip("()").lower()
    return int(match["x"].replace(",", "")), label


def _small(limit: int) -> Read:
    def read(match: re.Match[str]) -> tuple[int, str] | None:
        value = int(match["x"])
        return (value, "") if value <= limit else None

    return read


def _row(fact: str, needles: str, regex: str, read: Read, skip: str = "") -> Pattern:
    return Pattern(fact, tuple(needles.split("|")), re.compile(regex), read, tuple(skip.split("|")) if skip else ())


_TIME = r"(?P<x>\d[\d,]{0,15}(?:\.\d{1,9})?)\s?(?P<unit>ms|s|m)\b"

TABLE: tuple[Pattern, ...] = (
    _row(
        "stop_ms",
        "stop",
        r"^(?:train_loop_cap: )?(?:stopping[_ ]early|early_stop)\b[^\n]{0,80}?time[^:\n]{0,20}:\s?" + _TIME,
        _milliseconds,
    ),
    _row("stop_ms", "stop tt:", r"^stop tt:" + _TIME, _milliseconds),
    _row(
        "stop_step",
        "stop",
        r"^(?:train_loop_cap: )?(?:stop|early_stop)[^\n]{0,120}?\bs(?:tep)?:\s?" + _INT,
        _integer,
    ),
    _row("stop_step", "stopping early at step", r"^Stopping early at step " + _INT, _integer),
    _row("budget_s", "wallclock limit reached", r"^Wallclock limit reached \(" + _REAL + r"s\)", _seconds),
    _row(
        "reserve_ms",
        "reserv",
        r"(?i)gptq:? ?reserv\w{1,6} " + _REAL + r"\s?(?P<unit>ms|s)\b",
        _milliseconds,
    ),
    _row(
        "cap_s",
        "max_wallclock_seconds",
        r"(?i)max_wallclock_seconds\"?\s?[:=]\s?" + _REAL,
        _seconds,
    ),
    _row("cap_s", "wall:", r"\bwall:" + _REAL + r"s\b", _seconds),
    _row("cap_s", "wallclock budget", r"Wallclock budget: " + _REAL + r"s", _seconds),
    _row("cap_s", "time_budget:", r"time_budget:" + _REAL + r"s", _seconds),
    _row(
        "eval_total_ms",
        "total_eval_time|total eval|inner_ttt_eval_time|ttt eval time|eval:total|total_eval",
        r"^\s*(?:total_eval_time(?:_with_compile)?|total[ _]eval[ _](?:wallclock|time)|inner_ttt_eval_time"
        r"|TTT eval time|eval:total)[:=\s]+" + _REAL + r"\s*(?P<unit>ms|s)\b",
        _milliseconds,
    ),
    _row(
        "outside_timer_ms",
        "outside",
        r"(?i)outside_timer_done elapsed=" + _REAL + r"(?P<unit>s)",
        _milliseconds,
    ),
    _row(
        "outside_timer_note",
        "outside",
        r"(?i)(?P<x>outside (?:the )?eval(?:uation)? timer|outside_(?:eval_)?timer)",
        _text,
    ),
    _row(
        "model_bytes",
        "serialized model",
        r"^\s*Serialized model ?(?P<label>[^:]{0,120}?):\s*(?P<x>" + _N + r") bytes",
        _labelled,
        "selective_prune|pre_prune",
    ),
    _row(
        "code_bytes",
        "code size",
        r"^\s*Code size ?(?P<label>\([^)]{0,40}\))?:\s*(?P<x>" + _N + r") bytes",
        _labelled,
    ),
    _row(
        "code_bytes",
        "code:|code_bytes",
        r"(?<!\w)(?:[Cc]ode|code_bytes)\"?:\s?(?P<x>" + _N + r")(?: bytes\b|B\b|\b(?!\s?[KkM]i?B|\.\d))",
        _labelled,
        "total submission|exit code",
    ),
    _row(
        "model_bytes",
        "model_bytes=",
        r"^model_bytes=" + _INT + r"\s*$",
        lambda match: (int(match["x"]), "model_bytes"),
    ),
    _row("code_bytes", "code_bytes=", r"^code_bytes=" + _INT + r"\s*$", _integer),
    _row(
        "total_bytes",
        "total_bytes=",
        r"^total_bytes=(?P<x>\d{1,8})\s*$",
        lambda match: (int(match["x"]), "total_bytes"),
    ),
    _row("model_bytes", "bytes, total", r"^(?P<label>[\w+-]{3,40}): (?P<x>" + _N + r") bytes, total", _labelled),
    _row(
        "total_bytes",
        "bytes, total",
        r"^(?P<label>[\w+-]{3,40}): " + _N + r" bytes, total: (?P<x>" + _N + r") bytes",
        _labelled,
    ),
    _row(
        "total_bytes",
        "submission",
        r"^\s*(?:Total (?:\w+ )?submission|Submission)(?: size)? ?(?P<label>[^:]{0,60}?):\s*(?P<x>" + _N + r")\s*bytes",
        _labelled,
        "selective_prune|pre_prune",
    ),
    _row(
        "total_bytes",
        "total mixed submission",
        r"^\s*Total mixed submission:\s*(?P<x>" + _N + r")",
        lambda match: (int(match["x"].replace(",", "")), "mixed"),
    ),
    _row(
        "artifact_bytes",
        "artifact|total_submission_|budget:|submission_cap|total bytes|total:",
        r"(?:^\s*[Aa]rtifact(?: size)?: (?P<a>" + _N + r")(?: bytes|B\b)"
        r"|\b(?:total_(?:submission_size|submission_bytes|artifact_bytes)|artifact_bytes)\w{0,20}\"?[:=]\s?(?P<b>\d{1,12})\b"
        r"|\bbudget:(?P<c>\d{1,12})/16000000"
        r"|submission_cap:16000000 size:(?P<d>\d{1,12})"
        r"|= total (?P<e>" + _N + r") bytes"
        r"|^\s*(?:artifact|size)[^\n]{0,60}\btotal:\s?(?P<f>" + _N + r")\b)",
        lambda match: (int(next(group for group in match.groups() if group).replace(",", "")), "artifact"),
        "selective_prune|pre_prune|val",
    ),
    _row(
        "calibration_ms",
        "hessian|calib|generated",
        r"(?i)(?:gptq|hessian|calib)[^\n]{0,200}?(?:\bin |elapsed[:=]\s?|time[:=]\s?|gen_time[:=]\s?)"
        + _REAL
        + r"\s?(?P<unit>ms|s)\b",
        _milliseconds,
        "val_bpb|eval_time|reserv|budget|total|compress|serializ|effective|quantized in|saved in|remaining",
    ),
    _row(
        "quantize_ms",
        "quantiz|serializ|compress|saved in",
        r"(?i)(?:quantiz|serializ|compress|saved)[^\n]{0,200}?(?:\bin |elapsed[:=]\s?|time[:=]\s?)"
        + _REAL
        + r"\s?(?P<unit>ms|s)\b",
        _milliseconds,
        "val_bpb|eval_time|hessian|calibrat|generated",
    ),
    _row(
        "prequant_ttt_ms",
        "prequant_ttt|pre-quant ttt|prequant ttt",
        r"(?i)pre-?quant[_ ]ttt[^\n]{0,200}?(?:\bin |elapsed[:=]\s?|time[:=]\s?)" + _REAL + r"\s?(?P<unit>ms|s)\b",
        _milliseconds,
        "epoch|chunk",
    ),
    _row(
        "calibration_untimed",
        "gptq|hessian|calib",
        r"(?i)(?P<x>(?:collect\w{0,4} hessians?|calibrat(?:ed|ing|ion data)|generat(?:ed|ing) \S{0,12} ?sequences)"
        r"[^\n]{0,80})",
        _text,
        " in |elapsed|time=|time:|reserv",
    ),
    _row(
        "world_size",
        "world_size|ws:|ws=|nproc",
        r"(?i)\b(?:world_size|ws|nproc(?:_per_node)?)\"?[:= ]\s?(?P<x>\d{1,3})\b",
        _small(64),
    ),
    _row("seed", "seed:", r"^\s*seed:\s?(?P<x>\d{1,9})\b", _integer),
    _row("seed_inline", "seed", r"(?<!\w)seed[:=]\s?(?P<x>\d{1,6})\b", _integer, "spinquant|adapter|val_bpb"),
    _row("seed_inline", '"seed"', r"\"seed\":\s*(?P<x>\d{1,9})", _integer),
    _row("python", "python", r"^Running Python (?P<x>\d+\.\d+\.\d+)", _text),
    _row("python", "python", r"(?<!File \")\b[Pp]ython(?:_version)?:?[ =]v?(?P<x>\d+\.\d+\.\d+)", _text, 'file "'),
    _row("python", "py:", r"\bpy:(?P<x>\d+\.\d+\.\d+)", _text),
    _row("torch", "pytorch", r"(?:Running PyTorch |\bPyTorch[: =]{1,3})(?P<x>\d+\.\d+\S{0,30})", _text),
    _row("torch", "pt:", r"\bpt:(?P<x>\d\S{0,30})", _text),
    _row("torch", "torch", r"\btorch(?:_version)?[:= ]{1,3}(?P<x>\d+\.\d+\.\d+\S{0,30})", _text),
    _row("gpu", "gpu", r"\bgpu(?:_name)?s?[:=]\s?(?P<x>(?:\d+ ?x )?NVIDIA [^,|\n]{2,40})", _text),
    _row("peak_mib", "peak", r"(?i)peak[ _]?mem(?:ory)?(?: allocated)?[ :=]+\s?" + _INT + r"\s*MiB", _integer),
    _row("model_params", "model_params", r"^model_params:\s?" + _INT, _integer),
    _row(
        "val_tokens",
        "val",
        r"\b(?:val(?:idation)?_tokens|tokens)[:=]\s?(?P<x>" + _N + r")\b",
        _integer,
        "train_batch|batch_tokens|chunk",
    ),
    _row("train_shards", "train_shards", r"\btrain_shards[:=]\s?" + _INT, _integer),
    _row("train_batch_tokens", "train_batch_tokens", r"\btrain_batch_tokens[:=]\s?" + _INT, _integer),
    _row("iterations", "iterations", r"\biterations[:=]\s?" + _INT, _integer),
    _row(
        "failure",
        "traceback|outofmemory|out of memory|childfailederror|sig",
        r"(?P<x>Traceback \(most recent|OutOfMemory|out of memory|ChildFailedError|SIG(?:TERM|KILL|SEGV))",
        _text,
    ),
)

_SOME_NEEDLE = re.compile("|".join(sorted({re.escape(needle) for row in TABLE for needle in row.needles})))

SMI_BANNER = re.compile(r"NVIDIA-SMI\s+(\S+)\s+Driver Version:\s+(\S+)\s+CUDA Version:\s+(\S+)")
SMI_GPU = re.compile(r"^\|\s+\d+\s+(NVIDIA [^|]{2,40}?)\s+(?:On|Off|N/A)\b")
SITE_PACKAGES = re.compile(r"/python(3\.\d{1,2})/(?:site|dist)-packages/")

STEP_LINE = re.compile(
    rf"(?:step|s|iter)[ :=]+(?P<step>{_STEP})(?:/(?P<of>{_STEP}))?\b"
    rf"|(?P<bstep>{_STEP})/(?P<bof>{_STEP})\s{{1,8}}(?=train_loss|val_loss)"
)
"""Head of a training progress line, at the start of the text."""
STEP_HEADS = frozenset("sSiI0123456789")
_TRAIN_LOSS = re.compile(r"\b(?:train_loss|tl|loss)\s?[:=]?\s?(?P<x>" + FLOAT + r")\b")
_VAL_LOSS = re.compile(r"\b(?:val_loss|vl)\s?[:=]\s?(?P<x>" + FLOAT + r")\b")
_VAL_BPB = re.compile(r"val_?bpb\D{1,3}(?P<x>" + FLOAT + r")")
_TIME_MS = re.compile(r"\b(?:train_time|tt|t|time|elapsed)[:=]\s?" + _REAL + r"\s?(?P<unit>ms|s|m)\b")
_STEP_AVG = re.compile(r"\b(?:step_avg|sa|avg)[:=]\s?" + _REAL + r"ms")
_TOK_S = re.compile(r"\btok/s[:=]\s?(?P<x>[\d,]{1,20})")


def number(regex: re.Pattern[str], text: str) -> float | None:
    """Return the number that `regex` finds, None where it finds none."""
    match = regex.search(text)
    digits = match["x"].replace(",", "") if match else ""
    return float(digits) if digits else None


@dataclass(frozen=True, slots=True)
class StepFields:
    """The numbers of one training progress line."""

    step: int
    iterations: int | None
    train_loss: float | None
    val_loss: float | None
    val_bpb: float | None
    time_ms: float | None
    precision_ms: float
    step_avg_ms: float | None
    tok_s: float | None
    family: str


def step_fields(text: str) -> StepFields | None:
    """Read a training or training-time validation line, None where `text` is neither."""
    if text[:1] not in STEP_HEADS:
        return None
    head = STEP_LINE.match(text)
    if head is None:
        return None
    rest = text[head.end() :][:1000]
    val_loss, val_bpb = number(_VAL_LOSS, rest), number(_VAL_BPB, rest)
    train_loss = None if val_loss is not None else number(_TRAIN_LOSS, rest)
    if train_loss is None and val_loss is None and val_bpb is None:
        return None
    time = _TIME_MS.search(rest)
    time_ms, precision = (None, 0.0) if time is None else (_milliseconds(time)[0], _half_unit(time))
    step_avg, tok_s = number(_STEP_AVG, rest), number(_TOK_S, rest)
    step = int(head["step"] or head["bstep"])
    total = head["of"] or head["bof"]
    return StepFields(
        step,
        int(total) if total else None,
        train_loss,
        val_loss,
        val_bpb,
        time_ms,
        precision,
        step_avg,
        tok_s,
        _family(head, rest),
    )


def _half_unit(time: re.Match[str]) -> float:
    decimals = len(time["x"].partition(".")[2])
    scale = {"ms": 1.0, "s": 1000.0, "m": 60_000.0}[time["unit"]]
    return float(0.5 * 10**-decimals * scale)


def _family(head: re.Match[str], rest: str) -> str:
    if head["bstep"]:
        return "B"
    start = head.group(0)
    if start.startswith("s:"):
        return "C"
    if start.startswith("step:") and ("train_loss:" in rest or "val_loss:" in rest):
        return "A"
    if start.startswith("step:"):
        return "D"
    return "E" if " | " in rest else "other"
