"""Recordings for reviewers: played while they are decrypted, verified, exported, erased."""

import asyncio
import logging

from aiohttp import web

from server.api.bodies_recordings import EraseRecording, ExportFormat, StartExport
from server.api.call import Call, Handler, Reply
from server.api.operations import BASE, RecordingMediaQuery, RecordingsQuery
from server.domain import ids
from server.domain.ids import RecordingId, SessionId
from server.errors import Invalid
from server.services.recording_ports import ArchiveError
from server.services.recording_streams import Stream

log = logging.getLogger(__name__)
WRITE_S = 60.0  # a player that has enough does not read for a while; one that is gone is noticed so late
PRIVATE = {"Cache-Control": "private, no-store", "X-Content-Type-Options": "nosniff"}
TYPES = {ExportFormat.WEBM: "video/webm", ExportFormat.MP4: "video/mp4"}


def _id(call: Call) -> RecordingId:
    return RecordingId(call.id("recording", ids.RECORDING))


async def list_recordings(call: Call) -> Reply:
    query: RecordingsQuery = call.query
    if query.session is not None and not ids.is_id(query.session, ids.SESSION):
        raise Invalid("session: not the id of a session.")
    session = SessionId(query.session) if query.session is not None else None
    return Reply(await call.context.recordings.page(session=session, limit=query.limit, cursor=query.cursor))


async def get_recording(call: Call) -> Reply:
    return Reply(await call.context.recordings.detail(_id(call), call.who.actor))


async def get_recording_media(call: Call) -> web.StreamResponse:
    """Never a file on the disk. ``X-Begins-Ms``: about when its first voice or picture is."""
    query: RecordingMediaQuery = call.query
    track = call.request.match_info["track"]
    stream = await call.context.recordings.play(_id(call), track, query.from_ms, call.who.actor)
    try:
        return await _send(call, stream)
    finally:
        stream.close()


async def _send(call: Call, stream: Stream) -> web.StreamResponse:
    """What cannot be read any further ends the connection, so that nobody takes it for the end of the track."""
    headers = {**PRIVATE, "Content-Type": stream.mime, "X-Begins-Ms": str(stream.begins_ms), "Accept-Ranges": "none"}
    response = web.StreamResponse(headers=headers)
    await response.prepare(call.request)
    try:
        async for piece in stream:
            async with asyncio.timeout(WRITE_S):
                await response.write(piece)
    except (ArchiveError, TimeoutError) as error:
        log.warning("track cut short", extra={"recording": call.request.match_info["recording"], "error": type(error).__name__})
        if call.request.transport is not None:
            call.request.transport.abort()
        return response
    except ConnectionResetError:
        return response
    await response.write_eof()
    return response


async def verify_recording(call: Call) -> Reply:
    return Reply(await call.context.recordings.verify(_id(call), call.who.actor))


async def erase_recording(call: Call) -> Reply:
    body: EraseRecording = call.body
    await call.context.recordings.erase(_id(call), body.reason, call.who.actor)
    return Reply()


async def start_export(call: Call) -> Reply:
    body: StartExport = call.body
    id = _id(call)
    job = await call.context.recordings.export(id, body.format, body.language, call.who.actor)
    return Reply(call.context.recordings.exports.view(id, job), f"{BASE}/recordings/{id}/exports/{job}")


async def get_export(call: Call) -> Reply:
    return Reply(call.context.recordings.exports.view(_id(call), call.id("export", ids.EXPORT)))


async def cancel_export(call: Call) -> Reply:
    await call.context.recordings.exports.cancel(_id(call), call.id("export", ids.EXPORT))
    return Reply()


async def get_export_file(call: Call) -> web.StreamResponse:
    id = _id(call)
    path, format, sha256 = await call.context.recordings.fetch(id, call.id("export", ids.EXPORT), call.who.actor)
    return web.FileResponse(
        path,
        headers={
            **PRIVATE,
            "Content-Type": TYPES[format],
            "Content-Disposition": f'attachment; filename="{id}.{format.value}"',
            "X-Sha256": sha256,
        },
    )


HANDLERS: dict[str, Handler] = {
    "list_recordings": list_recordings,
    "get_recording": get_recording,
    "get_recording_media": get_recording_media,
    "verify_recording": verify_recording,
    "erase_recording": erase_recording,
    "start_export": start_export,
    "get_export": get_export,
    "cancel_export": cancel_export,
    "get_export_file": get_export_file,
}
