"""The pages about threats name tests: each is there, and each threat names one."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TESTS = ROOT / "tests"
NAMED = re.compile(r"`((?:[a-z_]+/)*test_[a-z0-9_]+\.py)(?:::(test_[a-z0-9_]+))?`")
IN_PAGES = re.compile(r"`((?:[A-Za-z_]+/)*[A-Za-z]+\.test\.tsx?)::([^`]+)`")
SHOWN = "Shown by"
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
    for path, name in IN_PAGES.findall((ROOT / "docs" / page).read_text(encoding="utf-8")):
        file = ROOT / "static" / "src" / path
        if not file.is_file() or f'it("{name}"' not in file.read_text(encoding="utf-8"):
            gone.append(f"{path}::{name}")
    assert not gone
    assert len(named(page)) > 50


def is_there(pattern: str) -> bool:
    """Test files, by a folder of them or by a pattern of names."""
    found = [one for path in TESTS.glob(pattern.rstrip("/")) for one in ([path] if path.is_file() else path.rglob("test_*.py"))]
    return any(one.name.startswith("test_") and one.suffix == ".py" for one in found)


@pytest.mark.parametrize("page", ["stride.md", "threat-model.md"])
def test_what_is_named_to_show_a_threat_is_a_test(page: str) -> None:
    """A file, a function in it, a folder or a pattern: a name that is written otherwise would not be looked for."""
    gone, cells = [], shown_in(page)
    for cell in cells:
        for one in re.findall(r"`[^`]*`", cell):
            if not (NAMED.fullmatch(one) or IN_PAGES.fullmatch(one) or is_there(one.strip("`"))):
                gone.append(one)
    assert not gone
    assert len(cells) > 20


def shown_in(page: str) -> list[str]:
    """The cells of tables whose last column is "Shown by"."""
    cells, inside = [], False
    for line in (ROOT / "docs" / page).read_text(encoding="utf-8").splitlines():
        last = line.removesuffix("|").rpartition("|")[2].strip()
        inside = line.startswith("|") and (inside or last == SHOWN)
        if inside and last != SHOWN and set(last) != {"-"}:
            cells.append(last)
    return cells


@pytest.mark.parametrize("name", ["unit/server/nothing", "unit/test_nothing_*.py", "support", "data", "unit/test_threats.txt"])
def test_what_is_not_there_is_found_out(name: str) -> None:
    assert is_there("unit/media/recording/")
    assert is_there("unit/server/transactions/test_risk_*.py")
    assert not is_there(name)


def test_every_threat_names_a_test_and_every_kind_has_threats() -> None:
    rows = ROW.findall((ROOT / "docs" / "stride.md").read_text(encoding="utf-8"))
    without = [f"{kind}{number}" for kind, number, shown in rows if not re.search(r"`[a-z_/]+", shown)]
    assert not without
    for kind in "STRIDE":
        numbers = [int(number) for of, number, _ in rows if of == kind]
        assert numbers == list(range(1, len(numbers) + 1)), kind
