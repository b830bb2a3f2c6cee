"""What a participant offers as one source, who may have it, and which layer each gets. Sans I/O."""

from collections.abc import Callable
from typing import Any

from media.relay.downlink import Downlink
from media.relay.uplink import Uplink

PLI_INTERVAL_S = 0.5
FLOWS_S = 0.4
"""A layer of which something came so lately flows."""
STALL_S = 0.7
"""A layer of which nothing came for so long has stopped, if another one flows."""


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

    ``rids``: as offered, the lowest first. ``red``: a voice that may come with redundancy (RFC 2198). ``plan`` is the forwarder's, of one list ``active``. ``forwarded`` counts packets of it that were put into send batches, one for each receiver.
    """

    __slots__ = (
        "active", "ask_key", "codec_key", "flowing", "forwarded", "gate", "key_asked_at", "kind", "last_at", "layers", "mid", "on_level",
        "order", "participant", "plan", "plis", "red", "rids", "source", "subscriptions",
    )  # fmt: skip

    def __init__(self, participant: str, source: str, kind: str, mid: str, codec_key: str, order: int) -> None:
        self.participant = participant
        self.source = source
        self.kind = kind
        self.mid = mid
        self.codec_key = codec_key
        self.order = order
        self.rids: tuple[str, ...] = ()
        self.red = False
        self.layers: dict[str, Uplink] = {}
        self.gate = Gate("consent")
        self.subscriptions: dict[str, Subscription] = {}
        self.active: list[Downlink] = []
        self.flowing = False
        self.last_at = 0.0
        self.key_asked_at = float("-inf")
        self.plis = 0
        self.plan: Any = None
        self.forwarded = 0
        self.ask_key: Callable[[Uplink], None] = nobody
        self.on_level: Callable[[str, int, float], None] = _nobody_hears

    def best(self, now: float) -> Uplink | None:
        """The layer to show where nobody chose: of those that flow the one with the most bytes lately; any while none flows yet."""
        flowing = [u for u in self.layers.values() if now - u.last_at < 2.0] or list(self.layers.values())
        return max(flowing, key=lambda u: u.octets / max(0.5, u.last_at - u.first_at), default=None)

    def wanted(self, downlink: Downlink, now: float) -> Uplink | None:
        """The layer that this slot is to show next: its target; while that does not flow, the nearest one that does.

        A target that does not flow is waited for as long as what is shown goes on: its first key frame is taken.
        """
        target = self.layers.get(downlink.target) if downlink.target is not None else None
        if target is None:
            return self.best(now)
        if now - target.last_at < STALL_S or (downlink.uplink is not None and now - downlink.uplink.last_at < STALL_S):
            return target
        flowing = [u for u in self.layers.values() if now - u.last_at < FLOWS_S]
        lower = [u for u in flowing if u.height <= target.height]
        return max(lower, key=_size, default=None) or min(flowing, key=_size, default=target)

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
        active: list[Downlink] = []
        for subscription in self.subscriptions.values():
            downlink = subscription.downlink
            if self.gate.open and subscription.gate.open:
                if downlink not in was and not self.steer(downlink, now):
                    continue
                active.append(downlink)
            else:
                downlink.detach(now)
        self.active = active
        if not self.gate.open:
            for layer in self.layers.values():
                layer.clear_ring()
                layer.pass_over(unheard=True)

    def steer(self, downlink: Downlink, now: float) -> bool:
        """Let the slot wait for what it is to show. False when its subscriber cannot receive it."""
        uplink = self.wanted(downlink, now)
        if uplink is None or uplink in (downlink.uplink, downlink.pending):
            if uplink is not None and uplink is downlink.uplink and downlink.pending is not None:
                return downlink.want(uplink, self.codec_key, now)
            return True
        return downlink.want(uplink, self.codec_key, now)

    def steer_all(self, now: float) -> None:
        """Simulcast: call several times a second, so that a layer that stops or starts is noticed."""
        for downlink in self.active:
            self.steer(downlink, now)

    def waits(self, now: float) -> bool:
        """Somebody needs a key frame: shows nothing yet, or is to go over to a layer that flows."""
        return any(d.pending is not None and (d.uplink is None or now - d.pending.last_at < FLOWS_S) for d in self.active)

    def request_key(self, now: float, shown: Uplink | None = None) -> bool:
        """Ask the publisher for key frames, at most every ``PLI_INTERVAL_S`` for the publication whoever asks.

        Of the layers that somebody waits for; else of ``shown``, which a subscriber cannot decode any more; else of any.
        """
        if self.kind != "video" or not self.gate.open or now - self.key_asked_at < PLI_INTERVAL_S:
            return False
        asked = {d.pending.ssrc: d.pending for d in self.active if d.pending is not None and now - d.pending.last_at < FLOWS_S}
        if shown is not None:
            asked[shown.ssrc] = shown
        if not asked:
            uplink = self.best(now)
            if uplink is None:
                return False
            asked[uplink.ssrc] = uplink
        self.key_asked_at = now
        self.plis += 1
        for uplink in asked.values():
            self.ask_key(uplink)
        return True


def _size(uplink: Uplink) -> tuple[int, float]:
    return uplink.height, uplink.rates[-1]


def nobody(uplink: Uplink) -> None:
    """Before a peer is attached, and after its end, there is nobody to ask."""


def _nobody_hears(participant: str, level: int, now: float) -> None:
    """Before a room is attached nobody listens for levels."""
