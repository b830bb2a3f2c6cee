"""Verification of transactions on a fake engine and a store in memory, with policies of its own and a clock that stands."""

import hashlib
import json
from pathlib import Path
from typing import Any

import msgspec

from server import evidence, transacting
from server.api.bodies_verifications import CreateVerification, SetPortrait, VerificationView
from server.auth.keys import from_secret
from server.domain.grants import Grant
from server.domain.ids import CaseId, StaffId
from server.domain.model import Role
from server.errors import Invalid
from server.services.principal import Principal, PrincipalKind
from server.services.verification_ports import Noted
from server.store.ports import Store
from server.transactions.case import Attempt, Case
from server.transactions.decision import AttemptKind, CheckedAttempt, Decision
from server.transactions.policy import Policy
from server.transactions.policy_files import Policies
from server.transactions.risk.engine import Asked, Whom
from server.transactions.risk.result import RiskLevel, RiskResult
from tests.support import cases
from tests.support.face_place import Place
from tests.support.tiny_engine import ALICE, Colour, draw
from verification.evidence.vault import FileVault

PASSWORD = """
type = "debit_card_password_change"
title = { zh = "修改借记卡密码", en = "Change of a debit card's password" }
assurance = ["match", "pad", "challenge"]
attempts = 3
review_s = 600

[details.card]
type = "digits"

[details.amount]
type = "amount"
required = false
"""
PICTURES = PASSWORD.replace("debit_card_password_change", "test_pictures").replace(', "challenge"', "") + "\n"
PICTURES = PICTURES.replace("attempts = 3", "attempts = 3\nclip_allowed = true")
TWICE = PASSWORD.replace("debit_card_password_change", "test_twice").replace("attempts = 3", "attempts = 3\nreviewers = 2")
DETAILS = {"card": "6222020200112233"}


class ToldRisk:
    """Assesses as it was told. ``asked``: by what it was asked; ``notes``: what it was told to remember, and of whom."""

    def __init__(self) -> None:
        self.result = cases.risk()
        self.asked: list[Asked] = []
        self.notes: list[tuple[str, Whom]] = []

    async def assess(self, tx: Any, asked: Asked, policy: Policy, now: Any) -> RiskResult:
        del tx, policy, now
        self.asked.append(asked)
        return self.result

    def customer_digest(self, customer: str) -> bytes:
        return hashlib.sha256(customer.encode()).digest()

    async def noted(self, tx: Any, whom: Whom, what: Noted, now: Any) -> None:
        del tx, now
        self.notes.append((what.value, whom))

    @property
    def noted_last(self) -> list[str]:
        """Since the last attempt began."""
        words = [word for word, _ in self.notes]
        return words[len(words) - words[::-1].index("begun") :]


class ToldCallBacks:
    """``made``: (address, events, subject) of each."""

    def __init__(self) -> None:
        self.made: list[tuple[str, tuple[str, ...], str]] = []

    def check(self, url: str) -> None:
        if not url.startswith("https://core.bank.example/"):
            raise Invalid("This origin is not among those that may be told.")

    async def call_back(self, tx: Any, url: str, events: tuple[str, ...], subject: str, actor: str) -> None:
        del tx, actor
        self.made.append((url, events, subject))


def takes(colour: Colour = ALICE, count: int = 10, **drawn: Any) -> list[bytes]:
    """So many different pictures of one face."""
    return [draw(colour, size=(160 + 4 * at, 120), **drawn) for at in range(count)]


class BankPlace(Place):
    """``bank``: the key that asks; ``reviewer``: an agent at a desk."""

    def __init__(self, folder: Path, *, store: Store | None = None, **settings: object) -> None:
        super().__init__(folder, **settings)
        if store is not None:
            self.store = store  # type: ignore[assignment]
        own = folder / "policies"
        own.mkdir()
        for name, text in (("password", PASSWORD), ("pictures", PICTURES), ("twice", TWICE)):
            (own / f"{name}.toml").write_text(text, encoding="utf-8")
        self.policies = Policies(own)
        self.own = own
        self.risk = ToldRisk()
        self.callbacks = ToldCallBacks()
        self.secrets = from_secret("a secret of the tests, long enough to be one")
        self.bank = Principal(PrincipalKind.SERVICE, "AK_" + "B" * 26, Role.SERVICE, frozenset({Grant.VERIFICATION_CREATE}))
        self.vault = evidence.DiskEvidence(FileVault(folder / "evidence", evidence.ring_of([b"k" * 32])))
        self.verifications = self.anew()

    def anew(self) -> Any:
        """As after a restart: the same store, nothing remembered."""
        self.verifications = transacting.verifications(
            self.config, self.store, self.clock, self.make.id, self.secrets, "https://video.bank.example", self.policies, self.risk,
            self.workers, self.callbacks, self.seal, self.vault,
        )  # fmt: skip
        return self.verifications

    @staticmethod
    def reviewer(name: str = "LI") -> Principal:
        grants = frozenset({Grant.VERIFICATION_REVIEW})
        return Principal(PrincipalKind.DESK, StaffId(f"ST_{name}"), Role.AGENT, grants)

    async def asked(self, type: str = "debit_card_password_change", **fields: Any) -> VerificationView:
        details = fields.pop("details", DETAILS)
        raw = msgspec.Raw(details if isinstance(details, bytes) else json.dumps(details).encode())
        fields = {"customer": "c-1", "consent": "consents/1", **fields}
        view = await self.verifications.create(self.bank, CreateVerification(type=type, details=raw, **fields))
        assert isinstance(view, VerificationView)
        return view

    async def ready(self, type: str = "debit_card_password_change", **fields: Any) -> CaseId:
        """A case with a portrait of Alice."""
        made = await self.asked(type, **fields)
        await self.portrait(made.id)
        return made.id

    async def portrait(self, id: CaseId) -> None:
        """Of Alice."""
        await self.verifications.set_portrait(self.bank, id, SetPortrait(image=draw(ALICE)))

    async def live(self, id: CaseId, checked: CheckedAttempt | None = None) -> tuple[Decision, Attempt, Case]:
        """An attempt on the live stream that showed this."""
        attempt = await self.verifications.attempts.begin_attempt(id, AttemptKind.LIVE, "PA_X")
        checked, digest = await self.verifications.evidence.keep(attempt, checked or cases.attempt(), cases.MATERIAL)
        decision, ended, case = await self.verifications.attempts.finish_attempt(attempt, checked, "PA_X", evidence=digest)
        return decision, ended, case

    async def case(self, id: CaseId) -> Case:
        async with self.store.read() as tx:
            found = await tx.get_case(id)
        assert found is not None
        return found

    def refer_risk(self, level: RiskLevel = RiskLevel.REFER) -> None:
        self.risk.result = cases.risk(level)
