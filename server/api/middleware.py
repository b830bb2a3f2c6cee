"""Around every request: an id, the answer to every error as a problem, security headers, metrics, one log line.

Assets have theirs at debug level only: the links that a demo prints do not scroll away when a page is opened.
"""

import secrets
import time
from collections.abc import Awaitable, Callable

import structlog
from aiohttp import web
from multidict import CIMultiDict

from server.api import pages, problems
from server.context import CONTEXT
from server.errors import DependencyError, PictureRefused, TongpingError, http_status

log = structlog.get_logger("server.api")
REQUEST_ID = web.RequestKey("request_id", str)
Next = Callable[[web.Request], Awaitable[web.StreamResponse]]

PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self' blob: data:; "
    "media-src 'self' blob:; connect-src 'self'; worker-src 'self' blob:; manifest-src 'self'; frame-src 'self'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'; object-src 'none'"
)
SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": (
        "camera=(self), microphone=(self), display-capture=(self), picture-in-picture=(self), fullscreen=(self), "
        "geolocation=(), payment=(), usb=(), serial=(), midi=()"
    ),
}
HSTS = "max-age=31536000"
CORS_METHODS = "GET, POST, PUT, PATCH, DELETE"
CORS_HEADERS = "Authorization, Content-Type, Idempotency-Key, X-File-Name"


@web.middleware
async def observe(request: web.Request, handler: Next) -> web.StreamResponse:
    """The outermost. Logs the route's pattern and never the path: ``/j/{secret}`` holds a secret."""
    request_id = secrets.token_hex(8)
    request[REQUEST_ID] = request_id
    route = request.match_info.route.resource
    pattern = route.canonical if route is not None else "unmatched"
    metrics = request.app[CONTEXT].metrics
    started = time.perf_counter()
    status, response = 500, None
    with structlog.contextvars.bound_contextvars(request=request_id):
        try:
            response = await handler(request)
            status = response.status
            return response
        finally:
            took_s = time.perf_counter() - started
            metrics.requests.labels(request.method if request.method in METHODS else "OTHER", pattern, str(status)).inc()
            if not isinstance(response, web.WebSocketResponse):
                metrics.request_seconds.labels(pattern).observe(took_s)
            tell = log.debug if status < 400 and pattern in ASSETS else log.info
            tell("request", method=request.method[:10], route=pattern, status=status, ms=round(took_s * 1000, 1))


ASSETS = frozenset({"/assets/{name}", "/sdk/{name}", "/{name}"})
METHODS = frozenset({"GET", "HEAD", "POST", "DELETE", "PUT", "PATCH", "OPTIONS"})


@web.middleware
async def explain(request: web.Request, handler: Next) -> web.StreamResponse:
    """Every error becomes a problem, or the arrival page for a person at a wrong address.

    A bug says nothing but ``internal`` and is logged with its places.
    """
    try:
        return await handler(request)
    except PictureRefused as error:
        return problems.from_picture(error, request.app[CONTEXT].faces.engine.reasons(error.reasons))
    except TongpingError as error:
        if isinstance(error, DependencyError):
            log.warning("dependency failed", code=error.code)
        elif http_status(error) == 500:
            log.error("internal error", exc_info=True)
        return problems.from_error(error)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        if error.status == 404 and pages.astray(request):
            return await pages.arrival_not_found(request)
        return problems.from_http(error)
    except TimeoutError:
        return problems.response(408, "timeout", "The request took too long.", headers={"Connection": "close"})
    except (ConnectionError, web.RequestPayloadError):
        return problems.response(400, "invalid", "The request was cut off.", headers={"Connection": "close"})
    except Exception:
        log.error("internal error", exc_info=True)
        return problems.internal()


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """``on_response_prepare``: also on files and on WebSocket answers."""
    headers = response.headers
    for name, value in SECURITY_HEADERS.items():
        headers.setdefault(name, value)
    headers.setdefault("Content-Security-Policy", PAGE_POLICY)
    headers.setdefault("Cache-Control", "no-store")
    if REQUEST_ID in request:
        headers.setdefault("X-Request-Id", request[REQUEST_ID])
    config = request.app[CONTEXT].config
    if config.tls or config.public_url.startswith("https:"):
        headers.setdefault("Strict-Transport-Security", HSTS)
    headers.pop("Server", None)
    _allow_origin(request, headers, config.cors_origins)


def _allow_origin(request: web.Request, headers: "CIMultiDict[str]", origins: tuple[str, ...]) -> None:
    origin = request.headers.get("Origin", "")
    if not origins or not request.path.startswith("/api/"):
        return
    headers.add("Vary", "Origin")
    if origin in origins:
        headers["Access-Control-Allow-Origin"] = origin
        headers["Cross-Origin-Resource-Policy"] = "cross-origin"
        headers["Access-Control-Expose-Headers"] = "Location, Retry-After, X-Request-Id"


@web.middleware
async def preflight(request: web.Request, handler: Next) -> web.StreamResponse:
    """CORS preflight for the origins in the configuration; others get the usual 405."""
    asked = request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers
    if asked and request.headers.get("Origin", "") in request.app[CONTEXT].config.cors_origins:
        return web.Response(
            status=204,
            headers={
                "Access-Control-Allow-Methods": CORS_METHODS,
                "Access-Control-Allow-Headers": CORS_HEADERS,
                "Access-Control-Max-Age": "600",
            },
        )
    return await handler(request)
