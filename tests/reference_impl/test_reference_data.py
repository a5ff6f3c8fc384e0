"""Shards, byte counting, CaseOps and loaders."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference_toys import toy_config, toy_tokens

from reference_impl.data.caseops import (
    OPERATORS,
    caseops_decode,
    caseops_encode,
    original_bytes,
    sidecar_of_tokens,
)
from reference_impl.data.loaders import TrainLoader
from reference_impl.data.shards import load_sidecar, load_validation, open_shard, val_files, write_shard
from reference_impl.data.tiny import _split, stdlib_documents
from reference_impl.data.tokenizer import byte_table, encode_documents, load_tokenizer, train_tokenizer
from reference_impl.errors import ConfigError, DataError


def test_shard_round_trip(tmp_path: Path) -> None:
    """What is written is read back, and the file has exactly 1024 + 2n bytes."""
    tokens = np.arange(1000) % 777
    write_shard(tmp_path / "a.bin", tokens)
    assert (tmp_path / "a.bin").stat().st_size == 1024 + 2000
    assert (open_shard(tmp_path / "a.bin") == tokens).all()


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda raw: b"\0\0\0\0" + raw[4:], "magic 20240520, found 0"),
        (lambda raw: raw[:4] + b"\2\0\0\0" + raw[8:], "version 1, found 2"),
        (lambda raw: raw[:-2], "found 1222 bytes"),
        (lambda raw: raw + b"\0", "found 1225 bytes"),
        (lambda raw: raw[:8] + b"\0\0\0\0" + raw[12:1024], "empty"),
        (lambda raw: raw[:100], "found a file of 100"),
    ],
)
def test_damaged_shards_name_file_expected_and_found(tmp_path: Path, damage, words: str) -> None:
    """Magic, version, length and emptiness are checked before a token is used."""
    path = tmp_path / "fineweb_val_000000.bin"
    write_shard(path, np.arange(100))
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(DataError, match=words) as caught:
        open_shard(path)
    assert str(path) in str(caught.value)


def test_ids_outside_the_vocabulary_or_uint16_are_refused(tmp_path: Path) -> None:
    """Another tokenizer's shard is recognised by its largest id."""
    write_shard(tmp_path / "fineweb_val_000000.bin", np.full(50, 1024))
    with pytest.raises(DataError, match="below 1024, found 1024"):
        load_validation([tmp_path / "fineweb_val_000000.bin"], 1024, 16)
    with pytest.raises(DataError, match="65536"):
        write_shard(tmp_path / "b.bin", np.array([70_000]))


def test_validation_keeps_whole_windows_and_ignores_sidecars(tmp_path: Path) -> None:
    """floor((N-1)/T)*T + 1 tokens are kept; sidecars never count as tokens; a missing or short split is an error."""
    write_shard(tmp_path / "fineweb_val_000000.bin", np.arange(60))
    write_shard(tmp_path / "fineweb_val_bytes_000000.bin", np.ones(60))
    assert [path.name for path in val_files(tmp_path)] == ["fineweb_val_000000.bin"]
    assert len(load_validation(val_files(tmp_path), 64, 16)) == 49
    assert len(load_sidecar(tmp_path, 49)) == 49
    with pytest.raises(DataError, match="at least 101"):
        load_validation(val_files(tmp_path), 64, 100)
    with pytest.raises(DataError, match="found none"):
        val_files(tmp_path / "empty")


def test_byte_table_equals_decoded_length_per_document(stdlib_corpus: Path) -> None:
    """The charged bytes of a document are the UTF-8 length of what its pieces decode to, spaces counted once."""
    tokenizer = load_tokenizer(stdlib_corpus / "tokenizers" / "tiny_512_bpe.model", 512)
    table = byte_table(tokenizer, 512)
    for text in [*stdlib_documents()[:20], "naïve café — 𝔘𝔫𝔦 \U0001f600 tabs\tand  spaces"]:
        ids = encode_documents(tokenizer, [text])
        charged = int(table.count(ids[:-1], ids[1:]).sum())
        assert charged == len(tokenizer.decode(ids.tolist()).encode("utf-8"))


def test_known_metric_bugs_would_be_seen(stdlib_corpus: Path) -> None:
    """Counting the space in the table too, or a byte piece as three, changes the total that the test above pins."""
    tokenizer = load_tokenizer(stdlib_corpus / "tokenizers" / "tiny_512_bpe.model", 512)
    table = byte_table(tokenizer, 512)
    ids = encode_documents(tokenizer, ["spaces here and an \U0001f600 there"])
    right = int(table.count(ids[:-1], ids[1:]).sum())
    assert right + int(table.lead_V[ids[1:]].sum()) > right
    byte_pieces = [token for token in ids.tolist() if tokenizer.is_byte(token)]
    assert byte_pieces and all(int(table.base_V[token]) == 1 for token in byte_pieces)


def test_tokenizer_mismatch_is_an_error(stdlib_corpus: Path, tmp_path: Path) -> None:
    """A tokenizer with more pieces than the model's vocabulary, or none at all, stops the run."""
    with pytest.raises(DataError, match="at most 256 pieces"):
        load_tokenizer(stdlib_corpus / "tokenizers" / "tiny_512_bpe.model", 256)
    with pytest.raises(DataError, match="found no file"):
        load_tokenizer(tmp_path / "no.model", 512)


CASE_TEXT = st.text(alphabet=st.one_of(st.sampled_from([*OPERATORS, *"aAbBzZ é1"]), st.characters(codec="utf-8")))


@settings(max_examples=150, deadline=None)
@given(CASE_TEXT)
def test_caseops_is_a_bijection_and_charges_original_bytes(text: str) -> None:
    """decode(encode(s)) == s for any text, operators included, and the sidecar sums to the original bytes."""
    encoded = caseops_encode(text)
    assert caseops_decode(encoded) == text
    cost = original_bytes(encoded)
    assert len(cost) == len(encoded) and sum(cost) == len(text.encode("utf-8"))


def test_caseops_words() -> None:
    """Title, ALLCAPS, mixed and escaped words take the operators of the specification."""
    assert caseops_encode("Hello USA iPhone A x\ue001") == ("\ue001hello \ue002usa i\ue003phone \ue001a x\ue004\ue001")


def test_caseops_sidecar_of_tokens_sums_to_the_document(tmp_path: Path, stdlib_corpus: Path) -> None:
    """With a tokenizer that reserves the operators, BOS is free and a document's entries sum to its bytes."""
    texts = [caseops_encode(text) for text in stdlib_documents()[:40]]
    train_tokenizer(texts, tmp_path / "case", 400, OPERATORS)
    tokenizer = load_tokenizer(tmp_path / "case.model", 400)
    for text in ("The USA and iPhone", " two  spaces, caf\u00e9 \U0001f600 and \ue001", stdlib_documents()[50]):
        sidecar = sidecar_of_tokens(tokenizer, text)
        assert sidecar[0] == 0 and int(sidecar.sum()) == len(text.encode())
        assert len(sidecar) == 1 + len(tokenizer.encode(caseops_encode(text)))
    with pytest.raises(DataError, match="lossless"):
        sidecar_of_tokens(load_tokenizer(stdlib_corpus / "tokenizers" / "tiny_512_bpe.model", 512), "two  spaces")


@pytest.mark.parametrize("kind", ["sequential", "shuffled", "coprime"])
def test_all_world_sizes_see_the_same_batches(toy_data: Path, tmp_path: Path, kind: str) -> None:
    """The union of what 1, 2, 4 and 8 ranks read in a step is the same set of sub-batches, in the same order."""
    config = toy_config(toy_data, tmp_path)
    config = _with_loader(config, kind)
    reference = None
    for world in (1, 2, 4, 8):
        loaders = [TrainLoader(config, rank, world) for rank in range(world)]
        steps = []
        for _ in range(3):
            parts = [loader.next() for loader in loaders]
            steps.append([parts[part % world][part // world] for part in range(8)])
        flat = [(x.tolist(), y.tolist()) for step in steps for x, y in step]
        reference = reference or flat
        assert flat == reference


@pytest.mark.parametrize("kind", ["shuffled", "coprime"])
def test_an_epoch_visits_every_block_once(toy_data: Path, tmp_path: Path, kind: str) -> None:
    """One pass of a virtual rank reads each of its blocks exactly once, and y is x shifted by one."""
    loader = TrainLoader(_with_loader(toy_config(toy_data, tmp_path), kind), 0, 1)
    blocks = loader._blocks_of(3).size
    rows = [loader.sub_batch(step, 3) for step in range(blocks // loader.rows)]
    seen = {tuple(x) for x_BT, _ in rows for x in x_BT.tolist()}
    assert len(seen) == len(rows) * loader.rows
    assert all((x[:, 1:] == y[:, :-1]).all() for x, y in rows)


def test_seed_changes_the_data_order_and_bad_worlds_are_refused(toy_data: Path, tmp_path: Path) -> None:
    """Two seeds read different first batches; a world size that does not divide 8 is an error."""
    import dataclasses

    config = toy_config(toy_data, tmp_path)
    other = dataclasses.replace(config, place=dataclasses.replace(config.place, seed=42))
    assert TrainLoader(config, 0, 1).next()[0][0].tolist() != TrainLoader(other, 0, 1).next()[0][0].tolist()
    with pytest.raises(ConfigError, match="world size 3 does not divide 8"):
        TrainLoader(config, 0, 3)


def test_training_never_opens_validation(tmp_path: Path) -> None:
    """A folder that holds validation shards only has no training data."""
    write_shard(tmp_path / "fineweb_val_000000.bin", toy_tokens(500, 1))
    with pytest.raises(DataError, match="fineweb_train"):
        TrainLoader(toy_config(tmp_path, tmp_path), 0, 1)


def test_corpus_split_keeps_all_text() -> None:
    """Cutting at blank lines loses nothing but the separators."""
    body = "\n\n".join(f"paragraph {i} " + "x" * 700 for i in range(9))
    assert "\n\n".join(_split(body)) == body


def _with_loader(config, kind: str):
    import dataclasses

    return dataclasses.replace(config, data=dataclasses.replace(config.data, loader=kind))
