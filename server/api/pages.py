"""The built pages and their assets, the script for the bank's own pages, and the readable page of the API.

Names with a hash never change and are kept for a year; pages are asked for again each time (ETag). ``.br`` and ``.gz``
files beside an asset are served to those who accept them.
"""

import asyncio
import functools
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
from aiohttp import web

from server.api import docs, openapi
from server.api.operations import BASE
from server.context import CONTEXT

IMMUTABLE = "public, max-age=31536000, immutable"
ASK_AGAIN = "no-cache"
NOT_BUILT = "The pages are not built. Run: make ready\n"
SDK_LOADER = "tongping.js"
"""The one name that a bank's page has; what it loads has a hash in its name."""
NAME = r"[A-Za-z0-9_][A-Za-z0-9._-]{0,150}"


def _page(name: str, *, status: int = 200) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def page(request: web.Request) -> web.StreamResponse:
        path = request.app[CONTEXT].static_dir / name
        if not await asyncio.to_thread(path.is_file):
            return web.Response(status=503, text=NOT_BUILT)
        return web.FileResponse(path, status=status, headers={"Cache-Control": ASK_AGAIN})

    return page


arrival_not_found = _page("index.html", status=404)


REPLAY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src blob:; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'self'"
    ),
    "X-Frame-Options": "SAMEORIGIN",
    "Permissions-Policy": "camera=(), microphone=(), display-capture=(), geolocation=(), fullscreen=(), payment=(), usb=()",
}
"""Of the frame in which a customer's page is replayed: it may look as it likes (styles), and fetches nothing, not even from here, but its own script; images are
blobs that it made itself of what its socket brought. The page itself stands in a frame within it that is sandboxed without scripts, and has this policy too."""


async def replay(request: web.Request) -> web.StreamResponse:
    response = await _file(request.app[CONTEXT].static_dir / "replay.html", ASK_AGAIN)
    response.headers.update(REPLAY_HEADERS)
    return response


def astray(request: web.Request) -> bool:
    """Whether this is a person at an address that is none, such as a link copied with its full stop: see ``arrival_not_found``."""
    to_a_page = not request.path.startswith(("/api/", "/assets/", "/sdk/", "/dev/"))
    return request.method == "GET" and to_a_page and "text/html" in request.headers.get("Accept", "")


async def asset(request: web.Request) -> web.StreamResponse:
    return await _file(request.app[CONTEXT].static_dir / "assets" / request.match_info["name"], IMMUTABLE)


async def sdk(request: web.Request) -> web.StreamResponse:
    """For pages of other origins: what is in these files is nobody's secret, and nothing of a visitor's comes with them."""
    name = request.match_info["name"]
    response = await _file(request.app[CONTEXT].static_dir / "sdk" / name, ASK_AGAIN if name == SDK_LOADER else IMMUTABLE)
    response.headers["Access-Control-Allow-Origin"] = "*"
    response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    return response


async def root_file(request: web.Request) -> web.StreamResponse:
    """Icons and the like, which stand beside the pages."""
    return await _file(request.app[CONTEXT].static_dir / request.match_info["name"], ASK_AGAIN)


async def stories(request: web.Request) -> web.StreamResponse:
    if not request.app[CONTEXT].config.development:
        raise web.HTTPNotFound
    return await _file(request.app[CONTEXT].static_dir / "stories.html", ASK_AGAIN)


@functools.lru_cache(maxsize=4)
def _document(public_url: str) -> bytes:
    """Made once: it takes longer than most requests, and anybody may ask."""
    return msgspec.json.encode(openapi.document(public_url))


@functools.lru_cache(maxsize=4)
def _readable(public_url: str) -> str:
    return docs.page(openapi.document(public_url))


async def openapi_document(request: web.Request) -> web.Response:
    return web.Response(
        body=_document(request.app[CONTEXT].public_url), content_type="application/json", headers={"Cache-Control": ASK_AGAIN}
    )


async def openapi_page(request: web.Request) -> web.Response:
    return web.Response(
        text=_readable(request.app[CONTEXT].public_url), content_type="text/html", headers={"Cache-Control": ASK_AGAIN}
    )


async def openapi_style(_: web.Request) -> web.Response:
    return web.Response(text=docs.STYLE, content_type="text/css", headers={"Cache-Control": ASK_AGAIN})


async def _file(path: Path, cache: str) -> web.StreamResponse:
    if not await asyncio.to_thread(path.is_file):
        raise web.HTTPNotFound
    return web.FileResponse(path, headers={"Cache-Control": cache})


def add_routes(app: web.Application) -> None:
    customer, agent, review = _page("index.html"), _page("agent.html"), _page("review.html")
    app.router.add_get("/", customer)
    for path, page in (
        ("/join", customer),
        ("/j", customer),
        (r"/j/{secret:[A-Za-z0-9_-]{1,100}}", customer),
        ("/agent", agent),
        ("/review", review),
        (r"/review/{recording:[A-Za-z0-9_-]{1,100}}", review),
    ):
        app.router.add_get(path, page)
        app.router.add_get(path + "/", page)
    app.router.add_get("/replay.html", replay)
    app.router.add_get("/dev/stories", stories)
    app.router.add_get(BASE + "/openapi.json", openapi_document)
    app.router.add_get(BASE + "/docs", openapi_page)
    app.router.add_get(BASE + "/docs.css", openapi_style)
    app.router.add_get(f"/assets/{{name:{NAME}}}", asset)
    app.router.add_get(f"/assets/{{name:pdfjs-[0-9.]{{1,20}}/{NAME}}}", asset)
    app.router.add_get(f"/sdk/{{name:{NAME}}}", sdk)
    app.router.add_get(f"/{{name:{NAME}\\.(?:svg|png|ico|webmanifest|txt)}}", root_file)
