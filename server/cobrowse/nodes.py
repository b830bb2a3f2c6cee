"""Nodes of a page as they leave: elements, attributes, words. Sans-I/O. ``sanitiser`` says what for."""

from collections import Counter
from collections.abc import Generator, Iterator
from typing import Any

import msgspec

from server.cobrowse import allowed
from server.cobrowse.attributes import Carried, How, Tables
from server.cobrowse.looks import LOOKED_AT, Looks, Secrets, TooMuch
from server.cobrowse.matching import Matching
from server.cobrowse.net import MASK, identifies
from server.cobrowse.pictured import Pictured
from server.cobrowse.pictures import Given, Read, as_given, read_attributes, read_node
from server.cobrowse.rules import UNKNOWN_PAGE, Level, Page
from server.cobrowse.same import Came, Same
from server.cobrowse.shadow import Look, Node, Shadow
from server.cobrowse.standing import Stand, Standing
from server.cobrowse.styles import PIECE, Allowance, Spent, Styles
from server.cobrowse.values import NodeType as NodeType
from server.cobrowse.values import whole
from server.cobrowse.written import TOGETHER, Written

Json = dict[str, Any]


DOCUMENT, DOCTYPE, ELEMENT, TEXT, COMMENT = map(int, NodeType)
SHOWN, BLOCKED, GONE = Level.SHOWN, Level.BLOCKED, Level.GONE
NAMES, STYLE, SHEET, NAME, LINK, WORDS, ENTERED, SCROLL, IMAGE = (
    How.NAMES, How.STYLE, How.SHEET, How.NAME, How.LINK, How.WORDS, How.ENTERED, How.SCROLL, How.IMAGE,
)  # fmt: skip
MAX_ID = 1 << 31
FREED = 2000
SAYS_NOTHING = frozenset(["", " ", MASK])
"""What leaves where nothing may be read."""
SHEETS = ("style", "link")
_NO_ELEMENT = Look("")


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """``event_bytes``: of one event, a whole picture among them. ``slice``: nodes between two pauses. ``css``: characters of sheets that are new, of one event. ``depth``: how deep a page may nest (Blink's parser
    stops at 512). ``changes``: of one mutation; ``judged``: nodes that its changes make rules look at again. ``rules``: of sheets, that one event changes;
    ``properties``: of one node's style; ``attributes``: of one node; ``looks``: bytes of what rules look at."""

    event_bytes: int = 8 * 1024 * 1024
    nodes: int = 60_000
    depth: int = 640
    slice: int = 200
    css: int = 400_000
    changes: int = 60_000
    judged: int = 500_000
    positions: int = 200
    text: int = 100_000
    rules: int = 20_000
    properties: int = 1000
    attributes: int = 1000
    looks: int = 32 * 1024 * 1024


_Waiting = list[tuple[Iterator[Any], list[Any], Node | None, Stand]]
"""From the top down to where one is: (what stands below as it came, as it leaves, what stands for the node above, and where)."""


class Nodes:
    """The nodes of one document, by the rules of its page. ``dropped``: what was left out of the event at hand; ``resync``: whether a new picture is needed."""

    def __init__(self, styles: Styles, limits: Limits, secrets: Secrets) -> None:
        self.styles = styles
        self.limits = limits
        self.shadow = Shadow()
        self.page: Page = UNKNOWN_PAGE
        self.looked_at = frozenset[str]()
        self.dropped: Counter[str] = Counter()
        self.resync = False
        self._secrets = secrets
        self._same: dict[tuple[object, ...], Same] = {}
        self._unread: list[tuple[Json, str, str]] = []
        self.written = Written()
        self._as_came: dict[tuple[str, bool, bytes], Came] = {}
        self.pictured = Pictured()
        self.heard()
        self._rules(UNKNOWN_PAGE)

    @property
    def weight(self) -> int:
        """What it takes to know them, in nodes of some 2 KB."""
        return len(self.shadow.nodes) + (self._looks.bytes >> 11) + (len(self._secrets.ids) >> 4)

    def begin(self, page: Page) -> None:
        """Another picture of the same document, maybe at another address: rrweb's numbers stay, and so does what was secret once."""
        if page is not self.page:
            self._rules(page)
        self.clear()

    def _rules(self, page: Page) -> None:
        self.page = page
        self.looked_at = page.names() | LOOKED_AT
        self._tables = Tables(self.looked_at, images=bool(page.images))
        self._matching = Matching(page)
        self._looks = Looks(self.looked_at, self._matching, self.limits.looks, self._looks_used)
        self._look = self._looks.of
        self._document = Look("")
        self._document.fits = self._matching.fits(self._document)
        self._standing = Standing(self._matching)

    def _looks_used(self) -> Iterator[Look]:
        return (node.look for node in self.shadow.nodes.values())

    def clear(self) -> None:
        """No node is known any more."""
        self.shadow.clear()
        self._looks.clear()

    def clear_slowly(self) -> Generator[None, None, None]:
        """``clear``, with pauses while they are freed."""
        gone, self.shadow.nodes = self.shadow.nodes, {}
        self.clear()
        while gone:
            for _ in range(min(FREED, len(gone))):
                gone.popitem()
            yield

    def heard(self, size: int = 0, *, is_written: bool = False) -> None:
        """The next event begins, of so many bytes to look over."""
        self._together = TOGETHER if is_written else self.limits.nodes + 1
        self.dropped, self.resync = Counter(), False
        self._css = Allowance(self.limits.css)
        self._worked, self._judged = size >> 12, 0
        self._pause_at = self.limits.slice - self.limits.css

    def done(self) -> None:
        """The event is over: nothing of its words stays."""
        self._same.clear()
        self._as_came.clear()
        self._standing.clear()
        self._unread.clear()
        self.pictured.clear()
        self.written.clear()

    def is_due(self) -> bool:
        """Whether a pause is, after one more node. A character of CSS takes as long as a node."""
        self._worked = worked = self._worked + 1
        if worked - self._css.left < self._pause_at:
            return False
        self._pause_at = worked - self._css.left + self.limits.slice
        return True

    def sheet(self, text: str) -> str:
        """A sheet as it leaves, or a rule of one; new ones as long as the event's share of time lasts."""
        try:
            return self.styles.sheet(text, self._css)
        except Spent:
            self.drop("stylesheet")
            return ""

    def rule(self, text: str) -> Generator[None, None, str]:
        """``sheet``, with pauses where it is long."""
        if len(text) <= PIECE:
            return self.sheet(text)
        try:
            return (yield from self.styles.reading(text, self._css))
        except Spent:
            self.drop("stylesheet")
            return ""

    def put_sheet(self, made: Json, name: str, text: str) -> None:
        """``made[name]`` becomes the sheet, or does when the event is over, as a long one is read with pauses."""
        if len(text) <= PIECE:
            made[name] = self.sheet(text)
        else:
            made[name] = ""
            self._unread.append((made, name, text))

    def read_sheets(self) -> Generator[None, None, None]:
        """Those that ``put_sheet`` has left."""
        for made, name, text in self._unread:
            made[name] = yield from self.rule(text)

    def drop(self, kind: str) -> None:
        self.dropped[kind] += 1

    def shown(self, id: object) -> Node | None:
        """A node that is known and not hidden."""
        found = self.shadow.get(id)
        return found if found is not None and found.level > BLOCKED else None

    def known(self, given: object) -> Node | None:
        """The node of which something is said; one that is not known is counted."""
        node = self.shadow.get(given.get("id")) if isinstance(given, dict) else None
        if node is None:
            self.drop("unknown_node")
        return node

    def shown_by(self, given: object) -> Node | None:
        node = self.known(given)
        return node if node is not None and node.level > BLOCKED else None

    def tree(self, given: object, above: Node | None) -> Generator[None, None, Json | None]:
        """A node and all below it, without recursion: pages may nest as they like. ``given``: what ``pictures`` reads of it, too. Raises TooMuch,
        msgspec.DecodeError."""
        top: list[Json] = []
        waiting: _Waiting = [(iter((given,)), top, above, self._stand_of(above))]
        css, worked, pause_at = self._css, self._worked, self._pause_at  # ``is_due``
        make, loose, together = self._made, 0, self._together
        while waiting:
            below, kept, node, stand = waiting[-1]
            level = len(waiting)
            for one in below:
                if type(one) is not Read:
                    if type(one) is msgspec.Raw:
                        one, took = read_node(one, level - 1)
                        worked += took
                    else:
                        one = as_given(one)
                worked += 1
                if worked - css.left >= pause_at:
                    pause_at = worked - css.left + self.limits.slice
                    yield
                made = make(one, node, stand, waiting)
                if made is not None:
                    kept.append(made)
                    loose += 1
                    if len(waiting) > level:
                        break
                    if loose >= together and level > 1:
                        loose = 0
                        self.written.later([one[1] for one in waiting])
            else:
                waiting.pop()
        self._worked, self._pause_at = worked, pause_at
        return top[0] if top else None

    def _made(self, given: Any, above: Node | None, stand: Stand, waiting: _Waiting) -> Json | None:
        """As it leaves; what stands below it, if that leaves, waits."""
        if not isinstance(given, Given) or type(id := given.id) is not int or not 0 <= id <= MAX_ID:
            self.drop("node")
            return None
        shadow, limits = self.shadow, self.limits
        depth = 0 if above is None else above.depth + 1
        if len(shadow.nodes) >= limits.nodes or depth > limits.depth:
            raise TooMuch
        kind = given.type
        made: Json
        if kind == TEXT and above is not None:
            made, text = {"type": TEXT, "textContent": "", "id": id}, given.textContent
            if type(text) is str and len(text) <= limits.text and above.look.tag not in SHEETS:
                made["textContent"] = self._words(text, above)
            else:
                self.put_words(made, "textContent", text, above)
            words = made["textContent"]
            said = words if words in SAYS_NOTHING else None
            shadow.put(Node(id, _NO_ELEMENT, above, above.level, depth, 0, 0, False, False, False, said))
        else:
            if kind == ELEMENT:
                node, made, stand = self._element(given, above, id, depth, stand)
            else:
                node, made, stand = self._other(given, kind, above, id, depth, stand)
            shadow.put(node)
            if node.level > BLOCKED and (below := given.childNodes) and type(below) is list and "childNodes" in made:
                waiting.append((iter(below), made["childNodes"], node, stand))
        if given.rootId is not None and (root := whole(given.rootId, MAX_ID)) is not None:
            made["rootId"] = root
        if given.isShadow is True and made["type"] != COMMENT:
            made["isShadow"] = True
        return made

    def _other(
        self, given: Given, kind: object, above: Node | None, id: int, depth: int, stand: Stand
    ) -> tuple[Node, Json, Stand]:
        """Neither element nor text."""
        node = Node(id, _NO_ELEMENT, above, stand.level, depth)
        if kind == DOCUMENT and (above is None or above.tag == "iframe"):
            node.look = self._document
            stand = self._standing.of(node.look, stand)
            # rules speak of the page, not of another that stands in it
            stand = self._standing.at(stand.here, stand.so_far, Level.MASKED if above is None else Level.SEALED)
            node.here, node.so_far, node.level = stand.here, stand.so_far, stand.level
            made: Json = {"type": DOCUMENT, "childNodes": [], "id": id}
            if given.compatMode == "BackCompat":
                made["compatMode"] = "BackCompat"
            return node, made, stand
        if kind == DOCTYPE:
            return node, {"type": DOCTYPE, "name": "html", "publicId": "", "systemId": "", "id": id}, stand
        node.level = GONE
        if kind != COMMENT:
            self.drop("node")
        return node, {"type": COMMENT, "textContent": "", "id": id}, stand

    def _element(self, given: Given, above: Node | None, id: int, depth: int, stand: Stand) -> tuple[Node, Json, Stand]:
        tag, svg, attributes = given.tagName, given.isSVG is True, given.attributes
        if type(tag) is not str:
            tag = ""
        if type(attributes) is msgspec.Raw:
            key = tag, svg, bytes(attributes)
            came = self._as_came.get(key)
            if came is None:
                came = self._as_came[key] = self._came_as(tag, svg, read_attributes(attributes))
        else:
            came = self._came_as(tag, svg, read_attributes(attributes))
        same = came.same
        look = self._look(came.tag, svg, came.attributes) if same is None else same.look
        stand = stand.below.get(look) or self._standing.of(look, stand)
        level, name, secrets = stand.level, look.leaves_as, self._secrets
        node = Node(id, look, above, level, depth, stand.here, stand.so_far, stand.value_shown, stand.clickable)
        if look.sensitive or id in secrets.ids or (look.named and not secrets.names.isdisjoint(look.named)):
            self._keep_secret(node)
        if name is None:
            self.drop("element")
        elif came.is_link:
            name = None
            self.drop("stylesheet")
        if name is None or level is GONE:
            node.level = GONE
            return node, {"type": COMMENT, "textContent": "", "id": id}, stand
        left: Json | None
        if same is None:
            left = {}
            lost = self.carry(node, came.attributes, left)
        else:
            shown = level is SHOWN
            left = same.left[shown]
            if left is None:
                left = same.left[shown] = {}
                same.lost[shown] = self.carry(node, came.attributes, left) - came.unknown
            lost = same.lost[shown] + came.unknown
        if lost:
            self.dropped["attribute"] += lost
        made: Json = {"type": ELEMENT, "tagName": name, "attributes": left, "childNodes": [], "id": id}
        if svg:
            made["isSVG"] = True
        if name == allowed.COMPONENT_AS:
            made["isCustom"] = True
        if given.isShadowHost is True:
            made["isShadowHost"] = True
        if level is BLOCKED:
            made["needBlock"] = True
            made["attributes"] = {
                key: value for key, value in left.items() if key in ("class", "rr_width", "rr_height", "style")
            }
        return node, made, stand

    def _came_as(self, tag: str, svg: bool, attributes: Json) -> Came:
        if len(attributes) > self.limits.attributes:
            raise TooMuch
        tag = tag.lower() if len(tag) <= 100 else ""
        table, unknown = self._tables(tag, svg), 0
        key: list[object] = [tag, svg]
        for name, value in attributes.items():
            one = table.get(name)
            if one is None and (len(name) > 100 or (one := table.get(name.lower())) is None):
                if value is not None or len(name) > 100:
                    unknown += 1
                continue
            if type(value) is not str or one.alone:
                return Came(tag, attributes, None, 0)
            key += name, value
        whole_key = tuple(key)
        found = self._same.get(whole_key)
        if found is None:
            found = self._same[whole_key] = Same(self._look(tag, svg, attributes))
        return Came(tag, attributes, found, unknown)

    def _stand_of(self, node: Node | None) -> Stand:
        """Where what is right below it stands."""
        return self._standing.at(0, 0, Level.MASKED) if node is None else self._standing.at(node.here, node.so_far, node.level)

    def _judge(self, node: Node) -> None:
        """What rules say of an element as it stands now."""
        stand, look, secrets = self._standing.of(node.look, self._stand_of(node.above)), node.look, self._secrets
        node.here, node.so_far, node.level = stand.here, stand.so_far, stand.level
        node.value_shown, node.clickable = stand.value_shown, stand.clickable
        node.sensitive = False
        if look.sensitive or node.id in secrets.ids or not secrets.names.isdisjoint(look.named):
            self._keep_secret(node)

    def _keep_secret(self, node: Node) -> None:
        node.sensitive = True
        if node.look.tag in allowed.CONTROLS:
            self._secrets.add(node.id, node.look)

    def put_words(self, made: Json, name: str, text: object, above: Node) -> None:
        """``made[name]`` becomes what stands between tags."""
        tag = above.look.tag
        is_sheet = tag in SHEETS
        if not isinstance(text, str) or len(text) > self.limits.text * (20 if is_sheet else 1):
            self.drop("text")
            made[name] = ""
        elif is_sheet:
            self.put_sheet(made, name, text)
        else:
            made[name] = self._words(text, above)

    def _words(self, text: str, above: Node) -> str:
        if not text or text.isspace():
            return " " if text else ""
        if above.tag == "textarea":
            return text if self.may_read(above) and not identifies(text) else MASK
        if above.level is not Level.SHOWN:
            return MASK
        self._css.lapse(len(text))
        if identifies(text):
            self.drop("identifying")
            return MASK
        return text

    @staticmethod
    def says_anew(node: Node, text: str) -> bool:
        """Whether what leaves of a node's words, or of what is entered there, tells more than what left before: a mask again tells that a key was pressed."""
        if text in SAYS_NOTHING:
            if node.said == text:
                return False
            node.said = text
        else:
            node.said = None
        return True

    def may_read(self, node: Node) -> bool:
        """What is entered there."""
        return node.value_shown and not node.sensitive and node.level > Level.SEALED

    def may_scroll(self, node: Node) -> bool:
        """Whether how far it is scrolled may be seen: a wheel of numbers is read by that, and a field scrolls with each key."""
        if node.above is None:
            return True
        if node.tag in allowed.CONTROLS:
            return self.may_read(node)
        return node.level > Level.SEALED and self.page is not UNKNOWN_PAGE

    def carry(self, node: Node, given: Json, made: Json, *, changed: bool = False) -> int:
        """Adds to ``made`` what leaves of attributes; how many do not. A value is a text, a number, true, or null for one that is taken away; if it is what ``changed``, that of
        ``style`` can be what of it did."""
        table, lost = self._tables(node.look.tag, node.look.svg), 0
        most = self.limits.text * 20
        for name, value in given.items():
            one = table.get(name)
            if one is None and (len(name) > 100 or (one := table.get(name.lower())) is None):
                if value is not None or len(name) > 100:
                    lost += 1
                continue
            text: str | None = None
            if type(value) is str:
                text = value
            elif value is True:
                text = ""
            elif type(value) in (int, float):
                text = str(value)
            if text is not None and len(text) > most:
                text = None
            how = one.how
            if how is ENTERED:
                entered = self._entered(node, one.written, value)
                if entered is not None and (type(entered) is bool or self.says_anew(node, entered) or not changed):
                    made[one.written] = entered
                continue
            if how is IMAGE:
                lost += not self.pictured.put(node, self._matching, text, made, changed=changed)
                continue
            if how is SHEET:
                if text is not None:
                    self.put_sheet(made, one.written, text)
                continue
            if text is not None:
                kept = self._kept(node, one, text)
                if changed and how is WORDS and node.level is not SHOWN:
                    continue  # how often it changes tells, and the mask nothing
                if kept is not None:
                    made[one.written] = kept
                else:
                    lost += 1
            elif value is None:
                if one.goes:
                    made[one.written] = None
            elif changed and how is STYLE and isinstance(value, dict):
                made["style"] = self.properties(node, value)
            else:
                lost += 1
        return lost

    def _kept(self, node: Node, one: Carried, text: str) -> str | None:
        """A value as it leaves."""
        how = one.how
        if how is NAMES:
            names = self.styles.names
            return " ".join([names(each) for each in text.split()[:200]])
        if how is STYLE:
            try:
                return self.styles.declarations(text, self._of_style(node), self._css)
            except Spent:
                return None
        if how is NAME:
            return self.styles.names(text)
        if how is LINK:
            return self._link(node, text)
        if how is WORDS:
            return text if node.level is SHOWN and not identifies(text) else MASK
        if how is SCROLL and not self.may_scroll(node):
            return None
        if one.kept is None or (one.shown_only and node.level is not SHOWN):
            return None
        return one.kept(text)

    def _link(self, node: Node, text: str) -> str | None:
        """That it is a link, and within a drawing to what; never where it leads."""
        if node.tag == "a":
            return "#"
        if node.level is not SHOWN:
            return None
        return f"#{self.styles.names(text[1:])}" if text.startswith("#") and len(text) > 1 else None

    def _entered(self, node: Node, name: str, value: object) -> str | bool | None:
        owner: Node = node
        if node.tag == "option" and node.level > Level.SEALED:
            while owner.above is not None and owner.tag != "select":
                owner = owner.above
        if name != "value":
            return value is True or value == "" if self.may_read(owner) and value is not None else None
        if node.tag == "option":
            return None  # never shown by a browser, nor that of a box
        kind = node.attributes.get("type", "").lower()
        if not isinstance(value, str) or (node.tag == "input" and kind in ("checkbox", "radio")):
            return None
        if node.tag == "button" or kind in ("button", "submit", "reset"):
            return value if node.level is SHOWN and not identifies(value) else MASK
        return self.value(node, value)

    def value(self, node: Node, text: str) -> str:
        if not text:
            return ""
        return text if self.may_read(node) and len(text) <= self.limits.text and not identifies(text) else MASK

    def rejudge(self, node: Node, changes: Json) -> Generator[None, None, None]:
        """After a change of what rules look at: less may be seen from now on, never more."""
        looked_at = {
            name.lower(): value
            for name, value in changes.items()
            if name.lower() in self.looked_at and isinstance(value, str | int | None)
        }
        if not looked_at:
            return
        attributes: Json = {name: value for name, value in node.attributes.items() if name not in looked_at}
        attributes.update((name, value) for name, value in looked_at.items() if value is not None)
        before, node.look = node.look, self._look(node.tag, node.svg, attributes)
        look = node.look
        is_secret = look.sensitive or not self._secrets.names.isdisjoint(look.named)
        if look.fits == before.fits and (node.sensitive or not is_secret) and before.shuts >= look.shuts:
            return  # no rule sees a difference, here or below
        for one in (node, *self.shadow.all_below(node)):
            self._judged += 1
            if self._judged > self.limits.judged:
                raise TooMuch
            if self.is_due():
                yield
            if not one.tag:
                stand = self._standing.of(one.look, self._stand_of(one.above))
                one.here, one.so_far = stand.here, stand.so_far
                one.level = min(one.level, one.above.level if one.above is not None else one.level)
                continue
            level, value_shown, sensitive, clickable = one.level, one.value_shown, one.sensitive, one.clickable
            pictured = one.here & self._matching.images
            self._judge(one)
            self.resync |= pictured & ~one.here != 0
            one.clickable &= clickable
            self.resync |= one.level < level or (value_shown and not one.value_shown) or (one.sensitive and not sensitive)
            one.level, one.value_shown, one.sensitive = (
                min(level, one.level), value_shown and one.value_shown, sensitive or one.sensitive
            )  # fmt: skip

    @staticmethod
    def _of_style(node: Node) -> frozenset[str] | None:
        return None if node.level is Level.SHOWN else allowed.LAYOUT

    def properties(self, node: Node, given: Json) -> Json:
        """rrweb's ``styleOMValue``: property to value, to [value, priority], or to false for one that is taken away."""
        if len(given) > self.limits.properties:
            raise TooMuch
        self._worked += len(given) >> 2  # the next node has the pause
        made: Json = {}
        only = self._of_style(node)
        for name, value in given.items():
            if only is not None and name not in only:
                continue
            if value is False:
                if len(name) <= 60 and name.replace("-", "").isalpha():
                    made[name] = False
                continue
            text, priority = (value[0], value[1]) if isinstance(value, list) and len(value) == 2 else (value, "")
            kept = self.property(name, text) if isinstance(text, str) else None
            if kept is None:
                self.drop("style")
            else:
                made[name] = [kept, "important"] if priority == "important" else kept
        return made

    def property(self, name: str, text: str) -> str | None:
        """A value of one as it leaves."""
        try:
            return self.styles.value(name, text, self._css)
        except Spent:
            return None
