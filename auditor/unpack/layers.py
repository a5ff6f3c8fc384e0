"""From the bytes of a script to its layers: fold the shim, decode the payload, and look again.

Nothing is executed. What runs and cannot be folded is an `Opaque`, so that no verdict can be clean over it.
"""

from __future__ import annotations

import ast
import posixpath
import re
import unicodedata
from collections.abc import Callable, Iterator

from auditor.errors import BudgetExceeded
from auditor.frontend.parse import decode, parse
from auditor.frontend.walk import nodes, nodes_of
from auditor.limits import UnpackLimits
from auditor.model.source import Layer, Opaque, Span, Unpacked
from auditor.unpack import sinks, statements
from auditor.unpack.own_shims import own_layer
from auditor.unpack.places import literal_ranges
from auditor.unpack.state import Sink, State
from auditor.unpack.values import Const, Value

Sibling = Callable[[str], bytes | None]

_OWN_CODE = 400
"""AST nodes a decoder may have beside its payload; the longest real decoder has about 250."""


def unpack(data: bytes, file: str, sibling: Sibling, limits: UnpackLimits) -> Unpacked:
    """Decode every layer of a script.

    `file` is the script's path in the submission, `sibling` returns the bytes of another shipped file (path relative
    to the submission) or None. Undecodable text becomes a layer with replacement characters; it never raises for
    what the script holds.
    """
    layers = [Layer(0, data, _text(data))]
    opaque: list[Opaque] = []
    embedded: list[tuple[str, Layer]] = []
    here = file
    seen = {data}
    while True:
        layer = layers[-1]
        ours = own_layer(layer, file, limits, opaque) if len(layers) <= limits.layers else None
        if ours is not None:
            layers.append(ours)
            continue
        found, written = _fold(layer, here, file, sibling, limits, opaque)
        chosen = _choose(layer, found, file, opaque)
        embedded += _written_modules(written, chosen, layer.index + 1)
        for sink in found:
            if sink.module is not None and sink.content is not None and sink.path is None:
                embedded.append((sink.module, _layer(layer.index + 1, sink.content)))
        if chosen is None:
            break
        following = _layer(layer.index + 1, chosen.content or Const(b""))
        if following.raw in seen:
            opaque.append(Opaque(Span(file, layer.index, chosen.line, chosen.column), "the script runs itself again"))
            break
        if len(layers) > limits.layers:
            reason = f"more than {limits.layers} nested layers"
            opaque.append(Opaque(Span(file, layer.index, chosen.line, chosen.column), reason))
            break
        seen.add(following.raw)
        layers.append(following)
        here = chosen.path or here
    return Unpacked(file, tuple(layers), tuple(opaque), tuple(embedded))


def _text(data: bytes) -> str:
    try:
        text = decode(data)
    except (SyntaxError, UnicodeDecodeError, LookupError):
        text = data.decode("utf-8", "replace")
    return text.removeprefix("\ufeff")


def _layer(index: int, content: Const) -> Layer:
    value = content.value
    raw = value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value
    text = value if isinstance(value, str) else _text(raw)
    return Layer(index, raw, text, content.trail.codecs, content.trail.origin, content.trail.file)


def _fold(
    layer: Layer, here: str, file: str, sibling: Sibling, limits: UnpackLimits, opaque: list[Opaque]
) -> tuple[list[Sink], dict[str, Value]]:
    """Return what a layer runs, in order, and the files it writes; add what cannot be known to `opaque`."""
    tree = parse(layer.raw).tree
    if tree is None or not _may_run_code(tree, layer.text):
        return [], {}
    state = State(here, layer.raw, sibling, limits, literal_ranges(layer.raw, layer.text))
    state.variables.update({"__name__": Const("__main__"), "__file__": Const(state.own_path())})
    state.relevant = _relevant(tree)
    try:
        statements.run(state, tree.body, state.variables)
    except (BudgetExceeded, RecursionError) as error:
        pending = _pending(tree, state)
        if pending is not None:
            why = error if isinstance(error, BudgetExceeded) else "expressions nested too deeply"
            place = Span(file, layer.index, pending.lineno, pending.col_offset + 1)
            opaque.append(Opaque(place, f"decoding was stopped: {why}"))
    found = state.sinks + list(_unreached(tree, state))
    for sink in found:
        if sink.content is None:
            opaque.append(Opaque(Span(file, layer.index, sink.line, sink.column), sink.reason))
    return [sink for sink in found if sink.content is not None], state.written


def _written_modules(written: dict[str, Value], chosen: Sink | None, index: int) -> Iterator[tuple[str, Layer]]:
    """Yield the Python files that a shim unpacks beside its payload, as modules of their own."""
    payload = chosen.content.value if chosen is not None and chosen.content is not None else None
    same = payload.encode("utf-8", "surrogatepass") if isinstance(payload, str) else payload
    for path, content in written.items():
        name, suffix = posixpath.splitext(posixpath.basename(path))
        if suffix == ".py" and isinstance(content, Const) and content.value != same:
            yield name, _layer(index, content)


_SINK = re.compile(
    r"(?<![.\w])(?:exec|eval)\b|\b(?:" + "|".join(sorted(sinks.NAMES - {"exec", "eval"})) + r")\b", re.ASCII
)


def _may_run_code(tree: ast.Module, text: str) -> bool:
    """Tell whether a source holds any name that can lead to running text (identifiers are compared as NFKC)."""
    plain = text if text.isascii() else unicodedata.normalize("NFKC", text)
    if "subprocess" in plain and len(tree.body) < 40:
        return True
    return _SINK.search(plain) is not None and any(map(_names_sink, nodes_of(tree, *_NAMING)))


_NAMING = (ast.Name, ast.Attribute, ast.alias, ast.ImportFrom, ast.Constant)
"""Classes of nodes that can name something."""


def _names_sink(node: ast.AST) -> bool:
    """Comments and docstrings may speak of eval; a name, an attribute, an import or a bare string means it."""
    if isinstance(node, ast.Name):
        return node.id in sinks.NAMES
    if isinstance(node, ast.Attribute):
        return node.attr in sinks.NAMES and not _is_eval_mode(node)
    if isinstance(node, ast.alias):
        return not sinks.NAMES.isdisjoint(node.name.split("."))
    if isinstance(node, ast.ImportFrom):
        return node.module in sinks.NAMES
    return isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in sinks.NAMES


def _is_eval_mode(node: ast.Attribute) -> bool:
    """`model.eval()` and `torch.exec...` are methods, not the builtins."""
    return node.attr in ("eval", "exec")


def _relevant(tree: ast.Module) -> frozenset[str]:
    """Return the functions from which a sink name can be reached, by a fixpoint over called names."""
    uses: dict[str, set[str]] = {}
    found: set[str] = set()
    defined: list[ast.FunctionDef | ast.AsyncFunctionDef] = [*nodes_of(tree, ast.FunctionDef)]
    defined += nodes_of(tree, ast.AsyncFunctionDef)
    for node in defined:
        names = {child.id for child in nodes_of(node, ast.Name)}
        names |= {child.attr for child in nodes_of(node, ast.Attribute) if not _is_eval_mode(child)}
        uses.setdefault(node.name, set()).update(names)
        if names & sinks.NAMES:
            found.add(node.name)
    while True:
        more = {name for name, used in uses.items() if name not in found and used & found}
        if not more:
            return frozenset(found)
        found |= more


def _pending(tree: ast.Module, state: State) -> ast.Call | None:
    """Return a call that can run text and whose text the walk did not come to know."""
    known = {id(sink.node) for sink in state.sinks}
    for node in nodes_of(tree, ast.Call):
        if id(node) not in known:
            function = node.func
            name = function.id if isinstance(function, ast.Name) else getattr(function, "attr", "")
            if name in sinks.NAMES and not (isinstance(function, ast.Attribute) and _is_eval_mode(function)):
                return node
    return None


def _unreached(tree: ast.Module, state: State) -> Iterator[Sink]:
    """Yield exec() calls that the walk did not come by and whose argument is no plain literal."""
    for node in nodes_of(tree, ast.Call):
        if id(node) in state.visited:
            continue
        if isinstance(node.func, ast.Name) and node.func.id in ("exec", "eval") and node.args:
            if isinstance(node.args[0], ast.Constant):
                continue
            reason = f"{node.func.id}() of text that cannot be decoded statically"
            yield Sink(node.func.id, node.lineno, node.col_offset + 1, reason=reason, node=node)


def _choose(layer: Layer, found: list[Sink], file: str, opaque: list[Opaque]) -> Sink | None:
    """Pick the sink whose content is the payload of a shim; say so where a script also runs other text."""
    own = [sink for sink in found if sink.module is None]
    if not own:
        return None
    tree = parse(layer.raw).tree
    size = _nodes(tree) if tree is not None else 0
    largest = max(own, key=lambda sink: len(sink.content.value) if sink.content else 0)
    payload = parse(_layer(0, largest.content or Const(b"")).raw).tree
    inner = _nodes(payload) if payload is not None else len((largest.content or Const(b"")).value) // 5
    span = Span(file, layer.index, largest.line, largest.column)
    packed = size <= _OWN_CODE and largest.content is not None and largest.content.trail.codecs
    if inner < size and not packed:
        if inner > 8:
            opaque.append(Opaque(span, "the script also runs decoded text, which is not merged into the analysis"))
        return None
    for sink in own:
        if sink is not largest and sink.content != largest.content:
            where = Span(file, layer.index, sink.line, sink.column)
            opaque.append(Opaque(where, "the shim runs a second text besides its payload"))
    if size > _OWN_CODE:
        opaque.append(Opaque(span, "the shim holds more code of its own than a decoder needs"))
    return largest


def _nodes(tree: ast.Module) -> int:
    return sum(not isinstance(node, (ast.Constant, ast.expr_context)) for node in nodes(tree))
