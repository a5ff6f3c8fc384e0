"""An audit report made by hand: every part that a renderer may meet, with text that tries to break out of it."""

from __future__ import annotations

from auditor.model.evidence import Claim, Evidence, Headline, SeedRow
from auditor.model.finding import Citation, Effect, Finding, Pass, PathStep, Ruling
from auditor.model.logs import LogFile, StepLine
from auditor.model.report import (
    AuditReport,
    HeadlineReport,
    JudgedFinding,
    LegalityReport,
    SourceText,
    SubmissionReport,
    Waiver,
)
from auditor.model.source import Span
from auditor.model.submission import RootProblem
from auditor.model.verdict import LegalityVerdict, Verdict

HOSTILE = (
    "</script><img src=x onerror=alert(1)>[bold red]x[/]\x1b[31m\x1b]0;t\x07\n::error file=a::b\r##[error]c "
    "\u202ereversed\u2066 \u200bhidden \ud800 %0A @someone #1 ]]> | `a` \U000e0041"
)
"""HTML, Rich markup, terminal escapes, workflow commands, bidi, zero width, a lone surrogate, Markdown, tags."""

PAYLOAD = "\n".join(
    ["import torch", "def adapt(model, tokens):", *(f"    x{n} = {n}" for n in range(40)), "    loss.backward()"]
    + [f"    y{n} = {n}" for n in range(40)]
    + ["def eval_val(model, tokens):", "    total += nll(model, tokens)", f"    # {HOSTILE}".replace("\n", " "), ""]
)
SHIM = "import lzma,base64\nexec(lzma.decompress(base64.b85decode('" + "A" * 5000 + "')))\n"
FILE = "train_gpt.py"


def finding(rule: str = "PG101", **changes: object) -> Finding:
    """Return a violation with an evidence path of two steps in the payload."""
    values: dict[str, object] = {
        "rule": rule,
        "slug": "learn-before-score",
        "ruling": Ruling.VIOLATION,
        "effect": Effect.FLAG,
        "message": f"weights learn from validation tokens before they are scored {HOSTILE}",
        "location": Span(FILE, 1, 43, 5),
        "path": (
            PathStep("BACKWARD", Span(FILE, 1, 43, 5), "adapt", "gradients of validation tokens"),
            PathStep("SCORE", Span(FILE, 1, 85, 5), "eval_val", f"the same tokens are scored {HOSTILE}"),
        ),
        "classes": ("prequant-val-ttt",),
        "citations": (Citation("issue 677", "2026-03-27", "settled", "score before update"),),
    }
    return Finding(**{**values, **changes})  # type: ignore[arg-type]


def submission(**changes: object) -> SubmissionReport:
    """Return a flagged submission with a shim, two findings, a pass and two runs."""
    unproven = finding(
        "PG901", slug="unmodelled", ruling=Ruling.UNPROVEN, effect=Effect.REVIEW, location=Span(FILE, 0, 2), path=(),
        message="a call was not modelled", classes=(),
    )  # fmt: skip
    steps = tuple(StepLine(n * 100, 2000, n, "", train_loss=4.0 - n / 10) for n in range(1, 20))
    log = LogFile("train_seed42.log", "A", "utf-8", (), 1, (), (), {}, steps=steps)
    seeds = (
        SeedRow("train_seed42.log", 42, steps=4381, train_s=588.1, gptq_s=13.2, eval_s=386.7, bpb=1.0772,
                code_bytes=17186, model_bytes=15_973_596, total_bytes=15_990_782, python="3.12.3", gpu="H100",
                world_size=8),
        SeedRow(f"train_{HOSTILE}.log", 314, model_bytes=15_990_000, total_bytes=16_007_186),
    )  # fmt: skip
    values: dict[str, object] = {
        "path": "records/track_10min_16mb/2026-01-01_Sample",
        "name": "2026-01-01_Sample",
        "track": "record",
        "script": FILE,
        "script_reason": "the only script",
        "copy_of": None,
        "content_sha256": "0" * 64,
        "verdict": Verdict.COMPLIANCE_FLAG,
        "recommendation": Verdict.COMPLIANCE_FLAG.recommendation,
        "legality": LegalityReport(
            LegalityVerdict.ILLEGAL, ("prequant-val-ttt",), ("slot-scored-region",),
            HeadlineReport(1.07785, "eval_val", 84, "train_seed42.log", f"mean of logs {HOSTILE}", Span(FILE, 1, 84)),
        ),
        "findings": (JudgedFinding(finding(), "a" * 32), JudgedFinding(unproven, "b" * 32)),
        "passes": (Pass("PG104", f"no training loop reads validation shards {HOSTILE}"),),
        "facts": {
            "python": {"target": "3.10", "parses": True, "error": None, "seen_in_logs": ["3.12.3"]},
            "size": {"cap": 16_000_000, "per_seed": [{"seed": 42, "total_bytes": 15_990_782}]},
            "timing": {"per_seed": [{"seed": 42, "train_s": 588.1, "gptq_s": 13.2, "eval_s": 386.7}]},
            "bpb": {"claimed": 1.07785, "per_seed": [], "implied_bytes": None},
            "config": {"declared": {"TTT_ENABLED": {"value": HOSTILE, "from": "README.md:12"}}},
        },
        "evidence": Evidence(Claim(1.07785, "submission.json"), Headline(None, ""), (log,), seeds),
        "quotes": {
            (FILE, 1, 43): "    loss.backward()",
            (FILE, 1, 85): f"    total += nll(model, tokens) # {HOSTILE}",
            (FILE, 0, 2): SHIM.split("\n")[1],
        },
        "sources": (SourceText(FILE, 0, SHIM), SourceText(FILE, 1, PAYLOAD, ("b85", "lzma"))),
    }  # fmt: skip
    return SubmissionReport(**{**values, **changes})  # type: ignore[arg-type]


def report(*submissions: SubmissionReport) -> AuditReport:
    """Return a report of these submissions, of the sample one where none is given."""
    return AuditReport(
        version="0.1.0",
        edition="2026-05-02",
        root=f"/somewhere/{HOSTILE}",
        submissions=submissions or (submission(),),
        head="0123456789abcdef0123456789abcdef01234567",
        problems=(RootProblem(".", f"a file stands outside {HOSTILE}"),),
        stale_waivers=(Waiver("c" * 32, "looked at", "2026-05-01"),),
    )
