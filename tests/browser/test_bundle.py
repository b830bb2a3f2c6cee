"""How much a page loads before it can be used: a cheap telephone on a slow line pays for every byte."""

import gzip
import re

import pytest

from tests.support.static_site import DIST

pytestmark = [pytest.mark.browser]

_LOADED = re.compile(r'(?:src|href)="/(assets/[^"]+\.(?:js|css))"')
_IMPORTED = re.compile(r'(?:from|import)\s*"\./([^"]+\.js)"')


def _files(page: str) -> set[str]:
    """Everything that a page names, and what those scripts import in turn; not what is imported later, by need."""
    open_ones = _LOADED.findall((DIST / page).read_text(encoding="utf-8"))
    assert open_ones, f"{page} loads nothing"
    found: set[str] = set()
    while open_ones:
        name = open_ones.pop()
        if name in found:
            continue
        found.add(name)
        if name.endswith(".js"):
            open_ones += [f"assets/{one}" for one in _IMPORTED.findall((DIST / name).read_text(encoding="utf-8"))]
    return found


@pytest.mark.parametrize(("page", "most_kb"), [("index.html", 150), ("agent.html", 400), ("review.html", 150)])
def test_a_page_is_small(page: str, most_kb: int) -> None:
    sizes = {name: len(gzip.compress((DIST / name).read_bytes())) for name in _files(page)}
    assert sum(name.endswith(".js") for name in sizes) >= 2  # the parts are followed
    assert sum(sizes.values()) <= most_kb * 1024, sizes


@pytest.mark.parametrize(("name", "most_kb"), [("tongping.js", 26), ("record-*.js", 25), ("help-*.js", 5)])
def test_the_script_for_banks_pages_is_small(name: str, most_kb: int) -> None:
    """One file of each; none imports anything."""
    (file,) = (DIST / "sdk").glob(name)
    assert len(gzip.compress(file.read_bytes())) <= most_kb * 1024
    assert not re.search(r"\bimport\s*[({\"]|\bexport\s", file.read_text(encoding="utf-8"))


def test_nothing_is_inline_or_from_elsewhere() -> None:
    """The policy allows neither."""
    for page in ("index.html", "agent.html", "review.html"):
        text = (DIST / page).read_text(encoding="utf-8")
        assert "style=" not in text
        assert not re.search(r"<script(?![^>]*\bsrc=)", text)
        assert not re.search(r'(?:src|href)="(?:https?:)?//', text)
