"""A reader for the C and C++ that submissions carry: functions as statements and expressions, enough to follow data.

No preprocessor, no types, no templates: casts and qualifiers are dropped, declarations become assignments. What does
not parse is left out, and the function that holds it is marked as incomplete; nothing here is compiled or run.
"""

from __future__ import annotations

from dataclasses import dataclass

from auditor.frontend.ctokens import CLOSERS, TYPES, WORDS, Token, closing, declared_types, integer, split, tokens_of

Expr = tuple[object, ...]
"""("name", id), ("number", int or None), ("index", base, index), ("field", base, name), ("deref", x), ("address", x),
("call", callee, args), ("assign", target, value), ("update", target, value), ("choice", test, a, b), ("many", parts),
("binary", operator, left, right)."""


@dataclass(frozen=True, slots=True)
class Stmt:
    """A statement: `kind` is do, if, loop, return, jump or bad; a declaration is a `do` of an assignment."""

    kind: str
    line: int
    test: Expr | None = None
    value: Expr | None = None
    start: Expr | None = None
    """What a `for` does first."""
    body: tuple[Stmt, ...] = ()
    orelse: tuple[Stmt, ...] = ()


@dataclass(frozen=True, slots=True)
class CParameter:
    """A parameter of a C function."""

    name: str
    pointer: bool
    """It points to memory of the caller (or is a C++ reference to it)."""
    writable: bool
    """The memory behind it is not declared const."""


@dataclass(frozen=True, slots=True)
class CFunction:
    """A function definition."""

    name: str
    line: int
    parameters: tuple[CParameter, ...]
    body: tuple[Stmt, ...]
    complete: bool
    """Every statement was parsed."""


_ASSIGN = frozenset(("=", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "<<=", ">>="))
_LEVELS = (
    ("||",),
    ("&&",),
    ("|",),
    ("^",),
    ("&",),
    ("==", "!="),
    ("<", ">", "<=", ">="),
    ("<<", ">>"),
    ("+", "-"),
    ("*", "/", "%"),
)
_OTHER: Expr = ("number", None)
"""A number whose value does not matter here."""


class _Unread(Exception):
    """A construct that this reader does not know."""


def functions(text: str) -> tuple[CFunction, ...]:
    """Return the functions that C or C++ source defines at file level or in an `extern "C"` block."""
    tokens = tokens_of(text)
    types = TYPES | declared_types(tokens)
    found: list[CFunction] = []
    at = 0
    while at < len(tokens):
        if tokens[at].text == "{":
            head = _head(tokens, at)
            end = closing(tokens, at)
            if head is not None:
                name, opened = head
                parser = _Parser(tokens[at + 1 : end], types)
                try:
                    body = parser.statements()
                except RecursionError:
                    body, parser.complete = (), False
                parameters = _parameters(tokens[opened + 1 : closing(tokens, opened)])
                found.append(CFunction(name, tokens[at].line, parameters, body, parser.complete))
                at = end
            elif not _extern(tokens, at):
                at = end
        at += 1
    return tuple(found)


def _head(tokens: list[Token], at: int) -> tuple[str, int] | None:
    """Return (name, index of the opening parenthesis) of the function whose body opens at `at`."""
    if at == 0 or tokens[at - 1].text != ")":
        return None
    depth = 0
    for index in range(at - 1, -1, -1):
        depth += (tokens[index].text == ")") - (tokens[index].text == "(")
        if depth == 0:
            named = index > 0 and tokens[index - 1].kind == "name" and tokens[index - 1].text not in WORDS
            return (tokens[index - 1].text, index) if named else None
    return None


def _extern(tokens: list[Token], at: int) -> bool:
    return at >= 2 and tokens[at - 1].kind == "string" and tokens[at - 2].text == "extern"


def _parameters(tokens: list[Token]) -> tuple[CParameter, ...]:
    out: list[CParameter] = []
    for part in split(tokens):
        names = [token.text for token in part if token.kind == "name"]
        if not names or names == ["void"]:
            continue
        texts = {token.text for token in part}
        out.append(CParameter(names[-1], bool(texts & {"*", "&", "["}), "const" not in texts))
    return tuple(out)


class _Parser:
    """Recursive descent over the tokens of one body."""

    def __init__(self, tokens: list[Token], types: frozenset[str]) -> None:
        self.tokens, self.types = tokens, types
        self.at = 0
        self.complete = True

    def peek(self, ahead: int = 0) -> str:
        index = self.at + ahead
        return self.tokens[index].text if index < len(self.tokens) else ""

    def line(self) -> int:
        return self.tokens[min(self.at, len(self.tokens) - 1)].line if self.tokens else 0

    def take(self, text: str = "") -> str:
        found = self.peek()
        if not found or (text and found != text):
            raise _Unread
        self.at += 1
        return found

    def statements(self) -> tuple[Stmt, ...]:
        out: list[Stmt] = []
        while self.at < len(self.tokens) and self.peek() != "}":
            out.extend(self.statement())
        return tuple(out)

    def statement(self) -> tuple[Stmt, ...]:
        start, line = self.at, self.line()
        try:
            return self._statement(line)
        except _Unread:
            self.complete = False
            self.at = start
            self._skip()
            return (Stmt("bad", line),)

    def _skip(self) -> None:
        """Go behind the statement that could not be read."""
        while self.at < len(self.tokens):
            text = self.peek()
            if text in CLOSERS:
                self.at = closing(self.tokens, self.at)
                if text == "{":
                    self.at += 1
                    return
            elif text == "}":
                return
            self.at += 1
            if text == ";":
                return

    def _statement(self, line: int) -> tuple[Stmt, ...]:
        word = self.peek()
        if word == "{":
            self.take()
            inner = self.statements()
            self.take("}")
            return inner
        if word == ";":
            self.take()
            return ()
        if word == "if":
            self.take()
            test = self._parenthesised()
            body = self.statement()
            orelse: tuple[Stmt, ...] = ()
            if self.peek() == "else":
                self.take()
                orelse = self.statement()
            return (Stmt("if", line, test=test, body=body, orelse=orelse),)
        if word == "while":
            self.take()
            test = self._parenthesised()
            return (Stmt("loop", line, test=test, body=self.statement()),)
        if word == "do":
            self.take()
            body = self.statement()
            self.take("while")
            test = self._parenthesised()
            self.take(";")
            return (Stmt("loop", line, test=test, body=body),)
        if word == "for":
            return (self._for(line),)
        if word in ("break", "continue"):
            self.take()
            self.take(";")
            return (Stmt("jump", line),)
        if word == "return":
            self.take()
            value = None if self.peek() == ";" else self.expression()
            self.take(";")
            return (Stmt("return", line, value=value),)
        if word in WORDS:
            raise _Unread
        value = self.declaration() if self._declares() else self.expression()
        self.take(";")
        return (Stmt("do", line, value=value),)

    def _for(self, line: int) -> Stmt:
        self.take("for")
        self.take("(")
        start = test = step = None
        if self.peek() != ";":
            start = self.declaration() if self._declares() else self.expression()
        self.take(";")
        if self.peek() != ";":
            test = self.expression()
        self.take(";")
        if self.peek() != ")":
            step = self.expression()
        self.take(")")
        return Stmt("loop", line, test=test, value=step, start=start, body=self.statement())

    def _parenthesised(self) -> Expr:
        self.take("(")
        value = self.expression()
        self.take(")")
        return value

    def _declares(self) -> bool:
        """Say whether a declaration stands here: a type, or two names in a row."""
        if self.peek() in self.types:
            return True
        if self.at + 1 >= len(self.tokens) or self.tokens[self.at].kind != "name":
            return False
        ahead = 1
        while self.peek(ahead) in ("*", "&"):
            ahead += 1
        index = self.at + ahead
        named = index < len(self.tokens) and self.tokens[index].kind == "name"
        return named and (ahead == 1 or self.peek(ahead + 1) in ("=", ";"))

    def declaration(self) -> Expr:
        """Parse `type name = value, *other;` into assignments."""
        parts: list[Expr] = []
        while self.peek() in self.types or (self.tokens[self.at].kind == "name" and self.peek(1) not in "=;,[({"):
            self.take()
        while True:
            while self.peek() in ("*", "&", "const", "restrict", "__restrict__"):
                self.take()
            if self.tokens[self.at].kind != "name":
                raise _Unread
            name: Expr = ("name", self.take())
            while self.peek() == "[":
                self.at = closing(self.tokens, self.at) + 1
            value: Expr = _OTHER
            if self.peek() == "=":
                self.take()
                value = self._initial()
            elif self.peek() in ("{", "("):
                value = self._initial()
            parts.append(("assign", name, value))
            if self.peek() != ",":
                return ("many", tuple(parts))
            self.take()

    def _initial(self) -> Expr:
        if self.peek() not in ("{", "("):
            return self.assignment()
        end = closing(self.tokens, self.at)
        if self.peek() == "(":
            return self.assignment()
        self.take()
        parts: list[Expr] = []
        while self.at < end:
            parts.append(self._initial())
            if self.peek() == ",":
                self.take()
        self.take("}")
        return ("many", tuple(parts))

    def expression(self) -> Expr:
        first = self.assignment()
        parts = [first]
        while self.peek() == ",":
            self.take()
            parts.append(self.assignment())
        return first if len(parts) == 1 else ("many", tuple(parts))

    def assignment(self) -> Expr:
        left = self._choice()
        operator = self.peek()
        if operator not in _ASSIGN:
            return left
        self.take()
        return ("assign" if operator == "=" else "update", left, self._initial())

    def _choice(self) -> Expr:
        test = self._binary(0)
        if self.peek() != "?":
            return test
        self.take()
        yes = self.assignment()
        self.take(":")
        return ("choice", test, yes, self.assignment())

    def _binary(self, level: int) -> Expr:
        if level == len(_LEVELS):
            return self._unary()
        left = self._binary(level + 1)
        while self.peek() in _LEVELS[level]:
            operator = self.take()
            left = ("binary", operator, left, self._binary(level + 1))
        return left

    def _unary(self) -> Expr:
        text = self.peek()
        if text == "*":
            self.take()
            return ("deref", self._unary())
        if text == "&":
            self.take()
            return ("address", self._unary())
        if text in ("++", "--"):
            self.take()
            target = self._unary()
            return ("update", target, _OTHER)
        if text in ("-", "+", "!", "~"):
            self.take()
            return self._unary()
        if text == "sizeof":
            self.take()
            self.at = closing(self.tokens, self.at) + 1 if self.peek() == "(" else self.at + 1
            return _OTHER
        if text == "(" and self._cast():
            self.at = closing(self.tokens, self.at) + 1
            return self._unary()
        return self._postfix()

    def _cast(self) -> bool:
        inside = [token.text for token in self.tokens[self.at + 1 : closing(self.tokens, self.at)]]
        return bool(inside) and all(text in self.types or text == "*" for text in inside)

    def _postfix(self) -> Expr:
        token = self.tokens[self.at] if self.at < len(self.tokens) else None
        if token is None:
            raise _Unread
        value: Expr
        if token.text == "(":
            value = self._parenthesised()
        elif token.kind in ("number", "string"):
            self.take()
            value = ("number", integer(token.text))
        elif token.kind == "name" and token.text not in WORDS:
            self.take()
            value = ("name", token.text)
        else:
            raise _Unread
        while True:
            text = self.peek()
            if text == "[":
                self.take()
                index = self.expression()
                self.take("]")
                value = ("index", value, index)
            elif text in (".", "->"):
                self.take()
                value = ("field", value, self.take())
            elif text == "(":
                self.take()
                arguments: list[Expr] = []
                while self.peek() != ")":
                    arguments.append(self.assignment())
                    if self.peek() == ",":
                        self.take()
                self.take(")")
                value = ("call", value, tuple(arguments))
            elif text in ("++", "--"):
                self.take()
                value = ("update", value, _OTHER)
            else:
                return value
