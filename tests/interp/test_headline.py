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


THREE = """
first = measure(net)
print(f"final_int8_zlib_roundtrip_exact val_loss:{first:.8f} val_bpb:{first / math.log(2.0) * 0.4:.8f}")
ADAPT = int(os.environ.get("CHUNK_TTT", "0"))
def adapted(net):
    for i in range(chunks):
        descend(net, opt, *rows(val, i))
    return measure(net)
if ADAPT:
    third = adapted(net)
    print(f"chunk_ttt val_bpb:{third / math.log(2.0) * 0.4:.8f}")
second = measure(net)
print(f"final_sliding_window val_bpb:{second / math.log(2.0) * 0.4:.8f}")
"""


def printed_at(files: dict[str, str]) -> tuple[str, bool]:
    """Return (text of the line that prints the headline, whether it was singled out)."""
    source = MODEL + SCORE + textwrap.dedent(THREE)
    found = analysed(source, files).headline
    assert found is not None
    assert found.printed is not None
    return source.split("\n")[found.printed.line - 1], found.certain


def test_a_log_of_another_version_names_the_print_that_is_nearly_its_line() -> None:
    """One word differs; all other prints differ in more."""
    log = log_text(42, bpb=1.05, name="final_int8_zstd_roundtrip_exact")
    line, certain = printed_at({"train_seed42.log": log, "submission.json": manifest(val_bpb=1.05)})
    assert certain
    assert "roundtrip_exact" in line


def test_the_readmes_column_names_the_metric_where_no_log_does() -> None:
    """The claimed number stands in the column of the round trip, not of the last metric that is printed."""
    table = "| Seed | Roundtrip BPB | Sliding BPB |\n|---|---|---|\n| **Mean** | 1.0500 | 1.0300 |\n"
    line, certain = printed_at({"README.md": table, "submission.json": manifest(val_bpb=1.05)})
    assert certain
    assert "roundtrip" in line


def test_a_switch_that_the_readme_names_beside_the_number_is_on() -> None:
    """No log and no command says how the run was started; the author calls the number by the switch."""
    text = "Chunk TTT val_bpb 1.0500, which is better than without.\n"
    line, certain = printed_at({"README.md": text, "submission.json": manifest(val_bpb=1.05)})
    assert certain
    assert "chunk_ttt" in line


def test_what_the_readme_denies_beside_the_number_is_not_switched_on() -> None:
    """A word after "no" is the opposite of a name."""
    text = "Sliding window, no chunk TTT: val_bpb 1.0500\n"
    line, _ = printed_at({"README.md": text, "submission.json": manifest(val_bpb=1.05)})
    assert "final_sliding_window" in line


def test_the_command_stands_where_the_log_is_of_another_run() -> None:
    """The claimed number is in no log, and the logged run was started with another value than the stated one."""
    command = "```bash\nCHUNK_TTT=0 torchrun --nproc_per_node=8 train_gpt.py\n```\n"
    log = log_text(42, bpb=0.95, name="chunk_ttt", settings="chunk_ttt: 1")
    files = {"README.md": command, "train_seed42.log": log, "submission.json": manifest(val_bpb=1.05)}
    assert "final_sliding_window" in printed_at(files)[0]


def test_a_command_that_launches_the_script_under_an_earlier_name_counts() -> None:
    """The file was renamed after the run; the submission states no other command."""
    command = "```bash\nCHUNK_TTT=1 torchrun --nproc_per_node=8 train_old.py\n```\n"
    source = MODEL + SCORE + textwrap.dedent(THREE)
    found = analysed(source, {"README.md": command})
    assert found.declared["CHUNK_TTT"].value == "1"


def test_a_column_names_the_metric_before_a_heading_does() -> None:
    """The heading lists everything that was done; the number stands in one column."""
    text = "# Full roundtrip, sliding window: val_bpb 1.0500\n\n"
    table = "| Seed | Sliding BPB |\n|---|---|\n| **Mean** | 1.0500 |\n"
    line, certain = printed_at({"README.md": text + table, "submission.json": manifest(val_bpb=1.05)})
    assert certain
    assert "final_sliding_window" in line
