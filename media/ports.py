"""What the media plane tells the program that uses it. S."""

from collections.abc import Sequence
from typing import Literal, NamedTuple, Protocol

PeerState = Literal["connecting", "connected", "disconnected", "failed", "closed"]


class SlotAssignment(NamedTuple):
    """``mid``: the subscriber's receive-only section. ``participant`` and ``source`` are None when it shows nothing.

    ``held``: not sent for now, because the subscriber's path cannot carry it.
    """

    mid: str
    participant: str | None
    source: str | None
    held: bool = False


class NetworkState(NamedTuple):
    """The way to one subscriber. ``down_bps``: the estimate; ``rtt_ms``: None while unknown; ``held``: pictures not sent for now."""

    down_bps: int
    rtt_ms: int | None
    loss_permille: int
    limit: Literal["none", "bandwidth", "loss"]
    held: int


class MediaEvents(Protocol):
    """Told by ``media.client.MediaClient``, always from its event loop. Must be quick and never raise."""

    def on_slots(self, room: str, participant: str, slots: Sequence[SlotAssignment]) -> None: ...
    def on_speaking(self, room: str, participants: Sequence[str]) -> None: ...
    def on_peer(self, room: str, participant: str, state: PeerState) -> None: ...
    def on_track(self, room: str, participant: str, source: str, flowing: bool) -> None: ...
    def on_encodings(self, room: str, participant: str, source: str, active: Sequence[str]) -> None: ...
    def on_network(self, room: str, participant: str, state: NetworkState) -> None: ...
    def on_rooms_lost(self, rooms: Sequence[str]) -> None: ...
