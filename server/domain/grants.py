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
    SUPERVISE = "supervise"  # listen, whisper, join in
    SESSION_READ = "session.read"  # customer reference, reason, context, history
    SESSION_END = "session.end"
    INVITE = "invite"
    # desk and service grants
    SESSION_CREATE = "session.create"
    SESSION_LIST = "session.list"
    WAITING_TAKE = "waiting.take"
    KEYS_MANAGE = "keys.manage"
    STAFF_MANAGE = "staff.manage"
    AUDIT_READ = "audit.read"


_TALK = frozenset(
    {
        Grant.PUBLISH_MICROPHONE,
        Grant.PUBLISH_CAMERA,
        Grant.PUBLISH_SCREEN,
        Grant.SUBSCRIBE,
        Grant.CHAT,
    }
)
_LEAD = _TALK | {
    Grant.ASK,
    Grant.PARTICIPANT_REMOVE,
    Grant.PARTICIPANT_HOLD,
    Grant.PARTICIPANT_MUTE,
    Grant.SESSION_READ,
    Grant.SESSION_END,
    Grant.INVITE,
}

_IN_SESSION: dict[Role, frozenset[Grant]] = {
    Role.CUSTOMER: _TALK | {Grant.SESSION_END},
    Role.AGENT: _LEAD,
    Role.EXPERT: _TALK | {Grant.SESSION_READ},
    Role.SUPERVISOR: _LEAD | {Grant.SUPERVISE},
    Role.SERVICE: frozenset(),
}

_AT_DESK: dict[Role, frozenset[Grant]] = {
    Role.CUSTOMER: frozenset(),
    Role.AGENT: frozenset({Grant.SESSION_CREATE, Grant.SESSION_LIST, Grant.WAITING_TAKE}),
    Role.EXPERT: frozenset(),
    Role.SUPERVISOR: frozenset(
        {
            Grant.SESSION_CREATE,
            Grant.SESSION_LIST,
            Grant.WAITING_TAKE,
            Grant.KEYS_MANAGE,
            Grant.STAFF_MANAGE,
            Grant.AUDIT_READ,
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
            Grant.AUDIT_READ,
        }
    ),
}


def session_grants(role: Role, kind: SessionKind) -> frozenset[Grant]:
    """What ``role`` may do inside a session of ``kind``. Every kind carries voice, video and chat."""
    del kind  # presets that differ arrive with co-browse and verification
    return _IN_SESSION[role]


def desk_grants(role: Role) -> frozenset[Grant]:
    """What ``role`` may do outside a session: at the desk (staff) or through the API (service)."""
    return _AT_DESK[role]
