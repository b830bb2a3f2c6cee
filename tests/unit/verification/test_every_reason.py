"""Every reason code is reached: some test of this repository, run on a picture, a stream or a file, asserts that exactly this code was given."""

import ast
from functools import cache
from pathlib import Path

import pytest

from verification.reasons import ReasonCode

TESTS = Path(__file__).resolve().parents[2]
LISTS = {"test_reasons.py", Path(__file__).name}
"""Files that name codes without reaching them."""
CODES = frozenset(ReasonCode)


def named(node: ast.AST) -> set[ReasonCode]:
    """``ReasonCode.NAME``, ``R.NAME`` or the code's own text."""
    found = set()
    for one in ast.walk(node):
        if isinstance(one, ast.Attribute) and isinstance(one.value, ast.Name) and one.value.id in ("ReasonCode", "R"):
            found |= {ReasonCode[one.attr]} if one.attr in ReasonCode.__members__ else set()
        elif isinstance(one, ast.Constant) and isinstance(one.value, str) and one.value in CODES:
            found.add(ReasonCode(one.value))
    return found


def asserts(test: ast.AST) -> bool:
    """Whether it checks anything: by ``assert``, ``pytest.raises`` or a helper that does."""
    calls = {getattr(one.func, "attr", getattr(one.func, "id", "")) for one in ast.walk(test) if isinstance(one, ast.Call)}
    return any(isinstance(one, ast.Assert) for one in ast.walk(test)) or bool(calls & {"raises", "refused"})


@cache
def reached() -> dict[ReasonCode, list[str]]:
    """By code: the tests that name it in their body, their parameters or a table that they take."""
    found: dict[ReasonCode, list[str]] = {code: [] for code in ReasonCode}
    for path in sorted(TESTS.rglob("test_*.py")):
        if path.name in LISTS:
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        tables: dict[str, ast.AST] = {}
        for node in tree.body:
            if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                tables |= {target.id: node.value for target in targets if isinstance(target, ast.Name)}
        for test in ast.walk(tree):
            if not isinstance(test, ast.FunctionDef | ast.AsyncFunctionDef) or not test.name.startswith("test_"):
                continue
            used = {one.id for one in ast.walk(test) if isinstance(one, ast.Name)} & tables.keys()
            if asserts(test):
                for code in named(test).union(*(named(tables[name]) for name in used)):
                    found[code].append(f"{path.relative_to(TESTS)}::{test.name}")
    return found


@pytest.mark.parametrize("code", ReasonCode)
def test_some_test_reaches_it(code: ReasonCode) -> None:
    assert reached()[code], f"no test reaches {code.name}"


def test_the_search_finds_what_is_not_reached() -> None:
    tree = ast.parse("def test_it():\n    assert given == ReasonCode.BLURRED\n\ndef test_other():\n    ReasonCode.NO_FACE\n")
    assert [named(test) if asserts(test) else set() for test in tree.body] == [{ReasonCode.BLURRED}, set()]
