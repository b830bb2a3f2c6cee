"""What rules and the model may ask of a transaction: one table of facts, each with a kind and what stands there where nothing is known. Sans-I/O."""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from types import MappingProxyType

import msgspec

LIMIT = 1e15
"""Every number is within ± this, whatever is computed."""
MAX_TEXT = 100
DIMENSIONS = ("customer", "device", "address")
WINDOWS = MappingProxyType({"10m": 600, "1h": 3600, "24h": 86_400})
"""Of the counters, by the end of a fact's name, in seconds."""

Value = bool | float | str


class Kind(StrEnum):
    NUMBER = "number"
    TEXT = "text"
    TRUTH = "truth"


class FactInvalid(ValueError):
    """A fact that is not in the table, or a value of another kind; the message names the fact and no value."""


class FactAbout(msgspec.Struct, frozen=True):
    """``otherwise``: the value where nothing is known."""

    kind: Kind
    otherwise: Value
    about: str


def _table() -> Iterator[tuple[str, FactAbout]]:
    def number(name: str, about: str, otherwise: float = 0.0) -> tuple[str, FactAbout]:
        return name, FactAbout(Kind.NUMBER, otherwise, about)

    def text(name: str, about: str, otherwise: str) -> tuple[str, FactAbout]:
        return name, FactAbout(Kind.TEXT, otherwise, about)

    def truth(name: str, about: str, otherwise: bool = False) -> tuple[str, FactAbout]:
        return name, FactAbout(Kind.TRUTH, otherwise, about)

    yield text("type", "The transaction's type, as its policy is called", "")
    yield number("amount", "The amount in units of its currency, from the transaction's details")
    yield text("currency", "ISO 4217, such as `CNY`", "")
    yield number("hour", "The hour of the day at the bank, 0 to 23")
    yield number("weekday", "The day of the week at the bank, 1 (Monday) to 7", 1.0)
    yield truth("new_device", "Nobody has passed a verification for this customer on this device before", True)
    yield number("device_age_days", "Days since this customer first passed a verification on this device")
    for dimension in DIMENSIONS:
        for window in WINDOWS:
            yield number(
                f"velocity_{dimension}_{window}", f"Attempts of this {dimension} in the last {window}, this one included"
            )
    for dimension in DIMENSIONS:
        yield number(
            f"failures_{dimension}_24h",
            f"Attempts of this {dimension} in the last 24h that count as failures, but those that are void",
        )
    yield number("failures_24h", "The same as `failures_customer_24h`")
    for name in ("block", "allow", "watch"):
        yield truth(f"listed_{name}", f"Customer, device, address, phone or account is on the list `{name}`")
    yield text(
        "session_kind",
        "`none` (uploaded), or the kind of the session it happens in: `verification` (a customer who came by a link for it), `video` …",
        "none",
    )
    yield truth("with_agent", "An agent or supervisor was with the customer all through the attempt")
    yield text(
        "assurance", "How the pictures came: `live`, `clip` or `images`; `agent`: a person vouches, there are none", "live"
    )
    yield number("attempt", "Which attempt of the case this is", 1.0)
    yield text("customer_age_group", "From the bank: `under_18`, `18_24`, `25_64`, `65_79`, `80_plus`", "unknown")
    yield number("customer_since_days", "From the bank: days since they became a customer")
    yield text("channel", "From the bank: `app`, `web`, `branch`, `phone`", "unknown")


FACTS: Mapping[str, FactAbout] = MappingProxyType(dict(_table()))


class Facts(msgspec.Struct, frozen=True):
    """All facts of one transaction. ``values`` has every name of the table; ``known`` those that somebody gave."""

    values: Mapping[str, Value]
    known: frozenset[str]


def make_facts(given: Mapping[str, object]) -> Facts:
    """The table filled with what is given; None is not known. Raises FactInvalid. Numbers are brought within the limit, texts cut."""
    values = {name: about.otherwise for name, about in FACTS.items()}
    known = set()
    for name, value in given.items():
        about = FACTS.get(name)
        if about is None:
            raise FactInvalid(f"there is no fact {name[:60]!r}")
        if value is None:
            continue
        values[name] = _fitting(name, about.kind, value)
        known.add(name)
    return Facts(values, frozenset(known))


def _fitting(name: str, kind: Kind, value: object) -> Value:
    if kind is Kind.TRUTH and isinstance(value, bool):
        return value
    if kind is Kind.TEXT and isinstance(value, str):
        return value[:MAX_TEXT]
    if kind is Kind.NUMBER and isinstance(value, int | float) and not isinstance(value, bool):
        return bounded(value)
    raise FactInvalid(f"{name} must be a {kind.value}")


def bounded(value: float) -> float:
    """Within ± ``LIMIT``; what is not a number is 0."""
    if -LIMIT <= value <= LIMIT:
        return float(value)
    if value != value:
        return 0.0
    return LIMIT if value > 0 else -LIMIT


def rows() -> Iterator[str]:
    """The table as it stands in ``docs/risk.md``."""
    for name, about in FACTS.items():
        otherwise = about.otherwise
        shown = (
            str(otherwise).lower()
            if isinstance(otherwise, bool)
            else f"{otherwise:g}"
            if isinstance(otherwise, float)
            else f'"{otherwise}"'
        )
        yield f"| `{name}` | {about.kind.value} | `{shown}` | {about.about} |"
