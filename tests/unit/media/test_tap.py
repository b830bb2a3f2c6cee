"""A room's taps: which layer, from where on, what is dropped, and everything that ends them."""

from typing import Any

import pytest

from media.relay.tap import MAX_JUMP, MOST, Taps, codec_of
from media.relay.uplink import RingEntry, Uplink
from media.tap.errors import TapRefused
from media.tap.wire import MAX_RECORD_BYTES, MAX_SECONDS, Kind, Record, read
from tests.support.room_parts import camera, flow, layer


class Kept:
    """An outlet that keeps what it gets; ``full``: it drops."""

    def __init__(self) -> None:
        self.alive, self.full, self.closed, self.flushed = True, False, False, 0
        self.records: list[Record] = []

    def send(self, record: bytes) -> bool:
        made = read(record)
        assert made is not None
        if not self.full:
            self.records.append(made)
        return not self.full

    def flush(self) -> None:
        self.flushed += 1

    def close(self) -> None:
        self.closed = True

    @property
    def numbers(self) -> list[tuple[int, int]]:
        return [(one.stream, one.seq) for one in self.records if one.kind is Kind.PACKET]


class Lab:
    def __init__(self, *rids: str, height: int = 0) -> None:
        self.now = 100.0
        self.publication = camera(*rids)
        self.layers = {rid: layer(self.publication, rid, 10 + n, 180 << n) for n, rid in enumerate(rids or ("",))}
        for uplink in self.layers.values():
            flow(uplink, self.now)
        self.asked: list[int] = []
        self.publication.ask_key = lambda uplink: self.asked.append(uplink.ssrc)
        self.ended: list[tuple[str, str]] = []
        self.taps = Taps(lambda name, reason: self.ended.append((name, reason)))
        self.outlet = Kept()
        self._seq = 500
        self.taps.open("t", self.publication, lambda: self.outlet, height, 30.0, self.now)

    @property
    def tap(self) -> Any:
        return self.publication.sinks[0]

    def packet(self, uplink: Uplink, *, key: bool = False, late: bool = False, seq: int | None = None, size: int = 10) -> None:
        if seq is None:
            self._seq += 1
            seq = self._seq
        for sink in self.publication.sinks:
            sink.packet(uplink, RingEntry(seq & 0xFFFF, 9, 0x80, bytes(size), None), key, late, self.now)

    def frame(self, uplink: Uplink, ts: int, *, key: bool = False, late: bool = False) -> None:
        """Of one packet."""
        if not late:
            self._seq += 1
        for sink in self.publication.sinks:
            sink.packet(uplink, RingEntry(self._seq & 0xFFFF, ts, 0x80, bytes(10), None), key, late, self.now)


def test_it_begins_with_a_key_frame_asked_for_at_once() -> None:
    lab = Lab()
    [uplink] = lab.layers.values()
    assert lab.asked == [uplink.ssrc]
    assert lab.publication.waits(lab.now)
    lab.packet(uplink)
    lab.packet(uplink, key=True)
    lab.packet(uplink)
    assert lab.outlet.records[0].rest == b"vp8"
    assert lab.outlet.numbers == [(1, 502), (1, 503)]
    assert not lab.publication.waits(lab.now)
    assert lab.taps.stats()["t"]["packets"] == 2


def test_its_key_frame_is_asked_for_at_once_although_one_was_just_asked_for() -> None:
    lab = Lab()
    [uplink] = lab.layers.values()
    lab.taps.close("t")
    lab.now += 5
    del lab.asked[:]
    lab.publication.request_key(lab.now, uplink)
    lab.publication.request_key(lab.now + 0.01, uplink)
    assert lab.asked == [uplink.ssrc]  # as for viewers: not so soon again
    lab.taps.open("u", lab.publication, Kept, 0, 30.0, lab.now + 0.02)
    assert lab.asked == [uplink.ssrc] * 2


def test_none_lasts_longer_than_the_longest_however_long_is_asked_for() -> None:
    lab = Lab()
    lab.taps.open("long", lab.publication, Kept, 0, 1e9, lab.now)
    lab.taps.tick(lab.now + MAX_SECONDS - 0.1)
    assert len(lab.taps) == 1
    lab.taps.tick(lab.now + MAX_SECONDS)
    assert (len(lab.taps), lab.ended[-1]) == (0, ("long", "time"))


def test_the_smallest_layer_that_is_tall_enough() -> None:
    for height, rid in ((0, "f"), (100, "q"), (180, "q"), (300, "h"), (720, "f"), (1000, "f")):
        lab = Lab("q", "h", "f", height=height)
        assert lab.tap.target == rid
        assert lab.asked == [lab.layers[rid].ssrc]


def test_a_screen_taller_than_can_be_decoded_is_taken_in_a_lower_layer() -> None:
    lab = Lab("l", "h")
    lab.layers["h"].height, lab.layers["l"].height = 2160, 1080
    lab.tap.steer(lab.now)
    assert lab.tap.target == "l"


def test_a_telephone_that_is_held_upright_is_seen_in_full_where_that_is_asked_for() -> None:
    for height, rid in ((480, "h"), (720, "h"), (1280, "f")):
        lab = Lab("q", "h", "f", height=height)
        for one, lines in (("q", 320), ("h", 640), ("f", 1280)):
            lab.layers[one].height = lines
        lab.tap.steer(lab.now)
        assert lab.tap.target == rid


def test_another_layer_is_another_stream() -> None:
    lab = Lab("q", "h")
    lab.packet(lab.layers["h"], key=True)
    lab.now += 5.0
    flow(lab.layers["q"], lab.now)  # the upper one has stopped
    lab.taps.tick(lab.now)
    assert lab.tap.pending is lab.layers["q"]
    lab.packet(lab.layers["q"])
    lab.packet(lab.layers["q"], key=True)
    assert lab.outlet.numbers == [(1, 501), (2, 503)]


def test_late_packets_go_along_but_begin_nothing() -> None:
    lab = Lab()
    [uplink] = lab.layers.values()
    lab.packet(uplink, key=True, late=True, seq=400)
    assert lab.outlet.numbers == []
    lab.packet(uplink, key=True, seq=500)
    lab.packet(uplink, seq=502)
    lab.packet(uplink, late=True, seq=501)
    assert lab.outlet.numbers == [(1, 500), (1, 502), (1, 501)]


def test_numbers_that_jump_are_another_stream() -> None:
    lab = Lab()
    [uplink] = lab.layers.values()
    lab.packet(uplink, key=True, seq=500)
    lab.packet(uplink, seq=500 + MAX_JUMP)
    assert lab.publication.waits(lab.now)
    lab.packet(uplink, key=True, seq=500 + MAX_JUMP + 1)
    assert lab.outlet.numbers == [(1, 500), (2, 500 + MAX_JUMP + 1)]


def test_what_finds_no_room_is_dropped_and_a_key_frame_asked_for() -> None:
    lab = Lab()
    [uplink] = lab.layers.values()
    lab.packet(uplink, key=True)
    lab.outlet.full = True
    lab.packet(uplink)
    lab.outlet.full = False
    lab.packet(uplink)
    assert lab.publication.waits(lab.now)
    lab.packet(uplink, key=True)
    lab.packet(uplink, size=MAX_RECORD_BYTES)
    assert lab.outlet.numbers == [(1, 501), (2, 504)]
    assert lab.taps.stats()["t"]["dropped"] == 2


@pytest.mark.parametrize("how", ["gate", "gone", "lost", "time", "clear", "close"])
def test_what_ends_it(how: str) -> None:
    lab = Lab()
    [uplink] = lab.layers.values()
    lab.packet(uplink, key=True)
    if how == "gate":
        lab.taps.refresh(lab.publication)
        assert len(lab.taps) == 1
        lab.publication.gate.shut("consent")
        lab.taps.refresh(lab.publication)
    elif how == "gone":
        lab.taps.gone(camera())
        lab.taps.gone(lab.publication)
    elif how == "lost":
        lab.outlet.alive = False
        lab.taps.tick(lab.now)
    elif how == "time":
        lab.taps.tick(lab.now + 29.9)
        assert len(lab.taps) == 1
        lab.taps.tick(lab.now + 30.0)
    elif how == "clear":
        lab.taps.clear()
    else:
        lab.taps.close("t")
        lab.taps.close("t")
    assert lab.ended == {"close": [], "clear": [("t", "gone")]}.get(how, [("t", how)])
    assert (len(lab.taps), lab.publication.sinks, lab.outlet.closed) == (0, (), True)
    assert lab.outlet.records[-1].kind is Kind.OVER
    count = len(lab.outlet.records)
    lab.packet(uplink)
    lab.taps.tick(lab.now)
    assert len(lab.outlet.records) == count


def test_what_is_refused() -> None:
    taps = Taps(lambda name, reason: None)

    def refused(name: str, publication: Any) -> str:
        with pytest.raises(TapRefused) as error:
            taps.open(name, publication, Kept, 0, 30.0, 1.0)
        return error.value.code

    voice = camera()
    voice.kind = "audio"
    shut = camera()
    shut.gate.shut("hold")
    other = camera()
    other.codec_key = "H265"
    assert refused("t", None) == refused("t", voice) == "no_such_source"
    assert refused("t", shut) == "gate_shut"
    assert refused("t", other) == "bad_codec"
    for number in range(MOST):
        taps.open(str(number), camera(), Kept, 0, 30.0, 1.0)
    assert refused("one more", camera()) == "busy"
    taps.close("0")
    assert refused("1", camera()) == "busy"
    assert codec_of(camera()) == "vp8"


def test_a_source_of_which_nothing_came_yet_is_waited_for() -> None:
    publication = camera()
    taps = Taps(lambda name, reason: None)
    taps.open("t", publication, Kept, 0, 30.0, 1.0)
    [tap] = publication.sinks
    assert tap.pending is None
    uplink = layer(publication, "", 10)
    flow(uplink, 1.1)
    taps.tick(1.1)
    assert tap.pending is uplink
    tap.report(uplink, 1, 2, 1.1)


def test_more_pictures_than_are_decoded_in_time_end_it() -> None:
    lab = Lab()
    [uplink] = lab.layers.values()
    for number in range(1000):
        lab.now += 1 / 300
        lab.frame(uplink, number * 300, key=number == 0)
        lab.taps.tick(lab.now)
        if lab.ended:
            break
    assert lab.ended == [("t", "too_many")]
    frames = len({one.ts for one in lab.outlet.records if one.kind is Kind.PACKET})
    assert 120 <= frames <= 160, "and what is over that reaches no decoder"
    assert lab.outlet.records[-1].rest == b"too_many"


@pytest.mark.parametrize(("fps", "stalls"), [(30, 3.0), (60, 0.0)])
def test_a_camera_that_a_network_held_back_goes_on(fps: int, stalls: float) -> None:
    """All that waited comes at once, each third packet a second time as its first was lost."""
    lab = Lab()
    [uplink] = lab.layers.values()
    for number in range(fps * 20):
        sent = 100.0 + number / fps
        lab.now = max(sent, 100.0 + 5.0 + stalls) if 105.0 <= sent < 105.0 + stalls else max(lab.now, sent)
        lab.frame(uplink, number * 3000, key=number == 0)
        lab.taps.tick(lab.now)
    assert lab.ended == []
    assert len(lab.outlet.numbers) == fps * 20


def test_frames_that_come_late_are_counted_too() -> None:
    """Else whoever sends the second of two first would have twice as many decoded."""
    lab = Lab()
    [uplink] = lab.layers.values()
    lab.frame(uplink, 0, key=True)
    for number in range(1, 1000, 2):
        lab.now += 1 / 50
        lab.frame(uplink, (number + 1) * 300)
        lab.frame(uplink, number * 300, late=True)
        lab.taps.tick(lab.now)
        if lab.ended:
            break
    assert lab.ended == [("t", "too_many")]
