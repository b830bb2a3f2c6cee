"""The pages about threats name tests: each is there, and each threat names one."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TESTS = ROOT / "tests"
NAMED = re.compile(r"`((?:[a-z_]+/)*test_[a-z0-9_]+\.py)(?:::(test_[a-z0-9_]+))?`")
ROW = re.compile(r"^\| ([STRIDE])(\d+) \|.*\| (.*) \|$", re.MULTILINE)


def named(page: str) -> list[tuple[str, str]]:
    return NAMED.findall((ROOT / "docs" / page).read_text(encoding="utf-8"))


@pytest.mark.parametrize("page", ["stride.md", "threat-model.md"])
def test_every_test_that_is_named_is_there(page: str) -> None:
    gone = []
    for path, function in named(page):
        files = [TESTS / path] if "/" in path else list(TESTS.rglob(path))
        if not any(
            file.is_file() and (not function or f"def {function}(" in file.read_text(encoding="utf-8")) for file in files
        ):
            gone.append(f"{path}::{function}" if function else path)
    assert not gone
    assert len(named(page)) > 50


def test_every_threat_names_a_test_and_every_kind_has_threats() -> None:
    rows = ROW.findall((ROOT / "docs" / "stride.md").read_text(encoding="utf-8"))
    without = [f"{kind}{number}" for kind, number, shown in rows if not re.search(r"`[a-z_/]+", shown)]
    assert not without
    for kind in "STRIDE":
        numbers = [int(number) for of, number, _ in rows if of == kind]
        assert numbers == list(range(1, len(numbers) + 1)), kind
