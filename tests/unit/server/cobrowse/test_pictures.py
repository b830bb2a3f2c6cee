"""Large pictures are read piece by piece, and say the same."""

import json
import random

import msgspec
import pytest

from server.cobrowse import pictures
from server.cobrowse.nodes import Limits
from server.cobrowse.sanitiser import Sanitised, Sanitiser
from tests.support.pages import Json, Recorder, event, happens
from tests.support.shared_page import PACK, STYLES, Share


def some(page: Recorder, drawn: random.Random, depth: int) -> Json:
    """A node with all that rrweb says of one."""
    if depth == 0 or drawn.random() < 0.3:
        return page.text(drawn.choice(["Words", " ", "6222 0202 0011 2233"]))
    more: Json = {name: True for name in ("isSVG", "isShadow", "isShadowHost") if drawn.random() < 0.2}
    if drawn.random() < 0.2:
        more["rootId"] = 1
    tag, shape = drawn.choice(["div", "h1", "p", "iframe", "style"]), {"class": drawn.choice(["shown", "balance", "x"])}
    below = [some(page, drawn, depth - 1) for _ in range(drawn.randrange(5))]
    if tag == "iframe":
        below = [{"type": 0, "childNodes": below, "id": page.text("")["id"], "compatMode": "BackCompat"}]
    return page.element(tag, shape, *below, **more)


def taken(page: Recorder, raw: bytes) -> Sanitised:
    sanitiser = Sanitiser(PACK, STYLES)
    sanitiser.take(page.meta())
    return sanitiser.take(raw)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("piece", [1, 300])
def test_the_same_leaves(monkeypatch: pytest.MonkeyPatch, seed: int, piece: int) -> None:
    page, drawn = Recorder(), random.Random(seed)
    page.put(*(some(page, drawn, 6) for _ in range(4)))
    whole = taken(page, page.picture())
    monkeypatch.setattr(pictures, "PIECE_BYTES", piece)
    assert taken(page, page.picture()) == whole
    assert whole.event is not None


@pytest.mark.parametrize(
    ("found", "instead"),
    [
        ('"childNodes": [', '"childNodes": null, "was": ['),
        ('"childNodes": [', '"childNodes": {}, "was": ['),
        ('"childNodes": [', '"childNodes": [7, null, "x", [],'),
        ('"attributes": {}', '"attributes": [1]'),
        ('"type": 2', '"type": {}'),
        ('"node": ', '"node": null, "was": '),
        ('"data": ', '"data": [], "was": '),
        ('"initialOffset": ', '"initialOffset": 7, "was": '),
        ('"type": 2, "data"', '"type": 2.5, "data"'),
    ],
)
def test_what_is_no_picture_is_none_in_pieces_either(monkeypatch: pytest.MonkeyPatch, found: str, instead: str) -> None:
    page = Recorder()
    page.put(page.element("div", {"class": "shown"}, page.element("p", {}, "Words")))
    raw = page.picture().decode()
    for at in range(raw.count(found)):
        head, tail = found.join(raw.split(found)[: at + 1]), found.join(raw.split(found)[at + 1 :])
        changed = (head + instead + tail).encode()
        monkeypatch.setattr(pictures, "PIECE_BYTES", 10**9)
        whole = taken(page, changed)
        monkeypatch.setattr(pictures, "PIECE_BYTES", 1)
        assert taken(page, changed) == whole


def test_a_picture_that_breaks_off_shows_nothing_and_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "PIECE_BYTES", 100)
    page = Recorder()
    page.put(*(page.element("p", {}, "Words") for _ in range(30)))
    share = Share(page)
    raw, nodes = page.picture(), share.sanitiser.nodes
    whole = taken(page, raw)
    for at in range(0, len(raw), 97):
        for broken in (raw[:at] + raw[at + 1 :], raw[:at], raw[:at] + b"\xff" + raw[at + 1 :], raw[:at] + b'"\\x"' + raw[at:]):
            assert share.take(raw) == whole
            made = share.take(broken)
            if made.event is not None:
                json.dumps(made.event)  # a letter fewer within a word
                continue
            assert made.resync or made.dropped
            assert share.sanitiser.nodes in (0, nodes)
            after = share.take(happens(4, width=1, height=1))
            assert (after.event is None) == (share.sanitiser.nodes == 0)


def test_what_nests_deep_is_read_whole_below_a_level(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every level is looked over once more."""
    monkeypatch.setattr(pictures, "PIECE_BYTES", 10)
    page = Recorder()
    deep = page.text("Words")
    for _ in range(200):
        deep = page.element("div", {}, deep)
    split = list[int]()
    read = pictures.read_node

    def noted(raw: msgspec.Raw, level: int) -> tuple[object, int]:
        split.append(level)
        return read(raw, level)

    monkeypatch.setattr("server.cobrowse.nodes.read_node", noted)
    made = taken(page.put(deep), page.picture())
    assert made.event is not None
    assert max(split) == pictures.MAX_LEVELS


def test_reading_is_work(monkeypatch: pytest.MonkeyPatch) -> None:
    page = Recorder()
    page.put(*(page.element("div", {"data-x": "x" * 20_000}) for _ in range(20)))
    sanitiser = Sanitiser(PACK, STYLES, Limits(slice=100))
    sanitiser.take(page.meta())
    assert sum(1 for _ in sanitiser.steps(page.picture())) >= 3
    assert taken(page, event(2, {"node": 7, "x": "x" * 20_000})).dropped == {"node": 1, "picture": 1}
