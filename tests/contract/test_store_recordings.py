"""The contract of ``server.store.ports``, third part: recordings, and keys that may review them."""

import msgspec
import pytest

from server.domain import ids
from server.domain.ids import RecordingId, SessionId
from server.domain.model import Checkpoint, Participant, Recording, RecordingEnding, Session
from server.errors import Conflict, Invalid, NotFound
from server.store.ports import Store
from tests.support.records import Records, at


def recording(make: Records, session: SessionId, started: float = 0, ended: float | None = None) -> Recording:
    return Recording(
        id=RecordingId(make.id(ids.RECORDING)),
        session_id=session,
        started_at=at(started),
        started_by="PA_X",
        ended_at=at(ended) if ended is not None else None,
        ending=RecordingEnding.COMPLETE if ended is not None else None,
    )


async def test_a_recording_comes_back_equal(store: Store, make: Records, session: Session, participant: Participant) -> None:
    first = recording(make, session.id)
    async with store.begin() as tx:
        await tx.add_recording(first)
    async with store.read() as tx:
        assert await tx.get_recording(first.id) == first
        assert await tx.get_recording(RecordingId("RE_X")) is None
    later = msgspec.structs.replace(
        first,
        paused_at=at(1),
        ended_at=at(2),
        ending=RecordingEnding.INTERRUPTED,
        erased_at=at(3),
        erase_reason="客户要求",
        bytes=1 << 40,
        duration_ms=2000,
        participants=(participant.id,),
        checkpoints=(Checkpoint(item="risk ‘揭示’", at=at(1), by=participant.id),),
    )
    async with store.begin() as tx:
        await tx.save_recording(later)
    async with store.read() as tx:
        assert await tx.get_recording(first.id) == later


async def test_what_is_refused(store: Store, make: Records, session: Session) -> None:
    first = recording(make, session.id)
    async with store.begin() as tx:
        with pytest.raises(NotFound):
            await tx.save_recording(first)
    async with store.begin() as tx:
        await tx.add_recording(first)
        with pytest.raises(Conflict):
            await tx.add_recording(first)
    with pytest.raises(NotFound):
        async with store.begin() as tx:
            await tx.add_recording(recording(make, SessionId("SE_X")))
    with pytest.raises(Invalid):
        async with store.begin() as tx:
            await tx.add_recording(msgspec.structs.replace(recording(make, session.id), started_by="\0"))
    async with store.read() as tx:
        with pytest.raises(RuntimeError):
            await tx.save_recording(first)
        for limit in (0, 10_001):
            with pytest.raises(ValueError, match="limit"):
                await tx.list_recordings(session=None, limit=limit, cursor=None)
            with pytest.raises(ValueError, match="limit"):
                await tx.due_recordings(at(0), limit)
        with pytest.raises(Invalid):
            await tx.list_recordings(session=None, limit=1, cursor="nonsense")


async def test_recordings_come_newest_first_in_pages(store: Store, make: Records, session: Session) -> None:
    elsewhere = make.session()
    made = [recording(make, session.id, started) for started in (5, 1, 5, 3, 1)]
    foreign = recording(make, elsewhere.id, 4)
    async with store.begin() as tx:
        await tx.add_session(elsewhere)
        for each in [*made, foreign]:
            await tx.add_recording(each)
    everything = sorted([*made, foreign], key=lambda each: (each.started_at, each.id), reverse=True)
    for wanted, whose in ((everything, None), ([each for each in everything if each is not foreign], session.id)):
        found: list[Recording] = []
        cursor: str | None = None
        async with store.read() as tx:
            while True:
                page = await tx.list_recordings(session=whose, limit=2, cursor=cursor)
                found += page.recordings
                assert len(page.recordings) <= 2
                if (cursor := page.next) is None:
                    break
        assert found == wanted
    async with store.read() as tx:
        assert (await tx.list_recordings(session=make.session().id, limit=2, cursor=None)).recordings == []


async def test_those_that_are_open_and_those_that_are_due(store: Store, make: Records, session: Session) -> None:
    newer, older = recording(make, session.id, 5), recording(make, session.id, 1)
    over = [recording(make, session.id, 0, ended) for ended in (30, 10, 20, 40)]
    erased = msgspec.structs.replace(recording(make, session.id, 0, 5), erased_at=at(6))
    async with store.begin() as tx:
        for each in [newer, older, *over, erased]:
            await tx.add_recording(each)
        assert await tx.open_recordings() == [older, newer]
        assert await tx.due_recordings(at(30), 10) == [over[1], over[2]]
        assert await tx.due_recordings(at(50), 1) == [over[1]]
        assert await tx.due_recordings(at(5), 10) == []


async def test_a_key_that_may_review(store: Store, make: Records) -> None:
    plain, reviewing = make.api_key(), msgspec.structs.replace(make.api_key(), recordings=True)
    async with store.begin() as tx:
        await tx.add_api_key(plain)
        await tx.add_api_key(reviewing)
    async with store.read() as tx:
        assert await tx.get_api_key(plain.id) == plain
        assert await tx.get_api_key(reviewing.id) == reviewing
