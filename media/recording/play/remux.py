"""One track for a player in a browser: WebM of VP8, VP9, AV1 and Opus, fragmented MP4 of H.264; nothing is decoded. S.

``WebmStream`` is the bytes as a media source takes them: the header first, then pieces of at most a second. Times are the recording's time line, so
that tracks that are played beside each other fit. Where nothing was said there is silence in the stream, also before the first word, and a
picture stands until the next: a media source would stop at a hole. Who plays it shows by the timeline's spans that nothing is there.
Pictures begin with the first one, or the key frame that is needed.
"""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from media.recording.errors import RecordingError
from media.recording.format import TrackHeader
from media.recording.play import fmp4, webm
from media.recording.play.clock import TrackClock
from media.recording.play.picture import av1_config, picture_size
from media.recording.play.pieces import Blank, Piece, Pieces, opus_samples
from media.recording.records import Record

SILENCE = b"\xf8\xff\xfe"
"""20 ms of Opus: CELT, full band, mono, silent (RFC 6716 section 3.1)."""
SILENCE_MS = 20
LAST_MS = 67
"""How long a track's last picture stands."""
LEAD_US = 80_000
"""An Opus decoder hears rightly after so much (RFC 7845 section 4.6)."""
UNKNOWN_SIZE = (640, 360)

_MATROSKA = {"vp8": "V_VP8", "vp9": "V_VP9", "av1": "V_AV1", "opus": "A_OPUS"}
_MIME = {"vp8": 'video/webm; codecs="vp8"', "vp9": 'video/webm; codecs="vp9"', "opus": 'audio/webm; codecs="opus"'}
_PROFILE = re.compile(r"profile-level-id=([0-9A-Fa-f]{6})")


def mime(header: TrackHeader) -> str:
    """What ``MediaSource.isTypeSupported`` is asked. Raises RecordingError(``cannot_play``)."""
    codec = header.codec.lower()
    if codec == "h264":
        found = _PROFILE.search(header.fmtp)
        return f'video/mp4; codecs="avc3.{found[1].upper() if found else "42E01F"}"'
    if codec == "av1":
        return 'video/webm; codecs="av01.0.08M.08"'
    if codec not in _MIME:
        raise RecordingError("cannot_play", f"{header.track} is {header.codec}")
    return _MIME[codec]


class _Timed(NamedTuple):
    at_us: int
    length_us: int
    data: bytes
    key: bool


class WebmStream:
    """Iterate once. ``records``: of the whole track, or from a key frame on; pieces before ``from_us`` are left out, but for
    pictures from the key frame on that the first one needs.
    """

    def __init__(self, header: TrackHeader, records: Iterable[Record], clock: TrackClock, from_us: int = 0) -> None:
        self._header = header
        self._pieces = Pieces(header, clock)
        self._records = records
        self._from_us = from_us

    def __iter__(self) -> Iterator[bytes]:
        pieces = self._pieces.read(self._records)
        if self._pieces.codec == "opus":
            return self._webm(self._voice(pieces), b"", (0, 0))
        return self._pictures(pieces)

    def _pictures(self, pieces: Iterator[Piece | Blank]) -> Iterator[bytes]:
        timed = self._standing(pieces)
        first = next(timed, None)
        if first is None:
            return

        def all_of_them() -> Iterator[_Timed]:
            yield first
            yield from timed

        codec = self._pieces.codec
        if codec == "h264":
            yield from self._mp4(all_of_them())
        else:
            private = av1_config(first.data) if codec == "av1" else b""
            yield from self._webm(all_of_them(), private, picture_size(codec, first.data) or UNKNOWN_SIZE)

    def _standing(self, pieces: Iterator[Piece | Blank]) -> Iterator[_Timed]:
        """Each picture with the time until the next."""
        before: Piece | None = None
        for piece in pieces:
            if isinstance(piece, Blank):
                continue
            if before is not None:
                yield _Timed(before.time_us, piece.time_us - before.time_us, before.data, before.key)
            before = piece
        if before is not None:
            yield _Timed(before.time_us, LAST_MS * 1000, before.data, before.key)

    def _voice(self, pieces: Iterator[Piece | Blank]) -> Iterator[_Timed]:
        """Packets end to end, silence between them."""
        end_us = -1
        for piece in pieces:
            if isinstance(piece, Blank):
                continue
            length = opus_samples(piece.data) * 1000 // 48 or SILENCE_MS * 1000
            if piece.time_us + length <= self._from_us - LEAD_US:
                continue
            if end_us < 0:
                end_us = min(piece.time_us, max(0, self._from_us - LEAD_US))
            while end_us + SILENCE_MS * 1000 <= piece.time_us + SILENCE_MS * 250:
                yield _Timed(end_us, SILENCE_MS * 1000, SILENCE, key=True)
                end_us += SILENCE_MS * 1000
            if piece.time_us + length // 2 < end_us:
                continue  # twice the same time: the one that came first stands
            yield _Timed(end_us, length, piece.data, key=True)
            # Times are as even as the decoder's; what they drift is made good in silence, a packet that is left out, or a little at a time.
            end_us += length + max(-500, min(500, piece.time_us - end_us))

    def _webm(self, pieces: Iterator[_Timed], private: bytes, size: tuple[int, int]) -> Iterator[bytes]:
        codec = self._pieces.codec
        channels = min(2, max(1, self._header.channels)) if codec == "opus" else 0
        if codec == "opus":
            private = webm.opus_head(channels)
        yield webm.header(_MATROSKA[codec], width=size[0], height=size[1], channels=channels, private=private)
        cluster: webm.Cluster | None = None
        for piece in pieces:
            at = piece.at_us // 1000
            if cluster is None or not cluster.fits(at):
                if cluster is not None:
                    yield cluster.encode()
                cluster = webm.Cluster(at)
            cluster.add(at, (piece.at_us + piece.length_us) // 1000 - at, piece.data, key=piece.key)
        if cluster is not None:
            yield cluster.encode()

    def _mp4(self, pieces: Iterator[_Timed]) -> Iterator[bytes]:
        number = 0
        start = 0
        samples: list[tuple[int, bytes, bool]] = []
        for piece in pieces:
            if not number and not samples:
                sets = fmp4.parameter_sets(piece.data)
                if sets is None:
                    continue  # nothing can be decoded before
                yield fmp4.header(*sets)
            if samples and piece.at_us - start >= webm.MAX_CLUSTER_MS * 1000:
                number += 1
                yield fmp4.fragment(number, start, samples)
                samples = []
            if not samples:
                start = piece.at_us
            samples.append((min(piece.length_us, 0xFFFFFFFF), fmp4.sample(piece.data), piece.key))
        if samples:
            yield fmp4.fragment(number + 1, start, samples)
