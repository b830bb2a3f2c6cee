"""Which addresses may be told anything. Sans-I/O.

A list of origins in the configuration, and nothing else: whoever may name an address could otherwise have the server ask any machine it reaches
(server-side request forgery), and send it what happened at the bank.
"""

import ipaddress
from collections.abc import Iterable
from urllib.parse import urlsplit

from server.errors import Invalid

MAX_URL_CHARS = 2000


def origin(url: str) -> str:
    """``https://core.bank.example`` or with a port, lower case, without the standard port. Raises Invalid for what has none."""
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise Invalid("The address holds characters that addresses do not have.")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise Invalid("This is not an address.") from error
    if parts.scheme not in {"http", "https"} or not parts.hostname or "@" in parts.netloc:
        raise Invalid("An address begins with https:// and a name, without a user.")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    standard = {"http": 80, "https": 443}[parts.scheme]
    return f"{parts.scheme}://{host}" if port in (None, standard) else f"{parts.scheme}://{host}:{port}"


def shown(text: str) -> bool:
    """Whether a browser may be sent to this origin, written as browsers do: over TLS, unless it is on this machine."""
    try:
        right = origin(text) == text
    except Invalid:
        return False
    parts = urlsplit(text)
    return right and (parts.scheme == "https" or _loopback(parts.hostname or ""))


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def check(url: str, allowed: Iterable[str]) -> str:
    """``url``, if it may be told. Raises Invalid."""
    if len(url) > MAX_URL_CHARS:
        raise Invalid(f"An address has {MAX_URL_CHARS} characters or less.")
    if "#" in url:
        raise Invalid("An address to be called has no fragment.")
    if origin(url) not in set(allowed):
        raise Invalid("This origin is not among those that may be told: webhooks.origins.")
    return url
