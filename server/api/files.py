"""Files of a chat: in as a raw body, out as an attachment that no browser runs."""

from urllib.parse import quote, unquote

from aiohttp import web

from server.api.call import Call, Handler, Reply
from server.api.idempotency import StoredReply
from server.api.operations import BASE, OPERATIONS
from server.api.problems import InvalidField
from server.api.router import from_stored, participant_only, run_once, stored
from server.audit.events import AuditAction
from server.domain import ids
from server.domain.ids import FileId, ParticipantId
from server.domain.model import SessionStatus
from server.errors import Gone, NotAllowed, TooLarge
from server.services.file_types import IMAGES
from server.services.principal import PrincipalKind
from server.services.views import file_view

NAME_HEADER = "X-File-Name"
MAX_NAME_HEADER_CHARS = 2000
SANDBOX = "sandbox; default-src 'none'"
SEND_FILE = next(operation for operation in OPERATIONS if operation.id == "send_file")


async def send_file(call: Call) -> web.StreamResponse:
    """Only people in the session send files. With an Idempotency-Key a repeat must bring the same bytes."""
    who = participant_only(call.who)
    files = call.context.files
    if call.where.status is SessionStatus.ENDED:
        raise Gone("This session has ended.")
    if (call.request.content_length or 0) > files.max_file_bytes:
        raise TooLarge(f"Files may have {files.max_file_bytes} bytes.")
    if call.where.status is SessionStatus.WAITING:
        raise NotAllowed("Files can be sent when somebody is there to see them.")
    with files.one_more(ParticipantId(who.actor)):
        return await _take_in(call, ParticipantId(who.actor))


async def _take_in(call: Call, participant: ParticipantId) -> web.StreamResponse:
    files = call.context.files
    received = await files.receive(file_name(call.request), call.chunks())

    async def keep() -> StoredReply:
        record = await files.keep(received, call.where.id, participant)
        return stored(Reply(file_view(record), f"{BASE}/sessions/{call.where.id}/files/{record.id}"))

    try:
        content = f"{received.name}\0{received.sha256}".encode()
        return from_stored(SEND_FILE, await run_once(SEND_FILE, call, content, keep))
    finally:
        await files.discard(received)


async def get_file(call: Call) -> web.StreamResponse:
    """Images may be shown in the page; everything else is a download. Nothing is run: nosniff and a sandbox."""
    id = FileId(call.id("file", ids.FILE))
    record, path = await call.context.files.find(call.where.id, id)
    if call.who.kind is not PrincipalKind.PARTICIPANT:
        now = call.context.clock.now()
        await call.context.history.read_from_outside(AuditAction.FILE_READ, now, call.who.actor, call.where.id, record.id)
    how = "inline" if record.media_type in IMAGES else "attachment"
    return web.FileResponse(
        path,
        headers={
            "Content-Type": f"{record.media_type}; charset=utf-8" if record.media_type == "text/plain" else record.media_type,
            "Content-Disposition": f"{how}; filename*=UTF-8''{quote(record.name, safe='')}",
            "Content-Security-Policy": SANDBOX,
            "Cache-Control": "private, no-store",
        },
    )


def file_name(request: web.Request) -> str:
    """From the percent-encoded UTF-8 header. Raises InvalidField."""
    names = request.headers.getall(NAME_HEADER, [])
    if len(names) != 1 or not 0 < len(names[0]) <= MAX_NAME_HEADER_CHARS:
        raise InvalidField("Give the file's name once, percent-encoded.", NAME_HEADER)
    try:
        return unquote(names[0], errors="strict")
    except UnicodeDecodeError:
        raise InvalidField("The name is not percent-encoded UTF-8.", NAME_HEADER) from None


HANDLERS: dict[str, Handler] = {"send_file": send_file, "get_file": get_file}
