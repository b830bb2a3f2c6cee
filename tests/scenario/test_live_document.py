"""A transaction that asks for a document, verified inside a live session: what the person must have agreed to, what is looked at, decided, kept and written down."""

import asyncio
import hashlib
import itertools
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from server.services.verification_evidence import Kept
from server.transactions.case import CaseState
from tests.scenario.test_live_verification import Visit
from tests.support.bank_place import BankPlace
from tests.support.card_person import NAME, NOTHING, NUMBER, CardScene, seen
from tests.support.performer import Person
from tests.support.signalling import House
from verification.documents.reading import DocumentType

DETAILS = {"ushield_serial": "U-0001", "request_reference": "R-1"}


class CardVisit(Visit):
    """Of the shipped policy ``ushield_pin_reset``."""

    scene: CardScene

    def _seen(self, before: int) -> bool:
        """In front of a document most pictures are only looked through."""
        through = bool(self.scene.wanted) and all(tap._pictures.empty() for tap in self.house.media.taps)
        return through or super()._seen(before)

    async def agree(self, decision: str = "given", scope: str = "document") -> None:
        await self.customer[1].say("consent.set", scope=scope, decision=decision, wording=f"{scope}-1", language="zh")

    async def kept(self) -> list[Kept]:
        case = await self.place.case(self.case)
        return [one for one in await self.place.verifications.attempts.evidence.evidence_of(case) if one.attempt is not None]

    def cards(self) -> list[str]:
        return [cue["action"] for cue in self.customer[1].got("verification.cue") if cue["cue"] == "document"]


@pytest.fixture(autouse=True)
def drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same nonces in each run."""
    numbers = itertools.count()
    monkeypatch.setattr(
        "server.challenges.secrets.token_bytes", lambda size: hashlib.sha256(b"%d" % next(numbers)).digest()[:size]
    )


@pytest.fixture
async def visit(tmp_path: Path) -> AsyncIterator[CardVisit]:
    house = House()
    one = CardVisit(house, BankPlace(tmp_path))
    one.scene = CardScene(Person())
    await one.open()
    one.case = await one.place.ready("ushield_pin_reset", customer="C-1", session=one.session, details=DETAILS)
    yield one
    await house.close()


async def test_the_card_is_shown_after_the_face_and_it_is_accepted(visit: CardVisit) -> None:
    await visit.agree()
    assert await visit.begin() is None
    done = await visit.play()
    assert (done["outcome"], done["problem"]) == ("accept", "")
    assert visit.cards() == ["show_card", "turn_over", "seen"]
    assert visit.house.media.asked_height == 1280
    case = await visit.place.case(visit.case)
    assert case.state is CaseState.ACCEPTED
    assert case.result is not None
    async with visit.house.store.read() as tx:
        (attempt,) = await tx.list_attempts(visit.case)
        trail = str([(entry.event.action, entry.event.details) for entry in await tx.list_audit(after=0, limit=1000)])
    assert attempt.checked is not None
    assert {one.name.value: one.outcome.value for one in attempt.checked.checks}["document"] == "pass"
    assert "document face" in trail  # for what the camera was looked at
    (kept,) = await visit.kept()
    sides = [one.asked for one in kept.pictures if one.kind == "document"]
    assert sides == ["cn_resident_id_front", "cn_resident_id_back"]
    for text in (
        trail,
        str(attempt),
        str(kept),
        case.result,
        str(visit.customer[1].got("verification.cue")),
        str(visit.told()),
    ):
        assert NUMBER not in text
        assert NAME not in text


async def test_without_consent_to_it_none_is_begun(visit: CardVisit) -> None:
    assert await visit.begin() is None
    await visit.until(lambda: visit.told())
    assert (visit.told()[-1]["state"], visit.told()[-1]["problem"]) == ("over", "not_allowed")
    assert (await visit.place.case(visit.case)).attempts_used == 0
    assert visit.house.media.taps == []


async def test_consent_taken_back_before_the_card_ends_it_at_once(visit: CardVisit) -> None:
    await visit.agree()
    await visit.begin()
    await visit.until(lambda: visit.house.media.taps)
    await visit.agree("withdrawn")
    await visit.until(lambda: not visit.house.media.taps)
    assert (await visit.play())["outcome"] != "accept"
    assert visit.scene.read == []


@pytest.mark.parametrize("scope", ["document", "face"])
async def test_consent_taken_back_while_the_card_is_read(visit: CardVisit, scope: str) -> None:
    visit.scene.front = seen(DocumentType.PASSPORT, alike=(0.9, 0.9), expired=False)
    visit.scene.meanwhile = lambda: visit.agree("withdrawn", scope)
    await visit.agree()
    await visit.begin()
    assert (await visit.play())["outcome"] != "accept"
    async with visit.house.store.read() as tx:
        (attempt,) = await tx.list_attempts(visit.case)
    assert attempt.reasons == ("consent_withdrawn",)
    assert await visit.kept() == []


async def test_consent_to_something_else_taken_back_ends_nothing(visit: CardVisit) -> None:
    await visit.agree()
    await visit.agree(scope="page_view")
    await visit.begin()
    await visit.until(lambda: visit.house.media.taps)
    await visit.agree("withdrawn", scope="page_view")
    assert (await visit.play())["outcome"] == "accept"


async def test_a_face_alone_takes_no_consent_to_a_document(visit: CardVisit) -> None:
    await visit.agree("withdrawn")
    visit.case = await visit.place.ready(customer="C-1", session=visit.session)
    await visit.begin()
    assert (await visit.play())["outcome"] == "accept"
    assert (visit.cards(), visit.house.media.asked_height) == ([], 480)


async def test_somebody_elses_card_is_refused_and_not_told_why(visit: CardVisit) -> None:
    visit.scene.front = seen(DocumentType.CN_ID_FRONT, alike=(0.1, 0.1))
    await visit.agree()
    await visit.begin()
    done = await visit.play()
    assert (done["outcome"], done["left"]) == ("reject", 2)
    assert "other_person" not in str(visit.customer[1].got("verification.cue")) + str(visit.told())


async def test_who_has_none_with_them_is_referred(visit: CardVisit) -> None:
    visit.scene.front = NOTHING
    await visit.agree()
    await visit.begin()

    async def says_so() -> None:
        await visit.until(lambda: "show_card" in visit.cards())
        await visit.customer[1].say("verification.cannot")

    done, _ = await asyncio.gather(visit.play(), says_so())
    assert done["outcome"] == "refer"
    assert await visit.state() is CaseState.REVIEW
