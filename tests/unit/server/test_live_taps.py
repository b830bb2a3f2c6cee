"""Whose pictures may be looked at, by whom it is written down, and what ends it at once."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager

import pytest

from server.domain.ids import ParticipantId, SessionId
from server.domain.model import Role, Source
from server.errors import Conflict, Invalid, NotAllowed, StoreUnavailable
from server.live.ports import OpenTap, TapEnded, TapRefused
from tests.support.fake_media import OFFER
from tests.support.signalling import House, Page

NONCE = bytes(range(16))
Act = Callable[[House, ParticipantId, Page, Page], Awaitable[None]]


@pytest.fixture
async def house() -> AsyncIterator[House]:
    house = House()
    yield house
    await house.close()


async def consent(page: Page, decision: str, *scopes: str) -> None:
    for scope in scopes:
        await page.say("consent.set", scope=scope, decision=decision, wording=f"{scope}-1", language="en")


async def arrive(house: House, *scopes: str) -> tuple[SessionId, ParticipantId, Page, Page]:
    """(session, customer, customer's page, agent's page); the customer's camera is connected, and what they agreed to said."""
    session = await house.session()
    id, customer = await house.enter(session)
    _, agent = await house.enter(session, Role.AGENT)
    await consent(customer, "given", *scopes)
    await customer.say("media.offer", sdp=OFFER)
    await house.live.settle()
    return session, id, customer, agent


def opened(house: House, session: SessionId, id: ParticipantId, frames: int = 300) -> AbstractAsyncContextManager[OpenTap]:
    return house.live.taps.open(session, id, Source.CAMERA, nonce=NONCE, actor="ATTEMPT_1", frames=frames)


async def entries(house: House) -> list[tuple[str, dict[str, str]]]:
    async with house.store.read() as tx:
        found = [entry.event for entry in await tx.list_audit(after=0, limit=1000)]
    return [(event.action.value, event.details) for event in found if event.action.value.startswith("tap.")]


async def rest(tap: OpenTap) -> int:
    return len([None async for _ in tap])


async def test_with_consent_pictures_come_and_both_ends_are_written_down(house: House) -> None:
    session, id, _, _ = await arrive(house, "camera", "face")
    async with opened(house, session, id, frames=2) as tap:
        assert house.live.taps.count() == 1
        [fake] = house.media.taps
        fake.show()
        fake.show()
        pictures = [picture async for picture in tap]
    assert [(picture.index, picture.nonce) for picture in pictures] == [(0, NONCE), (1, NONCE)]
    facts = {"source": "camera", "nonce": hashlib.sha256(NONCE).hexdigest()}
    assert await entries(house) == [("tap.opened", facts), ("tap.closed", {**facts, "reason": "done", "frames": "2"})]
    assert house.live.taps.count() == 0


@pytest.mark.parametrize("scopes", [("camera",), ("camera", "recording")])
async def test_without_consent_to_a_check_of_the_face_nothing_is_opened(house: House, scopes: tuple[str, ...]) -> None:
    session, id, _, _ = await arrive(house, *scopes)
    with pytest.raises(NotAllowed):
        async with opened(house, session, id):
            pass
    assert (house.media.taps, await entries(house)) == ([], [])


async def test_a_short_nonce_and_a_voice_are_refused(house: House) -> None:
    session, id, _, _ = await arrive(house, "camera", "face")
    for source, nonce in ((Source.CAMERA, NONCE[:15]), (Source.MICROPHONE, NONCE)):
        with pytest.raises(Invalid):
            async with house.live.taps.open(session, id, source, nonce=nonce, actor="ATTEMPT_1"):
                pass
    assert await entries(house) == []


async def test_what_the_relay_refuses_is_told_and_written_down(house: House) -> None:
    session, id, _, _ = await arrive(house, "face")  # the camera's gate is shut
    with pytest.raises(TapRefused) as refused:
        async with opened(house, session, id):
            pass
    assert refused.value.code == "gate_shut"
    assert [(action, details.get("reason")) for action, details in await entries(house)] == [
        ("tap.opened", None),
        ("tap.closed", "gate_shut"),
    ]


async def test_nobody_there_nobody_elses_consent(house: House) -> None:
    session, *_ = await arrive(house, "camera", "face")
    other, _ = await house.enter(session, Role.EXPERT)
    with pytest.raises(NotAllowed):
        async with opened(house, session, other):
            pass
    with pytest.raises(Conflict):
        async with opened(house, session, ParticipantId("PA_nobody")):
            pass


async def _withdraw(house: House, id: ParticipantId, customer: Page, agent: Page) -> None:
    await consent(customer, "withdrawn", "face")


async def _shut_camera(house: House, id: ParticipantId, customer: Page, agent: Page) -> None:
    await consent(customer, "withdrawn", "camera")


async def _hold(house: House, id: ParticipantId, customer: Page, agent: Page) -> None:
    assert await agent.error("participant.hold", participant=id, held=True) is None


async def _leave(house: House, id: ParticipantId, customer: Page, agent: Page) -> None:
    await customer.say("leave")


async def _remove(house: House, id: ParticipantId, customer: Page, agent: Page) -> None:
    assert await agent.error("participant.remove", participant=id) is None


@pytest.mark.parametrize(
    ("act", "reason"),
    [(_withdraw, "withdrawn"), (_shut_camera, "gate"), (_hold, "held"), (_leave, "gone"), (_remove, "sent_away")],
)
async def test_what_ends_it(house: House, act: Act, reason: str) -> None:
    session, id, customer, agent = await arrive(house, "camera", "face")

    async def look() -> None:
        async with opened(house, session, id) as tap:
            house.media.taps[0].show()
            await act(house, id, customer, agent)
            await house.live.settle()
            await rest(tap)

    with pytest.raises(TapEnded) as ended:
        await look()
    assert ended.value.code == reason
    assert (await entries(house))[-1][1]["reason"] == reason
    assert (await entries(house))[-1][1]["frames"] == "0"
    if act in (_withdraw, _hold, _leave):
        with pytest.raises((NotAllowed, Conflict)):
            async with opened(house, session, id):
                pass


async def test_a_consent_that_could_not_be_taken_back_in_the_record_is_not_used_either(house: House) -> None:
    session, id, customer, _ = await arrive(house, "camera", "face")
    house.store.broken = True
    await consent(customer, "withdrawn", "face")
    house.store.broken = False
    with pytest.raises(NotAllowed):
        async with opened(house, session, id):
            pass
    await consent(customer, "given", "face")
    async with opened(house, session, id):
        assert len(house.media.taps) == 1


async def test_what_is_taken_back_while_it_opens_shuts_it(house: House) -> None:
    session, id, _, _ = await arrive(house, "camera", "face")
    real = house.media._called

    def slow(name: str, room: str, participant: str) -> None:
        real(name, room, participant)
        if name == "open_tap":
            house.live.taps.withdraw(id)

    house.media._called = slow  # type: ignore[method-assign]
    with pytest.raises(TapEnded) as ended:
        async with opened(house, session, id) as tap:
            await rest(tap)
    assert ended.value.code == "withdrawn"


async def test_nothing_is_opened_that_cannot_be_written_down(house: House) -> None:
    session, id, _, _ = await arrive(house, "camera", "face")
    house.store.broken = True
    with pytest.raises(StoreUnavailable):
        async with opened(house, session, id):
            pass
    assert house.media.taps == []
    house.store.broken = False


async def test_it_is_over_also_where_that_cannot_be_written_down(house: House) -> None:
    session, id, _, _ = await arrive(house, "camera", "face")
    async with opened(house, session, id):
        house.store.broken = True
    house.store.broken = False
    assert house.media.taps == []
    assert [action for action, _ in await entries(house)] == ["tap.opened"]


async def test_who_looks_away_in_the_middle_is_written_down(house: House) -> None:
    session, id, _, _ = await arrive(house, "camera", "face")
    with pytest.raises(ZeroDivisionError):
        async with opened(house, session, id):
            raise ZeroDivisionError
    assert (await entries(house))[-1][1]["reason"] == "interrupted"


async def test_who_is_lost_is_looked_at_no_more_whatever_the_relay_does(house: House) -> None:
    session, id, customer, agent = await arrive(house, "camera", "face")

    async def look() -> None:
        async with opened(house, session, id) as tap:
            house.media.down = True
            customer.cut()
            await house.advance(25, agent)
            async with asyncio.timeout(60):
                await rest(tap)

    with pytest.raises(TapEnded) as ended:
        await look()
    assert ended.value.code == "gone"
    house.media.down = False


async def test_one_that_could_not_be_opened_after_all_is_written_down_as_over(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    session, id, _, _ = await arrive(house, "camera", "face")
    here = iter([True, False])  # before it is written down, and after
    monkeypatch.setattr(house.live.taps, "_here", lambda *_: next(here))
    with pytest.raises(Conflict):
        async with opened(house, session, id):
            pass
    assert house.media.taps == []
    assert [action for action, _ in await entries(house)] == ["tap.opened", "tap.closed"]
