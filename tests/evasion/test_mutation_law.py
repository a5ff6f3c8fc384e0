"""The mutation law: rewriting a script may make the verdict more suspicious, never cleaner.

By default every violating fixture meets two mutators and every mutator several fixtures, chosen by position so that the
choice is stable. PGOLF_EVASION=full runs the whole matrix.
"""

from __future__ import annotations

import os
import re
import shutil
from functools import lru_cache
from pathlib import Path

import pytest
from fixture_expectations import SEVERITY, Fixture, fixtures
from mutators import MUTATORS, RUN_SETTINGS, Mutator
from names import rename_everything

from auditor.model.report import SubmissionReport
from auditor.usecases.audit import audit

FULL = os.environ.get("PGOLF_EVASION") == "full"
VIOLATING = [fixture for fixture in fixtures("violating")]
INNOCENT = fixtures("legal", "near_miss")
LEGALITY = ("legal", "disputed", "unclear", "illegal")


def subject(fixture: Fixture) -> Path:
    """Return the fixture's own submission folder (the first that its expect.toml names)."""
    return fixture.path / fixture.submissions[0].folder


def pairs() -> list[object]:
    chosen = []
    for i, fixture in enumerate(VIOLATING):
        picked = MUTATORS if FULL else (MUTATORS[i % len(MUTATORS)], MUTATORS[(i + 9) % len(MUTATORS)])
        chosen += [pytest.param(fixture, m, id=f"{fixture.name}-{m.__name__}") for m in picked]
    return chosen


@lru_cache(maxsize=128)
def judged(folder: Path) -> SubmissionReport:
    return audit(folder).submissions[0]


def _launch_with(setting: str, path: Path) -> bool:
    """Put a setting before every launch that a file states; say whether it states one."""
    text = path.read_text(encoding="utf-8")
    commanded = re.sub(r"^((?:\w+=\S+ )*(?:\\\n\s*)?torchrun)", rf"{setting} \1", text, flags=re.MULTILINE)
    path.write_text(commanded, encoding="utf-8")
    return commanded != text


def mutated(fixture: Fixture, mutate: Mutator, where: Path) -> Path | None:
    """Write the mutated submission below `where`; None where the mutator does not apply to this script."""
    source = subject(fixture)
    changed = mutate((source / "train_gpt.py").read_text(encoding="utf-8"))
    if changed is None:
        return None
    target = where / "records" / "track_10min_16mb" / source.name
    shutil.copytree(source, target)
    (target / "train_gpt.py").write_text(changed, encoding="utf-8")
    setting = RUN_SETTINGS.get(mutate.__name__)
    if setting:
        launched = [_launch_with(setting, path) for path in sorted([*target.glob("*.md"), *target.glob("*.sh")])]
        assert any(launched)
    return where


def told(report: SubmissionReport) -> str:
    rows = [f"{j.finding.rule} {j.finding.ruling.value}: {j.finding.message}" for j in report.findings]
    return "\n".join([f"{report.verdict.value} {report.legality.verdict.value}", *rows])


@pytest.mark.parametrize(("fixture", "mutate"), pairs())
def test_a_rewrite_never_makes_a_violation_look_cleaner(fixture: Fixture, mutate: Mutator, tmp_path: Path) -> None:
    """Verdict and legality after the rewrite are at least as bad as before it."""
    folder = mutated(fixture, mutate, tmp_path)
    if folder is None:
        pytest.skip(f"{mutate.__name__} finds nothing to change here")
    before, after = judged(subject(fixture)), audit(folder).submissions[0]
    assert SEVERITY.index(after.verdict.value) >= SEVERITY.index(before.verdict.value), told(after)
    assert LEGALITY.index(after.legality.verdict.value) >= LEGALITY.index(before.legality.verdict.value), told(after)


@pytest.mark.parametrize("fixture", INNOCENT, ids=lambda fixture: fixture.id)
def test_renaming_does_not_make_a_legal_submission_illegal(fixture: Fixture, tmp_path: Path) -> None:
    """Names carry nothing, in either direction."""
    folder = mutated(fixture, rename_everything, tmp_path)
    if folder is None:
        pytest.skip("a shim has no names of its own")
    after = audit(folder).submissions[0]
    assert after.verdict.value != "COMPLIANCE_FLAG", told(after)
    assert after.legality.verdict.value == judged(subject(fixture)).legality.verdict.value, told(after)


def test_every_mutator_meets_a_violating_fixture() -> None:
    """The short selection leaves no mutator out."""
    met = {param.values[1] for param in pairs()}  # type: ignore[attr-defined]
    assert met == set(MUTATORS)
