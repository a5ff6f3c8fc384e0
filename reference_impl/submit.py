"""What a one-file submission does: run one configuration, with a few settings from the environment.

The entry modules (entry_*.py) name the configuration; one is bundled into `train_gpt.py`. Nothing here makes
data or downloads anything: shards and tokenizer must be there.
"""

from __future__ import annotations

import os

from reference_impl.config import Config, PlaceConfig
from reference_impl.run import run


def submit(config: Config, code_path: str) -> None:
    """Train and evaluate `config` with SEED, DATA_PATH, TOKENIZER_PATH and OUTPUT applied; `code_path` is counted."""
    place = PlaceConfig(
        shards=os.environ.get("DATA_PATH", config.place.shards),
        tokenizer=os.environ.get("TOKENIZER_PATH", config.place.tokenizer),
        output=os.environ.get("OUTPUT", config.place.output),
        seed=int(os.environ.get("SEED", config.place.seed)),
    )
    placed = Config(config.name, place, config.data, config.model, config.optim, config.run, config.quant, config.eval)
    run(placed, code_path)
