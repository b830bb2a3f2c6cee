"""One assessment: facts from what is asked and what is remembered, lists, rules, model, and what they come to. Sans-I/O.

Whatever goes wrong is ``risk_unavailable`` and refers the transaction to a person: an error is never low.
"""

import math
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import msgspec

from server.transactions.policy import Policy, RiskLimits
from server.transactions.risk.facts import DIMENSIONS, WINDOWS, Facts, make_facts
from server.transactions.risk.failings import Failings
from server.transactions.risk.lists import Hit, IdentifierKind, Identifiers, ListIndex, ListName
from server.transactions.risk.model import ModelScore, RiskModel
from server.transactions.risk.result import RiskLevel, RiskReason, RiskResult, unavailable
from server.transactions.risk.rules import Action, Rule, RuleSet
from server.transactions.risk.velocity import DAY, Velocity

MOST_REASONS = 16
_FAILED = b"\1"
_AMOUNT = re.compile(r"[0-9]{1,15}(\.[0-9]{1,6})?", re.ASCII)
_LIST_WORDS = {
    ListName.BLOCK: ("在拦截名单上", "is on the block list"),
    ListName.WATCH: ("在关注名单上", "is on the watch list"),
    ListName.ALLOW: ("在放行名单上", "is on the allow list"),
}
_KIND_WORDS = {
    IdentifierKind.CUSTOMER: ("客户", "The customer"),
    IdentifierKind.DEVICE: ("设备", "The device"),
    IdentifierKind.ADDRESS: ("网络地址", "The network address"),
    IdentifierKind.PHONE: ("电话号码", "The phone number"),
    IdentifierKind.ACCOUNT: ("账户", "The account"),
}


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of an attempt. Identifiers are as the bank or the browser gave them ("" or None: not known), and go no further than their digests.

    ``amount``: as in the details, ``"1250.00"``. ``device_since``: when this customer first passed on this device, None: never.
    ``counted``: it is among the attempts that were noted.
    """

    type: str
    customer: str
    device: str = ""
    address: str = ""
    phone: str = ""
    account: str = ""
    amount: str | None = None
    currency: str | None = None
    session_kind: str | None = None
    with_agent: bool | None = None
    assurance: str | None = None
    attempt: int | None = None
    device_since: datetime | None = None
    customer_age_group: str | None = None
    customer_since_days: int | None = None
    channel: str | None = None
    counted: bool = False


class Whom(msgspec.Struct, frozen=True, kw_only=True):
    """Of whom something is remembered; identifiers as in ``Asked``."""

    customer: str
    device: str = ""
    address: str = ""


BLOCKED = f"listed_{ListName.BLOCK.value}"
"""How the codes of reasons begin that come of the block list."""


class RiskEngine:
    """``clock``: monotonic seconds, for ``took_ms`` alone. ``rules``, ``model`` and ``lists`` are replaced whole."""

    def __init__(
        self,
        identifiers: Identifiers,
        rules: Mapping[str, RuleSet],
        model: RiskModel,
        *,
        clock: Callable[[], float],
        on_fault: Callable[[Exception], None] = lambda error: None,
        velocity: Velocity | None = None,
    ) -> None:
        self.identifiers = identifiers
        self.rules = rules
        self.model = model
        self.lists = ListIndex()
        self.velocity = velocity or Velocity()
        self.failings = Failings()
        self._clock = clock
        self._on_fault = on_fault

    def assess(self, asked: Asked, policy: Policy, now: datetime) -> RiskResult:
        """``now``: aware, in the bank's time zone. Never raises. An attempt that is not ``counted`` counts as one more than was noted."""
        begun = self._clock()
        rules_hash = model_hash = ""
        try:
            rules = self.rules[policy.risk.rules]
            rules_hash, model_hash = rules.hash, self.model.hash
            if self.lists.foreign:
                raise RuntimeError("lists were made under another key")
            digests = self.digests(asked)
            hits = self.lists.hits(digests, now)
            facts = self._facts(asked, digests, hits, now)
            result = weigh(facts, hits, rules, self.model, policy.risk)
            return msgspec.structs.replace(result, took_ms=(self._clock() - begun) * 1000)
        except Exception as error:
            self._on_fault(error)
            return unavailable((self._clock() - begun) * 1000, rules_hash, model_hash)

    def note(self, digests: Mapping[IdentifierKind, bytes], at: float, *, failed: bool = False) -> None:
        """An attempt was made, or (``failed``) one was rejected. ``at``: POSIX seconds."""
        known = [digest for dimension in DIMENSIONS if (digest := digests.get(IdentifierKind(dimension))) is not None]
        keys = tuple(digest + _FAILED if failed else digest for digest in known)
        for key in keys:
            self.velocity.add(key, at)
        if failed and IdentifierKind.CUSTOMER in digests:
            self.failings.add(digests[IdentifierKind.CUSTOMER], keys, at)

    def void(self, customer: bytes) -> None:
        """What this customer failed counts no more, under whatever it was counted."""
        for at, keys in self.failings.void(customer):
            for key in keys:
                self.velocity.take_back(key, at)

    def digests(self, asked: Asked | Whom) -> dict[IdentifierKind, bytes]:
        """Of what is known. Raises IdentifierInvalid."""
        given = ((kind, getattr(asked, kind.value, "")) for kind in IdentifierKind)
        return {kind: self.identifiers.digest(kind, value) for kind, value in given if value}

    def _facts(self, asked: Asked, digests: Mapping[IdentifierKind, bytes], hits: tuple[Hit, ...], now: datetime) -> Facts:
        at = now.timestamp()
        given: dict[str, Any] = {
            "type": asked.type,
            "amount": _amount(asked.amount),
            "hour": now.hour,
            "weekday": now.isoweekday(),
            "new_device": asked.device_since is None,
            "device_age_days": None if asked.device_since is None else (now - asked.device_since).total_seconds() / DAY,
        }
        for name in (
            "currency",
            "session_kind",
            "with_agent",
            "assurance",
            "attempt",
            "customer_age_group",
            "customer_since_days",
            "channel",
        ):
            given[name] = getattr(asked, name)
        for dimension in DIMENSIONS:
            digest = digests.get(IdentifierKind(dimension))
            if digest is None:
                continue
            for window, seconds in WINDOWS.items():
                given[f"velocity_{dimension}_{window}"] = self.velocity.count(digest, seconds, at) + (not asked.counted)
            given[f"failures_{dimension}_24h"] = self.velocity.count(digest + _FAILED, DAY, at)
        given["failures_24h"] = given.get("failures_customer_24h")
        for name in ListName:
            given[f"listed_{name.value}"] = any(hit.list is name for hit in hits)
        return make_facts(given)


def _amount(text: str | None) -> float | None:
    """Raises ValueError for what is no amount: not a number is not nothing."""
    if text is not None and not _AMOUNT.fullmatch(text):
        raise ValueError("not an amount")
    return None if text is None else float(text)


def weigh(facts: Facts, hits: tuple[Hit, ...], rules: RuleSet, model: RiskModel, limits: RiskLimits) -> RiskResult:
    """What facts, rules and model come to; ``hits`` are for the reasons alone. The first line that fits decides the level:

    | | |
    |---|---|
    | on the list `block`, or a rule says `reject` | reject |
    | on the list `watch`, or a rule says `refer` | refer, or reject where the score says so |
    | on the list `allow`, or a rule says `allow` | low |
    | score at least `reject_at` | reject |
    | score at least `refer_at` | refer |
    | else | low |
    """
    firing = rules.firing(facts)
    scored = model.score(facts)
    if not 0 <= scored.probability <= 1 or not all(math.isfinite(share.share) for share in scored.shares):
        raise ValueError("the model's score is no probability")
    score = scored.probability * rules.model_weight + sum(rule.score or 0.0 for rule in firing)
    score = max(0.0, min(1.0, score))
    lists = {name for name in ListName if facts.values[f"listed_{name.value}"]}
    actions = {rule.action for rule in firing}
    by_score = RiskLevel.REJECT if score >= limits.reject_at else RiskLevel.REFER if score >= limits.refer_at else RiskLevel.LOW
    if ListName.BLOCK in lists or Action.REJECT in actions:
        level = RiskLevel.REJECT
    elif ListName.WATCH in lists or Action.REFER in actions:
        level = RiskLevel.REJECT if by_score is RiskLevel.REJECT else RiskLevel.REFER
    elif ListName.ALLOW in lists or Action.ALLOW in actions:
        level = RiskLevel.LOW
    else:
        level = by_score
    return RiskResult(
        score=score,
        level=level,
        reasons=_reasons(lists, hits, firing, scored, rules.model_weight),
        rules_hash=rules.hash,
        model_hash=model.hash,
        took_ms=0.0,
    )


def _reasons(
    lists: set[ListName], hits: tuple[Hit, ...], firing: tuple[Rule, ...], scored: ModelScore, weight: float
) -> tuple[RiskReason, ...]:
    """What decides by itself first, then by weight."""
    deciding = [
        RiskReason(
            code=f"listed_{hit.list.value}_{hit.kind.value}",
            zh=_KIND_WORDS[hit.kind][0] + _LIST_WORDS[hit.list][0],
            en=f"{_KIND_WORDS[hit.kind][1]} {_LIST_WORDS[hit.list][1]}",
        )
        for hit in hits
    ]
    for name in sorted(lists - {hit.list for hit in hits}):  # of facts that were given and not found
        deciding.append(
            RiskReason(code=f"listed_{name.value}", zh=_LIST_WORDS[name][0], en=f"Something {_LIST_WORDS[name][1]}")
        )
    weighing: list[RiskReason] = []
    for rule in firing:
        reason = RiskReason(code=rule.name, zh=rule.reason.zh, en=rule.reason.en, contribution=rule.score or 0.0)
        (deciding if rule.action is not None else weighing).append(reason)
    for share in scored.shares:
        words = share.reason
        weighing.append(RiskReason(code=share.code, zh=words.zh, en=words.en, contribution=share.share * weight))
    weighing.sort(key=lambda reason: -abs(reason.contribution))
    return tuple([*deciding, *weighing][:MOST_REASONS])
