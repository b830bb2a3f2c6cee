"""Voices in virtual time: how many words are missing when they are to be played, with what is sent again alone and with redundancy.

A word is 20 ms. Each way loses packets for itself, and what is asked for again; the relay's list of what is missing, its pace, its
limits and what it has from redundancy are the real ones. The listener asks as Chromium does and reads redundancy as Chromium does.
"""

from collections.abc import Callable

import pytest

from media.relay.downlink import Downlink
from media.relay.uplink import PublisherClock, Uplink
from media.wire.sdp import ExtensionIds
from tests.scenario.test_campaign_16 import CHROMIUM_AGAIN_S, CHROMIUM_TRIES, NACK_BYTES, TICK_S, Leg, World
from tests.support.impairer import Channel, Condition

pytestmark = pytest.mark.campaign(16)

WORD_S = 0.02
WORDS = 5000
SIZE = 100
BUFFER_MS = 80.0
"""What a browser keeps of a voice on such a line before it plays it."""


def to_relay(condition: Condition, *, redundant: bool) -> Leg:
    world, leg = World(), Leg()
    up, down = Channel("up", condition), Channel("down", condition)
    uplink = Uplink(1, "audio", "opus", 48_000, PublisherClock(), nack=True)
    rtt_s = 2 * condition.delay_ms / 1000

    def arrives(number: int, again: bool) -> None:
        if leg.take(number, world.now, again=again):
            uplink.receive(number & 0xFFFF, 960 * number & 0xFFFFFFFF, SIZE, world.now)
            if redundant and number and uplink.restore(number - 1 & 0xFFFF, SIZE):
                leg.take(number - 1, world.now)

    def say(number: int) -> None:
        leg.sent[number] = world.now
        world.send(up, SIZE, lambda: arrives(number, False))

    def asked(numbers: list[int]) -> None:
        for number in numbers:
            world.send(up, SIZE, lambda number=number: arrives(number, True))  # type: ignore[misc]

    def tick() -> None:
        due = uplink.nacks_due(world.now, max(rtt_s, 0.001))
        if due:
            world.send(down, NACK_BYTES, lambda: asked(due))
        world.at(world.now + TICK_S, tick)

    for number in range(WORDS):
        world.at(number * WORD_S, lambda number=number: say(number))  # type: ignore[misc]
    world.at(0.005, tick)
    world.run(WORDS * WORD_S + 1.0)
    return leg


def to_listener(condition: Condition, *, redundant: bool) -> Leg:
    world, leg = World(), Leg()
    down, up = Channel("down", condition), Channel("up", condition)
    slot = Downlink(
        mid="1", kind="audio", ssrc=1, rtx_ssrc=2, codecs={}, ids=ExtensionIds(), first_seq=1, first_ts=1, rtx_seq=1
    )
    rtt_s = 2 * condition.delay_ms / 1000
    newest = -1
    wanted: dict[int, tuple[int, float]] = {}

    def arrives(number: int, again: bool) -> None:
        nonlocal newest
        leg.take(number, world.now, again=again)
        wanted.pop(number, None)
        if redundant and number:
            leg.take(number - 1, world.now)
        for missing in range(newest + 1, number):
            wanted[missing] = (0, -1.0)
        newest = max(newest, number)

    def asked(numbers: list[int]) -> None:
        for number in numbers:
            if slot.may_resend(number & 0xFFFF, world.now, rtt_s):
                world.send(down, SIZE, lambda number=number: arrives(number, True))  # type: ignore[misc]

    def look() -> None:
        due = []
        for number, (tries, at) in list(wanted.items()):
            if tries >= CHROMIUM_TRIES:
                del wanted[number]
            elif at < 0 or world.now - at >= rtt_s:
                wanted[number] = (tries + 1, world.now)
                due.append(number)
        if due:
            world.send(up, NACK_BYTES, lambda: asked(due))
        world.at(world.now + CHROMIUM_AGAIN_S, look)

    def say(number: int) -> None:
        leg.sent[number] = world.now
        world.send(down, SIZE, lambda: arrives(number, False))

    for number in range(WORDS):
        world.at(number * WORD_S, lambda number=number: say(number))  # type: ignore[misc]
    world.at(0.005, look)
    world.run(WORDS * WORD_S + 1.0)
    return leg


def unheard(leg: Leg, one_way_ms: float) -> float:
    """Share of the words that were not there when they were to be played."""
    return 1 - sum(late <= BUFFER_MS for late in leg.late_ms(one_way_ms)) / len(leg.sent)


@pytest.mark.parametrize("one_way_ms", [50.0, 100.0])
@pytest.mark.parametrize("leg", [to_relay, to_listener])
def test_on_a_long_way_one_word_in_a_hundred_is_missing_and_not_one_in_ten(leg: Callable[..., Leg], one_way_ms: float) -> None:
    condition = Condition(loss=0.1, delay_ms=one_way_ms)
    without, with_it = (unheard(leg(condition, redundant=redundant), one_way_ms) for redundant in (False, True))
    print(f"{leg.__name__} {2 * one_way_ms:.0f} ms there and back: {without:.1%} without, {with_it:.1%} with redundancy")
    assert 0.08 < without < 0.12
    assert with_it <= 0.02


@pytest.mark.parametrize("leg", [to_relay, to_listener])
def test_on_a_short_way_what_is_sent_again_is_enough(leg: Callable[..., Leg]) -> None:
    assert unheard(leg(Condition(loss=0.1), redundant=False), 0.0) <= 0.02
