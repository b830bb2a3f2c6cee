"""RTCP: what is built reads back the same, what is broken is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.errors import RtcpError
from media.wire import rtcp

U8, U16, U32 = st.integers(0, 0xFF), st.integers(0, 0xFFFF), st.integers(0, 0xFFFFFFFF)
BLOCKS = st.lists(
    st.builds(rtcp.ReportBlock, U32, U8, st.integers(-0x800000, 0x7FFFFF), U32, U32, U32, U32), max_size=rtcp.MAX_COUNT
).map(tuple)


@given(st.builds(rtcp.SenderReport, U32, st.integers(0, 2**64 - 1), U32, U32, U32, BLOCKS))
def test_sender_report_round_trip(report: rtcp.SenderReport) -> None:
    assert rtcp.parse_compound(rtcp.build_sender_report(report)) == [report]


@given(st.builds(rtcp.ReceiverReport, U32, BLOCKS))
def test_receiver_report_round_trip(report: rtcp.ReceiverReport) -> None:
    assert rtcp.parse_compound(rtcp.build_receiver_report(report)) == [report]


@given(U32, st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=63))
def test_source_description_round_trip(ssrc: int, cname: str) -> None:
    data = rtcp.build_source_description(ssrc, cname)
    assert rtcp.parse_compound(data) == [rtcp.SourceDescription(((ssrc, cname),))]


@given(U32, U32, U16, st.sets(st.integers(0, 2000), min_size=1, max_size=200))
def test_nack_round_trip_over_the_wrap(sender: int, media: int, first: int, offsets: set[int]) -> None:
    lost = [(first + offset) & 0xFFFF for offset in sorted(offsets)]
    (packet,) = rtcp.parse_compound(rtcp.build_nack(sender, media, lost))
    assert packet == rtcp.Nack(sender, media, tuple(lost))


def test_nack_packs_sixteen_followers_into_one_pair_and_says_each_once() -> None:
    assert len(rtcp.build_nack(1, 2, range(10, 27))) == 16
    assert len(rtcp.build_nack(1, 2, range(10, 28))) == 20
    (packet,) = rtcp.parse_compound(rtcp.build_nack(1, 2, [5, 5, 6]))
    assert isinstance(packet, rtcp.Nack)
    assert packet.lost == (5, 6)


def test_nack_is_cut_to_what_fits() -> None:
    data = rtcp.build_nack(1, 2, range(0, 65536, 20))
    assert len(data) == 12 + 4 * rtcp.MAX_NACK_PAIRS
    assert len(data) <= rtcp.MAX_RTCP_BYTES


@given(U32, U32, st.lists(st.tuples(U32, U8), min_size=1, max_size=8), st.lists(U32, max_size=31))
def test_small_packets_round_trip_in_one_compound(
    sender: int, media: int, entries: list[tuple[int, int]], ssrcs: list[int]
) -> None:
    data = (
        rtcp.build_pli(sender, media)
        + rtcp.build_fir(sender, entries)
        + rtcp.build_transport_feedback(sender, media, b"\1\2\3\4")
        + rtcp.build_goodbye(ssrcs)
    )
    assert rtcp.parse_compound(data) == [
        rtcp.PictureLossIndication(sender, media),
        rtcp.FullIntraRequest(sender, tuple(entries)),
        rtcp.TransportFeedback(sender, media, b"\1\2\3\4"),
        rtcp.Goodbye(tuple(ssrcs)),
    ]


@given(U32, st.integers(0, 2**60), st.lists(U32, max_size=20))
def test_remb_keeps_eighteen_bits(sender: int, bitrate: int, ssrcs: list[int]) -> None:
    (packet,) = rtcp.parse_compound(rtcp.build_remb(sender, bitrate, ssrcs))
    assert isinstance(packet, rtcp.Remb)
    assert (packet.sender_ssrc, packet.ssrcs) == (sender, tuple(ssrcs))
    assert 0 <= bitrate - packet.bitrate_bps <= bitrate >> 17


def test_known_bytes() -> None:
    """Written out by hand from RFC 3550 §6.4.2 and RFC 4585 §6.3.1."""
    assert rtcp.build_receiver_report(rtcp.ReceiverReport(1)) == bytes.fromhex("80c9000100000001")
    assert rtcp.build_pli(1, 2) == bytes.fromhex("81ce00020000000100000002")
    assert rtcp.build_nack(1, 2, [3, 5]) == bytes.fromhex("81cd0003000000010000000200030002")
    assert rtcp.build_remb(1, 1_000_000, [7]) == bytes.fromhex("8fce00050000000100000000") + b"REMB" + bytes.fromhex(
        "010bd09000000007"
    )


def test_unknown_types_and_forms_are_skipped() -> None:
    unknown = bytes.fromhex("80cf000100000001")  # XR
    other_feedback = bytes.fromhex("8bcd00020000000100000002")  # RFC 8888
    other_psfb = bytes.fromhex("82ce00020000000100000002")
    other_afb = bytes.fromhex("8fce00030000000100000002") + b"ABCD"
    pli = rtcp.build_pli(1, 2)
    data = unknown + other_feedback + other_psfb + other_afb + pli
    assert rtcp.parse_compound(data) == [rtcp.PictureLossIndication(1, 2)]


def test_padding_is_removed_from_the_last_packet_only() -> None:
    padded = bytes.fromhex("a1ce0003000000010000000200000004")
    assert rtcp.parse_compound(padded) == [rtcp.PictureLossIndication(1, 2)]
    with pytest.raises(RtcpError, match="bad_padding"):
        rtcp.parse_compound(padded + padded)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ("", "bad_length"),
        ("00" * 2052, "bad_length"),
        ("01ce000200000001", "bad_version"),
        ("81ce000200000001", "truncated"),
        ("80c9000100000001ff", "truncated"),
        ("81c9000100000001", "truncated"),
        ("80c90000", "truncated"),
        ("80c8000100000001", "truncated"),
        ("81ca000100000001", "truncated"),
        ("81ca0000", "truncated"),
        ("81ca0002000000010109ff00", "truncated"),
        ("81ca00020000000100000001", None),
        ("82cb000100000001", "truncated"),
        ("81cd0002000000010000000 2".replace(" ", ""), "truncated"),
        ("84ce00020000000100000002", "truncated"),
        ("8fce000300000001000000025245 4d42".replace(" ", ""), "truncated"),
        ("81ce000100000001", "truncated"),
        ("a1ce0003000000010000000200000000", "bad_padding"),
        ("a1ce00030000000100000002000000ff", "bad_padding"),
        ("a0c90000", "bad_padding"),
    ],
)
def test_refused(data: str, code: str | None) -> None:
    if code is None:
        rtcp.parse_compound(bytes.fromhex(data))
        return
    with pytest.raises(RtcpError) as caught:
        rtcp.parse_compound(bytes.fromhex(data))
    assert caught.value.code == code


def test_the_callers_own_mistakes_are_value_errors() -> None:
    blocks = (rtcp.ReportBlock(1, 0, 0, 0, 0, 0, 0),) * 32
    with pytest.raises(ValueError, match="report blocks"):
        rtcp.build_receiver_report(rtcp.ReceiverReport(1, blocks))
    with pytest.raises(ValueError, match="SSRCs"):
        rtcp.build_goodbye(range(32))
    with pytest.raises(ValueError, match="255"):
        rtcp.build_source_description(1, "x" * 256)
    with pytest.raises(ValueError, match="nothing"):
        rtcp.build_nack(1, 2, [])
    with pytest.raises(ValueError, match="whole"):
        rtcp.build_transport_feedback(1, 2, b"abc")
