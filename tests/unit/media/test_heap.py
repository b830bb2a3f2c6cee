"""Freed memory goes back to the system: at once when nobody is there, else now and then."""

from pathlib import Path

import pytest

from media import heap
from media.heap import INTERVAL_S, Heap


@pytest.fixture
def trimmed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    pads: list[int] = []
    monkeypatch.setattr(heap, "_trim", pads.append)
    return pads


def test_nothing_is_done_where_nothing_was_freed(trimmed: list[int]) -> None:
    Heap().give_back(0.0, idle=True)
    assert trimmed == []


def test_an_idle_process_gives_back_at_once_and_once(trimmed: list[int]) -> None:
    mine = Heap()
    for now in (1.0, 1.1):
        mine.freed()
        mine.give_back(now, idle=True)
        mine.give_back(now, idle=True)
    assert trimmed == [0, 0]
    assert mine.trims == 2


def test_a_busy_process_gives_back_now_and_then(trimmed: list[int]) -> None:
    mine = Heap()
    for now in (0.0, 1.0, INTERVAL_S - 0.1):
        mine.freed()
        mine.give_back(now, idle=False)
    assert trimmed == [0]
    mine.give_back(INTERVAL_S, idle=False)
    assert trimmed == [0, 0]


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heap, "_trim", None)
    mine = Heap()
    mine.freed()
    mine.give_back(0.0, idle=True)
    assert mine.trims == 0


def resident_kib() -> int:
    return int(next(line.split()[1] for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmRSS")))


@pytest.mark.skipif(heap._trim is None, reason="not glibc")
def test_memory_between_used_pieces_goes_back() -> None:
    pieces = [bytes(60_000) for _ in range(1000)]
    kept = pieces[::10]
    del pieces
    before = resident_kib()
    mine = Heap()
    mine.freed()
    mine.give_back(0.0, idle=True)
    assert resident_kib() < before - 40_000
    assert len(kept) == 100
