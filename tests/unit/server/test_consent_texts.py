"""The hashes of the texts that consent is asked with are those of the words that the pages show."""

import re

import pytest

from server.domain.consent_texts import TEXTS, digest, is_for_another, text_of
from server.domain.model import ConsentScope, Language
from tests.support.repository import ROOT
from tests.support.words import words

PARTS = ("what", "why", "how_long", "if_not")
CARD = (ROOT / "static" / "src" / "ui" / "ConsentCard.tsx").read_text(encoding="utf-8")
WORDINGS: dict[str, str] = dict(
    re.findall(r'^  (\w+): "([a-z-]+-[0-9]+)",$', CARD.partition("WORDING")[2].partition("};")[0], re.MULTILINE)
)


def lines(scope: str, language: Language) -> list[str]:
    """As ``digest`` wants them."""
    said = words(language.value)
    body = [text for part in PARTS for text in (said[f"consent.{part}"], said[f"consent.{scope}.{part}"])]
    return [said[f"consent.{scope}.title"], *body, said["consent.no"], said["consent.yes"]]


def test_the_versions_are_read() -> None:
    assert len(WORDINGS) >= 9
    assert len(set(WORDINGS.values())) == len(WORDINGS), "two cards have one version"


@pytest.mark.parametrize("language", list(Language))
@pytest.mark.parametrize("scope", sorted(WORDINGS))
def test_a_text_that_has_changed_has_another_version(scope: str, language: Language) -> None:
    found = digest(lines(scope, language))
    asked = ConsentScope(scope.removeprefix("self_"))
    known = text_of(asked, WORDINGS[scope], language)
    line = f'(_{asked.name}, "{WORDINGS[scope]}", _{language.name}): "{found}"'
    assert known in ("", found), f"its words have changed: give {scope} another version in ConsentCard.tsx, and a line here"
    assert known == found, f"a line is missing: {line}"


FIRST = {
    "camera-2", "document-3", "face-4", "microphone-2", "recording-1", "screen-1", "self-camera-1", "self-document-2", "self-face-2",
}  # fmt: skip
"""Versions of which consents are in records since their hashes are kept."""


def test_no_version_is_taken_away() -> None:
    known = {wording for _, wording, _ in TEXTS}
    assert known >= FIRST
    assert known >= set(WORDINGS.values())
    assert {WORDINGS["face"], WORDINGS["self_face"]}.isdisjoint({"face-4", "self-face-2"}), "these do not say what is copied"


@pytest.mark.parametrize("scope", ["face", "self_face"])
@pytest.mark.parametrize(
    ("language", "copied"), [(Language.ZH, "您的照片，会把一份副本"), (Language.EN, "a copy of it is put with them")]
)
def test_who_agrees_to_a_check_of_the_face_reads_that_the_photo_of_the_enrolment_is_copied(
    scope: str, language: Language, copied: str
) -> None:
    """``evidence.keep_reference`` and ``keep_picture``: it is sealed with each attempt, for reviewers."""
    assert copied in words(language.value)[f"consent.{scope}.how_long"]


def test_what_is_hashed() -> None:
    assert digest(["a", "ä{kept}"]) == "92190d088c75ec7255facfcfe82cd028d5dc73778138b428144d7ce72b0adca8"
    assert text_of(ConsentScope.CAMERA, "camera-0", Language.ZH) == ""
    assert text_of(ConsentScope.FACE, "microphone-2", Language.EN) == ""
    assert len({wording for _, wording, _ in TEXTS}) * 2 == len(TEXTS)
    assert all(re.fullmatch("[0-9a-f]{64}", text) for text in TEXTS.values())
    assert len(set(TEXTS.values())) == len(TEXTS)


@pytest.mark.parametrize(
    ("scope", "wording", "another"),
    [
        ("face", "face-4", False),
        ("face", "self-face-1", False),
        ("face", "microphone-2", True),
        ("face", "self-camera-1", True),
        ("document", "face-1", True),
        ("camera", "screen-99", True),
        ("camera", "of-another-page-7", False),
        ("camera", "w", False),
    ],
)
def test_what_a_text_asks_for(scope: str, wording: str, another: bool) -> None:
    assert is_for_another(ConsentScope(scope), wording) is another
