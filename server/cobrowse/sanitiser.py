"""A customer's page as rrweb records it, made anew from what may be seen. Sans-I/O.

The customer's script masks first; this is the second time, and the one that counts: it trusts nothing that the browser says. No part of an event is passed
on. Each is built anew from what is known (``allowed``), by what rules say of the node it is about (``rules``), which the shadow tree tells (``shadow``). What
is not known, an element, an attribute, a node, a kind of event, is masked or dropped and counted, by kinds alone.

Formats: rrweb 2 (``@rrweb/types``): ``EventType``, ``IncrementalSource``, ``NodeType``. Of a change of class, id or the like the new level holds at once where
it hides more, and a new picture is asked for (``Sanitised.resync``), as what is at the viewers already may be too much; where it shows more, with the next
whole picture.
"""

import heapq
from collections.abc import Generator, Mapping
from enum import IntEnum
from typing import Any

import msgspec

from server.cobrowse.gestures import Gestures, Source
from server.cobrowse.looks import Secrets, TooMuch
from server.cobrowse.nodes import Json, Limits, Nodes, NodeType
from server.cobrowse.pictures import read_event
from server.cobrowse.rules import Level, Page, RulePack
from server.cobrowse.shadow import Node
from server.cobrowse.styles import Styles
from server.cobrowse.values import number, whole

DEFAULT = Limits()


class EventType(IntEnum):
    DOM_CONTENT_LOADED = 0
    LOAD = 1
    FULL_SNAPSHOT = 2
    INCREMENTAL = 3
    META = 4


class Sanitised(msgspec.Struct, frozen=True):
    """``event``: what may leave, None for nothing. ``resync``: a new whole picture is needed. ``paused``: the page is one that rules do not let be shown.
    ``dropped``: what was left out, how often, by kinds; never by content. ``pictured``: nodes that show an image, and which."""

    event: Json | None
    resync: bool = False
    paused: bool = False
    dropped: Mapping[str, int] = {}
    pictured: tuple[tuple[int, int], ...] = ()


class Sanitiser:
    """One shared page of one browser tab, from its first event. ``epoch`` counts its pictures: numbers of nodes mean something in one of them only. ``secrets``:
    what is known of this document already, if it was looked at before."""

    def __init__(self, pack: RulePack, styles: Styles, limits: Limits = DEFAULT, secrets: Secrets | None = None) -> None:
        self._pack = pack
        self._nodes = Nodes(styles, limits, Secrets() if secrets is None else secrets)
        self._gestures = Gestures(self._nodes)
        self._begun = False
        self._drawn = False
        self.epoch = 0

    @property
    def page(self) -> Page:
        return self._nodes.page

    @property
    def nodes(self) -> int:
        return len(self._nodes.shadow.nodes)

    @property
    def weight(self) -> int:
        """``Nodes.weight``."""
        return self._nodes.weight

    def lose(self) -> None:
        """Events were left out: nothing more of this page leaves until its next whole picture. What was secret once stays so."""
        self._nodes.clear()
        self._drawn = False

    def node(self, id: int) -> Node | None:
        """For the gate of control: None also for what is not shown."""
        return self._nodes.shown(id)

    def take(self, raw: bytes) -> Sanitised:
        """One event at once."""
        steps = self.steps(raw, is_written=False)
        while True:
            try:
                next(steps)
            except StopIteration as done:
                result: Sanitised = done.value
                return result

    def steps(self, raw: bytes, *, is_written: bool = True) -> Generator[None, None, Sanitised]:
        """One event, with a pause after every ``Limits.slice`` nodes; the next begins when this one is over. Whatever goes wrong, nothing leaves. ``is_written``:
        nodes of a large tree are JSON already."""
        self._nodes.heard(len(raw), is_written=is_written)
        event: Json | None = None
        try:
            event = yield from self._event(self._read(raw))
            yield from self._nodes.read_sheets()
            yield from self._nodes.written.write()
        except TooMuch:
            event = None
            self._forget("too_much")
        except (RecursionError, ValueError, msgspec.DecodeError):
            event = None
            if not self._drawn:  # half a picture
                self._nodes.clear()
            self._nodes.drop("unreadable")
            self._nodes.resync = True
        finally:
            pictured = () if event is None else tuple(self._nodes.pictured.found)
            self._nodes.done()
        return Sanitised(event, self._nodes.resync, self.page.pause, dict(self._nodes.dropped), pictured)

    # ---- events

    def _read(self, raw: bytes) -> Json:
        if len(raw) > self._nodes.limits.event_bytes:
            raise TooMuch
        found = read_event(raw, EventType.FULL_SNAPSHOT)
        if not isinstance(found, dict):
            raise ValueError("no event")
        return found

    def _event(self, given: Json) -> Generator[None, None, Json | None]:
        kind, data, at = given.get("type"), given.get("data"), whole(given.get("timestamp"), 1 << 53)
        if not isinstance(data, dict) or at is None:
            self._nodes.drop("event")
            return None
        made: Json | None
        if kind == EventType.META:
            made = self._meta(data)
        elif self.page.pause:
            return None
        elif kind == EventType.FULL_SNAPSHOT:
            made = yield from self._snapshot(data)
        elif kind == EventType.INCREMENTAL:
            if not self._drawn:
                self._nodes.drop("before_picture")
                self._nodes.resync = True
                return None
            made = yield from self._incremental(data)
        elif kind in (EventType.DOM_CONTENT_LOADED, EventType.LOAD):
            return None  # the replayer does nothing with them
        else:
            self._nodes.drop("event")
            return None
        return None if made is None else {"type": kind, "data": made, "timestamp": at}

    def _meta(self, data: Json) -> Json | None:
        url, width, height = data.get("href"), whole(data.get("width"), 20_000), whole(data.get("height"), 20_000)
        if not isinstance(url, str) or width is None or height is None:
            self._nodes.drop("event")
            return None
        self._nodes.begin(self._pack.page(url))
        self._begun, self._drawn = True, False
        self.epoch += 1
        return None if self.page.pause else {"href": self.page.name, "width": width, "height": height}

    def _snapshot(self, data: Json) -> Generator[None, None, Json | None]:
        if not self._begun:
            self._nodes.drop("before_meta")
            return None
        self._drawn = False
        yield
        yield from self._nodes.clear_slowly()
        made = yield from self._nodes.tree(data.get("node"), None)
        if made is None or made["type"] != NodeType.DOCUMENT:
            self._nodes.clear()
            self._nodes.drop("picture")
            return None
        self._drawn = True
        offset = data.get("initialOffset")
        offset = offset if isinstance(offset, dict) else {}
        return {"node": made, "initialOffset": {side: number(offset.get(side)) or 0 for side in ("left", "top")}}

    def _incremental(self, data: Json) -> Generator[None, None, Json | None]:
        source = data.get("source")
        if source == Source.MUTATION:
            return (yield from self._mutation(data))
        return (yield from self._gestures.made(source, data))

    # ---- changes

    def _mutation(self, data: Json) -> Generator[None, None, Json | None]:
        lists = {key: value for key in ("removes", "adds", "texts", "attributes") if isinstance(value := data.get(key), list)}
        if sum(map(len, lists.values())) > self._nodes.limits.changes:
            raise TooMuch
        made: Json = {"source": int(Source.MUTATION), "removes": [], "adds": [], "texts": [], "attributes": []}
        yield from self._hidden(lists.get("attributes", []))
        for one in lists.get("removes", ()):
            if self._nodes.is_due():
                yield
            if (removed := self._removed(one)) is not None:
                made["removes"].append(removed)
        yield from self._adds(lists.get("adds", []), made["adds"])
        for one in lists.get("texts", ()):
            if self._nodes.is_due():
                yield
            if (text := self._text(one)) is not None:
                made["texts"].append(text)
        for one in lists.get("attributes", ()):
            if self._nodes.is_due():
                yield
            if (changed := (yield from self._changed(one))) is not None:
                made["attributes"].append(changed)
        if data.get("isAttachIframe") is True and made["adds"]:
            made["isAttachIframe"] = True
        return made if any(made[key] for key in lists) else None

    def _hidden(self, given: list[Any]) -> Generator[None, None, None]:
        """What is hidden from now on, before anything of the same event is put there: it was put there after that, or in the same moment."""
        for one in given:
            if self._nodes.is_due():
                yield
            changes = one.get("attributes") if isinstance(one, dict) else None
            node = self._nodes.shadow.get(one["id"]) if isinstance(changes, dict) and "id" in one else None
            if node is not None and node.tag and node.level is not Level.GONE and isinstance(changes, dict):
                if len(changes) > self._nodes.limits.attributes:
                    raise TooMuch
                yield from self._nodes.rejudge(node, changes)

    def _removed(self, given: object) -> Json | None:
        node = self._nodes.known(given)
        if node is None:
            self._nodes.resync = True
            return None
        above = node.above
        leaves = above is not None and above.level > Level.BLOCKED
        self._nodes.shadow.remove(node)
        if above is None or not leaves:
            return None
        made: Json = {"parentId": above.id, "id": node.id}
        if isinstance(given, dict) and given.get("isShadow") is True:
            made["isShadow"] = True
        return made

    def _adds(self, given: list[Any], made: list[Json]) -> Generator[None, None, None]:
        """In the order they come; those whose parent comes later wait for it, and are looked at again in the next round, or in the same if their turn is still
        to come."""
        nodes = self._nodes
        turns = [(0, place) for place in range(len(given))]
        later: dict[int | None, list[int]] = {}
        while turns:
            if nodes.is_due():
                yield
            turn, place = heapq.heappop(turns)
            one = given[place]
            parent_id = one.get("parentId") if isinstance(one, dict) else None
            parent = nodes.shadow.get(parent_id)
            if parent is None:
                later.setdefault(parent_id if type(parent_id) is int else None, []).append(place)
                continue
            if parent.level <= Level.BLOCKED:
                continue
            yield from self._added(one, parent, made)
            raw = one.get("node")
            come = nodes.shadow.get(raw.get("id")) if later and isinstance(raw, dict) else None
            for node in () if come is None else (come, *nodes.shadow.all_below(come)):
                for waits in later.pop(node.id, ()):
                    heapq.heappush(turns, (turn + (waits < place), waits))
        if later:
            nodes.dropped["unknown_node"] += sum(map(len, later.values()))
            nodes.resync = True

    def _added(self, given: Json, parent: Node, made: list[Json]) -> Generator[None, None, None]:
        raw = given.get("node")
        known = self._nodes.shadow.get(raw.get("id")) if isinstance(raw, dict) else None
        if known is not None:
            above: Node | None = parent
            while above is not None:
                if above is known:  # a node within itself
                    self._nodes.drop("node")
                    self._nodes.resync = True
                    return
                above = above.above
        node = yield from self._nodes.tree(raw, parent)
        if node is None:
            return
        following = self._nodes.shadow.get(given.get("nextId"))
        next_id = following.id if following is not None and following.above is parent else None
        made.append({"parentId": parent.id, "nextId": next_id, "node": node})

    def _text(self, given: object) -> Json | None:
        node = self._nodes.known(given)
        if node is None or node.above is None or node.tag or node.level <= Level.BLOCKED or not isinstance(given, dict):
            return None
        made: Json = {"id": node.id}
        self._nodes.put_words(made, "value", given.get("value"), node.above)
        is_sheet = node.above.tag in ("style", "link")  # it may be read later
        return made if is_sheet or self._nodes.says_anew(node, made["value"]) else None

    def _changed(self, given: object) -> Generator[None, None, Json | None]:
        node = self._nodes.known(given)
        changes = given.get("attributes") if isinstance(given, dict) else None
        if node is None or not node.tag or node.level is Level.GONE or not isinstance(changes, dict):
            return None
        if len(changes) > self._nodes.limits.attributes:
            raise TooMuch
        yield from self._nodes.rejudge(node, changes)
        made: Json = {}
        if lost := self._nodes.carry(node, changes, made, changed=True):
            self._nodes.dropped["attribute"] += lost
        if node.level is Level.BLOCKED:
            made = {key: value for key, value in made.items() if key in ("rr_width", "rr_height")}
        return {"id": node.id, "attributes": made} if made else None

    def _forget(self, why: str) -> None:
        """Nothing more of this page, until its next whole picture."""
        self.lose()
        self._nodes.drop(why)
