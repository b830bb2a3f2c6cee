"""Short-lived signed tokens (JWT, RFC 7519; EdDSA over Ed25519, RFC 8037). Sans-I/O; PyJWT signs and checks signatures.

A verifier is stricter than the RFCs ask, after RFC 8725: one algorithm, a known ``kid`` from our own ring, no other header
(``jwk``, ``jku``, ``x5u``, ``crit`` … are refused, never read), canonical base64url (another spelling of the same bytes is
another token, and refused), ``iss``, ``aud``, ``sub``, ``iat``, ``exp``, ``jti`` mandatory, no claim it does not know, a lifetime no
longer than ``MAX_LIFETIME_S``, and a session token only in its own session. Times are whole seconds; ``LEEWAY_S`` (5 s) is
granted both ways, for clocks of several nodes.
"""

import base64
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum

import jwt
import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from server.domain import ids
from server.domain.grants import Grant
from server.domain.ids import LoginId, ParticipantId, SessionId, StaffId
from server.domain.model import Role
from server.errors import TokenExpired, Unauthenticated

ALGORITHM = "EdDSA"
ISSUER = "tongping"
SESSION_LIFETIME_S = 15 * 60
DESK_LIFETIME_S = 30 * 60
MAX_LIFETIME_S = 24 * 3600
LEEWAY_S = 5
MAX_TOKEN_CHARS = 4096
MAX_KEYS = 8

_SHAPE = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{86}")
_REFUSED = "The token is not valid."


class Audience(StrEnum):
    """A token of one audience is nothing to the other."""

    SESSION = "tongping:session"
    DESK = "tongping:desk"


class Claims(msgspec.Struct, frozen=True, kw_only=True):
    """What a verified token says. ``subject``: a ParticipantId (session) or a StaffId (desk); ``session`` is "" at the desk.

    ``login``: which signing in a desk token came of; "" in a session.
    """

    audience: Audience
    subject: str
    session: SessionId | str
    login: LoginId | str = ""
    role: Role
    grants: frozenset[Grant]
    name: str
    id: str
    issued_at: datetime
    expires_at: datetime


class _Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    alg: str
    kid: str
    typ: str


class _Payload(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    iss: str
    aud: str
    sub: str
    jti: str
    iat: int
    exp: int
    role: Role
    grants: list[Grant]
    sid: str = ""
    login: str = ""
    name: str = ""


_read_header = msgspec.json.Decoder(_Header, strict=True)
_read_payload = msgspec.json.Decoder(_Payload, strict=True)


class TokenSigner:
    """Makes tokens. ``new_jti`` brings a fresh unique text for each; ``kid`` names the key for verifiers."""

    def __init__(
        self,
        key: Ed25519PrivateKey,
        kid: str,
        *,
        new_jti: Callable[[], str],
        issuer: str = ISSUER,
        session_lifetime_s: int = SESSION_LIFETIME_S,
        desk_lifetime_s: int = DESK_LIFETIME_S,
    ) -> None:
        for lifetime_s in (session_lifetime_s, desk_lifetime_s):
            if not 1 <= lifetime_s <= MAX_LIFETIME_S:
                raise ValueError(f"a token lives 1..{MAX_LIFETIME_S} s, not {lifetime_s}")
        self._key = key
        self._kid = kid
        self._new_jti = new_jti
        self._issuer = issuer
        self._session_lifetime_s = session_lifetime_s
        self._desk_lifetime_s = desk_lifetime_s

    def session_token(
        self,
        *,
        session: SessionId,
        participant: ParticipantId,
        role: Role,
        grants: frozenset[Grant],
        now: datetime,
        name: str = "",
    ) -> tuple[str, datetime]:
        """A participant's token for one session, and when it ends."""
        return self._sign(Audience.SESSION, participant, session, role, grants, name, now, self._session_lifetime_s)

    def desk_token(
        self,
        *,
        staff: StaffId,
        login: LoginId,
        role: Role,
        grants: frozenset[Grant],
        now: datetime,
        until: datetime,
        name: str = "",
    ) -> tuple[str, datetime]:
        """A staff member's token for the desk, and when it ends: ``until``, when the login does, at the latest."""
        left_s = int((until - now).total_seconds())
        if left_s < 1:
            raise ValueError("this login is over")
        return self._sign(Audience.DESK, staff, "", role, grants, name, now, min(self._desk_lifetime_s, left_s), login)

    def _sign(
        self,
        audience: Audience,
        subject: str,
        session: str,
        role: Role,
        grants: frozenset[Grant],
        name: str,
        now: datetime,
        lifetime_s: int,
        login: str = "",
    ) -> tuple[str, datetime]:
        issued_at = now.astimezone(UTC).replace(microsecond=0)
        expires_at = issued_at + timedelta(seconds=lifetime_s)
        payload: dict[str, object] = {
            "iss": self._issuer,
            "aud": str(audience),
            "sub": subject,
            "jti": self._new_jti(),
            "iat": int(issued_at.timestamp()),
            "exp": int(expires_at.timestamp()),
            "role": str(role),
            "grants": sorted(str(grant) for grant in grants),
            "sid": session,
            "name": name,
        }
        if login:
            payload["login"] = login
        token = jwt.encode(payload, self._key, algorithm=ALGORITHM, headers={"kid": self._kid, "typ": "JWT"})
        return token, expires_at


class TokenVerifier:
    """Reads tokens. ``keys``: every key that may still have signed a living token, by ``kid`` (at most 8).

    The order of the checks: shape and size, header (algorithm, key id, nothing else), signature, claims, issuer, audience,
    subject and session, times; only a token that is right in everything else is called expired.
    """

    def __init__(self, keys: Mapping[str, Ed25519PublicKey], *, issuer: str = ISSUER) -> None:
        if not 1 <= len(keys) <= MAX_KEYS:
            raise ValueError(f"a key ring holds 1..{MAX_KEYS} keys, not {len(keys)}")
        self._keys = dict(keys)
        self._issuer = issuer

    def verify(self, token: str, *, now: datetime) -> Claims:
        """A token of either audience: look at ``audience``. Raises Unauthenticated, TokenExpired."""
        claims = self._verify(token, now)
        if now >= claims.expires_at + timedelta(seconds=LEEWAY_S):
            raise TokenExpired("The token has expired.")
        return claims

    def _verify(self, token: str, now: datetime) -> Claims:
        if len(token) > MAX_TOKEN_CHARS or _SHAPE.fullmatch(token) is None:
            raise Unauthenticated(_REFUSED)
        header_text, payload_text, signature_text = token.split(".")
        try:
            header = _read_header.decode(_decode_base64url(header_text))
            payload_bytes = _decode_base64url(payload_text)
            _decode_base64url(signature_text)
        except (ValueError, msgspec.MsgspecError) as exc:
            raise Unauthenticated(_REFUSED) from exc
        key = self._keys.get(header.kid)
        if header.alg != ALGORITHM or header.typ != "JWT" or key is None:
            raise Unauthenticated(_REFUSED)
        try:
            jwt.api_jws.decode(token, key, algorithms=[ALGORITHM])
            payload = _read_payload.decode(payload_bytes)
        except (jwt.PyJWTError, ValueError, msgspec.MsgspecError) as exc:
            raise Unauthenticated(_REFUSED) from exc
        return self._claims(payload, now)

    def _claims(self, payload: _Payload, now: datetime) -> Claims:
        if payload.iss != self._issuer or payload.aud not in tuple(Audience):
            raise Unauthenticated(_REFUSED)
        found = Audience(payload.aud)
        if found is Audience.SESSION:
            bound = ids.is_id(payload.sub, ids.PARTICIPANT) and ids.is_id(payload.sid, ids.SESSION) and payload.login == ""
        else:
            bound = ids.is_id(payload.sub, ids.STAFF) and ids.is_id(payload.login, ids.LOGIN) and payload.sid == ""
        lifetime_s = payload.exp - payload.iat
        if not bound or not payload.jti or not 0 < lifetime_s <= MAX_LIFETIME_S:
            raise Unauthenticated(_REFUSED)
        if payload.iat > now.timestamp() + LEEWAY_S:
            raise Unauthenticated("The token is not valid yet.")
        try:
            issued_at = datetime.fromtimestamp(payload.iat, UTC)
            expires_at = datetime.fromtimestamp(payload.exp, UTC)
        except (ValueError, OverflowError, OSError) as exc:
            raise Unauthenticated(_REFUSED) from exc
        return Claims(
            audience=found,
            subject=payload.sub,
            session=payload.sid,
            login=payload.login,
            role=payload.role,
            grants=frozenset(payload.grants),
            name=payload.name,
            id=payload.jti,
            issued_at=issued_at,
            expires_at=expires_at,
        )


def _decode_base64url(text: str) -> bytes:
    """Canonical base64url without padding (RFC 7515 §2). Raises ValueError for any other spelling."""
    data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if base64.urlsafe_b64encode(data).rstrip(b"=").decode() != text:
        raise ValueError("not canonical base64url")
    return data
