"""Coded frames into RTP payloads, as browsers do it: the other end of ``media/wire/depacketise.py``."""

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import av

from tests.support.scheduling import opened


def chunks(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


def vp8(frame: bytes, size: int = 1100, picture: int = 0x1234, tl0: int = 7, tid: int = 0) -> list[bytes]:
    """With a picture id of 15 bits, TL0PICIDX and a temporal id."""
    head = bytes((0xE0, 0x80 | picture >> 8, picture & 0xFF, tl0, tid << 6))
    return [bytes((0x90 if not i else 0x80,)) + head + part for i, part in enumerate(chunks(frame, size))]


def vp9(frames: list[bytes], size: int = 1100, *, key: bool, picture: int = 5) -> list[bytes]:
    """One picture of several spatial layers' frames, in flexible mode; a key frame carries the structure of its layers."""
    out = []
    for layer, frame in enumerate(frames):
        parts = chunks(frame, size)
        for i, part in enumerate(parts):
            first = 0xB0 | (0x40 if not key else 0) | (0x08 if not i else 0) | (0x04 if i == len(parts) - 1 else 0)
            structure = b""
            if key and not i and not layer:
                first |= 0x02
                sizes = b"".join((320 << n).to_bytes(2, "big") + (240 << n).to_bytes(2, "big") for n in range(len(frames)))
                structure = bytes(((len(frames) - 1) << 5 | 0x18,)) + sizes + bytes((1, 0x04, 1))
            indices = bytes((0x80 | picture >> 8, picture & 0xFF, layer << 1 | (1 if layer else 0)))
            distance = b"" if key else b"\x02"
            out.append(bytes((first,)) + indices + distance + structure + part)
    return out


def units(stream: bytes) -> list[bytes]:
    """The NAL units of an Annex B byte stream."""
    return [unit.rstrip(b"\x00") for unit in stream.replace(b"\x00\x00\x00\x01", b"\x00\x00\x01").split(b"\x00\x00\x01")[1:]]


def h264(stream: bytes, size: int = 1100) -> list[bytes]:
    """Parameter sets together (STAP-A), large units in fragments (FU-A), the rest as they are."""
    out = []
    sets = [unit for unit in units(stream) if unit[0] & 0x1F in (6, 7, 8)]
    if sets:
        out.append(b"\x78" + b"".join(len(unit).to_bytes(2, "big") + unit for unit in sets))
    for unit in units(stream):
        if unit[0] & 0x1F in (6, 7, 8):
            continue
        if len(unit) <= size:
            out.append(unit)
            continue
        parts = chunks(unit[1:], size)
        for i, part in enumerate(parts):
            flags = (0x80 if not i else 0) | (0x40 if i == len(parts) - 1 else 0)
            out.append(bytes((unit[0] & 0xE0 | 28, flags | unit[0] & 0x1F)) + part)
    return out


def av1(unit: bytes, size: int = 1100) -> list[bytes]:
    """A temporal unit with sizes → elements without them; each OBU in packets of its own, large ones in several."""
    obus = [raw for raw in _obus(unit) if raw[0] >> 3 & 15 != 2]
    out = []
    for number, raw in enumerate(obus):
        parts = chunks(raw, size)
        for i, part in enumerate(parts):
            new = 0x08 if not number and not i and raw[0] >> 3 & 15 == 1 else 0
            first = 0x10 | new | (0x80 if i else 0) | (0x40 if i < len(parts) - 1 else 0)
            out.append(bytes((first,)) + part)
    return out


def _obus(unit: bytes) -> Iterator[bytes]:
    """Without their size fields."""
    at = 0
    while at < len(unit):
        header = unit[at]
        start = at + (2 if header & 4 else 1)
        size = shift = 0
        while True:
            byte = unit[start]
            size |= (byte & 0x7F) << shift
            shift += 7
            start += 1
            if not byte & 0x80:
                break
        yield bytes((header & 0xFD,)) + unit[at + 1 : at + (2 if header & 4 else 1)] + unit[start : start + size]
        at = start + size


ENCODERS = {
    "vp8": ("libvpx", {"deadline": "realtime", "cpu-used": "8"}),
    "vp9": ("libvpx-vp9", {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0"}),
    "h264": ("libx264", {"preset": "ultrafast", "tune": "zerolatency", "profile": "baseline"}),
    "av1": ("libsvtav1", {"preset": "12", "svtav1-params": "pred-struct=1:rtc=1:lp=1:rc=2"}),
}


class Encoder:
    """Pictures that move a little, coded: ``next()`` → (key, frame's bytes, RTP payloads)."""

    def __init__(self, codec: str, width: int = 320, height: int = 240, *, size: int = 1100) -> None:
        name, options = ENCODERS[codec]
        self.codec, self._size = codec, size
        context: Any = av.CodecContext.create(name, "w")
        context.width, context.height, context.pix_fmt = width, height, "yuv420p"
        context.time_base, context.framerate = Fraction(1, 90000), Fraction(30)
        context.bit_rate, context.gop_size, context.thread_count = 400_000, 10_000, 1
        context.options = options
        self._context, self._number = opened(context), 0

    def next(self, *, key: bool = False) -> tuple[bool, bytes, list[bytes]]:
        frame = av.VideoFrame(self._context.width, self._context.height, "yuv420p")
        for index, plane in enumerate(frame.planes):
            row = bytes((self._number * 7 + index * 40 + x) & 0xFF for x in range(plane.line_size))
            plane.update(row * (plane.buffer_size // plane.line_size))
        frame.pts, frame.time_base = self._number * 3000, Fraction(1, 90000)
        frame.pict_type = av.video.frame.PictureType.I if key or not self._number else av.video.frame.PictureType.NONE
        packets = self._context.encode(frame)
        assert len(packets) == 1
        data = bytes(packets[0])
        is_key = bool(packets[0].is_keyframe)
        self._number += 1
        return is_key, data, self._payloads(data, is_key)

    def _payloads(self, data: bytes, key: bool) -> list[bytes]:
        if self.codec == "vp8":
            return vp8(data, self._size, picture=self._number & 0x7FFF)
        if self.codec == "vp9":
            return vp9([data], self._size, key=key, picture=self._number & 0x7FFF)
        return (h264 if self.codec == "h264" else av1)(data, self._size)
