"""RTCP packets: a bounded reader of compound packets and builders of what a forwarding server sends. S.

RFC 3550 §6 (SR, RR, SDES, BYE), RFC 4585 §6 (NACK, PLI), RFC 5104 §4.3.1 (FIR), draft-alvestrand-rmcat-remb-03 (REMB);
reduced-size packets as in RFC 5506. Transport-wide feedback is carried here as bytes and read by ``media.wire.twcc``.
"""

import struct
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from media.errors import RtcpError

MAX_RTCP_BYTES = 2048
MAX_COUNT = 31
MAX_NACK_PAIRS = 256
MAX_BITRATE_BPS = 1 << 62
"""What a larger REMB is cut to; the field's exponent would allow 2^81."""

_SR, _RR, _SDES, _BYE, _RTPFB, _PSFB = 200, 201, 202, 203, 205, 206
_CNAME = 1
_HEADER = struct.Struct("!BBH")
_U32 = struct.Struct("!I")
_TWO_U32 = struct.Struct("!II")
_PAIR = struct.Struct("!HH")
_BLOCK = struct.Struct("!IIIIII")
_SENDER_INFO = struct.Struct("!IQIII")


class ReportBlock(NamedTuple):
    """RFC 3550 §6.4.1. ``fraction_lost`` in 1/256, ``jitter`` in timestamp units, ``delay_since_last_sr`` in 1/65536 s."""

    ssrc: int
    fraction_lost: int
    packets_lost: int
    highest_sequence: int
    jitter: int
    last_sr: int
    delay_since_last_sr: int


class SenderReport(NamedTuple):
    """``ntp``: 64-bit NTP timestamp (seconds since 1900 in the upper half)."""

    ssrc: int
    ntp: int
    rtp_timestamp: int
    packet_count: int
    octet_count: int
    reports: tuple[ReportBlock, ...] = ()


class ReceiverReport(NamedTuple):
    ssrc: int
    reports: tuple[ReportBlock, ...] = ()


class SourceDescription(NamedTuple):
    """``cnames``: (SSRC, CNAME) pairs; other items are skipped."""

    cnames: tuple[tuple[int, str], ...]


class Goodbye(NamedTuple):
    ssrcs: tuple[int, ...]


class Nack(NamedTuple):
    """``lost``: sequence numbers in the order asked for."""

    sender_ssrc: int
    media_ssrc: int
    lost: tuple[int, ...]


class PictureLossIndication(NamedTuple):
    sender_ssrc: int
    media_ssrc: int


class FullIntraRequest(NamedTuple):
    """``entries``: (SSRC, command sequence number) pairs."""

    sender_ssrc: int
    entries: tuple[tuple[int, int], ...]


class TransportFeedback(NamedTuple):
    """``body``: feedback control information, to be read by ``media.wire.twcc.parse_feedback``."""

    sender_ssrc: int
    media_ssrc: int
    body: bytes


class Remb(NamedTuple):
    sender_ssrc: int
    bitrate_bps: int
    ssrcs: tuple[int, ...]


RtcpPacket = (
    SenderReport
    | ReceiverReport
    | SourceDescription
    | Goodbye
    | Nack
    | PictureLossIndication
    | FullIntraRequest
    | TransportFeedback
    | Remb
)


def _report_blocks(body: bytes, start: int, count: int) -> tuple[ReportBlock, ...]:
    if start + 24 * count > len(body):
        raise RtcpError("truncated", "report blocks")
    blocks = []
    for offset in range(start, start + 24 * count, 24):
        ssrc, lost, highest, jitter, last_sr, delay = _BLOCK.unpack_from(body, offset)
        cumulative = lost & 0xFFFFFF
        if cumulative >= 0x800000:
            cumulative -= 0x1000000
        blocks.append(ReportBlock(ssrc, lost >> 24, cumulative, highest, jitter, last_sr, delay))
    return tuple(blocks)


def _sender_report(count: int, body: bytes) -> SenderReport:
    if len(body) < 24:
        raise RtcpError("truncated", "sender report")
    ssrc, ntp, timestamp, packets, octets = _SENDER_INFO.unpack_from(body)
    return SenderReport(ssrc, ntp, timestamp, packets, octets, _report_blocks(body, 24, count))


def _receiver_report(count: int, body: bytes) -> ReceiverReport:
    if len(body) < 4:
        raise RtcpError("truncated", "receiver report")
    return ReceiverReport(_U32.unpack_from(body)[0], _report_blocks(body, 4, count))


def _source_description(count: int, body: bytes) -> SourceDescription:
    """RFC 3550 §6.5: chunks of items, each chunk ended by a zero and padded to four bytes."""
    cnames = []
    offset = 0
    for _ in range(count):
        if offset + 4 > len(body):
            raise RtcpError("truncated", "source description")
        (ssrc,) = _U32.unpack_from(body, offset)
        offset += 4
        while True:
            if offset >= len(body):
                raise RtcpError("truncated", "source description")
            item = body[offset]
            if item == 0:
                break
            if offset + 2 > len(body) or offset + 2 + body[offset + 1] > len(body):
                raise RtcpError("truncated", "source description")
            end = offset + 2 + body[offset + 1]
            if item == _CNAME:
                cnames.append((ssrc, body[offset + 2 : end].decode("utf-8", "replace")))
            offset = end
        offset += 4 - offset % 4
    return SourceDescription(tuple(cnames))


def _goodbye(count: int, body: bytes) -> Goodbye:
    if len(body) < 4 * count:
        raise RtcpError("truncated", "goodbye")
    return Goodbye(struct.unpack_from(f"!{count}I", body))


def _nack(sender: int, media: int, fci: bytes) -> Nack:
    """RFC 4585 §6.2.1: (packet id, bitmask of the sixteen that follow) pairs."""
    lost = []
    for offset in range(0, len(fci), 4):
        first, mask = _PAIR.unpack_from(fci, offset)
        lost.append(first)
        if mask:
            lost += [(first + bit + 1) & 0xFFFF for bit in range(16) if mask >> bit & 1]
    if not lost:
        raise RtcpError("truncated", "nack")
    return Nack(sender, media, tuple(lost))


def _full_intra_request(sender: int, fci: bytes) -> FullIntraRequest:
    if not fci or len(fci) % 8:
        raise RtcpError("truncated", "full intra request")
    entries = ((_U32.unpack_from(fci, offset)[0], fci[offset + 4]) for offset in range(0, len(fci), 8))
    return FullIntraRequest(sender, tuple(entries))


def _application_feedback(sender: int, fci: bytes) -> Remb | None:
    """REMB (draft-alvestrand-rmcat-remb-03 §2.2), or None for another application's."""
    if fci[:4] != b"REMB":
        return None
    if len(fci) < 8 or len(fci) < 8 + 4 * fci[4]:
        raise RtcpError("truncated", "remb")
    number, exponent, mantissa = fci[4], fci[5] >> 2, (fci[5] & 3) << 16 | fci[6] << 8 | fci[7]
    return Remb(sender, min(mantissa << exponent, MAX_BITRATE_BPS), struct.unpack_from(f"!{number}I", fci, 8))


def _feedback(kind: int, form: int, body: bytes) -> RtcpPacket | None:
    if len(body) < 8:
        raise RtcpError("truncated", "feedback")
    sender, media = _TWO_U32.unpack_from(body)
    fci = body[8:]
    if kind == _RTPFB:
        if form == 1:
            return _nack(sender, media, fci)
        return TransportFeedback(sender, media, fci) if form == 15 else None
    if form == 1:
        return PictureLossIndication(sender, media)
    if form == 4:
        return _full_intra_request(sender, fci)
    return _application_feedback(sender, fci) if form == 15 else None


def parse_compound(data: bytes | bytearray | memoryview) -> list[RtcpPacket]:
    """Every packet of a decrypted compound packet, in order; unknown types are skipped. Raises RtcpError, nothing else."""
    data = bytes(data)
    if not 4 <= len(data) <= MAX_RTCP_BYTES:
        raise RtcpError("bad_length", f"{len(data)} bytes")
    packets: list[RtcpPacket] = []
    offset = 0
    while offset < len(data):
        if offset + 4 > len(data):
            raise RtcpError("truncated", "header")
        first, kind, words = _HEADER.unpack_from(data, offset)
        end = offset + 4 * (words + 1)
        if first >> 6 != 2:
            raise RtcpError("bad_version")
        if end > len(data):
            raise RtcpError("truncated", "packet")
        body = data[offset + 4 : end]
        if first & 0x20:
            if end != len(data) or not body or not 0 < body[-1] <= len(body):
                raise RtcpError("bad_padding")
            body = body[: -body[-1]]
        offset = end
        count = first & 0x1F
        packet: RtcpPacket | None = None
        if kind == _SR:
            packet = _sender_report(count, body)
        elif kind == _RR:
            packet = _receiver_report(count, body)
        elif kind == _SDES:
            packet = _source_description(count, body)
        elif kind == _BYE:
            packet = _goodbye(count, body)
        elif kind in (_RTPFB, _PSFB):
            packet = _feedback(kind, count, body)
        if packet is not None:
            packets.append(packet)
    return packets


def _packet(kind: int, count: int, body: bytes) -> bytes:
    if len(body) % 4:
        raise ValueError("an RTCP body is a whole number of 32-bit words")
    return _HEADER.pack(0x80 | count, kind, len(body) // 4) + body


def _blocks(reports: Sequence[ReportBlock]) -> bytes:
    if len(reports) > MAX_COUNT:
        raise ValueError(f"at most {MAX_COUNT} report blocks")
    return b"".join(
        _BLOCK.pack(
            block.ssrc,
            (block.fraction_lost & 0xFF) << 24 | max(-0x800000, min(0x7FFFFF, block.packets_lost)) & 0xFFFFFF,
            block.highest_sequence & 0xFFFFFFFF,
            block.jitter & 0xFFFFFFFF,
            block.last_sr & 0xFFFFFFFF,
            block.delay_since_last_sr & 0xFFFFFFFF,
        )
        for block in reports
    )


def build_sender_report(report: SenderReport) -> bytes:
    """Counters and times wrap to their field's width. At most 31 report blocks."""
    info = _SENDER_INFO.pack(
        report.ssrc,
        report.ntp & 0xFFFFFFFFFFFFFFFF,
        report.rtp_timestamp & 0xFFFFFFFF,
        report.packet_count & 0xFFFFFFFF,
        report.octet_count & 0xFFFFFFFF,
    )
    return _packet(_SR, len(report.reports), info + _blocks(report.reports))


def build_receiver_report(report: ReceiverReport) -> bytes:
    """At most 31 report blocks."""
    return _packet(_RR, len(report.reports), _U32.pack(report.ssrc) + _blocks(report.reports))


def build_source_description(ssrc: int, cname: str) -> bytes:
    """One chunk with a CNAME of at most 255 bytes."""
    text = cname.encode()
    if len(text) > 255:
        raise ValueError("a CNAME has at most 255 bytes")
    chunk = _U32.pack(ssrc) + bytes((_CNAME, len(text))) + text
    return _packet(_SDES, 1, chunk + bytes(4 - len(chunk) % 4))


def build_goodbye(ssrcs: Sequence[int]) -> bytes:
    """At most 31 SSRCs."""
    if len(ssrcs) > MAX_COUNT:
        raise ValueError(f"at most {MAX_COUNT} SSRCs")
    return _packet(_BYE, len(ssrcs), struct.pack(f"!{len(ssrcs)}I", *ssrcs))


def build_nack(sender_ssrc: int, media_ssrc: int, lost: Iterable[int]) -> bytes:
    """``lost``: sequence numbers, ascending modulo 2^16 packs best; at least one, and no more than fit (256 pairs)."""
    pairs: list[list[int]] = []
    for sequence in lost:
        distance = (sequence - pairs[-1][0]) & 0xFFFF if pairs else 0
        if pairs and distance == 0:
            continue
        if pairs and distance <= 16:
            pairs[-1][1] |= 1 << (distance - 1)
        else:
            pairs.append([sequence & 0xFFFF, 0])
    if not pairs:
        raise ValueError("nothing is lost")
    fci = b"".join(_PAIR.pack(*pair) for pair in pairs[:MAX_NACK_PAIRS])
    return _packet(_RTPFB, 1, _TWO_U32.pack(sender_ssrc, media_ssrc) + fci)


def build_pli(sender_ssrc: int, media_ssrc: int) -> bytes:
    return _packet(_PSFB, 1, _TWO_U32.pack(sender_ssrc, media_ssrc))


def build_fir(sender_ssrc: int, entries: Sequence[tuple[int, int]]) -> bytes:
    """``entries``: (SSRC, command sequence number, 0–255) pairs. The media SSRC of the header is 0 (RFC 5104 §4.3.1.2)."""
    fci = b"".join(_U32.pack(ssrc) + bytes((number & 0xFF, 0, 0, 0)) for ssrc, number in entries)
    return _packet(_PSFB, 4, _TWO_U32.pack(sender_ssrc, 0) + fci)


def build_transport_feedback(sender_ssrc: int, media_ssrc: int, body: bytes) -> bytes:
    """``body``: whole words, as ``media.wire.twcc`` builds it."""
    return _packet(_RTPFB, 15, _TWO_U32.pack(sender_ssrc, media_ssrc) + body)


def build_remb(sender_ssrc: int, bitrate_bps: int, ssrcs: Sequence[int]) -> bytes:
    """An 18-bit mantissa: the bitrate is rounded down to that precision."""
    exponent = max(0, bitrate_bps.bit_length() - 18)
    mantissa = bitrate_bps >> exponent
    head = b"REMB" + bytes((len(ssrcs), exponent << 2 | mantissa >> 16, mantissa >> 8 & 0xFF, mantissa & 0xFF))
    return _packet(_PSFB, 15, _TWO_U32.pack(sender_ssrc, 0) + head + struct.pack(f"!{len(ssrcs)}I", *ssrcs))
