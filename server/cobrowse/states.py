"""The states of a share, in one table. Sans-I/O."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from server.cobrowse.messages import ShareState


class Happened(StrEnum):
    ATTACHED = "attached"  # somebody who leads a session typed the code
    SEEN = "seen"  # the first viewer may look
    UNSEEN = "unseen"  # the last may no more
    PAUSED = "paused"
    RESUMED = "resumed"
    ENDED = "ended"


TABLE: Mapping[tuple[ShareState, Happened], ShareState] = MappingProxyType(
    {
        (ShareState.IDLE, Happened.ATTACHED): ShareState.ATTACHED,
        (ShareState.IDLE, Happened.ENDED): ShareState.ENDED,
        (ShareState.ATTACHED, Happened.SEEN): ShareState.SHARING,
        (ShareState.ATTACHED, Happened.PAUSED): ShareState.PAUSED,
        (ShareState.ATTACHED, Happened.ENDED): ShareState.ENDED,
        (ShareState.SHARING, Happened.UNSEEN): ShareState.ATTACHED,
        (ShareState.SHARING, Happened.PAUSED): ShareState.PAUSED,
        (ShareState.SHARING, Happened.ENDED): ShareState.ENDED,
        (ShareState.PAUSED, Happened.RESUMED): ShareState.ATTACHED,  # and on to ``SHARING`` where somebody may look still
        (ShareState.PAUSED, Happened.ENDED): ShareState.ENDED,
    }
)
"""What is not named changes nothing. Nothing leads out of ``ENDED``."""


def after(state: ShareState, happened: Happened) -> ShareState:
    return TABLE.get((state, happened), state)
