"""Smoke-test submissions: does the script load on a CPU? Prints nothing; what runs, runs in the sandbox.

Hyper-parameters and code bytes are worked out here, from the bytes; what the script's process says about itself is
passed on as told. A PASS means that it loads, and never more.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from auditor.errors import IntakeError, SandboxUnavailable
from auditor.limits import DEFAULT_LIMITS, Limits, SandboxLimits
from auditor.model.smoke import HyperValue, Judgement, SmokeFacts, SmokeLevel, SmokeOutcome, SmokeReport
from auditor.model.source import Module, Span
from auditor.model.submission import FileEntry, FileKind, Submission, Track
from auditor.sandbox.classify import judge_import, missing_variables
from auditor.sandbox.hyper import Hyperparameters, Setting, read_hyperparameters
from auditor.sandbox.request import Runtime, SandboxLevel
from auditor.sandbox.smoke import SmokeJob, SmokeRun, smoke_run, with_wall

_TARGET = "3.10"
_DEMANDS = 3
"""Rounds of supplying variables; real scripts demand at most two, one after the other."""
_STAND_IN = {"RANK": "0", "LOCAL_RANK": "0", "MASTER_ADDR": "localhost", "MASTER_PORT": "29500"}
"""What a launcher sets; any other demanded variable is "1", which reads as a number, a switch and a path."""


@dataclass(frozen=True, slots=True)
class SmokeOptions:
    """How to test. `python`: an interpreter with torch (None: the one that runs pgolf)."""

    level: SmokeLevel = SmokeLevel.IMPORT
    python: str | None = None
    timeout: float | None = None
    script: str | None = None
    unsafe_no_sandbox: bool = False
    """Run without confinement where this machine has no sandbox; never the default."""
    limits: Limits = DEFAULT_LIMITS


def smoke(path: Path, options: SmokeOptions | None = None) -> tuple[SmokeReport, ...]:
    """Smoke-test the script `path`, or every submission below the directory `path`.

    Raise IntakeError when nothing can be read there, SandboxUnavailable when something would have to run and this
    machine cannot confine it.
    """
    options = options or SmokeOptions()
    return tuple(smoke_submission(submission, options) for submission in _submissions(path, options))


def _submissions(path: Path, options: SmokeOptions) -> Iterator[Submission]:
    from auditor.intake.discover import load

    if path.is_dir():
        yield from load(path, None, options.limits.intake, options.script)
        return
    yield _lone_script(path, options.limits.intake.script_bytes)


def _lone_script(path: Path, limit: int) -> Submission:
    """Return a submission of the script and the other small Python files of its folder."""
    try:
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise IntakeError(f"{path} cannot be read: {error.strerror}") from error
    if len(data) > limit:
        raise IntakeError(f"{path} is larger than {limit} bytes")
    siblings = sorted(other for other in path.parent.glob("*.py") if other.name != path.name)[:200]
    plain = [
        other for other in siblings if other.is_file() and not other.is_symlink() and other.stat().st_size <= limit
    ]
    entries = [FileEntry(other.name, FileKind.REGULAR, other.stat().st_size, other.read_bytes()) for other in plain]
    entry = FileEntry(path.name, FileKind.REGULAR, len(data), data)
    files = (entry, *entries)
    return Submission(str(path), path.parent.name, Track.UNKNOWN, files, path.name, "named on the command line")


def smoke_submission(submission: Submission, options: SmokeOptions) -> SmokeReport:
    """Smoke-test one submission that intake has read. Raise SandboxUnavailable as `smoke` does."""
    from auditor.frontend.program import load_program

    program = load_program(submission, _TARGET, options.limits)
    if program is None:
        judgement = Judgement(SmokeOutcome.FAIL, submission.script_reason or "no readable script")
        return SmokeReport(submission.path, submission.script, options.level, judgement, SmokeFacts(0))
    main = program.main
    hyper = Hyperparameters(None, None, None, ())
    if main.tree is not None:
        helpers = ((module.name, module.tree) for module in program.helpers if module.tree is not None)
        hyper = read_hyperparameters(main.tree, helpers)
    facts = _static_facts(main, hyper)
    static = _static_judgement(main)
    report = SmokeReport(submission.path, main.file, options.level, static, facts, notes=tuple(_notes(main)))
    if static.outcome is SmokeOutcome.FAIL or options.level is SmokeLevel.PARSE:
        return _with_line(report, main)
    return _with_line(_executed(report, submission, main, hyper, options), main)


def _static_facts(main: Module, hyper: Hyperparameters) -> SmokeFacts:
    def number(setting: Setting | None) -> int | None:
        return setting.value if setting is not None and isinstance(setting.value, int) else None

    return SmokeFacts(
        code_bytes=len(main.unpacked.layers[0].raw),
        dim=number(hyper.dim),
        layers=number(hyper.layers),
        vocab=number(hyper.vocab),
        hyperparameters=tuple(HyperValue(item.name, item.value, item.line, item.origin) for item in hyper.all),
    )


def _static_judgement(main: Module) -> Judgement:
    if main.tree is None:
        where = main.problems[0].span if main.problems else None
        return Judgement(SmokeOutcome.FAIL, "no Python version parses it", main.host_error or "", where)
    if not any(not _is_text(statement) for statement in main.tree.body):
        return Judgement(SmokeOutcome.FAIL, "no code: the script is empty")
    return Judgement(SmokeOutcome.PASS)


def _is_text(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _notes(main: Module) -> Iterator[str]:
    """Yield what a reader should know that is no defect: target version, missing or idle entry point."""
    for problem in main.problems:
        needs = f", needs Python >= {problem.minimum}" if problem.minimum else ""
        yield f"line {problem.span.line}: {problem.message}{needs}"
    for opaque in main.unpacked.opaque:
        yield f"not decoded at line {opaque.span.line}: {opaque.reason}"
    if main.tree is None:
        return
    guarded = any(isinstance(node, ast.If) and "__name__" in ast.dump(node.test) for node in main.tree.body)
    functions = {node.name for node in main.tree.body if isinstance(node, ast.FunctionDef)}
    called = {
        node.func.id for node in ast.walk(main.tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    if "main" in functions and "main" not in called:
        yield "defines main() and never calls it"
    elif not guarded:
        yield "has no main guard: importing it runs the program"


def _executed(
    report: SmokeReport, submission: Submission, main: Module, hyper: Hyperparameters, options: SmokeOptions
) -> SmokeReport:
    from auditor.sandbox.probe import probe
    from auditor.sandbox.runtime import describe

    level = None
    if options.unsafe_no_sandbox and probe().best < SandboxLevel.LOCK:
        level = SandboxLevel.NONE
    runtime = describe(options.python) if options.python else describe()
    limits = options.limits.sandbox if options.timeout is None else with_wall(options.limits.sandbox, options.timeout)
    files, left_out = _placed(submission, options.limits)
    notes = (*report.notes, f"{left_out} files were too large to be placed beside it") if left_out else report.notes
    job = SmokeJob(
        script=main.file,
        source=runnable_text(main),
        level=options.level,
        files=files,
        settings_class=_settings_class(hyper),
        vocab=report.facts.vocab,
    )
    job, done = _with_settings(job, runtime, limits, level)
    if job.settings:
        notes = (*notes, f"run with {', '.join(job.settings)} set to a stand-in value: it demands that")
    if done.told.get("torch", {}).get("version", "") is None:
        raise SandboxUnavailable(f"{runtime.executable} has no torch; install pgolf[torch] there, or use --level parse")
    shipped = None
    if len(main.unpacked.layers) > 1:
        outer = replace(job, source=main.unpacked.layers[0].text, level=SmokeLevel.IMPORT)
        shipped = _import_judgement(smoke_run(outer, runtime, limits, level), main.file, 0)
    return replace(
        report,
        notes=notes,
        judgement=_import_judgement(done, main.file, main.layer),
        facts=_told_facts(report.facts, done, runtime.version),
        shipped=shipped,
    )


def _with_settings(
    job: SmokeJob, runtime: Runtime, limits: SandboxLimits, level: SandboxLevel | None
) -> tuple[SmokeJob, SmokeRun]:
    """Run a job, again for as long as it ends for want of an environment variable that its run command would set."""
    done = smoke_run(job, runtime, limits, level)
    for _ in range(_DEMANDS):
        missing = [name for name in missing_variables(done.told.get("import")) if name not in job.settings]
        if not missing:
            break
        job = replace(job, settings={**job.settings, **{name: _STAND_IN.get(name, "1") for name in missing}})
        done = smoke_run(job, runtime, limits, level)
    return job, done


def _placed(submission: Submission, limits: Limits) -> tuple[dict[str, bytes], int]:
    """Return the files that are placed beside the script, modules first, and how many did not fit."""
    files: dict[str, bytes] = {}
    room, left_out = limits.sandbox.scratch_bytes // 2, 0
    for entry in sorted(submission.files, key=lambda entry: (not entry.path.endswith(".py"), entry.path)):
        if entry.data is None or entry.size > limits.sandbox.file_bytes or entry.size > room:
            left_out += 1
            continue
        files[entry.path] = entry.data
        room -= entry.size
    return files, left_out


def runnable_text(main: Module) -> str:
    """Return the payload as text that this host's Python parses, f-string quotes flipped where they stop it."""
    text = main.unpacked.payload.text.removeprefix("\ufeff")
    if not main.requoted:
        return text
    from auditor.frontend import fstrings, pep701

    return pep701.requote(fstrings.scan(text).formatted, text)[0]


def _settings_class(hyper: Hyperparameters) -> str | None:
    for setting in (hyper.dim, hyper.layers, hyper.vocab):
        if setting is not None and setting.origin.startswith("class "):
            return setting.origin.removeprefix("class ")
    return None


def _import_judgement(done: SmokeRun, file: str, layer: int) -> Judgement:
    told = done.told.get("import")
    judgement = judge_import(told, done.result, started="torch" in done.told)
    line = told["error"]["line"] if told and told["error"] else None
    return replace(judgement, location=Span(file, layer, line)) if line else judgement


def _told_facts(facts: SmokeFacts, done: SmokeRun, python: str) -> SmokeFacts:
    told, result = done.told, done.result

    def get(stage: str, key: str) -> Any:
        return told.get(stage, {}).get(key)

    return replace(
        facts,
        import_seconds=get("import", "seconds"),
        torch_seconds=get("torch", "seconds"),
        parameters=get("model", "parameters"),
        parameters_problem=get("model", "problem") or "",
        loss=get("forward", "loss"),
        loss_problem=get("forward", "problem") or "",
        wall_seconds=result.seconds,
        peak_bytes=result.peak_bytes,
        stubs=tuple(sorted(get("import", "stubs") or ())),
        tried=tuple(f"{action.kind}: {action.text}" for action in result.actions),
        python=python,
        torch=get("torch", "version"),
        sandbox=result.label,
    )


def _with_line(report: SmokeReport, main: Module) -> SmokeReport:
    where = report.judgement.location
    if where is None:
        return report
    lines = main.unpacked.layers[min(where.layer, len(main.unpacked.layers) - 1)].text.splitlines()
    return replace(report, source_line=lines[where.line - 1] if 0 < where.line <= len(lines) else "")
