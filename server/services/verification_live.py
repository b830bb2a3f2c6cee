"""An attempt on the live stream: the participant's own camera, by a tap of the relay, until the challenge is judged.

Nothing that a page says is evidence. It is told what to show, and may say that the person cannot do something or that they want no more.
"""

import asyncio
import contextlib
import functools
import logging
from typing import Protocol

import msgspec

from server.clock import Clock
from server.domain.ids import CaseId, ParticipantId, SessionId
from server.domain.model import ConsentScope, Source
from server.errors import Conflict, NotFound, TongpingError
from server.live.ports import OpenTap, TapEnded, TapPicture, TapRefused
from server.live.taps import Taps
from server.services.attempt_room import AttemptRoom, AttemptsBusy
from server.services.live_ports import LiveCheck, LiveChecks
from server.services.principal import Principal
from server.services.verification_attempts import CONSENT_WITHDRAWN, REFERENCE_CHANGED, VerificationAttempts, fault_of, faulty
from server.transactions.again import TOO_BUSY
from server.transactions.case import Attempt, Case, CaseState, WrongState
from server.transactions.cues import Instruction
from server.transactions.decision import AttemptKind, CheckedAttempt, is_ours
from server.transactions.material import Material, ReferenceShown
from server.transactions.policy import Check, Policy

log = logging.getLogger(__name__)
BUSY = "busy"
"""``TapRefused``: there are as many taps as there may be, or no decoder is ready."""
FPS = 10.0
TAP_S = 180.0
"""The longest that a tap may be open (``docs/tap.md``)."""
MATERIAL_S = 15.0
"""For the last pictures that are kept."""
STREAM_LOST = "stream_lost"
WITHDRAWN = CONSENT_WITHDRAWN
STOPPED_BY_STAFF = "stopped_by_staff"
ENDINGS = {
    "gate": "camera_off",
    "gone": "customer_gone",
    "withdrawn": WITHDRAWN,
    "no_picture": "stream_unreadable",
    "too_large": "stream_unreadable",
    "too_many": "stream_too_fast",
    "held": "put_on_hold",
    "sent_away": STOPPED_BY_STAFF,
}
"""By what the tap says. Everything else is ours: a decoder or a media worker that died."""
IN_TIME_S = 1.0
"""So long before its time is over an attempt is judged by what there is: whoever lets it run out has not been broken off by us."""
BEHIND_S = 1.5
"""Where pictures were looked at so long after they came, our workers had too much to do: what was not seen in them then, or came too seldom, speaks against
nobody."""
GIVE_UP_S = 5.0
"""From here on it is ended: nobody is kept waiting for what cannot be seen."""
CATCH_UP_S = 0.4
"""From here on pictures are left out: one of ``LEFT_OUT``, so that 7.5 of ten a second are looked at. A challenge asks for six."""
LEFT_OUT = 4
SOONEST_S = 0.02
"""No tick sooner than that after the one before."""


def looked_at(policy: Policy) -> frozenset[ConsentScope]:
    """What the person must have agreed to."""
    return frozenset({ConsentScope.FACE, ConsentScope.DOCUMENT} if Check.DOCUMENT in policy.assurance else {ConsentScope.FACE})


class CameraOff(Conflict):
    """The camera is not on, its gate is shut, or somebody looks already. No attempt was begun."""

    code = "camera_off"


class Page(Protocol):
    """Whoever shows it to the person. None of these waits."""

    def begins(self, attempt: Attempt, *, warning: bool) -> None: ...
    def show(self, instruction: Instruction) -> None: ...
    def with_agent(self) -> bool:
        """Whether somebody who leads is with the person now."""
        ...


class Playing:
    """An attempt that runs, for those who may interfere with it. ``with_agent``: somebody who leads has been there from its first moment on; looked
    at with each picture and each tick, and once nobody was, it stays so."""

    def __init__(self, check: LiveCheck, clock: Clock, page: Page) -> None:
        self._check, self._clock, self._page = check, clock, page
        self.over = asyncio.Event()
        self.fault: str | None = None
        """Why it ended before it was judged: nobody could look any more, or staff stopped it."""
        self.with_agent = page.with_agent()
        check.attended(self._attended)
        self._looking: float | None = None
        self._came = 0
        self._behind_s = 0.0
        self._ours_until = self._most_ours_s = 0.0

    def _attended(self) -> bool:
        self.with_agent = self.with_agent and self._page.with_agent()
        return self.with_agent

    @property
    def behind(self) -> bool:
        """Whether pictures were ever looked at much too late because looking took so long: by when they would have been looked at had each been there as soon as
        it came. What the way to us takes is the sender's: they choose how many pictures are decoded, and how large ones."""
        return self._most_ours_s > BEHIND_S

    def looked_s(self, now: float) -> float:
        """All pictures that came until then have been looked at."""
        return min(now - self._behind_s, now if self._looking is None else self._looking)

    async def look(self, picture: TapPicture) -> None:
        """Raises VerificationUnavailable."""
        came = picture.received_at
        self._came += 1
        if self._behind_s > CATCH_UP_S and self._came % LEFT_OUT == 0:
            return
        self._looking, began = came, self._clock.monotonic()
        try:
            instructions = await self._check.see(picture)
        finally:
            now = self._clock.monotonic()
            self._looking = None
            self._behind_s = max(0.0, now - came)
            self._ours_until = max(self._ours_until, came) + now - began
            if self._check.in_time:
                self._most_ours_s = max(self._most_ours_s, self._ours_until - came)
        self.tell(instructions)
        if self._behind_s > GIVE_UP_S and self._check.in_time:
            self.stop()

    def start(self) -> None:
        self.tell(self._check.start(self._clock.monotonic()))

    def tell(self, instructions: list[Instruction]) -> None:
        self._attended()
        for one in instructions:
            self._page.show(one)
        if self._check.over:
            self.over.set()

    def cannot(self, *, light: bool = False) -> None:
        """They cannot do what is asked: another action takes its place, as far as the policy allows. ``light``: they want no colours."""
        self.tell(self._check.cannot(self._clock.monotonic(), light=light))

    def stop(self, fault: str | None = None) -> None:
        """They want no more, or (``fault``) nobody could look any more."""
        self.fault = self.fault or fault
        self.tell(self._check.end(self._clock.monotonic()))


class LiveAttempts:
    def __init__(self, attempts: VerificationAttempts, checks: LiveChecks, taps: Taps, room: AttemptRoom | None = None) -> None:
        self._cases, self._attempts, self._checks, self._taps = attempts.cases, attempts, checks, taps
        self._room = room or AttemptRoom()
        self._clock = self._cases.clock
        self._playing: dict[CaseId, Playing] = {}

    def playing(self, case: CaseId) -> Playing | None:
        """The attempt that runs for it."""
        return self._playing.get(case)

    async def play(
        self, id: CaseId, session: SessionId, participant: ParticipantId, actor: str, page: Page, who: Principal | None = None,
        *, light: bool = True,
    ) -> tuple[Attempt, Case]:  # fmt: skip
        """Begun, played, decided: on disk and signed when this returns. One that is broken off in the middle, by whomever, has been used up; where the
        camera is not on, or they have not agreed, none was begun. ``light`` false: they want no colours.

        Raises NotFound, WrongState, ReferenceMissing, CustomerLocked, Conflict, CameraOff, NotAllowed (no consent to a check of the face, or of a document),
        AttemptsBusy, VerificationUnavailable: before it began; WrongState: it took longer than it may, or the case was cancelled.
        """
        async with self._cases.store.read() as tx:
            case = await self._cases.found(tx, id, who)
            if case.session_id != session:
                raise NotFound("There is no such verification in this session.")
            policy = await self._cases.policy(tx, case)
        if case.state is not CaseState.OPEN:
            raise WrongState("No attempt at this verification may begin now.")
        with self._room.place():
            return await self._play(case, policy, session, participant, actor, page, who, light=light)

    async def _play(
        self, case: Case, policy: Policy, session: SessionId, participant: ParticipantId, actor: str, page: Page, who: Principal | None,
        *, light: bool,
    ) -> tuple[Attempt, Case]:  # fmt: skip
        id, reference = case.id, await self._attempts.reference(case)
        check = await self._checks.begin(policy, reference, light=light)
        seconds = min(TAP_S, policy.attempt_s)
        tap = self._taps.open(
            session, participant, Source.CAMERA, nonce=check.nonce, actor=actor, fps=FPS, frames=int(FPS * seconds), seconds=seconds,
            height=check.lines, scopes=looked_at(policy),
        )  # fmt: skip
        attempt: Attempt | None = None
        try:
            try:
                async with tap as pictures:
                    attempt = await self._attempts.begin_attempt(id, AttemptKind.LIVE, actor, who)
                    page.begins(attempt, warning=check.warning)
                    checked, with_agent = await self._checked(attempt, check, pictures, page)
            except TapRefused as error:
                if error.code == BUSY:  # of ours, and nothing of theirs
                    raise AttemptsBusy("Nobody looks at another camera now. Try again in a moment.") from error
                raise CameraOff("Their camera cannot be looked at now.") from error
            material = await _material(attempt, check)
            if (fault := await self._attempts.other_reference(id, reference)) is not None:
                checked = faulty(AttemptKind.LIVE, fault)
            if checked.fault == WITHDRAWN or not await self._taps.agreed(session, participant, looked_at(policy)):
                checked, material = faulty(AttemptKind.LIVE, WITHDRAWN), Material()
            material = await self._attempts.with_reference(case, policy, reference, material)
            if checked.fault == REFERENCE_CHANGED:  # also the portrait of a case is another one now
                material = msgspec.structs.replace(material, reference=b"", reference_shown=ReferenceShown.CHANGED)
            checked, digest = await self._attempts.evidence.keep(attempt, checked, material)
            agreed = functools.partial(self._taps.stands, session, participant, looked_at(policy))
            _, done, case = await self._attempts.finish_attempt(
                attempt, checked, actor, evidence=digest, seen=bool(material.pictures), with_agent=with_agent, agreed=agreed
            )
        except BaseException as error:
            if attempt is not None:
                with contextlib.suppress(TongpingError):  # then it ends with its time
                    await self._attempts.abandon_attempt(attempt, actor, error)
            raise
        return done, case

    async def _checked(self, attempt: Attempt, check: LiveCheck, pictures: OpenTap, page: Page) -> tuple[CheckedAttempt, bool]:
        """And whether somebody who leads was there all through it. Never a pass where something went wrong on our side: then it is a fault. What was found
        until then stands, whoever ended it: else an attack would be over, for nothing, as soon as it was seen."""
        try:
            playing = await self._watched(attempt, check, pictures, page)
        except TongpingError as error:
            log.warning("a live attempt was not played to its end", extra={"attempt": attempt.id, "code": error.code})
            code = fault_of(error)
            return msgspec.structs.replace(check.result(ours=True, slow=code in TOO_BUSY), fault=code), False
        fault = playing.fault
        if fault == WITHDRAWN:
            return faulty(AttemptKind.LIVE, WITHDRAWN), False
        if fault is not None:
            return msgspec.structs.replace(check.result(ours=is_ours(fault)), fault=fault), False
        with_agent = playing.with_agent and page.with_agent()
        return _seen_late(check.result(ours=True, slow=True)) if playing.behind else check.result(), with_agent

    async def _watched(self, attempt: Attempt, check: LiveCheck, pictures: OpenTap, page: Page) -> Playing:
        """Until it is judged, there are no more pictures, or the attempt is over in another way: cancelled, or its time."""
        playing = self._playing[attempt.case_id] = Playing(check, self._clock, page)
        ticking = asyncio.create_task(self._tick(check, playing), name="live-attempt-ticks")
        over = asyncio.create_task(playing.over.wait(), name="live-attempt-over")
        ended = asyncio.create_task(self._cases.until_over(attempt), name="live-attempt-ended")
        looking = asyncio.create_task(self._look(pictures, check, playing), name="live-attempt-pictures")
        try:
            playing.start()
            left_s = (attempt.until - self._clock.now()).total_seconds() - IN_TIME_S
            await asyncio.wait({looking, over, ticking, ended}, timeout=max(0.0, left_s), return_when=asyncio.FIRST_COMPLETED)
            for task in (looking, ticking, ended):
                if task.done():
                    task.result()
            if not check.over:
                playing.stop()  # nobody looks any more
        finally:
            del self._playing[attempt.case_id]
            for one in (looking, ticking, over, ended):
                one.cancel()
            await asyncio.gather(looking, ticking, over, ended, return_exceptions=True)
        return playing

    async def _look(self, pictures: OpenTap, check: LiveCheck, playing: Playing) -> None:
        """Until it is judged or there are no more. Raises VerificationUnavailable."""
        try:
            async for picture in pictures:
                await playing.look(picture)
                if check.over:
                    return
        except TapEnded as error:
            log.info("the pictures of a live attempt ended", extra={"code": error.code})
            playing.stop(ENDINGS.get(error.code, STREAM_LOST))

    async def _tick(self, check: LiveCheck, playing: Playing) -> None:
        """Deadlines and colours go by our clock, whether pictures come or not."""
        while (due := check.due_s) is not None:
            await asyncio.sleep(max(SOONEST_S, due - self._clock.monotonic()))
            now = self._clock.monotonic()
            playing.tell(check.tick(now, playing.looked_s(now)))


def _seen_late(checked: CheckedAttempt) -> CheckedAttempt:
    """A fault where our lateness may be why not all that was asked for was seen. Who has passed all the same has passed."""
    if not any(one.excused for one in checked.checks):
        return checked
    log.warning("a live attempt was looked at too late")
    return msgspec.structs.replace(checked, fault="engine_busy")


async def _material(attempt: Attempt, check: LiveCheck) -> Material:
    """What is to be kept of it, within a time: else nothing, and then nothing of the attempt counts."""
    try:
        async with asyncio.timeout(MATERIAL_S):
            return await check.material()
    except TimeoutError:
        log.error("the pictures of a live attempt were not made in time", extra={"attempt": attempt.id})
        return Material(complete=False)
