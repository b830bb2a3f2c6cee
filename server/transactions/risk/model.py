"""A score of all facts together: the port, and the default, a logistic regression whose coefficients stand in a TOML file. Sans-I/O.

``models/default.toml`` is written by hand from what fraud with such transactions looks like: no customer's data went into it. A bank puts its own
coefficients there, or its own ``RiskModel``.
"""

import hashlib
import math
from typing import Annotated, Protocol

import msgspec

from server.transactions.risk.evaluation import Program, compiled
from server.transactions.risk.expression import ExpressionInvalid, read_expression
from server.transactions.risk.facts import Facts
from server.transactions.risk.rules import Code, Reason, RulesInvalid, read_toml

MAX_FEATURES = 64
_HASHED = b"tongping risk model 1\0"
_STEEPEST = 500.0


class Share(msgspec.Struct, frozen=True):
    """What one feature adds to the probability: positive raises it."""

    code: str
    reason: Reason
    share: float


class ModelScore(msgspec.Struct, frozen=True):
    """``probability``: 0 to 1. ``base``: of a transaction whose features are all 0. The shares and ``base`` add up to ``probability``."""

    probability: float
    base: float
    shares: tuple[Share, ...]


class RiskModel(Protocol):
    @property
    def hash(self) -> str: ...

    def score(self, facts: Facts) -> ModelScore: ...


class Feature(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``value``: an expression, a number or a truth (1 or 0); held within -10 and 10."""

    name: Code
    value: str
    coefficient: Annotated[float, msgspec.Meta(ge=-20, le=20)]
    reason: Reason


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    intercept: Annotated[float, msgspec.Meta(ge=-20, le=20)]
    feature: tuple[Feature, ...] = ()


class LogisticModel:
    """1 / (1 + exp(-(intercept + sum of coefficient x value)))."""

    def __init__(self, file: _File, programs: tuple[Program, ...]) -> None:
        self.features = file.feature
        self.intercept = file.intercept
        self.hash = hashlib.sha256(_HASHED + msgspec.json.encode(file, order="sorted")).hexdigest()
        self._programs = programs

    def score(self, facts: Facts) -> ModelScore:
        """Each share is the integrated gradient from the base along a straight line: the features' parts of the log-odds, in proportion."""
        parts = [
            feature.coefficient * max(-10.0, min(10.0, float(program(facts))))
            for feature, program in zip(self.features, self._programs, strict=True)
        ]
        risen = math.fsum(parts)
        base, probability = _sigmoid(self.intercept), _sigmoid(self.intercept + risen)
        slope = (probability - base) / risen if abs(risen) > 1e-9 else base * (1 - base)
        return ModelScore(
            probability,
            base,
            tuple(
                Share(feature.name, feature.reason, part * slope)
                for feature, part in zip(self.features, parts, strict=True)
                if part
            ),
        )


def read_model(text: str, *, name: str) -> LogisticModel:
    """Raises RulesInvalid."""
    file: _File = read_toml(text, _File, name)
    if len(file.feature) > MAX_FEATURES:
        raise RulesInvalid(f"{name}: more than {MAX_FEATURES} features")
    programs: list[Program] = []
    seen: set[str] = set()
    for number, feature in enumerate(file.feature, 1):
        place = f"{name}: feature {number} ({feature.name})"
        if feature.name in seen:
            raise RulesInvalid(f"{place}: the name is there twice")
        seen.add(feature.name)
        try:
            programs.append(compiled(read_expression(feature.value, None)))
        except ExpressionInvalid as error:
            raise RulesInvalid(f"{place}: value: {error}") from None
    return LogisticModel(file, tuple(programs))


def _sigmoid(value: float) -> float:
    held = max(-_STEEPEST, min(_STEEPEST, value))
    return 1 / (1 + math.exp(-held)) if held >= 0 else math.exp(held) / (1 + math.exp(held))
