"""`pgolf pack`: the smallest self-extracting script."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from auditor.packer.options import PackOptions


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("pack", help="Pack a script or package into the smallest self-extracting script.")(_pack)


def _pack(
    source: Annotated[Path, typer.Argument(metavar="SCRIPT|PACKAGE_DIR", exists=True)],
    output: Annotated[Path, typer.Option("-o", "--output", help="File to write (whole or not at all).")],
    target_python: Annotated[str, typer.Option(help="Oldest Python that must parse the result.")] = "3.10",
    level: Annotated[str, typer.Option(help="fast, best or max (max: a context-mixing coder).")] = "best",
    no_minify: Annotated[bool, typer.Option("--no-minify", help="Keep the source text as it is.")] = False,
    without: Annotated[list[str] | None, typer.Option(help="Switch one transform off (repeatable).")] = None,
    keep: Annotated[list[str] | None, typer.Option(help="Never rename this name (repeatable).")] = None,
    ascii_only: Annotated[bool, typer.Option("--ascii", help="Only 7-bit characters.")] = False,
    traced: Annotated[bool | None, typer.Option("--linecache/--no-linecache", help="Register the source.")] = None,
    allow: Annotated[list[str] | None, typer.Option(help="Also try this codec: brotli or zstd.")] = None,
    entry: Annotated[str, typer.Option(help="Entry module of a package.")] = "__main__",
    verify: Annotated[bool, typer.Option("--verify", help="Also let every interpreter on PATH decode it.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; fail where OUTPUT is out of date.")] = False,
) -> None:
    from auditor.errors import PgolfError

    options = _options(target_python, level, no_minify, without or [], keep or [], ascii_only, traced, allow or [])
    try:
        if check:
            raise typer.Exit(_check(source, output, options, entry))
        ok = _write(source, output, options, entry, verify)
    except (PgolfError, OSError) as error:
        typer.echo(f"pgolf pack: {error}", err=True)
        raise typer.Exit(4) from error
    if not ok:
        raise typer.Exit(1)


def _options(
    target: str,
    level: str,
    no_minify: bool,
    without: list[str],
    keep: list[str],
    ascii_only: bool,
    traced: bool | None,
    allow: list[str],
) -> PackOptions:
    from auditor.frontend.compat import version
    from auditor.packer.options import Level, PackOptions
    from auditor.packer.passes import TRANSFORMS

    try:
        wanted, hard = version(target), Level(level)
    except ValueError as error:
        raise typer.BadParameter(f"{error}") from error
    for name in without:
        if name not in TRANSFORMS:
            raise typer.BadParameter(
                f"no transform {name!r}; there are {', '.join(TRANSFORMS)}", param_hint="--without"
            )
    for name in allow:
        if name not in ("brotli", "zstd"):
            raise typer.BadParameter(f"no codec {name!r}; brotli and zstd can be allowed", param_hint="--allow")
    return PackOptions(
        wanted, hard, not no_minify, frozenset(without), frozenset(keep), ascii_only, traced, frozenset(allow)
    )


def _check(source: Path, output: Path, options: PackOptions, entry: str) -> int:
    from auditor.usecases.pack import check

    problems = check(source, output, options, entry)
    for problem in problems:
        typer.echo(problem, err=True)
    return 1 if problems else 0


def _write(source: Path, output: Path, options: PackOptions, entry: str, verify: bool) -> bool:
    """Pack, write and report; say whether every interpreter asked decoded the file."""
    from auditor.usecases.pack import pack, write_whole

    result = pack(source, options, entry, verify, lambda line: typer.echo(f"  {line}", err=True))
    failed = [d for d in result.decoded if not d.ok]
    if not failed:
        write_whole(output, result.data)
    size = len(result.data)
    typer.echo(f"{output}: {size:,} bytes ({result.codec}, {result.carrier})")
    for part in result.parts:
        typer.echo(f"  {part.name:10} {part.size:>8,}")
    typer.echo(f"  original   {result.original_bytes:>8,}  ratio {size / max(result.original_bytes, 1):.3f}")
    typer.echo(f"  xz + b85   {result.common_bytes:>8,}  ratio {size / max(result.common_bytes, 1):.3f}")
    if result.decode_s is not None:
        typer.echo(f"  decoding takes {result.decode_s:.1f} s on this machine")
    typer.echo(f"  transforms: {', '.join(result.applied) or 'none'}")
    for held in result.withheld:
        typer.echo(f"  withheld {held.transform}: {held.reason}")
    for note in result.notes:
        typer.echo(f"  note: {note}")
    for one in result.decoded:
        typer.echo(f"  Python {one.version}: {'decodes' if one.ok else 'FAILS: ' + one.detail}")
    return not failed
