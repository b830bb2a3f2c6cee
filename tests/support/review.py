"""What a test does at the reviewers' page, and what it reads off the elements that play there."""

import re
from dataclasses import dataclass
from typing import Any

from playwright.async_api import Browser, Locator, expect

from tests.support.browser import Seat
from tests.support.server_process import ServerProcess
from tests.support.watching import APPEARS_MS

_PLAYED = """() => [...document.querySelectorAll("[data-lane] video, audio[data-lane]")].map((element) => ({
    lane: element.dataset.lane ?? element.closest("[data-lane]").dataset.lane,
    at_ms: element.currentTime * 1000,
    paused: element.paused,
    frames: element.getVideoPlaybackQuality?.().totalVideoFrames ?? 0,
    width: element.videoWidth ?? 0,
}))"""
_SPREAD = """async (samples) => {
    const spreads = [];
    for (let taken = 0; taken < samples; taken += 1) {
        await new Promise((done) => requestAnimationFrame(done));
        const playing = [...document.querySelectorAll("[data-lane] video, audio[data-lane]")].filter((one) => !one.paused);
        const times = playing.map((one) => one.currentTime * 1000);
        if (times.length > 1) spreads.push(Math.max(...times) - Math.min(...times));
    }
    return spreads;
}"""


@dataclass(slots=True)
class Played:
    """An element of the player: whose, where it stands, how many frames it has decoded."""

    lane: str
    at_ms: float
    paused: bool
    frames: int
    width: int


class ReviewDesk:
    """A member of staff at ``/review``."""

    def __init__(self, seat: Seat) -> None:
        self.seat = seat
        self.page = seat.page

    @classmethod
    async def take(cls, browser: Browser, server: ServerProcess, who: tuple[str, str], *, language: str = "en") -> "ReviewDesk":
        seat = await Seat.take(browser, language=language)
        await seat.sign_in(f"{server.url}/review", *who)
        return cls(seat)

    def row(self, name: str) -> Locator:
        return self.page.get_by_role("link", name=re.compile(re.escape(name)))

    async def open(self, name: str) -> None:
        """The newest recording with this customer, once it can be played."""
        await self.row(name).first.click()
        await expect(self.page.get_by_role("heading", name=name)).to_be_visible(timeout=APPEARS_MS)
        await expect(self.page.get_by_role("region", name=self.seat.say("review.player"))).to_be_visible(timeout=APPEARS_MS)

    async def played(self) -> list[Played]:
        rows: list[dict[str, Any]] = await self.page.evaluate(_PLAYED)
        return [Played(**row) for row in rows]

    async def all_play(self, lanes: int) -> list[Played]:
        """Wait until so many elements run, and every picture among them has decoded a frame."""
        condition = f"""async (lanes) => {{
            const all = ({_PLAYED})().filter((one) => !one.paused);
            return all.length >= lanes && all.every((one) => one.lane.endsWith(".microphone") || one.frames > 0) ? all : null;
        }}"""
        rows = await self.seat.until(condition, lanes, APPEARS_MS / 1000)
        return [Played(**row) for row in rows]

    async def go_on(self, before: list[Played]) -> None:
        """Wait until every one of these has gone on for half a second, and its picture with it."""
        condition = f"""async (before) => {{
            const now = new Map(({_PLAYED})().map((one) => [one.lane, one]));
            return before.every((was) => {{
                const is = now.get(was.lane);
                return is && is.at_ms >= was.at_ms + 500 && (was.lane.endsWith(".microphone") || is.frames > was.frames);
            }});
        }}"""
        await self.seat.until(condition, [vars_of(one) for one in before], APPEARS_MS / 1000)

    async def spreads_ms(self, samples: int) -> list[float]:
        """How far the elements that run are apart, frame by frame of the page."""
        found: list[float] = await self.page.evaluate(_SPREAD, samples)
        return found

    async def position_s(self) -> int:
        return int(await self.page.get_by_role("slider").get_attribute("aria-valuenow") or -1)


def vars_of(one: Played) -> dict[str, object]:
    return {"lane": one.lane, "at_ms": one.at_ms, "frames": one.frames}
