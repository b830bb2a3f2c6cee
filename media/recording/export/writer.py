"""Encodes an export's picture and sound into one file. SHELL: PyAV, a file.

The file is written under a name of its own beside the target, and takes the target's name when it is whole and on the disk: an export that
is interrupted leaves nothing under that name.
"""

import contextlib
import hashlib
import os
import re
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Literal, NamedTuple

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from media.recording.errors import RecordingError
from media.recording.export.notes import Chapter
from media.recording.export.sound import RATE, Samples

Format = Literal["webm", "mp4"]
AUDIO_BIT_RATE = 64_000
KEY_EVERY_S = 5


class _Codecs(NamedTuple):
    container: str
    video: str
    audio: str
    samples: str
    options: Mapping[str, str]


CODECS: dict[Format, _Codecs] = {
    "webm": _Codecs(
        "webm",
        "libvpx-vp9",
        "libopus",
        "flt",
        {"deadline": "realtime", "cpu-used": "8", "row-mt": "0", "lag-in-frames": "0", "crf": "36"},
    ),
    "mp4": _Codecs("mp4", "libx264", "aac", "fltp", {"preset": "veryfast", "crf": "26", "bf": "0"}),
}
"""Fixed speed and one thread: the same recording gives the same file everywhere, and a call on the same machine keeps a core."""


def check_format(name: Format) -> None:
    """Raises RecordingError(``no_encoder``) where this machine's libav cannot write it."""
    for codec in (CODECS[name].video, CODECS[name].audio):
        try:
            av.codec.Codec(codec, "w")
        except av.codec.codec.UnknownCodecError:
            raise RecordingError("no_encoder", f"{name} needs the encoder {codec}, which is not here") from None


class Writer:
    """Give pictures and sound in the order of time, then ``finish``; or ``abandon``. ``fps``: divides 48000.

    Raises RecordingError(``cannot_write``) when the disk refuses.
    """

    def __init__(
        self, target: Path, name: Format, size: tuple[int, int], fps: int, chapters: Sequence[Chapter], title: str
    ) -> None:
        self.path = target.with_name(f".{target.name}.{os.getpid()}.part")
        _sweep(target)
        self._target = target
        codecs = CODECS[name]
        try:
            os.close(os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))
        except OSError as error:
            raise RecordingError("cannot_write", f"{target}: {error.strerror}") from None
        try:
            self._open(codecs, size, fps, chapters, title)
        except BaseException:
            self._remove()
            raise

    def _open(self, codecs: _Codecs, size: tuple[int, int], fps: int, chapters: Sequence[Chapter], title: str) -> None:
        options = {"fflags": "+bitexact"}
        if codecs.container == "mp4":
            options["movflags"] = "+faststart"
        self._container = av.open(str(self.path), "w", format=codecs.container, options=options)
        self._container.metadata["title"] = title
        video = self._container.add_stream(codecs.video, rate=fps, options=dict(codecs.options))
        assert isinstance(video, VideoStream)
        video.width, video.height, video.pix_fmt = size[0], size[1], "yuv420p"
        video.codec_context.time_base = Fraction(1, fps)
        video.codec_context.gop_size = fps * KEY_EVERY_S
        video.codec_context.bit_rate = 0
        video.codec_context.thread_count = 1
        video.codec_context.flags |= av.codec.context.Flags.bitexact
        audio = self._container.add_stream(codecs.audio, rate=RATE)
        assert isinstance(audio, AudioStream)
        audio.codec_context.layout = "mono"
        audio.codec_context.format = codecs.samples
        audio.codec_context.bit_rate = AUDIO_BIT_RATE
        audio.codec_context.flags |= av.codec.context.Flags.bitexact
        self._samples = codecs.samples
        self._video, self._audio = video, audio
        if chapters:
            self._container.set_chapters(
                [
                    {
                        "id": number,
                        "start": chapter.start_us // 1000,
                        "end": chapter.end_us // 1000,
                        "time_base": Fraction(1, 1000),
                        "metadata": {"title": chapter.title},
                    }
                    for number, chapter in enumerate(chapters, 1)
                ]
            )

    def picture(self, frame: VideoFrame, number: int) -> None:
        """``number``: of the tick; ticks may be left out where nothing changes."""
        frame.pts = number
        frame.time_base = Fraction(1, self._video.codec_context.framerate.numerator)
        self._mux(self._video, frame)

    def sound(self, samples: Samples, start: int) -> None:
        frame = AudioFrame.from_ndarray(np.ascontiguousarray(samples).reshape(1, -1), format="fltp", layout="mono")
        frame.sample_rate = RATE
        frame.pts = start
        frame.time_base = Fraction(1, RATE)
        self._mux(self._audio, frame)

    def _mux(self, stream: VideoStream | AudioStream, frame: VideoFrame | AudioFrame | None) -> None:
        try:
            self._container.mux(stream.encode(frame))  # type: ignore[arg-type]
        except (av.FFmpegError, OSError) as error:
            raise RecordingError("cannot_write", f"{self._target}: {error}") from None

    def close(self) -> tuple[int, str]:
        """Write what is left and make it last, still under its own name: (bytes, SHA-256 in hex)."""
        self._mux(self._video, None)
        self._mux(self._audio, None)
        try:
            self._container.close()
            digest = hashlib.sha256()
            with self.path.open("rb") as file:
                while block := file.read(1 << 20):
                    digest.update(block)
                os.fsync(file.fileno())
                return file.tell(), digest.hexdigest()
        except (av.FFmpegError, OSError) as error:
            raise RecordingError("cannot_write", f"{self._target}: {error}") from None

    def publish(self) -> None:
        """Give it the target's name."""
        try:
            self.path.replace(self._target)
        except OSError as error:
            raise RecordingError("cannot_write", f"{self._target}: {error.strerror}") from None

    def abandon(self) -> None:
        """Nothing stays."""
        with contextlib.suppress(Exception):
            self._container.close()
        self._remove()

    def _remove(self) -> None:
        with contextlib.suppress(OSError):
            self.path.unlink()


def _sweep(target: Path) -> None:
    """Remove what exports to the same target left that were killed."""
    with contextlib.suppress(OSError):
        for path in target.parent.iterdir():
            found = re.fullmatch(rf"\.{re.escape(target.name)}(?:\.json|\.vtt|\.[^/]+\.jsonl)?\.(\d+)\.part", path.name)
            if found and not Path(f"/proc/{found[1]}").exists():
                path.unlink()
