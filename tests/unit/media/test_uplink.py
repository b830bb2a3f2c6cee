import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.relay.uplink import (
    NACK_AGAIN_S,
    NACK_AGE_S,
    NACK_TRIES,
    REPORTS_WITHIN_S,
    VOICE_NACK_AGE_S,
    VOICE_RING,
    Arrived,
    PublisherClock,
    RingEntry,
    Uplink,
)


def video(*, nack: bool = True) -> Uplink:
    return Uplink(1, "video", "vp8", 90000, PublisherClock(), nack=nack)


def feed(uplink: Uplink, *numbers: int, now: float = 1.0) -> list[Arrived]:
    return [uplink.receive(n & 0xFFFF, 3000 * n & 0xFFFFFFFF, 100, now) for n in numbers]


def test_numbers_wrap_and_duplicates_are_refused() -> None:
    uplink = video()
    assert feed(uplink, 65534, 65535, 0, 1) == [Arrived.NEW] * 4
    assert uplink.cycles == 1
    assert feed(uplink, 1, 0, 65535) == [Arrived.REFUSED] * 3
    assert uplink.report(1.0).highest_sequence == 65536 + 1


def test_a_gap_over_the_wrap_is_counted_once() -> None:
    uplink = video()
    feed(uplink, 65534, 2)
    assert uplink.cycles == 1
    assert uplink.nacks_due(1.0) == [65535, 0, 1]


def test_missing_packets_are_asked_for_until_they_come() -> None:
    uplink = video()
    feed(uplink, 10, 13)
    assert uplink.nacks_due(1.0) == [11, 12]
    assert uplink.nacks_due(1.0) == []
    assert feed(uplink, 12) == [Arrived.LATE]
    assert uplink.missing(11)
    assert not uplink.missing(12)
    assert uplink.nacks_due(1.0 + NACK_AGAIN_S) == [11]
    assert feed(uplink, 12) == [Arrived.REFUSED]
    assert uplink.late == 1
    assert uplink.nacked == 3


def test_asking_ends_by_count_and_by_age_with_a_wish_for_a_key_frame() -> None:
    uplink = video()
    feed(uplink, 1, 3)
    now = 1.0
    for _ in range(NACK_TRIES):
        assert uplink.nacks_due(now) == [2]
        now += NACK_AGAIN_S
    assert uplink.nacks_due(now) == []
    assert uplink.wants_key
    old = video()
    feed(old, 1, 3)
    assert old.nacks_due(1.1 + NACK_AGE_S) == []
    assert not old.missing(2)


def test_without_nack_nothing_is_asked_but_late_packets_still_count() -> None:
    uplink = Uplink(1, "audio", "opus", 48000, PublisherClock())
    feed(uplink, 1, 3)
    assert uplink.nacks_due(1.0) == []
    assert feed(uplink, 2) == [Arrived.LATE]
    feed(uplink, 5)
    assert uplink.nacks_due(3.0) == []
    assert not uplink.wants_key
    assert uplink.kept(1) is None


def test_a_voice_is_asked_for_while_it_can_still_be_played() -> None:
    uplink = Uplink(1, "audio", "opus", 48000, PublisherClock(), nack=True)
    feed(uplink, 1, 3)
    asked = []
    for tick in range(40):
        asked += [tick for _ in uplink.nacks_due(1.0 + 0.02 * tick, rtt_s=0.03)]
    assert asked[0] == 0
    assert len(asked) >= 4
    assert asked[-1] * 0.02 <= VOICE_NACK_AGE_S
    assert not uplink.missing(2)
    assert not uplink.wants_key
    feed(uplink, 6, 7, 5, now=2.0)
    assert (uplink.late, uplink.recovered) == (1, 0)  # it only came late
    assert uplink.nacks_due(2.0) == [4]
    feed(uplink, 4, now=2.1)
    assert (uplink.late, uplink.recovered) == (2, 1)
    slow = Uplink(1, "audio", "opus", 48000, PublisherClock(), nack=True)
    feed(slow, 1, 3)
    assert [tick for tick in range(40) if slow.nacks_due(1.0 + 0.02 * tick, rtt_s=0.12)] == [0, 9, 18]


def test_a_voices_ring_is_five_seconds_long() -> None:
    uplink = Uplink(1, "audio", "opus", 48000, PublisherClock())
    for number in range(65_500, 65_500 + VOICE_RING + 10):
        uplink.keep(RingEntry(number & 0xFFFF, 0, 0, b"", None, 30))
    assert uplink.kept(65_509) is None
    assert uplink.kept(65_510) == RingEntry(65_510, 0, 0, b"", None, 30)
    assert uplink.kept(65_500 + VOICE_RING + 9 & 0xFFFF) is not None


def test_a_long_gap_asks_for_a_key_frame_instead() -> None:
    uplink = video()
    assert feed(uplink, 1, 600) == [Arrived.NEW, Arrived.NEW]
    assert uplink.wants_key
    assert uplink.nacks_due(1.0) == []


def test_a_jump_needs_two_in_a_row() -> None:
    uplink = video()
    feed(uplink, 1, 2)
    uplink.keep(RingEntry(2, 0, 0, b"x", None))
    assert feed(uplink, 20000) == [Arrived.REFUSED]
    assert feed(uplink, 3) == [Arrived.NEW]
    assert feed(uplink, 20000, 20001) == [Arrived.REFUSED, Arrived.RESTARTED]
    assert uplink.kept(2) is None
    assert feed(uplink, 20002) == [Arrived.NEW]
    assert uplink.report(1.0).packets_lost == 0


def test_the_ring_keeps_the_newest_and_can_be_cleared() -> None:
    uplink = video()
    entry = RingEntry(5, 1, 0x80, b"x", None)
    uplink.keep(entry)
    assert uplink.kept(5) == entry
    assert uplink.kept(5 + 1024) is None
    uplink.keep(RingEntry(5 + 1024, 1, 0, b"y", None))
    assert uplink.kept(5) is None
    uplink.clear_ring()
    assert uplink.kept(5 + 1024) is None


def test_reports_say_loss_since_the_last_one() -> None:
    uplink = video()
    feed(uplink, 1, 2, 4)
    first = uplink.report(1.0)
    assert (first.fraction_lost, first.packets_lost, first.highest_sequence) == (64, 1, 4)
    feed(uplink, 5, 6)
    second = uplink.report(1.0)
    assert (second.fraction_lost, second.packets_lost) == (0, 1)
    assert (second.last_sr, second.delay_since_last_sr) == (0, 0)


def test_jitter_follows_appendix_a8() -> None:
    uplink = Uplink(1, "audio", "opus", 48000, PublisherClock())
    for i in range(50):
        uplink.receive(i, 960 * i, 1, 100.0 + 0.02 * i)
    assert uplink.report(101.0).jitter <= 1
    uplink.receive(50, 960 * 50, 1, 100.0 + 0.02 * 50 + 0.01)  # 480 units late
    assert uplink.report(101.0).jitter == 30
    uplink.receive(51, 960 * 51, 1, 100.0 + 0.02 * 51 - 0.01)
    assert uplink.report(101.0).jitter > 30


def test_sender_reports_map_the_clock() -> None:
    uplink = video()
    feed(uplink, 1, now=10.0)
    assert uplink.rtp_at(10.5) == 3000 + 45000
    ntp = int(5000.25 * (1 << 32))
    uplink.note_sender_report(ntp, 90000, 11.0)
    assert uplink.rtp_at(12.0) == 180000
    report = uplink.report(12.0)
    assert report.last_sr == ntp >> 16 & 0xFFFFFFFF
    assert report.delay_since_last_sr == 65536


def test_a_picture_is_timed_by_its_sender_or_after_a_while_by_its_coming() -> None:
    clock = PublisherClock()
    picture, voice = Uplink(2, "video", "vp8", 90000, clock), Uplink(1, "audio", "opus", 48000, clock)
    for uplink in (picture, voice):
        feed(uplink, 1, now=10.0)
    assert voice.timed(10.1)
    assert not picture.timed(10.0 + REPORTS_WITHIN_S)
    assert picture.timed(10.1 + REPORTS_WITHIN_S)
    picture.note_sender_report(5000 << 32, 90000, 10.2)
    assert picture.timed(10.2)


def test_after_a_restart_the_old_sender_reports_are_void() -> None:
    uplink = video()
    feed(uplink, 1, now=10.0)
    uplink.note_sender_report(5000 << 32, 90000, 10.0)
    assert feed(uplink, 20000, 20001, now=11.0) == [Arrived.REFUSED, Arrived.RESTARTED]
    assert uplink.rtp_at(11.0) == uplink.last_ts
    assert uplink.report(11.0).last_sr == 0


def test_two_sources_of_one_publisher_share_the_offset() -> None:
    clock = PublisherClock()
    assert clock.ntp_at(1.0) is None
    audio = Uplink(1, "audio", "opus", 48000, clock)
    picture = Uplink(2, "video", "vp8", 90000, clock)
    audio.note_sender_report(100 << 32, 48000, 10.0)
    picture.note_sender_report(101 << 32, 90000, 11.3)  # 0.3 s late on the way: not believed
    assert clock.ntp_at(11.0) == pytest.approx(101.0, abs=0.002)
    assert picture.rtp_at(12.0) == pytest.approx(180000, abs=200)
    clock.note(500.0, 12.0)  # the publisher's clock was set
    assert clock.ntp_at(12.0) == 500.0


@given(st.lists(st.integers(0, 0xFFFF), max_size=200), st.floats(0, 5))
def test_any_numbers_are_taken_or_refused_and_memory_is_bounded(numbers: list[int], step: float) -> None:
    uplink = video()
    now = 0.0
    for number in numbers:
        now += step
        arrived = uplink.receive(number, 0, 10, now)
        if arrived is not Arrived.REFUSED:
            uplink.keep(RingEntry(number, 0, 0, b"", None))
            assert not uplink.missing(number)
        assert len(uplink.nacks_due(now)) <= 512
        block = uplink.report(now)
        assert 0 <= block.fraction_lost <= 255
        assert -0x800000 <= block.packets_lost <= 0x7FFFFF


@given(st.permutations(range(1, 20)))
def test_in_any_order_each_packet_is_taken_once(order: list[int]) -> None:
    uplink = video()
    feed(uplink, 0)
    taken = [n for n in order if feed(uplink, n)[0] is not Arrived.REFUSED]
    assert sorted(taken) == list(range(1, 20))
    assert uplink.report(1.0).packets_lost == 0


def test_a_burst_is_not_believed_for_ever() -> None:
    uplink = Uplink(1, "video", "vp8", 90000, PublisherClock())
    now, seq = 1.0, 0

    def tenths(count: int, packets: int) -> None:
        """So many tenths of a second, so many packets at the start of each."""
        nonlocal now, seq
        for _ in range(count):
            for _ in range(packets):
                uplink.receive(seq, seq, 1000, now)
                uplink.by_tid[0] += 1000
                seq = (seq + 1) & 0xFFFF
            uplink.measure(now)
            now += 0.1

    tenths(20, 100)
    assert uplink.rates[0] == pytest.approx(8_000_000, rel=0.2)
    tenths(600, 0)  # paused: it is remembered
    assert uplink.rates[0] > 4_000_000
    for _ in range(4):  # one packet now and then
        tenths(1, 1)
        tenths(13, 0)
    assert uplink.rates[0] == 0
    tenths(10, 10)
    assert uplink.rates[0] == pytest.approx(800_000, rel=0.2)
