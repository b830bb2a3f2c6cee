"""One participant's connection: ICE session, DTLS, SRTP, what it publishes and the slots it receives in.

Its RTCP is in ``media.relay.feedback``, what its SSRCs are in ``media.relay.incoming``.
"""

import asyncio
import contextlib
import secrets
import time
from collections import Counter
from collections.abc import Callable
from typing import Any, Protocol

from media.congestion.history import SentPackets
from media.control import PeerStateName
from media.errors import HandshakeError, SrtpError
from media.relay.downlink import Downlink
from media.relay.epoch import SlotCodec
from media.relay.feedback import Feedback
from media.relay.forward import Route
from media.relay.incoming import Incoming, extension_ids
from media.relay.publication import Publication, Subscription, nobody
from media.relay.quality import Quality
from media.relay.slots import SlotTable
from media.relay.uplink import Uplink
from media.transport.datachannel import PointerChannel
from media.transport.dtls import DtlsEndpoint, Identity
from media.transport.ice_lite import CONSENT_S, IceLite, IceSession, Remote
from media.transport.mmsg import Destination
from media.transport.mux import Endpoint
from media.transport.srtp import Protector
from media.wire.rtp import RtpReader
from media.wire.sdp import ExtensionIds, Offer
from media.wire.sdp_answer import (
    CNAME,
    Answer,
    Candidate,
    LocalTransport,
    NegotiatedSection,
    SlotSsrcs,
    make_answer,
)

CONNECT_DEADLINE_S = 30.0
CONSENT_INTERVAL_S = 0.1
STOP_DEADLINE_S = 2.0
_NTP_EPOCH = 2208988800


class PeerHost(Protocol):
    """What a peer needs of its room."""

    def on_state(self, peer: "Peer", state: PeerStateName) -> None: ...
    def on_pointer(self, peer: "Peer", text: str) -> None: ...


def ntp_now() -> int:
    """Wall clock as a 64-bit NTP timestamp."""
    return int((time.time() + _NTP_EPOCH) * 4294967296)


def _credential(size: int) -> str:
    return secrets.token_urlsafe(size).replace("-", "+").replace("_", "/")  # ice-char of RFC 8839: ALPHA / DIGIT / + / /


def _ssrc(used: set[int]) -> int:
    while True:
        number = secrets.randbits(31) | 1
        if number not in used:
            used.add(number)
            return number


class Inbox(Protocol):
    """What somebody else keeps who receives for a peer."""

    def close(self) -> None:
        """Let go of the peer; nothing of it is received any more."""
        ...


class Peer:
    """Created with an offer; ``answer`` has what to say. ``close`` ends it. Everything else is called by mux and room."""

    def __init__(
        self,
        host: PeerHost,
        participant: str,
        offer: Offer,
        *,
        ice: IceLite,
        identity: Identity,
        candidates: tuple[tuple[str, int], ...],
        video_codecs: tuple[str, ...],
        now: float,
        sent: SentPackets | None = None,
        make_uplink: Callable[..., Uplink] = Uplink,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``sent``, ``make_uplink``: the forwarder's ``history`` and ``uplink``."""
        self.host = host
        self.participant = participant
        self.offer = offer
        self.cname = CNAME
        self.counts: Counter[str] = Counter()
        self.state: PeerStateName = "connecting"
        self._ice = ice
        self._identity = identity
        self._clock = clock
        self._video_codecs = video_codecs
        self._candidates = tuple(Candidate(h, p) for h, p in candidates)
        self._session_id = secrets.randbits(62)
        self._version = 0
        used: set[int] = set()
        self.ssrc = _ssrc(used)
        self._slot_ssrcs = {s.mid: SlotSsrcs(_ssrc(used), _ssrc(used)) for s in offer.slots}
        self._ufrag, self._pwd = _credential(6), _credential(24)
        self.answer: Answer = self._answer(offer)
        self.session: IceSession = ice.add(self._ufrag, self._pwd, self, now, _remote(offer))
        self.dtls = DtlsEndpoint(identity, self._send_datagram)
        self.endpoint: Endpoint | None = None
        self.destination: Destination | None = None
        self.ready = False
        self._consent_due = now
        self.rx: Any = None
        self.quality = Quality(now, sent=sent)
        self.held: frozenset[str] = frozenset()
        self.steps: dict[str, float] = {}
        self.feedback = Feedback(self, now, ntp_now)
        self.note_arrival = self.feedback.note_arrival
        self.inbox: Inbox | None = None
        self._protector: Protector | None = None
        self._pointer: PointerChannel | None = None
        self._task: asyncio.Task[None] | None = None
        self.incoming = Incoming(self.counts, make_uplink)
        self.routes = self.incoming.routes
        self.publications = self.incoming.publications
        self.payload_types = self.incoming.payload_types
        self.red_types = self.incoming.red_types
        self.downlinks: dict[str, Downlink] = {}
        self.by_ssrc: dict[int, Downlink] = {}
        self.shown: dict[str, tuple[Publication, Subscription]] = {}
        self.data: NegotiatedSection | None = None
        for section in self.answer.sections:
            self._take_section(section)
        self.slots: SlotTable[tuple[str, str]] = SlotTable(
            [s.mid for s in self.answer.sections if s.role == "slot" and s.kind == "audio"],
            [s.mid for s in self.answer.sections if s.role == "slot" and s.kind == "video"],
        )
        self.reader = RtpReader(ExtensionIds(**extension_ids(self.answer.sections)))

    # ---- negotiation

    def _answer(self, offer: Offer) -> Answer:
        self._version += 1
        local = LocalTransport(
            self._ufrag, self._pwd, self._identity.fingerprints, self._candidates, self._session_id, self._version
        )
        return make_answer(offer, local, self._slot_ssrcs, self._video_codecs)

    def _take_section(self, section: NegotiatedSection) -> None:
        if section.role == "publish" and section.source is not None and section.codecs:
            publication = Publication(self.participant, section.source, section.kind, section.mid, section.codecs[0].key, 0)
            publication.ask_key = self._ask_key
            publication.codec = section.codecs[0]
            publication.rids = section.rids
            publication.red = section.codecs[0].red_payload_type is not None
            self.incoming.add(section, publication)
        elif section.role == "slot":
            codecs = {
                c.key: SlotCodec(c.payload_type, c.rtx_payload_type, c.nack, c.red_payload_type or 0) for c in section.codecs
            }
            downlink = Downlink(
                mid=section.mid,
                kind=section.kind,
                ssrc=section.ssrc,
                rtx_ssrc=section.rtx_ssrc,
                codecs=codecs,
                ids=section.extensions,
                first_seq=secrets.randbelow(0x4000) + 1,
                first_ts=secrets.randbits(31),
                rtx_seq=secrets.randbelow(0x4000) + 1,
                cname=CNAME,
                sent=self.quality.sent,
            )
            self.downlinks[section.mid] = downlink
            self.by_ssrc[section.ssrc] = downlink
        elif section.role == "data" and self.data is None:
            self.data = section

    def renegotiate(self, offer: Offer) -> str | None:
        """Answer the same offer again, with new ICE credentials if it has them. None when it is not the same shape."""
        restart = offer.ufrag != self.offer.ufrag or offer.pwd != self.offer.pwd
        if restart:
            previous = self._ufrag, self._pwd
            self._ufrag, self._pwd = _credential(6), _credential(24)
        try:
            answer = self._answer(offer) if {s.mid for s in offer.slots} == set(self._slot_ssrcs) else None
        except Exception:
            if restart:
                self._ufrag, self._pwd = previous
            raise
        if answer is None or not _same_shape(answer.sections, self.answer.sections):
            if restart:
                self._ufrag, self._pwd = previous
            return None
        if restart:
            self._ice.restart(self.session, self._ufrag, self._pwd, _remote(offer))
        self.offer = offer
        self.answer = answer
        self.incoming.renegotiated(answer.sections)
        return answer.sdp

    # ---- called by the mux

    def on_path(self, endpoint: Endpoint, destination: Destination, now: float) -> None:
        """The address to send to was chosen, or has moved."""
        moved = self.endpoint is not None
        self.endpoint = endpoint
        self.destination = destination
        for downlink in self.downlinks.values():
            downlink.destination = destination
            if self.ready:
                downlink.batch = endpoint.batch
            downlink.changed()
        if moved:
            self.counts["path_moved"] += 1
            self.request_keys(now)

    def on_checked(self, now: float) -> None:
        """An authenticated check came in: DTLS may begin; a silent peer is back."""
        if self._task is None and self.state == "connecting":
            self.note("checked", now)
            self._task = asyncio.get_running_loop().create_task(self._connect(), name="media.peer.connect")
        elif self.state == "disconnected" and self.ready:
            self._set_state("connected")

    def on_dtls(self, data: bytes) -> None:
        self.dtls.feed(data)

    def _send_datagram(self, data: bytes) -> None:
        if self.endpoint is not None and self.destination is not None:
            self.endpoint.send(data, self.destination)

    async def _connect(self) -> None:
        try:
            self._protector = await self.dtls.start(self.offer.fingerprints)
            self.rx = self._protector.rx
            for downlink in self.downlinks.values():
                downlink.tx = self._protector.tx
                downlink.destination = self.destination
                downlink.batch = self.endpoint.batch if self.endpoint else None
                downlink.changed()
            self.ready = True
            self.note("dtls", self._clock())
            if self.data is not None and self.data.sctp_port:
                self._pointer = PointerChannel(self.dtls, self.counts, self._on_pointer, self._clock)
                await self._pointer.start(self.data.sctp_port, self.data.max_message_bytes)
        except (HandshakeError, TimeoutError) as error:
            self.counts["handshake_failed"] += 1
            self.failure = getattr(error, "code", "timeout")
            self._set_state("failed")
            return
        self._set_state("connected")

    failure = ""

    def _on_pointer(self, text: str) -> None:
        self.host.on_pointer(self, text)

    def send_pointer(self, sender: str, text: str) -> None:
        if self._pointer is not None:
            self._pointer.send(sender, text)

    def note(self, step: str, at: float) -> None:
        """When a step of joining was made for the first time: seconds since the offer."""
        self.steps.setdefault(step, max(0.0, at - self.session.created))

    def _set_state(self, state: PeerStateName) -> None:
        if state != self.state and self.state != "closed":
            self.state = state
            self.note(state, self._clock())
            self.host.on_state(self, state)

    # ---- called by the forwarder

    def learn(self, reader: RtpReader, now: float) -> Route | None:
        """What a new SSRC is; None when nobody knows yet. Too many of them end the connection."""
        route = self.incoming.learn(reader, now)
        if self.incoming.flooded:
            self.failure = "too_many_ssrcs"
            self._set_state("failed")
        return route

    def _ask_key(self, uplink: Uplink) -> None:
        self.feedback.ask_key(uplink.ssrc)

    def request_keys(self, now: float) -> None:
        """Ask for key frames of all that this peer is shown."""
        for publication, _ in self.shown.values():
            publication.request_key(now)

    # ---- RTCP

    def send_rtcp(self, data: bytes) -> None:
        """Protect and put into the batch; dropped while there is no path. The caller's turn ends with a flush."""
        if self._protector is None or self.endpoint is None or self.destination is None:
            return
        try:
            self.endpoint.batch.put(self._protector.protect_rtcp(data), self.destination)
        except SrtpError:
            self.counts["rtcp_protect_refused"] += 1

    def on_rtcp(self, memory: Any, view: memoryview, size: int, now: float) -> None:
        """A datagram in ``view[:size]``, the same memory for C; decrypted in place."""
        if self._protector is None:
            return
        size = self._protector.unprotect_rtcp(memory, size)
        if not size:
            self.counts["srtcp_refused"] += 1
            return
        self.on_plain_rtcp(view, size, now)

    def on_plain_rtcp(self, view: memoryview, size: int, now: float) -> None:
        """The same, decrypted."""
        if self.feedback.receive(bytes(view[:size]), now):
            self.session.last_media = now

    def send_rtp(self, data: bytes) -> int:
        """Protect and put into the batch; its length as sent, 0 when it could not be protected."""
        if self._protector is None or self.endpoint is None or self.destination is None:
            return 0
        try:
            protected = self._protector.protect_rtp(data)
        except SrtpError:
            return 0
        self.endpoint.batch.put(protected, self.destination)
        return len(protected)

    # ---- time

    def tick(self, now: float) -> None:
        """Every 20 ms: NACKs, transport feedback, reports; consent."""
        if not self.ready:
            if self.state == "connecting" and now - self.session.created > CONNECT_DEADLINE_S:
                self.failure = "connect_timeout"
                self._set_state("failed")
            return
        self.feedback.tick(now)
        if now >= self._consent_due:
            self._consent_due = now + CONSENT_INTERVAL_S
            self._check_consent(now)

    def _check_consent(self, now: float) -> None:
        if self.dtls.transport.state in ("closed", "failed"):
            self.failure = "dtls_closed"
            self._set_state("failed")
        elif now - self.session.last_check > CONSENT_S:
            self.failure = "consent_expired"
            self._set_state("failed")
        elif self.state == "connected" and not self.session.alive(now):
            self._set_state("disconnected")

    # ---- end

    def detach(self, now: float) -> None:
        """At once: nothing more in or out. ``close`` follows."""
        self._ice.remove(self.session)
        if self.inbox is not None:
            self.inbox.close()
            self.inbox = None
        for downlink in self.downlinks.values():
            downlink.batch = None
            downlink.detach(now)
        for publication in self.publications.values():
            for layer in publication.layers.values():
                layer.clear_ring()
        self.ready = False

    async def close(self) -> None:
        """End the association politely, within a deadline."""
        if self._task is not None and not self._task.done():
            self._task.cancel()
            await asyncio.wait([self._task])
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP_DEADLINE_S):
                if self._pointer is not None:
                    await self._pointer.stop()
                await self.dtls.stop()
        self.endpoint = self.destination = None
        self._protector = self._pointer = None
        self.rx = None
        self.state = "closed"
        # The circles of references: cut, so that a quarter of a MiB is free at once and not when the collector comes by.
        self.session.owner = None
        self.feedback.end()
        for publication in self.publications.values():
            publication.ask_key = nobody

    def stats(self) -> dict[str, object]:
        for downlink in self.downlinks.values():
            downlink.collect()
        return {
            "state": self.state,
            "steps": self.steps,
            "counts": dict(self.counts),
            "twcc_received": self.feedback.twcc_received,
            "remb_bps": self.feedback.remb_bps,
            "key_requests": self.counts["pli"],
            "quality": self.quality.stats(),
            "published": {
                p.source: [
                    {"rid": rid, "ssrc": u.ssrc, "packets": u.packets, "octets": u.octets, "late": u.late, "recovered": u.recovered,
                     "nacked": u.nacked, "keys": u.keys, "plis": p.plis, "flowing": p.flowing, "open": p.gate.open, "forwarded": p.forwarded,
                     "bitrate_bps": round(u.rates[-1]), "height": u.height, "jitter_s": u.jitter_s, "lost": u.lost,
                     "loss": u.loss, "temporal_bps": [round(rate) for rate in u.rates[: u.top_tid + 1]]}
                    for rid, u in p.layers.items()
                ]
                for p in self.publications.values()
            },
            "slots": {
                d.mid: {"packets": d.packets, "octets": d.octets, "resent": d.resent, "nacked": d.nacked, "refused": d.refused,
                        "loss": d.loss, "rtt_s": d.rtt_s, "jitter_s": d.jitter_s, "left_out": d.left_out,
                        "rid": d.uplink.rid if d.uplink else None, "temporal": d.cut, "held": d.mid in self.held,
                        "height": d.uplink.height if d.uplink else 0, **self._shown(d.mid)}
                for d in self.downlinks.values() if d.packets or d.mid in self.held
            },
        }  # fmt: skip

    def _shown(self, mid: str) -> dict[str, str]:
        shown = self.shown.get(mid)
        return {} if shown is None else {"participant": shown[0].participant, "source": shown[0].source}


def _same_shape(new: tuple[NegotiatedSection, ...], old: tuple[NegotiatedSection, ...]) -> bool:
    """Equal but for the SSRCs that the publisher announces."""

    def shape(section: NegotiatedSection) -> tuple[object, ...]:
        return section.mid, section.kind, section.role, section.source, section.codecs, section.extensions, section.rids

    return [shape(s) for s in new] == [shape(s) for s in old]


def _remote(offer: Offer) -> Remote:
    return Remote(offer.ufrag, offer.pwd, secrets.token_bytes(32))
