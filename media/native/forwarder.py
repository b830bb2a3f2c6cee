"""``Forwarder`` with its inner loop in C. What is out of the ordinary (a switch, a layer left out, a late packet) stays Python's."""

import struct
from typing import Any

from media.native.batch import NativeBatch
from media.native.history import NativeSentPackets, Scratch
from media.native.library import Library
from media.native.uplink import NativeUplink
from media.relay.downlink import Downlink
from media.relay.forward import Forwarder
from media.relay.publication import Publication
from media.relay.uplink import RingEntry, Uplink
from media.transport import srtp
from media.wire.payload import NO_DESCRIPTOR

_PACKET = struct.Struct("@QdIHBBiiiiii")
"""``struct tp_packet`` of forward.h."""


class Leg:
    """A ``Downlink`` as C sees it; ``media.relay.downlink.Mirror``. ``slow``: Python sends every packet of what it shows."""

    __slots__ = ("_forwarder", "_kept", "_library", "slow", "struct")

    def __init__(self, library: Library, downlink: Downlink, forwarder: Forwarder) -> None:
        ffi = library.ffi
        self._forwarder = forwarder
        self._library = library
        self.slow = True
        self.struct: Any = ffi.new("struct tp_leg *")
        leg, head, sent = self.struct, downlink.head, downlink.sent
        leg.ssrc = head.ssrc
        leg.first = head.b0
        leg.level_at = head.level_at
        leg.opening = len(head.opening)
        leg.tail = len(head.tail)
        ffi.memmove(leg.head, head.opening, len(head.opening))
        ffi.memmove(leg.rest, head.tail, len(head.tail))
        wire = ffi.new("struct tp_wire *")
        buffers = [ffi.from_buffer(f"{kind}[]", buffer, require_writable=True)
                   for kind, buffer in (("uint32_t", sent.number), ("double", sent.at), ("uint16_t", sent.size))]  # fmt: skip
        wire.number, wire.at, wire.size = buffers
        leg.wire = wire
        numbers = None
        if downlink.numbers is not None:
            leg.numbers = numbers = ffi.from_buffer("uint16_t[]", downlink.numbers, require_writable=True)
        self._kept = (wire, buffers, sent, numbers)
        self.update(downlink)

    def update(self, downlink: Downlink) -> None:
        leg, ffi = self.struct, self._library.ffi
        batch, to, shown, pending = downlink.batch, downlink.destination, downlink.uplink, downlink.pending
        able = downlink.tx is not None and to is not None and isinstance(batch, NativeBatch)
        self.slow = downlink.careful or downlink.red > 0 or not able
        leg.careful = self.slow
        leg.source = shown.number if shown is not None else 0
        leg.pending = pending.number if pending is not None else 0
        leg.seq_off = downlink.seq_off
        leg.ts_off = downlink.ts_off
        leg.pid_off = downlink.pid_off
        leg.tl0_off = downlink.tl0_off
        leg.payload_type = downlink.payload_type
        if able:
            leg.tx = ffi.cast("void *", srtp.address(downlink.tx))
            leg.batch = batch.struct
            leg.name_length = to.length
            ffi.memmove(leg.name, to.key, to.length)
        else:
            leg.tx = leg.batch = ffi.NULL
            leg.name_length = 0

    def collect(self, downlink: Downlink) -> None:
        leg = self.struct
        if not leg.packets and not leg.refused:
            return
        downlink.packets += leg.packets
        downlink.octets += leg.octets
        downlink.refused += leg.refused
        self._forwarder.protect_refused += leg.refused
        leg.packets = leg.octets = leg.refused = 0


class _Plan:
    """The legs of a publication as an array for C; of one list of downlinks, which it keeps alive."""

    __slots__ = ("array", "count", "downlinks", "legs")

    def __init__(self, library: Library, downlinks: list[Downlink], forwarder: Forwarder) -> None:
        self.downlinks = downlinks
        self.legs = []
        for downlink in downlinks:
            if not isinstance(downlink.mirror, Leg):
                downlink.mirror = Leg(library, downlink, forwarder)
            self.legs.append(downlink.mirror)
        self.count = len(self.legs)
        self.array: Any = library.ffi.new("struct tp_leg *[]", [leg.struct for leg in self.legs])


class Published:
    """A ``Publication`` as C sees it; ``media.relay.publication.Mirror``."""

    __slots__ = ("_forwarder", "_kept", "_library", "_plan", "struct")

    def __init__(self, library: Library, publication: Publication, forwarder: Forwarder) -> None:
        ffi = library.ffi
        self._library = library
        self._forwarder = forwarder
        self.struct: Any = ffi.new("struct tp_published *")
        last_at, forwarded = publication.shared
        self._kept = [
            ffi.from_buffer(kind, buffer, require_writable=True)
            for kind, buffer in (("double[]", last_at), ("int64_t[]", forwarded), ("int32_t[]", publication.gate.flag))
        ]
        self.struct.last_at, self.struct.forwarded, self.struct.open = self._kept
        self.update(publication)

    def update(self, publication: Publication) -> None:
        plan = self._plan = plan_of(self._library, publication, publication.active, self._forwarder)
        self.struct.legs = plan.array
        self.struct.count = plan.count
        self.struct.sinks = len(publication.sinks)


def plan_of(library: Library, publication: Publication, downlinks: list[Downlink], forwarder: Forwarder) -> _Plan:
    """That of these, which is made anew where the one there is was of others."""
    plan: _Plan | None = publication.plan
    if plan is None or plan.downlinks is not downlinks:
        plan = publication.plan = _Plan(library, downlinks, forwarder)
    return plan


class NativeForwarder(Forwarder):
    """Takes the place of ``Forwarder``; its batches are ``NativeBatch``, others are served by Python.

    ``inlet``: ``struct tp_inlet`` of what C receives, which forwards by itself.
    """

    inlet: Any = None

    def __init__(self, library: Library) -> None:
        super().__init__(srtp.unprotect, srtp.protect, srtp.new_length())
        self._library = library
        self._call = library.lib.tp_send
        self._cipher = srtp.protect_address()
        self._packet: Any = library.ffi.new("struct tp_packet *")
        self._fields = library.ffi.buffer(self._packet)
        assert len(self._fields) == _PACKET.size
        self._asked: Any = library.ffi.new("int32_t *")
        self._scratch = Scratch(library)

    @property
    def forwards(self) -> int:
        return self._forwards if self.inlet is None else self._forwards + int(self.inlet.forwards)

    @forwards.setter
    def forwards(self, packets: int) -> None:
        self._forwards = packets if self.inlet is None else packets - int(self.inlet.forwards)

    def history(self) -> NativeSentPackets:
        return NativeSentPackets(self._library, self._scratch)

    def uplink(self, *args: Any, **more: Any) -> Uplink:
        return NativeUplink(self._library, *args, **more)

    def mirror(self, publication: Publication) -> Published:
        """The publication for C, which is brought up to date from now on."""
        mirror = publication.mirror
        if not isinstance(mirror, Published):
            mirror = publication.mirror = Published(self._library, publication, self)
        return mirror

    def _send(
        self,
        publication: Publication,
        downlinks: list[Downlink],
        uplink: Uplink,
        packet: RingEntry,
        startable: bool,
        now: float,
    ) -> None:
        plan = plan_of(self._library, publication, downlinks, self)
        seq, ts, marker, payload, header, level, primary, _ = packet
        _, _, bits, pid_at, pid, tl0_at, tl0, *_ = header or NO_DESCRIPTOR
        _PACKET.pack_into(
            self._fields, 0, uplink.number, now, ts, seq, marker, startable, level, bits, pid_at, pid, tl0_at, tl0
        )
        asked = self._asked
        plain = payload[primary:] if primary else payload  # who is sent the redundancy is Python's
        done = self._call(plan.array, plan.count, self._packet, plain, len(plain), self._cipher, asked)
        publication.forwarded += done
        self.forwards += done
        if asked[0]:
            self._send_rest(plan, publication, uplink, packet, startable, now)

    def _send_rest(
        self, plan: _Plan, publication: Publication, uplink: Uplink, packet: RingEntry, startable: bool, now: float
    ) -> None:
        """What C has left out."""
        rest = [d for d, leg in zip(plan.downlinks, plan.legs, strict=True) if d.uplink is not uplink or leg.slow]
        super()._send(publication, rest, uplink, packet, startable, now)

    def after(self, publication: Publication, uplink: Uplink, seq: int, asked: bool, startable: bool, now: float) -> None:
        """C has received the newest packet of ``uplink`` and sent it on where it could. ``asked``: not to everybody."""
        packet = uplink.kept(seq)
        if packet is None:
            return
        if asked:
            plan = plan_of(self._library, publication, publication.active, self)
            self._send_rest(plan, publication, uplink, packet, startable, now)
        for sink in publication.sinks:
            sink.packet(uplink, packet, startable, False, now)
