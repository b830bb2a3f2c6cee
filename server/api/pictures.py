"""Requests that bring pictures: as ``multipart/form-data``, or as JSON with base64.

What takes long with a large form is done beside the event loop, in steps that let it go on: calls go over the same loop.
"""

import asyncio
import hashlib
import re
from typing import Any, get_origin, get_type_hints

import msgspec
from aiohttp import web

from server.api import forms
from server.api.bodies import Request
from server.api.problems import InvalidField, invalid_field
from server.errors import TooLarge, UnsupportedMediaType

JSON = "application/json"
MAX_JSON_BYTES = 8 << 20
"""Base64 is read on the event loop: more than this comes as a form."""
ON_LOOP_BYTES = 1 << 20
"""A larger form is searched, copied and hashed in a thread."""
READ_S = 20.0
"""Longest time to send a body: it holds a place meanwhile."""
_FIELD = re.compile(r"[a-z_]{1,40}")


async def received(request: web.Request, kind: type[Request], max_bytes: int) -> Any:
    """The body as a ``kind``, whichever way it came. Raises Invalid, TooLarge, UnsupportedMediaType."""
    if request.content_type == forms.MEDIA_TYPE:
        boundary = forms.boundary_of(request.headers.get("Content-Type", ""))
        form = await _read(request, max_bytes)
        if len(form) <= ON_LOOP_BYTES:
            return from_form(forms.parts(form, boundary), kind)
        msgspec.json.Decoder(kind)  # not first in a thread: two that prepare a type at once end the process (msgspec 0.22)
        return await asyncio.to_thread(lambda: from_form(forms.parts(form, boundary), kind))
    if request.content_type == JSON:
        raw = await _read(request, min(max_bytes, MAX_JSON_BYTES))
        try:
            return msgspec.json.decode(raw, type=kind)
        except msgspec.ValidationError as error:
            raise invalid_field(error) from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise InvalidField("The body is not valid JSON.") from None
    raise UnsupportedMediaType("Send multipart/form-data, or application/json with the pictures in base64.")


def from_form(parts: list[tuple[str, bytes]], kind: type[Request]) -> Any:
    """A field that is a list may come several times, any other once; what is no picture is UTF-8 text. Raises Invalid."""
    hints = get_type_hints(kind)
    values: dict[str, Any] = {}
    for name, content in parts:
        shown = name if _FIELD.fullmatch(name) else ""
        if name not in hints:
            raise InvalidField("Unknown field.", shown)
        many = get_origin(hints[name]) is list
        if name in values and not many:
            raise InvalidField("Give it once.", shown)
        if many:
            values.setdefault(name, []).append(content)
        elif hints[name] is bytes:
            values[name] = content
        else:
            try:
                values[name] = content.decode()
            except UnicodeDecodeError:
                raise InvalidField("Not UTF-8 text.", shown) from None
    try:
        return msgspec.convert(values, kind, strict=False)
    except msgspec.ValidationError as error:
        raise invalid_field(error) from None


async def hashed(body: msgspec.Struct) -> bytes:
    """``content_hash``, of large pictures in a thread."""
    if sum(_size(value) for value in _values(body)) <= ON_LOOP_BYTES:
        return content_hash(body)
    return await asyncio.to_thread(content_hash, body)


def content_hash(body: msgspec.Struct) -> bytes:
    """The same for the same content, whichever way and with whatever boundary it came. SHA-256 of each picture's SHA-256 and of the other fields: no
    picture is copied for it, and other threads go on meanwhile."""
    return hashlib.sha256(msgspec.msgpack.encode([_digested(value) for value in _values(body)])).digest()


def _values(body: msgspec.Struct) -> list[Any]:
    return [getattr(body, name) for name in body.__struct_fields__]


def _digested(value: Any) -> Any:
    if isinstance(value, list):
        return [_digested(one) for one in value]
    return hashlib.sha256(value).digest() if isinstance(value, bytes) else value


def _size(value: Any) -> int:
    """Bytes of the pictures in it."""
    if isinstance(value, list):
        return sum(_size(one) for one in value)
    return len(value) if isinstance(value, bytes) else 0


async def _read(request: web.Request, max_bytes: int) -> bytearray:
    if (request.content_length or 0) > max_bytes:
        raise TooLarge(f"At most {max_bytes} bytes.")
    received = bytearray()
    async with asyncio.timeout(READ_S):
        async for chunk in request.content.iter_any():
            received += chunk
            if len(received) > max_bytes:
                raise TooLarge(f"At most {max_bytes} bytes.")
    return received
