"""From errors to what a page is told of them."""

from server.errors import Gone, NotFound, TongpingError
from server.signalling.messages import CloseCode, ErrorCode, MessageError


def close_code(error: TongpingError) -> CloseCode:
    """Why a hello was refused."""
    if isinstance(error, Gone):
        return CloseCode.SESSION_ENDED
    return CloseCode.UNAUTHORISED if isinstance(error, NotFound) else CloseCode.INTERNAL


_ERROR_CODES = {
    "invalid": ErrorCode.INVALID,
    "not_allowed": ErrorCode.NOT_ALLOWED,
    "not_found": ErrorCode.NOT_FOUND,
    "conflict": ErrorCode.CONFLICT,
    "gone": ErrorCode.CONFLICT,
    "too_many": ErrorCode.TOO_MANY,
    "media_unavailable": ErrorCode.MEDIA_UNAVAILABLE,
}


def message_error(re: int, error: TongpingError) -> MessageError:
    """Why the message number ``re`` was not carried out."""
    return MessageError(re=re, code=_ERROR_CODES.get(error.code, ErrorCode.INTERNAL), detail=error.detail or error.code)
