"""The one table of operations: what is routed, who may, what goes in and out. The OpenAPI document is made from it.

``bodies.py`` has the same table for people; a test keeps the two and the handlers together.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Literal

import msgspec

from server.api import (
    bodies,
    bodies_cobrowse,
    bodies_customers,
    bodies_documents,
    bodies_faces,
    bodies_pdfs,
    bodies_recordings,
    bodies_risk,
    bodies_verifications,
    bodies_webhooks,
    examples,
    examples_faces,
    examples_verifications,
)
from server.domain.grants import Grant
from server.domain.model import ConsentScope, SessionStatus
from server.domain.views import FileView, SessionView
from server.webhooks.records import DeliveryState

BASE = "/api/v1"
MAX_PAGE = 100

Limit = Annotated[int, msgspec.Meta(ge=1, le=MAX_PAGE)]
Number = Annotated[int, msgspec.Meta(ge=0, le=2**53)]


class SessionsQuery(bodies.Request, frozen=True, kw_only=True):
    status: SessionStatus | None = None
    customer_reference: Annotated[str, msgspec.Meta(max_length=120)] | None = None
    limit: Limit = 50
    cursor: Annotated[str, msgspec.Meta(max_length=200)] | None = None


class MessagesQuery(bodies.Request, frozen=True, kw_only=True):
    after: Number = 0
    limit: Limit = 100


class AuditQuery(bodies.Request, frozen=True, kw_only=True):
    after: Number = 0
    limit: Limit = 100


class RecordingsQuery(bodies.Request, frozen=True, kw_only=True):
    session: Annotated[str, msgspec.Meta(max_length=40)] | None = None
    limit: Limit = 50
    cursor: Annotated[str, msgspec.Meta(max_length=200)] | None = None


class DeliveriesQuery(bodies.Request, frozen=True, kw_only=True):
    state: DeliveryState | None = None
    limit: Limit = 50
    cursor: Annotated[str, msgspec.Meta(max_length=200)] | None = None


class RiskEntriesQuery(bodies.Request, frozen=True, kw_only=True):
    limit: Limit = 50
    cursor: Annotated[str, msgspec.Meta(max_length=200)] | None = None


class ReviewsQuery(bodies.Request, frozen=True, kw_only=True):
    """``yours``: those that the caller may decide, or those that they may not. ``due_in_s``: those whose time for a review is over by then."""

    type: bodies_verifications.TypeName | None = None
    yours: bool | None = None
    due_in_s: Annotated[int, msgspec.Meta(ge=1, le=30 * 86_400)] | None = None
    limit: Limit = 50
    cursor: Annotated[str, msgspec.Meta(max_length=200)] | None = None


class RecordingMediaQuery(bodies.Request, frozen=True, kw_only=True):
    from_ms: Annotated[int, msgspec.Meta(ge=0, le=2**31)] = 0


class PdfQuery(bodies.Request, frozen=True, kw_only=True):
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


class Access(StrEnum):
    """Who may call, where no single grant says it."""

    PUBLIC = "public"
    DESK = "desk"  # staff with a desk token
    PLACE = "place"  # whoever has a place in the session, or session.read in it


@dataclass(frozen=True, slots=True)
class Operation:
    """``needs``: a grant, held in the path's session where there is one. ``idempotent``: takes an ``Idempotency-Key``."""

    id: str
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
    path: str
    needs: Grant | Access
    summary: str
    answer: Any = None  # the body's type; None: no body; bytes: a file
    body: Any = None  # None: none; bytes: raw
    query: type[bodies.Request] | None = None
    status: int = 200
    idempotent: bool = False
    throttled: bool = False
    example: msgspec.Struct | None = None  # a whole answer
    takes_s: float | None = None  # longer than other requests may; 0: as long as somebody reads
    media: tuple[str, ...] = ()  # what the bytes of the answer may be; else a file of a chat
    sends: msgspec.Struct | None = None  # a whole request that runs as it stands
    pictures: bool = False  # the body brings pictures, as a form or as JSON, and a place is held for it
    consents: tuple[ConsentScope, ...] = (ConsentScope.FACE,)  # of customers, to what is done with pictures in a session

    @property
    def tag(self) -> str:
        parts = self.path.strip("/").split("/")
        return parts[2] if len(parts) > 2 else parts[0]

    @property
    def in_session(self) -> bool:
        return "{session}" in self.path


SESSION = "/sessions/{session}"
RECORDING = "/recordings/{recording}"
VERIFICATION = "/verifications/{verification}"

OPERATIONS: tuple[Operation, ...] = (
    Operation("get_site", "GET", "/site", Access.PUBLIC, "What the pages need before anybody has signed in", bodies.Site),
    Operation(
        "login", "POST", "/login", Access.PUBLIC, "Sign in with a user name and a password",
        bodies.Login, bodies.LoginRequest, throttled=True,
    ),
    Operation("renew_login", "POST", "/login/renew", Access.DESK, "A fresh desk token before the old one ends", bodies.Login),
    Operation(
        "logout", "DELETE", "/login", Access.DESK, "Sign out: this login's tokens end, and so do its desk connections", status=204
    ),
    Operation("get_me", "GET", "/me", Access.DESK, "Who is signed in", bodies.StaffView),
    Operation(
        "join_waiting", "POST", "/waiting", Access.PUBLIC, "Wait for an agent without an appointment",
        bodies.Entry, bodies.JoinWaiting, idempotent=True, throttled=True,
    ),
    Operation("get_waiting", "GET", "/waiting", Grant.WAITING_TAKE, "The waiting list, oldest first", bodies.WaitingEntries),
    Operation(
        "inspect_invitation", "POST", "/invitations/inspect", Access.PUBLIC, "Look at an invitation without using it up",
        bodies.InvitationPreview, bodies.InvitationSecret, throttled=True,
    ),
    Operation(
        "redeem_invitation", "POST", "/invitations/redeem", Access.PUBLIC, "Come in by a link or a code",
        bodies.Entry, bodies.RedeemInvitation, idempotent=True, throttled=True,
    ),
    Operation(
        "create_session", "POST", "/sessions", Grant.SESSION_CREATE, "Create a session",
        SessionView, bodies.CreateSession, status=201, idempotent=True,
    ),
    Operation(
        "list_sessions", "GET", "/sessions", Grant.SESSION_LIST, "Sessions, newest first",
        bodies.SessionPage, query=SessionsQuery,
    ),
    Operation("get_session", "GET", SESSION, Grant.SESSION_READ, "One session", SessionView),
    Operation(
        "update_session", "PATCH", SESSION, Grant.INVITE, "Change reference, reason and summary; those in it are told",
        SessionView, bodies.UpdateSession,
    ),
    Operation(
        "end_session", "POST", f"{SESSION}/end", Grant.SESSION_END, "End a session for everybody in it",
        SessionView, bodies.EndRequest,
    ),
    Operation(
        "enter_session", "POST", f"{SESSION}/enter", Access.DESK,
        "A staff member's own place; entering a waiting session takes it", bodies.Entry,
    ),
    Operation(
        "list_participants", "GET", f"{SESSION}/participants", Grant.SESSION_READ, "Everybody who ever was in the session",
        bodies.Participants,
    ),
    Operation(
        "remove_participant", "DELETE", f"{SESSION}/participants/{{participant}}", Grant.PARTICIPANT_REMOVE,
        "Remove somebody from a session", status=204,
    ),
    Operation(
        "list_consents", "GET", f"{SESSION}/consents", Grant.SESSION_READ, "The newest decision of each person and scope",
        bodies.Consents,
    ),
    Operation(
        "get_media", "GET", f"{SESSION}/media", Grant.SESSION_READ, "The relay's counters: what came in, what was passed on",
        bodies.MediaCounters, example=examples.MEDIA,
    ),
    Operation(
        "start_network_test", "POST", f"{SESSION}/network-tests", Access.PLACE,
        "Try a way to the media workers: an offer of a data channel, answered by one of them, for some seconds",
        bodies.NetworkTestStarted, bodies.NetworkTest, status=201, idempotent=True, throttled=True,
    ),
    Operation(
        "create_invitation", "POST", f"{SESSION}/invitations", Grant.INVITE, "Invite somebody by a link and a code",
        bodies.InvitationCreated, bodies.CreateInvitation, status=201, idempotent=True,
    ),
    Operation(
        "list_invitations", "GET", f"{SESSION}/invitations", Grant.INVITE, "The session's invitations", bodies.Invitations
    ),
    Operation(
        "revoke_invitation", "DELETE", f"{SESSION}/invitations/{{invitation}}", Grant.INVITE, "Withdraw an invitation; who came in by it leaves",
        status=204,
    ),
    Operation(
        "list_messages", "GET", f"{SESSION}/messages", Access.PLACE, "The chat, oldest first",
        bodies.Messages, query=MessagesQuery,
    ),
    Operation(
        "send_file", "POST", f"{SESSION}/files", Grant.CHAT, "Put a file in; then name it in a chat message",
        FileView, bytes, status=201, idempotent=True,
    ),
    Operation("get_file", "GET", f"{SESSION}/files/{{file}}", Access.PLACE, "The bytes of a file", bytes),
    Operation(
        "send_pdf", "POST", f"{SESSION}/pdfs", Grant.PDF_SHOW, "Bring a PDF; nobody sees it until it is opened (signalling: `pdf.open`)",
        bodies_pdfs.PdfView, bytes, status=201, idempotent=True, query=PdfQuery, takes_s=120.0,
    ),
    Operation("list_pdfs", "GET", f"{SESSION}/pdfs", Grant.SESSION_READ, "The session's PDFs, oldest first", bodies_pdfs.Pdfs),
    Operation(
        "get_pdf_file", "GET", f"{SESSION}/pdfs/{{pdf}}/file", Access.PLACE, "A PDF as it was brought; a customer's once it was opened",
        bytes, media=("application/pdf",),
    ),
    Operation(
        "get_signed_pdf", "GET", f"{SESSION}/pdfs/{{pdf}}/signed", Access.PLACE, "A PDF with the newest signature in it",
        bytes, media=("application/pdf",),
    ),
    Operation("list_keys", "GET", "/keys", Grant.KEYS_MANAGE, "API keys", bodies.Keys),
    Operation(
        "create_key", "POST", "/keys", Grant.KEYS_MANAGE, "Make an API key",
        bodies.KeyCreated, bodies.CreateKey, status=201, idempotent=True,
    ),
    Operation("revoke_key", "DELETE", "/keys/{key}", Grant.KEYS_MANAGE, "Withdraw an API key", status=204),
    Operation("list_staff", "GET", "/staff", Grant.STAFF_MANAGE, "Staff accounts", bodies.StaffList),
    Operation(
        "list_available", "GET", "/staff/available", Grant.HANDOVER, "Who is at a desk and can be given a customer",
        bodies.StaffAvailable,
    ),
    Operation(
        "create_staff", "POST", "/staff", Grant.STAFF_MANAGE, "Make a staff account",
        bodies.StaffView, bodies.CreateStaff, status=201, idempotent=True,
    ),
    Operation("disable_staff", "DELETE", "/staff/{staff}", Grant.STAFF_MANAGE, "Disable a staff account", status=204),
    Operation(
        "list_audit", "GET", "/audit", Grant.AUDIT_READ, "The audit trail from a number on",
        bodies.AuditPage, query=AuditQuery,
    ),
    Operation(
        "get_audit_checkpoint", "GET", "/audit/checkpoint", Grant.AUDIT_READ,
        "The head of the audit trail, signed, after a look that all since the last one holds", bodies.AuditCheckpoint, takes_s=60.0,
    ),
    Operation("get_audit_keys", "GET", "/audit/keys", Access.PUBLIC, "Which keys sign checkpoints of the audit trail", bodies.KeySet),
    Operation(
        "create_webhook", "POST", "/webhooks", Grant.KEYS_MANAGE, "Have one of the bank's systems told what happens",
        bodies_webhooks.WebhookView, bodies_webhooks.CreateWebhook, status=201, idempotent=True,
    ),
    Operation("list_webhooks", "GET", "/webhooks", Grant.KEYS_MANAGE, "Who is told", bodies_webhooks.WebhookList),
    Operation("end_webhook", "DELETE", "/webhooks/{webhook}", Grant.KEYS_MANAGE, "Tell them nothing more", status=204),
    Operation(
        "list_deliveries", "GET", "/webhooks/deliveries", Grant.KEYS_MANAGE, "What was told, newest first; `dead` was given up",
        bodies_webhooks.DeliveriesPage, query=DeliveriesQuery,
    ),
    Operation(
        "replay_delivery", "POST", "/webhooks/deliveries/{delivery}/replay", Grant.KEYS_MANAGE, "Tell it once more",
        bodies_webhooks.DeliveryView,
    ),
    Operation("get_webhook_keys", "GET", "/webhooks/keys", Access.PUBLIC, "Which keys sign webhooks", bodies.KeySet),
    Operation(
        "list_recordings", "GET", "/recordings", Grant.RECORDING_REVIEW, "Recordings, newest first",
        bodies_recordings.RecordingsPage, query=RecordingsQuery,
    ),
    Operation(
        "get_recording", "GET", RECORDING, Grant.RECORDING_REVIEW,
        "What happened in a recording, and its tracks; each call is in the audit", bodies_recordings.RecordingDetail, takes_s=120.0,
    ),
    Operation(
        "get_recording_media", "GET", f"{RECORDING}/tracks/{{track}}/media", Grant.RECORDING_REVIEW,
        "One track for a player, from `from_ms` on (a key frame before it), decrypted while it is read",
        bytes, query=RecordingMediaQuery, takes_s=0.0, media=("audio/webm", "video/webm", "video/mp4"),
    ),
    Operation(
        "verify_recording", "POST", f"{RECORDING}/verify", Grant.RECORDING_REVIEW, "Check every segment of every file",
        bodies_recordings.RecordingVerified, takes_s=600.0,
    ),
    Operation(
        "erase_recording", "DELETE", RECORDING, Grant.RECORDING_REVIEW, "Erase a recording for good: its key first, then the files",
        body=bodies_recordings.EraseRecording, status=204,
    ),
    Operation(
        "start_export", "POST", f"{RECORDING}/exports", Grant.RECORDING_REVIEW,
        "Make one film of everybody, with a manifest of hashes: it takes a while, ask for the export at `Location`",
        bodies_recordings.RecordingExport, bodies_recordings.StartExport, status=202,
    ),
    Operation(
        "get_export", "GET", f"{RECORDING}/exports/{{export}}", Grant.RECORDING_REVIEW, "How far an export is",
        bodies_recordings.RecordingExport,
    ),
    Operation(
        "cancel_export", "DELETE", f"{RECORDING}/exports/{{export}}", Grant.RECORDING_REVIEW,
        "Stop an export, or remove its file", status=204,
    ),
    Operation(
        "get_export_file", "GET", f"{RECORDING}/exports/{{export}}/file", Grant.RECORDING_REVIEW,
        "The exported film, until it expires", bytes, takes_s=0.0, media=("video/webm", "video/mp4"),
    ),
    Operation(
        "compare_faces", "POST", "/face/compare", Grant.FACE_CHECK, "Whether two pictures, or a template and a picture, show one person",
        bodies_faces.FaceComparison, bodies_faces.CompareFaces, pictures=True, sends=examples_faces.COMPARE,
    ),
    Operation(
        "compare_batch", "POST", "/face/compare/batch", Grant.FACE_CHECK, "Several pairs, one to one each, in one request",
        bodies_faces.ComparedBatch, bodies_faces.CompareBatch, pictures=True, takes_s=120.0, sends=examples_faces.BATCH,
    ),
    Operation(
        "examine_face", "POST", "/face/quality", Grant.FACE_CHECK, "What is good and bad about a picture of a face",
        bodies_faces.FaceExamined, bodies_faces.ExamineFace, pictures=True, sends=examples_faces.EXAMINE,
    ),
    Operation(
        "check_liveness", "POST", "/face/liveness", Grant.FACE_CHECK, "Passive presentation attack detection in pictures or in a short clip",
        bodies_faces.LivenessChecked, bodies_faces.CheckLiveness, pictures=True, takes_s=60.0, sends=examples_faces.LIVENESS,
    ),
    Operation(
        "enrol_template", "POST", "/face/templates", Grant.FACE_TEMPLATES, "Keep a face to compare with, sealed, under your pseudonym",
        bodies_faces.TemplateEnrolled, bodies_faces.EnrolTemplate, status=201, idempotent=True, pictures=True,
        sends=examples_faces.ENROL,
    ),
    Operation(
        "get_template", "GET", "/face/templates/{template}", Grant.FACE_TEMPLATES, "What is known of a template",
        bodies_faces.TemplateView,
    ),
    Operation(
        "replace_template", "PUT", "/face/templates/{template}", Grant.FACE_TEMPLATES, "Another picture of the same person, or the models of another pack",
        bodies_faces.TemplateEnrolled, bodies_faces.ReplaceTemplate, pictures=True, sends=examples_faces.REPLACE,
    ),
    Operation(
        "erase_template", "DELETE", "/face/templates/{template}", Grant.FACE_TEMPLATES, "Erase a template for good", status=204,
    ),
    Operation(
        "erase_template_picture", "DELETE", "/face/templates/{template}/picture", Grant.FACE_TEMPLATES,
        "Erase the picture of an enrolment for good; the template stays", status=204,
    ),
    Operation(
        "read_document", "POST", "/documents/read", Grant.DOCUMENT_READ, "What stands on an identity document, and whether it may be relied on",
        bodies_documents.DocumentRead, bodies_documents.ReadDocument, pictures=True, takes_s=60.0, sends=examples_faces.READ_DOCUMENT,
        consents=(ConsentScope.DOCUMENT,),
    ),
    Operation(
        "compare_document", "POST", "/documents/compare", Grant.FACE_CHECK, "Whether the portrait on an identity document and a picture show one person",
        bodies_documents.DocumentCompared, bodies_documents.CompareDocument, pictures=True, takes_s=60.0,
        sends=examples_faces.COMPARE_DOCUMENT, consents=(ConsentScope.DOCUMENT, ConsentScope.FACE),
    ),
    Operation(
        "create_verification", "POST", "/verifications", Grant.VERIFICATION_CREATE, "Have a transaction verified by its customer",
        bodies_verifications.VerificationView, bodies_verifications.CreateVerification, status=201, idempotent=True,
        sends=examples_verifications.CREATE, example=examples_verifications.CREATED,
    ),
    Operation(
        "get_decision_keys", "GET", "/verifications/keys", Access.PUBLIC, "Which keys sign decisions (JWKS)", bodies.KeySet,
    ),
    Operation(
        "get_verification", "GET", VERIFICATION, Grant.VERIFICATION_CREATE, "Where a verification stands; the signed decision, once there is one",
        bodies_verifications.VerificationView, example=examples_verifications.ACCEPTED,
    ),
    Operation(
        "cancel_verification", "POST", f"{VERIFICATION}/cancel", Grant.VERIFICATION_CREATE, "Take it back, as long as nothing is decided",
        bodies_verifications.VerificationView,
    ),
    Operation(
        "set_portrait", "PUT", f"{VERIFICATION}/portrait", Grant.VERIFICATION_CREATE,
        "A portrait to compare the customer with, where no template is named", bodies_verifications.VerificationView,
        bodies_verifications.SetPortrait, pictures=True, sends=examples_verifications.PORTRAIT,
    ),
    Operation(
        "upload_attempt", "POST", f"{VERIFICATION}/attempts", Grant.VERIFICATION_CREATE,
        "An attempt with uploaded pictures or a clip, where the policy allows that: lower assurances than the live stream",
        bodies_verifications.AttemptDone, bodies_verifications.UploadAttempt, status=201, idempotent=True, pictures=True, takes_s=60.0,
        sends=examples_verifications.UPLOAD,
    ),
    Operation(
        "redeem_decision", "POST", f"{VERIFICATION}/redeem", Grant.VERIFICATION_CREATE,
        "Use a decision, once: whoever gets 200 executes the transaction, nobody else does. An Idempotency-Key changes nothing: a repeat is refused",
        bodies_verifications.Redeemed, bodies_verifications.RedeemDecision, sends=examples_verifications.REDEEM,
    ),
    Operation(
        "identify_customer", "POST", f"{VERIFICATION}/identification", Grant.VERIFICATION_RUN,
        "Vouch for the customer of your session without a face check: others review it", bodies_verifications.VerificationView,
        bodies_verifications.IdentifyCustomer, sends=examples_verifications.IDENTIFY,
    ),
    Operation(
        "review_verification", "POST", f"{VERIFICATION}/review", Grant.VERIFICATION_REVIEW, "Approve or decline what was referred to a person",
        bodies_verifications.VerificationView, bodies_verifications.ReviewVerification, sends=examples_verifications.REVIEW,
    ),
    Operation(
        "list_reviews", "GET", "/reviews", Grant.VERIFICATION_REVIEW, "What waits for a review, the one that is due first first",
        bodies_verifications.ReviewQueue, query=ReviewsQuery,
    ),
    Operation(
        "get_review", "GET", "/reviews/{verification}", Grant.VERIFICATION_REVIEW,
        "Everything that a reviewer decides by; each look is in the audit", bodies_verifications.ReviewDetail,
    ),
    Operation(
        "get_review_picture", "GET", "/reviews/{verification}/attempts/{attempt}/pictures/{name}", Grant.VERIFICATION_REVIEW,
        "One picture of an attempt, or of the enrolment that it was compared with, for whoever may review the case; each look is in the audit", bytes, media=("image/jpeg",),
    ),
    Operation(
        "get_review_reference", "GET", "/reviews/{verification}/reference", Grant.VERIFICATION_REVIEW,
        "The portrait that the bank sent with the case; each look is in the audit", bytes, media=("image/jpeg",),
    ),
    Operation(
        "unlock_customer", "POST", "/verifications/unlock", Grant.VERIFICATION_UNLOCK, "A customer whom failures have locked may try again",
        body=bodies_verifications.UnlockCustomer, status=204, sends=examples_verifications.UNLOCK,
    ),
    Operation(
        "export_customer", "POST", "/customers/export", Grant.CUSTOMER_DATA, "All that is kept of a customer, for them: data and pictures",
        bytes, bodies_customers.ExportCustomer, media=("application/zip",), takes_s=0.0,
    ),
    Operation(
        "erase_customer", "POST", "/customers/erase", Grant.CUSTOMER_DATA,
        "Erase for good what is kept of a customer, with a signed receipt", bodies_customers.CustomerErased,
        bodies_customers.EraseCustomer, takes_s=120.0,
    ),
    Operation(
        "begin_page", "POST", "/cobrowse/sessions", Grant.COBROWSE_BEGIN, "A session for a page, by the code that its customer reads from it",
        SessionView, bodies_cobrowse.BeginPage, status=201, idempotent=True, throttled=True,
    ),
    Operation(
        "list_visitors", "GET", "/cobrowse/visitors", Grant.COBROWSE_BEGIN,
        "Customers on sites that tell who is on them: where they are, and what became of an offer", bodies_cobrowse.SeenVisitors,
    ),
    Operation(
        "offer_help", "POST", "/cobrowse/visitors/{visitor}/offer", Grant.COBROWSE_BEGIN, "Offer one of them help, on their page", status=204
    ),
    Operation(
        "withdraw_offer", "DELETE", "/cobrowse/visitors/{visitor}/offer", Grant.COBROWSE_BEGIN, "Take back an offer that waits", status=204
    ),
    Operation(
        "list_risk_entries", "GET", "/risk/lists", Grant.RISK_MANAGE, "The block, watch and allow lists, newest entry first",
        bodies_risk.RiskEntries, query=RiskEntriesQuery,
    ),
    Operation(
        "add_risk_entry", "POST", "/risk/lists", Grant.RISK_MANAGE, "Put an identifier on a list; only its keyed hash is kept",
        bodies_risk.RiskEntryView, bodies_risk.AddRiskEntry, status=201, idempotent=True,
    ),
    Operation(
        "find_risk_entries", "POST", "/risk/lists/find", Grant.RISK_MANAGE, "On which lists an identifier is",
        bodies_risk.RiskEntries, bodies_risk.FindRiskEntries,
    ),
    Operation("remove_risk_entry", "DELETE", "/risk/lists/{entry}", Grant.RISK_MANAGE, "Take an entry off its list", status=204),
    Operation(
        "list_risk_rules", "GET", "/risk/rules", Grant.RISK_MANAGE, "The rules in force, and the hashes of policies and model",
        bodies_risk.RiskRulesList,
    ),
    Operation(
        "put_risk_rules", "PUT", "/risk/rules/{rules}", Grant.RISK_MANAGE, "Rules in place of the file of their name",
        bodies_risk.RiskRulesView, bodies_risk.PutRiskRules,
    ),
    Operation("drop_risk_rules", "DELETE", "/risk/rules/{rules}", Grant.RISK_MANAGE, "Back to the file of this name", status=204),
    Operation(
        "check_risk", "POST", "/risk/check", Grant.RISK_MANAGE, "What would come of such a transaction; nothing is kept",
        bodies_risk.RiskView, bodies_risk.CheckRisk,
    ),
    Operation(
        "reload_policies", "POST", "/risk/reload", Grant.RISK_MANAGE,
        "Read the files of policies, rules and model again: all or nothing", bodies_risk.RiskRulesList,
    ),
)  # fmt: skip

PATH_PARAMETERS = {
    "session": "SE",
    "participant": "PA",
    "invitation": "IN",
    "file": "FI",
    "key": "AK",
    "staff": "ST",
    "recording": "RE",
    "export": "EX",
    "template": "FT",
    "entry": "RL",
    "verification": "VE",
    "attempt": "AT",
    "visitor": "VI",
    "pdf": "PD",
}
