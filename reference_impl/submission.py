"""The entry point that is bundled into a one-file `train_gpt.py`: one preset, a few settings from the environment.

It makes no data and downloads nothing; shards and tokenizer must be there.
"""

from __future__ import annotations

import dataclasses
import os

from reference_impl.config import Config
from reference_impl.presets import preset
from reference_impl.run import run


def settings() -> Config:
    """The preset named by PRESET with SEED, DATA_PATH, TOKENIZER_PATH and OUTPUT applied."""
    config = preset(os.environ.get("PRESET", "cpu_tiny"))
    data = dataclasses.replace(
        config.data,
        path=os.environ.get("DATA_PATH", config.data.path),
        tokenizer=os.environ.get("TOKENIZER_PATH", config.data.tokenizer),
    )
    length = dataclasses.replace(
        config.run,
        seed=int(os.environ.get("SEED", config.run.seed)),
        output=os.environ.get("OUTPUT", config.run.output),
    )
    return dataclasses.replace(config, data=data, run=length)


def main() -> None:
    """Train and evaluate."""
    run(settings(), __file__)


if __name__ == "__main__":
    main()
