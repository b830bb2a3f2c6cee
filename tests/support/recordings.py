"""Track files in memory and RTP packets for the tests of recordings."""

import struct

from media.recording.format import TrackHeader, TrackSealer
from media.recording.keys import data_key_id
from media.recording.records import Kind, pack

DATA_KEY = bytes(range(32))
RECORDING = "RE_1"


def header(
    track: str = "TR_1", part: int = 0, recording: str = RECORDING, kind: str = "video", key: bytes = DATA_KEY
) -> TrackHeader:
    return TrackHeader(
        recording=recording,
        track=track,
        part=part,
        participant="PA_1",
        source="camera",
        kind=kind,  # type: ignore[arg-type]
        codec={"video": "VP8", "audio": "opus"}.get(kind, "json"),
        clock_rate={"video": 90000, "audio": 48000}.get(kind, 0),
        zero_wall_us=1_800_000_000_000_000,
        zero_mono_us=5_000_000,
        data_key=data_key_id(key, recording),
        salt=f"{part:032x}",
    )


def rtp(seq: int, ts: int, payload: bytes, *, pt: int = 96, ssrc: int = 7, marker: bool = False) -> bytes:
    return struct.pack("!BBHII", 0x80, (0x80 if marker else 0) | pt, seq & 0xFFFF, ts & 0xFFFFFFFF, ssrc) + payload


def vp8(*, key: bool, size: int = 20) -> bytes:
    """The first packet of a VP8 picture (RFC 7741), ``size`` bytes after the descriptor."""
    return bytes((0x10, 0 if key else 1)) + bytes(size - 1)


def segments(count: int, per: int = 2) -> list[bytes]:
    """Plain segments with ``per`` packets of video each, 20 ms apart; every third begins with a key frame."""
    made = []
    for number in range(count):
        records = b""
        for place in range(per):
            at = number * per + place
            records += pack(Kind.RTP, at * 20_000, rtp(at, at * 1800, vp8(key=number % 3 == 0 and place == 0)))
        made.append(records)
    return made


def track(plain: list[bytes], *, made: TrackHeader | None = None, key: bytes = DATA_KEY, final: bool = True) -> list[bytes]:
    """A file as [header, segment, segment, …]."""
    sealer = TrackSealer(made or header(), key)
    pieces = [sealer.cipher.opening]
    for number, body in enumerate(plain):
        sealed = sealer.seal(body, number * 40_000, number * 40_000 + 20_000, 2)
        sealer.written(sealed)
        pieces.append(sealed)
    if final:
        pieces.append(sealer.seal(b"", sealer.last_us, sealer.last_us, 0, final=True))
    return pieces
