"""Recordings with real pictures and voices, made without a browser and without a network.

Everybody claps: at the same moment the picture goes white for a tenth of a second and a tone of the person's own pitch sounds. Coded by libvpx, x264 and
Opus, packetised, delayed and lost as told, and written through the recorder's own container. Times in seconds of the recording.
"""

import random
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Any

import av
import numpy as np

from media.recording import events
from media.recording.keys import KeyRing
from media.recording.records import Kind, Layer, Record, SenderReport, pack, pack_layer, pack_report
from media.recording.store import OpenRecording, RecordingStore
from media.recording.wire import TrackInfo
from tests.support.apart import apart
from tests.support.scheduling import opened

MASTER = bytes(range(1, 33))
ZERO_WALL_US = 1_800_000_000_000_000
FLASH_S = 0.12
CLICK_S = 0.04
PACKET_BYTES = 1100
SEGMENT_US = 400_000
NTP_AT_ZERO = 3_900_000_000.0


@dataclass(frozen=True)
class Person:
    """``every``: seconds between claps, from ``first`` on. ``pitch`` in Hz. ``clock``: how far their NTP clock is off, ``skew`` in ppm.

    ``delay``: of the network, ``jitter``: at most so much more. ``lost``: share of packets that never come; ``late``: that come 150 ms late.
    """

    name: str
    every: float
    pitch: float
    first: float = 0.6
    role: str = "customer"
    shown: str = ""
    codec: str = "VP8"
    size: tuple[int, int] = (320, 180)
    shade: tuple[int, int] = (90, 160)
    fps: int = 30
    clock: float = 0.0
    skew: float = 0.0
    delay: float = 0.03
    jitter: float = 0.02
    lost: float = 0.0
    late: float = 0.0
    begin: float = 0.0
    end: float = 8.0
    reports: bool = True

    @property
    def claps(self) -> list[float]:
        """While they are there, far enough from their coming and going to be seen whole."""
        found = []
        at = self.first
        while at < self.end - 0.3:
            if at >= self.begin + 0.3:
                found.append(round(at, 6))
            at += self.every
        return found


def _drawn(person: Person, at: float) -> Any:
    """Planes of one picture under each other (yuv420p)."""
    width, height = person.size
    if any(clap - 1e-6 <= at < clap + FLASH_S for clap in person.claps):
        return np.full((height * 3 // 2, width), 128, np.uint8) + np.concatenate(
            [np.full((height, width), 107, np.uint8), np.zeros((height // 2, width), np.uint8)]
        )
    pixels = np.full((height * 3 // 2, width), 128, np.uint8)
    pixels[:height] = 50
    bar = int(at * 40) % (width - 20)
    pixels[height // 4 : height // 2, bar : bar + 20] = 140
    flat = pixels.reshape(-1)
    area = width * height
    flat[area : area * 5 // 4] = person.shade[0]
    flat[area * 5 // 4 :] = person.shade[1]
    return pixels


_ENCODERS = {"VP8": "libvpx", "VP9": "libvpx-vp9", "H264": "libx264", "AV1": "libsvtav1"}
_QUICK = {"deadline": "realtime", "lag-in-frames": "0"}
_OPTIONS = {
    "VP8": _QUICK | {"cpu-used": "-8"},
    "VP9": _QUICK | {"cpu-used": "8"},
    "H264": {"preset": "ultrafast", "tune": "zerolatency", "profile": "baseline"},
    "AV1": {"preset": "10", "crf": "40", "svtav1-params": "pred-struct=1:lp=1"},
}


@lru_cache(maxsize=64)
def pictures(person: Person, key_every: float = 2.0) -> tuple[tuple[float, bytes], ...]:
    """(time, coded picture) from ``begin`` to ``end``."""
    if person.codec == "AV1":
        made: tuple[tuple[float, bytes], ...] = apart("tests.support.studio:coded", person, key_every)
        return made
    return coded(person, key_every)


def coded(person: Person, key_every: float) -> tuple[tuple[float, bytes], ...]:
    """As ``pictures``, in this process."""
    encoder: Any = av.CodecContext.create(_ENCODERS[person.codec], "w")
    encoder.width, encoder.height = person.size
    encoder.pix_fmt = "yuv420p"
    encoder.time_base = Fraction(1, person.fps)
    encoder.framerate = Fraction(person.fps)
    encoder.gop_size = round(key_every * person.fps)
    encoder.bit_rate = 0 if person.codec == "AV1" else 400_000
    encoder.thread_count = 1  # libvpx's threads wait for each other by spinning
    encoder.options = _OPTIONS[person.codec]
    opened(encoder)
    found = []
    for number in range(round((person.end - person.begin) * person.fps)):
        at = person.begin + number / person.fps
        frame = av.VideoFrame.from_ndarray(_drawn(person, at), format="yuv420p")
        frame.pts = number
        found += [bytes(packet) for packet in encoder.encode(frame)]
    found += [bytes(packet) for packet in encoder.encode(None)]
    return tuple((person.begin + number / person.fps, data) for number, data in enumerate(found))


@lru_cache(maxsize=64)
def voices(person: Person) -> tuple[tuple[float, bytes], ...]:
    """(time, Opus packet of 20 ms)."""
    encoder: Any = av.CodecContext.create("libopus", "w")
    encoder.sample_rate, encoder.layout, encoder.format, encoder.bit_rate = 48000, "mono", "s16", 32000
    count = round((person.end - person.begin) * 48000)
    sound = np.zeros(count)
    for clap in person.claps:
        start = round((clap - person.begin) * 48000)
        length = round(CLICK_S * 48000)
        sound[start : start + length] = 0.5 * np.sin(2 * np.pi * person.pitch * np.arange(length) / 48000)
    coded = (sound * 32767).astype(np.int16)
    found = []
    for number in range(count // 960):
        frame = av.AudioFrame.from_ndarray(coded[number * 960 : number * 960 + 960].reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate, frame.pts = 48000, number * 960
        found += [(person.begin + (packet.pts + 312) / 48000, bytes(packet)) for packet in encoder.encode(frame)]
    return tuple(found)


def packets(codec: str, frame: bytes) -> list[bytes]:
    """Payloads of one picture (RFC 7741, RFC 9628 flexible mode without ids, RFC 6184)."""
    if codec == "H264":
        return _h264(frame)
    if codec == "AV1":
        return _av1(frame)
    parts = [frame[at : at + PACKET_BYTES] for at in range(0, len(frame), PACKET_BYTES)]
    if codec == "VP8":
        return [bytes((0x10 if not number else 0,)) + part for number, part in enumerate(parts)]
    key = frame[0] & 0x04 == 0  # frame_type, profile 0
    last = len(parts) - 1
    return [
        bytes(((0 if key else 0x40) | (0x08 if not number else 0) | (0x04 if number == last else 0),)) + part
        for number, part in enumerate(parts)
    ]


def _av1(unit: bytes) -> list[bytes]:
    """RTP Payload Format for AV1: each OBU in packets of its own, the temporal delimiter left out."""
    found: list[bytes] = []
    at = 0
    while at < len(unit):
        size = shift = 0
        body = at + 1
        while True:
            size |= (unit[body] & 0x7F) << shift
            shift += 7
            body += 1
            if not unit[body - 1] & 0x80:
                break
        kind = unit[at] >> 3 & 15
        if kind != 2:
            obu = unit[at : at + 1] + unit[at + 1 : body + size]
            parts = [obu[first : first + PACKET_BYTES] for first in range(0, len(obu), PACKET_BYTES)]
            for number, part in enumerate(parts):
                begins = 0x08 if kind == 1 and not found else 0
                goes_on = (0x80 if number else 0) | (0x40 if number < len(parts) - 1 else 0)
                found.append(bytes((begins | goes_on | 0x10,)) + part)
        at = body + size
    return found


def _h264(frame: bytes) -> list[bytes]:
    units = [unit for unit in frame.replace(b"\0\0\0\1", b"\0\0\1").split(b"\0\0\1") if unit]
    found = []
    for unit in units:
        if len(unit) <= PACKET_BYTES:
            found.append(unit)
            continue
        parts = [unit[at : at + PACKET_BYTES] for at in range(1, len(unit), PACKET_BYTES)]
        for number, part in enumerate(parts):
            place = 0x80 if not number else 0x40 if number == len(parts) - 1 else 0
            found.append(bytes((unit[0] & 0xE0 | 28, place | unit[0] & 0x1F)) + part)
    return found


@dataclass
class Sender:
    """One stream of one person: records as a worker writes them."""

    person: Person
    rate: int
    ssrc: int
    seed: int
    layer: int = 0
    seq: int = 65_500
    records: list[Record] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self._base = self._random.getrandbits(32)

    def _rtp(self, at: float) -> int:
        return (self._base + round(at * self.rate * (1 + self.person.skew * 1e-6))) & 0xFFFFFFFF

    def _ntp(self, at: float) -> int:
        return round((NTP_AT_ZERO + self.person.clock + at * (1 + self.person.skew * 1e-6)) * 4294967296)

    def _arrives(self, at: float) -> float:
        return at + self.person.delay + self._random.random() * self.person.jitter

    def _put(self, at: float, kind: int, payload: bytes) -> None:
        self.records.append(Record(kind, self.layer, round(at * 1e6), payload))

    def send(self, units: Sequence[tuple[float, list[bytes]]], payload_type: int, every: float) -> "Sender":
        """Each unit at its time, with a sender report each ``every`` seconds."""
        reported = -1e9
        for at, payloads in units:
            if self.person.reports and at - reported >= every:
                reported = at
                report = SenderReport(self.ssrc, self._ntp(at), self._rtp(at))
                self._put(self._arrives(at), Kind.SENDER_REPORT, pack_report(report))
            leaves = self._arrives(at)
            for number, payload in enumerate(payloads):
                marker = 0x80 if number == len(payloads) - 1 else 0
                head = struct.pack("!BBHII", 0x80, marker | payload_type, self.seq, self._rtp(at), self.ssrc)
                self.seq = (self.seq + 1) & 0xFFFF
                fate = self._random.random()
                if fate >= self.person.lost:
                    late = 0.15 if fate >= 1 - self.person.late else 0.0
                    self._put(leaves + late + number * 2e-4, Kind.RTP, head + payload)
        return self


def camera(person: Person, seed: int = 1, ssrc: int = 0x1000, layer: int = 0, key_every: float = 2.0) -> list[Record]:
    sender = Sender(person, 90000, ssrc, seed, layer)
    sender.send([(at, packets(person.codec, data)) for at, data in pictures(person, key_every)], 96, 1.0)
    begins = Record(Kind.LAYER, layer, round(person.begin * 1e6), pack_layer(Layer(ssrc, "", person.size[1])))
    return [begins, *sender.records]


def microphone(person: Person, seed: int = 2, ssrc: int = 0x2000) -> list[Record]:
    return Sender(person, 48000, ssrc, seed).send([(at, [data]) for at, data in voices(person)], 111, 2.0).records


def without(records: Sequence[Record], first: float, last: float, *, before: int, after: int) -> list[Record]:
    """As behind a gate that is shut, or while the recording is paused: ``before`` and ``after`` are the kinds that say so."""
    kept = [each for each in records if not first * 1e6 <= each.time_us < last * 1e6]
    return [*kept, Record(before, 0, round(first * 1e6), b""), Record(after, 0, round(last * 1e6), b"")]


def happening(*told: tuple[float, events.Event]) -> list[Record]:
    return [Record(Kind.EVENT, 0, round(at * 1e6), events.encode(event)) for at, event in told]


def track_info(track: str, participant: str, source: str, codec: str) -> TrackInfo:
    kind: Any = {"opus": "audio", "json": "events"}.get(codec, "video")
    return TrackInfo(
        track=track,
        participant=participant,
        source=source,
        kind=kind,
        codec=codec,
        clock_rate={"audio": 48000, "video": 90000, "events": 0}[kind],
        zero_wall_us=ZERO_WALL_US,
        zero_mono_us=5_000_000,
    )


def store_in(folder: Path) -> RecordingStore:
    return RecordingStore(folder / "recordings", KeyRing([MASTER]))


def write_track(opened: OpenRecording, info: TrackInfo, records: Sequence[Record], *, close: bool = True) -> Path:
    """In segments of 0.4 s, in the order of arrival."""
    file = opened.open_track(info)
    pending = bytearray()
    since = -1
    for record in sorted(records, key=lambda each: each.time_us):
        if since >= 0 and record.time_us - since > SEGMENT_US:
            opened.append(file, bytes(pending))
            pending.clear()
            since = -1
        if since < 0:
            since = record.time_us
        pending += pack(record.kind, record.time_us, record.payload, record.layer)
    if close:
        opened.close_track(file, bytes(pending))
    else:
        opened.append(file, bytes(pending))
    return file.path


Track = tuple[TrackInfo, Sequence[Record]]


def write(store: RecordingStore, tracks: Sequence[Track], recording: str = "RE_1", *, end: float = 8.0) -> str:
    """A recording that ended as it should."""
    opened = store.create(recording, ZERO_WALL_US)
    try:
        for info, records in tracks:
            write_track(opened, info, records)
        opened.finish(ZERO_WALL_US + round(end * 1e6))
    finally:
        opened.release()
    return recording


def tracks_of(person: Person, number: int) -> list[Track]:
    """Camera and microphone."""
    return [
        (track_info(f"TR_{number}c", person.name, "camera", person.codec), camera(person, 10 * number, 0x1000 + number)),
        (track_info(f"TR_{number}m", person.name, "microphone", "opus"), microphone(person, 10 * number + 1, 0x2000 + number)),
    ]


def arrivals(people: Sequence[Person], *more: tuple[float, events.Event]) -> Track:
    """The track of events: who came and who went, and what else there was."""
    told: list[tuple[float, events.Event]] = list(more)
    for person in people:
        told.append((person.begin, events.Joined(participant=person.name, role=person.role, name=person.shown or person.name)))
        told.append((person.end, events.Left(participant=person.name)))
    return track_info("events", "", "events", "json"), happening(*told)


# ---- looking at and listening to what came out


def flashes(
    frames: Sequence[tuple[float, np.ndarray[Any, Any]]], where: Callable[[np.ndarray[Any, Any]], np.ndarray[Any, Any]]
) -> list[float]:
    """When the part of the picture that ``where`` cuts out goes white."""
    found = []
    white = False
    for at, picture in frames:
        now = float(where(picture).mean()) > 170
        if now and not white:
            found.append(at)
        white = now
    return found


def clicks(sound: np.ndarray[Any, Any], pitch: float, start: float = 0.0) -> list[float]:
    """When a tone of this pitch begins in 48 kHz mono."""
    hop = 48
    turned = sound * np.exp(-2j * np.pi * pitch * np.arange(len(sound)) / 48000)
    window = 480
    sums = np.concatenate([[0], np.cumsum(turned)])
    places = np.arange(0, len(sound) - window, hop)
    level = np.abs(sums[places + window] - sums[places]) / window * 2
    found: list[float] = []
    loud = False
    for place, each in zip(places, level, strict=True):
        if not loud and each > 0.1:
            # Half of the window holds the tone when its level is half of what it will be.
            top = float(level[(places >= place) & (places < place + 960)].max())
            after = next(p for p, other in zip(places, level, strict=True) if p >= place and other >= top / 2)
            found.append(start + (after + window / 2) / 48000)
            loud = True
        elif loud and each < 0.05:
            loud = False
    return found


def decoded(path: Path) -> tuple[list[tuple[float, np.ndarray[Any, Any]]], np.ndarray[Any, Any], float]:
    """Luma pictures with their times, the sound from nought, and the length that the container says."""
    frames = []
    pieces: list[tuple[float, np.ndarray[Any, Any]]] = []
    with av.open(str(path)) as file:
        length = float(file.duration or 0) / 1e6
        for frame in file.decode(*file.streams.video, *file.streams.audio):
            if isinstance(frame, av.VideoFrame):
                frames.append((float(frame.time or 0), frame.to_ndarray()[: frame.height].copy()))
            elif isinstance(frame, av.AudioFrame):
                pieces.append((float(frame.time or 0), frame.to_ndarray().reshape(-1)))
    total = max((round(at * 48000) + len(each) for at, each in pieces), default=0)
    sound = np.zeros(total)
    for at, each in pieces:
        start = round(at * 48000)
        sound[max(start, 0) : start + len(each)] = each[max(0, -start) :]
    return frames, sound, length
