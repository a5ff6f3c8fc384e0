"""Training batches, identical for 1, 2, 4 and 8 ranks.

A step consumes 8 sub-batches whatever the world size; rank r of N takes sub-batches r, r+N, ... Every loader is a pure
function of (step, sub-batch), so "resume" and "rewind after warm-up" are one integer, and the seed of a run really
changes its data order. Loaders are given training files only.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from reference_impl.config import VIRTUAL_RANKS, Config
from reference_impl.data.shards import check_vocabulary, open_shard, train_files
from reference_impl.errors import ConfigError, DataError


class TrainLoader:
    """Draws (x, y) sub-batches from the training shards."""

    def __init__(self, config: Config, rank: int, world: int) -> None:
        """Open the shards; ConfigError when `world` does not divide 8, DataError on a bad or short shard."""
        if world < 1 or VIRTUAL_RANKS % world:
            raise ConfigError(f"world size {world} does not divide {VIRTUAL_RANKS}")
        self.kind, self.seed, self.rank, self.world = config.data.loader, config.place.seed, rank, world
        self.sequence = config.run.sequence
        self.rows = config.run.batch_tokens // (VIRTUAL_RANKS * self.sequence)
        self.step = 0
        self.shards = [_open_training_shard(path, config) for path in train_files(Path(config.place.shards))]
        self.per_shard = [(len(shard) - 1) // self.sequence for shard in self.shards]
        self.ends = np.cumsum(self.per_shard)
        if sum(self.per_shard) < VIRTUAL_RANKS:
            raise DataError(
                f"{config.place.shards}: expected at least {VIRTUAL_RANKS} sequences, found {sum(self.per_shard)}"
            )
        self._orders: dict[tuple[int, int], np.ndarray] = {}

    def next(self) -> list[tuple[Tensor, Tensor]]:
        """Return this rank's sub-batches of the next step: 8/world pairs of int64 (rows, T)."""
        batches = [self.sub_batch(self.step, part) for part in range(self.rank, VIRTUAL_RANKS, self.world)]
        self.step += 1
        return batches

    def sub_batch(self, step: int, part: int) -> tuple[Tensor, Tensor]:
        """Return inputs and next-token targets of one of the 8 sub-batches of `step`: two int64 (rows, T)."""
        window_RT = np.stack([self._window(step, part, row) for row in range(self.rows)]).astype(np.int64)
        tokens = torch.from_numpy(window_RT)
        return tokens[:, :-1].contiguous(), tokens[:, 1:].contiguous()

    def _window(self, step: int, part: int, row: int) -> np.ndarray:
        """T+1 tokens of one sequence."""
        if self.kind == "sequential":
            block = ((step * VIRTUAL_RANKS + part) * self.rows + row) % sum(self.per_shard)
            return self._block(block, 0)
        draw = step * self.rows + row
        blocks = self._blocks_of(part)
        epoch, index = divmod(draw, blocks.size)
        phase = int(np.random.default_rng([self.seed, 7, epoch]).integers(self.sequence)) if epoch else 0
        if self.kind == "shuffled":
            return self._block(int(self._order(part, epoch, blocks.size)[index]) * VIRTUAL_RANKS + part, phase)
        return self._block(int(blocks[_coprime_index(self.seed, part, epoch, index, blocks.size)]), phase)

    def _blocks_of(self, part: int) -> np.ndarray:
        return np.arange(part, sum(self.per_shard), VIRTUAL_RANKS)

    def _order(self, part: int, epoch: int, size: int) -> np.ndarray:
        """A uniform permutation of one virtual rank's blocks; drawing shards in proportion to what is left is the
        same law.
        """
        if (part, epoch) not in self._orders:
            self._orders = {key: order for key, order in self._orders.items() if key[1] >= epoch - 1}
            self._orders[part, epoch] = np.random.default_rng([self.seed, part, epoch]).permutation(size)
        return self._orders[part, epoch]

    def _block(self, block: int, phase: int) -> np.ndarray:
        index = int(np.searchsorted(self.ends, block, side="right"))
        shard = self.shards[index]
        within = block - (int(self.ends[index]) - self.per_shard[index])
        start = min(within * self.sequence + phase, len(shard) - self.sequence - 1)
        return shard[start : start + self.sequence + 1]


def _coprime_index(seed: int, part: int, epoch: int, index: int, size: int) -> int:
    """Visit `size` blocks as (start + j*stride) mod size with gcd(stride, size) = 1: each exactly once."""
    generator = np.random.default_rng([seed, 11, part, epoch])
    start, stride = int(generator.integers(size)), 1 + int(generator.integers(size))
    while np.gcd(stride, size) != 1:
        stride += 1
    return (start + index * stride) % size


def _open_training_shard(path: Path, config: Config) -> np.ndarray:
    """Open one training shard; refuses anything that is named like validation."""
    if "_val_" in path.name:
        raise DataError(f"{path}: a validation shard was given to the training loader")
    shard = open_shard(path)
    check_vocabulary(path, shard[: min(len(shard), 1 << 20)], config.model.vocab)
    if len(shard) < config.run.sequence + 1:
        raise DataError(f"{path}: expected at least {config.run.sequence + 1} tokens, found {len(shard)}")
    return shard
