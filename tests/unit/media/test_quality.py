"""One subscriber's path: what the estimate is spent on, what is held, and what the page is told."""

import pytest

from media import control
from media.congestion.allocate import UP_MARGIN, Layer, Want
from media.congestion.estimator import EstimatorConfig
from media.errors import RtcpError
from media.relay.quality import LEAST_RESEND_BYTES, RESEND_SHARE, SILENT_S, Quality
from media.wire.twcc import ArrivalLog

LADDER = (Layer("q", 3, 150_000, 180), Layer("f", 3, 1_500_000, 720))


def want(*layers: Layer, lines: int = 720, key: str = "7") -> Want:
    return Want(key, "camera", lines, False, layers or LADDER)


def chosen(quality: Quality, *wants: Want, now: float = 0.0) -> list[str | None]:
    choices = quality.allocate(wants or (want(),), now).choices
    return [choice.layer.rid if choice.layer else None for choice in choices.values()]


def feedback(log: ArrivalLog) -> bytes:
    return b"".join(packet[12:] for packet in log.build(1, 2)[:1])


def drive(quality: Quality, seconds: float, bps: float, path_bps: float, now: float) -> float:
    """Send at ``bps`` over a path that carries ``path_bps`` behind a queue, with feedback each 50 ms; the time afterwards."""
    log, free, reported, ticked, octets = ArrivalLog(), now, now, now, 0
    end = now + seconds

    def send() -> None:
        nonlocal free
        number = quality.sent.next()
        quality.sent.note(number, 1000, now)
        free = max(free, now) + 8000 / path_bps
        log.add(number, int((free + 0.02) * 1e6))

    while now < end:
        send()
        octets += 1000
        if now - reported >= 0.05:
            reported = now
            quality.on_feedback(feedback(log), now)
        if now - ticked >= 0.02:
            ticked = now
            for _ in range(quality.tick(octets, now) // 1000):
                send()
        now += 8000 / bps
    return now


def test_the_estimate_decides_which_layer() -> None:
    quality = Quality(0.0, EstimatorConfig(start_bps=800_000))
    assert chosen(quality) == ["q"]
    assert quality.allocation.demand_bps == 1_500_000
    assert quality.estimator.demand_bps > UP_MARGIN * 1_500_000
    enough = Quality(0.0, EstimatorConfig(start_bps=3_000_000))
    assert chosen(enough) == ["f"]
    assert enough.estimator.demand_bps == 1_500_000
    assert chosen(Quality(0.0, EstimatorConfig(start_bps=3_000_000)), want(lines=180)) == ["q"]
    assert chosen(Quality(0.0, EstimatorConfig(start_bps=3_000_000)), want(lines=0)) == [None]


def test_over_use_is_urgent_and_lowers_the_layer() -> None:
    quality = Quality(0.0, EstimatorConfig(start_bps=3_000_000))
    assert chosen(quality) == ["f"]
    now = drive(quality, 3.0, 1_500_000, 400_000, 0.0)
    assert quality.urgent
    assert chosen(quality, now=now) == ["q"]
    assert not quality.urgent
    told = quality.news("room", "p", now)
    assert told is not None
    assert told.limit == "bandwidth"
    assert told.down_bps < 600_000
    assert told.rtt_ms is not None
    assert quality.news("room", "p", now + 0.5) is None
    assert quality.news("room", "p", now + 1.5) is None  # nothing new
    assert quality.stats()["limit"] == "bandwidth"


def test_without_transport_wide_feedback_nothing_is_held() -> None:
    quality = Quality(0.0, EstimatorConfig(start_bps=100_000))
    only = want(Layer("", 3, 1_000_000, 720))
    assert chosen(quality, only) == [""]
    quality.on_remb(200_000, 1.0)
    assert chosen(quality, only, now=1.0) == [""]
    for second in range(10, 20):
        quality.on_report(0.4, 0.1, float(second))
    assert chosen(quality, only, now=20.0) == [""]
    assert chosen(quality, now=21.0) == ["q"]


def test_a_subscriber_that_never_says_anything_gets_everything_after_a_while() -> None:
    quality = Quality(0.0, EstimatorConfig(start_bps=100_000))
    assert chosen(quality) == ["q"]  # not held: nobody can say anything of nothing
    quality.tick(1000, 1.0)
    assert chosen(quality, now=1.5) == ["q"]
    assert chosen(quality, now=1.0 + SILENT_S + 0.1) == ["q"]
    assert chosen(quality, now=1.0 + SILENT_S + 9.0) == ["f"]
    assert quality.news("room", "p", 20.0) is None


def test_feedback_that_is_none_is_refused() -> None:
    with pytest.raises(RtcpError):
        Quality(0.0).on_feedback(b"\x00\x01\x00\x00", 1.0)


def test_news_are_told_when_something_changed_by_enough() -> None:
    quality = Quality(0.0, EstimatorConfig(start_bps=500_000))
    quality.on_remb(500_000, 1.0)
    first = quality.news("room", "p", 1.0)
    assert first == control.Network("room", "p", 500_000, None, 0, "none", 0)
    quality.on_remb(510_000, 3.0)
    assert quality.news("room", "p", 3.0) is None
    quality.on_remb(900_000, 5.0)
    assert quality.news("room", "p", 5.0) is not None
    quality.on_report(0.0, 0.1, 7.0)
    assert quality.news("room", "p", 7.0) is not None
    for second in range(8, 12):
        quality.on_report(0.0, 0.9, float(second))
    assert quality.news("room", "p", 12.0) is not None
    for second in range(13, 20):
        quality.on_report(0.05, 0.9, float(second))
    told = quality.news("room", "p", 20.0)
    assert told is not None
    assert told.loss_permille > 10


def test_more_is_probed_for_only_where_it_is_wanted() -> None:
    quality = Quality(0.0, EstimatorConfig(start_bps=800_000))
    chosen(quality)
    now = drive(quality, 1.0, 700_000, 50_000_000, 0.0)
    assert quality.probe_bytes > 0
    assert quality.estimator.estimate_bps > 1_500_000
    assert chosen(quality, now=now + 3.0) == ["q"]
    assert chosen(quality, now=now + 6.0) == ["f"]


def test_pictures_are_paced_while_the_path_is_what_limits_them() -> None:
    quality = Quality(0.0, EstimatorConfig(start_bps=3_000_000))
    chosen(quality)
    assert not quality.pace(0.0)
    now = drive(quality, 3.0, 1_500_000, 400_000, 0.0)
    assert quality.pace(now)
    chosen(quality, want(lines=180), now=now)
    assert not quality.pace(now)


def test_repetition_has_a_share_of_the_estimate() -> None:
    """A queue that overflows loses hundreds of packets at once: sent again they would keep it full."""
    quality = Quality(0.0, EstimatorConfig(start_bps=400_000))
    sent = 0
    for now in range(400):
        for _ in range(20):
            if quality.may_resend(1000, now / 100):
                quality.note_resent(1000)
                sent += 1000
    assert 0.9 * RESEND_SHARE * 400_000 * 4 <= 8 * sent <= 1.1 * RESEND_SHARE * 400_000 * 4 + 8 * LEAST_RESEND_BYTES
