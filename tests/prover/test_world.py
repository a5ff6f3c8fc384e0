"""The miniature's world: its clock ends loops, contest data is found everywhere, writes never leave the scratch."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch")

from auditor.prover.child.fakecuda import Nothing
from auditor.prover.child.world import Clock, Paths, asked_for, imitate_compressor


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    data = tmp_path / "repo" / "data"
    data.mkdir(parents=True)
    (data / "fineweb_val_000000.bin").write_bytes(b"v")
    (tmp_path / "tokenizer.model").write_bytes(b"t")
    return Paths(str(tmp_path), str(data), str(tmp_path / "tokenizer.model"))


def test_a_file_written_outside_is_read_back(paths: Paths, tmp_path: Path) -> None:
    """An absolute path of the author's machine lands in the scratch, its folder made, and is found there again."""
    place = paths.place("/workspace/runs/seed0/model.pt")
    assert Path(place).is_relative_to(tmp_path)
    Path(place).write_bytes(b"x")
    assert paths.file("/workspace/runs/seed0/model.pt") == place


def test_paths_of_the_scratch_and_relative_ones_stay(paths: Paths, tmp_path: Path) -> None:
    """Nothing is moved that can be written where it is; file numbers and buffers pass."""
    for path in (str(tmp_path / "repo" / "x.pt"), "logs/x.txt", "/dev/null", 3):
        assert paths.place(path) == path


def test_contest_data_is_found_wherever_it_is_looked_for(paths: Paths) -> None:
    """Shards and tokenizer answer to the paths of the author's machine."""
    assert paths.file("/root/data/fineweb10B_sp8192/fineweb_val_000000.bin").endswith("data/fineweb_val_000000.bin")
    assert paths.file("/root/tokenizers/other.model") == paths.tokenizer
    assert paths.file("/root/nothing.txt") == "/root/nothing.txt"


def test_a_byte_sidecar_is_no_validation_shard() -> None:
    """A pattern for tokens does not find the file of byte counts beside them; one that names bytes does."""
    found = ["/data/fineweb_val_000000.bin", "/data/fineweb_val_bytes_000000.bin"]
    assert asked_for("/data/fineweb_val_*.bin", found) == found[:1]
    assert asked_for(Path("/data/fineweb_val_bytes_*.bin"), found[1:]) == found[1:]


def test_a_loop_that_only_the_clock_ends_does_end() -> None:
    """Ten minutes pass within some hundred readings at one place, and not within those of an evaluation."""
    clock = Clock(140)
    started = clock()
    for readings in range(1, 1000):  # noqa: B007
        if clock() - started > 600:
            break
    assert 140 < readings < 240
    assert clock() - clock() > -1


def test_every_place_has_patience_of_its_own() -> None:
    """Also for readings in nanoseconds: many places that read the clock a few times do not make time hurry."""
    clock = Clock(2)
    started = clock()
    for name in ("a", "b", "c", "d"):
        exec(
            compile(f"for _ in range(2):\n    {name} = nanoseconds()\n", name, "exec"),
            {"nanoseconds": clock.nanoseconds},
        )
    assert clock() - started < 1.0


def test_a_handle_that_stands_for_nothing_can_be_asked_for_its_truth() -> None:
    """As in `if work: work.wait()`."""
    assert not Nothing()


@pytest.mark.parametrize(
    ("words", "made"),
    [
        (["lrzip", "IN"], "IN.lrz"),
        (["xz", "-9", "-k", "IN"], "IN.xz"),
        (["zstd", "-19", "IN", "-o", "out"], "out"),
        (["brotli", "-d", "IN.br"], "IN"),
    ],
)
def test_a_compressor_writes_where_it_would(tmp_path: Path, words: list[str], made: str) -> None:
    """Beside its input, with the ending that it gives or takes away, or where it is told to."""
    source = tmp_path / next(word for word in words if word.startswith("IN"))
    source.write_bytes(b"x")
    imitate_compressor([str(tmp_path / word) if word.startswith(("IN", "out")) else word for word in words])
    assert (tmp_path / made).read_bytes() == b"x"
