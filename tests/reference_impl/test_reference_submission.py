"""The loop closed: what the bundled reference implementation printed on a CPU, judged by our own auditor."""

from __future__ import annotations

import json
from pathlib import Path

from auditor.limits import DEFAULT_LIMITS
from auditor.packer.bundle import bundle
from auditor.usecases.audit import AuditOptions, audit

HERE = Path(__file__).parent
SUBMISSION = HERE / "fixtures"
PACKAGE = HERE.parents[1] / "reference_impl"


def test_our_own_submission_looks_clean_and_is_found_score_first() -> None:
    """Three real CPU runs, under the edition whose validation text is the small corpus."""
    (report,) = audit(SUBMISSION, AuditOptions(edition=str(PACKAGE / "tiny.toml"))).submissions
    assert report.verdict.value == "LOOKS_CLEAN"
    assert report.legality.classes_active == ("score-first-ttt",)
    assert report.legality.headline is not None and report.legality.headline.function == "eval_val_ttt"


def test_under_the_contest_s_edition_the_small_corpus_is_part_of_the_text() -> None:
    """The auditor does not take another text for the contest's validation set."""
    (report,) = audit(SUBMISSION, AuditOptions()).submissions
    assert report.verdict.value == "NEEDS_REVIEW"
    assert set(report.legality.classes_active) == {"score-first-ttt", "partial-val-coverage"}


def test_logs_count_the_shipped_script() -> None:
    """Each log's code size is that of the file, and its totals are below the limit."""
    (folder,) = (path.parent for path in SUBMISSION.rglob("train_gpt.py"))
    size = (folder / "train_gpt.py").stat().st_size
    logs = sorted(folder.glob("train_seed*.log"))
    assert len(logs) == 3 and all(f"Code size: {size} bytes" in log.read_text() for log in logs)
    assert json.loads((folder / "submission.json").read_text())["bytes_total"] < 16_000_000


def test_both_entry_points_bundle_into_one_script() -> None:
    """The package becomes one file that imports nothing local, downloads nothing, and parses."""
    for entry in ("entry_cpu_tiny", "entry_sp8192_1541"):
        text, size = bundle(PACKAGE, entry, DEFAULT_LIMITS.pack)
        compile(text, "train_gpt.py", "exec")
        assert "import reference_impl" not in text and "from reference_impl" not in text
        assert "subprocess" not in text and size > len(text) // 2
