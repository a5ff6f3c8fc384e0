"""`pgolf pack` end to end: runs everywhere, checks itself, refuses what it cannot pack, writes whole files only."""

from __future__ import annotations

import base64
import lzma
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from auditor.errors import PgolfError
from auditor.packer.options import Level, PackOptions
from auditor.packer.verify import VERSIONS, interpreters
from auditor.usecases.pack import check, fix, load, pack, unpack_file, write_whole

MARKER = '''"""A marker script."""
from __future__ import annotations
import inspect, math, sys
from pathlib import Path


class Scaler:
    """Scale."""

    def __init__(self, factor_value: float) -> None:
        self.factor_value = factor_value

    def apply(self, numbers: list[float]) -> list[float]:
        """Apply."""
        return [number * self.factor_value for number in numbers]


def source_size() -> int:
    text = Path(__file__).read_text(encoding="utf-8")
    return len(text.encode("utf-8"))


def main() -> None:
    scaled = Scaler(2.0).apply([1.0, 2.0, math.pi])
    print("result", ["%.3f" % number for number in scaled], "▁")
    print("bytes", source_size() == Path(__file__).stat().st_size)
    print("source", "scaled" in inspect.getsource(main) or "main" in inspect.getsource(main))


if __name__ == "__main__":
    main()
'''
EXPECTED = "result ['2.000', '4.000', '6.283'] ▁\nbytes True\nsource True\n"
MODES = [(Level.BEST, False), (Level.BEST, True), (Level.MAX, False), (Level.MAX, True)]


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "source.py"
    path.write_text(MARKER + "".join(f"# padding {i}\n" for i in range(3)), encoding="utf-8")
    return path


def _big(tmp_path: Path) -> Path:
    """A script long enough that a shim beats its plain text."""
    path = tmp_path / "big.py"
    extra = "".join(f"def step_{i}(value):\n    return value * {i} + len(str(value))\n" for i in range(150))
    calls = "print(sum((" + ",".join(f"step_{i}({i})" for i in range(150)) + ")))\n"
    path.write_text(MARKER.replace('if __name__ == "__main__":', extra + 'if __name__ == "__main__":') + calls, "utf-8")
    return path


def _run(python: str, path: Path) -> str:
    done = subprocess.run(
        [python, "-W", "error", "-X", "utf8", str(path)],
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(("level", "ascii_only"), MODES)
def test_packed_script_prints_what_the_source_prints(tmp_path: Path, level: Level, ascii_only: bool) -> None:
    """Output, byte count of the own file and inspect.getsource survive in every carrier."""
    source, packed = _big(tmp_path), tmp_path / "out" / "train_gpt.py"
    result = pack(source, PackOptions(level=level, ascii=ascii_only))
    write_whole(packed, result.data)
    assert _run(sys.executable, packed) == _run(sys.executable, source)
    assert _run(sys.executable, source).startswith(EXPECTED)
    assert len(result.data) < min(result.original_bytes, result.common_bytes)
    assert sum(p.size for p in result.parts) == len(result.data)
    assert unpack_file(packed).payload.raw == result.carried
    if ascii_only:
        assert result.data.isascii()


@pytest.mark.parametrize("version", VERSIONS)
def test_every_interpreter_found_runs_the_result(tmp_path: Path, version: str) -> None:
    """The packed script runs on 3.10 to 3.13, whichever are on PATH."""
    python = interpreters().get(version)
    if python is None:
        pytest.skip(f"no python{version} on PATH")
    source, packed = _big(tmp_path), tmp_path / "train_gpt.py"
    write_whole(packed, pack(source, PackOptions(level=Level.BEST)).data)
    assert _run(python, packed) == _run(python, source)


def test_verification_decodes_on_the_interpreters_found(tmp_path: Path) -> None:
    """--verify reports one line per interpreter, without running the payload."""
    source = _big(tmp_path)
    source.write_text(source.read_text("utf-8") + "raise SystemExit('ran')\n", "utf-8")
    result = pack(source, PackOptions(level=Level.FAST), verify=True)
    assert {d.version for d in result.decoded} == set(interpreters())
    assert [d for d in result.decoded if not d.ok] == []


def test_packing_is_deterministic(script: Path) -> None:
    """Same input, same options, same bytes."""
    options = PackOptions(level=Level.BEST)
    assert pack(script, options).data == pack(script, options).data


def test_packed_script_can_be_imported(tmp_path: Path) -> None:
    """Imported by path, the shim defines the module's names and runs no main."""
    import importlib.util

    packed = tmp_path / "train_gpt.py"
    write_whole(packed, pack(_big(tmp_path), PackOptions(keep=frozenset({"Scaler"}))).data)
    spec = importlib.util.spec_from_file_location("packed_module", packed)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.Scaler(3.0).apply([1.0]) == [3.0]


def test_a_shim_is_packed_anew_from_its_payload(tmp_path: Path) -> None:
    """A shim as input is unpacked first, and that is said."""
    first = tmp_path / "first.py"
    write_whole(first, pack(_big(tmp_path), PackOptions(level=Level.FAST)).data)
    again = pack(first, PackOptions(level=Level.BEST))
    assert any("already a shim" in note for note in again.notes)
    assert len(again.data) <= first.stat().st_size


@pytest.mark.parametrize(
    "before",
    [
        "import os\nos.environ['STEPS']='7'\n",
        "import sys\nsys.path.insert(0,'lib')\n",
        "open('other.txt','w').write('x')\n",
        "def f():\n\treturn 1\nf()\n",
    ],
)
def test_a_shim_that_does_more_is_not_replaced_by_its_payload(tmp_path: Path, before: str) -> None:
    """What stands around the payload would be lost: the file is packed whole, and that is said."""
    inner = "print('a payload', [n * n for n in range(40)])\n" * 20
    packed = base64.b85encode(lzma.compress(inner.encode())).decode()
    run = f"import lzma,base64\nexec(lzma.decompress(base64.b85decode({packed!r})))\n"
    path = tmp_path / "train_gpt.py"
    path.write_text(before + run)
    result = pack(path, PackOptions(level=Level.FAST))
    assert any("packed whole" in note for note in result.notes)
    assert unpack_file(path).payload.raw != result.carried
    path.write_text(run)
    assert any("already a shim" in note for note in pack(path, PackOptions(level=Level.FAST)).notes)


INNER = "".join(f"print('inner',{i}*2)\n" for i in range(20))
LAUNCHER = (
    f"import base64,os\nos.environ['A']='1'\nexec(base64.b85decode('{base64.b85encode(INNER.encode()).decode()}'))\n"
)
RUNS_A_FILE = "import sys\nfor each in sys.argv[1:]:exec(open(each).read())\nprint('outer')\n"


@pytest.mark.parametrize(
    ("source", "expected"), [(LAUNCHER, "".join(f"inner {i * 2}\n" for i in range(20))), (RUNS_A_FILE, "outer\n")]
)
def test_what_the_payload_runs_further_does_not_stop_the_packing(tmp_path: Path, source: str, expected: str) -> None:
    """A launcher of its own text, and a script that runs files nobody knows, are packed and still do what they did."""
    path, packed = tmp_path / "s.py", tmp_path / "train_gpt.py"
    path.write_text(source + "".join(f"# nothing {i}\nif not {i}+1:print('never',{i})\n" for i in range(40)))
    result = pack(path, PackOptions())
    assert result.codec != "none", "it was left as it was, so nothing was unpacked"
    packed.write_bytes(result.data)
    assert unpack_file(packed).layers[1].raw == result.carried
    assert subprocess.run([sys.executable, packed], capture_output=True, text=True, check=True).stdout == expected


def test_line_ends_marks_and_encodings(tmp_path: Path) -> None:
    """CRLF, a byte order mark and a declared encoding are read as the interpreter reads them."""
    path = tmp_path / "odd.py"
    path.write_bytes(b"\xef\xbb\xbf" + b"print('a')\r\nx = '''b\r\nc'''\r\nprint(repr(x))\r\n")
    result = pack(path, PackOptions())
    assert len(result.notes) >= 2
    packed = tmp_path / "out.py"
    write_whole(packed, result.data)
    assert _run(sys.executable, packed) == _run(sys.executable, path)
    path.write_bytes("# -*- coding: latin-1 -*-\nprint('\xe9')\n".encode("latin-1"))
    write_whole(packed, pack(path, PackOptions()).data)
    assert _run(sys.executable, packed) == "\xe9\n"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"def f(:\n", "invalid syntax"),
        (b"\x7fELF\x00\x01", "null byte"),
        (b"print('\xe9')\n", "encoding|utf-8"),
        (b"try:\n pass\nexcept* ValueError:\n pass\n", "3.11|except"),
    ],
)
def test_bad_input_is_refused_with_the_reason(tmp_path: Path, data: bytes, reason: str) -> None:
    """Not Python, binary, undecodable, newer than the target: refused, never packed wrongly."""
    path = tmp_path / "bad.py"
    path.write_bytes(data)
    with pytest.raises(PgolfError, match=reason):
        pack(path, PackOptions())


def test_scripts_that_cannot_be_followed_get_the_ascii_carrier(tmp_path: Path) -> None:
    """A self-read that is not understood is never broken: the file stays 7-bit."""
    path = _big(tmp_path)
    reader = "def load(p):\n    return open(p, encoding='utf-8').read()\nlen(load(__file__))\n"
    path.write_text(path.read_text("utf-8") + reader, "utf-8")
    result = pack(path, PackOptions())
    assert result.data.isascii() and any("ASCII carrier" in note for note in result.notes)


def test_no_minify_keeps_the_text(tmp_path: Path) -> None:
    """--no-minify changes nothing but what a self-read forces."""
    path = tmp_path / "plain.py"
    path.write_text("# comment\n" * 400 + "print(1)  # one\n")
    assert pack(path, PackOptions(minify=False)).carried == path.read_bytes()


def test_drift_between_source_and_shim_is_found(tmp_path: Path) -> None:
    """--check accepts its own output and notices an edit."""
    source, packed = _big(tmp_path), tmp_path / "train_gpt.py"
    write_whole(packed, pack(source, PackOptions()).data)
    assert check(source, packed, PackOptions()) == []
    source.write_text(source.read_text("utf-8") + "print('edited')\n", "utf-8")
    assert check(source, packed, PackOptions())
    assert check(source, tmp_path / "missing.py", PackOptions())


def test_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The output is written whole or not at all."""
    target = tmp_path / "train_gpt.py"
    target.write_text("old")

    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(OSError, match="disk full"):
        write_whole(target, b"new")
    assert target.read_text() == "old" and list(tmp_path.iterdir()) == [target]


def test_fix_requotes_and_shows_the_lines(tmp_path: Path) -> None:
    """Nested quotes of Python 3.12 become readable to 3.10 at the same width."""
    path = tmp_path / "new.py"
    path.write_text('x = [1]\nprint(f"{", ".join(map(str, x))}")\n')
    fixed = fix(path)
    assert fixed.raw == b"x = [1]\nprint(f\"{', '.join(map(str, x))}\")\n"
    assert fixed.left == 0 and "+print(f\"{', '" in fixed.diff
    assert load(path, "", (3, 10))[0].text == fixed.raw.decode()


def test_commands(tmp_path: Path) -> None:
    """pack, unpack and fix through the command line, with their exit codes."""
    import typer

    from auditor.commands import fix as fix_command
    from auditor.commands import pack as pack_command
    from auditor.commands import unpack as unpack_command

    app = typer.Typer()
    for module in (pack_command, unpack_command, fix_command):
        module.register(app)
    source, packed = _big(tmp_path), tmp_path / "train_gpt.py"
    run = CliRunner()
    done = run.invoke(app, ["pack", str(source), "-o", str(packed)])
    assert done.exit_code == 0, done.output
    assert "bootstrap" in done.output and "xz + b85" in done.output
    assert run.invoke(app, ["pack", str(source), "-o", str(packed), "--check"]).exit_code == 0
    assert run.invoke(app, ["pack", str(source), "-o", str(packed), "--without", "nonsense"]).exit_code == 2
    assert run.invoke(app, ["unpack", str(packed), "-o", str(tmp_path / "layers")]).exit_code == 0
    assert (tmp_path / "layers" / "train_gpt.py").read_bytes() == unpack_file(packed).payload.raw
    assert run.invoke(app, ["unpack", str(source), "-o", str(tmp_path / "layers")]).exit_code == 4
    bad = tmp_path / "bad.py"
    bad.write_text("def f(:\n")
    assert run.invoke(app, ["pack", str(bad), "-o", str(tmp_path / "never.py")]).exit_code == 4
    assert not (tmp_path / "never.py").exists()
    assert run.invoke(app, ["fix", str(source)]).exit_code == 0
