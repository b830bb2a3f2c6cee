"""One aiohttp handler for each operation: authenticate → authorise → decode → idempotency → handle → encode."""

import asyncio
import hashlib
import ipaddress
import re
from contextlib import nullcontext
from typing import Any

import msgspec
from aiohttp import web

from server.api import pictures
from server.api.auth import authenticate, authorise, presented_key, session_in_path
from server.api.call import Call, Handler, Handlers, Reply
from server.api.idempotency import MIN_ANONYMOUS_CHARS, StoredReply
from server.api.operations import BASE, OPERATIONS, Access, Operation
from server.api.problems import InvalidField, invalid_field
from server.context import CONTEXT
from server.errors import NotAllowed, Unauthenticated, UnsupportedMediaType
from server.services.principal import Principal, PrincipalKind

JSON = "application/json"
_KEY = re.compile(r"[\x21-\x7e]{1,200}")


def add_routes(app: web.Application, handlers: Handlers) -> None:
    """Every operation of the table, each with its handler. Raises KeyError when one is missing."""
    for operation in OPERATIONS:
        app.router.add_route(
            operation.method, BASE + operation.path, _handler(operation, handlers[operation.id]), name=operation.id
        )


def _handler(operation: Operation, handle: Handler) -> Any:
    decoder = msgspec.json.Decoder(operation.body) if operation.body not in (None, bytes) else None

    async def answer(request: web.Request) -> web.StreamResponse:
        who: list[Principal | None] = []
        try:
            return await answered(request, who)
        except (NotAllowed, Unauthenticated) as error:
            await _refused(request, operation, who[0] if who else None, error.code)
            raise

    async def answered(request: web.Request, who: list[Principal | None]) -> web.StreamResponse:
        """``who``: filled as soon as it is known who asks."""
        context = request.app[CONTEXT]
        limits = context.config.limits
        timeout_s = limits.upload_timeout_s if operation.body is bytes else limits.request_timeout_s
        if operation.takes_s is not None:
            timeout_s = max(timeout_s, operation.takes_s)
        async with asyncio.timeout(timeout_s if operation.takes_s != 0 else None):
            principal = await authenticate(context, request)
            who.append(principal)
            grants, session = await authorise(context, operation, principal, session_in_path(request))
            held = operation.pictures and principal is not None
            place = context.faces.admitted(principal, operation.consents) if held and principal else nullcontext()
            async with place:
                raw = b"" if operation.body is bytes or operation.pictures else await request.read()
                if operation.pictures:
                    body = await pictures.received(request, operation.body, context.config.verification.max_body_bytes)
                else:
                    body = _decode(request, decoder, raw) if decoder else None
                call = Call(
                    context=context,
                    request=request,
                    address=client_address(request, context.config.trusted_proxies),
                    principal=principal,
                    grants=grants,
                    session=session,
                    body=body,
                    query=_query(request, operation),
                    key=_idempotency_key(request, operation, principal),
                )
                if not call.key or operation.body is bytes:
                    reply = await handle(call)
                    return reply if isinstance(reply, web.StreamResponse) else encode(operation, reply)
                content = await pictures.hashed(body) if operation.pictures else hashlib.sha256(raw).digest()
                return await _once(operation, handle, call, content)

    return answer


async def _refused(request: web.Request, operation: Operation, who: Principal | None, code: str) -> None:
    """In the audit: whoever is known, and who shows an API key that does not hold. What is refused without either is nobody's doing."""
    key = presented_key(request) if who is None else ""
    if operation.needs is not Access.PUBLIC and (who is not None or key is not None):
        actor = who.actor if who is not None else ""
        await request.app[CONTEXT].refusals.note(operation.id, code, actor=actor, subject=key or "")


async def _once(operation: Operation, handle: Handler, call: Call, content: bytes) -> web.Response:
    async def execute() -> StoredReply:
        reply = await handle(call)
        if isinstance(reply, web.StreamResponse):
            raise TypeError(f"{operation.id} streams and cannot be idempotent")
        return stored(reply)

    return from_stored(operation, await run_once(operation, call, content, execute))


async def run_once(operation: Operation, call: Call, content_hash: bytes, execute: Any) -> StoredReply:
    """Through ``Idempotency``, when the caller sent a key."""
    if not call.key:
        return stored(await execute())
    request_hash = hashlib.sha256(f"{operation.method} {call.request.path}\0".encode() + content_hash).digest()
    return await call.context.idempotency.run(scope_of(call.principal), call.key, request_hash, operation.status, execute)


def stored(reply: Reply | StoredReply) -> StoredReply:
    return reply if isinstance(reply, StoredReply) else StoredReply(msgspec.json.encode(reply.body), reply.location)


def from_stored(operation: Operation, reply: StoredReply) -> web.Response:
    headers = {"Location": reply.location} if reply.location else None
    return web.Response(body=reply.body, status=operation.status, content_type=JSON, headers=headers)


def encode(operation: Operation, reply: Reply) -> web.Response:
    if operation.status == 204:
        return web.Response(status=204)
    return from_stored(operation, stored(reply))


def scope_of(principal: Principal | None) -> str:
    if principal is None:
        return "anonymous"
    return principal.actor


def client_address(request: web.Request, trusted_proxies: int) -> str:
    """The caller's address; behind ``trusted_proxies`` proxies the one that the outermost of them saw."""
    peer = request.remote or ""
    if trusted_proxies == 0:
        return peer
    said = [part.strip() for line in request.headers.getall("X-Forwarded-For", []) for part in line.split(",")]
    chain = [*said, peer]
    claimed = chain[max(0, len(chain) - 1 - trusted_proxies)]
    try:
        return str(ipaddress.ip_address(claimed))
    except ValueError:
        return peer


def _decode(request: web.Request, decoder: "msgspec.json.Decoder[Any]", raw: bytes) -> Any:
    if request.content_type != JSON and (raw or request.content_type != "application/octet-stream"):
        raise UnsupportedMediaType("Send application/json.")
    try:
        return decoder.decode(raw or b"{}")
    except msgspec.ValidationError as error:
        raise invalid_field(error) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise InvalidField("The body is not valid JSON.") from None


def _query(request: web.Request, operation: Operation) -> Any:
    values = request.query
    for name in values:
        if operation.query is None:
            raise InvalidField(f"Unknown query parameter `{name[:40]}`.", name[:40])
        if len(values.getall(name)) > 1:
            raise InvalidField("Give it once.", name[:40])
    if operation.query is None:
        return None
    try:
        return msgspec.convert(dict(values), operation.query, strict=False)
    except msgspec.ValidationError as error:
        raise invalid_field(error) from None


def _idempotency_key(request: web.Request, operation: Operation, principal: Principal | None) -> str:
    if not operation.idempotent:
        return ""
    keys = request.headers.getall("Idempotency-Key", [])
    if not keys:
        return ""
    if len(keys) > 1 or _KEY.fullmatch(keys[0]) is None:
        raise InvalidField("1 to 200 visible ASCII characters.", "Idempotency-Key")
    if principal is None and len(keys[0]) < MIN_ANONYMOUS_CHARS:
        raise InvalidField(f"At least {MIN_ANONYMOUS_CHARS} characters that nobody can guess.", "Idempotency-Key")
    return keys[0]


def participant_only(principal: Principal) -> Principal:
    """Raises NotAllowed for whoever has no place in the session."""
    if principal.kind is not PrincipalKind.PARTICIPANT:
        raise NotAllowed("This is for those who are in the session.")
    return principal
