"""What a decoder is given: nothing before a key frame, nothing across a hole, and no more pictures than were asked for."""

from hypothesis import given
from hypothesis import strategies as st

from media.tap.incoming import HOLD_S, Chooser, Coded, Incoming
from media.tap.wire import Kind, Record, pack, read
from tests.support.packetise import vp8


def begins(codec: str = "vp8") -> Record:
    return _record(pack(Kind.BEGINS, codec.encode()))


def _record(data: bytes) -> Record:
    record = read(data)
    assert record is not None
    return record


def key(size: int = 10) -> bytes:
    return b"\x10" + bytes(size - 1)


def delta(size: int = 10) -> bytes:
    return b"\x11" + bytes(size - 1)


class Sender:
    """Frames as records, numbered on."""

    def __init__(self) -> None:
        self.seq, self.frames = 100, 0

    def frame(self, data: bytes, stream: int = 1) -> list[Record]:
        self.frames += 1
        payloads = vp8(data, 300)
        out = []
        for i, payload in enumerate(payloads):
            out.append(
                _record(
                    pack(
                        Kind.PACKET, payload, marker=i == len(payloads) - 1, seq=self.seq, ts=3000 * self.frames, stream=stream,
                        at_us=self.seq,
                    )
                )
            )  # fmt: skip
            self.seq += 1
        return out


def feed(made: Incoming, records: list[Record], now: float = 0.0) -> list[Coded]:
    return [coded for record in records for coded in made.take(record, now)]


def ready() -> tuple[Incoming, Sender]:
    made = Incoming()
    assert made.take(begins(), 0.0) == []
    return made, Sender()


def test_frames_come_from_a_key_frame_on() -> None:
    made, sender = ready()
    assert feed(made, sender.frame(delta())) == []
    [first] = feed(made, sender.frame(key(700)))
    assert (first.frame.key, first.lost, first.at_us) == (True, 1, sender.seq - 1)
    [second] = feed(made, sender.frame(delta()))
    assert (second.frame.key, second.lost) == (False, 0)
    assert (made.codec, made.whole, made.broken, made.over) == ("vp8", 3, 0, "")


def test_after_a_hole_nothing_until_the_next_key_frame() -> None:
    made, sender = ready()
    feed(made, sender.frame(key()))
    cut = sender.frame(delta(900))
    assert feed(made, [cut[0], cut[2]]) == []
    assert feed(made, sender.frame(delta()), 0.1) == []
    assert made.due(0.2) == []
    assert made.due(HOLD_S + 0.01) == []  # now it is given up
    assert feed(made, sender.frame(delta()), 0.3) == []
    [again] = feed(made, sender.frame(key()), 0.3)
    assert again.frame.key
    assert again.lost == 3
    assert made.broken == 1


def test_what_comes_late_fills_its_hole() -> None:
    made, sender = ready()
    feed(made, sender.frame(key()))
    parts = sender.frame(delta(900))
    assert feed(made, [parts[0], parts[2]]) == []
    assert len(made.take(parts[1], 0.1)) == 1
    assert made.broken == 0


def test_another_stream_begins_with_a_key_frame() -> None:
    made, sender = ready()
    feed(made, sender.frame(key()))
    sender.seq = 40_000
    assert feed(made, sender.frame(delta(), stream=2)) == []
    assert len(feed(made, sender.frame(key(), stream=2))) == 1


def test_the_end_is_the_end() -> None:
    made, sender = ready()
    made.take(_record(pack(Kind.OVER, b"gate")), 0.0)
    assert made.over == "gate"
    assert feed(made, sender.frame(key())) == []
    assert made.due(9.0) == []


def test_an_unknown_codec_two_codecs_and_none() -> None:
    for records, reason in (
        ([begins("h265")], "bad_codec"),
        ([begins(), begins()], "bad_codec"),
        (Sender().frame(key()), "bad_order"),
    ):
        made = Incoming()
        assert made.due(1.0) == []
        assert feed(made, records) == []
        assert made.over == reason


@given(st.lists(st.binary(max_size=80), max_size=40))
def test_any_records_are_taken(datagrams: list[bytes]) -> None:
    made, sender = ready()
    feed(made, sender.frame(key()))
    for number, data in enumerate(datagrams):
        record = read(b"\x02" + data)
        if record is not None:
            made.take(record, number * 0.05)
    assert made.codec == "vp8"


def test_no_more_pictures_than_were_asked_for() -> None:
    every = 33_333
    for fps in (1.0, 5.0, 10.0, 15.0):
        chooser = Chooser(fps)
        shown = [at for at in range(0, 3_000_000, every) if chooser.shows(at)]
        assert abs(len(shown) - 3 * fps) <= 1


@given(st.lists(st.integers(0, 200_000), max_size=200), st.sampled_from([1.0, 7.5, 15.0]))
def test_bursts_and_pauses_bring_no_more_either(steps: list[int], fps: float) -> None:
    chooser = Chooser(fps)
    at, shown = 1_000_000, []
    for step in steps:
        at += step
        if chooser.shows(at):
            shown.append(at)
    for index, first in enumerate(shown):
        within = [one for one in shown[index:] if one < first + 1_000_000]
        assert len(within) <= fps + 2
