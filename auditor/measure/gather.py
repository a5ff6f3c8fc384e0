"""Gather everything measured about a submission outside its code. Pure: bytes in, `Evidence` out."""

from __future__ import annotations

from dataclasses import replace

from auditor.intake.logs import read_logs
from auditor.intake.manifest import claim_of, read_manifest
from auditor.intake.mentions import mentions
from auditor.intake.readme import claim_in_text
from auditor.limits import Limits
from auditor.measure.blobs import shipped_models, shipped_tokenizers
from auditor.measure.facts import facts_of
from auditor.measure.headline import resolve_headline
from auditor.measure.rows import seed_rows
from auditor.model.evidence import Evidence
from auditor.model.source import Program
from auditor.model.submission import Submission
from auditor.rules.data import Edition


def gather(submission: Submission, program: Program | None, edition: Edition, limits: Limits) -> Evidence:
    """Read logs and claims of a submission and put its measurements together."""
    logs = read_logs(submission, limits.logs)
    claim = claim_of(read_manifest(submission))
    if claim.bpb is None:
        stated = claim_in_text(submission)
        claim = claim if stated is None else replace(stated, problem=claim.problem)
    headline = resolve_headline(claim, logs)
    code = shipped_code_bytes(submission, program)
    rows = seed_rows(logs, headline, code)
    facts = facts_of(claim, headline, logs, rows, code, edition)
    facts["size"]["shipped_models"] = [{"file": blob.path, "bytes": blob.bytes} for blob in shipped_models(submission)]
    facts["size"]["tokenizers"] = [{"file": blob.path, "bytes": blob.bytes} for blob in shipped_tokenizers(submission)]
    said = () if claim.bpb is None else mentions(submission, claim.bpb)
    return Evidence(claim=claim, headline=headline, logs=logs, seeds=rows, code_bytes=code, mentions=said, facts=facts)


def shipped_code_bytes(submission: Submission, program: Program | None) -> int | None:
    """Return the bytes of the shipped script and of every shipped file that it loads, None without a script."""
    if submission.script is None:
        return None
    counted = {submission.script}
    if program is not None:
        counted |= {module.file for module in program.helpers} | {native.file for native in program.natives}
    found = [entry.size for path in sorted(counted) if (entry := submission.file(path)) is not None]
    return sum(found) if found else None
