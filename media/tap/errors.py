"""What can go wrong with a tap; see ``media/errors.py`` for the tree."""

from media.errors import MediaError, MediaUnavailableError


class TapRefused(MediaError):
    """It was not opened. ``code``: ``no_such_source`` (or nobody is there), ``gate_shut``, ``busy``, ``bad_codec``."""


class TapClosed(MediaError):
    """It was open and was shut before its time. ``code``: ``gate`` (consent, hold, mute), ``gone`` (they left or connected anew),
    ``closed`` (by whoever may), ``no_picture`` (nothing came that can be decoded)."""


class TapLost(MediaUnavailableError):
    """The decoder died, or sent what it may not; or the media worker is gone."""
