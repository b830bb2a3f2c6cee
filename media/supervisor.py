"""Starts media workers as child processes, keeps them alive, carries commands to them and events from them.

A worker that dies, hangs (says nothing for ``heartbeat_timeout_s``) or breaks the control stream is killed and started again
after a pause that doubles up to ``backoff_max_s``; one that had been well for ``backoff_reset_s`` starts at the first pause
again. Workers die with this process: they exit when their control socket closes.
"""

import asyncio
import contextlib
import logging
import socket
import sys
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import msgspec

from media import control
from media.errors import ControlError, MediaUnavailableError

log = logging.getLogger(__name__)

READ_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class SupervisorConfig:
    """``worker``: what each worker is told; with a port other than 0, worker n gets ``port + n``.

    ``command``: how a worker is started, without ``--control-fd N``; empty = this interpreter with ``-m media.worker``.
    ``max_write_bytes``: commands that may wait for one worker to read them; beyond it the worker counts as unavailable.
    ``max_pending``: commands without an answer per worker; beyond it likewise.
    """

    workers: int = 1
    worker: control.Configure = field(default_factory=control.Configure)
    command: tuple[str, ...] = ()
    ready_timeout_s: float = 15.0
    heartbeat_timeout_s: float = 5.0
    request_timeout_s: float = 5.0
    stop_timeout_s: float = 3.0
    backoff_first_s: float = 0.2
    backoff_max_s: float = 5.0
    backoff_reset_s: float = 30.0
    max_write_bytes: int = 4 << 20
    max_pending: int = 1000

    def __post_init__(self) -> None:
        if self.workers < 1:
            raise ValueError("at least one worker")
        if self.worker.port and self.worker.port + self.workers - 1 > 65535:
            raise ValueError("the workers' ports go past 65535")


class WorkerState(NamedTuple):
    """One worker now. ``restarts``: how often it was started again. ``heartbeat``: its last word, None while it is not ready.

    ``compiled``: it forwards in C.
    """

    worker: int
    ready: bool
    restarts: int
    heartbeat: control.Heartbeat | None
    compiled: bool = False


class WorkerEvents(Protocol):
    """Told from the supervisor's loop; ``worker`` is an index from 0. Must be quick and never raise."""

    def on_event(self, worker: int, event: control.Event) -> None: ...
    def on_lost(self, worker: int) -> None:
        """It died or was killed after having been ready: what it held is gone."""
        ...


class _Running:
    """One worker process from start to end."""

    def __init__(self, process: asyncio.subprocess.Process, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.process = process
        self.reader = reader
        self.writer = writer
        self.frames = control.FrameReader()
        self.pending: dict[int, asyncio.Future[control.Reply]] = {}
        self.ready: control.Ready | None = None
        self.heartbeat: control.Heartbeat | None = None

    def fail_pending(self) -> None:
        for waiting in self.pending.values():
            if not waiting.done():
                waiting.set_exception(MediaUnavailableError("worker_lost"))
        self.pending.clear()


class Supervisor:
    """Use as ``await start()`` … ``await close()``. All methods belong to one event loop."""

    def __init__(self, config: SupervisorConfig, events: WorkerEvents) -> None:
        self._config = config
        self._events = events
        self._running: dict[int, _Running] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._restarts = [0] * config.workers
        self._changed = asyncio.Event()
        self._next_request = 0
        self._closing = False

    # ---- life

    async def start(self) -> None:
        """Start all workers; returns when one is ready. Raises MediaUnavailableError when none is in time."""
        for worker in range(self._config.workers):
            self._tasks.append(asyncio.create_task(self._keep(worker), name=f"media-worker-{worker}"))
        try:
            await self.wait_ready(self._config.ready_timeout_s)
        except MediaUnavailableError:
            await self.close()
            raise

    async def close(self) -> None:
        """Stop all workers; those that do not exit in ``stop_timeout_s`` are killed."""
        self._closing = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()

    # ---- state

    def ready(self) -> tuple[int, ...]:
        """Indexes of the workers that take commands now."""
        return tuple(sorted(worker for worker, running in self._running.items() if running.ready is not None))

    def addresses(self, worker: int) -> tuple[tuple[str, int], ...]:
        """What the worker's candidates announce; empty while it is not ready."""
        running = self._running.get(worker)
        return running.ready.addresses if running is not None and running.ready is not None else ()

    def states(self) -> tuple[WorkerState, ...]:
        """Every worker, those that are being started again included."""
        states = []
        for worker, restarts in enumerate(self._restarts):
            running = self._running.get(worker)
            ready = running is not None and running.ready is not None
            states.append(
                WorkerState(
                    worker,
                    ready,
                    restarts,
                    running.heartbeat if running is not None else None,
                    running is not None and running.ready is not None and running.ready.compiled,
                )
            )
        return tuple(states)

    def pid(self, worker: int) -> int | None:
        running = self._running.get(worker)
        return running.process.pid if running is not None else None

    async def wait_ready(self, timeout_s: float, workers: int = 1) -> None:
        """Until so many workers take commands. Raises MediaUnavailableError(``no_worker``)."""
        try:
            async with asyncio.timeout(timeout_s):
                while len(self.ready()) < workers:
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise MediaUnavailableError("no_worker", "no media worker is ready") from None

    # ---- commands

    def next_request(self) -> int:
        """A number that no command of this supervisor has had."""
        self._next_request += 1
        return self._next_request

    def send(self, worker: int, command: control.Command) -> "asyncio.Future[control.Reply]":
        """Write a command at once (so commands arrive in the order of the calls); the future gets its reply.

        Raises MediaUnavailableError when the worker is not ready or does not keep up.
        """
        running = self._running.get(worker)
        if running is None or running.ready is None or isinstance(command, control.Configure):
            raise MediaUnavailableError("no_worker", "the media worker is not ready")
        if (
            running.writer.transport.get_write_buffer_size() > self._config.max_write_bytes
            or len(running.pending) >= self._config.max_pending
        ):
            raise MediaUnavailableError("worker_busy", "the media worker does not keep up")
        frame = control.encode(command)
        waiting: asyncio.Future[control.Reply] = asyncio.get_running_loop().create_future()
        running.pending[command.request] = waiting
        waiting.add_done_callback(lambda _: running.pending.pop(command.request, None))
        running.writer.write(frame)
        return waiting

    async def reply(self, waiting: "asyncio.Future[control.Reply]") -> control.Reply:
        """Await what ``send`` returned, at most ``request_timeout_s``. Raises MediaUnavailableError."""
        try:
            async with asyncio.timeout(self._config.request_timeout_s):
                return await waiting
        except TimeoutError:
            raise MediaUnavailableError("timeout", "the media worker did not answer in time") from None

    def kill(self, worker: int, reason: str) -> None:
        """End a worker that cannot be trusted to have done what it was told; it is started again."""
        running = self._running.get(worker)
        if running is not None:
            log.error("media worker killed", extra={"worker": worker, "reason": reason})
            _kill(running.process)

    # ---- one worker

    async def _keep(self, worker: int) -> None:
        pause = self._config.backoff_first_s
        loop = asyncio.get_running_loop()
        while True:
            started = loop.time()
            # A start that is under way when the supervisor closes is finished first: a half-started process has no owner.
            spawning = asyncio.create_task(self._spawn())
            try:
                running = await asyncio.shield(spawning)
            except asyncio.CancelledError:
                with contextlib.suppress(OSError):
                    await self._end(worker, await spawning)
                raise
            except OSError:
                log.exception("media worker cannot be started", extra={"worker": worker})
            else:
                try:
                    await self._serve(worker, running)
                finally:
                    # Likewise an end: the process must be waited for.
                    ending = asyncio.create_task(self._end(worker, running))
                    try:
                        await asyncio.shield(ending)
                    except asyncio.CancelledError:
                        await ending
                        raise
            if loop.time() - started >= self._config.backoff_reset_s:
                pause = self._config.backoff_first_s
            await asyncio.sleep(pause)
            pause = min(2 * pause, self._config.backoff_max_s)
            self._restarts[worker] += 1

    async def _spawn(self) -> _Running:
        ours, theirs = socket.socketpair()
        process = None
        try:
            command = self._config.command or (sys.executable, "-m", "media.worker")
            process = await asyncio.create_subprocess_exec(
                *command,
                "--control-fd",
                str(theirs.fileno()),
                pass_fds=(theirs.fileno(),),
                stdin=asyncio.subprocess.DEVNULL,
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

    async def _serve(self, worker: int, running: _Running) -> None:
        """Until the worker ends, hangs or breaks the stream."""
        self._running[worker] = running
        configure = self._config.worker
        if configure.port:
            configure = msgspec.structs.replace(configure, port=configure.port + worker)
        running.writer.write(control.encode(configure))
        reason = "exited"
        try:
            while True:
                limit = self._config.heartbeat_timeout_s if running.ready else self._config.ready_timeout_s
                async with asyncio.timeout(limit):
                    data = await running.reader.read(READ_BYTES)
                if not data:
                    break
                for frame in running.frames.feed(data):
                    self._take(worker, running, control.decode_worker_message(frame))
        except TimeoutError:
            reason = "silent"
        except ControlError as error:
            reason = error.code
        except ConnectionError:
            reason = "control socket failed"
        log.error("media worker lost", extra={"worker": worker, "reason": reason})

    def _take(self, worker: int, running: _Running, message: control.WorkerMessage) -> None:
        if isinstance(message, control.Ready):
            running.ready = message
            self._changed.set()
            log.info("media worker ready", extra={"worker": worker, "pid": running.process.pid, "compiled": message.compiled})
        elif isinstance(message, control.Heartbeat):
            running.heartbeat = message
        elif isinstance(message, control.Connected | control.Done | control.StatsReport | control.Failed):
            waiting = running.pending.get(message.request)
            if waiting is not None and not waiting.done():
                waiting.set_result(message)
            return
        self._events.on_event(worker, message)

    async def _end(self, worker: int, running: _Running) -> None:
        """The process is gone and everybody who waits for it knows, whatever way it ended."""
        self._running.pop(worker, None)
        if not self._closing:
            _kill(running.process)
        running.fail_pending()
        if running.ready is not None and not self._closing:
            self._events.on_lost(worker)
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
    """SIGKILL: a hung worker does not listen to anything milder."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
