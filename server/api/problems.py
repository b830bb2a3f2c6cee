"""Problem details (RFC 9457) for every error. ``type`` is ``urn:tongping:problem:<code>``; ``code`` is stable."""

import re
from http import HTTPStatus

import msgspec
from aiohttp import web

from server.api.bodies import Problem
from server.api.bodies_faces import FaceProblem, FaceReason
from server.errors import Invalid, PictureRefused, TongpingError, TooMany, Unauthenticated, VerificationUnavailable, http_status

MEDIA_TYPE = "application/problem+json"
_PATH = re.compile(r"(.*) - at `(?:key in )?\$\.?([^`]*)`")
_NAMED = re.compile(r"field `([^`]+)`")
_BY_STATUS = {
    400: "invalid",
    401: "unauthenticated",
    403: "not_allowed",
    404: "not_found",
    405: "method_not_allowed",
    408: "timeout",
    413: "too_large",
    415: "unsupported_media_type",
    417: "invalid",
    426: "upgrade_required",
    429: "too_many",
    503: "unavailable",
}


class InvalidField(Invalid):
    """``field``: where, as in ``name`` or ``tracks[0].source``; "" for the body as a whole."""

    def __init__(self, detail: str, field: str = "") -> None:
        super().__init__(detail)
        self.field = field


def invalid_field(error: msgspec.ValidationError) -> InvalidField:
    """msgspec's words without the values, which it never says, and the field's name."""
    text, field = str(error), ""
    if found := _PATH.fullmatch(text):
        text, field = found[1], found[2]
    if named := _NAMED.search(text):
        field = f"{field}.{named[1]}".lstrip(".")
    return InvalidField(text[:300], field[:200])


def response(status: int, code: str, detail: str = "", field: str = "", headers: dict[str, str] | None = None) -> web.Response:
    problem = Problem(
        type=f"urn:tongping:problem:{code}",
        title=HTTPStatus(status).phrase,
        status=status,
        code=code,
        detail=detail,
        field=field,
    )
    return web.Response(body=msgspec.json.encode(problem), status=status, content_type=MEDIA_TYPE, headers=headers)


def from_error(error: TongpingError) -> web.Response:
    """The answer to one of our own errors. A failure on our side says nothing but its code."""
    status = http_status(error)
    headers: dict[str, str] = {}
    if isinstance(error, TooMany | VerificationUnavailable):
        headers["Retry-After"] = str(max(1, error.retry_after_s))
    if isinstance(error, Unauthenticated):
        headers["WWW-Authenticate"] = "Bearer"
    detail = error.detail if status != HTTPStatus.INTERNAL_SERVER_ERROR else ""
    return response(status, error.code, detail, getattr(error, "field", ""), headers)


def from_picture(error: PictureRefused, reasons: list[FaceReason]) -> web.Response:
    """A picture that was refused: which, and what the person can do about it."""
    status = http_status(error)
    problem = FaceProblem(
        type=f"urn:tongping:problem:{error.code}",
        title="Unprocessable Content",
        status=status,
        code=error.code,
        detail=error.detail,
        picture=error.picture,
        reasons=reasons,
    )
    return web.Response(body=msgspec.json.encode(problem), status=status, content_type=MEDIA_TYPE)


def from_http(error: web.HTTPException) -> web.Response:
    """What aiohttp refused: unknown paths and methods, bodies that are too large or malformed."""
    headers = {name: error.headers[name] for name in ("Allow", "Retry-After", "Upgrade") if name in error.headers}
    status = error.status if error.status in _BY_STATUS else 400
    return response(status, _BY_STATUS.get(status, "invalid"), headers=headers)


def internal() -> web.Response:
    return response(500, TongpingError.code)
