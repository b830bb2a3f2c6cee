"""Starts media workers as child processes (``media.child``), keeps them alive, carries commands to them and events from them. SHELL."""

import asyncio
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple, Protocol, TypeAlias

import msgspec

from media import control
from media.child import Child, ChildConfig
from media.errors import MediaUnavailableError


@dataclass(frozen=True, slots=True, kw_only=True)
class SupervisorConfig(ChildConfig):
    """``worker``: what each worker is told; with a port other than 0, worker n gets ``port + n``. The rest is of each worker."""

    workers: int = 1
    worker: control.Configure = field(default_factory=control.Configure)
    heartbeat_timeout_s: float = 5.0
    request_timeout_s: float = 5.0
    stop_timeout_s: float = 3.0
    backoff_first_s: float = 0.2

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


_Worker: TypeAlias = Child[control.Ready, control.Heartbeat, control.Reply]


class Supervisor:
    """Use as ``await start()`` … ``await close()``. All methods belong to one event loop; a worker is an index from 0 on.

    ``recorder``: path of the recorder's socket for workers started from now on.
    """

    def __init__(self, config: SupervisorConfig, events: WorkerEvents) -> None:
        self._config = config
        self._events = events
        self._changed = asyncio.Event()
        self._next_request = 0
        self._workers: list[_Worker] = [self._worker(index) for index in range(config.workers)]
        self.recorder = config.worker.recorder

    def _worker(self, index: int) -> _Worker:
        return Child(
            self._config,
            "media worker",
            "worker",
            "media.worker",
            configure=partial(self._configure, index),
            take=partial(self._take, index),
            lost=partial(self._events.on_lost, index),
            fields={"worker": index},
        )

    # ---- life

    def launch(self) -> None:
        """Begin to start the first worker, which is enough to serve, and do not wait: more of them would take the processors from whoever launches."""
        self._workers[0].start()

    async def start(self) -> None:
        """Start all workers; returns when one is ready. Raises MediaUnavailableError when none is in time."""
        for worker in self._workers:
            worker.start()
        try:
            await self.wait_ready(self._config.ready_timeout_s)
        except MediaUnavailableError:
            await self.close()
            raise

    async def close(self) -> None:
        """Stop all workers; those that do not exit in ``stop_timeout_s`` are killed."""
        await asyncio.gather(*(worker.close() for worker in self._workers))

    # ---- state

    def ready(self) -> tuple[int, ...]:
        """Indexes of the workers that take commands now."""
        return tuple(index for index, worker in enumerate(self._workers) if worker.ready is not None)

    def addresses(self, worker: int) -> tuple[tuple[str, int], ...]:
        """What the worker's candidates announce; empty while it is not ready."""
        ready = self._workers[worker].ready
        return ready.addresses if ready is not None else ()

    def states(self) -> tuple[WorkerState, ...]:
        """Every worker, those that are being started again included."""
        return tuple(
            WorkerState(
                index,
                worker.ready is not None,
                worker.restarts,
                worker.heartbeat,
                worker.ready is not None and worker.ready.compiled,
            )
            for index, worker in enumerate(self._workers)
        )

    def pid(self, worker: int) -> int | None:
        return self._workers[worker].pid

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
        """See ``Child.send``. A worker is configured by its supervisor alone."""
        if isinstance(command, control.Configure):
            raise MediaUnavailableError("no_worker", "a media worker is configured once")
        return self._workers[worker].send(command, command.request)

    async def reply(self, waiting: "asyncio.Future[control.Reply]") -> control.Reply:
        """Await what ``send`` returned, at most ``request_timeout_s``. Raises MediaUnavailableError."""
        return await self._workers[0].reply(waiting)

    def kill(self, worker: int, reason: str) -> None:
        """End a worker that cannot be trusted to have done what it was told; it is started again."""
        self._workers[worker].kill(reason)

    # ---- what a worker is told and says

    def _configure(self, index: int) -> control.Message:
        told = self._config.worker
        port = told.port and told.port + index
        return msgspec.structs.replace(told, port=port, recorder=self.recorder, name=f"worker-{index}")

    def _take(self, index: int, frame: bytes) -> None:
        worker = self._workers[index]
        message = control.decode_worker_message(frame)
        if isinstance(message, control.Connected | control.Done | control.StatsReport | control.Failed):
            worker.answered(message.request, message)
            return
        if isinstance(message, control.Ready):
            worker.is_ready(message)
            self._changed.set()
        elif isinstance(message, control.Heartbeat):
            worker.heartbeat = message
        self._events.on_event(index, message)
