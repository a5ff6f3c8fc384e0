"""Audit every submission below a root: the one place where the stages meet, and where their errors become findings.

Prints nothing and writes nothing. A stage that fails costs its submission a PG900 finding, never another submission.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from auditor import __version__
from auditor.errors import PgolfError, SandboxUnavailable
from auditor.interp.analysis import Analysis
from auditor.limits import DEFAULT_LIMITS, Limits
from auditor.model.evidence import Claim, Evidence, Headline
from auditor.model.finding import Effect, Finding, Pass, Ruling
from auditor.model.report import AuditReport, SubmissionReport, Waiver
from auditor.model.source import Program
from auditor.model.submission import Intake, RootProblem, Submission
from auditor.model.verdict import LegalityVerdict
from auditor.rules.context import RuleContext
from auditor.rules.data import Edition, cards
from auditor.rules.data import edition as load_edition
from auditor.rules.inactive import Inactive, inactive
from auditor.rules.registry import Check, checks
from auditor.rules.rivals import weighed
from auditor.rules.untraced import untraced
from auditor.rules.verdict import legality_of
from auditor.usecases.evaluators import evaluator
from auditor.usecases.judge import Gathered, judge
from auditor.usecases.memory import rare_collections

if TYPE_CHECKING:
    from auditor.model.smoke import SmokeReport
    from auditor.prover.proof import Proof
    from auditor.usecases.prove import ProveOptions
    from auditor.usecases.smoke import SmokeOptions

_Result = TypeVar("_Result")

ANALYSIS_ERROR = "PG900"
INCOMPLETE = "PG902"
"""The rule under which a stage's failure is reported."""
RUN_RULES = ("PG601", "PG602")
"""The rules that speak of runs in miniature; they compare them with what all others said."""


@dataclass(frozen=True, slots=True)
class AuditOptions:
    """How to audit; None leaves the choice to the edition or to discovery."""

    edition: str | None = None
    script: str | None = None
    base: str | None = None
    target_python: str | None = None
    waivers: tuple[Waiver, ...] = ()
    prove: ProveOptions | None = None
    """How to run every submission in miniature as well; None runs nothing."""
    smoke: SmokeOptions | None = None
    """How to load every script once as well; None runs nothing."""
    limits: Limits = DEFAULT_LIMITS


@dataclass(slots=True)
class _Stages:
    """Runs the stages of one submission and keeps what went wrong as findings."""

    edition: Edition
    failures: list[Finding] = field(default_factory=list)

    def run(self, stage: str, work: Callable[[], _Result], fallback: _Result) -> _Result:
        """Return what `work` returns, or `fallback` with a PG900 finding that names the stage and the error's type."""
        try:
            return work()
        except SandboxUnavailable:
            raise  # this machine's lack, which no submission may be blamed for
        except PgolfError as error:
            self.failed(f"{stage} stopped: {error}")
        except RecursionError:
            self.failed(f"{stage} stopped: the code nests too deeply to be analysed")
        except Exception as error:
            self.failed(f"{stage} failed with {type(error).__name__}: {error}")
        return fallback

    def failed(self, message: str) -> None:
        """Record that something could not be analysed; it asks for review."""
        card = cards()[ANALYSIS_ERROR]
        effect = self.edition.effects.get(ANALYSIS_ERROR, Effect.REVIEW)
        self.failures.append(
            Finding(card.id, card.slug, Ruling.UNPROVEN, effect, message, None, citations=card.citations)
        )


def audit(root: Path, options: AuditOptions | None = None) -> AuditReport:
    """Audit every submission below `root`. Raises IntakeError where nothing can be read there."""
    options = options or AuditOptions()
    found, head = read(root, options)
    return audit_intake(found, options, head=head)


def audit_pull(source: str, number: int, options: AuditOptions | None = None) -> AuditReport:
    """Audit a pull request straight from a repository: a local checkout or bare snapshot, or an https URL.

    Raises IntakeError where there is no such pull request or git cannot fetch it.
    """
    options = options or AuditOptions()
    found, head = read_pull(source, number, options)
    return audit_intake(found, options, head=head)


def read(root: Path, options: AuditOptions) -> tuple[Intake, str | None]:
    """Return what stands below `root`, read into memory, and the commit that it was read at where that is known."""
    from auditor.intake.discover import discover
    from auditor.intake.snapshot import head_of

    limits = options.limits.intake
    found = discover(root, options.base, limits, options.script)
    return found, None if found.base is None else head_of(root, limits)


def read_pull(source: str, number: int, options: AuditOptions) -> tuple[Intake, str]:
    """Return what a pull request changes, read into memory, and its head; the errors are those of `audit_pull`."""
    from auditor.intake.discover import discover
    from auditor.intake.snapshot import extract, fetch, git_dir_of

    limits = options.limits.intake
    with tempfile.TemporaryDirectory(prefix="pgolf-") as scratch:
        git_dir = git_dir_of(Path(source)) or fetch(source, number, Path(scratch), limits)
        tree = Path(scratch) / "tree"
        tree.mkdir()
        written = extract(git_dir.resolve(), number, tree, limits)
        found = discover(tree, None, limits, options.script)
        outside = tuple(RootProblem(path, "changed outside every submission folder") for path in written.outside)
        found = replace(found, root=f"{source}#{number}", base=written.base, problems=(*found.problems, *outside))
        return found, written.head


def audit_intake(found: Intake, options: AuditOptions, *, head: str | None = None) -> AuditReport:
    """Audit submissions that were read already."""
    edition = load_edition(options.edition)
    with rare_collections():
        reports = tuple(audit_submission(submission, edition, options) for submission in found.submissions)
    return AuditReport(
        version=__version__,
        edition=edition.name,
        root=found.root,
        submissions=reports,
        head=head,
        base=found.base,
        problems=found.problems,
        stale_waivers=stale(options.waivers, reports),
    )


def audit_submission(submission: Submission, edition: Edition, options: AuditOptions) -> SubmissionReport:
    """Judge one submission; never raises for anything that the submission holds."""
    stages = _Stages(edition)
    limits = options.limits
    target = options.target_python or edition.target_python
    smoked = stages.run("the smoke test", lambda: _smoked(submission, options.smoke), None)
    program = stages.run("reading the script", lambda: _program(submission, target, limits), None)
    evidence = stages.run("measuring", lambda: _evidence(submission, program, edition, limits), _no_evidence())
    analysis = stages.run("analysing", lambda: _analysis(program, submission, evidence, limits), None)
    if program is not None and analysis is not None:
        followed = partial(evaluator, program, analysis, submission, evidence, target, limits)
        program, analysis = stages.run("following other scripts", followed, None) or (program, analysis)
    if analysis is None and program is not None and not stages.failures:
        stages.failed("the script could not be analysed: " + (program.main.host_error or "it has no syntax tree"))
    known = RuleContext(cards()[ANALYSIS_ERROR], edition, submission, program, analysis, evidence, limits, smoke=smoked)
    findings, passes, present = _judged(stages, known)
    if options.prove is not None:
        read_as = legality_of((*findings, *stages.failures), passes, edition, analysed=analysis is not None)
        known = replace(known, proof=_proof(submission, options.prove), read_as=read_as)
        _ask_all(RUN_RULES, stages, known, findings, passes)
    gathered = Gathered(
        submission,
        program,
        evidence,
        analysis,
        (*findings, *stages.failures),
        tuple(passes),
        target,
        edition,
        present,
        smoked,
    )
    return judge(gathered, options.waivers)


def _judged(stages: _Stages, known: RuleContext) -> tuple[list[Finding], list[Pass], tuple[str, ...]]:
    """Return what the rules say, weighed against the other metrics of the program, and the classes of those."""
    findings: list[Finding] = []
    passes: list[Pass] = []
    _ask_all(checks(), stages, known, findings, passes)
    findings = stages.run("weighing other metrics", lambda: weighed(known, findings), findings)
    context = replace(known, card=cards()[INCOMPLETE])
    if known.analysis is not None and _unnamed(findings, passes, stages, known.edition):
        findings.append(context.unproven("no rule recognises how the headline number was scored"))
    active = frozenset(name for said in (findings, passes) for item in said for name in item.classes)
    other = stages.run("looking at other metrics", lambda: inactive(known, active), Inactive())
    findings += other.findings
    findings += stages.run("tracing the claim", lambda: list(untraced(context, other.classes)), [])
    return findings, passes, other.classes


def _unnamed(findings: list[Finding], passes: list[Pass], stages: _Stages, edition: Edition) -> bool:
    """Say whether the eval path is unclear and no finding says why: silence must not read as a clean result."""
    said = (*findings, *stages.failures)
    unclear = legality_of(said, passes, edition, analysed=True).verdict is LegalityVerdict.UNCLEAR
    return unclear and all(finding.effect is Effect.NOTE for finding in said if finding.ruling is Ruling.UNPROVEN)


def stale(waivers: Iterable[Waiver], reports: Iterable[SubmissionReport]) -> tuple[Waiver, ...]:
    """Return the waivers that no finding answers to any more."""
    used = {judged.fingerprint for report in reports for judged in report.findings}
    return tuple(waiver for waiver in waivers if waiver.fingerprint not in used)


def _ask_all(
    rules: Iterable[str], stages: _Stages, known: RuleContext, findings: list[Finding], passes: list[Pass]
) -> None:
    """Ask those of `rules` that are in force; one that crashes costs its own answer."""
    for rule in rules:
        if rule in known.edition.effects:
            context = replace(known, card=cards()[rule])
            stages.run(f"rule {rule}", partial(_ask, checks()[rule], context, findings, passes), None)


def _ask(check: Check, context: RuleContext, findings: list[Finding], passes: list[Pass]) -> None:
    """Ask one rule, keeping what it said before a crash."""
    for said in check(context):
        if isinstance(said, Finding):
            findings.append(said)
        else:
            passes.append(said)


def _program(submission: Submission, target: str, limits: Limits) -> Program | None:
    if submission.script is None:
        return None
    from auditor.frontend.program import load_program

    return load_program(submission, target, limits)


def _evidence(submission: Submission, program: Program | None, edition: Edition, limits: Limits) -> Evidence:
    from auditor.measure.gather import gather

    return gather(submission, program, edition, limits)


def _no_evidence() -> Evidence:
    return Evidence(claim=Claim(None, "", problem="not measured"), headline=Headline(None, "not measured"))


def _proof(submission: Submission, options: ProveOptions) -> Proof:
    """Run a submission in miniature. What this machine lacks for that is raised, never a finding."""
    from auditor.usecases.prove import prove_submission

    return prove_submission(submission, options).proof


def _smoked(submission: Submission, options: SmokeOptions | None) -> SmokeReport | None:
    """Load the script in the sandbox where that was asked for. What this machine lacks for that is raised."""
    if options is None:
        return None
    from auditor.usecases.smoke import smoke_submission

    return smoke_submission(submission, options)


def _analysis(program: Program | None, submission: Submission, evidence: Evidence, limits: Limits) -> Analysis | None:
    if program is None or program.main.tree is None:
        return None
    from auditor.interp.analyse import analyse

    return analyse(program, submission, evidence, limits)
