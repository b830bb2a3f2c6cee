"""What the risk is told of an attempt: of uploaded pictures, of a case that names a session."""

from pathlib import Path

import pytest

from server.transactions.decision import AttemptKind
from tests.support import cases
from tests.support.bank_place import BankPlace, takes


@pytest.fixture
def place(tmp_path: Path) -> BankPlace:
    return BankPlace(tmp_path)


async def test_pictures_that_are_uploaded_are_of_no_session_and_nobody_is_with_whom_they_show(place: BankPlace) -> None:
    session = place.make.session()
    async with place.store.begin() as tx:
        await tx.add_session(session)
        await tx.add_participant(place.make.participant(session.id, identity="staff:ST_LI"))
    id = await place.ready("test_pictures", session=session.id)
    await place.verifications.attempts.upload(place.bank, id, takes())
    asked = place.risk.asked[-1]
    assert (asked.with_agent, asked.session_kind, asked.assurance) == (False, None, "images")
    again = await place.ready("test_pictures", session=session.id)
    attempts = place.verifications.attempts
    attempt = await attempts.begin_attempt(again, AttemptKind.IMAGES, "PA_X")
    await attempts.finish_attempt(attempt, cases.attempt(), "PA_X", evidence=cases.EVIDENCE, with_agent=True)
    assert place.risk.asked[-1].with_agent is False
