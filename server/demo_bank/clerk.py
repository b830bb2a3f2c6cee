"""Sees every order through: asks for the verification, looks how it stands, verifies the decision, redeems it, carries the order out. SHELL.

One task does it all, an order at a time: whenever a webhook or a customer who comes back says so, and every twenty seconds for those of which no webhook
came. The order of the steps is the point (``docs/transactions.md``): verify against what is about to be carried out, write down that one begins,
redeem, carry out and write that down in one transaction.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from datetime import datetime
from typing import Any

from server.demo_bank.books import Books, Order
from server.demo_bank.products import PEOPLE
from server.demo_bank.settings import Settings
from server.demo_bank.video import Refused, Unreachable, Video
from server.transactions.token import DecisionClaims, DecisionRefused, verify_decision

log = logging.getLogger("server.demo_bank")
LOOK_S = 20.0
NO_CONSENT = "none/identified-by-a-person"
"""In the place of a consent to a template, where there is none of either."""
NOT_ACCEPTED = frozenset({"rejected", "expired", "cancelled", "locked"})
RUNNING = frozenset({"open", "checking", "review", "second_review"})


class Clerk:
    """Run ``run`` as a task."""

    def __init__(self, settings: Settings, books: Books, video: Video, now: Callable[[], datetime]) -> None:
        self._settings, self._books, self._video, self._now = settings, books, video, now
        self._asked: dict[str, None] = {}
        self._wake = asyncio.Event()
        self._one = asyncio.Lock()

    def look_at(self, order: str) -> None:
        """Soon. Orders are as many as customers may have; each is in line once."""
        self._asked[order] = None
        self._wake.set()

    async def run(self) -> None:
        """Until cancelled."""
        loop = asyncio.get_running_loop()
        everything_at = loop.time()
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(everything_at):
                    await self._wake.wait()
            self._wake.clear()
            waiting = list(self._asked)
            self._asked.clear()
            if loop.time() >= everything_at:
                everything_at = loop.time() + LOOK_S
                waiting = await asyncio.to_thread(self._books.unsettled)
            for order in waiting:
                try:
                    await self.see_to(order)
                except Exception:
                    log.exception("an order could not be seen to", extra={"order": order})

    async def rest(self) -> None:
        """When this returns nothing is under way, and nothing begins any more."""
        await self._one.acquire()

    async def ask(self, id: str) -> Order:
        """Have it verified, unless it is already; as it is then. May be cut off: it is asked for again, under the same key. Raises KeyError."""
        async with self._one:
            order = await asyncio.to_thread(self._books.get, id)
            if order.state == "asking":
                await self._ask(order)
            return await asyncio.to_thread(self._books.get, id)

    async def see_to(self, id: str) -> None:
        """One order, as far as it goes now. Not to be cut off: what is being redeemed then is never carried out. Raises KeyError."""
        order = await self.ask(id)
        async with self._one:
            if order.state == "waiting":
                await self._look(order)

    # ---- asking

    async def _ask(self, order: Order) -> None:
        account = await asyncio.to_thread(self._books.account, order.customer)
        person = PEOPLE[order.customer]
        settings = self._settings
        returning = {"return_url": f"{settings.public_url}/orders/{order.id}"} if settings.may_return else {}
        body: dict[str, Any] = {
            "type": order.type,
            "customer": order.pseudonym,
            "details": order.details,
            "consent": account.consent or NO_CONSENT,
            "template": account.template,
            "signals": {
                "account": person.account,
                "phone": account.phone,
                "customer_age_group": person.age_group,
                "customer_since_days": person.since_days,
                "channel": "web",
            },
            "link": {"language": order.language, **returning},
        }
        if settings.callback_url:
            body["callback"] = f"{settings.callback_url}/hooks/{order.hook}"
        try:
            made = await self._video.ask(body, f"ask-{order.id}")
        except Unreachable:
            await asyncio.to_thread(self._books.troubled, order.id, "unreachable")
            return
        except Refused as error:
            log.warning("a verification was refused", extra={"order": order.id, "code": error.code, "status": error.status})
            if error.status in (429, 503):
                await asyncio.to_thread(self._books.troubled, order.id, error.code)
            else:
                await asyncio.to_thread(self._books.refuse, order.id, error.code or "refused")
            return
        links = made.get("links") or {}
        left = made["attempts_allowed"] - made["attempts_used"]
        await asyncio.to_thread(self._books.asked, order.id, made["id"], made["state"], links.get("customer", ""), left)

    # ---- how it stands

    async def _look(self, order: Order) -> None:
        try:
            case = await self._video.case(order.case_id)
        except Refused as error:
            log.warning("a verification cannot be read", extra={"order": order.id, "why": str(error)})
            if error.status in (404, 410):
                await asyncio.to_thread(self._books.refuse, order.id, error.code or "not_found")
            return
        except Unreachable as error:
            log.warning("a verification cannot be read", extra={"order": order.id, "why": str(error)})
            return
        reasons = (case.get("verdict") or {}).get("reasons", [])
        left = case["attempts_allowed"] - case["attempts_used"]
        await asyncio.to_thread(self._books.stands, order.id, case["state"], reasons, left)
        if case["state"] in RUNNING:
            return
        try:
            claims = await self._decision(order, case["result"]) if case["result"] else None
        except Unreachable:  # the keys: later
            return
        if claims is not None:
            await asyncio.to_thread(self._books.decided, order.id, case["result"], _plain(claims))
        if claims is not None and claims.accepted:
            await self._carry_out(order, case["result"])
        else:
            fault = case["state"] if case["state"] in NOT_ACCEPTED else "decision_bad" if case["result"] else "decision_late"
            await asyncio.to_thread(self._books.refuse, order.id, fault)

    async def _decision(self, order: Order, token: str) -> DecisionClaims | None:
        """What was decided about this very order: its details as they are about to be carried out, its verification, its customer. None: nothing that counts."""
        try:
            claims = await self.verify(token, order.details)
        except DecisionRefused as error:
            log.error("a decision is not good", extra={"order": order.id, "code": error.code})
            return None
        if (claims.case, claims.customer, claims.type) != (order.case_id, order.pseudonym, order.type):
            log.error("a decision is about something else", extra={"order": order.id})
            return None
        return claims

    async def verify(self, token: str, details: dict[str, str], now: datetime | None = None) -> DecisionClaims:
        """By the published helper, with Tongping's public keys: once more with fresh ones where the key is not known. Raises DecisionRefused, Unreachable."""
        for anew in (False, True):
            keys = await self._video.decision_keys(anew=anew)
            try:
                return verify_decision(
                    token, keys, details=details, audience=self._settings.audience, now=now or self._now(), issuer=self._settings.server_url
                )  # fmt: skip
            except DecisionRefused as error:
                if anew or error.code != "unknown_key":
                    raise
        raise AssertionError("twice at most")

    # ---- carrying out

    async def _carry_out(self, order: Order, token: str) -> None:
        if not await asyncio.to_thread(self._books.begin, order.id):
            return
        try:
            redeemed_at = await self._video.redeem(order.case_id, token)
        except Refused as error:
            await asyncio.to_thread(self._books.unclear, order.id, error.code or "refused")
        except Unreachable:
            await asyncio.to_thread(self._books.unclear, order.id, "unreachable")
        except Exception:
            await asyncio.to_thread(self._books.unclear, order.id, "internal")
            raise
        else:
            await asyncio.to_thread(self._books.carry_out, order.id, order.details, redeemed_at)


def _plain(claims: DecisionClaims) -> dict[str, Any]:
    return {
        "decision": str(claims.decision.value),
        "case": claims.case,
        "customer": claims.customer,
        "details_hash": claims.details_hash,
        "reasons": list(claims.reasons),
        "assurance": claims.assurance.value if claims.assurance else "",
        "risk_level": claims.risk_level.value if claims.risk_level else "",
        "policy_hash": claims.policy_hash,
        "pack_hash": claims.pack_hash,
        "jti": claims.jti,
        "iat": claims.iat,
        "exp": claims.exp,
    }
