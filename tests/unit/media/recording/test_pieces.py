"""From records to pictures and voices: order, loss, layers, gates."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.recording.errors import RecordingError
from media.recording.play.clock import SenderClock, TrackClock
from media.recording.play.pieces import LOST_ITS_WAY, MAX_STREAMS, Blank, Piece, Pieces, opus_samples
from media.recording.records import Kind, Record
from tests.support.recordings import header, rtp, vp8

CLOCK = 90000


def pieces(kind: str = "video") -> Pieces:
    made = header(kind=kind)
    return Pieces(made, TrackClock(made.clock_rate, [], SenderClock([])))


def packet(
    number: int, *, key: bool = False, ssrc: int = 7, at_us: int | None = None, layer: int = 0, seq: int | None = None
) -> Record:
    """A picture of one packet, 33 ms after the one before."""
    at = number * 33_000 if at_us is None else at_us
    data = rtp(number if seq is None else seq, number * 2970, vp8(key=key) + bytes((number & 255,)), ssrc=ssrc, marker=True)
    return Record(Kind.RTP, layer, at, data)


def numbers(found: list[Piece | Blank]) -> list[int]:
    """Which pictures; -1 for nothing."""
    return [piece.data[-1] if isinstance(piece, Piece) else -1 for piece in found]


def read(records: list[Record], kind: str = "video") -> list[int]:
    return numbers(list(pieces(kind).read(records)))


def test_pictures_come_in_order_with_times_that_go_up() -> None:
    records = [packet(0, key=True), packet(2), packet(1, at_us=70_000), packet(3)]
    found = list(pieces().read(records))
    assert numbers(found) == [0, 1, 2, 3]
    times = [piece.time_us for piece in found]
    assert times == sorted(set(times))
    assert [isinstance(piece, Piece) and piece.key for piece in found] == [True, False, False, False]


def test_before_the_first_key_frame_there_is_nothing() -> None:
    made = pieces()
    assert numbers(list(made.read([packet(0), packet(1), packet(2, key=True), packet(3)]))) == [2, 3]
    assert made.dropped == 2


def test_after_a_loss_nothing_until_the_next_key_frame() -> None:
    lost = [packet(n, key=n % 50 == 0) for n in range(120) if n != 20]
    assert read(lost) == [*range(20), *range(50, 120)]


def test_what_comes_late_but_in_time_is_no_loss() -> None:
    records = [packet(n, key=n == 0) for n in range(40) if n != 20]
    records.insert(30, packet(20, at_us=31 * 33_000))
    assert read(records) == list(range(40))


def test_behind_a_gate_there_is_nothing_and_then_a_key_frame_is_needed() -> None:
    records = [
        packet(0, key=True),
        Record(Kind.GATE_SHUT, 0, 40_000, b""),
        Record(Kind.GATE_OPEN, 0, 900_000, b""),
        packet(30),
        packet(31, key=True),
        packet(32),
    ]
    assert read(records) == [0, -1, 31, 32]
    records[1] = Record(Kind.PAUSE, 0, 40_000, b"")
    assert read(records) == [0, -1, 31, 32]


def test_another_encoding_is_shown_from_its_key_frame_on() -> None:
    records = []
    for n in range(10):
        records.append(packet(n, key=n == 0))
        if n >= 3:
            records.append(packet(n + 100, key=n == 5, ssrc=9, at_us=n * 33_000 + 1000, layer=1))
    assert read(records) == [0, 1, 2, 3, 4, 5, *range(105, 110)]


def test_numbers_that_begin_anew_are_followed() -> None:
    records = [packet(n, key=n == 0, seq=20_000 + n) for n in range(10)]
    records += [packet(n, key=n == 100, seq=n) for n in range(10, 110 + LOST_ITS_WAY)]
    assert read(records)[:10] == list(range(10))
    assert read(records)[-1] == (109 + LOST_ITS_WAY) & 255


def test_many_streams_are_bounded() -> None:
    made = pieces()
    for n in range(3 * MAX_STREAMS):
        assert len(list(made.feed(packet(n, key=True, ssrc=n)))) == 1
    assert len(made._streams) == MAX_STREAMS


def test_voices_need_no_key() -> None:
    records = [Record(Kind.RTP, 0, n * 20_000, rtp(n, n * 960, bytes((0xF8, n)))) for n in (0, 1, 3, 4)]
    found = list(pieces("audio").read(records))
    assert numbers(found) == [0, 1, 3, 4]
    assert [piece.time_us for piece in found] == [pytest.approx(at, abs=10) for at in (0, 20_000, 60_000, 80_000)]


def test_what_nobody_can_play_is_refused() -> None:
    made = header(kind="events")
    with pytest.raises(RecordingError, match="cannot_play"):
        Pieces(made, TrackClock(90000, [], SenderClock([])))


@pytest.mark.parametrize(
    ("packet_bytes", "samples"),
    [
        (b"", 0),
        (b"\xf8", 960),
        (b"\xe0", 120),
        (b"\x60", 480),
        (b"\x68", 960),
        (b"\x18", 2880),
        (b"\xf9", 1920),
        (b"\xfb\x03", 2880),
        (b"\xfb", 0),
        (b"\x1b\x06", 0),
    ],
)
def test_how_long_a_voice_packet_lasts(packet_bytes: bytes, samples: int) -> None:
    assert opus_samples(packet_bytes) == samples


@given(
    st.lists(
        st.tuples(st.integers(0, 9), st.integers(0, 200), st.integers(0, 2**16 - 1), st.binary(max_size=40)),
        max_size=60,
    )
)
def test_any_records_give_rising_times(told: list[tuple[int, int, int, bytes]]) -> None:
    last = -1
    at = 0
    for kind, ahead, seq, data in told:
        at += ahead * 1000
        payload = struct.pack("!BBHII", 0x80, 96, seq, seq * 3000 & 0xFFFFFFFF, kind % 3) + data
        records = [Record(kind, 0, at, payload if kind <= 1 else data)]
        made = pieces()
        for piece in made.read(records):
            assert piece.time_us >= 0
    made = pieces()
    at = 0
    for kind, ahead, seq, data in told:
        at += ahead * 1000
        payload = struct.pack("!BBHII", 0x80, 96, seq, seq * 3000 & 0xFFFFFFFF, kind % 3) + data
        for piece in made.feed(Record(Kind.RTP if kind > 3 else kind, 0, at, payload if kind > 3 or kind == 1 else data)):
            assert piece.time_us > last
            last = piece.time_us
