"""What reviewers do with recordings: find, play, verify, export and erase them. Each reading is in the audit."""

import asyncio
import logging
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import msgspec

from server.api.bodies_recordings import (
    ExportFormat,
    RecordedPerson,
    RecordingDetail,
    RecordingsPage,
    RecordingStanding,
    RecordingVerified,
    RecordingView,
)
from server.audit.events import AuditAction, AuditEvent
from server.clock import Clock
from server.domain.ids import RecordingId, SessionId
from server.domain.model import Language, Participant, Recording, RecordingEnding
from server.errors import Conflict, DependencyError, Gone, NotFound, TongpingError, TooMany, UnsupportedMediaType
from server.services.recording_exports import Exports
from server.services.recording_ports import Archive, ArchiveError, Finished, Playing, Receipt, Told
from server.services.recording_streams import Stream, Streams
from server.store.ports import Store, Transaction

log = logging.getLogger(__name__)
_T = TypeVar("_T")
THREADS = 6
MOST_VERIFIED = 2  # at a time: each reads a whole recording
MOST_TOLD = 2  # time lines at a time: the other threads are for those who play
MOST_ASKED = 16  # time lines that are asked for, those that wait included
READ_AGAIN_S = 3600.0  # the tracks of a recording that somebody opened are one reading for so long
MOST_READ = 10_000
DUE_AT_ONCE = 100
RETENTION = "retention"


class Recordings:
    """``retention_days`` 0: for ever. Call ``close`` at the end."""

    def __init__(self, store: Store, clock: Clock, archive: Archive, exports: Exports, *, retention_days: int) -> None:
        self._store = store
        self._clock = clock
        self._archive = archive
        self._retention_days = retention_days
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="recordings")
        self._eraser = ThreadPoolExecutor(1, thread_name_prefix="erasures")  # waits for no reader
        self._streams = Streams(self._pool)
        self._erasures: dict[RecordingId, asyncio.Task[None]] = {}  # under way
        self._verifying = 0
        self._asked = 0
        self._telling = asyncio.Semaphore(MOST_TOLD)
        self._read: dict[tuple[str, RecordingId], float] = {}
        self.exports = exports

    async def page(self, *, session: SessionId | None, limit: int, cursor: str | None) -> RecordingsPage:
        """Newest first. Raises Invalid for a cursor that is none."""
        async with self._store.read() as tx:
            page = await tx.list_recordings(session=session, limit=limit, cursor=cursor)
            views = [await _view(tx, recording) for recording in page.recordings]
        return RecordingsPage(recordings=views, next=page.next)

    async def detail(self, id: RecordingId, actor: str) -> RecordingDetail:
        """Its time line. Audited each time.

        Raises NotFound, Conflict (it is being recorded, or erased), Gone (erased), TooMany, DependencyError.
        """
        await self._readable(id)
        told = await self._told(id)
        await self._audit(AuditAction.RECORDING_READ, id, actor)
        await self._readable(id)
        self._note_read(id, actor)
        async with self._store.read() as tx:
            view = await _view(tx, await _existing(tx, id))
        return RecordingDetail(
            recording=view,
            duration_ms=told.duration_ms,
            tracks=told.tracks,
            parties=told.parties,
            events=told.events,
            speaking=told.speaking,
            pauses=told.pauses,
            damaged=told.damaged,
        )

    async def play(self, id: RecordingId, track: str, from_ms: int, actor: str) -> Stream:
        """One track from there on; close it. Audited where it was not read by them just now. Raises as ``detail``, and TooMany."""
        recording = await self._readable(id)
        if from_ms > recording.duration_ms:
            raise Conflict("This is past the end of the recording.")
        if self._clock.monotonic() - self._read.get((actor, id), -READ_AGAIN_S) >= READ_AGAIN_S:
            await self._audit(AuditAction.RECORDING_READ, id, actor)
        self._note_read(id, actor)
        with self._streams.room(actor) as room:
            playing: Playing = await self._call(lambda: self._archive.play(id, track, from_ms))
            stream = room.taken(id, playing)
        try:
            await self._readable(id)
        except BaseException:
            stream.close()
            raise
        return stream

    async def verify(self, id: RecordingId, actor: str) -> RecordingVerified:
        """Every segment of every file. Audited with what was found. Raises as ``detail``, and TooMany."""
        await self._readable(id)
        if self._verifying >= MOST_VERIFIED:
            raise TooMany("Others are being verified. Please wait a moment.", retry_after_s=30)
        self._verifying += 1
        try:
            verified: RecordingVerified = await self._call(lambda: self._archive.verify(id))
        finally:
            self._verifying -= 1
        await self._readable(id)
        await self._audit(AuditAction.RECORDING_VERIFIED, id, actor, intact="yes" if verified.intact else "no")
        return verified

    async def export(self, id: RecordingId, format: ExportFormat, language: Language | None, actor: str) -> str:
        """A film of everybody, made in a process of its own; the job. Raises as ``detail``, and TooMany."""
        await self._readable(id)
        self.exports.check_room()
        await self._audit(AuditAction.RECORDING_EXPORTED, id, actor, format=format.value)
        await self._readable(id)
        return self.exports.start(id, format, language)

    async def fetch(self, id: RecordingId, job: str, actor: str) -> tuple[Path, ExportFormat, str]:
        """Somebody takes an exported film with them: path, format and SHA-256. Raises as ``detail`` and ``Exports.file``."""
        _, _, sha256 = self.exports.file(id, job)
        await self._readable(id)
        await self._audit(AuditAction.RECORDING_READ, id, actor, export=sha256)
        await self._readable(id)
        return self.exports.file(id, job)

    # ------------------------------------------------------------ the end

    async def erase(self, id: RecordingId, reason: str, actor: str) -> None:
        """For good: its key first; from now on nobody reads it. Again changes nothing.

        Goes on where the caller is cancelled. Raises NotFound, Conflict (it is being recorded), DependencyError.
        """
        async with self._store.read() as tx:
            recording = await _existing(tx, id)
        if recording.erased_at is not None:
            return
        if recording.ended_at is None:
            raise Conflict("It is still being recorded.")
        await self._erase(recording, reason, actor, "review")

    async def end_left(self, id: RecordingId, why: str) -> None:
        """One that is under way on record and that nobody records any more, from its files as far as they can be read; of any other nothing changes. Only before
        anybody is served. Raises StoreUnavailable."""
        async with self._store.read() as tx:
            recording = await tx.get_recording(id)
        if recording is None or recording.ended_at is not None:
            return
        try:
            files = await asyncio.get_running_loop().run_in_executor(self._pool, self._archive.finish, id)
        except ArchiveError as error:
            log.error("a recording has no end in its files", extra={"recording": id, "code": error.code})
            files = Finished(RecordingEnding.FAILED, 0, 0)
        failed = files.ending is RecordingEnding.FAILED
        ending = RecordingEnding.FAILED if failed else RecordingEnding.INTERRUPTED
        now = self._clock.now()
        async with self._store.begin() as tx:
            current = await _existing(tx, id)
            await tx.save_recording(
                msgspec.structs.replace(current, ended_at=now, ending=ending, bytes=files.size, duration_ms=files.duration_ms)
            )
            await tx.append_audit(
                AuditEvent(
                    action=AuditAction.RECORDING_FAILED if failed else AuditAction.RECORDING_ENDED,
                    at=now,
                    actor="",
                    session=current.session_id,
                    subject=id,
                    details={"ending": ending.value, "why": why},
                )
            )

    async def erase_due(self) -> int:
        """What was kept for as long as it is to be kept; how many. What cannot be erased is tried again the next time."""
        if self._retention_days == 0:
            return 0
        before = self._clock.now() - timedelta(days=self._retention_days)
        async with self._store.read() as tx:
            due = await tx.due_recordings(before, DUE_AT_ONCE)
        erased = 0
        for recording in due:
            try:
                await self._erase(recording, RETENTION, "", RETENTION)
                erased += 1
            except (DependencyError, Conflict) as error:
                log.error("recording not erased", extra={"recording": recording.id, "code": error.code})
        return erased

    async def _erase(self, recording: Recording, reason: str, actor: str, why: str) -> None:
        """One at a time of each: who asks for it meanwhile waits for the same."""
        task = self._erasures.get(recording.id)
        if task is None:
            work = self._erase_now(recording, reason, actor, why)
            task = self._erasures[recording.id] = asyncio.get_running_loop().create_task(work, name="erasure")
            task.add_done_callback(lambda done: self._erasures.pop(recording.id, None))
            task.add_done_callback(lambda done: done.cancelled() or done.exception())  # the caller may be gone
        await asyncio.shield(task)

    async def _erase_now(self, recording: Recording, reason: str, actor: str, why: str) -> None:
        """The files, then the record with a receipt in the audit: where it is interrupted in between, the next one writes that down.

        What had begun when this did, and came out of its thread or of the store later, is stopped after the files as well.
        """
        await self._stop_reading(recording.id)
        receipt: Receipt = await self._call(lambda: self._archive.erase(recording.id), self._eraser)
        await self._stop_reading(recording.id)
        now = self._clock.now()
        async with self._store.begin() as tx:
            current = await _existing(tx, recording.id)
            if current.erased_at is not None:
                return
            await tx.save_recording(msgspec.structs.replace(current, erased_at=now, erase_reason=reason))
            await tx.append_audit(
                AuditEvent(
                    action=AuditAction.RECORDING_ERASED,
                    at=now,
                    actor=actor,
                    session=recording.session_id,
                    subject=recording.id,
                    details={
                        "why": why,
                        "files": str(receipt.files),
                        "bytes": str(receipt.size),
                        "manifest_sha256": receipt.manifest,
                    },
                )
            )

    async def _stop_reading(self, id: RecordingId) -> None:
        self._streams.cut(id)
        await self.exports.forget(id)

    async def close(self) -> None:
        """Erasures that are under way are cut off; they are asked for again, or due again."""
        for task in list(self._erasures.values()):
            task.cancel()
            await asyncio.wait([task])
        await self.exports.close()
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._eraser.shutdown(wait=False, cancel_futures=True)

    # ------------------------------------------------------------ inside

    async def _readable(self, id: RecordingId) -> Recording:
        async with self._store.read() as tx:
            recording = await _existing(tx, id)
        if recording.erased_at is not None:
            raise Gone("This recording was erased.")
        if id in self._erasures:
            raise Conflict("It is being erased.")
        if recording.ended_at is None:
            raise Conflict("It is still being recorded.")
        return recording

    async def _told(self, id: RecordingId) -> Told:
        """Raises TooMany: so many wait for theirs."""
        if self._asked >= MOST_ASKED:
            raise TooMany("Others are opening recordings. Please wait a moment.", retry_after_s=5)
        self._asked += 1
        try:
            async with self._telling:
                return await self._call(lambda: self._archive.tell(id))
        finally:
            self._asked -= 1

    async def _audit(self, action: AuditAction, id: RecordingId, actor: str, **details: str) -> None:
        async with self._store.begin() as tx:
            recording = await _existing(tx, id)
            await tx.append_audit(
                AuditEvent(
                    action=action,
                    at=self._clock.now(),
                    actor=actor,
                    session=recording.session_id,
                    subject=id,
                    details=details,
                )
            )

    def _note_read(self, id: RecordingId, actor: str) -> None:
        self._read.pop((actor, id), None)
        self._read[actor, id] = self._clock.monotonic()
        while len(self._read) > MOST_READ:
            del self._read[next(iter(self._read))]

    async def _call(self, work: Callable[[], _T], pool: ThreadPoolExecutor | None = None) -> _T:
        """In a thread. Raises what the archive's refusal means to the caller."""
        try:
            return await asyncio.get_running_loop().run_in_executor(pool or self._pool, work)
        except ArchiveError as error:
            raise refused(error) from error


def refused(error: ArchiveError) -> TongpingError:
    match error.code:
        case "no_recording":
            return Gone("The files of this recording are not here any more.")
        case "no_track":
            return NotFound("There is no such track in this recording.")
        case "cannot_play":
            return UnsupportedMediaType("No browser plays this track.")
        case "in_use":
            return Conflict("It is being written or read by another process.")
        case "damaged":
            return Conflict("Its files cannot be read: verify it.")
        case _:
            return DependencyError("The recordings cannot be read now.")


async def _existing(tx: Transaction, id: RecordingId) -> Recording:
    """Raises NotFound."""
    found = await tx.get_recording(id)
    if found is None:
        raise NotFound("There is no such recording.")
    return found


async def _view(tx: Transaction, recording: Recording) -> RecordingView:
    session = await tx.get_session(recording.session_id)
    people = {person.id: person for person in await tx.list_participants(recording.session_id)}
    return RecordingView(
        id=recording.id,
        session=recording.session_id,
        customer_name=session.customer_name if session is not None else "",
        standing=_standing(recording),
        started_at=recording.started_at,
        started_by=next((person.name for id, person in people.items() if id == recording.started_by), ""),
        ended_at=recording.ended_at,
        erased_at=recording.erased_at,
        erase_reason=recording.erase_reason,
        bytes=recording.bytes,
        duration_ms=recording.duration_ms,
        participants=_people(recording, people.values()),
        checkpoints=[mark.item for mark in recording.checkpoints],
    )


def _people(recording: Recording, people: Iterable[Participant]) -> list[RecordedPerson]:
    return [
        RecordedPerson(participant=person.id, name=person.name, role=person.role.value)
        for person in people
        if person.id in recording.participants
    ]


def _standing(recording: Recording) -> RecordingStanding:
    if recording.erased_at is not None:
        return RecordingStanding.ERASED
    if recording.ending is None:
        return RecordingStanding.OPEN
    return RecordingStanding(recording.ending.value)
