"""The signed decision: a JWS (RFC 7515, EdDSA as in RFC 8037) that the bank's system checks by itself. Sans-I/O.

It says what was decided about which transaction: case, customer's pseudonym, type and the hash of the details. Whoever executes the transaction
calls ``verify_decision`` with the details that it is about to execute: any other details are refused. A token is used once: see ``redeem`` in
``docs/transactions.md``.

Reading is stricter than the RFCs ask, after RFC 8725: one algorithm, one ``typ``, a ``kid`` of the key set, no other header, canonical base64url
(another spelling of the same bytes is another token), every claim there and of its type (``rules_hash`` and ``model_hash`` came later and may be
missing). Claims that are not known are let be, so that later servers can say more. Times are whole seconds.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import jwt
import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from server.auth.jwks import ALGORITHM, decode
from server.errors import CallerError
from server.transactions.decision import AttemptKind, Outcome
from server.transactions.details import details_hash, read_details
from server.transactions.risk.result import RiskLevel

TYPE = "tongping-decision+jwt"
LEEWAY_S = 5
"""Granted to clocks that differ, both ways."""
MAX_LIFETIME_S = 3600
MAX_TOKEN_CHARS = 8192
MAX_KEYS = 16
MAX_KEY_SET_BYTES = 64 * 1024

_SHAPE = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{86}")

Hash = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
Word = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


class DecisionRefused(CallerError):
    """This token proves nothing. ``code`` says why, and is stable."""

    code = "decision_refused"

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


class DecisionClaims(msgspec.Struct, frozen=True, kw_only=True):
    """What the token says. ``decision`` is ``accept`` or ``reject``: a case that waits for a review has no token. ``reasons``: codes. ``pack_hash``: of the model
    pack, "" where no picture was looked at. ``assurance``, ``risk_level``: None likewise. ``rules_hash``, ``model_hash``: what the risk was assessed
    with, "" where it was not, and in tokens of servers that did not say it."""

    iss: Word
    aud: Word
    jti: Word
    iat: int
    exp: int
    case: Annotated[str, msgspec.Meta(pattern="^VE_[A-Z2-7]{26}$")]
    customer: Word
    type: Word
    details_hash: Annotated[str, msgspec.Meta(pattern="^[A-Za-z0-9_-]{43}$")]
    decision: Outcome
    reasons: tuple[str, ...]
    policy_hash: Hash
    pack_hash: str
    assurance: AttemptKind | None
    risk_level: RiskLevel | None
    rules_hash: str = ""
    model_hash: str = ""

    @property
    def accepted(self) -> bool:
        """The only thing to act upon."""
        return self.decision is Outcome.ACCEPT

    @property
    def expires_at(self) -> datetime:
        return datetime.fromtimestamp(self.exp, UTC)


class _Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    alg: str
    kid: str
    typ: str


_read_header = msgspec.json.Decoder(_Header, strict=True)
_read_claims = msgspec.json.Decoder(DecisionClaims, strict=True)


class DecisionSigner:
    """Signs decisions. ``kid`` names the key in the key set."""

    def __init__(self, key: Ed25519PrivateKey, kid: str, *, issuer: str, lifetime_s: int) -> None:
        if not 1 <= lifetime_s <= MAX_LIFETIME_S:
            raise ValueError(f"a decision holds 1..{MAX_LIFETIME_S} s, not {lifetime_s}")
        self._key = key
        self._kid = kid
        self._issuer = issuer
        self._lifetime_s = lifetime_s

    def sign(
        self,
        *,
        audience: str,
        jti: str,
        case: str,
        customer: str,
        type: str,
        details_hash: str,
        decision: Outcome,
        reasons: tuple[str, ...],
        policy_hash: str,
        pack_hash: str,
        assurance: AttemptKind | None,
        risk_level: RiskLevel | None,
        rules_hash: str = "",
        model_hash: str = "",
        now: datetime,
    ) -> tuple[str, datetime]:
        """The token, and until when it holds. Raises ValueError for REFER: nothing was decided."""
        if decision not in (Outcome.ACCEPT, Outcome.REJECT):
            raise ValueError("only what was decided is signed")
        issued = now.astimezone(UTC).replace(microsecond=0)
        until = issued + timedelta(seconds=self._lifetime_s)
        claims = DecisionClaims(
            iss=self._issuer, aud=audience, jti=jti, iat=int(issued.timestamp()), exp=int(until.timestamp()), case=case,
            customer=customer, type=type, details_hash=details_hash, decision=decision, reasons=reasons,
            policy_hash=policy_hash, pack_hash=pack_hash, assurance=assurance, risk_level=risk_level,
            rules_hash=rules_hash, model_hash=model_hash,
        )  # fmt: skip
        headers = {"kid": self._kid, "typ": TYPE}
        return jwt.encode(msgspec.to_builtins(claims), self._key, algorithm=ALGORITHM, headers=headers), until


def read_key_set(jwks: Mapping[str, Any]) -> dict[str, Ed25519PublicKey]:
    """The keys of a JWKS that decisions may be signed with; others in it are let be. Raises DecisionRefused."""
    keys = jwks.get("keys") if isinstance(jwks, Mapping) else None
    if not isinstance(keys, list):
        raise DecisionRefused("keys_invalid", "The key set is not a JWKS.")
    found: dict[str, Ed25519PublicKey] = {}
    for one in keys[:MAX_KEYS]:
        if not isinstance(one, Mapping) or (one.get("kty"), one.get("crv")) != ("OKP", "Ed25519"):
            continue
        if one.get("use", "sig") != "sig" or one.get("alg", ALGORITHM) != ALGORITHM or "d" in one:
            continue
        try:
            kid, x = one["kid"], one["x"]
            if not isinstance(kid, str) or not kid or kid in found:
                raise ValueError("a key needs a name of its own")
            found[kid] = Ed25519PublicKey.from_public_bytes(decode(x))
        except (KeyError, ValueError, TypeError, AttributeError):
            raise DecisionRefused("keys_invalid", "The key set has a key that cannot be read.") from None
    return found


def verify_decision(
    token: str,
    jwks: Mapping[str, Any],
    *,
    details: Mapping[str, object] | bytes,
    audience: str,
    now: datetime,
    issuer: str | None = None,
    case: str | None = None,
    type: str | None = None,
    customer: str | None = None,
) -> DecisionClaims:
    """What was decided about exactly these ``details``. Look at ``accepted`` then, and redeem the token before the transaction is executed.

    Name the ``case`` that was asked for, or ``type`` and ``customer``: details alone may be the same for two kinds of transactions.

    ``details``: those of the transaction that is about to be executed, parsed or as JSON text. ``audience``: the id of the API key that asked.
    ``issuer``: who must have signed, where the same keys sign for several. Raises DecisionRefused, and DetailsInvalid for details that have no canonical form.
    """
    claims = read_decision(token, read_key_set(jwks), now=now)
    if claims.aud != audience:
        raise DecisionRefused("wrong_audience", "This decision is for somebody else.")
    if issuer is not None and claims.iss != issuer:
        raise DecisionRefused("wrong_issuer", "This decision was made elsewhere.")
    found = details_hash(read_details(details) if isinstance(details, bytes) else details)
    if claims.details_hash != found:
        raise DecisionRefused("other_details", "This decision is about other details.")
    for what, wanted, said in (
        ("case", case, claims.case),
        ("type", type, claims.type),
        ("customer", customer, claims.customer),
    ):
        if wanted is not None and wanted != said:
            raise DecisionRefused(f"other_{what}", f"This decision is about another {what}.")
    return claims


def read_decision(token: str, keys: Mapping[str, Ed25519PublicKey], *, now: datetime) -> DecisionClaims:
    """A token whose signature and times are good; who it is for and what it is about is still to be looked at. Raises DecisionRefused."""
    if not isinstance(token, str) or len(token) > MAX_TOKEN_CHARS or _SHAPE.fullmatch(token) is None:
        raise DecisionRefused("not_a_decision", "This is no signed decision.")
    header_text, claims_text, signature_text = token.split(".")
    try:
        header = _read_header.decode(decode(header_text))
        payload = decode(claims_text)
        decode(signature_text)
    except (ValueError, msgspec.MsgspecError):
        raise DecisionRefused("not_a_decision", "This is no signed decision.") from None
    if header.alg != ALGORITHM or header.typ != TYPE:
        raise DecisionRefused("not_a_decision", "This is no signed decision.")
    key = keys.get(header.kid)
    if key is None:
        raise DecisionRefused("unknown_key", "The key set does not have the key that this is signed with.")
    try:
        jwt.api_jws.decode(token, key, algorithms=[ALGORITHM])
    except jwt.PyJWTError:
        raise DecisionRefused("bad_signature", "The signature is not good.") from None
    try:
        claims = _read_claims.decode(payload)
    except (ValueError, msgspec.MsgspecError):
        raise DecisionRefused("not_a_decision", "This is no signed decision.") from None
    if claims.decision is Outcome.REFER or not 0 < claims.exp - claims.iat <= MAX_LIFETIME_S:
        raise DecisionRefused("not_a_decision", "This is no signed decision.")
    if claims.iat > now.timestamp() + LEEWAY_S:
        raise DecisionRefused("not_yet", "This decision is of the future: look at the clocks.")
    if now.timestamp() >= claims.exp + LEEWAY_S:
        raise DecisionRefused("expired", "This decision has expired.")
    return claims
