"""The language of rules, read and checked: ``hours(22, 6) and amount >= 50000 and not new_device``. Sans-I/O.

Small on purpose: facts, literals, ``and or not``, comparisons, ``in [...]``, ``+ - * /``, and the functions of one table. No names but the facts',
no attributes, no loops, nothing that can be defined. What passes ``read_expression`` has a value for all facts there can be
(``evaluation.py``); whatever else is refused when it is read. Grammar and meaning: ``docs/risk.md``.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType

import msgspec

from server.transactions.risk.facts import FACTS, Kind, Value

MAX_CHARS = 1000
MAX_NODES = 256
MAX_DEPTH = 24
MAX_ITEMS = 100
MAX_ARGUMENTS = 16


class ExpressionInvalid(ValueError):
    """``at``: the character, from 1, where it goes wrong."""

    def __init__(self, why: str, at: int) -> None:
        super().__init__(f"character {at}: {why}")
        self.why, self.at = why, at


class Const(msgspec.Struct, frozen=True, tag=True):
    value: Value


class Fact(msgspec.Struct, frozen=True, tag=True):
    name: str


class Known(msgspec.Struct, frozen=True, tag=True):
    """Whether somebody gave the fact."""

    name: str


class Not(msgspec.Struct, frozen=True, tag=True):
    inner: "Node"


class Minus(msgspec.Struct, frozen=True, tag=True):
    inner: "Node"


class Chain(msgspec.Struct, frozen=True, tag=True):
    """``op``: and, or. At least two."""

    op: str
    parts: "tuple[Node, ...]"


class Arithmetic(msgspec.Struct, frozen=True, tag=True):
    """``first``, then each operator with what is right of it, from left to right."""

    first: "Node"
    rest: "tuple[tuple[str, Node], ...]"


class Compare(msgspec.Struct, frozen=True, tag=True):
    op: str
    left: "Node"
    right: "Node"


class Member(msgspec.Struct, frozen=True, tag=True):
    inner: "Node"
    values: tuple[Value, ...]
    negated: bool


class Call(msgspec.Struct, frozen=True, tag=True):
    name: str
    args: "tuple[Node, ...]"


Node = Const | Fact | Known | Not | Minus | Chain | Arithmetic | Compare | Member | Call


def parts(node: Node) -> int:
    """Of how many parts it is made: what it costs, more or less."""
    match node:
        case Const() | Fact() | Known():
            return 1
        case Not(inner) | Minus(inner) | Member(inner):
            return 1 + parts(inner)
        case Chain(_, inner_nodes) | Call(_, inner_nodes):
            return 1 + sum(parts(one) for one in inner_nodes)
        case Arithmetic(first, rest):
            return parts(first) + sum(1 + parts(one) for _, one in rest)
        case Compare(_, left, right):
            return 1 + parts(left) + parts(right)


class Signature(msgspec.Struct, frozen=True):
    """``more``: the last argument may come again."""

    args: tuple[Kind, ...]
    gives: Kind
    about: str
    more: bool = False


_N, _B = Kind.NUMBER, Kind.TRUTH
FUNCTIONS: Mapping[str, Signature] = MappingProxyType(
    {
        "abs": Signature((_N,), _N, "without its sign"),
        "min": Signature((_N, _N), _N, "the smallest", more=True),
        "max": Signature((_N, _N), _N, "the greatest", more=True),
        "log10": Signature((_N,), _N, "the decimal logarithm; 0 of everything below 1"),
        "count": Signature((_B,), _N, "how many are true", more=True),
        "between": Signature((_N, _N, _N), _B, "whether the first is at least the second and at most the third"),
        "hours": Signature((_N, _N), _B, "whether the hour is at or after the first and before the second, over midnight too"),
        "choose": Signature((_B, _N, _N), _N, "the second where the first is true, else the third"),
    }
)

_KEYWORDS = frozenset({"and", "or", "not", "in", "true", "false"})
_COMPARISONS = frozenset({"==", "!=", "<", "<=", ">", ">="})
_TOKEN = re.compile(
    r"""[ \t\r\n]*(?:
    (?P<number>[0-9]{1,15}(?:\.[0-9]{1,6})?)(?![0-9A-Za-z_.])
    |(?P<text>"[^"\\\r\n]{0,100}"|'[^'\\\r\n]{0,100}')
    |(?P<name>[a-z][a-z0-9_]{0,63})(?![0-9A-Za-z_])
    |(?P<op>==|!=|<=|>=|[<>+*/(),\[\]-])
    |(?P<end>\Z)
    )""",
    re.VERBOSE,
)


class _Token(msgspec.Struct, frozen=True):
    kind: str  # number, text, name, keyword, op, end
    text: str
    at: int


def _tokens(text: str) -> Iterator[_Token]:
    place = 0
    while True:
        found = _TOKEN.match(text, place)
        if found is None:
            rest = re.compile(r"[ \t\r\n]*").match(text, place)
            raise ExpressionInvalid("nothing of this language begins here", (rest.end() if rest else place) + 1)
        kind = str(found.lastgroup)
        word = found[kind]
        if kind == "name" and word in _KEYWORDS:
            kind = "keyword"
        yield _Token(kind, word, found.start(str(found.lastgroup)) + 1)
        if kind == "end":
            return
        place = found.end()


def read_expression(text: str, gives: Kind | None = Kind.TRUTH) -> Node:
    """The tree of an expression whose value is of the kind ``gives`` (None: a number or a truth). Raises ExpressionInvalid."""
    if len(text) > MAX_CHARS:
        raise ExpressionInvalid(f"longer than {MAX_CHARS} characters", MAX_CHARS + 1)
    reader = _Reader(list(_tokens(text)))
    node, kind = reader.whole()
    if kind is not gives and (gives is not None or kind is Kind.TEXT):
        raise ExpressionInvalid(f"it is a {kind.value}, not a {gives.value if gives else 'number or a truth'}", 1)
    return node


_Rule = Callable[[], tuple[Node, Kind]]


class _Reader:
    """Recursive descent; each method answers a node and its kind, and has refused what does not fit."""

    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens = tokens
        self._place = 0
        self._depth = 0
        self._nodes = 0

    def whole(self) -> tuple[Node, Kind]:
        found = self._or()
        token = self._next()
        if token.kind != "end":
            raise ExpressionInvalid(f"{token.text!r} is not expected here", token.at)
        return found

    # ---- tokens

    @property
    def _here(self) -> _Token:
        return self._tokens[self._place]

    def _next(self) -> _Token:
        token = self._here
        if token.kind != "end":
            self._place += 1
        return token

    def _take(self, *texts: str) -> str | None:
        token = self._here
        if token.kind in {"op", "keyword"} and token.text in texts:
            self._place += 1
            return token.text
        return None

    def _need(self, text: str) -> None:
        if self._take(text) is None:
            token = self._here
            raise ExpressionInvalid(f"{text!r} is expected" + (f", not {token.text!r}" if token.text else ""), token.at)

    def _count(self) -> None:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise ExpressionInvalid(f"more than {MAX_NODES} parts", self._here.at)

    def _deeper(self, at: int) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise ExpressionInvalid(f"nested more than {MAX_DEPTH} deep", at)

    @staticmethod
    def _must(kind: Kind, wanted: Kind, at: int) -> None:
        if kind is not wanted:
            raise ExpressionInvalid(f"a {wanted.value} is needed here, not a {kind.value}", at)

    # ---- grammar

    def _or(self) -> tuple[Node, Kind]:
        return self._chain("or", self._and)

    def _and(self) -> tuple[Node, Kind]:
        return self._chain("and", self._not)

    def _chain(self, op: str, inner: _Rule) -> tuple[Node, Kind]:
        at = self._here.at
        node, kind = inner()
        parts = [node]
        while self._take(op):
            self._must(kind, Kind.TRUTH, at)
            at = self._here.at
            node, kind = inner()
            self._must(kind, Kind.TRUTH, at)
            parts.append(node)
        if len(parts) == 1:
            return node, kind
        self._count()
        return Chain(op, tuple(parts)), Kind.TRUTH

    def _not(self) -> tuple[Node, Kind]:
        at = self._here.at
        if not self._take("not"):
            return self._comparison()
        self._deeper(at)
        inside = self._here.at
        node, kind = self._not()
        self._must(kind, Kind.TRUTH, inside)
        self._depth -= 1
        self._count()
        return Not(node), Kind.TRUTH

    def _comparison(self) -> tuple[Node, Kind]:
        left, kind = self._sum()
        token = self._here
        if token.text in _COMPARISONS and token.kind == "op":
            self._next()
            at = self._here.at
            right, other = self._sum()
            self._must(other, kind, at)
            if token.text not in {"==", "!="}:
                self._must(kind, Kind.NUMBER, token.at)
            self._count()
            return Compare(token.text, left, right), Kind.TRUTH
        negated = token.text == "not" and token.kind == "keyword" and self._tokens[self._place + 1].text == "in"
        if negated:
            self._next()
        if self._take("in"):
            self._count()
            return Member(left, self._items(kind), negated), Kind.TRUTH
        return left, kind

    def _items(self, kind: Kind) -> tuple[Value, ...]:
        self._need("[")
        values: list[Value] = []
        while True:
            at = self._here.at
            value, found = self._literal()
            self._must(found, kind, at)
            values.append(value)
            if len(values) > MAX_ITEMS:
                raise ExpressionInvalid(f"more than {MAX_ITEMS} in a list", at)
            if not self._take(","):
                break
        self._need("]")
        return tuple(values)

    def _literal(self) -> tuple[Value, Kind]:
        negative = self._take("-") is not None
        token = self._next()
        if token.kind == "number":
            return (-float(token.text) if negative else float(token.text)), Kind.NUMBER
        if not negative and token.kind == "text":
            return token.text[1:-1], Kind.TEXT
        if not negative and token.kind == "keyword" and token.text in {"true", "false"}:
            return token.text == "true", Kind.TRUTH
        raise ExpressionInvalid("a literal is expected", token.at)

    def _sum(self) -> tuple[Node, Kind]:
        return self._arithmetic(("+", "-"), self._product)

    def _product(self) -> tuple[Node, Kind]:
        return self._arithmetic(("*", "/"), self._unary)

    def _arithmetic(self, ops: tuple[str, str], inner: _Rule) -> tuple[Node, Kind]:
        at = self._here.at
        first, kind = inner()
        rest: list[tuple[str, Node]] = []
        while (op := self._take(*ops)) is not None:
            self._must(kind, Kind.NUMBER, at)
            at = self._here.at
            node, kind = inner()
            self._must(kind, Kind.NUMBER, at)
            rest.append((op, node))
        if not rest:
            return first, kind
        self._count()
        return Arithmetic(first, tuple(rest)), Kind.NUMBER

    def _unary(self) -> tuple[Node, Kind]:
        at = self._here.at
        if not self._take("-"):
            return self._atom()
        self._deeper(at)
        inside = self._here.at
        node, kind = self._unary()
        self._must(kind, Kind.NUMBER, inside)
        self._depth -= 1
        self._count()
        return Minus(node), Kind.NUMBER

    def _atom(self) -> tuple[Node, Kind]:
        token = self._here
        self._count()
        if self._take("("):
            self._deeper(token.at)
            found = self._or()
            self._need(")")
            self._depth -= 1
            return found
        if token.kind == "name":
            self._next()
            if self._take("("):
                return self._call(token)
            about = FACTS.get(token.text)
            if about is None:
                raise ExpressionInvalid(f"there is no fact {token.text!r}", token.at)
            return Fact(token.text), about.kind
        value, kind = self._literal()
        return Const(value), kind

    def _call(self, name: _Token) -> tuple[Node, Kind]:
        if name.text == "known":
            token = self._next()
            if token.kind != "name" or token.text not in FACTS:
                raise ExpressionInvalid("the name of a fact is expected", token.at)
            self._need(")")
            return Known(token.text), Kind.TRUTH
        signature = FUNCTIONS.get(name.text)
        if signature is None:
            raise ExpressionInvalid(f"there is no function {name.text!r}", name.at)
        self._deeper(name.at)
        args: list[Node] = []
        while True:
            if len(args) >= (MAX_ARGUMENTS if signature.more else len(signature.args)):
                raise ExpressionInvalid(f"{name.text} takes no more arguments", self._here.at)
            at = self._here.at
            node, kind = self._or()
            self._must(kind, signature.args[min(len(args), len(signature.args) - 1)], at)
            args.append(node)
            if not self._take(","):
                break
        if len(args) < len(signature.args):
            raise ExpressionInvalid(f"{name.text} needs {len(signature.args)} arguments", self._here.at)
        self._need(")")
        self._depth -= 1
        return Call(name.text, tuple(args)), signature.gives
