"""Campaign 6: a signed decision holds for one audience, one set of details and a while; whatever is changed about it is refused."""

import base64
import json
import os
from datetime import datetime
from typing import Any

import jwt
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from server.auth.jwks import key_set
from server.auth.tokens import TokenSigner
from server.domain.grants import Grant
from server.domain.ids import ParticipantId, SessionId, make_id
from server.domain.model import Role
from server.transactions import token as tokens
from server.transactions.decision import AttemptKind, Outcome
from server.transactions.details import DetailsInvalid, details_hash
from server.transactions.risk.result import RiskLevel
from server.transactions.token import DecisionClaims, DecisionRefused, DecisionSigner, read_key_set, verify_decision
from tests.support.cases import DETAILS, HASH
from tests.support.records import at

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
JWKS = key_set({"k1": KEY.public_key(), "old": OTHER.public_key()})
BANK = "AK_" + "A" * 26
NOW = at(0)
LONG = os.environ.get("TESTS_CAMPAIGN") == "long"


def signed(*, key: Ed25519PrivateKey = KEY, kid: str = "k1", now: datetime = NOW, lifetime_s: int = 300, **changed: Any) -> str:
    facts: dict[str, Any] = {
        "audience": BANK,
        "jti": "j-1",
        "case": "VE_" + "A" * 26,
        "customer": "c-7f3a",
        "type": "debit_card_password_change",
        "details_hash": details_hash(DETAILS),
        "decision": Outcome.ACCEPT,
        "reasons": (),
        "policy_hash": HASH,
        "pack_hash": HASH,
        "assurance": AttemptKind.LIVE,
        "risk_level": RiskLevel.LOW,
        **changed,
    }
    return DecisionSigner(key, kid, issuer="https://video.bank.example", lifetime_s=lifetime_s).sign(**facts, now=now)[0]


TOKEN = signed()


def verify(
    token: Any, *, jwks: Any = JWKS, details: Any = DETAILS, now: datetime = NOW, audience: str = BANK
) -> DecisionClaims:
    return verify_decision(token, jwks, details=details, audience=audience, now=now)


def refusal(token: Any, **how: Any) -> str:
    with pytest.raises(DecisionRefused) as refused:
        verify(token, **how)
    assert refused.value.detail
    return refused.value.code


def test_what_it_says() -> None:
    found = verify(TOKEN)
    assert found == DecisionClaims(
        iss="https://video.bank.example", aud=BANK, jti="j-1", iat=int(NOW.timestamp()), exp=int(NOW.timestamp()) + 300,
        case="VE_" + "A" * 26, customer="c-7f3a", type="debit_card_password_change", details_hash=details_hash(DETAILS),
        decision=Outcome.ACCEPT, reasons=(), policy_hash=HASH, pack_hash=HASH, assurance=AttemptKind.LIVE, risk_level=RiskLevel.LOW,
    )  # fmt: skip
    assert found.accepted
    assert found.expires_at == at(300).replace(microsecond=0)
    assert jwt.get_unverified_header(TOKEN) == {"alg": "EdDSA", "kid": "k1", "typ": "tongping-decision+jwt"}
    assert verify(TOKEN, details=json.dumps(DETAILS).encode()) == found
    assert verify_decision(TOKEN, JWKS, details=DETAILS, audience=BANK, now=NOW, issuer=found.iss) == found
    assert verify_decision(
        TOKEN, JWKS, details=DETAILS, audience=BANK, now=NOW, case=found.case, type=found.type, customer=found.customer
    )
    for other in ("case", "type", "customer"):
        with pytest.raises(DecisionRefused) as refused:
            verify_decision(TOKEN, JWKS, details=DETAILS, audience=BANK, now=NOW, **{other: "another"})
        assert refused.value.code == f"other_{other}"
    rejected = verify(signed(decision=Outcome.REJECT, reasons=("no_match",), assurance=None, risk_level=None, pack_hash=""))
    assert not rejected.accepted
    assert rejected.reasons == ("no_match",)


def test_any_other_library_reads_it() -> None:
    key = jwt.PyJWK(JWKS["keys"][0])
    moment = at(1).timestamp()
    payload = jwt.decode(TOKEN, key, algorithms=["EdDSA"], audience=BANK, options={"verify_exp": False, "verify_iat": False})
    assert (payload["decision"], payload["details_hash"]) == ("accept", details_hash(DETAILS))
    assert payload["iat"] <= moment < payload["exp"]


@pytest.mark.campaign(6)
def test_every_changed_byte_is_refused() -> None:
    """Short: every place of the token with eight other characters, dropped and doubled. Long: all 255 others."""
    alphabet = [chr(code) for code in range(256)] if LONG else list("ABz0-_.=")
    variants = 0
    for place in range(len(TOKEN)):
        here = TOKEN[place]
        others = [TOKEN[:place] + one + TOKEN[place + 1 :] for one in alphabet if one != here]
        flipped = [TOKEN[:place] + chr(ord(here) ^ (1 << bit)) + TOKEN[place + 1 :] for bit in range(7)]
        for changed in {*others, *flipped, TOKEN[:place] + TOKEN[place + 1 :], TOKEN[:place] + here + TOKEN[place:]} - {TOKEN}:
            with pytest.raises(DecisionRefused):
                verify(changed)
            variants += 1
    assert variants >= 10 * len(TOKEN)


@pytest.mark.campaign(6)
@given(st.data())
def test_any_other_details_are_refused(data: st.DataObject) -> None:
    text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
    other = data.draw(st.dictionaries(text, st.none() | st.booleans() | st.integers(-9, 9) | text, max_size=4))
    assert other == DETAILS or refusal(TOKEN, details=other) == "other_details"
    form = json.dumps(DETAILS, separators=(",", ":")).encode()
    place, bit = data.draw(st.integers(0, len(form) - 1)), data.draw(st.integers(0, 7))
    changed = bytearray(form)
    changed[place] ^= 1 << bit
    with pytest.raises((DecisionRefused, DetailsInvalid)):
        verify(TOKEN, details=bytes(changed))


@pytest.mark.campaign(6)
def test_every_bit_of_the_details_counts() -> None:
    form = json.dumps(DETAILS).encode()
    assert verify(TOKEN, details=form).accepted
    for place in range(len(form)):
        for bit in range(8):
            changed = bytearray(form)
            changed[place] ^= 1 << bit
            if json.loads(form) == _loaded(bytes(changed)):
                continue  # another white space
            with pytest.raises((DecisionRefused, DetailsInvalid)):
                verify(TOKEN, details=bytes(changed))


def _loaded(text: bytes) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def test_its_time() -> None:
    assert verify(TOKEN, now=at(304)).accepted
    assert refusal(TOKEN, now=at(305)) == "expired"
    assert refusal(TOKEN, now=at(-6)) == "not_yet"
    assert verify(TOKEN, now=at(-5)).accepted


def test_for_whom_and_from_whom() -> None:
    assert refusal(TOKEN, audience="AK_" + "B" * 26) == "wrong_audience"
    with pytest.raises(DecisionRefused) as refused:
        verify_decision(TOKEN, JWKS, details=DETAILS, audience=BANK, now=NOW, issuer="https://elsewhere.example")
    assert refused.value.code == "wrong_issuer"


def part(value: Any) -> str:
    return base64.urlsafe_b64encode(value if isinstance(value, bytes) else json.dumps(value).encode()).rstrip(b"=").decode()


def forged(header: Any, claims: Any, key: Ed25519PrivateKey = KEY) -> str:
    """Well signed, whatever it says."""
    body = f"{part(header)}.{part(claims)}"
    return f"{body}.{part(key.sign(body.encode()))}"


HEADER = {"alg": "EdDSA", "kid": "k1", "typ": tokens.TYPE}
CLAIMS = msgspec.to_builtins(verify(TOKEN))
LATER = ("rules_hash", "model_hash")
"""Not in tokens of servers before."""


def test_the_forger_can_sign() -> None:
    assert verify(forged(HEADER, CLAIMS)).accepted
    assert verify(forged(HEADER, {**CLAIMS, "evidence": "of a later version"})).accepted


@pytest.mark.campaign(6)
@pytest.mark.parametrize(
    ("header", "code"),
    [
        ({**HEADER, "alg": "none"}, "not_a_decision"),
        ({**HEADER, "alg": "HS256"}, "not_a_decision"),
        ({**HEADER, "alg": "eddsa"}, "not_a_decision"),
        ({**HEADER, "typ": "JWT"}, "not_a_decision"),
        ({**HEADER, "typ": "at+jwt"}, "not_a_decision"),
        ({**HEADER, "crit": ["exp"]}, "not_a_decision"),
        ({**HEADER, "jwk": JWKS["keys"][0]}, "not_a_decision"),
        ({**HEADER, "jku": "https://evil.example"}, "not_a_decision"),
        ({**HEADER, "b64": False}, "not_a_decision"),
        ({**HEADER, "kid": "k2"}, "unknown_key"),
        ({**HEADER, "kid": "old"}, "bad_signature"),
        ({**HEADER, "kid": ["k1"]}, "not_a_decision"),
        ({"alg": "EdDSA", "kid": "k1"}, "not_a_decision"),
        ([], "not_a_decision"),
        (b"{", "not_a_decision"),
    ],
)
def test_headers(header: Any, code: str) -> None:
    assert refusal(forged(header, CLAIMS)) == code


def test_a_token_of_before_there_were_hashes_of_the_risk() -> None:
    claims = verify(forged(HEADER, {name: value for name, value in CLAIMS.items() if name not in LATER}))
    assert (claims.accepted, claims.rules_hash, claims.model_hash) == (True, "", "")
    said = verify(signed(rules_hash=HASH, model_hash=HASH[::-1]))
    assert (said.rules_hash, said.model_hash) == (HASH, HASH[::-1])


@pytest.mark.campaign(6)
@pytest.mark.parametrize(
    "changed",
    [
        *({name: missing} for name in CLAIMS for missing in (..., 7.5, {}, [7]) if missing is not ... or name not in LATER),
        {"decision": "refer"},
        {"decision": "ACCEPT"},
        {"iat": str(CLAIMS["iat"])},
        {"exp": CLAIMS["iat"] + 3601},
        {"exp": CLAIMS["iat"]},
        {"exp": 2**70},
        {"case": "SE_" + "A" * 26},
        {"details_hash": CLAIMS["details_hash"] + "A"},
        {"jti": ""},
        {"policy_hash": HASH.upper()},
    ],
)
def test_claims_that_are_not_there_or_not_right(changed: dict[str, Any]) -> None:
    claims = {name: value for name, value in {**CLAIMS, **changed}.items() if value is not ...}
    assert refusal(forged(HEADER, claims)) == "not_a_decision"


@pytest.mark.campaign(6)
def test_other_tokens_of_this_server_are_no_decisions() -> None:
    made, _ = TokenSigner(KEY, "k1", new_jti=lambda: "j").session_token(
        session=SessionId(make_id("SE", bytes(16))), participant=ParticipantId(make_id("PA", bytes(16))), role=Role.CUSTOMER,
        grants=frozenset({Grant.CHAT}), now=NOW,
    )  # fmt: skip
    assert refusal(made) == "not_a_decision"
    for text in ("", ".", "a.b.c", TOKEN + "\n", " " + TOKEN, TOKEN * 20, TOKEN.rpartition(".")[0], None, 7, b"x"):
        assert refusal(text) == "not_a_decision"


def test_key_sets() -> None:
    assert list(read_key_set(JWKS)) == ["k1", "old"]
    assert verify(signed(key=OTHER, kid="old")).accepted, "of before the rotation"
    assert refusal(TOKEN, jwks=key_set({"old": OTHER.public_key()})) == "unknown_key"
    assert refusal(TOKEN, jwks=key_set({"k1": OTHER.public_key()})) == "bad_signature"
    mine = JWKS["keys"][0]
    others = [
        {"kty": "RSA", "n": "x", "e": "AQAB", "kid": "k1"},
        {**mine, "use": "enc"},
        {**mine, "alg": "ES256"},
        {**mine, "d": "x"},
        7,
    ]
    assert list(read_key_set({"keys": [*others, mine]})) == ["k1"]
    for broken in ({}, {"keys": {}}, [], None, {"keys": [{**mine, "x": "AA"}]}, {"keys": [{**mine, "x": 7}]}, {"keys": [mine, mine]},
                   {"keys": [{**mine, "kid": ""}]}, {"keys": [{name: value for name, value in mine.items() if name != "x"}]}):  # fmt: skip
        assert refusal(TOKEN, jwks=broken) == "keys_invalid"


def test_what_is_not_signed() -> None:
    with pytest.raises(ValueError, match="decided"):
        signed(decision=Outcome.REFER)
    for lifetime_s in (0, 3601):
        with pytest.raises(ValueError, match="holds"):
            signed(lifetime_s=lifetime_s)
