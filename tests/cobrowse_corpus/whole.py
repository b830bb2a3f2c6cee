"""A page of the corpus with all its parts, taken through a sanitiser without a browser: in a picture and through every sort of change."""

import json
from collections.abc import Iterator

from server.cobrowse.rules import read_rules
from server.cobrowse.sanitiser import Sanitiser
from server.cobrowse.styles import Names, Styles
from tests.cobrowse_corpus import made
from tests.cobrowse_corpus.kinds import KINDS, Kind
from tests.cobrowse_corpus.rules import RULES
from tests.cobrowse_corpus.secrets import Secrets, leaves
from tests.support.pages import Json, Recorder, added, mutation

URL = "https://bank.example/corpus/home"
PACK = read_rules(RULES.format(origin="https://bank.example").encode())
PLACES = {"private": "masked", "shown": "shown", "sealed": "masked", "values": "values", "blocked": "masked"}
SHOWN = "Words that may be read"
KEY = b"k" * 32
FORGED = frozenset({"words", "a password", "a field", "content of a sheet", "a canvas"})
"""Of which events are made up that no recorder sends."""


class Page:
    """A page with all places, and what left of it."""

    def __init__(self) -> None:
        recorder = self.recorder = Recorder(URL)
        section, div = "section", "div"
        self.places: dict[str, Json] = {
            "private": recorder.element("main", {}),
            "shown": recorder.element(section, {"class": "shown"}),
            "sealed": recorder.element(div, {"class": "balance"}),
            "values": recorder.element(section, {"class": "shown values"}),
            "blocked": recorder.element(div, {"id": "blocked"}),
        }
        around = [recorder.element(section, {"class": "shown"}, self.places.pop(one)) for one in ("sealed", "blocked")]
        recorder.put(*self.places.values(), *around)
        self.places |= {"sealed": around[0]["childNodes"][0], "blocked": around[1]["childNodes"][0]}
        self.sanitiser = Sanitiser(PACK, Styles(Names(KEY)))
        self.secrets = Secrets()
        self.left: list[str] = []
        self.events: list[bytes] = []
        """All that the recorder told."""

    def take(self, *events: bytes) -> None:
        self.events += events
        for one in events:
            event = self.sanitiser.take(one).event
            if event is not None:
                words = list(leaves(event))
                self.left += [json.dumps(event, ensure_ascii=False), "\n".join(words), "".join(words)]

    def planted(self, way: str, kinds: tuple[Kind, ...] = KINDS) -> Iterator[tuple[str, Kind, str]]:
        for place, what in PLACES.items():
            for kind in kinds:
                if sort := kind.masked if way == "frame" else getattr(kind, what):
                    yield place, kind, self.secrets.make(sort, f"{kind.name}, {way} in {place}")

    def leaks(self) -> set[str]:
        return self.secrets.found(*self.left)


def whole(kinds: tuple[Kind, ...] = KINDS) -> Page:
    """Through a picture and every sort of change."""
    page = Page()
    recorder = page.recorder
    boxes = []
    page.places["shown"]["childNodes"].append(recorder.element("p", {}, SHOWN))
    for place, kind, secret in page.planted("picture", kinds):
        box = made.box(recorder, kind, secret)
        page.places[place]["childNodes"].append(box)
        boxes.append((box, place, kind, secret))
    page.take(recorder.meta(), recorder.picture())
    for box, place, kind, secret in boxes:
        sort = getattr(kind, PLACES[place])
        page.take(*made.changed(box, secret, page.secrets.make(sort, f"{kind.name}, changed in {place}")))
    for box, place, kind, _ in boxes:
        if kind.name in FORGED:
            page.take(*made.forged(box, page.secrets.make("word", f"{kind.name}, forged in {place}")))
            page.take(recorder.meta(), recorder.picture())
    for way, build in (("inserted", made.box), ("shadow", made.within), ("frame", made.framed)):
        for place, kind, secret in page.planted(way, kinds):
            page.take(mutation(adds=[added(page.places[place], build(recorder, kind, secret))]))
    for kind in kinds:  # shown and empty; hidden and filled in the same moment, as the recorder tells it
        empty = recorder.element("div", {}, "", recorder.element("p", {}, ""))
        secret = page.secrets.make(kind.masked, f"{kind.name}, turned in shown")
        inside = [added(empty, made.box(recorder, kind, secret))]
        texts = [
            {"id": one["id"], "value": page.secrets.make("word", f"{kind.name}, text turned in shown")}
            for one in empty["childNodes"][:1]
        ]
        page.take(mutation(adds=[added(page.places["shown"], empty)]))
        page.take(mutation(adds=inside, texts=texts, attributes=[{"id": empty["id"], "attributes": {"class": "balance"}}]))
    for place, kind, secret in page.planted("moved", kinds):
        box = made.box(recorder, kind, secret)
        page.take(mutation(adds=[added(page.places["private"], box)]))
        gone = [{"parentId": page.places["private"]["id"], "id": box["id"]}]
        page.take(mutation(removes=gone, adds=[added(page.places[place], box)]))
    return page
