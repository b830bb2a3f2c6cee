"""Nodes of a page as they leave: elements, attributes, words. Sans-I/O. ``sanitiser`` says what for."""

from collections import Counter, deque
from collections.abc import Generator
from enum import IntEnum
from typing import Any

import msgspec

from server.cobrowse import allowed
from server.cobrowse.net import MASK, identifies
from server.cobrowse.rules import UNKNOWN_PAGE, Level, Page
from server.cobrowse.shadow import Node, Shadow
from server.cobrowse.styles import Styles

Json = dict[str, Any]


class NodeType(IntEnum):
    DOCUMENT = 0
    DOCTYPE = 1
    ELEMENT = 2
    TEXT = 3
    COMMENT = 5


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """``event_bytes``: of one event, a whole picture among them. ``slice``: nodes between two pauses. ``css``: characters of sheets that are new, of one event. ``depth``: how deep a page may nest (Blink's parser
    stops at 512). ``changes``: of one mutation."""

    event_bytes: int = 8 * 1024 * 1024
    nodes: int = 60_000
    depth: int = 640
    slice: int = 200
    css: int = 400_000
    changes: int = 60_000
    positions: int = 200
    text: int = 100_000


class TooMuch(ValueError):
    """A page beyond ``Limits``: nothing more of it is shown."""


class Nodes:
    """The nodes of one document, by the rules of its page. ``dropped``: what was left out of the event at hand; ``resync``: whether a new picture is needed."""

    def __init__(self, styles: Styles, limits: Limits) -> None:
        self.styles = styles
        self.limits = limits
        self.shadow = Shadow()
        self.page: Page = UNKNOWN_PAGE
        self.looked_at = frozenset[str]()
        self.dropped: Counter[str] = Counter()
        self.resync = False
        self._secret: set[int] = set()
        self._url = ""
        self._css_left = 0

    def begin(self, page: Page, url: str) -> None:
        """Another document, or another picture of the same: rrweb's numbers stay, and so does what was secret once."""
        if url != self._url:
            self._secret.clear()
        self._url = url
        self.page = page
        self.looked_at = page.names() | {"id", "class", "type", "autocomplete", "data-rr-is-password"}
        self.shadow.clear()

    def heard(self) -> None:
        """The next event begins."""
        self.dropped, self.resync, self._css_left = Counter(), False, self.limits.css

    def sheet(self, text: str) -> str:
        """A sheet as it leaves; new ones as long as the event's share of time lasts."""
        if not self.styles.is_known(text):
            self._css_left -= len(text)
            if self._css_left < 0:
                self.drop("stylesheet")
                return ""
        return self.styles.sheet(text)

    def drop(self, kind: str) -> None:
        self.dropped[kind] += 1

    def shown(self, id: object) -> Node | None:
        """A node that is known and not hidden."""
        found = self.shadow.get(id)
        return found if found is not None and found.level > Level.BLOCKED else None

    def known(self, given: object) -> Node | None:
        """The node of which something is said; one that is not known is counted."""
        node = self.shadow.get(given.get("id")) if isinstance(given, dict) else None
        if node is None:
            self.drop("unknown_node")
        return node

    def shown_by(self, given: object) -> Node | None:
        node = self.known(given)
        return node if node is not None and node.level > Level.BLOCKED else None

    def tree(self, given: object, above: Node | None) -> Generator[None, None, Json | None]:
        """A node and all below it, without recursion: pages may nest as they like."""
        top = self._made(given, above)
        if top is None:
            return None
        waiting = deque([top])
        count = 0
        while waiting:
            raw, made, node = waiting.popleft()
            below = raw.get("childNodes")
            if node is None or not isinstance(below, list):
                continue
            kept = made.get("childNodes")
            for one in below:
                count += 1
                if count % self.limits.slice == 0:
                    yield
                found = self._made(one, node)
                if found is None:
                    continue
                if kept is not None:
                    kept.append(found[1])
                waiting.append(found)
        return top[1]

    def _made(self, given: object, above: Node | None) -> tuple[Json, Json, Node | None] | None:
        """(as it came, as it leaves, what stands for it); the last None where nothing below it leaves."""
        if not isinstance(given, dict) or (id := whole(given.get("id"), 1 << 31)) is None:
            self.drop("node")
            return None
        kind = given.get("type")
        if len(self.shadow) >= self.limits.nodes or (above is not None and above.depth >= self.limits.depth):
            raise TooMuch
        root = whole(given.get("rootId"), 1 << 31)
        made: Json = {"type": int(NodeType.COMMENT), "textContent": "", "id": id}
        node: Node | None = None
        if kind == NodeType.ELEMENT:
            node = self._element(given, made, above, id)
        else:
            node = Node(id, "", above)
            node.level = Level.MASKED if above is None else above.level
            if kind == NodeType.DOCUMENT and (above is None or above.tag == "iframe"):
                made = {"type": int(NodeType.DOCUMENT), "childNodes": [], "id": id}
                if above is not None:
                    node.level = Level.SEALED  # rules speak of the page, not of another that stands in it
                if given.get("compatMode") == "BackCompat":
                    made["compatMode"] = "BackCompat"
            elif kind == NodeType.DOCTYPE:
                made = {"type": int(NodeType.DOCTYPE), "name": "html", "publicId": "", "systemId": "", "id": id}
            elif kind == NodeType.TEXT and above is not None:
                made = {"type": int(NodeType.TEXT), "textContent": self.words(given.get("textContent"), above), "id": id}
            else:
                node.level = Level.GONE
                if kind != NodeType.COMMENT:
                    self.drop("node")
        if root is not None:
            made["rootId"] = root
        if given.get("isShadow") is True and made["type"] != NodeType.COMMENT:
            made["isShadow"] = True
        self.shadow.put(node)
        return given, made, node if node.level > Level.BLOCKED else None

    def _element(self, given: Json, made: Json, above: Node | None, id: int) -> Node:
        """Fills in ``made`` where the element leaves."""
        tag, attributes = given.get("tagName"), given.get("attributes")
        tag = tag.lower() if isinstance(tag, str) and len(tag) <= 100 else ""
        attributes = attributes if isinstance(attributes, dict) else {}
        seen = {
            name.lower(): str(value)
            for name, value in attributes.items()
            if name.lower() in self.looked_at and isinstance(value, str | int)
        }
        node = Node(id, tag, above, seen)
        name = allowed.element_as(tag)
        self._judge(node)
        if name is None:
            node.level = Level.GONE
            self.drop("element")
            return node
        if tag == "link" and not isinstance(attributes.get("_cssText"), str):
            node.level = Level.GONE
            self.drop("stylesheet")
            return node
        if node.level is Level.GONE:
            return node
        svg = node.svg = given.get("isSVG") is True
        made.clear()
        made.update(type=int(NodeType.ELEMENT), tagName=name, attributes={}, childNodes=[], id=id)
        if svg:
            made["isSVG"] = True
        if name == allowed.COMPONENT_AS:
            made["isCustom"] = True
        if given.get("isShadowHost") is True:
            made["isShadowHost"] = True
        for attribute, value in attributes.items():
            if (kept := self.attribute(node, attribute, value, svg=svg)) is not None:
                made["attributes"][kept[0]] = kept[1]
        if node.level is Level.BLOCKED:
            made["needBlock"] = True
            made["attributes"] = {
                key: value for key, value in made["attributes"].items() if key in ("class", "rr_width", "rr_height", "style")
            }
        return node

    def _judge(self, node: Node) -> None:
        """What rules say of an element as it stands now."""
        page = self.page
        above = Level.MASKED if node.above is None else node.above.level
        node.level = page.level(node, above)
        node.value_shown = page.value_shown(node)
        node.sensitive = (
            node.id in self._secret
            or "data-rr-is-password" in node.attributes
            or node.attributes.get("type", "").lower() in allowed.NEVER_TYPES
            or allowed.NEVER_AUTOCOMPLETE.search(node.attributes.get("autocomplete", "").lower()) is not None
        )
        if node.sensitive and node.tag in allowed.CONTROLS:
            self._secret.add(node.id)

    def words(self, text: object, above: Node) -> str:
        """What stands between tags."""
        if not isinstance(text, str) or len(text) > self.limits.text * (20 if above.tag in ("style", "link") else 1):
            self.drop("text")
            return ""
        if above.tag in ("style", "link"):
            return self.sheet(text)
        if not text.strip():
            return " " if text else ""
        if above.tag == "textarea":
            return text if self.may_read(above) and not identifies(text) else MASK
        if above.level is not Level.SHOWN:
            return MASK
        if identifies(text):
            self.drop("identifying")
            return MASK
        return text

    def may_read(self, node: Node) -> bool:
        """What is entered there."""
        return node.value_shown and not node.sensitive and node.level > Level.SEALED

    def attribute(self, node: Node, name: object, value: object, *, svg: bool) -> tuple[str, Any] | None:
        """(name, value) as they leave, or None. ``value``: a text, a number, true, or null for one that is taken away."""
        if not isinstance(name, str) or len(name) > 100:
            self.drop("attribute")
            return None
        lower = name.lower()
        text = "" if value is True else str(value) if isinstance(value, str | int | float) and value is not False else None
        if text is not None and len(text) > self.limits.text * 20:
            text = None
        made: str | None = None
        if lower in ("class", "id"):
            made = None if text is None else " ".join(self.styles.names(one) for one in text.split()[:200])
        elif lower == "style":
            made = None if text is None else self.styles.declarations(text, self._of_style(node))
        elif lower == "_csstext" and node.tag in ("link", "style"):
            return None if text is None else ("_cssText", self.sheet(text))
        elif lower == "for" and node.tag == "label":
            made = None if text is None else self.styles.names(text)
        elif lower in ("href", "xlink:href") and (svg or node.tag == "a"):
            made = self._link(node, text)
        elif lower in allowed.WORDS:
            made = None if text is None else text if node.level is Level.SHOWN and not identifies(text) else MASK
        elif node.tag in ("input", "option", "select", "textarea", "button") and lower in ("value", "checked", "selected"):
            return self._entered(node, lower, value)
        else:
            made = self._plain(node, lower, text, svg=svg)
        if made is None and value is not None:
            self.drop("attribute")
            return None
        written = allowed.REPLAYED.get(lower) or (allowed.SVG_NAMES.get(lower, lower) if svg else lower)
        if value is None:  # taken away: only of what could have been there
            known = lower in ("class", "id", "style", *allowed.WORDS) or self._rule_of(node, lower, svg=svg) is not None
            return (written, None) if known else None
        return written, made

    def _rule_of(self, node: Node, name: str, *, svg: bool) -> allowed.Kept | None:
        own = allowed.OF_ELEMENT.get(node.tag, {}).get(name) or allowed.GLOBAL.get(name)
        return own or (allowed.SVG.get(name) if svg else None)

    def _plain(self, node: Node, name: str, text: str | None, *, svg: bool) -> str | None:
        drawn = svg and name not in allowed.SHAPES and name in allowed.SVG
        if node.level is not Level.SHOWN and (name in allowed.STATES or drawn):
            return None
        rule = self._rule_of(node, name, svg=svg)
        return None if rule is None or text is None else rule(text)

    def _link(self, node: Node, text: str | None) -> str | None:
        """That it is a link, and within a drawing to what; never where it leads."""
        if text is None:
            return None
        if node.tag == "a":
            return "#"
        if node.level is not Level.SHOWN:
            return None
        return f"#{self.styles.names(text[1:])}" if text.startswith("#") and len(text) > 1 else None

    def _entered(self, node: Node, name: str, value: object) -> tuple[str, Any] | None:
        owner: Node = node
        if node.tag == "option":
            while owner.above is not None and owner.tag != "select":
                owner = owner.above
        reads = self.may_read(owner)
        if name != "value":
            return (name, value is True or value == "") if reads and value is not None else None
        if node.tag == "option":
            return None  # never shown by a browser
        if not isinstance(value, str):
            return None
        if node.tag == "button" or node.attributes.get("type", "").lower() in ("button", "submit", "reset"):
            return name, (value if node.level is Level.SHOWN and not identifies(value) else MASK)
        return name, self.value(node, value)

    def value(self, node: Node, text: str) -> str:
        if not text:
            return ""
        return text if self.may_read(node) and len(text) <= self.limits.text and not identifies(text) else MASK

    def rejudge(self, node: Node, changes: Json) -> None:
        """After a change of what rules look at: less may be seen from now on, never more."""
        looked_at = {
            name.lower(): value
            for name, value in changes.items()
            if name.lower() in self.looked_at and isinstance(value, str | int | None)
        }
        if not looked_at:
            return
        attributes = {name: value for name, value in node.attributes.items() if name not in looked_at}
        attributes.update((name, str(value)) for name, value in looked_at.items() if value is not None)
        node.attributes, node.classes = attributes, frozenset(attributes.get("class", "").split())
        for one in (node, *node.all_below()):
            if not one.tag:
                one.level = min(one.level, one.above.level if one.above is not None else one.level)
                continue
            level, value_shown, sensitive = one.level, one.value_shown, one.sensitive
            self._judge(one)
            self.resync |= one.level < level or (value_shown and not one.value_shown) or (one.sensitive and not sensitive)
            one.level, one.value_shown, one.sensitive = (
                min(level, one.level), value_shown and one.value_shown, sensitive or one.sensitive
            )  # fmt: skip

    @staticmethod
    def _of_style(node: Node) -> frozenset[str] | None:
        return None if node.level is Level.SHOWN else allowed.LAYOUT

    def properties(self, node: Node, given: Json) -> Json:
        """rrweb's ``styleOMValue``: property to value, to [value, priority], or to false for one that is taken away."""
        made: Json = {}
        only = self._of_style(node)
        for name, value in given.items():
            if only is not None and name not in only:
                continue
            if value is False:
                if len(name) <= 60 and name.replace("-", "").isalpha():
                    made[name] = False
                continue
            text, priority = (value[0], value[1]) if isinstance(value, list) and len(value) == 2 else (value, "")
            kept = self.styles.value(name, text) if isinstance(text, str) else None
            if kept is None:
                self.drop("style")
            else:
                made[name] = [kept, "important"] if priority == "important" else kept
        return made


def number(value: object) -> float | int | None:
    """A coordinate, CSS pixels or ms, or None."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not -10_000_000 < value < 10_000_000:
        return None
    return value if isinstance(value, int) else round(value, 2)


def whole(value: object, most: int) -> int | None:
    return value if type(value) is int and 0 <= value <= most else None


def place(value: object) -> int | list[int] | None:
    """The place of a rule, or of one within others."""
    if isinstance(value, list):
        return [one for one in value if whole(one, 100_000) is not None] if len(value) <= 8 else None
    return whole(value, 100_000)
