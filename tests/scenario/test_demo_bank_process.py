"""The demo as a newcomer starts it: the bank's link, its key, what it says without face checks; the whole walk with the pack `base`; the bank on its own."""

import asyncio
import re
import sys
from pathlib import Path

import aiohttp
import pytest

from server.demo_bank.books import Books
from server.demo_bank.products import LOSS
from tests.support import packs, portraits
from tests.support.demo_bank import FORMS, Customer, browser
from tests.support.repository import ROOT
from tests.support.server_process import CALLS_ONLY, ServerProcess
from tests.unit.server.test_cli import environment, tongping
from tests.unit.verification.pictures import encoded


async def test_without_face_checks_it_says_so_and_keeps_its_key(tmp_path: Path) -> None:
    with ServerProcess(tmp_path, **CALLS_ONLY) as server:
        async with browser() as http:
            customer = Customer(server.bank, http)
            assert "Hello, Li Hua" in (await customer.sign_in()).words()
            page = await customer.enrol()
            assert (page.status, "Face checks are not available now" in page.words()) == (502, True)
            form = await customer.get(f"/new/{LOSS}?way=person")
            page = await customer.post("/orders", {"type": LOSS, "order": form.field("order")})
            assert "enrol your face at the branch first" in page.words()
        key = server.data / "demo-bank" / "api.key"
        assert key.stat().st_mode & 0o777 == 0o600
        first = key.read_text()
        server.kill()
        server.start()
        assert key.read_text() == first, "what it had asked for is still its own"
    for name in ("bank.db", "bank.db-wal"):
        path = server.data / "demo-bank" / name
        assert not path.exists() or first.encode() not in path.read_bytes()


async def test_with_a_certificate_of_its_own(tmp_path: Path) -> None:
    """From a telephone, whose camera needs HTTPS: the bank trusts the server's certificate, and its cookie is for HTTPS alone."""
    with ServerProcess(tmp_path, **CALLS_ONLY, TONGPING_TLS_SELF_SIGNED="1") as server:
        assert server.bank.startswith("https://127.0.0.1:")
        async with aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=False),
            cookie_jar=aiohttp.CookieJar(unsafe=True),
            headers={"Accept-Language": "en"},
        ) as http:
            customer = Customer(server.bank, http)
            first = await customer.get()
            assert first.headers["Set-Cookie"].startswith("__Host-bank=")
            assert "Secure" in first.headers["Set-Cookie"]
            assert first.headers["Strict-Transport-Security"]
            assert "Hello, Li Hua" in (await customer.sign_in()).words()
            assert "Face checks are not available now" in (await customer.enrol()).words(), (
                "it was answered: the certificate is good"
            )
            async with http.post(f"{server.bank}/hooks/{'x' * 32}") as answer:
                assert answer.status == 404, "webhooks come in elsewhere"


async def test_the_walk_with_the_pack_base(tmp_path: Path) -> None:
    """Enrolled from a photograph, referred because nothing here tells a person from a picture, approved in the workbench, the card blocked."""
    packs.base()
    dad = portraits.azure("Family1-Dad2.jpg")
    enrolled = encoded(portraits.azure("Family1-Dad1.jpg"))
    with ServerProcess(tmp_path, TONGPING_MODELS_DIR=str(packs.FOLDER), TONGPING_VERIFICATION_DEADLINE_S="60") as server:
        async with browser() as http:
            customer = Customer(server.bank, http)
            await customer.sign_in("chen")
            await _ready(http, server.url)
            page = await customer.post("/branch", {"consent": "yes", "image": enrolled})
            assert page.path == "/?told=enrolled_now", page.words()
            assert "The model pack that is installed, base" in (await customer.get()).words()
            form = await customer.get(f"/new/{LOSS}")
            done = await customer.post("/orders", {"type": LOSS, "order": form.field("order"), **FORMS[LOSS]})
            assert done.path.startswith(f"{server.url}/j/")
            books = Books(server.data / "demo-bank")
            try:
                order = books.get(form.field("order"))
            finally:
                books.close()
            key = (server.data / "demo-bank" / "api.key").read_text()
            pictures = aiohttp.FormData()
            for number in range(10):
                pictures.add_field("image", encoded(dad[number:, number:]), filename="x.jpg")
            case = f"{server.url}/api/v1/verifications/{order.case_id}"
            async with http.post(f"{case}/attempts", data=pictures, headers={"Authorization": f"Bearer {key}"}) as answer:
                said = await answer.json()
                assert said["verification"]["state"] == "review", said
            page = await customer.until(order.id, "review")
            assert "open the workbench" in page.words()
            agent = {"username": server.agent[0], "password": server.agent[1]}
            async with http.post(f"{server.url}/api/v1/login", json=agent) as answer:
                token = (await answer.json())["token"]
            review = {"decision": "approve", "reason": "it is him"}
            async with http.post(f"{case}/review", json=review, headers={"Authorization": f"Bearer {token}"}) as answer:
                assert answer.status == 200, await answer.text()
            page = await customer.until(order.id, "done")
            assert "Your card is blocked" in page.words()
            assert "Blocked" in (await customer.get()).words()


async def _ready(http: aiohttp.ClientSession, url: str) -> None:
    """Once the workers have their models."""
    async with asyncio.timeout(60):
        while True:
            async with http.get(f"{url}/readyz") as answer:
                if (await answer.json())["verification"]:
                    return


async def test_on_its_own_beside_a_server_elsewhere(tmp_path: Path) -> None:
    with ServerProcess(tmp_path, **CALLS_ONLY) as server:
        key = tmp_path / "key"
        key.write_text((server.data / "demo-bank" / "api.key").read_text())
        command = [sys.executable, "-m", "server", "demo-bank", "--server", server.url, "--key-file", str(key), "--port", "0"]
        process = await asyncio.create_subprocess_exec(
            *command, "--data", str(tmp_path / "own"), cwd=ROOT, env=environment(tmp_path), stdout=asyncio.subprocess.PIPE
        )
        assert process.stdout is not None
        async with asyncio.timeout(60):
            found = re.fullmatch(rb"bank  (http://127\.0\.0\.1:\d+)\n", await process.stdout.readline())
            assert found
            async with browser() as http:
                assert "Hello, Li Hua" in (await Customer(found[1].decode(), http).sign_in()).words()
            process.terminate()
            assert await process.wait() == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--server", "ftp://x", "--key-file", "KEY"], "--server: like https://"),
        (["--server", "https://x/path", "--key-file", "KEY"], "--server: like https://"),
        (["--server", "https://x", "--key-file", "nowhere"], "cannot read nowhere"),
        (["--server", "https://x", "--key-file", "EMPTY"], "holds no API key"),
        (["--server", "https://x", "--key-file", "KEY", "--ca-file", "nowhere"], "--ca-file: nowhere is not there"),
        (["--server", "https://x", "--key-file", "KEY", "--port", "0", "--data", "/dev/null/x"], "cannot use /dev/null/x"),
    ],
)
def test_what_is_wrong_with_the_command_is_said_in_one_line(tmp_path: Path, arguments: list[str], said: str) -> None:
    (tmp_path / "KEY").write_text("AK_X.y\n")
    (tmp_path / "EMPTY").write_text("\n")
    given = [str(tmp_path / one) if one in ("KEY", "EMPTY") else one for one in arguments]
    done = tongping(tmp_path, "demo-bank", *given)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1), done.stderr
    assert said in done.stderr
