"""What nobody comes to any more ends: open sessions after hours, a place in the waiting list that was never connected after a minute."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from server.domain import ids
from server.domain.ids import InvitationId, SessionId
from server.domain.model import Invitation, Role, SessionStatus
from server.live.settings import LiveSettings
from tests.support.signalling import House, Page, replaced

HOUR_S = 3600.0


@pytest.fixture
async def house() -> AsyncIterator[House]:
    house = House()
    yield house
    await house.close()


async def after(house: House, hours: float, *talking: Page) -> None:
    """So much later, with the next look for such sessions done."""
    house.clock.seconds += hours * HOUR_S - 601
    await house.advance(1, *talking)
    house.clock.seconds += 599
    await house.advance(1, *talking)


async def status(house: House, session: SessionId) -> SessionStatus:
    return (await house.sessions.get(session)).status


async def invite(house: House, session: SessionId, *, lives_h: float, uses_allowed: int = 1) -> Invitation:
    id = InvitationId(house.make_id(ids.INVITATION))
    invitation = Invitation(
        id=id,
        session_id=session,
        role=Role.CUSTOMER,
        name="",
        secret_hash=id.encode(),
        code_hash=b"",
        uses_allowed=uses_allowed,
        uses=0,
        created_at=house.clock.now(),
        created_by="",
        expires_at=house.clock.now() + timedelta(hours=lives_h),
    )
    async with house.store.begin() as tx:
        await tx.add_invitation(invitation)
    return invitation


async def test_a_session_that_nobody_came_to_ends_after_twelve_hours(house: House) -> None:
    session = await house.session()
    await after(house, 11.5)
    assert await status(house, session) is SessionStatus.OPEN
    await after(house, 1)
    ended = await house.sessions.get(session)
    assert (ended.status, ended.end_reason) == (SessionStatus.ENDED, "abandoned")
    async with house.store.read() as tx:
        entries = await tx.list_audit(after=0, limit=100)
    (event,) = [entry.event for entry in entries if entry.event.action.value == "session.ended"]
    assert (event.actor, event.session, event.details) == ("", session, {"why": "abandoned"})


async def test_the_time_runs_from_the_last_leaving(house: House) -> None:
    session = await house.session()
    _, page = await house.enter(session)
    house.clock.seconds += 5
    await page.say("leave")
    id, token = await house.place(session)
    house.clock.seconds += 10 * 60  # (a token lives 15 minutes)
    page = await house.connect(token)
    await page.say("leave")
    left_at = house.clock.seconds
    await after(house, 11.9)
    assert await status(house, session) is SessionStatus.OPEN
    await after(house, 0.5)
    assert await status(house, session) is SessionStatus.ENDED
    assert house.clock.seconds - left_at < 13 * HOUR_S
    assert (await house.participant(id)).leave_reason == "left"


async def test_nobody_who_is_inside_is_put_out(house: House) -> None:
    session = await house.session()
    id, page = await house.enter(session, Role.AGENT)
    for _ in range(30):
        house.clock.seconds += 9
        await house.advance(1, page)
    house.clock.seconds += 13 * HOUR_S  # a clock that jumps: the socket is taken for silent, and the place is kept
    house.live.tick()
    await house.live.settle()
    assert await status(house, session) is SessionStatus.OPEN
    assert (await house.participant(id)).state == "joined"


async def test_a_live_invitation_keeps_a_session_a_dead_one_does_not(house: House) -> None:
    kept, expired, revoked, used, counted = [await house.session() for _ in range(5)]
    await invite(house, kept, lives_h=20)
    await invite(house, expired, lives_h=1)
    withdrawn = await invite(house, revoked, lives_h=100)
    once = await invite(house, used, lives_h=100)
    twice = await invite(house, counted, lives_h=100, uses_allowed=2)
    async with house.store.begin() as tx:
        await tx.save_invitation(replaced(withdrawn, revoked_at=house.clock.now()))
        await tx.use_invitation(once.id, house.clock.now())
        await tx.use_invitation(twice.id, house.clock.now())
    await after(house, 13)
    found = {session: await status(house, session) for session in (kept, expired, revoked, used, counted)}
    assert [session for session, now in found.items() if now is SessionStatus.OPEN] == [kept, counted]
    await after(house, 8)
    assert await status(house, kept) is SessionStatus.ENDED
    assert await status(house, counted) is SessionStatus.OPEN


async def test_what_was_open_before_a_restart_ends_too(house: House) -> None:
    """A server that died with somebody inside, and one that comes back hours later on the same records."""
    left_open, lonely = await house.session(), await house.session()
    _, page = await house.enter(left_open)
    died_at = house.clock.seconds
    later = House(store=house.store)
    later.clock.seconds = died_at + 13 * HOUR_S
    await later.live.recover()
    assert await status(later, lonely) is SessionStatus.OPEN
    await later.advance(59)
    assert await status(later, left_open) is SessionStatus.OPEN  # whoever was inside was lost just now
    await later.advance(2)
    assert await status(later, lonely) is SessionStatus.ENDED
    await after(later, 11)
    assert await status(later, left_open) is SessionStatus.OPEN
    await after(later, 2)
    assert await status(later, left_open) is SessionStatus.ENDED
    page.cut()
    await later.close()


async def test_a_person_who_comes_while_it_is_looked_for_keeps_it(house: House) -> None:
    session = await house.session()
    house.clock.seconds += 13 * HOUR_S
    before = house.clock.now() - timedelta(hours=12)
    assert await house.sessions.abandoned(before=before) == [session]
    _, page = await house.enter(session)
    assert await house.sessions.end_abandoned(session, before=before) is None
    await house.live._end_abandoned(session, before)
    assert page.bye is None
    assert await status(house, session) is SessionStatus.OPEN


async def test_more_than_one_page_of_them(house: House) -> None:
    many = [await house.session() for _ in range(230)]
    young = [await house.session()]
    house.clock.seconds += 13 * HOUR_S
    young.append(await house.session())
    before = house.clock.now() - timedelta(hours=12)
    assert set(await house.sessions.abandoned(before=before)) == {*many, young[0]}


async def test_never_when_it_is_turned_off_and_later_when_the_store_fails() -> None:
    for settings, expected in ((LiveSettings(abandoned_s=0), SessionStatus.OPEN), (LiveSettings(), SessionStatus.ENDED)):
        house = House(settings)
        session = await house.session()
        with house.broken_store():
            await after(house, 13)
        assert await status(house, session) is SessionStatus.OPEN
        await after(house, 1)
        assert await status(house, session) is expected
        await house.close()


async def test_a_waiting_customer_who_never_connects_is_dropped_after_a_minute(house: House) -> None:
    never = await house.session(SessionStatus.WAITING)
    await house.place(never)
    came = await house.session(SessionStatus.WAITING)
    _, page = await house.enter(came)
    house.live.waiting_changed()
    await house.advance(58, page)
    page.cut()
    assert await status(house, never) is SessionStatus.WAITING
    await house.advance(3)
    assert await status(house, never) is SessionStatus.ENDED
    await house.advance(300)
    assert await status(house, came) is SessionStatus.WAITING
    await house.advance(330)
    assert await status(house, came) is SessionStatus.ENDED
