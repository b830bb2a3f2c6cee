"""What a participant's messages do. Each is checked by grant and reaches its own session only."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final

import msgspec

from server.domain.grants import Grant
from server.domain.ids import ParticipantId
from server.domain.model import ConsentDecision, LeaveReason, Role, SessionStatus, SupervisionMode
from server.errors import DependencyError, Invalid, NotAllowed, NotFound, TooMany
from server.live import telling
from server.live.cobrowse import attaching
from server.live.gates import PUBLISH
from server.live.member import Member, keep
from server.live.narrowing import take_back
from server.live.people import asking, handover, rights, unstored, waiting_room
from server.live.people.supervision import hushed, supervise
from server.live.people.take_over import take_over
from server.live.records import Standing
from server.services.views import consent_view
from server.signalling.messages import (
    Ask,
    Asked,
    ChatPosted,
    ChatRead,
    ChatSeen,
    ChatSend,
    ClientBody,
    ConsentSet,
    EndSession,
    Leave,
    MediaOffer,
    Quality,
    QualityReport,
    ReceiveSet,
    Remove,
    Supervise,
    TakeWaiting,
    TrackState,
)
from server.signalling.messages_cobrowse import CobrowseAttach, CobrowseDetach
from server.signalling.messages_pdf import (
    PdfClose,
    PdfLook,
    PdfMark,
    PdfOpen,
    PdfSign,
    PdfSignAsk,
    PdfSignCancel,
    PdfSignDecline,
    PdfUnmark,
)
from server.signalling.messages_people import (
    Admit,
    HandoverAnswer,
    HandoverCancel,
    HandoverComplete,
    HandoverOffer,
    Hold,
    Lock,
    Mute,
    RoleSet,
    WaitingRoomSet,
)
from server.signalling.messages_recording import CheckpointMark, RecordingSet
from server.signalling.messages_verification import VerificationAgent, VerificationBegin, VerificationCannot, VerificationStop

if TYPE_CHECKING:
    from server.live.session import LiveSession
    from server.live.together import Tables


async def carry_out(session: "LiveSession", member: Member, seq: int, body: ClientBody) -> None:
    """Raises TongpingError: it was not done."""
    await ACTIONS[type(body)](session, member, seq, body)


def _need(member: Member, grant: Grant) -> None:
    if grant not in member.grants:
        raise NotAllowed(f"This needs the grant {grant.value}.")


def _store_one(session: "LiveSession", member: Member) -> None:
    """Each is a transaction on disk, and told to everybody. Raises TooMany."""
    if not member.stored.take(session.needs.clock.monotonic()):
        raise TooMany("Too much in a short time. Please wait a moment.")


def _shown(session: "LiveSession", member: Member) -> None:
    """Who listens and is hidden from somebody does nothing that they would see. Raises NotAllowed."""
    if telling.hidden(session, member):
        raise NotAllowed("Not everybody is told that you are here: join in first.")


async def _offer(session: "LiveSession", member: Member, seq: int, body: MediaOffer) -> None:
    if not member.offers.take(session.needs.clock.monotonic()):
        raise TooMany("Too many offers in a short time. Please wait a moment.")
    connection = member.connection
    if connection is not None:
        session.room.offer(member, connection, seq, body.sdp)


async def _track(session: "LiveSession", member: Member, seq: int, body: TrackState) -> None:
    _need(member, PUBLISH[body.source])
    if body.on:
        member.on.add(body.source)
    else:
        member.on.discard(body.source)
    session.tell_view(member)


async def _receive(session: "LiveSession", member: Member, seq: int, body: ReceiveSet) -> None:
    _need(member, Grant.SUBSCRIBE)
    await session.room.receive(member, body.video, {size.mid: size.height for size in body.sizes})


async def _consent(session: "LiveSession", member: Member, seq: int, body: ConsentSet) -> None:
    """Taking back: the relay first, then the record; and shut it stays if recording fails or is refused. Giving: the record first."""
    withdrawn = body.decision is not ConsentDecision.GIVEN
    if withdrawn:
        take_back(session, member, body.scope)
        attaching.withdrawn(session, member, body.scope)
        await session.apply_gate(member)
    if not (withdrawn and session.agreed(member, body.scope)):  # taking back a stored yes is always stored
        _store_one(session, member)
    consent = await session.needs.records.decide(session.id, member.id, body)
    session.needs.taps.decided(member.id, body.scope)
    session.keep_consent(member, consent)
    telling.consent(session, consent_view(consent))
    await session.apply_gate(member)


async def _say(session: "LiveSession", member: Member, seq: int, body: ChatSend) -> None:
    _need(member, Grant.CHAT)
    _shown(session, member)
    if body.file is None and not body.text.strip():
        raise Invalid("A message has a text or a file.")
    _store_one(session, member)
    posted = await session.needs.records.post(session.id, member.id, body)
    files = {posted.file.id: posted.file} if posted.file is not None else {}
    view = ChatPosted(message=session.message_view(posted.message, files))
    session.remember(posted.message)
    session.recording.said(posted)
    if posted.repeated:
        member.send(view)
    else:
        session.tell(view)


async def _read(session: "LiveSession", member: Member, seq: int, body: ChatRead) -> None:
    _need(member, Grant.CHAT)
    number = session.number_of(body.message)
    if number is None:
        raise NotFound("There is no such message among the latest of this session.")
    if number > member.seen:
        member.seen = number
        session.tell_others(member, ChatSeen(participant=member.id, number=number))


async def _ask(session: "LiveSession", member: Member, seq: int, body: Ask) -> None:
    _need(member, Grant.ASK)
    _shown(session, member)
    other = _other(session, member, body.participant)
    if PUBLISH[body.source] not in other.grants:
        raise NotAllowed("They may not turn this on.")
    other.send(Asked(by=member.id, source=body.source))


async def _remove(session: "LiveSession", member: Member, seq: int, body: Remove) -> None:
    _need(member, Grant.PARTICIPANT_REMOVE)
    if body.participant == member.id:
        raise Invalid("Use leave to go yourself.")
    await session.remove(body.participant, member.id)


async def _hold(session: "LiveSession", member: Member, seq: int, body: Hold) -> None:
    _need(member, Grant.PARTICIPANT_HOLD)
    await _stand(session, _other(session, member, body.participant), Standing.HELD, body.held, member.id)


async def _mute(session: "LiveSession", member: Member, seq: int, body: Mute) -> None:
    _need(member, Grant.PARTICIPANT_MUTE)
    await _stand(session, _other(session, member, body.participant), Standing.MUTED, body.muted, member.id)


async def _stand(session: "LiveSession", member: Member, standing: Standing, yes: bool, actor: str) -> None:
    """Tightening, the relay comes first, and tight it stays if recording fails; lifting, the record comes first."""
    if yes and getattr(member.participant, standing.value) is None:
        since = session.needs.clock.now()
        member.participant = msgspec.structs.replace(member.participant, **{standing.value: since})
        await session.apply_gate(member)
        if standing is Standing.HELD:
            await hushed(session, member)
    try:
        stored = session.people[member.id] = await session.needs.records.stand(member.id, standing, yes, actor)
    except DependencyError:
        if yes:
            unstored.keep(session, member, standing.value, actor)
        raise
    unstored.stored(session, member.id, standing.value)
    keep(member, stored, standing.value)
    await session.apply_gate(member)
    session.tell_view(member)


def _other(session: "LiveSession", member: Member, participant: ParticipantId) -> Member:
    """Raises NotFound: not here, or oneself."""
    other = session.members.get(participant)
    if other is None or other is member:
        raise NotFound("There is no such participant here.")
    return other


async def _supervise(session: "LiveSession", member: Member, seq: int, body: Supervise) -> None:
    _need(member, Grant.SUPERVISE)
    _store_one(session, member)
    if body.mode is SupervisionMode.TAKE_OVER:
        await take_over(session, member)
    else:
        await supervise(session, member, body)


async def _record(session: "LiveSession", member: Member, seq: int, body: RecordingSet) -> None:
    _need(member, Grant.RECORDING_CONTROL)
    _store_one(session, member)
    await session.recording.want(member, body.state)


async def _check(session: "LiveSession", member: Member, seq: int, body: CheckpointMark) -> None:
    _need(member, Grant.RECORDING_CONTROL)
    _store_one(session, member)
    await session.recording.mark(member, body)


async def _verify(session: "LiveSession", member: Member, seq: int, body: VerificationBegin) -> None:
    _need(member, Grant.VERIFICATION_RUN)
    _store_one(session, member)
    session.verifying.begin(member, body)


async def _cannot(session: "LiveSession", member: Member, seq: int, body: VerificationCannot) -> None:
    _need(member, Grant.VERIFICATION_RUN)
    session.verifying.cannot(member, light=body.light)


async def _stop_verifying(session: "LiveSession", member: Member, seq: int, body: VerificationStop) -> None:
    _need(member, Grant.VERIFICATION_RUN)
    session.verifying.stop(member)


async def _ask_for_staff(session: "LiveSession", member: Member, seq: int, body: VerificationAgent) -> None:
    _need(member, Grant.VERIFICATION_RUN)
    _store_one(session, member)
    await asking.ask(session, member, body)


async def _lock(session: "LiveSession", member: Member, seq: int, body: Lock) -> None:
    _need(member, Grant.SESSION_LOCK)
    _store_one(session, member)
    await rights.lock(session, member, body.locked)


async def _waiting_room(session: "LiveSession", member: Member, seq: int, body: WaitingRoomSet) -> None:
    _need(member, Grant.SESSION_LOCK)
    _store_one(session, member)
    await waiting_room.set(session, member, body.on)


async def _admit(session: "LiveSession", member: Member, seq: int, body: Admit) -> None:
    _need(member, Grant.PARTICIPANT_ADMIT)
    await waiting_room.admit(session, member, body.participant, body.admitted)


async def _role(session: "LiveSession", member: Member, seq: int, body: RoleSet) -> None:
    _need(member, Grant.PARTICIPANT_ROLE)
    _store_one(session, member)
    await rights.set_role(session, member, _other(session, member, body.participant), body.role)


async def _hand_over(session: "LiveSession", member: Member, seq: int, body: HandoverOffer) -> None:
    _need(member, Grant.HANDOVER)
    _store_one(session, member)
    await handover.offer(session, member, body)


async def _cancel_handover(session: "LiveSession", member: Member, seq: int, body: HandoverCancel) -> None:
    _need(member, Grant.HANDOVER)
    await handover.cancel(session, member)


async def _complete_handover(session: "LiveSession", member: Member, seq: int, body: HandoverComplete) -> None:
    _need(member, Grant.HANDOVER)
    await handover.complete(session, member)


async def _end(session: "LiveSession", member: Member, seq: int, body: EndSession) -> None:
    _need(member, Grant.SESSION_END)
    await session.end(body.reason, member.id)


async def _leave(session: "LiveSession", member: Member, seq: int, body: Leave) -> None:
    await session.depart(member, LeaveReason.LEFT, member.id)
    gave_up = session.status is SessionStatus.WAITING and member.participant.role is Role.CUSTOMER
    if gave_up and not await asking.given_up(session, member.id):
        await session.end("left", member.id)  # nobody is left to be served


async def _quality(session: "LiveSession", member: Member, seq: int, body: QualityReport) -> None:
    if not member.quality.take(session.needs.clock.monotonic()):
        raise TooMany("At most one report a second.")
    session.tell_others(
        member,
        Quality(participant=member.id, level=body.level, rtt_ms=body.rtt_ms, loss_permille=body.loss_permille),
    )


async def _attach(session: "LiveSession", member: Member, seq: int, body: CobrowseAttach) -> None:
    _need(member, Grant.COBROWSE_VIEW)
    _store_one(session, member)
    await attaching.attach(session, member, body)


async def _detach(session: "LiveSession", member: Member, seq: int, body: CobrowseDetach) -> None:
    _need(member, Grant.COBROWSE_VIEW)
    attaching.detach(session, member)


def _pdfs(session: "LiveSession", member: Member, grant: Grant, *, stores: bool = False) -> "Tables":
    """Raises NotAllowed, TooMany, NotFound: no PDFs are shown here."""
    _need(member, grant)
    if stores:
        _store_one(session, member)
    pdfs = session.needs.pdfs()
    if pdfs is None:
        raise NotFound("No PDFs are shown on this server.")
    return pdfs


async def _open_pdf(session: "LiveSession", member: Member, seq: int, body: PdfOpen) -> None:
    await _pdfs(session, member, Grant.PDF_SHOW, stores=True).open(session, member, body)


async def _close_pdf(session: "LiveSession", member: Member, seq: int, body: PdfClose) -> None:
    await _pdfs(session, member, Grant.PDF_SHOW, stores=True).close_pdf(session, member)


async def _look_at_pdf(session: "LiveSession", member: Member, seq: int, body: PdfLook) -> None:
    _pdfs(session, member, Grant.PDF_MARK).look(session, member, body)


async def _mark_pdf(session: "LiveSession", member: Member, seq: int, body: PdfMark) -> None:
    _pdfs(session, member, Grant.PDF_MARK).mark(session, member, body)


async def _unmark_pdf(session: "LiveSession", member: Member, seq: int, body: PdfUnmark) -> None:
    _pdfs(session, member, Grant.PDF_MARK).unmark(session, member, body)


async def _ask_to_sign(session: "LiveSession", member: Member, seq: int, body: PdfSignAsk) -> None:
    await _pdfs(session, member, Grant.PDF_SHOW, stores=True).ask(session, member, body)


async def _ask_no_longer(session: "LiveSession", member: Member, seq: int, body: PdfSignCancel) -> None:
    await _pdfs(session, member, Grant.PDF_SHOW, stores=True).cancel(session, member, body)


async def _sign_pdf(session: "LiveSession", member: Member, seq: int, body: PdfSign) -> None:
    _pdfs(session, member, Grant.PDF_SIGN, stores=True).sign(session, member, seq, body)


async def _decline_to_sign(session: "LiveSession", member: Member, seq: int, body: PdfSignDecline) -> None:
    await _pdfs(session, member, Grant.PDF_SIGN, stores=True).decline(session, member, body)


async def _take(session: "LiveSession", member: Member, seq: int, body: TakeWaiting) -> None:
    raise NotAllowed("Customers are taken at the desk.")


async def _answer(session: "LiveSession", member: Member, seq: int, body: HandoverAnswer) -> None:
    raise NotAllowed("Customers are accepted at the desk.")


Action = Callable[["LiveSession", Member, int, Any], Awaitable[None]]
ACTIONS: Final[dict[type, Action]] = {
    MediaOffer: _offer,
    TrackState: _track,
    ReceiveSet: _receive,
    ConsentSet: _consent,
    ChatSend: _say,
    ChatRead: _read,
    Ask: _ask,
    Remove: _remove,
    Hold: _hold,
    Mute: _mute,
    Supervise: _supervise,
    RecordingSet: _record,
    CheckpointMark: _check,
    VerificationBegin: _verify,
    VerificationCannot: _cannot,
    VerificationStop: _stop_verifying,
    VerificationAgent: _ask_for_staff,
    Lock: _lock,
    WaitingRoomSet: _waiting_room,
    Admit: _admit,
    RoleSet: _role,
    HandoverOffer: _hand_over,
    HandoverCancel: _cancel_handover,
    HandoverComplete: _complete_handover,
    EndSession: _end,
    Leave: _leave,
    QualityReport: _quality,
    TakeWaiting: _take,
    HandoverAnswer: _answer,
    CobrowseAttach: _attach,
    CobrowseDetach: _detach,
    PdfOpen: _open_pdf,
    PdfClose: _close_pdf,
    PdfLook: _look_at_pdf,
    PdfMark: _mark_pdf,
    PdfUnmark: _unmark_pdf,
    PdfSignAsk: _ask_to_sign,
    PdfSignCancel: _ask_no_longer,
    PdfSign: _sign_pdf,
    PdfSignDecline: _decline_to_sign,
}
