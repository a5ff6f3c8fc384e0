"""From a tree back to text that every target interpreter parses, proved equal by parsing it again.

The printer is python-minifier's; nested quotes that it writes on newer hosts are swapped by the frontend's requote.
"""

from __future__ import annotations

import ast
import sys

from python_minifier.f_string import OuterFString
from python_minifier.module_printer import ModulePrinter
from python_minifier.token_printer import TokenPrinter, TokenTypes

from auditor.errors import FrontendError
from auditor.frontend import pep701
from auditor.frontend.fstrings import scan
from auditor.packer.walk import KINDS, nodes


class _Lines(TokenPrinter):  # type: ignore[misc]
    """The printer's text with finished lines put aside: it grows by single tokens, each of which copies all of it."""

    def __init__(self) -> None:
        super().__init__()
        self.finished: list[str] = []
        self._code: str = ""

    def newline(self) -> None:
        line = self._code.rstrip("\n\t;")
        if line:
            self.finished.append(line)
        if self.finished:
            self._code = "\n" + "\t" * self.indent
            self.previous_token = TokenTypes.NewLine

    def __str__(self) -> str:
        return "".join(self.finished) + self._code


def _plain(text: str) -> bool:
    """Say whether a text stands for itself in a literal, but for quotes."""
    return text.isascii() and text.isprintable() and "\\" not in text


def _quoteless(node: ast.JoinedStr) -> bool:
    """Say whether no quote is better than another: nothing inside is quoted, or is a quote itself."""
    for part in node.values:
        if isinstance(part, ast.Constant):
            text = str(part.value)
            if not _plain(text) or "'" in text or '"' in text:
                return False
        elif isinstance(part, ast.FormattedValue):
            below = nodes(part.value)
            if any(isinstance(n, ast.JoinedStr) or isinstance(getattr(n, "value", None), (str, bytes)) for n in below):
                return False
            if isinstance(part.format_spec, ast.JoinedStr) and not _quoteless(part.format_spec):
                return False
    return True


class _FormattedString(OuterFString):  # type: ignore[misc]
    """An f-string whose spellings are proved from the shortest on, instead of each part and all of them twice."""

    def __init__(self, node: ast.JoinedStr, pep701: bool) -> None:
        super().__init__(node, pep701=pep701)
        if _quoteless(node):
            self.allowed_quotes: list[str] = ['"']

    def str_for(self, text: str, quote: str) -> str:
        if text and _plain(text) and quote[0] not in text:
            return text.replace("{", "{{").replace("}", "}}")
        return str(super().str_for(text, quote))

    def is_correct_ast(self, code: str) -> bool:
        return True

    def __str__(self) -> str:
        for spelling in sorted(self.candidates(), key=len):
            if super().is_correct_ast(spelling):
                return str(spelling)
        raise ValueError("no spelling of an f-string parses back")


class _Printer(ModulePrinter):  # type: ignore[misc]
    """python-minifier's printer, whose text it is to the byte."""

    def __init__(self) -> None:
        super().__init__()
        self.printer = _Lines()

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        self.printer.fstring(str(_FormattedString(node, pep701=sys.version_info >= (3, 12))))


_COMPARED = {kind: tuple(name for name in kind._fields if name != "kind") for kind in KINDS}
"""Class of nodes -> its fields that mean something: the kind of a literal's quotes does not."""


def same_tree(left: ast.AST, right: ast.AST) -> bool:
    """Compare two trees without positions and kinds of quotes."""
    pairs: list[tuple[ast.AST, object]] = [(left, right)]
    for one, other in pairs:
        if type(one) is not type(other):
            return False
        for name in _COMPARED[type(one)]:
            mine, theirs = getattr(one, name, None), getattr(other, name, None)
            if mine is theirs:
                continue
            mines, others = [mine], [theirs]
            if isinstance(mine, list) and isinstance(theirs, list):
                mines, others = mine, theirs
            if len(mines) != len(others):
                return False
            for a, b in zip(mines, others, strict=True):
                if isinstance(a, ast.AST):
                    pairs.append((a, b))
                elif a is not b and (type(a) is not type(b) or repr(a) != repr(b)):
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
    return print_and_parse(tree, requote)[0]


def print_and_parse(tree: ast.Module, requote: bool) -> tuple[str, ast.Module]:
    """Print `tree` and return the text with the tree that it parses to, which is equal to `tree`."""
    printer = _Printer()
    printer(tree)
    text = portable(str(printer.code)) if requote else str(printer.code)
    try:
        parsed = ast.parse(text)
    except (SyntaxError, ValueError) as error:
        raise FrontendError(f"the printed script does not parse: {error}") from error
    if not same_tree(parsed, tree):
        raise FrontendError("the printed script differs from the tree it was printed from")
    return text if text.endswith("\n") or not text else text + "\n", parsed


def escape(text: str) -> str | None:
    """Spell characters beyond ASCII as escapes; None where that would change the meaning (raw or nested strings)."""
    if text.isascii():
        return text
    spelled = "".join(c if c < "\x80" else f"\\u{ord(c):04x}" if c < "\U00010000" else f"\\U{ord(c):08x}" for c in text)
    try:
        return spelled if same_tree(ast.parse(spelled), ast.parse(text)) else None
    except (SyntaxError, ValueError):
        return None
