import struct

from hypothesis import given
from hypothesis import strategies as st

from media.relay.downlink import EPOCHS, RESEND_GAP_S, RESENDS_PER_PACKET, Downlink
from media.relay.epoch import SlotCodec, rewrite
from media.relay.uplink import PublisherClock, RingEntry, Uplink
from media.wire.head import Head
from media.wire.payload import Descriptor, vp8
from media.wire.rtcp import ReportBlock
from media.wire.rtp import RtpReader
from media.wire.sdp import ExtensionIds

IDS = ExtensionIds(mid=4, twcc=3, audio_level=1)
CODEC = SlotCodec(96, 97, True)


def downlink(kind: str = "video", ids: ExtensionIds = IDS, codec: SlotCodec = CODEC) -> Downlink:
    return Downlink(
        mid="7", kind=kind, ssrc=1000, rtx_ssrc=1001, codecs={"VP8": codec}, ids=ids, first_seq=500, first_ts=9000, rtx_seq=50
    )


def uplink(kind: str = "video") -> Uplink:
    return Uplink(1, kind, "vp8" if kind == "video" else "opus", 90000, PublisherClock())


def header(pid: int, tl0: int = 0) -> Descriptor:
    payload = bytes((0x90, 0xC0, 0x80 | pid >> 8, pid & 0xFF, tl0, 0))
    return vp8(payload, 0, len(payload))


def come(source: Uplink, seq: int, ts: int, now: float, pid: int = -1, tl0: int = -1) -> None:
    source.receive(seq, ts, 10, now)
    source.last_pid, source.last_tl0 = pid, tl0


def test_the_first_source_starts_at_the_given_numbers() -> None:
    out, source = downlink(), uplink()
    come(source, 40000, 70000, 1.0)
    assert out.want(source, "VP8", 1.0)
    assert out.pending is source
    out.switch(source, CODEC, 40000, 70000, None, 1.0)
    assert (40000 + out.seq_off) & 0xFFFF == 500
    assert (70000 + out.ts_off) & 0xFFFFFFFF == 9000
    assert (out.payload_type, out.epochs[-1].codec.rtx) == (96, 97)


def test_a_switch_goes_on_by_one_and_by_the_time_that_passed() -> None:
    out, one, two = downlink(), uplink(), uplink()
    come(one, 10, 1000, 1.0, pid=100, tl0=9)
    out.switch(one, CODEC, 10, 1000, header(100, 9), 1.0)
    come(one, 11, 4000, 1.1, pid=101, tl0=10)
    assert out.want(two, "VP8", 1.2)
    come(two, 60000, 55, 1.3, pid=32000, tl0=200)
    out.switch(two, CODEC, 60000, 55, header(32000, 200), 1.3)
    assert (60000 + out.seq_off) & 0xFFFF == 502
    assert abs((55 + out.ts_off & 0xFFFFFFFF) - (9000 + 3000 + 18000)) <= 1
    assert (32000 + out.pid_off) & 0x7FFF == 102
    assert (200 + out.tl0_off) & 0xFF == 11


def test_a_codec_that_the_subscriber_cannot_receive_is_not_wanted() -> None:
    out = downlink()
    assert not out.want(uplink(), "H264/42e0/1", 1.0)
    assert out.pending is None


def test_wanting_what_is_shown_takes_a_pending_switch_back() -> None:
    out, one, two = downlink(), uplink(), uplink()
    come(one, 1, 1, 1.0)
    out.switch(one, CODEC, 1, 1, None, 1.0)
    out.want(two, "VP8", 1.0)
    out.want(one, "VP8", 1.0)
    assert out.pending is None


def test_audio_leaves_its_old_source_at_once() -> None:
    out, one, two = downlink("audio"), uplink("audio"), uplink("audio")
    come(one, 1, 1, 1.0)
    out.switch(one, CODEC, 1, 1, None, 1.0)
    out.want(two, "VP8", 1.1)
    assert out.uplink is None
    assert out.pending is two


def test_after_a_detach_nothing_is_found_and_numbers_go_on() -> None:
    out, source = downlink(), uplink()
    come(source, 10, 1000, 1.0)
    out.switch(source, CODEC, 10, 1000, None, 1.0)
    come(source, 11, 2000, 1.1)
    assert out.find(501) is not None
    out.detach(1.2)
    assert out.find(501) is None
    assert out.timestamp_at(1.2) is None
    assert out.late(source, 12, 0) is None
    come(source, 30, 8000, 2.1)
    out.switch(source, CODEC, 30, 8000, None, 2.1)
    assert (30 + out.seq_off) & 0xFFFF == 502


def test_a_restart_of_the_source_waits_for_a_key_frame_and_goes_on() -> None:
    out, source = downlink(), uplink()
    come(source, 10, 1000, 1.0)
    out.switch(source, CODEC, 10, 1000, None, 1.0)
    out.restarted(uplink(), (0, 0, 0, 0, 0.0))
    assert out.uplink is source
    out.restarted(source, (15, 3000, 5, 6, 1.5))
    assert out.uplink is None
    assert out.pending is source
    out.switch(source, CODEC, 40000, 7, header(1, 1), 2.0)
    assert (40000 + out.seq_off) & 0xFFFF == 506


def test_late_packets_from_before_the_switch_have_no_number() -> None:
    out, source = downlink(), uplink()
    come(source, 100, 1, 1.0)
    out.switch(source, CODEC, 100, 1, None, 1.0)
    assert out.late(source, 99, 0) is None
    assert out.late(uplink(), 101, 0) is None
    assert out.late(source, 101, 0) is not None


def test_an_old_epoch_ages_and_is_bounded() -> None:
    out, source = downlink(), uplink()
    out.age()
    for i in range(EPOCHS + 3):
        come(source, 10 * i, 1, 1.0)
        out.switch(source, CODEC, 10 * i, 1, None, 1.0)
    assert len(out.epochs) == EPOCHS
    for seq in range(0, 0xB000, 0x800):
        source.receive(seq, 1, 1, 1.0)
        out.age()
    assert len(out.epochs) == 1
    newest = source.max_seq
    assert out.late(source, newest, 0) is not None
    found = out.find((newest + out.seq_off) & 0xFFFF)
    assert found is not None
    assert found[1] == newest


def test_the_same_packet_is_sent_again_a_few_times_and_not_at_once() -> None:
    out = downlink()
    now = 1.0
    for _ in range(RESENDS_PER_PACKET):
        assert out.may_resend(7, now)
        assert not out.may_resend(7, now)
        now += RESEND_GAP_S
    assert not out.may_resend(7, now)
    assert out.may_resend(7 + 512, now)


def test_a_retransmission_is_rebuilt_on_the_rtx_stream() -> None:
    out, source = downlink(), uplink()
    first = header(100)
    come(source, 10, 1000, 1.0, pid=100)
    out.switch(source, CODEC, 10, 1000, first, 1.0)
    payload = bytes((0x90, 0xC0, 0x80, 100, 0, 0))
    found = out.find(500)
    assert found is not None
    out.epochs[-1].pid_off = 3
    packet = out.rebuild(found[0], RingEntry(10, 1000, 0x80, payload, first), 77)
    reader = RtpReader(IDS)
    assert reader.parse(packet, len(packet))
    assert (reader.ssrc, reader.pt, reader.seq, reader.ts, reader.marker) == (1001, 97, 50, 9000, 0x80)
    assert (reader.twcc, reader.mid) == (77, b"7")
    body = packet[reader.start : reader.end]
    assert struct.unpack("!H", body[:2]) == (500,)
    assert vp8(body, 2, len(body))[4] == 103
    assert out.rtx_seq == 51


def test_a_packet_from_before_a_switch_is_sent_again_in_its_own_codec() -> None:
    out, one, two = downlink(), uplink(), uplink()
    come(one, 10, 1000, 1.0)
    out.switch(one, CODEC, 10, 1000, None, 1.0)
    come(two, 20, 1000, 1.1)
    out.switch(two, SlotCodec(102, 103, True), 20, 1000, None, 1.1)
    for out_seq, kind in ((500, 97), (501, 103)):
        found = out.find(out_seq)
        assert found is not None
        packet = out.rebuild(found[0], RingEntry(found[1], 1000, 0, b"abc", None), 77)
        assert packet[1] == kind


def test_without_rtx_it_is_the_packet_itself_again() -> None:
    out, source = downlink(ids=ExtensionIds(), codec=SlotCodec(96, None, True)), uplink()
    come(source, 10, 1000, 1.0)
    out.switch(source, SlotCodec(96, None, True), 10, 1000, None, 1.0)
    packet = out.rebuild(out.epochs[-1], RingEntry(10, 1000, 0, b"abc", None), 77)
    assert packet == struct.pack("!BBHII", 0x80, 96, 500, 9000, 1000) + b"abc"


def test_the_head_of_audio_has_room_for_the_level() -> None:
    head = Head(1, "12", IDS, level=True)
    buffer = bytearray(head.size + 2)
    head.packer(2)(buffer, 0, head.b0, 111, 1, 2, head.ssrc, head.opening, 3, head.tail, b"xy")
    buffer[head.level_at] = 0x85
    reader = RtpReader(IDS)
    assert reader.parse(buffer, len(buffer))
    assert (reader.level, reader.mid, reader.twcc) == (0x85, b"12", 3)
    assert bytes(buffer[reader.start :]) == b"xy"
    assert head.packer(2) is head.packer(2)
    assert Head(1, "x" * 17, ExtensionIds(mid=1), level=True).size == 12


def test_timestamps_of_reports_follow_the_source() -> None:
    out, source = downlink(), uplink()
    come(source, 10, 1000, 1.0)
    out.switch(source, CODEC, 10, 1000, None, 1.0)
    assert out.timestamp_at(1.5) == 9000 + 45000


def reported(offset_s: float, ts: int, seq: int, at: float) -> Uplink:
    """A source whose packet ``ts`` came at ``at`` and was captured ``offset_s`` before, by its sender report."""
    source = uplink()
    come(source, seq, ts, at)
    source.note_sender_report(int((1000.0 + at) * 2**32), (ts + round(offset_s * 90000)) & 0xFFFFFFFF, at)
    return source


@given(
    st.floats(0, 0.2),
    st.floats(0, 0.2),
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**32 - 1),
    st.floats(0.3, 60),
    st.booleans(),
)
def test_a_switch_keeps_the_time_that_the_sender_reports_said(
    late_one: float, late_two: float, ts_one: int, ts_two: int, gap_s: float, empty: bool
) -> None:
    out, one, two = downlink(), reported(late_one, ts_one, 10, 1.0), reported(late_two, ts_two, 20, 1.0 + gap_s)
    out.switch(one, CODEC, 10, ts_one, None, 1.0)
    if empty:
        out.detach(1.0 + gap_s / 2)
    before = out.timestamp_at(1.0 + gap_s) if not empty else None
    out.switch(two, CODEC, 20, ts_two, None, 1.0 + gap_s)
    after = out.timestamp_at(1.0 + gap_s)
    assert after is not None
    expected = before if before is not None else 9000 + round((late_one + gap_s) * 90000)
    assert abs(((after - expected + 2**31) & 0xFFFFFFFF) - 2**31) <= 4
    assert 0 < (ts_two + out.ts_off - 9000) & 0xFFFFFFFF < 2**31


def test_time_goes_on_where_the_clocks_would_turn_it_back() -> None:
    out, one = downlink(), reported(0.0, 5000, 10, 1.0)
    out.switch(one, CODEC, 10, 5000, None, 1.0)
    slow = reported(0.5, 80, 20, 1.04)  # captured half a second before the picture that is shown
    out.switch(slow, CODEC, 20, 80, None, 1.04)
    assert (80 + out.ts_off - 9000) & 0xFFFFFFFF == 3600


def test_clocks_that_contradict_the_time_passed_are_not_believed() -> None:
    out, one = downlink(), reported(0.0, 5000, 10, 1.0)
    out.switch(one, CODEC, 10, 5000, None, 1.0)
    late = reported(-1.0, 80, 20, 3.0)  # its first sender report was a second on its way
    out.switch(late, CODEC, 20, 80, None, 3.0)
    assert (80 + out.ts_off - 9000) & 0xFFFFFFFF == 2 * 90000


def test_round_trip_from_a_receiver_report() -> None:
    out = downlink()
    out.note_report(ReportBlock(1000, 64, 1, 1, 1, 0x10000, 0x4000), 0x10000 + 0x4000 + 0x2000)
    assert out.loss == 0.25
    assert out.rtt_s == 0.125
    out.note_report(ReportBlock(1000, 0, 1, 1, 1, 0x10000, 0xFFFF), 0x10000)  # from the future: not believed
    assert out.rtt_s == 0.125
    out.note_report(ReportBlock(1000, 0, 1, 1, 1, 0, 0), 5)
    assert out.loss == 0.0


@given(st.integers(0, 0x7FFF), st.integers(0, 0x7FFF), st.integers(0, 255), st.integers(0, 255), st.booleans())
def test_vp8_counters_are_rewritten_in_their_own_width(pid: int, off: int, tl0: int, tl0_off: int, wide: bool) -> None:
    number = bytes((0x80 | pid >> 8, pid & 0xFF)) if wide else bytes((pid & 0x7F,))
    payload = bytearray(b"\x90\xc0" + number + bytes((tl0, 1)))
    before = vp8(payload, 0, len(payload))
    rewrite(payload, 0, before, off, tl0_off)
    after = vp8(payload, 0, len(payload))
    mask = 0x7FFF if wide else 0x7F
    assert after[2] == before[2]
    assert after[4] == (before[4] + off) & mask
    assert after[6] == (tl0 + tl0_off) & 0xFF


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 0xFFFF), st.integers(1, 40)), min_size=1, max_size=12))
def test_numbers_go_out_unbroken_over_any_switches(spans: list[tuple[int, int, int]]) -> None:
    """Three sources take turns in one slot; what leaves has consecutive numbers and rising timestamps."""
    out = downlink()
    now = 1.0
    expected, last_ts = 500, None
    for _, start, length in spans:
        source = uplink()
        for i in range(length):
            now += 0.033
            seq, ts = (start + i) & 0xFFFF, (start * 77 + 3000 * i) & 0xFFFFFFFF
            come(source, seq, ts, now)
            if i == 0:
                out.want(source, "VP8", now)
                out.switch(source, CODEC, seq, ts, None, now)
            assert (seq + out.seq_off) & 0xFFFF == expected & 0xFFFF
            out_ts = (ts + out.ts_off) & 0xFFFFFFFF
            assert last_ts is None or 0 < (out_ts - last_ts) & 0xFFFFFFFF < 90000
            expected, last_ts = expected + 1, out_ts
