"""One file of a whole recording: everybody in the picture, all voices, and a manifest of hashes beside it."""

from media.recording.export.job import MAX_SIZE, Exported, Progress, export

__all__ = ["MAX_SIZE", "Exported", "Progress", "export"]
