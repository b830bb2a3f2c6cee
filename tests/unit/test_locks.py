"""The locks fit ``pyproject.toml``, and no package that needs libGL is in them."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
WANTED = {
    "runtime": PROJECT["dependencies"],
    "dev": PROJECT["dependencies"] + PROJECT["optional-dependencies"]["dev"],
    "verification": PROJECT["optional-dependencies"]["verification"],
}


def versions(lock: str) -> dict[str, list[Version]]:
    """Locked versions by name; a name has two where they differ by Python version."""
    found: dict[str, list[Version]] = {}
    text = (ROOT / "requirements" / f"{lock}.txt").read_text(encoding="utf-8")
    for name, version in re.findall(r"^([A-Za-z0-9._-]+)(?:\[[a-z,]+\])?==([^ \\;]+)", text, re.MULTILINE):
        found.setdefault(canonicalize_name(name), []).append(Version(version))
    return found


@pytest.mark.parametrize("lock", sorted(WANTED))
def test_the_lock_has_what_the_project_asks_for(lock: str) -> None:
    locked = versions(lock)
    wrong = [
        text
        for text in WANTED[lock]
        if not any(
            Requirement(text).specifier.contains(one) for one in locked.get(canonicalize_name(Requirement(text).name), [])
        )
    ]
    assert wrong == [], "run `make lock`"


@pytest.mark.parametrize("lock", ["dev", "verification"])
def test_the_locks_agree_with_each_other(lock: str) -> None:
    base, other = versions("runtime"), versions(lock)
    assert {name: (base[name], other[name]) for name in base.keys() & other.keys() if base[name] != other[name]} == {}


@pytest.mark.parametrize("lock", ["runtime", "dev", "verification", "node"])
def test_every_locked_package_has_hashes(lock: str) -> None:
    text = (ROOT / "requirements" / f"{lock}.txt").read_text(encoding="utf-8")
    entries = re.split(r"\n(?=[A-Za-z0-9])", text)
    assert entries
    assert [entry.splitlines()[0] for entry in entries if "--hash=sha256:" not in entry] == []


def test_only_the_headless_opencv_is_locked() -> None:
    locked = versions("runtime") | versions("dev") | versions("verification")
    assert [name for name in locked if name.startswith("opencv")] == ["opencv-python-headless"]
