"""What stated setup commands do to the data that training reads."""

from __future__ import annotations

import pytest

from tests.measure.folders import ask

LINK = "```bash\nmkdir -p data/valonly\nln -s {source} {target}\n```\n"


def links(source: str, target: str) -> list[object]:
    """Return what PG104 says of a README with this link."""
    return list(ask("PG104", {"README.md": LINK.format(source=source, target=target)}))


def test_a_validation_shard_that_is_linked_as_a_training_shard_is_trained_on() -> None:
    """The training loop reads what the name says, and the name leads to validation tokens."""
    assert len(links("/data/sp1024/fineweb_val_000000.bin", "data/valonly/fineweb_train_000000.bin")) == 1


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("/data/sp1024/fineweb_val_000000.bin", "data/valonly/fineweb_val_000000.bin"),
        ("/data/sp1024/fineweb_train_000000.bin", "data/valonly/fineweb_train_000000.bin"),
        ("/data/sp1024/fineweb_train_000080.bin", "data/valonly/fineweb_val_000000.bin"),
    ],
)
def test_a_shard_that_keeps_its_split_says_nothing(source: str, target: str) -> None:
    """Links within a split, or of training text under another name, put no validation token into training."""
    assert links(source, target) == []
