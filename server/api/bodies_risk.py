"""What goes in and out of the management of risk (`docs/risk.md`)."""

from datetime import datetime
from typing import Annotated

import msgspec

from server.api.bodies import Answer, Request
from server.domain.ids import RiskEntryId
from server.transactions.risk.lists import MAX_IDENTIFIER, IdentifierKind, ListName
from server.transactions.risk.result import RiskLevel

Identifier = Annotated[
    str,
    msgspec.Meta(
        min_length=1,
        max_length=MAX_IDENTIFIER,
        description="The bank's pseudonym of a customer, a device, an IP address, a telephone number or an account. Only its keyed hash is kept.",
    ),
]
ReasonCode = Annotated[
    str, msgspec.Meta(pattern="^[a-z][a-z0-9_]{0,63}$", description="Why, as a code of yours: no personal data.")
]


class AddRiskEntry(Request, frozen=True, kw_only=True):
    """``expires_at``: with a time zone; none: until it is removed."""

    list: ListName
    kind: IdentifierKind
    identifier: Identifier
    reason: ReasonCode
    expires_at: Annotated[datetime, msgspec.Meta(tz=True)] | None = None


class FindRiskEntries(Request, frozen=True, kw_only=True):
    kind: IdentifierKind
    identifier: Identifier


class RiskEntryView(Answer, frozen=True, kw_only=True):
    """``expired``: it has no effect any more."""

    id: RiskEntryId
    list: ListName
    kind: IdentifierKind
    reason: str
    created_at: datetime
    created_by: str
    expires_at: datetime | None
    expired: bool


class RiskEntries(Answer, frozen=True, kw_only=True):
    """Newest first. ``next``: the cursor of the following page, or null."""

    entries: list[RiskEntryView]
    next: str | None


class PutRiskRules(Request, frozen=True, kw_only=True):
    """``text``: TOML, as in a file of rules, 60,000 characters at most."""

    text: str


class RiskRulesView(Answer, frozen=True, kw_only=True):
    """``stored``: it stands in place of the file of its name, if there is one."""

    name: str
    hash: str
    rules: int
    stored: bool
    text: str


class RiskRulesList(Answer, frozen=True, kw_only=True):
    """``policies``: the hash of each type's policy."""

    rules: list[RiskRulesView]
    policies: dict[str, str]
    model_hash: str


FactValue = bool | float | Annotated[str, msgspec.Meta(max_length=100)]


class CheckRisk(Request, frozen=True, kw_only=True):
    """``type``: whose policy holds. ``facts``: by name. ``text``: rules to try, 60,000 characters at most; empty: those in force."""

    type: Annotated[str, msgspec.Meta(max_length=64)]
    facts: Annotated[dict[str, FactValue], msgspec.Meta(max_length=64)] = msgspec.field(default_factory=dict)
    text: str = ""


class RiskReasonView(Answer, frozen=True, kw_only=True):
    code: str
    zh: str
    en: str
    contribution: float


class RiskView(Answer, frozen=True, kw_only=True):
    """For staff alone. ``contribution``: share of the score, or 0 for what decided by itself."""

    score: float
    level: RiskLevel
    reasons: list[RiskReasonView]
    rules_hash: str
    model_hash: str
