"""What an expression is worth: a tree becomes functions once, and is then only called. Sans-I/O.

Total: for every tree of ``expression.py`` and all facts there is a value, and nothing is raised. Numbers are doubles, each result within
± 1e15 (``facts.LIMIT``); what is divided by 0 is 0; the logarithm of less than 1 is 0. Texts are compared exactly.
"""

import math
import operator
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from server.transactions.risk.expression import (
    Arithmetic,
    Call,
    Chain,
    Compare,
    Const,
    Fact,
    Known,
    Member,
    Minus,
    Node,
    Not,
)
from server.transactions.risk.facts import Facts, bounded

Program = Callable[[Facts], Any]
"""Facts → a value of the expression's kind."""

_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = MappingProxyType(
    {
        "==": operator.eq,
        "!=": operator.ne,
        "<": operator.lt,
        "<=": operator.le,
        ">": operator.gt,
        ">=": operator.ge,
    }
)
_CALCULATE: Mapping[str, Callable[[float, float], float]] = MappingProxyType(
    {
        "+": operator.add,
        "-": operator.sub,
        "*": operator.mul,
        "/": lambda left, right: left / right if right else 0.0,
    }
)


def _in_hours(hour: float, first: float, last: float) -> bool:
    if first <= last:
        return first <= hour < last
    return hour >= first or hour < last


_PLAIN: Mapping[str, Callable[..., Any]] = MappingProxyType(
    {
        "abs": abs,
        "min": min,
        "max": max,
        "log10": lambda value: math.log10(value) if value > 1 else 0.0,
        "count": lambda *truths: float(sum(truths)),
        "between": lambda value, low, high: low <= value <= high,
        "choose": lambda truth, left, right: left if truth else right,
    }
)


def compiled(node: Node) -> Program:
    """The program of a tree that ``read_expression`` made."""
    match node:
        case Const(value):
            return lambda facts: value
        case Fact(name):
            return lambda facts: facts.values[name]
        case Known(name):
            return lambda facts: name in facts.known
        case Not(inner):
            negated = compiled(inner)
            return lambda facts: not negated(facts)
        case Minus(inner):
            positive = compiled(inner)
            return lambda facts: -positive(facts)
        case Chain(op, parts):
            programs = tuple(compiled(part) for part in parts)
            if op == "and":
                return lambda facts: all(program(facts) for program in programs)
            return lambda facts: any(program(facts) for program in programs)
        case Member(inner, values, negated_member):
            tested, among = compiled(inner), frozenset(values)
            return lambda facts: (tested(facts) in among) is not negated_member
        case Compare(op, left, right):
            compare, first, second = _COMPARE[op], compiled(left), compiled(right)
            return lambda facts: compare(first(facts), second(facts))
        case Arithmetic(first_node, rest):
            return _arithmetic(compiled(first_node), tuple((_CALCULATE[op], compiled(part)) for op, part in rest))
        case Call(name, args):
            return _call(name, tuple(compiled(arg) for arg in args))


def _arithmetic(first: Program, rest: tuple[tuple[Callable[[float, float], float], Program], ...]) -> Program:
    def run(facts: Facts) -> float:
        value: float = first(facts)
        for calculate, program in rest:
            value = bounded(calculate(value, program(facts)))
        return value

    return run


def _call(name: str, args: tuple[Program, ...]) -> Program:
    if name == "hours":
        first, last = args
        return lambda facts: _in_hours(facts.values["hour"], first(facts), last(facts))  # type: ignore[arg-type]
    function = _PLAIN[name]
    if len(args) == 1:
        [only] = args
        return lambda facts: function(only(facts))
    return lambda facts: function(*[arg(facts) for arg in args])
