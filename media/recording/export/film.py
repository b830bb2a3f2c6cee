"""Pictures of one track for an export: decoded as far as the time has come. SHELL: PyAV.

Bounded: the picture that is shown and the one after it.
"""

from collections.abc import Iterator
from fractions import Fraction

import av
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter

from media.recording.play.pieces import Blank, Piece

_DECODERS = {"vp8": "vp8", "vp9": "vp9", "h264": "h264", "av1": "libdav1d"}
_MICROSECONDS = Fraction(1, 1_000_000)
MAX_PIXELS = 4096 * 2304
"""A picture that says it is larger is not shown."""


class Film:
    """``failed``: coded pictures that could not be decoded. ``number``: goes up with each other picture, or none, that is to be shown."""

    def __init__(self, codec: str, pieces: Iterator[Piece | Blank]) -> None:
        self._pieces = pieces
        self._codec = _DECODERS[codec]
        self._decoder = self._new()
        self._reformatter = VideoReformatter()
        self._next: tuple[int, VideoFrame | None] | None = None
        self._over = False
        self.current: VideoFrame | None = None
        self.number = 0
        self.failed = 0

    def _new(self) -> av.VideoCodecContext:
        decoder = av.CodecContext.create(self._codec, "r")
        assert isinstance(decoder, av.VideoCodecContext)
        decoder.thread_count = 1  # more would give pictures out later
        decoder.options = {"max_pixels": str(MAX_PIXELS)}
        decoder.flags |= av.codec.context.Flags.low_delay
        return decoder

    @property
    def over(self) -> bool:
        """Nothing more comes, and nothing is shown."""
        return self._over and self._next is None and self.current is None

    def seek(self, at_us: int) -> VideoFrame | None:
        """The picture that is shown at ``at_us``, None for none. In the order of time."""
        while not self._over or self._next is not None:
            if self._next is None:
                self._next = self._decode()
                if self._next is None:
                    self._over = True
                    break
            if self._next[0] > at_us:
                break
            self.current = self._next[1]
            self._next = None
            self.number += 1
        return self.current

    def _decode(self) -> tuple[int, VideoFrame | None] | None:
        for piece in self._pieces:
            if isinstance(piece, Blank):
                return piece.time_us, None
            packet = av.Packet(piece.data)
            packet.pts = packet.dts = piece.time_us
            packet.time_base = _MICROSECONDS
            try:
                frames = self._decoder.decode(packet)
            except av.FFmpegError:
                self.failed += 1
                continue
            if frames:
                return piece.time_us, frames[-1]
        return None

    def scaled(self, width: int, height: int) -> VideoFrame:
        """The picture that is shown now, as yuv420p of this size."""
        assert self.current is not None
        return self._reformatter.reformat(self.current, width, height, "yuv420p", interpolation=Interpolation.AREA)
