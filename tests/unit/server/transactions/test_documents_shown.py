"""A live attempt that goes on with an identity document: after the face, in the same attempt, and nothing of what stands on it leaves the worker's answer."""

import hashlib
import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path

import msgspec
import pytest

import server.transactions
from server.challenges import LiveChallenges
from server.errors import VerificationBusy, VerificationLost, VerificationUnavailable
from server.services.live_ports import LiveCheck
from server.transactions.again import another_try
from server.transactions.cues import Cue, Instruction
from server.transactions.decision import AttemptKind, CheckedAttempt, CheckOutcome, CheckResult, Outcome, decide
from server.transactions.lock import is_excused
from server.transactions.policy import Check, Policy, Title, read_policy
from server.transactions.risk.result import RiskLevel, RiskResult
from tests.support.card_person import FRONT, NAME, NOTHING, NUMBER, CardScene, seen
from tests.support.live_person import FMR, PORTRAIT, THRESHOLDS, pack
from tests.support.performer import Person
from verification.documents.reading import DocumentType
from verification.errors import EngineBusy, EngineLost, VerificationError

POLICY = Policy(
    type="test_document", title=Title(zh="测试", en="Test"), fmr=FMR, attempt_s=240,
    assurance=frozenset({Check.MATCH, Check.PAD, Check.CHALLENGE, Check.LIGHT, Check.DOCUMENT}),
)  # fmt: skip
CALM = RiskResult(score=0.01, level=RiskLevel.LOW, reasons=(), rules_hash="0" * 64, model_hash="0" * 64, took_ms=0.1)
TODAY = date(2026, 11, 22)
STEP_S = 0.08
SHIPPED = read_policy(
    (Path(server.transactions.__file__).parent / "policies/ushield_pin_reset.toml").read_text(encoding="utf-8"), name="shipped"
)


@pytest.fixture(autouse=True)
def drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same nonces in each run; and reading takes no time, so that as many pictures are read."""
    numbers = itertools.count()
    monkeypatch.setattr(
        "server.challenges.secrets.token_bytes", lambda size: hashlib.sha256(b"%d" % next(numbers)).digest()[:size]
    )
    monkeypatch.setattr("server.documents_shown.time.monotonic", lambda: 0.0)


@contextmanager
def translated() -> Iterator[None]:
    try:
        yield
    except EngineBusy as error:
        raise VerificationBusy("busy") from error
    except VerificationError as error:
        raise VerificationLost(error.code) from error


def challenges(scene: CardScene) -> LiveChallenges:
    return LiveChallenges(lambda: scene, translated, lambda info: THRESHOLDS, lambda: TODAY)  # type: ignore[arg-type, return-value]


class Play:
    """An attempt, step by step."""

    def __init__(self, scene: CardScene, check: LiveCheck) -> None:
        self.scene, self.check = scene, check
        self.heard: list[Instruction] = []
        self.now = 0.0
        self.index = 0
        self.take(check.start(0.0))

    def take(self, told: list[Instruction]) -> None:
        self.heard += told
        self.scene.told(told, self.now)

    async def on(self, seconds: float = 300.0, *, until: str = "") -> None:
        end = self.now + seconds
        while not self.check.over and self.now < end and not (until and self.wants(until)):
            self.now += STEP_S
            self.index += 1
            self.take(await self.check.see(self.scene.frame(self.index, self.now)))
            if self.check.due_s is not None and self.check.due_s <= self.now:
                self.take(self.check.tick(self.now))

    def wants(self, action: str) -> bool:
        return bool(self.heard) and self.heard[-1].action == action

    @property
    def cards(self) -> list[tuple[str, tuple[str, ...]]]:
        return [(one.action, one.reasons) for one in self.heard if one.cue is Cue.DOCUMENT]


async def begun(scene: CardScene, policy: Policy = POLICY) -> Play:
    return Play(scene, await challenges(scene).begin(policy, PORTRAIT))


async def played(scene: CardScene) -> tuple[CheckedAttempt, Play]:
    play = await begun(scene)
    await play.on()
    return play.check.result(), play


def of_document(checked: CheckedAttempt) -> tuple[CheckOutcome, tuple[str, ...]] | None:
    return next(((one.outcome, one.reasons) for one in checked.checks if one.name is Check.DOCUMENT), None)


async def test_both_sides_of_a_card_and_the_attempt_is_accepted() -> None:
    scene = CardScene(Person())
    checked, play = await played(scene)
    assert play.cards == [("show_card", ()), ("turn_over", ()), ("seen", ())]
    assert of_document(checked) == (CheckOutcome.PASS, ())
    assert decide(POLICY, checked, CALM).outcome is Outcome.ACCEPT
    # the worker compared the portrait with the face of this attempt and with the reference
    assert scene.read == [(TODAY, (b"first", PORTRAIT))] * 2
    shown = [one for one in play.heard if one.cue is Cue.DOCUMENT]
    assert [one.within_s for one in shown] == [45.0, 45.0, 0.0]
    last_face = max(at for at, one in enumerate(play.heard) if one.cue is not Cue.DOCUMENT)
    assert all(play.heard.index(one) > last_face for one in shown)


async def test_the_shipped_policy_that_asks_for_a_document_can_be_accepted() -> None:
    policy = msgspec.structs.replace(SHIPPED, fmr=FMR)
    assert Check.DOCUMENT in policy.assurance
    scene = CardScene(Person())
    play = await begun(scene, policy=policy)
    await play.on()
    assert decide(policy, play.check.result(), CALM).outcome is Outcome.ACCEPT
    assert play.now < 180


async def test_nothing_that_stands_on_it_is_in_what_is_kept_told_or_printed(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(0)
    checked, play = await played(CardScene(Person()))
    material = await play.check.material()
    kept = {name: value for name, value in vars(play.check).items() if name != "_engine"}
    pictures = [one.shown for one in material.pictures]
    text = "".join(map(str, (checked, play.heard, material.played, pictures, caplog.text, kept, vars(kept["_showing"]))))
    assert NUMBER not in text
    assert NAME not in text
    sides = [one.shown.asked for one in material.pictures if one.shown.kind == "document"]
    assert sides == ["cn_resident_id_front", "cn_resident_id_back"]


@pytest.mark.parametrize("who", [Person(answers=False), Person(pad=0.1)], ids=["does nothing", "a mask"])
async def test_a_face_that_did_not_pass_is_asked_for_no_document(who: Person) -> None:
    await _no_document(CardScene(who))


async def test_somebody_else_is_asked_for_no_document() -> None:
    await _no_document(CardScene(Person(), alike=0.1))


async def _no_document(scene: CardScene) -> None:
    checked, play = await played(scene)
    assert (play.cards, scene.read, of_document(checked)) == ([], [], None)
    assert decide(POLICY, checked, CALM).outcome is Outcome.REJECT


@pytest.mark.parametrize("alike", [(0.1, 0.7), (0.7, 0.1)], ids=["not who is before the camera", "not the customer"])
async def test_somebody_elses_document(alike: tuple[float, float]) -> None:
    scene = CardScene(Person(), front=seen(DocumentType.CN_ID_FRONT, alike=alike))
    checked, play = await played(scene)
    assert len(scene.read) == 3
    assert of_document(checked) == (CheckOutcome.FAIL, ("document_other_person",))
    decision = decide(POLICY, checked, CALM)
    assert (decision.outcome, decision.reasons) == (Outcome.REJECT, ("document_other_person",))
    assert "other_person" not in str(play.heard)


async def test_none_with_them_is_for_a_person_to_decide() -> None:
    play = await begun(CardScene(Person(), front=NOTHING))
    await play.on(until="show_card")
    assert play.check.cannot(play.now, light=True) == []
    assert not play.check.over
    play.take(play.check.cannot(play.now))
    decision = decide(POLICY, play.check.result(), CALM)
    assert (decision.outcome, decision.reasons) == (Outcome.REFER, ("document_not_shown",))


async def test_the_time_for_a_side() -> None:
    play = await begun(CardScene(Person(), back=NOTHING))
    await play.on(until="turn_over")
    asked = play.now
    await play.on()
    assert play.check.over
    assert play.now - asked == pytest.approx(45, abs=0.2)
    assert decide(POLICY, play.check.result(), CALM).reasons == ("document_back_missing",)
    assert 45 < len(play.scene.read) < 60  # one each 0.8 s, not each picture


async def test_broken_off_it_never_passes() -> None:
    play = await begun(CardScene(Person(), back=NOTHING))
    await play.on(until="turn_over")
    assert decide(POLICY, play.check.result(), CALM).outcome is Outcome.REJECT
    play.take(play.check.end(play.now))
    assert play.check.over
    assert decide(POLICY, play.check.result(), CALM).outcome is Outcome.REJECT


async def test_readers_that_are_busy_are_asked_again() -> None:
    checked, play = await played(CardScene(Person(), fails=[EngineBusy(), EngineBusy()]))
    assert len(play.scene.read) == 4
    assert decide(POLICY, checked, CALM).outcome is Outcome.ACCEPT
    checked, _ = await played(CardScene(Person(), fails=[EngineBusy() for _ in range(100)]))
    assert of_document(checked) == (CheckOutcome.REFER, ("engine_busy",))
    decision = decide(POLICY, checked, CALM)
    assert (decision.outcome, decision.reasons, is_excused(checked, decision)) == (Outcome.REFER, ("engine_busy",), True)
    assert another_try(checked, decision, seen=True, left=1).outcome is Outcome.REJECT
    assert another_try(checked, decision, seen=True, left=0) == decision


async def test_a_reader_that_dies_ends_it() -> None:
    with pytest.raises(VerificationLost):
        await played(CardScene(Person(), fails=[EngineLost()]))


async def test_corners_that_a_worker_says_are_not_believed() -> None:
    for corners in ((), ((1e30, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)), ((-1e9, 0.0),) * 4):
        scene = CardScene(Person(), front=replace(FRONT, reading=replace(FRONT.reading, corners=corners)))
        checked, play = await played(scene)
        assert of_document(checked) == (CheckOutcome.PASS, ())
        kinds = [one.shown.asked for one in (await play.check.material()).pictures if one.shown.kind == "document"]
        assert kinds == ["cn_resident_id_back"]


async def test_without_readers_none_is_begun() -> None:
    with pytest.raises(VerificationUnavailable):
        await challenges(CardScene(Person(), info=pack())).begin(POLICY, PORTRAIT)


def test_an_upload_has_shown_no_document() -> None:
    passed = tuple(CheckResult(name=one, outcome=CheckOutcome.PASS, score=0.9) for one in (Check.MATCH, Check.DOCUMENT))
    checked = CheckedAttempt(
        assurance=AttemptKind.IMAGES, checks=passed, match_score=0.9, match_threshold=0.4, pack_name="tiny", pack_hash="ab" * 32, frames=3
    )  # fmt: skip
    assert "attempt_malformed" in decide(POLICY, checked, CALM).reasons
