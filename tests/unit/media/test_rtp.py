import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.wire.rtp import RtpReader, rtx_original_seq, seq_newer
from media.wire.sdp import ExtensionIds

IDS = ExtensionIds(mid=1, rid=2, rrid=3, twcc=4, audio_level=5)


def packet(
    payload: bytes = b"abc",
    *,
    extension: bytes = b"",
    profile: int = 0xBEDE,
    csrcs: int = 0,
    padding: bytes = b"",
    first: int = 0x80,
) -> bytes:
    head = first | csrcs | (0x10 if extension else 0) | (0x20 if padding else 0)
    data = struct.pack("!BBHII", head, 0x80 | 96, 7, 8, 9) + bytes(4 * csrcs)
    if extension:
        extension += bytes(-len(extension) % 4)
        data += struct.pack("!HH", profile, len(extension) // 4) + extension
    return data + payload + padding


def read(data: bytes, ids: ExtensionIds = IDS) -> RtpReader | None:
    reader = RtpReader(ids)
    return reader if reader.parse(data, len(data)) else None


def test_a_plain_packet() -> None:
    data = packet()
    reader = read(data)
    assert reader is not None
    assert (reader.pt, reader.marker, reader.seq, reader.ts, reader.ssrc) == (96, 0x80, 7, 8, 9)
    assert data[reader.start : reader.end] == b"abc"
    assert (reader.twcc, reader.level, reader.mid, reader.rid, reader.rrid) == (-1, -1, b"", b"", b"")


def test_one_byte_extensions_are_read_and_unknown_ones_skipped() -> None:
    extension = b"\x10m" + b"\x00" + b"\x61xy" + b"\x20h" + b"\x30f" + b"\x41\x01\x02" + b"\x50\x8a"
    reader = read(packet(extension=extension, csrcs=2))
    assert reader is not None
    assert (reader.mid, reader.rid, reader.rrid, reader.twcc, reader.level) == (b"m", b"h", b"f", 0x0102, 0x8A)


def test_two_byte_extensions_are_read() -> None:
    extension = b"\x01\x01m\x00\x06\x00\x04\x02\x01\x02\x05\x01\x0a\x03\x11" + b"z" * 17
    reader = read(packet(extension=extension, profile=0x1000))
    assert reader is not None
    assert (reader.mid, reader.twcc, reader.level, reader.rrid) == (b"m", 0x0102, 10, b"")


@pytest.mark.parametrize("extension", [b"\xf0rest", b"\x13ab", b"\x40\x01\x50\x02"])
def test_reading_stops_at_reserved_or_cut_elements(extension: bytes) -> None:
    reader = read(packet(extension=extension))
    assert reader is not None
    assert (reader.mid, reader.twcc) == (b"", -1)


@pytest.mark.parametrize("extension", [b"\x01\x09ab", b"\x04\x01\x05\x00"])
def test_cut_or_empty_two_byte_elements(extension: bytes) -> None:
    reader = read(packet(extension=extension, profile=0x1000))
    assert reader is not None
    assert (reader.mid, reader.twcc, reader.level) == (b"", -1, -1)


def test_an_unknown_extension_profile_is_skipped_whole() -> None:
    reader = read(packet(extension=b"\x10m\x00\x00", profile=0x4321))
    assert reader is not None
    assert reader.mid == b""


def test_padding_is_not_payload() -> None:
    data = packet(padding=b"\x00\x00\x03")
    reader = read(data)
    assert reader is not None
    assert data[reader.start : reader.end] == b"abc"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        packet()[:11],
        packet(first=0x40),
        packet(csrcs=15)[:40],
        packet(payload=b"", extension=b"\x10m")[:13],
        packet(payload=b"", extension=b"\x10m")[:17],
        packet(padding=b"\x00"),
        packet(payload=b"", padding=b"\x09"),
    ],
)
def test_what_is_not_rtp_is_refused(data: bytes) -> None:
    assert read(data) is None


def test_a_length_past_the_buffer_is_refused() -> None:
    assert not RtpReader(IDS).parse(packet(), 4000)


def test_ids_out_of_range_are_ignored() -> None:
    assert read(packet(extension=b"\x10m"), ExtensionIds(mid=300, twcc=0)) is not None


def test_the_original_number_of_a_retransmission() -> None:
    assert rtx_original_seq(b"\x01\x02x", 0, 3) == 0x0102
    assert rtx_original_seq(b"\x01", 0, 1) == -1


@given(st.integers(0, 0xFFFF), st.integers(1, 0x7FFF))
def test_newer_is_less_than_half_the_circle_ahead(base: int, step: int) -> None:
    later = (base + step) & 0xFFFF
    assert seq_newer(later, base)
    assert not seq_newer(base, later)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused_within_bounds(data: bytes) -> None:
    reader = read(data)
    if reader is not None:
        assert 12 <= reader.start <= reader.end <= len(data)
