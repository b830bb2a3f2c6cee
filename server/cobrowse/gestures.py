"""What is done in a page, and how scripts change its styles. Sans-I/O. ``sanitiser`` says what for."""

from collections.abc import Callable, Mapping
from enum import IntEnum
from types import MappingProxyType

from server.cobrowse import allowed
from server.cobrowse.nodes import Json, Nodes, number, place, whole
from server.cobrowse.rules import UNKNOWN_PAGE, Level
from server.cobrowse.shadow import Node


class Source(IntEnum):
    MUTATION = 0
    MOUSE_MOVE = 1
    MOUSE_INTERACTION = 2
    SCROLL = 3
    VIEWPORT = 4
    INPUT = 5
    TOUCH_MOVE = 6
    STYLE_RULE = 8
    DRAG = 12
    STYLE_DECLARATION = 13
    ADOPTED = 15


class Gestures:
    """Everything but changes of the tree itself."""

    def __init__(self, nodes: Nodes) -> None:
        self._nodes = nodes
        self._by_source: Mapping[int, Callable[[Json], Json | None]] = MappingProxyType(
            {
                Source.MOUSE_MOVE: self._moves,
                Source.TOUCH_MOVE: self._moves,
                Source.DRAG: self._moves,
                Source.MOUSE_INTERACTION: self._interaction,
                Source.SCROLL: self._scroll,
                Source.VIEWPORT: self._viewport,
                Source.INPUT: self._input,
                Source.STYLE_RULE: self._style_rules,
                Source.STYLE_DECLARATION: self._style_declaration,
                Source.ADOPTED: self._adopted,
            }
        )

    def made(self, source: object, data: Json) -> Json | None:
        """The data of an incremental event as they leave, None for nothing."""
        make = self._by_source.get(source) if type(source) is int else None
        if make is None:
            self._nodes.drop("source")
            return None
        made = make(data)
        if made is not None:
            made["source"] = source
        return made

    def _moves(self, data: Json) -> Json | None:
        positions = data.get("positions")
        if not isinstance(positions, list) or len(positions) > self._nodes.limits.positions:
            self._nodes.drop("event")
            return None
        kept = []
        for one in positions:
            if not isinstance(one, dict) or not self._is_pointed_at(self._nodes.shown(one.get("id"))):
                continue
            x, y, at = number(one.get("x")), number(one.get("y")), number(one.get("timeOffset"))
            if x is not None and y is not None and at is not None:
                kept.append({"x": x, "y": y, "id": one["id"], "timeOffset": at})
        return {"positions": kept} if kept else None

    def _is_pointed_at(self, node: Node | None) -> bool:
        """Where the pointer may be seen: not in what is masked for good, nor on pages that no rule names; it would tell what is typed on a keypad there."""
        return node is not None and node.level > Level.SEALED and self._nodes.page is not UNKNOWN_PAGE

    def _interaction(self, data: Json) -> Json | None:
        node, kind = self._nodes.shown_by(data), whole(data.get("type"), 10)
        if node is None or kind is None or not self._is_pointed_at(node):
            return None
        made: Json = {"type": kind, "id": node.id}
        x, y = number(data.get("x")), number(data.get("y"))
        if x is not None and y is not None:
            made.update(x=x, y=y)
        return made

    def _scroll(self, data: Json) -> Json | None:
        node, x, y = self._nodes.shown_by(data), number(data.get("x")), number(data.get("y"))
        return None if node is None or x is None or y is None else {"id": node.id, "x": x, "y": y}

    def _viewport(self, data: Json) -> Json | None:
        width, height = whole(data.get("width"), 20_000), whole(data.get("height"), 20_000)
        return None if width is None or height is None else {"width": width, "height": height}

    def _input(self, data: Json) -> Json | None:
        node = self._nodes.shown_by(data)
        text = data.get("text")
        if node is None or node.tag not in allowed.CONTROLS or not isinstance(text, str):
            return None
        choice = node.attributes.get("type", "").lower() in ("checkbox", "radio")
        if choice and not self._nodes.may_read(node):
            return None  # the mark alone would tell
        if not self._nodes.may_read(node) and node.filled == bool(text):
            return None  # how often a key was pressed tells how long it is
        node.filled = bool(text)
        return {
            "id": node.id,
            "text": "on" if choice else self._nodes.value(node, text),
            "isChecked": data.get("isChecked") is True and self._nodes.may_read(node),
            "userTriggered": data.get("userTriggered") is True,
        }

    # ---- styles that scripts change

    def _where(self, data: Json) -> Json | None:
        """By the node of the sheet or by its number among the adopted ones."""
        if (style := whole(data.get("styleId"), 1 << 31)) is not None:
            return {"styleId": style}
        node = self._nodes.shown_by(data)
        return None if node is None else {"id": node.id}

    def _style_rules(self, data: Json) -> Json | None:
        made = self._where(data)
        if made is None:
            return None
        for key in ("replace", "replaceSync"):
            if isinstance(text := data.get(key), str):
                self._nodes.put_sheet(made, key, text)
        if isinstance(adds := data.get("adds"), list):
            made["adds"] = [rule for one in adds if (rule := self._rule(one)) is not None]
        if isinstance(removes := data.get("removes"), list):
            made["removes"] = [
                {"index": at} for one in removes if isinstance(one, dict) and (at := place(one.get("index"))) is not None
            ]
        return made

    def _rule(self, given: object) -> Json | None:
        if not isinstance(given, dict) or not isinstance(text := given.get("rule"), str):
            return None
        made: Json = {"rule": self._nodes.sheet(text) or "tp-gone{}"}
        if (at := place(given.get("index"))) is not None:
            made["index"] = at
        return made

    def _style_declaration(self, data: Json) -> Json | None:
        made, index = self._where(data), place(data.get("index"))
        if made is None or index is None:
            return None
        made["index"] = index
        change, remove = data.get("set"), data.get("remove")
        if (
            isinstance(change, dict)
            and isinstance(name := change.get("property"), str)
            and isinstance(text := change.get("value"), str)
        ):
            if (value := self._nodes.property(name, text)) is None:
                self._nodes.drop("style")
                return None
            made["set"] = {
                "property": name,
                "value": value,
                "priority": "important" if change.get("priority") == "important" else "",
            }
        elif isinstance(remove, dict) and isinstance(name := remove.get("property"), str) and name.replace("-", "").isalpha():
            made["remove"] = {"property": name[:60]}
        else:
            return None
        return made

    def _adopted(self, data: Json) -> Json | None:
        node, ids, styles = self._nodes.shown_by(data), data.get("styleIds"), data.get("styles")
        if node is None or not isinstance(ids, list):
            return None
        made: Json = {"id": node.id, "styleIds": [one for one in ids[:1000] if whole(one, 1 << 31) is not None]}
        if isinstance(styles, list):
            made["styles"] = [
                {"styleId": id, "rules": [rule for each in one["rules"] if (rule := self._rule(each)) is not None]}
                for one in styles
                if isinstance(one, dict)
                and (id := whole(one.get("styleId"), 1 << 31)) is not None
                and isinstance(one.get("rules"), list)
            ]
        return made
