"""The live media of one session: who is connected, whose gates are open, who sees what in which slot, who speaks."""

import time
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple, Protocol

from media import control
from media.control import PeerStateName
from media.errors import ExhaustedError, SdpError
from media.relay.director import Director, Subscriber
from media.relay.downlink import Downlink
from media.relay.peer import Peer
from media.relay.publication import Publication
from media.relay.recording import Order, Recorder, RoomRecording
from media.relay.slots import Candidate
from media.relay.speaker import SpeakerDetector
from media.relay.succession import SOURCES, Key, Succession
from media.relay.tap import Outlet, Taps
from media.relay.wishes import Wishes
from media.wire.sdp import Offer, parse_offer

FLOW_TIMEOUT_S = 2.0
MAX_PARTICIPANTS = 200
"""Participants with gates or a connection in one room."""
POINTER_SOURCE = "pointer"


class Audience(NamedTuple):
    """Whom somebody's media reaches: everybody of the same circle, or only those named."""

    circle: str = ""
    only: frozenset[str] | None = None

    def has(self, subscriber: str, circle: str) -> bool:
        return circle == self.circle if self.only is None else subscriber in self.only


EVERYBODY = Audience()


class RoomHost(Protocol):
    """What a room needs of its worker."""

    @property
    def recorder(self) -> Recorder | None:
        """Where what is recorded goes; None where nothing is."""
        ...

    def emit(self, event: control.Event) -> None: ...
    def new_peer(self, room: "Room", participant: str, offer: Offer, now: float) -> Peer: ...
    def retire(self, peer: Peer) -> None:
        """Close this peer in the background; it is out of the room already."""
        ...

    def catch_up(self, publication: Publication, downlink: Downlink, since: float, now: float) -> bool:
        """See ``media.relay.catch_up``."""
        ...

    def flush(self) -> None:
        """Send what waits in batches: nothing that came in has its turn now."""
        ...


class Room:
    def __init__(self, name: str, host: RoomHost, clock: Callable[[], float] = time.monotonic) -> None:
        self.name = name
        self._host = host
        self._clock = clock
        self.peers: dict[str, Peer] = {}
        self.gates: dict[str, frozenset[str]] = {}
        self.audiences: dict[str, Audience] = {}
        self._let_in: dict[str, float] = {}
        self._coming: dict[Peer, list[Publication]] = {}
        self._blind: set[Peer] = set()
        self.receive: dict[str, tuple[int, Mapping[str, int]]] = {}
        self._wishes = Wishes()
        self._order = 0
        self._speaker = SpeakerDetector()
        self._director = Director(name, host.emit, self._tell_slots)
        self._succession = Succession()
        self._recording = RoomRecording(host.recorder)
        self.taps = Taps(lambda tap, reason: host.emit(control.TapEnded(name, tap, reason)))
        self._dirty = False
        self.pointer_dropped = 0
        self.pointer_relayed = 0

    # ---- commands

    def connect(self, participant: str, offer_sdp: str) -> str:
        """Answer an offer. Raises SdpError (peer's fault), ExhaustedError.

        The same DTLS fingerprints as the connection there is: its offer again, perhaps with new ICE credentials. Others: a reload,
        which replaces it. Gates are kept either way.
        """
        offer = parse_offer(offer_sdp)
        now = self._clock()
        current = self.peers.get(participant)
        if current is not None and set(current.offer.fingerprints) == set(offer.fingerprints):
            if current.state in ("connecting", "connected", "disconnected"):
                answer = current.renegotiate(offer)
                if answer is None:
                    raise SdpError("sections_changed", "a repeated offer must have the same sections as the first")
                return answer
        elif current is None and participant not in self.gates and len(self.gates) + len(self.peers) >= MAX_PARTICIPANTS:
            raise ExhaustedError("room_full", f"{MAX_PARTICIPANTS} participants")
        peer = self._host.new_peer(self, participant, offer, now)
        if current is not None:
            self._remove(current, now, tell=False)
        self.peers[participant] = peer
        for publication in peer.publications.values():
            self._order += 1
            publication.order = self._order
            publication.on_level = self._speaker.level
        if self._succession.came(participant):
            self._restore(participant)
        for old, heir in self._succession:
            peer.slots.inherit(old, heir)
        self._apply_gates(peer, now)
        self._host.emit(control.PeerState(self.name, participant, "connecting"))
        self._coming[peer] = self._in_sight(peer)
        self._expect(now)
        return peer.answer.sdp

    def set_gates(self, participant: str, sources: Iterable[str], audience: Audience = EVERYBODY) -> None:
        """From the next packet on exactly these sources are forwarded, and to this audience alone."""
        if participant not in self.gates and len(self.gates) >= MAX_PARTICIPANTS:
            raise ExhaustedError("room_full", f"{MAX_PARTICIPANTS} participants")
        self.gates[participant] = frozenset(sources)
        now = self._clock()
        if self._audience(participant) != audience:
            self._let_in[participant] = now
        self.audiences[participant] = audience
        peer = self.peers.get(participant)
        if peer is not None:
            self._apply_gates(peer, now)
            self.reassign(now)

    def replace(self, old: str, new: str) -> None:
        """Hand over: see ``control.Replace``. Raises ExhaustedError."""
        if old == new:
            return
        now = self._clock()
        self._succession.replace(old, new, self._speaker.spoke_at(old), now)
        for peer in self.peers.values():
            for source in SOURCES:
                peer.slots.inherit((old, source), (new, source))
        successor = self.peers.get(new)
        for publication in successor.publications.values() if successor is not None else ():
            publication.key_asked_at = float("-inf")  # asked for at once, whoever asked lately
        self.reassign(now)

    def open_tap(self, command: control.OpenTap, connect: Callable[[], Outlet]) -> None:
        """See ``control.OpenTap``. Raises TapRefused."""
        peer = self.peers.get(command.participant)
        found = [p for p in peer.publications.values() if p.source == command.source] if peer is not None else []
        publication = next(iter(found), None)
        self.taps.open(command.tap, publication, connect, command.height, command.max_seconds, self._clock())

    def _drop_heirs(self, given_up: Iterable[Key]) -> None:
        for peer in self.peers.values():
            for key in given_up:
                peer.slots.disinherit(key)
                self._dirty = True

    def _restore(self, old: str) -> None:
        """Whoever was replaced is one like any other."""
        for peer in self.peers.values():
            for source in SOURCES:
                peer.slots.forget((old, source))

    def set_recording(self, order: Order) -> None:
        """From the next packet on exactly this is recorded. Raises ExhaustedError(``no_recorder``)."""
        if self._host.recorder is None and order.state != "off":
            raise ExhaustedError("no_recorder", "this media worker has no recorder")
        self._recording.set(order, self.peers, self._clock())

    def set_receive(self, participant: str, video: int, sizes: Mapping[str, int]) -> None:
        """Show this participant at most ``video`` pictures from now on, drawn so tall (device pixels by mid).

        Its offer's slots are the bound when it never said. Who says it often has it taken up a little later, the newest only.
        """
        if participant not in self.receive and len(self.receive) >= MAX_PARTICIPANTS:
            raise ExhaustedError("room_full", f"{MAX_PARTICIPANTS} participants")
        if self.receive.get(participant) == (video, sizes):
            self._wishes.withdraw(participant)
            return
        now = self._clock()
        if self._wishes.say(participant, (video, sizes), now):
            self._show(participant, video, sizes, now)

    def _show(self, participant: str, video: int, sizes: Mapping[str, int], now: float) -> None:
        before = self.receive.get(participant)
        self.receive[participant] = video, sizes
        peer = self.peers.get(participant)
        if peer is not None:
            if before is None or before[0] != video:
                self.reassign(now)
            if peer.state == "connected":
                self._director.allocate(peer, sizes, self._speaker.speaks, now)

    def _apply_gates(self, peer: Peer, now: float) -> None:
        opened = self.gates.get(peer.participant, frozenset())
        for publication in peer.publications.values():
            was = publication.gate.open
            if publication.source in opened:
                publication.gate.release("consent")
            else:
                publication.gate.shut("consent")
                if publication.source == "microphone":
                    self._speaker.remove(peer.participant)
            publication.refresh(now)
            self.taps.refresh(publication)
            if publication.gate.open and not was:
                publication.request_key(now)
        self._recording.refresh(peer, now)

    def disconnect(self, participant: str) -> None:
        """Forget a participant's connection and gates."""
        self.gates.pop(participant, None)
        self._let_in.pop(participant, None)
        self.audiences.pop(participant, None)
        self.receive.pop(participant, None)
        self._wishes.forget(participant)
        self._succession.left(participant)
        self._drop_heirs([(participant, source) for source in SOURCES])
        if participant not in [old for (old, _), _ in self._succession]:
            self._restore(participant)
        peer = self.peers.get(participant)
        if peer is not None:
            self._remove(peer, self._clock(), tell=True)

    def close(self) -> None:
        now = self._clock()
        self._recording.close(now)
        self.taps.clear()
        self.gates.clear()
        self._let_in.clear()
        self._coming.clear()
        self._blind.clear()
        self.audiences.clear()
        self.receive.clear()
        self._wishes.clear()
        self._succession.clear()
        for peer in list(self.peers.values()):
            self._remove(peer, now, tell=True)

    def _remove(self, peer: Peer, now: float, *, tell: bool, state: PeerStateName = "closed") -> None:
        if self.peers.get(peer.participant) is peer:
            del self.peers[peer.participant]
        self._recording.gone(peer, now)
        for publication in peer.publications.values():
            self.taps.gone(publication)
            for name in list(publication.subscriptions):
                publication.unsubscribe(name, now)
            if publication.flowing:
                publication.flowing = False
                self._host.emit(control.TrackFlow(self.name, peer.participant, publication.source, False))
        for mid, (publication, _) in list(peer.shown.items()):
            publication.unsubscribe(_name(peer, mid), now)
        peer.shown.clear()
        self._speaker.remove(peer.participant)
        peer.detach(now)
        self._host.retire(peer)
        if tell:
            self._host.emit(control.PeerState(self.name, peer.participant, state))
        self.reassign(now)

    # ---- what peers tell

    def on_state(self, peer: Peer, state: PeerStateName) -> None:
        now = self._clock()
        if self.peers.get(peer.participant) is not peer:
            return
        if state == "failed":
            self._remove(peer, now, tell=True, state="failed")
            return
        self._host.emit(control.PeerState(self.name, peer.participant, state))
        for publication, subscription in peer.shown.values():
            if state == "connected":
                subscription.gate.release("disconnected")
            else:
                subscription.gate.shut("disconnected")
            publication.refresh(now)
            publication.request_key(now)
        self.reassign(now)
        self._host.flush()

    def on_pointer(self, peer: Peer, text: str) -> None:
        if POINTER_SOURCE not in self.gates.get(peer.participant, frozenset()) or self.peers.get(peer.participant) is not peer:
            self.pointer_dropped += 1
            return
        self.pointer_relayed += 1
        for other in self.peers.values():
            if other is not peer and other.state == "connected" and self._reaches(peer.participant, other.participant):
                other.send_pointer(peer.participant, text)

    # ---- who sees what

    def _publications(self) -> list[Publication]:
        return [p for peer in self.peers.values() for p in peer.publications.values() if p.gate.open and p.flowing]

    def reassign(self, now: float) -> None:
        """Bring everybody's slots up to date and tell those whose slots changed."""
        self._dirty = False
        offered = self._publications()
        by_key = {(p.participant, p.source): p for p in offered}
        for peer in list(self.peers.values()):
            if peer.state != "connected":
                continue
            candidates = [
                Candidate(
                    (p.participant, p.source),
                    p.kind,
                    p.source == "screen",
                    max(self._speaker.spoke_at(p.participant), self._succession.spoke_at(p.participant)),
                    p.order,
                    p.participant,
                )
                for p in offered
                if self._may_see(peer, p)
            ]
            changes = peer.slots.update(candidates, self.receive.get(peer.participant, (None, {}))[0])
            for mid, key in changes:
                old = peer.shown.pop(mid, None)
                if old is not None:
                    key_before = old[0].participant, old[0].source
                    if key is not None and old[0].kind == "video" and peer.slots.taken.get(key_before) == key:
                        by_key[key].guesses = {u.height: u.rates[-1] for u in old[0].layers.values() if u.rates[-1] > 0}
                        old[0].leave(_name(peer, mid), now)
                    else:
                        old[0].unsubscribe(_name(peer, mid), now)
                if key is not None:
                    publication = by_key[key]
                    subscription = publication.subscribe(_name(peer, mid), peer.downlinks[mid], now)
                    peer.shown[mid] = publication, subscription
            if changes:
                peer.held = frozenset()
                self._director.allocate(peer, self._sizes(peer.participant), self._speaker.speaks, now)
                for mid, key in changes:
                    if key is not None:
                        publication = by_key[key]
                        self._host.catch_up(publication, peer.downlinks[mid], self._since(publication.participant, peer), now)
                        if publication.waits(now):
                            publication.request_key(now)
                self._tell_slots(peer)
                if "slot" not in peer.steps and any(p.kind == "video" for p, _ in peer.shown.values()):
                    peer.note("slot", now)
                    self._blind.add(peer)

    def _since(self, publisher: str, peer: Peer) -> float:
        """From when on this publisher's pictures were for this peer, too."""
        let_in = self._let_in
        return max(peer.session.created, let_in.get(publisher, 0.0), let_in.get(peer.participant, 0.0))

    def _in_sight(self, peer: Peer) -> list[Publication]:
        """The pictures that a new peer's slots will show, as things are now."""
        most = sum(d.kind == "video" for d in peer.downlinks.values())
        seen = [p for p in self._publications() if p.kind == "video" and self._may_see(peer, p)]
        return sorted(seen, key=lambda p: (p.source != "screen", -self._speaker.spoke_at(p.participant), p.order))[:most]

    def _expect(self, now: float) -> None:
        """Ask once for key frames of what those will see who are on their way, so that they are here as soon as they."""
        for peer, pictures in list(self._coming.items()):
            since = peer.session.created
            left = [p for p in pictures if p.key_asked_at < since and not p.request_key(now, p.best(now))]
            if left and peer.state == "connecting" and self.peers.get(peer.participant) is peer:
                self._coming[peer] = left
            else:
                del self._coming[peer]

    def _sees(self, peer: Peer) -> bool:
        """Whether a picture has been sent to this peer, or none ever will be."""
        for publication, subscription in peer.shown.values():
            uplink = subscription.downlink.uplink
            if publication.kind == "video" and uplink is not None:
                peer.note("key_asked", publication.key_asked_at)
                peer.note("key", uplink.key_at)
                peer.note("picture", max(uplink.key_at, peer.session.created + peer.steps["slot"]))
                return True
        return self.peers.get(peer.participant) is not peer

    def _may_see(self, peer: Peer, publication: Publication) -> bool:
        return (
            publication.participant != peer.participant
            and self._reaches(publication.participant, peer.participant)
            and self._receivable(peer, publication)
        )

    def _reaches(self, publisher: str, subscriber: str) -> bool:
        return self._audience(publisher).has(subscriber, self._audience(subscriber).circle)

    def _audience(self, participant: str) -> Audience:
        return self.audiences.get(participant, EVERYBODY)

    def _receivable(self, peer: Peer, publication: Publication) -> bool:
        return any(d.kind == publication.kind and publication.codec_key in d.codecs for d in peer.downlinks.values())

    def _sizes(self, participant: str) -> Mapping[str, int]:
        return self.receive.get(participant, (None, {}))[1]

    def _tell_slots(self, peer: Subscriber) -> None:
        current = self.peers.get(peer.participant)
        if current is None or current is not peer:
            return
        states = tuple(
            control.SlotState(mid, key[0] if key else None, key[1] if key else None, mid in current.held)
            for mid, key in current.slots.shown.items()
        )
        self._host.emit(control.Slots(self.name, peer.participant, states))

    # ---- time

    def tick(self, now: float) -> None:
        """Every 20 ms."""
        for participant, (video, sizes) in self._wishes.due(now):
            self._show(participant, video, sizes, now)
        for peer in list(self.peers.values()):
            peer.tick(now)
        self._expect(now)
        self._recording.tick(now)
        self.taps.tick(now)
        self._blind -= {peer for peer in self._blind if self._sees(peer)}
        self._director.tick(self.peers, self._sizes, self._speaker.speaks, now)
        for peer in self.peers.values():
            for publication in peer.publications.values():
                self._watch(publication, now)
        self._drop_heirs(self._succession.due(self._flows, now))
        speakers = self._speaker.changed(now)
        if speakers is not None:
            self._host.emit(control.Speaking(self.name, speakers))
            self._dirty = True
        if self._dirty:
            self.reassign(now)

    def _flows(self, key: Key) -> bool:
        peer = self.peers.get(key[0])
        return peer is not None and any(p.source == key[1] and p.flowing for p in peer.publications.values())

    def _watch(self, publication: Publication, now: float) -> None:
        flowing = publication.last_at > 0 and now - publication.last_at < FLOW_TIMEOUT_S
        if flowing != publication.flowing:
            publication.flowing = flowing
            self._host.emit(control.TrackFlow(self.name, publication.participant, publication.source, flowing))
            self._dirty = True
        publication.settle(now)
        if publication.kind == "video" and publication.waits(now):
            publication.request_key(now)

    def stats(self) -> dict[str, object]:
        return {
            "room": self.name,
            "pointer_relayed": self.pointer_relayed,
            "pointer_dropped": self.pointer_dropped,
            "taps": self.taps.stats(),
            "participants": {name: peer.stats() for name, peer in self.peers.items()},
        }


def _name(peer: Peer, mid: str) -> str:
    return f"{peer.participant}/{mid}"
