"""The gate of control: what of an agent's doing reaches the customer's page. Sans-I/O. ``acts`` asks it, grants come first; the script in the page checks all of
it once more.

A proposal needs no more than pointing: nothing of it is entered but by the customer's own press. What may stand in it, and where, is as for filling in.

Only what the agent may read can be filled, and what is clicked must be shown or its state be readable: nobody changes what they cannot see. Of
buttons, links and the like only those that rules name (``click``) are clicked: what a handler does, the bank knows alone. What submits is the
customer's alone, and as a click counts for all that a node stands in, that is looked at upwards. A handler of the page's own that submits cannot be known here:
the script refuses every submit while it carries out an act.
"""

import unicodedata
from collections.abc import Mapping
from types import MappingProxyType

from server.cobrowse.messages import ActKind, MarkKind, Scope
from server.cobrowse.orders import Facts
from server.cobrowse.rules import Level
from server.signalling.rates import TokenBucket

NEEDS: Mapping[ActKind, Scope] = MappingProxyType(
    {
        ActKind.SCROLL: Scope.SCROLL,
        ActKind.FILL: Scope.FILL,
        ActKind.CLICK: Scope.CLICK,
        ActKind.PROPOSE: Scope.POINT,
    }
)
WITH_VALUE = frozenset({ActKind.FILL, ActKind.PROPOSE})
SPOTS: Mapping[MarkKind, tuple[int, int | None]] = MappingProxyType(
    {MarkKind.HIGHLIGHT: (1, 1), MarkKind.BOX: (2, 2), MarkKind.ARROW: (2, 2), MarkKind.INK: (2, None)}
)
"""How many spots a mark has, at least and at most."""

MOST_MARKS = 100
"""Of one viewer, that stand on a page."""
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Categories of Unicode that make a text read otherwise than it is: controls, marks of direction, characters of no width."""
_TEXT_TYPES = frozenset(["", "text", "search", "tel", "url", "email", "number", "range", "color"]) | frozenset(
    ["date", "month", "week", "time", "datetime-local"]
)
_SWITCHES = frozenset({"checkbox", "radio"})
_FIELDS = frozenset({"textarea", "select"})
_NEVER_CLICKED = frozenset({"label", "option", "optgroup", "datalist", "iframe", "frame", "frameset", "object", "embed", ""})
"""A label does what its field does, and that may be a button that submits."""


def may(facts: Facts | None) -> frozenset[ActKind]:
    """What can be done with a node by somebody who was granted everything."""
    if facts is None or not facts.known or facts.level <= Level.SEALED:
        return frozenset()
    found = {ActKind.SCROLL}
    if _is_field(facts) and _is_read(facts):
        found |= WITH_VALUE
    if _may_click(facts):
        found.add(ActKind.CLICK)
    return frozenset(found)


def may_be_named(facts: Facts) -> bool:
    """Whether viewers may know of a field that it is wrong: they read its words, or what is entered there."""
    shown = facts.level >= Level.SHOWN or (facts.value_shown and facts.level > Level.SEALED)
    return facts.known and facts.tag != "" and shown and not facts.sensitive


def is_plain(value: str) -> bool:
    """Whether a value reads as it is."""
    return all(one in "\n\t" or unicodedata.category(one) not in _UNSEEN for one in value)


def may_enter(facts: Facts, value: str) -> bool:
    """Lines and tabs only where there are several lines."""
    return is_plain(value) and (facts.tag == "textarea" or not ("\n" in value or "\t" in value))


def _is_field(facts: Facts) -> bool:
    return facts.tag in _FIELDS or (facts.tag == "input" and facts.type.lower() in _TEXT_TYPES)


def _is_read(facts: Facts) -> bool:
    return facts.value_shown and not facts.sensitive


def _submits(tag: str, type: str) -> bool:
    """A button without a type does."""
    return tag == "button" and type.lower() != "button"


def _may_click(facts: Facts) -> bool:
    if facts.tag in _NEVER_CLICKED or facts.sensitive or _submits(facts.tag, facts.type):
        return False
    if not facts.clickable and not (facts.tag == "input" and facts.type.lower() in _SWITCHES):
        return False
    if any(tag in _NEVER_CLICKED or _submits(tag, type) for tag, type in facts.above if tag):
        return False
    if facts.tag == "input":
        kind = facts.type.lower()
        return facts.level >= Level.SHOWN if kind == "button" else kind in _SWITCHES | _TEXT_TYPES and _is_read(facts)
    if facts.tag in _FIELDS:
        return _is_read(facts)
    return facts.level >= Level.SHOWN


class Paces:
    """How much one viewer may do, over all their connections. What is beyond is refused; pointers are left out."""

    def __init__(self, now: float) -> None:
        self.messages = TokenBucket(60, 240, now)
        """Of every kind; who sends more is cut off."""
        self.pointers = TokenBucket(30, 60, now)
        self.acts = TokenBucket(10, 20, now)
        self.marks = TokenBucket(10, 20, now)
        self.asks = TokenBucket(0.2, 5, now)
        """Nobody is worn down by being asked again and again."""
        self.pictures = TokenBucket(0.2, 2, now)
