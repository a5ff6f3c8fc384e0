"""Reports on small submissions made of text: a script, the claims about it, and the metric that it prints."""

from __future__ import annotations

from pathlib import Path

from auditor.model.report import SubmissionReport
from auditor.usecases.audit import audit
from tests.measure.folders import manifest

CLAIMED = """
last = measure(net)
print(f"final val_loss:{last:.8f} val_bpb:{last / math.log(2.0) * 0.4:.8f}")
"""
"""A score of the network as it is, printed as the last metric."""


def report(where: Path, source: str, **files: str) -> SubmissionReport:
    """Audit a folder that holds this script and nothing that names a metric, but for `files`."""
    folder = where / "records" / "track_10min_16mb" / "2026-04-20_Example"
    folder.mkdir(parents=True)
    texts = {"train_gpt.py": source, "submission.json": manifest(val_bpb=1.05), **files}
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    return audit(where).submissions[0]
