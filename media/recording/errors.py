"""What the recording package raises on purpose; ``code`` is stable, ``detail`` safe to show."""

from media.errors import MediaError


class RecordingError(MediaError):
    """Root of this package's errors."""


class RecordingKeyError(RecordingError):
    """A key that is missing, too short, or not the one that this was made with."""


class RecordingFormatError(RecordingError):
    """Bytes that are not what the format says, or were changed."""


class RecordingStoreError(RecordingError):
    """No such recording, it is in use, it is there already, or the disk refused."""
