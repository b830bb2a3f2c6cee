"""The audit chain: what is written is found; whatever is changed is found too."""

import hashlib
import json
import os
import sqlite3
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.audit import chain
from server.audit.chain import Checkpoint
from server.audit.events import AuditAction, AuditEntry, AuditEvent
from server.audit.verify import (
    checkpoint_text,
    export_database,
    export_line,
    read_checkpoint,
    read_line,
    verify_database,
    verify_export,
    verify_lines,
)
from server.errors import Invalid, StoreUnavailable
from server.store.sql import open_store
from tests.support.records import Records, at

ENTRIES = 1000
LONG = os.environ.get("TESTS_CAMPAIGN") == "long"


def make_chain(count: int) -> list[AuditEntry]:
    make = Records()
    entries: list[AuditEntry] = []
    actions = (  # fixed: later parts add actions, and the pinned hash below must not care
        AuditAction.SESSION_CREATED,
        AuditAction.PARTICIPANT_JOINED,
        AuditAction.CONSENT_DECIDED,
        AuditAction.LOGIN_FAILED,
    )
    for i in range(count):
        event = msgspec.structs.replace(
            make.event(actor=f"ST_{i % 7}", seconds=i, number=str(i), why='退"\n\\'), action=actions[i % len(actions)]
        )
        entries.append(chain.link(entries[-1] if entries else None, event))
    return entries


WHOLE = make_chain(ENTRIES)
HEAD = Checkpoint(number=ENTRIES, hash=WHOLE[-1].hash)


def broken_at(entries: list[AuditEntry], *checkpoints: Checkpoint) -> int | None:
    return chain.verify(entries, checkpoints=checkpoints).broken


# ---- the form


def test_the_canonical_form_and_the_hash_are_what_the_documentation_says() -> None:
    event = AuditEvent(
        action=AuditAction.SESSION_CREATED,
        at=datetime(2026, 3, 1, 16, 30, 0, 5, tzinfo=timezone(timedelta(hours=8))),
        actor="ST_1",
        session="SE_1",
        subject="SE_1",
        details={"z": '"\\/\n\u2028é\U0001f600', "a": ""},
    )
    form = chain.canonical(1, event)
    assert form.decode() == (
        '{"action":"session.created","actor":"ST_1","at":"2026-03-01T08:30:00.000005Z",'
        '"details":{"a":"","z":"\\"\\\\/\\n\u2028é\U0001f600"},"number":1,"session":"SE_1","subject":"SE_1"}'
    )
    assert form == json.dumps(json.loads(form), sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()
    genesis = hashlib.sha256(b"tongping-audit-1 genesis\n").digest()
    entry = chain.link(None, event)
    assert entry.previous == genesis
    assert entry.hash == hashlib.sha256(b"tongping-audit-1\n" + genesis + form).digest()


def test_the_hashes_do_not_change_with_versions() -> None:
    assert chain.GENESIS.hex() == "aae7237e5453d9f30c03a3866e1d62c168ac52fdca0d8dffb36083d204b0c21f"
    assert WHOLE[-1].hash.hex() == "eb5d8ea742033ede17b86f825c105ec35987f4b154e2d8b8ce69b0311c399677"


events = st.builds(
    AuditEvent,
    action=st.sampled_from(AuditAction),
    at=st.datetimes(min_value=datetime(1, 1, 2), max_value=datetime(9999, 12, 30), timezones=st.just(UTC)),
    actor=st.text(),
    session=st.text(),
    subject=st.text(),
    details=st.dictionaries(st.text(), st.text(), max_size=4),
)


@given(st.integers(1, 2**53), events)
def test_every_event_has_one_form_and_is_read_back(number: int, event: AuditEvent) -> None:
    form = chain.canonical(number, event)
    assert chain.read_canonical(form) == (number, event)
    entry = AuditEntry(number=number, event=event, previous=chain.GENESIS, hash=chain.entry_hash(chain.GENESIS, form))
    assert b"\n" not in export_line(entry)
    assert read_line(export_line(entry)) == entry


@given(events, events)
def test_different_events_have_different_forms(one: AuditEvent, other: AuditEvent) -> None:
    assert (chain.canonical(1, one) == chain.canonical(1, other)) is (one == other)


@given(st.binary())
def test_anything_else_is_refused(data: bytes) -> None:
    with pytest.raises(Invalid):
        chain.read_canonical(data)
    with pytest.raises(Invalid):
        read_line(data)


@pytest.mark.parametrize(
    "change",
    [
        {"at": datetime(2026, 1, 1)},
        {"actor": "\ud800"},
        {"details": {"\udfff": ""}},
        {"details": {"a": "\ud83d"}},
    ],
)
def test_what_has_no_form_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(Invalid):
        chain.link(None, msgspec.structs.replace(WHOLE[0].event, **change))


# ---- the chain


def test_a_whole_chain_holds() -> None:
    report = chain.verify(WHOLE, checkpoints=[HEAD, Checkpoint(number=10, hash=WHOLE[9].hash)])
    assert report.ok
    assert (report.entries, report.head, report.why) == (ENTRIES, HEAD, "")
    assert chain.verify([]).ok


def test_a_part_is_verified_from_a_trusted_start() -> None:
    start = Checkpoint(number=100, hash=WHOLE[99].hash)
    report = chain.verify(WHOLE[100:], start=start, checkpoints=[HEAD])
    assert report.ok
    assert report.entries == ENTRIES - 100
    assert chain.verify(WHOLE[100:], start=msgspec.structs.replace(start, hash=bytes(32))).broken == 101
    assert not chain.verify([], start=start, checkpoints=[msgspec.structs.replace(start, hash=bytes(32))]).ok


def test_checkpoints_that_contradict_each_other_are_told() -> None:
    report = chain.verify(WHOLE, checkpoints=[HEAD, msgspec.structs.replace(HEAD, hash=bytes(32))])
    assert (report.ok, report.why) == (False, "two checkpoints contradict each other")


@pytest.mark.campaign(18)
def test_every_changed_byte_of_every_entry_is_found() -> None:
    """Of 1,000 exported entries, every byte of each fifth (the long form: of all), one bit flipped (a different bit at each place)."""
    previous: Checkpoint | None = None
    flips = 0
    for entry in WHOLE:
        line = export_line(entry)
        assert verify_lines([line], start=previous).ok
        for place in range(len(line) if LONG or entry.number % 5 == 0 else 0):
            changed = bytearray(line)
            changed[place] ^= 1 << (place + entry.number) % 8
            assert verify_lines([bytes(changed)], start=previous).broken == entry.number
            flips += 1
        previous = Checkpoint(number=entry.number, hash=entry.hash)
    assert flips > (300_000 if LONG else 60_000)


@pytest.mark.campaign(18)
def test_a_deleted_entry_is_found() -> None:
    for i in range(ENTRIES - 1):
        if i % 25 == 0:
            assert broken_at(WHOLE[:i] + WHOLE[i + 1 :], HEAD) == i + 1


@pytest.mark.campaign(18)
def test_swapped_and_repeated_entries_are_found() -> None:
    for i in range(0, ENTRIES - 1, 25):
        swapped = WHOLE.copy()
        swapped[i], swapped[i + 1] = swapped[i + 1], swapped[i]
        assert broken_at(swapped) == i + 1
        assert broken_at(WHOLE[: i + 1] + WHOLE[i:]) == i + 2


@pytest.mark.campaign(18)
def test_a_truncated_chain_is_found_against_a_checkpoint_only() -> None:
    for kept in range(0, ENTRIES, 50):
        assert broken_at(WHOLE[:kept]) is None
        report = chain.verify(WHOLE[:kept], checkpoints=[HEAD])
        assert (report.broken, report.why) == (kept + 1, f"missing: a checkpoint saw entry {ENTRIES}")


@pytest.mark.campaign(18)
def test_a_fork_is_found_against_a_checkpoint_only() -> None:
    """Somebody who can rewrite everything from entry 500 on makes a chain that holds in itself."""
    forged = WHOLE[:500]
    for entry in WHOLE[500:]:
        forged.append(chain.link(forged[-1], msgspec.structs.replace(entry.event, actor="ST_EVIL")))
    assert broken_at(forged) is None
    report = chain.verify(forged, checkpoints=[Checkpoint(number=700, hash=WHOLE[699].hash), HEAD])
    assert (report.broken, report.why) == (700, "is not the entry that the checkpoint saw")


def test_a_changed_entry_with_its_own_hash_made_right_breaks_the_next() -> None:
    changed = WHOLE.copy()
    changed[4] = chain.link(WHOLE[3], msgspec.structs.replace(WHOLE[4].event, actor="ST_EVIL"))
    report = chain.verify(changed)
    assert (report.broken, report.why) == (6, "does not follow from the entry before it")


def test_nothing_is_fed_after_a_break() -> None:
    verifier = chain.Verifier()
    assert not verifier.feed(WHOLE[1])
    assert not verifier.feed(WHOLE[0])
    assert verifier.report().why == "expected entry 1, found 2"


def test_an_entry_without_a_form_is_found() -> None:
    bad = msgspec.structs.replace(WHOLE[0], event=msgspec.structs.replace(WHOLE[0].event, actor="\ud800"))
    assert chain.verify([bad]).broken == 1


# ---- offline


@pytest.fixture
async def database(tmp_path: Path) -> Path:
    path = tmp_path / "audit #1.db"
    store = await open_store(f"sqlite:///{path}")
    async with store.begin() as tx:
        for entry in WHOLE[:20]:
            await tx.append_audit(entry.event)
    await store.close()
    return path


def change(database: Path, statement: str, *values: object) -> None:
    """As somebody does who can open the file: the trigger against mistakes is no obstacle."""
    connection = sqlite3.connect(database)
    with connection:
        connection.execute("DROP TRIGGER IF EXISTS audit_no_update")
        connection.execute("DROP TRIGGER IF EXISTS audit_no_delete")
        connection.execute(statement, values)
    connection.close()


async def test_a_database_and_its_export_hold(database: Path, tmp_path: Path) -> None:
    head = Checkpoint(number=20, hash=WHOLE[19].hash)
    assert verify_database(database, checkpoints=[head]).ok
    export = tmp_path / "audit.jsonl"
    export.write_bytes(b"".join(export_database(database)))
    report = verify_export(export, checkpoints=[head])
    assert (report.ok, report.entries) == (True, 20)
    tail = list(export_database(database, after=15))
    assert verify_lines(tail, start=Checkpoint(number=15, hash=WHOLE[14].hash)).entries == 5


async def test_the_audit_trail_cannot_be_changed_by_mistake(database: Path) -> None:
    connection = sqlite3.connect(database)
    for statement in ("UPDATE audit SET entry = ''", "DELETE FROM audit WHERE number = 3"):
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            connection.execute(statement)
    connection.close()


@pytest.mark.campaign(18)
@pytest.mark.parametrize(
    ("statement", "values", "broken"),
    [
        ("UPDATE audit SET entry = replace(entry, 'ST_4', 'ST_9') WHERE number = 5", (), 5),
        ("UPDATE audit SET entry = entry || ' ' WHERE number = 5", (), 5),
        ("UPDATE audit SET entry = ? WHERE number = 5", (b"\xff\xfe",), 5),
        ("UPDATE audit SET entry = 7 WHERE number = 5", (), 5),
        ("UPDATE audit SET hash = zeroblob(32) WHERE number = 5", (), 5),
        ("UPDATE audit SET hash = 'text' WHERE number = 5", (), 5),
        ("UPDATE audit SET previous = x'00' WHERE number = 5", (), 5),
        ("UPDATE audit SET number = 50 WHERE number = 5", (), 5),
        ("UPDATE audit SET number = 21 WHERE number = 20", (), 20),
        ("DELETE FROM audit WHERE number = 5", (), 5),
        ("DELETE FROM audit WHERE number = 20", (), 20),
        ("DELETE FROM audit", (), 1),
    ],
)
async def test_a_changed_database_is_found(database: Path, statement: str, values: tuple[object, ...], broken: int) -> None:
    change(database, statement, *values)
    assert verify_database(database, checkpoints=[Checkpoint(number=20, hash=WHOLE[19].hash)]).broken == broken


def test_a_checkpoint_is_written_and_read() -> None:
    assert read_checkpoint(checkpoint_text(HEAD)) == HEAD
    for text in ("", "1", "1:", ":", f"-1:{'0' * 64}", f"1:{'0' * 63}", f"1:{'A' * 64}", f"1:{'0' * 64}\n", f"x:{'0' * 64}"):
        with pytest.raises(Invalid):
            read_checkpoint(text)


async def test_a_broken_entry_is_not_exported(database: Path) -> None:
    change(database, "UPDATE audit SET entry = '{}' WHERE number = 5")
    with pytest.raises(Invalid):
        list(export_database(database))
    change(database, "UPDATE audit SET number = 50 WHERE number = 6")
    with pytest.raises(Invalid):
        list(export_database(database, after=6))


async def test_what_is_not_there_is_told(tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    other.write_bytes(b"not a database at all" * 100)
    for path in (tmp_path / "none.db", other):
        with pytest.raises(StoreUnavailable):
            verify_database(path)
    with pytest.raises(StoreUnavailable):
        verify_export(tmp_path / "none.jsonl")


async def test_reading_does_not_need_the_writer_to_stop(database: Path) -> None:
    store = await open_store(f"sqlite:///{database}")
    async with store.begin() as tx:
        await tx.append_audit(Records().event(seconds=at(0).second))
        assert verify_database(database).entries == 20
    assert verify_database(database).entries == 21
    await store.close()
