"""Shared memory that cannot change any more, and what is refused of it."""

import fcntl
import mmap
import os

import pytest

from verification.engine import frames
from verification.engine.frames import MAX_BLOCK_BYTES, put, take
from verification.errors import BadMessage


def test_parts_arrive_as_they_were() -> None:
    parts = take(put((b"first", memoryview(b"second").toreadonly(), bytes(10_000))), (5, 6, 10_000))
    assert [bytes(part) for part in parts] == [b"first", b"second", bytes(10_000)]
    assert all(part.readonly for part in parts)


def test_pixels_of_any_shape_are_bytes() -> None:
    shaped = memoryview(bytes(range(24))).cast("B", shape=[2, 4, 3])
    assert bytes(take(put((shaped,)), (24,))[0]) == bytes(range(24))


def test_nobody_can_change_it() -> None:
    block = put((b"sealed",))
    try:
        with pytest.raises(PermissionError):
            os.write(block, b"X")
        with pytest.raises(PermissionError):
            os.ftruncate(block, 1)
        with pytest.raises(PermissionError):
            mmap.mmap(block, 6)
    finally:
        os.close(block)


@pytest.mark.parametrize("parts", [(), (b"",)])
def test_nothing_is_not_handed_over(parts: tuple[bytes, ...]) -> None:
    with pytest.raises(ValueError, match="cannot be handed over"):
        put(parts)


def test_nor_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames, "MAX_BLOCK_BYTES", 100)
    with pytest.raises(ValueError, match="101 bytes"):
        put((bytes(60), bytes(41)))


@pytest.mark.parametrize("sizes", [(5,), (7,), (3, 4), (), (0,), (-1, 7), (MAX_BLOCK_BYTES + 1,)])
def test_sizes_that_are_not_its_own(sizes: tuple[int, ...]) -> None:
    block = put((b"sealed",))
    with pytest.raises(BadMessage):
        take(block, sizes)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.close(block)  # it was closed, whatever it was


def test_memory_that_can_still_change_is_refused() -> None:
    block = os.memfd_create("open", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.write(block, b"sealed")
    with pytest.raises(BadMessage, match="not sealed"):
        take(block, (6,))


SEALS = (fcntl.F_SEAL_SEAL, fcntl.F_SEAL_SHRINK, fcntl.F_SEAL_GROW, fcntl.F_SEAL_WRITE)


@pytest.mark.parametrize("missing", SEALS)
def test_every_seal_is_needed(missing: int) -> None:
    """With three of four it could still be written, cut, made longer, or sealed otherwise."""
    for wanted, right in ((sum(SEALS) - missing, False), (sum(SEALS), True)):
        block = os.memfd_create("nearly", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        os.write(block, b"sealed")
        fcntl.fcntl(block, fcntl.F_ADD_SEALS, wanted)
        if right:
            assert bytes(take(block, (6,))[0]) == b"sealed"
        else:
            with pytest.raises(BadMessage, match="not sealed"):
                take(block, (6,))


def test_a_file_or_a_pipe_is_refused() -> None:
    reading, writing = os.pipe()
    os.close(writing)
    with pytest.raises(BadMessage, match="no shared memory"):
        take(reading, (6,))


def test_what_cannot_be_sealed_is_not_left_open(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []
    create = os.memfd_create
    monkeypatch.setattr(os, "memfd_create", lambda name, flags: made.append(create(name, os.MFD_CLOEXEC)) or made[-1])
    with pytest.raises(PermissionError):
        put((b"x",))
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.close(made[0])
