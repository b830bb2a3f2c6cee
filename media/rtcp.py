"""RTCP packets: a bounded reader of compound packets and builders of what a forwarding server sends. S.

RFC 3550 §6 (SR, RR, SDES, BYE), RFC 4585 §6 (NACK, PLI), RFC 5104 §4.3.1 (FIR), draft-alvestrand-rmcat-remb-03 (REMB);
reduced-size packets as in RFC 5506. Transport-wide feedback is carried here as bytes and read by ``media.twcc``.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

MAX_RTCP_BYTES = 2048


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
    """``body``: feedback control information, to be read by ``media.twcc.parse_feedback``."""

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


def parse_compound(data: bytes | bytearray | memoryview) -> list[RtcpPacket]:
    """Every packet of a decrypted compound packet, in order; unknown types are skipped. Raises RtcpError, nothing else."""
    raise NotImplementedError


def build_sender_report(report: SenderReport) -> bytes:
    raise NotImplementedError


def build_receiver_report(report: ReceiverReport) -> bytes:
    raise NotImplementedError


def build_source_description(ssrc: int, cname: str) -> bytes:
    raise NotImplementedError


def build_goodbye(ssrcs: Sequence[int]) -> bytes:
    raise NotImplementedError


def build_nack(sender_ssrc: int, media_ssrc: int, lost: Iterable[int]) -> bytes:
    raise NotImplementedError


def build_pli(sender_ssrc: int, media_ssrc: int) -> bytes:
    raise NotImplementedError


def build_fir(sender_ssrc: int, entries: Sequence[tuple[int, int]]) -> bytes:
    raise NotImplementedError


def build_transport_feedback(sender_ssrc: int, media_ssrc: int, body: bytes) -> bytes:
    raise NotImplementedError


def build_remb(sender_ssrc: int, bitrate_bps: int, ssrcs: Sequence[int]) -> bytes:
    raise NotImplementedError
