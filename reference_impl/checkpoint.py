"""Checkpoints that survive kill -9: written whole or not at all, equal on any number of ranks.

They are for resuming a run on this machine, never for submission; that is quant/artifact.py.
"""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

import torch

from reference_impl.data.shards import write_bytes_atomically
from reference_impl.errors import DataError


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write `state` atomically."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    write_bytes_atomically(path, buffer.getvalue())


def load_checkpoint(path: Path, signature: str) -> dict[str, Any]:
    """Read a checkpoint; DataError when it is damaged or belongs to another configuration."""
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, OSError, pickle.UnpicklingError) as error:
        raise DataError(f"{path}: expected a checkpoint, found a damaged file: {error}") from error
    if state["signature"] != signature:
        raise DataError(
            f"{path}: expected configuration {signature}, found {state['signature']}; remove it to start anew"
        )
    return state
