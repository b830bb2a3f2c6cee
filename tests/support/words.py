"""The words of the pages, read from their own source: tests name a button by its key, in either language."""

import json
import re
import unicodedata
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "static" / "src" / "i18n"
_ENTRY = re.compile(r'^\s*"?([A-Za-z0-9_.]+)"?:\s*("(?:[^"\\]|\\.)*")', re.MULTILINE)


@cache
def words(language: str) -> dict[str, str]:
    """Every text of a language by its key."""
    files = [FOLDER / f"{language}.ts", *sorted(FOLDER.glob(f"*.{language}.ts"))]
    found = {key: json.loads(text) for file in files for key, text in _ENTRY.findall(file.read_text(encoding="utf-8"))}
    assert len(found) > 100, f"could not read {language}.ts"
    return found


def say(language: str, key: str, **places: object) -> str:
    """One text with its ``{name}`` places filled, a Latin name set apart from Chinese characters as the pages do."""
    text = words(language)[key]

    def fill(place: re.Match[str]) -> str:
        value = str(places.get(place[1], place[0]))
        left, right = text[: place.start()][-1:], text[place.end() :][:1]
        return _apart(left, value[:1]) + value + _apart(value[-1:], right)

    return re.sub(r"\{(\w+)\}", fill, text)


def _apart(left: str, right: str) -> str:
    scripts = [unicodedata.name(each, "").partition(" ")[0] for each in (left, right) if each]
    return " " if sorted(scripts) == ["CJK", "LATIN"] else ""
