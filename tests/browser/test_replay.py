"""The frame in which a customer's page is replayed: what is hostile in it fetches nothing and runs nothing, and what is picked in it is the node that is meant."""

import http.server
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page

from tests.support.replay import Json, Replay, Written, picture
from tests.support.static_site import serve

pytestmark = [pytest.mark.browser, pytest.mark.campaign(23), pytest.mark.asyncio(loop_scope="session")]

MASK = "•••••"


class Lure:
    """A server that wants to be fetched from; ``hits`` are the paths that were."""

    def __init__(self) -> None:
        self.hits: list[str] = []
        self.address = ""


@contextmanager
def lure() -> Iterator[Lure]:
    made = Lure()

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            made.hits.append(self.path)
            self.send_response(200)
            self.send_header("Access-Control-Allow-Origin", "*")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    made.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, name="lure")
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        thread.join(timeout=5)
        server.server_close()


@pytest_asyncio.fixture(loop_scope="session")
async def replay(browser: Browser) -> AsyncIterator[Replay]:
    with serve() as address:
        context = await browser.new_context(viewport={"width": 1000, "height": 700}, reduced_motion="reduce")
        try:
            page = await context.new_page()
            await page.goto(f"{address}/stories.html")
            made = Replay(page)
            await made.open()
            yield made
        finally:
            await context.close()


def hostile(w: Written, at: str) -> list[Json]:
    """Every way to fetch or run that comes to mind, as no sanitiser would let it through."""
    run = "top.ran = (top.ran || 0) + 1; window.ran = 1"
    css = f"@import url({at}/import.css); @font-face {{ font-family: f; src: url({at}/font.woff2) }} body {{ background: url({at}/ground.png); font-family: f }} p::before {{ content: url({at}/content.png) }} a {{ cursor: url({at}/cursor.cur), auto }}"
    e = w.element
    return [
        e("img", {"src": f"{at}/img.png", "onerror": run, "onload": run, "srcset": f"{at}/set.png 2x"}),
        e("picture", {}, e("source", {"srcset": f"{at}/source.png"}), e("img", {"src": f"{at}/picture.png"})),
        e("script", {}, run),
        e("script", {"src": f"{at}/script.js"}),
        e("style", {"_cssText": css}),
        e("link", {"rel": "stylesheet", "href": f"{at}/sheet.css"}),
        e("link", {"rel": "preload", "as": "image", "href": f"{at}/preload.png"}),
        e("link", {"rel": "prefetch", "href": f"{at}/prefetch.html"}),
        e("link", {"rel": "icon", "href": f"{at}/icon.png"}),
        e("link", {"rel": "modulepreload", "href": f"{at}/module.js"}),
        e("iframe", {"src": f"{at}/frame.html"}),
        e("iframe", {"srcdoc": f"<script>{run}</script><img src='{at}/srcdoc.png' onerror='{run}'>"}),
        e("iframe", {"src": f"javascript:{run}"}),
        e("object", {"data": f"{at}/object.swf"}),
        e("embed", {"src": f"{at}/embed.swf"}),
        e("video", {"src": f"{at}/video.mp4", "poster": f"{at}/poster.png", "autoplay": "", "onloadstart": run}),
        e("audio", {"src": f"{at}/audio.mp3", "autoplay": ""}),
        e("input", {"type": "image", "src": f"{at}/input.png", "autofocus": "", "onfocus": run}),
        e("p", {"style": f"background-image: url({at}/style.png)"}, "words"),
        e("a", {"href": f"javascript:{run}", "ping": f"{at}/ping", "name_": "link"}, "link"),
        e("form", {"action": f"{at}/form"}, e("button", {"name_": "submit"}, "send")),
        e(
            "svg",
            {"onload": run},
            e("image", {"xlink:href": f"{at}/svg.png", "href": f"{at}/svg.png"}, isSVG=True),
            e("script", {}, run, isSVG=True),
            isSVG=True,
        ),
        e("details", {"open": "", "ontoggle": run}, e("summary", {}, "more")),
        e("div", {"onanimationstart": run, "style": "animation: x 1ms"}),
        e("body", {"background": f"{at}/body.png", "onload": run}),
    ]


def hostile_head(w: Written, at: str) -> list[Json]:
    return [
        w.element("base", {"href": f"{at}/"}),
        w.element("meta", {"http-equiv": "refresh", "content": f"0; url={at}/refresh"}),
        w.element("meta", {"http-equiv": "Content-Security-Policy", "content": "default-src *"}),
        w.element("link", {"rel": "dns-prefetch", "href": at}),
    ]


async def settle(page: Page) -> None:
    """Two frames, and what was fetched in them has been."""
    await page.evaluate(
        "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 300))))"
    )


#: The frames within the picture in which something ran. Those have no scripts, so they are asked from outside.
RAN = """
(page) => {
  const ran = [];
  const look = (inner) => {
    if (inner.defaultView.ran || parent.ran) ran.push(inner.URL);
    for (const frame of inner.querySelectorAll("iframe, object, embed")) if (frame.contentDocument) look(frame.contentDocument);
  };
  look(page);
  return ran;
}
"""


async def test_a_hostile_page_fetches_nothing_and_runs_nothing(replay: Replay) -> None:
    with lure() as trap:
        w = Written()
        head = w.element("head", {}, *hostile_head(w, trap.address))
        body = w.element("body", {}, *hostile(w, trap.address))
        await replay.events(picture(w.element("html", {}, head, body)))
        await replay.drawn()
        added = [{"parentId": body["id"], "nextId": None, "node": one} for one in hostile(w, trap.address)]
        text = {"id": 12, "attributes": {"src": f"{trap.address}/late.png", "onload": "top.ran = 1"}}
        await replay.events(
            [
                {
                    "type": 3,
                    "data": {"source": 0, "removes": [], "adds": added, "texts": [], "attributes": [text]},
                    "timestamp": 3,
                }
            ]
        )
        await settle(replay.page)
        for x in range(20, 800, 60):  # and all over it, with a tool in the hand
            for y in range(20, 600, 60):
                await replay.page.mouse.click(x, y)
        await settle(replay.page)
        assert trap.hits == []
        assert await replay.page.evaluate("window.ran") is None
        assert await replay.inside(RAN) == []
        assert {frame.url.split("#")[0] for frame in replay.page.frames if frame.url.startswith("http")} <= {
            replay.page.url.split("#")[0],
            replay.page.url.split("/stories")[0] + "/replay.html",
        }


async def test_the_same_page_without_the_frame_would(browser: Browser) -> None:
    """The measure itself."""
    with lure() as trap:
        context = await browser.new_context()
        try:
            page = await context.new_page()
            await page.set_content(f"<img src='{trap.address}/img.png'><img src='x:' onerror='window.ran = 1'>")
            await page.wait_for_function("window.ran === 1")
        finally:
            await context.close()
        assert "/img.png" in trap.hits


def form(w: Written) -> Json:
    e = w.element
    css = "body { margin: 0; font: 16px sans-serif } p, input, button, label, select { position: absolute; margin: 0; width: 200px; height: 30px; left: 40px } "
    at = {"title": 20, "name": 80, "amount": 140, "button": 200, "tick": 260, "masked": 320, "list": 380}
    css += " ".join(f".{name} {{ top: {top}px }}" for name, top in at.items())
    host = e(
        "div",
        {"name_": "host", "class": "shadow"},
        {**e("button", {"name_": "inner", "class": "deep"}, "In the shadow"), "isShadow": True},
        isShadowHost=True,
    )
    return e(
        "html",
        {},
        e("head", {}, e("style", {"_cssText": css + " .shadow { position: absolute; left: 400px; top: 20px } "})),
        e(
            "body",
            {},
            e("p", {"class": "title", "name_": "title"}, "Transfer"),
            e("label", {"class": "name", "for": "n", "name_": "label"}, "To whom"),
            e("input", {"class": "amount", "id": "n", "name_": "field", "value": ""}),
            e("button", {"class": "button", "type": "button", "name_": "button"}, "Next"),
            e("input", {"class": "tick", "type": "checkbox", "name_": "tick"}),
            e("p", {"class": "masked", "name_": "masked"}, MASK),
            e("select", {"class": "list", "name_": "list"}, e("option", {}, MASK)),
            e("div", {"name_": "box", "rr_width": "50px", "rr_height": "40px"}, needBlock=True),
            host,
        ),
    )


@pytest_asyncio.fixture(loop_scope="session")
async def drawn(replay: Replay) -> tuple[Replay, Written]:
    w = Written()
    await replay.events(picture(form(w)))
    await replay.drawn()
    return replay, w


@pytest.mark.parametrize(
    ("tool", "place", "name", "kind", "what"),
    [
        ("fill", (100, 155), "field", "field", "To whom"),
        ("fill", (100, 95), "field", "field", "To whom"),  # its label
        ("fill", (100, 395), "list", "field", ""),
        ("click", (100, 215), "button", "control", "Next"),
        ("click", (100, 275), "tick", "control", ""),
        ("click", (410, 30), "inner", "control", "In the shadow"),
        ("scroll", (100, 30), "title", "other", "Transfer"),
        ("scroll", (100, 335), "masked", "other", ""),
    ],
)
async def test_what_is_picked_is_what_is_meant(
    drawn: tuple[Replay, Written], tool: str, place: tuple[int, int], name: str, kind: str, what: str
) -> None:
    replay, w = drawn
    await replay.tell(do="tool", tool=tool, pointer=False)
    await replay.page.mouse.click(100 + place[0], place[1])  # the picture of 800 px stands in the middle of 1000
    await replay.heard("picked")
    (picked,) = await replay.hear("picked")
    assert picked == {"say": "picked", "page": 1, "tool": tool, "picked": {"node": w.ids[name], "kind": kind, "what": what}}
    assert await replay.hear("point") == []


async def test_no_field_is_picked_where_none_is(drawn: tuple[Replay, Written]) -> None:
    replay, _ = drawn
    await replay.tell(do="tool", tool="fill", pointer=False)
    await replay.page.mouse.click(140, 30)
    await replay.page.mouse.click(140, 155)
    await replay.heard("picked")
    assert len(await replay.hear("picked")) == 1


async def test_pointer_and_drawings_are_tied_to_nodes(drawn: tuple[Replay, Written]) -> None:
    replay, w = drawn
    mouse = replay.page.mouse
    await replay.tell(do="tool", tool="box", pointer=True)
    await mouse.move(100 + 40 + 50, 140 + 15)
    await mouse.down()
    await mouse.move(100 + 40 + 150, 140 + 24)
    await mouse.up()
    await replay.heard("marked")
    (marked,) = await replay.hear("marked")
    first, second = marked["spots"]
    assert (marked["kind"], first["node"], second["node"]) == ("box", w.ids["field"], w.ids["field"])
    assert (first["x"], second["x"]) == (pytest.approx(0.25, abs=0.03), pytest.approx(0.75, abs=0.03))
    points = [one["at"] for one in await replay.hear("point")]
    assert points[0]["node"] == w.ids["field"]
    await mouse.click(100 + 40 + 50, 140 + 15)  # too short for a box
    await replay.tell(do="tool", tool="highlight", pointer=True)
    await mouse.click(100 + 60, 215)
    await replay.heard("marked", 2)
    assert [(one["kind"], one["spots"][0]["node"]) for one in await replay.hear("marked")] == [
        ("box", w.ids["field"]),
        ("highlight", w.ids["button"]),
    ]


async def test_keys_do_what_a_pointer_does(drawn: tuple[Replay, Written]) -> None:
    replay, w = drawn
    await replay.tell(do="tool", tool="click", pointer=False)
    await replay.page.keyboard.press("Tab")
    frame = next(one for one in replay.page.frames if one.url.endswith("/replay.html"))
    await frame.locator(".glass").focus()
    for _ in range(2):
        await replay.page.keyboard.press("n")
    await replay.page.keyboard.press("Enter")
    await replay.heard("picked")
    (picked,) = await replay.hear("picked")
    assert picked["picked"]["node"] == w.ids["button"]
    await replay.page.keyboard.press("Escape")
    await replay.heard("escape")
    await replay.page.keyboard.press("Tab")
    assert await frame.evaluate("document.activeElement.className") != "sheet"  # nothing within the picture takes the focus
    assert await replay.inside("(page) => page.activeElement === page.body || page.activeElement === null")


async def test_n_goes_past_what_is_put_aside_or_covered(replay: Replay) -> None:
    w = Written()
    e = w.element
    aside = "a { position: absolute; left: -999px; top: 0 } button, .cover, input { position: absolute; left: 50px; width: 90px; height: 30px } "
    places = "button, .cover { top: 50px } input { top: 150px } .cover { background: #ccc }"
    body = [e("a", {"href": "#"}, "Skip"), e("button", {"type": "button"}, "Under"), e("div", {"class": "cover"})]
    style = e("style", {"_cssText": aside + places})
    field = e("input", {"name_": "field", "value": ""})
    await replay.events(picture(e("html", {}, e("head", {}, style), e("body", {}, *body, field))))
    await replay.drawn()
    await replay.tell(do="tool", tool="fill", pointer=False)
    frame = next(one for one in replay.page.frames if one.url.endswith("/replay.html"))
    await frame.locator(".glass").focus()
    for _ in range(2):
        await replay.page.keyboard.press("n")
    await replay.page.keyboard.press("Enter")
    await replay.heard("picked")
    (picked,) = await replay.hear("picked")
    assert picked["picked"]["node"] == w.ids["field"]


async def test_what_is_hidden_is_hatched(drawn: tuple[Replay, Written]) -> None:
    replay, w = drawn
    hatched = "(page) => [...page.querySelectorAll('[data-tp-masked], [data-tp-empty]')].map((one) => one.tagName)"
    assert sorted(await replay.inside(hatched)) == ["DIV", "OPTION", "P", "SELECT"]
    change = {"source": 0, "removes": [], "adds": [], "attributes": [], "texts": []}
    words = {"id": w.ids["masked"] + 1, "value": "Now it may be read"}
    await replay.events([{"type": 3, "data": {**change, "texts": [words]}, "timestamp": 4}])
    await replay.events(
        [{"type": 3, "data": {"source": 5, "id": w.ids["field"], "text": MASK, "isChecked": False}, "timestamp": 5}]
    )
    assert sorted(await replay.inside(hatched)) == ["DIV", "INPUT", "OPTION", "SELECT"]


async def test_what_does_not_fit_is_told_once_until_the_next_picture(drawn: tuple[Replay, Written]) -> None:
    replay, _ = drawn
    gone = {"source": 0, "removes": [{"parentId": 1, "id": 9_999}], "adds": [], "attributes": [], "texts": []}
    for _ in range(3):
        await replay.events([{"type": 3, "data": gone, "timestamp": 6}])
    await replay.heard("lost")
    await replay.events(picture(form(Written())))
    await replay.drawn(2)
    assert len(await replay.hear("lost")) == 1
    await replay.tell(do="event", text="{", page=1, begins=False)
    await replay.heard("lost", 2)
    assert await replay.page.frame_locator("#replay").locator(".sheet").count() == 1


async def test_nothing_is_left_of_a_page_that_is_forgotten(drawn: tuple[Replay, Written]) -> None:
    replay, _ = drawn
    await replay.tell(do="forget")
    sheets = replay.page.frame_locator("#replay").locator(".sheet")
    await replay.page.frame_locator("#replay").locator(".paper.empty").wait_for(state="attached")
    assert await sheets.count() == 0


async def test_the_frame_answers_its_own_page_alone(browser: Browser) -> None:
    """Opened by itself, or by a page of another origin, it says nothing and shows nothing."""
    with serve() as address:
        context = await browser.new_context()
        try:
            page = await context.new_page()
            await page.goto(f"{address}/replay.html")
            await page.evaluate("window.postMessage('tongping.replay', '*', [new MessageChannel().port2])")
            await settle(page)
            assert await page.evaluate("document.body.children.length") == 0
            await page.goto("about:blank")
            await page.set_content(f"<iframe src='{address}/replay.html'></iframe>")
            await settle(page)
            assert (
                page.frames[1].url != f"{address}/replay.html"
                or await page.frames[1].evaluate("document.body.children.length") == 0
            )
        finally:
            await context.close()
