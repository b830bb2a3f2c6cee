"""The contract of ``server.store.ports``: the memory store and the SQL store do the same, refuse the same."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta, timezone

import msgspec
import pytest

from server.domain.ids import ApiKeyId, InvitationId, ParticipantId, SessionId
from server.domain.model import Participant, ParticipantState, Session, SessionKind, SessionStatus
from server.errors import Conflict, Invalid, NotFound, StoreUnavailable
from server.store.ports import IdempotencyRecord, Store, Transaction
from tests.support.records import T0, Records, at

# ---- transactions


async def test_what_was_committed_is_read_back(store: Store, make: Records) -> None:
    session = make.session()
    async with store.begin() as tx:
        await tx.add_session(session)
        assert await tx.get_session(session.id) == session  # a transaction sees its own writes
    async with store.read() as tx:
        assert await tx.get_session(session.id) == session
        assert await tx.get_session(SessionId(make.id("SE"))) is None


async def test_an_exception_leaves_nothing(store: Store, make: Records, session: Session) -> None:
    async def write_and_fail() -> None:
        async with store.begin() as tx:
            await tx.add_session(make.session())
            await tx.save_session(msgspec.structs.replace(session, end_reason="never"))
            await tx.append_audit(make.event())
            raise LookupError

    with pytest.raises(LookupError):
        await write_and_fail()
    async with store.read() as tx:
        assert (await tx.list_sessions(status=None, customer_reference=None, limit=10, cursor=None)).sessions == [session]
        assert await tx.list_audit(after=0, limit=10) == []


async def test_a_cancelled_transaction_leaves_nothing_and_blocks_nobody(store: Store, make: Records) -> None:
    inside = asyncio.Event()

    async def hang() -> None:
        async with store.begin() as tx:
            await tx.append_audit(make.event())
            inside.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(hang())
    await inside.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with store.begin() as tx:
        assert (await tx.append_audit(make.event())).number == 1


@pytest.mark.parametrize("steps", range(1, 12))
async def test_cancelled_anywhere_it_is_all_or_nothing(store: Store, make: Records, steps: int) -> None:
    async def write() -> None:
        async with store.begin() as tx:
            await tx.append_audit(make.event())
            await tx.add_session(make.session())

    task = asyncio.create_task(write())
    for _ in range(steps):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    async with store.begin() as tx:
        entries = await tx.list_audit(after=0, limit=10)
        sessions = (await tx.list_sessions(status=None, customer_reference=None, limit=10, cursor=None)).sessions
        assert len(entries) == len(sessions)
        assert (await tx.append_audit(make.event())).number == len(entries) + 1
    assert task.cancelled() or len(sessions) == 1


async def test_a_snapshot_does_not_change(store: Store, make: Records, session: Session) -> None:
    async with store.read() as before:
        assert await before.get_session(session.id) == session
        async with store.begin() as tx:
            await tx.save_session(msgspec.structs.replace(session, end_reason="later"))
        assert await before.get_session(session.id) == session
    async with store.read() as after:
        assert await after.get_session(session.id) != session


async def test_a_reader_does_not_see_an_open_transaction(store: Store, make: Records) -> None:
    session = make.session()
    async with store.begin() as tx:
        await tx.add_session(session)
        async with store.read() as other:
            assert await other.get_session(session.id) is None


WRITES: list[Callable[[Transaction, Records], Awaitable[object]]] = [
    lambda tx, make: tx.add_session(make.session()),
    lambda tx, make: tx.save_session(make.session()),
    lambda tx, make: tx.use_invitation(InvitationId(make.id("IN")), T0),
    lambda tx, make: tx.append_audit(make.event()),
    lambda tx, make: tx.forget_idempotency(T0),
    lambda tx, make: tx.add_staff(make.staff("a")),
]


@pytest.mark.parametrize("write", WRITES)
async def test_a_snapshot_refuses_writing(
    store: Store, make: Records, write: Callable[[Transaction, Records], Awaitable[object]]
) -> None:
    async with store.read() as tx:
        with pytest.raises(RuntimeError, match="read-only"):
            await write(tx, make)


async def test_a_transaction_that_is_over_refuses(store: Store, make: Records) -> None:
    async with store.begin() as tx:
        pass
    with pytest.raises(RuntimeError, match="over"):
        await tx.list_staff()
    with pytest.raises(RuntimeError, match="over"):
        await tx.add_session(make.session())


async def test_a_write_transaction_inside_another_one_is_a_bug(store: Store) -> None:
    async with store.begin():
        with pytest.raises(RuntimeError, match="inside"):
            async with store.begin():
                pass


async def test_a_conflict_leaves_the_transaction_usable(store: Store, make: Records, session: Session) -> None:
    async with store.begin() as tx:
        with pytest.raises(Conflict):
            await tx.add_session(session)
        await tx.append_audit(make.event())
    async with store.read() as tx:
        assert len(await tx.list_audit(after=0, limit=10)) == 1


async def test_a_closed_store_is_unavailable(store: Store) -> None:
    await store.ping()
    await store.close()
    await store.close()
    with pytest.raises(StoreUnavailable):
        await store.ping()
    with pytest.raises(StoreUnavailable):
        async with store.begin():
            pass


# ---- records


async def test_every_record_comes_back_equal(store: Store, make: Records, session: Session, participant: Participant) -> None:
    ended = msgspec.structs.replace(
        session, status=SessionStatus.ENDED, taken_by=make.staff("x").id, taken_at=at(3), ended_at=at(4), end_reason="done"
    )
    left = msgspec.structs.replace(participant, state=ParticipantState.LEFT, joined_at=at(1), left_at=at(2))
    invitation, file, key, staff = (
        make.invitation(session.id),
        make.file(session.id, participant.id),
        make.api_key(),
        make.staff("li"),
    )
    consent = make.consent(session.id, participant.id, text="ab" * 32)
    record = IdempotencyRecord(scope="ST", key="k", request_hash=b"h", status=201, body=b"\0{}", created_at=T0)
    async with store.begin() as tx:
        await tx.save_session(ended)
        await tx.save_participant(left)
        await tx.add_invitation(invitation)
        await tx.add_file(file)
        await tx.add_api_key(key)
        await tx.add_staff(staff)
        await tx.add_consent(consent)
        await tx.add_idempotency(record)
    async with store.read() as tx:
        assert await tx.get_session(session.id) == ended
        assert await tx.get_participant(participant.id) == left
        assert await tx.find_participant(session.id, "walk-in") == left
        assert await tx.list_participants(session.id) == [left]
        assert await tx.get_invitation(invitation.id) == invitation
        assert await tx.invitation_by_secret(invitation.secret_hash) == invitation
        assert await tx.list_invitations(session.id) == [invitation]
        assert await tx.get_file(file.id) == file
        assert await tx.get_api_key(key.id) == key
        assert await tx.get_staff(staff.id) == staff
        assert await tx.staff_by_username("li") == staff
        assert await tx.latest_consents(session.id) == [consent]
        assert await tx.get_idempotency("ST", "k") == record
        assert await tx.get_idempotency("ST", "K") is None


async def test_a_time_of_another_zone_is_the_same_moment(store: Store, make: Records) -> None:
    session = make.session(created_at=T0.astimezone(timezone(timedelta(hours=8))))
    async with store.begin() as tx:
        await tx.add_session(session)
    async with store.read() as tx:
        found = await tx.get_session(session.id)
    assert found is not None
    assert found.created_at == T0


async def test_saving_what_is_not_there(store: Store, make: Records, session: Session) -> None:
    async with store.begin() as tx:
        for save in (
            tx.save_session(make.session()),
            tx.save_participant(make.participant(session.id)),
            tx.save_invitation(make.invitation(session.id)),
            tx.save_api_key(make.api_key()),
            tx.save_staff(make.staff("nobody")),
        ):
            with pytest.raises(NotFound):
                await save


async def test_a_taken_key_conflicts(store: Store, make: Records, session: Session, participant: Participant) -> None:
    key, staff, file = make.api_key(), make.staff("li"), make.file(session.id, participant.id)
    invitation, consent = make.invitation(session.id), make.consent(session.id, participant.id)
    record = IdempotencyRecord(scope="ST", key="k", request_hash=b"h", status=201, body=b"", created_at=T0)
    async with store.begin() as tx:
        await tx.add_api_key(key)
        await tx.add_staff(staff)
        await tx.add_file(file)
        await tx.add_invitation(invitation)
        await tx.add_consent(consent)
        await tx.add_idempotency(record)
        again: list[Awaitable[object]] = [
            tx.add_session(session),
            tx.add_participant(participant),
            tx.add_participant(make.participant(session.id, identity="walk-in")),
            tx.add_api_key(key),
            tx.add_staff(staff),
            tx.add_staff(make.staff("li")),
            tx.add_file(file),
            tx.add_invitation(invitation),
            tx.add_invitation(msgspec.structs.replace(make.invitation(session.id), secret_hash=invitation.secret_hash)),
            tx.add_consent(consent),
            tx.add_idempotency(record),
        ]
        for adding in again:
            with pytest.raises(Conflict):
                await adding


async def test_a_staff_member_cannot_take_the_username_of_another(store: Store, make: Records) -> None:
    first, second = make.staff("li"), make.staff("wang")
    async with store.begin() as tx:
        await tx.add_staff(first)
        await tx.add_staff(second)
        with pytest.raises(Conflict):
            await tx.save_staff(msgspec.structs.replace(second, username="li"))
        await tx.save_staff(msgspec.structs.replace(first, name="Li"))
        assert [staff.username for staff in await tx.list_staff()] == ["li", "wang"]


async def test_a_record_of_nothing_is_refused(store: Store, make: Records, session: Session, participant: Participant) -> None:
    nowhere, nobody = SessionId(make.id("SE")), ParticipantId(make.id("PA"))
    other = make.session()
    orphans: list[Callable[[Transaction], Awaitable[object]]] = [
        lambda tx: tx.add_participant(make.participant(nowhere)),
        lambda tx: tx.add_invitation(make.invitation(nowhere)),
        lambda tx: tx.add_consent(make.consent(session.id, nobody)),
        lambda tx: tx.add_consent(make.consent(other.id, participant.id)),  # a participant of another session
        lambda tx: tx.add_file(make.file(other.id, participant.id)),
        lambda tx: tx.add_message(make.message(other.id, participant.id, client_id="1")),
        lambda tx: tx.add_message(
            make.message(session.id, participant.id, client_id="1", file=make.file(session.id, participant.id).id)
        ),
    ]
    async with store.begin() as tx:
        await tx.add_session(other)
    for add in orphans:
        with pytest.raises(NotFound):
            async with store.begin() as tx:
                await add(tx)


@pytest.mark.parametrize("text", ["a\0b", "\ud800"])
async def test_text_that_a_database_cannot_keep_is_refused(store: Store, make: Records, text: str) -> None:
    session = make.session()
    for field in ("reason", "customer_name", "context", "id"):
        with pytest.raises(Invalid):
            async with store.begin() as tx:
                await tx.add_session(msgspec.structs.replace(session, **{field: text}))
    async with store.read() as tx:
        with pytest.raises(Invalid):
            await tx.list_sessions(status=None, customer_reference=text, limit=1, cursor=None)


async def test_a_naive_time_and_a_huge_number_are_refused(
    store: Store, make: Records, session: Session, participant: Participant
) -> None:
    async with store.begin() as tx:
        with pytest.raises(Invalid):
            await tx.add_session(make.session(created_at=datetime(2026, 1, 1)))
        with pytest.raises(Invalid):
            await tx.add_file(msgspec.structs.replace(make.file(session.id, participant.id), size_bytes=2**63))
        with pytest.raises(Invalid):
            await tx.append_audit(msgspec.structs.replace(make.event(), at=datetime(2026, 1, 1)))
        with pytest.raises(Invalid):
            await tx.append_audit(make.event(actor="\ud800"))


# ---- sessions


async def test_sessions_come_newest_first_in_pages(store: Store, make: Records) -> None:
    # Every second pair was created at the same moment: the id decides.
    made = [make.session(created_at=at(i // 2), customer_reference=f"C{i % 3}") for i in range(25)]
    async with store.begin() as tx:
        for session in made:
            await tx.add_session(session)
    newest = sorted(made, key=lambda s: (s.created_at, s.id), reverse=True)
    async with store.read() as tx:
        for limit in (1, 7, 25, 100):
            found: list[Session] = []
            cursor: str | None = None
            while True:
                page = await tx.list_sessions(status=None, customer_reference=None, limit=limit, cursor=cursor)
                assert len(page.sessions) <= limit
                found += page.sessions
                cursor = page.next
                if cursor is None:
                    break
            assert found == newest
        of_one = await tx.list_sessions(status=SessionStatus.OPEN, customer_reference="C1", limit=100, cursor=None)
        assert of_one.sessions == [s for s in newest if s.customer_reference == "C1"]
        assert (
            await tx.list_sessions(status=SessionStatus.ENDED, customer_reference=None, limit=9, cursor=None)
        ).sessions == []


@pytest.mark.parametrize("cursor", ["", "x", "!!!!", "MTIz", "MTIzOlNF=", "OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk6U0U", "MTox_"])
async def test_a_cursor_of_somebody_else_is_refused(store: Store, cursor: str) -> None:
    async with store.read() as tx:
        with pytest.raises(Invalid):
            await tx.list_sessions(status=None, customer_reference=None, limit=1, cursor=cursor)


@pytest.mark.parametrize("limit", [0, -1, 10_001])
async def test_a_limit_out_of_range_is_a_bug(store: Store, session: Session, limit: int) -> None:
    async with store.read() as tx:
        for query in (
            tx.list_sessions(status=None, customer_reference=None, limit=limit, cursor=None),
            tx.recent_wait_seconds(limit),
            tx.list_messages(session.id, after=0, limit=limit),
            tx.last_messages(session.id, limit),
            tx.list_audit(after=0, limit=limit),
        ):
            with pytest.raises(ValueError, match="limit"):
                await query


def by_themselves(session: Session, key: ApiKeyId, **fields: object) -> Session:
    """In which a customer is verified with nobody there."""
    return msgspec.structs.replace(session, kind=SessionKind.VERIFICATION, created_by=key, **fields)


async def test_sessions_that_an_account_sees(store: Store, make: Records) -> None:
    own, other = make.staff("li").id, make.staff("wang").id
    by_key = make.api_key().id
    made = {
        "made": msgspec.structs.replace(make.session(created_at=at(1)), created_by=own),
        "taken": msgspec.structs.replace(make.session(created_at=at(2)), taken_by=own),
        "free": msgspec.structs.replace(make.session(created_at=at(3)), created_by=by_key),
        "waiting": make.session(created_at=at(4), status=SessionStatus.WAITING, waiting_since=at(4)),
        "other's": msgspec.structs.replace(make.session(created_at=at(5)), created_by=other),
        "taken by other": msgspec.structs.replace(make.session(created_at=at(6)), created_by=by_key, taken_by=other),
        "alone": by_themselves(make.session(created_at=at(8)), by_key),
        "asks": by_themselves(make.session(created_at=at(9), status=SessionStatus.WAITING, waiting_since=at(9)), by_key),
        "was asked for": by_themselves(make.session(created_at=at(10)), by_key, taken_by=own),
        "given on": msgspec.structs.replace(make.session(created_at=at(7)), created_by=other, taken_by=own),
    }
    names = {session.id: name for name, session in made.items()}
    async with store.begin() as tx:
        for session in made.values():
            await tx.add_session(session)
    async with store.read() as tx:
        seen: list[str] = []
        cursor: str | None = None
        while True:
            page = await tx.list_sessions(status=None, customer_reference=None, limit=2, cursor=cursor, seen_by=own)
            seen += [names[session.id] for session in page.sessions]
            if (cursor := page.next) is None:
                break
        assert seen == ["was asked for", "asks", "given on", "waiting", "free", "taken", "made"]
        everything = await tx.list_sessions(status=None, customer_reference=None, limit=20, cursor=None)
        assert len(everything.sessions) == len(made)
        reference = made["free"].customer_reference
        of_one = await tx.list_sessions(status=None, customer_reference=reference, limit=9, cursor=None, seen_by=own)
        alike = {name for name, session in made.items() if session.customer_reference == reference}
        assert {names[session.id] for session in of_one.sessions} == alike & {"given on", "taken", "made", "was asked for"}


async def test_logins_are_kept_ended_and_forgotten(store: Store, make: Records) -> None:
    staff = make.staff("li")
    first, second = make.login(staff.id), make.login(staff.id, ends_at=at(7200))
    async with store.begin() as tx:
        await tx.add_staff(staff)
        await tx.add_login(first)
        await tx.add_login(second)
        with pytest.raises(Conflict):
            await tx.add_login(first)
    async with store.begin() as tx:
        with pytest.raises(NotFound):
            await tx.save_login(make.login(staff.id))
        await tx.save_login(msgspec.structs.replace(second, ended_at=at(5)))
    async with store.read() as tx:
        assert await tx.get_login(first.id) == first
        assert await tx.get_login(second.id) == msgspec.structs.replace(second, ended_at=at(5))
        assert await tx.get_login(make.login(staff.id).id) is None
    async with store.begin() as tx:
        assert await tx.forget_logins(at(3601)) == 1
        assert await tx.get_login(first.id) is None
        assert await tx.get_login(second.id) is not None
    with pytest.raises(NotFound):
        async with store.begin() as tx:
            await tx.add_login(make.login(make.staff("nobody").id))


async def test_the_waiting_list_is_oldest_first(store: Store, make: Records) -> None:
    waiting = [make.session(status=SessionStatus.WAITING, waiting_since=at(10 - i)) for i in range(3)]
    async with store.begin() as tx:
        for session in [*waiting, make.session()]:
            await tx.add_session(session)
        assert await tx.waiting_sessions() == waiting[::-1]
        await tx.save_session(
            msgspec.structs.replace(waiting[2], status=SessionStatus.OPEN, taken_by=make.staff("a").id, taken_at=at(38))
        )
        await tx.save_session(
            msgspec.structs.replace(waiting[0], status=SessionStatus.ENDED, taken_by=make.staff("b").id, taken_at=at(20.5))
        )
        assert await tx.waiting_sessions() == [waiting[1]]
        assert await tx.recent_wait_seconds(10) == [30.0, 10.5]
        assert await tx.recent_wait_seconds(1) == [30.0]


# ---- invitations


async def test_an_invitation_is_used_until_it_is_used_up(store: Store, make: Records, session: Session) -> None:
    invitation = make.invitation(session.id, uses_allowed=2)
    async with store.begin() as tx:
        await tx.add_invitation(invitation)
        first, second = await tx.use_invitation(invitation.id, at(1)), await tx.use_invitation(invitation.id, at(2))
        assert first == msgspec.structs.replace(invitation, uses=1)
        assert second == msgspec.structs.replace(invitation, uses=2)
        assert await tx.use_invitation(invitation.id, at(3)) is None
        assert await tx.get_invitation(invitation.id) == second
        assert await tx.use_invitation(InvitationId(make.id("IN")), T0) is None


async def test_a_dead_invitation_is_not_used(store: Store, make: Records, session: Session) -> None:
    expiring = make.invitation(session.id, expires_at=at(10), code_hash=b"e")
    revoked = make.invitation(session.id, code_hash=b"r")
    async with store.begin() as tx:
        await tx.add_invitation(expiring)
        await tx.add_invitation(revoked)
        await tx.save_invitation(msgspec.structs.replace(revoked, revoked_at=at(1)))
        assert await tx.use_invitation(expiring.id, at(10)) is None
        assert await tx.use_invitation(revoked.id, at(2)) is None
        assert await tx.live_invitations_by_code(b"e", at(10)) == []
        assert await tx.live_invitations_by_code(b"r", at(2)) == []
        assert await tx.live_invitations_by_code(b"e", at(9.999999)) == [expiring]
        assert await tx.use_invitation(expiring.id, at(9.999999)) is not None
        assert await tx.live_invitations_by_code(b"e", at(9)) == []


async def test_a_code_is_unique_among_the_living(store: Store, make: Records, session: Session) -> None:
    first = make.invitation(session.id, code_hash=b"123456", expires_at=at(10))
    async with store.begin() as tx:
        await tx.add_invitation(first)
        with pytest.raises(Conflict):
            await tx.add_invitation(make.invitation(session.id, code_hash=b"123456", created_at=at(9)))
        later = make.invitation(session.id, code_hash=b"123456", created_at=at(10))
        await tx.add_invitation(later)
        assert await tx.live_invitations_by_code(b"123456", at(10)) == [later]


async def test_no_code_is_not_a_code(store: Store, make: Records, session: Session) -> None:
    async with store.begin() as tx:
        await tx.add_invitation(make.invitation(session.id))
        await tx.add_invitation(make.invitation(session.id))
        assert await tx.live_invitations_by_code(b"", T0) == []


@pytest.mark.campaign(5)
async def test_an_invitation_raced_a_hundred_times_has_one_winner(store: Store, make: Records, session: Session) -> None:
    invitation = make.invitation(session.id)
    async with store.begin() as tx:
        await tx.add_invitation(invitation)

    async def race(number: int) -> bool:
        async with store.begin() as tx:
            used = await tx.use_invitation(invitation.id, at(1))
            if used is not None:
                await tx.append_audit(make.event(winner=str(number)))
            return used is not None

    assert sum(await asyncio.gather(*(race(i) for i in range(100)))) == 1
    async with store.read() as tx:
        found = await tx.get_invitation(invitation.id)
        assert found is not None
        assert found.uses == 1
        assert len(await tx.list_audit(after=0, limit=10)) == 1
