"""The one time line of a recording, from sender reports and arrivals."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.recording.index import Reported
from media.recording.play.clock import LATE_US, WINDOW_US, SenderClock, TrackClock
from media.recording.records import SenderReport

NTP = 3_900_000_000


def report(arrived_s: float, sent_s: float, *, ssrc: int = 1, rtp: int = 0, skew: float = 1.0) -> Reported:
    """Of the moment ``sent_s``; the sender's clock says NTP + skew × that."""
    return Reported(round(arrived_s * 1e6), SenderReport(ssrc, round((NTP + sent_s * skew) * 4294967296), rtp & 0xFFFFFFFF))


def test_nothing_is_known_without_reports() -> None:
    assert not SenderClock([])


def test_the_report_that_travelled_fastest_tells() -> None:
    clock = SenderClock([report(1.3, 1.0), report(2.05, 2.0), report(3.2, 3.0)])
    assert clock.offset_us(2_000_000) + NTP * 1e6 == pytest.approx(50_000, abs=2)


def test_a_clock_that_runs_away_is_followed() -> None:
    skew = 1 + 200e-6
    clock = SenderClock([report(at + 0.04, at, skew=skew) for at in range(0, 1200, 2)])
    for at in (100, 600, 1100):
        told = (NTP + at * skew) * 1e6 + clock.offset_us(at * 1_000_000)
        assert told == pytest.approx(at * 1e6 + 40_000, abs=12_000)


def test_a_clock_that_was_set_begins_anew() -> None:
    clock = SenderClock([report(1.0, 1.0), report(2.0, 2.0), report(3.0, 503.0), report(4.0, 504.0)])
    assert clock.offset_us(1_500_000) == pytest.approx(-NTP * 1e6, abs=2)
    assert clock.offset_us(3_500_000) == pytest.approx(-(NTP + 500) * 1e6, abs=2)


def test_picture_and_voice_of_one_moment_get_one_time() -> None:
    pictures = [report(1.03 + n, 1.0 + n, ssrc=1, rtp=0xFFFFF000 + 90000 * n) for n in range(5)]
    voices = [report(1.06 + n * 2, 1.0 + n * 2, ssrc=2, rtp=77 + 96000 * n) for n in range(3)]
    sender = SenderClock(pictures + voices)
    picture = TrackClock(90000, pictures, sender).time_us(1, 0xFFFFF000 + 45000 & 0xFFFFFFFF, 1_560_000)
    voice = TrackClock(48000, voices, sender).time_us(2, 77 + 24000, 1_540_000)
    assert picture == pytest.approx(voice, abs=3)
    assert picture == pytest.approx(1_530_000, abs=3)


def test_without_reports_the_arrivals_tell() -> None:
    clock = TrackClock(48000, [], SenderClock([]))
    times = [clock.time_us(5, 4294967000 + 960 * n & 0xFFFFFFFF, 1_000_000 + 20_000 * n + (n % 3) * 9_000) for n in range(50)]
    assert [b - a for a, b in itertools.pairwise(times)] == [pytest.approx(20_000, abs=10)] * 49


def test_reports_that_cannot_be_are_not_believed() -> None:
    """A report of this stream that says something far from when its packets come."""
    lying = Reported(1_000_000, SenderReport(1, NTP << 32, 0))
    sender = SenderClock([lying])
    clock = TrackClock(90000, [lying], sender)
    far = round(90000 * (LATE_US / 1e6 + 5))
    assert clock.time_us(1, far, 1_100_000) == 1_100_000


@given(
    st.lists(st.tuples(st.integers(0, 10 * WINDOW_US), st.integers(0, 2**64 - 1), st.integers(0, 2**32 - 1)), max_size=20),
    st.lists(st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 10 * WINDOW_US)), max_size=20),
)
def test_no_packet_is_far_from_its_arrival(told: list[tuple[int, int, int]], packets: list[tuple[int, int]]) -> None:
    reports = [Reported(at, SenderReport(1, ntp, rtp)) for at, ntp, rtp in told]
    clock = TrackClock(90000, reports, SenderClock(reports))
    for rtp, arrived in packets:
        assert clock.time_us(1, rtp, arrived) <= arrived + 1_000_001
