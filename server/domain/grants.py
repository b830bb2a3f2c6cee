"""Grants: what may be done in a session. A role resolves to grants when a token is made; code asks for grants only."""

from enum import StrEnum

from server.domain.model import Role, SessionKind


class Grant(StrEnum):
    """``publish.*`` still needs the person's own consent of that scope before anything is forwarded."""

    PUBLISH_MICROPHONE = "publish.microphone"
    PUBLISH_CAMERA = "publish.camera"
    PUBLISH_SCREEN = "publish.screen"
    SUBSCRIBE = "subscribe"
    CHAT = "chat"
    ASK = "ask"
    PARTICIPANT_REMOVE = "participant.remove"
    PARTICIPANT_HOLD = "participant.hold"
    PARTICIPANT_MUTE = "participant.mute"
    PARTICIPANT_ADMIT = "participant.admit"  # from the waiting room
    PARTICIPANT_ROLE = "participant.role"
    SESSION_LOCK = "session.lock"  # and the waiting room
    HANDOVER = "handover"  # give the customer to a colleague, and be given one
    RECORDING_CONTROL = "recording.control"  # begin, pause and end a recording, tick its checklist
    SUPERVISE = "supervise"  # listen, whisper, join in
    SESSION_READ = "session.read"  # customer reference, reason, context, history
    SESSION_END = "session.end"
    COBROWSE_VIEW = "cobrowse.view"  # ask a customer to look at the page that they show, and for more
    PDF_SHOW = "pdf.show"  # bring a PDF, open it before everybody, ask the customer to sign
    PDF_MARK = "pdf.mark"  # turn the pages of one that is open, and mark them
    PDF_SIGN = "pdf.sign"
    INVITE = "invite"
    # desk and service grants
    SESSION_CREATE = "session.create"
    SESSION_LIST = "session.list"
    COBROWSE_BEGIN = "cobrowse.begin"  # see who is on the bank's pages, offer help, begin a session by a page's code
    WAITING_TAKE = "waiting.take"
    KEYS_MANAGE = "keys.manage"
    STAFF_MANAGE = "staff.manage"
    AUDIT_READ = "audit.read"
    RECORDING_REVIEW = "recording.review"  # play, verify, export and erase what was recorded
    RISK_MANAGE = "risk.manage"  # lists, rules and the files of policies
    FACE_CHECK = (
        "face.check"  # compare two pictures, their quality, passive liveness; in a session only with the consent `face`
    )
    DOCUMENT_READ = "document.read"  # have an identity document read; in a session only with the consent `document`
    FACE_TEMPLATES = "face.templates"  # enrol, replace and erase templates, and compare with one
    VERIFICATION_RUN = "verification.run"  # have a customer of the session shown to the camera; a customer: themselves
    VERIFICATION_CREATE = "verification.create"  # have transactions verified, and redeem what was decided
    VERIFICATION_REVIEW = "verification.review"  # decide what was referred to a person
    CUSTOMER_DATA = "customer.data"  # take out and erase what is kept of a customer
    VERIFICATION_UNLOCK = "verification.unlock"  # let a customer try again whom failures have locked


_TALK = frozenset(
    {
        Grant.PUBLISH_MICROPHONE,
        Grant.PUBLISH_CAMERA,
        Grant.PUBLISH_SCREEN,
        Grant.SUBSCRIBE,
        Grant.CHAT,
        Grant.PDF_MARK,
    }
)
_LEAD = _TALK | {
    Grant.ASK,
    Grant.PARTICIPANT_REMOVE,
    Grant.PARTICIPANT_HOLD,
    Grant.PARTICIPANT_MUTE,
    Grant.PARTICIPANT_ADMIT,
    Grant.PARTICIPANT_ROLE,
    Grant.SESSION_LOCK,
    Grant.HANDOVER,
    Grant.RECORDING_CONTROL,
    Grant.SESSION_READ,
    Grant.SESSION_END,
    Grant.INVITE,
    Grant.FACE_CHECK,
    Grant.DOCUMENT_READ,
    Grant.VERIFICATION_RUN,
    Grant.COBROWSE_VIEW,
    Grant.PDF_SHOW,
}

_IN_SESSION: dict[Role, frozenset[Grant]] = {
    Role.CUSTOMER: _TALK | {Grant.SESSION_END, Grant.FACE_CHECK, Grant.DOCUMENT_READ, Grant.VERIFICATION_RUN, Grant.PDF_SIGN},
    Role.AGENT: _LEAD,
    Role.EXPERT: _TALK | {Grant.SESSION_READ, Grant.COBROWSE_VIEW, Grant.PDF_SHOW},
    Role.SUPERVISOR: _LEAD | {Grant.SUPERVISE},
    Role.SERVICE: frozenset(),
}

_AT_DESK: dict[Role, frozenset[Grant]] = {
    Role.CUSTOMER: frozenset(),
    Role.AGENT: frozenset(
        {
            Grant.SESSION_CREATE,
            Grant.SESSION_LIST,
            Grant.WAITING_TAKE,
            Grant.HANDOVER,
            Grant.VERIFICATION_REVIEW,
            Grant.COBROWSE_BEGIN,
        }
    ),
    Role.EXPERT: frozenset(),
    Role.SUPERVISOR: frozenset(
        {
            Grant.SESSION_CREATE,
            Grant.SESSION_LIST,
            Grant.WAITING_TAKE,
            Grant.HANDOVER,
            Grant.KEYS_MANAGE,
            Grant.STAFF_MANAGE,
            Grant.AUDIT_READ,
            Grant.RECORDING_REVIEW,
            Grant.RISK_MANAGE,
            Grant.VERIFICATION_REVIEW,
            Grant.VERIFICATION_UNLOCK,
            Grant.CUSTOMER_DATA,
            Grant.COBROWSE_BEGIN,
        }
    ),
    Role.SERVICE: frozenset(
        {
            Grant.SESSION_CREATE,
            Grant.SESSION_LIST,
            Grant.SESSION_READ,
            Grant.SESSION_END,
            Grant.INVITE,
            Grant.PARTICIPANT_REMOVE,
        }
    ),
}

KEY_RIGHTS: dict[str, frozenset[Grant]] = {
    "recordings": frozenset({Grant.RECORDING_REVIEW}),
    "faces": frozenset({Grant.FACE_CHECK, Grant.FACE_TEMPLATES, Grant.DOCUMENT_READ}),
    "verifications": frozenset({Grant.VERIFICATION_CREATE}),
    "audit": frozenset({Grant.AUDIT_READ}),
    "customers": frozenset({Grant.CUSTOMER_DATA}),
}
"""What an API key may beyond its role, where it was made with that right: fields of ``model.ApiKey``."""


def session_grants(role: Role, kind: SessionKind) -> frozenset[Grant]:
    """What ``role`` may do inside a session of ``kind``. Every kind carries voice, video and chat."""
    del kind
    return _IN_SESSION[role]


def desk_grants(role: Role) -> frozenset[Grant]:
    """What ``role`` may do outside a session: at the desk (staff) or through the API (service)."""
    return _AT_DESK[role]
