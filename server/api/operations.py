"""The one table of operations: what is routed, who may, what goes in and out. The OpenAPI document is made from it.

``bodies.py`` has the same table for people; a test keeps the two and the handlers together.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Literal

import msgspec

from server.api import bodies, examples
from server.domain.grants import Grant
from server.domain.model import SessionStatus
from server.domain.views import FileView, SessionView

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


class Access(StrEnum):
    """Who may call, where no single grant says it."""

    PUBLIC = "public"
    DESK = "desk"  # staff with a desk token
    PLACE = "place"  # whoever has a place in the session, or session.read in it


@dataclass(frozen=True, slots=True)
class Operation:
    """``needs``: a grant, held in the path's session where there is one. ``idempotent``: takes an ``Idempotency-Key``."""

    id: str
    method: Literal["GET", "POST", "PATCH", "DELETE"]
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

    @property
    def tag(self) -> str:
        parts = self.path.strip("/").split("/")
        return parts[2] if len(parts) > 2 else parts[0]

    @property
    def in_session(self) -> bool:
        return "{session}" in self.path


SESSION = "/sessions/{session}"

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
        "revoke_invitation", "DELETE", f"{SESSION}/invitations/{{invitation}}", Grant.INVITE, "Withdraw an invitation",
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
    Operation("list_keys", "GET", "/keys", Grant.KEYS_MANAGE, "API keys", bodies.Keys),
    Operation(
        "create_key", "POST", "/keys", Grant.KEYS_MANAGE, "Make an API key",
        bodies.KeyCreated, bodies.CreateKey, status=201, idempotent=True,
    ),
    Operation("revoke_key", "DELETE", "/keys/{key}", Grant.KEYS_MANAGE, "Withdraw an API key", status=204),
    Operation("list_staff", "GET", "/staff", Grant.STAFF_MANAGE, "Staff accounts", bodies.StaffList),
    Operation(
        "create_staff", "POST", "/staff", Grant.STAFF_MANAGE, "Make a staff account",
        bodies.StaffView, bodies.CreateStaff, status=201, idempotent=True,
    ),
    Operation("disable_staff", "DELETE", "/staff/{staff}", Grant.STAFF_MANAGE, "Disable a staff account", status=204),
    Operation(
        "list_audit", "GET", "/audit", Grant.AUDIT_READ, "The audit trail from a number on",
        bodies.AuditPage, query=AuditQuery,
    ),
)  # fmt: skip

PATH_PARAMETERS = {
    "session": "SE",
    "participant": "PA",
    "invitation": "IN",
    "file": "FI",
    "key": "AK",
    "staff": "ST",
}
