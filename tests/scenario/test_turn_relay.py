"""A real coturn with our configuration: it relays to media workers and to nobody else. Campaign 9."""

import asyncio
import base64
import hashlib
import hmac
import ipaddress
import os
import socket
import ssl
import threading
import time
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest

from server import tls
from tests.support.turn_lab import SECRET, Lab, coturn, credential, decoy, free_port, needs_coturn
from turn import beside
from turn.errors import RelayError
from turn.probe import Connection, Target, connected, probe
from turn.ranges import SPECIAL_IPV4, SPECIAL_IPV6
from turn.relay import running
from turn.settings import Settings

pytestmark = needs_coturn

LONG = os.environ.get("TESTS_CAMPAIGN") == "long"
WORKER = "127.0.0.3"
"""The only allowed peer. Other loopback addresses are this machine too, and must stay silent."""
DECOYS = ("127.0.0.1", "127.0.0.2", "127.1.2.3")
REFUSED = {400, 403, 443}  # bad request, forbidden, peer address family mismatch


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
            sock.bind(("::1", 0))
    except OSError:
        return False
    return True


async def allocation(connection: Connection, *, ipv6: bool = False) -> int:
    return (await connection.ask(connection.client.allocate(time.monotonic(), ipv6=ipv6))).error


# ---------------------------------------------------------------- that it works


async def test_the_probe_gets_an_allocation_over_udp_tcp_and_tls(tmp_path: Path) -> None:
    certificate, key = tls.self_signed(tmp_path, ("127.0.0.1", "localhost"), datetime.now(UTC))
    files = {"tls_port": free_port(), "tls_cert_file": str(certificate), "tls_key_file": str(key)}
    trusting = ssl.create_default_context(cafile=str(certificate))
    trusting.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    async with coturn(tmp_path, **files) as lab:
        secured = Target("127.0.0.1", files["tls_port"], "tls")
        for target in (lab.udp, lab.tcp, secured):
            result = await probe(target, *credential(), tls=trusting)
            assert result.problem == "", target
            assert result.ok
        assert (await probe(secured, *credential())).problem == "certificate_not_trusted"
        assert (await probe(lab.udp, credential()[0], "not the password")).problem == "refused_401"
        log = "\n".join(lab.log)
    assert "Bad configuration format" not in log
    assert "Unknown argument" not in log
    assert SECRET not in log


async def test_the_probe_says_what_is_wrong(tmp_path: Path) -> None:
    port = free_port()
    assert (await probe(Target("127.0.0.1", port, "tcp"), *credential())).problem == "not_reachable"
    assert (await probe(Target("127.0.0.1", port, "udp"), *credential(), deadline_s=0.2)).problem == "no_answer"
    assert (await probe(Target("relay.invalid", port, "tcp"), *credential())).problem == "not_reachable"

    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-what\r\n\r\n")
        await writer.drain()
        writer.close()

    other = await asyncio.start_server(greet, "127.0.0.1", 0)
    async with other:
        strange = other.sockets[0].getsockname()[1]
        assert (await probe(Target("127.0.0.1", strange, "tcp"), *credential())).problem in {"not_turn", "not_reachable"}
        assert (await probe(Target("127.0.0.1", strange, "tls"), *credential())).problem == "no_tls"


async def test_a_worker_hears_through_it_and_its_answer_comes_back(tmp_path: Path) -> None:
    async with (
        coturn(tmp_path, peers=(WORKER,)) as lab,
        decoy(WORKER) as (worker, port),
        connected(lab.udp, *credential()) as page,
    ):
        assert await allocation(page) == 0
        assert (await page.ask(page.client.permit(time.monotonic(), WORKER))).error == 0
        assert (await page.ask(page.client.bind(time.monotonic(), 0x4000, WORKER, port))).error == 0
        page.tell(page.client.send(WORKER, port, b"sent"))
        page.tell(page.client.channel_data(0x4000, b"channel"))
        async with asyncio.timeout(60):
            while len(worker.came) < 2:
                worker.heard.clear()
                await worker.heard.wait()
        assert sorted(worker.came) == [b"channel", b"sent"]


async def test_the_log_says_nothing_of_who_used_it(tmp_path: Path) -> None:
    async with coturn(tmp_path, peers=(WORKER,)) as lab:
        async with connected(lab.udp, *credential("PA_private"), local=("127.0.0.77", 0)) as page:
            assert await allocation(page) == 0
            await page.ask(page.client.permit(time.monotonic(), WORKER))
            assert (await page.ask(page.client.refresh(time.monotonic(), 0))).error == 0
        async with connected(lab.tcp, *credential("PA_private"), local=("127.0.0.77", 0)) as page:
            assert await allocation(page) == 0
    log = "\n".join(lab.log)
    assert "127.0.0.77" not in log
    assert "PA_private" not in log


async def test_what_runs_is_found_and_what_ran_is_not(tmp_path: Path) -> None:
    place = beside.Place("192.0.2.1", 3478, 443)
    assert beside.find(tmp_path) is None
    with beside.told(tmp_path, place):
        assert beside.find(tmp_path) == place
        with pytest.raises(RelayError), beside.told(tmp_path, place):
            pass
    assert beside.find(tmp_path) is None
    (tmp_path / beside.FILE).write_text('{"host": "203.0.113.1", "port": 1, "tls_port": 0}')
    assert beside.find(tmp_path) is None  # nobody holds it
    looking = threading.Event()

    def look() -> None:
        while not looking.is_set():
            beside.find(tmp_path)

    watchers = [threading.Thread(target=look) for _ in range(2)]
    for watcher in watchers:
        watcher.start()
    try:
        for _ in range(300):  # those who look are never in the way of one that starts
            with beside.told(tmp_path, place):
                assert beside.find(tmp_path) == place
    finally:
        looking.set()
        for watcher in watchers:
            watcher.join()


async def test_a_port_in_use_is_one_clear_error(tmp_path: Path) -> None:
    async with coturn(tmp_path / "one") as lab:
        again = Settings(
            **{name: getattr(lab.settings, name) for name in Settings.__slots__} | {"folder": str(tmp_path / "two")}
        )
        with pytest.raises(RelayError) as refused:
            async with running(again, tmp_path / "two"):
                pass
    assert refused.value.code == "port"
    assert SECRET not in str(refused.value)


# ---------------------------------------------------------------- campaign 9


def targets() -> list[str]:
    """Of each range the first, a middle and the last address; more of them in the long form."""
    parts = 64 if LONG else 2
    found: dict[str, None] = {}
    for text in (*SPECIAL_IPV4, *SPECIAL_IPV6):
        network = ipaddress.ip_network(text)
        for part in range(parts + 1):
            found[str(network[(network.num_addresses - 1) * part // parts])] = None
    for text in ("8.8.8.8", "1.1.1.1", "2001:4860:4860::8888", *DECOYS, "::1", "::", "0.0.0.0", "255.255.255.255"):
        found[text] = None
    for host in (*DECOYS, WORKER, "0.0.0.0", "169.254.169.254"):
        number = int(ipaddress.IPv4Address(host))
        for prefix in ("::ffff:0:0", "::", "64:ff9b::", "::ffff:0:0:0"):
            found[str(ipaddress.IPv6Address(int(ipaddress.IPv6Address(prefix)) + number))] = None
        found[str(ipaddress.IPv6Address((0x2002 << 112) + (number << 80)))] = None
    found.pop(WORKER, None)
    return list(found)


async def attack(page: Connection, ports: list[int], wrong: list[str]) -> int:
    """Try everything at every address; what was not refused is added to ``wrong``."""
    tries = 0
    for number, host in enumerate(targets()):
        port = ports[number % len(ports)]
        asked = {
            "permission": page.client.permit(time.monotonic(), host, port),
            "channel": page.client.bind(time.monotonic(), 0x4000 + number, host, port),
        }
        for what, request in asked.items():
            error = (await page.ask(request)).error
            tries += 1
            if error not in REFUSED:
                wrong.append(f"{what} {host}: {error}")
        for each in ports:
            page.tell(page.client.send(host, each, b"send"))
            page.tell(page.client.channel_data(0x4000 + number, b"channel"))
            tries += 2
    return tries


@pytest.mark.campaign(9)
@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_nothing_reaches_anybody_but_the_worker(tmp_path: Path, family: str, transport: str) -> None:
    ipv6 = family == "ipv6"
    if ipv6 and not has_ipv6():
        pytest.skip("this machine has no IPv6")
    relays = ("127.0.0.1", "::1") if has_ipv6() else ("127.0.0.1",)
    wrong: list[str] = []
    async with AsyncExitStack() as stack:
        lab: Lab = await stack.enter_async_context(coturn(tmp_path, peers=(WORKER,), relay=relays))
        worker, worker_port = await stack.enter_async_context(decoy(WORKER))
        silent = []
        for host in (*DECOYS, *(["::1"] if has_ipv6() else [])):
            silent.append(await stack.enter_async_context(decoy(host, worker_port)))  # the worker's very port
            silent.append(await stack.enter_async_context(decoy(host)))
        target = lab.udp if transport == "udp" else lab.tcp
        page = await stack.enter_async_context(connected(target, *credential()))
        assert await allocation(page, ipv6=ipv6) == 0
        tries = await attack(page, sorted({port for _, port in silent}), wrong)
        if not ipv6:  # what was sent last to the worker has come: what was sent before would have, too
            assert (await page.ask(page.client.permit(time.monotonic(), WORKER))).error == 0
            async with asyncio.timeout(60):
                while not worker.came:
                    page.tell(page.client.send(WORKER, worker_port, b"allowed"))
                    await page.ask(page.client.refresh(time.monotonic(), 60))
        else:
            assert (await page.ask(page.client.refresh(time.monotonic(), 60))).error == 0
        assert set(worker.came) <= {b"allowed"}
    assert wrong == []
    assert [one.came for one, _ in silent if one.came] == []
    assert tries > 500


def forged() -> list[tuple[str, str, str]]:
    """(what, username, password)."""

    def sign(username: str, secret: str = SECRET, digest: str = "sha1") -> str:
        return base64.b64encode(hmac.new(secret.encode(), username.encode(), digest).digest()).decode()

    now = int(time.time())
    good = f"{now + 60}:PA_test"
    right = sign(good)
    found = [(f"expired {age} s ago", f"{now - age}:PA_test", sign(f"{now - age}:PA_test")) for age in (2, 60, 86_400, now)]
    found += [
        (f"secret {name!r}", good, sign(good, name))
        for name in ("", "secret", SECRET[:-1], SECRET + "x", SECRET.upper(), "tongping")
    ]
    found += [(f"digest {name}", good, sign(good, digest=name)) for name in ("sha256", "md5", "sha512")]
    found += [(f"password {name!r}", good, name) for name in ("", right[:-1], right + "=", right.lower(), good, SECRET)]
    found += [("another's password", f"{now + 60}:PA_other", right), ("a later end", f"{now + 9999}:PA_test", right)]
    found += [
        (f"username {name!r}", name, sign(name))
        for name in (
            "PA_test",
            "",
            ":",
            ":PA_test",
            "never:PA_test",
            "-1:PA_test",
            "0:PA_test",
            "1e99:PA_test",
            f" {now - 5}:PA",
            "999:PA:x",
        )
    ]
    raw = base64.b64decode(right)
    found += [
        (
            f"bit {bit} of the password",
            good,
            base64.b64encode(bytes(b ^ (1 << bit % 8 if at == bit // 8 else 0) for at, b in enumerate(raw))).decode(),
        )
        for bit in range(0, 160, 1 if LONG else 8)
    ]
    return found


@pytest.mark.campaign(9)
async def test_no_forged_or_expired_credential_is_accepted(tmp_path: Path) -> None:
    async with coturn(tmp_path) as lab:
        accepted = []
        variants = forged()
        for what, username, password in variants:
            async with connected(lab.udp, username, password) as page:
                error = await allocation(page)
                if not 400 <= error < 500:
                    accepted.append(f"{what}: {error}")
        assert accepted == []
        assert len(variants) >= 50
        async with connected(lab.udp, *credential()) as page:
            assert await allocation(page) == 0
        for password in ("", "x"):  # and nobody comes in without one
            async with connected(lab.udp, "", password) as page:
                assert 400 <= await allocation(page) < 500


@pytest.mark.campaign(9)
async def test_the_quota_of_allocations_holds(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        lab = await stack.enter_async_context(coturn(tmp_path, user_quota=4, total_quota=6))

        async def one(who: str) -> int:
            page = await stack.enter_async_context(connected(lab.udp, *credential(who, lasts_s=60 + len(who))))
            return await allocation(page)

        assert [await one("PA_greedy") for _ in range(4)] == [0, 0, 0, 0]
        assert [await one("PA_greedy") for _ in range(3)] == [486, 486, 486]
        assert [await one("PA_other") for _ in range(2)] == [0, 0]
        assert await one("PA_third") == 486


@pytest.mark.campaign(9)
async def test_a_renewed_credential_does_not_make_the_quota_larger(tmp_path: Path) -> None:
    """Quotas count the participant, not the username: it changes with every credential."""
    async with AsyncExitStack() as stack:
        lab = await stack.enter_async_context(coturn(tmp_path, user_quota=4))
        errors = []
        for number in range(6):
            page = await stack.enter_async_context(connected(lab.udp, *credential("PA_one", lasts_s=60 + number)))
            errors.append(await allocation(page))
        assert errors == [0, 0, 0, 0, 486, 486]


def test_the_digest_is_the_one_that_coturn_knows() -> None:
    username, password = credential("PA_x")
    assert base64.b64decode(password) == hmac.new(SECRET.encode(), username.encode(), hashlib.sha1).digest()
