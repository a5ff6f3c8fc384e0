"""Which print carries the claimed number."""

from __future__ import annotations

import textwrap

from tests.interp.scripts import MODEL, SCORE, analysed
from tests.measure.folders import log_text, manifest

TWO_PRINTS = """
first = measure(net)
print(f"pre-quantization post-ema val_loss:{first:.8f} val_bpb:{first / math.log(2.0) * 0.4:.8f} eval_time:{1:.0f}ms")
def measure_twice(net):
    return measure(net)
second = measure_twice(net)
print(f"quantized_ttt val_loss:{second:.8f} val_bpb:{second / math.log(2.0) * 0.4:.8f} eval_time:{2:.0f}ms")
third = measure(net)
print(f"extra val_bpb:{third / math.log(2.0) * 0.4:.8f}")
"""


def test_the_logged_line_of_the_claim_determines_the_print() -> None:
    """The claimed value is on a line that one print call can have written, and that is not the last one."""
    files = {"train_seed42.log": log_text(42, bpb=1.05), "submission.json": manifest(val_bpb=1.05)}
    source = MODEL + SCORE + textwrap.dedent(TWO_PRINTS)
    found = analysed(source, files).headline
    assert found is not None
    assert found.certain
    assert found.log == "train_seed42.log"
    assert found.printed is not None
    assert "quantized_ttt" in source.split("\n")[found.printed.line - 1]


def test_without_logs_the_last_metric_is_taken_as_a_guess() -> None:
    """A guess is marked as one."""
    source = MODEL + SCORE + textwrap.dedent(TWO_PRINTS)
    found = analysed(source).headline
    assert found is not None
    assert not found.certain
    assert found.printed is not None
    assert "extra val_bpb" in source.split("\n")[found.printed.line - 1]
