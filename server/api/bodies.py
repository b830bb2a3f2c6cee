"""REST bodies of ``/api/v1``: requests refuse unknown fields. The OpenAPI document and the TypeScript types come from here.

| Method and path                                     | Who (grant)                  | Request → answer                        |
|-----------------------------------------------------|------------------------------|-----------------------------------------|
| GET    /site                                        | anybody                      | → Site                                  |
| POST   /login                                       | anybody (throttled)          | LoginRequest → Login                    |
| POST   /login/renew                                 | desk token                   | → Login                                 |
| DELETE /login                                       | desk token                   | → 204                                   |
| GET    /me                                          | desk token                   | → StaffView                             |
| POST   /waiting                                     | anybody (throttled) *        | JoinWaiting → Entry                     |
| GET    /waiting                                     | waiting.take                 | → WaitingEntries                        |
| POST   /invitations/inspect                         | anybody (throttled)          | InvitationSecret → InvitationPreview    |
| POST   /invitations/redeem                          | anybody (throttled) *        | RedeemInvitation → Entry                |
| POST   /sessions                                    | session.create *             | CreateSession → SessionView (201)       |
| GET    /sessions?status&customer_reference&limit&cursor | session.list             | → SessionPage                           |
| GET    /sessions/{session}                          | session.read                 | → SessionView                           |
| PATCH  /sessions/{session}                          | invite                       | UpdateSession → SessionView             |
| POST   /sessions/{session}/end                      | session.end                  | EndRequest → SessionView                |
| POST   /sessions/{session}/enter                    | staff                        | → Entry                                 |
| GET    /sessions/{session}/participants             | session.read                 | → Participants                          |
| DELETE /sessions/{session}/participants/{participant} | participant.remove         | → 204                                   |
| GET    /sessions/{session}/consents                 | session.read                 | → Consents                              |
| GET    /sessions/{session}/media                    | session.read                 | → MediaCounters                         |
| POST   /sessions/{session}/network-tests            | participant or session.read (throttled) * | NetworkTest → NetworkTestStarted (201) |
| POST   /sessions/{session}/invitations              | invite *                     | CreateInvitation → InvitationCreated (201) |
| GET    /sessions/{session}/invitations              | invite                       | → Invitations                           |
| DELETE /sessions/{session}/invitations/{invitation} | invite                       | → 204                                   |
| GET    /sessions/{session}/messages?after&limit     | participant or session.read  | → Messages                              |
| POST   /sessions/{session}/files                    | chat *; raw body, name in `X-File-Name` (percent-encoded UTF-8) | → FileView (201) |
| GET    /sessions/{session}/files/{file}             | participant or session.read  | → the bytes, as an attachment           |
| POST   /sessions/{session}/pdfs?name                | pdf.show *; raw body         | → PdfView (201)                         |
| GET    /sessions/{session}/pdfs                     | session.read                 | → Pdfs                                  |
| GET    /sessions/{session}/pdfs/{pdf}/file          | participant or session.read  | → the bytes, as an attachment           |
| GET    /sessions/{session}/pdfs/{pdf}/signed        | participant or session.read  | → the bytes, as an attachment           |
| GET, POST * /keys, DELETE /keys/{key}               | keys.manage                  | CreateKey → KeyCreated (201)            |
| GET, POST * /staff, DELETE /staff/{staff}           | staff.manage                 | CreateStaff → StaffView (201)           |
| POST   /cobrowse/sessions                          | cobrowse.begin (throttled) * | BeginPage → SessionView (201)           |
| GET    /cobrowse/visitors                          | cobrowse.begin               | → SeenVisitors                          |
| POST   /cobrowse/visitors/{visitor}/offer          | cobrowse.begin               | → 204                                   |
| DELETE /cobrowse/visitors/{visitor}/offer          | cobrowse.begin               | → 204                                   |
| GET    /staff/available                             | handover                     | → StaffAvailable                        |
| GET    /recordings?session&limit&cursor             | recording.review             | → RecordingsPage                        |
| GET    /recordings/{recording}                      | recording.review             | → RecordingDetail                       |
| GET    /recordings/{recording}/tracks/{track}/media?from_ms | recording.review     | → WebM, or fragmented MP4 of H.264      |
| POST   /recordings/{recording}/verify               | recording.review             | → RecordingVerified                     |
| DELETE /recordings/{recording}                      | recording.review             | EraseRecording → 204                    |
| POST   /recordings/{recording}/exports              | recording.review             | StartExport → RecordingExport (202)     |
| GET    /recordings/{recording}/exports/{export}     | recording.review             | → RecordingExport                       |
| DELETE /recordings/{recording}/exports/{export}     | recording.review             | → 204                                   |
| GET    /recordings/{recording}/exports/{export}/file | recording.review            | → the film, as an attachment            |
| POST   /face/compare                                | face.check (template: face.templates) | CompareFaces → FaceComparison  |
| POST   /face/compare/batch                          | face.check                   | CompareBatch → ComparedBatch            |
| POST   /face/quality                                | face.check                   | ExamineFace → FaceExamined              |
| POST   /face/liveness                               | face.check                   | CheckLiveness → LivenessChecked         |
| POST   /face/templates                              | face.templates *             | EnrolTemplate → TemplateEnrolled (201)  |
| GET    /face/templates/{template}                   | face.templates               | → TemplateView                          |
| PUT    /face/templates/{template}                   | face.templates               | ReplaceTemplate → TemplateEnrolled      |
| DELETE /face/templates/{template}                   | face.templates               | → 204                                   |
| DELETE /face/templates/{template}/picture           | face.templates               | → 204                                   |
| POST   /documents/read                              | document.read                | ReadDocument → DocumentRead             |
| POST   /documents/compare                           | face.check                   | CompareDocument → DocumentCompared      |
| POST   /verifications                               | verification.create *        | CreateVerification → VerificationView (201) |
| GET    /verifications/keys                          | anybody                      | → KeySet                                |
| GET    /verifications/{verification}                | verification.create          | → VerificationView                      |
| POST   /verifications/{verification}/cancel         | verification.create          | → VerificationView                      |
| PUT    /verifications/{verification}/portrait       | verification.create          | SetPortrait → VerificationView          |
| POST   /verifications/{verification}/attempts       | verification.create *        | UploadAttempt → AttemptDone (201)       |
| POST   /verifications/{verification}/redeem         | verification.create          | RedeemDecision → Redeemed               |
| POST   /verifications/{verification}/identification | verification.run, staff      | IdentifyCustomer → VerificationView     |
| POST   /verifications/{verification}/review         | verification.review          | ReviewVerification → VerificationView   |
| POST   /verifications/unlock                        | verification.unlock          | UnlockCustomer → 204                    |
| GET    /reviews?type&yours&due_in_s&limit&cursor    | verification.review          | → ReviewQueue                           |
| GET    /reviews/{verification}/attempts/{attempt}/pictures/{name} | verification.review | → a picture                          |
| GET    /reviews/{verification}/reference            | verification.review          | → a picture                             |
| GET    /reviews/{verification}                      | verification.review          | → ReviewDetail                          |
| POST   /customers/export                            | customer.data                | ExportCustomer → a ZIP                  |
| POST   /customers/erase                             | customer.data                | EraseCustomer → CustomerErased          |
| GET    /risk/lists?limit&cursor                     | risk.manage                  | → RiskEntries                           |
| POST   /risk/lists                                  | risk.manage *                | AddRiskEntry → RiskEntryView (201)      |
| POST   /risk/lists/find                             | risk.manage                  | FindRiskEntries → RiskEntries           |
| DELETE /risk/lists/{entry}                          | risk.manage                  | → 204                                   |
| GET    /risk/rules                                  | risk.manage                  | → RiskRulesList                         |
| PUT    /risk/rules/{rules}                          | risk.manage                  | PutRiskRules → RiskRulesView            |
| DELETE /risk/rules/{rules}                          | risk.manage                  | → 204                                   |
| POST   /risk/check                                  | risk.manage                  | CheckRisk → RiskView                    |
| POST   /risk/reload                                 | risk.manage                  | → RiskRulesList                         |
| GET    /audit?after&limit                           | audit.read                   | → AuditPage                             |
| GET    /audit/checkpoint                            | audit.read                   | → AuditCheckpoint                       |
| GET    /audit/keys                                  | anybody                      | → KeySet                                |
| POST   /webhooks                                    | keys.manage *                | CreateWebhook → WebhookView (201)       |
| GET    /webhooks                                    | keys.manage                  | → WebhookList                           |
| DELETE /webhooks/{webhook}                          | keys.manage                  | → 204                                   |
| GET    /webhooks/deliveries?state&limit&cursor      | keys.manage                  | → DeliveriesPage                        |
| POST   /webhooks/deliveries/{delivery}/replay       | keys.manage                  | → DeliveryView                          |
| GET    /webhooks/keys                               | anybody                      | → KeySet                                |
| GET    /signal                                      | WebSocket, see docs/protocol.md |                                      |

``*`` takes an ``Idempotency-Key`` header: the same key and body get the same answer, another body is refused (409).
Tokens: ``Authorization: Bearer``. Errors: problem details (RFC 9457) with ``code``.
"""

from datetime import datetime
from typing import Annotated

import msgspec

from server.domain.ids import ApiKeyId, InvitationId, ParticipantId, StaffId
from server.domain.model import Language, Role, SessionKind, Source
from server.domain.views import AvailableStaff, ChatMessageView, ConsentView, ParticipantView, SessionView, WaitingEntry
from server.transactions.brief import CaseBrief

Name = Annotated[str, msgspec.Meta(max_length=80)]
Reference = Annotated[str, msgspec.Meta(max_length=120)]
Reason = Annotated[str, msgspec.Meta(max_length=200)]
Context = Annotated[str, msgspec.Meta(max_length=4000)]


class Request(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    pass


class Problem(Answer, frozen=True, kw_only=True):
    """RFC 9457. ``code`` is stable; ``field`` names the offending field where there is one."""

    type: str
    title: str
    status: int
    code: str
    detail: str = ""
    field: str = ""


class SiteMedia(Answer, frozen=True, kw_only=True):
    """What a page needs to make its connection before it has a token. ``relay``: whether a TURN relay will be named in the welcome."""

    audio_slots: int
    video_slots: int
    relay: bool


class Site(Answer, frozen=True, kw_only=True):
    """What the pages need before anybody has signed in. ``walk_in``: whether customers may wait without an appointment."""

    bank_name: dict[Language, str]
    version: str
    walk_in: bool
    max_file_bytes: int
    development: bool
    media: SiteMedia


class LoginRequest(Request, frozen=True, kw_only=True):
    username: Annotated[str, msgspec.Meta(min_length=1, max_length=80)]
    password: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


class StaffView(Answer, frozen=True, kw_only=True):
    id: StaffId
    username: str
    name: str
    role: Role
    disabled: bool = False


class Login(Answer, frozen=True, kw_only=True):
    token: str
    expires_at: datetime
    staff: StaffView
    grants: list[str]


class JoinWaiting(Request, frozen=True, kw_only=True):
    name: Name
    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    language: Language


class Entry(Answer, frozen=True, kw_only=True):
    """A place in a session: ``token`` goes into ``hello`` and into REST."""

    token: str
    expires_at: datetime
    participant: ParticipantId
    role: Role
    session: SessionView


class WaitingEntries(Answer, frozen=True, kw_only=True):
    entries: list[WaitingEntry]


class InvitationSecret(Request, frozen=True, kw_only=True):
    """``secret`` from the link, or the 6-digit ``code``: exactly one."""

    secret: Annotated[str, msgspec.Meta(max_length=100)] = ""
    code: Annotated[str, msgspec.Meta(pattern=r"^([0-9]{6})?$")] = ""


class InvitationPreview(Answer, frozen=True, kw_only=True):
    """Shown before joining; looking does not use the invitation up. ``context`` only for experts. ``verification``: what a customer comes for who is
    verified by themselves."""

    role: Role
    name: str
    invited_by: str
    kind: SessionKind
    language: Language
    context: str
    expires_at: datetime
    verification: CaseBrief | None = None


class RedeemInvitation(Request, frozen=True, kw_only=True):
    secret: Annotated[str, msgspec.Meta(max_length=100)] = ""
    code: Annotated[str, msgspec.Meta(pattern=r"^([0-9]{6})?$")] = ""
    name: Name = ""


class CreateSession(Request, frozen=True, kw_only=True):
    kind: SessionKind
    language: Language = Language.ZH
    customer_reference: Reference = ""
    customer_name: Name = ""
    reason: Reason = ""
    context: Context = ""


class UpdateSession(Request, frozen=True, kw_only=True):
    """What the agent learnt meanwhile. What is left out stays as it is; an empty text empties the field."""

    customer_reference: Reference | None = None
    reason: Reason | None = None
    context: Context | None = None


class SessionPage(Answer, frozen=True, kw_only=True):
    sessions: list[SessionView]
    next: str | None


class EndRequest(Request, frozen=True, kw_only=True):
    reason: Reason = ""


class Participants(Answer, frozen=True, kw_only=True):
    participants: list[ParticipantView]


class Consents(Answer, frozen=True, kw_only=True):
    consents: list[ConsentView]


class MediaLayer(Answer, frozen=True, kw_only=True):
    """One incoming stream of a source; ``rid`` names it where there are several. ``lost``: never came, nor again; ``late``: out of
    order; ``recovered``: came as a retransmission; ``nacked``: numbers asked for again; ``loss_permille``: in the last second;
    ``bitrate_kbps``: over the last second; ``temporal_kbps``: of it the lowest temporal layer, then that and the next, and so on;
    ``height``: lines of the picture, 0 while unknown."""

    rid: str
    packets: int
    bytes: int
    lost: int
    late: int
    recovered: int
    nacked: int
    key_frames: int
    loss_permille: int
    bitrate_kbps: int
    temporal_kbps: list[int]
    height: int
    jitter_ms: int


class MediaSource(Answer, frozen=True, kw_only=True):
    """What somebody sends. ``open``: whether it may pass; ``forwarded``: packets passed on, one for each receiver; ``plis``: key
    frames asked for. Counters start anew with a new media connection."""

    source: Source
    open: bool
    flowing: bool
    forwarded: int
    plis: int
    layers: list[MediaLayer]


class MediaSlot(Answer, frozen=True, kw_only=True):
    """What somebody was sent in one receiving section. ``participant`` and ``source``: whose it shows now, null when nothing;
    ``resent``: packets sent again; ``nacked``: packets they asked for again; ``left_out``: packets of temporal layers not sent;
    ``loss_permille``, ``rtt_ms`` and ``jitter_ms`` as they last reported it.

    ``rid``: the layer it shows, "" where there is one, null when nothing; ``height``: its lines, 0 while unknown; ``temporal``: the
    highest temporal layer sent, null when none is left out; ``held``: not sent, because the path cannot carry it."""

    mid: str
    participant: ParticipantId | None
    source: Source | None
    packets: int
    bytes: int
    resent: int
    nacked: int
    left_out: int
    loss_permille: int
    rtt_ms: int | None
    jitter_ms: int
    rid: str | None
    height: int
    temporal: int | None
    held: bool


class MediaNetwork(Answer, frozen=True, kw_only=True):
    """The relay's way to one participant. ``estimate_kbps``: what it carries, as far as is known; ``sent_kbps``: what is sent;
    ``wanted_kbps``: what would be if it carried everything asked for; ``limit``: why less is sent, "none", "bandwidth" or "loss";
    ``probe_bytes``: padding sent to find out; ``held``: pictures not sent for now; ``key_requests``: key frames they asked for."""

    estimate_kbps: int
    sent_kbps: int
    wanted_kbps: int
    rtt_ms: int | None
    loss_permille: int
    limit: str
    probe_bytes: int
    held: int
    key_requests: int


class MediaParticipant(Answer, frozen=True, kw_only=True):
    """``sources``: what they send, their way to the relay. ``slots`` and ``network``: the relay's way to them.

    ``steps_ms``: when what happened first, from the offer on: ``checked`` (ICE), ``dtls``, ``connected``, ``slot`` (a picture was given
    one), ``key_asked`` (its publisher was asked for a key frame), ``key`` (it came), ``picture`` (it was sent on).
    """

    participant: ParticipantId
    state: str
    sources: list[MediaSource]
    slots: list[MediaSlot]
    network: MediaNetwork | None
    steps_ms: dict[str, int]


class MediaCounters(Answer, frozen=True, kw_only=True):
    """The relay's counters of a session now: whoever has a media connection, and nobody else."""

    participants: list[MediaParticipant]


class NetworkTest(Request, frozen=True, kw_only=True):
    """An SDP offer with a data channel and nothing else."""

    sdp: Annotated[str, msgspec.Meta(min_length=1, max_length=20_000)]


class NetworkTestStarted(Answer, frozen=True, kw_only=True):
    """A media worker's answer; it ends the connection after ``ends_s`` seconds."""

    sdp: str
    ends_s: int


class CreateInvitation(Request, frozen=True, kw_only=True):
    """Single use unless ``uses_allowed`` says otherwise; expires after ``expires_in_s`` seconds."""

    role: Role
    name: Name = ""
    uses_allowed: Annotated[int, msgspec.Meta(ge=1, le=100)] = 1
    expires_in_s: Annotated[int, msgspec.Meta(ge=60, le=7 * 86400)] = 3600
    with_code: bool = True


class InvitationCreated(Answer, frozen=True, kw_only=True):
    """``link`` and ``code`` are shown this once: only their hashes are kept."""

    id: InvitationId
    role: Role
    name: str
    link: str
    code: str | None
    uses_allowed: int
    expires_at: datetime


class InvitationView(Answer, frozen=True, kw_only=True):
    id: InvitationId
    role: Role
    name: str
    uses_allowed: int
    uses: int
    expires_at: datetime
    revoked: bool


class Invitations(Answer, frozen=True, kw_only=True):
    invitations: list[InvitationView]


class Messages(Answer, frozen=True, kw_only=True):
    messages: list[ChatMessageView]


class CreateKey(Request, frozen=True, kw_only=True):
    """``recordings``: it may also review recordings: play, verify, export and erase them. ``faces``: check faces and keep templates of them.
    ``verifications``: have transactions verified, and redeem what was decided. ``audit``: read the audit trail, which is of everything. ``customers``:
    take out and erase what is kept of a customer."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=80)]
    recordings: bool = False
    faces: bool = False
    verifications: bool = False
    audit: bool = False
    customers: bool = False


class KeyView(Answer, frozen=True, kw_only=True):
    id: ApiKeyId
    name: str
    created_at: datetime
    revoked: bool
    recordings: bool
    faces: bool
    verifications: bool
    audit: bool
    customers: bool


class KeyCreated(Answer, frozen=True, kw_only=True):
    """``secret`` is shown this once. Send it as ``Authorization: Bearer``."""

    key: KeyView
    secret: str


class Keys(Answer, frozen=True, kw_only=True):
    keys: list[KeyView]


class CreateStaff(Request, frozen=True, kw_only=True):
    username: Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9._-]{1,39}$")]
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=80)]
    role: Role
    password: Annotated[str, msgspec.Meta(min_length=12, max_length=200)]


class StaffList(Answer, frozen=True, kw_only=True):
    staff: list[StaffView]


class StaffAvailable(Answer, frozen=True, kw_only=True):
    """Agents and supervisors with a desk connected; those who are free first."""

    staff: list[AvailableStaff]


class AuditEntryView(Answer, frozen=True, kw_only=True):
    number: int
    at: datetime
    action: str
    actor: str
    session: str
    subject: str
    details: dict[str, str]
    hash: str


class AuditPage(Answer, frozen=True, kw_only=True):
    entries: list[AuditEntryView]


class AuditCheckpoint(Answer, frozen=True, kw_only=True):
    """``number`` and ``hash`` (64 hex digits) of the newest entry. ``signed``: a JWS that says so; keep it where nobody can change it."""

    number: int
    hash: str
    at: datetime
    signed: str


class PublicKey(Answer, frozen=True, kw_only=True):
    """A JWK (RFC 7517, RFC 8037)."""

    kty: str
    crv: str
    use: str
    alg: str
    kid: str
    x: str


class KeySet(Answer, frozen=True, kw_only=True):
    """A JWKS (RFC 7517)."""

    keys: list[PublicKey]
