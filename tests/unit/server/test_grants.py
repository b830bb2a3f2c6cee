"""Roles resolve to grants: who may do what, written out, so that a change of it is seen."""

import pytest

from server.domain.grants import Grant, desk_grants, session_grants
from server.domain.model import Role, SessionKind

TALK = {Grant.PUBLISH_MICROPHONE, Grant.PUBLISH_CAMERA, Grant.PUBLISH_SCREEN, Grant.SUBSCRIBE, Grant.CHAT, Grant.PDF_MARK}
LEAD = TALK | {
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
OUTSIDE = {
    Grant.SESSION_CREATE,
    Grant.SESSION_LIST,
    Grant.WAITING_TAKE,
    Grant.KEYS_MANAGE,
    Grant.STAFF_MANAGE,
    Grant.AUDIT_READ,
    Grant.RECORDING_REVIEW,
    Grant.RISK_MANAGE,
    Grant.FACE_TEMPLATES,
    Grant.VERIFICATION_CREATE,
    Grant.VERIFICATION_REVIEW,
    Grant.VERIFICATION_UNLOCK,
    Grant.CUSTOMER_DATA,
}


@pytest.mark.parametrize("kind", SessionKind)
def test_in_a_session(kind: SessionKind) -> None:
    assert {role: session_grants(role, kind) for role in Role} == {
        Role.CUSTOMER: TALK
        | {Grant.SESSION_END, Grant.FACE_CHECK, Grant.DOCUMENT_READ, Grant.VERIFICATION_RUN, Grant.PDF_SIGN},
        Role.AGENT: LEAD,
        Role.EXPERT: TALK | {Grant.SESSION_READ, Grant.COBROWSE_VIEW, Grant.PDF_SHOW},
        Role.SUPERVISOR: LEAD | {Grant.SUPERVISE},
        Role.SERVICE: set(),
    }


@pytest.mark.parametrize("kind", SessionKind)
def test_nobody_manages_accounts_or_reads_the_audit_from_inside_a_session(kind: SessionKind) -> None:
    assert not any(session_grants(role, kind) & OUTSIDE for role in Role)


def test_at_the_desk() -> None:
    desk = {Grant.SESSION_CREATE, Grant.SESSION_LIST, Grant.WAITING_TAKE, Grant.HANDOVER, Grant.VERIFICATION_REVIEW}
    desk |= {Grant.COBROWSE_BEGIN}
    assert {role: desk_grants(role) for role in Role} == {
        Role.CUSTOMER: set(),
        Role.AGENT: desk,
        Role.EXPERT: set(),
        Role.SUPERVISOR: desk
        | {
            Grant.KEYS_MANAGE,
            Grant.STAFF_MANAGE,
            Grant.AUDIT_READ,
            Grant.RECORDING_REVIEW,
            Grant.RISK_MANAGE,
            Grant.VERIFICATION_UNLOCK,
            Grant.CUSTOMER_DATA,
        },
        Role.SERVICE: {
            Grant.SESSION_CREATE,
            Grant.SESSION_LIST,
            Grant.SESSION_READ,
            Grant.SESSION_END,
            Grant.INVITE,
            Grant.PARTICIPANT_REMOVE,
        },
    }


def test_nobody_speaks_or_shows_from_the_desk() -> None:
    assert not any(desk_grants(role) & TALK for role in Role)
