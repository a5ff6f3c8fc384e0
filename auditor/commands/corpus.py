"""`pgolf corpus` and `pgolf corpus-merge`: audit a whole repository, in pieces if need be, and compare two runs."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from auditor.fleet.run import Outcome
    from auditor.fleet.store import Row


def register(app: typer.Typer) -> None:
    """Add both commands."""
    app.command("corpus", help="Audit every submission of a repository's pull requests or of a directory.")(_corpus)
    app.command("corpus-merge", help="Join the results of several shards.")(_merge)


def _corpus(
    source: Annotated[Path, typer.Argument(metavar="GIT_DIR|DIR", help="A repository with pull refs, or a directory.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Directory for the results; a run there is resumed.")],
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, help="Worker processes.")] = 2,
    edition: Annotated[str | None, typer.Option(help="Rules of a date, or a file's (.toml).")] = None,
    shard: Annotated[str | None, typer.Option(metavar="I/N", help="Only this part of the tasks, e.g. 2/8.")] = None,
    prs: Annotated[str | None, typer.Option(help="Only these pull requests, e.g. 398,1100-1200.")] = None,
    reports: Annotated[bool, typer.Option("--reports", help="Write an HTML report for every task.")] = False,
    diff: Annotated[Path | None, typer.Option(metavar="OLD.jsonl", help="Show which verdicts changed since.")] = None,
) -> None:
    from auditor.fleet.index import write_index
    from auditor.fleet.run import RunOptions, run
    from auditor.fleet.tasks import shard_of, tasks_of
    from auditor.limits import DEFAULT_LIMITS

    index, count = _shard(shard)
    numbers = None if prs is None else _numbers(prs)
    tasks = shard_of(tasks_of(source, DEFAULT_LIMITS.intake, numbers), index, count)
    with _progress() as told:
        outcome = run(tasks, out, RunOptions(jobs, edition, reports), told)
    write_index(outcome.results, out / "index.html")
    _summary(outcome)
    if diff is not None:
        _changes(diff, outcome.rows, whole=shard is None and prs is None)


def _merge(
    results: Annotated[list[Path], typer.Argument(metavar="RESULTS...", help="results.jsonl of every shard.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Directory for the joined results and their index.")],
) -> None:
    from auditor.fleet.index import write_index
    from auditor.fleet.store import RESULTS, merge, write_results

    header, rows = merge(results)
    out.mkdir(parents=True, exist_ok=True)
    write_results(out / RESULTS, header, rows)
    write_index(out / RESULTS, out / "index.html")
    typer.echo(f"{len(rows)} tasks in {out / RESULTS}")


def _shard(text: str | None) -> tuple[int, int]:
    match = re.fullmatch(r"(\d{1,5})/(\d{1,5})", text or "1/1")
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        raise typer.BadParameter(f"{text!r} is not I/N with 1 <= I <= N", param_hint="--shard")
    return int(match[1]), int(match[2])


def _numbers(text: str) -> frozenset[int]:
    picked: set[int] = set()
    for part in text.split(","):
        match = re.fullmatch(r"(\d{1,7})(?:-(\d{1,7}))?", part.strip())
        if match is None:
            raise typer.BadParameter(f"{part!r} is not N or N-M", param_hint="--prs")
        picked.update(range(int(match[1]), int(match[2] or match[1]) + 1))
    return frozenset(picked)


class _progress:
    """A progress bar on a terminal, a line per hundred tasks elsewhere."""

    def __enter__(self) -> _progress:
        import sys

        self._bar = None
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import Progress

            self._bar = Progress(console=Console(stderr=True))
            self._task = self._bar.add_task("auditing", total=None)
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, done: int, total: int, name: str) -> None:
        if self._bar is not None:
            self._bar.update(self._task, completed=done, total=total, description=name[:30])
        elif done % 100 == 0 or done == total:
            typer.echo(f"{done}/{total}", err=True)


def _summary(outcome: Outcome) -> None:
    from statistics import median

    from auditor.fleet.store import verdicts

    counts: dict[str, int] = {}
    for said in verdicts(outcome.rows).values():
        name = said.split(" ")[0].rstrip(":")
        counts[name] = counts.get(name, 0) + 1
    failed = sum(row.failed for row in outcome.rows)
    typer.echo(f"{len(outcome.rows)} tasks ({outcome.reused} reused, {failed} failed) in {outcome.results}")
    typer.echo(", ".join(f"{count} {name}" for name, count in sorted(counts.items())) or "no submission")
    if outcome.seconds:
        slowest = sorted(outcome.seconds.items(), key=lambda item: -item[1])[:10]
        typer.echo(f"median {median(outcome.seconds.values()):.2f} s per task; slowest: ", nl=False)
        typer.echo(", ".join(f"{name} {seconds:.1f} s" for name, seconds in slowest))


def _changes(old: Path, rows: Iterable[Row], *, whole: bool) -> None:
    """Print what changed; a run of a part says nothing of the tasks that it left out."""
    from auditor.fleet.store import differences, read, verdicts
    from auditor.report.visible import visible

    rows = list(rows)
    here = {row.task for row in rows}
    earlier = [row for row in read(old)[1] if whole or row.task in here]
    changed = list(differences(verdicts(earlier), verdicts(rows)))
    for task, path, before, after in changed:
        typer.echo(visible(f"{task} {path}: {before} -> {after}"))
    typer.echo(f"{len(changed)} verdicts changed")
