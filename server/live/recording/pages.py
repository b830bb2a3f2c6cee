"""What of a shared page may be kept with a session's recording. Pure."""

from typing import NamedTuple

from server.domain.ids import ParticipantId, RecordingId

WITHOUT_PAGE = frozenset({"recording-1"})
"""Wordings of the consent to be recorded that did not say that a shared page is kept."""


class PageKept(NamedTuple):
    """In which recording, after how many starts of the recorder, and of whom what they do in the page."""

    recording: RecordingId
    starts: int
    whom: frozenset[ParticipantId]
