"""The words of the pages, read from their own source: tests name a button by its key, in either language."""

import json
import re
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "static" / "src" / "i18n"
_ENTRY = re.compile(r'^\s*"?([A-Za-z0-9_.]+)"?:\s*("(?:[^"\\]|\\.)*")', re.MULTILINE)


@cache
def words(language: str) -> dict[str, str]:
    """Every text of a language by its key."""
    source = (FOLDER / f"{language}.ts").read_text(encoding="utf-8")
    found = {key: json.loads(text) for key, text in _ENTRY.findall(source)}
    assert len(found) > 100, f"could not read {language}.ts"
    return found


def say(language: str, key: str, **places: object) -> str:
    """One text with its ``{name}`` places filled."""
    return re.sub(r"\{(\w+)\}", lambda place: str(places.get(place[1], place[0])), words(language)[key])
