"""The decoder: one process for one tap. It gets packets of a camera from a media worker and gives pictures to its client. SHELL.

    python -m media.tap.decoder CONTROL LISTENER

Both are inherited descriptors: a stream socket to the client (``media.tap.wire``), and a Unix socket that listens for the media worker. What it reads was
made by whoever sends the picture, and decoders are large: so it is confined before (``media.tap.confine``), used for one tap and then
thrown away. Its end is the end of its control socket, at the latest.
"""

import hashlib
import os
import select
import socket
import sys
import time
from typing import Any

import av
import av.error

from media import control as messages
from media.errors import ControlError
from media.tap import confine
from media.tap.incoming import Chooser, Coded, Incoming
from media.tap.wire import (
    MAX_FRAME_BYTES,
    MAX_PIXELS,
    MAX_RECORD_BYTES,
    MAX_SIDE,
    Over,
    Picture,
    Ready,
    Start,
    decode_start,
    read,
)

CONNECT_DEADLINE_S = 10.0
WRITE_DEADLINE_S = 30.0
POLL_S = 0.05
RECORDS_AT_ONCE = 64
REMEMBERED = 64
BUFFER_BYTES = 4 << 20
DECODERS = {"vp8": "vp8", "vp9": "vp9", "h264": "h264", "av1": "libdav1d"}


class Closed(Exception):
    """The client is gone, or does not want any more."""


class Pictures:
    """Coded frames → pictures. ``decoded``: how many came out."""

    def __init__(self, codec: str, height: int) -> None:
        self._context: Any = av.CodecContext.create(DECODERS[codec], "r")
        self._context.thread_count = 1
        self._context.options = {"max_pixels": str(MAX_PIXELS)}
        self._height = height
        self._coded: dict[int, Coded] = {}
        self._number = 0
        self.decoded = 0

    def decode(self, coded: Coded) -> list[tuple[Coded, Any]]:
        """Raises av.error.FFmpegError: what comes until the next key frame is not to be trusted."""
        packet = av.Packet(coded.frame.data)
        packet.pts = self._number
        self._coded[self._number] = coded
        self._coded.pop(self._number - REMEMBERED, None)
        self._number += 1
        out = []
        for picture in self._context.decode(packet):
            self.decoded += 1
            out.append((self._coded.get(picture.pts, coded), picture))
        return out

    def pixels(self, picture: Any) -> tuple[int, int, bytes]:
        """(width, height, red, green and blue of each pixel)."""
        width, height = picture.width, picture.height
        if self._height and self._height < height:
            width, height = max(2, round(width * self._height / height / 2) * 2), self._height
        shown = picture.reformat(width=width, height=height, format="rgb24", threads=1)
        plane = shown.planes[0]
        row = 3 * width
        if plane.line_size == row:
            return width, height, bytes(memoryview(plane)[: row * height])
        whole = memoryview(plane)
        return width, height, b"".join(whole[at : at + row] for at in range(0, height * plane.line_size, plane.line_size))


class Decoder:
    """``run`` returns when it is over."""

    def __init__(self, control: socket.socket, listener: socket.socket) -> None:
        self._control = control
        self._listener = listener
        self._worker: socket.socket | None = None
        self._incoming = Incoming()
        self._pictures: Pictures | None = None
        self._sent = self._lost = self._broken = 0
        self._distrusts = False

    def run(self) -> None:
        start = self._start()
        chooser = Chooser(start.fps)
        deadline = time.monotonic() + start.seconds
        poll = select.poll()
        poll.register(self._control, select.POLLIN)
        poll.register(self._listener, select.POLLIN)
        begun = time.monotonic()
        while not self._incoming.over and self._sent < start.frames and time.monotonic() < deadline:
            for descriptor, _ in poll.poll(1000 * POLL_S):
                if descriptor == self._control.fileno():
                    raise Closed
                if descriptor == self._listener.fileno():
                    self._worker, _ = self._listener.accept()
                    self._worker.setblocking(False)
                    poll.unregister(self._listener)
                    poll.register(self._worker, select.POLLIN)
            if self._worker is None and time.monotonic() - begun > CONNECT_DEADLINE_S:
                raise Closed
            for coded in self._read():
                self._take(coded, start, chooser)
                if self._sent >= start.frames:
                    break
        reason = self._incoming.over
        if self._sent >= start.frames or reason in ("", "time"):
            reason = "done" if self._sent else "no_picture"
        counts = self._incoming
        broken = counts.broken + self._broken
        self._write(
            messages.encode(Over(reason, counts.whole, broken, self._pictures.decoded if self._pictures else 0, self._sent))
        )

    def _start(self) -> Start:
        frames = messages.FrameReader(MAX_FRAME_BYTES)
        while True:
            data = self._control.recv(4096)
            if not data:
                raise Closed
            found = frames.feed(data)
            if found:
                return decode_start(found[0])

    def _read(self) -> list[Coded]:
        now = time.monotonic()
        found: list[Coded] = []
        for _ in range(RECORDS_AT_ONCE if self._worker is not None else 0):
            assert self._worker is not None
            try:
                data = self._worker.recv(MAX_RECORD_BYTES + 1)
            except BlockingIOError:
                break
            except OSError:
                data = b""
            if not data:
                self._incoming.over = self._incoming.over or "lost"
                break
            record = read(data)
            if record is not None:
                found += self._incoming.take(record, now)
        return found + self._incoming.due(now)

    def _take(self, coded: Coded, start: Start, chooser: Chooser) -> None:
        """Decode it, and send its picture where it is its turn."""
        self._lost += coded.lost
        if self._distrusts and not coded.frame.key:
            self._lost += 1
            return
        if self._pictures is None or self._distrusts:
            self._pictures = Pictures(self._incoming.codec, start.height)
            self._distrusts = False
        try:
            pictures = self._pictures.decode(coded)
        except av.error.FFmpegError:
            self._distrusts = True
            self._broken += 1
            self._lost += 1
            return
        for of, picture in pictures:
            if self._sent < start.frames and chooser.shows(of.at_us):
                self._show(of, picture, start)

    def _show(self, coded: Coded, picture: Any, start: Start) -> None:
        assert self._pictures is not None
        if picture.width * picture.height > MAX_PIXELS or max(picture.width, picture.height) > MAX_SIDE:
            self._incoming.over = "too_large"
            return
        width, height, pixels = self._pictures.pixels(picture)
        header = Picture(
            self._sent,
            coded.frame.ts,
            coded.at_us,
            width,
            height,
            hashlib.sha256(pixels).digest(),
            start.nonce,
            self._lost,
        )
        self._write(messages.encode(header) + pixels)
        self._sent += 1
        self._lost = 0

    def _write(self, data: bytes) -> None:
        """Waits for a client that is slow; what comes meanwhile is dropped in the media worker."""
        self._control.settimeout(WRITE_DEADLINE_S)
        try:
            self._control.sendall(data)
        except OSError as error:
            raise Closed from error


def warm_up() -> None:
    """Everything that is loaded at its first use."""
    for codec in DECODERS:
        context: Any = av.CodecContext.create(DECODERS[codec], "r")
        context.thread_count = 1  # no thread is to be left when it is confined
        context.open()
    frame = av.VideoFrame(64, 48, "yuv420p")
    frame.reformat(width=32, height=24, format="rgb24", threads=1)
    hashlib.sha256(b"").digest()
    messages.encode(Ready(()))


def main(arguments: list[str]) -> int:
    for target, inherited in enumerate((int(argument) for argument in arguments), 3):
        os.dup2(inherited, target + 100)
    for target in range(3, 3 + len(arguments)):
        os.dup2(target + 100, target)
    control = socket.socket(fileno=3)
    listener = socket.socket(fileno=4)
    control.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER_BYTES)
    warm_up()
    held = confine.confine(5)
    try:
        control.sendall(messages.encode(Ready(held)))
        Decoder(control, listener).run()
    except (Closed, ControlError, OSError):
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
