"""Every frame of the signalling WebSocket, typed. The one definition: ``docs/protocol.md`` explains it, the
TypeScript types in ``static/src/protocol.gen.ts`` are generated from it, and a test fails when they drift.

A connection is ``hello`` → ``welcome``, then numbered ``msg`` frames both ways, each acknowledged; see ``protocol.py``.
JSON text frames only. Unknown types and fields are refused.
"""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

import msgspec

from server.domain.ids import ConnectionId, FileId, MessageId, ParticipantId, SessionId
from server.domain.model import ConsentDecision, ConsentScope, Language, LeaveReason, Source, SupervisionMode
from server.domain.views import (
    ChatMessageView,
    ConsentView,
    OccupiedSession,
    ParticipantView,
    SessionView,
    WaitingEntry,
)
from server.signalling.base import Body, ShortText
from server.signalling.messages_cobrowse import CobrowseChanged, CobrowseClient
from server.signalling.messages_pdf import PdfClient, PdfServer
from server.signalling.messages_people import (
    Admit,
    AgentBack,
    AgentLost,
    GrantsChanged,
    Handover,
    HandoverAnswer,
    HandoverCancel,
    HandoverComplete,
    HandoverOffer,
    HandoverOffered,
    HandoverTaken,
    HandoverWithdrawn,
    Hold,
    Lock,
    Mute,
    RoleSet,
    WaitingRoomSet,
)
from server.signalling.messages_recording import CheckpointMark, RecordingChanged, RecordingSet
from server.signalling.messages_verification import (
    ReviewsChanged,
    VerificationAgent,
    VerificationBegin,
    VerificationCannot,
    VerificationCases,
    VerificationChanged,
    VerificationCue,
    VerificationStop,
)

PROTOCOL_VERSION = 1
MAX_FRAME_BYTES = 256 * 1024  # an offer with 6 audio and 24 video slots is 39 KB
MAX_SDP_BYTES = 200 * 1024
MAX_CHAT_CHARS = 4000

Sequence = Annotated[int, msgspec.Meta(ge=1, le=2**53)]
Acknowledged = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
Sdp = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_SDP_BYTES)]
ClientKey = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]


class CloseCode(StrEnum):
    """Why a connection ended; the WebSocket close code is in ``CLOSE_NUMBERS``, the page's words are its own."""

    LEFT = "left"
    REMOVED = "removed"
    REFUSED = "refused"  # not let in from the waiting room
    HANDED_OVER = "handed_over"  # a colleague leads
    TAKEN_OVER = "taken_over"  # a supervisor leads
    REVOKED = "revoked"  # the invitation was withdrawn, or the login was ended
    SESSION_ENDED = "session_ended"
    MOVED = "moved"  # the same participant connected elsewhere
    UNAUTHORISED = "unauthorised"
    TOKEN_EXPIRED = "token_expired"  # noqa: S105 - a name, not a secret
    BAD_MESSAGE = "bad_message"
    TOO_LARGE = "too_large"
    TOO_MANY = "too_many"  # rate limit
    TOO_SLOW = "too_slow"  # the client does not read or acknowledge
    TIMEOUT = "timeout"  # no hello, or nothing heard
    RESUME_UNKNOWN = "resume_unknown"  # connect again without `resume`
    GOING_AWAY = "going_away"  # the server restarts; resume elsewhere
    INTERNAL = "internal"


CLOSE_NUMBERS: dict[CloseCode, int] = {
    CloseCode.LEFT: 1000,
    CloseCode.GOING_AWAY: 1001,
    CloseCode.TOO_LARGE: 1009,
    CloseCode.INTERNAL: 1011,
    CloseCode.BAD_MESSAGE: 4400,
    CloseCode.UNAUTHORISED: 4401,
    CloseCode.TOKEN_EXPIRED: 4402,
    CloseCode.REMOVED: 4403,
    CloseCode.RESUME_UNKNOWN: 4404,
    CloseCode.REFUSED: 4405,
    CloseCode.HANDED_OVER: 4406,
    CloseCode.TIMEOUT: 4408,
    CloseCode.MOVED: 4409,
    CloseCode.SESSION_ENDED: 4410,
    CloseCode.TAKEN_OVER: 4411,
    CloseCode.REVOKED: 4412,
    CloseCode.TOO_SLOW: 4413,
    CloseCode.TOO_MANY: 4429,
}
RETRYABLE = frozenset(
    {CloseCode.TIMEOUT, CloseCode.RESUME_UNKNOWN, CloseCode.GOING_AWAY, CloseCode.INTERNAL, CloseCode.TOO_SLOW}
)


class ErrorCode(StrEnum):
    """What was wrong with one message; the connection goes on."""

    NOT_ALLOWED = "not_allowed"
    INVALID = "invalid"
    NOT_FOUND = "not_found"
    CONFLICT = "conflict"
    MEDIA_UNAVAILABLE = "media_unavailable"
    SDP_REFUSED = "sdp_refused"
    TOO_MANY = "too_many"
    INTERNAL = "internal"
    NO_STAFF = "no_staff"


class QualityLevel(StrEnum):
    GOOD = "good"
    FAIR = "fair"
    POOR = "poor"


# ---------------------------------------------------------------- client → server: bodies


class MediaOffer(Body, frozen=True, kw_only=True, tag="media.offer"):
    """The page's one SDP offer, or the same with new ICE credentials (ICE restart). Answered by ``media.answer``."""

    sdp: Sdp


class TrackState(Body, frozen=True, kw_only=True, tag="track.state"):
    """The sender turned a source on or off (muted). Told to the others; the relay's gate is separate."""

    source: Source
    on: bool


class SlotSize(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How tall the picture of the slot ``mid`` is drawn, in device pixels; 0: it is not seen at all."""

    mid: Annotated[str, msgspec.Meta(min_length=1, max_length=16)]
    height: Annotated[int, msgspec.Meta(ge=0, le=8640)]


class ReceiveSet(Body, frozen=True, kw_only=True, tag="receive.set"):
    """How many pictures this page wants at most; what is over is not sent to it: screens stay, then who spoke last. 0: voices only.

    ``sizes``: what each slot is worth to this page, the whole of it every time; a slot that is not named is taken as tall.
    """

    video: Annotated[int, msgspec.Meta(ge=0, le=64)]
    sizes: Annotated[list[SlotSize], msgspec.Meta(max_length=64)] = msgspec.field(default_factory=list)


class ConsentSet(Body, frozen=True, kw_only=True, tag="consent.set"):
    """A decision about oneself. ``wording`` names the text that was shown, e.g. ``camera-1``."""

    scope: ConsentScope
    decision: ConsentDecision
    wording: ShortText
    language: Language


class ChatSend(Body, frozen=True, kw_only=True, tag="chat.send"):
    """``client_id`` is the page's own key: sending the same one again changes nothing and is answered again."""

    client_id: ClientKey
    text: Annotated[str, msgspec.Meta(max_length=MAX_CHAT_CHARS)] = ""
    file: FileId | None = None


class ChatRead(Body, frozen=True, kw_only=True, tag="chat.read"):
    message: Annotated[MessageId, msgspec.Meta(max_length=40)]


class Ask(Body, frozen=True, kw_only=True, tag="ask"):
    """Ask a participant to turn on a source or share their screen; they decide. Needs the grant ``ask``."""

    participant: Annotated[ParticipantId, msgspec.Meta(max_length=40)]
    source: Source


class Remove(Body, frozen=True, kw_only=True, tag="participant.remove"):
    """Needs the grant ``participant.remove``."""

    participant: Annotated[ParticipantId, msgspec.Meta(max_length=40)]
    reason: ShortText = ""


class Supervise(Body, frozen=True, kw_only=True, tag="supervise"):
    """``listen``: hear and see everybody, be heard and seen by nobody. ``whisper``: be heard by ``to`` alone, who must lead or
    help, never the customer. ``join``: like everybody. ``take_over``: lead instead of whoever does, who leaves. Needs ``supervise``; a
    supervisor comes in listening.
    """

    mode: SupervisionMode
    to: Annotated[ParticipantId, msgspec.Meta(max_length=40)] | None = None


class EndSession(Body, frozen=True, kw_only=True, tag="session.end"):
    """Needs the grant ``session.end``."""

    reason: ShortText = ""


class Leave(Body, frozen=True, kw_only=True, tag="leave"):
    """Give the place up at once, instead of after 20 s."""


class QualityReport(Body, frozen=True, kw_only=True, tag="quality.report"):
    """What the page's own statistics say, at most one a second; told to the others as ``quality``."""

    level: QualityLevel
    rtt_ms: Annotated[int, msgspec.Meta(ge=0, le=60_000)]
    loss_permille: Annotated[int, msgspec.Meta(ge=0, le=1000)]
    down_kbps: Annotated[int, msgspec.Meta(ge=0, le=10_000_000)]
    up_kbps: Annotated[int, msgspec.Meta(ge=0, le=10_000_000)]


class TakeWaiting(Body, frozen=True, kw_only=True, tag="waiting.take"):
    """Desk connections only: take a waiting customer. Answered by ``waiting.taken`` or ``error`` (conflict)."""

    session: Annotated[SessionId, msgspec.Meta(max_length=40)]


ClientBody = (
    MediaOffer
    | TrackState
    | ReceiveSet
    | ConsentSet
    | ChatSend
    | ChatRead
    | Ask
    | Remove
    | Hold
    | Mute
    | Supervise
    | RecordingSet
    | CheckpointMark
    | VerificationBegin
    | VerificationCannot
    | VerificationStop
    | VerificationAgent
    | Lock
    | WaitingRoomSet
    | Admit
    | RoleSet
    | HandoverOffer
    | HandoverCancel
    | HandoverComplete
    | EndSession
    | Leave
    | QualityReport
    | TakeWaiting
    | HandoverAnswer
    | CobrowseClient
    | PdfClient
)

# ---------------------------------------------------------------- server → client: bodies


class MediaAnswer(Body, frozen=True, kw_only=True, tag="media.answer"):
    sdp: str


class MediaLost(Body, frozen=True, kw_only=True, tag="media.lost"):
    """The media worker is gone: make a new connection and offer again."""


class SlotView(msgspec.Struct, frozen=True, kw_only=True):
    """What one receiving m-line (``mid``) shows from now on; ``participant`` is null when it shows nothing.

    ``held``: the picture is not sent for now, because this page's network cannot carry it; it comes back by itself.
    """

    mid: str
    participant: ParticipantId | None
    source: Source | None
    held: bool = False


class Slots(Body, frozen=True, kw_only=True, tag="slots"):
    """The whole assignment, every time: replaces the one before."""

    slots: list[SlotView]


class Speaking(Body, frozen=True, kw_only=True, tag="speaking"):
    """Who is speaking now, loudest first."""

    participants: list[ParticipantId]


class ParticipantChanged(Body, frozen=True, kw_only=True, tag="participant.changed"):
    """Somebody joined or changed: the whole view."""

    participant: ParticipantView


class ParticipantLeft(Body, frozen=True, kw_only=True, tag="participant.left"):
    participant: ParticipantId
    reason: LeaveReason


class ConsentChanged(Body, frozen=True, kw_only=True, tag="consent.changed"):
    consent: ConsentView


class ChatPosted(Body, frozen=True, kw_only=True, tag="chat.message"):
    message: ChatMessageView


class ChatSeen(Body, frozen=True, kw_only=True, tag="chat.seen"):
    """``participant`` has read up to ``number``."""

    participant: ParticipantId
    number: int


class Asked(Body, frozen=True, kw_only=True, tag="asked"):
    by: ParticipantId
    source: Source


class Whispers(Body, frozen=True, kw_only=True, tag="whispers"):
    """A supervisor whispers: to the supervisor, and to the one who hears it, alone. ``to`` None: no longer."""

    by: ParticipantId
    to: ParticipantId | None


class Quality(Body, frozen=True, kw_only=True, tag="quality"):
    participant: ParticipantId
    level: QualityLevel
    rtt_ms: int
    loss_permille: int


class Encodings(Body, frozen=True, kw_only=True, tag="encodings"):
    """Send only these encodings (``rid``) of this source of yours from now on; nobody needs the others. Each time the whole list.

    Of a microphone: ``"red"``, with redundancy (RFC 2198), or ``""``, without; a page that cannot goes on as it does.
    """

    source: Source
    active: list[str]


class NetworkLimit(StrEnum):
    """Why a page is sent less than it asked for."""

    NONE = "none"
    BANDWIDTH = "bandwidth"  # the estimate does not carry everything
    LOSS = "loss"  # it would, but too many packets are lost


class Network(Body, frozen=True, kw_only=True, tag="network"):
    """How the relay sees the way to this page, told when it changes and at most once a second.

    ``down_kbps``: the estimate; ``rtt_ms``: null while unknown; ``held``: pictures that are not sent for now.
    """

    down_kbps: int
    rtt_ms: int | None
    loss_permille: int
    limit: NetworkLimit
    held: int


class SessionChanged(Body, frozen=True, kw_only=True, tag="session.changed"):
    session: SessionView


class QueuePosition(Body, frozen=True, kw_only=True, tag="queue.position"):
    """To a waiting customer. ``estimated_wait_s`` is null while there is nothing to estimate from."""

    position: int
    estimated_wait_s: int | None


class TokenRenewed(Body, frozen=True, kw_only=True, tag="token.renewed"):
    """Use this one for the next ``hello`` and for REST."""

    token: str
    expires_at: datetime


class IceServer(msgspec.Struct, frozen=True, kw_only=True):
    """A TURN relay and a credential for it, as an ``RTCIceServer`` of WebRTC. ``username`` begins with when it ends (epoch seconds)."""

    urls: list[str]
    username: str
    credential: str


class IceServers(Body, frozen=True, kw_only=True, tag="ice.servers"):
    """From now on these relays, instead of those in ``welcome``: use them for the next connection or ICE restart.

    A connection through the ones before goes on; their credential is only looked at when something new is asked of the relay.
    """

    servers: list[IceServer]


class MediaLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How many receive-only slots to offer, and which TURN relays may be used (``ice.servers`` renews them)."""

    audio_slots: int
    video_slots: int
    ice_servers: list[IceServer] = []


class FileLimits(msgspec.Struct, frozen=True, kw_only=True):
    max_bytes: int
    media_types: list[str]


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a page needs to draw itself, sent when nothing is resumed."""

    session: SessionView
    you: ParticipantView
    grants: list[str]
    participants: list[ParticipantView]  # the others
    consents: list[ConsentView]  # newest of each participant and scope
    chat: list[ChatMessageView]  # the last 200
    recording: RecordingChanged
    media: MediaLimits
    files: FileLimits


class Admitted(Body, frozen=True, kw_only=True, tag="admitted"):
    """To somebody who waited: they are in. The snapshot replaces the one of ``welcome``."""

    snapshot: Snapshot


class WaitingList(Body, frozen=True, kw_only=True, tag="waiting.list"):
    """Desk connections only: the whole list, every time."""

    entries: list[WaitingEntry]


class SessionsInside(Body, frozen=True, kw_only=True, tag="sessions.inside"):
    """Desk connections only: the open sessions of this account, and those nobody has, that somebody is in; the whole list, every time.

    Those in which a customer waits alone (``alone_since``) come first.
    """

    entries: list[OccupiedSession]


class WaitingTaken(Body, frozen=True, kw_only=True, tag="waiting.taken"):
    """Desk connections only, to the one who took it: the token to enter that session with."""

    session: SessionView
    token: str


class MessageError(Body, frozen=True, kw_only=True, tag="error"):
    """The client's message number ``re`` was not carried out."""

    re: int
    code: ErrorCode
    detail: str


ServerBody = (
    MediaAnswer
    | MediaLost
    | Slots
    | Speaking
    | ParticipantChanged
    | ParticipantLeft
    | ConsentChanged
    | ChatPosted
    | ChatSeen
    | Asked
    | Whispers
    | RecordingChanged
    | VerificationChanged
    | VerificationCue
    | VerificationCases
    | Admitted
    | GrantsChanged
    | Handover
    | AgentLost
    | AgentBack
    | Quality
    | Encodings
    | Network
    | SessionChanged
    | QueuePosition
    | TokenRenewed
    | IceServers
    | WaitingList
    | SessionsInside
    | ReviewsChanged
    | WaitingTaken
    | HandoverOffered
    | HandoverWithdrawn
    | HandoverTaken
    | CobrowseChanged
    | PdfServer
    | MessageError
)

# ---------------------------------------------------------------- frames


class Frame(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="t"):
    pass


class Resume(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``key`` from the last ``welcome``; ``ack`` is the last server message that was handled."""

    key: ClientKey
    ack: Acknowledged


class Hello(Frame, frozen=True, kw_only=True, tag="hello"):
    """The first frame of every connection. The token never stands in a URL."""

    version: int
    token: Annotated[str, msgspec.Meta(min_length=1, max_length=4096)]
    resume: Resume | None = None


class ClientMessage(Frame, frozen=True, kw_only=True, tag="msg"):
    seq: Sequence
    ack: Acknowledged
    body: ClientBody


class Ack(Frame, frozen=True, kw_only=True, tag="ack"):
    ack: Acknowledged


class Ping(Frame, frozen=True, kw_only=True, tag="ping"):
    n: Acknowledged


class Welcome(Frame, frozen=True, kw_only=True, tag="welcome"):
    """``ack``: the last client message that was handled (0 when new). ``snapshot`` is null when resumed or on a desk."""

    version: int
    connection: ConnectionId
    resume_key: str
    resumed: bool
    ack: Acknowledged
    heartbeat_s: int  # send a ping when nothing else was sent for so long
    keep_s: int  # how long the place is kept after a cut
    server_time: datetime
    snapshot: Snapshot | None = None


class ServerMessage(Frame, frozen=True, kw_only=True, tag="msg"):
    seq: Sequence
    ack: Acknowledged
    body: ServerBody


class Pong(Frame, frozen=True, kw_only=True, tag="pong"):
    n: Acknowledged


class Bye(Frame, frozen=True, kw_only=True, tag="bye"):
    """Sent just before the server closes. ``retry``: whether connecting again can help."""

    code: CloseCode
    detail: str
    retry: bool


ClientFrame = Hello | ClientMessage | Ack | Ping
ServerFrame = Welcome | ServerMessage | Ack | Pong | Bye
