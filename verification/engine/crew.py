"""Worker processes kept alive, and the line of calls before them. SHELL.

Calls wait in one of two short lines for the next worker that is free: live pictures, which are old in a second, and everything else, of which after so many
live ones one has its turn. When a line is full, one more is refused (``EngineBusy``). A worker that dies, hangs,
takes too much memory or answers nonsense is ended, the call it had fails at once, and another one is started, after a pause that
doubles while workers die without having answered anything. A call is never made twice: what killed one worker would kill the next.
"""

import asyncio
import contextlib
import logging
import os
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType, TracebackType
from typing import Any, Self

from verification.engine import frames, messages, meter
from verification.engine.config import WHOLE, EngineConfig
from verification.engine.process import Allowance, CannotStart, WorkerGone, WorkerProcess, finished
from verification.errors import (
    DeadlineMissed,
    EngineBusy,
    EngineError,
    EngineLost,
    FaceRefused,
    HashMismatch,
    ImageRefused,
    NotConfined,
    PackError,
    TemplateRefused,
    VerificationError,
)
from verification.ports import EngineCounts, PackInfo, StepWork

log = logging.getLogger(__name__)

WATCH_S = 0.2
"""How often memory and threads of each worker are looked at."""

MORE_THREADS = 64
"""Than a worker had when it was ready: HEIC's decoder makes one for each part of a picture, several at a time."""

SPARE_BYTES = 64 << 20
"""What stays free beside two workers where one takes the place of the other."""

LIVE_IN_A_ROW = 16
"""Then one of the others that wait has its turn: a stream of live pictures that never ends keeps nobody out."""

LARGE_BYTES = 256 * 1024
"""So much is copied into shared memory beside the event loop."""


@dataclass(slots=True, eq=False, repr=False)
class Job:
    """``allowed``: for each picture. Never shown: it holds pictures of people."""

    request: messages.AnyRequest
    parts: tuple[bytes | memoryview, ...]
    allowed: Allowance
    answer: "asyncio.Future[messages.AnyAnswer | messages.Refused]"


class Line:
    """Who waits: ``live`` ones first, in their order, and after ``LIVE_IN_A_ROW`` of them one of the others."""

    def __init__(self) -> None:
        self._live: deque[Job] = deque()
        self._others: deque[Job] = deque()
        self._in_a_row = 0

    def __len__(self) -> int:
        return len(self._live) + len(self._others)

    def of(self, *, live: bool) -> int:
        return len(self._live if live else self._others)

    def join(self, job: Job, *, live: bool) -> None:
        (self._live if live else self._others).append(job)

    def leave(self, job: Job) -> None:
        """Where it waits still."""
        for line in (self._live, self._others):
            with contextlib.suppress(ValueError):
                line.remove(job)

    def next(self) -> Job:
        """Raises IndexError: nobody waits."""
        if self._live and not (self._others and self._in_a_row >= LIVE_IN_A_ROW):
            self._in_a_row += 1
            return self._live.popleft()
        self._in_a_row = 0
        return self._others.popleft()


class Crew:
    """Use as a context, or ``start`` … ``close``. All methods belong to one event loop."""

    def __init__(self, config: EngineConfig) -> None:
        self._config = config
        self._counts = EngineCounts()
        self._waiting = Line()
        self._more = asyncio.Event()
        self._changed = asyncio.Event()
        self._workers: dict[int, WorkerProcess] = {}
        self._following: set[WorkerProcess] = set()
        self._renewing = False
        self._exchanged: set[int] = set()
        self._none_since: float | None = None
        self._ending: set[asyncio.Task[None]] = set()
        self._ready: set[int] = set()
        self._working = 0
        self._tasks: list[asyncio.Task[None]] = []
        self._info: PackInfo | None = None
        self._refusal: VerificationError | None = None
        self._closing = False
        self._number = 0

    # ---- life

    async def start(self) -> None:
        """All workers are ready. Raises what the first says that cannot start - a PackError, ProviderMissing - and EngineLost when it takes too long."""
        self.begin()
        try:
            await self.wait_ready(self._config.workers)
        except BaseException:
            await self.close()
            raise

    def begin(self) -> None:
        """Without waiting for any; calls wait for them."""
        for index in range(self._config.workers):
            self._tasks.append(asyncio.create_task(self._keep(index), name=f"verification-worker-{index}"))
        self._tasks.append(asyncio.create_task(self._watch(), name="verification-watch"))

    async def wait_ready(self, workers: int = 1) -> None:
        """Until so many are. Raises as ``start``."""
        try:
            async with asyncio.timeout(self._config.ready_timeout_s):
                while len(self._ready) < workers:
                    if self._refusal is not None:
                        raise self._refusal
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise EngineLost("no verification worker was ready in time") from None

    async def close(self) -> None:
        """No more calls; those that wait fail, those at work get ``close_s``."""
        self._closing = True
        while self._waiting:
            self._fail(self._waiting.next(), EngineLost("the engine is closing"))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._config.close_s):
                while self._working:
                    self._changed.clear()
                    await self._changed.wait()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        await asyncio.gather(*self._ending, return_exceptions=True)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    # ---- state

    @property
    def pack(self) -> PackInfo:
        if self._info is None:
            raise EngineLost("no verification worker is ready")
        return self._info

    @property
    def counts(self) -> EngineCounts:
        rss = max((worker.rss_bytes() for worker in self._everyone()), default=0)
        now: dict[str, Any] = {
            "waiting": len(self._waiting),
            "working": self._working,
            "ready": len(self._ready),
            "rss_bytes": rss,
        }
        now["none_s"] = self._without()
        now["unconfined"] = sum(1 for index in self._ready if not self._workers[index].held)
        return replace(self._counts, **now)

    def _without(self) -> float:
        """How long no worker has been ready, in seconds; 0 where one is."""
        if self._ready:
            self._none_since = None
            return 0.0
        now = asyncio.get_running_loop().time()
        if self._none_since is None:
            self._none_since = now
        return now - self._none_since

    def pids(self) -> dict[int, int]:
        """Worker → process. Of two, of which one takes the place of the other, the one that is still at work."""
        return {index: worker.process.pid for index, worker in self._workers.items()}

    def _everyone(self) -> list[WorkerProcess]:
        return [*self._workers.values(), *self._following]

    def _count(self, **more: float) -> None:
        self._counts = replace(self._counts, **{name: getattr(self._counts, name) + value for name, value in more.items()})

    def _count_work(self, job: Job, wall_s: float, cpu_s: float) -> None:
        step = messages.STEPS[type(job.request)]
        before = self._counts.steps.get(step, StepWork())
        more = StepWork(before.calls + 1, before.wall_s + wall_s, before.cpu_s + cpu_s)
        self._counts = replace(
            self._counts,
            work_wall_s=self._counts.work_wall_s + wall_s,
            work_cpu_s=self._counts.work_cpu_s + cpu_s,
            steps=MappingProxyType({**self._counts.steps, step: more}),
        )

    # ---- one call

    async def call(
        self,
        build: Callable[[int], messages.AnyRequest],
        parts: tuple[bytes | memoryview, ...],
        work: float = 1,
        *,
        live: bool = False,
        goes_on: bool = False,
        within_s: float | None = None,
    ) -> messages.AnyAnswer:
        """``work``: so many times ``work_s`` and ``stall_s`` may one picture take. ``live``: a picture of somebody before their camera now. ``goes_on``: of a call
        that has been let in. ``within_s``: what is left of its time; None: all of ``deadline_s``. Raises TypeError, ValueError, BadMessage: this cannot be asked; what a worker
        says no with; EngineError."""
        self._number += 1
        request = build(self._number)
        messages.encode(request)  # whatever cannot be said fails here, not in the task that keeps a worker
        parts = tuple(memoryview(part).cast("B") for part in parts)
        self._count(calls=1)
        if self._closing:
            raise self._lost("the engine is closing")
        if self._refusal is not None and not self._ready:
            raise self._lost(f"no worker can start: {self._refusal.code}")
        if not goes_on and self._waiting.of(live=live) >= self._config.max_waiting:
            self._count(busy=1)
            raise EngineBusy(f"{self._config.max_waiting} calls wait already")
        allowed = Allowance(work * self._config.work_s, work * self._config.stall_s)
        job = Job(request, parts, allowed, asyncio.get_running_loop().create_future())
        self._waiting.join(job, live=live)
        self._more.set()
        try:
            async with asyncio.timeout(self._config.deadline_s if within_s is None else within_s):
                answer = await job.answer
        except TimeoutError:
            self._count(missed=1)
            raise DeadlineMissed(f"no answer in {self._config.deadline_s:g} s") from None
        except EngineLost:
            self._count(lost=1)
            raise
        finally:
            self._waiting.leave(job)
        if isinstance(answer, messages.Refused):
            raise self._refused(answer)
        self._count(answered=1)
        return answer

    def _lost(self, detail: str) -> EngineLost:
        self._count(lost=1)
        return EngineLost(detail)

    def _refused(self, answer: messages.Refused) -> Exception:
        """What a worker says no with, as an error of this side."""
        if answer.what == "work":
            return self._lost(f"a worker failed: {answer.detail}")
        self._count(refused=1)
        if answer.what == "operating_point":
            return ValueError(answer.detail)
        kinds: dict[str, type[VerificationError]] = {"image": ImageRefused, "face": FaceRefused, "template": TemplateRefused}
        error = kinds[answer.what](answer.detail, code=answer.code)
        error.picture = answer.picture
        return error

    @staticmethod
    def _fail(job: Job, error: EngineError) -> None:
        if not job.answer.done():
            job.answer.set_exception(error)

    # ---- workers

    async def _keep(self, index: int) -> None:
        config = self._config
        pause = config.backoff_first_s
        following: WorkerProcess | None = None
        while True:
            worker, following = following, None
            least = 0.0
            renewed = False
            try:
                if worker is None:
                    worker = self._workers[index] = await self._spawn()
                    self._changed.set()
                    await self._open(index, worker)
                self._put_to_work(index, worker)
                following = await self._serve(index, worker)
                renewed = True
            except OSError:
                log.exception("verification worker cannot be started", extra={"worker": index})
            except CannotStart as refused:
                self._refuse(index, refused.error)
                least = config.refused_s
            except WorkerGone as gone:
                self._note(index, gone.reason)
                following = gone.successor
            except Exception:  # a mistake of ours: without this task there would be no worker for ever
                log.exception("verification worker ended for an error of the server", extra={"worker": index})
                self._count(died=1)
            finally:
                if following is None:
                    self._ready.discard(index)
                    self._workers.pop(index, None)
                    self._changed.set()
                    if worker is not None:
                        await finished(asyncio.create_task(worker.end(config.close_s if self._closing else 0.0)))
            if following is not None and worker is not None:
                self._end_aside(worker)
            else:
                if worker is not None and worker.answered:
                    pause = config.backoff_first_s
                await asyncio.sleep(max(pause, least))
                pause = min(2 * pause, config.backoff_max_s)
            self._count(**{"renewed" if renewed else "restarts": 1})

    async def _spawn(self) -> WorkerProcess:
        """One that was begun while this was cancelled is ended. Raises OSError."""
        config = self._config
        spawning = asyncio.create_task(WorkerProcess.start(config.command, config.threads, self._more.set))
        try:
            return await finished(spawning)
        except asyncio.CancelledError:
            if spawning.done() and not spawning.cancelled() and spawning.exception() is None:
                await finished(asyncio.create_task(spawning.result().end()))
            raise

    def _end_aside(self, worker: WorkerProcess) -> None:
        """While another one works in its place: nobody waits for its last breath but ``close``."""
        ending = asyncio.create_task(worker.end(), name="verification-worker-ending")
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)

    async def _open(self, index: int, worker: WorkerProcess) -> None:
        """Load the pack. Raises CannotStart, WorkerGone."""
        config = self._config
        order = messages.Open(
            config.pack,
            str(config.models_dir.resolve()),
            config.threads,
            config.providers,
            config.memory_bytes,
            config.documents,
        )
        info = await worker.open(order, config.ready_timeout_s)
        expected = config.pack_hash or (self._info.hash if self._info is not None else info.hash)
        if info.hash != expected:
            raise CannotStart(HashMismatch("the installed pack is not the one that decisions were made with"))
        missing = config.confined - set(info.confined)
        if missing:
            raise CannotStart(
                NotConfined(
                    f"this machine does not hold a worker by {', '.join(sorted(missing))} (verification.require_confined)"
                )
            )
        worker.held = set(info.confined) >= WHOLE
        if not worker.held:
            log.error(
                "verification worker is not wholly confined",
                extra={"worker": index, "missing": sorted(WHOLE - set(info.confined))},
            )
        self._info, self._refusal = info, None
        log.info("verification worker ready", extra={"worker": index, "pid": worker.process.pid, "pack": info.hash})

    def _put_to_work(self, index: int, worker: WorkerProcess) -> None:
        self._following.discard(worker)
        self._workers[index] = worker
        self._ready.add(index)
        self._changed.set()

    def _refuse(self, index: int, error: VerificationError) -> None:
        """Until one can start after all, calls are told why at once."""
        log.error("verification worker refuses to start", extra={"worker": index, "code": error.code, "detail": error.detail})
        self._refusal = error
        if not self._ready:
            while self._waiting:
                self._fail(self._waiting.next(), EngineLost(f"no worker can start: {error.code}"))
        self._changed.set()

    def _note(self, index: int, reason: str) -> None:
        log.error("verification worker lost", extra={"worker": index, "reason": reason})
        self._count(**{"died": 1} if reason == "died" else {f"killed_{reason}": 1})

    async def _serve(self, index: int, worker: WorkerProcess) -> WorkerProcess | None:
        """One call after the other, until it is to be renewed. Answers its successor, which is ready; None: this one ends first. Raises WorkerGone, with the
        successor, if one was about to be.

        From ``renew_files`` on it works until its successor is ready; where there is no memory for two, until nobody waits. Never more than twice as many, but
        where the pack on the disk is no longer the one that it works with: who exchanged that uses the new one from the next start on.
        """
        renew = self._config.renew_files
        due = renew
        coming: asyncio.Task[WorkerProcess | None] | None = None
        self._exchanged.discard(index)
        try:
            while worker.files < 2 * renew or index in self._exchanged:
                if coming is not None and coming.done():
                    if (successor := coming.result()) is not None:
                        coming = None
                        return successor
                    coming, due = None, worker.files + max(1, renew // 10)
                if worker.files >= due and coming is None and not self._renewing:
                    if _room_for_two(worker):
                        coming = self._begin_succession(index)
                    elif not self._waiting and index not in self._exchanged:
                        return None
                await self._serve_one(worker)
            self._rest(index)
            successor, coming = (await asyncio.shield(coming), None) if coming is not None else (None, None)
            return successor
        except WorkerGone as gone:
            if coming is not None:
                self._rest(index)
                gone.successor, coming = await asyncio.shield(coming), None
            raise
        finally:
            if coming is not None:
                coming.cancel()
                (left,) = await asyncio.gather(coming, return_exceptions=True)
                if isinstance(left, WorkerProcess):
                    self._following.discard(left)
                    self._end_aside(left)

    def _rest(self, index: int) -> None:
        """It takes no calls until another one is ready."""
        self._ready.discard(index)
        self._changed.set()

    def _begin_succession(self, index: int) -> "asyncio.Task[WorkerProcess | None]":
        self._renewing = True
        coming = asyncio.create_task(self._succeed(index), name=f"verification-successor-{index}")
        coming.add_done_callback(self._end_succession)  # also of one that was cancelled before it began
        return coming

    def _end_succession(self, _: object) -> None:
        self._renewing = False

    async def _succeed(self, index: int) -> WorkerProcess | None:
        """A worker that is ready to take the place of one at work. None: it could not be started; then that one goes on, as long as it may."""
        worker: WorkerProcess | None = None
        ready = False
        try:
            worker = await self._spawn()
            self._following.add(worker)
            await self._open(index, worker)
            ready = True
            return worker
        except (OSError, CannotStart, WorkerGone) as error:
            why = error.error.code if isinstance(error, CannotStart) else type(error).__name__
            log.error("verification worker has no successor", extra={"worker": index, "error": why})
            exchanged = isinstance(error, CannotStart) and isinstance(error.error, PackError)
            (self._exchanged.add if exchanged else self._exchanged.discard)(index)
            return None
        finally:
            if worker is not None and not ready:
                self._following.discard(worker)
                await finished(asyncio.create_task(worker.end()))

    async def _serve_one(self, worker: WorkerProcess) -> None:
        """A call; where there is none for a while, whether it is there. Raises WorkerGone."""
        job = await self._next(worker)
        if job is None:
            self._number += 1
            await worker.ping(self._number, self._config.pong_timeout_s)
            return
        self._working += 1
        self._changed.set()
        begun, begun_cpu = asyncio.get_running_loop().time(), worker.cpu_s()
        try:
            await self._work(worker, job)
        finally:
            self._working -= 1
            self._count_work(job, asyncio.get_running_loop().time() - begun, worker.cpu_s() - begun_cpu)
            self._fail(job, EngineLost("the worker was lost while it was at it"))
            self._changed.set()

    async def _next(self, worker: WorkerProcess) -> Job | None:
        """None: there was none for a while. Raises WorkerGone."""
        while not worker.reason:
            if self._waiting:
                return self._waiting.next()
            self._more.clear()
            try:
                async with asyncio.timeout(self._config.ping_s):
                    await self._more.wait()
            except TimeoutError:
                return None
        raise WorkerGone(worker.reason)

    async def _work(self, worker: WorkerProcess, job: Job) -> None:
        try:
            block = await _shared(job.parts)
        except (OSError, ValueError, TypeError) as error:
            log.error("no shared memory for a picture", extra={"error": type(error).__name__})
            return
        number = job.request.request
        try:
            if job.answer.done():
                return
            job.answer.add_done_callback(lambda _: worker.leave(number))
            answer = await worker.ask(job.request, block, job.allowed)
        finally:
            os.close(block)
        worker.answered += 1
        worker.files += not isinstance(job.request, messages.Analyse)
        if not job.answer.done():
            job.answer.set_result(answer)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(WATCH_S)
            self._without()
            for worker in self._everyone():
                if worker.rss_bytes() > self._config.memory_bytes:
                    worker.gone("memory")
                if worker.threads_ready and worker.threads() > worker.threads_ready + MORE_THREADS:
                    worker.gone("threads")


def _room_for_two(worker: WorkerProcess) -> bool:
    """Whether another one like this fits into memory beside it."""
    available = meter.available_bytes()
    return available is None or available >= worker.rss_bytes() + SPARE_BYTES


async def _shared(parts: Sequence[bytes | memoryview]) -> int:
    """A sealed block, the caller's to close. Raises OSError."""
    if sum(memoryview(part).nbytes for part in parts) <= LARGE_BYTES:
        return frames.put(parts)
    writing = asyncio.create_task(asyncio.to_thread(frames.put, parts))
    try:
        return await finished(writing)
    except asyncio.CancelledError:
        if writing.done() and not writing.cancelled() and writing.exception() is None:
            os.close(writing.result())
        raise
