"""Every kind of secret through the sanitiser, without a browser: in pictures and through changes, in parts that rules show and in others. And that each step of
the masking is missed when it is not there. ``tests/browser/test_cobrowse_secrets.py`` does the same with a recorder in Chromium and a server."""

import base64
import json
import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import NamedTuple

import pytest

from server.cobrowse import allowed, attributes, nodes, styles
from server.cobrowse.matching import Matching
from server.cobrowse.nodes import Nodes
from server.cobrowse.rules import Level
from server.cobrowse.sanitiser import Sanitiser
from server.cobrowse.styles import Names
from tests.cobrowse_corpus import made
from tests.cobrowse_corpus.kinds import KINDS
from tests.cobrowse_corpus.secrets import SORTS, Secrets
from tests.cobrowse_corpus.whole import SHOWN, Page, whole
from tests.support.pages import Json
from tests.support.repository import ROOT

pytestmark = pytest.mark.campaign(23)


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
