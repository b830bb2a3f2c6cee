"""Each type of transaction by its shipped policy, before a camera without pictures: a recording is not accepted, what is referred is approved by as many as it
takes, and who wants no check of their face is identified by an agent. What the pages show of it, ``tests/browser/test_verification*.py`` says."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from msgspec import structs, to_builtins

from server.api.bodies_verifications import ReviewDecision
from server.challenges import LiveChallenges
from server.services.verification_live import LiveAttempts
from server.services.verification_redeems import AlreadyRedeemed
from server.transactions.case import CaseState
from server.transactions.policy_files import Policies
from server.transactions.token import DecisionClaims, verify_decision
from tests.scenario.test_live_document import CardVisit, drawn
from tests.scenario.test_live_verification import translated
from tests.support.bank_place import BankPlace
from tests.support.card_person import CardScene
from tests.support.live_person import THRESHOLDS
from tests.support.performer import Person
from tests.support.signalling import House
from tests.unit.server.transactions.test_identification import identify, staff
from verification.challenge.script import Action
from verification.models.pack import OperatingPoint

__all__ = ["drawn"]
DETAILS = {
    "debit_card_password_change": {"card_last4": "2233", "request_reference": "R-1"},
    "card_loss_report": {"card_last4": "2233", "request_reference": "R-1"},
    "reserved_phone_change": {"new_phone": "15020014477", "request_reference": "R-1"},
    "ushield_pin_reset": {"ushield_serial": "U-0001", "request_reference": "R-1"},
}
REVIEWERS = {type: 2 if type in ("reserved_phone_change", "ushield_pin_reset") else 1 for type in DETAILS}
BLINDLY = (Action.TURN_LEFT, Action.NOD, Action.BLINK, Action.TURN_RIGHT, Action.OPEN_MOUTH)


LOOSE = OperatingPoint(fmr=1e-3, threshold=0.4, fnmr=0.05)
"""Of the loss of a card; the others ask for the one that the pack has."""


class Ordered(CardVisit):
    """``type``: of the transaction."""

    type = ""

    def attempts(self) -> None:
        assert THRESHOLDS.comparison is not None
        points = (LOOSE, *THRESHOLDS.comparison.points)
        both = structs.replace(THRESHOLDS, comparison=structs.replace(THRESHOLDS.comparison, points=points))
        checks = LiveChallenges(lambda: self.scene, translated, lambda info: both)  # type: ignore[arg-type, return-value]
        self.house.live.attempts = LiveAttempts(self.place.verifications.attempts, checks, self.house.live.taps)

    async def order(self, type: str) -> None:
        place, self.type = self.place, type
        (place.own / "password.toml").unlink()
        place.policies = Policies(place.own)
        place.anew()
        self.attempts()
        self.case = await place.ready(type, customer="C-1", session=self.session, details=DETAILS[type])
        await self.agree()

    async def approved(self) -> DecisionClaims:
        """By one after the other who was not there; what the bank's system reads and uses up."""
        place = self.place
        for number, name in enumerate(("WU", "XU")[: REVIEWERS[self.type]], 1):
            case = await place.verifications.reviews.review(
                place.reviewer(name), self.case, ReviewDecision.APPROVE, "the same person"
            )
            assert case.state is (CaseState.ACCEPTED if number == REVIEWERS[self.type] else CaseState.SECOND_REVIEW)
        token = (await place.case(self.case)).result
        keys = to_builtins(place.verifications.key_set())
        claims = verify_decision(
            token,
            keys,
            details=DETAILS[self.type],
            audience=place.bank.actor,
            now=place.clock.now(),
            type=self.type,
            customer="C-1",
        )
        await place.verifications.redeem(place.bank, self.case, token)
        with pytest.raises(AlreadyRedeemed):
            await place.verifications.redeem(place.bank, self.case, token)
        return claims


@pytest.fixture(params=DETAILS)
async def visit(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Ordered]:
    house = House()
    one = Ordered(house, BankPlace(tmp_path))
    one.scene = CardScene(Person())
    one.scene.info = replace(one.scene.info, points=((LOOSE.fmr, LOOSE.threshold), *one.scene.info.points))
    await one.open()
    await one.order(request.param)
    yield one
    await house.close()


async def test_who_does_what_is_asked_is_accepted(visit: Ordered) -> None:
    """Else the others would say nothing."""
    assert await visit.begin() is None
    assert (await visit.play(120.0))["outcome"] == "accept"


async def test_a_recording_of_the_customer_is_not_accepted(visit: Ordered) -> None:
    """The same movements in an order of its own, without the light of this screen."""
    visit.scene.person = Person(answers=False, light=0.0, plan=[(2.0 + 2.5 * at, action) for at, action in enumerate(BLINDLY)])
    assert await visit.begin() is None
    assert (await visit.play(120.0))["outcome"] == "reject"
    case = await visit.place.case(visit.case)
    assert (case.state, case.result, case.attempts_used) == (CaseState.OPEN, "", 1)
    async with visit.house.store.read() as tx:
        (attempt,) = await tx.list_attempts(visit.case)
    assert {"action_missed", "action_other", "action_before_asked", "light_unanswered"} & set(attempt.reasons), attempt.reasons


async def test_what_is_referred_is_approved_by_as_many_as_the_policy_asks(visit: Ordered) -> None:
    visit.place.refer_risk()
    assert await visit.begin() is None
    assert (await visit.play(120.0))["outcome"] == "refer"
    assert (await visit.place.case(visit.case)).result == ""
    claims = await visit.approved()
    assert (claims.accepted, claims.assurance, claims.reasons) == (True, "live", ("approved_in_review", "risk_referred"))


async def test_who_wants_no_check_of_their_face_is_identified_by_an_agent(visit: Ordered) -> None:
    await visit.agree("refused", "face")
    assert await visit.begin() is None
    await visit.until(lambda: visit.told())
    assert (visit.told()[-1]["state"], visit.told()[-1]["problem"]) == ("over", "not_allowed")
    case = await visit.place.case(visit.case)
    assert (case.attempts_used, case.result, visit.house.media.taps, visit.scene.calls) == (0, "", [], [])
    session = await visit.house.sessions.get(visit.session)
    assert (await identify(visit.place, await staff(visit.place, session), visit.case)).state is CaseState.REVIEW
    claims = await visit.approved()
    assert (claims.accepted, claims.assurance, claims.reasons) == (True, "agent", ("approved_in_review", "identified_by_agent"))
