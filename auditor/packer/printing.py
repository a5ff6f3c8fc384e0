"""From a tree back to text that every target interpreter parses, proved equal by parsing it again.

The printer is python-minifier's; nested quotes that it writes on newer hosts are swapped by the frontend's requote.
"""

from __future__ import annotations

import ast

from python_minifier.module_printer import ModulePrinter

from auditor.errors import FrontendError
from auditor.frontend import pep701
from auditor.frontend.fstrings import scan


def same_tree(left: ast.AST, right: ast.AST) -> bool:
    """Compare two trees without positions and kinds of quotes."""
    pairs: list[tuple[object, object]] = [(left, right)]
    for one, other in pairs:
        if type(one) is not type(other):
            return False
        if isinstance(one, ast.AST):
            names = [name for name in one._fields if name != "kind"]
            pairs += [(getattr(one, name, None), getattr(other, name, None)) for name in names]
        elif isinstance(one, list) and isinstance(other, list):
            if len(one) != len(other):
                return False
            pairs += zip(one, other, strict=True)
        elif one is not other and repr(one) != repr(other):
            return False
    return True


def portable(text: str) -> str:
    """Swap quotes that need Python 3.12 for ones that do not; raise FrontendError where no swap exists."""
    changed, exact = pep701.requote(scan(text).formatted, text)
    if not exact:
        raise FrontendError("an f-string needs Python 3.12 and cannot be requoted")
    return changed


def print_tree(tree: ast.Module, requote: bool) -> str:
    """Print `tree` as briefly as the printer can; raise FrontendError where the text would not mean the same."""
    printer = ModulePrinter()
    printer(tree)
    text = portable(str(printer.code)) if requote else str(printer.code)
    try:
        same = same_tree(ast.parse(text), tree)
    except (SyntaxError, ValueError) as error:
        raise FrontendError(f"the printed script does not parse: {error}") from error
    if not same:
        raise FrontendError("the printed script differs from the tree it was printed from")
    return text if text.endswith("\n") or not text else text + "\n"


def escape(text: str) -> str | None:
    """Spell characters beyond ASCII as escapes; None where that would change the meaning (raw or nested strings)."""
    if text.isascii():
        return text
    spelled = "".join(c if c < "\x80" else f"\\u{ord(c):04x}" if c < "\U00010000" else f"\\U{ord(c):08x}" for c in text)
    try:
        return spelled if same_tree(ast.parse(spelled), ast.parse(text)) else None
    except (SyntaxError, ValueError):
        return None
