"""Pin everything outside torch that could differ between two runs: clock, environment, paths, processes, seeds."""

from __future__ import annotations

import contextlib
import ctypes
import fnmatch
import glob
import io
import os
import pathlib
import random
import shlex
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from auditor.prover.child.native import Native
from auditor.prover.child.settings import Settings

CLOCK_START = 1_700_000_000.0
CLOCK_STEP = 0.001
"""Seconds that pass per reading of the clock: budgets of 600 s are never the reason for anything."""


CLOCK_HURRY = 30.0
"""Seconds per reading at a place where patience is over: a loop that only the clock ends would never end."""


class Clock:
    """A clock that moves only when it is read."""

    def __init__(self, patience: int) -> None:
        self.value = CLOCK_START
        self.patience = patience
        """Readings at one place after which time hurries."""
        self.readings: dict[tuple[Any, int], int] = {}

    def __call__(self) -> float:
        return self.read(sys._getframe(1))

    def nanoseconds(self) -> int:
        return int(self.read(sys._getframe(1)) * 1e9)

    def read(self, frame: Any) -> float:
        """Return seconds, and let time pass for the place in `frame` that asks."""
        place = (frame.f_code, frame.f_lineno)
        count = self.readings[place] = self.readings.get(place, 0) + 1
        self.value += CLOCK_STEP if count <= self.patience else CLOCK_HURRY
        return self.value


def put(owner: Any, **values: Any) -> None:
    """Replace attributes of a module or class for the life of this process."""
    for name, value in values.items():
        setattr(owner, name, value)


def pin_clock(patience: int) -> None:
    clock = Clock(patience)
    for name in ("time", "perf_counter", "monotonic", "process_time", "thread_time"):
        setattr(time, name, clock)
        setattr(time, name + "_ns", clock.nanoseconds)
    put(time, sleep=lambda seconds: None)


def pin_seeds() -> None:
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)
    counter = [0]

    def fresh() -> uuid.UUID:
        counter[0] += 1
        return uuid.UUID(int=counter[0])

    put(uuid, uuid4=fresh, uuid1=fresh)
    put(os, getpid=lambda: 4242)
    put(os, urandom=lambda n: bytes(i % 251 for i in range(n)))


class Environment(dict):  # type: ignore[type-arg]
    """`os.environ` whose readings, defaults included, pass through the settings table."""

    def __init__(self, values: dict[str, str], settings: Settings) -> None:
        super().__init__({k: str(settings.environment(k, v)) for k, v in values.items()})
        self.settings = settings

    def get(self, key: Any, default: Any = None) -> Any:
        if key in self:
            return spelled_like(dict.__getitem__(self, key), default)
        if default is None and key not in self.settings.exact:
            return None
        return self.settings.environment(str(key), default)

    def __getitem__(self, key: Any) -> Any:
        if not dict.__contains__(self, key) and key in self.settings.exact:
            return self.settings.exact[key]
        return dict.__getitem__(self, key)

    def copy(self) -> dict[str, str]:
        return dict(self)


def spelled_like(value: str, default: Any) -> str:
    """Return `value`, a printed truth value as the digit that a numeric default asks for."""
    if value in ("True", "False", "enabled", "disabled") and str(default).lstrip("-").isdigit():
        return "1" if value in ("True", "enabled") else "0"
    return value


def pin_environment(values: dict[str, str], settings: Settings) -> None:
    environment = Environment(values, settings)
    put(os, environ=environment)
    put(os, getenv=environment.get)
    put(os, putenv=lambda *a: None)


class Paths:
    """Send every look at contest data or a tokenizer, wherever the script expects it, to the miniature's own.

    What the script writes outside the scratch lands in a folder of the scratch, and is read from there.
    """

    def __init__(self, home: str, data: str, tokenizer: str) -> None:
        self.home, self.data, self.tokenizer = home, data, tokenizer

    def inside(self, text: str) -> str:
        """Return the place in the scratch that stands for `text`."""
        if not os.path.isabs(text) or text.startswith((self.home, "/dev/", "/proc/")):
            return text
        return os.path.join(self.home, "outside", text.lstrip("/"))

    def place(self, path: Any) -> Any:
        """Return where to write `path`; the folder around a moved one is made."""
        text = os.fspath(path) if isinstance(path, str | os.PathLike) else None
        if not isinstance(text, str) or self.inside(text) == text:
            return path
        REAL_MAKEDIRS(os.path.dirname(self.inside(text)), exist_ok=True)
        return self.inside(text)

    def pattern(self, text: str) -> str:
        """Return `text` or, where nothing matches it and it speaks of contest shards, the same name in our folder."""
        name = os.path.basename(text)
        if "fineweb_" in name or name.endswith((".bin", ".bin*")):
            return os.path.join(self.data, name)
        return text

    def file(self, path: Any) -> Any:
        text = os.fspath(path) if isinstance(path, str | os.PathLike) else None
        if not isinstance(text, str) or REAL_EXISTS(text):
            return path
        if REAL_EXISTS(self.inside(text)):
            return self.inside(text)
        if text.endswith(".model"):
            return self.tokenizer
        if text.endswith(".vocab"):
            return self.tokenizer[: -len(".model")] + ".vocab"
        name = os.path.basename(text)
        if "fineweb_" in name and REAL_EXISTS(os.path.join(self.data, name)):
            return os.path.join(self.data, name)
        if os.path.basename(text.rstrip("/")).startswith("fineweb"):
            return self.data
        return path


REAL_EXISTS = os.path.exists
REAL_IS_FILE = os.path.isfile
ENDINGS = {"lrzip": ".lrz", "xz": ".xz", "zstd": ".zst", "brotli": ".br"}
"""What compressors put behind the name of what they compress."""
REAL_MAKEDIRS = os.makedirs
REAL_GLOB: Any = glob.iglob
REAL_PATH_GLOB = pathlib.Path.glob
REAL_PATH_EXISTS = pathlib.Path.exists


def pin_paths(paths: Paths) -> None:
    def find(pattern: Any, *args: Any, **kwargs: Any) -> list[str]:
        found = list(REAL_GLOB(pattern, *args, **kwargs))
        return asked_for(pattern, found or sorted(REAL_GLOB(paths.pattern(os.fspath(pattern)))))

    def path_find(self: pathlib.Path, pattern: str, **kwargs: Any) -> Iterator[pathlib.Path]:
        found = list(REAL_PATH_GLOB(self, pattern, **kwargs))
        if not found and "fineweb_" in pattern:
            found = [p for p in map(pathlib.Path, REAL_GLOB(paths.data + "/*")) if fnmatch.fnmatch(p.name, pattern)]
        return iter(asked_for(pattern, sorted(found)))

    put(glob, glob=find)
    put(glob, iglob=lambda *a, **k: iter(find(*a, **k)))
    put(pathlib.Path, glob=path_find)
    put(os.path, exists=lambda p: REAL_EXISTS(paths.file(p)))
    put(os.path, isfile=lambda p: REAL_IS_FILE(paths.file(p)))
    put(pathlib.Path, exists=lambda self, **k: REAL_EXISTS(paths.file(self)))
    put(pathlib.Path, is_file=lambda self, **k: REAL_IS_FILE(paths.file(self)))
    redirect_readers(paths)
    redirect_writers(paths)


def asked_for(pattern: Any, found: list[Any]) -> list[Any]:
    """Leave byte sidecars out where the pattern does not name them: `fineweb_val_*` is meant to find tokens."""
    return [p for p in found if "_bytes_" not in os.path.basename(p) or "bytes" in os.path.basename(os.fspath(pattern))]


def redirect_writers(paths: Paths) -> None:
    """Make, rename, measure and remove moved files where they are."""
    for name in ("mkdir", "makedirs"):
        put(os, **{name: on_places(getattr(os, name), paths.place, 1)})
    for name in ("replace", "rename"):
        put(os, **{name: on_places(getattr(os, name), paths.place, 2)})
    for name in ("remove", "unlink", "rmdir", "listdir", "scandir"):
        put(os, **{name: on_places(getattr(os, name), paths.file, 1)})
    for name in ("getsize", "isdir", "getmtime"):
        put(os.path, **{name: on_places(getattr(os.path, name), paths.file, 1)})
    put(pathlib.Path, is_dir=lambda self: os.path.isdir(self))
    put(pathlib.Path, stat=lambda self, **k: os.stat(paths.file(self), **k))
    real_save: Any = torch.save
    put(torch, save=lambda obj, f, *a, **k: real_save(obj, paths.place(f), *a, **k))


def on_places(function: Any, where: Any, count: int) -> Any:
    """Return `function` with its first `count` arguments passed through `where`."""

    def call(*args: Any, **kwargs: Any) -> Any:
        return function(*[where(a) if i < count else a for i, a in enumerate(args)], **kwargs)

    return call


def redirect_readers(paths: Paths) -> None:
    import builtins

    real_open, real_fromfile, real_memmap = builtins.open, np.fromfile, np.memmap

    def open_file(file: Any, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
        if not isinstance(file, int):
            file = paths.place(file) if set(mode) & set("wax") else paths.file(file)
        return real_open(file, mode, *args, **kwargs)

    put(builtins, open=open_file)
    put(io, open=open_file)
    put(np, fromfile=lambda file, *a, **k: real_fromfile(paths.file(file), *a, **k))
    real_library: Any = ctypes.CDLL.__init__
    put(ctypes.CDLL, __init__=lambda self, name, *a, **k: real_library(self, paths.file(name), *a, **k))

    base: Any = real_memmap

    class Memmap(base):  # type: ignore[misc]
        def __new__(cls, filename: Any, *args: Any, **kwargs: Any) -> Any:
            return real_memmap(paths.file(filename), *args, **kwargs)

    put(np, memmap=Memmap)
    try:
        import sentencepiece
    except ImportError:
        return
    real_load = sentencepiece.SentencePieceProcessor.Load

    def load(self: Any, model_file: Any = None, *args: Any, **kwargs: Any) -> Any:
        return real_load(self, paths.file(model_file) if model_file else model_file, *args, **kwargs)

    real_init = sentencepiece.SentencePieceProcessor.__init__

    def init(self: Any, model_file: Any = None, *args: Any, **kwargs: Any) -> None:
        real_init(self, paths.file(str(model_file)) if model_file else model_file, *args, **kwargs)

    put(sentencepiece.SentencePieceProcessor, Load=load, load=load)
    put(sentencepiece.SentencePieceProcessor, __init__=init)


def pin_processes(paths: Paths, native: Native) -> None:
    """Answer every subprocess with success and silence; `lrzip` copies its input to its output, compilers compile."""

    def run(command: Any, *args: Any, **kwargs: Any) -> Any:
        words = shell_words(command) if isinstance(command, str) else [os.fsdecode(w) for w in command]
        if words and os.path.basename(words[0]) in ENDINGS:
            imitate_compressor(words)
        given = kwargs.get("input") or b""
        code, said = native.answer(
            words,
            given.encode() if isinstance(given, str) else bytes(given),
            lambda path: paths.file(os.path.join(kwargs.get("cwd") or "", path)),
            lambda path: paths.place(os.path.join(kwargs.get("cwd") or "", path)),
        ) or (0, "")
        text = kwargs.get("text") or kwargs.get("universal_newlines") or kwargs.get("encoding")
        out, error = ("", said) if text else (b"", said.encode())
        if code and kwargs.get("check"):
            raise subprocess.CalledProcessError(code, command, out, error)
        return subprocess.CompletedProcess(command, code, out, error)

    class Process:
        stdin = None

        def __init__(self, command: Any, *args: Any, **kwargs: Any) -> None:
            done = run(command, cwd=kwargs.get("cwd"), text=kwargs.get("text"))
            self.returncode, self.output = done.returncode, (done.stdout, done.stderr)
            self.stdout = self.stderr = None

        def communicate(self, *args: Any, **kwargs: Any) -> Any:
            return self.output

        def wait(self, *args: Any, **kwargs: Any) -> int:
            return int(self.returncode)

        poll = wait

    put(subprocess, run=run)
    put(subprocess, check_output=lambda *a, **k: run(*a, **{**k, "check": True}).stdout)
    put(subprocess, check_call=lambda *a, **k: run(*a, **{**k, "check": True}).returncode)
    put(subprocess, call=lambda *a, **k: run(*a, **k).returncode)
    put(subprocess, Popen=Process)
    put(os, system=lambda command: run(command).returncode)
    put(shutil, which=lambda name, *a, **k: "/usr/bin/" + str(name))


def shell_words(command: str) -> list[str]:
    """Return the words of a command line, as far as it is one that can be read."""
    try:
        return shlex.split(command)
    except ValueError:
        return command.split()


def imitate_compressor(words: list[str]) -> None:
    """Copy the input named last to the file after `-o`, or to the name that the tool would choose."""
    named = words.index("-o") + 1 if "-o" in words[:-1] else 0
    plain = [word for number, word in enumerate(words) if number not in (0, named) and not word.startswith("-")]
    if not plain:
        return
    source, ending = plain[-1], ENDINGS[os.path.basename(words[0])]
    target = words[named] if named else source.removesuffix(ending) if source.endswith(ending) else source + ending
    if REAL_EXISTS(source) and source != target:
        shutil.copyfile(source, target)


def pin_compressors() -> None:
    """Compress at the lowest level: only the size of an artifact depends on it, and it is far from every limit."""
    import bz2
    import lzma
    import zlib

    real_lzma: Any = lzma.compress
    put(lzma, compress=lambda data, format=lzma.FORMAT_XZ, *a, **k: real_lzma(data, format, preset=0)
        if format in (lzma.FORMAT_XZ, lzma.FORMAT_ALONE) else real_lzma(data, format, *a, **k))  # fmt: skip
    real_zlib, real_bz2 = zlib.compress, bz2.compress
    put(zlib, compress=lambda data, level=1, **k: real_zlib(data, 1, **k))
    put(bz2, compress=lambda data, compresslevel=1: real_bz2(data, 1))
    with contextlib.suppress(ImportError):
        import brotli

        real_brotli: Any = brotli.compress
        put(brotli, compress=lambda data, *a, **k: real_brotli(data, quality=1))
    with contextlib.suppress(ImportError):
        import zstandard

        real_zstd: Any = zstandard.ZstdCompressor
        put(zstandard, ZstdCompressor=lambda *a, **k: real_zstd(level=1))


def pin_all(values: dict[str, str], settings: Settings, paths: Paths, patience: int, native: Native) -> None:
    """Pin the world for one run."""
    pin_clock(patience)
    pin_seeds()
    pin_environment(values, settings)
    pin_paths(paths)
    pin_processes(paths, native)
    pin_compressors()
    sys.setrecursionlimit(20_000)
