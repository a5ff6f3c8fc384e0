"""Shared pieces of the reference implementation's tests: toy shards, a toy configuration, one small tokenizer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("sentencepiece")

import torch
from reference_ranks import one_rank, two_ranks
from reference_toys import toy_config, write_toy_data

from reference_impl.data.tiny import ensure_tiny


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """Spinning worker threads on a busy machine cost more than they give at toy size."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def toy_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of toy shards over a vocabulary of 64 ids."""
    root = tmp_path_factory.mktemp("toy")
    write_toy_data(root)
    return root


@pytest.fixture(scope="session")
def stdlib_corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The zero-download corpus with a 512-piece tokenizer."""
    root = tmp_path_factory.mktemp("stdlib")
    ensure_tiny(root, vocab=512, source="stdlib", val_documents=6)
    return root


@pytest.fixture(scope="session")
def on_two_ranks(toy_data: Path, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What each of two gloo ranks reports of training and evaluating the toy configuration; started once."""
    folder = tmp_path_factory.mktemp("ranks")
    return two_ranks(folder, toy_config(toy_data, folder))


@pytest.fixture(scope="session")
def on_one_rank(toy_data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The same jobs in this process."""
    return one_rank(toy_config(toy_data, tmp_path_factory.mktemp("rank")))
