"""Tokens: what was signed is read back, and nothing else is accepted (campaign 5)."""

import base64
import hmac
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from server.auth.tokens import LEEWAY_S, MAX_LIFETIME_S, MAX_TOKEN_CHARS, Audience, Claims, TokenSigner, TokenVerifier
from server.domain.grants import Grant
from server.domain.ids import LoginId, ParticipantId, SessionId, StaffId, make_id
from server.domain.model import Role
from server.errors import TokenExpired, TongpingError, Unauthenticated

NOW = datetime(2026, 3, 1, 8, 0, 0, 500_000, tzinfo=UTC)
IAT = int(NOW.timestamp())
SESSION, OTHER_SESSION = SessionId(make_id("SE", bytes(16))), SessionId(make_id("SE", bytes(15) + b"\1"))
PARTICIPANT, STAFF = ParticipantId(make_id("PA", bytes(16))), StaffId(make_id("ST", bytes(16)))
LOGIN, UNTIL = LoginId(make_id("LO", bytes(16))), NOW + timedelta(hours=12)
GRANTS = frozenset({Grant.CHAT, Grant.SUBSCRIBE})

KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
OLD_KEY = Ed25519PrivateKey.from_private_bytes(b"o" * 32)
STRANGER = Ed25519PrivateKey.from_private_bytes(b"s" * 32)
_numbers = count()
SIGNER = TokenSigner(KEY, "new", new_jti=lambda: f"jti-{next(_numbers)}")
VERIFIER = TokenVerifier({"new": KEY.public_key(), "old": OLD_KEY.public_key()})


def session_token(now: datetime = NOW) -> str:
    token, _ = SIGNER.session_token(
        session=SESSION, participant=PARTICIPANT, role=Role.CUSTOMER, grants=GRANTS, now=now, name="王芳"
    )
    return token


def desk_token() -> str:
    return SIGNER.desk_token(
        staff=STAFF, login=LOGIN, role=Role.AGENT, grants=frozenset({Grant.SESSION_CREATE}), now=NOW, until=UNTIL
    )[0]


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


PAYLOAD: dict[str, Any] = {
    "iss": "tongping",
    "aud": "tongping:session",
    "sub": PARTICIPANT,
    "jti": "x",
    "iat": IAT,
    "exp": IAT + 900,
    "role": "customer",
    "grants": ["chat"],
    "sid": SESSION,
    "name": "",
}
HEADER: dict[str, Any] = {"alg": "EdDSA", "kid": "new", "typ": "JWT"}


def forge(payload: object = PAYLOAD, header: object = HEADER, key: Ed25519PrivateKey = KEY) -> str:
    """Signed rightly, whatever it says."""
    head = b64(header if isinstance(header, bytes) else json.dumps(header).encode())
    body = b64(payload if isinstance(payload, bytes) else json.dumps(payload).encode())
    return f"{head}.{body}.{b64(key.sign(f'{head}.{body}'.encode()))}"


def for_session(token: str, *, now: datetime, session: str = SESSION) -> Claims:
    """As a session's door does: somebody else's token is no token."""
    claims = VERIFIER.verify(token, now=now)
    if (claims.audience, claims.session) != (Audience.SESSION, session):
        raise Unauthenticated("for something else")
    return claims


def for_desk(token: str, *, now: datetime) -> Claims:
    claims = VERIFIER.verify(token, now=now)
    if claims.audience is not Audience.DESK:
        raise Unauthenticated("for something else")
    return claims


# ---- what is accepted


def test_a_session_token_is_read_back() -> None:
    token, expires_at = SIGNER.session_token(
        session=SESSION, participant=PARTICIPANT, role=Role.CUSTOMER, grants=GRANTS, now=NOW, name="王芳"
    )
    claims = for_session(token, now=NOW, session=SESSION)
    assert claims == Claims(
        audience=Audience.SESSION,
        subject=PARTICIPANT,
        session=SESSION,
        role=Role.CUSTOMER,
        grants=GRANTS,
        name="王芳",
        id=claims.id,
        issued_at=NOW.replace(microsecond=0),
        expires_at=expires_at,
    )
    assert expires_at == NOW.replace(microsecond=0) + timedelta(minutes=15)
    assert VERIFIER.verify(token, now=NOW) == claims


def test_a_desk_token_is_read_back() -> None:
    claims = for_desk(desk_token(), now=NOW)
    assert (claims.audience, claims.subject, claims.session, claims.role) == (Audience.DESK, STAFF, "", Role.AGENT)
    assert claims.login == LOGIN
    assert claims.expires_at - claims.issued_at == timedelta(minutes=30)


def test_a_desk_token_ends_with_its_login() -> None:
    def token(left_s: float) -> str:
        until = NOW + timedelta(seconds=left_s)
        return SIGNER.desk_token(staff=STAFF, login=LOGIN, role=Role.AGENT, grants=frozenset(), now=NOW, until=until)[0]

    claims = VERIFIER.verify(token(100), now=NOW)
    assert claims.expires_at - claims.issued_at == timedelta(seconds=100)
    for over_s in (0.5, 0, -1):
        with pytest.raises(ValueError, match="over"):
            token(over_s)


def test_every_token_has_its_own_id() -> None:
    assert len({VERIFIER.verify(session_token(), now=NOW).id for _ in range(10)}) == 10


def test_an_older_key_of_the_ring_is_accepted_and_a_dropped_one_is_not() -> None:
    token = forge(header=HEADER | {"kid": "old"}, key=OLD_KEY)
    assert VERIFIER.verify(token, now=NOW).subject == PARTICIPANT
    with pytest.raises(Unauthenticated):
        TokenVerifier({"new": KEY.public_key()}).verify(token, now=NOW)


def test_the_forger_of_these_tests_is_accepted_when_it_forges_nothing() -> None:
    assert for_session(forge(), now=NOW, session=SESSION).session == SESSION


@pytest.mark.parametrize(
    ("after_s", "error"),
    [
        (-LEEWAY_S - 1, Unauthenticated),
        (-LEEWAY_S, None),
        (0, None),
        (899, None),
        (900 + LEEWAY_S - 1, None),
        (900 + LEEWAY_S, TokenExpired),
        (10**9, TokenExpired),
    ],
)
def test_a_token_lives_from_its_issue_to_its_end(after_s: int, error: type[TongpingError] | None) -> None:
    token, now = session_token(), NOW.replace(microsecond=0) + timedelta(seconds=after_s)
    if error is None:
        assert for_session(token, now=now).session == SESSION
    else:
        with pytest.raises(error) as caught:
            for_session(token, now=now)
        assert type(caught.value) is error


@pytest.mark.parametrize("lifetime_s", [0, -1, MAX_LIFETIME_S + 1])
def test_a_lifetime_out_of_range_is_refused(lifetime_s: int) -> None:
    with pytest.raises(ValueError, match="lives"):
        TokenSigner(KEY, "new", new_jti=str, session_lifetime_s=lifetime_s)


@pytest.mark.parametrize("size", [0, 9])
def test_a_key_ring_has_a_size(size: int) -> None:
    with pytest.raises(ValueError, match="key ring"):
        TokenVerifier({str(i): KEY.public_key() for i in range(size)})


# ---- what is refused


def wrong_algorithms() -> Iterator[tuple[str, str]]:
    """none, in every spelling, and key confusion: the public key (which an attacker has) as a secret of HMAC."""
    public = KEY.public_key()
    secrets = {
        "raw": public.public_bytes_raw(),
        "pem": public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo),
        "der": public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo),
        "ssh": public.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH),
        "hex": public.public_bytes_raw().hex().encode(),
        "empty": b"",
        "kid": b"new",
    }
    body = b64(json.dumps(PAYLOAD).encode())
    for alg in ("none", "None", "NONE", "nOnE", "", "null", " none"):
        head = b64(json.dumps(HEADER | {"alg": alg}).encode())
        for signature in ("", ".", b64(bytes(64)), b64(KEY.sign(f"{head}.{body}".encode()))):
            yield f"alg {alg!r} signature {signature[:4]!r}", f"{head}.{body}.{signature}"
        yield f"alg {alg!r} no third part", f"{head}.{body}"
    for alg, digest in (("HS256", "sha256"), ("HS384", "sha384"), ("HS512", "sha512")):
        head = b64(json.dumps(HEADER | {"alg": alg}).encode())
        for name, secret in secrets.items():
            signature = hmac.digest(secret, f"{head}.{body}".encode(), digest)
            yield f"{alg} with the public key as {name}", f"{head}.{body}.{b64(signature)}"
            yield f"{alg} with the public key as {name}, padded", f"{head}.{body}.{b64((signature + bytes(64))[:64])}"
            lying = b64(json.dumps(HEADER).encode())
            signature = hmac.digest(secret, f"{lying}.{body}".encode(), digest)
            yield f"EdDSA said, {alg} done as {name}", f"{lying}.{body}.{b64((signature * 2)[:64])}"


def other_keys() -> Iterator[tuple[str, str]]:
    yield "a stranger's key under our kid", forge(key=STRANGER)
    yield "the old key under the new kid", forge(key=OLD_KEY)
    yield "the new key under the old kid", forge(header=HEADER | {"kid": "old"})
    for kid in (
        "",
        "x",
        "NEW",
        "new ",
        " new",
        "new\0",
        "../new",
        "../../../../dev/null",
        "new' OR '1'='1",
        "0",
        "*",
        "k" * 200,
    ):
        yield f"kid {kid!r}", forge(header=HEADER | {"kid": kid})
        yield f"kid {kid!r} by a stranger", forge(header=HEADER | {"kid": kid}, key=STRANGER)
    for kid in (None, 0, 1, True, ["new"], {"new": 1}, 1.5):
        yield f"kid {kid!r}", forge(header=HEADER | {"kid": kid})
    # Right signatures of other algorithms, under their own and under our algorithm's name.
    for alg, key in (
        ("ES256", ec.generate_private_key(ec.SECP256R1())),
        ("ES512", ec.generate_private_key(ec.SECP521R1())),
        ("RS256", rsa.generate_private_key(65537, 2048)),
        ("PS256", rsa.generate_private_key(65537, 2048)),
        ("EdDSA", Ed448PrivateKey.generate()),
    ):
        token = jwt.encode(PAYLOAD, key, algorithm=alg, headers={"kid": "new", "typ": "JWT"})  # type: ignore[arg-type]
        yield f"{alg} of a stranger", token
        _, body, signature = token.split(".")
        renamed = b64(json.dumps(HEADER).encode())
        yield f"{alg} of a stranger called EdDSA", f"{renamed}.{body}.{signature}"
        yield f"{alg} of a stranger called EdDSA, cut", f"{renamed}.{body}.{signature[:86]}"


def headers() -> Iterator[tuple[str, str]]:
    jwk = {"kty": "OKP", "crv": "Ed25519", "x": b64(STRANGER.public_key().public_bytes_raw())}
    extra: dict[str, object] = {
        "jwk": jwk,
        "jku": "https://evil.example/keys.json",
        "x5u": "https://evil.example/cert.pem",
        "x5c": ["MIIB"],
        "x5t": "AAAA",
        "crit": ["exp"],
        "b64": False,
        "zip": "DEF",
        "enc": "A256GCM",
        "cty": "JWT",
        "url": "http://127.0.0.1",
        "nonce": "1",
        "p2c": 10**9,
        "apu": "x",
    }
    for name, value in extra.items():
        for signer, key in (("us", KEY), ("a stranger", STRANGER)):
            yield f"header {name} by {signer}", forge(header=HEADER | {name: value}, key=key)
    yield (
        "a stranger's own key brought along, without kid",
        forge(header={"alg": "EdDSA", "typ": "JWT", "jwk": jwk}, key=STRANGER),
    )
    for typ in ("", "jwt", "JWS", "at+jwt", "JWE", None, 1):
        yield f"typ {typ!r}", forge(header=HEADER | {"typ": typ})
    for alg in ("eddsa", "EDDSA", "EdDSA ", "Ed25519", "ed25519", "Ed448", "ES256", None, 0, ["EdDSA"], {"EdDSA": 1}, True):
        yield f"alg {alg!r} rightly signed", forge(header=HEADER | {"alg": alg})
    for name in HEADER:
        yield f"header without {name}", forge(header={k: v for k, v in HEADER.items() if k != name})
    for raw in (b"", b"{}", b"[]", b"null", b"1", b'"x"', b"{", b"\xff\xfe", b"\xef\xbb\xbf{}", b"[" * 1000):
        yield f"header {raw[:8]!r}", forge(header=raw)


def claims() -> Iterator[tuple[str, str]]:
    for name in PAYLOAD:
        if name != "name":
            yield f"without {name}", forge({k: v for k, v in PAYLOAD.items() if k != name})
        for value in (None, [], {}, True, 1.5, [PAYLOAD[name]], {"x": PAYLOAD[name]}, b64(bytes(40)) * 3, -1, 2**70):
            harmless = (name in ("name", "jti") and isinstance(value, str)) or (name == "grants" and value == [])
            if value != PAYLOAD[name] and not harmless:
                yield f"{name} = {str(value)[:20]!r}", forge(PAYLOAD | {name: value})
    for name in ("nbf", "admin", "scope", "grant", "roles", "https://evil.example", ""):
        yield f"an unknown claim {name!r}", forge(PAYLOAD | {name: 0})
    changes: dict[str, tuple[object, ...]] = {
        "iss": ("", "Tongping", "tongping ", "evil", "tongping\0"),
        "aud": ("", "tongping", "tongping:desk", "tongping:session ", "TONGPING:SESSION", ["tongping:session"], "evil"),
        "sub": (
            "",
            STAFF,
            SESSION,
            PARTICIPANT.lower(),
            PARTICIPANT + "A",
            PARTICIPANT[:-1],
            f"{PARTICIPANT}\n",
            "PA_",
            "root",
        ),
        "sid": ("", OTHER_SESSION, PARTICIPANT, SESSION.lower(), SESSION + " ", f"{SESSION}\n", "*", "SE_"),
        "role": ("", "admin", "Agent", "agent ", "customer,agent", 0),
        "grants": (["admin"], ["chat", ""], "chat", ["*"], [["chat"]], [None], {"chat": True}),
        "jti": ("", 1),
        "exp": (0, -1, IAT, IAT - 1, str(IAT + 900), IAT + 900.5, 2**63, 2**200, IAT + MAX_LIFETIME_S + 1, "never", 1e308),
        "iat": (IAT + 6, IAT + 300, IAT + 900, 2**63, 0, -(2**63), str(IAT), IAT + 0.5, IAT - MAX_LIFETIME_S),
    }
    for name, values in changes.items():
        for value in values:
            yield f"{name} = {str(value)[:30]!r}", forge(PAYLOAD | {name: value})
    yield "long since over and never ending", forge(PAYLOAD | {"iat": 1, "exp": 2**40})
    for raw in (b"", b"{}", b"[]", b"null", b'"x"', b"{", b"\xff", b"\0", json.dumps(PAYLOAD).encode() + b"x", b"[" * 2000):
        yield f"payload {raw[:8]!r}", forge(raw)
    yield "a payload in UTF-16", forge(json.dumps(PAYLOAD).encode("utf-16"))
    yield "NaN", forge(json.dumps(PAYLOAD).replace(str(IAT + 900), "NaN").encode())
    yield "a token in a token", forge(session_token().encode())
    yield "a token as the name of a claim", forge({"token": session_token()})


def shapes() -> Iterator[tuple[str, str]]:
    token = session_token()
    head, body, signature = token.split(".")
    last = signature[-1]
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    for other in alphabet:
        if other != last:  # the last character has four bits that decode to nothing
            yield f"signature ends in {other}", f"{head}.{body}.{signature[:-1]}{other}"
    yield from {
        "nothing": "",
        "a dot": ".",
        "two dots": "..",
        "four parts": f"{token}.{signature}",
        "five parts (JWE)": f"{token}.{signature}.{signature}",
        "two parts": f"{head}.{body}",
        "padding": f"{token}==",
        "padding in the head": f"{head}==.{body}.{signature}",
        "a space in front": f" {token}",
        "a line feed behind": f"{token}\n",
        "a line feed inside": f"{head}.\n{body}.{signature}",
        "Bearer": f"Bearer {token}",
        "quotes": f'"{token}"',
        "NUL": f"{token}\0",
        "not ASCII": f"{head}.{body}é.{signature}",
        "a lone surrogate": f"{head}.{body}.{signature}\ud800",
        "full-width letters": f"{head}.{body}.{signature[:-1]}\uff21",
        "the standard alphabet": token.replace("-", "+").replace("_", "/") + "+",
        "percent-encoded": token.replace(".", "%2E"),
        "lower case": token.lower(),
        "upper case": token.upper(),
        "reversed": token[::-1],
        "no signature": f"{head}.{body}.",
        "no payload": f"{head}..{signature}",
        "no header": f".{body}.{signature}",
        "a zero signature": f"{head}.{body}.{b64(bytes(64))}",
        "half a signature": f"{head}.{body}.{signature[:43]}",
        "twice the signature": f"{head}.{body}.{signature}{signature}",
        "huge": forge(PAYLOAD | {"name": "x" * MAX_TOKEN_CHARS}),
        "very huge": "a" * 10_000_000,
        "JSON serialisation": json.dumps({"payload": body, "protected": head, "signature": signature}),
        "swapped parts": f"{body}.{head}.{signature}",
    }.items()
    # The signature S + L is the same point (malleability): RFC 8032 §5.1.7 demands S < L.
    raw = base64.urlsafe_b64decode(signature + "==")
    order = 2**252 + 27742317777372353535851937790883648493
    malleable = raw[:32] + (int.from_bytes(raw[32:], "little") + order).to_bytes(32, "little")
    yield "a malleable signature", f"{head}.{body}.{b64(malleable)}"


def parts() -> Iterator[tuple[str, str]]:
    """Parts of right tokens put together, and every character changed."""
    one, desk = session_token().split("."), desk_token().split(".")
    other = session_token(NOW + timedelta(seconds=1)).split(".")
    yield "this payload, that signature", f"{one[0]}.{other[1]}.{one[2]}"
    yield "desk payload, session signature", f"{desk[0]}.{desk[1]}.{one[2]}"
    token = session_token()
    for place in range(len(token)):
        changed = "A" if token[place] != "A" else "B"
        yield f"character {place}", token[:place] + changed + token[place + 1 :]
        yield f"without character {place}", token[:place] + token[place + 1 :]


FORGERIES = {
    f"{group.__name__}: {name}": token
    for group in (wrong_algorithms, other_keys, headers, claims, shapes, parts)
    for name, token in group()
}


@pytest.mark.campaign(5)
def test_no_forged_token_is_accepted() -> None:
    accepted, foreign = [], []
    for name, token in FORGERIES.items():
        try:
            for_session(token, now=NOW, session=SESSION)
            accepted.append(name)
        except Unauthenticated as refused:
            if isinstance(refused, TokenExpired) and "exp" not in name and "iat" not in name:
                foreign.append(f"{name}: said expired")
        except Exception as error:
            foreign.append(f"{name}: {error!r}")
    assert (accepted, foreign) == ([], [])
    assert len(FORGERIES) >= 500


@pytest.mark.campaign(5)
def test_no_forged_token_is_accepted_at_the_desk() -> None:
    for token in FORGERIES.values():
        with pytest.raises(Unauthenticated):
            for_desk(token, now=NOW)


@pytest.mark.campaign(5)
def test_tokens_do_not_cross_their_bounds() -> None:
    for refuse in (
        lambda: for_desk(session_token(), now=NOW),
        lambda: for_session(desk_token(), now=NOW),
        lambda: for_session(session_token(), now=NOW, session=OTHER_SESSION),
        lambda: for_session(session_token(), now=NOW, session=""),
        lambda: for_desk(forge(PAYLOAD | {"aud": "tongping:desk"}), now=NOW),
        lambda: for_desk(forge(PAYLOAD | {"aud": "tongping:desk", "sub": STAFF}), now=NOW),  # with a session
        lambda: VERIFIER.verify(forge(PAYLOAD | {"aud": "tongping:desk", "sub": STAFF, "sid": ""}), now=NOW),  # without a login
        lambda: VERIFIER.verify(forge(PAYLOAD | {"login": LOGIN}), now=NOW),  # a login in a session
        lambda: for_session(forge(PAYLOAD | {"sub": STAFF}), now=NOW),
        lambda: TokenVerifier({"new": KEY.public_key()}, issuer="another").verify(session_token(), now=NOW),
    ):
        with pytest.raises(Unauthenticated):
            refuse()


@given(st.text())
def test_text_is_not_a_token(text: str) -> None:
    with pytest.raises(Unauthenticated):
        VERIFIER.verify(text, now=NOW)


@given(
    st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x))
)
def test_any_signed_json_raises_the_documented_error(payload: object) -> None:
    with pytest.raises(Unauthenticated):
        VERIFIER.verify(forge(payload), now=NOW)
