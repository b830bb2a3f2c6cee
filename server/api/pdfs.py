"""PDFs that are looked at together: in as a raw body, out as they were brought and as they were signed."""

from urllib.parse import quote

from aiohttp import web

from server.api.bodies_pdfs import Pdfs, PdfView
from server.api.call import Call, Handler, Reply
from server.api.files import SANDBOX
from server.api.idempotency import StoredReply
from server.api.operations import BASE, OPERATIONS
from server.api.router import from_stored, participant_only, run_once, stored
from server.audit.events import AuditAction
from server.domain import ids
from server.domain.grants import Grant
from server.domain.ids import FileId, ParticipantId
from server.domain.model import FileRecord, SessionStatus
from server.errors import Gone, NotAllowed, NotFound, TooLarge
from server.pdf.jobs import MAX_BYTES
from server.services.pdfs import Kept
from server.services.principal import PrincipalKind

SEND_PDF = next(operation for operation in OPERATIONS if operation.id == "send_pdf")


async def send_pdf(call: Call) -> web.StreamResponse:
    """Staff in the session only, and none who listens. With an Idempotency-Key a repeat must bring the same bytes."""
    who = participant_only(call.who)
    if call.where.status is SessionStatus.ENDED:
        raise Gone("This session has ended.")
    if call.where.status is SessionStatus.WAITING:
        raise NotAllowed("PDFs are brought when somebody is there to see them.")
    if (call.request.content_length or 0) > MAX_BYTES:
        raise TooLarge(f"A PDF may have {MAX_BYTES} bytes.")
    participant = ParticipantId(who.actor)
    await _here(call, participant, brings=True)
    with call.context.files.one_more(participant):
        brought = await call.context.pdfs.receive(call.query.name, call.chunks())

        async def keep() -> StoredReply:
            kept = await call.context.pdfs.keep(brought, call.where.id, participant)
            return stored(Reply(view(kept), f"{BASE}/sessions/{call.where.id}/pdfs/{kept.pdf.id}"))

        try:
            content = f"{brought.received.name}\0{brought.received.sha256}".encode()
            return from_stored(SEND_PDF, await run_once(SEND_PDF, call, content, keep))
        finally:
            await call.context.pdfs.discard(brought)


async def list_pdfs(call: Call) -> Reply:
    if call.who.kind is PrincipalKind.PARTICIPANT:
        await _here(call, ParticipantId(call.who.actor))
    return Reply(Pdfs(pdfs=[view(kept) for kept in await call.context.pdfs.all_of(call.where.id)]))


async def get_pdf_file(call: Call) -> web.StreamResponse:
    """As it was brought. Who may not bring one sees what was opened, and nothing else."""
    kept = await _found(call)
    if kept.pdf.opened_at is None and Grant.PDF_SHOW not in call.grants:
        await _only_from_outside(call)
    return await _sent(call, kept, kept.file)


async def get_signed_pdf(call: Call) -> web.StreamResponse:
    """With the newest signature."""
    kept = await _found(call)
    if kept.signed is None:
        raise NotFound("Nobody has signed this PDF.")
    return await _sent(call, kept, kept.signed)


async def _found(call: Call) -> Kept:
    if call.who.kind is PrincipalKind.PARTICIPANT:
        await _here(call, ParticipantId(call.who.actor))
    return await call.context.pdfs.find(call.where.id, call.id("pdf", ids.PDF))


async def _only_from_outside(call: Call) -> None:
    if call.who.kind is PrincipalKind.PARTICIPANT:
        raise NotFound("There is no such PDF in this session.")


async def _here(call: Call, participant: ParticipantId, *, brings: bool = False) -> None:
    """Raises NotAllowed: on hold, or listening."""
    async with call.context.store.read() as tx:
        person = await tx.get_participant(participant)
    if person is None or person.held_at is not None:
        raise NotAllowed("You are on hold.")
    if brings and person.listens_at is not None:
        raise NotAllowed("You listen: join in first.")


async def _sent(call: Call, kept: Kept, file: FileRecord) -> web.StreamResponse:
    if call.who.kind is not PrincipalKind.PARTICIPANT:
        now = call.context.clock.now()
        await call.context.history.read_from_outside(AuditAction.PDF_READ, now, call.who.actor, call.where.id, kept.pdf.id)
    record, path = await call.context.pdfs.bytes_of(call.where.id, FileId(file.id))
    return web.FileResponse(
        path,
        headers={
            "Content-Type": record.media_type,
            "Content-Disposition": f"attachment; filename*=UTF-8''{quote(record.name, safe='')}",
            "Content-Security-Policy": SANDBOX,
            "Cache-Control": "private, no-store",
        },
    )


def view(kept: Kept) -> PdfView:
    return PdfView(
        id=kept.pdf.id,
        name=kept.file.name,
        pages=kept.pdf.pages,
        sizes=list(kept.pdf.sizes),
        sha256=kept.file.sha256,
        bytes=kept.file.size_bytes,
        created_at=kept.pdf.created_at,
        opened=kept.pdf.opened_at is not None,
        signed_sha256=kept.signed.sha256 if kept.signed is not None else "",
    )


HANDLERS: dict[str, Handler] = {
    "send_pdf": send_pdf,
    "list_pdfs": list_pdfs,
    "get_pdf_file": get_pdf_file,
    "get_signed_pdf": get_signed_pdf,
}
