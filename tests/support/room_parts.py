"""Publishers and subscribers without sockets, for tests of what decides about layers."""

import struct
from collections import Counter
from typing import Any

from media.congestion.estimator import EstimatorConfig
from media.relay.downlink import Downlink
from media.relay.epoch import SlotCodec
from media.relay.forward import Route
from media.relay.publication import Publication, Subscription
from media.relay.quality import Quality
from media.relay.uplink import PublisherClock, RingEntry, Uplink
from media.wire.sdp import ExtensionIds

IDS = ExtensionIds(mid=4, twcc=3)
CODEC = SlotCodec(100, 101, True)


def camera(*rids: str, participant: str = "p", source: str = "camera") -> Publication:
    publication = Publication(participant, source, "video", "1", "VP8", 1)
    publication.rids = rids
    publication.gate.release("consent")
    publication.flowing = True
    return publication


def layer(publication: Publication, rid: str, ssrc: int, height: int = 0) -> Uplink:
    uplink = publication.layers[rid] = Uplink(ssrc, "video", "vp8", 90000, PublisherClock(), rid=rid, nack=True)
    uplink.height = height
    return uplink


def flow(uplink: Uplink, now: float, octets: int = 1000, tid: int = 0) -> None:
    """One packet of it comes in."""
    seq = (uplink.max_seq + 1) & 0xFFFF if uplink.max_seq >= 0 else 100
    uplink.receive(seq, int(now * 90000) & 0xFFFFFFFF, octets, now)
    uplink.by_tid[tid] += octets
    uplink.top_tid = max(uplink.top_tid, tid)
    uplink.keep(RingEntry(seq, int(now * 90000) & 0xFFFFFFFF, 0, bytes(octets), None))


def slot(mid: str = "7", kind: str = "video", quality: Quality | None = None, key: str = "VP8") -> Downlink:
    return Downlink(
        mid=mid, kind=kind, ssrc=1000 + int(mid), rtx_ssrc=2000 + int(mid), codecs={key: CODEC}, ids=IDS, first_seq=500, first_ts=9000,
        rtx_seq=50, sent=quality.sent if quality else None,
    )  # fmt: skip


def show(downlink: Downlink, uplink: Uplink, now: float) -> None:
    """As the forwarder does at a key frame."""
    downlink.switch(uplink, CODEC, uplink.max_seq, uplink.last_ts, None, now)


class Person:
    """Both ``director.Subscriber`` and ``feedback.Leg``: what it sends is kept in ``rtcp`` and ``rtp``."""

    def __init__(self, participant: str, *, start_bps: int = 800_000) -> None:
        self.participant = participant
        self.ssrc = 1
        self.cname = "test"
        self.counts: Counter[str] = Counter()
        self.quality = Quality(0.0, EstimatorConfig(start_bps=start_bps))
        self.held: frozenset[str] = frozenset()
        self.publications: dict[str, Publication] = {}
        self.shown: dict[str, tuple[Publication, Subscription]] = {}
        self.routes: dict[int, Route] = {}
        self.downlinks: dict[str, Downlink] = {}
        self.by_ssrc: dict[int, Downlink] = {}
        self.rtcp: list[bytes] = []
        self.rtp: list[bytes] = []
        self.refuses = False

    def sees(self, publication: Publication, mid: str, now: float = 0.0, **more: Any) -> Downlink:
        downlink = slot(mid, publication.kind, self.quality, publication.codec_key, **more)
        self.downlinks[mid] = self.by_ssrc[downlink.ssrc] = downlink
        self.by_ssrc[downlink.ssrc] = downlink
        self.shown[mid] = publication, publication.subscribe(f"{self.participant}/{mid}", downlink, now)
        return downlink

    def send_rtcp(self, data: bytes) -> None:
        self.rtcp.append(data)

    def send_rtp(self, data: bytes) -> int:
        if self.refuses:
            return 0
        self.rtp.append(data)
        return len(data) + 16


def osn(packet: bytes, head: int) -> int:
    """Original sequence number of an RTX packet."""
    return int(struct.unpack_from("!H", packet, head)[0])
