"""What is done with recordings from the command line, written down as what reviewers do is."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec

from server import data_lock, recordings
from server.app import database_url
from server.archive import DiskArchive
from server.audit.events import AuditAction, AuditEvent
from server.clock import SystemClock
from server.config import Config
from server.domain.ids import RecordingId
from server.errors import ConfigError, TongpingError
from server.services.recording_ports import ArchiveError, Receipt
from server.store.ports import Store
from server.store.sql import open_store

ACTOR = "command-line"
EXPORTS = "exports"


def erase(config: Config, recording: str, reason: str) -> Receipt:
    """Its key, its files, films that were made of it; then the record says so, and the audit.

    The server must be stopped: one that runs may be playing or exporting it. Raises ConfigError, StoreUnavailable.
    """
    if not recordings.folder(config).is_dir():
        raise ConfigError(f"there are no recordings in {config.data_dir}")
    try:
        with data_lock.held(config.data_dir):
            return asyncio.run(_erase(config, recording, reason))
    except data_lock.InUse:
        raise ConfigError(
            f"a server uses {config.data_dir}, and may be playing or exporting it: erase it there, at /review or by "
            f"DELETE /api/v1/recordings/{recording}, or stop the server first"
        ) from None


async def _erase(config: Config, recording: str, reason: str) -> Receipt:
    archive = DiskArchive(config)
    async with _opened(config) as store:
        async with store.read() as tx:
            record = await tx.get_recording(RecordingId(recording))
        if record is not None and record.ended_at is None:
            raise ConfigError(f"{recording} was not ended: start the server, which ends what a crash left, then erase it")
        await asyncio.to_thread(shutil.rmtree, config.data_dir / EXPORTS, ignore_errors=True)  # of a server that was killed
        try:
            receipt = await asyncio.to_thread(archive.erase, recording)
        except ArchiveError as error:
            raise ConfigError(error.detail) from None
        erased_already = record is None or record.erased_at is not None
        if erased_already and not receipt.files:
            raise ConfigError(f"there is no recording {recording}" if record is None else f"{recording} is erased already")
        now = SystemClock().now()
        async with store.begin() as tx:
            if record is not None and not erased_already:
                await tx.save_recording(msgspec.structs.replace(record, erased_at=now, erase_reason=reason))
            await tx.append_audit(
                AuditEvent(
                    action=AuditAction.RECORDING_ERASED,
                    at=now,
                    actor=ACTOR,
                    session=record.session_id if record is not None else "",
                    subject=recording,
                    details={
                        "why": ACTOR,
                        "files": str(receipt.files),
                        "bytes": str(receipt.size),
                        "manifest_sha256": receipt.manifest,
                    },
                )
            )
    return receipt


def note(config: Config, action: AuditAction, recording: str, **details: str) -> bool:
    """Into the audit. False: there is no database beside the recordings, so there is none. Raises ConfigError: it cannot be written."""
    if not config.database_url and not (config.data_dir / "tongping.db").is_file():
        return False
    try:
        asyncio.run(_note(config, action, recording, details))
    except TongpingError as error:
        raise ConfigError(f"the audit trail cannot be written: {error.detail or error.code}") from None
    return True


async def _note(config: Config, action: AuditAction, recording: str, details: dict[str, str]) -> None:
    async with _opened(config) as store, store.begin() as tx:
        record = await tx.get_recording(RecordingId(recording))
        session = record.session_id if record is not None else ""
        await tx.append_audit(
            AuditEvent(action=action, at=SystemClock().now(), actor=ACTOR, session=session, subject=recording, details=details)
        )


@asynccontextmanager
async def _opened(config: Config) -> AsyncIterator[Store]:
    store = await open_store(database_url(config))
    try:
        yield store
    finally:
        await store.close()
