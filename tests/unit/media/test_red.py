"""Redundant audio: what is written is read back, what is not of its form is refused, whatever the bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.wire.red import MAX_REDUNDANT, Block, Red, reach, read, renumbered

OPUS = 111


def built(primary: bytes, *redundant: tuple[int, bytes], payload_type: int = OPUS) -> bytes:
    """``redundant``: (offset, block), the oldest first."""
    heads = b"".join(
        (((0x80 | payload_type) << 24) | offset << 10 | len(block)).to_bytes(4, "big") for offset, block in redundant
    )
    return heads + bytes((payload_type,)) + b"".join(block for _, block in redundant) + primary


offsets = st.lists(st.integers(1, 0x3FFF), max_size=MAX_REDUNDANT, unique=True).map(lambda found: sorted(found, reverse=True))
block = st.one_of(st.binary(max_size=40), st.just(bytes(1023)))


@given(primary=st.binary(min_size=1, max_size=80), offsets=offsets, data=st.data(), number=st.integers(0, 127))
def test_what_was_written_is_read(primary: bytes, offsets: list[int], data: st.DataObject, number: int) -> None:
    redundant = [(offset, data.draw(block)) for offset in offsets]
    payload = built(primary, *redundant)
    found = read(memoryview(payload), OPUS)
    assert found is not None
    assert payload[found.primary :] == primary
    assert [(b.offset, payload[b.start : b.end]) for b in found.blocks] == redundant
    assert reach(payload) == (len(offsets), max(offsets, default=0))
    assert renumbered(payload, OPUS) is payload
    other = renumbered(payload, number)
    assert other == built(primary, *redundant, payload_type=number)
    assert read(other, number) == found


@given(payload=st.binary(max_size=60), number=st.integers(0, 127))
def test_any_bytes_are_read_or_refused(payload: bytes, number: int) -> None:
    found = read(payload, number)
    if found is not None:
        assert 0 < found.primary < len(payload)
        assert all(0 < b.start <= b.end <= found.primary for b in found.blocks)
        redundant = [(b.offset, payload[b.start : b.end]) for b in found.blocks]
        assert built(payload[found.primary :], *redundant, payload_type=number) == payload


@given(cut=st.integers(0, 60))
def test_what_is_cut_is_refused_or_shorter_in_its_last_block(cut: int) -> None:
    payload = built(b"new", (1920, b"oldest"), (960, b"old"))
    found = read(payload[:cut], OPUS)
    assert (found is not None) == (cut > len(payload) - 3)


def test_the_primary_encoding_alone() -> None:
    assert read(built(b"x"), OPUS) == Red(1, ())


def test_offsets_and_lengths_at_their_ends() -> None:
    assert read(built(b"x", (0x3FFF, b""), (1, bytes(1023))), OPUS) == Red(
        9 + 1023, (Block(0x3FFF, 9, 9), Block(1, 9, 9 + 1023))
    )


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        built(b""),
        built(b"", (960, b"old")),
        built(b"x", (0, b"same time")),
        built(b"x", (960, b"a"), (960, b"b")),
        built(b"x", (960, b"a"), (1920, b"b")),
        built(b"x", *((9600 - 960 * n, b"a") for n in range(MAX_REDUNDANT + 1))),
        built(b"x", (960, b"a"), payload_type=63),  # redundant itself
        built(b"x", (960, b"a"))[:4] + b"\x3f" + b"ax",  # the primary one is redundant itself
        bytes((0x80 | OPUS, 0, 4)),
        bytes((0x80 | OPUS, 15, 0, 200, OPUS)) + b"short",
        bytes((0x80 | OPUS, 15, 0, 1)) * 3,
    ],
)
def test_what_is_refused(payload: bytes) -> None:
    assert read(payload, OPUS) is None
