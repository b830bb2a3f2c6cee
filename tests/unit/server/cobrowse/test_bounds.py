"""What one page may cost, and what was secret in it once."""

import json
from typing import Any

import pytest

from server.cobrowse import styles as css
from server.cobrowse.documents import Document, Documents
from server.cobrowse.looks import MAX_SECRETS, Secrets
from server.cobrowse.nodes import Limits
from server.cobrowse.sanitiser import DEFAULT, Sanitiser
from server.cobrowse.styles import Allowance, Sheets, Spent
from tests.support.pages import Json, Recorder, added, event, happens, mutation
from tests.support.shared_page import PACK, STYLES, Share


def slices(share: Share, raw: bytes) -> tuple[int, Any]:
    count, steps = 0, share.sanitiser.steps(raw)
    while True:
        try:
            next(steps)
        except StopIteration as done:
            return count, done.value
        count += 1


@pytest.mark.parametrize(
    "change",
    [
        {"source": 8, "styleId": 1, "adds": [{"rule": ""}] * 11},
        {"source": 8, "styleId": 1, "removes": [{"index": 0}] * 11},
        {"source": 15, "id": 1, "styleIds": [1], "styles": [{"styleId": 1, "rules": [{"rule": ""}] * 6}] * 2},
    ],
)
def test_more_rules_than_one_event_may_change(change: Json) -> None:
    share = Share(Recorder(), Limits(rules=10))
    change = {**change, **({"id": share.recorder.document["id"]} if "id" in change else {})}
    made = share.take(event(3, change))
    assert (made.event, dict(made.dropped)) == (None, {"too_much": 1})


def test_rules_are_read_with_pauses_and_short_ones_are_not_for_nothing() -> None:
    share = Share(Recorder())
    count, made = slices(share, happens(8, styleId=1, adds=[{"rule": chr(0x4E00 + at)} for at in range(20_000)]))
    assert count >= DEFAULT.css // DEFAULT.slice / 2
    assert made.dropped["stylesheet"] == 20_000 - DEFAULT.css // css.LEAST
    text = "".join(f".a{at}{{color:red}}" for at in range(1000))
    count, made = slices(share, happens(8, styleId=1, adds=[{"rule": text}]))
    assert count >= len(text) // css.PIECE / 2
    assert made.event["data"]["adds"][0]["rule"].count("{color:red;}") == 1000


def test_properties_and_attributes_have_a_most() -> None:
    for more in ({"style": {f"--a{'b' * at}": False for at in range(11)}}, {f"data-{at}": "" for at in range(11)}):
        share = Share(Recorder(), Limits(properties=10, attributes=10))
        made = share.take(mutation(attributes=[{"id": share.recorder.body["id"], "attributes": more}]))
        assert (made.event, dict(made.dropped)) == (None, {"too_much": 1})
    recorder = Recorder()
    recorder.put(recorder.element("p", {f"data-{at}": "" for at in range(11)}))
    assert Share(recorder, Limits(attributes=10)).picture.event is None


def test_a_block_of_rules_is_read_rule_by_rule_and_one_that_is_too_long_not_at_all() -> None:
    inside = "".join(f".a{at}>b{{color:red;width:{at}px}}" for at in range(3000))
    before = '@charset "utf-8";/* x */ @layer a, b;'
    for text in (
        f"{before}@media (width > 1px){{@supports (display:grid){{{inside}}}}}c{{d:e}}",
        f"a{{b:c}}@layer x{{{inside}}}",
    ):
        sheets = Sheets()
        assert sum(1 for _ in sheets.reading(text, Allowance(len(text)))) > len(inside) // css.PIECE / 2
        assert sheets.sheet(text, Allowance(0)) == sheets._sheet(text, 0)
    assert Sheets().sheet("@media src(x){" + inside + "}") == css.GONE
    assert Sheets().sheet("a" * (css.MAX_RULE + 1) + "{b:c}d{e:f}").startswith(css.GONE)
    assert Sheets().sheet(f"a{{b:url(data:{'x' * css.MAX_RULE});c:d}}") == "a{c:d;}"
    with pytest.raises(Spent):
        Sheets().value("width", "1px", Allowance(css.LEAST - 1))


def test_what_rules_look_at_goes_with_the_nodes_and_an_element_with_more_is_sealed() -> None:
    page = Recorder()
    share = Share(page, Limits(looks=100_000))
    many = " ".join(f"c{at}" for at in range(1000))
    for attributes in ({"class": f"shown {many}"}, {"class": "shown", "id": "x" * 5000}):
        node = page.element("p", attributes, "words")
        left = share.left(mutation(adds=[added(page.body, node)]))
        assert left is not None
        assert "words" not in json.dumps(left)
        share.take(mutation(removes=[{"parentId": page.body["id"], "id": node["id"]}]))
    looks = share.sanitiser._nodes._looks
    for at in range(200):
        node = page.element("p", {"class": f"a{at} " + "b" * 3000})
        share.take(mutation(adds=[added(page.body, node)]))
        share.take(mutation(removes=[{"parentId": page.body["id"], "id": node["id"]}]))
    assert looks.bytes < 130_000
    assert len(looks._known) < 60


def test_a_page_with_more_to_look_at_than_there_may_be_is_not_shown() -> None:
    page = Recorder()
    share = Share(page, Limits(looks=100_000))
    dropped = []
    for at in range(40):
        dropped.append(
            dict(share.take(mutation(adds=[added(page.body, page.element("p", {"class": f"a{at} " + "b" * 3000}))])).dropped)
        )
    assert {"too_much": 1} in dropped
    assert share.sanitiser.weight < 100


def test_fields_that_were_secret_are_bounded() -> None:
    secrets = Secrets()
    page = Recorder()
    sanitiser = Sanitiser(PACK, STYLES, DEFAULT, secrets)
    sanitiser.take(page.meta())
    sanitiser.take(page.picture())
    fields = [added(page.body, page.element("input", {"type": "password"})) for _ in range(MAX_SECRETS + 1)]
    assert dict(sanitiser.take(mutation(adds=fields)).dropped) == {"too_much": 1}
    assert len(secrets.ids) <= MAX_SECRETS + 1


def test_a_password_that_is_shown_stays_one_at_another_address_and_after_another_tab() -> None:
    page = Recorder()
    field = page.element("input", {"type": "password", "id": "amount"})
    share = Share(page.put(field))
    field["attributes"] = {"type": "text", "id": "amount", "value": "hunter2"}
    page.url += "#step2"
    share.take(page.meta())
    assert "hunter2" not in json.dumps(share.take(page.picture()).event)
    again = page.element("input", {"type": "text", "id": "amount", "value": "hunter2"})
    left = share.left(mutation(adds=[added(page.body, again)]))
    assert left is not None
    assert "hunter2" not in json.dumps(left)
    secrets = share.sanitiser._nodes._secrets
    back = Sanitiser(PACK, STYLES, DEFAULT, secrets)
    back.take(page.meta())
    assert "hunter2" not in json.dumps(back.take(page.picture()).event)


@pytest.mark.parametrize(
    "name",
    [
        "password",
        "userPass",
        "new_pwd",
        "pin",
        "userPin",
        "PIN2",
        "cvv",
        "otp",
        "smsOtp",
        "密码",
        "短信验证码",
        "smsCode",
        "verify_code",
        "validateCode",
        "auth-code",
        "securityCode",
        "yzm",
        "mima",
        "captcha",
        "交易密碼",
        "驗證碼",
    ],
)
def test_a_field_that_is_called_a_password_is_one(name: str) -> None:
    page = Recorder()
    named = page.element("input", {"type": "text", "id": "amount", "name": name, "value": "hunter2"})
    assert Share(page.put(named)).of(named)["attributes"]["value"] != "hunter2"


@pytest.mark.parametrize(
    "name",
    ["amount", "zipCode", "countryCode", "promoCode", "shipping", "pinyin", "passport", "passengers", "footprint", "spinner"],
)
def test_a_field_that_is_called_otherwise_is_not(name: str) -> None:
    page = Recorder()
    named = page.element("input", {"type": "text", "id": "amount", "name": name, "value": "hunter2"})
    assert Share(page.put(named)).of(named)["attributes"]["value"] == "hunter2"


def test_how_far_is_scrolled_what_is_masked_for_good() -> None:
    page = Recorder()
    wheel = page.element("ul", {"rr_scrollTop": 132})
    sealed = page.element("div", {"class": "balance"}, wheel)
    free = page.element("div", {"rr_scrollTop": 132})
    share = Share(page.put(sealed, free))
    assert "rr_scrollTop" not in share.of(wheel)["attributes"]
    assert share.of(free)["attributes"]["rr_scrollTop"] == "132"
    assert share.left(happens(3, id=wheel["id"], x=0, y=132)) is None
    assert share.left(happens(3, id=free["id"], x=0, y=132)) is not None
    assert share.left(happens(3, id=page.document["id"], x=0, y=132)) is not None


def test_a_document_that_comes_back_has_its_number() -> None:
    documents = Documents()
    found = []
    for tab, number in (("a", 1), ("b", 1), ("a", 1), ("a", 2), ("b", 1)):
        document = Document.__new__(Document)
        document.tab, document.page = tab, number
        documents.bring_front(document)
        found.append(document.number)
    assert found == [1, 2, 1, 3, 2]
