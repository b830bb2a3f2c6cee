"""The server's errors: one tree, stable codes, one table to HTTP status. Public text says nothing secret.

``CallerError`` is the bug or the fault of whoever called us, ``DependencyError`` the failure of something we need.
"""


class TongpingError(Exception):
    """``code`` is stable and public; ``detail`` is one public sentence."""

    code = "internal"

    def __init__(self, detail: str = "") -> None:
        super().__init__(detail or self.code)
        self.detail = detail


class ConfigError(TongpingError):
    code = "config_invalid"


class CallerError(TongpingError):
    code = "invalid"


class Invalid(CallerError):
    code = "invalid"


class Unauthenticated(CallerError):
    code = "unauthenticated"


class TokenExpired(Unauthenticated):
    code = "token_expired"


class NotAllowed(CallerError):
    code = "not_allowed"


class NotFound(CallerError):
    code = "not_found"


class Conflict(CallerError):
    code = "conflict"


class Gone(CallerError):
    """It existed, and is over: an ended session, a used or expired invitation."""

    code = "gone"


class Locked(CallerError):
    """Nobody new comes in."""

    code = "locked"


class TooLarge(CallerError):
    code = "too_large"


class UnsupportedMediaType(CallerError):
    code = "unsupported_media_type"


class PdfNotTaken(UnsupportedMediaType):
    """A PDF that is not shown to anybody; ``code`` says why."""

    def __init__(self, detail: str, why: str) -> None:
        super().__init__(detail)
        self.code = f"pdf_{why}"


class TooMany(CallerError):
    """``retry_after_s``: seconds after which it makes sense to try again."""

    code = "too_many"

    def __init__(self, detail: str = "", retry_after_s: int = 1) -> None:
        super().__init__(detail)
        self.retry_after_s = retry_after_s


class PictureRefused(CallerError):
    """A picture that nothing can be said of, or not what was asked. ``picture``: which of several, from 0. ``reasons``: what is wrong, as codes;
    ``code`` is the first of them."""

    code = "picture_refused"

    def __init__(self, detail: str, reasons: tuple[str, ...], picture: int = 0) -> None:
        super().__init__(detail)
        self.reasons = reasons
        self.code = reasons[0] if reasons else self.code
        self.picture = picture


class DependencyError(TongpingError):
    code = "unavailable"


class StoreUnavailable(DependencyError):
    code = "store_unavailable"


class MediaPlaneUnavailable(DependencyError):
    code = "media_unavailable"


class VerificationUnavailable(DependencyError):
    """Face checks cannot be made: nothing was found out, which is never a yes. ``retry_after_s``: when it makes sense to try again."""

    code = "verification_unavailable"

    def __init__(self, detail: str = "", retry_after_s: int = 5) -> None:
        super().__init__(detail)
        self.retry_after_s = retry_after_s


class VerificationBusy(VerificationUnavailable):
    code = "verification_busy"


class VerificationLost(VerificationUnavailable):
    """It was begun and did not come to an end."""

    code = "verification_lost"


class VerificationTimeout(VerificationUnavailable):
    code = "verification_timeout"


HTTP_STATUS: dict[type[TongpingError], int] = {
    Invalid: 400,
    Unauthenticated: 401,
    TokenExpired: 401,
    NotAllowed: 403,
    NotFound: 404,
    Conflict: 409,
    Gone: 410,
    Locked: 423,
    TooLarge: 413,
    UnsupportedMediaType: 415,
    PictureRefused: 422,
    TooMany: 429,
    DependencyError: 503,
    StoreUnavailable: 503,
    MediaPlaneUnavailable: 503,
    TongpingError: 500,
}


def http_status(error: TongpingError) -> int:
    """The status of the nearest class in the table."""
    for cls in type(error).__mro__:
        if cls in HTTP_STATUS:
            return HTTP_STATUS[cls]
    return 500
