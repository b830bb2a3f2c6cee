"""The parts of webhooks without I/O: who wants what, signatures, the next try, which addresses."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from server.domain.ids import DeliveryId, WebhookId
from server.errors import Invalid
from server.webhooks import schedule, signing, targets
from server.webhooks.records import Delivery, DeliveryState, Webhook
from server.webhooks.schedule import PAUSES_S, Answer

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
KEY = Ed25519PrivateKey.from_private_bytes(b"w" * 32)
PUBLIC = [KEY.public_key()]
FRESH = Delivery(
    id=DeliveryId("WD_A"), webhook_id=WebhookId("WH_A"), origin="https://a.example", entry=1, event="session.created", state=DeliveryState.PENDING,
    created_at=NOW, next_at=NOW,
)  # fmt: skip


# ---- who wants what


@pytest.mark.parametrize(
    ("events", "subject", "event", "about", "wanted"),
    [
        (("session.created",), "", "session.created", "", True),
        (("session.created",), "", "session.ended", "", False),
        (("session.*",), "", "session.ended", "x", True),
        (("session.*",), "", "sessions.ended", "x", False),
        (("session.*", "key.created"), "", "key.created", "", True),
        (("*",), "", "anything.at_all", "", True),
        (("verification.*",), "VE_A", "verification.decided", "VE_A", True),
        (("verification.*",), "VE_A", "verification.decided", "VE_B", False),
    ],
)
def test_who_wants_what(events: tuple[str, ...], subject: str, event: str, about: str, wanted: bool) -> None:
    webhook = Webhook(
        id=WebhookId("WH_A"), url="https://a.example", events=events, created_at=NOW, created_by="ST", subject=subject
    )
    assert webhook.wants(event, about) is wanted
    assert not msgspec.structs.replace(webhook, ended_at=NOW).wants(event, about)


# ---- signatures


def test_what_is_signed_is_accepted_in_its_time_and_changed_not_at_all() -> None:
    headers = signing.sign(KEY, "WD_1", NOW, b'{"a":1}')
    assert signing.verify(headers, b'{"a":1}', PUBLIC, NOW) == "WD_1"
    assert signing.verify({name.title(): value for name, value in headers.items()}, b'{"a":1}', PUBLIC, NOW) == "WD_1"
    for late_s, tolerance_s in ((300, 300), (-300, 300), (10, 10)):
        assert signing.verify(headers, b'{"a":1}', PUBLIC, NOW + timedelta(seconds=late_s), tolerance_s=tolerance_s)
    other = Ed25519PrivateKey.from_private_bytes(b"o" * 32)
    both = {**headers, signing.SIGNATURE: "v1,AAAA v1a,?? " + headers[signing.SIGNATURE]}
    assert signing.verify(both, b'{"a":1}', [other.public_key(), *PUBLIC], NOW) == "WD_1"
    wrong = [
        ({**headers, signing.ID: "WD_2"}, b'{"a":1}', NOW),
        ({**headers, signing.TIMESTAMP: str(int(NOW.timestamp()) + 1)}, b'{"a":1}', NOW),
        (headers, b'{"a":2}', NOW),
        (headers, b'{"a":1}', NOW + timedelta(seconds=301)),
        (headers, b'{"a":1}', NOW - timedelta(seconds=301)),
        (signing.sign(other, "WD_1", NOW, b'{"a":1}'), b'{"a":1}', NOW),
        ({**headers, signing.SIGNATURE: headers[signing.SIGNATURE].replace("v1a", "v1")}, b'{"a":1}', NOW),
        ({**headers, signing.SIGNATURE: " ".join(["v1a,AAAA"] * 8) + " " + headers[signing.SIGNATURE]}, b'{"a":1}', NOW),
        ({name: value for name, value in headers.items() if name != signing.ID}, b'{"a":1}', NOW),
        ({**headers, signing.TIMESTAMP: "x"}, b'{"a":1}', NOW),
        ({**headers, signing.SIGNATURE: "v1a,Ä=="}, b'{"a":1}', NOW),
        ({}, b"", NOW),
    ]
    for given_headers, body, now in wrong:
        with pytest.raises(Invalid):
            signing.verify(given_headers, body, PUBLIC, now)
    with pytest.raises(ValueError, match="id"):
        signing.sign(KEY, "a.b", NOW, b"")


@given(st.binary(max_size=200), st.integers(0, 63), st.integers(0, 7))
def test_every_bit_of_a_signature_counts(body: bytes, place: int, bit: int) -> None:
    import base64

    headers = signing.sign(KEY, "WD_1", NOW, body)
    raw = bytearray(base64.b64decode(headers[signing.SIGNATURE].removeprefix("v1a,")))
    raw[place] ^= 1 << bit
    with pytest.raises(Invalid):
        signing.verify({**headers, signing.SIGNATURE: "v1a," + base64.b64encode(raw).decode()}, body, PUBLIC, NOW)


# ---- the next try


@given(st.lists(st.tuples(st.integers(0, 599), st.floats(0, 1e6), st.floats(0, 1)), max_size=20))
def test_a_delivery_ends_delivered_or_dead_after_about_two_days(answers: list[tuple[int, float, float]]) -> None:
    one, now = FRESH, NOW
    for status, asked_s, chance in answers:
        if one.state is not DeliveryState.PENDING:
            break
        before = one
        one = schedule.after(one, Answer(status, "timeout" if status == 0 else "", asked_s), now, chance)
        assert one.attempts == before.attempts + 1
        assert (one.last_at, one.last_status) == (now, status)
        assert (one.next_at is None) == (one.state is not DeliveryState.PENDING)
        assert (one.state is DeliveryState.DELIVERED) == (200 <= status < 300)
        assert (one.last_fault == "") == (one.state is DeliveryState.DELIVERED)
        if one.next_at is not None:
            pause_s = (one.next_at - now).total_seconds()
            assert 0.9 * PAUSES_S[one.attempts - 1] - 1e-3 <= pause_s <= max(1.1 * PAUSES_S[one.attempts - 1], 3600) + 1e-3
            now = one.next_at
    assert one.attempts <= len(PAUSES_S) + 1
    assert now - NOW <= timedelta(days=2.5)


def test_who_says_gone_is_left_alone_and_a_dead_one_can_be_sent_again() -> None:
    assert schedule.after(FRESH, Answer(410), NOW, 0.5).state is DeliveryState.DEAD
    asked = schedule.after(FRESH, Answer(503, retry_after_s=90), NOW, 0.5)
    assert asked.next_at == NOW + timedelta(seconds=90)
    one, tries = FRESH, 0
    while one.state is DeliveryState.PENDING:
        one = schedule.after(one, Answer(500), NOW, 0.5)
        tries += 1
    assert (tries, one.state, one.last_fault) == (len(PAUSES_S) + 1, DeliveryState.DEAD, "status_500")
    again = schedule.again(one, NOW)
    assert (again.state, again.attempts, again.next_at, again.id) == (DeliveryState.PENDING, 0, NOW, one.id)


# ---- addresses


ALLOWED = ["https://core.bank.example", "http://127.0.0.1:8080", "https://[::1]:444"]


@pytest.mark.parametrize(
    "url",
    ["https://core.bank.example", "https://core.bank.example:443/hooks?x=1", "https://CORE.bank.example/a", "http://127.0.0.1:8080/",
     "https://[::1]:444/x"],
)  # fmt: skip
def test_addresses_that_may_be_told(url: str) -> None:
    assert targets.check(url, ALLOWED) == url


@pytest.mark.parametrize(
    "url",
    ["", "core.bank.example", "https://", "https:///x", "ftp://core.bank.example", "file:///etc/passwd", "http://core.bank.example",
     "https://core.bank.example:8443", "https://core.bank.example.evil.example", "https://core.bank.example@evil.example",
     "https://evil.example#https://core.bank.example", "https://core.bank.example#x", "https://core.bank.example\\@evil.example",
     "https://core.bank.example\n", "https://core.bank.example:x", "https://cоre.bank.example", "https://169.254.169.254/latest",
     "https://[::1", "http://127.1:8080/", "https://core.bank.example/" + "x" * 2000, "https://user:pass@core.bank.example"],
)  # fmt: skip
def test_addresses_that_may_not(url: str) -> None:
    with pytest.raises(Invalid):
        targets.check(url, ALLOWED)
