"""What a share has written down when the store fails: a yes is none, all else is tried again, in its order."""

import asyncio
from typing import Any

import pytest

from server.cobrowse.messages import ActKind, Scope
from server.cobrowse.orders import Begin, Note, Noted, Record
from server.domain.ids import ParticipantId, SessionId
from server.domain.model import ConsentDecision, Language
from server.errors import StoreUnavailable
from server.live.cobrowse import journal as journals
from server.live.cobrowse.journal import Entry, Journal

WITHIN_S = 30.0


class Records:
    """Fails as often as ``failures``."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.written: list[Entry] = []

    async def write(self, *where: object) -> None:
        what: Any = where[-1]
        if self.failures:
            self.failures -= 1
            raise StoreUnavailable("down")
        self.written += what


def record(number: int, decision: ConsentDecision) -> Record:
    return Record(number=number, viewer="PA_X", scope=Scope.VIEW, decision=decision, rules="0" * 64)


def note(what: Noted) -> Note:
    return Note(what=what, details={})


def made(records: Records) -> tuple[Journal, list[tuple[int, bool]]]:
    stored: list[tuple[int, bool]] = []
    which: Any = records
    return Journal(
        which,
        SessionId("SE_X"),
        ParticipantId("PA_C"),
        Language.ZH,
        "SH_X",
        lambda one, ok: stored.append((one.number, ok)),
    ), stored


async def finished(journal: Journal) -> None:
    async with asyncio.timeout(WITHIN_S):
        while (task := journal.task) is not None:
            await asyncio.wait([task])


async def test_what_is_stored_is_told() -> None:
    records = Records(0)
    journal, stored = made(records)
    what = [record(1, ConsentDecision.GIVEN), note(Noted.PAUSED), record(2, ConsentDecision.WITHDRAWN)]
    for one in what:
        journal.add(one)
    await finished(journal)
    assert records.written == what
    assert stored == [(1, True), (2, True)]


async def test_a_yes_that_cannot_be_stored_is_none_and_all_else_comes_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journals, "RETRY_S", 0.0)
    records = Records(3)
    journal, stored = made(records)
    no, paused = record(2, ConsentDecision.WITHDRAWN), note(Noted.PAUSED)
    for one in (record(1, ConsentDecision.GIVEN), paused, no):
        journal.add(one)
    await finished(journal)
    assert records.written == [paused, no]
    assert stored == [(1, False), (2, True)]


async def test_an_act_that_cannot_be_stored_is_not_tried_again_and_those_after_it_keep_their_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(journals, "RETRY_S", 0.0)
    records = Records(1)
    journal, stored = made(records)
    paused = note(Noted.PAUSED)
    acts = [Begin(number=number, viewer="PA_X", kind=ActKind.FILL) for number in range(1, 5)]
    for one in (acts[0], paused, acts[1]):
        journal.add(one)
    while not stored:  # noqa: ASYNC110 - the journal has no event for it
        await asyncio.sleep(0)
    journal.add(acts[2])
    journal.add(acts[3])
    await finished(journal)
    assert records.written == [paused, *acts[2:]]
    assert stored == [(1, False), (2, False), (3, True), (4, True)]


async def test_what_waits_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journals, "MOST_WAITING", 2)
    records = Records(0)
    journal, stored = made(records)
    for number in range(1, 5):
        journal.add(record(number, ConsentDecision.GIVEN))
    await finished(journal)
    await asyncio.sleep(0)
    assert sorted(stored) == [(1, True), (2, True), (3, False), (4, False)]


async def test_what_is_left_at_the_end_is_let_go_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journals, "RETRY_S", 60.0)
    records = Records(1_000_000)
    journal, _ = made(records)
    journal.add(note(Noted.ENDED))
    await journal.close(0.05)
    assert journal.task is None
    assert records.written == []
