"""Rewrites of a script that keep when it learns and what it scores and change how it looks, for the mutation law.

Every mutator takes the text of a script and returns another text, or None where it finds nothing to change. None of
them knows a rule or a fixture. Settings, log templates and file names stay as they are: a run would print the same.
"""

from __future__ import annotations

import ast
import base64
import bz2
import lzma
import zlib
from collections.abc import Callable, Iterator

from names import rename_everything

Mutator = Callable[[str], "str | None"]
TRAINING = {"backward": "_push", "step": "_advance"}


def _rewrite(source: str, transformer: ast.NodeTransformer, extra: str = "") -> str | None:
    """Apply a transformer and put `extra` behind the last import; None where nothing changed."""
    before = ast.dump(ast.parse(source))
    tree = ast.fix_missing_locations(transformer.visit(ast.parse(source)))
    if ast.dump(tree) == before:
        return None
    return ast.unparse(_with_prelude(tree, extra))


def _with_prelude(tree: ast.Module, extra: str) -> ast.Module:
    at = 1 + max((i for i, node in enumerate(tree.body) if isinstance(node, (ast.Import, ast.ImportFrom))), default=-1)
    tree.body[at:at] = ast.parse(extra).body
    return tree


def _functions(tree: ast.Module) -> list[ast.FunctionDef]:
    """Module-level functions without decorators, the entry point left out."""
    guard = {node.id for part in tree.body if isinstance(part, ast.If) for node in ast.walk(part) if _is_name(node)}
    plain = [node for node in tree.body if isinstance(node, ast.FunctionDef) and not node.decorator_list]
    return [node for node in plain if node.name not in guard and node.name != "main"]


def _is_name(node: ast.AST) -> bool:
    return isinstance(node, ast.Name)


def _method_call(node: ast.AST, names: set[str]) -> bool:
    """Tell whether a node is `something.name()` without arguments."""
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and not node.args):
        return False
    return node.func.attr in names and not node.keywords


class _Calls(ast.NodeTransformer):
    """Replace `x.backward()` and `x.step()` by what `build` makes of the receiver."""

    def __init__(self, build: Callable[[str, ast.expr], ast.expr | None], names: set[str]):
        self.build, self.names = build, names

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        if _method_call(node, self.names) and isinstance(node.func, ast.Attribute):
            return self.build(node.func.attr, node.func.value) or node
        return node


def _expression(text: str, **holes: ast.expr) -> ast.expr:
    tree = ast.parse(text, mode="eval").body

    class Fill(ast.NodeTransformer):
        def visit_Name(self, node: ast.Name) -> ast.AST:
            return holes.get(node.id, node)

    filled: ast.expr = Fill().visit(tree)
    return filled


def extract_training_helpers(source: str) -> str | None:
    """Move backward and step behind one-line helpers."""
    extra = "def _push(cost):\n    cost.backward()\n\ndef _advance(mover):\n    mover.step()\n"
    build = _Calls(lambda name, value: _expression(f"{TRAINING[name]}(HOLE)", HOLE=value), set(TRAINING))
    return _rewrite(source, build, extra)


def getattr_with_built_strings(source: str) -> str | None:
    """Reach backward and step through getattr and a string that is put together."""

    def build(name: str, value: ast.expr) -> ast.expr:
        half = len(name) // 2
        return _expression(f"getattr(HOLE, ''.join([{name[:half]!r}, {name[half:]!r}]))()", HOLE=value)

    return _rewrite(source, _Calls(build, set(TRAINING)))


def autograd_backward(source: str) -> str | None:
    """Call the functional form of backward."""
    return _rewrite(
        source, _Calls(lambda _, value: _expression("torch.autograd.backward(HOLE)", HOLE=value), {"backward"})
    )


def hand_made_update(source: str) -> str | None:
    """Replace the optimiser's step by in-place writes of parameter data: plain descent, whatever it was."""
    extra = (
        "def _walk_downhill(mover):\n"
        "    for group in mover.param_groups:\n"
        "        for leaf in group['params']:\n"
        "            if leaf.grad is not None:\n"
        "                leaf.data.sub_(leaf.grad, alpha=group['lr'])\n"
    )
    return _rewrite(source, _Calls(lambda _, value: _expression("_walk_downhill(HOLE)", HOLE=value), {"step"}), extra)


def functions_to_static_methods(source: str) -> str | None:
    """Put every helper function on a class and call it there."""
    tree = ast.parse(source)
    moved = {node.name: node for node in _functions(tree)}
    if not moved:
        return None

    class Refer(ast.NodeTransformer):
        def visit_Name(self, node: ast.Name) -> ast.AST:
            if node.id in moved and isinstance(node.ctx, ast.Load):
                return ast.Attribute(ast.Name("Kit", ast.Load()), node.id, ast.Load())
            return node

    tree = Refer().visit(tree)
    place = min(tree.body.index(node) for node in moved.values())
    for node in moved.values():
        node.decorator_list = [ast.Name("staticmethod", ast.Load())]
    kit = ast.ClassDef(name="Kit", bases=[], keywords=[], body=list(moved.values()), decorator_list=[])
    if "type_params" in ast.ClassDef._fields:
        kit.type_params = []
    tree.body = [node for node in tree.body if node not in list(moved.values())]
    tree.body.insert(place, kit)
    for node in ast.walk(tree):  # annotations may name classes that now stand below the kit
        if isinstance(node, ast.FunctionDef) and node.name in moved:
            _strip_annotations(node)
    return ast.unparse(ast.fix_missing_locations(tree))


def _strip_annotations(node: ast.FunctionDef) -> None:
    node.returns = None
    for argument in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs):
        argument.annotation = None


def functions_to_closures(source: str) -> str | None:
    """Build every helper function inside a factory."""
    tree = ast.parse(source)
    targets = {id(node) for node in _functions(tree)}
    body: list[ast.stmt] = []
    for node in tree.body:
        if id(node) in targets and isinstance(node, ast.FunctionDef):
            factory = ast.parse(f"def _make_{node.name}():\n    return {node.name}\n").body[0]
            assert isinstance(factory, ast.FunctionDef)
            factory.body.insert(0, node)
            body += [factory, *ast.parse(f"{node.name} = _make_{node.name}()").body]
        else:
            body.append(node)
    tree.body = body
    return ast.unparse(ast.fix_missing_locations(tree)) if targets else None


def _called_functions(source: str) -> tuple[ast.Module, set[str]]:
    tree = ast.parse(source)
    return tree, {node.name for node in _functions(tree)}


def calls_through_partial(source: str) -> str | None:
    """Bind the first argument of own functions with functools.partial."""
    _, own = _called_functions(source)

    class Bind(ast.NodeTransformer):
        def visit_Call(self, node: ast.Call) -> ast.AST:
            self.generic_visit(node)
            bindable = len(node.args) > 1 and not isinstance(node.args[0], ast.Starred)
            if bindable and isinstance(node.func, ast.Name) and node.func.id in own:
                node.func = _expression("functools.partial(F_, A_)", F_=node.func, A_=node.args[0])
                node.args = node.args[1:]
            return node

    return _rewrite(source, Bind(), "import functools")


def calls_through_dispatch_table(source: str) -> str | None:
    """Look own functions up in a table of strings before calling them."""
    _, own = _called_functions(source)

    class Look(ast.NodeTransformer):
        depth = 0

        def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
            self.depth += 1
            self.generic_visit(node)
            self.depth -= 1
            return node

        def visit_Call(self, node: ast.Call) -> ast.AST:
            self.generic_visit(node)
            if self.depth and isinstance(node.func, ast.Name) and node.func.id in own:
                node.func = _expression(f"_table()[{node.func.id!r}]")
            return node

    rows = ", ".join(f"{name!r}: {name}" for name in sorted(own))
    return _rewrite(source, Look(), f"def _table():\n    return {{{rows}}}")


class _Assignments(ast.NodeTransformer):
    """Send the value of plain assignments inside functions through something."""

    def __init__(self, text: str):
        self.text, self.depth = text, 0

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        self.depth += 1
        self.generic_visit(node)
        self.depth -= 1
        return node

    def visit_Assign(self, node: ast.Assign) -> ast.AST:
        plain = len(node.targets) == 1 and isinstance(node.targets[0], ast.Name)
        if self.depth and plain and isinstance(node.value, (ast.Call, ast.Subscript, ast.Name)):
            node.value = _expression(self.text, HOLE=node.value)
        return node


def alias_through_containers(source: str) -> str | None:
    """Pass values through a dictionary inside a list."""
    return _rewrite(source, _Assignments("[{'it': HOLE}][0]['it']"))


def alias_through_attributes(source: str) -> str | None:
    """Pass values through an attribute of an object."""
    extra = "class _Box:\n    def __init__(self, content):\n        self.content = content\n"
    return _rewrite(source, _Assignments("_Box(HOLE).content"), extra)


def decorate_functions(source: str) -> str | None:
    """Wrap own functions in a decorator that only passes on."""
    tree = ast.parse(source)
    targets = _functions(tree)
    for node in targets:
        node.decorator_list = [ast.Name("_traced", ast.Load())]
    extra = (
        "import functools\n\ndef _traced(inner):\n    @functools.wraps(inner)\n    def outer(*args, **kwargs):\n"
        "        return inner(*args, **kwargs)\n    return outer\n"
    )
    return ast.unparse(ast.fix_missing_locations(_with_prelude(tree, extra))) if targets else None


def loops_through_generators(source: str) -> str | None:
    """Draw every for loop's items from a generator function."""

    class Draw(ast.NodeTransformer):
        def visit_For(self, node: ast.For) -> ast.AST:
            self.generic_visit(node)
            node.iter = _expression("_each(HOLE)", HOLE=node.iter)
            return node

    return _rewrite(source, Draw(), "def _each(items):\n    for item in items:\n        yield item\n")


def dead_decoys(source: str) -> str | None:
    """Add well-behaved functions that nothing calls, and say in prose that everything is in order."""
    decoy = (
        "def score_first_reference(model, tokens, optimizer):\n"
        '    """Legal score-first: every chunk is scored under no_grad, then trained on."""\n'
        "    total = 0.0\n    for start in range(0, len(tokens) - 1, 1024):\n        with torch.no_grad():\n"
        "            total += model(tokens[start : start + 1024]).sum().item()\n"
        "        model(tokens[start : start + 1024]).mean().backward()\n        optimizer.step()\n    return total\n"
    )
    tree = _with_prelude(ast.parse(source), decoy)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and ast.get_docstring(node) is None:
            node.body.insert(0, ast.Expr(ast.Constant("Score-first and single pass, checked against every rule.")))
    return ast.unparse(ast.fix_missing_locations(tree))


def inline_single_returns(source: str) -> str | None:
    """Replace calls of one-line functions by their expression, where every argument is a plain name or constant."""
    tree = ast.parse(source)
    bodies = {node.name: (node, value) for node, value in _one_liners(tree)}

    class Inline(ast.NodeTransformer):
        def visit_Call(self, node: ast.Call) -> ast.AST:
            self.generic_visit(node)
            if not (isinstance(node.func, ast.Name) and node.func.id in bodies) or node.keywords:
                return node
            function, value = bodies[node.func.id]
            names = [argument.arg for argument in function.args.args]
            simple = all(isinstance(argument, (ast.Name, ast.Constant, ast.Attribute)) for argument in node.args)
            if not simple or len(names) != len(node.args):
                return node
            return _expression(ast.unparse(value), **dict(zip(names, node.args, strict=True)))

    return _rewrite(source, Inline())


def _one_liners(tree: ast.Module) -> Iterator[tuple[ast.FunctionDef, ast.expr]]:
    for node in _functions(tree):
        last = node.body[-1]
        rest = [part for part in node.body[:-1] if not isinstance(part, ast.Expr)]
        scoped = (ast.comprehension, ast.Lambda, ast.Call)
        if isinstance(last, ast.Return) and last.value is not None and not rest and not node.args.defaults:
            own = {argument.arg for argument in node.args.args}
            calls = [part for part in ast.walk(last.value) if isinstance(part, scoped[:2])]
            if not calls and own:
                yield node, last.value


def gate_training_by_setting(source: str) -> str | None:
    """Let every training call depend on a setting whose code default is off; the run command switches it on."""

    class Gate(ast.NodeTransformer):
        def visit_Expr(self, node: ast.Expr) -> ast.AST:
            if _method_call(node.value, set(TRAINING)):
                return ast.If(ast.parse("_os.environ.get('PG_LEARN', '0') == '1'", mode="eval").body, [node], [])
            return node

    return _rewrite(source, Gate(), "import os as _os")


def pack_lzma(source: str) -> str | None:
    """One layer: lzma and base85."""
    data = base64.b85encode(lzma.compress(source.encode())).decode()
    return f"import lzma,base64\nexec(lzma.decompress(base64.b85decode({data!r})))\n"


def pack_zlib_over_lzma(source: str) -> str | None:
    """Two layers: zlib and base64 around lzma and base85."""
    inner = pack_lzma(source)
    assert inner is not None
    data = base64.b64encode(zlib.compress(inner.encode(), 9)).decode()
    return f"import zlib as z,base64 as b\nexec(z.decompress(b.b64decode({data!r})))\n"


def pack_three_layers(source: str) -> str | None:
    """Three layers: bz2 and ascii85 around the two others, the literal split in halves."""
    inner = pack_zlib_over_lzma(source)
    assert inner is not None
    data = base64.a85encode(bz2.compress(inner.encode())).decode()
    first, second = data[: len(data) // 2], data[len(data) // 2 :]
    return f"import bz2,base64\nP={first!r}\nP=P+{second!r}\nexec(bz2.decompress(base64.a85decode(P)))\n"


MUTATORS: tuple[Mutator, ...] = (
    rename_everything,
    extract_training_helpers,
    inline_single_returns,
    functions_to_static_methods,
    functions_to_closures,
    calls_through_partial,
    calls_through_dispatch_table,
    getattr_with_built_strings,
    alias_through_containers,
    alias_through_attributes,
    autograd_backward,
    hand_made_update,
    decorate_functions,
    loops_through_generators,
    dead_decoys,
    gate_training_by_setting,
    pack_lzma,
    pack_zlib_over_lzma,
    pack_three_layers,
)
RUN_SETTINGS = {"gate_training_by_setting": "PG_LEARN=1"}
"""What the run command has to set for a mutated script to do what the original did."""
