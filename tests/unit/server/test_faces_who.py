"""Who may have a face checked in a session, and how often."""

from pathlib import Path

import msgspec
import pytest

from server.domain.ids import StaffId
from server.domain.model import ConsentDecision, ConsentScope, ParticipantState, Role, SessionKind, SessionStatus
from server.errors import Gone, NotAllowed, TooMany
from tests.support.face_place import Place, decide, may, somebody
from tests.support.tiny_engine import ALICE, card, draw


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


async def test_in_a_session_only_with_the_stored_consent(place: Place) -> None:
    customer, agent = await somebody(place, Role.CUSTOMER), await somebody(place, Role.AGENT)
    assert not await may(place, customer)
    await decide(place, customer, ConsentDecision.GIVEN, ConsentScope.CAMERA)
    await decide(place, agent, ConsentDecision.GIVEN)  # the agent's own face is not asked about
    assert not await may(place, customer)
    assert not await may(place, agent)
    await decide(place, customer, ConsentDecision.GIVEN)
    assert await may(place, customer)
    assert await may(place, agent)
    empty = await somebody(place, Role.CUSTOMER, state=ParticipantState.JOINING)
    assert await may(place, agent)
    assert not await may(place, empty)
    second = await somebody(place, Role.CUSTOMER)
    assert not await may(place, agent)
    await decide(place, second, ConsentDecision.GIVEN)
    assert await may(place, agent)
    await decide(place, customer, ConsentDecision.WITHDRAWN)
    assert not await may(place, customer)
    assert not await may(place, agent)
    assert await may(place, second)


async def test_a_document_has_a_consent_of_its_own(place: Place) -> None:
    customer, agent = await somebody(place, Role.CUSTOMER), await somebody(place, Role.AGENT)
    await decide(place, customer, ConsentDecision.GIVEN)
    assert not await may(place, customer, ConsentScope.DOCUMENT)
    assert not await may(place, agent, ConsentScope.DOCUMENT, ConsentScope.FACE)
    await decide(place, customer, ConsentDecision.GIVEN, ConsentScope.DOCUMENT)
    for who in (customer, agent, place.key):
        assert await may(place, who, ConsentScope.DOCUMENT)
        assert await may(place, who, ConsentScope.DOCUMENT, ConsentScope.FACE)
    await decide(place, customer, ConsentDecision.WITHDRAWN)
    assert await may(place, customer, ConsentScope.DOCUMENT)
    assert not await may(place, customer, ConsentScope.DOCUMENT, ConsentScope.FACE)


async def test_not_before_somebody_has_taken_the_conversation(place: Place) -> None:
    """Anybody may wait in line, and agree to a check of whatever face they send."""
    customer = await somebody(place, Role.CUSTOMER)
    await decide(place, customer, ConsentDecision.GIVEN)
    assert await may(place, customer)
    assert customer.session is not None
    async with place.store.begin() as tx:
        session = await tx.get_session(customer.session)
        assert session is not None
        await tx.save_session(msgspec.structs.replace(session, status=SessionStatus.WAITING))
    assert not await may(place, customer)


async def test_not_by_a_customer_who_is_verified_by_themselves(place: Place) -> None:
    """Their attempt needs no file, and its pictures would wait for theirs."""
    customer = await somebody(place, Role.CUSTOMER)
    await decide(place, customer, ConsentDecision.GIVEN)
    assert customer.session is not None
    async with place.store.begin() as tx:
        session = await tx.get_session(customer.session)
        assert session is not None
        alone = msgspec.structs.replace(session, kind=SessionKind.VERIFICATION, created_by="key_1", taken_by=None)
        await tx.save_session(alone)
    assert not await may(place, customer)
    async with place.store.begin() as tx:
        await tx.save_session(msgspec.structs.replace(alone, taken_by=StaffId("staff_1")))
    assert await may(place, customer)


async def test_a_bank_may_let_those_who_wait_in_line_have_checks_made(tmp_path: Path) -> None:
    """Where nobody comes without an invitation."""
    place = Place(tmp_path, waiting_checks=True)
    customer = await somebody(place, Role.CUSTOMER)
    async with place.store.begin() as tx:
        session = await tx.get_session(customer.session or "")  # type: ignore[arg-type]
        assert session is not None
        await tx.save_session(msgspec.structs.replace(session, status=SessionStatus.WAITING))
    assert not await may(place, customer)
    await decide(place, customer, ConsentDecision.GIVEN)
    assert await may(place, customer)


async def test_a_session_has_so_many_checks_whoever_asks(tmp_path: Path) -> None:
    """Leaving and coming back begins no new count; keys have none."""
    place = Place(tmp_path, session_checks=6)
    customer, agent = await somebody(place, Role.CUSTOMER), await somebody(place, Role.AGENT)
    await decide(place, customer, ConsentDecision.GIVEN)
    assert await may(place, customer)
    async with place.faces.admitted(agent):
        await place.faces.compare_batch(agent, [draw(ALICE)] * 3, [draw(ALICE)] * 3, None)
    again = await somebody(place, Role.CUSTOMER)
    await decide(place, again, ConsentDecision.GIVEN)
    async with place.faces.admitted(again):
        with pytest.raises(NotAllowed, match="no more face checks"):
            await place.faces.liveness(again, [draw(ALICE)] * 5, b"")
    assert await may(place, again)
    assert not await may(place, again)
    assert not await may(place, agent)
    async with place.faces.admitted(place.key):
        await place.faces.compare_batch(place.key, [draw(ALICE)] * 9, [draw(ALICE)] * 9, None)


async def test_the_operating_point_is_not_a_customer_s_to_choose(place: Place) -> None:
    """With each there is, a decision is a score in as many bands."""
    customer, agent = await somebody(place, Role.CUSTOMER), await somebody(place, Role.AGENT)
    pictures = draw(ALICE), draw(ALICE)
    for call in (
        lambda who: place.faces.compare(who, *pictures, 1e-4),
        lambda who: place.faces.compare_batch(who, [pictures[0]], [pictures[1]], 1e-4),
        lambda who: place.faces.documents.compare(who, card(ALICE), pictures[1], 1e-4),
    ):
        with pytest.raises(NotAllowed):
            await call(customer)
        assert await call(agent)


async def test_taken_back_while_it_is_looked_at(place: Place) -> None:
    customer = await somebody(place, Role.CUSTOMER)
    await decide(place, customer, ConsentDecision.GIVEN)

    async def check() -> None:
        async with place.faces.admitted(customer):
            assert (await place.faces.compare(customer, draw(ALICE), draw(ALICE), None)).match
            await decide(place, customer, ConsentDecision.WITHDRAWN)

    with pytest.raises(NotAllowed):
        await check()


async def test_not_in_a_session_that_has_ended(place: Place) -> None:
    customer = await somebody(place, Role.CUSTOMER)
    await decide(place, customer, ConsentDecision.GIVEN)
    assert customer.session is not None
    async with place.store.begin() as tx:
        session = await tx.get_session(customer.session)
        assert session is not None
        await tx.save_session(msgspec.structs.replace(session, status=SessionStatus.ENDED))
    with pytest.raises(Gone):
        await may(place, customer)


async def test_keys_and_people_have_their_own_allowance(tmp_path: Path) -> None:
    place = Place(tmp_path, key_rate_per_min=600, person_rate_per_min=20)
    customer = await somebody(place, Role.CUSTOMER)
    await decide(place, customer, ConsentDecision.GIVEN)
    for _ in range(20):
        assert await may(place, customer)
    with pytest.raises(TooMany):
        await may(place, customer)
    for _ in range(100):
        assert await may(place, place.key)
    with pytest.raises(TooMany):
        await place.faces.compare_batch(place.key, [draw(ALICE)] * 16, [draw(ALICE)] * 16, None)
