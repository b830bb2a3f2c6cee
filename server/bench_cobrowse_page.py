"""A page of a bank's for the benchmarks of co-browse, as rrweb records it: menus, a form, drawings, and a table of payments as long as one asks for; with 15,000 nodes
it is as large as rrweb's pictures of real pages with as many. And what happens in it."""

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

import msgspec

from server.cobrowse.gestures import Source
from server.cobrowse.messages import CHUNK_CHARS
from server.cobrowse.nodes import Json, NodeType
from server.cobrowse.rules import read_rules
from server.cobrowse.sanitiser import EventType, Sanitiser
from server.cobrowse.styles import Names, Styles

RULES = b"""
[[page]]
url = "https://bank.example/payments"
name = "payments"
show = ["h1", "h2", "label", "button", "nav a", "th", "td.table__cell--kind", "td.table__cell--status", "option"]
values = ["#amount", "#note", "main form select"]
mask = [".balance", "td.table__cell--payee", "[data-private]"]
block = ["img.adviser"]
"""
SHEET_CHARS = 40_000
ROW_NODES = 17
FIELDS = ("payee", "iban", "amount", "note", "reference", "mail", "phone", "city")
AT = 1_700_000_000_000
_encode = msgspec.json.Encoder().encode


class Recorded:
    """A page as rrweb records it. ``fields``, ``cells``, ``rows``: numbers of nodes."""

    def __init__(self, nodes: int) -> None:
        self._ids = count(1)
        self._drawn = random.Random(7)  # noqa: S311 - what stands in the page, and the same each time
        self.fields: list[int] = []
        self.cells: list[int] = []
        self.rows: list[int] = []
        sheet = self.element("style", {"_cssText": sheet_of(SHEET_CHARS)})
        head = self.element("head", {}, self.element("title", {}, self.text("Payments")), sheet)
        form = self.element("form", {"class": "form form--wide", "action": "/pay"}, *(self._field(name) for name in FIELDS))
        self._body = self.element("tbody", {})
        table = self.element("table", {"class": "table table--striped", "role": "grid"}, self._body)
        main = self.element("main", {"class": "page__main"}, self.element("h1", {}, self.text("Payments")), form, table)
        menu = self.element("nav", {"class": "menu"}, *(self._link(number) for number in range(30)))
        body = self.element("body", {"class": "page"}, menu, main)
        html = self.element("html", {"lang": "en"}, head, body)
        self._made: Json = {"type": int(NodeType.DOCUMENT), "childNodes": [html], "id": next(self._ids)}
        self.nodes: int = self._made["id"]
        while self.nodes < nodes:
            row = self.row()
            self._body["childNodes"].append(row)
            self.nodes = row["id"]

    def element(self, tag: str, attributes: Json, *below: Json, svg: bool = False) -> Json:
        made: Json = {"type": int(NodeType.ELEMENT), "tagName": tag, "attributes": attributes, "childNodes": list(below)}
        if svg:
            made["isSVG"] = True
        return made | {"id": next(self._ids)}

    def text(self, words: str) -> Json:
        return {"type": int(NodeType.TEXT), "textContent": words, "id": next(self._ids)}

    def _field(self, name: str) -> Json:
        field = self.element(
            "input", {"id": name, "name": name, "class": "field__input", "type": "text", "placeholder": name, "value": ""}
        )
        self.fields.append(field["id"])
        label = self.element("label", {"for": name, "class": "field__label"}, self.text(name.title()))
        return self.element("div", {"class": "field", "style": "width: 50%; margin-top: 8px"}, label, field)

    def _link(self, number: int) -> Json:
        path = self.element("path", {"d": "M4 6h16M4 12h16M4 18h7", "stroke": "#1a2b3c", "stroke-width": "2"}, svg=True)
        icon = self.element("svg", {"class": "icon", "viewBox": "0 0 24 24", "width": "24"}, path, svg=True)
        link = {"class": "menu__link", "href": f"https://bank.example/menu/{number}", "data-number": str(number)}
        return self.element("a", link, icon, self.element("span", {}, self.text(f"Menu {number}")))

    def row(self) -> Json:
        """One more payment: ``ROW_NODES`` nodes."""
        drawn, number = self._drawn, len(self.rows)
        cents = drawn.randrange(100, 10_000_000)
        cells = [
            ("date", f"2026-{drawn.randrange(1, 13):02}-{drawn.randrange(1, 29):02}"), ("payee", f"Payee of {number:05}"),
            ("kind", drawn.choice(["Transfer", "Standing order", "Card payment"])), ("status", drawn.choice(["Done", "Waiting"])),
            ("amount balance", f"¥ {cents / 100:,.2f}"),
        ]  # fmt: skip
        made = [self._cell(name, at, self.text(words)) for at, (name, words) in enumerate(cells)]
        self.cells.append(made[3]["childNodes"][0]["id"])
        more = {"type": "button", "class": "button button--small", "aria-label": "More"}
        box = self.element("input", {"type": "checkbox", "class": "check", "aria-checked": "false"})
        tools = self._cell("tools", len(cells), self.element("button", more, self.text("More")), box)
        tools["attributes"]["style"] = f"width: {drawn.randrange(40, 90)}px"
        key = f"{drawn.getrandbits(128):x}"
        row = self.element("tr", {"class": "table__row table__row--payment", "data-key": key, "tabindex": "0"}, *made, tools)
        self.rows.append(row["id"])
        return row

    def _cell(self, name: str, at: int, *below: Json) -> Json:
        known_as = {
            "class": f"table__cell table__cell--{name}",
            "role": "gridcell",
            "data-column": name,
            "aria-colindex": str(at),
        }
        return self.element("td", known_as, *below)

    def meta(self) -> bytes:
        return event(EventType.META, {"href": "https://bank.example/payments", "width": 1280, "height": 800})

    def picture(self) -> bytes:
        return event(EventType.FULL_SNAPSHOT, {"node": self._made, "initialOffset": {"left": 0, "top": 0}})

    def mutation(self, **lists: list[Json]) -> bytes:
        return event(
            EventType.INCREMENTAL,
            {"source": int(Source.MUTATION), "texts": [], "attributes": [], "removes": [], "adds": []} | lists,
        )

    def happenings(self, events: int) -> Iterator[bytes]:
        """What happens in the page."""
        drawn, table = self._drawn, self._body["id"]
        typed = dict.fromkeys(self.fields, "")
        for number in range(events):
            kind = number % 8
            if kind in (0, 1):
                id = drawn.choice(self.fields)
                typed[id] += drawn.choice("abc 123")
                yield happened(Source.INPUT, id=id, text=typed[id], isChecked=False, userTriggered=True)
            elif kind == 2:
                yield self.mutation(
                    texts=[{"id": drawn.choice(self.cells), "value": f"Done at 10:{drawn.randrange(60):02}"} for _ in range(5)]
                )
            elif kind == 3:
                chosen = [
                    {
                        "id": drawn.choice(self.rows),
                        "attributes": {"class": f"table__row table__row--{drawn.choice(['on', 'off'])}"},
                    }
                    for _ in range(5)
                ]
                yield self.mutation(attributes=chosen)
            elif kind == 4:
                yield self.mutation(adds=[{"parentId": table, "nextId": self.rows[0], "node": self.row()}])
            elif kind == 5:
                yield self.mutation(removes=[{"parentId": table, "id": self.rows.pop()}])
                self.cells.pop()
            elif kind == 6:
                yield moved(drawn.choice(self.cells), drawn)
            else:
                yield happened(Source.SCROLL, id=drawn.choice(self.rows), x=0, y=drawn.randrange(5000))

    def minute(self) -> Iterator[bytes]:
        """One in which the fields are filled: two keys a second, the pointer ten times a second between fields, an error that comes and goes at each."""
        drawn = self._drawn
        for id in self.fields:
            for _ in range(3):
                yield moved(id, drawn)
            yield happened(Source.MOUSE_INTERACTION, id=id, type=2, x=40, y=60)
            for length in range(1, 13):
                yield happened(Source.INPUT, id=id, text="x" * length, isChecked=False, userTriggered=True)
            for state in ("field__input field--wrong", "field__input"):
                yield self.mutation(attributes=[{"id": id, "attributes": {"class": state}}])


def event(kind: int, data: Json) -> bytes:
    return _encode({"type": int(kind), "data": data, "timestamp": AT})


def happened(source: int, **data: object) -> bytes:
    return event(EventType.INCREMENTAL, {"source": int(source)} | data)


def moved(id: int, drawn: random.Random) -> bytes:
    positions = [{"x": drawn.randrange(1280), "y": drawn.randrange(800), "id": id, "timeOffset": -50 * at} for at in range(5)]
    return happened(Source.MOUSE_MOVE, positions=positions)


def sheet_of(chars: int) -> str:
    """A style sheet about as long."""
    made, length, number = list[str](), 0, 0
    while length < chars:
        made.append(
            f".page__part-{number} > .cell:hover, .row--{number}::before {{ margin: 0 {number % 9}px; color: rgba(10, 20, {number % 256}, .5); "
            f"background: url(/img/{number}.png) no-repeat; content: '\\201c'; }}\n@media (min-width: {number}px) {{ .x-{number} {{ display: flex }} }}\n"
        )
        length, number = length + len(made[-1]), number + 1
    return "".join(made)


@dataclass(frozen=True, slots=True)
class Happening:
    """``text``: of the event, up to the number of its ``timestamp``, as it stands in a JSON string. ``leaves``: whether viewers get anything of it."""

    text: str
    leaves: bool


class Film:
    """A page and what happens in it, ready to be sent by many tabs over and over. Each event's ``timestamp`` is a number that the tab chooses, by which it is known
    again where it arrives. ``picture``: its two events, in chunks."""

    def __init__(self, nodes: int, events: int) -> None:
        page = Recorded(nodes)
        made = Sanitiser(read_rules(RULES), Styles(Names(b"k" * 32)))
        raw = [page.meta(), page.picture()]
        self.picture = [chunks_of(one.decode()) for one in raw]
        self.picture_bytes = sum(map(len, raw))
        for one in raw:
            made.take(one)
        self.happenings = [_happening(one, leaves=made.take(one).event is not None) for one in page.happenings(events)]


def chunks_of(text: str) -> list[str]:
    """Of one event, each as it stands in a JSON string."""
    parts = (text[at : at + CHUNK_CHARS] for at in range(0, len(text), CHUNK_CHARS))
    return [json.dumps(part, ensure_ascii=False)[1:-1] for part in parts]


def _happening(raw: bytes, *, leaves: bool) -> Happening:
    text = raw.decode()
    return Happening(json.dumps(text[: text.rindex(":") + 1], ensure_ascii=False)[1:-1], leaves)
