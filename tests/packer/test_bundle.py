"""A package becomes one script that does the same."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from auditor.errors import FrontendError, PgolfError
from auditor.limits import PackLimits
from auditor.packer.bundle import bundle

PACKAGE = {
    "__init__.py": '"""A package."""\n',
    "config.py": "from __future__ import annotations\nfrom dataclasses import dataclass\n"
    "@dataclass\nclass Config:\n    width: int = 3\nSCALE = 2\n",
    "ops/__init__.py": "from .kernels import double as twice\n",
    "ops/kernels.py": "from ..config import SCALE\ndef helper(x):\n    return x * SCALE\n"
    "def double(x):\n    return helper(x)\n",
    "report.py": "import math\ndef helper(text):\n    return f'<{text}>'\ndef show(x):\n"
    "    print(helper(math.floor(x)))\nif __name__ == '__main__':\n    show(0)\n",
    "train.py": "import math\nfrom . import report\n"
    "from .config import Config, SCALE as factor\nfrom .ops import twice\n"
    "from demo.ops import kernels as k\n"
    "def main():\n    from .report import show\n    helper = 5\n"
    "    show(twice(Config().width) + math.pi)\n"
    "    report.show(factor + helper + k.helper(1))\n"
    "if __name__ == '__main__':\n    main()\n",
}


def _package(folder: Path, **changes: str) -> Path:
    for name, text in {**PACKAGE, **changes}.items():
        target = folder / "demo" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    return folder / "demo"


def _run(folder: Path, *command: str) -> str:
    done = subprocess.run(
        [sys.executable, *command], cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_bundled_script_prints_what_the_package_prints(tmp_path: Path) -> None:
    """Relative, absolute, aliased, re-exported, nested and function-level imports; clashing helpers; the main guard."""
    package = _package(tmp_path)
    text, size = bundle(package, "train", PackLimits())
    (tmp_path / "one.py").write_text(text)
    assert _run(tmp_path, "one.py") == _run(tmp_path, "-m", "demo.train") == "<9>\n<9>\n"
    assert "from ." not in text and "demo" not in text
    assert size == sum(len(t) for t in PACKAGE.values())


def test_bundling_is_deterministic(tmp_path: Path) -> None:
    """Same package, same bytes."""
    package = _package(tmp_path)
    assert bundle(package, "train", PackLimits()) == bundle(package, "train", PackLimits())


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("config.py", "from .train import main\nclass Config: pass\nSCALE = 1\n", "cycle"),
        ("report.py", "from .config import *\ndef show(x): pass\n", "star"),
        ("report.py", "from . import config\ndef show(x):\n    print(config)\n", "as a value"),
        ("config.py", "SCALE = 1\nclass Config: pass\ndef grow():\n    global SCALE\n    SCALE = 2\n", "rebound"),
        ("report.py", "def show(x:\n", "does not parse"),
    ],
)
def test_what_would_change_meaning_is_refused(tmp_path: Path, name: str, text: str, reason: str) -> None:
    """Cycles, star imports, module objects as values and rebound shared names are refused with the reason."""
    package = _package(tmp_path, **{name: text})
    with pytest.raises(FrontendError, match=reason):
        bundle(package, "train", PackLimits())


def test_missing_entry_is_named(tmp_path: Path) -> None:
    """An entry that does not exist is an error, not an empty script."""
    with pytest.raises(PgolfError, match="nothing_here"):
        bundle(_package(tmp_path), "nothing_here", PackLimits())
