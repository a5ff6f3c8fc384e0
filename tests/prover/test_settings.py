"""Settings go down only, and never to or from zero, off or empty."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("numpy")

from auditor.limits import ProverLimits
from auditor.prover.child.settings import Settings
from auditor.prover.job import Script, Shape, job_files, miniature
from auditor.prover.ladder import blamed_settings, leave_out
from auditor.prover.session import Session
from auditor.prover.table import TABLE

SETTINGS = Settings(list(TABLE), {"VOCAB_SIZE": "32", "DATA_PATH": "/box/data"})


def test_a_folder_of_the_authors_machine_is_left_out() -> None:
    """The error quotes a file below a folder that a log printed or a run command set."""
    values = {"ARTIFACT_DIR": "/root/runs/seed42", "TTT_ENABLED": "1"}
    script = Script("train_gpt.py", "", environment=values)
    session = Session(script, ProverLimits(), frozenset(), None, lambda text: None, 0.0)
    assert blamed_settings(session, "no such file: '/root/runs/seed42/model.ptz' at line '1'") == {"ARTIFACT_DIR"}


@given(st.sampled_from(["MODEL_DIM", "TTT_EPOCHS", "EVAL_STRIDE", "NGRAM_BUCKETS", "ITERATIONS", "XYZ"]), st.integers())
def test_numbers_never_rise_and_zero_stays(name: str, value: int) -> None:
    """Whatever the default is, what the script gets is no larger, positive stays positive, the rest stays."""
    lowered = SETTINGS.down(name, value)
    assert lowered <= value or lowered == value
    assert (lowered > 0) == (value > 0)
    assert value > 0 or lowered == value


def test_a_fraction_is_lowered_and_a_flag_of_its_name_is_not() -> None:
    """1 cannot come down to one half and stay a whole number."""
    assert [SETTINGS.down("EMA_DECAY", value) for value in (0.997, "0.997", 0.25, 0.0, 1)] == [0.5, "0.5", 0.25, 0.0, 1]


@pytest.mark.parametrize(
    ("vocabulary", "size", "small"),
    [("4096", 1 << 20, 256), ("4096", 1 << 24, 1024), ("1024", 1 << 26, 2048), (None, 1 << 20, 1024), ("4096", 97, 97)],
)
def test_a_table_that_may_hold_every_pair_of_tokens_still_does(vocabulary: str | None, size: int, small: int) -> None:
    """Exact counts of pairs stay exact; what folds pairs in the real run folds them here; unknown is not folded."""
    settings = Settings([], {"VOCAB_SIZE": "32"})
    if vocabulary is not None:
        settings.environment("VOCAB_SIZE", vocabulary)
    assert settings.hashes("ROWS", size) == small


def test_text_stays_text_and_flags_stay_flags() -> None:
    """A default written as text is answered with text; truth values are no numbers."""
    assert SETTINGS.environment("MODEL_DIM", "512") == "64"
    assert SETTINGS.environment("TTT_EPOCHS", "0") == "0"
    assert SETTINGS.environment("NUM_HEADS", True) is True
    assert SETTINGS.environment("RUN_ID", "") == ""


def test_the_miniature_dictates_vocabulary_and_paths() -> None:
    """The vocabulary is that of the miniature's tokenizer, as number or text as asked."""
    assert SETTINGS.environment("VOCAB_SIZE", 1024) == 32
    assert SETTINGS.environment("VOCAB_SIZE", "8192") == "32"
    assert SETTINGS.environment("DATA_PATH", "./data") == "/box/data"


def test_a_tokenizer_of_another_kind_is_not_dictated() -> None:
    """A file that the miniature's tokenizer cannot stand for stays named, so that its absence is what is reported."""
    settings = Settings([], {"TOKENIZER_PATH": "/box/tokenizer.model"})
    assert settings.environment("TOKENIZER_PATH", "./data/own_250.json") == "./data/own_250.json"
    assert settings.environment("TOKENIZER_PATH", "./data/fineweb_1024_bpe.model") == "/box/tokenizer.model"
    assert settings.environment("TOKENIZER_PATH", "") == "/box/tokenizer.model"


def test_the_rank_of_a_matrix_is_no_rank_of_a_process() -> None:
    """What the launcher sets to zero sets no constant or parameter of that name to zero: adapters would be gone."""
    settings = Settings(list(TABLE), {"RANK": "0", "WORLD_SIZE": "1", "VOCAB_SIZE": "32"})
    assert settings.down("RANK", 8) == 8
    assert settings.down("WORLD_SIZE", 8) == 1 and settings.down("VOCAB_SIZE", 8192) == 32
    assert settings.environment("RANK", "0") == "0"


def test_what_was_lowered_is_reported() -> None:
    """The report names every lowered setting with both values."""
    settings = Settings(list(TABLE), {})
    settings.environment("ITERATIONS", "20000")
    settings.environment("SEED", "1337")
    assert settings.lowered == {"ITERATIONS": ("20000", "3")}


def test_a_token_behind_the_vocabulary_comes_down_with_it() -> None:
    """The mask token of a vocabulary of 1024 is number 32 where the vocabulary has 32; the first ids stay."""
    mini = miniature(Shape("small"), 256, 1)
    files, _ = job_files(Script("train_gpt.py", ""), mini, (), 1.0, 1)
    settings = Settings([(p, c) for p, c in json.loads(files["job.json"])["table"]], {})
    assert settings.environment("MASK_TOKEN_ID", "1024") == str(mini.tokenizer.vocab)
    assert settings.environment("BOS_TOKEN_ID", "1") == "1"


def test_only_the_setting_that_the_error_quotes_is_left_out() -> None:
    """A path torn from a log's line goes, the other deduced settings stay; given ones are never left out."""
    values = {"EVAL_ONLY": "loading", "TTT_ENABLED": "1", "RUN_ID": "loading"}
    script = Script("train_gpt.py", "", environment=values, doubtful=(frozenset({"EVAL_ONLY", "TTT_ENABLED"}),))
    session = Session(script, ProverLimits(), frozenset(), None, lambda text: None, 0.0)
    assert blamed_settings(session, "FileNotFoundError: no such file: 'loading' at line '1'") == {"EVAL_ONLY"}
    assert blamed_settings(session, "FileNotFoundError: no such file: '/root/loading/model.pt'") == frozenset()
    leave_out(session, frozenset({"EVAL_ONLY"}))
    assert session.script.environment == {"TTT_ENABLED": "1", "RUN_ID": "loading"}
    assert session.left_out == ("EVAL_ONLY",)
