"""The words of the script for the bank's pages, read from their own source."""

import json
import re
from functools import cache
from pathlib import Path

SDK = Path(__file__).resolve().parents[2] / "static" / "src" / "sdk"
_ENTRY = re.compile(r'^\s*"([a-z0-9_.]+)":\s*("(?:[^"\\]|\\.)*")', re.MULTILINE)


@cache
def words(language: str) -> dict[str, str]:
    """Those of the first file, and of the third under ``help.``."""
    own = (SDK / f"words.{language}.ts").read_text(encoding="utf-8")
    english, chinese = (SDK / "help" / "words.ts").read_text(encoding="utf-8").split("const zh")
    found = {key: json.loads(text) for key, text in _ENTRY.findall(own)}
    helping = {f"help.{key}": json.loads(text) for key, text in _ENTRY.findall(chinese if language == "zh" else english)}
    assert len(found) > 60
    assert len(helping) > 10
    return found | helping
