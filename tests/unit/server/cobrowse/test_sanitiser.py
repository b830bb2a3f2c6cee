"""What leaves of pages, and what does not, whatever the browser sends."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.cobrowse.net import MASK
from server.cobrowse.nodes import Limits
from server.cobrowse.rules import ELSEWHERE
from server.cobrowse.sanitiser import Sanitised, Sanitiser
from tests.support.pages import Json, Recorder, added, event, happens, mutation, nodes_of
from tests.support.shared_page import NAMES, PACK, STYLES, Share


def test_a_page_without_rules_is_masked_and_nobody_learns_its_address() -> None:
    page = Recorder("https://bank.example/accounts/62220202?token=abc")
    heading, blank, field = (
        page.element("h1", {}, "Your accounts"),
        page.text("\n  "),
        page.element("input", {"id": "amount", "value": "7"}),
    )
    share = Share(page.put(heading, blank, field))
    assert share.meta.event == {
        "type": 4,
        "data": {"href": ELSEWHERE, "width": 1280, "height": 800},
        "timestamp": 1_700_000_000_000,
    }
    assert share.of(heading)["childNodes"][0]["textContent"] == MASK
    assert share.of(blank)["textContent"] == " "
    assert share.of(field)["attributes"] == {"id": NAMES("amount"), "value": MASK}
    assert share.picture.dropped == {}
    assert not share.picture.resync


def test_words_are_shown_where_a_rule_says_so_and_never_what_is_masked_in_there() -> None:
    page = Recorder()
    heading = page.element(
        "h1",
        {},
        "Transfer ",
        page.element("b", {}, "now"),
        page.element("span", {"class": "balance x"}, "9 ", page.element("label", {}, "8")),
    )
    number = page.element("label", {}, "To 6222 0202 0011 2233")
    share = Share(page.put(heading, number))
    texts = [
        one["textContent"]
        for one in sorted(nodes_of(share.of(heading)).values(), key=lambda one: one["id"])
        if one["type"] == 3
    ]
    assert sorted(texts) == sorted(["Transfer ", "now", MASK, MASK])
    assert share.of(number)["childNodes"][0]["textContent"] == MASK
    assert share.picture.dropped == {"identifying": 1}


def test_values_are_shown_by_rule_but_never_of_what_is_secret() -> None:
    page = Recorder()
    shown = page.element("input", {"id": "amount", "type": "text", "value": "12.50"})
    fields = [
        page.element("input", {"id": "other", "value": "12"}),
        page.element("input", {"id": "secret", "type": "password", "value": "12"}),
        page.element("input", {"id": "secret", "type": "PassWord", "value": "12"}),
        page.element("input", {"id": "secret", "type": "hidden", "value": "12"}),
        page.element("input", {"id": "secret", "type": "file", "value": "12"}),
        page.element("input", {"id": "secret", "autocomplete": "section-a one-time-code", "value": "12"}),
        page.element("input", {"id": "secret", "autocomplete": "CC-Number", "value": "12"}),
        page.element("input", {"id": "amount", "value": "6222020200112233"}),
        page.element("input", {"id": "amount", "class": "balance", "value": "12"}),
        page.element("textarea", {"id": "other"}, "12"),
    ]
    note = page.element("textarea", {"id": "note", "value": "Rent"}, "Rent")
    share = Share(page.put(shown, *fields, note))
    assert share.of(shown)["attributes"]["value"] == "12.50"
    assert share.of(note)["attributes"]["value"] == share.of(note)["childNodes"][0]["textContent"] == "Rent"
    for field in fields[:-1]:
        assert share.of(field)["attributes"].get("value") == MASK
        left = share.left(happens(5, id=field["id"], text="777", isChecked=True))
        if field["attributes"].get("value") == "6222020200112233":
            assert left is not None
            assert left["text"] == "777"
        else:
            assert left is None  # the mask stands there already
    assert share.of(fields[-1])["childNodes"][0]["textContent"] == MASK
    assert share.left(happens(5, id=shown["id"], text="13", isChecked=False)) == {
        "source": 5,
        "id": shown["id"],
        "text": "13",
        "isChecked": False,
        "userTriggered": False,
    }
    assert share.left(happens(5, id=fields[0]["id"], text=""))["text"] == ""  # type: ignore[index]
    assert share.left(happens(5, id=page.body["id"], text="x")) is None


@pytest.mark.parametrize("entered", ["hunter2", MASK])
def test_keys_in_a_masked_field_leave_no_rhythm_whichever_way_the_page_writes_them(entered: str) -> None:
    page = Recorder()
    secret = page.element("input", {"id": "secret", "type": "password", "value": ""})
    drawn = page.element("div", {"contenteditable": "true"}, "")
    search = page.element("input", {"id": "other", "placeholder": "x"})
    share = Share(page.put(secret, drawn, search))
    words = drawn["childNodes"][0]["id"] if drawn["childNodes"] else 0

    def keys(*values: str) -> list[Json | None]:
        left: list[Json | None] = []
        for value in values:
            left.append(share.left(mutation(attributes=[{"id": secret["id"], "attributes": {"value": value}}])))
            left.append(share.left(happens(5, id=secret["id"], text=value, isChecked=False)))
            left.append(share.left(mutation(texts=[{"id": words, "value": value}])))
            left.append(share.left(mutation(attributes=[{"id": search["id"], "attributes": {"placeholder": value}}])))
            left.append(share.left(happens(3, id=secret["id"], x=len(value), y=0)))
        return [one for one in left if one is not None]

    first = keys(*(entered[: n + 1] for n in range(len(entered))))
    assert [one["source"] for one in first if one is not None] == ([0, 0] if words else [0])
    assert entered[:2] not in json.dumps(first, ensure_ascii=False) or entered == MASK
    assert keys(*(entered[: n + 1] for n in range(len(entered) - 1))) == []
    emptied = keys("")  # that it is empty may be known
    assert len(emptied) == (2 if words else 1)
    assert len(keys("x")) == (2 if words else 1)


def test_what_may_be_read_is_said_anew_after_a_mask() -> None:
    page = Recorder()
    amount = page.element("input", {"id": "amount", "value": "6222020200112233"})
    share = Share(page.put(amount))

    def types(text: str) -> str | None:
        left = share.left(mutation(attributes=[{"id": amount["id"], "attributes": {"value": text}}]))
        return None if left is None else left["attributes"][0]["attributes"]["value"]

    assert [types(text) for text in ("62220202001122334", "12", "12", "6222020200112233", "12")] == [
        None,
        "12",
        "12",
        MASK,
        "12",
    ]


def test_what_is_chosen_is_shown_by_rule() -> None:
    page = Recorder()
    marks = (
        page.element("input", {"type": "checkbox", "checked": True}),
        page.element("input", {"type": "radio", "checked": True}),
    )
    lists = [
        page.element(
            "select",
            {"id": id},
            page.element("option", {"value": "62220202", "selected": True}, "Savings"),
            page.element("optgroup", {"label": "12345678901"}),
        )
        for id in ("kind", "other")
    ]
    share = Share(page.put(*marks, *lists))
    assert share.of(marks[0])["attributes"] == {"type": "checkbox", "checked": True}
    assert share.of(marks[1])["attributes"] == {"type": "radio"}
    assert [share.of(one["childNodes"][0])["attributes"] for one in lists] == [{"selected": True}, {}]
    assert share.of(lists[0]["childNodes"][0])["childNodes"][0]["textContent"] == "Savings"
    assert share.of(lists[0]["childNodes"][1])["attributes"] == {"label": MASK}
    assert share.left(happens(5, id=marks[0]["id"], text="on", isChecked=False))["isChecked"] is False  # type: ignore[index]
    assert share.left(happens(5, id=marks[1]["id"], text="12", isChecked=True)) is None


def test_what_is_blocked_is_a_box_and_what_is_unknown_nothing() -> None:
    page = Recorder()
    photo = page.element(
        "div",
        {"id": "photo", "rr_width": "20px", "rr_height": "10px", "title": "x", "style": "color:red"},
        page.element("h1", {}, "Li Si"),
    )
    gone = [
        page.element(tag, {"src": "x"}, "Li Si")
        for tag in ("script", "video", "object", "embed", "math", "audio", "noscript", "template", "x y", "")
    ]
    own = page.element("bank-card-6222", {"class": "a"}, page.element("h1", {}, "Hello"))
    share = Share(page.put(photo, *gone, own))
    assert share.of(photo) == {
        "type": 2,
        "tagName": "div",
        "attributes": {"rr_width": "20px", "rr_height": "10px", "style": ""},
        "childNodes": [],
        "id": photo["id"],
        "needBlock": True,
    }
    for one in gone:
        assert share.of(one) == {"type": 5, "textContent": "", "id": one["id"]}
        assert share.left(mutation(adds=[added(one, page.element("h1", {}, "Li Si"))])) is None
        assert (
            share.left(
                mutation(removes=[{"parentId": one["id"], "id": one["childNodes"][0]["id"]}] if one["childNodes"] else [])
            )
            is None
        )
    assert share.of(own)["tagName"] == "tp-part"
    assert share.of(own)["childNodes"][0]["childNodes"][0]["textContent"] == "Hello"


HOSTILE = [
    ("a", {"href": "javascript:alert(1)", "onclick": "x()", "ping": "https://evil.example", "target": "x", "download": "x"}, {"href": "#"}),
    ("div", {"onmouseover": "x()", "style": "background:url(https://evil.example)", "data-card": "6222", "is": "x", "nonce": "x", "slot": "x"}, {"style": ""}),
    ("input", {"type": "image", "src": "https://evil.example", "formaction": "x", "list": "x", "pattern": "6222", "min": "6", "max": "9", "name": "card6222", "placeholder": "6222"}, {"type": "image", "placeholder": MASK}),
    ("iframe", {"src": "https://evil.example", "srcdoc": "<script>", "name": "x", "rr_src": "https://evil.example", "width": "100"}, {"width": "100"}),
    ("form", {"action": "https://evil.example/6222", "method": "post", "autocomplete": "off"}, {}),
    ("canvas", {"rr_dataURL": "data:image/png;base64,AAAA", "width": 300}, {"width": "300"}),
    ("p", {"title": "6222", "aria-label": "6222", "aria-description": "6222", "aria-valuetext": "6222", "alt": "6222", "aria-hidden": "true", "role": "note", "lang": "zh-CN"}, {"aria-hidden": "true", "role": "note", "lang": "zh-CN"}),
    ("p", {"role": "6222", "lang": "6222020", "width": "expression(1)", "tabindex": "62220", "dir": "6222", "aria-hidden": "6222", "hidden": "6222"}, {"hidden": ""}),
    ("td", {"colspan": 3, "background": "https://evil.example", "headers": "6222"}, {"colspan": "3"}),
    ("meter", {"value": "6222", "max": "9999"}, {}),
    ("progress", {"value": "6222"}, {}),
    ("data", {"value": "6222"}, {}),
    ("time", {"datetime": "1949-12-31"}, {}),
    ("q", {"cite": "https://evil.example"}, {}),
    ("label", {"for": "card6222"}, {"for": NAMES("card6222")}),
    ("button", {"value": "6222020200112233", "name": "x", "type": "submit"}, {"type": "submit", "value": MASK}),
    ("link", {"rel": "stylesheet", "href": "https://evil.example", "_cssText": "h1{color:red}@import url(x);", "integrity": "x"}, {"rel": "stylesheet", "_cssText": "h1{color:red;}tp-gone{}"}),
    ("p", {"class": "client-62220202 on", "id": "acct-6222"}, {"class": f"{NAMES('client-62220202')} {NAMES('on')}", "id": NAMES("acct-6222")}),
]  # fmt: skip


@pytest.mark.parametrize(("tag", "attributes", "left"), HOSTILE)
def test_attributes(tag: str, attributes: Json, left: Json) -> None:
    """In a whole picture, in an added node, and changed one by one."""
    page = Recorder()
    node, plain = page.element(tag, attributes), page.element(tag, {"_cssText": ""} if tag == "link" else {})
    share = Share(page.put(node, plain))
    assert share.of(node)["attributes"] == left
    again = page.element(tag, attributes)
    assert share.left(mutation(adds=[added(page.body, again)]))["adds"][0]["node"]["attributes"] == left  # type: ignore[index]
    made: Json = {}
    for name, value in attributes.items():
        changed = share.left(mutation(attributes=[{"id": plain["id"], "attributes": {name: value}}]))
        made.update({} if changed is None else changed["attributes"][0]["attributes"])
    left.pop("placeholder", None)  # a mask that changes tells nothing but that it did
    assert made == left


def drawing(page: Recorder, of: str) -> tuple[Json, list[Json]]:
    path = page.element(
        "path", {"d": "M0 0L10 10Z", "fill": "url(https://evil.example)", "stroke": "#ff0000", "onload": "x"}, isSVG=True
    )
    use = page.element("use", {"xlink:href": "#icon", "href": "https://evil.example/x.svg#a"}, isSVG=True)
    line = page.element("polyline", {"points": "0,0 1.5,-2 .5,3"}, isSVG=True)
    words = page.element("text", {"x": "3", "textLength": "6222"}, "4111 1111 1111 1111", isSVG=True)
    gone = [
        page.element(tag, {"href": "https://evil.example", "values": "6222"}, isSVG=True)
        for tag in ("image", "foreignObject", "animate", "set", "script", "feImage")
    ]
    shape = {"class": of, "viewBox": "0 0 10 10", "xmlns": "x", "preserveAspectRatio": "none", "width": "20"}
    return page.element("svg", shape, path, use, line, words, *gone, isSVG=True), gone


def test_drawings() -> None:
    page = Recorder()
    (shown, gone), (masked, _) = drawing(page, "shown"), drawing(page, "balance")
    share = Share(page.put(shown, masked))
    size = {"viewBox": "0 0 10 10", "preserveAspectRatio": "none", "width": "20"}
    assert share.of(shown)["attributes"] == {"class": NAMES("shown"), **size}
    assert share.of(masked)["attributes"] == {"class": NAMES("balance"), **size}
    left = [share.of(one)["attributes"] for one in shown["childNodes"][:4]]
    assert left == [
        {"d": "M0 0L10 10Z", "stroke": "#ff0000"},
        {"xlink:href": f"#{NAMES('icon')}"},
        {"points": "0,0 1.5,-2 .5,3"},
        {"x": "3"},
    ]
    assert [share.of(one)["attributes"] for one in masked["childNodes"][:4]] == [{}] * 4, (
        "lines can be a code that a telephone reads"
    )
    assert share.of(shown["childNodes"][3])["childNodes"][0]["textContent"] == MASK
    assert {share.of(one)["type"] for one in gone} == {5}


def test_shadow_roots_frames_and_moved_nodes_keep_what_they_are() -> None:
    page = Recorder()
    inner = page.element("h1", {}, "Inside")
    inner["isShadow"] = True
    host = page.element("bank-part", {}, inner, isShadowHost=True)
    frame = page.element("iframe", {})
    share = Share(page.put(host, frame))
    assert share.of(host)["isShadowHost"] is True
    assert share.of(inner)["isShadow"] is True
    other = Recorder()
    document = {
        **other.document,
        "id": 900,
        "childNodes": [page.element("html", {}, page.element("h1", {}, "Framed"), rootId=900)],
    }
    left = share.left(mutation(adds=[added(frame, document)], isAttachIframe=True))
    assert left is not None
    assert left["isAttachIframe"] is True
    assert left["adds"][0]["node"]["type"] == 0
    assert left["adds"][0]["node"]["childNodes"][0]["rootId"] == 900
    assert share.left(mutation(adds=[added(page.body, {**document, "id": 901})]))["adds"][0]["node"]["type"] == 5  # type: ignore[index]
    moved = share.left(mutation(removes=[{"parentId": host["id"], "id": inner["id"]}], adds=[added(page.body, inner, frame)]))
    assert moved is not None
    assert moved["removes"] == [{"parentId": host["id"], "id": inner["id"]}]
    assert (moved["adds"][0]["parentId"], moved["adds"][0]["nextId"]) == (page.body["id"], frame["id"])
    assert moved["adds"][0]["node"]["childNodes"][0]["textContent"] == "Inside"


def test_changes_inherit_what_stands_above() -> None:
    page = Recorder()
    hidden, open_ = page.element("div", {"class": "balance"}), page.element("div", {"class": "shown"})
    share = Share(page.put(hidden, open_))
    for parent, words in ((hidden, MASK), (open_, "Words")):
        node = page.element("p", {}, "Words")
        left = share.left(mutation(adds=[added(parent, node)]))
        assert left is not None
        assert left["adds"][0]["node"]["childNodes"][0]["textContent"] == words
        text = node["childNodes"][0]["id"]
        changed = [share.left(mutation(texts=[{"id": text, "value": value}])) for value in ("More", "6222020200112233")]
        said = [one["texts"] for one in changed if one is not None]
        assert said == ([] if words is MASK else [[{"id": text, "value": one}] for one in ("More", MASK)])


def test_nodes_whose_parent_comes_later_and_what_nobody_knows() -> None:
    page = Recorder()
    share = Share(page)
    parent, child = page.element("div", {"class": "shown"}), page.element("p", {}, "Words")
    left = share.left(mutation(adds=[added(parent, child), added(page.body, parent)]))
    assert left is not None
    assert [one["node"]["id"] for one in left["adds"]] == [parent["id"], child["id"]]
    for raw in (
        mutation(adds=[{"parentId": 999, "nextId": None, "node": page.element("h1", {}, "Li Si")}]),
        mutation(removes=[{"parentId": page.body["id"], "id": 999}]),
    ):
        made = share.take(raw)
        assert made.event is None
        assert made.resync
        assert made.dropped == {"unknown_node": 1}
    for raw in (
        mutation(texts=[{"id": 999, "value": "Li Si"}]),
        happens(5, id=999, text="Li Si"),
        happens(3, id=999, x=0, y=0),
    ):
        assert (made := share.take(raw)).event is None
        assert made.dropped == {"unknown_node": 1}


def test_less_is_shown_at_once_and_more_with_the_next_picture() -> None:
    page = Recorder()
    shown, masked = (
        page.element("div", {"class": "shown"}, page.element("p", {}, "One")),
        page.element("div", {}, page.element("p", {}, "Two")),
    )
    share = Share(page.put(shown, masked))
    one, two = shown["childNodes"][0]["childNodes"][0]["id"], masked["childNodes"][0]["childNodes"][0]["id"]
    made = share.take(mutation(attributes=[{"id": shown["id"], "attributes": {"data-private": ""}}]))
    assert made.resync
    assert share.left(mutation(texts=[{"id": one, "value": "One"}]))["texts"][0]["value"] == MASK  # type: ignore[index]
    made = share.take(mutation(attributes=[{"id": masked["id"], "attributes": {"class": "shown"}}]))
    assert not made.resync
    assert share.left(mutation(texts=[{"id": two, "value": "Two"}])) is None
    share.take(mutation(attributes=[{"id": shown["id"], "attributes": {"data-private": None}}]))
    assert share.left(mutation(texts=[{"id": one, "value": "One"}])) is None
    field = page.element("input", {"id": "amount", "type": "text"})
    share.take(mutation(adds=[added(page.body, field)]))
    assert share.take(mutation(attributes=[{"id": field["id"], "attributes": {"type": "password"}}])).resync
    share.take(mutation(attributes=[{"id": field["id"], "attributes": {"type": "text"}}]))  # the eye beside the field
    assert share.left(happens(5, id=field["id"], text="12"))["text"] == MASK  # type: ignore[index]


def test_what_is_done_in_the_page() -> None:
    page = Recorder()
    photo, script = page.element("div", {"id": "photo"}, page.element("p")), page.element("script")
    share = Share(page.put(photo, script))
    body = page.body["id"]
    moves = [
        {"x": 1.234567, "y": 2, "id": body, "timeOffset": -50, "secret": "x"},
        {"x": 1, "y": 2, "id": 999, "timeOffset": 0},
        {"x": "1", "y": 2, "id": body, "timeOffset": 0},
        7,
    ]
    for source in (1, 6, 12):
        assert share.left(happens(source, positions=moves)) == {
            "source": source,
            "positions": [{"x": 1.23, "y": 2, "id": body, "timeOffset": -50}],
        }
    assert share.left(happens(1, positions=[moves[0]] * 201)) is None
    assert share.left(happens(2, type=2, id=body, x=3, y=4, text="x")) == {"source": 2, "type": 2, "id": body, "x": 3, "y": 4}
    assert share.left(happens(2, type=99, id=body)) is None
    assert share.left(happens(3, id=body, x=0, y=1e30)) is None
    assert share.left(happens(3, id=body, x=0, y=10)) == {"source": 3, "id": body, "x": 0, "y": 10}
    assert share.left(happens(4, width=800, height=600)) == {"source": 4, "width": 800, "height": 600}
    for hidden in (photo["childNodes"][0]["id"], script["id"], True, "1", None, [1], 1.0):
        assert share.left(happens(3, id=hidden, x=0, y=0)) is None
    for source in (7, 9, 10, 11, 14, 16, 99, "0", None, True, [1]):
        assert share.take(happens(source, id=body)).event is None  # type: ignore[arg-type]
    assert share.take(event(5, {"tag": "x", "payload": "Li Si"})).event is None
    assert share.take(event(6, {"plugin": "x", "payload": "Li Si"})).event is None
    assert share.take(event(0, {})).event is share.take(event(1, {})).event is None


def test_styles_that_scripts_change() -> None:
    page = Recorder()
    sheet = page.element("style", {"_cssText": "h1{color:red}"}, "h1{color:red}")
    share = Share(page.put(sheet))
    id = sheet["id"]
    assert share.of(sheet)["attributes"]["_cssText"] == share.of(sheet)["childNodes"][0]["textContent"] == "h1{color:red;}"
    assert share.left(happens(8, id=id, adds=[{"rule": "p{background:url(x);color:red}", "index": 1}, {"rule": "@import 'x'"}, {"rule": 7}], removes=[{"index": [0, 1]}, {"index": -1}], replace='a{content:"x"}')) == {
        "source": 8, "id": id, "replace": "a{}", "adds": [{"rule": "p{color:red;}", "index": 1}, {"rule": "tp-gone{}"}], "removes": [{"index": [0, 1]}],
    }  # fmt: skip
    assert share.left(happens(13, id=id, index=[0], set={"property": "color", "value": "blue", "priority": "important"})) == {
        "source": 13, "id": id, "index": [0], "set": {"property": "color", "value": "blue", "priority": "important"},
    }  # fmt: skip
    assert share.left(happens(13, id=id, index=[0], set={"property": "background", "value": "url(x)"})) is None
    assert share.left(happens(13, styleId=3, index=[0], remove={"property": "color"})) == {
        "source": 13,
        "styleId": 3,
        "index": [0],
        "remove": {"property": "color"},
    }
    assert share.left(happens(15, id=page.html["id"], styleIds=[1, "x"], styles=[{"styleId": 1, "rules": [{"rule": "p{color:red}", "index": 0}]}, 7])) == {
        "source": 15, "id": page.html["id"], "styleIds": [1], "styles": [{"styleId": 1, "rules": [{"rule": "p{color:red;}", "index": 0}]}],
    }  # fmt: skip
    changed = mutation(
        attributes=[
            {
                "id": page.body["id"],
                "attributes": {
                    "style": {
                        "color": "red",
                        "background": "url(x)",
                        "width": ["3px", "important"],
                        "--x": '"Li Si"',
                        "margin-top": False,
                        "a1b2": False,
                    }
                },
            }
        ]
    )
    assert share.left(changed)["attributes"][0]["attributes"] == {"style": {"width": ["3px", "important"], "margin-top": False}}  # type: ignore[index]


def test_a_page_that_is_not_to_be_shown_shows_nothing() -> None:
    page = Recorder("https://bank.example/login?next=/transfers/7")
    share = Share(page.put(page.element("h1", {}, "Hello")))
    assert share.meta == Sanitised(None, paused=True)
    assert share.picture == Sanitised(None, paused=True)
    assert share.take(happens(4, width=1, height=1)) == Sanitised(None, paused=True)
    page.url = "https://bank.example/transfers/7"
    assert not share.take(page.meta()).paused
    assert share.take(happens(4, width=1, height=1)).dropped == {"before_picture": 1}
    assert share.take(page.picture()).event is not None
    assert share.sanitiser.epoch == 2


def test_nothing_before_the_page_is_known() -> None:
    page, sanitiser = Recorder(), Sanitiser(PACK, STYLES)
    assert sanitiser.take(page.picture()) == Sanitised(None, dropped={"before_meta": 1})
    assert sanitiser.take(happens(4, width=1, height=1)) == Sanitised(None, resync=True, dropped={"before_picture": 1})


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"7",
        b"[]",
        b'{"type":3}',
        b'{"type":3,"data":7,"timestamp":1}',
        b'{"type":3,"data":{},"timestamp":"1"}',
        b"[" * 5000,
        b'{"a":' * 5000,
        b"\xff",
    ],
)
def test_what_is_no_event(raw: bytes) -> None:
    share = Share(Recorder())
    made = share.take(raw)
    assert made.event is None
    assert sum(made.dropped.values()) == 1


def test_what_is_too_much_ends_the_share_of_that_page_until_its_next_picture() -> None:
    page = Recorder()
    limits = Limits(nodes=20, depth=10, event_bytes=20_000, changes=30)
    share = Share(page, limits)
    for raw in (
        mutation(adds=[added(page.body, page.element("p")) for _ in range(30)]),
        mutation(adds=[added(page.body, page.element("div", {}, *[page.element("p") for _ in range(30)]))]),
        mutation(texts=[{"id": 1, "value": ""}] * 31),
        happens(5, id=1, text="x" * 20_000),
    ):
        made = share.take(raw)
        assert made.event is None
        assert made.dropped == {"too_much": 1}
        assert share.take(happens(4, width=1, height=1)).dropped == {"before_picture": 1}
        assert share.take(page.picture()).event is not None
    deep = page.element("p")
    for _ in range(12):
        deep = page.element("div", {}, deep)
    assert share.take(mutation(adds=[added(page.body, deep)])).dropped == {"too_much": 1}


def test_a_node_cannot_stand_within_itself() -> None:
    page = Recorder()
    inner = page.element("p")
    outer = page.element("div", {}, inner)
    share = Share(page.put(outer))
    made = share.take(mutation(adds=[added(inner, {**outer, "childNodes": []})]))
    assert made.event is None
    assert made.resync
    assert share.sanitiser.nodes == len(nodes_of(page.document))


def test_a_large_picture_comes_in_slices() -> None:
    page = Recorder()
    page.put(*(page.element("p", {}, "x") for _ in range(2000)))
    sanitiser = Sanitiser(PACK, STYLES, Limits(slice=100))
    sanitiser.take(page.meta())
    assert sum(1 for _ in sanitiser.steps(page.picture())) >= 4000 // 100
    assert sanitiser.nodes == len(nodes_of(page.document))


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 40) | st.floats(allow_nan=False) | st.sampled_from(["SECRET", "h1", "style", "class", "input", "url(SECRET)", ""]),
    lambda below: st.lists(below, max_size=4) | st.dictionaries(
        st.sampled_from(["id", "type", "node", "parentId", "nextId", "tagName", "attributes", "childNodes", "textContent", "value", "text", "style", "class", "adds", "removes", "texts", "source", "positions", "rule", "index", "isShadow", "rootId", "x", "y", "styleId", "styles", "rules", "set", "property"]),
        below, max_size=6,
    ),
    max_leaves=30,
)  # fmt: skip


@settings(max_examples=300)
@given(st.lists(st.tuples(st.integers(0, 6), VALUES), max_size=6))
def test_whatever_comes_nothing_breaks_and_no_secret_leaves(events: list[tuple[int, Any]]) -> None:
    page = Recorder("https://bank.example/elsewhere")
    share = Share(page.put(page.element("style", {}, "h1{color:red}"), page.element("input", {"id": "amount"})))
    for kind, data in events:
        if kind != 4:
            assert "SECRET" not in json.dumps(share.take(event(kind, data)).event)


@pytest.mark.parametrize("how", ["", "true", "TRUE", "plaintext-only"])
def test_what_is_typed_where_words_may_be_edited_is_a_value(how: str) -> None:
    page = Recorder()
    box = page.element("div", {"contenteditable": how, "class": "shown"}, page.element("h1", {}, "typed"))
    named = page.element("div", {"contenteditable": how, "class": "shown", "id": "note"}, "typed")
    later = page.element("div", {"class": "shown"}, "words")
    share = Share(page.put(box, named, later))
    assert share.of(box)["childNodes"][0]["childNodes"][0]["textContent"] == MASK
    assert share.of(named)["childNodes"][0]["textContent"] == "typed"
    assert share.of(later)["childNodes"][0]["textContent"] == "words"
    made = share.take(mutation(attributes=[{"id": later["id"], "attributes": {"contenteditable": how}}]))
    assert made.resync
    left = share.left(mutation(texts=[{"id": later["childNodes"][0]["id"], "value": "typed"}]))
    assert left is not None
    assert left["texts"][0]["value"] == MASK
