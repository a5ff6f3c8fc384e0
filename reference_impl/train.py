"""The command: `python -m reference_impl.train --preset cpu_tiny`, or under torchrun with any preset.

Makes the small CPU corpus on first use (only here, so a bundled submission holds no download).
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
import time
from pathlib import Path

from reference_impl.config import Config, apply_overrides
from reference_impl.data.tiny import ensure_tiny
from reference_impl.errors import DataError, ReferenceImplError
from reference_impl.presets import PRESET_NAMES, preset
from reference_impl.run import run

CORPUS_WAIT_SECONDS = 600
"""A download plus a tokenizer takes well under a minute."""


def parse(arguments: list[str]) -> tuple[Config, bool, Path | None]:
    """Return (configuration, resume?, folder of the small corpus or None); ConfigError on unknown overrides."""
    parser = argparse.ArgumentParser(
        prog="reference_impl.train", description="Train, quantise and evaluate one preset."
    )
    parser.add_argument("--preset", default="cpu_tiny", choices=PRESET_NAMES)
    parser.add_argument("--seed", type=int, help="initialisation and data order")
    parser.add_argument("--max-seconds", type=float, help="training budget in seconds, calibration included; 0: none")
    parser.add_argument("--output", help="folder of the log, checkpoint and artifact")
    parser.add_argument("--resume", action="store_true", help="continue from the last checkpoint in the output folder")
    parser.add_argument("overrides", nargs="*", metavar="section.field=value", help="any field of config.py")
    options = parser.parse_args(arguments)
    config = apply_overrides(preset(options.preset), options.overrides)
    seed = config.place.seed if options.seed is None else options.seed
    seconds = config.run.max_seconds if options.max_seconds is None else options.max_seconds
    place = dataclasses.replace(config.place, seed=seed, output=options.output or config.place.output)
    config = dataclasses.replace(config, place=place, run=dataclasses.replace(config.run, max_seconds=seconds))
    tiny = Path(place.shards).parent.parent if place.shards == preset("cpu_tiny").place.shards else None
    return config, options.resume, tiny


def tiny_corpus(root: Path) -> dict[str, object]:
    """Make the small corpus on rank 0 while the other ranks of this machine wait for its manifest."""
    deadline = time.monotonic() + CORPUS_WAIT_SECONDS
    while os.environ.get("RANK", "0") != "0" and not (root / "manifest.json").exists():
        if time.monotonic() > deadline:
            raise DataError(f"{root}: expected manifest.json from rank 0, found none after {CORPUS_WAIT_SECONDS} s")
        time.sleep(0.2)
    return ensure_tiny(root)


def main(arguments: list[str] | None = None) -> int:
    """Run the command; 0 on success, 2 on an error in the input, with one sentence on stderr."""
    try:
        config, resume, tiny = parse(sys.argv[1:] if arguments is None else arguments)
        if tiny is not None:
            manifest = tiny_corpus(tiny)
            print(f"data: {manifest['source']} {manifest['tokens']} tokens")
        run(config, __file__, resume)
    except (ReferenceImplError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
