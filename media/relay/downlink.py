"""One slot on its way out: whatever it shows, its SSRC, sequence numbers, timestamps and picture ids go on unbroken. Sans I/O.

RFC 3550 (headers), RFC 7741 section 4.2 (VP8 counters), RFC 9628 section 4.2 (VP9's), RFC 4588 (retransmission), RFC 8285 (extensions).
What goes out is arithmetic on what came in: an ``Epoch`` holds the differences since the last change, so nothing is stored
per forwarded packet; a retransmission is rebuilt from the publisher's ring by the same arithmetic.

Temporal layers (VP8, VP9): packets above ``cut`` are left out as whole frames and leave no hole in numbers, nor in VP8's picture
ids. A number that a missing packet may need stays free; when it comes after all and is not wanted, an empty packet takes its number.
"""

import struct
from array import array
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, Protocol

from media.congestion.history import SentPackets
from media.congestion.pacer import Pacer
from media.relay.epoch import EVERYTHING, Epoch, SlotCodec, rewrite
from media.relay.uplink import RING, RingEntry, Uplink
from media.wire.head import Head
from media.wire.payload import Descriptor
from media.wire.rtcp import ReportBlock
from media.wire.sdp import ExtensionIds

RESENDS_PER_PACKET = 6
RESEND_GAP_S = 0.02
"""The same packet is not sent again within this time: browsers repeat NACKs."""
MAX_RESEND_GAP_S = 0.1
_RESENT = 1024
EPOCHS = 64
"""At 30 pictures a second with every other one left out: over four seconds."""
FILLERS = 128
_RECENT = 0x2000
RECENT_PACKETS = 100
NUMBERS_MASK = 0xFF
"""Transport-wide numbers of a voice are remembered of as many packets as ``uplink.VOICE_RING`` keeps."""
VOICE_AGE_S = 1.0
"""An older packet of a voice is not sent again: it would not be played."""
MAX_CORRECTION_S = 0.25


class Paced(NamedTuple):
    """A packet that waits to leave, complete but for its transport-wide number. ``kind``: second byte of its header.

    ``generation``: the slot's when it was queued; another one since: a gate was shut, and it must not leave any more.
    """

    downlink: "Downlink"
    generation: int
    kind: int
    seq: int
    ts: int
    payload: bytes


class Mirror(Protocol):
    """Another forwarder's picture of a slot. ``slow``: it leaves every packet of what the slot shows to ours."""

    slow: bool

    def update(self, downlink: "Downlink") -> None:
        """The slot has changed: what it shows or waits for, its differences, its path."""
        ...

    def collect(self, downlink: "Downlink") -> None:
        """Add to the slot's counters what was sent without it."""
        ...


class Downlink:
    """One slot of one subscriber. ``codecs``: codec key (see ``sdp.Codec.key``) → how it is received here.

    ``tx``, ``batch``, ``destination`` and ``sent`` (shared by the slots of one subscriber) are the forwarder's; call ``changed`` after
    setting them. While ``careful`` is
    False, all of ``uplink`` passes by the differences in ``seq_off``, ``ts_off``, ``pid_off`` and ``tl0_off``. ``numbers``, of a voice
    with such numbers: the transport-wide number of each packet, by ``seq & NUMBERS_MASK``; the forwarder writes them too. ``red``: payload
    type with which the redundancy of a voice is passed on, 0 while it is taken off. ``asked``: packets that were asked for again.
    """

    __slots__ = (
        "_clock",
        "_drop_ts",
        "_fillers",
        "_frame_ts",
        "_reported",
        "_resent",
        "asked",
        "batch",
        "careful",
        "cname",
        "codecs",
        "cut",
        "destination",
        "epochs",
        "generation",
        "head",
        "jitter_s",
        "kind",
        "last_at",
        "left_out",
        "loss",
        "max_tid",
        "mid",
        "mirror",
        "nacked",
        "next_tid",
        "numbers",
        "octets",
        "out_pid",
        "out_seq",
        "out_tl0",
        "out_ts",
        "pacer",
        "packets",
        "payload_type",
        "pending",
        "pid_off",
        "rate",
        "red",
        "redundant",
        "refused",
        "resent",
        "rtt_s",
        "rtx_head",
        "rtx_seq",
        "sent",
        "seq_off",
        "ssrc",
        "target",
        "tl0_off",
        "ts_off",
        "tx",
        "uplink",
    )  # fmt: skip

    def __init__(
        self,
        *,
        mid: str,
        kind: str,
        ssrc: int,
        rtx_ssrc: int,
        codecs: Mapping[str, SlotCodec],
        ids: ExtensionIds,
        first_seq: int,
        first_ts: int,
        rtx_seq: int,
        cname: str = "",
        sent: SentPackets | None = None,
    ) -> None:
        self.mid = mid
        self.cname = cname
        self.kind = kind
        self.ssrc = ssrc
        self.codecs = dict(codecs)
        self.head = Head(ssrc, mid, ids, level=kind == "audio")
        self.rtx_head = Head(rtx_ssrc, mid, ids, level=False)
        self.numbers = array("H", bytes(2 * NUMBERS_MASK + 2)) if kind == "audio" and self.head.opening else None
        self.rate = 48000 if kind == "audio" else 90000
        self.out_seq = (first_seq - 1) & 0xFFFF
        self.out_ts = first_ts
        self.out_pid = self.out_tl0 = -1
        self.last_at = -1.0
        self._clock: tuple[float, int] | None = None
        self.rtx_seq = rtx_seq
        self.payload_type = 0
        self.seq_off = self.ts_off = self.pid_off = self.tl0_off = 0
        self.uplink: Uplink | None = None
        self.pending: Uplink | None = None
        self.epochs: deque[Epoch] = deque(maxlen=EPOCHS)
        self.packets = self.octets = self.resent = self.nacked = self.refused = self.asked = 0
        self._resent: list[tuple[int, int, float]] = [(-1, 0, 0.0)] * _RESENT
        self.careful = False
        self.max_tid = self.next_tid = self.cut = EVERYTHING
        self.redundant = False
        self.red = 0
        self.target: str | None = None
        self.left_out = 0
        self.pacer: Pacer[Paced] | None = None
        self.generation = 0
        self._frame_ts = self._drop_ts = -1
        self._fillers: deque[int] = deque(maxlen=FILLERS)
        self.loss = self.jitter_s = 0.0
        self._reported = 0
        self.rtt_s: float | None = None
        self.tx: Any = None
        self.sent = sent or SentPackets()
        self.mirror: Mirror | None = None
        self.batch: Any = None
        self.destination: Any = None

    # ---- what it shows

    def want(self, uplink: Uplink, codec_key: str, now: float) -> bool:
        """Show this from its next key frame on (audio: from its next packet). False when the subscriber cannot receive it."""
        codec = self.codecs.get(codec_key)
        if codec is None:
            return False
        if self.uplink is not None and self.uplink is not uplink and self.uplink.kind == "audio":
            self.detach(now)
        self.pending = uplink if uplink is not self.uplink else None
        self.changed()
        return True

    def changed(self) -> None:
        """Tell the mirror. Our own methods do."""
        if self.mirror is not None:
            self.mirror.update(self)

    def collect(self) -> None:
        """Bring ``packets``, ``octets`` and ``refused`` up to date."""
        if self.mirror is not None:
            self.mirror.collect(self)

    def detach(self, now: float) -> None:
        """Show nothing from the next packet on; what was sent cannot be sent again."""
        self._settle(now)
        self.uplink = self.pending = None
        self._forget()
        self.changed()

    def release(self, now: float) -> None:
        """Show no more of this source from the next packet on, but go on waiting for what is to follow it."""
        pending = self.pending
        self.detach(now)
        self.pending = pending
        self.changed()

    def _forget(self) -> None:
        self.epochs.clear()
        self._fillers.clear()
        self.generation += 1
        self.cut = self.max_tid = self.next_tid
        self.careful = False

    def _settle(self, now: float) -> None:
        """Write down the newest numbers sent, which until now followed from the source's."""
        source = self.uplink
        if source is None or not self.epochs:
            return
        self._clock = now, (source.rtp_at(now) + self.ts_off) & 0xFFFFFFFF
        self._write((source.max_seq, source.last_ts, source.last_pid, source.last_tl0, source.last_at))

    def _write(self, newest: tuple[int, int, int, int, float]) -> None:
        seq, ts, pid, tl0, at = newest
        self.out_seq = (seq + self.seq_off) & 0xFFFF
        self.out_ts = (ts + self.ts_off) & 0xFFFFFFFF
        if pid >= 0:
            self.out_pid = (pid + self.pid_off) & 0x7FFF
        if tl0 >= 0:
            self.out_tl0 = (tl0 + self.tl0_off) & 0xFF
        self.last_at = at

    def switch(self, uplink: Uplink, codec: SlotCodec, seq: int, ts: int, header: Descriptor | None, now: float) -> None:
        """Go over to ``uplink`` with this packet, its newest.

        Sequence numbers go on by one, picture id and TL0 by one; the slot's time goes on as its sender reports said, so that
        lips stay in step with voices.
        """
        self._settle(now)
        self.ts_off = self._offset(uplink, ts, now)
        self.pid_off = self.tl0_off = 0
        if header is not None:
            if header[3] >= 0 and self.out_pid >= 0:
                self.pid_off = (self.out_pid + 1 - header[4]) & 0x7FFF
            if header[5] >= 0 and self.out_tl0 >= 0:
                self.tl0_off = (self.out_tl0 + 1 - header[6]) & 0xFF
        self.cut = self.max_tid = self.next_tid
        self.red = codec.red if self.redundant else 0
        first_out = (self.out_seq + 1) & 0xFFFF
        offsets = self.ts_off, self.pid_off, self.tl0_off
        epoch = Epoch(uplink, codec, seq, first_out, *offsets, self.max_tid, self.red, ts, opened=(seq, ts))
        self.seq_off = epoch.seq_off
        self._frame_ts, self._drop_ts = ts, -1
        self.epochs.append(epoch)
        self.uplink = uplink
        self.pending = None
        self.payload_type = codec.payload_type
        self._take_care()

    def _offset(self, uplink: Uplink, ts: int, now: float) -> int:
        """From the new source's timestamps to the slot's: by both clocks where they can be believed, else by the time passed.

        They are not where time would stand still, or where they differ from the time passed by more than ``MAX_CORRECTION_S``:
        a first sender report that was seconds on its way would make the receiver wait for as long.
        """
        elapsed = 0 if self.last_at < 0 else max(self.rate // 100, int((now - self.last_at) * self.rate))
        if self._clock is not None:
            at, was = self._clock
            offset = was + int((now - at) * self.rate) - uplink.rtp_at(now)
            ahead = (ts + offset - self.out_ts + 0x80000000 & 0xFFFFFFFF) - 0x80000000
            if ahead >= self.rate // 100 and abs(ahead - elapsed) <= MAX_CORRECTION_S * self.rate:
                return offset & 0xFFFFFFFF
        return (self.out_ts + elapsed - ts) & 0xFFFFFFFF

    def restarted(self, uplink: Uplink, before: tuple[int, int, int, int, float]) -> None:
        """The source's numbers jumped; ``before``: its (max_seq, last_ts, last_pid, last_tl0, last_at). Waits for a key frame."""
        if self.uplink is not uplink or not self.epochs:
            return
        self._write(before)
        self._clock = None
        self._forget()
        self.uplink = None
        self.pending = uplink
        self.changed()

    # ---- temporal layers

    def aim(self, rid: str | None, max_tid: int, *, lower: bool = False) -> None:
        """Show the layer ``rid`` (None: any) from its next key frame on, and of it temporal ids up to ``max_tid``.

        ``lower``: because the path cannot carry what is shown now, of which only the least is sent until then.
        """
        self.target = rid
        self.next_tid = max_tid
        if self.uplink is None:
            self.cut = self.max_tid = max_tid
        elif rid is None or self.uplink.rid == rid:
            self.limit(max_tid)
        elif lower:
            self.limit(0)

    def limit(self, max_tid: int) -> None:
        """Send temporal ids up to this: fewer from the next frame on, more from where the stream allows it."""
        if max_tid != self.max_tid:
            self.max_tid = max_tid
            if self.uplink is not None:
                self._frame_ts = self.uplink.last_ts
            self._take_care()

    def protect(self, redundant: bool) -> None:
        """Pass the redundancy of voices on from the next packet on, or take it off. What left is repeated as it was."""
        self.redundant = redundant
        if self.uplink is None or not self.epochs:
            return
        red = self.epochs[-1].codec.red if redundant else 0
        if red != self.red:
            self.red = red
            first = (self.uplink.max_seq + 1) & 0xFFFF
            self._begin_epoch(first, (first + self.seq_off) & 0xFFFF)
            self.changed()

    def pace(self, pacer: "Pacer[Paced] | None") -> None:
        """From now on packets leave through this; None: at once, and nothing may be left in the one before."""
        self.pacer = pacer
        self._take_care()

    def _take_care(self) -> None:
        """Every packet is looked at while a layer is left out, or is about to be, or while sending is paced."""
        everything = self.cut == self.max_tid == EVERYTHING and self.pacer is None
        self.careful = self.uplink is not None and not everything
        self.changed()

    def admit(self, header: Descriptor | None, seq: int, ts: int) -> bool:
        """Whether the newest packet of what is shown is sent. Call for every one while ``careful``."""
        if header is None:
            return True
        if ts != self._frame_ts:
            self._frame_ts = ts
            if self.cut != self.max_tid:
                self._recut(header, seq)
        if header[7] <= self.cut:
            self._drop_ts = -1
            return True
        self._leave_out(header, seq, ts)
        return False

    def _recut(self, header: Descriptor, seq: int) -> None:
        """At the first packet of a frame: less at once; more with a key frame, or where the stream says that it is possible.

        VP8 says so of a frame that needs only the lowest layer: one layer more. So does VP9 in flexible mode, as Chromium makes it. Else VP9
        says that no later picture of higher layers needs one of those before (RFC 9628 section 4.2, U): all of them from then on.
        """
        cut = self.cut
        assert self.uplink is not None
        if self.max_tid < cut or header[1]:
            cut = self.max_tid
        elif header[8] and self.uplink.codec == "vp9" and header[5] >= 0:
            if header[7] <= cut:
                cut = self.max_tid
        elif header[0] and header[8] and header[7] == cut + 1:
            cut += 1
        if self.max_tid > cut >= self.uplink.top_tid:
            cut = self.max_tid
        if cut == self.cut:
            return
        self.cut = cut
        self._begin_epoch(seq, (seq + self.seq_off) & 0xFFFF)
        self._take_care()

    def _leave_out(self, header: Descriptor, seq: int, ts: int) -> None:
        """The numbers of this packet go to the next one."""
        last = self.epochs[-1]
        self.left_out += 1
        first_out = (seq + self.seq_off) & 0xFFFF
        if self._drop_ts == ts:  # what is missing between two packets of a frame is of that frame
            first_out = last.first_out
        elif header[3] >= 0 and last.uplink.codec == "vp8":  # VP9 refers to pictures by their distance: a hole must stay
            self.pid_off = (self.pid_off - 1) & 0x7FFF
        self._drop_ts = ts
        self._begin_epoch((seq + 1) & 0xFFFF, first_out)

    def shift(self, first_in: int, ts_off: int) -> None:
        """From this packet of what is shown on times go out by another difference. Then call ``changed``."""
        self.ts_off = ts_off & 0xFFFFFFFF
        self._begin_epoch(first_in, (first_in + self.seq_off) & 0xFFFF)

    def _begin_epoch(self, first_in: int, first_out: int) -> None:
        last = self.epochs[-1]
        since, least = self._frame_ts, EVERYTHING
        if last.first_out == first_out:  # nothing has a number under the last one
            self.epochs.pop()
            since, least = last.since, last.least
        offsets = self.ts_off, self.pid_off, self.tl0_off
        epoch = Epoch(last.uplink, last.codec, first_in, first_out, *offsets, self.cut, self.red, since, least, last.opened)
        self.epochs.append(epoch)
        self.seq_off = epoch.seq_off

    def late(self, uplink: Uplink, seq: int, ts: int) -> tuple[Epoch, int] | None:
        """Under which epoch a packet that fills a gap is sent, and up to which temporal id; None when it has no number here."""
        following: Epoch | None = None
        for epoch in reversed(self.epochs):
            if epoch.uplink is uplink and (seq - epoch.first_in) & 0xFFFF < 0x8000:
                if following is None:
                    return epoch, epoch.cut
                if (seq + epoch.seq_off - following.first_out) & 0xFFFF < 0x8000:
                    return None
                if following.uplink is not uplink or 0 < (following.since - ts) & 0xFFFFFFFF < 0x80000000:
                    return epoch, epoch.cut  # of a frame from before that
                return epoch, min(epoch.cut, following.least)
            following = epoch
        return None

    def fill(self, out_seq: int) -> None:
        """Remember that this number went to an empty packet."""
        self._fillers.append(out_seq)

    def age(self) -> None:
        """Now and then (before 2**15 packets passed): keep comparisons with the start of an epoch unambiguous."""
        if not self.epochs:
            return
        epoch = self.epochs[-1]
        if epoch.opened is not None and (epoch.uplink.max_seq - epoch.opened[0]) & 0xFFFF > RING:
            epoch.opened = None  # nothing is there any more whose redundancy goes back so far
        if 0x4000 < (epoch.uplink.max_seq - epoch.first_in) & 0xFFFF < 0xC000:
            epoch.first_in = (epoch.uplink.max_seq - 0x2000) & 0xFFFF
            epoch.first_out = (epoch.first_in + epoch.seq_off) & 0xFFFF
            while len(self.epochs) > 1:
                self.epochs.popleft()

    # ---- retransmission

    def find(self, out_seq: int) -> tuple[Epoch, int] | None:
        """Under which epoch, and from which incoming number, a number was sent lately."""
        if self.uplink is None or (self.uplink.max_seq + self.seq_off - out_seq) & 0xFFFF >= _RECENT:
            return None
        for epoch in reversed(self.epochs):
            if (out_seq - epoch.first_out) & 0xFFFF < 0x8000:
                return epoch, (out_seq - epoch.seq_off) & 0xFFFF
        return None

    def may_resend(self, out_seq: int, now: float, rtt_s: float | None = None) -> bool:
        """Counts a resend and says whether it is within the limits: not before the last one can have arrived."""
        gap = RESEND_GAP_S if rtt_s is None else min(max(RESEND_GAP_S, 0.7 * rtt_s), MAX_RESEND_GAP_S)
        seq, times, last = self._resent[out_seq & (_RESENT - 1)]
        if seq != out_seq:
            times, last = 0, -1.0
            self.asked += 1
        if times >= RESENDS_PER_PACKET or (times and now - last < gap):
            return False
        self._resent[out_seq & (_RESENT - 1)] = (out_seq, times + 1, now)
        return True

    def came_late(self, out_seq: int) -> None:
        """This number left out of order: that it is asked for says nothing of the way to the subscriber."""
        self._resent[out_seq & (_RESENT - 1)] = (out_seq, 0, -1.0)

    def recent(self) -> Iterator[tuple[Epoch, RingEntry]]:
        """What was sent lately and is still there, the newest first."""
        if self.uplink is None or not self.epochs:
            return
        newest = self.uplink.max_seq + self.seq_off
        for back in range(RECENT_PACKETS):
            found = self.find((newest - back) & 0xFFFF)
            entry = found[0].uplink.kept(found[1]) if found is not None else None
            if found is not None and entry is not None:
                yield found[0], entry

    def padding(self, size: int, twcc: int) -> bytes:
        """``size`` (1 … 255) bytes of padding on the RTX SSRC (RFC 3550 section 5.1), the rest is header."""
        head = self.rtx_head
        kind = next((codec.rtx for codec in self.codecs.values() if codec.rtx is not None), 0)
        number, self.rtx_seq = self.rtx_seq, (self.rtx_seq + 1) & 0xFFFF
        body = bytes(size - 1) + bytes((size,))
        out = bytearray(head.size + size)
        pack = head.packer(size)
        if head.opening:
            pack(out, 0, head.b0 | 0x20, kind, number, self.out_ts, head.ssrc, head.opening, twcc, head.tail, body)
        else:
            pack(out, 0, head.b0 | 0x20, kind, number, self.out_ts, head.ssrc, head.tail, body)
        return bytes(out)

    def can_rebuild(self, epoch: Epoch) -> bool:
        """A picture without a stream for what is sent again would be another packet under its old number, because of the new
        transport-wide one: AEAD ciphers must never see that (RFC 7714 section 8.1). A voice is repeated as it was.
        """
        return self.kind == "audio" or epoch.codec.rtx is not None or not self.head.opening

    def rebuild(self, epoch: Epoch, entry: RingEntry, twcc: int) -> bytes:
        """The packet again: on the RTX SSRC where negotiated, else as it was. ``twcc``: its new transport-wide number."""
        seq = (entry.seq + epoch.seq_off) & 0xFFFF
        payload = bytearray() if seq in self._fillers else bytearray(entry.payload)
        if payload and entry.header is not None:
            rewrite(payload, 0, entry.header, epoch.pid_off, epoch.tl0_off)
        ts = (entry.ts + epoch.ts_off) & 0xFFFFFFFF
        if epoch.codec.rtx is None:
            head, kind, number, body = self.head, epoch.codec.payload_type, seq, bytes(payload)
        else:
            head, kind, number = self.rtx_head, epoch.codec.rtx, self.rtx_seq
            body = struct.pack("!H", seq) + bytes(payload)
            self.rtx_seq = (self.rtx_seq + 1) & 0xFFFF
        out = bytearray(head.size + len(body))
        pack = head.packer(len(body))
        if head.opening:
            pack(out, 0, head.b0, entry.marker | kind, number, ts, head.ssrc, head.opening, twcc, head.tail, body)
        else:
            pack(out, 0, head.b0, entry.marker | kind, number, ts, head.ssrc, head.tail, body)
        return bytes(out)

    def repeat(self, epoch: Epoch, entry: RingEntry) -> bytes | None:
        """A packet of a voice as it was, byte by byte; None when it is too old to be of use.

        It has no other stream to be sent again on (browsers know no RTX for audio), so it leaves under the number that it had. AEAD
        ciphers must never see two different packets under one (RFC 7714 section 8.1), its header included: the transport-wide number is
        that of the first time, and feedback about it does not count any more, since it would not say which of the two arrived.
        """
        source = epoch.uplink
        age = (source.last_ts - entry.ts + 0x80000000 & 0xFFFFFFFF) - 0x80000000
        if age > VOICE_AGE_S * source.rate:
            return None
        seq = (entry.seq + epoch.seq_off) & 0xFFFF
        number, body = epoch.voice(entry)
        head, kind, ts = self.head, entry.marker | number, (entry.ts + epoch.ts_off) & 0xFFFFFFFF
        out = bytearray(head.size + len(body))
        pack = head.packer(len(body))
        if self.numbers is not None:
            twcc = self.numbers[seq & NUMBERS_MASK]
            self.sent.forget(twcc)
            pack(out, 0, head.b0, kind, seq, ts, head.ssrc, head.opening, twcc, head.tail, body)
        else:
            pack(out, 0, head.b0, kind, seq, ts, head.ssrc, head.tail, body)
        if entry.level >= 0 and head.level_at:
            out[head.level_at] = entry.level
        return bytes(out)

    # ---- reports

    def timestamp_at(self, now: float) -> int | None:
        """The slot's RTP timestamp at ``now`` for a sender report; None while it shows nothing."""
        if self.uplink is None or not self.epochs:
            return None
        return (self.uplink.rtp_at(now) + self.ts_off) & 0xFFFFFFFF

    def note_report(self, block: ReportBlock, ntp_mid: int) -> int:
        """A receiver report about this slot; returns how many packets were sent since the last one.

        ``ntp_mid``: middle 32 bits of our NTP time now (RFC 3550 section 6.4.1).
        """
        self.collect()
        self.loss = block.fraction_lost / 256
        self.jitter_s = block.jitter / self.rate
        new, self._reported = self.packets - self._reported, self.packets
        if block.last_sr:
            rtt = (ntp_mid - block.last_sr - block.delay_since_last_sr) & 0xFFFFFFFF
            if rtt < 0x80000000:
                self.rtt_s = rtt / 65536
        return new
