"""What is written down of recordings: each method is one transaction, with its audit entry, and has a deadline."""

from collections.abc import Iterable, Sequence

import msgspec

from server.audit.events import AuditAction, AuditEvent
from server.domain import ids
from server.domain.ids import ParticipantId, RecordingId, SessionId
from server.domain.model import Checkpoint, Recording, RecordingEnding
from server.errors import NotFound
from server.live.transactions import Transactions
from server.store.ports import Transaction


class RecordingRecords(Transactions):
    """All raise StoreUnavailable."""

    async def under_way(self) -> list[Recording]:
        """Those that have not ended, oldest first: after a start, of the server before."""
        async with self._reading() as tx:
            return await tx.open_recordings()

    async def begin(
        self, session: SessionId, by: str, whom: Iterable[ParticipantId], checkpoints: Sequence[Checkpoint]
    ) -> Recording:
        """Before anything is recorded. ``checkpoints``: what was done in recordings of the session before this one."""
        now = self._clock.now()
        recording = Recording(
            id=RecordingId(self._make_id(ids.RECORDING)),
            session_id=session,
            started_at=now,
            started_by=by,
            participants=tuple(sorted(whom)),
            checkpoints=tuple(checkpoints),
        )
        async with self._writing() as tx:
            await tx.add_recording(recording)
            await tx.append_audit(self._event(AuditAction.RECORDING_STARTED, recording, by))
        return recording

    async def add_participants(self, recording: Recording, whom: Iterable[ParticipantId]) -> Recording:
        """Before they are recorded."""
        async with self._writing() as tx:
            current = await _existing(tx, recording.id)
            changed = msgspec.structs.replace(current, participants=tuple(sorted({*current.participants, *whom})))
            await tx.save_recording(changed)
        return changed

    async def pause(self, recording: Recording, by: str, why: str) -> Recording:
        """After the relay and the recorder. ``why``: ``asked`` or ``consent``."""
        return await self._paused(recording, AuditAction.RECORDING_PAUSED, by, why)

    async def resume(self, recording: Recording, by: str, why: str) -> Recording:
        """Before the relay and the recorder."""
        return await self._paused(recording, AuditAction.RECORDING_RESUMED, by, why)

    async def _paused(self, recording: Recording, action: AuditAction, by: str, why: str) -> Recording:
        paused_at = self._clock.now() if action is AuditAction.RECORDING_PAUSED else None
        async with self._writing() as tx:
            changed = msgspec.structs.replace(await _existing(tx, recording.id), paused_at=paused_at)
            await tx.save_recording(changed)
            await tx.append_audit(self._event(action, changed, by, why=why))
        return changed

    async def mark(self, recording: Recording, item: str, by: ParticipantId, *, done: bool) -> Recording:
        """An item of the checklist. What was noted beside it is personal data and is not kept here."""
        async with self._writing() as tx:
            current = await _existing(tx, recording.id)
            others = tuple(each for each in current.checkpoints if each.item != item)
            mine = (Checkpoint(item=item, at=self._clock.now(), by=by),) if done else ()
            changed = msgspec.structs.replace(current, checkpoints=others + mine)
            await tx.save_recording(changed)
            event = self._event(AuditAction.CHECKPOINT_MARKED, changed, by, item=item, done="yes" if done else "no")
            await tx.append_audit(event)
        return changed

    async def end(self, id: RecordingId, ending: RecordingEnding, size: int, duration_ms: int, why: str) -> None:
        """It has ended, and its files can be verified. Ending again changes nothing."""
        async with self._writing() as tx:
            current = await _existing(tx, id)
            if current.ended_at is not None:
                return
            changed = msgspec.structs.replace(
                current, ended_at=self._clock.now(), ending=ending, bytes=size, duration_ms=duration_ms
            )
            await tx.save_recording(changed)
            failed = ending is RecordingEnding.FAILED
            action = AuditAction.RECORDING_FAILED if failed else AuditAction.RECORDING_ENDED
            await tx.append_audit(self._event(action, changed, "", ending=ending.value, why=why))

    def _event(self, action: AuditAction, recording: Recording, actor: str, **details: str) -> AuditEvent:
        return AuditEvent(
            action=action,
            at=self._clock.now(),
            actor=actor,
            session=recording.session_id,
            subject=recording.id,
            details=details,
        )


async def _existing(tx: Transaction, id: RecordingId) -> Recording:
    found = await tx.get_recording(id)
    if found is None:
        raise NotFound("There is no such recording.")
    return found
