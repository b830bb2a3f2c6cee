"""What the media plane tells the program that uses it. S."""

from collections.abc import Sequence
from typing import Literal, NamedTuple, Protocol

PeerState = Literal["connecting", "connected", "disconnected", "failed", "closed"]


class SlotAssignment(NamedTuple):
    """``mid``: the subscriber's receive-only section. ``participant`` and ``source`` are None when it shows nothing."""

    mid: str
    participant: str | None
    source: str | None


class MediaEvents(Protocol):
    """Told by ``media.client.MediaClient``, always from its event loop. Must be quick and never raise."""

    def on_slots(self, room: str, participant: str, slots: Sequence[SlotAssignment]) -> None: ...
    def on_speaking(self, room: str, participants: Sequence[str]) -> None: ...
    def on_peer(self, room: str, participant: str, state: PeerState) -> None: ...
    def on_track(self, room: str, participant: str, source: str, flowing: bool) -> None: ...
    def on_rooms_lost(self, rooms: Sequence[str]) -> None: ...
