"""A challenge that is played on pictures of a tap: who answers passes as who they are, whoever else does not, and no fault is ever a pass."""

import asyncio
import hashlib
import itertools
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from server.challenges import LiveChallenges, PlayedChallenge, challenge_policy
from server.errors import Conflict, VerificationLost, VerificationUnavailable
from server.transactions.again import another_try
from server.transactions.cues import Cue, Instruction
from server.transactions.decision import CheckedAttempt, CheckOutcome, CheckResult, Outcome, decide
from server.transactions.lock import is_excused, is_failure
from server.transactions.policy import Check, Policy, Title
from server.transactions.risk.result import RiskLevel, RiskResult
from tests.support.live_person import FMR, PORTRAIT, STRANGER, THRESHOLDS, Scene, pack
from tests.support.performer import Person
from verification.challenge.observation import Observation
from verification.challenge.script import Action
from verification.errors import VerificationError
from verification.ports import PackInfo
from verification.types import Ability

POLICY = Policy(
    type="test_live", title=Title(zh="测试", en="Test"), fmr=FMR, assurance=frozenset({Check.MATCH, Check.PAD, Check.CHALLENGE, Check.LIGHT})
)  # fmt: skip
CALM = RiskResult(score=0.01, level=RiskLevel.LOW, reasons=(), rules_hash="0" * 64, model_hash="0" * 64, took_ms=0.1)
STEP_S = 0.08


@pytest.fixture(autouse=True)
def drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same nonces in each run, another one for each attempt."""
    numbers = itertools.count()
    monkeypatch.setattr(
        "server.challenges.secrets.token_bytes", lambda size: hashlib.sha256(b"%d" % next(numbers)).digest()[:size]
    )


@contextmanager
def translated() -> Iterator[None]:
    try:
        yield
    except VerificationError as error:
        raise VerificationLost(error.code) from error


def challenges(scene: Scene) -> LiveChallenges:
    return LiveChallenges(lambda: scene, translated, lambda info: THRESHOLDS)  # type: ignore[arg-type, return-value]


Change = Callable[[Observation], Observation]


async def played(
    scene: Scene,
    policy: Policy = POLICY,
    *,
    portrait: bytes = PORTRAIT,
    heard: list[Instruction] | None = None,
    change: Change = lambda one: one,
    cannot: frozenset[str] = frozenset(),
    seconds: float = 60.0,
    ours: bool = False,
) -> CheckedAttempt:
    check = await challenges(scene).begin(policy, portrait)
    heard = [] if heard is None else heard
    told = check.start(0.0)
    for index in range(int(seconds / STEP_S)):
        now = index * STEP_S
        heard += told
        scene.told(told, now)
        if check.over:
            break
        if any(one.cue is Cue.ASK and one.action in cannot for one in told):
            told = check.cannot(now)
            continue
        picture = scene.frame(index, now)
        scene.shown[index] = change(scene.shown[index])
        told = await check.see(picture)
        if check.due_s is not None and check.due_s <= now:
            told = [*told, *check.tick(now)]
    return check.result(ours=ours)


def outcomes(checked: CheckedAttempt) -> dict[str, str]:
    return {one.name.value: one.outcome.value for one in checked.checks}


def named(checked: CheckedAttempt, name: Check) -> tuple[CheckOutcome, tuple[str, ...]]:
    (found,) = [one for one in checked.checks if one.name is name]
    return found.outcome, found.reasons


async def test_who_answers_is_accepted() -> None:
    heard: list[Instruction] = []
    scene = Scene(Person())
    checked = await played(scene, heard=heard)
    assert outcomes(checked) == {"match": "pass", "challenge": "pass", "pad": "pass", "light": "pass"}
    assert decide(POLICY, checked, CALM).outcome is Outcome.ACCEPT
    assert (checked.match_score, checked.pack_hash, len(checked.script_hash)) == (0.7, "ab" * 32, 64)
    cues = [one.cue for one in heard]
    assert cues[0] is Cue.SETTLE
    asked = [one for one in heard if one.cue is Cue.ASK]
    assert [one.number for one in asked] == [0, 1, 2]
    assert {one.of for one in asked} == {3}
    assert all(0 < one.within_s <= 5 for one in asked)
    assert Cue.HOLD_ON in cues or cues.count(Cue.COLOUR) >= 7
    # the portrait is compared with frames that the nonce chose, never with the first one; every second frame is looked at by passive detection
    with_portrait = [index for index, reference, _, _ in scene.calls if reference == PORTRAIT]
    assert len(with_portrait) >= 5
    assert 0 not in with_portrait
    assert {index % 2 for index, _, _, pad in scene.calls if pad} == {0}
    assert [template for _, _, template, _ in scene.calls][:2] == [True, False]


async def test_every_attempt_asks_something_else() -> None:
    asked, hashes = set(), set()
    for _ in range(12):
        heard: list[Instruction] = []
        check = await challenges(Scene(Person())).begin(POLICY, PORTRAIT)
        hashes.add(check.result().script_hash)
        assert len(check.nonce) == 32
        await played(Scene(Person()), heard=heard)
        asked.add(tuple(one.action for one in heard if one.cue is Cue.ASK))
    assert len(hashes) == 12
    assert len(asked) > 4


async def test_another_person_is_no_match() -> None:
    checked = await played(Scene(Person(), alike=0.2))
    assert named(checked, Check.MATCH) == (CheckOutcome.FAIL, ("no_match",))
    decision = decide(POLICY, checked, CALM)
    assert (decision.outcome, decision.reasons) == (Outcome.REJECT, ("no_match",))
    other = await played(Scene(Person()), portrait=STRANGER)  # the engine says nothing of it
    assert named(other, Check.MATCH)[0] is CheckOutcome.REFER
    assert decide(POLICY, other, CALM).outcome is not Outcome.ACCEPT


async def test_a_film_of_the_customer_before_ones_own_face_is_looked_at_by_a_person() -> None:
    """The median of the frames is the customer; too many are not."""
    scene = Scene(Person())
    number = itertools.count()
    scene.like = lambda: 0.2 if next(number) % 3 == 0 else 0.7
    checked = await played(scene)
    assert named(checked, Check.MATCH) == (CheckOutcome.REFER, ("portrait_unsure",))
    assert checked.match_score == 0.7
    assert decide(POLICY, checked, CALM).outcome is Outcome.REFER


@pytest.mark.parametrize(
    ("person", "check"),
    [
        (Person(answers=False), Check.CHALLENGE),
        (Person(light=0.0), Check.LIGHT),
        (Person(pad=0.2), Check.PAD),
        (Person(identity=0.1), Check.CHALLENGE),
        (Person(delay_s=2.5), Check.LIGHT),
    ],
    ids=["does nothing", "no light", "a screen", "not one person", "late light"],
)
async def test_what_is_not_shown_does_not_pass(person: Person, check: Check) -> None:
    checked = await played(Scene(person))
    outcome, reasons = named(checked, check)
    assert outcome is not CheckOutcome.PASS
    assert reasons
    assert decide(POLICY, checked, CALM).outcome is not Outcome.ACCEPT


async def test_a_pack_without_passive_detection_has_no_such_check() -> None:
    checked = await played(Scene(Person(pad=None), info=pack(pad=False)))
    assert outcomes(checked) == {"match": "pass", "challenge": "pass", "light": "pass"}
    decision = decide(POLICY, checked, CALM)
    assert (decision.outcome, decision.reasons) == (Outcome.REFER, ("pad_unavailable",))
    lower = msgspec.structs.replace(POLICY, assurance=POLICY.assurance - {Check.PAD})
    assert decide(lower, checked, CALM).outcome is Outcome.ACCEPT


async def test_a_stricter_policy_asks_more_of_passive_detection() -> None:
    strict = msgspec.convert(
        {**msgspec.to_builtins(POLICY), "thresholds": {"tiny": {"pad_accept": 0.95, "pad_refer": 0.9}}}, Policy
    )
    assert named(await played(Scene(Person()), strict), Check.PAD)[0] is not CheckOutcome.PASS
    laxer = msgspec.convert(
        {**msgspec.to_builtins(POLICY), "thresholds": {"tiny": {"pad_accept": 0.1, "pad_refer": 0.05}}}, Policy
    )
    assert named(await played(Scene(Person(pad=0.6)), laxer), Check.PAD)[0] is not CheckOutcome.PASS


async def test_who_cannot_do_something_gets_another_action_and_a_person_decides_in_the_end() -> None:
    heard: list[Instruction] = []
    first = {Action.TURN_LEFT.value, Action.TURN_RIGHT.value}
    once = await played(Scene(Person()), heard=heard, cannot=frozenset({Action.NOD.value}))
    numbers = [one.number for one in heard if one.cue is Cue.ASK]
    if len(numbers) > 3:  # it was asked for
        assert max(one.of for one in heard if one.cue is Cue.ASK) == 4
    assert named(once, Check.CHALLENGE)[0] is CheckOutcome.PASS
    everything = frozenset(action.value for action in Action)
    none = await played(Scene(Person()), cannot=everything)
    assert named(none, Check.CHALLENGE)[0] is CheckOutcome.REFER
    assert decide(POLICY, none, CALM).outcome is not Outcome.ACCEPT
    assert first <= everything


async def test_a_worker_that_dies_is_an_error_and_never_an_answer() -> None:
    scene = Scene(Person(), broken=30)
    check = await challenges(scene).begin(POLICY, PORTRAIT)
    check.start(0.0)
    for index in range(30):
        await check.see(scene.frame(index, index * STEP_S))
    with pytest.raises(VerificationLost):
        await check.see(scene.frame(30, 30 * STEP_S))
    assert not check.over
    assert decide(POLICY, check.result(), CALM).outcome is not Outcome.ACCEPT


@pytest.mark.parametrize("at", [5, 60], ids=["while they settle", "while they are asked"])
@pytest.mark.parametrize("alike", [0.7, 0.1], ids=["theirs", "a stranger"])
async def test_a_picture_that_stops_for_a_moment_never_passes_and_speaks_against_nobody(at: int, alike: float) -> None:
    scene, asked = Scene(Person(), alike=alike), []
    check = await challenges(scene).begin(POLICY, PORTRAIT)
    told = check.start(0.0)
    for index in range(700):
        now = index * STEP_S
        scene.told(told, now)
        asked += [one.action for one in told if one.cue is Cue.ASK]
        if check.over:
            break
        stopped = at <= index < at + 2.0 / STEP_S
        told = check.tick(now) if stopped else await check.see(scene.frame(index, now))
        if check.due_s is not None and check.due_s <= now:
            told = [*told, *check.tick(now)]
    checked = check.result()
    assert checked.fault == "stream_gap"
    decision = decide(POLICY, checked, CALM)
    assert decision.outcome is not Outcome.ACCEPT
    assert "stream_gap" in decision.reasons
    stranger = alike < 0.5 and "no_match" in decision.reasons
    assert is_excused(checked, decision) is not stranger
    assert is_failure(checked, decision) is stranger
    if at == 5:
        assert stranger is (alike < 0.5), "all that was asked for was seen, and somebody else is found"
    for left in (0, 2):
        again = another_try(checked, decision, seen=True, left=left)
        assert again.outcome is Outcome.REJECT, "nobody is asked to approve a hole, on the last try neither"
    if not stranger:
        doubtful = CheckResult(name=Check.PAD, score=0.6, outcome=CheckOutcome.REFER, reasons=("pad_unsure",))
        found = msgspec.structs.replace(
            checked, checks=(*(one for one in checked.checks if one.name is not Check.PAD), doubtful)
        )
        decision = decide(POLICY, found, CALM)
        assert decision.outcome is Outcome.REFER
        for left in (2, 0):
            again = another_try(found, decision, seen=True, left=left)
            assert again.outcome is Outcome.REJECT, "what is doubtful beside a hole is seen in the next try"
            assert {"stream_gap", "pad_unsure"} <= set(again.reasons)
            assert (is_excused(found, again), is_failure(found, again)) == (True, False)


async def test_what_was_asked_for_and_not_done_counts_beside_a_gap() -> None:
    """A pause while nothing is asked excuses no answer that did not come."""
    scene = Scene(Person(refuse=frozenset(Action)))
    check = await challenges(scene).begin(POLICY, PORTRAIT)
    told = check.start(0.0)
    for index in range(700):
        now = index * STEP_S
        if check.over:
            break
        told = check.tick(now) if 5 <= index < 30 else await check.see(scene.frame(index, now))
        if check.due_s is not None and check.due_s <= now:
            told = check.tick(now)
    decision = decide(POLICY, check.result(), CALM)
    assert {"stream_gap", "action_missed"} <= set(decision.reasons)
    assert is_failure(check.result(), decision)
    assert told is not None


async def at_pace(pace: Callable[[float], float], *, slow: bool, **person: Any) -> CheckedAttempt:
    """``pace``: the sender's clock by ours. ``slow``: our machine had too much to do."""
    scene = Scene(Person(**person))
    check = await challenges(scene).begin(POLICY, PORTRAIT)
    told = check.start(0.0)
    for index in range(700):
        now = index * STEP_S
        scene.told(told, now)
        if check.over:
            break
        frame = scene.frame(index, now)
        told = await check.see(replace(frame, rtp_time=(scene.rtp_start + round(pace(now) * 90_000)) % (1 << 32)))
        if check.due_s is not None and check.due_s <= now:
            told = [*told, *check.tick(now)]
    return check.result(ours=slow, slow=slow)


@pytest.mark.parametrize(
    "pace",
    [lambda now: 0.75 * now, lambda now: min(now, max(5.0 + 0.01 * (now - 5.0), now - 2.0))],
    ids=["slower", "stays late"],
)
async def test_pictures_that_only_came_late_speak_against_nobody_where_our_machine_was_slow(
    pace: Callable[[float], float],
) -> None:
    """It relays them too. They never pass, and no reviewer is asked because of it: a sender's clock that stands still looks the same."""
    theirs = await at_pace(pace, slow=False)
    decision = decide(POLICY, theirs, CALM)
    assert "stream_times" in decision.reasons
    assert is_failure(theirs, decision)
    ours = msgspec.structs.replace(await at_pace(pace, slow=True), fault="engine_busy")
    assert "stream_times" in named(ours, Check.CHALLENGE)[1]
    decision = decide(POLICY, ours, CALM)
    assert (decision.outcome, "stream_times" in decision.reasons) == (Outcome.REFER, False)
    for left in (0, 2):
        again = another_try(ours, decision, seen=True, left=left)
        assert again.outcome is Outcome.REJECT
        assert "stream_times" in again.reasons, "whoever reads of it later reads that, too"
        assert is_excused(ours, again)
    doubtful = CheckResult(name=Check.PAD, score=0.6, outcome=CheckOutcome.REFER, reasons=("pad_unsure",))
    found = msgspec.structs.replace(ours, checks=(*(one for one in ours.checks if one.name is not Check.PAD), doubtful))
    for left in (0, 2):
        again = another_try(found, decide(POLICY, found, CALM), seen=True, left=left)
        assert again.outcome is Outcome.REJECT
        assert {"engine_busy", "pad_unsure", "stream_times"} <= set(again.reasons)
        assert (is_excused(found, again), is_failure(found, again)) == (True, False)


@pytest.mark.parametrize(
    "pace", [lambda now: now - 2.0 * (now > 5.0), lambda now: now + 2.0 * (now > 5.0)], ids=["back", "ahead"]
)
async def test_a_senders_clock_that_jumps_counts_however_slow_our_machine_was(pace: Callable[[float], float]) -> None:
    checked = msgspec.structs.replace(await at_pace(pace, slow=True), fault="engine_busy")
    decision = decide(POLICY, checked, CALM)
    assert (decision.outcome, "stream_times" in decision.reasons) == (Outcome.REJECT, True)
    assert is_failure(checked, decision)


def excusing(checked: CheckedAttempt, fault: str, *codes: str) -> CheckedAttempt:
    """With a challenge of which this is not known, for a fault of ours."""
    parts = [one for one in checked.checks if one.name is not Check.CHALLENGE]
    unsure = CheckResult(name=Check.CHALLENGE, score=0.5, outcome=CheckOutcome.REFER, reasons=codes, excused=codes)
    return msgspec.structs.replace(checked, checks=(*parts, unsure), fault=fault)


@pytest.mark.parametrize("fault", ["engine_busy", "deadline_missed", "engine_lost"])
@pytest.mark.parametrize("left", [2, 0])
@pytest.mark.parametrize("code", ["action_before_asked", "action_missed", "action_other", "light_late"])
@pytest.mark.parametrize("doubtful", [False, True])
async def test_nobody_is_asked_to_approve_answers_that_were_not_theirs(
    fault: str, left: int, code: str, doubtful: bool
) -> None:
    """However late we looked: a film that does nothing of what is asked for would be shown to a reviewer with all the rest in order."""
    checked = excusing(await played(Scene(Person())), fault, "stream_rate", code)
    if doubtful:
        unsure = CheckResult(name=Check.PAD, score=0.6, outcome=CheckOutcome.REFER, reasons=("pad_unsure",))
        checked = msgspec.structs.replace(
            checked, checks=(*(one for one in checked.checks if one.name is not Check.PAD), unsure)
        )
    decision = decide(POLICY, checked, CALM)
    assert decision.outcome is Outcome.REFER
    again = another_try(checked, decision, seen=True, left=left)
    assert again.outcome is Outcome.REJECT
    assert (is_excused(checked, again), is_failure(checked, again)) == (True, False)


@pytest.mark.parametrize("fault", ["engine_busy", "deadline_missed", "engine_lost"])
@pytest.mark.parametrize("left", [2, 0])
async def test_an_engine_that_was_too_busy_asks_a_person_only_where_no_try_is_left(fault: str, left: int) -> None:
    """Those of a load peak would all wait for the same few people. A worker that died is another thing: they look at what it was shown."""
    checked = excusing(await played(Scene(Person())), fault, "stream_rate", "not_settled")
    decision = decide(POLICY, checked, CALM)
    assert decision.outcome is Outcome.REFER
    again = another_try(checked, decision, seen=True, left=left)
    named = {"stream_rate", "not_settled"}.intersection(again.reasons)
    assert len(named) == (2 if again.outcome is Outcome.REFER else 0), "a reviewer reads what was excused"
    assert again.outcome is (Outcome.REJECT if left and fault != "engine_lost" else Outcome.REFER)
    assert is_excused(checked, again)
    assert another_try(checked, decision, seen=False, left=left).outcome is Outcome.REJECT
    doubtful = CheckResult(name=Check.PAD, score=0.6, outcome=CheckOutcome.REFER, reasons=("pad_unsure",))
    found = msgspec.structs.replace(checked, checks=(*(one for one in checked.checks if one.name is not Check.PAD), doubtful))
    decision = decide(POLICY, found, CALM)
    again = another_try(found, decision, seen=True, left=left)
    assert again.outcome is Outcome.REFER, "what else was found is a reviewer's to see"
    assert again.reasons == (*decision.reasons, "stream_rate", "not_settled")
    held = tuple(
        msgspec.structs.replace(one, reasons=("stream_gap", *one.reasons), excused=("stream_gap", *one.excused))
        if one.name is Check.CHALLENGE
        else one
        for one in checked.checks
    )
    holed = msgspec.structs.replace(checked, checks=held)
    again = another_try(holed, decide(POLICY, holed, CALM), seen=True, left=left)
    assert again.outcome is Outcome.REJECT, "whoever holds the camera made the hole, whatever we did at the same time"


@pytest.mark.parametrize("field", ["yaw", "eyes", "identity", "scale"])
async def test_a_number_that_cannot_be_ends_it(field: str) -> None:
    def nonsense(one: Observation) -> Observation:
        if one.index == 25:
            object.__setattr__(one, field, math.nan)
        return one

    checked = await played(Scene(Person()), change=nonsense)
    assert named(checked, Check.CHALLENGE)[0] is not CheckOutcome.PASS
    assert "observation_invalid" in named(checked, Check.CHALLENGE)[1]


async def test_an_end_before_the_end_never_passes() -> None:
    for seconds in (0.5, 3.0, 8.0):
        checked = await played(Scene(Person()), seconds=seconds)
        assert decide(POLICY, checked, CALM).outcome is not Outcome.ACCEPT
    scene = Scene(Person())
    check = await challenges(scene).begin(POLICY, PORTRAIT)
    told = check.start(0.0)
    for index in range(60):
        scene.told(told, index * STEP_S)
        told = await check.see(scene.frame(index, index * STEP_S))
    check.end(5.0)
    assert check.over
    assert check.due_s is None
    assert await check.see(scene.frame(61, 5.1)) == []
    assert "attempt_ended" in named(check.result(), Check.CHALLENGE)[1]


async def test_what_a_pack_cannot_see_is_not_asked() -> None:
    few = Scene(Person(), info=pack(abilities=frozenset({Ability.COLOURS, Ability("turn_left"), Ability("turn_right")})))
    with pytest.raises(Conflict, match="cannot see"):
        await challenges(few).begin(POLICY, PORTRAIT)
    with pytest.raises(Conflict, match="operating point"):
        await challenges(Scene(Person())).begin(msgspec.structs.replace(POLICY, fmr=1e-3), PORTRAIT)

    def changed(info: PackInfo) -> object:
        raise VerificationError("changed")

    with pytest.raises(VerificationUnavailable):
        await LiveChallenges(lambda: Scene(Person()), translated, changed).begin(POLICY, PORTRAIT)  # type: ignore[arg-type, return-value]


def test_the_policy_is_the_challenges() -> None:
    for light in ("steps", "slow", "none"):
        rules = msgspec.structs.replace(POLICY.challenge, light=light, actions=2, mistakes=0, also_require=frozenset({"agent"}))
        made = challenge_policy(msgspec.structs.replace(POLICY, challenge=rules))
        assert (made.light.value, made.actions, made.mistakes, made.accept_without_pad) == (light, 2, 0, False)
        assert [one.value for one in made.also_require] == ["agent"]


def test_the_senders_clock_is_unwrapped() -> None:
    one = object.__new__(PlayedChallenge)
    one._rtp = None
    start = (1 << 32) - 9_000
    assert [one._at_s((start + step) % (1 << 32)) for step in (0, 9_000, 18_000, 9_000)] == pytest.approx([0, 0.1, 0.2, 0.1])


def test_time_of_a_person_is_kept() -> None:
    """``Scene`` numbers frames as a tap does."""
    scene = Scene(replace(Person()))
    frames = [scene.frame(index, index * STEP_S) for index in range(3)]
    assert [frame.index for frame in frames] == [0, 1, 2]
    assert asyncio.run(scene.analyse(frames[2].pixels, 640, 480)).faces == 1
