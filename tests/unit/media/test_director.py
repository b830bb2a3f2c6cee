"""Who is sent which layer: estimate, sizes, speakers and screens, held pictures, and what publishers are told."""

from typing import Any

import pytest

from media import control
from media.congestion.allocate import HOLD_AFTER_S
from media.relay.director import ALLOCATE_S, Director
from media.relay.epoch import EVERYTHING
from media.relay.layers import PAUSE_AFTER_S
from media.relay.publication import Publication
from media.relay.uplink import PublisherClock, Uplink
from tests.support.room_parts import Person, camera, flow, layer

RATES = {"q": (1, 180, 150_000), "h": (2, 360, 500_000), "f": (3, 720, 1_500_000)}


class Stage:
    """One publisher with a camera in three layers that all flow, one viewer."""

    def __init__(self, start_bps: int = 3_000_000) -> None:
        self.events: list[Any] = []
        self.told: list[frozenset[str]] = []
        self.director = Director("room", self.events.append, lambda peer: self.told.append(peer.held))
        self.publisher = Person("p")
        self.source = camera(*RATES)
        self.publisher.publications["1"] = self.source
        self.layers = {rid: layer(self.source, rid, ssrc, lines) for rid, (ssrc, lines, _) in RATES.items()}
        self.viewer = Person("v", start_bps=start_bps)
        self.slot = self.viewer.sees(self.source, "7")
        self.sizes: dict[str, int] = {"7": 720}
        self.now = 0.0
        self.run(1.0)

    def run(self, seconds: float) -> None:
        end = self.now + seconds
        while self.now < end:
            self.now += 0.02
            for rid, (_, _, bps) in RATES.items():
                if self.source.gate.open:
                    flow(self.layers[rid], self.now, bps // 400)
            self.director.tick({"p": self.publisher, "v": self.viewer}, lambda name: self.sizes, lambda name: False, self.now)

    def tell(self, bps: int) -> None:
        """The viewer's own estimate, as if it were transport-wide feedback."""
        self.viewer.quality.estimator.on_remb(bps, self.now)
        self.viewer.quality.twcc_at = self.now
        self.viewer.quality._settled()


def test_the_estimate_and_the_size_choose_the_layer() -> None:
    stage = Stage()
    assert stage.slot.target == "f"
    assert stage.slot.pending is stage.layers["f"]
    stage.sizes["7"] = 180
    stage.run(ALLOCATE_S)
    assert stage.slot.target == "q"
    del stage.sizes["7"]
    stage.run(3.0)
    assert stage.slot.target == "f"


def test_a_fallen_estimate_is_obeyed_at_the_next_tick_and_a_picture_that_does_not_fit_is_held_after_a_while() -> None:
    stage = Stage()
    stage.tell(300_000)
    stage.run(0.02)
    assert stage.slot.target == "q"
    for _ in range(4):
        stage.tell(100_000)
        stage.run(0.02)
        assert (stage.told, stage.slot.target) == ([], "q")
        stage.run(HOLD_AFTER_S / 4)
    assert stage.told == [frozenset({"7"})]
    assert stage.slot not in stage.source.active
    stage.run(1.0)
    network = [event for event in stage.events if isinstance(event, control.Network)]
    assert (network[-1].limit, network[-1].held) == ("bandwidth", 1)
    stage.tell(2_000_000)
    stage.run(4.0)
    stage.tell(2_000_000)
    stage.run(4.0)
    assert stage.told[-1] == frozenset()
    assert stage.slot in stage.source.active


def test_what_is_not_seen_is_not_sent_and_not_called_held() -> None:
    stage = Stage()
    stage.sizes["7"] = 0
    stage.run(ALLOCATE_S)
    assert stage.source.subscriptions["v/7"].gate.reasons == {"unseen"}
    assert stage.told == []
    stage.sizes["7"] = 720
    stage.run(ALLOCATE_S)
    assert stage.slot in stage.source.active
    assert stage.slot.pending is not None


def test_publishers_are_told_which_layers_are_needed() -> None:
    stage = Stage()
    stage.sizes["7"] = 360
    stage.run(PAUSE_AFTER_S + 1)
    assert [e.active for e in stage.events if isinstance(e, control.Encodings)][-1] == ("q", "h")
    stage.sizes["7"] = 720
    stage.run(3.0)
    told = [e for e in stage.events if isinstance(e, control.Encodings)]
    assert told[-1] == control.Encodings("room", "p", "camera", ("q", "h", "f"))


def test_a_screen_comes_before_a_camera_and_sound_before_both() -> None:
    stage = Stage(start_bps=1_000_000)
    screen = camera("", participant="p", source="screen")
    screen.rids = ()
    shared = layer(screen, "", 9, 1080)
    voice = Publication("p", "microphone", "audio", "0", "opus", 1)
    voice.gate.release("consent")
    voice.layers[""] = Uplink(20, "audio", "opus", 48000, PublisherClock())
    stage.publisher.publications |= {"2": screen, "0": voice}
    second = stage.viewer.sees(screen, "8")
    sound = stage.viewer.sees(voice, "3")
    for _ in range(60):
        flow(shared, stage.now, 1500)
        stage.run(0.02)
    assert second.target == ""
    assert second in screen.active
    assert sound in voice.active
    assert stage.slot.target in ("q", None) or stage.slot not in stage.source.active


def test_a_flood_in_place_of_a_voice_holds_nobodys_picture() -> None:
    stage = Stage(start_bps=2_000_000)
    voice = Publication("p", "microphone", "audio", "0", "opus", 1)
    voice.gate.release("consent")
    flood = voice.layers[""] = Uplink(20, "audio", "opus", 48000, PublisherClock())
    stage.publisher.publications["0"] = voice
    stage.viewer.sees(voice, "3")
    stage.viewer.quality.twcc_at = 0.0  # who tells of what comes may have pictures held
    for _ in range(60):
        for _ in range(30):
            flow(flood, stage.now, 1500)
        stage.run(0.02)
    stage.run(2 * HOLD_AFTER_S)  # what was measured is remembered while nothing comes
    assert flood.rates[-1] > 10_000_000
    assert stage.viewer.held == frozenset()
    assert stage.slot in stage.source.active


@pytest.mark.parametrize("top", [0, 2])
def test_the_highest_temporal_layer_is_everything(top: int) -> None:
    stage = Stage()
    for uplink in stage.layers.values():
        uplink.top_tid = top
    stage.run(ALLOCATE_S)
    assert stage.slot.next_tid == EVERYTHING
