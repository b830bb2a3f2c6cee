"""A customer behind a firewall that lets nothing out but TCP to one port: the call runs through TURN over TLS."""

import base64
import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import pytest
import pytest_asyncio
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from playwright.async_api import Browser, async_playwright, expect

from server import tls
from tests.support.bank import Bank
from tests.support.browser import APPEARS_MS, Seat, all_leave, chromium_path, flags
from tests.support.call import agent_enters
from tests.support.island import Island, island, reason
from tests.support.machine import quick_or_skip
from tests.support.server_process import ServerProcess
from tests.support.turn_lab import SECRET, Lab, coturn, free_port, needs_coturn

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session"), needs_coturn]

WAY = """async () => {
    const found = [];
    for (const peer of window.__tp.peers.filter((one) => one.connectionState === "connected")) {
        const stats = new Map();
        (await peer.getStats()).forEach((one) => stats.set(one.id, one));
        for (const one of stats.values()) {
            if (one.type !== "transport") continue;
            const pair = stats.get(one.selectedCandidatePairId);
            const local = stats.get(pair.localCandidateId);
            found.push([local.candidateType, local.relayProtocol ?? ""]);
        }
    }
    return found;
}"""


@dataclass(slots=True)
class Firewalled:
    server: ServerProcess
    bank: Bank
    relay: Lab
    island: Island
    browser: Browser  # inside
    port: int  # of the server
    tls_port: int


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def firewalled(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Firewalled]:
    """A server, a relay, and a Chromium that reaches the server's port and the relay's TLS port, and nothing else."""
    why = reason()
    if why:
        pytest.skip(why)
    folder: Path = tmp_path_factory.mktemp("firewalled")
    certificate, key = tls.self_signed(folder, ("127.0.0.1", "localhost"), datetime.now(UTC))
    public = x509.load_pem_x509_certificate(certificate.read_bytes()).public_key()
    spki = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    trusted = base64.b64encode(hashlib.sha256(spki).digest()).decode()
    port, tls_port = free_port(), free_port()
    files = {"tls_port": tls_port, "tls_cert_file": str(certificate), "tls_key_file": str(key)}
    settings = {
        "TONGPING_PORT": str(port),
        "TONGPING_MEDIA_BIND_ADDRESSES": "127.0.0.1",
        "TONGPING_TURN_HOST": "127.0.0.1",
        "TONGPING_TURN_SECRET": SECRET,
        "TONGPING_TURN_TLS_PORT": str(tls_port),
        "TONGPING_TURN_TLS_CERT_FILE": str(certificate),
        "TONGPING_TURN_TLS_KEY_FILE": str(key),
    }
    async with coturn(folder / "turn", **files) as relay, island(port, tls_port) as inside, async_playwright() as playwright:
        settings["TONGPING_TURN_PORT"] = str(relay.settings.port)
        with ServerProcess(folder, **settings) as server:
            browser = await playwright.chromium.launch(
                executable_path=inside.program(folder, chromium_path()),
                args=[*flags(), f"--ignore-certificate-errors-spki-list={trusted}"],
                ignore_default_args=["--mute-audio", "--hide-scrollbars"],
            )
            async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as http:
                bank = Bank(http, server.url)
                await bank.sign_in(*server.agent)
                yield Firewalled(server, bank, relay, inside, browser, port, tls_port)
            await browser.close()


async def test_a_call_through_turn_over_tls(firewalled: Firewalled, browser: Browser) -> None:
    opened = await firewalled.bank.open(customer="Fire Wall")
    customer, agent = await Seat.take(firewalled.browser), await Seat.take(browser)
    try:
        await agent.sign_in(firewalled.server.agent_url, *firewalled.server.agent)
        await agent_enters(agent, session_of="Fire Wall")
        assert urlsplit(opened.customer_link).port == firewalled.port
        await customer.come_as_customer(opened.customer_link)
        await agent.receives("customer", "camera")
        await customer.receives("agent", "camera")
        assert await customer.page.evaluate(WAY) == [["relay", "tls"]]
        assert (await agent.page.evaluate(WAY))[0][0] != "relay"  # who can go straight, does
        rates = {"agent": 0.0, "customer": 0.0}
        for _ in range(12):  # the best of them: a busy machine is slow for a while
            for role, seat, other in (("agent", agent, "customer"), ("customer", customer, "agent")):
                rates[role] = max(rates[role], (await seat.flow(other, "camera", over_s=1)).per_s)
            if min(rates.values()) >= 10:
                break
        assert min(rates.values()) > 0, rates
        assert (await agent.flow("customer", "microphone", over_s=1)).energy > 0
        assert firewalled.island.carried[firewalled.tls_port] > 100_000
        quick_or_skip(min(rates.values()) >= 10, rates)
    finally:
        await all_leave(customer, agent)


async def test_the_network_test_says_what_gets_through(firewalled: Firewalled, browser: Browser) -> None:
    """Behind the firewall only TLS; on an open network everything. Nobody else is in the session."""
    said = {}
    for name, chromium in (("firewalled", firewalled.browser), ("open", browser)):
        opened = await firewalled.bank.open(customer=f"Testing {name}")
        seat = await Seat.take(chromium)
        try:
            await seat.page.goto(opened.customer_link)
            await seat.press("start")
            await seat.press("check.before.go")
            await seat.press("nettest.go")
            await expect(seat.button("nettest.again")).to_be_enabled(timeout=APPEARS_MS)
            ways = seat.page.get_by_role("list", name=seat.say("nettest.ways")).get_by_role("listitem")
            said[name] = [await ways.nth(at).inner_text() for at in range(await ways.count())]
            key = "nettest.said.tls" if name == "firewalled" else "nettest.said.direct"
            await seat.sees(seat.say(key))
        finally:
            await seat.leave()
    blocked = Seat.say(seat, "nettest.blocked")
    assert [blocked in line for line in said["firewalled"]] == [True, True, True, False]
    # The open one does not trust the relay's certificate; every other way works.
    assert [blocked in line for line in said["open"]] == [False, False, False, True]
