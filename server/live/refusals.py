"""From errors to what a page is told of them."""

from server.domain.model import LeaveReason
from server.errors import Gone, NotFound, TongpingError
from server.signalling.messages import CloseCode, ErrorCode, MessageError


def close_code(error: TongpingError) -> CloseCode:
    """Why a hello was refused."""
    if isinstance(error, Gone):
        return CloseCode.SESSION_ENDED
    return CloseCode.UNAUTHORISED if isinstance(error, NotFound) else CloseCode.INTERNAL


_LEFT = {
    LeaveReason.REMOVED: CloseCode.REMOVED,
    LeaveReason.REFUSED: CloseCode.REFUSED,
    LeaveReason.REVOKED: CloseCode.REVOKED,
    LeaveReason.HANDED_OVER: CloseCode.HANDED_OVER,
    LeaveReason.TAKEN_OVER: CloseCode.TAKEN_OVER,
}


def left_code(reason: LeaveReason) -> CloseCode:
    """What somebody is told who has left."""
    return _LEFT.get(reason, CloseCode.LEFT)


_ERROR_CODES = {
    "invalid": ErrorCode.INVALID,
    "not_allowed": ErrorCode.NOT_ALLOWED,
    "not_found": ErrorCode.NOT_FOUND,
    "conflict": ErrorCode.CONFLICT,
    "gone": ErrorCode.CONFLICT,
    "too_many": ErrorCode.TOO_MANY,
    "media_unavailable": ErrorCode.MEDIA_UNAVAILABLE,
    "no_staff": ErrorCode.NO_STAFF,
}


def message_error(re: int, error: TongpingError) -> MessageError:
    """Why the message number ``re`` was not carried out."""
    return MessageError(re=re, code=_ERROR_CODES.get(error.code, ErrorCode.INTERNAL), detail=error.detail or error.code)
