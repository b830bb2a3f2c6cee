"""How long the sanitiser of co-browse takes: a picture of a large page, what happens in it, and what a viewer gets while a form is filled.

A page as banks have them, made here: menus, a form, drawings, and a table of payments as long as ``--nodes`` asks for; with 15,000 nodes it is as large as rrweb's
pictures of real pages with as many. Everything is measured from the bytes of rrweb's event to the bytes that leave, in this process, by the clock on the wall; what ends
in ``_cpu_ms`` is processor time, which says more where others use the machine:

- ``sanitiser_snapshot_15k_ms``: the whole picture, the median; ``sanitiser_slice_max_ms``: the longest that it goes on without a pause, reading and writing the
  JSON among it, of the middle one of the pictures;
- ``ratio_to_reading``: its processor time over what it takes to read and write the picture with ``json``, in turns with it: no server that masks a second time is
  known, so this is the floor for one that changes nothing;
- ``sanitiser_event_p95_ms``: typing, changed words and classes, rows that come and go, the pointer, scrolling, in that page;
- ``bytes_per_minute``: what each viewer gets of a minute in which eight fields are filled; ``picture_bytes``: of the whole page before it;
- ``share_bytes``: what a share keeps of the page between events; ``first_picture_ms``, ``first_slice_max_ms``: of the first picture in which its style sheet
  of 40,000 characters comes, which no other share had.
"""

import argparse
import gc
import json
import os
import random
import sys
import time
import tracemalloc
from collections.abc import Iterator, Sequence
from itertools import count
from typing import NamedTuple

import msgspec

from server import heap
from server.cobrowse.gestures import Source
from server.cobrowse.nodes import Json, NodeType
from server.cobrowse.rules import RulePack, read_rules
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
MOST_NODES = 50_000
SHEET_CHARS = 40_000
ROW_NODES = 17
FIELDS = ("payee", "iban", "amount", "note", "reference", "mail", "phone", "city")
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
    return _encode({"type": int(kind), "data": data, "timestamp": 1_700_000_000_000})


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


def sanitiser(pack: RulePack, page: Recorded) -> Sanitiser:
    made = Sanitiser(pack, Styles(Names(os.urandom(32))))
    made.take(page.meta())
    return made


class Step(NamedTuple):
    """``left``: what leaves. ``slices``: milliseconds of each, by the clock on the wall; ``cpu``: of all of them, of the processor."""

    left: bytes
    slices: list[float]
    cpu: float


def stepped(made: Sanitiser, raw: bytes) -> Step:
    steps, slices, used = made.steps(raw), list[float](), time.process_time()
    while True:
        begun = time.perf_counter()
        try:
            next(steps)
        except StopIteration as done:
            left = b"" if done.value.event is None else _encode(done.value.event)
            slices.append((time.perf_counter() - begun) * 1000)
            return Step(left, slices, (time.process_time() - used) * 1000)
        slices.append((time.perf_counter() - begun) * 1000)


def kept(pack: RulePack, page: Recorded) -> int:
    """Bytes that a share keeps after its picture, with what its sheets became."""
    made = sanitiser(pack, page)
    raw = page.picture()
    gc.collect()
    tracemalloc.start()
    try:
        made.take(raw)
        gc.collect()
        return tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()


def measure(*, nodes: int, pictures: int, events: int) -> dict[str, object]:
    pack, page = read_rules(RULES), Recorded(nodes)
    made, raw = sanitiser(pack, page), page.picture()
    heap.settled()  # as in the process that does it
    first = stepped(made, raw)
    taken, reading, reading_cpu = list[Step](), list[float](), list[float]()
    for _ in range(pictures):
        taken.append(stepped(made, raw))
        begun, used = time.perf_counter(), time.process_time()
        json.dumps(json.loads(raw))
        reading.append((time.perf_counter() - begun) * 1000)
        reading_cpu.append((time.process_time() - used) * 1000)
    each = [stepped(made, one) for one in page.happenings(events)]
    sent = sum(len(stepped(made, one).left) for one in page.minute())
    cpu = [one.cpu for one in taken]
    return {
        "nodes": made.nodes,
        "raw_bytes": len(raw),
        "sanitiser_snapshot_15k_ms": _at([sum(one.slices) for one in taken], 50),
        "sanitiser_snapshot_15k_cpu_ms": _at(cpu, 50),
        "sanitiser_slice_max_ms": _at([max(one.slices) for one in taken], 50),
        "reading_ms": _at(reading, 50),
        "reading_cpu_ms": _at(reading_cpu, 50),
        "ratio_to_reading": round(_at(cpu, 50) / _at(reading_cpu, 50), 2),
        "sanitiser_event_p50_ms": _at([sum(one.slices) for one in each], 50),
        "sanitiser_event_p95_ms": _at([sum(one.slices) for one in each], 95),
        "sanitiser_event_p95_cpu_ms": _at([one.cpu for one in each], 95),
        "first_picture_ms": round(sum(first.slices), 3),
        "first_slice_max_ms": round(max(first.slices), 3),
        "picture_bytes": len(first.left),
        "bytes_per_minute": sent,
        "share_bytes": kept(pack, page),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
    }


def _at(found: list[float], percentile: int) -> float:
    """Milliseconds, by nearest rank."""
    ordered = sorted(found)
    return round(ordered[max(0, -(-len(ordered) * percentile // 100) - 1)], 3)


def main(arguments: Sequence[str]) -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(prog="tongping bench cobrowse", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="one line of JSON")
    parser.add_argument("--nodes", type=int, default=15_000, help="of the page")
    parser.add_argument("--pictures", type=int, default=20, help="of the whole page")
    parser.add_argument("--events", type=int, default=2000, help="that happen in it")
    asked = parser.parse_args(arguments)
    if not 500 <= asked.nodes <= MOST_NODES or min(asked.pictures, asked.events) < 1:
        parser.error(f"--nodes is 500 to {MOST_NODES}, and at least one of the others")
    found = measure(nodes=asked.nodes, pictures=asked.pictures, events=asked.events)
    if asked.json:
        print(json.dumps(found))
    else:
        for name, value in found.items():
            print(f"{name:28} {value}")
    sys.stdout.flush()
    return 0
