"""Find the names of sizes that are written into a script and that the miniature's text is too short for.

A loop that steps by more than the whole text runs once here and often in the real run, so what happens between blocks
would never happen; a table of hashes that collide in the real run would hold each by itself. Such sizes are lowered
where they are bound, so that everything that reads the name agrees. Names are told apart by what is done with them.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

ALLOCATING = ("zeros", "ones", "empty", "full", "new_zeros", "new_ones", "new_empty", "new_full", "bytearray")
STEP, TABLE, ARRAY = "step", "hashes", "array"


def size_names(tree: ast.AST) -> dict[str, str]:
    """Return name or attribute -> STEP, the step of a `range` or what a `while` adds to what it tests, TABLE or ARRAY.

    The size of a table of hashes is what a remainder is taken by, or the mask for it made from: by the name of the size
    (TABLE), or by that of the array whose length it is (ARRAY).
    """
    found: dict[str, str] = {}
    for node in ast.walk(tree):
        arrays = (of for use in moduli(node) if (of := measured(use)) is not None)
        for kind, uses in ((ARRAY, arrays), (TABLE, moduli(node)), (STEP, steps(node))):
            for name in map(name_of, uses):
                if name is not None and found.get(name) != STEP:
                    found[name] = kind
    return found


def steps(node: ast.AST) -> Iterator[ast.expr]:
    """Yield the expressions by which the loop `node` steps."""
    if isinstance(node, ast.Call) and name_of(node.func) == "range" and len(node.args) == 3:
        yield node.args[2]
    elif isinstance(node, ast.While):
        tested = {part.id for part in ast.walk(node.test) if isinstance(part, ast.Name)}
        for part in ast.walk(node):
            if isinstance(part, ast.AugAssign) and isinstance(part.op, ast.Add) and name_of(part.target) in tested:
                yield part.value


def moduli(node: ast.AST) -> Iterator[ast.expr]:
    """Yield `n` of `x % n` and `n - 1`."""
    if isinstance(node, ast.BinOp):
        one = isinstance(node.right, ast.Constant) and node.right.value == 1
        if isinstance(node.op, ast.Mod):
            yield node.right
        elif isinstance(node.op, ast.Sub) and one:
            yield node.left


def measured(size: ast.expr) -> ast.expr | None:
    """Return the array whose length `size` is: `len(x)`, `x.size`, `x.numel()`, `x.shape[0]` or `x.size(0)`."""
    if isinstance(size, ast.Call) and name_of(size.func) == "len" and len(size.args) == 1:
        return size.args[0]
    of = size.func if isinstance(size, ast.Call) else size.value if isinstance(size, ast.Subscript) else size
    named = isinstance(of, ast.Attribute) and of.attr in ("size", "numel", "shape")
    return of.value if named else None  # type: ignore[attr-defined]


def allocated(value: ast.expr) -> ast.Call | None:
    """Return the call that makes an array of a written length, looked for through what is called on it."""
    while isinstance(value, ast.Call):
        if value.args and written(value.args[0]) and name_of(value.func) in ALLOCATING:
            return value
        if not isinstance(value.func, ast.Attribute):
            return None
        value = value.func.value
    return None


def name_of(node: ast.AST) -> str | None:
    """Return the name or attribute that a node is, None for anything else."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else None


def bound(node: ast.Assign | ast.AnnAssign) -> Iterator[tuple[str, bool, ast.expr]]:
    """Yield (name, whether it is an attribute, value) of what an assignment binds one to one."""
    for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
        pairs = [(target, node.value)]
        if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
            pairs = list(zip(target.elts, node.value.elts, strict=False))
        for part, value in pairs:
            name = name_of(part)
            if name is not None and value is not None:
                yield name, isinstance(part, ast.Attribute), value


def written(node: ast.AST) -> bool:
    """Say whether an expression is made of numbers only: `65536`, `1 << 16`, `64 * 1024`."""
    if isinstance(node, ast.BinOp):
        return written(node.left) and written(node.right)
    return isinstance(node, ast.Constant) and type(node.value) is int
