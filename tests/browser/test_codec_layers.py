"""Simulcast in another codec than VP8, in a real Chromium: a slot goes from size to size and back, and every picture is decoded."""

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio
from playwright.async_api import Browser

from tests.browser.test_codecs import MOST_IN_DECODER, camera, offers
from tests.browser.test_simulcast import two
from tests.support.bank import Bank
from tests.support.large_camera import browser_with_camera, film
from tests.support.server_process import CALLS_ONLY, ServerProcess

pytestmark = [pytest.mark.browser, pytest.mark.quiet, pytest.mark.asyncio(loop_scope="session")]

CAMERA = (960, 540)
HALF = 270
WITHIN_S = 40
GOES_ON = 15
"""Pictures after a switch."""
SMALL = {"width": 320, "height": 240}
LARGE = {"width": 1280, "height": 800}
MOST_ASKED = 1
"""Key frames that the receiver asks for: a stream that breaks at a switch makes it ask over and over."""
SHOWS = """async ([least, most, keys]) => {
    const stats = await window.__tp.peers.at(-1).getStats();
    return [...stats.values()].some(
        (stat) => stat.type === "inbound-rtp" && stat.kind === "video" && stat.frameHeight >= least && stat.frameHeight <= most
            && stat.keyFramesDecoded > keys,
    );
}"""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def large(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Browser]:
    """A browser with a camera that is just large enough for three sizes."""
    async with browser_with_camera(film(tmp_path_factory.mktemp("camera") / "film.y4m", *CAMERA)) as browser:
        yield browser


@pytest.mark.parametrize("codec", ["VP9"])
async def test_a_slot_goes_from_size_to_size_and_back(large: Browser, tmp_path: Path, codec: str) -> None:
    if not await offers(large, codec):
        pytest.skip(f"this Chromium does not offer {codec}")
    with ServerProcess(tmp_path, TONGPING_MEDIA_VIDEO_CODECS=codec, TONGPING_MEDIA_WORKERS="1", **CALLS_ONLY) as server:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as http:
            bank = Bank(http, server.url)
            await bank.sign_in(*server.agent)
            async with two(large, bank, *CAMERA, test_is_relay=False) as (session, _, other):
                await other.until(SHOWS, [1, CAMERA[1], 0], WITHIN_S)
                keys = 0
                for viewport, least, most in ((LARGE, HALF + 1, CAMERA[1]), (SMALL, 1, HALF), (LARGE, HALF + 1, CAMERA[1])):
                    await other.page.set_viewport_size(viewport)
                    await other.until(SHOWS, [least, most, keys], WITHIN_S)
                    keys = (await camera(other))["keyFramesDecoded"]
                    await other.goes_on("expert", "camera", (await other.receives("expert", "camera"))["frames"] + GOES_ON)
                seen = await camera(other)
                assert seen["codec"] == f"video/{codec}"
                assert seen["framesReceived"] - seen["framesDecoded"] - seen["framesDropped"] <= MOST_IN_DECODER
                assert seen["pliCount"] <= MOST_ASKED
                told = await bank.call("GET", f"/sessions/{session}/media")
    cameras = [one for person in told["participants"] for one in person["sources"] if one["source"] == "camera"]
    heights = next(sizes for one in cameras if len(sizes := {layer["rid"]: layer["height"] for layer in one["layers"]}) == 3)
    assert 0 < heights["q"] < heights["h"] < heights["f"] <= CAMERA[1]  # a busy machine encodes less than the camera gives
