"""When the load's thread begins to count: from a moment that is its own, however late it came to the order."""

import asyncio
import time

import pytest

from media.bench import flow as module
from media.bench.flow import LEAD_S, Flow, describe_person
from media.bench.network import BenchError
from media.bench.play import Clip

CLIP = Clip((b"\x00key", b"\x01delta"), (b"\x08voice",))


async def test_what_was_made_before_the_thread_knew_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would arrive later and count there, though it was not counted where it was sent: more than everything."""
    flow = Flow()  # its thread is not started: this test is it
    try:
        measuring = asyncio.create_task(flow.measure(1.0, 0.0))
        await asyncio.sleep(0)
        order = flow._inbox.get_nowait()
        late_ns = time.time_ns() + 3_000_000_000
        monkeypatch.setattr(module.time, "time_ns", lambda: late_ns)
        order()
        assert flow._tally is not None
        assert flow._tally.begin_ns == late_ns + int(LEAD_S * 1e9)
        measuring.cancel()
        await asyncio.gather(measuring, return_exceptions=True)
    finally:
        flow.stop()


async def test_a_thread_that_does_not_answer_is_a_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ANSWER_S", 0.0)
    flow = Flow()
    try:
        with pytest.raises(BenchError, match="does not answer"):
            await flow.measure(1.0, 0.0)
    finally:
        flow.stop()


def test_people_differ_in_their_streams_and_offer_what_they_receive() -> None:
    ssrcs, indices = set(), set()
    for number in range(5):
        sections, sources = describe_person(number, CLIP, 2, 3)
        assert [section.mid for section in sections] == [str(mid) for mid in range(7)]
        assert [section.kind for section in sections] == ["audio", "video", *["audio"] * 2, *["video"] * 3]
        assert [section.ssrc for section in sections[:2]] == [source.ssrc for source in sources]
        assert {section.ssrc for section in sections[2:]} == {0}
        ssrcs |= {source.ssrc for source in sources} | {sources[1].ssrc + 1}  # the camera's is followed by its RTX
        indices |= {source.index for source in sources}
    assert (len(ssrcs), len(indices)) == (15, 10)


def test_who_only_listens_sends_nothing() -> None:
    sections, sources = describe_person(0, CLIP, 1, 1, microphone=False, camera=False)
    assert sources == []
    assert [(section.mid, section.kind, section.ssrc) for section in sections] == [("0", "audio", 0), ("1", "video", 0)]
