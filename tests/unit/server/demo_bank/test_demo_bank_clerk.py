"""The clerk against a Tongping that says what the test wants, over HTTP: decisions that are about something else, answers that are lost, a server that is away."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from server.auth.jwks import key_set
from server.auth.keys import key_id
from server.demo_bank.books import Books, Order
from server.demo_bank.clerk import Clerk
from server.demo_bank.products import PASSWORD
from server.demo_bank.settings import Settings
from server.demo_bank.video import Refused, Unreachable, Video
from server.demo_bank.views import fingerprint
from server.transactions.decision import AttemptKind, Outcome
from server.transactions.risk.result import RiskLevel
from server.transactions.token import DecisionSigner

KEY = "AK_AAAAAAAAAAAAAAAAAAAAAAAAAA.secret"
CASE = "VE_" + "A" * 26
OTHER_CASE = "VE_" + "B" * 26


class Script:
    """What it answers. ``calls``: method and path of each; ``answers``: in place of the usual, by path's end, once each in their order; None: the line is cut."""

    def __init__(self) -> None:
        self.key = Ed25519PrivateKey.generate()
        self.shown = self.key
        self.calls: list[tuple[str, str, str]] = []
        self.bodies: list[Any] = []
        self.answers: dict[str, list[tuple[int, Any] | None]] = {}
        self.case: dict[str, Any] = {"id": CASE, "state": "open", "result": None}

    def signed(self, order: Order, issuer: str, key: Ed25519PrivateKey | None = None, **other: Any) -> str:
        key = key or self.key
        said: dict[str, Any] = {
            "audience": KEY.partition(".")[0], "jti": "j", "case": CASE, "customer": order.pseudonym, "type": order.type,
            "details_hash": fingerprint(order.details), "decision": Outcome.ACCEPT, "reasons": (), "policy_hash": "a" * 64,
            "pack_hash": "b" * 64, "assurance": AttemptKind.LIVE, "risk_level": RiskLevel.LOW, "now": datetime.now(UTC), **other,
        }  # fmt: skip
        return DecisionSigner(key, key_id(key.public_key()), issuer=issuer, lifetime_s=600).sign(**said)[0]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        path = request.path.removeprefix("/api/v1")
        self.calls.append((request.method, path, request.headers.get("Idempotency-Key", "")))
        self.bodies.append(json.loads(await request.read() or b"null"))
        assert request.headers["Authorization"] == f"Bearer {KEY}"
        name = path.rpartition("/")[2]
        if self.answers.get(name):
            answer = self.answers[name].pop(0)
            if answer is None:
                assert request.transport is not None
                request.transport.abort()
                return web.Response()
            return web.json_response(answer[1], status=answer[0])
        if name == "keys":
            return web.json_response(key_set({key_id(self.shown.public_key()): self.shown.public_key()}))
        if name == "redeem":
            return web.json_response({"id": CASE, "redeemed_at": "2026-01-01T00:00:00Z"})
        said = {
            "attempts_allowed": 3,
            "attempts_used": 1,
            "verdict": {"outcome": "accept", "reasons": []},
            "links": None,
            **self.case,
        }
        return web.json_response(said, status=201 if request.method == "POST" else 200)


class Bank:
    def __init__(self, script: Script, settings: Settings) -> None:
        self.script, self.settings = script, settings
        self.books = Books(settings.folder)
        self.video = Video(settings)
        self.clerk = Clerk(settings, self.books, self.video, lambda: datetime.now(UTC))
        account = self.books.account("li")
        self.books.order("order-1", account, PASSWORD, {"card_last4": account.card, "channel": "web"}, "804152", "zh")

    @property
    def order(self) -> Order:
        return self.books.get("order-1")

    async def asked(self) -> None:
        await self.clerk.ask("order-1")
        assert self.order.state == "waiting"

    async def decided(self, token: str | None, state: str = "accepted") -> Order:
        self.script.case |= {"state": state, "result": token}
        await self.clerk.see_to("order-1")
        return self.order

    def signed(self, **other: Any) -> str:
        return self.script.signed(self.order, other.pop("issuer", self.settings.server_url), **other)

    def redeemed(self) -> int:
        return sum(path.endswith("/redeem") for _, path, _ in self.script.calls)


@asynccontextmanager
async def serving(script: Script) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", script.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


@pytest_asyncio.fixture
async def bank(tmp_path: Path) -> AsyncIterator[Bank]:
    script = Script()
    async with serving(script) as url:
        made = Bank(script, Settings(url, KEY, tmp_path, "http://127.0.0.1:9", "http://127.0.0.1:9"))
        yield made
        await made.video.close()
        made.books.close()


async def test_a_good_decision_is_redeemed_once_and_carried_out(bank: Bank) -> None:
    await bank.asked()
    token = bank.signed()
    assert (await bank.decided(token)).state == "done"
    assert bank.books.account("li").pin_set_at > 0
    for _ in range(3):
        await bank.clerk.see_to("order-1")
    await asyncio.gather(*(bank.clerk.see_to("order-1") for _ in range(5)))
    assert bank.redeemed() == 1


async def test_what_is_asked_for(bank: Bank) -> None:
    await bank.asked()
    (call,), (body,) = bank.script.calls, bank.script.bodies
    assert call == ("POST", "/verifications", "ask-order-1")
    assert body["details"] == {"card_last4": "8842", "channel": "web", "request_reference": "order-1"}
    assert body["callback"] == f"http://127.0.0.1:9/hooks/{bank.order.hook}"
    assert body["link"] == {"language": "zh", "return_url": "http://127.0.0.1:9/orders/order-1"}
    assert body["customer"].startswith("c-")
    text = json.dumps(body, ensure_ascii=False)
    assert ("804152" in text, "李华" in text, bank.order.secret_hash in text) == (False, False, False)


FORGED: dict[str, Callable[[Bank], str]] = {
    "of other details": lambda bank: bank.signed(details_hash=fingerprint({**bank.order.details, "card_last4": "8843"})),
    "of another order, the same but for that": lambda bank: bank.signed(
        details_hash=fingerprint({**bank.order.details, "request_reference": "order-2"})
    ),
    "of another verification": lambda bank: bank.signed(case=OTHER_CASE),
    "of another customer": lambda bank: bank.signed(customer="c-somebody-else"),
    "of another type": lambda bank: bank.signed(type="card_loss_report"),
    "for another bank": lambda bank: bank.signed(audience="AK_" + "B" * 26),
    "of another server": lambda bank: bank.signed(issuer="https://video.other.example"),
    "by a key of nobody's": lambda bank: bank.signed(key=Ed25519PrivateKey.generate()),
    "of long ago": lambda bank: bank.signed(now=datetime.now(UTC) - timedelta(seconds=700)),
    "of the future": lambda bank: bank.signed(now=datetime.now(UTC) + timedelta(seconds=60)),
    "no token": lambda bank: "accepted",
    "one character changed": lambda bank: bank.signed()[:-1] + "*",
}


@pytest.mark.parametrize("how", FORGED)
async def test_a_decision_that_is_not_about_this_is_never_redeemed(bank: Bank, how: str) -> None:
    """Even from the server itself, which says ``accepted``."""
    await bank.asked()
    order = await bank.decided(FORGED[how](bank))
    assert (order.state, order.fault, order.claims) == ("refused", "decision_bad", None)
    assert bank.redeemed() == 0
    assert bank.books.account("li").pin_set_at == 0


async def test_a_rejecting_decision_carries_nothing_out_whatever_the_state_says(bank: Bank) -> None:
    await bank.asked()
    order = await bank.decided(bank.signed(decision=Outcome.REJECT, reasons=("no_match",)))
    assert order.state == "refused"
    assert (order.claims or {})["decision"] == "reject"
    assert bank.redeemed() == 0


async def test_a_state_without_a_decision_carries_nothing_out(bank: Bank) -> None:
    await bank.asked()
    assert (await bank.decided(None)).fault == "decision_late"
    assert bank.redeemed() == 0


@pytest.mark.parametrize("state", ["expired", "cancelled", "locked"])
async def test_the_ends_without_a_decision(bank: Bank, state: str) -> None:
    await bank.asked()
    order = await bank.decided(None, state)
    assert (order.state, order.fault) == ("refused", state)


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (None, "unreachable"),
        ((503, {"code": "store_unavailable"}), "store_unavailable"),
        ((500, {"code": "internal"}), "internal"),
        ((409, {"code": "already_redeemed"}), "already_redeemed"),
        ((410, {"code": "gone"}), "gone"),
        ((200, []), "unreachable"),
        ((200, {}), "internal"),
    ],
)
async def test_who_does_not_hear_that_it_was_redeemed_does_not_carry_out(
    bank: Bank, answer: tuple[int, Any] | None, fault: str
) -> None:
    await bank.asked()
    bank.script.answers["redeem"] = [answer]
    token = bank.signed()
    if fault == "internal" and answer == (200, {}):
        with pytest.raises(KeyError):
            await bank.decided(token)
    else:
        await bank.decided(token)
    assert (bank.order.state, bank.order.fault) == ("unclear", fault)
    await bank.clerk.see_to("order-1")
    assert bank.redeemed() == 1, "never again"
    assert bank.books.account("li").pin_set_at == 0


async def test_a_new_signing_key_is_fetched_once(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    await bank.asked()
    bank.script.shown = Ed25519PrivateKey.generate()
    await bank.video.decision_keys()
    bank.script.shown = bank.script.key
    monkeypatch.setattr("server.demo_bank.video.KEYS_AGAIN_S", 0.0)
    assert (await bank.decided(bank.signed())).state == "done"
    assert [path for _, path, _ in bank.script.calls].count("/verifications/keys") == 2


async def test_unknown_keys_do_not_have_the_set_fetched_each_time(bank: Bank) -> None:
    await bank.asked()
    for _ in range(5):
        await bank.video.decision_keys(anew=True)
    assert [path for _, path, _ in bank.script.calls].count("/verifications/keys") == 1


async def test_keys_that_cannot_be_had_put_it_off(bank: Bank) -> None:
    await bank.asked()
    bank.script.answers["keys"] = [None] * 10
    assert (await bank.decided(bank.signed())).state == "waiting"
    bank.script.answers.clear()
    await bank.clerk.see_to("order-1")
    assert bank.order.state == "done"


async def test_a_server_that_is_away_is_asked_again_under_the_same_key(bank: Bank) -> None:
    bank.script.answers["verifications"] = [None, None, (503, {"code": "store_unavailable"}), (429, {"code": "too_many"}), None]
    faults = []
    for _ in range(3):
        await bank.clerk.ask("order-1")
        faults.append((bank.order.state, bank.order.fault))
    assert faults == [("asking", "unreachable"), ("asking", "store_unavailable"), ("asking", "too_many")]
    await bank.asked()
    assert {key for method, _, key in bank.script.calls if method == "POST"} == {"ask-order-1"}


@pytest.mark.parametrize(("status", "code"), [(423, "customer_locked"), (400, "details_invalid"), (403, "not_allowed")])
async def test_an_order_that_is_not_taken_is_refused(bank: Bank, status: int, code: str) -> None:
    bank.script.answers["verifications"] = [(status, {"code": code})]
    await bank.clerk.ask("order-1")
    assert (bank.order.state, bank.order.fault) == ("refused", code)


async def test_a_verification_that_is_gone_is_refused_and_one_that_cannot_be_read_is_not(bank: Bank) -> None:
    await bank.asked()
    for answer in (None, (503, {"code": "x"}), (401, {"code": "unauthenticated"})):
        bank.script.answers[CASE] = [answer, answer] if answer is None else [answer]
        await bank.clerk.see_to("order-1")
        assert bank.order.state == "waiting"
    bank.script.answers[CASE] = [(404, {"code": "not_found"})]
    await bank.clerk.see_to("order-1")
    assert (bank.order.state, bank.order.fault) == ("refused", "not_found")


async def test_answers_without_end_and_redirects_are_not_followed(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.demo_bank.video.MAX_ANSWER_BYTES", 100)
    bank.script.answers["keys"] = [(200, {"keys": "x" * 1000})] * 2
    with pytest.raises(Unreachable):
        await bank.video.decision_keys()
    bank.script.answers[CASE] = [(302, {"code": ""})]
    with pytest.raises(Refused):
        await bank.video.case(CASE)


async def test_the_clerk_looks_by_itself_and_rests_between_two_orders(bank: Bank) -> None:
    """At its start at everything that is open; then when it is told; never after ``rest``."""
    working = asyncio.create_task(bank.clerk.run())
    async with asyncio.timeout(60):
        while bank.order.state != "waiting":  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0)
        bank.script.case |= {"state": "accepted", "result": bank.signed()}
        bank.clerk.look_at("order-1")
        while bank.order.state != "done":  # noqa: ASYNC110
            await asyncio.sleep(0)
        await bank.clerk.rest()
        calls = len(bank.script.calls)
        bank.clerk.look_at("order-1")
        for _ in range(50):
            await asyncio.sleep(0)
    assert len(bank.script.calls) == calls
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)


async def test_the_key_is_in_no_words(bank: Bank) -> None:
    assert "secret" not in repr(bank.settings)
