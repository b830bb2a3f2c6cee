"""What the demo's bank says, in both languages, and that nothing is put into a page as it came."""

import re
from pathlib import Path

import pytest

from server.demo_bank.drawings import ICONS, portrait
from server.demo_bank.products import PEOPLE, TYPES
from server.demo_bank.reasons import REASONS
from server.demo_bank.render import Html, Renderer
from server.demo_bank.words import LANGUAGES, WORDS
from server.transactions.decision import AttemptKind, Outcome
from server.transactions.risk.result import RiskLevel
from tests.unit.server.test_reason_words import codes

PAGES = Path(__file__).resolve().parents[4] / "server" / "demo_bank" / "pages"


def test_words_are_there_in_both_languages_with_the_same_places() -> None:
    for key, (zh, en) in WORDS.items():
        assert zh.strip(), key
        assert en.strip(), key
        assert sorted(re.findall(r"\{(\w+)\}", zh)) == sorted(re.findall(r"\{(\w+)\}", en)), key
    said = [key for key, (zh, _) in WORDS.items() if not re.search(r"[一-鿿]", zh)]
    assert said == ["lang", "other_language"]


def test_every_word_and_drawing_that_a_page_asks_for_is_there() -> None:
    for path in PAGES.glob("*.html"):
        text = path.read_text(encoding="utf-8")
        assert set(re.findall(r"\{\{t:(\w+)\}\}", text)) <= set(WORDS), path.name
        assert set(re.findall(r"\{\{icon:(\w+)\}\}", text)) <= set(ICONS), path.name
        assert not re.search(r"\sstyle=|\son\w+=|<script>|javascript:", text), path.name


def test_every_code_of_a_decision_has_words() -> None:
    for kind in AttemptKind:
        assert f"assurance_{kind.value}" in WORDS
    assert {code: source for code, source in codes().items() if f"reason_{code}" not in WORDS} == {}
    assert set(REASONS) <= set(codes()) | {"picture_refused", "stream_lost", "consent_withdrawn"}
    for level in RiskLevel:
        assert f"risk_{level.value}" in WORDS
    for outcome in (Outcome.ACCEPT, Outcome.REJECT):
        assert f"decision_{outcome.value}" in WORDS
    for type in TYPES:
        assert {type, f"{type}_lead", f"done_{type}"} <= set(WORDS)
    for person in PEOPLE.values():
        assert person.about in WORDS
        assert portrait(person.id).startswith("<svg")


@pytest.mark.parametrize("language", LANGUAGES)
def test_values_are_escaped_unless_they_are_ours(language: str) -> None:
    renderer = Renderer("zh" if language == "zh" else "en")
    page = renderer.page("claim", {"name": '"><script>alert(1)</script>', "value": Html("<b>ours</b>")})
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert "<b>ours</b>" in page
    with pytest.raises(KeyError):
        renderer.page("claim", {"name": "only one"})
    assert renderer.known("reason_of_tomorrow", "of_tomorrow") == "of_tomorrow"
