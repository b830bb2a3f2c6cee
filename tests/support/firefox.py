"""A real Firefox with made-up devices, driven over WebDriver BiDi, and people sitting in it.

``async with launch(folder) as firefox: seat = await firefox.seat()``. Firefox speaks BiDi itself; no driver program is needed.
Debian's package is ``firefox-esr``.
"""

import asyncio
import base64
import contextlib
import json
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.support.bidi import Bidi, BidiError, call_function, connected
from tests.support.browser import DESKTOP, INSTRUMENT
from tests.support.watching import APPEARS_MS, Watcher
from tests.support.words import say

PACKAGE = "firefox-esr"
STARTS_WITHIN_S = 60.0
ENDS_WITHIN_S = 30.0
_LISTENS = re.compile(rb"WebDriver BiDi listening on (ws://\S+)")

PREFERENCES: dict[str, bool | int | str] = {
    # Devices: a moving picture and a tone, given without asking.
    "media.navigator.streams.fake": True,
    "media.navigator.permission.disabled": True,
    "media.autoplay.default": 0,
    # Tests watch several pages at once; what is out of sight goes on as if it were seen.
    "dom.min_background_timeout_value": 4,
    "dom.timeout.enable_budget_timer_throttling": False,
    "widget.windows.window_occlusion_tracking.enabled": False,
    "ui.prefersReducedMotion": 1,
    # No downloads and no reports of its own. Without this Firefox fetches an H.264 codec from the network.
    "media.gmp-manager.url": "",
    "media.gmp-provider.enabled": False,
    "app.update.enabled": False,
    "app.normandy.enabled": False,
    "browser.safebrowsing.malware.enabled": False,
    "browser.safebrowsing.phishing.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "services.settings.server": "data:,#remote-settings-dummy/v1",
    "toolkit.telemetry.server": "",
}

# BiDi passes on what pages log, but not what the browser says of a broken policy.
REPORTER = """addEventListener("securitypolicyviolation", (event) =>
    console.error("policy", event.violatedDirective, event.blockedURI), true);"""

# A headless Firefox has no screen to share. As the real one does, this asks for a click just before.
SCREEN = """if (navigator.mediaDevices) navigator.mediaDevices.getDisplayMedia = async () => {
    if (!navigator.userActivation.isActive) throw new DOMException("no click just before", "InvalidStateError");
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [640, 360];
    const draw = canvas.getContext("2d");
    let drawn = 0;
    setInterval(() => {
        drawn += 1;
        draw.fillStyle = `hsl(${drawn % 360} 60% 50%)`;
        draw.fillRect(0, 0, canvas.width, canvas.height);
    }, 66);
    return canvas.captureStream(15);
};"""


def firefox_path() -> str | None:
    """The program, or None: then a test is skipped with the name of the package."""
    return shutil.which("firefox-esr") or shutil.which("firefox")


class Firefox:
    """A running Firefox. Use ``launch``."""

    def __init__(self, bidi: Bidi) -> None:
        self._bidi = bidi
        self._seats: dict[str, FirefoxSeat] = {}

    async def prepare(self) -> None:
        await self._bidi.subscribe("log.entryAdded", self._logged)
        for script in (INSTRUMENT, REPORTER, SCREEN):
            await self._bidi.command("script.addPreloadScript", functionDeclaration=f"() => {{ {script} }}")

    def _logged(self, entry: dict[str, Any]) -> None:
        seat = self._seats.get(entry["source"].get("context", ""))
        if seat is not None and entry["level"] in ("error", "warn"):
            seat.complain(entry)

    async def seat(self, *, language: str = "en", viewport: dict[str, int] | None = None) -> "FirefoxSeat":
        """A page in a context of its own: no storage shared with another."""
        user = (await self._bidi.command("browser.createUserContext"))["userContext"]
        # A window of its own, not a tab: nobody is in the background.
        created = await self._bidi.command("browsingContext.create", type="window", userContext=user)
        context: str = created["context"]
        await self._bidi.command(
            "emulation.setLocaleOverride", locale="zh-CN" if language == "zh" else "en-GB", contexts=[context]
        )
        seat = FirefoxSeat(self._bidi, context, user, language)
        await seat.resize(viewport or DESKTOP)
        self._seats[context] = seat
        return seat


@asynccontextmanager
async def launch(folder: Path, **more: bool | int | str) -> AsyncIterator[Firefox]:
    """Firefox with a fresh profile in ``folder``; ``more`` preferences, "__" for the dots."""
    path = firefox_path()
    assert path is not None, f"no Firefox: apt-get install {PACKAGE}"
    preferences = {**PREFERENCES, **{name.replace("__", "."): value for name, value in more.items()}}
    lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});" for name, value in preferences.items()]
    (folder / "user.js").write_text("\n".join(lines), encoding="utf-8")
    process = await asyncio.create_subprocess_exec(
        path,
        *("--headless", "--no-remote", "--profile", str(folder), "--remote-debugging-port", "0"),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        env={"PATH": "/usr/bin:/bin", "HOME": str(folder), "MOZ_CRASHREPORTER_DISABLE": "1", "LANG": "C.UTF-8"},
    )
    assert process.stderr is not None
    draining: asyncio.Task[None] | None = None
    try:
        async with asyncio.timeout(STARTS_WITHIN_S):
            while not (found := _LISTENS.search(line := await process.stderr.readline())):
                assert line, "Firefox ended before it listened"
        draining = asyncio.create_task(_drain(process.stderr))
        async with connected(found[1].decode()) as bidi:
            firefox = Firefox(bidi)
            await firefox.prepare()
            yield firefox
    finally:
        try:
            async with asyncio.timeout(ENDS_WITHIN_S):
                if draining is None:
                    process.terminate()
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
        if draining is not None:
            await draining


async def _drain(stream: asyncio.StreamReader) -> None:
    while await stream.readline():
        pass


class FirefoxSeat(Watcher):
    """One person at one page in Firefox. What it does is named as in ``browser.Seat``."""

    def __init__(self, bidi: Bidi, context: str, user: str, language: str) -> None:
        self._bidi = bidi
        self._context = context
        self._user = user
        self.language = language
        self.complaints: list[str] = []
        self._expected: list[re.Pattern[str]] = []

    def complain(self, entry: dict[str, Any]) -> None:
        text = f"{entry['type']} {entry['level']}: {entry['text']}"
        if not any(pattern.search(text) for pattern in self._expected):
            self.complaints.append(text)

    def expects(self, *patterns: str) -> None:
        """From now on these are no complaints."""
        self._expected += [re.compile(pattern) for pattern in patterns]

    async def leave(self) -> None:
        """Close the page. Raises AssertionError when it ever complained."""
        await self._bidi.command("browser.removeUserContext", userContext=self._user)
        assert not self.complaints, self.complaints

    def say(self, key: str, **places: object) -> str:
        return say(self.language, key, **places)

    async def evaluate(self, script: str, argument: object = None) -> Any:
        return await call_function(self._bidi, self._context, script, argument)

    # ------------------------------------------------------------ doing

    async def goto(self, url: str) -> None:
        await self._bidi.command("browsingContext.navigate", context=self._context, url=url, wait="interactive")

    async def reload(self) -> None:
        await self._bidi.command("browsingContext.reload", context=self._context, wait="none")

    async def resize(self, viewport: dict[str, int]) -> None:
        await self._bidi.command("browsingContext.setViewport", context=self._context, viewport=viewport)

    async def screenshot(self) -> bytes:
        """What is in the viewport, as PNG."""
        answer = await self._bidi.command("browsingContext.captureScreenshot", context=self._context)
        return base64.b64decode(answer["data"])

    async def find(self, role: str, name: str, *, timeout_s: float = APPEARS_MS / 1000) -> str:
        """The element with this role and accessible name, as soon as there is one. Its shared reference."""
        locator = {"type": "accessibility", "value": {"role": role, "name": name}}
        try:
            async with asyncio.timeout(timeout_s):
                while True:
                    with contextlib.suppress(BidiError):  # the page is being left for another
                        found = await self._bidi.command("browsingContext.locateNodes", context=self._context, locator=locator)
                        if found["nodes"]:
                            shared: str = found["nodes"][0]["sharedId"]
                            return shared
                        await self.evaluate("() => new Promise((done) => setTimeout(done, 100))")
        except TimeoutError:
            text = await self.evaluate("() => document.body.innerText")
            raise AssertionError(f"no {role} {name!r} within {timeout_s:.0f} s; the page says: {text[:2000]}") from None

    async def has(self, role: str, name: str) -> bool:
        locator = {"type": "accessibility", "value": {"role": role, "name": name}}
        found = await self._bidi.command("browsingContext.locateNodes", context=self._context, locator=locator)
        return bool(found["nodes"])

    async def click(self, role: str, name: str) -> None:
        """With the mouse, in the middle of the element."""
        shared = await self.find(role, name)
        await self._bidi.command(
            "script.callFunction",
            functionDeclaration="(element) => element.scrollIntoView({ block: 'nearest', behavior: 'instant' })",
            awaitPromise=False,
            target={"context": self._context},
            arguments=[{"sharedId": shared}],
        )
        origin = {"type": "element", "element": {"sharedId": shared}}
        await self._act(
            {"type": "pointerMove", "x": 0, "y": 0, "origin": origin},
            {"type": "pointerDown", "button": 0},
            {"type": "pointerUp", "button": 0},
            source={"type": "pointer", "id": "mouse", "parameters": {"pointerType": "mouse"}},
        )

    async def type(self, text: str) -> None:
        """On the keyboard, into what has the focus."""
        strokes = [{"type": kind, "value": character} for character in text for kind in ("keyDown", "keyUp")]
        await self._act(*strokes, source={"type": "key", "id": "keyboard"})

    async def _act(self, *actions: dict[str, Any], source: dict[str, Any]) -> None:
        await self._bidi.command("input.performActions", context=self._context, actions=[{**source, "actions": list(actions)}])

    async def press(self, key: str, **places: object) -> None:
        await self.click("button", self.say(key, **places))

    async def sees(self, text: str) -> None:
        """Wait until the page shows this text."""
        await self.until("async (text) => document.body.innerText.includes(text)", text, APPEARS_MS / 1000)

    async def in_call(self) -> None:
        await self.find("navigation", self.say("bar.label"))

    async def come_as_customer(self, link: str, *, microphone: bool = True, camera: bool = True) -> None:
        """By link, with the check of the devices, answering both questions."""
        await self.goto(link)
        await self.press("start")
        await self.press("check.before.go")
        await self.press("next")
        for scope, given in (("microphone", microphone), ("camera", camera)):
            await self.find("heading", self.say(f"consent.{scope}.title"))
            await self.press("consent.yes" if given else "consent.no")
        await self.in_call()

    async def come_as_expert(self, link: str) -> None:
        """One click."""
        await self.goto(link)
        await self.press("join.go")
        await self.in_call()

    async def open_chat(self) -> None:
        if not await self.has("textbox", self.say("chat.write")):
            await self.press("bar.chat")

    async def write(self, text: str) -> None:
        await self.open_chat()
        await self.click("textbox", self.say("chat.write"))
        await self.type(text)
        await self.press("chat.send")
