"""The pool's end of one worker process: starts it, asks it one thing at a time, sees its memory, ends it. SHELL."""

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from verification.engine import messages, meter
from verification.engine.belief import believed
from verification.errors import (
    BadMessage,
    HashMismatch,
    LicenceNotAccepted,
    ManifestInvalid,
    NotInstalled,
    PackError,
    ProviderMissing,
    ShapeMismatch,
    VerificationError,
)
from verification.ports import PackInfo

MAX_SIGNS = 4096
"""Of being at work, in one call: more pictures than any has."""

ROOT = str(Path(__file__).resolve().parents[2])
BUFFER_BYTES = 1 << 20
LOOK_AGAIN_S = 0.02
"""At the earliest, for a worker at work that may have taken what it may."""
_T = TypeVar("_T")
_LIBRARIES = ("LD_LIBRARY_PATH",)
"""Of the server's environment; nothing else of it is handed on."""

_STARTS: dict[str, type[VerificationError]] = {
    kind.code: kind
    for kind in (HashMismatch, LicenceNotAccepted, ManifestInvalid, NotInstalled, PackError, ProviderMissing, ShapeMismatch)
}


class CannotStart(Exception):
    """It said why: ``error`` is what it would have raised here."""

    def __init__(self, error: VerificationError) -> None:
        super().__init__(error.code)
        self.error = error


@dataclass(frozen=True, slots=True)
class Allowance:
    """Of a step: seconds of processor time, of all its threads, and on the clock. What cannot be read of the former counts as the latter."""

    cpu_s: float
    wall_s: float


class WorkerGone(Exception):
    """``reason``: ``died``, ``hung``, ``memory``, ``threads``, ``nonsense``, ``closed``. ``successor``: one that is ready to take its place."""

    successor: "WorkerProcess | None" = None

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def environment(threads: int) -> dict[str, str]:
    """What a worker is told by its environment: where libraries are, and that nothing but ONNX Runtime may have threads."""
    kept = {name: os.environ[name] for name in _LIBRARIES if name in os.environ}
    single = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    return (
        kept
        | dict.fromkeys(single, "1")
        | {
            "PYTHONDONTWRITEBYTECODE": "1",
            "OPENCV_OPENCL_RUNTIME": "disabled",
            "ORT_DISABLE_TELEMETRY": "1",
        }
    )


async def finished(task: "asyncio.Task[_T]") -> _T:
    """Its result, also where this is cancelled meanwhile: then it is waited for first. For what may not be left half done."""
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait((task,))
        raise


class WorkerProcess:
    """From ``start`` to ``end``. ``reason``: why it is gone, "" while it is not. ``on_gone`` is called once, from the loop.

    ``answered``: how many calls it has answered, ``files``: how many of them with pictures to decode, ``held``: whether it is confined in every way there
    is; whoever asks says so. ``threads_ready``: how many threads it had when it was ready, 0 where it may have any number.
    """

    def __init__(
        self, process: asyncio.subprocess.Process, ours: socket.socket, threads: int, on_gone: Callable[[], None]
    ) -> None:
        self.process = process
        self.threads_ready = 0
        self.reason = ""
        self.answered = self.files = 0
        self.held = False
        self._info: PackInfo | None = None
        self._socket = ours
        self._on_gone = on_gone
        self._loop = asyncio.get_running_loop()
        self._answer: asyncio.Future[messages.FromWorker] | None = None
        self._request = 0
        self._threads = threads
        self._allowed: Allowance | None = None
        self._began = self._began_cpu = self._last_cpu = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._signs = 0
        self._left = False
        self._loop.add_reader(ours, self._readable)

    @classmethod
    async def start(cls, command: tuple[str, ...], threads: int, on_gone: Callable[[], None]) -> "WorkerProcess":
        """Raises OSError."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            ours.setblocking(False)
            ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER_BYTES)
            process = await asyncio.create_subprocess_exec(
                *command, str(theirs.fileno()), pass_fds=(theirs.fileno(),), env=environment(threads), cwd=ROOT,
                start_new_session=True, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
            )  # fmt: skip
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        return cls(process, ours, threads, on_gone)

    async def open(self, order: messages.Open, timeout_s: float) -> PackInfo:
        """Raises CannotStart, WorkerGone."""
        answer = await self._exchange(order, None, Allowance(timeout_s, timeout_s))
        if isinstance(answer, messages.Refused) and answer.what == "start":
            kind = _STARTS.get(answer.code, VerificationError)
            raise CannotStart(kind(answer.detail, code=answer.code))
        if not isinstance(answer, messages.Ready):
            raise self.gone("nonsense")
        self._info = answer.info
        if "calls" in answer.info.confined:  # drivers of devices make as many as they like
            self.threads_ready = self.threads()
        return answer.info

    async def ask(self, request: messages.AnyRequest, block: int, allowed: Allowance) -> messages.AnyAnswer | messages.Refused:
        """``block``: of ``frames.put``; stays the caller's. Raises WorkerGone, at once when it dies; when it has taken more than ``allowed`` since it began a
        picture, without having begun another one, it is ended."""
        self._request, self._signs, self._left = request.request, 0, False
        try:
            answer = await self._exchange(request, block, allowed)
        finally:
            self._request = 0
        try:
            messages.check_answer(request, answer)
            assert isinstance(answer, messages.AnyAnswer | messages.Refused)
            assert self._info is not None, "opened first"
            answer = believed(request, answer, self._info)
        except BadMessage:
            raise self.gone("nonsense") from None
        if isinstance(answer, messages.Refused) and answer.code == "out_of_memory":
            raise self.gone("memory")
        return answer

    def leave(self, request: int) -> None:
        """Nobody waits for this any more: it is told to end it at its next picture, and gets no more time than it has for that."""
        if request == self._request and not self._left and not self.reason:
            self._left = True
            with contextlib.suppress(OSError):  # it is ended when its time is over
                self._socket.send(messages.encode(messages.Leave(request)))

    async def ping(self, number: int, timeout_s: float) -> None:
        """Raises WorkerGone."""
        answer = await self._exchange(messages.Ping(number), None, Allowance(timeout_s, timeout_s))
        if answer != messages.Pong(number):
            raise self.gone("nonsense")

    async def _exchange(self, message: messages.Message, block: int | None, allowed: Allowance) -> messages.FromWorker:
        if self.reason:
            raise WorkerGone(self.reason)
        assert self._answer is None, "one thing at a time"
        waiting: asyncio.Future[messages.FromWorker] = self._loop.create_future()
        self._answer = waiting
        try:
            data = messages.encode(message)
            if block is None:
                self._socket.send(data)
            else:
                socket.send_fds(self._socket, [data], [block])
            self._allowed = allowed
            self._step_begins()
            return await waiting
        except OSError as error:
            raise self.gone("hung" if isinstance(error, BlockingIOError) else "died") from None
        finally:
            self._answer = self._allowed = None
            if self._timer is not None:
                self._timer.cancel()

    def _step_begins(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._began, self._began_cpu = self._loop.time(), self.cpu_s()
        self._look()

    def _look(self) -> None:
        """Whether it has taken more than it may; if not, again when it can have at the earliest."""
        if self._allowed is None or self.reason:
            return
        wall = self._loop.time() - self._began
        cpu = self.cpu_s() - self._began_cpu if meter.cpu_s(self.process.pid) is not None else wall
        left, left_wall = self._allowed.cpu_s - cpu, self._allowed.wall_s - wall
        if min(left, left_wall) <= 0:
            self.gone("hung")
            return
        soonest = max(LOOK_AGAIN_S, left / self._threads)
        self._timer = self._loop.call_later(min(left_wall, soonest), self._look)

    def _readable(self) -> None:
        try:
            data = self._socket.recv(messages.MAX_MESSAGE_BYTES + 1)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.gone("died")
            return
        try:
            message = messages.decode_from_worker(data)
        except BadMessage:
            self.gone("nonsense")
            return
        if self._answer is None or self._answer.done():
            self.gone("nonsense")
        elif isinstance(message, messages.At):
            self._sign(message)
        else:
            self._answer.set_result(message)

    def _sign(self, message: messages.At) -> None:
        self._signs += 1
        if message.request != self._request or self._signs > MAX_SIGNS:
            self.gone("nonsense")
        elif self._allowed is not None and not self._left:
            self._step_begins()

    def gone(self, reason: str) -> WorkerGone:
        """It is not spoken to any more, and killed; who waits for it is told. The first reason stays."""
        if not self.reason:
            self.cpu_s()  # as long as it can be read
            self.reason = reason
            self._loop.remove_reader(self._socket)
            self._kill()
            if self._answer is not None and not self._answer.done():
                self._answer.set_exception(WorkerGone(reason))
            self._on_gone()
        return WorkerGone(self.reason)

    def cpu_s(self) -> float:
        """Processor time since it was started, of all its threads; of one that is gone what was seen last, 0 where that cannot be seen."""
        if self.process.returncode is None:
            self._last_cpu = max(self._last_cpu, meter.cpu_s(self.process.pid) or 0.0)
        return self._last_cpu

    def rss_bytes(self) -> int:
        """What it holds of the machine's memory; 0 where that cannot be seen, or it is gone."""
        return meter.rss_bytes(self.process.pid) if self.process.returncode is None else 0

    def threads(self) -> int:
        """How many it has; 0 where that cannot be seen, or it is gone."""
        return meter.threads(self.process.pid) if self.process.returncode is None else 0

    async def end(self, patience_s: float = 0.0) -> None:
        """Gone for good. With ``patience_s`` it may end by itself first."""
        if not self.reason:
            self.reason = "closed"
            self._loop.remove_reader(self._socket)
            if patience_s > 0:
                with contextlib.suppress(OSError, TimeoutError):
                    self._socket.shutdown(socket.SHUT_RDWR)
                    async with asyncio.timeout(patience_s):
                        await self.process.wait()
            self._kill()
        self._socket.close()
        await self.process.wait()

    def _kill(self) -> None:
        """SIGKILL: one that hangs does not listen to anything milder."""
        if self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self.process.kill()
