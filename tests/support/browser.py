"""A real Chromium with made-up devices, and people sitting in it: what a test does with a page, in the page's own words."""

import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, Playwright, expect

from tests.support.words import say

HERE = Path(__file__).resolve().parent
INSTRUMENT = (HERE / "instrument.js").read_text(encoding="utf-8")
CLIPS = HERE.parents[2] / "shared" / "data" / "dev" / "clips"

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-background-timer-throttling",
    "--disable-renderer-backgrounding",
    "--disable-backgrounding-occluded-windows",
    "--autoplay-policy=no-user-gesture-required",
    "--allow-loopback-in-peer-connection",
    "--use-fake-ui-for-media-stream",
    "--auto-select-desktop-capture-source=Entire screen",
]
DESKTOP = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 844}
APPEARS_MS = 30_000  # a deadline only: a busy machine is slow, not wrong


def chromium_path() -> str:
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return found
    raise AssertionError("no Chromium: `make test` installs it or says how")


def flags(*, clips: bool = True) -> list[str]:
    """Where development clips are, one of them is the camera; else Chromium's own moving picture."""
    clip = next(iter(sorted(CLIPS.glob("*.mjpeg"))), None) if clips else None
    camera = "--use-fake-device-for-media-stream=fps=30"
    return [*FLAGS, camera, *([f"--use-file-for-fake-video-capture={clip}"] if clip else [])]


async def launch(playwright: Playwright, *, clips: bool = True) -> Browser:
    return await playwright.chromium.launch(
        executable_path=chromium_path(), args=flags(clips=clips), ignore_default_args=["--mute-audio", "--hide-scrollbars"]
    )


@dataclass(slots=True)
class Flow:
    """How much arrived over a measured stretch of the statistics' own clock."""

    per_s: float
    energy: float
    packets: int


class Seat:
    """One person at one page."""

    def __init__(self, context: BrowserContext, page: Page, language: str) -> None:
        self.context = context
        self.page = page
        self.language = language
        self.complaints: list[str] = []
        """Errors that the page did not catch, and whatever it or the browser (a broken content security policy) put on the console."""
        self._expected: list[re.Pattern[str]] = []
        page.on("pageerror", lambda error: self._complain("uncaught", str(error)))
        page.on("console", self._heard)

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self._complain(message.type, f"{message.text} ({message.location.get('url', '')})")

    def _complain(self, kind: str, text: str) -> None:
        if not any(pattern.search(text) for pattern in self._expected):
            self.complaints.append(f"{self.page.url}: {kind}: {text}")

    def expects(self, *patterns: str) -> None:
        """From now on these are no complaints."""
        self._expected += [re.compile(pattern) for pattern in patterns]

    @classmethod
    async def take(cls, browser: Browser, *, language: str = "en", viewport: dict[str, int] | None = None) -> "Seat":
        context = await browser.new_context(
            locale="zh-CN" if language == "zh" else "en-GB",
            viewport=viewport or DESKTOP,  # type: ignore[arg-type]
            permissions=["camera", "microphone", "clipboard-read", "clipboard-write"],
            reduced_motion="reduce",
        )
        await context.add_init_script(INSTRUMENT)
        page = await context.new_page()
        page.set_default_timeout(APPEARS_MS)
        return cls(context, page, language)

    async def leave(self) -> None:
        """Close the page. Raises AssertionError when it ever complained."""
        await self.context.close()
        assert not self.complaints, self.complaints

    def say(self, key: str, **places: object) -> str:
        return say(self.language, key, **places)

    # ------------------------------------------------------------ doing

    def button(self, key: str, **places: object) -> Any:
        return self.page.get_by_role("button", name=self.say(key, **places), exact=True)

    async def press(self, key: str, **places: object) -> None:
        await self.button(key, **places).click()

    async def confirm(self, key: str) -> None:
        """Answer the question that stands in the way."""
        await self.page.get_by_role("alertdialog").get_by_role("button", name=self.say(key), exact=True).click()

    async def press_label(self, label: str) -> None:
        await self.page.get_by_role("button", name=label, exact=True).click()

    async def shown(self, key: str, **places: object) -> str:
        """The text of a field that can be copied."""
        found: str = await self.page.get_by_label(self.say(key, **places), exact=True).inner_text()
        return found

    async def fill(self, key: str, text: str) -> None:
        await self.page.get_by_label(self.say(key)).fill(text)

    async def sees(self, text: str | re.Pattern[str]) -> None:
        await expect(self.page.get_by_text(text).first).to_be_visible(timeout=APPEARS_MS)

    async def in_call(self) -> None:
        await expect(self.page.get_by_role("navigation", name=self.say("bar.label"))).to_be_visible(timeout=APPEARS_MS)

    async def come_as_customer(self, link: str, *, microphone: bool = True, camera: bool = True) -> None:
        """By link, with the check of the devices, answering both questions."""
        await self.page.goto(link)
        await self.check_and_agree(microphone=microphone, camera=camera)

    async def check_and_agree(self, *, microphone: bool = True, camera: bool = True) -> None:
        """From the invitation to the call."""
        await self.press("start")
        await self.press("check.before.go")
        await self.press("next")
        for scope, given in (("microphone", microphone), ("camera", camera)):
            await expect(self.page.get_by_role("heading", name=self.say(f"consent.{scope}.title"))).to_be_visible()
            await self.press("consent.yes" if given else "consent.no")
        await self.in_call()

    async def come_as_expert(self, link: str) -> None:
        """One click."""
        await self.page.goto(link)
        await self.press("join.go")
        await self.in_call()

    async def sign_in(self, url: str, username: str, password: str) -> None:
        await self.page.goto(url)
        await self.fill("login.username", username)
        await self.fill("login.password", password)
        await self.press("login.go")

    async def open_chat(self) -> None:
        if not await self.page.get_by_label(self.say("chat.write")).is_visible():
            await (
                self.page.get_by_role("navigation", name=self.say("bar.label"))
                .get_by_role("button", name=re.compile(rf"^{re.escape(self.say('bar.chat'))}"))
                .click()
            )

    async def close_panel(self) -> None:
        """On a phone the panel covers the bar."""
        await self.page.get_by_role("complementary").get_by_role("button", name=self.say("close"), exact=True).click()

    async def close_dialog(self) -> None:
        await self.page.get_by_role("dialog").get_by_role("button", name=self.say("close"), exact=True).click()

    async def open_people(self) -> None:
        await self.page.locator("button.top-people").click()

    async def write(self, text: str) -> None:
        await self.open_chat()
        await self.fill("chat.write", text)
        await self.press("chat.send")

    async def give_file(self, name: str, media_type: str, content: bytes) -> None:
        await self.open_chat()
        await self.page.locator("input[type=file]").set_input_files({"name": name, "mimeType": media_type, "buffer": content})

    def download(self, name: str) -> Any:
        """The button of a file in the chat; its size follows its name."""
        return self.page.get_by_role("button", name=self.say("chat.download", name=name))

    async def messages(self) -> list[str]:
        await self.open_chat()
        return await self.page.get_by_label(self.say("chat.list")).locator(".bubble > p").all_inner_texts()

    # ------------------------------------------------------------ watching

    async def inbound(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = await self.page.evaluate("() => window.__tp.inbound()")
        return rows

    async def until(self, condition: str, argument: object, timeout_s: float) -> Any:
        """The first true answer of an asynchronous function of the page, asked ten times a second."""
        script = f"""async ([argument, timeout_ms]) => {{
            const ask = {condition};
            const deadline = performance.now() + timeout_ms;
            for (;;) {{
                const answer = await ask(argument);
                if (answer || performance.now() > deadline) return answer || null;
                await new Promise((resolve) => setTimeout(resolve, 100));
            }}
        }}"""
        answer = await self.page.evaluate(script, [argument, timeout_s * 1000])
        assert answer is not None, f"not within {timeout_s:.0f} s: {condition} of {argument}; received: {await self.inbound()}"
        return answer

    async def _row(self, role: str, source: str, condition: str, argument: object, timeout_s: float) -> dict[str, Any]:
        """The statistics of somebody's source as soon as ``condition`` on ``row`` holds."""
        script = f"""async ([role, source, argument]) => {{
            const rows = await window.__tp.inbound();
            const row = rows.find((one) => one.role === role && one.source === source);
            return row && ({condition}) ? row : null;
        }}"""
        row: dict[str, Any] = await self.until(script, [role, source, argument], timeout_s)
        return row

    async def receives(self, role: str, source: str, *, within_s: float = 30) -> dict[str, Any]:
        """Wait for the first decoded frame of a picture, or the first packet of a voice."""
        condition = "row.packets > argument" if source == "microphone" else "row.frames > argument"
        return await self._row(role, source, condition, 0, within_s)

    async def goes_on(self, role: str, source: str, frames: int) -> None:
        """Wait until more than so many frames were decoded."""
        await self._row(role, source, "row.frames > argument", frames, APPEARS_MS / 1000)

    async def flow(self, role: str, source: str, *, over_s: float = 3) -> Flow:
        """Frames (or packets) a second, and sound energy, over at least ``over_s`` of the statistics' clock."""
        first = await self.receives(role, source)
        last = await self._row(role, source, "row.at_ms >= argument", first["at_ms"] + over_s * 1000, over_s + 30)
        took_s = (last["at_ms"] - first["at_ms"]) / 1000
        counted = "packets" if source == "microphone" else "frames"
        return Flow(
            per_s=(last[counted] - first[counted]) / took_s,
            energy=last["energy"] - first["energy"],
            packets=last["packets"] - first["packets"],
        )

    async def shut(self, role: str, source: str) -> None:
        """Wait until signalling says that this source of theirs is not let through."""
        script = """async ([role, source]) => {
            const person = [...window.__tp.people.values()].find((one) => one.role === role);
            return person?.tracks.some((track) => track.source === source && !track.open);
        }"""
        await self.until(script, [role, source], APPEARS_MS / 1000)

    async def all_packets(self) -> dict[str, int]:
        """Packets that ever arrived, by receiving line, whomever it shows."""
        return {row["mid"]: row["packets"] for row in await self.inbound()}

    async def is_cut_off_from(self, role: str) -> None:
        """Signalling says that nothing of this person is let through, and for half a second nothing was."""
        script = """async ([role, quiet_ms]) => {
            const person = [...window.__tp.people.values()].find((one) => one.role === role);
            if (!person || person.tracks.some((track) => track.open)) return false;
            const rows = await window.__tp.inbound();
            const total = rows.reduce((sum, row) => sum + row.packets, 0);
            const now_ms = Math.max(...rows.map((row) => row.at_ms));
            const seen = (window.__tp.quiet ??= { total, since_ms: now_ms });
            if (seen.total !== total) window.__tp.quiet = { total, since_ms: now_ms };
            return now_ms - window.__tp.quiet.since_ms >= quiet_ms;
        }"""
        await self.until(script, [role, 500], APPEARS_MS / 1000)


async def all_leave(*seats: Seat) -> None:
    """Close every page, then raise what they complained of."""
    for seat in seats:
        await seat.context.close()
    complaints = [text for seat in seats for text in seat.complaints]
    assert not complaints, complaints
