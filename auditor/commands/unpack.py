"""`pgolf unpack`: every layer of a shim, decoded without running it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("unpack", help="Decode the layers of a self-extracting script without running it.")(_unpack)


def _unpack(
    shim: Annotated[Path, typer.Argument(metavar="SHIM", exists=True, dir_okay=False)],
    output: Annotated[Path, typer.Option("-o", "--output", help="Directory for the decoded layers.")],
) -> None:
    from auditor.errors import PgolfError
    from auditor.usecases.pack import unpack_file, write_whole

    try:
        unpacked = unpack_file(shim)
        for layer in unpacked.layers[1:]:
            last = layer is unpacked.payload
            target = output / (shim.name if last else f"{shim.stem}.layer{layer.index}.py")
            write_whole(target, layer.raw)
            typer.echo(f"{target}: {len(layer.raw):,} bytes ({' + '.join(layer.codecs) or 'literal'})")
    except (PgolfError, OSError) as error:
        typer.echo(f"pgolf unpack: {error}", err=True)
        raise typer.Exit(4) from error
    for opaque in unpacked.opaque:
        typer.echo(f"{shim.name}:{opaque.span.line}: not decoded: {opaque.reason}", err=True)
    if len(unpacked.layers) == 1:
        typer.echo(f"{shim.name} is not a shim that can be decoded statically", err=True)
        raise typer.Exit(4)
    if unpacked.opaque:
        raise typer.Exit(3)
