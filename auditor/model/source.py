"""Where things are: spans in decoded layers, layers of a shim, and the program that a submission ships."""

from __future__ import annotations

import ast
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A place in a file of a submission. `layer` 0 is the file as shipped, higher layers are decoded payloads."""

    file: str
    layer: int
    line: int
    column: int = 1
    """1-based, in characters."""


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer of a script: layer 0 is the file as shipped, layer n + 1 what layer n decodes and runs."""

    index: int
    raw: bytes
    text: str
    codecs: tuple[str, ...] = ()
    """How this layer came out of its parent, outermost first, e.g. ("b85", "lzma")."""
    origin: tuple[int, int] | None = None
    """Byte range of the encoded literal in the parent layer, None for layer 0 or a side file."""
    origin_file: str | None = None
    """Side file that held the encoded bytes, where it was not the script itself."""


@dataclass(frozen=True, slots=True)
class Opaque:
    """Code that runs but could not be decoded statically."""

    span: Span
    reason: str


@dataclass(frozen=True, slots=True)
class Unpacked:
    """A script with its decoded layers; `layers[-1]` is the payload that does the work."""

    file: str
    layers: tuple[Layer, ...]
    opaque: tuple[Opaque, ...] = ()
    embedded: tuple[tuple[str, Layer], ...] = ()
    """Modules whose source the script carries as text and runs in a namespace of their own: (import name, layer)."""

    @property
    def payload(self) -> Layer:
        return self.layers[-1]


@dataclass(frozen=True, slots=True)
class SyntaxProblem:
    """One place that a Python version does not parse, in the decoded layer."""

    span: Span
    message: str
    source_line: str
    minimum: str | None = None
    """Lowest version that parses this place, e.g. "3.12"; None where no version does."""
    rewrite: str | None = None
    """The source line rewritten so that the target parses it."""


@dataclass(frozen=True, slots=True)
class Module:
    """A parsed Python file of the submission (its payload where it is a shim)."""

    name: str
    """Import name, "__main__" for the script."""
    unpacked: Unpacked
    tree: ast.Module | None
    requoted: bool = False
    """True where the host's parser needed a same-width requote of f-strings to read the payload."""
    problems: tuple[SyntaxProblem, ...] = ()
    """What the target Python does not parse, every layer; empty where it parses."""
    host_error: str | None = None
    """Why `tree` is None."""
    outer: tuple[ast.Module | None, ...] = ()
    """Trees of the layers around the payload, layer 0 first: a shim may set environment defaults there."""

    @property
    def file(self) -> str:
        return self.unpacked.file

    @property
    def layer(self) -> int:
        return self.unpacked.payload.index


@dataclass(frozen=True, slots=True)
class Native:
    """A shipped C, C++ or CUDA file."""

    file: str
    """Path relative to the submission."""
    text: str
    """Its source; empty for a compiled library."""


@dataclass(frozen=True, slots=True)
class Program:
    """The script of a submission and the local modules shipped beside it that it can import."""

    main: Module
    helpers: tuple[Module, ...] = ()
    natives: tuple[Native, ...] = ()
