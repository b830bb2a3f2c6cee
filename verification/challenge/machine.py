"""One attempt from the first frame to the verdict. Sans I/O: it is fed with observations and the time, and answers with what to show."""

from typing import Final

from verification.challenge.colours import LEAST_S, SLOW_FADE_S
from verification.challenge.events import (
    Advise,
    Ask,
    Assured,
    Cannot,
    End,
    Event,
    HoldOn,
    Input,
    Judged,
    NoLight,
    Rest,
    Settle,
    Show,
    Slipped,
    Tick,
)
from verification.challenge.integrity import StreamWatch
from verification.challenge.light import LightWatch
from verification.challenge.observation import Observation, Unreadable
from verification.challenge.phases import Happening, Phase, follow
from verification.challenge.policy import Assurance, ChallengePolicy, Light, Limits
from verification.challenge.portrait import KEPT, chosen
from verification.challenge.presence import Presence
from verification.challenge.script import Action, Script, Step, replacements
from verification.challenge.signals import Performance, Watcher, baseline, goes_with
from verification.challenge.verdict import Check, Outcome, Verdict, conclude
from verification.reasons import ReasonCode

CHECKS: Final = ("face", "identity", "pad", "light", "stream")
"""Beside ``actions``; ``assurance`` where the policy asks for it."""

_REASONS: Final = {
    Happening.LATE: ReasonCode.ACTION_MISSED,
    Happening.LOST: ReasonCode.FACE_LOST,
    Happening.NONE_LEFT: ReasonCode.ACTIONS_LEFT_NONE,
    Happening.ENDED: ReasonCode.ATTEMPT_ENDED,
}

_TOLD: Final = {ReasonCode.STREAM_TOO_LONG, ReasonCode.OBSERVATION_INVALID}
"""Reasons for ENDED of their own."""

_NOTHING_SHOWN: Final = (ReasonCode.ACTIONS_LEFT_NONE, ReasonCode.OBSERVATION_INVALID, ReasonCode.STREAM_GAP)
"""What ends an attempt and speaks against nobody."""


class ChallengeMachine:
    """``start(now)`` first, then ``feed`` whatever comes. Times are the receiver's monotonic seconds; one that goes back counts as the latest."""

    def __init__(self, script: Script, policy: ChallengePolicy, limits: Limits) -> None:
        self._script, self._policy, self._limits = script, policy, limits
        self._phase = Phase.SETTLING
        self._now = self._looked_s = self._since = self._until = self._usable_s = self._came_s = 0.0
        self._calm: list[Observation] = []
        self._calm_since: float | None = None
        self._watcher: Watcher | None = None
        self._steps = list(script.actions)
        self._named = [step.action for step in script.actions]
        self._replaced = 0
        self._last: Performance | None = None
        self._done = 0
        self._slips: list[ReasonCode] = []
        self._ended: list[ReasonCode] = []
        self._advice: tuple[ReasonCode, ...] = ()
        self._frames = 0
        self._colours = list(script.colours)
        self._colour_until: float | None = None
        self._white_s: float | None = None
        self._declined = False
        self._shown_s = 0.0
        self._assured: set[Assurance] = set()
        self._kept: list[int] = []
        self._calms = 0
        self._stream = StreamWatch(limits)
        self._presence = Presence(limits)
        self._light = LightWatch(limits, policy, script.hash)
        self._verdict: Verdict | None = None

    @property
    def phase(self) -> Phase:
        return self._phase

    @property
    def _over(self) -> bool:
        return self._phase is Phase.JUDGED

    @property
    def asked(self) -> Step | None:
        """What is to be done now."""
        return self._steps[self._done] if self._phase is Phase.ASKED else None

    @property
    def steps(self) -> tuple[Step, ...]:
        """What is asked for, replacements in their places: with the script and the verdict it is the evidence of an attempt."""
        return tuple(self._steps)

    @property
    def kept(self) -> tuple[int, ...]:
        """Indices of the frames that a portrait is compared with (``portrait``): calm ones, chosen by the nonce, so that nobody knows which. The frame just fed is
        the last of them or is none. Never the first, which proves nothing by itself."""
        return tuple(self._kept)

    @property
    def due_s(self) -> float | None:
        """When a ``Tick`` is needed at the latest; None when judged."""
        if self._phase is Phase.JUDGED:
            return None
        times = [self._until, self._usable_s + self._limits.lost_s]
        return min([*times, self._colour_until] if self._colour_until is not None else times)

    def start(self, now: float) -> list[Event]:
        """The camera is on."""
        self._now = self._looked_s = self._since = self._usable_s = self._came_s = now
        self._until = now + self._policy.settle_s
        return [Settle(self._until)]

    def feed(self, what: Input) -> list[Event]:
        """What is to be shown or told because of it. Nothing after the verdict. Raises nothing, whatever a picture or a model says: a frame that cannot be
        used is told in the verdict."""
        if self._over:
            return []
        if isinstance(what, Assured):
            (self._assured.add if what.holds else self._assured.discard)(what.assurance)
            return []
        at = what.received_s if isinstance(what, Observation | Unreadable) else what.now
        looked = at
        if isinstance(what, Tick) and what.looked_s is not None:
            looked = what.looked_s
        elif isinstance(what, Cannot | NoLight | End):
            looked = self._looked_s  # what somebody says comes before the pictures that came until then were looked at
        self._now, self._looked_s = max(self._now, at), max(self._looked_s, min(at, looked))
        events = self._timed()
        if self._over:
            return events
        if isinstance(what, Observation):
            events += self._observe(what)
        elif isinstance(what, Unreadable):
            self._ended.append(ReasonCode.OBSERVATION_INVALID)
            events += self._go(Happening.ENDED)
        elif isinstance(what, Cannot):
            events += self._cannot()
        elif isinstance(what, NoLight):
            events += self._no_light()
        elif isinstance(what, End):
            events += self._go(Happening.ENDED)
        return events

    def verdict(self) -> Verdict:
        """What there is by now. Before the end it never passes."""
        if self._verdict is not None:
            return self._verdict
        return self._conclude()

    # --- what comes in

    def _timed(self) -> list[Event]:
        """What the time alone brings: colours, deadlines, a face that is gone for too long."""
        events = self._show()
        if self._looked_s > self._until:
            events += self._go(Happening.LIT if self._phase is Phase.LIGHT else Happening.LATE)
        elif self._looked_s - self._usable_s > self._limits.lost_s:
            events += self._go(Happening.LOST)
        return events

    def _observe(self, one: Observation) -> list[Event]:
        self._frames += 1
        if self._frames > self._limits.frames:
            self._ended.append(ReasonCode.STREAM_TOO_LONG)
            return self._go(Happening.ENDED)
        self._stream.feed(one)
        self._came_s = self._looked_s
        if one.usable:
            self._usable_s = self._looked_s
        calm = self._watcher is not None and self._watcher.calm(one)
        self._presence.feed(one, counts=self._phase is not Phase.SETTLING, calm=calm)
        if calm and one.identity is not None:
            if chosen(self._script, self._calms) and len(self._kept) < KEPT:
                self._kept.append(one.index)
            self._calms += 1
        if self._watcher is None:
            return self._settle(one)
        self._light.feed(one)
        return self._act(one, self._watcher)

    def _settle(self, one: Observation) -> list[Event]:
        """Good frames in a row whose pose keeps still."""
        if not one.usable or not self._limits.good(one.quality):
            self._calm = []
            reasons = one.quality.reasons if one.quality is not None else ()
            missing = ReasonCode.SEVERAL_FACES if one.faces > 1 else ReasonCode.NO_FACE
            told = reasons or ((missing,) if one.faces != 1 else ())
            if told == self._advice:
                return []
            self._advice = told
            return [Advise(told)]
        self._calm.append(one)
        limits = self._limits
        base = baseline(self._calm)
        watcher = Watcher(base, limits)
        self._calm = [calm for calm in self._calm if watcher.calm(calm)]
        if (
            len(self._calm) < limits.settle_frames
            or self._calm[-1].received_s - self._calm[0].received_s < limits.settle_hold_s
        ):
            return []
        self._watcher = Watcher(baseline(self._calm), limits)
        return self._go(Happening.STEADY)

    def _act(self, one: Observation, watcher: Watcher) -> list[Event]:
        found = watcher.feed(one)
        events: list[Event] = []
        for performance in sorted(found, key=self._is_asked, reverse=True):
            events += self._performed(performance, watcher)
        if self._phase is Phase.RESTING:
            calm = watcher.calm(one)
            self._calm_since = (self._now if self._calm_since is None else self._calm_since) if calm else None
            gap = self._steps[self._done].gap_s
            if self._calm_since is not None and self._now - max(self._calm_since, self._since) >= gap:
                events += self._go(Happening.STEADY)
        return events

    def _is_asked(self, seen: Performance) -> bool:
        return self.asked is not None and seen.action is self.asked.action

    def _performed(self, seen: Performance, watcher: Watcher) -> list[Event]:
        """The one that was asked for, begun after it was; else it is a slip, also if it is done at the same time: whoever does everything at once has
        answered nothing. People blink whenever they like, and a head that turns far dips a little (``goes_with``)."""
        if self._over:
            return []
        asked = self.asked
        if asked is not None and seen.action is asked.action:
            if seen.began_s >= self._since + self._limits.reaction_s:
                self._last = seen
                return self._go(Happening.DONE_LAST if self._done + 1 == len(self._steps) else Happening.DONE)
            if seen.action is Action.BLINK:
                return []
            return self._slip(ReasonCode.ACTION_BEFORE_ASKED)
        if seen.action is Action.BLINK:
            return []
        if self._phase is Phase.LIGHT and seen.began_s >= self._since:
            return []  # all is done: they may move
        if asked is not None:
            beside, peak = asked.action, watcher.reach(asked.action)
        elif self._last is not None and seen.began_s < self._since:
            beside, peak = self._last.action, self._last.peak
        else:
            return self._slip(ReasonCode.ACTION_OTHER)
        return [] if goes_with(seen, beside, peak) else self._slip(ReasonCode.ACTION_OTHER)

    def _slip(self, reason: ReasonCode) -> list[Event]:
        self._slips.append(reason)
        left = self._policy.mistakes - len(self._slips)
        if left < 0:
            self._ended.append(reason)
            return self._go(Happening.MISTAKEN)
        return [*self._go(Happening.SLIP), Slipped(reason, left)]

    def _cannot(self) -> list[Event]:
        """Only of what they were told. Another takes its place, and one more is asked for, where the pack sees as many."""
        if self._phase is not Phase.ASKED:
            return []
        others = replacements(self._script, self._policy, self._replaced, self._named)
        if not others:
            return self._go(Happening.NONE_LEFT)
        self._replaced += 1
        self._named += [step.action for step in others]
        self._steps[self._done] = others[0]
        self._steps += others[1:]
        self._last = None
        return self._go(Happening.OTHER)

    def _no_light(self) -> list[Event]:
        """No more colours. One that is shown keeps its second."""
        if self._script.light is Light.NONE or self._declined:
            return []
        self._declined, self._colours = True, []
        events: list[Event] = []
        if self._colour_until is not None:
            self._colour_until = None
            events.append(self._page(max(0.0, self._shown_s + LEAST_S - self._now)))
        return [*events, *(self._go(Happening.LIT) if self._phase is Phase.LIGHT else [])]

    # --- what follows

    def _go(self, happening: Happening) -> list[Event]:
        """The one place that sets the phase."""
        before = self._phase
        self._phase = follow(before, happening)
        if self._phase is Phase.JUDGED:
            return self._judge(before, happening)
        if happening is Happening.SLIP:
            return []
        if happening is Happening.LOST:
            self._calm, self._usable_s = [], self._looked_s
            return []
        self._since = self._now
        if happening is Happening.STEADY:
            return self._ask()
        if happening is Happening.DONE_LAST:
            return self._hold_on()
        self._done += happening is Happening.DONE
        self._calm_since = None
        self._until = self._now + self._policy.rest_s
        return [Rest(self._done, self._until)]

    def _ask(self) -> list[Event]:
        step = self._steps[self._done]
        self._until = self._now + step.deadline_s
        events: list[Event] = [Ask(self._done, len(self._steps), step.action, self._until)]
        if self._colours and self._colour_until is None:
            self._colour_until = self._now
            events += self._show()
        return events

    def _hold_on(self) -> list[Event]:
        self._done += 1
        self._until = self._light_over()
        if self._looked_s >= self._until:
            return self._go(Happening.LIT)
        return [HoldOn(self._until)]

    def _show(self) -> list[Event]:
        """The next colour, when the one before has had its time: late ticks make a colour longer, never shorter."""
        if self._colour_until is None or self._now < self._colour_until:
            return []
        if not self._colours:
            self._white_s, self._colour_until = self._colour_until, None
            return [self._page(0.0)]
        step = self._colours.pop(0)
        self._light.show(step, self._now)
        self._shown_s = self._now
        self._colour_until = self._now + step.for_s
        if self._phase is Phase.LIGHT:
            self._until = self._light_over()
        return [Show(step)]

    def _page(self, wait_s: float) -> Show:
        return Show(None, wait_s, SLOW_FADE_S if self._script.light is Light.SLOW else 0.0)

    def _light_over(self) -> float:
        """When the last colour is over and has had its time to come back; the past where there is none."""
        if self._colour_until is None:
            return self._white_s + self._limits.light_delay_s[1] if self._white_s is not None else self._looked_s
        rest = sum(step.for_s for step in self._colours)
        return max(self._colour_until, self._now) + rest + self._limits.light_delay_s[1]

    # --- the end

    def _judge(self, before: Phase, happening: Happening) -> list[Event]:
        if happening in _REASONS and not _TOLD.intersection(self._ended):
            unsettled = happening is Happening.LATE and before is not Phase.ASKED
            reason = ReasonCode.NOT_SETTLED if unsettled else _REASONS[happening]
            silent = self._looked_s - self._came_s > self._limits.lost_s  # no picture came any more, with or without a face
            self._ended.append(ReasonCode.STREAM_GAP if silent and happening in (Happening.LATE, Happening.LOST) else reason)
        self._verdict = self._conclude()
        events: list[Event] = []
        if self._colour_until is not None:
            events.append(self._page(max(0.0, self._shown_s + LEAST_S - self._now)))
        self._colour_until = None
        return [*events, Judged(self._verdict)]

    def _conclude(self) -> Verdict:
        checks = [
            self._actions_check(),
            self._presence.face(),
            self._presence.identity(),
            self._presence.passive(accept_without=self._policy.accept_without_pad),
            self._light_check(),
            self._stream.check(),
        ]
        if self._policy.also_require:
            checks.append(self._assurance_check())
        return conclude(tuple(checks), frozenset({"actions", *CHECKS}), self._script.hash, self._frames)

    def _actions_check(self) -> Check:
        """``score``: share of the actions that were done."""
        asked = len(self._steps)
        figures = (
            ("asked", float(asked)),
            ("done", float(self._done)),
            ("slips", float(len(self._slips))),
            ("replaced", float(self._replaced)),
        )
        score = self._done / asked
        if self._ended:
            refer = len(self._ended) == 1 and self._ended[0] in _NOTHING_SHOWN
            slips = self._slips if self._ended != [ReasonCode.STREAM_GAP] else []  # forgiven until then
            reasons = tuple(dict.fromkeys((*self._ended, *slips)))
            return Check("actions", score, Outcome.REFER if refer else Outcome.FAIL, reasons, figures)
        if self._phase is not Phase.JUDGED or self._done < asked:
            return Check("actions", score, Outcome.REFER, (ReasonCode.EVIDENCE_MISSING,), figures)
        if self._replaced > self._policy.replacements_accepted:
            return Check("actions", score, Outcome.REFER, (ReasonCode.ACTION_REPLACED,), figures)
        return Check("actions", score, Outcome.PASS, (ReasonCode.ACTION_REPLACED,) if self._replaced else (), figures)

    def _light_check(self) -> Check:
        """Who wants no colours in the middle has been asked for fewer actions than who said so before: that is no way to have less of both."""
        if self._script.light is not Light.NONE and not self._declined:
            return self._light.check()
        enough = self._policy.accept_without_light and len(self._steps) >= self._policy.actions_without_light
        outcome = Outcome.PASS if enough else Outcome.REFER
        return Check("light", 0.0, outcome, (ReasonCode.LIGHT_DECLINED,))

    def _assurance_check(self) -> Check:
        """``score``: share of what is required beside the picture."""
        required = self._policy.also_require
        share = len(required & self._assured) / len(required)
        if share == 1.0:
            return Check("assurance", share, Outcome.PASS)
        return Check("assurance", share, Outcome.REFER, (ReasonCode.ASSURANCE_MISSING,))
