"""The contract of ``server.store.ports``, second part: consents, chat, files, repeats and the audit chain."""

import asyncio

import msgspec
import pytest

from server.audit import chain
from server.domain.ids import SessionId
from server.domain.model import ConsentDecision, ConsentScope, Participant, Session
from server.errors import NotFound
from server.store.ports import IdempotencyRecord, Store
from tests.support.records import T0, Records, at

# ---- consents and chat


async def test_the_newest_consent_of_a_scope_counts(
    store: Store, make: Records, session: Session, participant: Participant
) -> None:
    other = make.participant(session.id, identity="staff:1")
    elsewhere = make.session()
    made = [
        make.consent(session.id, participant.id, decision=ConsentDecision.GIVEN),
        make.consent(session.id, participant.id, decision=ConsentDecision.WITHDRAWN),  # at the same moment, but later
        make.consent(session.id, participant.id, scope=ConsentScope.SCREEN, decision=ConsentDecision.REFUSED),
        make.consent(session.id, other.id, decided_at=at(-5)),
    ]
    async with store.begin() as tx:
        await tx.add_participant(other)
        await tx.add_session(elsewhere)
        for consent in made:
            await tx.add_consent(consent)
        assert await tx.latest_consents(session.id) == [made[1], made[2], made[3]]
        assert await tx.latest_consents(elsewhere.id) == []


async def test_messages_are_numbered_and_a_repeat_is_the_same(
    store: Store, make: Records, session: Session, participant: Participant
) -> None:
    other = make.session()
    stranger = make.participant(other.id)
    async with store.begin() as tx:
        await tx.add_session(other)
        await tx.add_participant(stranger)
        sent = [
            await tx.add_message(make.message(session.id, participant.id, client_id=str(i), text=f"{i} 您好")) for i in range(5)
        ]
        assert [message.number for message in sent] == [1, 2, 3, 4, 5]
        repeated = await tx.add_message(make.message(session.id, participant.id, client_id="1", text="something else"))
        assert repeated == sent[1]
        assert (await tx.add_message(make.message(other.id, stranger.id, client_id="1"))).number == 1
    async with store.read() as tx:
        assert await tx.list_messages(session.id, after=0, limit=100) == sent
        assert await tx.list_messages(session.id, after=2, limit=2) == sent[2:4]
        assert await tx.list_messages(session.id, after=5, limit=2) == []
        assert await tx.last_messages(session.id, 2) == sent[3:]
        assert await tx.last_messages(SessionId(make.id("SE")), 2) == []


async def test_a_message_may_carry_a_file(store: Store, make: Records, session: Session, participant: Participant) -> None:
    file = make.file(session.id, participant.id)
    async with store.begin() as tx:
        await tx.add_file(file)
        sent = await tx.add_message(make.message(session.id, participant.id, client_id="1", text="", file=file.id))
        assert await tx.list_messages(session.id, after=0, limit=1) == [sent]


async def test_the_files_of_a_session_are_summed(
    store: Store, make: Records, session: Session, participant: Participant
) -> None:
    other = make.session()
    stranger = make.participant(other.id)
    async with store.begin() as tx:
        await tx.add_session(other)
        await tx.add_participant(stranger)
        assert await tx.session_file_bytes(session.id) == 0
        for size_bytes in (5, 2**40):
            await tx.add_file(msgspec.structs.replace(make.file(session.id, participant.id), size_bytes=size_bytes))
        await tx.add_file(make.file(other.id, stranger.id))
        assert await tx.session_file_bytes(session.id) == 2**40 + 5


async def test_racing_messages_get_all_numbers(store: Store, make: Records, session: Session, participant: Participant) -> None:
    async def send(client_id: str) -> int:
        async with store.begin() as tx:
            return (await tx.add_message(make.message(session.id, participant.id, client_id=client_id))).number

    numbers = await asyncio.gather(*(send(str(i % 20)) for i in range(40)))
    assert sorted(set(numbers)) == list(range(1, 21))


# ---- idempotency and audit


async def test_old_idempotency_records_are_forgotten(store: Store, make: Records) -> None:
    async with store.begin() as tx:
        for i in range(4):
            await tx.add_idempotency(
                IdempotencyRecord(scope="ST", key=str(i), request_hash=b"", status=201, body=b"", created_at=at(i))
            )
        assert await tx.forget_idempotency(at(2)) == 2
        assert await tx.get_idempotency("ST", "1") is None
        assert await tx.get_idempotency("ST", "2") is not None


async def test_what_was_answered_goes_with_what_it_is_about(store: Store) -> None:
    about = {"a": "FT_1", "b": "FT_2", "c": "", "d": "FT_1"}
    made = {
        key: IdempotencyRecord(scope="AK", key=key, request_hash=b"h", status=201, body=b"{}", created_at=T0, about=id)
        for key, id in about.items()
    }
    async with store.begin() as tx:
        for record in made.values():
            await tx.add_idempotency(record)
        assert await tx.erase_idempotency("FT_1") == 2
        assert await tx.erase_idempotency("") == 0
    async with store.read() as tx:
        found = {key: await tx.get_idempotency("AK", key) for key in made}
        with pytest.raises(RuntimeError):
            await tx.erase_idempotency("FT_2")
    gone = {key: msgspec.structs.replace(made[key], status=410, body=b"") for key in ("a", "d")}
    assert found == made | gone


async def test_an_idempotency_record_is_completed_or_dropped(store: Store) -> None:
    begun = IdempotencyRecord(scope="ST", key="k", request_hash=b"h", status=0, body=b"", created_at=T0)
    other = msgspec.structs.replace(begun, scope="AK")
    done = msgspec.structs.replace(begun, status=201, body=b"{}")
    async with store.begin() as tx:
        with pytest.raises(NotFound):
            await tx.save_idempotency(begun)
        await tx.drop_idempotency("ST", "k")
        await tx.add_idempotency(begun)
        await tx.add_idempotency(other)
        await tx.save_idempotency(done)
    async with store.begin() as tx:
        assert (await tx.get_idempotency("ST", "k"), await tx.get_idempotency("AK", "k")) == (done, other)
        await tx.drop_idempotency("ST", "k")
        assert (await tx.get_idempotency("ST", "k"), await tx.get_idempotency("AK", "k")) == (None, other)


@pytest.mark.campaign(18)
async def test_the_audit_chain_is_whole_under_concurrent_transactions(store: Store, make: Records) -> None:
    async def write(number: int) -> None:
        try:
            async with store.begin() as tx:
                await tx.append_audit(make.event(number=str(number)))
                if number % 3 == 0:
                    raise LookupError
                await tx.append_audit(make.event(number=str(number), nul="\0", quote='"\\/\u2028'))
        except LookupError:
            pass

    await asyncio.gather(*(write(i) for i in range(60)))
    async with store.read() as tx:
        entries = await tx.list_audit(after=0, limit=1000)
        assert await tx.list_audit(after=10, limit=5) == entries[10:15]
        assert await tx.list_audit(after=80, limit=5) == []
        assert await tx.list_audit(after=-1, limit=1) == entries[:1]
    assert len(entries) == 80
    assert chain.verify(entries).ok
    numbers = [entry.event.details["number"] for entry in entries]
    assert numbers[::2] == numbers[1::2]  # the two of a transaction stand together
