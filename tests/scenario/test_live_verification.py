"""Verified inside a live session, over signalling: begun by the agent, looked at through a tap, decided and signed; and all that can go wrong on the way."""

import asyncio
import hashlib
import inspect
import itertools
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from server.api.bodies_verifications import SetPortrait
from server.challenges import LiveChallenges
from server.domain import ids
from server.domain.ids import CaseId, ParticipantId, SessionId
from server.domain.model import Role
from server.errors import VerificationLost
from server.services.faces import Faces
from server.services.verification_live import LiveAttempts
from server.transactions.case import Attempt, CaseState
from server.transactions.cues import Cue, Instruction
from server.transactions.lock import Failures
from tests.support.bank_place import BankPlace
from tests.support.fake_media import OFFER
from tests.support.live_person import THRESHOLDS, Scene
from tests.support.performer import Person
from tests.support.signalling import House, Page, replaced
from tests.support.tiny_engine import BOB, draw
from verification.challenge.script import Action
from verification.errors import VerificationError

STEP_S = 0.08


@contextmanager
def translated() -> Iterator[None]:
    try:
        yield
    except VerificationError as error:
        raise VerificationLost(error.code) from error


async def turn() -> None:
    """Let others go on."""
    await asyncio.sleep(0)


class Visit:
    """A session with a customer who has agreed and an agent, and a transaction of that customer. ``scene``: who sits before the camera."""

    def __init__(self, house: House, place: BankPlace) -> None:
        self.house, self.place = house, place
        self.scene = Scene(Person())
        self.session = SessionId("")
        self.customer: tuple[ParticipantId, Page]
        self.agent: tuple[ParticipantId, Page]
        self.case = CaseId("")

    async def open(self) -> None:
        place, house = self.place, self.house
        place.store, place.clock = house.store, house.clock
        place.anew()
        self.attempts()
        self.session = await house.session()
        self.customer = await house.enter(self.session)
        self.agent = await house.enter(self.session, Role.AGENT)
        for scope in ("face", "camera"):
            await self.customer[1].say("consent.set", scope=scope, decision="given", wording="w", language="en")
        await self.customer[1].say("media.offer", sdp=OFFER)
        await house.live.settle()
        self.case = await place.ready(customer="C-1", session=self.session)

    def attempts(self) -> None:
        """On this house's cameras, by the engine that sees ``scene``."""
        checks = LiveChallenges(lambda: self.scene, translated, lambda info: THRESHOLDS)  # type: ignore[arg-type, return-value]
        self.house.live.attempts = LiveAttempts(self.place.verifications.attempts, checks, self.house.live.taps)

    async def until(self, test: Any) -> None:
        async with asyncio.timeout(60):
            while not (test() if not inspect.iscoroutinefunction(test) else await test()):
                await turn()

    def told(self, page: Page | None = None) -> list[dict[str, Any]]:
        return (page or self.customer[1]).got("verification.changed")

    async def begin(self, by: Page | None = None, case: str = "") -> str | None:
        return await (by or self.agent[1]).error("verification.begin", case=case or self.case, participant=self.customer[0])

    async def play(self, seconds: float = 60.0, *, before: int = 0) -> dict[str, Any]:
        """Frames until it is over, the person doing what their page shows; what was told then."""
        page = self.customer[1]
        await self.until(lambda: self.house.media.taps or len(self.told()) > before + 1)
        shown = 0
        start = self.house.clock.seconds
        for index in range(int(seconds / STEP_S)):
            if not self.house.media.taps:
                break
            now = index * STEP_S
            cues = page.got("verification.cue")
            self.scene.told([_instruction(cue) for cue in cues[shown:]], now)
            shown = len(cues)
            tap = self.house.media.taps[0]
            frame = self.scene.frame(index, now)
            object.__setattr__(frame, "received_at", start + frame.received_at)
            self.house.clock.seconds = start + now
            tap._pictures.put_nowait(frame)  # type: ignore[arg-type]
            await self.until(partial(self._seen, len(self.scene.calls)))
            for _ in range(6):
                await turn()
        await self.until(lambda: len(self.told()) > before + 1)
        await self.house.live.settle()
        return self.told()[-1]

    def _seen(self, before: int) -> bool:
        return len(self.scene.calls) > before or not self.house.media.taps

    async def allow(self, attempts: int) -> None:
        async with self.place.store.begin() as tx:
            case = await tx.get_case(self.case)
            assert case is not None
            await tx.save_case(replaced(case, attempts_allowed=attempts))

    async def state(self) -> CaseState:
        return (await self.place.case(self.case)).state


def _instruction(cue: dict[str, Any]) -> Instruction:
    text = cue["colour"]
    colour = (int(text[1:3], 16), int(text[3:5], 16), int(text[5:7], 16)) if text else None
    return Instruction(cue=Cue(cue["cue"]), action=cue["action"], within_s=cue["within_s"], colour=colour, fade_s=cue["fade_s"])


@pytest.fixture(autouse=True)
def drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same nonces in each run."""
    numbers = itertools.count()
    monkeypatch.setattr(
        "server.challenges.secrets.token_bytes", lambda size: hashlib.sha256(b"%d" % next(numbers)).digest()[:size]
    )


@pytest.fixture
async def visit(tmp_path: Path) -> AsyncIterator[Visit]:
    house = House()
    place = BankPlace(tmp_path)
    one = Visit(house, place)
    await one.open()
    yield one
    await house.close()


async def test_begun_by_the_agent_answered_by_the_customer_decided_and_signed(visit: Visit) -> None:
    assert await visit.begin() is None
    done = await visit.play()
    assert (done["state"], done["outcome"], done["number"], done["left"], done["problem"]) == ("over", "accept", 1, 2, "")
    first = visit.told()[0]
    assert (first["state"], first["warning"], first["participant"]) == ("playing", True, visit.customer[0])
    assert visit.told(visit.agent[1]) == visit.told()
    assert visit.agent[1].got("verification.cue") == []
    cues = visit.customer[1].got("verification.cue")
    assert cues[0]["cue"] == "settle"
    assert [cue["number"] for cue in cues if cue["cue"] == "ask"] == [0, 1, 2]
    assert all(len(cue["colour"]) in (0, 7) for cue in cues)
    case = await visit.place.case(visit.case)
    assert (case.state, bool(case.result)) == (CaseState.ACCEPTED, True)
    actions = [action for action, _ in await visit.house.audit()]
    for action in ("verification.attempt_begun", "tap.opened", "tap.closed", "verification.attempt_ended"):
        assert actions.count(action) == 1, action
    order = [actions.index(name) for name in ("tap.opened", "verification.attempt_begun", "verification.attempt_ended")]
    assert order == sorted(order)


async def test_the_customer_begins_for_themselves_and_only_for_themselves(visit: Visit) -> None:
    other, page = await visit.house.enter(visit.session)
    assert await page.error("verification.begin", case=visit.case, participant=visit.customer[0]) == "not_allowed"
    assert await visit.begin(visit.customer[1]) is None
    assert await visit.begin() == "conflict"
    assert await page.error("verification.cannot") == "conflict"
    assert await page.error("verification.stop") == "not_allowed"
    assert (await visit.play())["outcome"] == "accept"
    assert page.got("verification.changed") == []
    assert other


async def here(visit: Visit, who: ParticipantId | None = None) -> None:
    """The agent's media flow."""
    visit.house.media.peer(visit.session, who or visit.agent[0], "connected")
    await visit.house.live.settle()


def accompanied(visit: Visit) -> bool:
    return visit.house.live._sessions[visit.session].verifying.with_agent(visit.customer[0])


async def test_an_agent_who_is_there_all_through_it_is_told_to_the_risk(visit: Visit) -> None:
    await here(visit)
    await visit.begin(visit.customer[1])
    assert (await visit.play())["outcome"] == "accept"
    asked = visit.place.risk.asked[-1]
    assert (asked.with_agent, asked.session_kind, asked.assurance) == (True, "video", "live")


async def test_an_agent_who_was_away_for_a_moment_was_not_there(visit: Visit) -> None:
    await here(visit)
    await visit.begin(visit.customer[1])
    await visit.until(lambda: visit.house.media.taps)
    visit.agent[1].cut()
    await visit.house.live.settle()
    player = visit.house.live.attempts
    assert player is not None
    playing = player.playing(visit.case)
    assert playing is not None
    playing.cannot()
    visit.agent = visit.agent[0], await visit.house.connect(visit.house.token(visit.session, visit.agent[0], Role.AGENT))
    await here(visit)
    assert accompanied(visit)
    await visit.play()
    assert (len(visit.place.risk.asked), visit.place.risk.asked[-1].with_agent) == (1, False)


async def test_a_case_that_names_a_session_with_nobody_in_it_but_the_customer(visit: Visit) -> None:
    await here(visit)
    visit.agent[1].cut()
    await visit.house.live.settle()
    await visit.begin(visit.customer[1])
    assert (await visit.play())["outcome"] == "accept"
    assert (visit.place.risk.asked[-1].with_agent, visit.place.risk.asked[-1].session_kind) == (False, "video")


async def test_who_counts_as_being_with_a_customer(visit: Visit) -> None:
    house, (customer, _), (agent, page) = visit.house, visit.customer, visit.agent
    assert not accompanied(visit)  # a page without media sees nobody
    await here(visit)
    assert accompanied(visit)
    assert not house.live._sessions[visit.session].verifying.with_agent(ParticipantId("PA_NOBODY"))
    assert await page.error("participant.hold", participant=customer, held=True) is None
    assert not accompanied(visit)
    await page.say("participant.hold", participant=customer, held=False)
    assert accompanied(visit)
    house.media.peer(visit.session, agent, "disconnected")
    await house.live.settle()
    assert not accompanied(visit)
    expert, _ = await house.enter(visit.session, Role.EXPERT)
    other, _ = await house.enter(visit.session)
    for one in (expert, other):
        await here(visit, one)
    assert not accompanied(visit)
    supervisor, token = await house.place(visit.session, Role.SUPERVISOR)
    async with house.store.begin() as tx:
        place = await tx.get_participant(supervisor)
        assert place is not None
        await tx.save_participant(replaced(place, listens_at=house.clock.now()))
    unseen = await house.connect(token)
    await here(visit, supervisor)
    assert not accompanied(visit)
    await unseen.say("supervise", mode="join")
    assert accompanied(visit)
    await unseen.say("leave")
    assert not accompanied(visit)


async def test_somebody_else_before_the_camera_is_refused_and_told_nothing_of_why(visit: Visit) -> None:
    visit.scene.alike = 0.1
    await visit.begin()
    done = await visit.play()
    assert (done["outcome"], done["left"]) == ("reject", 2)
    assert "match" not in str(done)
    assert await visit.state() is CaseState.OPEN


async def test_who_cannot_may_say_so_and_who_does_not_want_may_stop(visit: Visit) -> None:
    assert await visit.customer[1].error("verification.cannot") == "conflict"
    assert await visit.agent[1].error("verification.stop") == "conflict"
    await visit.begin()
    await visit.until(lambda: visit.house.media.taps)
    assert await visit.agent[1].error("verification.cannot") == "conflict"
    await visit.customer[1].say("verification.stop")
    done = await visit.play()
    assert (done["state"], done["outcome"], done["left"]) == ("over", "reject", 2)
    assert visit.house.media.taps == []


@pytest.mark.campaign(11)
async def test_a_worker_that_dies_is_never_an_acceptance(visit: Visit) -> None:
    visit.scene.broken = 25
    await visit.begin()
    done = await visit.play()
    assert done["outcome"] == "refer"
    assert await visit.state() is CaseState.REVIEW


@pytest.mark.campaign(11)
@pytest.mark.parametrize("left", [2, 0])
async def test_a_worker_that_dies_before_anything_was_seen_costs_nobody_a_review(visit: Visit, left: int) -> None:
    """A reviewer could only decline it: they try again, and where no try is left a person says who they are."""
    await visit.allow(left + 1)
    visit.scene.broken, visit.scene.no_stills = 0, True
    await visit.begin()
    done = await visit.play()
    assert (done["outcome"], done["left"]) == ("reject", left)
    attempt, failures = await ended(visit)
    assert "engine_lost" in attempt.reasons
    assert (failures.count, failures.excused) == (0, 1)
    case = await visit.place.case(visit.case)
    assert (case.state, case.result) == (CaseState.OPEN, "")
    visit.scene = Scene(Person(seed=2))
    assert await visit.begin() is None
    if left:
        assert (await visit.play(before=2))["outcome"] == "accept"
    else:
        await visit.until(lambda: len(visit.told()) == 3)
        assert visit.told()[-1]["problem"] == "wrong_state"
        assert await visit.state() is CaseState.OPEN, "a person may still identify them"


async def ended(visit: Visit) -> tuple[Attempt, Failures]:
    """The only attempt, and what was counted of it."""
    async with visit.place.store.read() as tx:
        [attempt] = await tx.list_attempts(visit.case)
        failures = await visit.place.verifications.cases.failures(tx, "C-1")
    assert failures is not None
    return attempt, failures


@pytest.mark.campaign(6)
@pytest.mark.parametrize(
    ("how", "reason", "theirs"),
    [
        ("tap_lost", "stream_lost", False),
        ("closed", "stream_lost", False),
        ("gate", "camera_off", True),
        ("no_picture", "stream_unreadable", True),
        ("too_many", "stream_too_fast", True),
        ("hold", "put_on_hold", False),
        ("agent stops", "stopped_by_staff", False),
        ("customer stops", "attempt_ended", True),
        ("customer leaves", "customer_gone", True),
    ],
)
async def test_each_ending_has_its_reason_and_ours_are_no_failures(visit: Visit, how: str, reason: str, theirs: bool) -> None:
    await visit.begin()
    await visit.until(lambda: visit.house.media.taps)
    (customer, page), (_, agent) = visit.customer, visit.agent
    if how == "hold":
        await agent.say("participant.hold", participant=customer, held=True)
    elif how == "agent stops":
        await agent.say("verification.stop")
    elif how == "customer stops":
        await page.say("verification.stop")
    elif how == "customer leaves":
        await page.say("leave")
    else:
        visit.house.media.taps[0].end(how)

    async def is_over() -> bool:
        return (await visit.place.case(visit.case)).attempt is None

    await visit.until(is_over)
    attempt, failures = await ended(visit)
    assert reason in attempt.reasons
    assert attempt.reasons[0] == reason or how == "customer stops"
    assert (failures.count, failures.excused) == ((1, 0) if theirs else (0, 1))
    assert await visit.state() is CaseState.OPEN


async def test_an_attempt_that_the_time_of_its_case_cuts_short_is_judged(visit: Visit) -> None:
    """Else whoever begins late enough would always be excused."""
    visit.house.clock.seconds += 899
    await visit.begin()
    await visit.until(lambda: len(visit.told()) == 2)
    attempt, failures = await ended(visit)
    assert (attempt.outcome, failures.count, failures.excused) == ("reject", 1, 0)
    assert "attempt_ended" in attempt.reasons


@pytest.mark.parametrize("left", [2, 0])
@pytest.mark.parametrize("alike", [0.7, 0.1], ids=["theirs", "a stranger"])
async def test_who_was_looked_at_too_late_has_not_failed(
    visit: Visit, alike: float, left: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Except where what was seen is somebody else. They try again, and nobody is asked to approve what was not done: who they are a person may still say."""
    monkeypatch.setattr("server.services.verification_live.LEFT_OUT", 1_000_000)
    await visit.allow(left + 1)
    visit.scene.person.refuse, visit.scene.alike = frozenset(Action), alike
    look = visit.scene.analyse

    async def slow(*args: Any, **more: Any) -> Any:
        if len(visit.scene.calls) == 30:
            visit.house.clock.seconds += 3.0
        return await look(*args, **more)

    visit.scene.analyse = slow  # type: ignore[method-assign]
    await visit.begin()
    done, theirs = await visit.play(), alike > 0.5
    assert (done["outcome"], done["left"]) == ("reject", left)
    attempt, failures = await ended(visit)
    assert "engine_busy" in attempt.reasons
    assert "action_missed" not in attempt.reasons
    assert ("no_match" in attempt.reasons) is not theirs
    assert (failures.count, failures.excused) == ((0, 1) if theirs else (1, 0))
    if not left:
        assert await visit.state() is (CaseState.OPEN if theirs else CaseState.REJECTED)
        return
    assert await visit.state() is CaseState.OPEN
    visit.scene = Scene(Person(seed=2), alike=alike)
    assert await visit.begin() is None
    assert (await visit.play(before=2))["outcome"] == ("accept" if theirs else "reject")


@pytest.mark.parametrize("left", [2, 0])
async def test_nobody_is_kept_waiting_by_who_is_far_behind(visit: Visit, left: int) -> None:
    await visit.allow(left + 1)
    look = visit.scene.analyse

    async def stuck(*args: Any, **more: Any) -> Any:
        if len(visit.scene.calls) == 30:
            visit.house.clock.seconds += 6.0
        return await look(*args, **more)

    visit.scene.analyse = stuck  # type: ignore[method-assign]
    await visit.begin()
    assert (await visit.play())["outcome"] == ("reject" if left else "refer")
    assert len(visit.scene.calls) < 60
    attempt, failures = await ended(visit)
    assert attempt.reasons[0] == "engine_busy"
    assert (failures.count, failures.excused) == (0, 1)


async def test_consent_taken_back_ends_it_at_once(visit: Visit) -> None:
    """It is one of their failures, or it would be the way to try without end; nothing of what was seen is kept."""
    await visit.begin()
    await visit.until(lambda: visit.house.media.taps)
    await visit.customer[1].say("consent.set", scope="face", decision="withdrawn", wording="w", language="en")
    await visit.until(lambda: not visit.house.media.taps)
    done = await visit.play()
    assert done["outcome"] == "reject"
    attempt, failures = await ended(visit)
    assert (attempt.reasons, failures.count) == (("consent_withdrawn",), 1)
    assert attempt.checked is not None
    assert (attempt.checked.checks, attempt.checked.match_score, attempt.checked.frames) == ((), None, 0)
    await visit.begin()
    await visit.until(lambda: len(visit.told()) == 3)
    assert (visit.told()[-1]["state"], visit.told()[-1]["problem"]) == ("over", "not_allowed")
    assert (await visit.place.case(visit.case)).attempts_used == 1  # none was begun


async def test_what_does_not_begin_says_so(visit: Visit) -> None:
    assert await visit.begin(case="VE_" + "A" * 26) is None
    await visit.until(lambda: visit.told())
    assert (visit.told()[-1]["state"], visit.told()[-1]["problem"]) == ("over", "not_found")
    assert await visit.begin(case="nonsense") == "not_found"
    elsewhere = await visit.place.ready(customer="C-1", session=await visit.house.session())
    await visit.begin(case=elsewhere)
    await visit.until(lambda: len(visit.told()) == 2)
    assert visit.told()[-1]["problem"] == "not_found"
    bare = (await visit.place.asked(customer="C-1", session=visit.session)).id
    await visit.begin(case=bare)
    await visit.until(lambda: len(visit.told()) == 3)
    assert visit.told()[-1]["problem"] == "reference_missing"
    assert await visit.agent[1].error("verification.begin", case=visit.case, participant=visit.agent[0]) == "not_found"
    visit.house.live.attempts = None
    assert await visit.begin() is not None
    assert ids.is_id(visit.case, ids.CASE)


async def test_a_session_that_ends_ends_its_attempt(visit: Visit) -> None:
    await visit.begin()
    await visit.until(lambda: visit.house.media.taps)
    await visit.agent[1].say("session.end", reason="done")
    await visit.until(lambda: not visit.house.media.taps)

    async def ended() -> bool:
        return (await visit.place.case(visit.case)).attempt is None

    await visit.until(ended)
    assert await visit.state() is not CaseState.ACCEPTED


@pytest.mark.campaign(6)
@pytest.mark.parametrize("elsewhere", [False, True], ids=["this server", "another server"])
async def test_a_case_that_is_taken_back_closes_the_camera_at_once(
    visit: Visit, elsewhere: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.services.verification_cases.LOOK_S", 0.01 if elsewhere else 3600.0)
    bank = visit.place.verifications
    if elsewhere:
        bank = visit.place.anew()
    await visit.begin()
    await visit.until(lambda: visit.customer[1].got("verification.cue"))
    assert visit.house.media.taps
    assert (await bank.cancel(visit.place.bank, visit.case)).state == "cancelled"
    await visit.until(lambda: len(visit.told()) == 2)
    assert (visit.told()[-1]["state"], visit.told()[-1]["problem"]) == ("over", "wrong_state")
    assert visit.house.media.taps == []
    async with visit.place.store.read() as tx:
        [attempt] = await tx.list_attempts(visit.case)
        failures = await visit.place.verifications.cases.failures(tx, "C-1")
    assert (attempt.outcome, attempt.reasons) == (None, ("attempt_abandoned",))
    assert attempt.ended_at is not None
    assert failures is not None
    assert failures.count == 1


async def test_a_portrait_that_was_replaced_just_before_it_began_decides_nothing(visit: Visit) -> None:
    """The attempt compares with the portrait that was there when its challenge was drawn."""
    bank, open_tap = visit.place.verifications, visit.house.live.taps.open

    @asynccontextmanager
    async def late(*args: Any, **more: Any) -> AsyncIterator[Any]:
        async with open_tap(*args, **more) as tap:
            await bank.set_portrait(visit.place.bank, visit.case, SetPortrait(image=draw(BOB)))
            yield tap

    visit.house.live.taps.open = late  # type: ignore[method-assign, assignment]
    await visit.begin()
    assert (await visit.play())["outcome"] == "reject"
    case = await visit.place.case(visit.case)
    assert case.decided is not None
    assert (case.state, case.decided.reasons) == (CaseState.OPEN, ("reference_changed",))
    async with visit.place.store.read() as tx:
        failures = await visit.place.verifications.cases.failures(tx, "C-1")
    assert failures is not None
    assert (failures.count, failures.excused) == (0, 1), "not theirs"


async def test_a_template_that_is_erased_while_they_are_looked_at_decides_nothing(visit: Visit) -> None:
    place = visit.place
    place.faces = Faces(place.store, place.clock, place.make.id, place.workers, place.seal, place.config.verification)
    template = await place.enrol("C-1")
    visit.case = (await place.asked(customer="C-1", session=visit.session, template=template)).id
    await visit.begin()
    await visit.until(lambda: visit.house.media.taps)
    await place.faces.erase(place.key, template)
    assert (await visit.play())["outcome"] == "reject"
    case = await place.case(visit.case)
    assert case.decided is not None
    assert case.decided.reasons == ("reference_changed",)


async def test_a_server_that_stops_uses_the_attempt_up(visit: Visit) -> None:
    await visit.begin()
    await visit.until(lambda: visit.house.media.taps)
    await visit.house.live.close(1.0)
    assert visit.house.media.taps == []
    case = await visit.place.case(visit.case)
    assert (case.attempts_used, case.attempt) == (1, None)
    attempt, failures = await ended(visit)
    assert (attempt.reasons, failures.count, failures.excused) == (("attempt_cut",), 0, 1)


async def test_no_tap_left_is_told_as_what_it_is(visit: Visit) -> None:
    """And not that their camera was off."""
    visit.house.media.taps_refused = "busy"
    await visit.begin()
    await visit.until(lambda: visit.told())
    assert [(one["state"], one["problem"]) for one in visit.told()] == [("over", "attempts_busy")]
    assert (await visit.place.case(visit.case)).attempts_used == 0
