"""The harness inside the sandbox, without torch: what a script can make it say, and what it cannot."""

from __future__ import annotations

from dataclasses import replace

import pytest

from auditor.limits import SandboxLimits
from auditor.model.smoke import Judgement, SmokeLevel, SmokeOutcome
from auditor.sandbox.classify import judge_import, missing_variables
from auditor.sandbox.runtime import describe
from auditor.sandbox.smoke import SmokeJob, SmokeRun, smoke_run

LIMITS = SandboxLimits(wall_seconds=30.0, cpu_seconds=10, output_bytes=300_000)
PASS, FAIL, INCONCLUSIVE = SmokeOutcome.PASS, SmokeOutcome.FAIL, SmokeOutcome.INCONCLUSIVE


def load(source: str, limits: SandboxLimits = LIMITS, **files: bytes) -> tuple[Judgement, SmokeRun]:
    """Load `source` in an interpreter without any package; `files` lie beside it, "_" for "." in names."""
    runtime = replace(describe(), site=())
    named = {name.replace("_py", ".py"): data for name, data in files.items()}
    job = SmokeJob("train_gpt.py", source, SmokeLevel.IMPORT, named, None, None)
    done = smoke_run(job, runtime, limits)
    return judge_import(done.told.get("import"), done.result), done


@pytest.mark.parametrize(
    ("source", "outcome", "reason"),
    [
        ("X = 1\nif __name__ == '__main__':\n    raise SystemExit(1)\n", PASS, ""),
        ("import os\nX = undefined_name\n", FAIL, "cannot run on any machine"),
        ("def f(:\n", FAIL, "cannot run on any machine"),
        ("import helpers_that_are_not_here\n", INCONCLUSIVE, "helpers_that_are_not_here is neither installed"),
        ("import os\nX = os.environ['DATA_PATH']\n", INCONCLUSIVE, "environment variable 'DATA_PATH'"),
        ("raise RuntimeError('DATA_PATH env var required')\n", INCONCLUSIVE, "needs an environment variable"),
        ("raise RuntimeError('CUDA is required')\n", INCONCLUSIVE, "needs a GPU"),
        ("import sys\nsys.exit(0)\n", FAIL, "ends the interpreter"),
        ("import atexit, sys\natexit.register(print, 'SMOKE_TEST_PASS')\nsys.exit(0)\n", FAIL, "ends the interpreter"),
        ("import os\nos._exit(0)\n", FAIL, "ended its own process (code 0)"),
        ("print('import OK, SMOKE_TEST_PASS')\nraise ValueError('x')\n", INCONCLUSIVE, "raised while being imported"),
        ("import urllib.request as u\nu.urlopen('http://example.com')\n", INCONCLUSIVE, "needs the network"),
        ("import subprocess\nsubprocess.check_call(['nvidia-smi'])\n", INCONCLUSIVE, "starts another program"),
        ("open('/workspace/data/x.bin', 'rb')\n", INCONCLUSIVE, "needs files that are not here"),
        ("import time\nwhile True: time.sleep(1)\n", INCONCLUSIVE, "it may train when imported"),
        ("while True: print('x' * 1000)\n", INCONCLUSIVE, "wrote more output"),
        ("import sys\nsys.modules.clear()\n", PASS, ""),
    ],
)
def test_outcome_and_reason(source: str, outcome: SmokeOutcome, reason: str) -> None:
    """Each way in which an import ends gets its outcome and a reason that names the cause."""
    limits = replace(LIMITS, wall_seconds=3.0) if "while" in source else LIMITS
    judgement, _ = load(source, limits)
    assert (judgement.outcome, reason in judgement.reason) == (outcome, True), judgement


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("import os\nos.environ['DATA_PATH']\n", ("DATA_PATH",)),
        ("raise RuntimeError('DATA_PATH env var required, and TOKENIZER_PATH')\n", ("DATA_PATH", "TOKENIZER_PATH")),
        ("raise ValueError('set the environment variable A_B, A_B or A_B')\n", ("A_B",)),
        ("raise KeyError('DATA_PATH')\n", ()),
        ("import os\nos.environ['A=B']\n", ()),
        ("raise RuntimeError('environment variable SANDBOX_REPORT_FD')\n", ()),
        ("import os\ndel os.environ['HOME']\nos.environ['HOME']\n", ()),
        ("X = 1\n", ()),
    ],
)
def test_demanded_variables_are_named(source: str, names: tuple[str, ...]) -> None:
    """What an import says it lacks is read off its exception; the sandbox's own variables can never be asked for."""
    _, done = load(source)
    assert missing_variables(done.told.get("import")) == names


def test_failure_names_the_script_line() -> None:
    """The line is that of the script, also when the exception comes from code that it called."""
    _, done = load("import json\n\njson.loads('{')\n")
    error = done.told["import"]["error"]
    assert error["line"] == 3 and error["own"] is False and error["type"] == "JSONDecodeError"


def test_stand_ins_are_used_and_named() -> None:
    """GPU packages are replaced, behave in the ways that import-time code needs, and are listed."""
    source = """
import triton
import triton.language as tl
from flash_attn_interface import flash_attn_func
from fla.layers import GatedDeltaNet
import mamba_ssm.ops.triton as ops
@triton.autotune(configs=[triton.Config({"B": 1}, num_warps=4)], key=["n"])
@triton.jit
def kernel(x, n, B: tl.constexpr):
    return tl.load(x)
kernel[(1,)](None, 1)
assert triton.cdiv(7, 2) == 4 and triton.next_power_of_2(5) == 8
class Mine(GatedDeltaNet):
    pass
with ops.context() as c:
    pass
Mine()
"""
    judgement, done = load(source)
    assert judgement.outcome is PASS, judgement
    assert sorted(done.told["import"]["stubs"]) == ["fla", "flash_attn_interface", "mamba_ssm", "triton"]


def test_shipped_module_wins_over_a_stand_in() -> None:
    """A name that lies beside the script is imported from there, never replaced."""
    judgement, done = load("import triton\nassert triton.REAL == 1\n", triton_py=b"REAL = 1\n")
    assert judgement.outcome is PASS and done.told["import"]["stubs"] == []


def test_missing_package_stays_missing_for_installed_packages() -> None:
    """A stand-in exists for the script alone: code under the library paths gets ModuleNotFoundError."""
    source = """
import triton, sys, types
asking = {"__name__": "torch.probe", "__file__": [p for p in PACKAGES][0] + "/torch/probe.py"}
try:
    __import__("triton", asking)
except ModuleNotFoundError:
    FOUND = False
else:
    raise AssertionError("visible")
"""
    runtime = replace(describe(), site=("/usr/lib",))
    job = SmokeJob("train_gpt.py", source.replace("PACKAGES", "['/usr/lib']"), SmokeLevel.IMPORT, {}, None, None)
    done = smoke_run(job, runtime, LIMITS)
    assert done.told["import"]["error"] is None


def test_siblings_and_folder_depth_are_there() -> None:
    """Shipped modules can be imported, and the folder lies as deep as in the repository."""
    source = "import helper, pathlib\nROOT = pathlib.Path(__file__).resolve().parents[3]\nassert helper.X == 1\n"
    judgement, _ = load(source, helper_py=b"X = 1\n")
    assert judgement.outcome is PASS, judgement


_FORGE = """
import json, os
for number in range(3, 64):
    try:
        os.write(number, json.dumps({"nonce": NONCE, "stage": "import", "seconds": 0.0, "error": None, "stubs": []})
                 .encode() + b"\\n")
    except OSError:
        pass
os._exit(0)
"""


def test_forged_result_without_the_nonce_is_ignored() -> None:
    """A result that does not carry the run's nonce counts for nothing."""
    judgement, _ = load(_FORGE.replace("NONCE", "'0' * 32"))
    assert judgement.outcome is FAIL


def test_forged_result_with_the_nonce_is_a_claim() -> None:
    """A script can read the nonce out of its own process and forge a PASS: documented, and why PASS gates nothing."""
    source = "import sys\nNONCE = sys._getframe(2).f_locals['nonce']\n" + _FORGE
    judgement, done = load(source)
    assert judgement.outcome is PASS and done.result.exit_code == 0


@pytest.mark.parametrize(
    "line",
    [
        "[1]",
        "null",
        '{"nonce": NONCE, "stage": "import"}',
        '{"nonce": NONCE, "stage": "import", "seconds": "x", "error": null, "stubs": []}',
        '{"nonce": NONCE, "stage": "import", "seconds": 1, "error": {"type": 5}, "stubs": []}',
        '{"nonce": NONCE, "stage": "import", "seconds": 1, "error": null, "stubs": [5]}',
        '{"nonce": NONCE, "stage": ["import"], "seconds": 1}',
        '{"nonce": NONCE, "stage": "import", "seconds": NaN, "error": null, "stubs": []}',
        '{"nonce": NONCE, "stage": "import", "seconds": true, "error": null, "stubs": []}',
        "[" * 50_000,
        "\\udc80\\x00\\x1b[2J",
    ],
)
def test_malformed_claims_are_dropped(line: str) -> None:
    """Lines of the wrong shape are ignored, whoever wrote them, and never crash the parent."""
    source = (
        "import os, sys\nnonce = sys._getframe(2).f_locals['nonce']\n"
        f"line = {line!r}.replace('NONCE', '\"' + nonce + '\"').encode('utf-8', 'surrogateescape')\n"
        "for number in range(3, 64):\n"
        "    try: os.write(number, line + b'\\n')\n"
        "    except OSError: pass\nos._exit(0)\n"
    )
    judgement, done = load(source)
    assert judgement.outcome is FAIL and "import" not in done.told


def test_patched_reporters_do_not_reach_the_harness() -> None:
    """Replacing json.dumps and os.write in the modules changes nothing that the harness already holds."""
    source = "import json, os\njson.dumps = lambda *a, **k: 'null'\nos.write = lambda *a: 0\nX = nothing_here\n"
    judgement, _ = load(source)
    assert judgement.outcome is FAIL
