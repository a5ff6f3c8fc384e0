"""Claims: submission.json in its wild shapes, READMEs, and the run commands that they state."""

from __future__ import annotations

import pytest

from auditor.intake.commands import run_commands
from auditor.intake.manifest import claim_of, number, read_manifest
from auditor.intake.readme import claim_in_text, denials, seed_table
from auditor.limits import CommandLimits
from tests.measure.folders import folder, renamed


@pytest.mark.parametrize(
    ("text", "bpb"),
    [
        ('{"val_bpb": 1.0784}', 1.0784),
        ('{"val_bpb": "1.0784"}', 1.0784),
        ('{"val_bpb": null, "mean_val_bpb": 1.0784}', 1.0784),
        ('{"val_bpb": {"mean": 1.0784, "std": 0.001}}', 1.0784),
        ('{"results": {"val_bpb": 1.0784}}', 1.0784),
        ('{"val_bpb": null}', None),
        ('{"val_bpb": 0}', None),
        ('{"val_bpb": -1}', None),
        ('{"val_bpb": "TBD"}', None),
        ('{"val_bpb": true}', None),
        ('{"val_bpb": NaN}', None),
        ('{"val_bpb": ' + "9" * 400 + "}", None),
        ('{"val_bpb": "' + "9" * 400 + '"}', None),
        ('{"val_bpb": 1.0784, "bytes_total": 1e999, "seeds": {"42": 1e999}}', 1.0784),
        ("[1, 2]", None),
        ('{"name": "x"}', None),
        ('{"val_bpb": 1.0784,}', 1.0784),
        ('{"val_bpb": 1.0784} {"second": 1}', 1.0784),
        ('{"val_bpb": 1.0784, "name": "unterminated', 1.0784),
        ('{\n "val_bpb": 1.0784,\n "note": "a" "b"\n}', 1.0784),
        ("", None),
        ('cat > submission.json <<EOF\n{"val_bpb": 1.0784}\nEOF\n', 1.0784),
        ("{" * 5000, None),
    ],
)
def test_claims_of_every_shape(text: str, bpb: float | None) -> None:
    """Numbers are found under their other names and shapes; placeholders are no claim; invalid JSON never crashes."""
    claim = claim_of(read_manifest(folder({"submission.json": text})))
    assert claim.bpb == bpb
    assert bpb is not None or claim.problem


def test_invalid_json_is_reported_although_it_is_read() -> None:
    """The lenient second parse does not hide that the file is invalid."""
    manifest = read_manifest(folder({"submission.json": '{"val_bpb": 1.0784,}'}))
    assert manifest.problem.startswith("not valid JSON")


@pytest.mark.parametrize(
    ("value", "expected"), [("15,998,290", 15998290.0), ("~15.9MB", None), ("pending", None), (True, None), (3, 3.0)]
)
def test_numbers_as_text(value: object, expected: float | None) -> None:
    """Thousands separators are read; sizes in words are unknown."""
    assert number(value) == expected


@pytest.mark.parametrize(
    "text",
    [
        '{"seed_results": {"42": {"val_bpb": 1.07}, "7": {"val_bpb": 1.08}}}',
        '{"seeds": {"42": 1.07, "7": 1.08}}',
        '{"seed_results": [{"seed": 42, "bpb": 1.07}, {"seed": 7, "bpb": 1.08}]}',
        '{"seed_42": {"val_bpb": 1.07}, "seed_7": {"val_bpb": 1.08}}',
    ],
)
def test_seeds_of_every_shape(text: str) -> None:
    """Per-seed results are read from dictionaries, lists and top-level keys."""
    assert read_manifest(folder({"submission.json": text})).seeds == {42: 1.07, 7: 1.08}


def test_text_claims_serve_where_the_manifest_has_none() -> None:
    """The README's statement comes before the folder's name."""
    with_readme = folder({"README.md": "# T\n\n**val_bpb = 1.0811** (mean)\n"}, name="2026-04-01_X_1.0999")
    found = claim_in_text(with_readme)
    assert found is not None and (found.bpb, found.line) == (1.0811, 3)
    bare = claim_in_text(renamed(folder({"README.md": "nothing"}), "2026-04-01_X_1.0999"))
    assert bare is not None and (bare.bpb, bare.source) == (1.0999, "folder name")


def test_seed_rows_of_tables() -> None:
    """Rows whose first cell is a seed give the decimals of the row; the mean's row gives none."""
    text = "| Seed | BPB | Bytes |\n|---|---|---|\n| 42 | **1.0772** | 15,990,780 |\n| **Mean** | 1.0778 | |\n"
    (row,) = seed_table(folder({"README.md": text}))
    assert (row.seed, row.values, row.line) == (42, (1.0772,), 3)


def test_denials_are_features_and_not_words() -> None:
    """Only known features behind a "no" are denials."""
    text = "No SLOT, no pre-quant TTT and no n-gram cache. No problem, no validation data."
    assert {item.feature for item in denials(folder({"README.md": text}))} == {"SLOT", "pre-quant TTT", "n-gram cache"}


def _commands(text: str, name: str = "README.md") -> list[tuple[dict[str, str], str | None, int]]:
    found = run_commands(folder({name: text}), CommandLimits())
    return [(command.env, command.script, command.line) for command in found]


def test_a_continued_command_with_assignments() -> None:
    """Assignments in front of the launch, over continued lines, are its environment."""
    text = "Run:\n```bash\nSEED=42 TTT_ENABLED=1 \\\n  LR=0.1 \\\n  torchrun --nproc_per_node=8 train_gpt.py\n```\n"
    assert _commands(text) == [({"SEED": "42", "TTT_ENABLED": "1", "LR": "0.1"}, "train_gpt.py", 3)]


def test_a_launch_in_a_sentence() -> None:
    """A command between single backticks counts after the fenced ones; other quoted words are none."""
    text = "Run `A_STEPS=1 torchrun train_gpt.py` or `python`.\n```\nB_STEPS=2 python train_gpt.py\n```\n"
    expected = [({"B_STEPS": "2"}, "train_gpt.py", 3), ({"A_STEPS": "1"}, "train_gpt.py", 1)]
    assert _commands(text) == expected
    assert _commands("The file `train_gpt.py` reads `A_STEPS=1` and `python` runs it.") == []


def test_settings_after_the_launcher() -> None:
    """Settings that stand between the launcher and the script are meant as its environment; options are not."""
    text = "```\ntorchrun --nproc_per_node=8 A_STEPS=1 \\\n  B_LR=.5 train_gpt.py C_ARG=2\n```\n"
    assert _commands(text) == [({"A_STEPS": "1", "B_LR": ".5"}, "train_gpt.py", 2)]


def test_exports_and_loops() -> None:
    """Exports hold for what follows; an unresolved variable is left out, a default is taken."""
    text = "#!/bin/sh\nexport A=1 B=${B:-2}\nfor seed in 1 2; do\n  SEED=$seed env C=3 torchrun train_gpt.py\ndone\n"
    assert _commands(text, "run.sh") == [({"A": "1", "B": "2", "C": "3"}, "train_gpt.py", 4)]


def test_blocks_of_settings_alone() -> None:
    """A block with assignments and no launch states settings; one of another language does not."""
    assert _commands("```\nA_ENABLED=1\nB_STEPS=3\n```\n") == [({"A_ENABLED": "1", "B_STEPS": "3"}, None, 2)]
    assert _commands("```python\nA=1\nB=2\n```\n") == []


@pytest.mark.parametrize("text", ["```\n", "```\nA='unclosed torchrun x.py\n```", "\\\n" * 500, "```\n" * 999])
def test_broken_blocks_are_harmless(text: str) -> None:
    """Unclosed fences and quotes give nothing and no error."""
    assert all(script is None or script.endswith(".py") for _, script, _ in _commands(text))
