"""Around every request: the headers, whose browser it is, and that a form was sent from a page of ours. SHELL.

- The session cookie holds 256 random bits, is HttpOnly and SameSite=Lax, under HTTPS Secure and ``__Host-``; it is another one after each sign-in.
- A form carries a token that only our pages know (an HMAC of the cookie), and the browser's ``Origin`` must be ours.
- Only names of ours are answered (``Host``), so that no other name can be pointed at this address to read what is here (DNS rebinding).
- Scripts and styles run by a nonce that is new for each answer; no page may frame this one, but for the list of fees, which a page of ours does.
"""

import asyncio
import hashlib
import hmac
import ipaddress
import logging
import re
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from aiohttp import web

from server.demo_bank.books import Books
from server.demo_bank.render import Renderer
from server.demo_bank.settings import Settings
from server.demo_bank.words import LANGUAGES, Language

log = logging.getLogger("server.demo_bank")
SETTINGS = web.AppKey("settings", Settings)
BOOKS = web.AppKey("books", Books)
MAX_FORM_BYTES = 16 * 1024
MAX_PICTURE_BYTES = 8 << 20
COOKIE_S = 8 * 3600
_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")
Next = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(slots=True)
class Visit:
    """``token``: of the cookie; ``customer``: "" before signing in; ``form_token``: what our forms carry; ``form``: of a POST. ``framed``: a page of ours shows it
    in a frame."""

    token: str
    customer: str
    form_token: str
    renderer: Renderer
    nonce: str
    form: dict[str, str]
    picture: bytes = b""
    framed: bool = False

    @property
    def language(self) -> Language:
        return self.renderer.language


VISIT = web.RequestKey("visit", Visit)


class Stop(Exception):
    """An answer that is a page with words. ``words``: their key."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status, self.words = status, words


def cookie_name(settings: Settings) -> str:
    return "__Host-bank" if settings.secure else "bank"


def set_cookie(settings: Settings, response: web.StreamResponse, token: str) -> None:
    response.set_cookie(
        cookie_name(settings), token, max_age=COOKIE_S, path="/", httponly=True, samesite="Lax", secure=settings.secure
    )


def form_token(key: bytes, token: str) -> str:
    return hmac.new(key, token.encode(), hashlib.sha256).hexdigest()


def new_token() -> str:
    return secrets.token_urlsafe(32)


async def visit(request: web.Request) -> Visit:
    """Who comes, and what they send. Raises Stop for a request that is not one of our pages'."""
    settings, books = request.app[SETTINGS], request.app[BOOKS]
    language = _language(request)
    token = request.cookies.get(cookie_name(settings), "")
    if not _TOKEN.fullmatch(token):
        token = ""
    found = Visit(
        token=token or new_token(),
        customer=await asyncio.to_thread(books.signed_in, token) if token else "",
        form_token="",
        renderer=Renderer(language),
        nonce=secrets.token_urlsafe(16),
        form={},
    )
    found.form_token = form_token(books.form_key, found.token)
    request[VISIT] = found
    if not _host_is_ours(request.host, settings):
        raise Stop(421, "stop_host")
    if request.method == "POST":
        await _read_form(request, found)
        origin = request.headers.get("Origin", "")
        if origin and urlsplit(origin).netloc != request.host:
            raise Stop(403, "stop_forged")
        if not token or not hmac.compare_digest(found.form.pop("form_token", "").encode(), found.form_token.encode()):
            raise Stop(403, "stop_forged")
    return found


async def _read_form(request: web.Request, found: Visit) -> None:
    most = MAX_PICTURE_BYTES if request.path == "/branch" else MAX_FORM_BYTES
    if request.content_length is None or request.content_length > most:
        raise Stop(413, "stop_large")
    if request.content_type not in ("application/x-www-form-urlencoded", "multipart/form-data"):
        raise Stop(415, "stop_forged")
    try:
        sent = await request.post()
    except (ValueError, AssertionError):
        raise Stop(400, "stop_forged") from None
    for name, value in sent.items():
        if isinstance(value, str):
            found.form[name] = value
        elif isinstance(value, web.FileField):
            found.picture = value.file.read()


def _host_is_ours(host: str, settings: Settings) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname or ""
        ipaddress.ip_address(name)
    except ValueError:
        return name in ("localhost", urlsplit(settings.public_url).hostname)
    return True


def _language(request: web.Request) -> Language:
    for wanted in (request.query.get("lang", ""), request.cookies.get("bank_lang", "")):
        for language in LANGUAGES:
            if wanted == language:
                return language
    first = request.headers.get("Accept-Language", "zh").strip().lower()
    return "zh" if first.startswith("zh") or not first[:1].isalpha() else "en"


def add_headers(settings: Settings, found: Visit | None, response: web.StreamResponse) -> None:
    """On everything that is sent. Forms may lead to Tongping's pages, and nowhere else."""
    nonce = f"'nonce-{found.nonce}'" if found is not None else "'none'"
    socket = f" {settings.socket_url}" if settings.site else ""
    framed = found is not None and found.framed
    around = "'self'" if framed else "'none'"
    headers = response.headers
    headers["Content-Security-Policy"] = (
        f"default-src 'none'; script-src {nonce}; style-src {nonce}; img-src 'self' blob:; media-src blob:; connect-src 'self'{socket}; "
        f"frame-src 'self'; form-action 'self' {settings.server_url}; base-uri 'none'; frame-ancestors {around}; "
        "require-trusted-types-for 'script'"
    )
    headers["X-Content-Type-Options"] = "nosniff"
    headers["X-Frame-Options"] = "SAMEORIGIN" if framed else "DENY"
    headers["Referrer-Policy"] = "same-origin"
    headers["Cross-Origin-Opener-Policy"] = "same-origin"
    headers["Cross-Origin-Resource-Policy"] = "same-origin"
    headers["Permissions-Policy"] = "camera=(self), microphone=(), geolocation=(), payment=()"
    headers.setdefault("Cache-Control", "no-store")
    if settings.secure:
        headers["Strict-Transport-Security"] = "max-age=31536000"
    headers.pop("Server", None)
