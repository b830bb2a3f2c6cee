"""PDFs that are looked at together: brought by staff, opened before the customer, signed. The bytes are files of the session (``files.py``) and go with them."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import msgspec

from server.audit.events import AuditAction, AuditEvent
from server.clock import Clock
from server.domain import ids
from server.domain.ids import FileId, ParticipantId, PdfId, SessionId
from server.domain.model import FileRecord, PdfRecord
from server.errors import Conflict, DependencyError, NotFound, PdfNotTaken, TooLarge, UnsupportedMediaType
from server.pdf.jobs import MAX_BYTES, Box, PdfRefused, Why
from server.services.file_types import PDF
from server.services.files import Files, Received
from server.services.ports import MakeId
from server.services.sessions import put_away
from server.signalling.messages_pdf import PdfAsked, PdfShown, PdfSigned
from server.store.ports import Store, Transaction

MOST_PDFS = 20
"""Of a session."""
MOST_SIGNATURES = 20
"""Of one PDF."""
REQUEST = "PR"
Sizes = tuple[tuple[float, float], ...]
Strokes = tuple[tuple[tuple[float, float], ...], ...]
_WORDS = {
    Why.BROKEN: "This is no PDF that can be read.",
    Why.ENCRYPTED: "This PDF is encrypted.",
    Why.ACTIVE: "This PDF brings scripts, programs, files, layers or forms that send.",
    Why.FORM: "This PDF has fields to fill in, or notes over its pages: print it into a new PDF first.",
    Why.TOO_MANY_PAGES: "This PDF has too many pages.",
    Why.BAD_PAGE: "A page of this PDF has a size that no paper has.",
    Why.TOO_MUCH: "This PDF takes too much to read.",
}


class PdfWorker(Protocol):
    """``server/pdf_work.py``: in a process that can do nothing else. All raise PdfRefused, DependencyError."""

    async def read(self, data: bytes) -> Sizes: ...
    async def sign(self, data: bytes, box: Box, strokes: Strokes, line: str) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Brought:
    """A PDF that came in and passed, not yet on record."""

    received: Received
    sizes: Sizes


@dataclass(frozen=True, slots=True)
class Kept:
    """``signed``: None where nobody has signed."""

    pdf: PdfRecord
    file: FileRecord
    signed: FileRecord | None = None

    @property
    def shown(self) -> PdfShown:
        return PdfShown(
            id=self.pdf.id, name=self.file.name, pages=self.pdf.pages, sizes=list(self.pdf.sizes), sha256=self.file.sha256
        )

    @property
    def newest(self) -> PdfSigned | None:
        if self.signed is None or self.pdf.signed_at is None:
            return None
        return PdfSigned(sha256=self.signed.sha256, at=self.pdf.signed_at)


class Pdfs:
    def __init__(self, store: Store, clock: Clock, make_id: MakeId, files: Files, worker: PdfWorker) -> None:
        self._store, self._clock, self._make_id = store, clock, make_id
        self._files, self._worker = files, worker

    # ---- by REST

    async def receive(self, name: str, chunks: AsyncIterator[bytes]) -> Brought:
        """Raises TooLarge, UnsupportedMediaType (PdfNotTaken says why), Invalid (its name), DependencyError."""
        found: list[Sizes] = []

        async def look(path: Path, media_type: str) -> None:
            if media_type != PDF:
                raise UnsupportedMediaType("This is not a PDF.")
            try:
                found.append(await self._worker.read(await asyncio.to_thread(path.read_bytes)))
            except PdfRefused as refused:
                raise PdfNotTaken(_WORDS[refused.why], refused.why.value) from None

        received = await self._files.receive(name, _bounded(chunks), look)
        return Brought(received, found[0])

    async def keep(self, brought: Brought, session: SessionId, participant: ParticipantId) -> Kept:
        """Raises NotFound, Gone (the session has ended), TooLarge, Conflict (it has as many as it may)."""
        made: list[PdfRecord] = []

        async def also(tx: Transaction, file: FileRecord) -> None:
            if len(await tx.session_pdfs(session)) >= MOST_PDFS:
                raise Conflict(f"A session has {MOST_PDFS} PDFs at most.")
            pdf = PdfRecord(
                id=PdfId(self._make_id(ids.PDF)),
                session_id=session,
                participant_id=participant,
                file_id=file.id,
                pages=len(brought.sizes),
                sizes=brought.sizes,
                created_at=file.created_at,
            )
            await tx.add_pdf(pdf)
            details = {"file": file.id, "pages": str(pdf.pages), "sha256": file.sha256}
            await self._note(tx, AuditAction.PDF_RECEIVED, pdf, participant, details)
            made.append(pdf)

        file = await self._files.keep(brought.received, session, participant, also)
        return Kept(made[0], file)

    async def discard(self, brought: Brought) -> None:
        await self._files.discard(brought.received)

    async def all_of(self, session: SessionId) -> list[Kept]:
        """The oldest first; without those that were erased."""
        async with self._store.read() as tx:
            found = [await _kept(tx, pdf) for pdf in await tx.session_pdfs(session)]
        return [one for one in found if one is not None]

    async def find(self, session: SessionId, id: str) -> Kept:
        """Raises NotFound."""
        async with self._store.read() as tx:
            pdf = await tx.get_pdf(PdfId(id))
            kept = await _kept(tx, pdf) if pdf is not None and pdf.session_id == session else None
        if kept is None:
            raise NotFound("There is no such PDF in this session.")
        return kept

    async def bytes_of(self, session: SessionId, file: FileId) -> tuple[FileRecord, Path]:
        """Raises NotFound, DependencyError."""
        return await self._files.find(session, file)

    # ---- while it is looked at

    async def opened(self, session: SessionId, id: str, by: ParticipantId, looked: str) -> Kept:
        """Written down before anybody sees it, instead of the one before. Raises NotFound, StoreUnavailable."""
        kept = await self.find(session, id)
        async with self._store.begin() as tx:
            await put_away(tx, session)
            pdf = await tx.get_pdf(kept.pdf.id)
            assert pdf is not None  # records are never removed
            pdf = msgspec.structs.replace(pdf, opened_at=pdf.opened_at or self._clock.now(), looked=looked)
            await tx.save_pdf(pdf)
            await self._note(tx, AuditAction.PDF_OPENED, pdf, by, {"sha256": kept.file.sha256})
        return Kept(pdf, kept.file, kept.signed)

    async def noted(
        self,
        action: AuditAction,
        session: SessionId,
        id: PdfId,
        by: ParticipantId,
        details: dict[str, str],
        looked: str | None,
    ) -> None:
        """``looked``: how it is looked at from now on; None: no more. Raises StoreUnavailable."""
        async with self._store.begin() as tx:
            await _look(tx, id, looked)
            event = AuditEvent(action=action, at=self._clock.now(), actor=by, session=session, subject=id, details=details)
            await tx.append_audit(event)

    async def looked(self, id: PdfId, looked: str) -> None:
        """Where it is still open. Raises StoreUnavailable."""
        async with self._store.begin() as tx:
            await _look(tx, id, looked)

    def new_request(self) -> str:
        return self._make_id(REQUEST)

    async def sign(
        self,
        session: SessionId,
        id: str,
        asked: PdfAsked,
        strokes: Strokes,
        by: ParticipantId,
        still: Callable[[], None],
        looked: Callable[[], str | None],
    ) -> PdfSigned:
        """The file whose hash was asked about, and no other. What is signed is kept beside it. ``still`` is asked before it is kept, and raises where it may
        be no longer; ``looked`` is how it is looked at then. Raises Conflict, NotFound, Gone, PdfNotTaken, DependencyError."""
        kept = await self.find(session, id)
        before = kept.signed or kept.file
        if before.sha256 != asked.sha256:
            raise Conflict("This is not the file that was asked about.")
        if kept.pdf.signatures >= MOST_SIGNATURES:
            raise Conflict(f"A PDF is signed {MOST_SIGNATURES} times at most.")
        _, path = await self._files.find(session, before.id)
        data = await asyncio.to_thread(_whole, path, asked.sha256)
        now = self._clock.now()
        box = Box(asked.page, asked.x, asked.y, asked.width, asked.height)
        try:
            signed = await self._worker.sign(data, box, strokes, f"{now:%Y-%m-%d %H:%M:%S} UTC  {asked.request}")
            if await self._worker.read(signed) != kept.pdf.sizes:  # by another process
                raise DependencyError("The signed PDF is not as it should be.")
        except PdfRefused as refused:
            raise PdfNotTaken(_WORDS[refused.why], refused.why.value) from None
        still()
        try:
            received = await self._files.made(kept.file.name, PDF, signed)
        except OSError as error:
            raise DependencyError("The signed PDF could not be written.") from error

        async def also(tx: Transaction, file: FileRecord) -> None:
            pdf = await tx.get_pdf(kept.pdf.id)
            if pdf is None or (pdf.signed_file_id or pdf.file_id) != before.id:
                raise Conflict("It was signed meanwhile.")
            await _inside(tx, by)
            still()
            await tx.save_pdf(
                msgspec.structs.replace(
                    pdf, signed_file_id=file.id, signed_at=now, signatures=pdf.signatures + 1, looked=looked()
                )
            )
            details = {
                "page": str(asked.page),
                "before": before.sha256,
                "after": file.sha256,
                "request": asked.request,
                "asked_by": asked.by,
                "file": file.id,
            }
            await self._note(tx, AuditAction.PDF_SIGNED, pdf, by, details)

        file = await self._files.keep(received, session, by, also, ours=True)
        return PdfSigned(sha256=file.sha256, at=now)

    async def _note(
        self, tx: Transaction, action: AuditAction, pdf: PdfRecord, by: ParticipantId, details: dict[str, str]
    ) -> None:
        await tx.append_audit(
            AuditEvent(action=action, at=self._clock.now(), actor=by, session=pdf.session_id, subject=pdf.id, details=details)
        )


async def _kept(tx: Transaction, pdf: PdfRecord) -> Kept | None:
    """None where its file was erased: then neither name nor hash stands there."""
    file = await tx.get_file(pdf.file_id)
    signed = await tx.get_file(pdf.signed_file_id) if pdf.signed_file_id is not None else None
    return Kept(pdf, file, signed) if file is not None and file.sha256 else None


async def _look(tx: Transaction, id: PdfId, looked: str | None) -> None:
    """How it is looked at, where it is open."""
    pdf = await tx.get_pdf(id)
    if pdf is not None and pdf.looked is not None:
        await tx.save_pdf(msgspec.structs.replace(pdf, looked=looked))


async def _inside(tx: Transaction, id: ParticipantId) -> None:
    """Raises Conflict."""
    person = await tx.get_participant(id)
    if person is None or person.leave_reason is not None or person.held_at is not None or person.waits_at is not None:
        raise Conflict("Who signs is not here any more.")


async def _bounded(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    size = 0
    async for chunk in chunks:
        size += len(chunk)
        if size > MAX_BYTES:
            raise TooLarge(f"A PDF may have {MAX_BYTES} bytes.")
        yield chunk


def _whole(path: Path, sha256: str) -> bytes:
    """Raises DependencyError: it is not what came in."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DependencyError("This file cannot be read at the moment.") from error
    if hashlib.sha256(data).hexdigest() != sha256:
        raise DependencyError("This file is not as it was.")
    return data
