"""A real Chromium with made-up devices, and people sitting in it: what a test does with a page, in the page's own words."""

import re
import shutil
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, Playwright, expect

from tests.support.watching import APPEARS_MS, Watcher
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


LIGHT = ("chromium-headless-shell",)
"""The same engine without the browser around it: a quarter less of a processor in a call of three (docs/adr/0016)."""
WHOLE = ("chromium", "chromium-browser", "google-chrome")


def chromium_path(*, whole: bool = False) -> str:
    for name in (*WHOLE, *LIGHT) if whole else (*LIGHT, *WHOLE):
        if found := shutil.which(name):
            return found
    raise AssertionError("no Chromium: `make test` installs it or says how")


def flags(*, clips: bool = True) -> list[str]:
    """Where development clips are, one of them is the camera; else Chromium's own moving picture."""
    clip = next(iter(sorted(CLIPS.glob("*.mjpeg"))), None) if clips else None
    camera = "--use-fake-device-for-media-stream=fps=30"
    return [*FLAGS, camera, *([f"--use-file-for-fake-video-capture={clip}"] if clip else [])]


async def launch(playwright: Playwright, *, clips: bool = True, whole: bool = False) -> Browser:
    return await playwright.chromium.launch(
        executable_path=chromium_path(whole=whole),
        args=flags(clips=clips),
        ignore_default_args=["--mute-audio", "--hide-scrollbars"],
    )


class Seat(Watcher):
    """One person at one page in Chromium."""

    def __init__(self, context: BrowserContext, page: Page, language: str) -> None:
        self.context = context
        self.page = page
        self.language = language
        self.complaints: list[str] = []
        """Errors that the page did not catch, and whatever it or the browser (a broken content security policy) put on the console."""
        self._expected: list[re.Pattern[str]] = []
        page.on("pageerror", lambda error: self._complain("uncaught", str(error)))
        page.on("console", self._heard)

    async def evaluate(self, script: str, argument: object = None) -> Any:
        return await self.page.evaluate(script, argument)

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
        page.set_default_timeout(
            2 * APPEARS_MS
        )  # of what is clicked: a page that decodes three pictures may draw nothing for long
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


async def all_leave(*seats: Seat) -> None:
    """Close every page, then raise what they complained of."""
    for seat in seats:
        await seat.context.close()
    complaints = [text for seat in seats for text in seat.complaints]
    assert not complaints, complaints
