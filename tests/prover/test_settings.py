"""Settings go down only, and never to or from zero, off or empty."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from auditor.prover.child.settings import Settings
from auditor.prover.table import TABLE

SETTINGS = Settings(list(TABLE), {"VOCAB_SIZE": "32", "DATA_PATH": "/box/data"})


@given(st.sampled_from(["MODEL_DIM", "TTT_EPOCHS", "EVAL_STRIDE", "NGRAM_BUCKETS", "ITERATIONS", "XYZ"]), st.integers())
def test_numbers_never_rise_and_zero_stays(name: str, value: int) -> None:
    """Whatever the default is, what the script gets is no larger, positive stays positive, the rest stays."""
    lowered = SETTINGS.down(name, value)
    assert lowered <= value or lowered == value
    assert (lowered > 0) == (value > 0)
    assert value > 0 or lowered == value


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


def test_what_was_lowered_is_reported() -> None:
    """The report names every lowered setting with both values."""
    settings = Settings(list(TABLE), {})
    settings.environment("ITERATIONS", "20000")
    settings.environment("SEED", "1337")
    assert settings.lowered == {"ITERATIONS": ("20000", "3")}
