"""The benchmark's camera and viewers: what they send is what a browser sends, as the relay's own readers see it."""

import struct

import pytest

from media.bench.stream import FRAME_PACKETS, KEY_PACKETS, PICTURE_PACKETS, TWCC_EXTENSION, Camera, Stamp, read_stamp
from media.bench.viewer import REPORT_S, Viewer, read_header
from media.wire import rtcp
from media.wire.payload import vp8, vp8_height
from media.wire.rtp import RtpReader
from media.wire.sdp import ExtensionIds
from media.wire.twcc import parse_feedback

SIZE = 200


def packets(count: int, *, keys: bool = False) -> list[bytes]:
    camera = Camera(7, 96, SIZE)
    memory = bytearray(2048)
    found = []
    for number in range(count):
        size = camera.write(memoryview(memory), Stamp(3, 1, number, 99), keys=keys)
        found.append(bytes(memory[:size]))
    return found


def test_three_temporal_layers_with_counters() -> None:
    reader = RtpReader(ExtensionIds(twcc=TWCC_EXTENSION))
    frames = []
    for index, packet in enumerate(packets(KEY_PACKETS + PICTURE_PACKETS)):
        assert reader.parse(packet, len(packet))
        assert (reader.ssrc, reader.pt, reader.twcc, reader.seq) == (7, 96, index + 1, 1000 + index)
        header = vp8(packet, reader.start, reader.end)
        frames.append((header[0], header[1], header[4], header[6], header[7], header[8], bool(reader.marker)))
        assert header[2] == 15
    starts = frames[::FRAME_PACKETS]
    assert all(start for start, *_ in starts)
    assert [tid for *_, tid, _, _ in starts[:5]] == [0, 2, 1, 2, 0]
    assert [sync for *_, sync, _ in starts[:4]] == [False, True, True, False]
    assert [pid for _, _, pid, *_ in starts[:5]] == [0, 1, 2, 3, 4]
    assert [tl0 for _, _, _, tl0, *_ in starts[:5]] == [0, 0, 0, 0, 1]
    assert [index for index, (_, key, *_) in enumerate(starts) if key] == [0, KEY_PACKETS // FRAME_PACKETS]
    assert [marker for *_, marker in frames[:FRAME_PACKETS]] == [False] * (FRAME_PACKETS - 1) + [True]


def test_key_frames_on_demand_are_of_the_lowest_layer() -> None:
    found = packets(2 * PICTURE_PACKETS, keys=True)
    keys = [i for i, p in enumerate(found) if vp8(p, 20, len(p))[1]]
    assert keys == [0, PICTURE_PACKETS]
    assert vp8_height(found[0], 20, len(found[0])) == 480


def test_the_stamp_is_read_back_and_nothing_else_is_taken_for_one() -> None:
    (packet,) = packets(1)
    assert read_stamp(memoryview(packet), 20, len(packet)) == Stamp(3, 1, 0, 99)
    assert read_stamp(memoryview(packet), 22, len(packet)) is None
    assert read_stamp(memoryview(packet), 20, 40) is None
    with pytest.raises(ValueError, match="bytes"):
        Camera(7, 96, 10)


def test_header_extensions_are_read_without_decrypting() -> None:
    (packet,) = packets(1)
    view = memoryview(packet)
    assert read_header(view, len(packet), TWCC_EXTENSION) == (7, 1000, 1, 20)
    assert read_header(view, len(packet), 5) == (7, 1000, -1, 20)
    extended = struct.pack("!BBHIIHH", 0x90, 96, 5, 0, 9, 0xBEDE, 2) + b"\x40m\x00\x31\x12\x34\x00\x00" + b"x"
    assert read_header(memoryview(extended), len(extended), 3) == (9, 5, 0x1234, 24)
    plain = struct.pack("!BBHII", 0x80, 96, 5, 0, 9)
    assert read_header(memoryview(plain), len(plain), 3) == (9, 5, -1, 12)
    cut = struct.pack("!BBHII", 0x90, 96, 5, 0, 9)
    assert read_header(memoryview(cut), len(cut), 3)[2] == -1


def test_a_viewer_says_what_came_and_what_did_not() -> None:
    viewer = Viewer(1, 3)
    assert viewer.due(100.0) == []
    for number in (10, 11, 13):
        viewer.note(42, 500 + number, number, 1_000_000 + number)
    viewer.note(42, 514, -1, 0)
    viewer.on_rtcp(rtcp.build_sender_report(rtcp.SenderReport(42, 0x0001_2345_6789_0000, 0, 1, 1)), 100.5)
    viewer.on_rtcp(rtcp.build_sender_report(rtcp.SenderReport(43, 1, 0, 1, 1)), 100.5)
    feedback, report = (rtcp.parse_compound(packet) for packet in viewer.due(101.0))
    assert isinstance(feedback[0], rtcp.TransportFeedback)
    arrivals = parse_feedback(feedback[0].body).arrivals
    assert [(a.sequence, a.arrival_us is not None) for a in arrivals] == [(10, True), (11, True), (12, False), (13, True)]
    assert isinstance(report[0], rtcp.ReceiverReport)
    (block,) = report[0].reports
    assert (block.ssrc, block.packets_lost, block.fraction_lost, block.highest_sequence) == (42, 1, 51, 514)
    assert (block.last_sr, block.delay_since_last_sr) == (0x23456789, 32768)
    assert viewer.feedbacks == 1
    viewer.note(42, 512, 12, 1_000_020)
    assert len(viewer.due(101.1)) == 1
    viewer.note(42, 515, 14, 1_000_030)
    assert len(viewer.due(101.0 + REPORT_S)) == 2


def test_the_cameras_report() -> None:
    camera = Camera(7, 96, SIZE)
    memory = bytearray(2048)
    for number in range(FRAME_PACKETS):
        camera.write(memoryview(memory), Stamp(1, 0, number, 0), keys=False)
    report = rtcp.parse_compound(camera.report(5))[0]
    assert report == rtcp.SenderReport(7, 5, 3000, FRAME_PACKETS, FRAME_PACKETS * SIZE, ())
