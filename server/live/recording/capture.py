"""Recording one live session (双录): with whose consent, what of whom, and what everybody is told of it.

Whatever narrows what is recorded is done at the relay before anything else, whatever widens it after it is written down. What is
wanted is told to the relay by ``say`` out of the state of this moment, so that no order of events can tell it too much.
"""

import asyncio
import logging
from functools import partial
from typing import TYPE_CHECKING

from server.domain.consent_texts import KEEPS_PAGE
from server.domain.ids import ParticipantId
from server.domain.model import Checkpoint, Consent, ConsentDecision, ConsentScope, Language, Recording, SessionStatus, Source
from server.errors import Conflict, Invalid, StoreUnavailable
from server.live.actor import Command
from server.live.member import Member
from server.live.ports import RecorderUnavailable
from server.live.recording import events, rules
from server.live.recording.endings import NEVER_BEGUN
from server.live.recording.journal import Journal
from server.live.recording.pages import PageKept, Room
from server.live.recording.relay import NOTHING, RelaySide, Said
from server.live.records import Posted
from server.signalling.messages_recording import (
    ChecklistItem,
    CheckpointMark,
    RecordingChanged,
    RecordingProblem,
    RecordingStatus,
    RecordingWanted,
)

if TYPE_CHECKING:
    from server.live.session import LiveSession

log = logging.getLogger(__name__)
GRACE_S = 5.0  # a recorder or a relay that does not answer for so long shows as failed: what is lost in less is nothing
LATCHED = frozenset({RecordingProblem.DISK, RecordingProblem.STORE})  # somebody must ask for it again


class SessionRecording:
    """``follow`` belongs to the session's actor; ``say`` may be called by any task."""

    def __init__(self, session: "LiveSession") -> None:
        self._session = session
        self._needs = session.needs
        self._settings = session.needs.settings.recording
        self._relay = RelaySide(session.id, session.needs.media, session.needs.clock, session.needs.settings, self._to_say)
        self._wanted = RecordingWanted.OFF
        self._asked = False  # whether anybody ever wanted it here
        self._asker = ""  # who wanted it; "" where everybody is asked at the start
        self._cause = ("", "asked")  # who, and why, for the audit
        self._no: set[ParticipantId] = set()  # who said no, or took it back, since it was last asked for
        self._held: set[ParticipantId] = set()  # who took it back, and the store may not know it yet
        self._record: Recording | None = None  # begun, and not ended
        self._zero_us = 0
        self._paused = False  # as the recorder and the record have it
        self._journal: Journal | None = None
        self._marks: tuple[Checkpoint, ...] = ()
        self._problem: RecordingProblem | None = None
        self._silent = False  # the recorder throws away what comes
        self._asking: asyncio.Task[None] | None = None  # what the recorder was asked: the session goes on meanwhile
        self._ask_at = 0.0  # one that did not answer is asked again then
        self._retry_at = 0.0  # what could not be written down is written then
        self._lost_since: float | None = None  # the recorder
        self._present: dict[ParticipantId, bool] = {}  # in the events; whether by name
        self._screens: set[ParticipantId] = set()
        self._speakers: list[ParticipantId] = []
        self._shown: dict[ParticipantId, RecordingChanged] = {}
        self._starts = 0  # of the recorder
        self._room = Room(0.0)  # for shared pages, of this recording

    # ------------------------------------------------------------ what staff ask for

    async def want(self, member: Member, wanted: RecordingWanted) -> None:
        """Raises Conflict, StoreUnavailable (it is paused or ended all the same)."""
        if wanted is RecordingWanted.ON:
            if not self._settings.enabled:
                raise Conflict("Nothing is recorded on this server.")
            if self._session.status is not SessionStatus.OPEN:
                raise Conflict("The session has not begun.")
            if self._wanted is wanted and self._state() is RecordingStatus.ON:
                return
            self._no.clear()
            if self._problem in LATCHED:
                self._problem = None
            if self._wanted is not wanted:
                self._asker = member.id
        elif wanted is RecordingWanted.PAUSED and self._record is None and not self.asking:
            raise Conflict("There is nothing to pause.")
        self._wanted, self._asked, self._cause = wanted, True, (member.id, "asked")
        self._ask_at = 0.0
        await self.follow()
        if wanted is RecordingWanted.PAUSED and self._record is not None and self._record.paused_at is None:
            raise StoreUnavailable("It is paused, and could not be written down.")
        if wanted is RecordingWanted.ON and self._problem is RecordingProblem.STORE:
            raise StoreUnavailable("It could not be written down.")

    async def mark(self, member: Member, body: CheckpointMark) -> None:
        """Raises Invalid, Conflict, StoreUnavailable."""
        item = next((item for item in self._settings.checklist if item.item == body.item), None)
        if self._record is None or self._journal is None:
            raise Conflict("Nothing is being recorded.")
        if not self._may() or self._stopped(self._record):
            raise Conflict("The recording is paused.")
        note = self._note_of(member, body)
        if not body.item and body.done and body.note:
            if not note:
                raise Conflict("You are not recorded.")
            self._journal.add(events.note(member.id, note), self._us())
            return
        if item is None:
            raise Invalid("There is no such item of the checklist.")
        if body.done is any(mark.item == item.item for mark in self._marks) and not note:
            return
        at = self._us()
        self._record = await self._needs.recordings.mark(self._record, item.item, member.id, done=body.done)
        self._marks = self._record.checkpoints
        language = self._session.record.language if self._session.record is not None else Language.ZH
        note = self._note_of(member, body)  # they may have said no meanwhile
        self._journal.add(events.checkpoint(member.id, item, language, done=body.done, note=note), at)
        self._tell()

    def _note_of(self, member: Member, body: CheckpointMark) -> str:
        """What somebody wrote is theirs, as what they say."""
        return body.note if member.id in self._whom() else ""

    # ------------------------------------------------------------ what happens in the session

    def loaded(self, consents: list[Consent]) -> None:
        """The decisions that the store knows. Who said no before is not asked again until somebody asks for a recording."""
        for consent in consents:
            if consent.scope is ConsentScope.RECORDING and consent.decision is not ConsentDecision.GIVEN:
                self._no.add(consent.participant_id)

    def revive(self, before: Recording) -> None:
        """A server before this one was recording: go on with a new one, unless it was paused. Consent stands."""
        self._marks = before.checkpoints
        self._asked = True
        if before.paused_at is None and self._settings.enabled:
            self._wanted = RecordingWanted.ON
            self._asker = before.started_by
            self._cause = ("", "restart")

    def doubted(self, participant: ParticipantId) -> None:
        """They said no just now: ``hold`` comes when it is their turn."""
        self._cause = (participant, "consent")

    def hold(self, participant: ParticipantId) -> None:
        """They said no, and it is not stored yet: call ``follow``."""
        self._held.add(participant)
        self._cause = (participant, "consent")

    def decided(self, consent: Consent) -> None:
        """A decision is durably stored. In the events is that of somebody who is in the conversation."""
        if self._journal is not None and consent.participant_id in self._present:
            self._journal.add(events.consent(consent), self._us())
        if consent.scope is not ConsentScope.RECORDING:
            return
        self._held.discard(consent.participant_id)
        self._cause = (consent.participant_id, "consent")
        if consent.decision is ConsentDecision.GIVEN:
            self._no.discard(consent.participant_id)
        else:
            self._no.add(consent.participant_id)

    def said(self, posted: Posted) -> None:
        """A line of the chat, or a file."""
        if self._journal is None or posted.message.participant_id not in self._relay.recorded or posted.repeated:
            return
        if posted.message.text:
            self._journal.add(events.chat(posted.message), self._us())
        if posted.file is not None:
            self._journal.add(events.file(posted.message.participant_id, posted.file), self._us())

    def heard(self) -> None:
        """Who speaks has changed."""
        recorded = self._relay.recorded
        speakers = [one for one in self._session.speakers if one in recorded]
        if self._journal is not None and speakers != self._speakers:
            self._speakers = speakers
            self._journal.add(events.speaking(speakers), self._us())

    def seen(self, member: Member) -> None:
        """Somebody's view has changed: perhaps they show their screen."""
        if self._journal is None:
            return
        on = member.id in self._relay.recorded and Source.SCREEN in member.on and Source.SCREEN in member.passing
        if on is not (member.id in self._screens):
            (self._screens.add if on else self._screens.discard)(member.id)
            self._journal.add(events.screen(member.id, on), self._us())

    def page_of(self, customer: ParticipantId) -> PageKept | None:
        """What is kept at this moment of the page that a customer shows; None: nothing of it may be."""
        record = self._record
        if record is None or self._silent or not self._needs.recorder.ready:
            return None
        said = self._to_say()
        if not said.on or customer not in said.whom:
            return None
        consents = self._session.consents(ConsentScope.RECORDING)
        say_so = KEEPS_PAGE | self._settings.page_wordings
        told = any(one.participant_id == customer and one.wording in say_so for one in consents)
        return PageKept(record.id, self._starts, said.whom, self._room) if told else None

    def left(self, member: Member) -> None:
        """They are gone: call ``follow``."""
        self._cause = (member.id, "left")
        self._shown.pop(member.id, None)

    def media_lost(self) -> None:
        """The relay has forgotten everything."""
        self._relay.forgotten()

    def recorder_changed(self, ready: bool) -> None:
        """The recorder is lost, or there again with every recording that had begun."""
        self._lost_since = None if ready else self._needs.clock.monotonic()
        self._starts += ready
        if ready:
            self._ask_at = 0.0
            if self._journal is not None:
                self._journal.again()
        self._session.queue("recording", self.follow)

    def failed(self, recording: str) -> None:
        """The disk refused: nothing more of it is kept."""
        if self._record is not None and self._record.id == recording:
            self._problem = RecordingProblem.DISK
            self._session.queue("recording", self.follow)

    # ------------------------------------------------------------ what follows

    async def follow(self) -> None:
        """Make what is recorded what may be recorded, and tell everybody. Never raises: the call goes on."""
        if self._idle and not self._begins_by_itself():
            return
        await self.say()
        try:
            await self._advance()
        except StoreUnavailable:
            if self._record is None:
                self._problem = RecordingProblem.STORE
            self._retry_at = self._needs.clock.monotonic() + self._needs.settings.retry_s
            log.warning("recording not written down", extra={"session": self._session.id})
        await self.say()
        await self._bar()
        self._judge()
        self._note_people()
        self._tell()

    async def _advance(self) -> None:
        """One step from what is to what should be; the recorder's answer brings the next. Raises StoreUnavailable."""
        session = self._session
        if session.status is not SessionStatus.OPEN or not session.members:
            self._wanted = RecordingWanted.OFF
        if self._begins_by_itself():
            self._wanted, self._asked, self._cause = RecordingWanted.ON, True, ("", "asked")
        if self._wanted is RecordingWanted.ON and self._record is None and self._refused():
            self._wanted = RecordingWanted.OFF
        if self._record is not None and (self._wanted is RecordingWanted.OFF or self._problem in LATCHED):
            await self._end()
            return
        may = self._may()
        if self._record is None:
            if may and self._problem not in LATCHED and self._may_ask:
                await self._begin()
        elif not may:
            await self._pause(self._record)
        else:
            await self._go_on(self._record)

    async def _begin(self) -> None:
        if not self._needs.recorder.ready:
            self._problem = RecordingProblem.RECORDER
            return
        record = await self._needs.recordings.begin(self._session.id, self._asker, self._whom(), self._marks)
        self._ask(partial(self._begun, record))

    async def _begun(self, record: Recording) -> None:
        """At the recorder, too. Raises RecorderUnavailable."""
        try:
            self._zero_us = await self._needs.recorder.begin(record.id)
        except Exception:
            self._needs.endings.end(record.id, None, NEVER_BEGUN)
            raise
        self._record, self._paused, self._silent, self._problem = record, False, False, None
        self._journal = Journal(self._needs.recorder, record.id)
        self._room = Room(self._needs.clock.monotonic())
        self._present, self._screens, self._speakers = {}, set(), []

    async def _pause(self, record: Recording) -> None:
        """The relay was told already."""
        assert self._journal is not None
        by, why = self._cause
        if not self._paused:
            self._paused = True
            self._journal.add(events.paused(by if why == "asked" else ""), self._us())
        if not self._silent and self._may_ask:
            self._ask(partial(self._silence, record))
        if record.paused_at is None:
            self._record = await self._needs.recordings.pause(record, by, why)

    async def _go_on(self, record: Recording) -> None:
        """Written down before it is so."""
        assert self._journal is not None
        by, why = self._cause
        if self._whom() - set(record.participants):
            record = self._record = await self._needs.recordings.add_participants(record, self._whom())
        if record.paused_at is not None:
            record = self._record = await self._needs.recordings.resume(record, by, why)
        if self._paused and self._may_ask and not self._relay.unsafe:
            self._ask(partial(self._let_in, record, by if why == "asked" else ""))

    async def _silence(self, record: Recording) -> None:
        """It throws away what comes. Raises RecorderUnavailable."""
        await self._needs.recorder.pause(record.id, True)
        self._silent = self._is(record)

    async def _let_in(self, record: Recording, by: str) -> None:
        """Only then is the relay told, unless it is to stop again by now. Raises RecorderUnavailable."""
        await self._needs.recorder.pause(record.id, False)
        if not self._is(record):
            return
        self._silent = False
        stored = self._record is not None and self._record.paused_at is None
        if self._paused and stored and self._may() and not self._relay.unsafe and self._journal is not None:
            self._paused = False
            self._journal.add(events.resumed(by), self._us())

    def _is(self, record: Recording) -> bool:
        return self._record is not None and self._record.id == record.id

    # ------------------------------------------------------------ the recorder

    @property
    def asking(self) -> bool:
        """Whether the recorder has not answered yet."""
        return self._asking is not None

    @property
    def _may_ask(self) -> bool:
        return not self.asking and self._needs.clock.monotonic() >= self._ask_at

    def _ask(self, work: Command) -> None:
        """One thing at a time, in a task of its own: a recorder that does not answer holds up nothing else in the session."""
        self._asking = asyncio.get_running_loop().create_task(self._answered(work), name="recorder-asked")

    async def _answered(self, work: Command) -> None:
        facts = {"session": self._session.id}
        try:
            await work()
        except RecorderUnavailable as error:
            self._ask_at = self._needs.clock.monotonic() + GRACE_S
            if error.disk:
                self._problem = RecordingProblem.DISK
            log.warning("recorder does not answer", extra=facts)
        except Exception:
            self._ask_at = self._needs.clock.monotonic() + GRACE_S
            log.exception("recorder not asked", extra=facts)
        finally:
            self._asking = None
            self._session.queue("recording", self.follow)

    async def _end(self) -> None:
        record, journal = self._record, self._journal
        assert record is not None
        self._record, self._journal = None, None
        self._paused = False
        await self.say()
        self._needs.endings.end(record.id, journal, "failed" if self._problem in LATCHED else "asked")

    # ------------------------------------------------------------ the relay

    async def say(self) -> None:
        """Tell the relay what may be recorded at this moment, where that is not what it was told. Never raises."""
        await self._relay.say()

    def _to_say(self) -> Said:
        record = self._record
        if record is None:
            return NOTHING
        on = self._may() and not self._stopped(record) and self._problem not in LATCHED
        whom = self._whom() & set(record.participants) if on else frozenset()
        return Said(record.id, self._zero_us, frozenset(whom), on)

    def _stopped(self, record: Recording) -> bool:
        """Whether it is paused, or somebody has just said so."""
        return self._paused or record.paused_at is not None or self._session.narrowing.stops

    async def _bar(self) -> None:
        """Where the relay does not confirm what is no longer to be recorded, the recorder throws it away; where neither answers,
        those whom it concerns lose their media connection."""
        record = self._record
        if record is None or self.asking:
            return
        if self._relay.unsafe and not self._silent:
            if self._may_ask:
                self._ask(partial(self._silence, record))
                return
            for member in list(self._session.members.values()):
                if member.id in record.participants and member.id not in self._whom():
                    await self._session.room.disconnect(member)
        elif self._throws_away and self._may_ask:
            self._ask(partial(self._let_in, record, ""))

    @property
    def _throws_away(self) -> bool:
        """Whether the recorder still does what is over: it is asked to take in what comes until it has."""
        return self._record is not None and self._silent and not self._paused and not self._relay.unsafe

    # ------------------------------------------------------------ who

    def _agrees(self, member: Member) -> bool:
        said_no = member.id in self._held or member.narrowed.unrecorded
        return not said_no and self._session.agreed(member, ConsentScope.RECORDING)

    def _whom(self) -> set[ParticipantId]:
        return {m.id for m in self._session.members.values() if rules.recordable(m) and self._agrees(m)}

    def _may(self) -> bool:
        """Whether it is wanted, and those whose consent it needs have given it."""
        return (
            self._wanted is RecordingWanted.ON
            and self._session.status is SessionStatus.OPEN
            and rules.agreed(self._session.members.values(), self._agrees)
        )

    def _refused(self) -> bool:
        return rules.refused(self._session.members.values(), lambda member: member.id in self._no)

    def _missing(self) -> list[ParticipantId]:
        if self._wanted is not RecordingWanted.ON:
            return []
        here = [m for m in self._session.members.values() if rules.present(m)]
        said_no = self._no | self._held | {m.id for m in here if m.narrowed.unrecorded}
        return [m.id for m in here if not self._agrees(m) and m.id not in said_no]

    def _begins_by_itself(self) -> bool:
        if self._asked or self._settings.at_start != "ask" or not self._settings.enabled:
            return False
        return self._session.status is SessionStatus.OPEN and rules.together(self._session.members.values())

    # ------------------------------------------------------------ what is told

    def _judge(self) -> None:
        """Problems that show after a while and go by themselves."""
        now = self._needs.clock.monotonic()
        if self._problem in LATCHED:
            return
        before, self._problem = self._problem, None
        if self._wanted is not RecordingWanted.ON:
            return
        silent = now < self._ask_at or (self.asking and before is RecordingProblem.RECORDER)
        if self._record is None:
            if self._may() and (silent or not self._needs.recorder.ready):
                self._problem = RecordingProblem.RECORDER
        elif (self._throws_away and silent) or (self._lost_since is not None and now - self._lost_since >= GRACE_S):
            self._problem = RecordingProblem.RECORDER
        elif (
            self._relay.told is None
            and self._relay.unanswered_since is not None
            and now - self._relay.unanswered_since >= GRACE_S
        ):
            self._problem = RecordingProblem.RELAY

    def _state(self) -> RecordingStatus:
        if self._wanted is RecordingWanted.OFF:
            return RecordingStatus.OFF
        if self._problem is not None:
            return RecordingStatus.FAILED
        if self._record is None:
            return RecordingStatus.ASKING if self._wanted is RecordingWanted.ON else RecordingStatus.OFF
        if self._may() and not self._paused and self._record.paused_at is None:
            return RecordingStatus.ON
        needed = rules.needed(self._session.members.values())
        if self._wanted is RecordingWanted.ON and needed & set(self._missing()):
            return RecordingStatus.ASKING
        return RecordingStatus.PAUSED

    def view(self, member: Member) -> RecordingChanged:
        """As this person's page shows it; what was told last, from here on."""
        if not self._settings.enabled or not rules.learns(member):
            shown = RecordingChanged()
        else:
            state = self._state()
            shown = RecordingChanged(
                state=state,
                id=self._record.id if self._record is not None else None,
                started_at=self._record.started_at if self._record is not None else None,
                recorded=sorted(self._relay.recorded) if state is RecordingStatus.ON else [],
                missing=self._missing(),
                checklist=self._checklist() if rules.controls(member) else [],
                problem=self._problem if state is RecordingStatus.FAILED else None,
                available=True,
                retention_days=self._settings.retention_days,
            )
        self._shown[member.id] = shown
        return shown

    def _checklist(self) -> list[ChecklistItem]:
        marks = {mark.item: mark for mark in self._marks}
        return [
            ChecklistItem(
                item=each.item, zh=each.zh, en=each.en, done_at=mark.at if mark else None, by=mark.by if mark else None
            )
            for each in self._settings.checklist
            for mark in (marks.get(each.item),)
        ]

    def _tell(self) -> None:
        for member in self._session.members.values():
            before = self._shown.get(member.id)
            if (now := self.view(member)) != before:
                member.send(now)

    def _note_people(self) -> None:
        """Who came and went, into the events. By name are only those who agreed."""
        journal = self._journal
        if journal is None:
            return
        here = {m.id: m for m in self._session.members.values() if rules.present(m)}
        for id in [id for id in self._present if id not in here]:
            del self._present[id]
            person = self._session.people.get(id)
            reason = person.leave_reason.value if person is not None and person.leave_reason is not None else ""
            journal.add(events.left(id, reason), self._us())
        come = here.keys() - self._present.keys()
        for consent in self._session.consents(ConsentScope.RECORDING):
            if consent.participant_id in come and consent.decision is ConsentDecision.GIVEN:
                journal.add(events.consent(consent), self._us())
        for id, member in here.items():
            named = self._agrees(member)
            if id not in self._present or (named and not self._present[id]):
                self._present[id] = named
                journal.add(events.joined(member.participant, named=named), self._us())
        self.heard()

    def _us(self) -> int:
        return int(self._needs.clock.monotonic() * 1e6)

    # ------------------------------------------------------------ time

    @property
    def _idle(self) -> bool:
        nothing = self._record is None and not self.asking
        return nothing and self._wanted is RecordingWanted.OFF and self._relay.told == NOTHING

    @property
    def undone(self) -> bool:
        """Whether something is left to be done, or to be remembered: the session is kept."""
        return not self._idle or (bool(self._held) and self._session.status is not SessionStatus.ENDED)

    def tick(self) -> None:
        """Deadlines; what must await is queued."""
        now = self._needs.clock.monotonic()
        record = self._record
        unwritten = record is not None and self._paused is (record.paused_at is None)
        begins = record is None and self._wanted is RecordingWanted.ON and 0 < self._ask_at <= now
        listens = self._throws_away and self._may_ask
        if self._relay.due(now) or (unwritten and now >= self._retry_at) or begins or listens:
            self._session.queue("recording", self.follow)
        elif self._wanted is RecordingWanted.ON and self._problem is None:
            for since in (self._lost_since, self._relay.unanswered_since):
                if since is not None and now - since >= GRACE_S:
                    self._session.queue("recording", self.follow)

    async def settle(self) -> None:
        """Return when the recorder has answered, and has the events so far, or is lost."""
        if self._asking is not None:
            await asyncio.wait([self._asking])
        if self._journal is not None:
            await self._journal.settle()

    async def close(self, deadline_s: float) -> None:
        """The server stops: the recording is ended after the next start."""
        if (asking := self._asking) is not None:
            await asyncio.wait([asking], timeout=deadline_s)
            asking.cancel()
            await asyncio.wait([asking])
        if self._journal is not None:
            await self._journal.close(deadline_s)
