"""Nothing of the machine it was made on, no secret and no picture of a person gets into the repository."""

import hashlib
import re
from pathlib import Path

import pytest

from tests.support.repository import ROOT, own_files, relative

BINARY = {".png", ".jpg", ".webp", ".ico", ".woff2", ".mjpeg", ".mp4", ".wav", ".ivf", ".bin"}
FORBIDDEN = {
    "a path of somebody's machine": re.compile(
        r"(?<![\w.:/-])/(?:work|root|home/(?!tongping\b|user\b|teller\b)\w+|Users|opt/(?:pypi|wheels))(?:/|\b)"
    ),
    "a private key": re.compile(r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----\s+[A-Za-z0-9+/]{40}"),
    "a key of a cloud": re.compile(r"\b(?:AKIA[0-9A-Z]{16}|gh[pousr]_[A-Za-z0-9]{36}|xox[abp]-[0-9A-Za-z-]{20,})\b"),
}
ALLOWED = {"tests/unit/test_no_leaks.py"}  # says what it looks for


def findings(text: str) -> list[str]:
    return [what for what, pattern in FORBIDDEN.items() if pattern.search(text)]


def test_no_file_says_where_it_was_made_or_a_secret() -> None:
    found = {
        relative(path): hits
        for path in own_files()
        if path.suffix not in BINARY
        and relative(path) not in ALLOWED
        and (hits := findings(path.read_text(encoding="utf-8", errors="replace")))
    }
    assert found == {}


@pytest.mark.parametrize(
    "text",
    [
        "cd /" + "work/tree",
        'open("/root/.npmrc")',
        "at /home/alice/x",
        "-----BEGIN PRIVATE KEY-----\n" + "A" * 48,
        "ghp_" + "a" * 36,
    ],
)
def test_a_planted_leak_is_found(text: str) -> None:
    assert len(findings(text)) == 1


@pytest.mark.parametrize("text", ["/api/v1/work/", "../shared/data", "static/root/x", "https://example.org/home/alice"])
def test_ordinary_text_is_not_reported(text: str) -> None:
    assert findings(text) == []


def test_no_development_picture_is_committed() -> None:
    data = ROOT.parent / "shared" / "data"
    if not data.is_dir():
        pytest.skip("the development data are not here")

    def sha256(path: Path) -> str:
        return hashlib.sha256(path.read_bytes()).hexdigest()

    theirs = {sha256(path) for path in data.rglob("*") if path.suffix in {".png", ".jpg", ".jpeg", ".mp4", ".mjpeg"}}
    ours = {sha256(path): relative(path) for path in own_files() if path.suffix in {".png", ".jpg", ".jpeg", ".mp4", ".mjpeg"}}
    assert {ours[one] for one in ours if one in theirs} == set()
