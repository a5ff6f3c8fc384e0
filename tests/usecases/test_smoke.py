"""`smoke`: outcomes, reasons and facts for whole scripts; what needs no torch is decided without it."""

from __future__ import annotations

import base64
import importlib.util
import math
import zlib
from dataclasses import replace
from pathlib import Path

import pytest

from auditor.errors import IntakeError, SandboxUnavailable
from auditor.model.smoke import SmokeLevel, SmokeOutcome, SmokeReport
from auditor.sandbox import runtime as runtime_module
from auditor.usecases.smoke import SmokeOptions, smoke

needs_torch = [
    pytest.mark.torch,
    pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="torch is not installed"),
]
MODEL = """
import os
import torch
import torch.nn as nn
import torch.nn.functional as F
from flash_attn_interface import flash_attn_func
class Hyperparameters:
    model_dim = int(os.environ.get("MODEL_DIM", 32))
    num_layers = 2
    vocab_size = 96
class Layer(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.qkv, self.out = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
    def forward(self, x):
        q, k, v = self.qkv(x).view(*x.shape[:2], 3, 4, -1).unbind(2)
        return x + self.out(flash_attn_func(q, k[:, :, :2], v[:, :, :2], causal=True).flatten(2))
class GPT(nn.Module):
    def __init__(self, vocab, dim, layers):
        super().__init__()
        self.embed = nn.Embedding(vocab, dim)
        self.layers = nn.ModuleList(Layer(dim) for _ in range(layers))
        nn.init.normal_(self.embed.weight, std=0.02)
    def forward(self, x, y):
        h = self.embed(x)
        for layer in self.layers:
            h = layer(h)
        return F.cross_entropy((h @ self.embed.weight.T).flatten(0, 1), y.flatten())
@torch.compile(fullgraph=True)
def update(x):
    return x
def main():
    args, width = Hyperparameters(), None
    width, depth = args.model_dim, args.num_layers
    model = GPT(args.vocab_size, width, layers=depth).to("cuda")
    raise SystemExit("not reached")
if __name__ == "__main__":
    main()
"""


def shim(source: str) -> str:
    """Pack a script the way shims do."""
    data = base64.b85encode(zlib.compress(source.encode())).decode()
    return f'import base64, zlib\nexec(zlib.decompress(base64.b85decode("{data}")))\n'


def check(tmp_path: Path, source: str, level: SmokeLevel = SmokeLevel.PARSE) -> SmokeReport:
    """Smoke-test one script."""
    path = tmp_path / "train_gpt.py"
    path.write_text(source)
    (report,) = smoke(path, SmokeOptions(level=level))
    return report


def test_parse_level_needs_no_torch(tmp_path: Path, monkeypatch) -> None:
    """The parse level starts nothing and still gives the static facts."""
    monkeypatch.setattr(runtime_module, "describe", lambda *a: pytest.fail("started an interpreter"))
    report = check(tmp_path, MODEL)
    facts = report.facts
    assert report.judgement.outcome is SmokeOutcome.PASS
    assert (facts.dim, facts.layers, facts.vocab, facts.code_bytes) == (32, 2, 96, len(MODEL))
    assert facts.sandbox is None and report.notes == ()


def test_facts_come_from_the_decoded_source(tmp_path: Path) -> None:
    """Of a shim the payload's settings and the shipped bytes are reported."""
    packed = shim(MODEL)
    facts = check(tmp_path, packed).facts
    assert (facts.dim, facts.code_bytes) == (32, len(packed))


@pytest.mark.parametrize("source", ["", "\n\n", "# nothing\n", '"""Only a docstring."""\n'])
def test_empty_script_fails(tmp_path: Path, source: str) -> None:
    """A script without a statement parses and imports everywhere, and is still no submission."""
    judgement = check(tmp_path, source).judgement
    assert judgement.outcome is SmokeOutcome.FAIL and "no code" in judgement.reason


def test_unparseable_script_fails(tmp_path: Path) -> None:
    """What no Python parses fails without being run."""
    report = check(tmp_path, "x = 1\ny = = 2\n", SmokeLevel.IMPORT)
    assert report.judgement.outcome is SmokeOutcome.FAIL and report.facts.sandbox is None


@pytest.mark.parametrize(
    ("source", "note"),
    [
        ("def main():\n    pass\n", "never calls it"),
        ("print('training')\n", "no main guard"),
        ("if __name__ == '__main__':\n    pass\n", None),
        ("def main(): pass\nif __name__ == '__main__':\n    main()\n", None),
    ],
)
def test_entry_point_is_noted(tmp_path: Path, source: str, note: str | None) -> None:
    """A main() that nothing calls, or a script that runs when imported, is said; an ordinary guard is not."""
    notes = check(tmp_path, source).notes
    assert (note is None and notes == ()) or (note is not None and any(note in text for text in notes))


def test_unreadable_path_is_an_error(tmp_path: Path) -> None:
    """A path that cannot be read is an intake error."""
    with pytest.raises(IntakeError):
        smoke(tmp_path / "missing.py")


def test_missing_torch_names_the_extra(tmp_path: Path, monkeypatch) -> None:
    """An interpreter without torch is no verdict about the script: the error says what to install."""
    bare = replace(runtime_module.describe(), site=())
    monkeypatch.setattr(runtime_module, "describe", lambda *a: bare)
    with pytest.raises(SandboxUnavailable, match=r"pgolf\[torch\].*--level parse"):
        check(tmp_path, MODEL, SmokeLevel.IMPORT)


class TestWithTorch:
    """Whole runs; each starts one interpreter that imports torch."""

    pytestmark = needs_torch

    def test_forward(self, tmp_path: Path) -> None:
        """The model is built by the script's own call, counted, and its first loss is that of a uniform guess."""
        report = check(tmp_path, MODEL, SmokeLevel.FORWARD)
        facts = report.facts
        assert report.judgement.outcome is SmokeOutcome.PASS, report
        assert facts.parameters == 96 * 32 + 2 * (3 * 32 * 32 + 3 * 32 + 32 * 32 + 32)
        assert facts.loss is not None and abs(facts.loss - math.log(96)) < 0.2
        assert facts.stubs == ("flash_attn_interface",) and facts.tried == ()
        assert facts.peak_bytes is not None and 100e6 < facts.peak_bytes < 1.5e9
        assert facts.sandbox is not None and "seccomp" in facts.sandbox

    def test_defect_in_a_shim_names_the_decoded_line(self, tmp_path: Path) -> None:
        """A defect is placed in the decoded source, and the shim as shipped is judged on its own."""
        report = check(tmp_path, shim("import torch\nX = 1\nY = undefined_name\n"), SmokeLevel.IMPORT)
        judgement = report.judgement
        assert judgement.outcome is SmokeOutcome.FAIL and "undefined_name" in judgement.exception
        assert judgement.location is not None and (judgement.location.layer, judgement.location.line) == (1, 3)
        assert report.source_line == "Y = undefined_name"
        assert report.shipped is not None and report.shipped.outcome is SmokeOutcome.FAIL

    def test_demanded_variables_are_supplied_and_named(self, tmp_path: Path) -> None:
        """What a run command would set is set to a stand-in, a launcher's rank to a number, and the report says so."""
        source = (
            "import os\nRANK = int(os.environ['RANK'])\nif not os.environ.get('DATA_PATH'):\n"
            "    raise RuntimeError('DATA_PATH env var required')\nassert RANK == 0\n"
        )
        report = check(tmp_path, source, SmokeLevel.IMPORT)
        assert report.judgement.outcome is SmokeOutcome.PASS, report
        assert any("RANK, DATA_PATH set to a stand-in" in note for note in report.notes)

    def test_gpu_at_import_is_inconclusive(self, tmp_path: Path) -> None:
        """A script that needs a GPU to be imported is not at fault here; torch sees no stand-in."""
        source = (
            "import triton, torch, torch._dynamo, torch.utils.flop_counter\n"
            "assert not torch.utils._triton.has_triton_package()\ntorch.zeros(1, device='cuda')\n"
        )
        report = check(tmp_path, source, SmokeLevel.IMPORT)
        assert report.judgement.outcome is SmokeOutcome.INCONCLUSIVE
        assert "needs a GPU" in report.judgement.reason, report
        assert report.facts.stubs == ("triton",)
