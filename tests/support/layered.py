"""Made-up VP8 and VP9 in layers: numbers, picture ids, temporal ids and sizes as a browser sends them; and people who send and receive it."""

import re
import struct
from typing import Any, NamedTuple

from aiortc import RTCCertificate

from media.bench.peers import TWCC_EXTENSION, VP8, Connection, Section
from media.relay.uplink import PublisherClock, Uplink
from media.wire import rtcp
from media.wire.rtp import RtpReader
from media.wire.sdp import ExtensionIds
from media.wire.twcc import ArrivalLog

MID, RID, RRID = 4, 5, 6
IDS = ExtensionIds(mid=MID, rid=RID, rrid=RRID, twcc=TWCC_EXTENSION)
PATTERN = ((0, False), (2, True), (1, True), (2, False), (0, False), (2, False), (1, False), (2, False))
"""(temporal id, layer sync) as libvpx orders three layers."""
KINDS = ("vp8", "vp9", "vp9 flexible")
"""VP9 without and with references in each descriptor (RFC 9628 section 4.2, F)."""


class Sent(NamedTuple):
    """A packet as its publisher made it."""

    seq: int
    ts: int
    payload: bytes
    marker: int
    frame: int


class Frame(NamedTuple):
    number: int
    tid: int
    sync: bool
    key: bool
    packets: tuple[Sent, ...]


class Source:
    """One layer of a camera. ``kind``: one of ``KINDS``."""

    def __init__(self, ssrc: int, seq: int, pid: int, tl0: int, kind: str = "vp8") -> None:
        self.kind = kind
        self.uplink = Uplink(ssrc, "video", kind.split()[0], 90000, PublisherClock(), rid=str(ssrc), nack=True)
        self._seq, self._pid, self._tl0, self._ts = seq, pid, tl0, 1000 * ssrc
        self._at = 0
        self.frames: dict[int, Frame] = {}

    def frame(self, packets: int, *, key: bool = False, filler: int = 0, height: int = 0) -> Frame:
        """``filler``: bytes added to each packet. ``height``: what a key frame says of its size."""
        if key:
            self._at = 0
        tid, sync = PATTERN[self._at % len(PATTERN)]
        self._at += 1
        self._ts += 3000
        self._pid = (self._pid + 1) & 0x7FFF
        if tid == 0:
            self._tl0 = (self._tl0 + 1) & 0xFF
        made = []
        number = len(self.frames)
        for i in range(packets):
            head = self._head(i == 0, tid, sync, key)
            first = bytes((0 if key and i == 0 else 1,)) if self.kind == "vp8" else bytes((0x82 if key else 0x86,))
            if height and key and i == 0:
                first = b"\x10\x02\x00\x9d\x01\x2a" + struct.pack("<HH", 16 * height // 9, height)
            body = head + first + bytes(filler) + struct.pack("!BHB", self.uplink.ssrc, number & 0xFFFF, i)
            made.append(Sent(self._seq, self._ts, body, 0x80 if i == packets - 1 else 0, number))
            self._seq = (self._seq + 1) & 0xFFFF
        frame = self.frames[number] = Frame(number, tid, sync, key, tuple(made))
        return frame

    def _head(self, begins: bool, tid: int, sync: bool, key: bool) -> bytes:
        pid = (0x80 | self._pid >> 8, self._pid & 0xFF)
        if self.kind == "vp8":
            return bytes((0x90 if begins else 0x80, 0xE0, *pid, self._tl0, tid << 6 | sync << 5))
        flags = 0xA0 | (not key) << 6 | begins << 3
        if self.kind == "vp9":
            return bytes((flags, *pid, tid << 5 | sync << 4, self._tl0))
        return bytes((flags | 0x10, *pid, tid << 5 | sync << 4, *([] if key else [0x02])))


class Layered(Connection):
    """A participant of a real worker: a camera in simulcast layers, or one slot behind a path of ``bps`` that only feedback shows.

    ``sizes``: rid → (lines, packets a frame, bytes a packet). ``got``: what came in, in order.
    """

    def __init__(self, sizes: dict[str, tuple[int, int, int]] | None = None, slots: int = 0) -> None:
        super().__init__(RTCCertificate.generateCertificate(), "gcm", True)
        self.sizes = sizes or {}
        self._slots = slots
        self._sources = {rid: Source(10 + n, 100 * n, 1000 * n, 10 * n) for n, rid in enumerate(self.sizes)}
        self._number = 0
        self._frames = 0
        self.wants_key = True
        self.active = set(self.sizes)
        self.bps = 50_000_000.0
        self._free = 0.0
        self._late: list[tuple[float, int]] = []
        self._log = ArrivalLog()
        self._reader = RtpReader(IDS)
        self.got: list[tuple[int, int, bytes]] = []
        self.payload_types: set[int] = set()
        self.clock: Any = None

    async def offer(self) -> str:
        sections = [Section("0", 1)] if self.sizes else []
        sections += [Section(str(n)) for n in range(len(sections), len(sections) + self._slots)]
        text = await self.describe(sections, "actpass")
        if not self.sizes:
            return text
        rids = list(self.sizes)
        more = [
            f"a=extmap:{RID} urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id",
            f"a=extmap:{RRID} urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id",
            *(f"a=rid:{rid} send" for rid in rids),
            "a=simulcast:send " + ";".join(rids),
        ]
        return re.sub(r"a=ssrc[^\r]*\r\n", "", text).replace("a=sendonly\r\n", "a=sendonly\r\n" + "\r\n".join(more) + "\r\n")

    async def join(self, answer: str) -> None:
        await self.connect(answer)
        self._dtls._handle_rtp_data = self._rtp  # type: ignore[method-assign]
        self._dtls._handle_rtcp_data = self._rtcp  # type: ignore[method-assign]

    # ---- sending

    async def send_frame(self) -> None:
        """One frame of every active layer; key frames where one was asked for."""
        key, self.wants_key = self.wants_key, False
        for rid, source in self._sources.items():
            if rid not in self.active:
                continue
            lines, packets, size = self.sizes[rid]
            for packet in source.frame(packets, key=key, filler=size, height=lines).packets:
                self._number = (self._number + 1) & 0xFFFF
                extension = bytes((TWCC_EXTENSION << 4 | 1, self._number >> 8, self._number & 0xFF, MID << 4)) + b"0"
                extension += bytes((RID << 4 | len(rid) - 1,)) + rid.encode()
                extension += bytes(-len(extension) % 4)
                head = struct.pack("!BBHII", 0x90, packet.marker | VP8, packet.seq, packet.ts, source.uplink.ssrc)
                await self._dtls._send_rtp(head + struct.pack("!HH", 0xBEDE, len(extension) // 4) + extension + packet.payload)
        self._frames += 1

    async def _rtcp(self, data: bytes) -> None:
        for packet in rtcp.parse_compound(data):
            if isinstance(packet, rtcp.PictureLossIndication):
                self.wants_key = True

    # ---- receiving

    async def _rtp(self, data: bytes, arrival_time_ms: int) -> None:
        reader = self._reader
        assert reader.parse(data, len(data))
        now = self.clock()
        self._free = max(self._free, now) + 8 * len(data) / self.bps
        if reader.twcc >= 0:
            self._late.append((self._free, reader.twcc))
        if reader.pt == VP8:
            self.got.append((reader.seq, reader.ts, data[reader.start : reader.end]))

    async def feedback(self) -> None:
        """What has come through the narrow path by now."""
        now = self.clock()
        for at, number in self._late:
            if at <= now:
                self._log.add(number, int(at * 1e6))
        self._late = [late for late in self._late if late[0] > now]
        for packet in self._log.build(1, 2):
            await self._dtls._send_rtp(packet)
