"""Rules of a bank, read from TOML: when an expression is true, a score or an action, with words for it. Sans-I/O.

The sum of the scores and the model's share is the risk. An action decides by itself: ``reject`` before ``refer`` before ``allow``.
"""

import hashlib
import re
import tomllib
from enum import StrEnum
from typing import Annotated, Any

import msgspec

from server.errors import ConfigError
from server.transactions.risk.evaluation import Program, compiled
from server.transactions.risk.expression import ExpressionInvalid, parts, read_expression
from server.transactions.risk.facts import Facts

MAX_RULES = 200
MAX_TEXT = 256 * 1024
MAX_WHEN = 24_000
"""Characters of all expressions together."""
MAX_PARTS = 3_000
"""Of all expressions together: what they cost is paid while every other decision waits, two milliseconds of them at most."""
NAME_PATTERN = "^[a-z][a-z0-9_-]{0,39}$"
_INDEX = re.compile(r"^([a-z]+)\[(\d+)\]\.?")
_HASHED = b"tongping rules 1\0"

Code = Annotated[str, msgspec.Meta(pattern="^[a-z][a-z0-9_]{0,63}$")]
Words = Annotated[str, msgspec.Meta(min_length=1, max_length=120)]


class RulesInvalid(ConfigError):
    """Rules or a model that cannot be meant; ``detail`` says where and why."""

    code = "rules_invalid"


class RulesTooCostly(RulesInvalid):
    """They would keep every other decision waiting for too long."""

    code = "rules_too_costly"


class Action(StrEnum):
    REJECT = "reject"
    REFER = "refer"
    ALLOW = "allow"


class Reason(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """For staff; customers are not told."""

    zh: Words
    en: Words


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``score`` (-1 to 1) or ``action``, one of the two. ``types``: of transactions it is for; empty: all. ``name`` is its reason code."""

    name: Code
    when: str
    reason: Reason
    score: Annotated[float, msgspec.Meta(ge=-1, le=1)] | None = None
    action: Action | None = None
    types: tuple[Code, ...] = ()


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    model_weight: Annotated[float, msgspec.Meta(ge=0, le=1)] = 1.0
    rule: tuple[Rule, ...] = ()


class RuleSet:
    """Rules that were read and checked. ``hash``: hex SHA-256 of what they mean; ``text``: as they came."""

    def __init__(self, name: str, text: str, file: _File, programs: tuple[Program, ...]) -> None:
        self.name = name
        self.text = text
        self.rules = file.rule
        self.model_weight = file.model_weight
        self.hash = hashlib.sha256(_HASHED + msgspec.json.encode(file, order="sorted")).hexdigest()
        self._programs = programs

    def firing(self, facts: Facts) -> tuple[Rule, ...]:
        """The rules whose expression is true, in the order of the file."""
        type = facts.values["type"]
        return tuple(
            rule
            for rule, program in zip(self.rules, self._programs, strict=True)
            if (not rule.types or type in rule.types) and program(facts)
        )


def read_rules(text: str, *, name: str, most_parts: int | None = MAX_PARTS) -> RuleSet:
    """Raises RulesInvalid: the file's ``name``, the rule and the character; RulesTooCostly for more than ``most_parts``."""
    file = read_toml(text, _File, name)
    if len(file.rule) > MAX_RULES:
        raise RulesInvalid(f"{name}: more than {MAX_RULES} rules")
    if sum(len(rule.when) for rule in file.rule) > MAX_WHEN:
        raise RulesInvalid(f"{name}: the expressions have more than {MAX_WHEN} characters together")
    programs: list[Program] = []
    cost = 0
    seen: set[str] = set()
    for number, rule in enumerate(file.rule, 1):
        place = f"{name}: rule {number} ({rule.name})"
        if rule.name in seen:
            raise RulesInvalid(f"{place}: the name is there twice")
        seen.add(rule.name)
        if (rule.score is None) is (rule.action is None):
            raise RulesInvalid(f"{place}: score or action, one of the two")
        try:
            tree = read_expression(rule.when)
            programs.append(compiled(tree))
            cost += parts(tree)
        except ExpressionInvalid as error:
            raise RulesInvalid(f"{place}: when: {error}") from None
    if most_parts is not None and cost > most_parts:
        raise RulesTooCostly(f"{name}: the expressions have {cost} parts together, and {most_parts} are the most")
    return RuleSet(name, text, file, tuple(programs))


def read_toml(text: str, type: Any, name: str) -> Any:
    """A TOML text as a struct. Raises RulesInvalid."""
    if len(text) > MAX_TEXT:
        raise RulesInvalid(f"{name}: more than {MAX_TEXT} characters")
    try:
        return msgspec.convert(tomllib.loads(text), type, strict=True)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise RulesInvalid(f"{name}: not valid TOML: {error}") from None
    except msgspec.ValidationError as error:
        reason, _, where = str(error).partition(" - at `$")
        place = _INDEX.sub(lambda found: f"{found[1]} {int(found[2]) + 1}: ", where.rstrip("`").lstrip("."))
        raise RulesInvalid(f"{name}: {place.removesuffix(': ') or 'top of the file'}: {reason}") from None
