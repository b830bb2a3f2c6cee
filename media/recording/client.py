"""Starts the recorder as a child process, keeps it alive, and tells it which recordings begin and end. SHELL.

A recorder that dies or says nothing for ``heartbeat_timeout_s`` is killed and started again after a pause that doubles up to
``backoff_max_s``; the new one goes on with every recording that had begun and not ended, each track as a new part.
"""

import asyncio
import contextlib
import logging
import os
import socket
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import msgspec

from media.control import FrameReader
from media.errors import ControlError, MediaUnavailableError
from media.recording import events, messages
from media.recording.errors import RecordingStoreError
from media.recording.keyfile import VARIABLE

log = logging.getLogger(__name__)

READ_BYTES = 1 << 16
MAX_WRITE_BYTES = 4 << 20
MAX_PENDING = 1000


@dataclass(frozen=True, slots=True)
class RecorderConfig:
    """``folder``: of all recordings. ``master_key``: keys in base64 (given to the recorder in its environment), else ``master_key_file``.

    ``end_timeout_s``: ending a recording that went on after a crash reads all of it once. ``command``: how the recorder is started,
    without ``--control-fd N``; empty = this interpreter.
    """

    folder: Path
    master_key_file: str = ""
    master_key: str = field(default="", repr=False)
    command: tuple[str, ...] = ()
    configure: messages.Configure = field(default_factory=lambda: messages.Configure(folder="", socket=""))
    ready_timeout_s: float = 15.0
    heartbeat_timeout_s: float = 10.0
    request_timeout_s: float = 10.0
    end_timeout_s: float = 120.0
    stop_timeout_s: float = 10.0
    backoff_first_s: float = 0.1
    backoff_max_s: float = 5.0
    backoff_reset_s: float = 30.0


class RecorderEvents(Protocol):
    """Told from the client's loop; must be quick and never raise."""

    def on_recording_failed(self, recording: str, reason: str) -> None:
        """The disk refused, or it could not go on after a crash: what was kept is whole, nothing more is kept."""
        ...

    def on_track_refused(self, recording: str, track: str, code: str) -> None: ...

    def on_recorder(self, ready: bool) -> None:
        """It is there again (with every recording under way), or lost: packets wait in the workers meanwhile, for some seconds."""
        ...


class _Running:
    def __init__(self, process: asyncio.subprocess.Process, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.process = process
        self.reader = reader
        self.writer = writer
        self.frames = FrameReader(messages.MAX_FRAME_BYTES)
        self.pending: dict[int, asyncio.Future[messages.Reply]] = {}
        self.ready = False
        self.heartbeat: messages.Heartbeat | None = None


class RecorderClient:
    """Use as ``await start()`` … ``await close()``. All methods belong to one event loop."""

    def __init__(self, config: RecorderConfig, told: RecorderEvents) -> None:
        self._config = config
        self._told = told
        self._sockets: tempfile.TemporaryDirectory[str] | None = None
        self._running: _Running | None = None
        self._task: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()
        self._begun: dict[str, messages.Begun] = {}
        self._request = 0
        self._closing = False
        self._refused = ""
        self.restarts = 0

    # ---- life

    @property
    def socket_path(self) -> str:
        """Where media workers connect to: for ``media.recording.feed.Feed``. The same for as long as this client lives."""
        assert self._sockets is not None
        return f"{self._sockets.name}/recorder"

    @property
    def pid(self) -> int | None:
        return self._running.process.pid if self._running is not None else None

    @property
    def heartbeat(self) -> messages.Heartbeat | None:
        return self._running.heartbeat if self._running is not None else None

    async def start(self) -> None:
        """Returns when it is ready. Raises MediaUnavailableError, with the recorder's own words where the key or folder is wrong."""
        self._sockets = tempfile.TemporaryDirectory(prefix="tongping-")  # mode 0700, and short: a socket's path has 107 bytes
        self._task = asyncio.create_task(self._keep(), name="recorder")
        try:
            await self.wait_ready(self._config.ready_timeout_s)
        except MediaUnavailableError:
            await self.close()
            raise

    async def wait_ready(self, timeout_s: float) -> None:
        try:
            async with asyncio.timeout(timeout_s):
                while self._running is None or not self._running.ready:
                    if self._refused:
                        raise MediaUnavailableError("recorder_refused", self._refused)
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise MediaUnavailableError("no_recorder", "the recorder is not ready") from None

    async def close(self) -> None:
        """Stop it: tracks are closed; recordings that have not been ended can be resumed or finished later."""
        self._closing = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        if self._sockets is not None:
            self._sockets.cleanup()
            self._sockets = None

    # ---- recordings

    async def start_recording(self, recording: str, zero_wall_us: int = 0, zero_mono_us: int = 0) -> messages.Begun:
        """A new one, with a key of its own; then tracks may be opened in it. The zero of its times is now where none is given.

        Raises MediaUnavailableError, RecordingStoreError (``recording_exists``, ``cannot_write``, …).
        """
        begun = messages.Begun(recording, zero_wall_us or int(time.time() * 1e6), zero_mono_us or int(time.monotonic() * 1e6))
        await self._ask(messages.StartRecording(self._next(), recording, begun.zero_wall_us, begun.zero_mono_us))
        self._begun[recording] = begun
        return begun

    def resume_recording(self, begun: messages.Begun) -> None:
        """Of a server before this one: the recorder takes it up when it starts anew, so call it before ``start``."""
        self._begun[begun.recording] = begun

    async def add_event(self, recording: str, event: events.Event, mono_us: int = 0) -> None:
        await self._ask(messages.AddEvent(self._next(), recording, events.encode(event), mono_us))

    async def pause(self, recording: str, paused: bool) -> None:
        """Raises as ``start_recording``. A recorder that starts again later keeps to it."""
        begun = self._begun.get(recording)
        if begun is not None:
            self._begun[recording] = msgspec.structs.replace(begun, paused=paused)
        await self._ask(messages.PauseRecording(self._next(), recording, paused))

    async def end_recording(self, recording: str) -> messages.Ended:
        """With its manifest on the disk. Where this fails it stays as it is: ``RecordingStore.finish`` ends it later."""
        self._begun.pop(recording, None)
        reply = await self._ask(messages.EndRecording(self._next(), recording), self._config.end_timeout_s)
        if not isinstance(reply, messages.Ended):
            raise MediaUnavailableError("bad_reply", "the recorder answered something else")
        return reply

    async def stats(self) -> dict[str, int | float]:
        reply = await self._ask(messages.Stats(self._next()))
        return reply.stats if isinstance(reply, messages.StatsReport) else {}

    def _next(self) -> int:
        self._request += 1
        return self._request

    async def _ask(self, command: messages.Command, timeout_s: float = 0.0) -> messages.Reply:
        assert not isinstance(command, messages.Configure)
        running = self._running
        if running is None or not running.ready:
            raise MediaUnavailableError("no_recorder", "the recorder is not ready")
        if running.writer.transport.get_write_buffer_size() > MAX_WRITE_BYTES or len(running.pending) >= MAX_PENDING:
            raise MediaUnavailableError("recorder_busy", "the recorder does not keep up")
        frame = messages.encode(command)
        waiting: asyncio.Future[messages.Reply] = asyncio.get_running_loop().create_future()
        running.pending[command.request] = waiting
        running.writer.write(frame)
        try:
            async with asyncio.timeout(timeout_s or self._config.request_timeout_s):
                reply = await waiting
        except TimeoutError:
            raise MediaUnavailableError("timeout", "the recorder did not answer in time") from None
        finally:
            running.pending.pop(command.request, None)
        if isinstance(reply, messages.Failed):
            raise RecordingStoreError(reply.code, reply.detail)
        return reply

    # ---- the process

    async def _keep(self) -> None:
        pause = self._config.backoff_first_s
        loop = asyncio.get_running_loop()
        while True:
            started = loop.time()
            spawning = asyncio.create_task(self._spawn())
            try:
                running = await asyncio.shield(spawning)
            except asyncio.CancelledError:
                with contextlib.suppress(OSError):
                    await self._end(await spawning)
                raise
            except OSError:
                log.exception("recorder cannot be started")
            else:
                try:
                    await self._serve(running)
                finally:
                    ending = asyncio.create_task(self._end(running))
                    try:
                        await asyncio.shield(ending)
                    except asyncio.CancelledError:
                        await ending
                        raise
            if loop.time() - started >= self._config.backoff_reset_s:
                pause = self._config.backoff_first_s
            await asyncio.sleep(pause)
            pause = min(2 * pause, self._config.backoff_max_s)
            self.restarts += 1

    async def _spawn(self) -> _Running:
        ours, theirs = socket.socketpair()
        process = None
        try:
            process = await asyncio.create_subprocess_exec(
                *(self._config.command or (sys.executable, "-m", "media.recording.process")),
                "--control-fd",
                str(theirs.fileno()),
                pass_fds=(theirs.fileno(),),
                stdin=asyncio.subprocess.DEVNULL,
                env={**os.environ, VARIABLE: self._config.master_key},
            )
            ours.setblocking(False)
            reader, writer = await asyncio.open_connection(sock=ours)
        except BaseException:
            ours.close()
            if process is not None:
                _kill(process)
                await process.wait()
            raise
        finally:
            theirs.close()
        return _Running(process, reader, writer)

    async def _serve(self, running: _Running) -> None:
        self._running = running
        running.writer.write(
            messages.encode(
                msgspec.structs.replace(
                    self._config.configure,
                    folder=str(self._config.folder),
                    socket=self.socket_path,
                    master_key_file=self._config.master_key_file,
                    resume=tuple(self._begun.values()),
                )
            )
        )
        reason = "exited"
        try:
            while True:
                limit = self._config.heartbeat_timeout_s if running.ready else self._config.ready_timeout_s
                async with asyncio.timeout(limit):
                    data = await running.reader.read(READ_BYTES)
                if not data:
                    break
                for frame in running.frames.feed(data):
                    self._take(running, messages.decode_from_recorder(frame))
        except TimeoutError:
            reason = "silent"
        except ControlError as error:
            reason = error.code
        except ConnectionError:
            reason = "control socket failed"
        log.error("recorder lost", extra={"reason": reason})

    def _take(self, running: _Running, message: messages.FromRecorder) -> None:
        if isinstance(message, messages.Ready):
            running.ready = True
            self._refused = ""
            self._changed.set()
            log.info("recorder ready", extra={"pid": running.process.pid})
            for recording, reason in message.failed:
                self._begun.pop(recording, None)
                self._told.on_recording_failed(recording, reason)
            self._told.on_recorder(True)
        elif isinstance(message, messages.Heartbeat):
            running.heartbeat = message
        elif isinstance(message, messages.RecordingFailed):
            self._told.on_recording_failed(message.recording, message.reason)
        elif isinstance(message, messages.TrackRefused):
            self._told.on_track_refused(message.recording, message.track, message.code)
        elif isinstance(message, messages.Failed) and not running.ready:
            self._refused = message.detail or message.code
            self._changed.set()
        else:
            waiting = running.pending.get(message.request)
            if waiting is not None and not waiting.done():
                waiting.set_result(message)

    async def _end(self, running: _Running) -> None:
        """The process is gone and everybody who waits for it knows, whatever way it ended."""
        self._running = None
        if not self._closing:
            _kill(running.process)
        for waiting in running.pending.values():
            if not waiting.done():
                waiting.set_exception(MediaUnavailableError("recorder_lost"))
        if running.ready and not self._closing:
            self._told.on_recorder(False)
        try:
            if self._closing:
                with contextlib.suppress(TimeoutError, OSError):
                    async with asyncio.timeout(self._config.stop_timeout_s):
                        running.writer.write_eof()
                        while await running.reader.read(READ_BYTES):
                            pass
                        await running.process.wait()
        finally:
            _kill(running.process)
            await running.process.wait()
            running.writer.close()
            with contextlib.suppress(ConnectionError):
                await running.writer.wait_closed()


def _kill(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
