"""Every reason code that a reviewer can be shown has words in both languages (``static/src/i18n/reasons.ts``)."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from server.transactions import brief, case, decision, policy
from server.transactions.policy import Check
from server.transactions.risk import result
from verification.reasons import ReasonCode

ROOT = Path(__file__).resolve().parents[3]
TABLE = ROOT / "static" / "src" / "i18n" / "reasons.ts"
CODE = re.compile(r"[a-z]+(_[a-z]+)+|fault")
#: Where reasons of decisions, checks and faults are made.
SOURCES = (
    "server/transactions/decision.py",
    "server/transactions/lock.py",
    "server/challenges.py",
    "server/services/verification_attempts.py",
    "server/services/verification_uploads.py",
    "server/services/verification_live.py",
    "server/services/verification_reviews.py",
    "server/services/verification_evidence.py",
    "server/documents_shown.py",
    "server/document_results.py",
)
#: Calls of which every code among the arguments is a reason.
MAKERS = frozenset({"Finding", "faulty", "CheckResult", "Decision", "Decided", "Reviewed", "Abandon", "inside_lock"})
#: Constants of modules whose texts are reasons; of mappings the values.
NAMED = frozenset({"ENDINGS", "STREAM_LOST", "STOPPED_BY_STAFF", "REFERENCE_CHANGED", "EVIDENCE_LOST"})
#: Functions whose results are reasons.
GIVERS = frozenset({"fault_of", "other_reference", "_pad", "_match"})


def words() -> dict[str, tuple[str, str]]:
    text = TABLE.read_text(encoding="utf-8")
    found = re.findall(r'^  (\w+): \["([^"]+)", "([^"]+)"\],$', text, re.M)
    return {code: (zh, en) for code, zh, en in found}


def _strings(node: ast.AST) -> Iterator[str]:
    for one in ast.walk(node):
        if isinstance(one, ast.Constant) and isinstance(one.value, str) and CODE.fullmatch(one.value):
            yield one.value


def made_in(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
            name = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
            if name in MAKERS:
                yield from _strings(node)
        elif isinstance(node, ast.Assign) and any(isinstance(one, ast.Name) and one.id in NAMED for one in node.targets):
            parts = node.value.values if isinstance(node.value, ast.Dict) else [node.value]
            for part in parts:
                yield from _strings(part)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name in GIVERS:
            for given in ast.walk(node):
                if isinstance(given, ast.Return) and given.value is not None:
                    yield from _strings(given.value)


def codes() -> dict[str, str]:
    """Code → where it is from."""
    found = {code.value: "verification/reasons.py" for code in ReasonCode}
    found |= dict.fromkeys(policy.REFERRED_BY_DEFAULT, "policy.py")
    found |= {f"{check}_{end}": "decision.py" for check in Check for end in ("failed", "unsure")}
    found |= {
        value: module.__name__
        for module in (decision, case, result)
        for name, value in vars(module).items()
        if name.isupper() and isinstance(value, str) and CODE.fullmatch(value)
    }
    found |= {
        code: module.__name__
        for module in (brief, decision)
        for name, value in vars(module).items()
        if name.isupper() and isinstance(value, frozenset)
        for code in value
        if isinstance(code, str) and CODE.fullmatch(code)
    }
    for source in SOURCES:
        found |= dict.fromkeys(made_in(ast.parse((ROOT / source).read_text(encoding="utf-8"))), source)
    return found


def test_every_code_has_words() -> None:
    table = words()
    assert {code: source for code, source in codes().items() if code not in table} == {}


def test_no_words_are_there_twice_or_for_nothing() -> None:
    text = TABLE.read_text(encoding="utf-8")
    named = re.findall(r"^  (\w+): \[", text, re.M)
    assert sorted(named) == sorted(words())  # each line is read
    assert len(named) == len(set(named))
    without_source = set(words()) - set(codes())
    assert without_source <= {"picture_refused", "stream_lost", "consent_withdrawn"}, without_source


@pytest.mark.parametrize(
    "code", ["no_match", "engine_lost", "upload_not_allowed", "reference_changed", "customer_locked", "risk_unavailable"]
)
def test_what_is_looked_for_is_found(code: str) -> None:
    assert code in codes()
