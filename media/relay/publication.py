"""What a participant offers as one source, who may have it, and which layer each gets. Sans I/O."""

from array import array
from collections.abc import Callable
from typing import Any, Protocol

from media.relay.downlink import Downlink
from media.relay.uplink import RingEntry, Uplink
from media.wire.sdp_answer import NegotiatedCodec

PLI_INTERVAL_S = 0.5
FLOWS_S = 0.4
"""A layer of which something came so lately flows."""
STALL_S = 0.7
"""A layer of which nothing came for so long has stopped, if another one flows."""


class Gate:
    """Open only while nobody holds it shut. ``reasons``: "consent", later "hold", "whisper", "mute" and the like. ``flag``: 1 while open,
    for a forwarder that reads memory.
    """

    __slots__ = ("flag", "reasons")

    def __init__(self, *reasons: str) -> None:
        self.reasons = set(reasons)
        self.flag = array("i", (not reasons,))

    @property
    def open(self) -> bool:
        return not self.reasons

    def shut(self, reason: str) -> None:
        self.reasons.add(reason)
        self.flag[0] = 0

    def release(self, reason: str) -> None:
        self.reasons.discard(reason)
        self.flag[0] = not self.reasons


class Subscription:
    """One publication at one downlink. Shut while the subscriber is not connected. ``leaving``: only until another one's picture is there."""

    __slots__ = ("downlink", "gate", "leaving")

    def __init__(self, downlink: Downlink) -> None:
        self.downlink = downlink
        self.gate = Gate()
        self.leaving = False


class Sink(Protocol):
    """Takes a publication's packets as they came, beside the forwarding: a recorder, a tap. Behind the publication's gate.

    ``target``, ``uplink`` and ``pending``: the layer it wants, gets, and waits for, as of a ``Downlink``; its publisher sends them, and is
    asked for the key frame that it waits for. All methods are quick and never raise.
    """

    target: str | None
    uplink: Uplink | None
    pending: Uplink | None

    def packet(self, uplink: Uplink, packet: RingEntry, startable: bool, late: bool, now: float) -> None:
        """Each packet of each layer once, after it was forwarded; ``late``: it fills a gap. A key frame begins with a ``startable`` one."""
        ...

    def report(self, uplink: Uplink, ntp: int, rtp: int, now: float) -> None:
        """A sender report (RFC 3550 section 6.4.1)."""
        ...


class Mirror(Protocol):
    """Another forwarder's picture of a publication."""

    def update(self, publication: "Publication") -> None:
        """``active`` or ``sinks`` has changed."""
        ...


class Publication:
    """What one participant offers as one source. ``layers``: by rid, ``""`` without simulcast; ``codec_key`` as in the SDP.

    ``codec``: as negotiated with the publisher. ``rids``: as offered, the lowest first. ``red``: a voice that may come with redundancy (RFC 2198). ``plan`` is the forwarder's, of one list ``active``. ``forwarded`` counts packets of it that were put into send batches, one for each receiver.
    ``mirror``: the forwarder's, which writes ``last_at`` and ``forwarded`` in ``shared``, too.
    ``sinks``: who gets its packets beside its subscribers. ``steered``: those of ``active`` that are to show it: all but the leaving ones.
    ``guesses``: what a layer so tall is taken to cost until it is measured, bit/s by lines: what it cost of the one who was replaced.
    """

    __slots__ = (
        "active", "ask_key", "codec", "codec_key", "flowing", "gate", "guesses", "key_asked_at", "kind", "layers", "mid", "mirror", "on_level",
        "order", "participant", "plan", "plis", "red", "rids", "shared", "sinks", "source", "steered", "subscriptions",
    )  # fmt: skip

    def __init__(self, participant: str, source: str, kind: str, mid: str, codec_key: str, order: int) -> None:
        self.participant = participant
        self.source = source
        self.kind = kind
        self.mid = mid
        self.codec_key = codec_key
        self.order = order
        self.codec: NegotiatedCodec | None = None
        self.rids: tuple[str, ...] = ()
        self.red = False
        self.layers: dict[str, Uplink] = {}
        self.gate = Gate("consent")
        self.subscriptions: dict[str, Subscription] = {}
        self.active: list[Downlink] = []
        self.steered: list[Downlink] = self.active
        self.guesses: dict[int, float] = {}
        self.flowing = False
        self.key_asked_at = float("-inf")
        self.plis = 0
        self.plan: Any = None
        self.mirror: Mirror | None = None
        self.sinks: tuple[Sink, ...] = ()
        self.shared = array("d", (0.0,)), array("q", (0,))
        self.ask_key: Callable[[Uplink], None] = nobody
        self.on_level: Callable[[str, int, float], None] = _nobody_hears

    @property
    def last_at(self) -> float:
        """When something of it came last."""
        return self.shared[0][0]

    @last_at.setter
    def last_at(self, now: float) -> None:
        self.shared[0][0] = now

    @property
    def forwarded(self) -> int:
        return self.shared[1][0]

    @forwarded.setter
    def forwarded(self, packets: int) -> None:
        self.shared[1][0] = packets

    def _changed(self) -> None:
        if self.mirror is not None:
            self.mirror.update(self)

    def best(self, now: float) -> Uplink | None:
        """The layer to show where nobody chose: of those that flow the one with the most bytes lately; any while none flows yet."""
        flowing = [u for u in self.layers.values() if now - u.last_at < 2.0] or list(self.layers.values())
        return max(flowing, key=lambda u: u.octets / max(0.5, u.last_at - u.first_at), default=None)

    def wanted(self, downlink: Downlink | Sink, now: float) -> Uplink | None:
        """The layer that this slot (or sink) is to show next: its target; while that does not flow, the nearest one that does.

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
            if subscription.leaving:
                self._let_go(subscription.downlink, now)
            else:
                subscription.downlink.detach(now)
            self.refresh(now)

    def leave(self, name: str, now: float) -> None:
        """Show it there only until the first picture of what the same downlink is subscribed to from now on; say ``settle`` then."""
        subscription = self.subscriptions.get(name)
        if subscription is None:
            return
        if self.gate.open and subscription.gate.open and subscription.downlink.uplink in self.layers.values():
            subscription.leaving = True
            subscription.downlink.pending = None
            subscription.downlink.changed()
            self.refresh(now)
        else:
            self.unsubscribe(name, now)

    def succeeds(self, downlink: Downlink) -> bool:
        """Whether this slot shows another publication's picture, until the first of this one."""
        return downlink.uplink is not None and downlink.uplink not in self.layers.values()

    def settle(self, now: float) -> None:
        """Forget those leaving that show something else by now. Call now and then."""
        if len(self.steered) != len(self.active):
            self.refresh(now)

    def _let_go(self, downlink: Downlink, now: float) -> None:
        if downlink.uplink in self.layers.values():
            downlink.release(now)

    @property
    def takers(self) -> list[Downlink | Sink]:
        """Who is to get its packets, and says of which layer."""
        return [*self.steered, *self.sinks]

    def add_sink(self, sink: Sink) -> None:
        """From the next packet on it gets what passes the gate."""
        self.sinks = (*self.sinks, sink)
        self._changed()

    def remove_sink(self, sink: Sink) -> None:
        """It gets nothing more."""
        self.sinks = tuple(each for each in self.sinks if each is not sink)
        self._changed()

    def refresh(self, now: float) -> None:
        """Apply the gates: from the next packet on exactly the open subscriptions are served."""
        was = self.active
        active: list[Downlink] = []
        leaving: list[Downlink] = []
        for name, subscription in list(self.subscriptions.items()):
            downlink = subscription.downlink
            if subscription.leaving:
                if self.gate.open and subscription.gate.open and downlink.uplink in self.layers.values():
                    leaving.append(downlink)
                else:
                    del self.subscriptions[name]
                    self._let_go(downlink, now)
            elif self.gate.open and subscription.gate.open:
                if downlink not in was and not self.steer(downlink, now):
                    continue
                active.append(downlink)
            else:
                downlink.detach(now)
        self.steered = active
        self.active = active + leaving if leaving else active
        if not self.gate.open:
            for layer in self.layers.values():
                layer.clear_ring()
                layer.pass_over(unheard=True)
        self._changed()

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
        for downlink in self.steered:
            self.steer(downlink, now)

    def waits(self, now: float) -> bool:
        """Somebody needs a key frame: shows nothing yet, or is to go over to a layer that flows."""
        return any(d.pending is not None and (d.uplink is None or now - d.pending.last_at < FLOWS_S) for d in self.takers)

    def request_key(self, now: float, shown: Uplink | None = None) -> bool:
        """Ask the publisher for key frames, at most every ``PLI_INTERVAL_S`` for the publication whoever asks.

        Of the layers that somebody waits for; else of ``shown``, which a subscriber cannot decode any more; else of any.
        """
        if self.kind != "video" or not self.gate.open or now - self.key_asked_at < PLI_INTERVAL_S:
            return False
        waiting = (d.pending for d in self.takers)
        asked = {pending.ssrc: pending for pending in waiting if pending is not None and now - pending.last_at < FLOWS_S}
        if shown is not None and shown in self.layers.values():
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
