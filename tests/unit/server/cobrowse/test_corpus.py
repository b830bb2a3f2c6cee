"""Every kind of secret through the sanitiser, without a browser: in pictures and through changes, in parts that rules show and in others. And that each step of
the masking is missed when it is not there. ``tests/browser/test_cobrowse_secrets.py`` does the same with a recorder in Chromium and a server."""

import base64
import json
import re
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import NamedTuple

import pytest

from server.cobrowse import allowed, attributes, nodes, styles
from server.cobrowse.matching import Matching
from server.cobrowse.nodes import Nodes
from server.cobrowse.rules import Level, read_rules
from server.cobrowse.sanitiser import Sanitiser
from server.cobrowse.styles import Names, Styles
from tests.cobrowse_corpus import made
from tests.cobrowse_corpus.kinds import KINDS, Kind
from tests.cobrowse_corpus.rules import RULES
from tests.cobrowse_corpus.secrets import SORTS, Secrets, leaves
from tests.support.pages import Json, Recorder, added, mutation
from tests.support.repository import ROOT

pytestmark = pytest.mark.campaign(23)

URL = "https://bank.example/corpus/home"
PACK = read_rules(RULES.format(origin="https://bank.example").encode())
PLACES = {"private": "masked", "shown": "shown", "sealed": "masked", "values": "values", "blocked": "masked"}
SHOWN = "Words that may be read"
FORGED = frozenset({"words", "a password", "a field", "content of a sheet", "a canvas"})
"""Of which events are made up that no recorder sends."""


def quoted(text: str) -> str:
    return "".join(f"%{ord(one):02X}" for one in text)


def coded(text: str) -> str:
    return base64.b64encode(f"a{text}".encode()).decode()


def halved(text: str) -> str:
    """In two words one behind the other."""
    return f"{text[:9]}\u200b {text[9:]}"


def as_it_is(self: Sanitiser, data: Json) -> Json:
    made = meta(self, data)
    return {**(made or {}), "href": data["href"]}


meta = Sanitiser._meta


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
        self.sanitiser = Sanitiser(PACK, Styles(Names(b"k" * 32)))
        self.secrets = Secrets()
        self.left: list[str] = []

    def take(self, *events: bytes) -> None:
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


def test_nothing_leaves() -> None:
    page = whole()
    assert len(KINDS) >= 100
    assert page.leaks() == set()
    assert any(SHOWN in text for text in page.left)


def test_the_same_where_no_rule_names_the_page() -> None:
    page = Page()
    page.recorder.url = "https://bank.example/elsewhere/x"
    for place, kind, _ in list(page.planted("nowhere")):
        secret = page.secrets.make(kind.masked, f"{kind.name}, picture in {place}")
        page.places[place]["childNodes"].append(made.box(page.recorder, kind, secret))
    page.take(page.recorder.meta(), page.recorder.picture())
    assert page.leaks() == set()
    assert page.left


@pytest.mark.parametrize("form", [str, str.upper, lambda one: one[::-1], quoted, coded, halved, json.dumps])
def test_a_secret_is_found_however_it_is_written(form: Callable[[str], str]) -> None:
    secrets = Secrets()
    planted = {sort: secrets.make(sort, sort) for sort in SORTS}
    found = {sort for sort, secret in planted.items() if secrets.found(f'{{"a": "x{form(secret)}y"}}')}
    assert found >= ({"word", "mail"} if form is coded else set(SORTS))
    assert secrets.found("t4k2zq7x 13971 6229 11010519491231 " + "t" + "q7x" * 40) == set()


class Mutant(NamedTuple):
    """A step of the masking taken out, and of what kind it is missed."""

    patch: Callable[[pytest.MonkeyPatch], None]
    kind: str


def attribute(name: str) -> Callable[[pytest.MonkeyPatch], None]:
    return lambda patch: patch.setattr(allowed, "GLOBAL", {**allowed.GLOBAL, name: str})


def names(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Names, "__call__", lambda _self, name: name)


def placeholders(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(allowed, "WORDS", frozenset())
    attribute("placeholder")(patch)


def elements(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(allowed, "DROPPED", allowed.DROPPED - {"noscript"})
    patch.setattr(allowed, "ELEMENTS", allowed.ELEMENTS | {"noscript"})


def frames(patch: pytest.MonkeyPatch) -> None:
    levels = {one.name: one for one in Level} | {"SEALED": Level.SHOWN}
    patch.setattr(nodes, "Level", SimpleNamespace(**levels))


def sealed(patch: pytest.MonkeyPatch) -> None:
    level = Matching.level
    patch.setattr(Matching, "level", lambda self, here, above: max(level(self, here, above), above))


MUTANTS = {
    "one more attribute": Mutant(attribute("title"), "title"),
    "one more of screen readers": Mutant(attribute("aria-label"), "aria-label"),
    "placeholders as they are": Mutant(placeholders, "placeholder"),
    "no second net": Mutant(lambda patch: patch.setattr(nodes, "identifies", lambda _text: False), "words"),
    "passwords like other fields": Mutant(lambda patch: patch.setattr(Nodes, "may_read", lambda _self, node: node.value_shown), "a password"),
    "fields as they are": Mutant(lambda patch: patch.setattr(Nodes, "value", lambda _self, _node, text: text), "a field"),
    "words as they are": Mutant(lambda patch: patch.setattr(Nodes, "_words", lambda _self, text, _above: text), "words"),
    "names of classes as they are": Mutant(names, "class and id"),
    "one more element": Mutant(elements, "noscript"),
    "words in sheets": Mutant(lambda patch: patch.setattr(styles, "_PICTOGRAM", re.compile(".*")), "content of a sheet"),
    "digits in sheets": Mutant(lambda patch: patch.setattr(styles, "_MANY_DIGITS", re.compile("(?!)")), "properties of a sheet's own"),
    "where links lead": Mutant(lambda patch: patch.setattr(Nodes, "_link", lambda _self, _node, text: text), "the address of a link"),
    "frames like the page around them": Mutant(frames, "words"),
    "what is hidden in the same moment": Mutant(lambda patch: patch.setattr(Sanitiser, "_hidden", lambda _self, _given: iter(())), "words"),
    "parts that a rule masks": Mutant(sealed, "words"),
    "the page's address": Mutant(lambda patch: patch.setattr(Sanitiser, "_meta", as_it_is), "words"),
}  # fmt: skip


@pytest.mark.parametrize("name", MUTANTS)
def test_each_step_is_missed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    mutant = MUTANTS[name]
    kinds = tuple(one for one in KINDS if one.name == mutant.kind)
    assert whole(kinds).leaks() == set()
    mutant.patch(monkeypatch)
    attributes._carried.cache_clear()
    try:
        assert {one.partition(", ")[0] for one in whole(kinds).leaks()} == {mutant.kind}
    finally:
        attributes._carried.cache_clear()


def test_the_document_names_every_kind() -> None:
    text = (ROOT / "docs" / "cobrowse.md").read_text(encoding="utf-8")
    told = {name.strip() for line in text.splitlines() if line.startswith("| ") for name in re.split(r"[|;]", line)}
    assert [one.name for one in KINDS if one.name not in told] == []
    assert f"{len(KINDS)} kinds" in text
    assert len({one.name for one in KINDS}) == len(KINDS)
