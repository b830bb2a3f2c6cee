"""Writing WebM for a stream: header, then clusters of at most a second, each complete in itself. S.

RFC 8794 (EBML), RFC 9559 (Matroska), the WebM guidelines, RFC 7845 section 5.1 (the Opus header). The segment's length is not known, there are no
cues: a media source in a browser needs neither. Times in milliseconds.
"""

import struct

MAX_CLUSTER_MS = 1000
APP = "Tongping"


def _id(value: int) -> bytes:
    return value.to_bytes((value.bit_length() + 7) // 8, "big")


def _size(length: int) -> bytes:
    """RFC 8794 section 4: the shortest form; all ones is kept for "not known"."""
    width = 1
    while length >= (1 << 7 * width) - 1:
        width += 1
    return (length | 1 << 7 * width).to_bytes(width, "big")


def element(number: int, body: bytes) -> bytes:
    return _id(number) + _size(len(body)) + body


def unsigned(number: int, value: int) -> bytes:
    return element(number, value.to_bytes(max(1, (value.bit_length() + 7) // 8), "big"))


def text(number: int, value: str) -> bytes:
    return element(number, value.encode())


def opus_head(channels: int) -> bytes:
    """No pre-skip: times stay what they were; a decoder's delay of 6.5 ms is in them, as in the call."""
    return b"OpusHead" + struct.pack("<BBHIHB", 1, channels, 0, 48000, 0, 0)


def header(codec: str, *, width: int = 0, height: int = 0, channels: int = 0, private: bytes = b"") -> bytes:
    """Everything before the first cluster. ``codec``: Matroska's name, as ``V_VP8``; video where it has a width."""
    ebml = element(
        0x1A45DFA3,
        unsigned(0x4286, 1)
        + unsigned(0x42F7, 1)
        + unsigned(0x42F2, 4)
        + unsigned(0x42F3, 8)
        + text(0x4282, "webm")
        + unsigned(0x4287, 4)
        + unsigned(0x4285, 2),
    )
    info = element(0x1549A966, unsigned(0x2AD7B1, 1_000_000) + text(0x4D80, APP) + text(0x5741, APP))
    entry = unsigned(0xD7, 1) + unsigned(0x73C5, 1) + unsigned(0x9C, 0) + text(0x86, codec)
    if width:
        entry += unsigned(0x83, 1) + element(0xE0, unsigned(0xB0, width) + unsigned(0xBA, height))
    else:
        audio = element(0xB5, struct.pack(">d", 48000.0)) + unsigned(0x9F, channels)
        entry += unsigned(0x83, 2) + unsigned(0x56AA, 0) + unsigned(0x56BB, 80_000_000) + element(0xE1, audio)
    if private:
        entry += element(0x63A2, private)
    return ebml + _id(0x18538067) + b"\x01" + b"\xff" * 7 + info + element(0x1654AE6B, element(0xAE, entry))


class Cluster:
    """One at a time. ``start_ms``: of its first block."""

    def __init__(self, start_ms: int) -> None:
        self.start_ms = start_ms
        self._blocks: list[bytes] = []

    def fits(self, at_ms: int) -> bool:
        return at_ms - self.start_ms < MAX_CLUSTER_MS

    def add(self, at_ms: int, duration_ms: int, data: bytes, *, key: bool) -> None:
        """In the order of times. Every block says how long it lasts, so that a picture stands until the next one comes."""
        head = b"\x81" + struct.pack(">hB", at_ms - self.start_ms, 0)
        body = element(0xA1, head + data) + unsigned(0x9B, duration_ms)
        if not key:
            body += element(0xFB, b"\xff")  # it needs the block before: any value but none says so
        self._blocks.append(element(0xA0, body))

    def encode(self) -> bytes:
        return element(0x1F43B675, unsigned(0xE7, self.start_ms) + b"".join(self._blocks))
