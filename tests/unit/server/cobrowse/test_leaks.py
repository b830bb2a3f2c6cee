"""What masks of one length would still tell, and what would hold a server up: found by attacking."""

import pytest

from server.cobrowse.net import MASK
from server.cobrowse.nodes import Limits
from tests.support.pages import Recorder, added, happens, mutation
from tests.support.shared_page import Share


@pytest.mark.parametrize(
    ("points", "kept"),
    [
        ("1,2 " * 33, True),
        ("1,2 " * 5000, True),
        ("1,2 " * 5001, False),
        ("1" * 5000 + "!", False),
        ("1 2 x", False),
        ("6222020200", False),
    ],
)  # fmt: skip
def test_a_long_row_of_numbers_is_read_at_once(points: str, kept: bool) -> None:
    page = Recorder()
    line = page.element("polyline", {"points": points}, isSVG=True)
    share = Share(page.put(page.element("svg", {"class": "shown"}, line, isSVG=True)))
    assert share.of(line)["attributes"] == ({"points": points.strip()} if kept else {})


def test_what_masks_of_one_length_would_still_tell() -> None:
    """How often a key was pressed, what was chosen, where a keypad was touched, and what a node's own style draws."""
    page = Recorder()
    word, mark = (
        page.element("input", {"type": "password"}),
        page.element("div", {"role": "checkbox", "aria-checked": "true", "aria-expanded": "true"}),
    )
    style = "--name:Zhang San;counter-reset:b 84213;background:#622202;font-family:'Li';box-shadow:1px 1px;width:3px"
    keypad = page.element("div", {"class": "balance", "style": style}, page.element("button", {}, "7"))
    share = Share(page.put(word, mark, keypad))
    assert share.of(mark)["attributes"] == {"role": "checkbox", "aria-expanded": "true"}
    assert share.of(keypad)["attributes"]["style"] == "width:3px;"
    typed = [share.left(happens(5, id=word["id"], text="x" * length)) for length in (0, 1, 2, 3, 8, 0)]
    assert [None if one is None else one["text"] for one in typed] == ["", MASK, None, None, None, ""]
    key = keypad["childNodes"][0]["id"]
    assert share.left(happens(2, type=2, id=key, x=3, y=4)) is None
    assert share.left(happens(1, positions=[{"x": 1, "y": 2, "id": key, "timeOffset": 0}])) is None
    other = Share(Recorder("https://bank.example/elsewhere"))
    assert other.left(happens(2, type=2, id=other.recorder.body["id"], x=3, y=4)) is None, "nor on a page that no rule names"


def test_of_a_list_that_is_shown_nothing_tells_that_what_is_hidden_in_it_is_chosen() -> None:
    page = Recorder()
    shown, hidden = (page.element("option", {"class": name, "selected": True}, "Li") for name in ("plain", "balance"))
    share = Share(page.put(page.element("select", {"id": "amount", "class": "shown"}, shown, hidden)))
    assert [share.of(one)["attributes"].get("selected") for one in (shown, hidden)] == [True, None]


def test_what_was_secret_once_stays_so_over_new_pictures_and_moves() -> None:
    page = Recorder()
    word = page.element("input", {"id": "secret", "type": "password", "value": "hunter22"})
    known = page.element("input", {"id": "secret", "type": "text", "data-rr-is-password": "true", "value": "hunter22"})
    share = Share(page.put(word, known))
    assert share.of(known)["attributes"]["value"] == MASK
    share.take(mutation(attributes=[{"id": word["id"], "attributes": {"type": "text"}}]))
    word["attributes"]["type"] = "text"
    for again in (False, True):
        if again:
            share.take(page.meta())
        share.picture = share.take(page.picture())
        assert share.of(word)["attributes"]["value"] == MASK
    moved = share.left(mutation(removes=[{"parentId": page.body["id"], "id": word["id"]}], adds=[added(page.body, word)]))
    assert moved is not None
    assert moved["adds"][0]["node"]["attributes"]["value"] == MASK


def test_sheets_beyond_an_events_share_of_time_are_left_out_until_they_are_known() -> None:
    page = Recorder()
    sheets = [page.element("style", {}, f"p{{width:{number}px}}" + " " * 900) for number in range(3)]
    share = Share(page.put(*sheets), Limits(css=2000))
    assert [share.of(one)["childNodes"][0]["textContent"] for one in sheets] == ["p{width:0px;}", "p{width:1px;}", ""]
    assert share.picture.dropped == {"stylesheet": 1}
    share.picture = share.take(page.picture())
    assert share.of(sheets[2])["childNodes"][0]["textContent"] == "p{width:2px;}"
