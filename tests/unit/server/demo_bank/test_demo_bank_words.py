"""What the demo's bank says, in both languages, and that nothing is put into a page as it came."""

import re
from pathlib import Path

import pytest

from server.demo_bank.drawings import ICONS, portrait
from server.demo_bank.products import PEOPLE, TYPES
from server.demo_bank.reasons import REASONS
from server.demo_bank.render import Html, Renderer
from server.demo_bank.settings import Settings
from server.demo_bank.views import REVIEWED, Views
from server.demo_bank.words import LANGUAGES, WORDS
from server.transactions.case import APPROVED, DECLINED, OVERDUE
from server.transactions.decision import AttemptKind, Outcome
from server.transactions.risk.result import RiskLevel
from tests.unit.server.test_reason_words import codes

SETTINGS = Settings(server_url="http://127.0.0.1:1", key="AK_X.k", folder=Path("."), public_url="http://127.0.0.1:2")
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


@pytest.mark.parametrize(
    ("way", "decision", "reasons", "zh", "en"),
    [
        ("live", "accept", [], "实时镜头，随机动作", "Live before the camera, doing what was asked at random"),
        ("live", "accept", [APPROVED, "evidence_missing"], "实时镜头；经工作人员审核批准", "Live before the camera; then approved by a person"),
        ("live", "reject", ["no_face"], "实时镜头", "Live before the camera"),
        ("live", "reject", [DECLINED, "pad_unsure"], "实时镜头；工作人员没有批准", "Live before the camera; not approved by a person"),
        ("live", "reject", [OVERDUE, "pad_unsure"], "实时镜头；工作人员没有批准", "Live before the camera; not approved by a person"),
        ("clip", "accept", [APPROVED, "evidence_missing"], "上传的视频；经工作人员审核批准", "An uploaded clip; then approved by a person"),
        ("images", "reject", ["no_match"], "上传的照片", "Uploaded pictures"),
        ("agent", "accept", [APPROVED, "identified_by_agent"], "没有做人脸核验，由坐席确认身份；经工作人员审核批准", "Without a face check: an agent identified them; then approved by a person"),
        ("", "reject", ["attempt_lost"], "没有画面", "Nothing was seen"),
    ],
)  # fmt: skip
def test_the_receipt_says_how_it_was_shown_and_no_more(way: str, decision: str, reasons: list[str], zh: str, en: str) -> None:
    """That what was asked was done is said only where the machine has seen it; who was approved by a person was."""
    said = {}
    for language in LANGUAGES:
        views = Views(Renderer(language), SETTINGS, "form")
        said[language] = views.assurance({"assurance": way, "decision": decision, "reasons": reasons})
    assert said == {"zh": zh, "en": en}
    assert set(REVIEWED) == {APPROVED, DECLINED, OVERDUE}
