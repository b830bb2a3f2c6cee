"""A bank's system that has transactions verified by a running server: an API key, cases, and the decisions read as the documentation says."""

import asyncio
import base64
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from server.transactions.token import DecisionClaims, verify_decision
from tests.support import packs
from tests.support.bank import Bank
from tests.support.server_process import ServerProcess

READY_S = 60.0
RULES = """
model_weight = 0.0

[[rule]]
name = "never"
when = "known(amount) and amount >= 1000000"
action = "reject"
reason = { zh = "金额过大", en = "A million or more" }
"""
"""Not the shipped ones, which look at the hour: these tests run at any."""
DETAILS: dict[str, dict[str, Any]] = {
    "debit_card_password_change": {"card_last4": "2233", "request_reference": "R-1", "channel": "app"},
}


def settings(folder: Path) -> dict[str, str]:
    """Of a ``ServerProcess`` that looks at faces with the pack ``open``, by the shipped policies and rules that do not look at the clock."""
    packs.open_pack()
    rules = folder / "policies" / "rules"
    rules.mkdir(parents=True)
    (rules / "default.toml").write_text(RULES, encoding="utf-8")
    return {
        "TONGPING_MODELS_DIR": str(packs.FOLDER),
        "TONGPING_VERIFICATION_PACK": "open",
        "TONGPING_TRANSACTIONS_POLICIES_DIR": str(folder / "policies"),
    }


@dataclass(frozen=True, slots=True)
class Asked:
    """A case, and what exactly is to be verified."""

    id: str
    type: str
    details: dict[str, Any]


class Asker:
    """``bank`` calls with the key."""

    def __init__(self, bank: Bank, secret: str) -> None:
        self.bank = bank
        bank.use(secret)
        self.audience = secret.partition(".")[0]

    @classmethod
    async def of(cls, bank: Bank, server: ServerProcess) -> "Asker":
        """``bank``: nobody yet. Waits until faces are looked at."""
        async with asyncio.timeout(READY_S):
            while not await bank.checks():
                pass
        await bank.sign_in(*server.supervisor)
        return cls(bank, (await bank.call("POST", "/keys", {"name": "core", "verifications": True}))["secret"])

    async def ask(self, type: str, customer: str, portrait: bytes, **fields: Any) -> Asked:
        details = DETAILS[type]
        body = {"type": type, "customer": customer, "details": details, "consent": f"consents/{customer}", **fields}
        case = await self.bank.call("POST", "/verifications", body)
        await self.bank.call("PUT", f"/verifications/{case['id']}/portrait", {"image": base64.b64encode(portrait).decode()})
        return Asked(case["id"], type, details)

    async def found(self, asked: Asked) -> dict[str, Any]:
        case: dict[str, Any] = await self.bank.call("GET", f"/verifications/{asked.id}")
        return case

    async def verified(self, asked: Asked) -> DecisionClaims:
        """The decision by the published helper, about exactly these details. Raises DecisionRefused."""
        case = await self.found(asked)
        assert case["result"], case
        jwks = await self.bank.call("GET", "/verifications/keys")
        text = json.dumps(asked.details).encode()
        return verify_decision(
            case["result"], jwks, details=text, audience=self.audience, now=datetime.now(UTC), issuer=self.bank.url
        )

    async def redeem(self, asked: Asked) -> None:
        token = (await self.found(asked))["result"]
        await self.bank.call("POST", f"/verifications/{asked.id}/redeem", {"token": token})
