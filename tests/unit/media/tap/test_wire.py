"""The records and messages of a tap: read back as written, and what is none is refused."""

import contextlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media import control
from media.errors import ControlError
from media.tap import wire
from media.tap.wire import Kind, Over, Picture, Ready, Start

NONCE = bytes(16)


@given(st.sampled_from(Kind), st.binary(max_size=1500), st.booleans(), st.integers(0, 0xFFFF), st.integers(0, 0xFFFFFFFF), st.integers(0, 2**63))  # fmt: skip
def test_a_record_is_read_as_it_was_written(kind: Kind, rest: bytes, marker: bool, seq: int, ts: int, at_us: int) -> None:
    assert wire.read(wire.pack(kind, rest, marker=marker, seq=seq, ts=ts, stream=7, at_us=at_us)) == (
        kind, marker, seq, ts, 7, at_us, rest,
    )  # fmt: skip


@given(st.binary(max_size=3000))
def test_any_datagram_is_a_record_or_none(data: bytes) -> None:
    record = wire.read(data)
    assert record is None or (record.kind in Kind and len(data) >= wire.HEADER.size)


def test_too_long_too_short_and_of_no_kind() -> None:
    assert wire.read(bytes(19)) is None
    assert wire.read(wire.pack(Kind.PACKET, bytes(wire.MAX_RECORD_BYTES))) is None
    assert wire.read(b"\x09" + wire.pack(Kind.PACKET, b"x")[1:]) is None


@pytest.mark.parametrize(
    "fields",
    [{"nonce": bytes(15)}, {"nonce": bytes(257)}, {"fps": 0}, {"fps": 15.1}, {"frames": 0}, {"frames": 1801}, {"seconds": 0},
     {"seconds": 180.5}, {"height": 8}, {"height": 5000}],
)  # fmt: skip
def test_bounds_of_a_start(fields: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"bytes|at most|lines"):
        Start(**{"nonce": NONCE, **fields})  # type: ignore[arg-type]


def test_messages_are_read_as_they_were_written() -> None:
    start = Start(NONCE, 10.0, 20, 30.0, 480)
    assert wire.decode_start(control.encode(start)[4:]) == start
    for message in (Ready(("limits",)), Picture(0, 1, 2, 640, 480, bytes(32), NONCE, 3), Over("done", 1, 2, 3, 4)):
        assert wire.decode_from_decoder(control.encode(message)[4:]) == message


@pytest.mark.parametrize(
    ("width", "height", "sha256", "index"),
    [(0, 480, bytes(32), 0), (4000, 4000, bytes(32), 0), (5000, 1, bytes(32), 0), (2, 2, bytes(31), 0), (2, 2, bytes(32), -1)],
)
def test_a_picture_that_cannot_be_is_refused(width: int, height: int, sha256: bytes, index: int) -> None:
    with pytest.raises(ControlError):
        wire.decode_from_decoder(control.encode(Picture(index, 1, 2, width, height, sha256, NONCE))[4:])


@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_refused(data: bytes) -> None:
    for read in (wire.decode_from_decoder, wire.decode_start):
        with contextlib.suppress(ControlError):
            read(data)


def test_a_start_past_its_bounds_is_refused_by_the_decoder_too() -> None:
    with pytest.raises(ControlError):
        wire.decode_start(control.encode(Start(NONCE))[4:].replace(struct.pack("!d", 15.0), struct.pack("!d", 99.0)))
