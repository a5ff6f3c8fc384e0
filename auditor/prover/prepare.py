"""From a submission to what the prover runs: decoded source, local modules, files beside it, run environment.

Reads bytes in memory only; nothing here executes or imports anything of the submission.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping

from auditor.errors import PgolfError
from auditor.frontend import pep701
from auditor.frontend.fstrings import scan
from auditor.frontend.parse import decode, parse
from auditor.frontend.program import load_program
from auditor.intake.commands import RunCommand, run_commands
from auditor.interp.analysis import Setting
from auditor.limits import Limits
from auditor.model.source import Module, Program
from auditor.model.submission import FileKind, Submission
from auditor.prover.job import Script
from auditor.rules.data import Edition

RANKS = frozenset({"RANK", "LOCAL_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT", "NPROC_PER_NODE"})
"""Never set: one process, as a run without torchrun."""

PRINTED_EMPTY = frozenset({"None", "set()", "[]", "()"})
"""What a print shows of a setting that was not given; the code's default says the same."""
STAGES = 3
"""Calls in one file that may be stages of one run: more of them are trials."""
PRINTED_LIST = re.compile(r"[\[(][\s\w.,+-]*[\])]")


class NoScript(PgolfError):
    """The submission has no script that this Python can parse."""


def prepare(
    submission: Submission,
    program: Program | None,
    declared: Mapping[str, Setting],
    limits: Limits,
) -> Script:
    """Put together what is run, under the `declared` environment. Raises NoScript where there is nothing to run."""
    if program is None or submission.script is None:
        raise NoScript(submission.script_reason or "the submission has no script")
    if program.main.tree is None:
        raise NoScript(f"the script does not parse: {program.main.host_error}")
    command = best_command(submission, limits)
    environment = {n: s.value for n, s in declared.items() if s.origin != "code default" and readable(s.value)}
    return Script(
        name=submission.script.rsplit("/", 1)[-1],
        source=text_of(program.main),
        helpers={m.name: text_of(m) for m in program.helpers if m.tree is not None and m.name.isidentifier()},
        files=files_of(submission, limits),
        environment={n: unprinted(v) for n, v in environment.items() if n not in RANKS},
        calls=(arguments(command),),
        stages=stages_of(submission, command, limits),
        doubtful=doubtful_of(declared),
    )


def doubtful_of(declared: Mapping[str, Setting]) -> tuple[frozenset[str], ...]:
    """Return what to leave out, in turn, where the script crashes: settings deduced from logs, then printed ones."""
    solved = frozenset(n for n, s in declared.items() if s.origin.startswith("guard solved"))
    printed = frozenset(n for n, s in declared.items() if re.search(r"\.(log|txt|out)\b.*:\d+$", s.origin))
    return tuple(names for names in (solved, solved | printed) if names)


def readable(value: str) -> bool:
    """Say whether a setting can be given as found: no variable to fill in, no torn or empty print."""
    opened, closed = (sum(value.count(c) for c in kind) for kind in ("([", ")]"))
    return not set(value) & set("${}=") and opened == closed and value not in PRINTED_EMPTY


def unprinted(value: str) -> str:
    """Return a list that was printed in Python's notation as scripts read one: items between commas."""
    if PRINTED_LIST.fullmatch(value):
        return ",".join(item.strip() for item in value[1:-1].split(",") if item.strip())
    return value


def text_of(module: Module) -> str:
    """Return the payload of a module as text that this Python parses."""
    raw = module.unpacked.payload.raw
    text = parse(raw).text or decode(raw)
    if not module.requoted:
        return text
    return pep701.requote(scan(text).formatted, text)[0]


def files_of(submission: Submission, limits: Limits) -> dict[str, bytes]:
    """Return the regular files of the folder, logs left out, up to the cap."""
    room = limits.prover.submission_bytes
    out: dict[str, bytes] = {}
    for entry in submission.files:
        if entry.kind is FileKind.REGULAR and entry.data is not None and not entry.path.endswith((".log", ".png")):
            room -= len(entry.data)
            if room < 0:
                break
            out[entry.path] = entry.data
    return out


def best_command(submission: Submission, limits: Limits) -> RunCommand | None:
    """Return the run command that launches the script with the most settings, the first of equals."""
    name = (submission.script or "").rsplit("/", 1)[-1]
    own = [c for c in run_commands(submission, limits.commands) if (c.script or "").rsplit("/", 1)[-1] == name]
    return max(own, key=lambda c: len(c.env), default=None)


def arguments(command: RunCommand | None) -> tuple[str, ...]:
    """Return what the command passes to the script, up to what the shell does with its output."""
    if command is None or command.script is None:
        return ()
    after = itertools.takewhile(
        lambda word: not re.search(r"[<>|&;]", word), command.argv[command.argv.index(command.script) + 1 :]
    )
    return tuple(word for word in after if not re.search(r"[${}]", word))


def stages_of(submission: Submission, command: RunCommand | None, limits: Limits) -> tuple[tuple[str, ...], ...]:
    """Return the arguments of all calls of the script that stand in the command's file, where few differ."""
    if command is None:
        return ()
    every = (c for c in run_commands(submission, limits.commands) if c.file == command.file)
    calls = tuple(dict.fromkeys(arguments(c) for c in every if c.script == command.script))
    return calls if 1 < len(calls) <= STAGES else ()


def program_of(submission: Submission, edition: Edition, limits: Limits) -> Program | None:
    """Load the program of a submission."""
    return load_program(submission, edition.target_python, limits)
