"""A child process that is told over a stream what to do: started, watched, ended, and started again. SHELL.

It is started as ``COMMAND --control-fd N`` with a connected stream socket as descriptor N, is configured by the first message, says that it
is ready, beats, and answers commands (frames of ``media.control``). One that dies, says nothing for ``heartbeat_timeout_s`` or breaks the
stream is killed and started again after a pause that doubles up to ``backoff_max_s``; one that had been there for ``backoff_reset_s`` starts
at the first pause again. Children die with this process: they exit when their socket closes.
"""

import asyncio
import contextlib
import logging
import os
import socket
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from media import control, environment
from media.errors import ControlError, MediaUnavailableError

log = logging.getLogger(__name__)

READ_BYTES = 1 << 16
Ready = TypeVar("Ready")
Beat = TypeVar("Beat")
Reply = TypeVar("Reply")


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildConfig:
    """``command``: how it is started, without ``--control-fd N``; empty = this interpreter with the child's own module.

    ``max_write_bytes``: commands that may wait for it to read them; beyond it the child counts as unavailable. ``max_pending``: commands
    without an answer; beyond it likewise. ``arguments``: more of them; ``descriptors``: those that it has under the same numbers.
    """

    command: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    descriptors: tuple[int, ...] = ()
    ready_timeout_s: float = 30.0
    heartbeat_timeout_s: float = 10.0
    request_timeout_s: float = 10.0
    stop_timeout_s: float = 10.0
    backoff_first_s: float = 0.1
    backoff_max_s: float = 5.0
    backoff_reset_s: float = 30.0
    max_write_bytes: int = 4 << 20
    max_pending: int = 1000


class _Running(Generic[Reply]):
    """One process from start to end."""

    def __init__(self, process: asyncio.subprocess.Process, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.process = process
        self.reader = reader
        self.writer = writer
        self.frames = control.FrameReader()
        self.pending: dict[int, asyncio.Future[Reply]] = {}


class Child(Generic[Ready, Beat, Reply]):
    """Use as ``start()`` … ``await close()``. All methods belong to one event loop.

    ``name``: for logs and words; ``code``: what codes of errors call it; ``module``: where it has no ``command``; ``fields``: which one it is,
    for logs. ``configure``: the first message to a new one. ``take``: told each frame that it says, and calls ``is_ready`` or ``answered`` or sets
    ``heartbeat``; raises ControlError. ``lost``: told when one that was ready is gone. These are quick; should one raise anything else, that is
    logged, and the child started again.

    ``ready``: what it said when it was, None while it is not. ``restarts``: how often it was started again.
    """

    def __init__(
        self,
        config: ChildConfig,
        name: str,
        code: str,
        module: str,
        *,
        configure: Callable[[], control.Message],
        take: Callable[[bytes], None],
        lost: Callable[[], None],
        fields: Mapping[str, object] | None = None,
    ) -> None:
        self._config = config
        self._name = name
        self._code = code
        self._command = config.command or (sys.executable, "-m", module)
        self._configure = configure
        self._take = take
        self._lost = lost
        self._told = {**(fields or {}), "kind": name}
        self._running: _Running[Reply] | None = None
        self._task: asyncio.Task[None] | None = None
        self._closing = False
        self.ready: Ready | None = None
        self.heartbeat: Beat | None = None
        self.restarts = 0

    # ---- life

    def start(self) -> None:
        """Again, it does nothing."""
        if self._task is None:
            self._task = asyncio.create_task(self._keep(), name=self._name)

    async def close(self) -> None:
        """Stop it; one that does not exit in ``stop_timeout_s`` is killed."""
        self._closing = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    @property
    def pid(self) -> int | None:
        return self._running.process.pid if self._running is not None else None

    def is_ready(self, said: Ready) -> None:
        self.ready = said
        log.info("process ready", extra={**self._told, "pid": self.pid})

    def kill(self, reason: str) -> None:
        """End one that cannot be trusted to have done what it was told; it is started again."""
        if self._running is not None:
            log.error("process killed", extra={**self._told, "reason": reason})
            kill(self._running.process)

    # ---- commands

    def send(self, command: control.Message, request: int) -> "asyncio.Future[Reply]":
        """Write a command at once (so commands arrive in the order of the calls); the future gets its reply.

        Raises MediaUnavailableError when it is not ready or does not keep up.
        """
        running = self._taking()
        if len(running.pending) >= self._config.max_pending:
            raise MediaUnavailableError(f"{self._code}_busy", f"the {self._name} does not keep up")
        frame = control.encode(command)
        waiting: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        running.pending[request] = waiting
        waiting.add_done_callback(lambda _: running.pending.pop(request, None))
        running.writer.write(frame)
        return waiting

    def tell(self, command: control.Message) -> None:
        """As ``send``, of a command whose reply ``take`` knows by itself."""
        self._taking().writer.write(control.encode(command))

    def _taking(self) -> _Running[Reply]:
        """The process, where it takes commands. Raises MediaUnavailableError."""
        running = self._running
        if running is None or self.ready is None:
            raise MediaUnavailableError(f"no_{self._code}", f"the {self._name} is not ready")
        if running.writer.transport.get_write_buffer_size() > self._config.max_write_bytes:
            raise MediaUnavailableError(f"{self._code}_busy", f"the {self._name} does not keep up")
        return running

    async def reply(self, waiting: "asyncio.Future[Reply]", timeout_s: float = 0.0) -> Reply:
        """Await what ``send`` returned, at most ``timeout_s`` (0: ``request_timeout_s``). Raises MediaUnavailableError."""
        try:
            async with asyncio.timeout(timeout_s or self._config.request_timeout_s):
                return await waiting
        except TimeoutError:
            raise MediaUnavailableError("timeout", f"the {self._name} did not answer in time") from None

    def answered(self, request: int, reply: Reply) -> None:
        """The reply to a command; one that nobody waits for any more is passed over."""
        waiting = self._running.pending.get(request) if self._running is not None else None
        if waiting is not None and not waiting.done():
            waiting.set_result(reply)

    # ---- the process

    async def _keep(self) -> None:
        pause = self._config.backoff_first_s
        loop = asyncio.get_running_loop()
        while True:
            started = loop.time()
            # A start that is under way when this is closed is finished first: a half-started process has no owner.
            spawning = asyncio.create_task(self._spawn())
            try:
                running = await asyncio.shield(spawning)
            except asyncio.CancelledError:
                with contextlib.suppress(OSError):
                    await self._end(await spawning)
                raise
            except OSError:
                log.exception("process cannot be started", extra=self._told)
            else:
                try:
                    await self._serve(running)
                finally:
                    # Likewise an end: the process must be waited for.
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

    async def _spawn(self) -> _Running[Reply]:
        ours, theirs = socket.socketpair()
        process = None
        try:
            process = await asyncio.create_subprocess_exec(
                *self._command,
                "--control-fd",
                str(theirs.fileno()),
                *self._config.arguments,
                pass_fds=(theirs.fileno(), *self._config.descriptors),
                stdin=asyncio.subprocess.DEVNULL,
                env=environment.needed(os.environ),
            )
            ours.setblocking(False)
            reader, writer = await asyncio.open_connection(sock=ours)
        except BaseException:
            ours.close()
            if process is not None:
                kill(process)
                await process.wait()
            raise
        finally:
            theirs.close()
        return _Running(process, reader, writer)

    async def _serve(self, running: _Running[Reply]) -> None:
        """Until it ends, hangs or breaks the stream."""
        self._running = running
        reason, loop = "exited", asyncio.get_running_loop()
        try:
            running.writer.write(control.encode(self._configure()))
            async with asyncio.timeout(self._config.ready_timeout_s) as limit:
                while data := await running.reader.read(READ_BYTES):
                    for frame in running.frames.feed(data):
                        self._take(frame)
                    within = self._config.ready_timeout_s if self.ready is None else self._config.heartbeat_timeout_s
                    limit.reschedule(loop.time() + within)
        except TimeoutError:
            reason = "silent"
        except ControlError as error:
            reason = error.code
        except ConnectionError:
            reason = "control socket failed"
        except Exception:  # ours: without a watch there would be no child any more
            log.exception("what a process said could not be taken", extra=self._told)
            reason = "error"
        log.error("process lost", extra={**self._told, "reason": reason})

    async def _end(self, running: _Running[Reply]) -> None:
        """The process is gone and everybody who waits for it knows, whatever way it ended."""
        was_ready = self.ready is not None
        self._running = self.ready = self.heartbeat = None
        if not self._closing:
            kill(running.process)
        for waiting in running.pending.values():
            if not waiting.done():
                waiting.set_exception(MediaUnavailableError(f"{self._code}_lost"))
        try:
            if was_ready and not self._closing:
                self._tell_lost()
            if self._closing:
                with contextlib.suppress(TimeoutError, OSError):
                    async with asyncio.timeout(self._config.stop_timeout_s):
                        running.writer.write_eof()
                        while await running.reader.read(READ_BYTES):
                            pass
                        await running.process.wait()
        finally:
            kill(running.process)
            await running.process.wait()
            running.writer.close()
            with contextlib.suppress(ConnectionError):
                await running.writer.wait_closed()

    def _tell_lost(self) -> None:
        try:
            self._lost()
        except Exception:
            log.exception("nobody could be told that a process was lost", extra=self._told)


def kill(process: asyncio.subprocess.Process) -> None:
    """SIGKILL: a hung process does not listen to anything milder."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
