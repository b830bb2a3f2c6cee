"""RTCP of one leg, in and out, with real packets."""

from media.relay.feedback import (
    KEYS_AT_ONCE,
    KEYS_PER_S,
    MAX_NACKED_AT_ONCE,
    MAX_STATUSES,
    NACKED_PER_S,
    REPORT_INTERVAL_S,
    TWCC_INTERVAL_S,
    Feedback,
)
from media.relay.forward import Route
from media.relay.publication import Publication
from media.relay.quality import LEAST_RESEND_BYTES
from media.relay.uplink import Uplink
from media.wire import rtcp
from media.wire.rtp import RtpReader
from media.wire.twcc import ArrivalLog, parse_feedback
from tests.support.room_parts import IDS, Person, camera, flow, layer, osn, show

NTP = 3_900_000_000 << 32


class Stage:
    """A publisher with one camera, and somebody who sees it."""

    def __init__(self) -> None:
        self.publisher = Person("p")
        self.source = camera("")
        self.asked: list[int] = []
        self.source.ask_key = lambda uplink: self.asked.append(uplink.ssrc)
        self.uplink = layer(self.source, "", 10, 360)
        self.publisher.publications["1"] = self.source
        self.publisher.routes = {10: Route(self.source, self.uplink, rtx=False), 11: Route(self.source, self.uplink, rtx=True)}
        self.viewer = Person("v")
        self.slot = self.viewer.sees(self.source, "7")
        self.up = Feedback(self.publisher, 0.0, lambda: NTP)
        self.down = Feedback(self.viewer, 0.0, lambda: NTP)
        flow(self.uplink, 0.1)
        show(self.slot, self.uplink, 0.1)
        self.slot.packets, self.slot.octets = 1, 1000

    def more(self, packets: int, now: float) -> None:
        for _ in range(packets):
            flow(self.uplink, now)
            self.slot.packets += 1


def sent(person: Person) -> list[rtcp.RtcpPacket]:
    found = [packet for data in person.rtcp for packet in rtcp.parse_compound(data)]
    person.rtcp.clear()
    return found


def test_lost_packets_are_sent_again_on_the_rtx_stream_and_noted_for_the_estimate() -> None:
    stage = Stage()
    stage.more(3, 0.2)
    assert stage.down.receive(rtcp.build_nack(5, 1007, [501, 502]), 0.3)
    readers = []
    for packet in stage.viewer.rtp:
        reader = RtpReader(IDS)
        assert reader.parse(packet, len(packet))
        readers.append((reader.ssrc, osn(packet, reader.start), reader.twcc))
    assert readers == [(2007, 501, 1), (2007, 502, 2)]
    assert stage.viewer.quality.sent.at[2] == 0.3
    assert (stage.slot.resent, stage.slot.nacked) == (2, 2)
    stage.down.receive(rtcp.build_nack(5, 1007, [501]), 0.301)
    assert stage.slot.resent == 2  # it is on its way
    stage.viewer.refuses = True
    stage.down.receive(rtcp.build_nack(5, 1007, [503]), 0.4)
    assert stage.slot.refused == 1


def test_what_cannot_be_sent_again_needs_a_key_frame_but_what_is_awaited_does_not() -> None:
    stage = Stage()
    stage.uplink.receive((stage.uplink.max_seq + 2) & 0xFFFF, 0, 10, 0.2)
    stage.down.receive(rtcp.build_nack(5, 1007, [501]), 0.3)
    assert stage.asked == []
    stage.uplink.clear_ring()
    stage.down.receive(rtcp.build_nack(5, 1007, [500]), 0.3)
    assert stage.asked == [10]
    stage.down.receive(rtcp.build_nack(5, 1007, [9000]), 9.0)  # never sent
    assert stage.asked == [10]
    stage.down.receive(rtcp.build_nack(5, 1007, list(range(9000, 9000 + 2 * MAX_NACKED_AT_ONCE))), 9.0)
    assert stage.slot.nacked == 3 + MAX_NACKED_AT_ONCE


def test_nobody_gets_much_again_by_asking_for_much_however_it_is_asked() -> None:
    stage = Stage()
    for _ in range(800):
        stage.more(1, 0.2)
    for turn in range(60):  # two packets that share a place in the table of resends, again and again
        nacks = b"".join(rtcp.build_nack(5, 1007, [501 + turn * 4 + step, 501 + turn * 4 + step + 512]) for step in range(4))
        assert stage.down.receive(nacks * 12, 0.3)
    assert len(stage.viewer.rtp) <= NACKED_PER_S
    assert stage.slot.nacked == NACKED_PER_S
    assert stage.viewer.counts["nack_too_much"] > 0
    stage.viewer.rtp.clear()
    assert stage.down.receive(rtcp.build_nack(5, 1007, [1250, 1251]), 0.4)
    assert len(stage.viewer.rtp) == 2


def test_a_few_bytes_of_feedback_about_very_many_packets_are_not_read() -> None:
    stage = Stage()
    claim = b"\x00\x01\x1f\xff\x00\x00\x00\x00\x1f\xff\x00\x00"  # 8191 packets, none of which came
    assert stage.down.receive(rtcp.build_transport_feedback(5, 1007, claim) * 70, 0.3)
    assert stage.down.twcc_received == MAX_STATUSES // 8191
    assert stage.viewer.counts["twcc_too_much"] == 69
    assert stage.down.receive(rtcp.build_transport_feedback(5, 1007, claim), 1.5)
    assert stage.down.twcc_received == 2


def test_requests_for_key_frames_reach_the_publisher_only_through_open_gates() -> None:
    stage = Stage()
    stage.down.receive(rtcp.build_pli(5, 1007), 1.0)
    stage.down.receive(rtcp.build_fir(5, [(1007, 1)]), 2.0)
    assert stage.asked == [10, 10]
    stage.down.receive(rtcp.build_pli(5, 4444), 3.0)
    stage.source.gate.shut("consent")
    stage.source.refresh(3.0)
    stage.down.receive(rtcp.build_pli(5, 1007), 4.0)
    stage.down.receive(rtcp.build_nack(5, 1007, [500]), 4.0)
    assert stage.asked == [10, 10]
    assert stage.viewer.counts["pli"] == 2
    assert stage.viewer.rtp == []


def test_reports_and_transport_feedback_move_the_estimate() -> None:
    stage = Stage()
    report = rtcp.ReportBlock(1007, 128, 1, 1, 900, 0, 0)
    stage.down.receive(rtcp.build_receiver_report(rtcp.ReceiverReport(5, (report, report._replace(ssrc=4)))), 1.0)
    assert (stage.slot.loss, stage.slot.jitter_s) == (0.5, 0.01)
    assert stage.viewer.quality.estimator.loss > 0
    echoed = report._replace(fraction_lost=0, last_sr=(NTP >> 16 & 0xFFFFFFFF) - 6554)
    stage.more(1, 1.5)
    stage.down.receive(rtcp.build_sender_report(rtcp.SenderReport(5, NTP, 1, 1, 1, (echoed,))), 2.0)
    assert stage.down.rtt_s is not None
    assert abs(stage.down.rtt_s - 0.1) < 0.001
    log = ArrivalLog()
    number = stage.viewer.quality.sent.next()
    stage.viewer.quality.sent.note(number, 1000, 2.0)
    log.add(number, 2_020_000)
    (packet,) = log.build(5, 1007)
    assert stage.down.receive(packet, 2.1)
    assert stage.down.twcc_received == 1
    assert stage.viewer.quality.twcc_at == 2.1
    stage.down.receive(rtcp.build_remb(5, 300_000, [1007]), 2.2)
    assert stage.down.remb_bps > 299_000
    stage.down.receive(rtcp.build_transport_feedback(5, 1007, b"\x00\x01\x00\x00"), 2.3)
    assert stage.viewer.counts["twcc_malformed"] == 1
    assert not stage.down.receive(b"\x00", 2.4)
    assert stage.viewer.counts["rtcp_malformed"] == 1


def test_the_publisher_is_told_what_is_missing_what_came_and_how_it_came() -> None:
    stage = Stage()
    stage.up.note_arrival(7, 0.1)
    stage.uplink.receive((stage.uplink.max_seq + 2) & 0xFFFF, 0, 10, 0.11)
    stage.up.tick(0.12)
    told = sent(stage.publisher)
    nack, feedback = told[0], told[1]
    assert isinstance(nack, rtcp.Nack)
    assert nack.lost == (101,)
    assert isinstance(feedback, rtcp.TransportFeedback)
    assert [arrival.sequence for arrival in parse_feedback(feedback.body).arrivals] == [7]
    stage.up.note_arrival(8, 0.13)
    stage.up.tick(0.13)
    assert sent(stage.publisher) == []
    stage.up.tick(0.12 + TWCC_INTERVAL_S)
    assert any(isinstance(packet, rtcp.TransportFeedback) for packet in sent(stage.publisher))
    stage.up.receive(rtcp.build_sender_report(rtcp.SenderReport(10, NTP, 9000, 1, 1, ())), 0.5)
    assert stage.uplink.sr_ntp is not None
    stage.up.tick(REPORT_INTERVAL_S)
    report = next(packet for packet in sent(stage.publisher) if isinstance(packet, rtcp.ReceiverReport))
    assert report.reports[0].ssrc == 10
    stage.up.ask_key(10)
    assert sent(stage.publisher) == [rtcp.PictureLossIndication(1, 10)]


def test_a_long_gap_asks_for_a_key_frame_until_it_could_be_asked() -> None:
    stage = Stage()
    stage.uplink.wants_key = True
    stage.source.key_asked_at = 0.0
    stage.up.tick(0.1)
    assert stage.uplink.wants_key
    stage.up.tick(0.6)
    assert not stage.uplink.wants_key
    assert stage.asked == [10]


def test_the_subscriber_is_told_the_clock_of_each_slot() -> None:
    stage = Stage()
    stage.down.tick(REPORT_INTERVAL_S)
    assert sent(stage.viewer) == []  # when the picture was taken is not known yet
    stage.uplink.note_sender_report(NTP, 90000, REPORT_INTERVAL_S)
    stage.down.tick(2 * REPORT_INTERVAL_S)
    report, name = sent(stage.viewer)
    assert isinstance(report, rtcp.SenderReport)
    assert (report.ssrc, report.packet_count, report.ntp) == (1007, 1, NTP)
    assert isinstance(name, rtcp.SourceDescription)


def test_probes_are_packets_of_late_again_else_padding() -> None:
    stage = Stage()
    quality = stage.viewer.quality
    stage.more(20, 0.2)
    quality.tick = lambda total, now: 5000  # type: ignore[method-assign]
    stage.down.tick(0.3)
    assert 4 <= len(stage.viewer.rtp) <= 6
    assert sum(len(packet) for packet in stage.viewer.rtp) >= 4500
    reader = RtpReader(IDS)
    assert all(reader.parse(packet, len(packet)) and reader.ssrc == 2007 for packet in stage.viewer.rtp)
    stage.viewer.rtp.clear()
    stage.slot.detach(0.4)
    stage.down.tick(0.5)
    assert 12 <= len(stage.viewer.rtp) <= 20
    for packet in stage.viewer.rtp:
        assert reader.parse(packet, len(packet))
        assert (reader.ssrc, reader.pt, reader.end - reader.start) == (2007, 101, 0)
        assert reader.twcc > 0


def test_only_what_is_shown_may_be_asked_for() -> None:
    stage = Stage()
    assert isinstance(stage.viewer.shown.pop("7")[0], Publication)
    stage.down.receive(rtcp.build_nack(5, 1007, [500]), 1.0)
    stage.down.receive(rtcp.build_pli(5, 1007), 1.0)
    assert stage.viewer.rtp == stage.asked == []
    assert isinstance(stage.uplink, Uplink)


def test_a_narrow_path_is_paced_and_a_starved_picture_gets_a_key_frame() -> None:
    stage = Stage()
    quality = stage.viewer.quality
    quality.pace = lambda now: quality.__setattr__("paced", now < 1.0) or quality.paced  # type: ignore[method-assign,func-returns-value]
    stage.down.tick(0.5)
    assert stage.slot.pacer is quality.pacer
    quality.pacer._starved.update({"7", "gone"})
    stage.down.tick(0.6)
    assert stage.asked == [10]
    stage.down.tick(1.0)
    assert stage.slot.pacer is None


def test_one_subscriber_asks_for_few_key_frames() -> None:
    stage = Stage()
    for tenth in range(100):
        stage.down.receive(rtcp.build_pli(5, 1007), 1.0 + tenth / 10)
    assert KEYS_AT_ONCE <= len(stage.asked) <= KEYS_AT_ONCE + 10 * KEYS_PER_S
    assert stage.viewer.counts["pli_too_much"] == 100 - stage.viewer.counts["pli"]


def test_a_picture_without_a_stream_for_resends_is_not_sent_again_under_another_transport_wide_number() -> None:
    stage = Stage()
    stage.more(3, 0.2)
    epoch = stage.slot.epochs[-1]
    epoch.codec = epoch.codec._replace(rtx=None)
    stage.down.receive(rtcp.build_nack(5, 1007, [501]), 0.3)
    assert stage.viewer.rtp == []
    assert stage.asked == [10]


def test_a_narrow_path_is_not_filled_with_what_an_overflown_queue_lost() -> None:
    stage = Stage()
    stage.viewer.quality.estimator.on_remb(100_000, 0.2)
    stage.more(60, 0.2)
    assert stage.down.receive(rtcp.build_nack(5, 1007, list(range(501, 551))), 0.3)
    assert len(stage.viewer.rtp) == LEAST_RESEND_BYTES // 1000
    assert stage.viewer.counts["resend_too_much"] > 0
    assert stage.down.receive(rtcp.build_nack(5, 1007, [540]), 0.6)
    assert len(stage.viewer.rtp) == LEAST_RESEND_BYTES // 1000 + 1


def test_on_a_narrow_path_a_layer_that_was_left_is_not_repeated() -> None:
    stage = Stage()
    stage.more(3, 0.2)
    other = layer(stage.source, "other", 20, 180)
    flow(other, 0.3)
    show(stage.slot, other, 0.3)
    stage.slot.pace(stage.viewer.quality.pacer)
    assert stage.down.receive(rtcp.build_nack(5, 1007, [501]), 0.4)
    assert stage.viewer.rtp == []
    stage.slot.pace(None)
    assert stage.down.receive(rtcp.build_nack(5, 1007, [501]), 0.5)
    assert len(stage.viewer.rtp) == 1


def test_a_starved_picture_that_goes_over_to_another_layer_needs_no_key_frame_of_its_own() -> None:
    stage = Stage()
    quality = stage.viewer.quality
    quality.pace = lambda now: True  # type: ignore[method-assign]
    quality.paced = True
    other = layer(stage.source, "other", 20, 180)
    flow(other, 0.3)
    stage.slot.want(other, "VP8", 0.3)
    quality.pacer._starved.add("7")
    stage.down.tick(0.4)
    assert stage.asked == []
    quality.pacer._starved.add("7")
    stage.down.tick(0.8)  # it does not come: what is shown goes on
    assert stage.asked == [10]
