"""Opens taps: pictures of one camera or screen, decoded by a process of its own, for as long as somebody iterates over them. SHELL.

One decoder waits ready; each tap takes it and another one is started, so that no two people's pictures meet in one process. A decoder that dies
while it waits is replaced after a pause that doubles from ``backoff_first_s`` to ``backoff_max_s``.
"""

import asyncio
import contextlib
import hashlib
import logging
import os
import secrets
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from media import control
from media.child import kill
from media.errors import ControlError, MediaError, MediaRefusedError, MediaUnavailableError
from media.tap import wire
from media.tap.errors import TapClosed, TapLost, TapRefused

log = logging.getLogger(__name__)

ROOT = str(Path(__file__).resolve().parents[2])
RECEIVE_BUFFER_BYTES = 4 << 20
REFUSALS = frozenset({"no_such_source", "gate_shut", "bad_codec"})
ENDINGS = frozenset({"gate", "gone", "too_many"})
"""Why a media worker ends a tap that was not its fault."""


class TapMedia(Protocol):
    """``media.client.MediaClient``."""

    async def open_tap(
        self, room: str, participant: str, source: str, tap: str, socket: str, max_seconds: float, height: int = 0
    ) -> None:
        """Raises MediaRefusedError (``no_such_source``, ``gate_shut``, ``busy``, ``bad_codec``), MediaUnavailableError."""
        ...

    async def close_tap(self, room: str, tap: str) -> None: ...
    def listen_taps(self, ended: Callable[[str, str], None]) -> None:
        """Who is told (tap, reason) of each that the media plane ended."""
        ...


@dataclass(frozen=True, slots=True)
class TapConfig:
    """``most``: taps at a time. ``silence_s``: so long nothing may come of a decoder at work: then it is lost."""

    most: int = 4
    ready_timeout_s: float = 5.0
    silence_s: float = 65.0
    backoff_first_s: float = 0.1
    backoff_max_s: float = 4.0
    command: tuple[str, ...] = (sys.executable, "-m", "media.tap.decoder")


@dataclass(frozen=True, slots=True)
class Frame:
    """A picture. ``received_at``: seconds of the machine's monotonic clock, when its last packet came to the relay.

    ``pixels``: ``height`` rows of ``width`` × red, green, blue. ``sha256``: of them, by the decoder. ``lost``: coded frames since the one before that never
    came whole.
    """

    rtp_time: int
    received_at: float
    width: int
    height: int
    pixels: memoryview = field(repr=False)
    sha256: bytes
    index: int
    nonce: bytes = field(repr=False)
    lost: int

    def intact(self) -> bool:
        """Whether ``sha256`` is right. Some milliseconds for a large picture: not in an event loop."""
        return hashlib.sha256(self.pixels).digest() == self.sha256


class _Decoder:
    """A decoder process that waits, or works. ``path``: where it listens for the media worker."""

    def __init__(self, process: asyncio.subprocess.Process, ours: socket.socket, path: str) -> None:
        self.process = process
        self.path = path
        self.confined: tuple[str, ...] = ()
        self._socket = ours
        self._loop = asyncio.get_running_loop()

    async def _exactly(self, size: int) -> bytearray:
        data = bytearray(size)
        view = memoryview(data)
        at = 0
        while at < size:
            got = await self._loop.sock_recv_into(self._socket, view[at:])
            if not got:
                raise ConnectionError("the decoder is gone")
            at += got
        return data

    async def read(self) -> tuple[wire.Ready | wire.Picture | wire.Over, bytearray]:
        """A message, and the pixels of a picture. Raises ConnectionError, OSError, ControlError."""
        size = int.from_bytes(await self._exactly(4), "big")
        if size > wire.MAX_FRAME_BYTES:
            raise ControlError("frame_too_large", f"{size} bytes")
        message = wire.decode_from_decoder(bytes(await self._exactly(size)))
        pixels = bytearray()
        if isinstance(message, wire.Picture):
            pixels = await self._exactly(3 * message.width * message.height)
        return message, pixels

    async def write(self, message: control.Message) -> None:
        await self._loop.sock_sendall(self._socket, control.encode(message))

    def kill(self) -> None:
        kill(self.process)

    async def close(self) -> None:
        """Gone, with everything that it had."""
        self.kill()
        self._socket.close()
        with contextlib.suppress(OSError):
            os.unlink(self.path)
        await self.process.wait()


class Tap:
    """An open one: iterate over it. It ends when as many pictures came as were asked for, or the time is over.

    Raises TapClosed where it was shut before (nothing that came after is given out), TapLost: also after somebody gave up waiting for a picture,
    part of which may have come. ``counts``: of the decoder, once it is over.
    """

    def __init__(self, name: str, start: wire.Start, decoder: _Decoder, silence_s: float) -> None:
        self.name = name
        self.shut = ""
        self.counts: wire.Over | None = None
        self.frames = 0
        self._error: MediaError | StopAsyncIteration | None = None
        self._start = start
        self._decoder = decoder
        self._silence_s = silence_s

    @property
    def confined(self) -> tuple[str, ...]:
        """What holds its decoder; see ``media.tap.confine``."""
        return self._decoder.confined

    def end(self, reason: str) -> None:
        """At once: not one more picture. ``reason``: the code of the TapClosed that its iteration raises."""
        self.shut = self.shut or reason
        self._decoder.kill()

    def __aiter__(self) -> "Tap":
        return self

    async def __anext__(self) -> Frame:
        if self._error is not None:
            raise self._error
        try:
            return await self._next()
        except (MediaError, StopAsyncIteration) as error:
            self._error = error
            raise
        except asyncio.CancelledError:
            self._error = TapLost("tap_lost", "nobody waited for the picture")
            raise

    async def _next(self) -> Frame:
        try:
            async with asyncio.timeout(self._silence_s):
                message, pixels = await self._decoder.read()
        except (OSError, ControlError, TimeoutError) as error:
            self._raise_shut()
            raise TapLost("tap_lost", "the decoder died or cannot be believed") from error
        self._raise_shut()
        if isinstance(message, wire.Over):
            return self._over(message)
        if not isinstance(message, wire.Picture) or message.index != self.frames or message.nonce != self._start.nonce:
            raise TapLost("tap_lost", "the decoder says what it may not")
        if self.frames >= self._start.frames or (self._start.height and message.height > self._start.height):
            raise TapLost("tap_lost", "the decoder sends more than was asked for")
        self.frames += 1
        return Frame(
            message.rtp_time, message.at_us / 1e6, message.width, message.height, memoryview(pixels).toreadonly(),
            message.sha256, message.index, message.nonce, message.lost,
        )  # fmt: skip

    def _raise_shut(self) -> None:
        if self.shut == "lost":
            raise TapLost("tap_lost", "the media worker is gone")
        if self.shut:
            raise TapClosed(self.shut, "it was shut before its time")

    def _over(self, message: wire.Over) -> Frame:
        self.counts = message
        if message.reason == "done":
            raise StopAsyncIteration
        if message.reason == "bad_codec":
            raise TapRefused("bad_codec", "no decoder for it")
        if message.reason in ENDINGS | {"no_picture", "too_large"}:
            raise TapClosed(message.reason, "it ended before its time")
        raise TapLost("tap_lost", message.reason)


class TapClient:
    """Use as ``await start()`` … ``await close()``; ``open`` starts it by itself. All methods belong to one event loop.

    ``restarts``: decoders that died while they waited, or could not be started.
    """

    def __init__(self, media: TapMedia, config: TapConfig | None = None) -> None:
        self._media = media
        self._config = config or TapConfig()
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._spare: _Decoder | None = None
        self._task: asyncio.Task[None] | None = None
        self._closed = False
        self._changed = asyncio.Event()
        self._wanted = asyncio.Event()
        self._open: dict[str, Tap] = {}
        self._opening = 0
        self._number = 0
        self.restarts = 0
        media.listen_taps(self._on_ended)

    async def start(self) -> None:
        """Have a decoder ready soon. Raises TapRefused(``busy``) once this was closed."""
        if self._closed:
            raise TapRefused("busy", "closed")
        if self._task is None:
            self._folder = tempfile.TemporaryDirectory(prefix="tongping-tap-")  # mode 0700
            self._task = asyncio.create_task(self._keep(), name="media.tap.keep")

    async def close(self) -> None:
        """Every tap is shut, and none is opened any more."""
        self._closed = True
        for tap in self._open.values():
            tap.end("closed")
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    @property
    def spare_pid(self) -> int | None:
        """Of the decoder that waits."""
        return self._spare.process.pid if self._spare is not None else None

    async def wait_ready(self) -> None:
        """Raises TapRefused(``busy``) when no decoder is ready in time."""
        try:
            async with asyncio.timeout(self._config.ready_timeout_s):
                while self._spare is None:
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise TapRefused("busy", "no decoder is ready") from None

    @asynccontextmanager
    async def open(
        self,
        room: str,
        participant: str,
        source: str,
        *,
        nonce: bytes,
        fps: float = wire.MAX_FPS,
        frames: int = wire.MAX_FRAMES,
        seconds: float = wire.MAX_SECONDS,
        height: int | None = None,
    ) -> AsyncIterator[Tap]:
        """Pictures of one source from its next key frame on; bounds as in ``wire.Start`` (ValueError). Raises TapRefused, TapLost."""
        start = wire.Start(nonce, fps, frames, seconds, height or 0)
        if len(self._open) + self._opening >= self._config.most:
            raise TapRefused("busy", f"{self._config.most} taps")
        self._opening += 1
        try:
            await self.start()
            decoder = await self._take()
        finally:
            self._opening -= 1
        tap = Tap(f"tap-{secrets.token_hex(8)}", start, decoder, self._config.silence_s)
        self._open[tap.name] = tap
        try:
            await self._connect(room, participant, source, tap, start, decoder)
            yield tap
        finally:
            del self._open[tap.name]
            ending = asyncio.create_task(self._end(room, tap, decoder), name="media.tap.end")
            try:
                await asyncio.shield(ending)
            except asyncio.CancelledError:
                await ending
                raise

    async def _connect(self, room: str, participant: str, source: str, tap: Tap, start: wire.Start, decoder: _Decoder) -> None:
        try:
            await decoder.write(start)
            await self._media.open_tap(room, participant, source, tap.name, decoder.path, start.seconds, start.height)
        except MediaRefusedError as error:
            raise TapRefused(error.code if error.code in REFUSALS else "busy", error.detail) from error
        except MediaUnavailableError as error:
            raise TapLost("tap_lost", error.code) from error
        except OSError as error:
            raise TapLost("tap_lost", "the decoder died") from error

    async def _end(self, room: str, tap: Tap, decoder: _Decoder) -> None:
        decoder.kill()
        try:
            with contextlib.suppress(MediaUnavailableError):
                await self._media.close_tap(room, tap.name)
        finally:
            await decoder.close()

    def _on_ended(self, name: str, reason: str) -> None:
        """The media plane ended it. When the time is over, what was decoded by then still comes."""
        tap = self._open.get(name)
        if tap is not None and reason != "time":
            tap.end(reason)

    # ---- the decoder that waits

    async def _take(self) -> _Decoder:
        await self.wait_ready()
        decoder, self._spare = self._spare, None
        assert decoder is not None
        self._wanted.set()
        return decoder

    async def _keep(self) -> None:
        pause = self._config.backoff_first_s
        while True:
            self._wanted.clear()
            try:
                decoder = await self._spawn()
            except (OSError, ControlError, TimeoutError):
                log.error("decoder cannot be started", exc_info=True)
            else:
                self._spare = decoder
                self._changed.set()
                if await self._taken(decoder):
                    pause = self._config.backoff_first_s
                    continue
                log.error("decoder died while it waited", extra={"status": decoder.process.returncode})
            self.restarts += 1
            await asyncio.sleep(pause)
            pause = min(2 * pause, self._config.backoff_max_s)

    async def _taken(self, decoder: _Decoder) -> bool:
        """Wait until somebody takes it. False: it died before. Ended here if this is cancelled."""
        died = asyncio.create_task(decoder.process.wait())
        taken = asyncio.create_task(self._wanted.wait())
        try:
            await asyncio.wait((died, taken), return_when=asyncio.FIRST_COMPLETED)
            return self._spare is not decoder
        finally:
            for task in (died, taken):
                task.cancel()
            await asyncio.gather(died, taken, return_exceptions=True)
            if self._spare is decoder:
                self._spare = None
                await decoder.close()

    async def _spawn(self) -> _Decoder:
        """A decoder that is ready. Raises OSError, ControlError, TimeoutError."""
        assert self._folder is not None
        self._number += 1
        path = f"{self._folder.name}/{self._number}"
        with contextlib.ExitStack() as stack:
            ours, theirs = socket.socketpair()
            stack.enter_context(theirs)
            listener = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET))
            try:
                ours.setblocking(False)
                ours.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
                listener.bind(path)
                listener.listen(1)
                inherited = theirs.fileno(), listener.fileno()
                process = await asyncio.create_subprocess_exec(
                    *self._config.command, *map(str, inherited), pass_fds=inherited, env={"PYTHONDONTWRITEBYTECODE": "1"}, cwd=ROOT,
                    start_new_session=True, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL,
                    stderr=asyncio.subprocess.DEVNULL,
                )  # fmt: skip
            except BaseException:
                ours.close()
                with contextlib.suppress(OSError):
                    os.unlink(path)
                raise
        decoder = _Decoder(process, ours, path)
        try:
            async with asyncio.timeout(self._config.ready_timeout_s):
                message, _ = await decoder.read()
            if not isinstance(message, wire.Ready):
                raise ControlError("bad_message", "not ready first")
        except BaseException:
            await decoder.close()
            raise
        decoder.confined = message.confined
        return decoder
