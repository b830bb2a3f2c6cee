"""RTCP of one leg, in and out: reports, NACK, key frame requests, transport-wide feedback. Sans I/O.

RFC 3550 section 6 (reports), RFC 4585 and 5104 (feedback), RFC 4588 (RTX). Protecting and sending is the ``Leg``'s.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Protocol

from media.errors import RtcpError
from media.relay.downlink import Downlink
from media.relay.epoch import Epoch
from media.relay.forward import Route
from media.relay.padding import padding
from media.relay.publication import FLOWS_S, Publication, Subscription
from media.relay.quality import Quality
from media.relay.uplink import PACKET_OVERHEAD_BYTES, RingEntry
from media.wire import rtcp
from media.wire.twcc import ArrivalLog, lone_feedback

TWCC_INTERVAL_S = 0.05
LOOK_S = 0.055
"""While no probe runs and nothing waits, a subscriber's path is looked at so often: every third tick."""
REPORT_INTERVAL_S = 1.0
MAX_NACKED_AT_ONCE = 128
NACKED_PER_S = 1000.0
"""Numbers of a subscriber's NACKs that are looked at; at once as many. More than 1.2 MB a second is not sent again whatever is asked."""
STATUSES_PER_S = 10_000.0
MAX_STATUSES = 9_000
"""Packets that feedback may speak of, and at once; few bytes can claim to be about thousands."""
STATUSES_EACH = 16
"""Each feedback counts as so many more."""


KEYS_PER_S = 1.0
KEYS_AT_ONCE = 6.0
"""Key frames that one subscriber may ask for: they cost everybody who watches."""
MAX_HEARD_LOSS = 0.3
"""What listeners' reports can make a publisher spend on protecting a voice."""


def nothing() -> Sequence[tuple[int, float]]:
    """Nobody else receives."""
    return ()


class Allowance:
    """So many a second, and as many at once as ``most``."""

    __slots__ = ("_at", "_left", "_most", "_per_s")

    def __init__(self, per_s: float, most: float, now: float) -> None:
        self._per_s, self._most, self._left, self._at = per_s, most, most, now

    def take(self, wanted: int, now: float) -> bool:
        """All of it or nothing."""
        self._left = min(self._most, self._left + max(0.0, now - self._at) * self._per_s)
        self._at = now
        if wanted > self._left:
            return False
        self._left -= wanted
        return True


class Leg(Protocol):
    """The peer whose RTCP this is. ``cname``: its own in reports. ``send_rtp`` says how long the packet is as sent, 0: it was not."""

    ssrc: int
    cname: str
    counts: Counter[str]
    routes: dict[int, Route]
    downlinks: dict[str, Downlink]
    by_ssrc: dict[int, Downlink]
    shown: dict[str, tuple[Publication, Subscription]]
    quality: Quality

    def send_rtcp(self, data: bytes) -> None: ...
    def send_rtp(self, data: bytes) -> int: ...


class Feedback:
    """``ntp``: our wall clock as a 64-bit NTP timestamp.

    ``pending``: takes from who receives for the peer what came with which transport-wide number, and when, in order, and was not yet noted.
    """

    def __init__(self, leg: Leg, now: float, ntp: Callable[[], int]) -> None:
        self._leg = leg
        self._ntp = ntp
        self._arrivals = ArrivalLog()
        self._arrivals_new = False
        self.pending: Callable[[], Sequence[tuple[int, float]]] = nothing
        self._twcc_at = self._report_at = now
        self.twcc_received = 0
        self.remb_bps = 0
        self.rtt_s: float | None = None
        self._total = 0
        self._numbered = -1
        self._look_at = now
        self._counted: dict[str, int] = {}
        self._nacks = Allowance(NACKED_PER_S, NACKED_PER_S, now)
        self._keys = Allowance(KEYS_PER_S, KEYS_AT_ONCE, now)
        self._statuses = Allowance(STATUSES_PER_S, MAX_STATUSES, now)

    def note_arrival(self, number: int, now: float) -> None:
        """A packet with this transport-wide number came in."""
        self._note_pending()
        self._arrivals.add(number, int(now * 1_000_000))
        self._arrivals_new = True

    def _note_pending(self) -> None:
        for number, at in self.pending():
            self._arrivals.add(number, int(at * 1_000_000))
            self._arrivals_new = True

    def end(self) -> None:
        """Let go of the leg. Nothing else may be called afterwards."""
        del self._leg

    # ---- in

    def receive(self, data: bytes, now: float) -> bool:
        """One decrypted compound packet. False when it is malformed."""
        body = lone_feedback(data)
        if body is not None:
            self._on_transport_feedback(body, now)
            return True
        try:
            packets = rtcp.parse_compound(data)
        except RtcpError:
            self._leg.counts["rtcp_malformed"] += 1
            return False
        for packet in packets:
            if isinstance(packet, rtcp.SenderReport):
                route = self._leg.routes.get(packet.ssrc)
                if route is not None and not route.rtx:
                    route.uplink.note_sender_report(packet.ntp, packet.rtp_timestamp, now)
                    for sink in route.publication.sinks if route.publication.gate.open else ():
                        sink.report(route.uplink, packet.ntp, packet.rtp_timestamp, now)
                self._on_reports(packet.reports, now)
            elif isinstance(packet, rtcp.ReceiverReport):
                self._on_reports(packet.reports, now)
            elif isinstance(packet, rtcp.Nack):
                self._on_nack(packet, now)
            elif isinstance(packet, rtcp.PictureLossIndication):
                self._on_key_wanted(packet.media_ssrc, now)
            elif isinstance(packet, rtcp.FullIntraRequest):
                for ssrc, _ in packet.entries:
                    self._on_key_wanted(ssrc, now)
            elif isinstance(packet, rtcp.TransportFeedback):
                self._on_transport_feedback(packet.body, now)
            elif isinstance(packet, rtcp.Remb):
                self.remb_bps = packet.bitrate_bps
                self._leg.quality.on_remb(packet.bitrate_bps, now)
        return True

    def _on_transport_feedback(self, body: bytes, now: float) -> None:
        if not self._statuses.take(int.from_bytes(body[2:4]) + STATUSES_EACH, now):
            self._leg.counts["twcc_too_much"] += 1
            return
        try:
            self._leg.quality.on_feedback(body, now)
        except RtcpError:
            self._leg.counts["twcc_malformed"] += 1
        else:
            self.twcc_received += 1

    def _on_reports(self, reports: tuple[rtcp.ReportBlock, ...], now: float) -> None:
        lost = packets = 0.0
        for block in reports:
            downlink = self._leg.by_ssrc.get(block.ssrc)
            if downlink is not None:
                new = downlink.note_report(block, self._ntp() >> 16 & 0xFFFFFFFF)
                packets += new
                lost += new * downlink.loss
                if downlink.rtt_s is not None:
                    self.rtt_s = downlink.rtt_s
        if packets:
            self._leg.quality.on_report(lost / packets, self.rtt_s, now)

    def _shown(self, ssrc: int) -> tuple[Downlink, Publication] | None:
        """The slot with this SSRC and what it shows, if that passes its gates."""
        downlink = self._leg.by_ssrc.get(ssrc)
        shown = self._leg.shown.get(downlink.mid) if downlink is not None else None
        if downlink is None or shown is None or downlink not in shown[0].active:
            return None
        return downlink, shown[0]

    def _on_key_wanted(self, ssrc: int, now: float) -> None:
        found = self._shown(ssrc)
        if found is not None:
            if not self._keys.take(1, now):
                self._leg.counts["pli_too_much"] += 1
                return
            self._leg.counts["pli"] += 1
            found[1].request_key(now, found[0].uplink)

    def _on_nack(self, nack: rtcp.Nack, now: float) -> None:
        shown = self._shown(nack.media_ssrc)
        if shown is None:
            return
        downlink, publication = shown
        for out_seq in nack.lost[:MAX_NACKED_AT_ONCE]:
            if not self._nacks.take(1, now):
                self._leg.counts["nack_too_much"] += 1
                return
            downlink.nacked += 1
            found = downlink.find(out_seq)
            if found is None:
                continue
            epoch, seq = found
            if downlink.pacer is not None and epoch.uplink is not downlink.uplink:
                continue  # another layer is shown since, from a key frame on, and the path is narrow
            entry = epoch.uplink.kept(seq)
            if entry is None or not downlink.can_rebuild(epoch):
                if downlink.kind == "video" and not epoch.uplink.missing(seq):
                    publication.request_key(now)
                continue
            picture = len(entry.payload) if downlink.kind == "video" else 0
            if picture and not self._leg.quality.may_resend(picture, now):
                self._leg.counts["resend_too_much"] += 1
                return
            if downlink.may_resend(out_seq, now, self.rtt_s):
                self._leg.quality.note_resent(picture)
                self._send_again(downlink, epoch, entry, now)

    def _send_again(self, downlink: Downlink, epoch: Epoch, entry: RingEntry, now: float) -> None:
        if downlink.kind == "audio":
            packet = downlink.repeat(epoch, entry)
            if packet is None:
                return
            went = self._leg.send_rtp(packet) > 0
        else:
            went = self._send(downlink.rebuild(epoch, entry, self._leg.quality.sent.next()), now)
        if went:
            downlink.resent += 1
        else:
            downlink.refused += 1

    def _send(self, packet: bytes, now: float) -> bool:
        """A packet that carries the transport-wide number given last."""
        size = self._leg.send_rtp(packet)
        if size:
            sent = self._leg.quality.sent
            sent.note(sent.number[0], size, now)
        return size > 0

    # ---- out

    def ask_key(self, ssrc: int) -> None:
        self._leg.send_rtcp(rtcp.build_pli(self._leg.ssrc, ssrc))

    def tick(self, now: float) -> None:
        """Every 20 ms: NACKs, transport feedback, reports."""
        leg = self._leg
        for route in leg.routes.values():
            if route.rtx:
                continue
            due = route.uplink.nacks_due(now, self.rtt_s)
            if due:
                leg.send_rtcp(rtcp.build_nack(leg.ssrc, route.uplink.ssrc, due))
            if route.uplink.wants_key and route.publication.request_key(now):
                route.uplink.wants_key = False
        if leg.routes:  # else nothing of it can be pending
            self._note_pending()
        if self._arrivals_new and now - self._twcc_at >= TWCC_INTERVAL_S - 0.001:
            self._arrivals_new = False
            self._twcc_at = now
            media = next((r.uplink.ssrc for r in leg.routes.values() if not r.rtx), 0)
            for packet in self._arrivals.build(leg.ssrc, media):
                leg.send_rtcp(packet)
        if leg.quality.busy or leg.quality.urgent or (leg.shown and now >= self._look_at):
            self._look_at = now + LOOK_S
            self._probe(now)
            self._pace(now)
        if now - self._report_at >= REPORT_INTERVAL_S:
            self._report_at = now
            self._reports(now)

    def _probe(self, now: float) -> None:
        """Send what is needed to find out whether the path carries more."""
        leg = self._leg
        number = leg.quality.sent.number[0]
        if number != self._numbered or leg.quality.twcc_at is None:  # else nothing was sent since the last time
            self._numbered = number
            self._count()
        size = leg.quality.tick(self._total, now)
        if size:
            for packet in padding(
                [leg.downlinks[mid] for mid in leg.shown], leg.downlinks.values(), size, leg.quality.sent.next
            ):
                self._send(packet, now)

    def _count(self) -> None:
        """Bytes sent so far, by what is shown: another slot sends nothing."""
        counted = self._counted
        for mid in self._leg.shown:
            downlink = self._leg.downlinks[mid]
            downlink.collect()
            if downlink.packets:
                size = downlink.octets + downlink.packets * PACKET_OVERHEAD_BYTES
                self._total += size - counted.get(mid, 0)
                counted[mid] = size

    def _pace(self, now: float) -> None:
        quality = self._leg.quality
        before = quality.paced
        if quality.pace(now) != before:
            for downlink in self._leg.downlinks.values():
                if downlink.kind == "video":
                    downlink.pace(None if before else quality.pacer)
        if quality.paced:
            for mid in quality.pacer.take_starved():
                slot = self._leg.downlinks.get(str(mid))
                if slot is not None and mid in self._leg.shown and not self._goes_over(slot, now):
                    self._leg.shown[str(mid)][0].request_key(now, slot.uplink)

    def _goes_over(self, slot: Downlink, now: float) -> bool:
        """To another layer as soon as its key frame comes: another one of what it shows would fill a narrow path for nothing."""
        return slot.pending is not None and now - slot.pending.last_at < FLOWS_S

    def _reports(self, now: float) -> None:
        leg = self._leg
        blocks = [_block(r, now) for r in leg.routes.values() if not r.rtx and r.uplink.max_seq >= 0][:31]
        if blocks:
            leg.send_rtcp(
                rtcp.build_receiver_report(rtcp.ReceiverReport(leg.ssrc, tuple(blocks)))
                + rtcp.build_source_description(leg.ssrc, leg.cname)
            )
        ntp = self._ntp()
        for downlink in leg.downlinks.values():
            downlink.age()
            timestamp = downlink.timestamp_at(now)
            if timestamp is not None and downlink.packets and downlink.uplink is not None and downlink.uplink.timed(now):
                report = rtcp.SenderReport(
                    downlink.ssrc, ntp, timestamp, downlink.packets & 0xFFFFFFFF, downlink.octets & 0xFFFFFFFF, ()
                )
                leg.send_rtcp(rtcp.build_sender_report(report) + rtcp.build_source_description(downlink.ssrc, downlink.cname))


def _block(route: Route, now: float) -> rtcp.ReportBlock:
    """What the publisher is told of one stream. A voice: at least what its worst listener loses, because nobody but its encoder
    can protect it (Opus' in-band FEC goes by this figure). The count of lost packets stays what was lost on the way here.
    """
    block = route.uplink.report(now)
    if route.uplink.kind != "audio":
        return block
    heard = min(MAX_HEARD_LOSS, max((downlink.loss for downlink in route.publication.active), default=0.0))
    return block._replace(fraction_lost=max(block.fraction_lost, min(255, int(heard * 256))))
