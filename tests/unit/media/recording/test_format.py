"""The container: what is written is read again, and whatever is changed, cut, moved or foreign is found and named."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.recording.check import NOT_TAMPERING, TrackCheck, What, check_track, load_header, salvage, walk
from media.recording.errors import RecordingFormatError, RecordingKeyError
from media.recording.format import (
    MAX_PLAIN_BYTES,
    SEGMENT_HEAD_BYTES,
    TrackCipher,
    TrackSealer,
    check_id,
    file_name,
    header_size,
    peek_header,
    read_file_name,
    read_header,
    read_segment,
)
from media.recording.records import Record, pack, unpack
from tests.support.recordings import DATA_KEY, header, segments, track

PIECES = track(segments(5))
WHOLE = b"".join(PIECES)


def reader(data: bytes):  # type: ignore[no-untyped-def]
    return lambda at, size: data[at : at + size]


def check(
    data: bytes, *, others: Sequence[TrackCipher] = (), key: bytes = DATA_KEY, name: tuple[str, int] = ("TR_1", 0)
) -> TrackCheck:
    return check_track(reader(data), len(data), key, file_name(*name), "RE_1", *name, others)


def whats(checked: TrackCheck) -> list[tuple[int, What]]:
    return [(finding.segment, finding.what) for finding in checked.findings]


def test_a_whole_file_has_nothing_wrong() -> None:
    checked = check(WHOLE)
    assert checked.findings == ()
    assert (checked.segments, checked.records, checked.closed, checked.whole_bytes) == (6, 10, True, len(WHOLE))
    assert (checked.first_us, checked.last_us) == (0, 180_000)


records = st.lists(
    st.builds(
        Record,
        kind=st.integers(1, 255),
        layer=st.integers(0, 255),
        time_us=st.integers(0, 1 << 53),
        payload=st.binary(max_size=200),
    ),
    max_size=20,
)


@given(st.lists(records, max_size=5), st.binary(min_size=32, max_size=32))
def test_round_trip(written: list[list[Record]], key: bytes) -> None:
    sealer = TrackSealer(header(key=key), key)
    data = sealer.cipher.opening
    for each in written:
        plain = b"".join(pack(r.kind, r.time_us, r.payload, r.layer) for r in each)
        times = [r.time_us for r in each] or [0]
        sealed = sealer.seal(plain, min(times), max(times), len(each))
        assert sealer.written(sealed).records == len(each)
        data += sealed
    sealed = sealer.seal(b"", 0, 0, 0, final=True)
    sealer.written(sealed)
    data += sealed
    cipher = load_header(reader(data), key)
    assert cipher.header == header(key=key)
    found = list(walk(reader(data), len(data), cipher))
    assert [list(unpack(each.plain)) for each in found] == [*written, []]
    assert found[-1].hash == sealer.head
    checked = check(data, key=key)
    assert checked.findings == ()
    assert checked.records == sealer.records == sum(map(len, written))


def segment_of(offset: int) -> int:
    """Which segment a byte of ``WHOLE`` belongs to; -1 for the header."""
    end = 0
    for number, piece in enumerate(PIECES):
        end += len(piece)
        if offset < end:
            return number - 1
    raise AssertionError


def test_every_flipped_bit_is_found_in_its_segment() -> None:
    for offset in range(len(WHOLE)):
        for bit in (0, 3, 7) if offset % 5 else range(8):
            changed = bytearray(WHOLE)
            changed[offset] ^= 1 << bit
            checked = check(bytes(changed))
            assert checked.findings, (offset, bit)
            assert any(f.what not in NOT_TAMPERING for f in checked.findings), (offset, bit, checked.findings)
            assert {f.segment for f in checked.findings} == {segment_of(offset)}, (offset, bit, checked.findings)
            if segment_of(offset) >= 0:
                assert checked.segments == segment_of(offset)


def test_cut_at_every_byte() -> None:
    ends = {sum(map(len, PIECES[: n + 1])): n for n in range(len(PIECES))}
    for size in range(len(WHOLE)):
        checked = check(WHOLE[:size])
        inside = segment_of(size)
        if inside < 0:
            assert whats(checked) == [(-1, What.TORN)], size
            continue
        assert whats(checked) == [(inside, What.OPEN if size in ends else What.TORN)], size
        assert checked.segments == inside
        assert not checked.closed
        cipher = load_header(reader(WHOLE[:size]), DATA_KEY)
        assert [each.header.number for each in walk(reader(WHOLE[:size]), size, cipher)] == list(range(inside))


def test_swapped_dropped_repeated() -> None:
    head, *parts = PIECES
    for i in range(len(parts)):
        dropped = check(head + b"".join(parts[:i] + parts[i + 1 :]))
        assert whats(dropped) == ([(i, What.OPEN)] if i == len(parts) - 1 else [(i, What.MISSING)])
        assert not dropped.closed
        repeated = check(head + b"".join(parts[: i + 1] + parts[i:]))
        assert whats(repeated) == ([(-1, What.INSERTED)] if i == len(parts) - 1 else [(i, What.REPEATED)])
        for j in range(i + 1, len(parts)):
            mixed = list(parts)
            mixed[i], mixed[j] = mixed[j], mixed[i]
            checked = check(head + b"".join(mixed))
            assert any(finding.what not in NOT_TAMPERING for finding in checked.findings)
            assert checked.segments == i
    two = check(head + b"".join([parts[0], *parts[3:]]))
    assert whats(two) == [(1, What.MISSING), (2, What.MISSING)]
    moved = check(head + b"".join([parts[0], parts[2], parts[1], *parts[3:]]))
    assert whats(moved) == [(1, What.MISSING), (1, What.MOVED)]


def test_what_still_opens_is_salvaged_in_order() -> None:
    opening, *sealed = PIECES
    cipher = load_header(reader(WHOLE), DATA_KEY)

    def left(*pieces: bytes) -> list[int]:
        data = opening + b"".join(pieces)
        return [each.header.number for each in salvage(reader(data), len(data), cipher)]

    changed = sealed[1][:90] + bytes((sealed[1][90] ^ 1,)) + sealed[1][91:]
    assert left(*sealed) == [0, 1, 2, 3, 4, 5]
    assert left(sealed[0], changed, *sealed[2:]) == [0, 2, 3, 4, 5]
    assert left(sealed[0], sealed[2], sealed[1], sealed[2], sealed[3]) == [0, 2, 3]
    assert left(b"no segment", sealed[3], sealed[5], sealed[4]) == [3, 5]
    assert left(sealed[0], sealed[1][:-1]) == [0]
    assert left() == []


def test_foreign_segments_and_files() -> None:
    other = header("TR_2")
    strange = track(segments(5), made=other)
    other_cipher = TrackCipher(other, DATA_KEY)
    head, *parts = PIECES
    replaced = head + parts[0] + strange[2] + b"".join(parts[2:])
    named = check(replaced, others=[other_cipher])
    assert whats(named) == [(1, What.FOREIGN)]
    assert "segment 1 of TR_2.0000.track" in named.findings[0].detail
    assert whats(check(replaced)) == [(1, What.CHANGED)]
    at_the_end = check(head + b"".join(parts[:-1]) + strange[-1], others=[other_cipher])
    assert whats(at_the_end) == [(5, What.FOREIGN)]
    between = check(head + parts[0] + b"x" * 100 + b"".join(parts[1:]))
    assert whats(between) == [(1, What.INSERTED)]
    assert whats(check(b"".join(strange))) == [(-1, What.FOREIGN)]
    elsewhere = header(recording="RE_2")
    assert whats(check(b"".join(track(segments(2), made=elsewhere)), key=DATA_KEY)) == [(-1, What.FOREIGN)]
    assert whats(check(WHOLE, name=("TR_1", 1))) == [(-1, What.FOREIGN)]
    again = track(segments(5), made=header(part=1))  # the same track after a crash: another key
    assert whats(check(head + again[1] + b"".join(parts[1:]), others=[TrackCipher(header(part=1), DATA_KEY)])) == [
        (0, What.FOREIGN)
    ]


def test_another_key() -> None:
    assert whats(check(WHOLE, key=bytes(32))) == [(-1, What.KEY)]
    with pytest.raises(RecordingKeyError, match="wrong_data_key"):
        read_header(WHOLE, bytes(32))


def test_what_a_power_cut_leaves() -> None:
    open_file = b"".join(PIECES[:-1])
    assert whats(check(open_file + bytes(500))) == [(5, What.TORN)]
    assert whats(check(open_file + b"x" * 500)) == [(5, What.CHANGED)]
    damaged = bytearray(WHOLE)
    at = sum(map(len, PIECES[:2])) + 80
    damaged[at : at + 20] = bytes(20)
    cut = bytes(damaged)[: -len(PIECES[-1]) - 10]
    assert whats(check(cut)) == [(1, What.CHANGED), (4, What.TORN)]
    torn = sum(map(len, PIECES[:2])) + 100
    head_only = bytearray(WHOLE[:torn])
    head_only[sum(map(len, PIECES[:2])) + 40] ^= 1  # the hash of the segment before, in a torn one
    assert whats(check(bytes(head_only))) == [(1, What.CHANGED)]


def test_a_long_file_of_nearly_segments_ends() -> None:
    head, *parts = PIECES
    junk = (b"TPSG" + parts[0][4:SEGMENT_HEAD_BYTES]) * 2500
    checked = check(head + parts[0] + junk + b"".join(parts[1:]))
    assert checked.segments == 1
    assert whats(checked)[0][1] in (What.CHANGED, What.INSERTED)


def test_a_sealer_never_uses_a_nonce_twice() -> None:
    sealer = TrackSealer(header(), DATA_KEY)
    first = sealer.seal(b"", 0, 0, 0)
    with pytest.raises(RecordingFormatError, match="track_closed"):
        sealer.seal(b"", 1, 1, 0)
    last = sealer.seal(b"", 0, 0, 0, final=True)  # after a segment that could not be written
    assert first[SEGMENT_HEAD_BYTES:] != last[SEGMENT_HEAD_BYTES:]
    with pytest.raises(RecordingFormatError, match="track_closed"):
        sealer.seal(b"", 0, 0, 0, final=True)
    sealer.written(last)
    with pytest.raises(RecordingFormatError, match="track_closed"):
        sealer.seal(b"", 0, 0, 0)
    with pytest.raises(RecordingFormatError, match="too_large"):
        TrackSealer(header(), DATA_KEY).seal(bytes(MAX_PLAIN_BYTES + 1), 0, 0, 0)


@given(st.binary(max_size=300))
def test_strange_bytes_raise_nothing_else(data: bytes) -> None:
    for call in (
        lambda: peek_header(data),
        lambda: header_size(data),
        lambda: list(unpack(data)),
        lambda: read_header(data, DATA_KEY),
    ):
        try:
            call()
        except RecordingFormatError:
            pass
    assert read_segment(data[:67]) is None
    check(data)
    check(WHOLE + data)
    check(WHOLE[: len(PIECES[0])] + data)


@given(st.data())
def test_any_change_is_found(data: st.DataObject) -> None:
    """Not only single bits: spans replaced, cut out, put in, anywhere."""
    start = data.draw(st.integers(0, len(WHOLE) - 1))
    stop = data.draw(st.integers(start, min(len(WHOLE), start + 300)))
    changed = WHOLE[:start] + data.draw(st.binary(max_size=300)) + WHOLE[stop:]
    checked = check(changed)
    if changed == WHOLE:
        assert checked.findings == ()
    else:
        assert checked.findings
        assert checked.segments <= max(segment_of(start), 0)


def test_headers_that_are_refused() -> None:
    for change in (
        {"part": 4096},
        {"salt": "00"},
        {"salt": "zz" * 16},
        {"clock_rate": 0},
        {"zero_wall_us": -1},
    ):
        fields = {name: getattr(header(), name) for name in header().__struct_fields__} | change
        with pytest.raises(ValueError):  # noqa: PT011
            type(header())(**fields)
    long = {name: getattr(header(), name) for name in header().__struct_fields__} | {"fmtp": "x" * 20_000}
    with pytest.raises(RecordingFormatError, match="header_too_large"):
        TrackCipher(type(header())(**long), DATA_KEY)
    for bad in ("", "../x", "a/b", ".a", "a" * 65, "a\n"):
        with pytest.raises(RecordingFormatError, match="bad_id"):
            check_id(bad)


def test_names() -> None:
    assert read_file_name(file_name("TR_1", 12)) == ("TR_1", 12)
    for name in ("TR_1.track", "TR_1.0001.trackx", "TR_1.1.track", ".0001.track", "TR_1.0001.track.index", "TR_1.٠٠٠١.track"):
        assert read_file_name(name) is None


def test_segment_headers_that_are_none() -> None:
    good = PIECES[1][:SEGMENT_HEAD_BYTES]
    assert read_segment(good) is not None
    for at, value in ((0, 0), (4, 2), (5, 1), (8, 0x80), (12, 0xFF), (32, 0xFF), (35, 0)):
        changed = bytearray(good)
        changed[at] = value
        if at == 35:
            changed[32:36] = bytes(4)
        assert read_segment(bytes(changed)) is None, at
    cipher = TrackCipher(header(), DATA_KEY)
    for raw in (b"", PIECES[1] + b"x"):
        with pytest.raises(RecordingFormatError, match="segment_changed"):
            cipher.open(raw)
