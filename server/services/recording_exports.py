"""Exports of recordings: one at a time, in a process of its own with low priority. The file is removed after a while.

The film is plain, as it must be to be taken away: it lies in a folder of mode 0700 that only this server reads, for ``keep_s`` at
most, and never survives a start of the server. Jobs are known to this process alone. One that takes too long, stands still, or would
leave recordings that go on too little of the disk is stopped.
"""

import asyncio
import contextlib
import logging
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from server.api.bodies_recordings import ExportFault, ExportFormat, ExportState, RecordingExport
from server.clock import Clock
from server.domain import ids
from server.domain.ids import RecordingId
from server.domain.model import Language
from server.errors import Conflict, Gone, NotFound, TooMany

log = logging.getLogger(__name__)
MOST_QUEUED = 8
MOST_KEPT = 32  # jobs that are over; the oldest is forgotten, with its file
STOP_S = 5.0
LONGEST_S = 6 * 3600.0  # of one film
STILL_S = 900.0  # without a word of how far it is: both are of the clock that does not jump
CHECK_S = 5.0
KEPT_FREE = 1 << 30  # bytes of the disk: recordings go on there
SAID = {ExportFault.NO_SPACE: "There is not enough space left on the disk.", ExportFault.TOO_LONG: "It took too long."}
REFUSED = {"damaged": ExportFault.DAMAGED, "empty": ExportFault.EMPTY}
LINE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Tool:
    """How an export is started: ``command`` + recording, ``--to``, file, ``--format``, format, ``--json``, and ``--language``, language where
    one was chosen; in this environment alone.

    ``free``: bytes free where this folder is; blocks. Raises OSError.
    """

    command: Sequence[str]
    environment: Mapping[str, str] = field(repr=False)
    free: Callable[[Path], int] = lambda folder: shutil.disk_usage(folder).free


@dataclass(slots=True)
class _Job:
    id: str
    recording: RecordingId
    format: ExportFormat
    language: Language | None
    state: ExportState = ExportState.QUEUED
    progress: float = 0.0
    fault: ExportFault | None = None
    problem: str = ""
    size: int = 0
    sha256: str = ""
    expires_at: datetime | None = None
    heard_at: float = 0.0  # monotonic seconds


class _Line(msgspec.Struct):
    """What the tool says: how far it is, then what it made, or why it did not."""

    done_us: int = 0
    all_us: int = 0
    made: "_Made | None" = None
    refused: str = ""


class _Made(msgspec.Struct):
    sha256: str
    bytes: int


class Exports:
    """Call ``prepare`` first, ``tidy`` from time to time and ``close`` at the end. ``check_s``: how often one that runs is looked at."""

    def __init__(
        self,
        folder: Path,
        tool: Tool,
        clock: Clock,
        make_id: Callable[[str], str],
        *,
        keep_s: int,
        check_s: float = CHECK_S,
    ) -> None:
        self._folder = folder
        self._tool = tool
        self._clock = clock
        self._make_id = make_id
        self._keep = timedelta(seconds=keep_s)
        self._check_s = check_s
        self._jobs: dict[str, _Job] = {}
        self._process: asyncio.subprocess.Process | None = None
        self._running: _Job | None = None
        self._task: asyncio.Task[None] | None = None

    def prepare(self) -> None:
        """What a server before this one left is removed. Blocks."""
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    # ------------------------------------------------------------ jobs

    def check_room(self) -> None:
        """Raises TooMany."""
        if sum(job.state is ExportState.QUEUED for job in self._jobs.values()) >= MOST_QUEUED:
            raise TooMany("Too many exports are waiting. Please try again later.", retry_after_s=60)

    def start(self, recording: RecordingId, format: ExportFormat, language: Language | None = None) -> str:
        """The job's id. Raises TooMany."""
        self.check_room()
        job = _Job(self._make_id(ids.EXPORT), recording, format, language)
        self._jobs[job.id] = job
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._work(), name="exports")
        return job.id

    def view(self, recording: RecordingId, job: str) -> RecordingExport:
        """Raises NotFound."""
        found = self._find(recording, job)
        return RecordingExport(
            id=found.id,
            recording=found.recording,
            format=found.format,
            state=found.state,
            progress=round(found.progress, 4),
            fault=(found.fault or ExportFault.OTHER) if found.state is ExportState.FAILED else None,
            problem=found.problem,
            bytes=found.size,
            sha256=found.sha256,
            expires_at=found.expires_at,
        )

    def file(self, recording: RecordingId, job: str) -> tuple[Path, ExportFormat, str]:
        """Path, format and SHA-256 of a film that is ready. Raises NotFound, Conflict (not yet), Gone (it was removed)."""
        found = self._find(recording, job)
        if found.state in (ExportState.QUEUED, ExportState.RUNNING):
            raise Conflict("The export is not finished.")
        if found.state is not ExportState.DONE or found.expires_at is None or self._clock.now() >= found.expires_at:
            raise Gone("There is no file of this export, or no longer.")
        return self._path(found), found.format, found.sha256

    async def cancel(self, recording: RecordingId, job: str) -> None:
        """Stopped, or its file removed. Again changes nothing. Raises NotFound."""
        await self._cancel(self._find(recording, job))

    async def forget(self, recording: RecordingId) -> None:
        """No export of it is left."""
        for job in [job for job in self._jobs.values() if job.recording == recording]:
            await self._cancel(job)

    async def tidy(self) -> None:
        """Files whose time is over are removed."""
        now = self._clock.now()
        over = [job for job in self._jobs.values() if job.state not in (ExportState.QUEUED, ExportState.RUNNING)]
        for job in over:
            if job.expires_at is not None and now >= job.expires_at:
                await self._remove(job)
        for job in over[: max(0, len(over) - MOST_KEPT)]:
            await self._remove(job)
            self._jobs.pop(job.id, None)

    async def close(self) -> None:
        """What runs is stopped; no file stays."""
        for job in list(self._jobs.values()):
            await self._cancel(job)
        if self._task is not None:
            await asyncio.wait([self._task])
        await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)

    async def settle(self) -> None:
        """Return when nothing runs or waits."""
        if self._task is not None:
            await asyncio.wait([self._task])

    # ------------------------------------------------------------ inside

    def _find(self, recording: RecordingId, job: str) -> _Job:
        found = self._jobs.get(job)
        if found is None or found.recording != recording:
            raise NotFound("There is no such export.")
        return found

    def _path(self, job: _Job) -> Path:
        return self._folder / job.id / f"recording.{job.format.value}"

    async def _cancel(self, job: _Job) -> None:
        if job.state in (ExportState.QUEUED, ExportState.RUNNING):
            job.state = ExportState.CANCELLED
        if job is self._running and self._process is not None:
            await _stop(self._process)
        await self._remove(job)

    async def _remove(self, job: _Job) -> None:
        job.expires_at = None
        await asyncio.to_thread(shutil.rmtree, self._path(job).parent, ignore_errors=True)

    async def _work(self) -> None:
        while True:
            job = next((job for job in self._jobs.values() if job.state is ExportState.QUEUED), None)
            if job is None:
                return
            job.state = ExportState.RUNNING
            self._running = job
            try:
                await self._run(job)
            except Exception:
                log.exception("export failed", extra={"recording": job.recording})
                job.problem = "internal"
            finally:
                self._running = None
            if job.state is ExportState.RUNNING:
                job.state = ExportState.DONE if job.sha256 and not job.problem else ExportState.FAILED
                job.expires_at = self._clock.now() + self._keep if job.state is ExportState.DONE else None
            if job.state is not ExportState.DONE:
                await self._remove(job)

    async def _has_space(self) -> bool:
        try:
            return await asyncio.to_thread(self._tool.free, self._folder) >= KEPT_FREE
        except OSError:
            return False

    async def _run(self, job: _Job) -> None:
        if not await self._has_space():
            _stopped(job, ExportFault.NO_SPACE)
            return
        path = self._path(job)
        await asyncio.to_thread(path.parent.mkdir, mode=0o700)
        self._process = process = await asyncio.create_subprocess_exec(
            *self._tool.command,
            job.recording,
            "--to",
            str(path),
            "--format",
            job.format.value,
            "--json",
            *(("--language", job.language.value) if job.language is not None else ()),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=dict(self._tool.environment),
            limit=LINE_BYTES,
        )
        try:
            if job.state is not ExportState.RUNNING:
                return
            making = asyncio.create_task(self._follow(job, process), name="export-follow")
            watching = asyncio.create_task(self._watch(job), name="export-watch")
            await asyncio.wait((making, watching), return_when=asyncio.FIRST_COMPLETED)
            if watching.done():
                await _stop(process)
            watching.cancel()
            making.cancel()  # its pipes stay open where not even a kill ends it
            await asyncio.wait((making, watching))
            for task in (making, watching):
                if not task.cancelled():
                    task.result()
        finally:
            self._process = None
            await _stop(process)

    async def _follow(self, job: _Job, process: asyncio.subprocess.Process) -> None:
        """Until it has ended by itself."""
        assert process.stdout is not None
        assert process.stderr is not None
        problems = asyncio.create_task(_tail(process.stderr), name="export-problems")
        try:
            async for line in process.stdout:
                self._heard(job, line)
            problem = await problems
        finally:
            problems.cancel()
        if await process.wait() != 0 and job.state is ExportState.RUNNING:
            job.problem = job.problem or problem or f"exit status {process.returncode}"
            log.error("export failed", extra={"recording": job.recording, "status": process.returncode})

    async def _watch(self, job: _Job) -> None:
        """Return when it must not go on, with the problem noted."""
        begun = job.heard_at = self._clock.monotonic()
        while job.state is ExportState.RUNNING:
            await asyncio.sleep(self._check_s)
            now = self._clock.monotonic()
            if now - begun >= LONGEST_S or now - job.heard_at >= STILL_S:
                _stopped(job, ExportFault.TOO_LONG)
            elif not await self._has_space():
                _stopped(job, ExportFault.NO_SPACE)
            if job.problem:
                log.error("export stopped", extra={"recording": job.recording, "progress": round(job.progress, 2)})
                return

    def _heard(self, job: _Job, line: bytes) -> None:
        try:
            said = msgspec.json.decode(line, type=_Line)
        except msgspec.DecodeError:
            return
        job.heard_at = self._clock.monotonic()
        if said.made is not None:
            job.progress, job.sha256, job.size = 1.0, said.made.sha256, said.made.bytes
        elif said.refused:
            job.fault = REFUSED.get(said.refused, ExportFault.OTHER)
        elif said.all_us > 0:
            job.progress = min(1.0, max(job.progress, said.done_us / said.all_us))


def _stopped(job: _Job, fault: ExportFault) -> None:
    job.fault, job.problem = fault, SAID[fault]


async def _tail(stream: asyncio.StreamReader) -> str:
    """The last line of it, cut to 300 characters; the rest is read and thrown away."""
    last = b""
    while data := await stream.read(65536):
        last = (last + data)[-4096:]
    lines = last.decode(errors="replace").strip().splitlines()
    return lines[-1][:300] if lines else ""


async def _stop(process: asyncio.subprocess.Process) -> None:
    """Asked to go, then made to."""
    for end in (process.terminate, process.kill):
        if process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            end()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP_S):
                await process.wait()
