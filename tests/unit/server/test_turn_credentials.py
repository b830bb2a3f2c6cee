"""Credentials of the TURN relay for each participant, renewed before they end; and which relay there is."""

import base64
import hashlib
import hmac
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import pytest

from server.auth.turn import derived_secret, turn_credential
from server.domain.model import Role
from server.services.ice_servers import Tried, TurnAddress, TurnRelay
from tests.support.signalling import House, ManualClock

SECRET = "s" * 32
AT = datetime(2026, 1, 1, tzinfo=UTC)


class Relay:
    """What the relay says to each probe, and where one is found."""

    def __init__(self) -> None:
        self.problem = ""
        self.found: TurnAddress | None = None
        self.asked: list[tuple[str, str]] = []

    async def probe(self, address: TurnAddress, credential: Callable[[], tuple[str, str]]) -> Sequence[Tried]:
        self.asked.append(credential())
        return [Tried(transport, self.problem, 0.01) for transport, _ in address.transports()]


def make(address: TurnAddress | None, clock: ManualClock, relay: Relay, credential_s: float = 1800) -> TurnRelay:
    return TurnRelay(
        address,
        clock,
        secret=SECRET,
        credential_s=credential_s,
        probe_s=30,
        probe=relay.probe,
        find=lambda: relay.found,
    )


def test_a_credential_is_what_the_draft_says() -> None:
    made = turn_credential(SECRET, "PA_a", AT)
    assert made.username == f"{int(AT.timestamp())}:PA_a"
    assert base64.b64decode(made.password) == hmac.new(SECRET.encode(), made.username.encode(), hashlib.sha1).digest()
    assert turn_credential(SECRET, "PA_b", AT).password != made.password
    assert len(derived_secret(b"key")) == 64
    assert derived_secret(b"key") != derived_secret(b"other")


@pytest.mark.parametrize(
    ("address", "urls"),
    [
        (
            TurnAddress("relay.example", 3478),
            ["turn:relay.example:3478?transport=udp", "turn:relay.example:3478?transport=tcp"],
        ),
        (
            TurnAddress("2001:db8::1", 3478, 443),
            [
                "turn:[2001:db8::1]:3478?transport=udp",
                "turn:[2001:db8::1]:3478?transport=tcp",
                "turns:[2001:db8::1]:443?transport=tcp",
            ],
        ),
    ],
)
def test_urls(address: TurnAddress, urls: list[str]) -> None:
    assert address.urls() == urls
    assert len(address.transports()) == len(urls)


def test_each_participant_gets_their_own_and_a_date_to_renew_it() -> None:
    clock = ManualClock()
    relay = make(TurnAddress("relay.example", 3478), clock, Relay())
    issued = relay.issue("PA_a")
    (server,) = issued.servers
    end, who = server.username.split(":")
    assert who == "PA_a"
    assert int(end) == int((clock.now() + timedelta(seconds=1800)).timestamp())
    assert issued.renew_at == clock.now() + timedelta(seconds=1680)
    assert relay.issue("PA_b").servers[0].credential != server.credential
    short = make(TurnAddress("relay.example", 3478), clock, Relay(), credential_s=60).issue("PA_a")
    assert short.renew_at == clock.now() + timedelta(seconds=30)


async def test_without_a_relay_there_is_nothing() -> None:
    world = Relay()
    relay = make(None, ManualClock(), world)
    await relay.look()
    assert relay.issue("PA_a") == relay.issue("PA_b")
    assert (relay.issue("PA_a").servers, relay.issue("PA_a").renew_at, relay.version) == ([], None, 0)
    assert not relay.configured
    assert world.asked == []


async def test_one_that_is_started_beside_is_found_and_lost() -> None:
    world = Relay()
    relay = make(None, ManualClock(), world)
    world.found = TurnAddress("127.0.0.1", 3478)
    await relay.look()
    assert relay.version == 1
    assert relay.ready
    assert relay.issue("PA_a").servers[0].urls == world.found.urls()
    await relay.look()
    assert relay.version == 1
    world.found = None
    await relay.look()
    assert relay.version == 2
    assert relay.issue("PA_a").servers == []
    assert not relay.ready


async def test_whether_it_works() -> None:
    world = Relay()
    clock = ManualClock()
    relay = make(TurnAddress("relay.example", 3478, 443), clock, world)
    assert not relay.ready  # not tried yet
    await relay.look()
    assert relay.ready
    assert [one.transport for one in relay.tried()] == ["udp", "tcp", "tls"]
    world.problem = "no_answer"
    await relay.look()
    assert relay.ready  # not tried again before its time
    clock.seconds += 30
    await relay.look()
    assert not relay.ready
    assert [name.split(":")[1] for name, _ in world.asked] == ["probe-1", "probe-2"]


# ---------------------------------------------------------------- in a live session


async def test_the_welcome_has_them_and_they_are_renewed_before_they_end() -> None:
    house = House(ice=lambda clock: make(TurnAddress("relay.example", 3478), clock, Relay(), credential_s=400))
    try:
        session = await house.session()
        id, page = await house.enter(session)
        other_id, other = await house.enter(session, Role.AGENT)
        (first,) = page.snapshot["media"]["ice_servers"]
        assert first["username"].endswith(f":{id}")
        assert other.snapshot["media"]["ice_servers"][0]["username"].endswith(f":{other_id}")
        await house.advance(270, page, other)
        assert page.got("ice.servers") == []
        await house.advance(20, page, other)
        (renewed,) = page.got("ice.servers")
        (server,) = renewed["servers"]
        end, who = server["username"].split(":")
        assert who == id
        assert int(end) > int(first["username"].split(":")[0]) > house.clock.now().timestamp()
        assert len(other.got("ice.servers")) == 1
    finally:
        await house.close()


async def test_those_who_are_here_hear_of_another_relay() -> None:
    world = Relay()
    made: list[TurnRelay] = []

    def ice(clock: ManualClock) -> TurnRelay:
        made.append(make(None, clock, world))
        return made[-1]

    house = House(ice=ice)
    try:
        _, page = await house.enter(await house.session())
        assert page.snapshot["media"]["ice_servers"] == []
        await house.advance(600, page)
        assert page.got("ice.servers") == []
        world.found = TurnAddress("127.0.0.1", 3478)
        await made[0].look()
        await house.advance(1, page)
        (told,) = page.got("ice.servers")
        assert told["servers"][0]["urls"] == world.found.urls()
        world.found = None
        await made[0].look()
        await house.advance(1, page)
        assert page.got("ice.servers")[-1]["servers"] == []
    finally:
        await house.close()


async def test_without_a_relay_nothing_is_said() -> None:
    house = House()
    try:
        _, page = await house.enter(await house.session())
        assert page.snapshot["media"]["ice_servers"] == []
        await house.advance(800, page)
        assert page.got("ice.servers") == []
    finally:
        await house.close()
