"""The frame with the replay of a customer's page, opened by itself, and pages for it as rrweb events."""

import asyncio
import json
from collections.abc import Iterable
from itertools import count
from typing import Any

from playwright.async_api import Page

from tests.support.watching import APPEARS_MS

Json = dict[str, Any]

#: What the workbench does: puts up the frame, hands it a port, and hears from it.
OPEN = """
() => new Promise((done) => {
  const frame = document.createElement("iframe");
  Object.assign(frame.style, { position: "fixed", inset: "0", width: "100%", height: "100%", border: "0", zIndex: "99" });
  frame.id = "replay";
  document.documentElement.style.overflow = "hidden";
  frame.src = "/replay.html";
  frame.onload = () => {
    const channel = new MessageChannel();
    window.heard = [];
    window.replay = channel.port1;
    channel.port1.onmessage = ({ data }) => {
      window.heard.push(data);
      if (data.say === "ready") done();
    };
    frame.contentWindow.postMessage("tongping.replay", location.origin, [channel.port2]);
  };
  document.body.append(frame);
})
"""


class Written:
    """Numbers nodes and keeps those that have a name (``name`` among the attributes, which does not leave)."""

    def __init__(self) -> None:
        self._numbers = count(10)
        self.ids: dict[str, int] = {}

    def text(self, words: str) -> Json:
        return {"type": 3, "textContent": words, "id": next(self._numbers)}

    def element(self, tag: str, attributes: dict[str, object] | None = None, *below: "Json | str", **more: object) -> Json:
        attributes = dict(attributes or {})
        number = next(self._numbers)
        if isinstance(name := attributes.pop("name_", None), str):
            self.ids[name] = number
        children = [self.text(one) if isinstance(one, str) else one for one in below]
        return {"type": 2, "tagName": tag, "attributes": attributes, "childNodes": children, "id": number, **more}


def picture(html: Json, width: int = 800, height: int = 600) -> list[Json]:
    document = {"type": 0, "childNodes": [{"type": 1, "name": "html", "publicId": "", "systemId": "", "id": 2}, html], "id": 1}
    return [
        {"type": 4, "data": {"href": "page", "width": width, "height": height}, "timestamp": 1},
        {"type": 2, "data": {"node": document, "initialOffset": {"left": 0, "top": 0}}, "timestamp": 2},
    ]


class Replay:
    """``tell`` and ``hear`` are the workbench's side of the port."""

    def __init__(self, page: Page) -> None:
        self.page = page

    async def open(self) -> None:
        await self.page.evaluate(OPEN)

    async def tell(self, **message: object) -> None:
        await self.page.evaluate("(message) => window.replay.postMessage(message)", message)

    async def events(self, events: Iterable[Json], page: int = 1) -> None:
        for event in events:
            await self.tell(do="event", text=json.dumps(event), page=page, begins=event["type"] == 4)

    async def drawn(self, times: int = 1) -> None:
        """Waits until so many pictures have been."""
        await self.heard("drawn", times)

    async def heard(self, kind: str, times: int = 1) -> None:
        """Waits until that was said so often. Asked from here: the page's policy lets nothing be evaluated that waits within it."""
        async with asyncio.timeout(APPEARS_MS / 1000):
            while len(await self.hear(kind)) < times:
                pass

    async def hear(self, kind: str) -> list[Json]:
        heard: list[Json] = await self.page.evaluate("(kind) => window.heard.filter(({ say }) => say === kind)", kind)
        return heard

    async def inside(self, script: str, argument: object = None) -> Any:
        """In the frame, with ``page`` the replayed document."""
        frame = next(
            one for one in self.page.frames if one.url.endswith("/replay.html") and one.parent_frame == self.page.main_frame
        )
        shown = "document.querySelector('.sheet:not(.coming) iframe').contentDocument"
        return await frame.evaluate(f"(argument) => ({script})({shown}, argument)", argument)
