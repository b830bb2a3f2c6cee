"""The hashes of the texts that consent is asked with are those of the words that the pages show."""

import re

import pytest

from server.domain.consent_texts import TEXTS, digest, text_of
from server.domain.model import Language
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
    known = text_of(WORDINGS[scope], language)
    line = f'("{WORDINGS[scope]}", _{language.name}): "{found}"'
    assert known in ("", found), f"its words have changed: give {scope} another version in ConsentCard.tsx, and a line here"
    assert known == found, f"a line is missing: {line}"


def test_what_is_hashed() -> None:
    assert digest(["a", "ä{kept}"]) == "92190d088c75ec7255facfcfe82cd028d5dc73778138b428144d7ce72b0adca8"
    assert text_of("camera-0", Language.ZH) == ""
    assert all(re.fullmatch("[0-9a-f]{64}", text) for text in TEXTS.values())
    assert len(set(TEXTS.values())) == len(TEXTS)
