"""Whose a session is, by its reference and by the verifications in it."""

import msgspec
import pytest

from server.domain.ids import ApiKeyId, CaseId, StaffId
from server.services.sessions import owner
from server.transactions.case import Case, CaseState, Identified, Proof
from tests.support.records import T0, Records

CASE = Case(
    id=CaseId("VE_X"), type="t", customer="", state=CaseState.OPEN, details_hash="", key=b"", sealed=b"", policy_hash="", consent="", created_at=T0,
    created_by=ApiKeyId("AK_X"), expires_at=T0, attempts_allowed=3, due_at=None,
)  # fmt: skip
SEEN = Identified(by=StaffId("ST_X"), at=T0, methods=(Proof.DOCUMENT_SEEN,), note="")


def of(customer: str, state: CaseState, used: int = 0, identified: Identified | None = None) -> Case:
    return msgspec.structs.replace(CASE, customer=customer, state=state, attempts_used=used, identified=identified)


def nothing(customer: str) -> Case:
    return of(customer, CaseState.CANCELLED)


def tried(customer: str) -> Case:
    return of(customer, CaseState.CANCELLED, 1)


@pytest.mark.parametrize(
    ("cases", "whose"),
    [
        ([], ""),
        ([nothing("a")], "a"),
        ([of("a", CaseState.OPEN)], "a"),
        ([nothing("b"), tried("a")], "a"),
        ([of("b", CaseState.EXPIRED), of("a", CaseState.OPEN)], "a"),
        ([nothing("b"), of("a", CaseState.CANCELLED, identified=SEEN)], "a"),
        ([nothing("a"), nothing("b")], ""),
        ([tried("a"), tried("b")], ""),
        ([tried("a"), of("b", CaseState.CANCELLED, identified=SEEN)], ""),
        ([nothing("b"), tried("")], ""),
        ([nothing("b"), nothing("")], ""),
        ([tried("b"), tried("")], ""),
        ([tried("b"), nothing("")], "b"),
    ],
)
def test_of_a_session_without_a_reference(cases: list[Case], whose: str) -> None:
    assert owner(Records().session(), cases) == whose
    assert owner(Records().session(), cases[::-1]) == whose
    assert owner(Records().session(customer_reference="c"), cases) == "c"
