"""How long joining takes: from the token in the page's hand to the first decoded frame of somebody already there.

A real Chromium, the real pages, a server of its own with real media workers: nothing is simulated but the camera. Each join is a
fresh browser context that opens an expert's link and presses its one button. Everything is read from inside the page:

- ``p50_ms``, ``p95_ms``: from the answer that holds the token to the first decoded frame (ICE, DTLS, key frame included);
- ``waited_ms``: the 95th percentile of what the page waited for answers on its way (hello until welcome, plus offer until answer),
  with the time that the page itself was too busy to read them;
- ``timeline`` (``--timeline``): medians in milliseconds of each step. ``page``: from the token on; what was prepared before it is
  negative, and ``press`` is when the button was pressed. ``relay``: from the offer's arrival there, as the interface tells it;
- ``server_ms``: the server's share, without the page: the same two waits of a plain WebSocket client that joins the same sessions
  with the very offer of a page, 95th percentile. ``server_p50_ms`` is its median.

Needs the packages of `make test` (Playwright, a Chromium): nothing of them is imported until it runs.
"""

import argparse
import asyncio
import contextlib
import json
import math
import os
import re
import secrets
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

START_TIMEOUT_S = 30.0
STEP_TIMEOUT_MS = 15_000
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
    "--allow-loopback-in-peer-connection",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream=fps=30",
)

# Notes when things happened first, on the page's own clock; changes nothing that the page does.
WATCH = """
(() => {
  const marks = {};
  const mark = (name) => { marks[name] ??= performance.now(); };
  window.__marks = marks;
  const { fetch: nativeFetch, RTCPeerConnection: Peer, WebSocket: Socket } = window;
  window.fetch = async (...request) => {
    const redeems = String(request[0]?.url ?? request[0]).includes("/invitations/redeem");
    if (redeems) mark("press");
    const answer = await nativeFetch(...request);
    if (redeems) mark("token");
    return answer;
  };
  window.WebSocket = class extends Socket {
    constructor(...settings) {
      super(...settings);
      this.addEventListener("message", (event) => {
        const frame = JSON.parse(event.data);
        if (frame.t === "welcome") {
          mark("welcome");
          window.__me = frame.snapshot?.you.id;
        }
        if (frame.body?.type === "slots" && frame.body.slots.some(({ source }) => source === "camera")) mark("slot");
        if (frame.body?.type === "media.answer") mark("answer");
      });
    }
    send(data) {
      const frame = JSON.parse(data);
      if (frame.t === "hello") mark("hello");
      if (frame.body?.type === "media.offer") {
        mark("offer");
        window.__offer = frame.body.sdp;
      }
      super.send(data);
    }
  };
  const openDevices = MediaDevices.prototype.getUserMedia;
  MediaDevices.prototype.getUserMedia = async function (...wishes) {
    mark("devices_asked");
    const stream = await openDevices.apply(this, wishes);
    mark("devices");
    return stream;
  };
  window.RTCPeerConnection = class extends Peer {
    constructor(...settings) {
      mark("peer");
      super(...settings);
      this.addEventListener("iceconnectionstatechange", () => mark(`ice_${this.iceConnectionState}`));
      this.addEventListener("connectionstatechange", () => mark(`connection_${this.connectionState}`));
      this.addEventListener("track", ({ track }) => {
        if (track.kind !== "video") return;
        const reader = new MediaStreamTrackProcessor({ track: track.clone() }).readable.getReader();
        reader.read().then(({ value }) => { mark("frame"); value?.close(); void reader.cancel(); });
      });
    }
    async createOffer(...wishes) {
      const offer = await super.createOffer(...wishes);
      mark("offer_made");
      return offer;
    }
    async setLocalDescription(...what) {
      await super.setLocalDescription(...what);
      mark("described");
    }
    async setRemoteDescription(...what) {
      await super.setRemoteDescription(...what);
      mark("answer_taken");
    }
  };
})();
"""


class BenchFailed(Exception):
    """One line for the person who ran it."""


@dataclass(frozen=True, slots=True)
class Join:
    """One join in milliseconds: the whole, and what of it the page waited for answers."""

    total_ms: float
    waited_ms: float


@dataclass(frozen=True, slots=True)
class JoinResult:
    joins: int
    p50_ms: float
    p95_ms: float
    waited_ms: float
    server_ms: float
    server_p50_ms: float
    cores: int
    timeline: dict[str, dict[str, float]] | None = None

    def as_json(self) -> str:
        found = {key: round(value, 1) if isinstance(value, float) else value for key, value in asdict(self).items()}
        if self.timeline is None:
            del found["timeline"]
        return json.dumps(found)


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that at least ``percent`` of them do not exceed. Raises ValueError when there are none."""
    if not values:
        raise ValueError("no values")
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def steps(pages: Sequence[dict[str, float]], relays: Sequence[dict[str, float]]) -> dict[str, dict[str, float]]:
    """The median of each step in the order of time: a page's from its token on, the relay's as it told them."""
    from_token = [{name: at - marks["token"] for name, at in marks.items()} for marks in pages]
    return {"page": _medians(from_token), "relay": _medians(relays)}


def _medians(many: Sequence[dict[str, float]]) -> dict[str, float]:
    names = {name for one in many for name in one}
    medians = {name: percentile([one[name] for one in many if name in one], 50) for name in names}
    return {name: round(at, 1) for name, at in sorted(medians.items(), key=lambda item: item[1])}


def summarise(
    joins: Sequence[Join], server_ms: Sequence[float], cores: int, timeline: dict[str, dict[str, float]] | None = None
) -> JoinResult:
    totals = [one.total_ms for one in joins]
    return JoinResult(
        joins=len(joins),
        p50_ms=percentile(totals, 50),
        p95_ms=percentile(totals, 95),
        waited_ms=percentile([one.waited_ms for one in joins], 95),
        server_ms=percentile(server_ms, 95),
        server_p50_ms=percentile(server_ms, 50),
        cores=cores,
        timeline=timeline,
    )


def from_marks(marks: dict[str, float]) -> Join:
    """Raises BenchFailed when the page did not pass one of the points."""
    missing = {"token", "hello", "welcome", "offer", "answer", "frame"} - marks.keys()
    if missing:
        raise BenchFailed(f"a page never came to: {', '.join(sorted(missing))}")
    return Join(
        total_ms=marks["frame"] - marks["token"],
        waited_ms=marks["welcome"] - marks["hello"] + marks["answer"] - marks["offer"],
    )


def find_chromium() -> str:
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return found
    raise BenchFailed("no Chromium here: `make test` installs it or says how")


@contextlib.asynccontextmanager
async def demo_server() -> AsyncIterator[tuple[str, str]]:
    """A server of its own in a temporary folder: its address and the password of the account ``agent``."""
    with tempfile.TemporaryDirectory(prefix="tongping-bench-") as folder:
        data = Path(folder) / "data"
        env = {name: value for name, value in os.environ.items() if not name.startswith("TONGPING_") and name != "PORT"}
        env |= {"TONGPING_DATA_DIR": str(data), "TONGPING_PORT": "0", "TONGPING_LOG_LEVEL": "error"}
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "server", "serve", "--demo", env=env, stdout=asyncio.subprocess.PIPE, start_new_session=True
        )
        try:
            url = await asyncio.wait_for(_address(process), START_TIMEOUT_S)
            password = json.loads(await asyncio.to_thread((data / "demo-passwords.json").read_text, "utf-8"))["agent"]
            yield url, password
        except TimeoutError:
            raise BenchFailed(f"the server was not ready within {START_TIMEOUT_S:.0f} s") from None
        finally:
            if process.returncode is None:
                process.terminate()  # it stops its workers itself
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), START_TIMEOUT_S)
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGKILL)
                await process.wait()


async def _address(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    while line := await process.stdout.readline():
        if found := re.search(r"(https?://\S+)/agent\b", line.decode()):
            return found[1]
    raise BenchFailed("the server ended before it was ready; its own message is above")


class _Desk:
    """The bank's side: one session after another, so that none is full, and links into it."""

    def __init__(self, http: Any, url: str) -> None:
        self._http = http
        self._url = url
        self._headers: dict[str, str] = {}

    async def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        headers = {**self._headers, "Idempotency-Key": secrets.token_hex(8)} if method == "POST" else self._headers
        async with self._http.request(method, f"{self._url}/api/v1{path}", json=body, headers=headers) as answer:
            if answer.status >= 400:
                raise BenchFailed(f"{method} {path} was answered {answer.status}: {(await answer.text())[:200]}")
            return await answer.json() if answer.status != 204 else None

    async def sign_in(self, password: str) -> None:
        login = await self.call("POST", "/login", {"username": "agent", "password": password})
        self._headers = {"Authorization": f"Bearer {login['token']}"}

    async def session(self) -> str:
        return str((await self.call("POST", "/sessions", {"kind": "video", "reason": "bench"}))["id"])

    async def link(self, session: str, name: str) -> str:
        body = {"role": "expert", "name": name, "with_code": False}
        link = str((await self.call("POST", f"/sessions/{session}/invitations", body))["link"])
        return link if link.startswith("http") else self._url + link

    async def relay_steps(self, session: str, participant: str) -> dict[str, float]:
        """When the relay had what of this participant's joining, in milliseconds from the offer on."""
        told = await self.call("GET", f"/sessions/{session}/media")
        return next((dict(one["steps_ms"]) for one in told["participants"] if one["participant"] == participant), {})

    async def server_share_ms(self, link: str, offer_sdp: str) -> float:
        """What the server takes from hello to welcome and from offer to answer, asked by a client that does nothing else."""
        entry = await self.call("POST", "/invitations/redeem", {"secret": link.rsplit("/", 1)[-1], "name": "probe"})
        loop = asyncio.get_running_loop()
        async with self._http.ws_connect(f"{self._url}/api/v1/signal", headers={"Origin": self._url}, max_msg_size=0) as socket:

            async def ask(frame: dict[str, Any], is_answer: Callable[[dict[str, Any]], bool]) -> float:
                began = loop.time()
                await socket.send_json(frame)
                while not is_answer(received := await socket.receive_json(timeout=STEP_TIMEOUT_MS / 1000)):
                    if received["t"] == "bye" or received.get("body", {}).get("type") == "error":
                        raise BenchFailed(f"the server refused a join: {received}")
                return (loop.time() - began) * 1000

            hello = {"t": "hello", "version": 1, "token": entry["token"]}
            offer = {"t": "msg", "seq": 1, "ack": 0, "body": {"type": "media.offer", "sdp": offer_sdp}}
            took_ms = await ask(hello, lambda frame: frame["t"] == "welcome")
            took_ms += await ask(offer, lambda frame: frame.get("body", {}).get("type") == "media.answer")
            await socket.send_json({"t": "msg", "seq": 2, "ack": 0, "body": {"type": "leave"}})
            await socket.receive()
        return took_ms


async def _enter(browser: Any, link: str) -> Any:
    """A fresh context on an expert's link, its one button pressed."""
    context = await browser.new_context(permissions=["camera", "microphone"], viewport={"width": 1280, "height": 800})
    await context.add_init_script(WATCH)
    page = await context.new_page()
    page.set_default_timeout(STEP_TIMEOUT_MS)
    await page.goto(link)
    await page.locator("main button.primary").click()
    return page


async def run(joins: int = 20, *, per_session: int = 5, timeline: bool = False) -> JoinResult:
    """Measure ``joins`` joins, ``per_session`` into each session, one after another. Raises BenchFailed."""
    try:
        import aiohttp
        from playwright.async_api import Error as BrowserError
        from playwright.async_api import async_playwright
    except ImportError:
        raise BenchFailed("needs the packages of the tests: make bench, or make test once") from None
    chromium = find_chromium()
    done: list[Join] = []
    pages: list[dict[str, float]] = []
    relays: list[dict[str, float]] = []
    server_ms: list[float] = []
    try:
        async with demo_server() as (url, password), aiohttp.ClientSession() as http, async_playwright() as playwright:
            desk = _Desk(http, url)
            await desk.sign_in(password)
            browser = await playwright.chromium.launch(executable_path=chromium, args=list(FLAGS))
            try:
                while len(done) < joins:
                    session = await desk.session()
                    publisher = await _enter(browser, await desk.link(session, "publisher"))
                    await publisher.wait_for_function("() => 'answer' in window.__marks")
                    for number in range(min(per_session, joins - len(done)) + (0 if done else 1)):
                        page = await _enter(browser, await desk.link(session, f"viewer {number}"))
                        await page.wait_for_function("() => 'frame' in window.__marks")
                        marks = await page.evaluate("() => window.__marks")
                        told = await desk.relay_steps(session, await page.evaluate("() => window.__me")) if timeline else {}
                        await page.context.close()
                        if done or number:  # the very first only warms up caches of this machine
                            done.append(from_marks(marks))
                            pages.append(marks)
                            relays.append(told)
                    offer = await publisher.evaluate("() => window.__offer")
                    await publisher.context.close()
                    for _ in range(per_session):
                        server_ms.append(await desk.server_share_ms(await desk.link(session, "probe"), offer))
                    await desk.call("POST", f"/sessions/{session}/end", {"reason": "bench"})
            finally:
                await browser.close()
    except BrowserError as error:
        raise BenchFailed(f"the browser: {str(error).splitlines()[0]}") from error
    return summarise(done, server_ms, os.cpu_count() or 1, steps(pages, relays) if timeline else None)


def main(arguments: Sequence[str]) -> int:
    """``tongping bench join [--joins N] [--timeline] [--json]``. Exit status 1 with one line when it could not be measured."""
    parser = argparse.ArgumentParser(prog="tongping bench join", description=(__doc__ or "").split("\n\n", maxsplit=1)[0])
    parser.add_argument("--joins", type=int, default=20, help="how many joins are measured (default 20)")
    parser.add_argument("--timeline", action="store_true", help="also when each step was made, as medians")
    parser.add_argument("--json", action="store_true", help="one line of JSON instead of words")
    options = parser.parse_args(list(arguments))
    if not 1 <= options.joins <= 1000:
        parser.error("--joins is between 1 and 1000")
    try:
        result = asyncio.run(run(options.joins, timeline=options.timeline))
    except BenchFailed as problem:
        print(f"bench join: {problem}", file=sys.stderr)
        return 1
    if options.json:
        print(result.as_json())
    else:
        print(f"{result.joins} joins on {result.cores} cores: token to first frame {result.p50_ms:.0f} ms (median), ", end="")
        print(f"{result.p95_ms:.0f} ms (95 %); the server's share {result.server_p50_ms:.0f} and {result.server_ms:.0f} ms")
        for where, found in (result.timeline or {}).items():
            print(f"{where}: " + ", ".join(f"{step} {at:.0f}" for step, at in found.items()))
    return 0
