"""The impairer's decisions in virtual time: seeded, at the rates that were asked for, in the order that was asked for."""

import asyncio
import socket

import pytest

from tests.support.impairer import ANNOUNCED, GOOD, OVERHEAD_BYTES, Channel, Condition, Impairer

MANY = 20_000


def run(
    condition: Condition, *, packets: int = MANY, every_s: float = 0.001, size: int = 1000, seed: int = 1
) -> list[float | None]:
    """When each packet left, counted from when it came."""
    channel = Channel(seed, condition)
    return [None if (out := channel.put(size, n * every_s)) is None else out - n * every_s for n in range(packets)]


def lost(outcome: list[float | None]) -> float:
    return outcome.count(None) / len(outcome)


def runs_of_loss(outcome: list[float | None]) -> list[int]:
    runs = [0]
    for one in outcome:
        if one is None:
            runs[-1] += 1
        elif runs[-1]:
            runs.append(0)
    return [run for run in runs if run]


def test_a_good_line_changes_nothing() -> None:
    assert set(run(GOOD)) == {0.0}


@pytest.mark.parametrize("loss", [0.05, 0.1, 0.2, 1.0])
def test_random_loss(loss: float) -> None:
    outcome = run(Condition(loss=loss))
    assert lost(outcome) == pytest.approx(loss, abs=0.01)
    if loss < 1:
        assert sum(runs_of_loss(outcome)) / len(runs_of_loss(outcome)) == pytest.approx(1 / (1 - loss), rel=0.1)


@pytest.mark.parametrize(("loss", "burst"), [(0.05, 4.0), (0.2, 10.0), (0.5, 3.0)])
def test_losses_in_bursts_are_as_many_and_as_long_as_asked_for(loss: float, burst: float) -> None:
    outcome = run(Condition(loss=loss, burst=burst), packets=100_000)
    lengths = runs_of_loss(outcome)
    assert lost(outcome) == pytest.approx(loss, rel=0.1)
    assert sum(lengths) / len(lengths) == pytest.approx(burst, rel=0.1)


def test_the_seed_decides_and_nothing_else() -> None:
    bad = Condition(loss=0.1, jitter_ms=30, reorder=0.1, keep_order=False)
    assert run(bad) == run(bad)
    assert run(bad) != run(bad, seed=2)


def test_chance_depends_on_the_packets_number_alone() -> None:
    """The same packets are lost whatever the sizes, the times and the other troubles."""
    plain = run(Condition(loss=0.1))
    other = run(Condition(loss=0.1, delay_ms=50, jitter_ms=10, reorder=0.5), size=100, every_s=0.02)
    assert [one is None for one in plain] == [one is None for one in other]


def test_delay_and_jitter() -> None:
    out = [one for one in run(Condition(delay_ms=200, jitter_ms=30, keep_order=False)) if one is not None]
    assert min(out) >= 0.2
    assert max(out) <= 0.23
    assert sum(out) / len(out) == pytest.approx(0.215, abs=0.001)


def order(condition: Condition) -> list[float]:
    """When packets left, in the order in which they came."""
    channel = Channel(1, condition)
    return [out for n in range(MANY) if (out := channel.put(1000, n * 0.001)) is not None]


def test_jitter_keeps_the_order_unless_told_otherwise() -> None:
    kept = order(Condition(jitter_ms=30))
    assert kept == sorted(kept)
    free = order(Condition(jitter_ms=30, keep_order=False))
    assert free != sorted(free)


def test_reordering_holds_some_packets_back() -> None:
    outcome = run(Condition(reorder=0.1, reorder_ms=15))
    held = [one for one in outcome if one]
    assert len(held) / MANY == pytest.approx(0.1, abs=0.01)
    assert held == pytest.approx([0.015] * len(held))


def test_a_bottleneck_passes_its_rate_and_drops_what_its_queue_cannot_hold() -> None:
    rate, queue, size = 500_000, 20_000, 1000
    outcome = run(Condition(rate_bps=rate, queue_bytes=queue), size=size, packets=5000)  # 8 Mbit/s for 5 s
    passed = [one for one in outcome if one is not None]
    assert len(passed) * (size + OVERHEAD_BYTES) * 8 / 5 == pytest.approx(rate, rel=0.1)
    assert max(passed) <= (queue + size) * 8 / rate


def test_below_its_rate_a_bottleneck_only_takes_the_time_of_the_packet() -> None:
    outcome = run(Condition(rate_bps=1_000_000), every_s=0.02)
    assert outcome == pytest.approx([(1000 + OVERHEAD_BYTES) * 8 / 1e6] * MANY)


def test_a_packet_larger_than_the_queue_passes_an_idle_bottleneck() -> None:
    assert Channel(1, Condition(rate_bps=1e6, queue_bytes=100)).put(1000, 0.0) is not None


def test_a_schedule_changes_the_condition_at_its_times() -> None:
    channel = Channel(1)
    channel.follow([(1.0, Condition(loss=1.0)), (2.0, GOOD), (3.0, Condition(delay_ms=40))], 10.0)
    assert channel.put(100, 10.9) == 10.9
    assert channel.put(100, 11.0) is None
    assert channel.put(100, 12.0) == 12.0
    assert channel.put(100, 13.5) == pytest.approx(13.54)
    channel.set(GOOD, 13.6)
    assert channel.put(100, 14.0) == 14.0
    assert channel.counts == {"in": 5, "lost": 1, "out": 4}
    with pytest.raises(ValueError, match="order"):
        channel.follow([(2.0, GOOD), (1.0, GOOD)], 14.0)


def test_a_rate_that_changes_keeps_what_waits() -> None:
    channel = Channel(1, Condition(rate_bps=100_000, queue_bytes=50_000))
    for _ in range(10):
        channel.put(1000 - OVERHEAD_BYTES, 0.0)
    assert channel.backlog_bytes(0.0) == pytest.approx(10_000)
    channel.set(Condition(rate_bps=1_000_000), 0.4)
    assert channel.backlog_bytes(0.4) == pytest.approx(5_000)
    channel.set(GOOD, 0.41)
    assert channel.put(1000, 0.41) == 0.41


@pytest.mark.parametrize(
    "wrong",
    [
        {"loss": 1.1},
        {"loss": -0.1},
        {"reorder": 2},
        {"burst": 0.5},
        {"loss": 0.9, "burst": 2},
        {"delay_ms": -1},
        {"rate_bps": -1},
    ],
)
def test_impossible_conditions_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"."):
        Condition(**wrong)  # type: ignore[arg-type]


class Echo(asyncio.DatagramProtocol):
    """A worker that sends back what comes, and knows from where it came."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, int]] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.seen.append(addr)
        self.transport.sendto(data, addr)  # type: ignore[attr-defined]


async def test_the_process_carries_datagrams_both_ways_and_changes_addresses() -> None:
    loop = asyncio.get_running_loop()
    transport, echo = await loop.create_datagram_endpoint(Echo, local_addr=("127.0.0.1", 0))
    port = transport.get_extra_info("sockname")[1]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        for sock in (one, other):
            sock.setblocking(False)
            sock.bind(("127.0.0.1", 0))

        async def there_and_back(sock: socket.socket, host: str, data: bytes) -> tuple[str, int]:
            await loop.sock_sendto(sock, data, (host, port))
            async with asyncio.timeout(60):
                assert await loop.sock_recvfrom(sock, 100) == (data, (host, port))
            return echo.seen[-1]

        try:
            async with Impairer(port, seed=1) as impairer:
                first = await there_and_back(one, ANNOUNCED, b"one")
                assert await there_and_back(other, ANNOUNCED, b"two") != first
                assert await there_and_back(one, ANNOUNCED, b"three") == first
                line = await impairer.line("customer")
                assert line.host != ANNOUNCED
                before = await there_and_back(one, line.host, b"four")
                await line.rebind("127.0.0.99")
                after = await there_and_back(one, line.host, b"five")
                assert before[0] == "127.0.0.1"
                assert after[0] == "127.0.0.99"
                await line.both(delay_ms=30)
                began = loop.time()
                await impairer.trace(True)
                await there_and_back(one, line.host, b"\x80 six")
                assert loop.time() - began >= 0.06
                trace = await impairer.trace(False)
                assert [(row[1], row[2], row[4], row[5]) for row in trace] == [
                    ("customer", "up", 5, "8020736978"),
                    ("customer", "down", 5, "8020736978"),
                ]
                await line.both(loss=1.0)
                await loop.sock_sendto(one, b"seven", (line.host, port))
                await there_and_back(one, ANNOUNCED, b"eight")  # later, and here already
                assert (await line.stats())["up"]["lost"] == 1
                with pytest.raises(ValueError, match="0 to 1"):
                    await impairer.ask("follow", name="customer", way="up", steps=[(0, {"loss": 2})])
                with pytest.raises(ValueError, match="nobody"):
                    await impairer.ask("rebind", name="nobody", host="127.0.0.1")
        finally:
            transport.close()
