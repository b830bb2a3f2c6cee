"""The journal of erasures: what was written is read, a line that was not written whole was never there, any other change stops."""

import asyncio
import hashlib
import os
from pathlib import Path

import msgspec
import pytest

from server.audit.receipts import ReceiptSigner, read_receipt
from server.auth.keys import from_secret
from server.domain.ids import CaseId
from server.erasures import FileJournal, JournalBroken
from server.errors import DependencyError, Invalid
from server.services.erasure_ports import Erasure
from tests.support.records import at

KEYS = from_secret("a secret of the tests, long enough to be one").audit


def erasure(number: int) -> Erasure:
    return Erasure(
        id=f"ER_{number}", at=at(number), actor="ST_1", request="r-1", cases=(CaseId(f"VE_{number}"),), templates=(), sessions=(), recordings=(),
    )  # fmt: skip


async def test_what_is_written_is_read_by_the_next(tmp_path: Path) -> None:
    path = tmp_path / "erasures.jsonl"
    assert await FileJournal(path).all() == []
    for number in range(3):
        await FileJournal(path).append(erasure(number))
    assert await FileJournal(path).all() == [erasure(number) for number in range(3)]
    assert path.stat().st_mode & 0o777 == 0o600


async def test_servers_that_share_it_write_one_after_the_other(tmp_path: Path) -> None:
    path = tmp_path / "erasures.jsonl"
    one, other = FileJournal(path), FileJournal(path)
    await one.append(erasure(0))
    await other.append(erasure(1))
    await asyncio.gather(*(journal.append(erasure(number)) for number, journal in enumerate([one, other] * 10, 2)))
    await other.finish("ER_0")
    await one.append(erasure(99))
    read = await one.all()
    assert [found.id for found in read[:2]] == ["ER_0", "ER_1"]
    assert {found.id for found in read} == {f"ER_{number}" for number in [*range(22), 99]}
    assert [found.id for found in read if found.done] == ["ER_0"]


async def test_the_end_of_one_is_written_too(tmp_path: Path) -> None:
    path = tmp_path / "erasures.jsonl"
    journal = FileJournal(path)
    for number in range(2):
        await journal.append(erasure(number))
    await journal.finish("ER_1")
    await journal.append(erasure(2))
    read = await FileJournal(path).all()
    assert [(one.id, one.done) for one in read] == [("ER_0", False), ("ER_1", True), ("ER_2", False)]
    assert msgspec.structs.replace(read[1], done=False) == erasure(1)
    await journal.finish("ER_9")  # of nothing
    with pytest.raises(JournalBroken):
        await FileJournal(path).all()


async def test_lines_that_say_nothing_of_whom_are_read(tmp_path: Path) -> None:
    """As they were written before that stood in them."""
    path = tmp_path / "erasures.jsonl"
    form = b'{"id":"ER_1","at":"2026-11-22T19:40:11Z","actor":"ST_1","request":"","cases":["VE_1"],"templates":[],"sessions":[],"recordings":[]}'
    path.write_bytes(b'{"hash":"%s","erasure":%s}\n' % (hashlib.sha256(form).hexdigest().encode(), form))
    [read] = await FileJournal(path).all()
    assert (read.id, read.customer, read.done) == ("ER_1", "", False)


@pytest.mark.campaign(19)
async def test_cut_or_changed_anywhere(tmp_path: Path) -> None:
    path = tmp_path / "erasures.jsonl"
    for number in range(2):
        await FileJournal(path).append(erasure(number))
    whole = path.read_bytes()
    first = whole.index(b"\n") + 1
    for end in range(len(whole)):
        path.write_bytes(whole[:end])
        assert await FileJournal(path).all() == ([erasure(0)] if end >= first else [])
        await FileJournal(path).append(erasure(9))
        assert (await FileJournal(path).all())[-1] == erasure(9)
    for place in range(len(whole) - 1):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(JournalBroken):
            await FileJournal(path).all()
    path.write_bytes(whole[first:])
    with pytest.raises(JournalBroken):
        await FileJournal(path).append(erasure(3))


async def test_a_disk_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = FileJournal(tmp_path / "erasures.jsonl")
    await journal.append(erasure(0))
    real = os.write

    def half(descriptor: int, data: bytes) -> int:
        return real(descriptor, data[:10])

    monkeypatch.setattr(os, "write", half)
    with pytest.raises(DependencyError):
        await journal.append(erasure(1))
    monkeypatch.setattr(os, "write", real)
    await journal.append(erasure(2))
    assert await journal.all() == [erasure(0), erasure(2)]


def test_a_receipt_is_read_and_a_changed_one_is_none() -> None:
    signer = ReceiptSigner(KEYS.signing_key, KEYS.kid, issuer="https://bank.example")
    text = signer.sign("ER_1", "c-7", at(0), {"cases": 2})
    assert read_receipt(text, KEYS.verify_keys) == ("ER_1", "c-7", at(0).replace(microsecond=0), {"cases": 2})
    for place in range(len(text)):
        changed = text[:place] + ("A" if text[place] != "A" else "B") + text[place + 1 :]
        with pytest.raises(Invalid):
            read_receipt(changed, KEYS.verify_keys)
    other = from_secret("another secret of the tests, long enough").audit
    with pytest.raises(Invalid):
        read_receipt(text, other.verify_keys)
