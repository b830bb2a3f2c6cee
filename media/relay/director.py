"""Who in a room is sent which layer of what, and which layers nobody needs. Sans I/O.

Several times a second each subscriber's estimate is spent on what its slots show; a fallen estimate is obeyed at the next tick.
"""

from collections.abc import Callable, Mapping
from typing import Protocol

from media import control
from media.congestion.allocate import Choice, Kind, Layer, Want
from media.relay.downlink import Downlink
from media.relay.epoch import EVERYTHING
from media.relay.layers import Costs, Needed, ladder
from media.relay.publication import Publication, Subscription
from media.relay.quality import Quality
from media.relay.redundancy import Redundancy

ALLOCATE_S = 0.2
TALL = 2160
"""Lines of a slot of which its page did not say how tall it is drawn."""
GATES = frozenset({"held", "unseen"})
Ladders = dict[tuple[Publication, bool], list[Layer]]


class Subscriber(Protocol):
    participant: str
    quality: Quality
    held: frozenset[str]
    publications: dict[str, Publication]
    shown: dict[str, tuple[Publication, Subscription]]


class Director:
    """``tell_slots``: called for a subscriber of whose slots another set is held now."""

    def __init__(self, room: str, emit: Callable[[control.Event], None], tell_slots: Callable[[Subscriber], None]) -> None:
        self._room = room
        self._emit = emit
        self._tell_slots = tell_slots
        self._at = float("-inf")
        self._needed: dict[Publication, Needed] = {}
        self._redundancy = Redundancy(
            lambda voice, active: emit(control.Encodings(room, voice.participant, voice.source, active))
        )
        self._costs: dict[Publication, Costs] = {}
        self._soon: dict[Publication, set[str]] = {}

    def tick(
        self,
        subscribers: Mapping[str, Subscriber],
        sizes: Callable[[str], Mapping[str, int]],
        speaking: Callable[[str], bool],
        now: float,
    ) -> None:
        """Call each 20 ms. ``sizes``: lines by mid of what a participant's page draws."""
        due = now - self._at >= ALLOCATE_S
        if due:
            self._at = now
            self._soon.clear()
            for subscriber in subscribers.values():
                for publication in subscriber.publications.values():
                    for uplink in publication.layers.values():
                        uplink.measure(now)
                    if publication.kind == "video" and len(publication.layers) > 1:
                        publication.steer_all(now)
        ladders: Ladders = {}
        for subscriber in subscribers.values():
            if due or subscriber.quality.urgent:
                self.allocate(subscriber, sizes(subscriber.participant), speaking, now, ladders)
            if due:
                news = subscriber.quality.news(self._room, subscriber.participant, now)
                if news is not None:
                    self._emit(news)
        if due:
            self._tell_publishers(subscribers, now)
            self._redundancy.tick(subscribers, now)

    def allocate(
        self,
        subscriber: Subscriber,
        sizes: Mapping[str, int],
        speaking: Callable[[str], bool],
        now: float,
        ladders: Ladders | None = None,
    ) -> None:
        """Spend one subscriber's estimate on what it is shown. Call also when that, or a size, has changed.

        ``ladders``: as of ``now``, to be shared by all subscribers; filled here.
        """
        if ladders is None:
            ladders = {}
        wants = []
        for mid, (publication, subscription) in subscriber.shown.items():
            whole = publication.kind == "video" or subscription.downlink.red > 0
            layers = ladders.get((publication, whole))
            if layers is None:
                costs = self._costs.setdefault(publication, Costs())
                layers = ladders[publication, whole] = ladder(publication, costs, redundant=whole)
            key = _key(mid, publication)
            wants.append(Want(key, _kind(publication), sizes.get(mid, TALL), speaking(publication.participant), layers))
        allocation = subscriber.quality.allocate(wants, now)
        choices = allocation.choices
        now_held = []
        for want, (mid, (publication, subscription)) in zip(wants, list(subscriber.shown.items()), strict=True):
            choice = choices[want.key]
            _apply(publication, subscription, choice, now)
            if want.key in allocation.soon:
                self._soon.setdefault(publication, set()).add(allocation.soon[want.key].rid)
            if choice.held and not publication.succeeds(subscription.downlink):
                now_held.append(mid)
        held = frozenset(now_held)
        if held != subscriber.held:
            subscriber.held = held
            self._tell_slots(subscriber)

    def _tell_publishers(self, subscribers: Mapping[str, Subscriber], now: float) -> None:
        before, self._needed = self._needed, {}
        costs, self._costs = self._costs, {}
        for subscriber in subscribers.values():
            for publication in subscriber.publications.values():
                if publication in costs:
                    self._costs[publication] = costs[publication]
                if len(publication.rids) > 1 and publication.gate.open and publication.flowing:
                    needed = self._needed[publication] = before.get(publication) or Needed(now)
                    active = needed.update(publication, now, self._soon.get(publication, ()))
                    if active is not None:
                        self._emit(control.Encodings(self._room, publication.participant, publication.source, active))


def _key(mid: str, publication: Publication) -> tuple[str, str, str]:
    return mid, publication.participant, publication.source


def _kind(publication: Publication) -> Kind:
    if publication.kind == "audio":
        return "audio"
    return "screen" if publication.source == "screen" else "camera"


def _apply(publication: Publication, subscription: Subscription, choice: Choice, now: float) -> None:
    gate = subscription.gate
    if choice.held and publication.succeeds(subscription.downlink):
        return  # what the path carries now goes on until its first key frame
    reason = None if choice.layer is not None else "held" if choice.held else "unseen"
    shut = gate.reasons & GATES
    downlink = subscription.downlink
    if choice.layer is not None and publication.kind == "video":
        _aim(publication, downlink, choice.layer.rid, choice.layer.temporal, bandwidth=choice.reason == "bandwidth")
    if shut != ({reason} if reason else set()):
        for other in shut:
            gate.release(other)
        if reason:
            gate.shut(reason)
        publication.refresh(now)
    elif reason is None and publication.kind == "video" and len(publication.layers) > 1:
        publication.steer(downlink, now)


def _aim(publication: Publication, downlink: Downlink, rid: str, temporal: int, *, bandwidth: bool) -> None:
    layer = publication.layers.get(rid)
    if layer is not None and temporal >= layer.top_tid:
        temporal = EVERYTHING
    shown = downlink.uplink
    lower = bandwidth and shown is not None and layer is not None and layer.rates[-1] < shown.rates[-1]
    downlink.aim(rid, temporal, lower=lower)
