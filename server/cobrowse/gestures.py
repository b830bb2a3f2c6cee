"""What is done in a page, and how scripts change its styles. Sans-I/O. ``sanitiser`` says what for."""

from collections.abc import Callable, Generator, Mapping
from enum import IntEnum
from types import MappingProxyType

from server.cobrowse import allowed
from server.cobrowse.looks import TooMuch
from server.cobrowse.nodes import Json, Nodes
from server.cobrowse.rules import UNKNOWN_PAGE, Level
from server.cobrowse.shadow import Node
from server.cobrowse.styles import GONE
from server.cobrowse.values import number, place, whole


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


_Slow = Generator[None, None, Json | None]


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
                Source.STYLE_DECLARATION: self._style_declaration,
            }
        )
        self._slow: Mapping[int, Callable[[Json], _Slow]] = MappingProxyType(
            {Source.STYLE_RULE: self._style_rules, Source.ADOPTED: self._adopted}
        )

    def made(self, source: object, data: Json) -> _Slow:
        """The data of an incremental event as they leave, None for nothing. Raises TooMuch."""
        if type(source) is not int:
            self._nodes.drop("source")
            return None
        if (make := self._by_source.get(source)) is not None:
            made = make(data)
        elif (slow := self._slow.get(source)) is not None:
            made = yield from slow(data)
        else:
            self._nodes.drop("source")
            return None
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
        if node is None or x is None or y is None or not self._nodes.may_scroll(node):
            return None
        return {"id": node.id, "x": x, "y": y}

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
        value = "on" if choice else self._nodes.value(node, text)
        if not self._nodes.says_anew(node, value):
            return None  # how often a key was pressed tells how long it is
        return {
            "id": node.id,
            "text": value,
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

    def _some(self, *lists: object) -> None:
        """That it is not too much for one event. Raises TooMuch."""
        if sum(len(one) for one in lists if isinstance(one, list)) > self._nodes.limits.rules:
            raise TooMuch

    def _style_rules(self, data: Json) -> _Slow:
        self._some(data.get("adds"), data.get("removes"))
        made = self._where(data)
        if made is None:
            return None
        for key in ("replace", "replaceSync"):
            if isinstance(text := data.get(key), str):
                self._nodes.put_sheet(made, key, text)
        if isinstance(adds := data.get("adds"), list):
            made["adds"] = yield from self._rules(adds)
        if isinstance(removes := data.get("removes"), list):
            made["removes"] = [
                {"index": at} for one in removes if isinstance(one, dict) and (at := place(one.get("index"))) is not None
            ]
        return made

    def _rules(self, given: list[object]) -> Generator[None, None, list[Json]]:
        kept = list[Json]()
        for one in given:
            if self._nodes.is_due():
                yield
            if not isinstance(one, dict) or not isinstance(text := one.get("rule"), str):
                continue
            made: Json = {"rule": (yield from self._nodes.rule(text)) or GONE}
            if (at := place(one.get("index"))) is not None:
                made["index"] = at
            kept.append(made)
        return kept

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

    def _adopted(self, data: Json) -> _Slow:
        node, ids, styles = self._nodes.shown_by(data), data.get("styleIds"), data.get("styles")
        if node is None or not isinstance(ids, list):
            return None
        made: Json = {"id": node.id, "styleIds": [one for one in ids[:1000] if whole(one, 1 << 31) is not None]}
        if isinstance(styles, list):
            given = [one for one in styles if isinstance(one, dict)]
            self._some(styles, *(one.get("rules") for one in given))
            made["styles"] = []
            for one in given:
                id, rules = whole(one.get("styleId"), 1 << 31), one.get("rules")
                if id is not None and isinstance(rules, list):
                    made["styles"].append({"styleId": id, "rules": (yield from self._rules(rules))})
        return made
