"""Reading RTP: fixed header, one- and two-byte header extensions, padding. Sans I/O.

RFC 3550 section 5.1 (header), RFC 8285 sections 4.2 and 4.3 (extensions), RFC 6464 (audio level),
RFC 8843 section 15 (mid), RFC 8852 (rid, repaired rid), draft-holmer-rmcat-transport-wide-cc-extensions-01.
Sequence arithmetic is modulo 2**16 throughout; ``seq_newer`` says what "after" means.
"""

import struct

from media.wire.sdp import ExtensionIds

_FIXED = struct.Struct("!BBHII")
_U16 = struct.Struct("!H")

Buffer = bytes | bytearray | memoryview

ONE_BYTE_PROFILE = 0xBEDE


def seq_newer(a: int, b: int) -> bool:
    """True when 16-bit ``a`` comes after ``b`` (RFC 3550 A.1: less than half the circle ahead)."""
    return 0 < ((a - b) & 0xFFFF) < 0x8000


class RtpReader:
    """One per peer: reads a packet into its own fields, so that nothing is allocated per packet.

    ``ids``: the negotiated extension ids, 0 where not negotiated; other ids are skipped.
    After ``parse`` returned True: ``pt``, ``seq``, ``ts``, ``ssrc``, ``marker`` (0x80 or 0), ``start`` and ``end`` (payload
    bytes are ``buf[start:end]``), ``twcc`` (-1 when absent), ``level`` (raw byte, -1 when absent), ``mid``, ``rid``,
    ``rrid`` (``b""`` when absent).
    """

    __slots__ = ("_role", "end", "level", "marker", "mid", "pt", "rid", "rrid", "seq", "ssrc", "start", "ts", "twcc")

    def __init__(self, ids: ExtensionIds) -> None:
        role = [0] * 256
        for meaning, number in enumerate((ids.mid, ids.rid, ids.rrid, ids.twcc, ids.audio_level), 1):
            if 0 < number < 256:
                role[number] = meaning
        self._role = tuple(role)
        self.pt = self.seq = self.ts = self.ssrc = self.marker = self.start = self.end = 0
        self.twcc = self.level = -1
        self.mid = self.rid = self.rrid = b""

    @property
    def roles(self) -> bytes:
        """What an extension means, by its id: 4 a transport-wide number, 5 an audio level."""
        return bytes(self._role)

    def parse(self, buf: Buffer, length: int) -> bool:
        """Read ``buf[:length]``. False when it is not well-formed RTP version 2; the fields are then meaningless."""
        if length < 12 or length > len(buf):
            return False
        b0, b1, self.seq, self.ts, self.ssrc = _FIXED.unpack_from(buf, 0)
        if b0 >> 6 != 2:
            return False
        self.marker = b1 & 0x80
        self.pt = b1 & 0x7F
        start = 12 + 4 * (b0 & 15)
        self.twcc = self.level = -1
        self.mid = self.rid = self.rrid = b""
        if b0 & 0x10:
            if start + 4 > length:
                return False
            profile = buf[start] << 8 | buf[start + 1]
            at = start + 4
            start = at + 4 * (buf[start + 2] << 8 | buf[start + 3])
            if start > length:
                return False
            if profile == ONE_BYTE_PROFILE:
                self._one_byte(buf, at, start)
            elif profile & 0xFFF0 == 0x1000:
                self._two_byte(buf, at, start)
        end = length
        if b0 & 0x20:
            padding = buf[length - 1]
            end -= padding
            if padding == 0 or end < start:
                return False
        self.start = start
        self.end = end
        return bool(start <= end)

    def _one_byte(self, buf: Buffer, at: int, stop: int) -> None:
        role = self._role
        while at < stop:
            head = buf[at]
            at += 1
            if head == 0:
                continue
            number = head >> 4
            if number == 15:  # RFC 8285 section 4.2: stop here
                return
            size = (head & 15) + 1
            if at + size > stop:
                return
            if role[number]:
                self._take(role[number], buf, at, size)
            at += size

    def _two_byte(self, buf: Buffer, at: int, stop: int) -> None:
        role = self._role
        while at + 1 < stop:
            number = buf[at]
            if number == 0:
                at += 1
                continue
            size = buf[at + 1]
            at += 2
            if at + size > stop:
                return
            if role[number]:
                self._take(role[number], buf, at, size)
            at += size

    def _take(self, role: int, buf: Buffer, at: int, size: int) -> None:
        if role == 4:
            if size >= 2:
                self.twcc = buf[at] << 8 | buf[at + 1]
        elif role == 5:
            if size >= 1:
                self.level = buf[at]
        elif size <= 16:  # RFC 8843, RFC 8852: short identifiers; longer ones are nobody's of ours
            value = bytes(buf[at : at + size])
            if role == 1:
                self.mid = value
            elif role == 2:
                self.rid = value
            else:
                self.rrid = value


def rtx_original_seq(buf: Buffer, start: int, end: int) -> int:
    """The original sequence number of an RTX payload (RFC 4588 section 4), or -1 for padding or a runt."""
    if end - start < 2:
        return -1
    return int(_U16.unpack_from(buf, start)[0])
