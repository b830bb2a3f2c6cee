"""What a publisher is told of loss: of a voice also what its listeners lose, so that its encoder protects it."""

import pytest

from media.relay.downlink import Downlink
from media.relay.feedback import REPORT_INTERVAL_S, Feedback
from media.relay.forward import Route
from media.relay.publication import Publication
from media.relay.uplink import PublisherClock, Uplink
from media.wire import rtcp
from tests.support.room_parts import IDS, Person


def told(kind: str, *, lost_here: int, lost_there: tuple[float, ...]) -> rtcp.ReportBlock:
    publisher = Person("p")
    source = Publication("p", "microphone", kind, "0", "opus", 0)
    uplink = source.layers[""] = Uplink(10, kind, "opus", 48_000, PublisherClock())
    publisher.routes = {10: Route(source, uplink, rtx=False)}
    for n, loss in enumerate(lost_there):
        slot = Downlink(
            mid=str(n), kind=kind, ssrc=100 + n, rtx_ssrc=200 + n, codecs={}, ids=IDS, first_seq=1, first_ts=1, rtx_seq=1
        )
        slot.loss = loss
        source.active.append(slot)
    feedback = Feedback(publisher, 0.0, lambda: 0)
    for n in range(100):
        if n == 0 or n >= 100 - (99 - lost_here):
            uplink.receive(n, 960 * n, 50, n * 0.02)
    feedback.tick(REPORT_INTERVAL_S + 2)
    (report,) = [p for data in publisher.rtcp for p in rtcp.parse_compound(data) if isinstance(p, rtcp.ReceiverReport)]
    (block,) = report.reports
    return block


@pytest.mark.parametrize(
    ("lost_here", "lost_there", "fraction"),
    [(0, (), 0), (0, (0.0, 0.25), 64), (10, (0.05,), 25), (10, (0.2, 0.25), 64), (0, (1.0,), 76)],
)
def test_a_voice_hears_of_its_worst_listener(lost_here: int, lost_there: tuple[float, ...], fraction: int) -> None:
    block = told("audio", lost_here=lost_here, lost_there=lost_there)
    assert block.fraction_lost == fraction
    assert block.packets_lost == lost_here  # congestion control counts these: the way here is no worse


def test_a_picture_is_sent_again_instead() -> None:
    assert told("video", lost_here=0, lost_there=(0.5,)).fraction_lost == 0
