"""The part of CSS selectors that rules may use, matched on a shadow tree. Sans-I/O.

Selectors Level 4: type, ``#id``, ``.class``, ``[name]`` and ``[name=value]`` (also quoted), combined by nothing, a space or ``>``. Nothing that depends on
siblings or on state: what a rule says of a node must not change while others come and go beside it.
"""

import re
from collections.abc import Mapping
from typing import Protocol

import msgspec

MAX_SELECTOR = 200
MAX_PARTS = 8
_NAME = r"-?[A-Za-z_\u00a0-\U0010ffff][\w\u00a0-\U0010ffff-]*"
_SIMPLE = re.compile(
    rf"(?P<any>\*)|(?P<tag>{_NAME})|\#(?P<id>{_NAME})|\.(?P<class>{_NAME})"
    rf"|\[\s*(?P<attribute>{_NAME})\s*(?:=\s*(?:\"(?P<double>[^\"\\]*)\"|'(?P<single>[^'\\]*)'|(?P<bare>{_NAME}))\s*)?\]"
)
_BETWEEN = re.compile(r"\s*(>)\s*|\s+")


class SelectorInvalid(ValueError):
    """Not a selector that rules may use; says which and why."""


class Matchable(Protocol):
    """An element as selectors see it: names in lower case, attributes as the page has them."""

    @property
    def tag(self) -> str: ...
    @property
    def attributes(self) -> Mapping[str, str]: ...
    @property
    def classes(self) -> frozenset[str]: ...


class Compound(msgspec.Struct, frozen=True):
    """One element: everything named must be there. ``equal``: None where the attribute only has to be there."""

    tag: str = ""
    id: str = ""
    classes: frozenset[str] = frozenset()
    attributes: tuple[tuple[str, str | None], ...] = ()

    def fits(self, node: Matchable) -> bool:
        if self.tag and self.tag != node.tag:
            return False
        has = node.attributes
        if self.id and has.get("id") != self.id:
            return False
        if not self.classes <= node.classes:
            return False
        return all(name in has and value in (None, has[name]) for name, value in self.attributes)


class Selector(msgspec.Struct, frozen=True):
    """``last`` is the node itself; ``before``: nearest first, each with whether it is the parent (``>``) or anywhere above. ``matching`` finds the nodes."""

    text: str
    last: Compound
    before: tuple[tuple[bool, Compound], ...] = ()

    def names(self) -> frozenset[str]:
        """The attributes that it looks at, ``id`` and ``class`` among them."""
        found: set[str] = set()
        for part in (self.last, *(one for _, one in self.before)):
            found.update(name for name, _ in part.attributes)
            found.update(name for name, there in (("id", part.id), ("class", part.classes)) if there)
        return frozenset(found)


def read_selector(text: str) -> Selector:
    """Raises SelectorInvalid."""
    if len(text) > MAX_SELECTOR:
        raise SelectorInvalid(f"longer than {MAX_SELECTOR} characters: {text[:40]}…")
    rest, parts, direct = text.strip(), list[tuple[bool, Compound]](), False
    while True:
        compound, rest = _compound(rest, text)
        parts.append((direct, compound))
        if not rest:
            break
        between = _BETWEEN.match(rest)
        if between is None or between.end() == len(rest):
            raise SelectorInvalid(f"cannot read {rest[:20]!r} in {text!r}")
        direct, rest = between[1] is not None, rest[between.end() :]
    if len(parts) > MAX_PARTS:
        raise SelectorInvalid(f"more than {MAX_PARTS} parts: {text!r}")
    before = tuple((parts[index][0], parts[index - 1][1]) for index in range(len(parts) - 1, 0, -1))
    return Selector(text.strip(), parts[-1][1], before)


def _compound(rest: str, text: str) -> tuple[Compound, str]:
    tag, id, classes, attributes, any_ = "", "", set[str](), list[tuple[str, str | None]](), False
    begun = False
    while (simple := _SIMPLE.match(rest)) is not None:
        if (simple["any"] or simple["tag"]) and begun:
            raise SelectorInvalid(f"a type stands first: {text!r}")
        if simple["id"] and id:
            raise SelectorInvalid(f"two ids for one element: {text!r}")
        any_ = any_ or simple["any"] is not None
        tag = (simple["tag"] or tag).lower()
        id = simple["id"] or id
        if simple["class"]:
            classes.add(simple["class"])
        if simple["attribute"]:
            values = [simple[kind] for kind in ("double", "single", "bare") if simple[kind] is not None]
            attributes.append((simple["attribute"].lower(), values[0] if values else None))
        begun, rest = True, rest[simple.end() :]
    if not begun:
        raise SelectorInvalid(f"cannot read {rest[:20]!r} in {text!r}" if rest else "an empty selector")
    return Compound(tag, id, frozenset(classes), tuple(attributes)), rest
