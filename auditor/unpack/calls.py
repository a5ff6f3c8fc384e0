"""Calls of the environment that a shim can make, as a table from dotted name to a bounded model."""

from __future__ import annotations

import ast
import lzma
import posixpath
import zlib
from collections.abc import Callable, Sequence
from typing import Any

from auditor.errors import UnpackError
from auditor.unpack import codecs
from auditor.unpack.methods import lift, plain
from auditor.unpack.state import HOME, State
from auditor.unpack.values import (
    UNKNOWN,
    Code,
    Const,
    FileValue,
    Mapping_,
    Method,
    ModuleValue,
    Namespace,
    PathValue,
    Ref,
    Sequence_,
    Spec,
    Trail,
    Value,
)

Kwargs = dict[str, Value]
Handler = Callable[[State, Sequence[Value], Kwargs], Value]

CONSTANTS: dict[str, Any] = {
    **{f"lzma.{name}": getattr(lzma, name) for name in dir(lzma) if name.isupper()},
    **{f"zlib.{name}": getattr(zlib, name) for name in dir(zlib) if name.isupper()},
    "os.sep": "/",
    "os.path.sep": "/",
    "os.linesep": "\n",
    "sys.executable": "python",
    "builtins.__name__": "builtins",
}


def call(state: State, name: str, args: Sequence[Value], kwargs: Kwargs) -> Value:
    """Evaluate one call of a known environment function; UNKNOWN where it is not modelled."""
    state.step()
    if name in codecs.TEXT_CODECS:
        return _text(state, codecs.TEXT_CODECS[name], args, kwargs)
    handler = _HANDLERS.get(name)
    if handler is None:
        return UNKNOWN
    try:
        return handler(state, args, kwargs)
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, UnpackError):
        return UNKNOWN


def modelled(name: str) -> bool:
    """Tell whether a call of that name is modelled (and so leaves its arguments alone)."""
    return name in _HANDLERS or name in codecs.TEXT_CODECS


def path_text(value: Value) -> str:
    """Return the text of a path-like value; `LookupError` where it is unknown."""
    if isinstance(value, PathValue):
        return value.path
    text = plain(value)
    if isinstance(text, bytes):
        return text.decode("utf-8", "replace")
    if not isinstance(text, str):
        raise LookupError("not a path")
    return text


def _text(state: State, codec: str, args: Sequence[Value], kwargs: Kwargs) -> Value:
    value = args[0] if args else UNKNOWN
    if not isinstance(value, Const) or not isinstance(value.value, (str, bytes)):
        return UNKNOWN
    try:
        options = {key: plain(item) for key, item in kwargs.items()}
        if codec == "b64" and len(args) > 1:
            options["altchars"] = plain(args[1])
        state.hold(len(value.value))
        return Const(codecs.decode_text(codec, value.value, **options), value.trail.through(codec))
    except (LookupError, UnpackError):
        return UNKNOWN


def _packed(decoder: Callable[[bytes, int, Sequence[Value], Kwargs], tuple[str, bytes]]) -> Handler:
    def handle(state: State, args: Sequence[Value], kwargs: Kwargs) -> Value:
        source = args[0] if args else kwargs.get("data", UNKNOWN)
        if not isinstance(source, Const) or not isinstance(source.value, bytes):
            return UNKNOWN
        name, out = decoder(source.value, state.limits.layer_bytes, args[1:], kwargs)
        state.hold(len(out))
        return Const(out, source.trail.through(name))

    return handle


def _xz(data: bytes, cap: int, args: Sequence[Value], kwargs: Kwargs) -> tuple[str, bytes]:
    container = plain(args[0]) if args else plain(kwargs["format"]) if "format" in kwargs else lzma.FORMAT_AUTO
    chain = plain(args[2]) if len(args) > 2 else plain(kwargs["filters"]) if "filters" in kwargs else None
    return codecs.unxz(data, cap, container, chain)


def _zlib(data: bytes, cap: int, args: Sequence[Value], kwargs: Kwargs) -> tuple[str, bytes]:
    wbits = plain(args[0]) if args else plain(kwargs["wbits"]) if "wbits" in kwargs else zlib.MAX_WBITS
    return codecs.inflate(data, cap, wbits)


def _codecs_decode(state: State, args: Sequence[Value], kwargs: Kwargs) -> Value:
    name = str(plain(args[1] if len(args) > 1 else kwargs.get("encoding", Const("utf-8")))).lower()
    name = name.replace("-", "_").removesuffix("_codec")
    text = {"base64": "b64", "hex": "hex"}.get(name)
    if text:
        return _text(state, text, args[:1], {})
    packed = {"zlib": "zlib.decompress", "zip": "zlib.decompress", "bz2": "bz2.decompress"}.get(name)
    if packed:
        return call(state, packed, args[:1], {})
    source = args[0]
    if name in ("rot13", "rot_13") and isinstance(source, Const) and isinstance(source.value, str):
        import codecs as stdlib_codecs

        return Const(stdlib_codecs.decode(source.value, "rot13"), source.trail.through("rot13"))
    if isinstance(source, Const) and isinstance(source.value, bytes) and not kwargs.get("errors"):
        return Const(source.value.decode(name), source.trail)
    return UNKNOWN


def _str(state: State, args: Sequence[Value], kwargs: Kwargs) -> Value:
    value = args[0] if args else Const("")
    if isinstance(value, PathValue):
        return Const(value.path)
    if isinstance(value, Const) and isinstance(value.value, bytes) and (len(args) > 1 or kwargs):
        encoding = plain(args[1]) if len(args) > 1 else plain(kwargs["encoding"])
        return Const(value.value.decode(encoding), value.trail)
    if isinstance(value, Const) and isinstance(value.value, (str, int, float, type(None))):
        if isinstance(value.value, int) and value.value.bit_length() > 4096:
            return UNKNOWN
        return Const(str(value.value), value.trail)
    return UNKNOWN


def _bytes(state: State, args: Sequence[Value], kwargs: Kwargs) -> Value:
    if not args:
        return Const(b"")
    value = args[0]
    if isinstance(value, Const) and isinstance(value.value, str):
        encoding = plain(args[1]) if len(args) > 1 else plain(kwargs["encoding"])
        return Const(value.value.encode(encoding), value.trail)
    if isinstance(value, Const) and isinstance(value.value, int):
        state.hold(value.value)
        return Const(bytes(value.value))
    if isinstance(value, Const):
        return Const(bytes(value.value), value.trail)
    if isinstance(value, Sequence_):
        trail = Trail()
        for item in value.items[:1]:
            trail = item.trail if isinstance(item, Const) else trail
        return Const(bytes(plain(value)), trail)
    return UNKNOWN


def _range(state: State, args: Sequence[Value], kwargs: Kwargs) -> Value:
    numbers = range(*(plain(arg) for arg in args))
    state.step(len(numbers))
    return Sequence_([Const(number) for number in numbers])


def _list(kind: str) -> Handler:
    def handle(state: State, args: Sequence[Value], kwargs: Kwargs) -> Value:
        items = list(elements(state, args[0])) if args else []
        return Sequence_(items, kind)

    return handle


def elements(state: State, value: Value) -> list[Value]:
    """Return the items of a known iterable; `LookupError` where they are unknown."""
    if isinstance(value, Sequence_):
        found: list[Value] = value.items
    elif isinstance(value, Mapping_) and value.complete:
        found = [lift(key) for key in value.items]
    elif isinstance(value, Const) and isinstance(value.value, (str, bytes)):
        state.step(len(value.value))
        found = [Const(item, value.trail) for item in value.value]
    else:
        raise LookupError("unknown iterable")
    if len(found) > state.limits.fold_loop:
        raise LookupError("too long to fold")
    state.step(len(found))
    return found


def _zip(state: State, args: Sequence[Value], kwargs: Kwargs) -> Value:
    columns = [elements(state, arg) for arg in args]
    return Sequence_([Sequence_(list(row), "tuple") for row in zip(*columns)])  # noqa: B905  (as zip in the shim)


def _enumerate(state: State, args: Sequence[Value], kwargs: Kwargs) -> Value:
    items = elements(state, args[0])
    return Sequence_([Sequence_([Const(index), item], "tuple") for index, item in enumerate(items)])


def _reversed(state: State, args: Sequence[Value], kwargs: Kwargs) -> Value:
    return Sequence_(list(reversed(elements(state, args[0]))))


def _dict(state: State, args: Sequence[Value], kwargs: Kwargs) -> Value:
    if args:
        return UNKNOWN
    return Mapping_(dict(kwargs))


def _scalar(function: Callable[..., Any]) -> Handler:
    def handle(state: State, args: Sequence[Value], kwargs: Kwargs) -> Value:
        known = [plain(arg) for arg in args]
        if any(isinstance(item, str) and len(item) > 4000 for item in known) and function is int:
            return UNKNOWN
        trail = args[0].trail if args and isinstance(args[0], Const) else Trail()
        return lift(function(*known), trail)

    return handle


def _len(state: State, args: Sequence[Value], kwargs: Kwargs) -> Value:
    value = args[0]
    if isinstance(value, Sequence_):
        return Const(len(value.items)) if UNKNOWN not in value.items else UNKNOWN
    return Const(len(plain(value)))


def _from_bytes(state: State, args: Sequence[Value], kwargs: Kwargs) -> Value:
    known = [plain(arg) for arg in args]
    return Const(int.from_bytes(*known, **{key: plain(item) for key, item in kwargs.items()}))


def _open(state: State, args: Sequence[Value], kwargs: Kwargs) -> Value:
    mode = plain(args[1]) if len(args) > 1 else plain(kwargs.get("mode", Const("r")))
    return FileValue(path_text(args[0]), mode)


def _temporary(state: State, args: Sequence[Value], kwargs: Kwargs) -> Value:
    state.temporary += 1
    return Const(f"/tmp/folded{state.temporary}")


def _named_temporary(state: State, args: Sequence[Value], kwargs: Kwargs) -> Value:
    state.temporary += 1
    suffix = plain(kwargs.get("suffix", Const(None))) or ""
    mode = plain(args[0]) if args else plain(kwargs.get("mode", Const("w+b")))
    return FileValue(f"/tmp/folded{state.temporary}{suffix}", mode)


def _path(state: State, args: Sequence[Value], kwargs: Kwargs) -> Value:
    return PathValue(posixpath.join(*(path_text(arg) for arg in args)) if args else ".")


def _text_function(function: Callable[..., Any]) -> Handler:
    def handle(state: State, args: Sequence[Value], kwargs: Kwargs) -> Value:
        return lift(function(*(path_text(arg) for arg in args)))

    return handle


def _module_ref(state: State, args: Sequence[Value], kwargs: Kwargs) -> Value:
    return Ref(str(plain(args[0])))


def _compile(state: State, args: Sequence[Value], kwargs: Kwargs) -> Value:
    return Code(args[0] if args else kwargs.get("source", UNKNOWN))


def _spec(state: State, args: Sequence[Value], kwargs: Kwargs) -> Value:
    name = args[0] if args else kwargs.get("name", UNKNOWN)
    return Spec(name, args[1] if len(args) > 1 else kwargs.get("location", UNKNOWN))


def _module_from_spec(state: State, args: Sequence[Value], kwargs: Kwargs) -> Value:
    return args[0] if isinstance(args[0], Spec) else UNKNOWN


def _module_type(state: State, args: Sequence[Value], kwargs: Kwargs) -> Value:
    return ModuleValue(args[0])


def _globals(state: State, args: Sequence[Value], kwargs: Kwargs) -> Value:
    if args and isinstance(args[0], (ModuleValue, Spec)):
        return Namespace(args[0])
    if args and isinstance(args[0], Ref):
        return args[0]
    return Namespace(None) if not args else UNKNOWN


def _getattr(state: State, args: Sequence[Value], kwargs: Kwargs) -> Value:
    name = plain(args[1])
    if isinstance(args[0], Ref):
        return Ref(f"{args[0].name}.{name}")
    return Method(args[0], name) if isinstance(args[0], (Const, Spec)) else UNKNOWN


def _same(state: State, args: Sequence[Value], kwargs: Kwargs) -> Value:
    return args[0]


def _sys_argv(state: State) -> Value:
    return Sequence_([Const(state.own_path())])


def environment_value(state: State, name: str) -> Value | None:
    """Return the value of a known attribute of the environment, None where it is only a name."""
    if name == "sys.argv":
        return _sys_argv(state)
    return lift(CONSTANTS[name]) if name in CONSTANTS else None


def literal_eval(state: State, args: Sequence[Value], kwargs: Kwargs) -> Value:
    """Model ast.literal_eval on a known string."""
    text = plain(args[0])
    if len(text) > 1 << 20:
        return UNKNOWN
    try:
        return lift(ast.literal_eval(text))
    except (SyntaxError, MemoryError, RecursionError):
        return UNKNOWN


_HANDLERS: dict[str, Handler] = {
    "lzma.decompress": _packed(_xz),
    "lzma.LZMADecompressor().decompress": _packed(_xz),
    "zlib.decompress": _packed(_zlib),
    "zlib.decompressobj().decompress": _packed(_zlib),
    "gzip.decompress": _packed(lambda data, cap, a, k: codecs.inflate(data, cap, 31)),
    "bz2.decompress": _packed(lambda data, cap, a, k: codecs.bunzip(data, cap)),
    "bz2.BZ2Decompressor().decompress": _packed(lambda data, cap, a, k: codecs.bunzip(data, cap)),
    "brotli.decompress": _packed(lambda data, cap, a, k: codecs.unbrotli(data, cap)),
    "brotlicffi.decompress": _packed(lambda data, cap, a, k: codecs.unbrotli(data, cap)),
    "zstandard.decompress": _packed(lambda data, cap, a, k: codecs.unzstd(data, cap)),
    "zstd.decompress": _packed(lambda data, cap, a, k: codecs.unzstd(data, cap)),
    "compression.zstd.decompress": _packed(lambda data, cap, a, k: codecs.unzstd(data, cap)),
    "zstandard.ZstdDecompressor().decompress": _packed(lambda data, cap, a, k: codecs.unzstd(data, cap)),
    "codecs.decode": _codecs_decode,
    "builtins.str": _str,
    "builtins.bytes": _bytes,
    "builtins.bytearray": _bytes,
    "builtins.range": _range,
    "builtins.list": _list("list"),
    "builtins.tuple": _list("tuple"),
    "builtins.iter": _list("list"),
    "builtins.zip": _zip,
    "builtins.enumerate": _enumerate,
    "builtins.reversed": _reversed,
    "builtins.dict": _dict,
    "builtins.len": _len,
    "builtins.ord": _scalar(ord),
    "builtins.chr": _scalar(chr),
    "builtins.int": _scalar(int),
    "builtins.bool": _scalar(bool),
    "builtins.abs": _scalar(abs),
    "builtins.min": _scalar(min),
    "builtins.max": _scalar(max),
    "builtins.memoryview": _same,
    "int.from_bytes": _from_bytes,
    "builtins.open": _open,
    "io.open": _open,
    "io.BytesIO": _same,
    "builtins.compile": _compile,
    "builtins.globals": _globals,
    "builtins.locals": _globals,
    "builtins.vars": _globals,
    "builtins.getattr": _getattr,
    "builtins.__import__": _module_ref,
    "importlib.import_module": _module_ref,
    "importlib.util.spec_from_file_location": _spec,
    "importlib.util.module_from_spec": _module_from_spec,
    "importlib.machinery.SourceFileLoader": _spec,
    "types.ModuleType": _module_type,
    "tempfile.mkdtemp": _temporary,
    "tempfile.gettempdir": lambda state, args, kwargs: Const("/tmp"),
    "tempfile.mktemp": _temporary,
    "tempfile.NamedTemporaryFile": _named_temporary,
    "tempfile.TemporaryDirectory": _temporary,
    "os.getcwd": lambda state, args, kwargs: Const(HOME),
    "os.fspath": lambda state, args, kwargs: Const(path_text(args[0])),
    "os.path.join": _text_function(posixpath.join),
    "os.path.dirname": _text_function(posixpath.dirname),
    "os.path.basename": _text_function(posixpath.basename),
    "os.path.splitext": _text_function(posixpath.splitext),
    "os.path.normpath": _text_function(posixpath.normpath),
    "os.path.abspath": _text_function(lambda p: posixpath.normpath(posixpath.join(HOME, p))),
    "os.path.realpath": _text_function(lambda p: posixpath.normpath(posixpath.join(HOME, p))),
    "pathlib.Path": _path,
    "pathlib.PurePath": _path,
    "pathlib.PosixPath": _path,
    "ast.literal_eval": literal_eval,
}
