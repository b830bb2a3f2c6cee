"""A short clip that a stranger sends becomes frames, evenly spread over its time. SHELL. Only ever in a worker.

WebM or MP4, in codecs that browsers and phones record: one file format and one decoder are tried, those that its first bytes name. Nothing is believed of
what it says of its length: so many pictures are decoded and no more. Of a clip with more than that, no more than what lies between key frames and the
pictures that are wanted; where that is too much as well, pictures nearer to the key frames are taken.

Packets are counted before a demuxer makes them (``clip_boxes``, ``clip_blocks``), all of them and their bytes again while it does, pictures that are never
shown as well (``clip_packets``), and the processor's time between any two.
"""

import contextlib
import ctypes
import time
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any, NoReturn

import av
import av._core
import av.error
import av.logging
import numpy as np

from verification.engine import clip_blocks, clip_boxes, clip_packets
from verification.errors import ImageRefused
from verification.reasons import ReasonCode
from verification.types import Picture

MAX_CLIP_BYTES = 40 << 20
MAX_CLIP_S = 30.0
MAX_DECODED = 30 * 60
"""Pictures in a clip: 30 s of 60 a second."""
MAX_PIXELS = 1920 * 1088
MAX_ALLOCATION = 16 << 20
"""Bytes at once: a picture in 10 bits takes 8 MiB."""
_USUAL_ALLOCATION = 2**31 - 1
MAX_DECODED_PIXELS = 660 * MAX_PIXELS
"""Of all pictures that are decoded: 2 to 4 s of a processor's time in what phones record. Browsers write one key frame and no other; with so many pictures
a clip of 30 s of 30 a second of the largest size needs no more (``MAX_MOVED``)."""
MAX_MOVED = 0.25
"""Of the length of a clip, so far may a picture be from the time it is wanted of."""
DELAYED = 2
"""Packets after the one that is wanted: some make no picture."""
WORK_SIDE = 1280
MAX_WORK_S = 8.0
"""Of a thread's processor time, without what is done with the pictures."""
SLACK_BYTES = 1 << 20
"""Packets may hold so much more than the file: beginnings that a track leaves out of them."""
CODECS = ("vp8", "vp9", "h264", "libdav1d")
"""Decoders of what browsers and phones record."""
_OPTIONS = {
    "enable_drefs": "0",
    "use_absolute_path": "0",
    "probesize": str(128 << 10),
    "max_streams": "8",
    "codec_whitelist": ",".join((*CODECS, "av1")),
}
"""``probesize``: bytes of packets that are kept until all streams are known, the first picture not among them. No decoder but ours looks at them."""

SIGN_PICTURES = 8
SIGN_PACKETS = 64
SAME_S = 1e-4
"""Times nearer to each other than that are of one picture."""

av.logging.set_level(None)


def _nothing() -> None:
    pass


def sampled(data: bytes, most: int, *, sign: Callable[[], None] = _nothing) -> Iterator[tuple[float, Picture]]:
    """(seconds since its first picture, picture): at most ``most``, upright, the longer side ``WORK_SIDE`` at most. Raises ImageRefused.

    ``sign`` is called every ``SIGN_PICTURES`` that are decoded and every ``SIGN_PACKETS`` that are read; what it raises ends this.
    """
    if len(data) > MAX_CLIP_BYTES:
        _refuse(ReasonCode.CLIP_TOO_LARGE, f"the clip has more than {MAX_CLIP_BYTES} bytes")
    work = _Work(sign)
    try:
        with small_allocations():
            with _opened(data) as container:
                affordable = _affordable(container)
                first, packets = _packets(container, len(data), work)
            with _opened(data) as container:
                yield from _sampled(container, first, _plan(packets, most, affordable), work)
    except (av.error.FFmpegError, OSError, ValueError, LookupError, ArithmeticError, TypeError) as error:
        raise ImageRefused("the clip cannot be decoded", code=ReasonCode.CLIP_BROKEN.value) from error


@contextlib.contextmanager
def small_allocations() -> Iterator[None]:
    """Meanwhile libav gives no more than ``MAX_ALLOCATION`` at once: a WebM's lists of tags, cues and tracks can be made of millions of elements of two bytes,
    each of which takes fifty times as many. Of the whole process; where the function cannot be found, nothing changes."""
    try:
        limit = ctypes.CDLL(av._core.__file__).av_max_alloc
    except (OSError, AttributeError):
        yield
        return
    limit.argtypes, limit.restype = [ctypes.c_size_t], None
    limit(MAX_ALLOCATION)
    try:
        yield
    finally:
        limit(_USUAL_ALLOCATION)


class _Work:
    """How long this takes, without what is done with its pictures."""

    def __init__(self, sign: Callable[[], None]) -> None:
        self.sign = sign
        self._spent = 0.0
        self._since = time.thread_time()

    def resume(self) -> None:
        """A picture was looked at meanwhile."""
        self._since = time.thread_time()

    def check(self) -> None:
        now = time.thread_time()
        self._spent, self._since = self._spent + now - self._since, now
        if self._spent > MAX_WORK_S:
            _refuse(ReasonCode.CLIP_TOO_LONG, f"the clip takes more than {MAX_WORK_S:g} s of work")


@dataclass(frozen=True, slots=True)
class Group:
    """Packets ``begin`` … ``end`` - 1 in the order of the file, from a key frame on. ``wanted``: times of pictures in it, ascending. Seconds since the first."""

    begin: int
    end: int
    wanted: tuple[float, ...]


def _opened(data: bytes) -> Any:
    kind = _format(data)
    (clip_boxes if kind == "mov" else clip_blocks).check(data)
    return av.open(BytesIO(data), format=kind, options=dict(_OPTIONS))


def _refuse(code: ReasonCode, detail: str) -> NoReturn:
    raise ImageRefused(detail, code=code.value)


def _format(data: bytes) -> str:
    if data[:4] == b"\x1a\x45\xdf\xa3":
        return "matroska"
    if data[4:8] == b"ftyp":
        return "mov"
    _refuse(ReasonCode.CLIP_FORMAT_UNKNOWN, "the clip is neither WebM nor MP4")


def _bounded(context: Any) -> Any:
    """One thread; pictures of more than ``MAX_PIXELS`` are not even begun."""
    context.thread_count = 1
    context.options = {"max_pixels": str(MAX_PIXELS)}
    return context


def _video(container: Any) -> Any:
    if not container.streams.video:
        _refuse(ReasonCode.CLIP_BROKEN, "the clip has no picture")
    return container.streams.video[0]


def _affordable(container: Any) -> int:
    """How many pictures of this clip may be decoded. Refuses a codec that is not read and pictures too large."""
    codec = _video(container).codec_context
    if codec is None or codec.name not in CODECS:
        _refuse(ReasonCode.CLIP_FORMAT_UNKNOWN, "the clip is in a codec that is not read here")
    if codec.width * codec.height > MAX_PIXELS:
        _refuse(ReasonCode.CLIP_TOO_LARGE, f"the clip has pictures of more than {MAX_PIXELS} pixels")
    return int(MAX_DECODED_PIXELS // max(1, codec.width * codec.height))


def _packets(container: Any, size: int, work: _Work) -> tuple[float, list[tuple[float, bool]]]:
    """When the first picture is shown, and of each in the file's order: when it is shown, in seconds since the first, and whether decoding can begin
    with it. Of all that a clip says of its length only these times are believed: what browsers record says nothing else. ``size``: of the file."""
    stream = _video(container)
    found: list[tuple[int, bool]] = []
    held = 0
    for number, packet in enumerate(container.demux(), 1):
        work.check()
        if number % SIGN_PACKETS == 0:
            work.sign()
        held += packet.size
        if number > clip_blocks.MAX_PACKETS or held > size + SLACK_BYTES:
            _refuse(ReasonCode.CLIP_TOO_LONG, "the clip has more packets than are read, or more in them than it has bytes")
        if packet.stream_index == stream.index and packet.pts is not None:
            found.append((packet.pts, packet.is_keyframe))
        if len(found) > MAX_DECODED:
            _refuse(ReasonCode.CLIP_TOO_LONG, f"the clip has more than {MAX_DECODED} pictures")
    if not found:
        _refuse(ReasonCode.CLIP_BROKEN, "the clip has no picture")
    first = min(pts for pts, _ in found)
    packets = [(float((pts - first) * stream.time_base), key) for pts, key in found]
    if max(at for at, _ in packets) > MAX_CLIP_S + 1:
        _refuse(ReasonCode.CLIP_TOO_LONG, f"the clip is longer than {MAX_CLIP_S:g} s")
    return float(first * stream.time_base), packets


def _plan(packets: Sequence[tuple[float, bool]], most: int, affordable: int) -> list[Group]:
    """Which packets are decoded, that pictures are spread over the clip as evenly as can be."""
    shown = sorted((at, index) for index, (at, _) in enumerate(packets))
    length = shown[-1][0]
    keys = [index for index, (_, key) in enumerate(packets) if key or index == 0]
    wanted: dict[int, list[int]] = {}  # by key frame: packets after it, in the order in which they are shown
    last = -1
    for number in range(most):
        last = max(last + 1, bisect_left(shown, (number * length / most, -1)))
        if last >= len(shown):
            break
        index = shown[last][1]
        wanted.setdefault(max(key for key in keys if key <= index), []).append(index)
    dear = {key: max(indexes) - key + 1 for key, indexes in wanted.items()}
    part = min(1.0, max(0, affordable - len(dear) * (DELAYED + 1)) / sum(dear.values()))
    groups = []
    for key in sorted(wanted):
        after = min((other for other in keys if other > key), default=len(packets))
        near = [key + int((index - key) * part) for index in wanted[key]]
        moved = max(abs(packets[old][0] - packets[new][0]) for old, new in zip(wanted[key], near, strict=True))
        if moved > MAX_MOVED * length:
            _refuse(
                ReasonCode.CLIP_TOO_LONG,
                "the clip is too long for pictures as large and as many a second as these: 1280 x 720 is enough",
            )
        times = sorted({packets[index][0] for index in near})
        groups.append(Group(key, min(max(near) + 1 + DELAYED, after), tuple(times)))
    return groups


def _sampled(container: Any, first: float, groups: Sequence[Group], work: _Work) -> Iterator[tuple[float, Picture]]:
    stream = _video(container)
    last, given = -1.0, 0
    waiting: list[float] = []
    current: Group | None = None
    for group, frame in _decoded(container, _bounded(stream.codec_context), groups, work):
        if group is not current:
            current, waiting = group, list(group.wanted)
        if frame.pts is None:
            continue
        at = float(frame.pts * stream.time_base) - first
        if waiting and at > last and at >= waiting[0] - SAME_S:
            waiting.pop(0)
            given += 1
            last = at
            yield at, _picture(frame)
            work.sign()
            work.resume()
    if not given:
        _refuse(ReasonCode.CLIP_BROKEN, "no picture of the clip can be decoded")


def _decoded(container: Any, context: Any, groups: Sequence[Group], work: _Work) -> Iterator[tuple[Group, Any]]:
    """All pictures of each group. Those that are never shown count as the others, by what their packet says before it is decoded."""
    todo = list(groups)
    settings = bytes(context.extradata or b"")
    number = decoded = pixels = 0
    for packet in container.demux(_video(container)):
        work.check()
        if packet.pts is None:
            continue
        if not todo:
            return
        group = todo[0]
        ends = number + 1 >= group.end
        if number >= group.begin:
            for _ in range(clip_packets.pictures(context.codec.name, bytes(packet), settings)):
                if decoded % SIGN_PICTURES == 0:
                    work.sign()
                decoded += 1
                pixels += context.width * context.height
            if decoded > 2 * MAX_DECODED or pixels > 2 * MAX_DECODED_PIXELS:
                _refuse(ReasonCode.CLIP_TOO_LONG, "the clip has more or larger pictures than it says")
            for frame in [*context.decode(packet), *(context.decode(None) if ends else ())]:
                if frame.width * frame.height > MAX_PIXELS:
                    _refuse(ReasonCode.CLIP_TOO_LARGE, f"the clip has pictures of more than {MAX_PIXELS} pixels")
                yield group, frame
        if ends:
            todo.pop(0)
            context.flush_buffers()
        number += 1


def _picture(frame: Any) -> Picture:
    scale = min(1.0, WORK_SIDE / max(frame.width, frame.height))
    width, height = max(16, round(frame.width * scale / 2) * 2), max(16, round(frame.height * scale / 2) * 2)
    shown = frame.reformat(width=width, height=height, format="rgb24", threads=1).to_ndarray()
    turns = round(frame.rotation / 90) % 4
    return np.ascontiguousarray(np.rot90(shown, turns))


def warm_up() -> None:
    """Everything that is loaded at its first use: each decoder, each file format, and what a picture goes through afterwards."""
    for name in CODECS:
        _bounded(av.CodecContext.create(name, "r")).open()
    for codec, container in (("libvpx", "webm"), ("libx264", "mp4")):
        file = BytesIO()
        with av.open(file, "w", format=container) as out:
            stream: Any = out.add_stream(codec, rate=10)
            stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
            stream.codec_context.thread_count = 1
            out.mux(stream.encode(av.VideoFrame(64, 48, "yuv420p")))
            out.mux(stream.encode(None))
        for data in (file.getvalue(), file.getvalue()[:100] + bytes(2000)):
            try:
                list(sampled(data, 1))
            except ImageRefused:
                continue
