"""The recorder: one process beside the media workers. Workers write records into its socket, it seals and keeps them. SHELL.

    python -m media.recording.process --control-fd N

Speaks ``media.recording.messages`` on the control socket, reads ``media.recording.wire`` from workers. It ends when the control stream
closes or on SIGTERM: every track then gets its final segment; recordings not ended stay without a manifest and can be resumed.
"""

import argparse
import asyncio
import contextlib
import functools
import logging
import os
import resource
import signal
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import msgspec

from media import control
from media.errors import ControlError
from media.recording import messages, pages
from media.recording.connection import EVENTS_TRACK, MAX_TRACKS, WorkerConnection
from media.recording.disk import Disk
from media.recording.errors import RecordingError
from media.recording.format import check_id
from media.recording.keyfile import load_ring
from media.recording.live import Live, LiveTrack
from media.recording.records import Gap, GapReason, Kind, pack, pack_gap
from media.recording.store import RecordingStore
from media.recording.wire import TrackInfo

log = logging.getLogger("media.recording.process")
_T = TypeVar("_T")

SEGMENT_BYTES = 256 * 1024
TICK_S = 0.05
MAX_CONNECTIONS = 512
MAX_BEGINNING = 8  # at once, a thread each: a disk that hangs holds up those alone; others wait
CONFIGURE_DEADLINE_S = 10.0
READ_BYTES = 1 << 16
MAX_UNSENT_BYTES = 8 << 20
MAX_FILES = 1 << 16


class Recorder:
    """``run`` returns when it is over."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._writer: asyncio.StreamWriter | None = None
        self._config = messages.Configure(folder="", socket="")
        self._store: RecordingStore | None = None
        self._disk: Disk | None = None
        self._live: dict[str, Live] = {}
        self._beginning: dict[str, asyncio.Task[None]] = {}
        self._hands = asyncio.Semaphore(MAX_BEGINNING)
        self._unwanted: dict[str, int] = {}  # ended before they have begun; by which request
        self._connections: set[WorkerConnection] = set()
        self._stopped = asyncio.Event()
        self._held_back = False
        self.records = 0
        self.discarded = 0

    # ---- life

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._stopped.set)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        reader, self._writer = await asyncio.open_unix_connection(sock=self._sock)
        listening: asyncio.Server | None = None
        tasks: list[asyncio.Task[object]] = []
        try:
            frames = control.FrameReader()
            waiting = await self._configure(reader, frames)
            listening = await self._listen()
            tasks = [
                loop.create_task(self._commands(reader, frames, waiting), name="recorder.commands"),
                loop.create_task(self._ticks(), name="recorder.ticks"),
                loop.create_task(self._beat(), name="recorder.beat"),
                loop.create_task(self._stopped.wait(), name="recorder.stop"),
            ]
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        except (ControlError, RecordingError, TimeoutError, OSError) as error:
            log.error("recorder cannot begin", extra={"error": str(error)})
            with contextlib.suppress(ControlError):
                self.emit(messages.Failed(0, getattr(error, "code", "cannot_begin"), getattr(error, "detail", "")))
        finally:
            tasks += self._beginning.values()
            for task in tasks:
                task.cancel()
            for result in await asyncio.gather(*tasks, return_exceptions=True):
                if isinstance(result, Exception):
                    log.error("task ended with an error", extra={"error": type(result).__name__}, exc_info=result)
            if listening is not None:
                listening.close()
            await self._close()

    async def _configure(self, reader: asyncio.StreamReader, frames: control.FrameReader) -> list[bytes]:
        async with asyncio.timeout(CONFIGURE_DEADLINE_S):
            waiting: list[bytes] = []
            while not waiting:
                data = await reader.read(READ_BYTES)
                if not data:
                    raise ConnectionError("closed")
                waiting = frames.feed(data)
        first = messages.decode_command(waiting[0])
        if not isinstance(first, messages.Configure):
            raise ControlError("not_configured")
        self._config = msgspec.structs.replace(first, master_key="")  # it is in the store's ring from now on
        self._store = await asyncio.to_thread(
            lambda: RecordingStore(Path(first.folder), load_ring(first.master_key_file, first.master_key))
        )
        self._disk = Disk(first.sync_s)
        return waiting[1:]

    async def _listen(self) -> asyncio.Server:
        """Recordings under way first, so that the first worker finds them."""
        failed: list[tuple[str, str]] = []
        for begun in self._config.resume:
            try:
                await self._begin(begun, resume=True)
            except RecordingError as error:
                failed.append((begun.recording, error.detail or error.code))
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._config.socket)
        before = os.umask(0o177)
        try:
            server = await asyncio.get_running_loop().create_unix_server(
                lambda: WorkerConnection(self), self._config.socket, backlog=MAX_CONNECTIONS
            )
        finally:
            os.umask(before)
        self.emit(messages.Ready(tuple(failed)))
        return server

    async def _close(self) -> None:
        for connection in list(self._connections):
            connection.close()
        for live in self._live.values():
            for track in list(live.tracks):
                self.close_track(track)
            self._submit(live, 0, live.opened.release)
        if self._disk is not None:
            await asyncio.to_thread(self._disk.close)
        if self._writer is not None:
            self._writer.close()
            with contextlib.suppress(ConnectionError):
                await self._writer.wait_closed()

    def emit(self, message: control.Message) -> None:
        writer = self._writer
        if writer is None or writer.is_closing():
            return
        if writer.transport.get_write_buffer_size() > MAX_UNSENT_BYTES:
            log.error("control stream stuck")
            self._stopped.set()
            return
        writer.write(control.encode(message))

    # ---- clocks

    async def _ticks(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            self._flush_due(time.monotonic())

    def _flush_due(self, now: float) -> None:
        due = now - self._config.flush_s
        for live in self._live.values():
            for track in live.tracks:
                if track.pending and track.since <= due:
                    self.flush(track)
        assert self._disk is not None
        for connection in self._connections:
            connection.flush(now, self._config.flush_s)
        if self._held_back and self._disk.pending_bytes < self._config.max_pending_bytes // 2:
            self._held_back = False
            for connection in self._connections:
                connection.hold_back(False)

    async def _beat(self) -> None:
        assert self._disk is not None
        while True:
            self.emit(
                messages.Heartbeat(
                    len(self._live),
                    sum(len(live.tracks) for live in self._live.values()),
                    self._disk.pending_bytes,
                    self.records,
                    self.discarded,
                    self._held_back,
                    time.process_time(),
                )
            )
            await asyncio.sleep(self._config.heartbeat_interval_s)

    # ---- commands

    async def _commands(self, reader: asyncio.StreamReader, frames: control.FrameReader, waiting: list[bytes]) -> None:
        try:
            while True:
                for frame in waiting:
                    self._command(messages.decode_command(frame))
                data = await reader.read(READ_BYTES)
                if not data:
                    return
                waiting = frames.feed(data)
        except (ControlError, ConnectionError) as error:
            log.error("control stream broken", extra={"error": str(error)})

    def _command(self, command: messages.Command) -> None:
        if isinstance(command, messages.Configure):
            raise ControlError("configured_twice")
        try:
            self._do(command)
        except RecordingError as error:
            self.emit(messages.Failed(command.request, error.code, error.detail))

    def _do(self, command: messages.Command) -> None:
        assert not isinstance(command, messages.Configure)
        request = command.request
        if isinstance(command, messages.StartRecording):
            self._start(command)
            return
        if isinstance(command, messages.AddEvent):
            live = self._find(command.recording)
            self._check_room()
            at = live.us(command.mono_us or int(time.monotonic() * 1e6))
            assert live.events is not None
            self.add(live.events, pack(Kind.EVENT, at, command.event))
        elif isinstance(command, messages.AddPage):
            self._page(self._find(command.recording), command)
        elif isinstance(command, messages.PauseRecording):
            self._pause(self._find(command.recording), command.paused)
        elif isinstance(command, messages.EndRecording):
            if command.recording in self._beginning:
                self._unwanted[command.recording] = request
            else:
                self._end(self._find(command.recording), request)
            return
        else:
            self.emit(messages.StatsReport(request, self._stats()))
            return
        self.emit(messages.Done(request))

    def _check_room(self) -> None:
        if self._disk is not None and self._disk.pending_bytes > 2 * self._config.max_pending_bytes:
            raise RecordingError("recorder_busy", "the disk does not keep up")

    def _page(self, live: Live, command: messages.AddPage) -> None:
        self._check_room()
        if live.failed:
            raise RecordingError("failed", "nothing more of it is kept")
        if live.paused:
            self.discarded += 1
            return
        at = live.us(command.mono_us or int(time.monotonic() * 1e6))
        records = pages.pack_line(at, command.line, command.flags)
        track = live.pages.get(command.track)
        if track is None:
            if len(live.tracks) >= MAX_TRACKS:
                raise RecordingError("too_many_tracks", f"{MAX_TRACKS} tracks")
            begun = live.begun
            track = live.pages[command.track] = self.open_track(
                live,
                TrackInfo(
                    track=check_id(command.track),
                    participant=command.participant,
                    source="page",
                    kind="pages",
                    codec="json",
                    clock_rate=0,
                    zero_wall_us=begun.zero_wall_us,
                    zero_mono_us=begun.zero_mono_us,
                ),
            )
        for record in records:
            self.add(track, record)

    def _find(self, recording: str) -> Live:
        live = self._live.get(recording)
        if live is None:
            raise RecordingError("no_recording", f"no recording {recording} is under way")
        return live

    def _stats(self) -> dict[str, int | float]:
        assert self._disk is not None
        return {
            "recordings": len(self._live),
            "tracks": sum(len(live.tracks) for live in self._live.values()),
            "connections": len(self._connections),
            "records": self.records,
            "discarded": self.discarded,
            "pending_bytes": self._disk.pending_bytes,
            "cpu_s": time.process_time(),
        }

    def _start(self, command: messages.StartRecording) -> None:
        """In a task of its own: no other recording's commands wait for the disk."""
        recording = command.recording
        if recording in self._live or recording in self._beginning:
            raise RecordingError("recording_exists", f"the recording {recording} is under way")
        if len(self._live) + len(self._beginning) >= self._config.max_recordings:
            raise RecordingError("recorder_full", f"{self._config.max_recordings} recordings")
        begun = messages.Begun(recording, command.zero_wall_us, command.zero_mono_us)
        self._beginning[recording] = asyncio.get_running_loop().create_task(
            self._started(begun, command.request), name="recorder.begin"
        )

    async def _started(self, begun: messages.Begun, request: int) -> None:
        recording = begun.recording
        reply: messages.Reply = messages.Done(request)
        try:
            async with self._hands:
                if recording in self._unwanted:  # whoever asked for it has given up
                    raise RecordingError("no_recording", f"the recording {recording} was ended before it began")
                await self._begin(begun, resume=False)
        except RecordingError as error:
            reply = messages.Failed(request, error.code, error.detail)
        except Exception:
            log.exception("recording cannot begin")
            reply = messages.Failed(request, "cannot_begin", "")
        finally:
            del self._beginning[recording]
        self.emit(reply)
        ended = self._unwanted.pop(recording, None)
        if ended is None:
            return
        if recording in self._live:
            self._end(self._live[recording], ended)
        else:
            self.emit(messages.Failed(ended, "no_recording", f"no recording {recording} is under way"))

    async def _begin(self, begun: messages.Begun, *, resume: bool) -> None:
        assert self._store is not None
        assert self._disk is not None
        if begun.recording in self._live:
            raise RecordingError("recording_exists", f"the recording {begun.recording} is under way")
        act = self._store.resume if resume else self._store.create
        opened = await _in_thread(functools.partial(act, begun.recording, begun.zero_wall_us))
        loop = asyncio.get_running_loop()
        live = Live(opened, begun)
        opened.on_failed = lambda reason: _tell(loop, functools.partial(self._failed, live, reason))
        self._live[begun.recording] = live
        self._disk.attach(opened)
        info = TrackInfo(
            track=EVENTS_TRACK,
            participant="",
            source="events",
            kind="events",
            codec="json",
            clock_rate=0,
            zero_wall_us=begun.zero_wall_us,
            zero_mono_us=begun.zero_mono_us,
        )
        live.events = self.open_track(live, info)
        if resume:
            now = live.us(int(time.monotonic() * 1e6))
            self.add(live.events, pack(Kind.GAP, now, pack_gap(Gap(0, now, now, GapReason.RECORDER_LOST))))

    def _failed(self, live: Live, reason: str) -> None:
        live.failed = True
        self.emit(messages.RecordingFailed(live.opened.recording, reason))

    def _pause(self, live: Live, paused: bool) -> None:
        if paused == live.paused:
            return
        live.paused = paused
        at = live.us(int(time.monotonic() * 1e6))
        for track in live.tracks:
            self.add(track, pack(Kind.PAUSE if paused else Kind.RESUME, at))

    def _end(self, live: Live, request: int) -> None:
        recording = live.opened.recording
        del self._live[recording]
        for connection in self._connections:
            connection.forget(live)
        for track in list(live.tracks):
            self.close_track(track)
        loop = asyncio.get_running_loop()
        disk = self._disk
        assert disk is not None

        def finish() -> None:
            disk.detach(recording)  # what is finished lasts; no sync of it may fail meanwhile
            try:
                made = live.opened.finish(int(time.time() * 1e6))
                size = sum(part.size for part in made.parts)
                reply: messages.Reply = messages.Ended(request, recording, made.ending, len(made.parts), size, made.reason)
            except RecordingError as error:
                reply = messages.Failed(request, error.code, error.detail)
            finally:
                live.opened.release()
            _tell(loop, functools.partial(self.emit, reply))

        self._submit(live, 0, lambda: disk.submit_long(finish))

    # ---- tracks, from connections

    def live(self, recording: str) -> Live | None:
        return self._live.get(recording)

    def open_track(self, live: Live, info: TrackInfo) -> LiveTrack:
        """Its file is made in the disk's thread; a disk that refuses shows as ``RecordingFailed``."""
        track = LiveTrack(live, info)
        live.tracks.add(track)

        def make() -> None:
            try:
                track.file = live.opened.open_track(info)
            except RecordingError as error:
                _tell(loop, functools.partial(self.emit, messages.TrackRefused(live.opened.recording, info.track, error.code)))

        loop = asyncio.get_running_loop()
        self._submit(live, 0, make)
        if live.paused:
            self.add(track, pack(Kind.PAUSE, live.us(int(time.monotonic() * 1e6))))
        return track

    def add(self, track: LiveTrack, record: bytes) -> None:
        """A record as it comes; whole segments go to the disk."""
        pending = track.pending
        if not pending:
            track.since = time.monotonic()
        pending += record
        if len(pending) >= SEGMENT_BYTES:
            self.flush(track)

    def flush(self, track: LiveTrack) -> None:
        plain = bytes(track.pending)
        track.pending.clear()

        def write() -> None:
            if track.file is not None:
                track.live.opened.append(track.file, plain)

        self._submit(track.live, len(plain), write)
        assert self._disk is not None
        if not self._held_back and self._disk.pending_bytes > self._config.max_pending_bytes:
            self._held_back = True
            for connection in self._connections:
                connection.hold_back(True)

    def close_track(self, track: LiveTrack) -> None:
        """With its final segment."""
        track.live.tracks.discard(track)
        plain = bytes(track.pending)
        track.pending.clear()

        def close() -> None:
            if track.file is not None:
                track.live.opened.close_track(track.file, plain)

        self._submit(track.live, len(plain), close)

    def after_writes(self, done: Callable[[], None]) -> None:
        """Call it on the loop when everything flushed so far is in its file."""
        assert self._disk is not None
        loop = asyncio.get_running_loop()
        self._disk.after(lambda: _tell(loop, done))

    def _submit(self, live: Live, cost: int, work: Callable[[], object]) -> None:
        assert self._disk is not None
        self._disk.submit(live.opened.recording, cost, work)  # type: ignore[arg-type]

    # ---- connections

    def connected(self, connection: "WorkerConnection") -> bool:
        if len(self._connections) >= MAX_CONNECTIONS:
            return False
        self._connections.add(connection)
        connection.hold_back(self._held_back)
        return True

    def disconnected(self, connection: "WorkerConnection") -> None:
        self._connections.discard(connection)


def _tell(loop: asyncio.AbstractEventLoop, what: Callable[[], None]) -> None:
    """Run it on the loop, from any thread; a loop that is over needs it no more."""
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(what)


async def _in_thread(work: Callable[[], _T]) -> _T:
    """In a thread of its own that keeps nobody from ending, however long the disk hangs. Raises what the work raises."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[_T] = loop.create_future()

    def answer(result: _T | None, error: BaseException | None) -> None:
        if done.done():
            return
        if error is not None:
            done.set_exception(error)
        else:
            done.set_result(result)  # type: ignore[arg-type]

    def run() -> None:
        try:
            result = work()
        except Exception as error:
            _tell(loop, functools.partial(answer, None, error))
        else:
            _tell(loop, functools.partial(answer, result, None))

    threading.Thread(target=run, name="recorder-begin", daemon=True).start()
    return await done


def _raise_files() -> None:
    """Each recording has a file for each of its tracks open, and a folder: more than a process may have at first."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MAX_FILES if hard == resource.RLIM_INFINITY else min(MAX_FILES, hard)
    if soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def main() -> None:
    parser = argparse.ArgumentParser(prog="media.recording.process")
    parser.add_argument("--control-fd", type=int, required=True)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(message)s")
    os.umask(0o077)
    _raise_files()
    sock = socket.socket(fileno=arguments.control_fd)
    sock.setblocking(False)

    async def serve() -> None:
        await Recorder(sock).run()

    try:
        import uvloop
    except ImportError:
        asyncio.run(serve())
        return
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve())


if __name__ == "__main__":
    main()
