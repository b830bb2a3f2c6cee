"""The one place where media packets are forwarded: unprotect, read, note, and per open subscription rewrite, protect, batch. S.

Everything here is synchronous and runs inside the socket's read callback; nothing is awaited or queued, so a gate that is
closed lets no further packet through. Ciphers and batches come from outside. A compiled forwarder replaces ``Forwarder``
alone: it needs the fields that ``Downlink`` and ``Uplink`` hold and ``on_srtp``.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from media.congestion.history import MASK, SentPackets
from media.congestion.pacer import Pacer, Priority
from media.relay.downlink import NUMBERS_MASK, Downlink, Paced
from media.relay.epoch import rewrite
from media.relay.publication import Publication
from media.relay.uplink import PACKET_OVERHEAD_BYTES, Arrived, RingEntry, Uplink
from media.transport.sizes import PACKET_BYTES, SEND_BATCH, SRTP_TRAILER_BYTES
from media.wire import red
from media.wire.payload import READERS, height, is_key
from media.wire.rtp import RtpReader, rtx_original_seq

PACE_S = 0.005
MAX_PAYLOAD_BYTES = PACKET_BYTES - SRTP_TRAILER_BYTES - 64
"""A longer payload cannot be sent on with our header and SRTP's trailer; no path carries datagrams this long anyway."""


class Route:
    """What an incoming SSRC is: a layer of a publication, or its retransmissions."""

    __slots__ = ("publication", "rtx", "uplink")

    def __init__(self, publication: Publication, uplink: Uplink, *, rtx: bool) -> None:
        self.publication = publication
        self.uplink = uplink
        self.rtx = rtx


class Path(Protocol):
    """What keeps a peer's address: ``last_media``, when media last came from it."""

    last_media: float


class Sender(Protocol):
    """The peer that a packet came from. ``payload_types``: by mid of what it publishes; ``red_types``: of a voice with redundancy.
    ``rx``: its decrypting context."""

    counts: Counter[str]
    rx: Any
    reader: RtpReader
    routes: dict[int, Route]
    payload_types: Mapping[str, int]
    red_types: Mapping[str, int]

    @property
    def session(self) -> Path: ...
    def note_arrival(self, number: int, now: float) -> None: ...
    def learn(self, reader: RtpReader, now: float) -> Route | None: ...


Cipher = Callable[[Any, Any, Any], int]
"""(context, memory, length in and out) → 0, or anything else when the packet must not be used."""


class Forwarder:
    """Forwards for all peers of a worker. ``forwards`` counts packets put into send batches. ``pacers``: those in which some wait.

    ``length``: memory for one C ``int``, as the ciphers take it.
    """

    def __init__(self, unprotect: Cipher, protect: Cipher, length: Any) -> None:
        self.forwards = 0
        self.protect_refused = 0
        self.pacers: set[Pacer[Paced]] = set()
        self._unprotect = unprotect
        self._protect = protect
        self._length = length

    def history(self) -> SentPackets:
        """What a new subscriber will have been sent."""
        return SentPackets()

    def uplink(self, *args: Any, **more: Any) -> Uplink:
        """A new ``Uplink``."""
        return Uplink(*args, **more)

    def on_srtp(self, peer: Sender, memory: Any, view: memoryview, size: int, now: float) -> None:
        """One SRTP datagram from a peer's proven address, in ``view[:size]``; decrypted in place."""
        length = self._length
        length[0] = size
        if self._unprotect(peer.rx, memory, length):
            peer.counts["srtp_refused"] += 1
            return
        self.on_rtp(peer, view, length[0], now)

    def on_rtp(self, peer: Sender, view: memoryview, size: int, now: float) -> None:
        """The same, decrypted."""
        counts = peer.counts
        reader = peer.reader
        if not reader.parse(view, size):
            counts["rtp_malformed"] += 1
            return
        peer.session.last_media = now
        if reader.twcc >= 0:
            peer.note_arrival(reader.twcc, now)
        route = peer.routes.get(reader.ssrc)
        if route is None:
            route = peer.learn(reader, now)
            if route is None:
                return
        seq = reader.seq
        start = reader.start
        end = reader.end
        uplink = route.uplink
        publication = route.publication
        redundancy = None
        if route.rtx:
            seq = rtx_original_seq(view, start, end)
            if seq < 0 or uplink.max_seq < 0:  # padding, or a retransmission before any media
                return
            start += 2
            if not uplink.missing(seq):
                counts["rtx_unneeded"] += 1
                return
            uplink.recovered += 1
        elif reader.pt != (number := peer.payload_types.get(publication.mid)):
            if number is None or reader.pt != peer.red_types.get(publication.mid):
                counts["payload_type_unknown"] += 1
                return
            redundancy = red.read(view[start:end], number)
            if redundancy is None:
                counts["red_malformed"] += 1
                return
        self.on_media(publication, uplink, reader, view, seq, start, end, now, redundancy)

    def on_media(
        self,
        publication: Publication,
        uplink: Uplink,
        reader: RtpReader,
        view: memoryview,
        seq: int,
        start: int,
        end: int,
        now: float,
        redundancy: red.Red | None = None,
    ) -> None:
        """One plain media packet of a publication: note it and send it to everybody who may have it.

        ``redundancy``: what a voice's payload consists of, None where it is plain. What it carries of packets that are missing goes out
        as if they had come late.
        """
        size = end - start
        if size > MAX_PAYLOAD_BYTES:
            return
        ts = reader.ts
        before = (uplink.max_seq, uplink.last_ts, uplink.last_pid, uplink.last_tl0, uplink.last_at)
        arrived = uplink.receive(seq, ts, size, now)
        if arrived is Arrived.REFUSED:
            return
        if size:
            publication.last_at = now
        if not publication.gate.open:
            uplink.pass_over(unheard=True)
            return
        if uplink.unheard:
            uplink.pass_over(unheard=False)
        if reader.level >= 0 and uplink.kind == "audio":
            publication.on_level(publication.participant, reader.level, now)
        if arrived is Arrived.RESTARTED:
            for downlink in publication.active:
                downlink.restarted(uplink, before)
        payload = bytes(view[start:end])
        header = None
        startable = True
        late = arrived is Arrived.LATE
        tid = 0
        if uplink.kind == "video":
            reader_of = READERS.get(uplink.codec)
            if reader_of is not None:
                header = reader_of(payload, 0, size)
                startable = header[1]
                tid = header[7]
                if tid > uplink.top_tid:
                    uplink.top_tid = tid
                if not late:
                    if header[3] >= 0:
                        uplink.last_pid = header[4]
                    if header[5] >= 0:
                        uplink.last_tl0 = header[6]
            else:
                startable = size > 0 and is_key(uplink.codec, payload, 0, size)
            if startable:
                uplink.keys += 1
                if not late and ts != before[1]:
                    uplink.key_at = now
                uplink.height = height(uplink.codec, payload, 0, size) or uplink.height
        primary = redundancy.primary if redundancy is not None else 0
        packet = RingEntry(seq, ts, reader.marker, payload, header, reader.level, primary, now)
        if redundancy is not None:
            uplink.red_at = now
            uplink.by_tid[1] += primary  # costs only those who are sent it: see ``layers.ladder``
            self._restore(publication, uplink, redundancy, packet, now)
        uplink.keep(packet)
        uplink.by_tid[tid] += size - primary + PACKET_OVERHEAD_BYTES
        if late:
            self._late(publication, uplink, packet, now)
        else:
            self._send(publication, publication.active, uplink, packet, startable, now)
        if publication.sinks:
            for sink in publication.sinks:
                sink.packet(uplink, packet, startable, late, now)

    def _restore(
        self,
        publication: Publication,
        uplink: Uplink,
        redundancy: red.Red,
        packet: RingEntry,
        now: float,
    ) -> None:
        """Packets that are missing, from the redundancy of a later one. Its blocks are of the packets right before it."""
        for back, block in enumerate(reversed(redundancy.blocks), 1):
            number = (packet.seq - back) & 0xFFFF
            then = (packet.ts - block.offset) & 0xFFFFFFFF
            before = uplink.kept((number - 1) & 0xFFFF)
            if block.start == block.end or (before is not None and not 0 < (then - before.ts) & 0xFFFFFFFF < 0x80000000):
                return
            if uplink.restore(number, block.end - block.start):
                missing = RingEntry(number, then, 0, packet.payload[block.start : block.end], None, packet.level, 0, now)
                uplink.keep(missing)
                self._late(publication, uplink, missing, now)
                for sink in publication.sinks:
                    sink.packet(uplink, missing, False, True, now)

    def _late(self, publication: Publication, uplink: Uplink, packet: RingEntry, now: float) -> None:
        """A packet that fills a gap: to everybody who has kept its number."""
        seq, ts, marker, payload, header, level, *_ = packet
        for d in publication.active:
            place = d.late(uplink, seq, ts)
            if place is None:
                continue
            epoch, cut = place
            out_seq = (seq + epoch.seq_off) & 0xFFFF
            number, body = epoch.voice(packet)
            if header is not None and header[7] > cut:
                d.fill(out_seq)
                body = b""
            elif header is not None and (epoch.pid_off or epoch.tl0_off):
                rewritten = bytearray(payload)
                rewrite(rewritten, 0, header, epoch.pid_off, epoch.tl0_off)
                body = bytes(rewritten)
            out_ts = (ts + epoch.ts_off) & 0xFFFFFFFF
            if self.put(d, marker | number, out_seq, out_ts, body, level, now):
                publication.forwarded += 1
            d.came_late(out_seq)

    def send_kept(self, publication: Publication, d: Downlink, uplink: Uplink, entry: RingEntry, now: float) -> None:
        """One packet out of the ring to one slot that shows its layer, as if it came now."""
        Forwarder._send(self, publication, [d], uplink, entry, False, now)

    def put(self, d: Downlink, kind: int, seq: int, ts: int, payload: bytes, level: int, now: float) -> bool:
        """The slow way: one packet with its final numbers and payload into the batch. ``kind``: second byte of the header."""
        batch = d.batch
        if batch is None:
            return False
        if batch.count >= SEND_BATCH:
            batch.flush()
        i = batch.count
        out = batch.buffers[i]
        head = d.head
        size = len(payload)
        pack = head.packers.get(size) or head.packer(size)
        twcc = 0
        if head.opening:
            twcc = d.sent.next()
            pack(out, 0, head.b0, kind, seq, ts, head.ssrc, head.opening, twcc, head.tail, payload)
        else:
            pack(out, 0, head.b0, kind, seq, ts, head.ssrc, head.tail, payload)
        if level >= 0 and head.level_at:
            out[head.level_at] = level
        length = self._length
        length[0] = head.size + size
        if self._protect(d.tx, batch.memory[i], length):
            d.refused += 1
            self.protect_refused += 1
            return False
        sent = length[0]
        if head.opening:
            d.sent.note(twcc, sent, now)
            if d.numbers is not None:
                d.numbers[seq & NUMBERS_MASK] = twcc
        batch.address(i, sent, d.destination)
        batch.count = i + 1
        d.packets += 1
        d.octets += size
        self.forwards += 1
        return True

    def _pace(self, d: Downlink, pacer: Pacer[Paced], packet: RingEntry, now: float) -> None:
        """A picture's packet for a narrow path: waits until its turn comes."""
        seq, ts, marker, payload, header, *_ = packet
        if header is not None and (d.pid_off or d.tl0_off):
            rewritten = bytearray(payload)
            rewrite(rewritten, 0, header, d.pid_off, d.tl0_off)
            payload = bytes(rewritten)
        paced = Paced(
            d, d.generation, marker | d.payload_type, (seq + d.seq_off) & 0xFFFF, (ts + d.ts_off) & 0xFFFFFFFF, payload
        )
        pacer.push(paced, len(payload) + PACKET_OVERHEAD_BYTES, Priority.VIDEO, now, d.mid)
        self._release(pacer, now)

    def _release(self, pacer: Pacer[Paced], now: float) -> None:
        for packet in pacer.pop_due(now):
            d = packet.downlink
            if packet.generation == d.generation:
                self.put(d, packet.kind, packet.seq, packet.ts, packet.payload, -1, now)
        if len(pacer):
            self.pacers.add(pacer)
        else:
            self.pacers.discard(pacer)

    def release(self, now: float) -> None:
        """Send what may leave by now. Call each ``PACE_S`` while there are ``pacers``."""
        for pacer in list(self.pacers):
            self._release(pacer, now)

    def _send(
        self,
        publication: Publication,
        downlinks: list[Downlink],
        uplink: Uplink,
        packet: RingEntry,
        startable: bool,
        now: float,
    ) -> None:
        """The newest packet of ``uplink``. ``startable``: who waits for it goes over to it with this packet."""
        seq, ts, marker, payload, header, level, primary, _ = packet
        protect = self._protect
        length = self._length
        size = len(payload)
        done = 0
        for d in downlinks:
            if d.uplink is not uplink:
                if not startable or d.pending is not uplink:
                    continue
                codec = d.codecs.get(publication.codec_key)
                if codec is None:
                    continue
                d.switch(uplink, codec, seq, ts, header, now)
                if d.pacer is not None:
                    self._pace(d, d.pacer, packet, now)
                    continue
            elif d.careful:
                if not d.admit(header, seq, ts):
                    continue
                if d.pacer is not None:
                    self._pace(d, d.pacer, packet, now)
                    continue
            batch = d.batch
            if batch is None:
                continue
            kind = marker | d.payload_type
            if primary:
                number, payload = d.epochs[-1].voice(packet)
                kind = marker | number
                size = len(payload)
            i = batch.count
            if i >= SEND_BATCH:
                batch.flush()
                i = 0
            out = batch.buffers[i]
            head = d.head
            pack = head.packers.get(size) or head.packer(size)
            opening = head.opening
            if opening:
                wire = d.sent
                twcc = wire.number[0] = (wire.number[0] + 1) & 0xFFFF
                pack(
                    out, 0, head.b0, kind, (seq + d.seq_off) & 0xFFFF, (ts + d.ts_off) & 0xFFFFFFFF,
                    head.ssrc, opening, twcc, head.tail, payload,
                )  # fmt: skip
            else:
                pack(
                    out, 0, head.b0, kind, (seq + d.seq_off) & 0xFFFF, (ts + d.ts_off) & 0xFFFFFFFF,
                    head.ssrc, head.tail, payload,
                )  # fmt: skip
            if header is not None and (d.pid_off or d.tl0_off):
                rewrite(out, head.size, header, d.pid_off, d.tl0_off)
            if level >= 0 and head.level_at:
                out[head.level_at] = level
            length[0] = head.size + size
            if protect(d.tx, batch.memory[i], length):
                d.refused += 1
                self.protect_refused += 1
                continue
            destination = d.destination
            batch.iov[2 * i + 1] = sent = length[0]
            if opening:
                if d.numbers is not None:
                    d.numbers[(seq + d.seq_off) & NUMBERS_MASK] = twcc
                twcc &= MASK
                wire.at[twcc] = now
                wire.size[twcc] = sent
            batch.headers[8 * i] = destination.pointer
            batch.name_lengths[16 * i + 2] = destination.length
            batch.destinations[i] = destination
            batch.count = i + 1
            d.packets += 1
            d.octets += size
            done += 1
        publication.forwarded += done
        self.forwards += done
