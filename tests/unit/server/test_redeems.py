"""The journal of redeemed decisions: what was written is read, a last line that was not written whole was never there, any other change stops."""

import asyncio
import hashlib
import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.errors import DependencyError
from server.redeems import FileRedeems, RedeemsBroken
from server.services.redeem_ports import HOLDS
from tests.support.records import at

NAMES = [hashlib.sha256(bytes([number])).hexdigest() for number in range(40)]


async def written(path: Path, count: int) -> bytes:
    journal = FileRedeems(path)
    for number in range(count):
        assert await journal.append(NAMES[number], at(number))
    return await asyncio.to_thread(path.read_bytes)


async def test_what_is_written_is_read_by_the_next_and_once(tmp_path: Path) -> None:
    path = tmp_path / "redeems.jsonl"
    assert await FileRedeems(path).tidy(at(0)) == {}
    assert await FileRedeems(path).find(NAMES[0]) is None
    await written(path, 3)
    again = FileRedeems(path)
    assert await again.tidy(at(5)) == {NAMES[number]: at(number) for number in range(3)}
    assert await again.find(NAMES[1]) == at(1)
    assert not await again.append(NAMES[1], at(9))
    assert await again.find(NAMES[1]) == at(1)
    assert path.stat().st_mode & 0o777 == 0o600


async def test_what_holds_no_more_is_dropped_while_others_write(tmp_path: Path) -> None:
    path = tmp_path / "redeems.jsonl"
    one, other = FileRedeems(path), FileRedeems(path)
    await asyncio.gather(*((one, other)[number % 2].append(NAMES[number], at(number)) for number in range(20)))
    later = at(9) + HOLDS
    assert set(await one.tidy(later)) == set(NAMES[10:20])
    await asyncio.gather(
        one.tidy(later),
        other.tidy(later),
        *((one, other)[number % 2].append(NAMES[number], at(number)) for number in range(20, 40)),
    )
    for journal in (one, other, FileRedeems(path)):
        assert set(await journal.tidy(later)) == set(NAMES[10:])
    assert await other.find(NAMES[3]) is None


@given(
    whole=st.integers(0, 4),
    kept=st.integers(0, 300),
    tail=st.binary(max_size=40).filter(lambda data: b"\n" not in data),
    end=st.booleans(),
)
def test_any_tail_that_was_not_written_whole_was_never_there(whole: int, kept: int, tail: bytes, end: bool) -> None:
    async def look() -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "redeems.jsonl"
            more = await written(path, whole + 1)
            start = len(b"\n".join(more.split(b"\n")[:whole])) + (whole > 0)
            torn = more[start : start + min(kept, len(more) - start - 2)] + tail + (b"\n" if end else b"")
            path.write_bytes(more[:start] + torn)
            assert await FileRedeems(path).tidy(at(9)) == {NAMES[number]: at(number) for number in range(whole)}
            assert await FileRedeems(path).append(NAMES[9], at(9))
            assert set(await FileRedeems(path).tidy(at(9))) == {*NAMES[:whole], NAMES[9]}

    asyncio.run(look())


async def test_changed_anywhere_but_in_the_last_line_it_stops(tmp_path: Path) -> None:
    path = tmp_path / "redeems.jsonl"
    whole = await written(path, 3)
    last = whole.rindex(b"\n", 0, -1) + 1
    for place in range(last - 1):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(RedeemsBroken, match=r"Line [12] of"):
            await FileRedeems(path).tidy(at(5))
    path.write_bytes(whole[whole.index(b"\n") + 1 :])
    with pytest.raises(RedeemsBroken, match="Line 1 of"):
        await FileRedeems(path).find(NAMES[0])


async def test_a_disk_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = FileRedeems(tmp_path / "redeems.jsonl")
    await journal.append(NAMES[0], at(0))
    real = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: real(descriptor, data[:10]))
    with pytest.raises(DependencyError):
        await journal.append(NAMES[1], at(1))
    with pytest.raises(DependencyError):
        await journal.find(NAMES[2])  # before anything is redeemed
    monkeypatch.setattr(os, "write", real)
    assert await journal.find(NAMES[1]) is None
    assert await journal.append(NAMES[2], at(2))
    assert await FileRedeems(tmp_path / "redeems.jsonl").tidy(at(5)) == {NAMES[0]: at(0), NAMES[2]: at(2)}
