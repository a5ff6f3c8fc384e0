"""Prove submissions in miniature. Prints nothing; every byte of untrusted code runs in the sandbox."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from auditor.errors import IntakeError, PgolfError, SandboxUnavailable
from auditor.exit_codes import ExitCode
from auditor.intake.commands import run_commands
from auditor.interp.analysis import Setting
from auditor.interp.config import declared
from auditor.limits import DEFAULT_LIMITS, Limits
from auditor.model.evidence import Evidence
from auditor.model.source import Program
from auditor.model.submission import FileEntry, FileKind, Submission, Track
from auditor.prover.outcome import Outcome, ProverUnavailable
from auditor.prover.prepare import NoScript, prepare, program_of
from auditor.prover.proof import Proof
from auditor.prover.prove import CONDITIONS, prove
from auditor.rules.data import Edition
from auditor.rules.data import edition as load_edition


@dataclass(frozen=True, slots=True)
class ProveOptions:
    """How to prove."""

    conditions: frozenset[str] = CONDITIONS
    seeds: int = 2
    budget: float | None = None
    script: str | None = None
    edition: str | None = None
    keep: Path | None = None
    environment: dict[str, str] = field(default_factory=dict)
    """Settings that take precedence over the reconstructed ones."""
    progress: Callable[[str], None] = lambda text: None
    limits: Limits = DEFAULT_LIMITS


@dataclass(frozen=True, slots=True)
class ProvedSubmission:
    """A submission and its proof."""

    path: str
    script: str | None
    proof: Proof


def require_torch() -> None:
    """Raise ProverUnavailable, naming the extra, where the miniature cannot run."""
    from importlib.util import find_spec

    for package in ("torch", "numpy", "sentencepiece"):
        if find_spec(package) is None:
            raise ProverUnavailable.missing(package)


def prove_path(path: Path, options: ProveOptions | None = None) -> tuple[ProvedSubmission, ...]:
    """Prove the script `path`, or every submission below the directory `path`.

    Raises IntakeError when nothing can be read there, ProverUnavailable and SandboxUnavailable where this machine
    cannot prove anything.
    """
    options = options or ProveOptions()
    require_torch()
    return tuple(prove_submission(submission, options) for submission in submissions(path, options))


def submissions(path: Path, options: ProveOptions) -> Iterator[Submission]:
    """Yield the submissions at `path`; a lone script is a submission of one file."""
    from auditor.intake.discover import load

    if path.is_dir():
        yield from load(path, None, options.limits.intake, options.script)
        return
    try:
        with path.open("rb") as file:
            data = file.read(options.limits.intake.script_bytes + 1)
    except OSError as error:
        raise IntakeError(f"{path}: {error.strerror}") from error
    if len(data) > options.limits.intake.script_bytes:
        raise IntakeError(f"{path}: larger than a script may be")
    entry = FileEntry(path.name, FileKind.REGULAR, len(data), data)
    yield Submission(".", path.name, Track.UNKNOWN, (entry,), path.name, "named on the command line")


def prove_submission(submission: Submission, options: ProveOptions) -> ProvedSubmission:
    """Prove one submission; what its content makes impossible becomes UNDECIDED, what the machine lacks is raised."""
    edition = load_edition(options.edition)
    try:
        proof = gather_and_prove(submission, edition, options)
    except (SandboxUnavailable, ProverUnavailable):
        raise
    except NoScript as error:
        proof = Proof(Outcome.UNDECIDED, "no-script", str(error))
    except PgolfError as error:
        proof = Proof(Outcome.UNDECIDED, "error", str(error))
    except Exception as error:
        proof = Proof(Outcome.UNDECIDED, "internal", f"{type(error).__name__}: {error}")
    return ProvedSubmission(submission.path, submission.script, proof)


def gather_and_prove(submission: Submission, edition: Edition, options: ProveOptions) -> Proof:
    """Reconstruct how the submission was run, then prove it."""
    limits = options.limits
    program = program_of(submission, edition, limits)
    evidence = evidence_of(submission, program, edition, limits)
    settings = {} if evidence is None else declared_of(submission, program, evidence, limits)
    script = prepare(submission, program, settings, limits)
    if options.environment:
        script = replace(script, environment={**script.environment, **options.environment})
    named, others = claimed_line(evidence)
    return prove(
        script,
        headline=named,
        others=others,
        conditions=options.conditions,
        seeds=options.seeds,
        budget=options.budget,
        limits=limits.prover,
        progress=options.progress,
        keep=options.keep,
    )


def claimed_line(evidence: Evidence | None) -> tuple[str | None, frozenset[str]]:
    """Return the name of the log line that carries the claimed number, and names of lines that carry others instead.

    Where no line that reports a result carries the claim, those that the logs hold are known to be none of it.
    """
    if evidence is None:
        return None, frozenset()
    metric = evidence.headline.metric or evidence.headline.nearest
    if metric is not None:
        return metric.name, frozenset()
    if evidence.claim.bpb is None:
        return None, frozenset()
    return None, frozenset(metric.name for log in evidence.logs for metric in log.metrics)


def evidence_of(submission: Submission, program: Program | None, edition: Edition, limits: Limits) -> Evidence | None:
    """Return what the logs and claims say, None where they cannot be read."""
    from auditor.measure.gather import gather

    try:
        return gather(submission, program, edition, limits)
    except PgolfError:
        return None


def declared_of(
    submission: Submission, program: Program | None, evidence: Evidence, limits: Limits
) -> dict[str, Setting]:
    """Return the environment in which the claimed number was produced, as far as it can be reconstructed."""
    if program is None or program.main.tree is None:
        return {}
    return declared(program, run_commands(submission, limits.commands), evidence).settings


def exit_code_of(proved: tuple[ProvedSubmission, ...]) -> ExitCode:
    """Return FLAG for a conviction, REVIEW where something stayed undecided or looks odd, CLEAN, or NOTHING."""
    if not proved:
        return ExitCode.NOTHING
    if any(item.proof.convicts for item in proved):
        return ExitCode.FLAG
    outcomes = {item.proof.outcome for item in proved}
    return ExitCode.CLEAN if outcomes == {Outcome.CLEAN_IN_MINIATURE} else ExitCode.REVIEW
