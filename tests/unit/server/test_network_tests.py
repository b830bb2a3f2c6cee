"""Places for network tests: nobody takes them from others."""

from itertools import count

import pytest

from server.errors import TooMany
from server.services.network_tests import (
    ADDRESS_AT_ONCE,
    ALL_AT_ONCE,
    AT_ONCE,
    LAST_S,
    SESSION_AT_ONCE,
    WAITING_AT_ONCE,
    WAITING_FREELY,
    Caller,
    NetworkTests,
)
from tests.support.fake_media import OFFER, FakeMedia
from tests.support.signalling import ManualClock

_LINES = OFFER.split("\r\n")
SDP = "\r\n".join(
    [
        *_LINES[:4],
        "a=group:BUNDLE 0",
        *_LINES[5:9],
        "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
        "a=mid:0",
        "a=sctp-port:5000",
        "",
    ]
)


class Place:
    def __init__(self) -> None:
        self.clock = ManualClock()
        numbers = count()
        self.tests = NetworkTests(FakeMedia(), self.clock, lambda prefix: f"{prefix}_{next(numbers)}")

    async def most(self, caller: Caller, most: int = 2 * ALL_AT_ONCE) -> int:
        """How many more tests this one gets now."""
        for got in range(most):
            try:
                await self.tests.start(caller, SDP)
            except TooMany:
                return got
        return most


def guest(number: int, session: str = "SE") -> Caller:
    return Caller(f"PA{number}", session, "192.0.2.1", waiting=False)


def waiting(number: int, address: str) -> Caller:
    return Caller(f"PW{number}", f"SW{number}", address, waiting=True)


async def test_one_person_and_one_session_have_so_many() -> None:
    place = Place()
    assert [await place.most(guest(n)) for n in range(5)] == [AT_ONCE] * 4 + [0]
    assert SESSION_AT_ONCE == 4 * AT_ONCE
    assert await place.most(guest(9, "another")) == AT_ONCE
    place.clock.seconds += LAST_S
    await place.tests.end_due()
    assert len(place.tests) == 0
    assert await place.most(guest(4)) == AT_ONCE


async def test_those_who_wait_leave_places_to_those_in_a_session_and_to_each_other() -> None:
    place = Place()
    for number in range(400):  # one flooder with many names and few addresses
        await place.most(waiting(number, f"198.51.100.{number % 10}"))
    flood = len(place.tests)
    assert flood <= WAITING_FREELY + 10 * ADDRESS_AT_ONCE < WAITING_AT_ONCE
    assert await place.most(waiting(1000, "203.0.113.1")) == 1
    for number in range(400):  # however many addresses
        await place.most(waiting(2000 + number, f"10.0.{number}.1"))
    assert len(place.tests) == WAITING_AT_ONCE
    assert [await place.most(guest(n, f"S{n}")) for n in range(10)] == [AT_ONCE] * 10
    assert len(place.tests) == WAITING_AT_ONCE + 10 * AT_ONCE == ALL_AT_ONCE
    assert await place.most(guest(11, "S11")) == 0


@pytest.mark.parametrize("caller", [guest(1), waiting(1, "192.0.2.2")])
async def test_alone_everybody_may_try_every_way(caller: Caller) -> None:
    assert await Place().most(caller) == AT_ONCE
