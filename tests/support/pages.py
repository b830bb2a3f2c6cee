"""Pages as rrweb records them, made by hand: nodes, events, and a whole picture of them."""

import itertools
import json
from typing import Any

Json = dict[str, Any]


class Recorder:
    """Numbers nodes as rrweb's mirror does."""

    def __init__(self, url: str = "https://bank.example/transfers/7?card=6222020200112233") -> None:
        self._ids = itertools.count(1)
        self.url = url
        self.html = self.element("html", {}, self.element("head", {}), self.element("body", {}))
        self.document: Json = {
            "type": 0,
            "childNodes": [{"type": 1, "name": "html", "publicId": "", "systemId": "", "id": next(self._ids)}, self.html],
            "id": next(self._ids),
        }

    @property
    def head(self) -> Json:
        return self.html["childNodes"][0]  # type: ignore[no-any-return]

    @property
    def body(self) -> Json:
        return self.html["childNodes"][1]  # type: ignore[no-any-return]

    def element(self, tag: str, attributes: Json | None = None, *below: Json | str, **more: Any) -> Json:
        nodes = [self.text(one) if isinstance(one, str) else one for one in below]
        return {"type": 2, "tagName": tag, "attributes": attributes or {}, "childNodes": nodes, "id": next(self._ids), **more}

    def text(self, text: str) -> Json:
        return {"type": 3, "textContent": text, "id": next(self._ids)}

    def put(self, *nodes: Json) -> "Recorder":
        self.body["childNodes"].extend(nodes)
        return self

    def meta(self) -> bytes:
        return event(4, {"href": self.url, "width": 1280, "height": 800})

    def picture(self) -> bytes:
        return event(2, {"node": self.document, "initialOffset": {"left": 0, "top": 0}})


def event(kind: int, data: Any, at: int = 1_700_000_000_000) -> bytes:
    return json.dumps({"type": kind, "data": data, "timestamp": at}, ensure_ascii=False).encode()


def mutation(**lists: Any) -> bytes:
    return event(3, {"source": 0, "removes": [], "adds": [], "texts": [], "attributes": [], **lists})


def happens(source: int, **data: Any) -> bytes:
    return event(3, {"source": source, **data})


def added(parent: Json, node: Json, following: Json | None = None) -> Json:
    return {"parentId": parent["id"], "nextId": None if following is None else following["id"], "node": node}


def nodes_of(made: Json) -> dict[int, Json]:
    """All nodes of a picture or an added node, by number."""
    found, waiting = {}, [made]
    while waiting:
        node = waiting.pop()
        found[node["id"]] = node
        waiting.extend(node.get("childNodes", ()))
    return found
