"""``tongping verify-decision``: whether a signed decision is about these details. Works without a server, a configuration or a database."""

import sys
import urllib.error
import urllib.request
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import msgspec
import typer

from server.errors import Invalid
from server.transactions.details import MAX_BYTES as MAX_DETAILS
from server.transactions.token import MAX_KEY_SET_BYTES, MAX_TOKEN_CHARS, DecisionRefused, verify_decision

EXIT_NOT_ACCEPTED = 1
FETCH_S = 10.0


def command(
    token: Annotated[str, typer.Argument(help="The signed decision; - reads it from standard input.")],
    jwks: Annotated[str, typer.Option(help="The keys: a file, or the address of /api/v1/verifications/keys.")],
    details: Annotated[Path, typer.Option(help="A JSON file: the details of the transaction that is about to be executed.")],
    audience: Annotated[str, typer.Option(help="The id of the API key that asked for it (AK_…).")],
    case: Annotated[str, typer.Option(help="The verification that was asked for (VE_…).")] = "",
    type: Annotated[
        str, typer.Option(help="What kind of transaction is about to be executed; with --customer, in place of --case.")
    ] = "",
    customer: Annotated[str, typer.Option(help="For which customer.")] = "",
    issuer: Annotated[str, typer.Option(help="Who must have signed: the public address of the server.")] = "",
    at: Annotated[str, typer.Option(help="Judge its times as of then (2026-11-22T16:00:00Z), to look at an old one.")] = "",
) -> None:
    """Check a signed decision offline. Exit status 0: accepted, for these details; 1: anything else; 2: a file or an option that is wrong.

    This does not use it up: redeem it before the transaction is executed.
    """
    if not case and not (type and customer):
        raise Invalid("--case, or --type and --customer: details alone may be the same for two kinds of transactions")
    now = datetime.now(UTC) if not at else _time(at)
    found = _keys(jwks)
    text = _read(details, MAX_DETAILS)
    held = (sys.stdin.read(MAX_TOKEN_CHARS + 2) if token == "-" else token).strip()  # noqa: S105 - a dash
    try:
        claims = verify_decision(
            held,
            found,
            details=text,
            audience=audience,
            now=now,
            issuer=issuer or None,
            case=case or None,
            type=type or None,
            customer=customer or None,
        )
    except DecisionRefused as refused:
        print(f"refused: {refused.code}: {refused.detail}")
        raise typer.Exit(EXIT_NOT_ACCEPTED) from None
    print(msgspec.json.format(msgspec.json.encode(claims), indent=2).decode())
    print("accepted" if claims.accepted else f"not accepted: {claims.decision.value}")
    if not claims.accepted:
        raise typer.Exit(EXIT_NOT_ACCEPTED)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Elsewhere nobody said that the keys are."""

    def redirect_request(self, *args: Any, **more: Any) -> None:
        del args, more


def _time(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise Invalid(f"--at: {text[:40]!r} is not a time such as 2026-11-22T16:00:00Z") from None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def _keys(where: str) -> dict[str, Any]:
    """Raises Invalid."""
    raw = _fetched(where) if "://" in where else _read(Path(where), MAX_KEY_SET_BYTES)
    try:
        return msgspec.json.decode(raw, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise Invalid(f"--jwks: {where} is not a set of keys (JWKS)") from None


def _fetched(url: str) -> bytes:
    """Keys that somebody on the way could change are worth nothing: HTTPS, or this machine. Raises Invalid."""
    parts = urlsplit(url)
    near = parts.hostname in {"localhost", "127.0.0.1", "::1"}
    if parts.scheme != "https" and not (parts.scheme == "http" and near):
        raise Invalid("--jwks: an address begins with https:// (http:// on this machine alone)")
    try:
        with urllib.request.build_opener(_NoRedirect).open(url, timeout=FETCH_S) as answer:
            raw: bytes = answer.read(MAX_KEY_SET_BYTES + 1)
    except urllib.error.HTTPError as error:
        error.close()
        raise Invalid(f"--jwks: {url} answers {error.code}") from None
    except (urllib.error.URLError, OSError, ValueError) as error:
        raise Invalid(f"--jwks: {url} cannot be read: {getattr(error, 'reason', None) or error}") from None
    if len(raw) > MAX_KEY_SET_BYTES:
        raise Invalid(f"--jwks: more than {MAX_KEY_SET_BYTES} bytes")
    return raw


def _read(path: Path, most: int) -> bytes:
    """Raises Invalid."""
    try:
        with path.open("rb") as file:
            raw = file.read(most + 1)
    except OSError as error:
        raise Invalid(f"{path} cannot be read: {error.strerror}") from None
    if len(raw) > most:
        raise Invalid(f"{path}: more than {most} bytes")
    return raw
