"""Shims are decoded without being run: every codec, every way of carrying the payload, and what must stay opaque."""

from __future__ import annotations

import base64
import bz2
import lzma
import zlib

import pytest

from auditor.limits import DEFAULT_LIMITS, UnpackLimits
from auditor.model.source import Unpacked
from auditor.unpack import unpack

PAYLOAD = b"import os\n\n\ndef main():\n    print('score', os.environ.get('X', '1'))\n\n\nmain()\n" + b"# pad\n" * 40
RAW = [{"id": lzma.FILTER_LZMA2}]


def decoded(
    source: str | bytes, *, siblings: dict[str, bytes] | None = None, limits: UnpackLimits = DEFAULT_LIMITS.unpack
) -> Unpacked:
    data = source.encode() if isinstance(source, str) else source
    return unpack(data, "train_gpt.py", lambda name: (siblings or {}).get(name), limits)


def b85(data: bytes) -> str:
    return base64.b85encode(data).decode()


def deflate(data: bytes) -> bytes:
    engine = zlib.compressobj(9, zlib.DEFLATED, -15)
    return engine.compress(data) + engine.flush()


PACKED: list[tuple[str, str, tuple[str, ...]]] = [
    (
        "xz",
        f"import lzma,base64\nexec(lzma.decompress(base64.b85decode({b85(lzma.compress(PAYLOAD))!r})))",
        ("b85", "xz"),
    ),
    (
        "alone",
        "import lzma as L,base64 as B\nexec(L.decompress(B.b64decode("
        f"{base64.b64encode(lzma.compress(PAYLOAD, format=lzma.FORMAT_ALONE))!r})))",
        ("b64", "lzma-alone"),
    ),
    (
        "raw",
        "import lzma as L,base64 as B\nexec(L.decompress(B.b85decode("
        f"{b85(lzma.compress(PAYLOAD, format=lzma.FORMAT_RAW, filters=RAW))!r}),format=L.FORMAT_RAW,"
        "filters=[{'id':L.FILTER_LZMA2,'preset':9|L.PRESET_EXTREME}]))",
        ("b85", "lzma-raw"),
    ),
    (
        "zlib",
        "from zlib import decompress as d\nfrom base64 import a85decode\nexec(d(a85decode("
        f"{base64.a85encode(zlib.compress(PAYLOAD))!r})).decode())",
        ("a85", "zlib"),
    ),
    (
        "deflate",
        f"exec(__import__('zlib').decompress(bytes.fromhex('{deflate(PAYLOAD).hex()}'), -15))",
        ("hex", "deflate"),
    ),
    (
        "deflate-object",
        f"import zlib,base64\nexec(zlib.decompressobj(-15).decompress(base64.b85decode({b85(deflate(PAYLOAD))!r})))",
        ("b85", "deflate"),
    ),
    (
        "bz2",
        f"import codecs\nexec(codecs.decode(codecs.decode('{bz2.compress(PAYLOAD).hex()}', 'hex'), 'bz2'))",
        ("hex", "bz2"),
    ),
]


@pytest.mark.parametrize(("name", "source", "codecs"), PACKED, ids=[row[0] for row in PACKED])
def test_each_codec_is_decoded(name: str, source: str, codecs: tuple[str, ...]) -> None:
    """A one-line shim of every standard codec yields the payload, its codecs in order and no opaque layer."""
    result = decoded(source)
    assert result.payload.raw == PAYLOAD
    assert result.payload.codecs == codecs
    assert result.opaque == ()


def test_brotli_is_decoded() -> None:
    """A brotli payload is decoded."""
    brotli = pytest.importorskip("brotli")
    packed = b85(brotli.compress(PAYLOAD))
    result = decoded(f"import brotli,base64\nexec(brotli.decompress(base64.b85decode({packed!r})))")
    assert (result.payload.raw, result.payload.codecs) == (PAYLOAD, ("b85", "brotli"))


def test_zstd_is_decoded() -> None:
    """A zstd payload is decoded, through the decompressor object too."""
    zstandard = pytest.importorskip("zstandard")
    packed = b85(zstandard.ZstdCompressor().compress(PAYLOAD))
    result = decoded(
        f"import zstandard,base64\nexec(zstandard.ZstdDecompressor().decompress(base64.b85decode({packed!r})))"
    )
    assert (result.payload.raw, result.payload.codecs) == (PAYLOAD, ("b85", "zstd"))


HALVES = (b85(zlib.compress(PAYLOAD))[:40], b85(zlib.compress(PAYLOAD))[40:])
SPLIT: dict[str, str] = {
    "implicit": f"D=({HALVES[0]!r}\n  {HALVES[1]!r})",
    "sum": f"D={HALVES[0]!r}+{HALVES[1]!r}",
    "join": f"D=''.join([{HALVES[0]!r},{HALVES[1]!r}])",
    "append": f"P=[]\nP.append({HALVES[0]!r})\nP+=[{HALVES[1]!r}]\nD=''.join(P)",
    "replaced": f"D={(HALVES[0] + chr(32) + HALVES[1])!r}.replace(' ','')",
    "reversed": f"D={''.join(HALVES)[::-1]!r}[::-1]",
    "sliced": f"D={'junk' + ''.join(HALVES)!r}[4:]",
    "function": f"def f(a,b):\n    return a+b\nD=f({HALVES[0]!r},{HALVES[1]!r})",
    "lambda": f"g=lambda *p: ''.join(p)\nD=g({HALVES[0]!r},{HALVES[1]!r})",
    "dict": f"T={{'a':{HALVES[0]!r},'b':{HALVES[1]!r}}}\nD=T['a']+T.get('b')",
    "loop": f"D=''\nfor p in ({HALVES[0]!r},{HALVES[1]!r}):\n    D+=p",
    "fstring": f"A={HALVES[0]!r}\nB={HALVES[1]!r}\nD=f'{{A}}{{B}}'",
    "known branch": f"if 1 > 2:\n    D='x'\nelse:\n    D={''.join(HALVES)!r}",
}


@pytest.mark.parametrize("way", SPLIT)
def test_literals_are_put_together_before_decoding(way: str) -> None:
    """A payload that is split, joined, replaced, reversed or sliced before decoding is still decoded."""
    result = decoded(f"import zlib,base64\n{SPLIT[way]}\nexec(zlib.decompress(base64.b85decode(D)))\n")
    assert result.payload.raw == PAYLOAD
    assert result.opaque == ()


ALIASES: dict[str, str] = {
    "builtins": "import builtins\nbuiltins.exec(C)",
    "getattr": "import builtins\ngetattr(builtins,'ex'+'ec')(C)",
    "name": "run=exec\nrun(C)",
    "compile": "exec(compile(C,'x.py','exec'),globals())",
    "in main": "def main():\n    exec(C)\nif __name__=='__main__':\n    main()",
    "tempfile": "import tempfile,os,runpy\np=os.path.join(tempfile.mkdtemp(),'t.py')\nopen(p,'wb').write(C)\n"
    "runpy.run_path(p,run_name='__main__')",
    "with file": "import runpy\nwith open('/tmp/x.py','wb') as f:\n    f.write(C)\nrunpy.run_path('/tmp/x.py')",
    "spec": "import importlib.util as U\nopen('/tmp/y.py','wb').write(C)\n"
    "s=U.spec_from_file_location('__main__','/tmp/y.py')\n"
    "m=U.module_from_spec(s)\ns.loader.exec_module(m)",
    "pathlib": "import runpy\nfrom pathlib import Path\np=Path('/tmp')/'z.py'\np.write_bytes(C)\n"
    "runpy.run_path(str(p))",
}


@pytest.mark.parametrize("way", ALIASES)
def test_every_sink_is_recognised(way: str) -> None:
    """exec under another name, compile, runpy and loaders of a written file lead to the payload."""
    literal = b85(zlib.compress(PAYLOAD))
    result = decoded(f"import zlib,base64\nC=zlib.decompress(base64.b85decode({literal!r}))\n{ALIASES[way]}\n")
    assert result.payload.raw == PAYLOAD
    assert result.opaque == ()


def test_three_layers() -> None:
    """Shims inside shims are decoded one after the other."""
    source: bytes = PAYLOAD
    for _ in range(3):
        source = f"import zlib,base64\nexec(zlib.decompress(base64.b85decode({b85(zlib.compress(source))!r})))".encode()
    result = decoded(source)
    assert [layer.index for layer in result.layers] == [0, 1, 2, 3]
    assert result.payload.raw == PAYLOAD


def test_payload_read_from_the_scripts_own_file() -> None:
    """Bytes behind a marker or an offset of the script's own file are the payload."""
    head = b"import zlib\nexec(zlib.decompress(open(__file__,'rb').read().split(b'#'+b'DATA:')[1]))\n"
    body = zlib.compress(PAYLOAD, 9).replace(b"\r", b"\r")
    source = b"# -*- coding: latin-1 -*-\n" + head + b"'''#DATA:"
    if b"'''" in body or b"\\" in body[-1:] or b"\0" in body:
        body = base64.b85encode(body)
        source = source.replace(b"zlib.decompress(open", b"zlib.decompress(__import__('base64').b85decode(open")
        source = source.replace(b"[1]))", b"[1][:%d])))" % len(body))
    result = decoded(source + body + b"'''\n")
    assert result.payload.raw == PAYLOAD
    assert result.payload.codecs[0] == "self"


def test_side_file() -> None:
    """A payload in another shipped file is decoded and named."""
    source = (
        "import lzma\nfrom pathlib import Path\nexec(lzma.decompress((Path(__file__).parent/'code.xz').read_bytes()))"
    )
    result = decoded(source, siblings={"code.xz": lzma.compress(PAYLOAD)})
    assert (result.payload.raw, result.payload.origin_file) == (PAYLOAD, "code.xz")


def test_launcher_of_a_shipped_file() -> None:
    """A launcher of a shipped script is a layer whose origin is that file."""
    source = "import os,runpy\nrunpy.run_path(os.path.join(os.path.dirname(__file__),'real.py'),run_name='__main__')"
    result = decoded(source, siblings={"real.py": PAYLOAD})
    assert (result.payload.raw, result.payload.origin_file) == (PAYLOAD, "real.py")


def test_source_map_points_at_the_literal() -> None:
    """The byte range of the payload is that of the literal in the shim, behind non-ASCII text too."""
    literal = repr(b85(zlib.compress(PAYLOAD)))
    source = f"# é ▁\nimport zlib,base64\nx='ü';exec(zlib.decompress(base64.b85decode({literal})))\n".encode()
    start, end = decoded(source).payload.origin or (0, 0)
    assert source[start:end].decode() == literal


OPAQUE: dict[str, str] = {
    "environment": "import os\nexec(os.environ['CODE'])",
    "network": "import urllib.request as u\nexec(u.urlopen('http://x').read())",
    "marshal": "import marshal\nexec(marshal.loads(b'abc'))",
    "own codec": "exec(bytes(decode_somehow(b'abc')))",
    "missing file": "import runpy\nrunpy.run_path('not_there.py')",
    "cut off": "import zlib\nexec(zlib.decompress(b'x\\x9cabc'))",
    "unknown branch": "import os\nC='a=1'\nif os.environ.get('X'):\n    C='b=2'\nexec(C)",
    "changed by a call": "import os\nL=['a=1']\nos.weird(L)\nexec(''.join(L))",
    "inside a function": "def f():\n    exec(fetch())\n",
}


@pytest.mark.parametrize("way", OPAQUE)
def test_what_cannot_be_folded_is_opaque(way: str) -> None:
    """Code of unknown content is never passed over."""
    assert decoded(OPAQUE[way]).opaque


def test_real_scripts_are_no_shims() -> None:
    """model.eval(), torch.compile and exec of a short constant beside real code add no layer and no opaque place."""
    source = "import torch\n" + "def f(m, x):\n    m.eval()\n    return torch.compile(m)(x)\n" * 5 + "exec('x=1')\n"
    result = decoded(source)
    assert len(result.layers) == 1
    assert result.opaque == ()


def test_modules_carried_as_text_are_embedded() -> None:
    """Text that runs in a module's own namespace becomes a module, not the payload."""
    source = "import types\nm=types.ModuleType('lib.a')\nexec('def f():\\n    return 1\\n', m.__dict__)\nprint(m.f())\n"
    result = decoded(source)
    assert [(name, layer.text) for name, layer in result.embedded] == [("lib.a", "def f():\n    return 1\n")]
    assert len(result.layers) == 1


@pytest.mark.parametrize("codec", ["xz", "zlib", "bz2"])
def test_decompression_bomb_stops_at_the_cap(codec: str) -> None:
    """A bomb ends at the cap while it streams, as an opaque layer and without an exception."""
    bomb = b"a" * 40_000_000
    packed = {"xz": lzma.compress, "zlib": zlib.compress, "bz2": bz2.compress}[codec](bomb)
    module = {"xz": "lzma"}.get(codec, codec)
    result = decoded(f"import {module},base64\nexec({module}.decompress(base64.b85decode({b85(packed)!r})))")
    assert len(result.layers) == 1
    assert "limit" in result.opaque[0].reason


@pytest.mark.parametrize(
    "source",
    [
        "x='a'*10**12\nexec(x)",
        "x=b'a'*(1<<40)\nexec(x)",
        "x='a'\nfor i in range(10**9):\n    x+=x\nexec(x)",
        "while True:\n    x=1\nexec(x)",
        "def f():\n    return f()\nexec(f())",
        "x='a'*1000000\nexec(x.replace('a',x))",
        "exec(bytes(10**12))",
        "x=1\nx=x<<(1<<40)\nexec(str(x))",
        "exec(" + "(" * 150 + "1" + ")" * 150 + ")",
    ],
)
def test_folding_is_bounded(source: str) -> None:
    """Expressions that would need endless time or memory end quickly, with one layer."""
    limits = UnpackLimits(fold_steps=50_000)
    assert len(decoded(source, limits=limits).layers) == 1


@pytest.mark.parametrize(
    "data", [b"", b"\0", b"\xff\xfe\x00", "exec('é')".encode("utf-16"), b"exec(", b"# coding: nope\n"]
)
def test_bytes_that_are_no_python_are_one_layer(data: bytes) -> None:
    """Empty, null, UTF-16, unfinished and unknown-encoding bytes stay layer 0 and raise nothing."""
    assert [layer.raw for layer in decoded(data).layers] == [data]


def test_nothing_is_executed(tmp_path: object) -> None:
    """A shim whose decoding would write a file when run leaves no file."""
    target = f"{tmp_path}/ran"
    decoded(f"exec(open({target!r},'w').write('x') and 'a=1')\neval(\"open({target!r},'w').close()\")")
    import os

    assert not os.path.exists(target)


def test_shims_of_the_packer_are_decoded() -> None:
    """A context-mixing shim of `pgolf pack` is decoded by our own decoder, one changed byte makes it opaque."""
    from auditor.packer import cm_coder
    from auditor.packer.cm_model import CmParams
    from auditor.packer.shims import wrap_cm

    text = PAYLOAD.decode()
    params = CmParams(length=len(text))
    shim = wrap_cm(cm_coder.encode(text, params, cm_coder.RAW), params, cm_coder.RAW, False)
    assert shim is not None
    result = decoded(shim.data)
    assert (result.payload.raw, result.opaque) == (PAYLOAD, ())
    assert decoded(shim.data + b"#").opaque
