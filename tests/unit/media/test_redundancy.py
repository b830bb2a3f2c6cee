"""When a voice is sent with redundancy: where it helps, for whom, for how long; and what its sender is told."""

import pytest

from media import control
from media.congestion.allocate import Allocation
from media.relay.director import ALLOCATE_S, Director
from media.relay.epoch import SlotCodec
from media.relay.publication import Publication
from media.relay.redundancy import AGAIN_S, MIN_PACKETS, OFF_AFTER_S, WITH, WITHOUT, Need, Redundancy
from media.relay.uplink import PublisherClock, Uplink
from tests.support.room_parts import Person

FAR, NEAR = 0.2, 0.02
PACKETS_S = 50


class Room:
    """One who speaks and two who listen; ``lost``: by direction, every so manieth packet."""

    def __init__(self, *, red: bool = True) -> None:
        self.told: list[tuple[str, ...]] = []
        self.director = Director("room", self._heard, lambda peer: None)
        self.speaker = Person("p")
        self.voice = Publication("p", "microphone", "audio", "0", "opus", 1)
        self.voice.red = red
        self.voice.gate.release("consent")
        self.uplink = self.voice.layers[""] = Uplink(3, "audio", "opus", 48_000, PublisherClock(), nack=True)
        self.speaker.publications["0"] = self.voice
        self.people = {"p": self.speaker, "a": Person("a"), "b": Person("b")}
        self.slots = {name: self.people[name].sees(self.voice, "7") for name in ("a", "b")}
        for slot in self.slots.values():
            slot.codecs = {"opus": SlotCodec(111, None, True, 63)}
        self.rtt_s: float | None = FAR
        self.lost: dict[str, int] = {}
        self.obeys = True
        self.now = 0.0
        self.sent = 0

    def _heard(self, event: control.Event) -> None:
        if isinstance(event, control.Encodings):
            assert (event.participant, event.source) == ("p", "microphone")
            self.told.append(event.active)

    def run(self, seconds: float, *, silent: bool = False) -> None:
        for _ in range(round(seconds * PACKETS_S)):
            self.now += 1 / PACKETS_S
            self.sent += not silent
            if not silent and (not self.lost.get("up") or self.sent % self.lost["up"]):
                self.uplink.receive(self.sent & 0xFFFF, 960 * self.sent & 0xFFFFFFFF, 80, self.now)
                if self.obeys and self.told and self.told[-1] == WITH:
                    self.uplink.red_at = self.now
            self.uplink.nacks_due(self.now)
            for name, slot in self.slots.items():
                slot.packets += not silent
                slot.asked += bool(not silent and self.lost.get(name) and self.sent % self.lost[name] == 0)
            for person in self.people.values():
                if self.rtt_s is not None:
                    person.quality.estimator.on_report(0.0, self.rtt_s, self.now, None)
            self.director.tick(self.people, lambda name: {}, lambda name: False, self.now)

    def protected(self) -> list[str]:
        return [name for name, slot in self.slots.items() if slot.redundant]


def test_nobody_pays_for_a_good_line() -> None:
    room = Room()
    room.run(8)
    assert (room.told, room.protected()) == ([], [])


def test_a_lossy_line_of_a_listener_is_for_that_listener() -> None:
    room = Room()
    room.run(2)
    room.lost["b"] = 10
    room.run(4)
    assert (room.told, room.protected()) == ([WITH], ["b"])
    room.run(6)
    assert room.told == [WITH]
    room.lost = {}
    room.run(OFF_AFTER_S / 2)
    assert room.protected() == ["b"]
    room.run(OFF_AFTER_S + 2)
    assert (room.told, room.protected()) == ([WITH, WITHOUT], [])


def test_a_lossy_line_of_the_speaker_is_for_the_relay() -> None:
    room = Room()
    room.lost["up"] = 10
    room.run(5)
    assert (room.told, room.protected()) == ([WITH], [])
    room.lost = {}
    room.run(OFF_AFTER_S + 8)
    assert room.told == [WITH, WITHOUT]


@pytest.mark.parametrize(("rtt_s", "every", "wanted"), [(NEAR, 10, False), (NEAR, 5, True), (FAR, 50, False), (None, 10, True)])
def test_what_is_sent_again_in_time_needs_none(rtt_s: float | None, every: int, wanted: bool) -> None:
    room = Room()
    room.rtt_s = rtt_s
    room.lost = {"up": every, "a": every}
    room.run(6)
    assert room.told == ([WITH] if wanted else [])
    assert room.protected() == (["a"] if wanted else [])


def test_what_was_not_negotiated_is_not_asked_for() -> None:
    room = Room(red=False)
    room.lost = {"up": 5, "a": 5}
    room.run(6)
    assert (room.told, room.protected()) == ([], [])


def test_a_listener_who_cannot_read_it_costs_nobody_anything_else() -> None:
    room = Room()
    room.slots["a"].codecs = {"opus": SlotCodec(111, None, True)}
    room.lost["a"] = 5
    room.run(6)
    assert room.told == []


def test_who_does_not_do_what_was_said_is_told_again_now_and_then_unless_silent() -> None:
    room = Room()
    room.obeys = False
    room.lost["up"] = 10
    room.run(5)
    assert room.told == [WITH]
    room.run(AGAIN_S)
    assert room.told == [WITH, WITH]
    room.run(2 * AGAIN_S, silent=True)
    assert room.told == [WITH, WITH]


def test_a_slot_that_shows_a_voice_again_says_nothing_of_what_it_lost_before() -> None:
    room = Room()
    listener = room.people["a"]
    room.run(2)
    other = Publication("q", "microphone", "audio", "0", "opus", 2)
    other.red = True
    other.layers[""] = Uplink(5, "audio", "opus", 48_000, PublisherClock(), nack=True)
    slot = listener.sees(other, "8")
    slot.codecs = {"opus": SlotCodec(111, None, True, 63)}
    slot.packets, slot.asked = 10_000, 4_000
    room.run(2)
    assert room.told == []
    del listener.shown["8"]
    slot.packets, slot.asked = 11_000, 5_000
    room.run(1)
    listener.shown["8"] = other, other.subscriptions["a/8"]
    room.run(4)
    assert (room.told, room.protected()) == ([], [])


def test_silence_says_nothing_of_a_line_and_a_sender_who_began_anew_is_no_loss() -> None:
    room = Room()
    room.run(2)
    for _ in range(MIN_PACKETS - 2):
        room.sent += 9  # one came, eight of nine did not
    room.uplink = room.voice.layers[""] = Uplink(4, "audio", "opus", 48_000, PublisherClock(), nack=True)
    room.run(4)
    assert room.told == []


def test_what_a_full_line_loses_is_not_a_reason() -> None:
    room = Room()
    listener, slot = room.people["a"], room.slots["a"]
    listener.quality.twcc_at = 0.0
    listener.quality.estimator.loss_bound.clear = False
    redundancy = Redundancy(lambda voice, active: room.told.append(active))
    for step in range(80):
        slot.packets += 10
        slot.asked += 2
        listener.quality.allocation = Allocation({}, 1, 2 if step < 40 else 1, 0)
        redundancy.tick(room.people, step * ALLOCATE_S)
        if step < 40:
            assert room.told == []
    assert room.told == [WITH]


def test_a_moment_is_not_enough_and_one_good_look_does_not_end_it() -> None:
    need = Need(0.0)
    now = 0.0
    for loss in (0.05, 0.05, 0.0):
        now += ALLOCATE_S
        assert not need.update(loss, FAR, now)
    while not need.update(0.05, FAR, now):
        now += ALLOCATE_S
    assert now < 5
    assert need.update(0.0, FAR, now + ALLOCATE_S)
