"""What a participant offers as one source, who may have it, and which layer each gets. Sans I/O."""

from collections.abc import Callable

from media.downlink import Downlink
from media.uplink import Uplink

PLI_INTERVAL_S = 0.5


class Gate:
    """Open only while nobody holds it shut. ``reasons``: "consent", later "hold", "whisper", "mute" and the like."""

    __slots__ = ("reasons",)

    def __init__(self, *reasons: str) -> None:
        self.reasons = set(reasons)

    @property
    def open(self) -> bool:
        return not self.reasons

    def shut(self, reason: str) -> None:
        self.reasons.add(reason)

    def release(self, reason: str) -> None:
        self.reasons.discard(reason)


class Subscription:
    """One publication at one downlink. Shut while the subscriber is not connected."""

    __slots__ = ("downlink", "gate")

    def __init__(self, downlink: Downlink) -> None:
        self.downlink = downlink
        self.gate = Gate()


class Publication:
    """What one participant offers as one source. ``layers``: by rid, ``""`` without simulcast; ``codec_key`` as in the SDP.

    ``forwarded`` counts packets of it that were put into send batches, one for each receiver.
    """

    __slots__ = (
        "active", "ask_key", "codec_key", "flowing", "forwarded", "gate", "key_asked_at", "kind", "last_at", "layers", "mid", "on_level",
        "order", "participant", "plis", "source", "subscriptions",
    )  # fmt: skip

    def __init__(self, participant: str, source: str, kind: str, mid: str, codec_key: str, order: int) -> None:
        self.participant = participant
        self.source = source
        self.kind = kind
        self.mid = mid
        self.codec_key = codec_key
        self.order = order
        self.layers: dict[str, Uplink] = {}
        self.gate = Gate("consent")
        self.subscriptions: dict[str, Subscription] = {}
        self.active: list[Downlink] = []
        self.flowing = False
        self.last_at = 0.0
        self.key_asked_at = float("-inf")
        self.plis = 0
        self.forwarded = 0
        self.ask_key: Callable[[Uplink], None] = _nobody
        self.on_level: Callable[[str, int, float], None] = _nobody_hears

    def best(self, now: float) -> Uplink | None:
        """The layer to show: of those that flow the one with the most bytes lately; any while none flows yet."""
        flowing = [u for u in self.layers.values() if now - u.last_at < 2.0] or list(self.layers.values())
        return max(flowing, key=lambda u: u.octets / max(0.5, u.last_at - u.first_at), default=None)

    def subscribe(self, name: str, downlink: Downlink, now: float) -> Subscription:
        subscription = Subscription(downlink)
        self.subscriptions[name] = subscription
        self.refresh(now)
        return subscription

    def unsubscribe(self, name: str, now: float) -> None:
        subscription = self.subscriptions.pop(name, None)
        if subscription is not None:
            subscription.downlink.detach(now)
            self.refresh(now)

    def refresh(self, now: float) -> None:
        """Apply the gates: from the next packet on exactly the open subscriptions are served."""
        was = self.active
        uplink = self.best(now)
        active: list[Downlink] = []
        for subscription in self.subscriptions.values():
            downlink = subscription.downlink
            if self.gate.open and subscription.gate.open:
                if downlink not in was and uplink is not None and not downlink.want(uplink, self.codec_key, now):
                    continue
                active.append(downlink)
            else:
                downlink.detach(now)
        self.active = active
        if not self.gate.open:
            for layer in self.layers.values():
                layer.clear_ring()

    def prefer_best(self, now: float) -> None:
        """Simulcast: move everybody to the best flowing layer, each at its next key frame."""
        uplink = self.best(now)
        if uplink is not None:
            for downlink in self.active:
                if uplink not in (downlink.uplink, downlink.pending):
                    downlink.want(uplink, self.codec_key, now)

    def request_key(self, now: float) -> bool:
        """Ask the publisher for a key frame, at most every ``PLI_INTERVAL_S`` for the publication whoever asks."""
        if self.kind != "video" or not self.gate.open or now - self.key_asked_at < PLI_INTERVAL_S:
            return False
        uplink = self.best(now)
        if uplink is None:
            return False
        self.key_asked_at = now
        self.plis += 1
        self.ask_key(uplink)
        return True


def _nobody(uplink: Uplink) -> None:
    """Before a peer is attached there is nobody to ask."""


def _nobody_hears(participant: str, level: int, now: float) -> None:
    """Before a room is attached nobody listens for levels."""
