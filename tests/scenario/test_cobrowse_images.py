"""An image of a shared page that a rule lets be seen: over real sockets, through the real sanitiser and the process that draws it anew."""

import base64
import hashlib
import io
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from PIL import Image

from tests.support.cobrowsing import ORIGIN, Branch, Tab, View, branch
from tests.support.kept_page import kept, of, on_disk
from tests.support.pages import Recorder, mutation

pytestmark = pytest.mark.campaign(23)

URL = f"{ORIGIN}/images/6222020200112233.png?token=s3cret-77x"


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Branch]:
    async with branch(tmp_path) as made:
        yield made


def drawn(colour: tuple[int, int, int] = (200, 10, 30)) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (60, 20), colour).save(out, "PNG", pnginfo=None)
    return out.getvalue()


def page() -> tuple[Recorder, int, int]:
    """With a logo that a rule names and an image that none does."""
    recorder = Recorder(f"{ORIGIN}/transfers/7")
    logo = recorder.element("img", {"id": "logo", "rr_asset": "1", "src": URL, "alt": "s3cret-77x"})
    other = recorder.element("img", {"rr_asset": "2", "src": URL})
    recorder.put(logo, other)
    return recorder, logo["id"], other["id"]


async def put(tab: Tab, asset: int, data: bytes, *, sha256: str = "") -> None:
    digest, at = sha256 or hashlib.sha256(data).hexdigest(), range(0, len(data), 36_000)
    for n, start in enumerate(at, 1):
        part = base64.b64encode(data[start : start + 36_000]).decode()
        await tab.say("asset.put", page=tab.page, asset=asset, sha256=digest, n=n, data=part, last=n == len(at))


def image(view: View, asset: int) -> Image.Image | None:
    """As it came, whole; None so far."""
    parts = [one for one in view.got("view.asset") if one["asset"] == asset]
    if not parts or not parts[-1]["last"]:
        return None
    return Image.open(io.BytesIO(base64.b64decode("".join(one["data"] for one in parts))))


async def test_who_looks_sees_the_image_and_nothing_of_its_address(here: Branch) -> None:
    recorder, logo, _ = page()
    tab, view = await here.looking(recorder)
    need = await tab.next("asset.need")
    assert need == {"type": "asset.need", "page": 1, "node": logo, "asset": 1}
    await put(tab, 1, drawn())
    shown = await view.until(lambda: image(view, 1))
    assert shown.format == "WEBP"
    assert shown.convert("RGB").getpixel((30, 10)) == (200, 10, 30)
    assert '"data-asset": "1"' in view.text
    assert '"data-asset": "2"' not in view.text
    assert "s3cret" not in view.text
    assert "6222020200112233" not in view.text
    assert len(tab.got("asset.need")) == 1
    # whoever comes later has it too, without the tab being asked again
    expert = await here.expert()
    later = await (await here.view()).hello(expert.token, here.agent.got("cobrowse.changed")[-1]["share"])
    assert (await later.ask(tab))["given"]
    assert (await later.until(lambda: image(later, 1))).size == (60, 20)
    assert len(tab.got("asset.need")) == 1


async def test_what_is_no_picture_costs_nobody_the_page(here: Branch) -> None:
    recorder, logo, _ = page()
    tab, view = await here.looking(recorder)
    await tab.next("asset.need")
    await put(tab, 2, drawn())  # nobody asked for it
    await put(tab, 1, b"<svg xmlns='http://www.w3.org/2000/svg'/>")
    await tab.record(mutation(attributes=[{"id": logo, "attributes": {"rr_asset": "3"}}]))
    assert (await tab.next("asset.need", 1))["asset"] == 3
    await put(tab, 3, drawn((1, 2, 250)))
    await view.until(lambda: image(view, 3))
    assert {one["asset"] for one in view.got("view.asset")} == {3}


async def test_after_the_customers_no_none_leaves(here: Branch) -> None:
    recorder, _, _ = page()
    tab, view = await here.looking(recorder)
    await tab.next("asset.need")
    viewer = view.state["viewer"]
    await tab.say("tab.consent", viewer=viewer, scope="view", given=False, rules=tab.state["rules"])
    await put(tab, 1, drawn())
    await view.until(lambda: view.state["page"] == 0)
    await view.say("view.ping", n=1)
    await view.next("view.pong")
    assert view.got("view.asset") == []


async def test_it_is_kept_with_the_recording_behind_the_picture_that_a_player_begins_with(tmp_path: Path) -> None:
    async with kept(tmp_path) as here:
        recorder, _, _ = page()
        tab, view = await here.at.looking(recorder)
        await tab.next("asset.need")
        await put(tab, 1, drawn())
        before = await view.until(lambda: image(view, 1))
        recording = await here.recorded()
        await on_disk(tmp_path, recording, "view.asset")
        await here.ended(recording)
        lines = await here.lines(recording)
        kinds = [line["line"]["type"] for line in lines]
        [asset] = of(lines, "view.asset")
        assert Image.open(io.BytesIO(base64.b64decode(asset["data"]))).tobytes() == before.tobytes()
        assert kinds.index("kept.begin") < kinds.index("view.dom") < kinds.index("view.asset")
        assert (asset["asset"], asset["last"], len(tab.got("asset.need"))) == (1, True, 1)
        assert not [word for word in ("s3cret", "6222020200112233") if word in str(lines)]
