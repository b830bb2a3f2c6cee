"""Attempts on the live stream, with ``verification``'s challenges and workers. A part of the composition root, as ``server/faces.py``.

The challenge machine runs here; workers only say what a picture shows. What they say is data: of a number that cannot be the attempt ends.
"""

import asyncio
import hashlib
import logging
import secrets
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from server.errors import Conflict, TongpingError, VerificationBusy, VerificationLost, VerificationUnavailable
from server.keeping import Keeping, Seen
from server.live.ports import TapPicture
from server.services.live_ports import LiveCheck
from server.transactions.cues import Cue, Instruction
from server.transactions.decision import AttemptKind, CheckedAttempt, CheckOutcome, CheckResult
from server.transactions.material import Material
from server.transactions.policy import Check, Policy

if TYPE_CHECKING:
    from verification.challenge.events import Event, Input
    from verification.challenge.machine import ChallengeMachine
    from verification.challenge.policy import ChallengePolicy, Limits
    from verification.challenge.script import Action
    from verification.challenge.verdict import Check as VerdictCheck
    from verification.challenge.verdict import Verdict
    from verification.models.pack import Thresholds
    from verification.ports import Analysis, EnginePort, PackInfo
    from verification.types import Ability

log = logging.getLogger(__name__)
NONCE_BYTES = 32
LINES = 480
"""Of the pictures: a face needs no more."""
PAD_EVERY = 2
"""Passive detection is the dearest model: only each so many frames."""
FRESH_S = 1.0
"""So long a picture for which no worker has room is brought again, every ``AGAIN_S``."""
AGAIN_S = 0.05
RTP_RATE = 90_000
TIMELINE = 500
"""Cues that are told in the evidence."""
CHALLENGE = frozenset({"actions", "face", "identity", "stream", "assurance"})
"""Checks of a verdict that together are the challenge; ``pad`` and ``light`` are checks of their own."""


LATENESS = frozenset(
    """action_before_asked action_missed action_other attempt_ended evidence_missing face_lost light_late light_unseen no_face not_settled pad_too_few
    stream_rate stream_too_short""".split()  # noqa: SIM905
)
"""What may be said of an attempt for no other reason than that we looked late, left pictures out or stopped before its end. Another person, several faces, or a
stream that is no camera's are seen in pictures that were looked at."""


GAP = "stream_gap"
GAPS = frozenset({GAP, "evidence_missing", "light_unseen", "no_face", "not_settled", "pad_too_few", "stream_too_short"})
"""What may be said of an attempt for no other reason than that its picture stopped, or came late and then all at once. Nobody passes with it, and it speaks against
nobody; what was asked for while pictures came, and was not done, does."""


TIMES = "stream_times"
"""Where they are wrong for no other reason than that pictures came late, a machine that had too much to do may be why: it relays them too."""


class LiveChallenges:
    """``server/services/live_ports.py: LiveChecks``. ``port``: the engine now, raises VerificationUnavailable; ``translated``: its errors as the server's.
    ``today``: where identity documents are from."""

    def __init__(
        self,
        port: Callable[[], "EnginePort"],
        translated: Callable[[], AbstractContextManager[None]],
        thresholds: Callable[["PackInfo"], "Thresholds"],
        today: Callable[[], date] | None = None,
    ) -> None:
        self._port, self._translated, self._thresholds, self._today = port, translated, thresholds, today

    async def begin(self, policy: Policy, reference: bytes, *, light: bool = True) -> LiveCheck:
        from verification.challenge.machine import ChallengeMachine
        from verification.challenge.policy import PolicyInvalid, limits_of
        from verification.challenge.script import draw_script

        with self._translated():
            engine = self._port()
            pack = engine.pack
            limits = strictest(limits_of(await asyncio.to_thread(self._thresholds, pack)), policy, pack.name)
        points = dict(pack.points)
        with_document = Check.DOCUMENT in policy.assurance
        if with_document and not pack.reads_documents:
            raise VerificationUnavailable("No identity documents are read here now, and the policy asks for one.")
        if policy.fmr not in points:
            raise Conflict(f"The model pack {pack.name} has no operating point {policy.fmr:g}, which the policy asks for.")
        nonce = secrets.token_bytes(NONCE_BYTES)
        rules = challenge_policy(policy) if light else without_light(challenge_policy(policy), pack.abilities)
        try:
            script = draw_script(nonce, pack.abilities, rules)
        except PolicyInvalid as error:
            raise Conflict(f"The policy asks what the model pack {pack.name} cannot see: {error.detail}.") from error
        machine = ChallengeMachine(script, rules, limits)
        face = PlayedChallenge(
            engine, self._translated, pack, machine, limits, nonce, reference, points[policy.fmr], warning=script.warning
        )
        if not with_document:
            return face
        from server.documents_shown import WithDocument, document_rules, today_in_china

        return WithDocument(face, engine, self._translated, document_rules(policy, pack), self._today or today_in_china)


def challenge_policy(policy: Policy) -> "ChallengePolicy":
    """The part of a policy that the challenge needs. Missing evidence is never excused here: what it means is the decision's."""
    from verification.challenge.policy import Assurance, ChallengePolicy, Light

    rules = policy.challenge
    return ChallengePolicy(
        actions=rules.actions,
        actions_without_light=rules.actions_without_light,
        strong=min(2, rules.actions, rules.actions_without_light),
        action_s=rules.action_s,
        light=Light(rules.light),
        replacements=rules.replacements,
        replacements_accepted=rules.replacements_accepted,
        mistakes=rules.mistakes,
        settle_s=rules.settle_s,
        also_require=frozenset(Assurance(one) for one in rules.also_require),
        accept_without_light=rules.accept_without_light,
    )


def unseen(policy: Policy, abilities: "frozenset[Ability]") -> str:
    """What it asks of a person that a pack of these ``abilities`` cannot see, so that no attempt would begin; "" where it can."""
    from verification.challenge.policy import PolicyInvalid
    from verification.challenge.script import draw_script

    try:
        draw_script(bytes(NONCE_BYTES), abilities, challenge_policy(policy))
    except PolicyInvalid as error:
        return error.detail
    return ""


def without_light(rules: "ChallengePolicy", abilities: "frozenset[Ability]") -> "ChallengePolicy":
    """For whoever wants no colours: the same, where the pack can draw what is then asked for. Otherwise as many actions as it sees, of as many different
    rows as there are, and no pass by that alone: fewer than asked for stand in for nothing."""
    import dataclasses

    from verification.challenge.policy import Light
    from verification.challenge.script import askable, different

    asked = dataclasses.replace(rules, light=Light.NONE)
    if different(abilities, asked) >= asked.scripts:
        return asked
    count = max(1, min(asked.actions_without_light, len(askable(abilities, asked))))
    fewer = count < asked.actions_without_light
    strong = min(asked.strong, count - 1) if fewer else asked.strong
    return dataclasses.replace(asked, actions_without_light=count, strong=strong, scripts=1, accept_without_light=False)


def strictest(limits: "Limits", policy: Policy, pack: str) -> "Limits":
    """With the policy's thresholds of passive detection, where they are stricter."""
    import dataclasses

    if not limits.has_pad:
        return limits
    accept, refer = policy.pad_thresholds(pack, limits.pad_accept, limits.pad_refer)
    return dataclasses.replace(limits, pad_accept=accept, pad_refer=refer)


class PlayedChallenge:
    """``server/services/live_ports.py: LiveCheck``."""

    def __init__(
        self,
        engine: "EnginePort",
        translated: Callable[[], AbstractContextManager[None]],
        pack: "PackInfo",
        machine: "ChallengeMachine",
        limits: "Limits",
        nonce: bytes,
        portrait: bytes,
        threshold: float,
        *,
        warning: bool,
    ) -> None:
        """``portrait``: a template, which the frames that the machine keeps are compared with, at ``threshold``."""
        self._engine, self._translated, self._pack = engine, translated, pack
        self._machine, self._limits = machine, limits
        self._portrait, self._threshold = portrait, threshold
        self._first = b""  # the template of the first good frame
        self._alike: list[float] = []
        self._frames = 0
        self._rtp: tuple[int, int] | None = None  # as it came last, and unwrapped
        self._now = 0.0
        self._verdict: Verdict | None = None
        self._by_agent: Callable[[], bool] = lambda: False
        self.keeping = Keeping(self._still)
        self._began: float | None = None
        self._timeline: list[dict[str, Any]] = []
        self._frames_hash = hashlib.sha256()
        self.nonce, self.warning = nonce, warning

    @property
    def lines(self) -> int:
        return LINES

    @property
    def in_time(self) -> bool:
        return True

    @property
    def faces(self) -> tuple[bytes, bytes]:
        """Templates of who is before the camera, once there was a good frame, and of the reference."""
        return self._first, self._portrait

    @property
    def over(self) -> bool:
        return self._verdict is not None

    @property
    def due_s(self) -> float | None:
        return self._machine.due_s

    def attended(self, by_agent: Callable[[], bool]) -> None:
        self._by_agent = by_agent

    def _feed(self, what: "Input") -> "list[Event]":
        from verification.challenge.events import Assured
        from verification.challenge.policy import Assurance

        self._machine.feed(Assured(Assurance.AGENT, self._by_agent()))
        return self._machine.feed(what)

    def start(self, now: float) -> list[Instruction]:
        return self._told(self._machine.start(now), now)

    def tick(self, now: float, looked_s: float | None = None) -> list[Instruction]:
        from verification.challenge.events import Tick

        return self._told(self._feed(Tick(now, looked_s)), now)

    def cannot(self, now: float, *, light: bool = False) -> list[Instruction]:
        from verification.challenge.events import Cannot, NoLight

        return self._told(self._feed(NoLight(now) if light else Cannot(now)), now)

    def end(self, now: float) -> list[Instruction]:
        from verification.challenge.events import End

        return self._told(self._feed(End(now)), now)

    async def see(self, picture: TapPicture) -> list[Instruction]:
        from verification.challenge.observe import observation

        if self.over:
            return []
        number, self._frames = self._frames, self._frames + 1
        look = not self._first
        pad = self._pack.has_pad and number % PAD_EVERY == 0
        seen = await self._analysed(picture, reference=self._first, template=look, pad=pad)
        first = look and seen.faces == 1 and bool(seen.template) and self._limits.good(seen.quality)
        if first:
            self._first = seen.template
        one = observation(
            seen,
            index=picture.index,
            at_s=self._at_s(picture.rtp_time),
            received_s=picture.received_at,
            sha256=picture.sha256,
            reference=first,
        )
        before, step = len(self._machine.kept), self._machine.asked
        events = self._feed(one)
        compared = await self._compare(picture) if len(self._machine.kept) > before else None
        self._keep(picture, seen, compared, stretch(step.action, seen) if step is not None else None)
        told = self._told(events, max(self._now, picture.received_at))
        with suppress(TongpingError):  # busy, perhaps: it is tried again, and at the end it is told
            await self.keeping.settle()
        return told

    def _keep(self, picture: TapPicture, seen: "Analysis", match: float | None, far: float | None) -> None:
        """``far``: how far what was asked for has gone."""
        self._began = picture.received_at if self._began is None else self._began
        self._frames_hash.update(picture.sha256)
        self.keeping.saw(
            Seen(
                picture=picture,
                at_s=picture.received_at - self._began,
                match=match,
                pad=seen.pad.score if seen.pad is not None else None,
                quality=seen.quality.score if seen.quality is not None else None,
                good=seen.faces == 1 and self._limits.good(seen.quality),
                stretch=far,
            )
        )

    async def _still(self, pixels: memoryview, width: int, height: int) -> bytes:
        with self._translated():
            return (await self._engine.still(pixels, width, height)).jpeg

    async def material(self) -> Material:
        verdict = self._verdict or self._machine.verdict()
        try:
            pictures, complete = await self.keeping.pictures(), True
        except TongpingError as error:
            log.warning("not all pictures of a live attempt can be kept", extra={"code": error.code})
            pictures, complete = self.keeping.kept, False
        played = {
            "nonce": self.nonce.hex(),
            "script": verdict.script_hash,
            "asked": [step.action.value for step in self._machine.steps],
            "timeline": self._timeline,
            "frames": verdict.frames,
            "frames_sha256": self._frames_hash.hexdigest(),
            "likeness": [round(score, 4) for score in self._alike],
            "checks": [
                {
                    "name": check.name,
                    "outcome": check.outcome.value,
                    "score": round(check.score, 4),
                    "reasons": [reason.value for reason in check.reasons],
                    "figures": {name: round(value, 4) for name, value in check.figures},
                }
                for check in verdict.checks
            ],
        }
        return Material(pictures=pictures, played=played, complete=complete)

    async def _analysed(self, picture: TapPicture, *, reference: bytes, pad: bool, template: bool = False) -> "Analysis":
        """Where nobody has room for it, again, for as long as it is fresh. Raises VerificationUnavailable."""
        loop = asyncio.get_running_loop()
        until = loop.time() + FRESH_S
        while True:
            try:
                with self._translated():
                    return await self._engine.analyse(
                        picture.pixels, picture.width, picture.height, reference=reference, template=template, pad=pad
                    )
            except VerificationBusy:
                if loop.time() + AGAIN_S > until:
                    raise
            await asyncio.sleep(AGAIN_S)

    async def _compare(self, picture: TapPicture) -> float | None:
        seen = await self._analysed(picture, reference=self._portrait, pad=False)
        if seen.identity is not None:
            self._alike.append(seen.identity)
        return seen.identity

    def _at_s(self, rtp_time: int) -> float:
        """Seconds by the sender's clock, 32 bits unwrapped (RFC 3550, section 5.1)."""
        if self._rtp is None:
            self._rtp = (rtp_time, 0)
        last, whole = self._rtp
        step = (rtp_time - last + (1 << 31)) % (1 << 32) - (1 << 31)
        self._rtp = (rtp_time, whole + step)
        return (whole + step) / RTP_RATE

    def _told(self, events: "list[Event]", now: float) -> list[Instruction]:
        from verification.challenge.events import Judged

        self._now = max(self._now, now)
        told = []
        for event in events:
            if isinstance(event, Judged):
                self._verdict = event.verdict
                self._note(Instruction(cue=Cue.REST))
            else:
                told.append(instruction(event, self._now))
                self._note(told[-1])
        return told

    def _note(self, one: Instruction) -> None:
        """For the evidence: what the person is shown from now on."""
        if one.cue is Cue.ASK:
            self.keeping.asked(one.action)
        elif one.cue in (Cue.REST, Cue.HOLD_ON):
            self.keeping.rest()
        colour = "#{:02x}{:02x}{:02x}".format(*one.colour) if one.colour is not None else ""
        if one.cue is Cue.COLOUR:
            self.keeping.coloured(colour)
        at_ms = round((self._now - self._began) * 1000) if self._began is not None else 0
        if len(self._timeline) < TIMELINE:
            what = {"at_ms": at_ms, "cue": one.cue.value, "action": one.action, "colour": colour}
            self._timeline.append({name: value for name, value in what.items() if value != ""})

    def result(self, *, ours: bool = False, slow: bool = False) -> CheckedAttempt:
        from verification.challenge.integrity import CAME_LATE
        from verification.challenge.portrait import together

        verdict = self._verdict or self._machine.verdict()
        score = together(self._alike)
        gap = any(reason.value == GAP for reason in verdict.reasons)
        excused = (LATENESS if ours else frozenset()) | (GAPS if gap else frozenset())
        if slow and any((CAME_LATE, 1.0) in check.figures for check in verdict.checks):
            excused |= {TIMES}
        match = self._match(score)
        match = replace(match, excused=tuple(code for code in match.reasons if code in excused))
        checks = [match, *checks_of(verdict, has_pad=self._pack.has_pad, excused=excused)]
        return CheckedAttempt(
            assurance=AttemptKind.LIVE,
            checks=tuple(checks),
            match_score=score,
            match_threshold=self._threshold,
            pack_name=self._pack.name,
            pack_hash=self._pack.hash,
            frames=verdict.frames,
            script_hash=verdict.script_hash,
            fault=GAP if gap else None,
        )

    def _match(self, score: float | None) -> CheckResult:
        from verification.challenge.portrait import of_one

        if score is None:  # too few frames that were chosen for it: nothing is known
            return CheckResult(name=Check.MATCH, outcome=CheckOutcome.REFER, reasons=("evidence_missing",))
        if score >= self._threshold and of_one(self._alike, self._threshold):
            return CheckResult(name=Check.MATCH, outcome=CheckOutcome.PASS, score=_share(score))
        if score >= self._threshold:
            return CheckResult(name=Check.MATCH, outcome=CheckOutcome.REFER, score=_share(score), reasons=("portrait_unsure",))
        return CheckResult(name=Check.MATCH, outcome=CheckOutcome.FAIL, score=_share(score), reasons=("no_match",))


def checks_of(verdict: "Verdict", *, has_pad: bool, excused: frozenset[str] = frozenset()) -> list[CheckResult]:
    """A verdict as a decision takes it. A check that cannot be made with this pack is left out: it is missing, and the policy says what that means.
    ``excused``: reasons that count for nothing. What has other reasons besides keeps its outcome."""
    parts = [check for check in verdict.checks if check.name in CHALLENGE]
    made = [_made(Check.CHALLENGE, parts, min((one.score for one in parts if one.name == "actions"), default=0.0), excused)]
    for check in verdict.checks:
        if check.name == "light" or (check.name == "pad" and has_pad):
            made.append(_made(Check(check.name), [check], check.score, excused))
    return made


def _made(name: Check, parts: "list[VerdictCheck]", score: float, excused: frozenset[str]) -> CheckResult:
    from verification.challenge.verdict import Outcome, worst

    to = {Outcome.PASS: CheckOutcome.PASS, Outcome.REFER: CheckOutcome.REFER, Outcome.FAIL: CheckOutcome.FAIL}
    reasons = tuple(dict.fromkeys(reason.value for check in parts if not check.passed for reason in check.reasons))
    counts = [check for check in parts if check.passed or not {reason.value for reason in check.reasons} <= excused]
    outcome = worst(tuple(check.outcome for check in counts)) if counts or not parts else Outcome.REFER
    if len(counts) < len(parts) and outcome is Outcome.PASS:
        outcome = Outcome.REFER
    return CheckResult(
        name=name,
        outcome=to[outcome],
        score=_share(score),
        reasons=reasons,
        excused=tuple(one for one in reasons if one in excused),
    )


def stretch(action: "Action", seen: "Analysis") -> float | None:
    """How far somebody is with it: degrees, or a ratio."""
    return {
        "turn_left": seen.yaw,
        "turn_right": seen.yaw,
        "nod": seen.pitch,
        "blink": seen.eyes,
        "open_mouth": seen.mouth,
        "come_closer": seen.scale,
    }.get(action.value)


def _share(score: float) -> float:
    return min(1.0, max(0.0, score))


def instruction(event: "Event", now: float) -> Instruction:
    """Raises VerificationLost for an event that no page knows."""
    from verification.challenge.events import Advise, Ask, HoldOn, Rest, Settle, Show, Slipped

    match event:
        case Settle(until_s):
            return Instruction(cue=Cue.SETTLE, within_s=_left(until_s, now))
        case Ask(number, of, action, until_s):
            return Instruction(cue=Cue.ASK, action=action.value, number=number, of=of, within_s=_left(until_s, now))
        case Rest(number, until_s):
            return Instruction(cue=Cue.REST, number=number, within_s=_left(until_s, now))
        case Slipped(reason, left):
            return Instruction(cue=Cue.SLIPPED, reasons=(reason.value,), left=left)
        case Show(step, wait_s, fade_s):
            if step is None:
                return Instruction(cue=Cue.COLOUR, wait_s=wait_s, fade_s=fade_s)
            red, green, blue = step.rgb
            return Instruction(cue=Cue.COLOUR, colour=(red, green, blue), fade_s=step.fade_s, within_s=step.for_s)
        case HoldOn(until_s):
            return Instruction(cue=Cue.HOLD_ON, within_s=_left(until_s, now))
        case Advise(reasons):
            return Instruction(cue=Cue.ADVISE, reasons=tuple(reason.value for reason in reasons))
        case _:
            raise VerificationLost("The check asks for something that no page knows.")


def _left(until_s: float, now: float) -> float:
    return max(0.0, until_s - now)


def thresholds_in(folder: Path) -> "Callable[[PackInfo], Thresholds]":
    """Of the pack that the workers run, from its manifest in ``folder``."""

    def thresholds(info: "PackInfo") -> "Thresholds":
        from verification.errors import PackError
        from verification.models.store import ModelStore

        pack = ModelStore(folder).manifest(info.name)
        if pack.hash != info.hash:
            raise PackError("the pack was changed since its workers began: start the server again", code="pack_hash_mismatch")
        return pack.thresholds

    return thresholds
