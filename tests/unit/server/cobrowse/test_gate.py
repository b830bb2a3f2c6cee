"""What of an agent's doing may reach a node of the customer's page."""

import pytest

from server.cobrowse.gate import is_plain, may, may_enter
from server.cobrowse.messages import ActKind
from server.cobrowse.rules import Level
from tests.support.sharing import Facts

FIELDS = {ActKind.FILL, ActKind.PROPOSE}
ALL = set(ActKind)


def test_a_text_field_that_rules_let_be_read_may_be_filled_and_clicked() -> None:
    assert may(Facts()) == ALL
    assert may(Facts(tag="textarea", type="")) == ALL
    assert may(Facts(tag="select", type="")) == ALL


@pytest.mark.parametrize("type", ["", "text", "search", "tel", "url", "email", "number", "date", "time", "DATE"])
def test_kinds_of_text_fields(type: str) -> None:
    assert may(Facts(type=type)) >= FIELDS


@pytest.mark.parametrize(
    "type", ["password", "PassWord", "file", "hidden", "submit", "image", "reset", "SUBMIT", " button", "unheard-of"]
)
def test_what_is_never_the_agents(type: str) -> None:
    for level in Level:
        assert may(Facts(type=type, level=level)) <= {ActKind.SCROLL}


def test_what_the_agent_cannot_read_the_agent_cannot_change() -> None:
    assert may(Facts(value_shown=False)) == {ActKind.SCROLL}
    assert may(Facts(value_shown=False, level=Level.SHOWN)) == {ActKind.SCROLL}
    assert may(Facts(type="checkbox", value_shown=False, level=Level.SHOWN)) == {ActKind.SCROLL}
    assert may(Facts(type="checkbox")) == {ActKind.SCROLL, ActKind.CLICK}


def test_one_time_codes_and_whatever_was_secret_once() -> None:
    assert may(Facts(sensitive=True, level=Level.SHOWN)) == {ActKind.SCROLL}
    assert may(Facts(tag="div", type="", sensitive=True, level=Level.SHOWN)) == {ActKind.SCROLL}


@pytest.mark.parametrize("level", [Level.SEALED, Level.BLOCKED, Level.GONE])
def test_nothing_with_what_is_sealed_or_hidden(level: Level) -> None:
    assert may(Facts(level=level)) == set()


def test_nothing_with_what_is_not_known() -> None:
    assert may(None) == set()
    assert may(Facts(known=False, level=Level.SHOWN)) == set()


def test_what_is_clicked_is_shown() -> None:
    assert ActKind.CLICK in may(Facts(tag="a", type="", level=Level.SHOWN))
    assert ActKind.CLICK not in may(Facts(tag="a", type="", level=Level.MASKED))
    assert ActKind.CLICK in may(Facts(tag="input", type="button", level=Level.SHOWN))
    assert ActKind.CLICK not in may(Facts(tag="input", type="button", level=Level.MASKED))
    assert FIELDS.isdisjoint(may(Facts(tag="a", type="", level=Level.SHOWN)))


@pytest.mark.parametrize(
    ("tag", "type"),
    [
        ("button", ""),
        ("button", "submit"),
        ("button", "reset"),
        ("button", "nonsense"),
        ("label", ""),
        ("option", ""),
        ("iframe", ""),
    ],
)
def test_what_submits_or_passes_a_click_on_is_not_clicked_nor_anything_in_it(tag: str, type: str) -> None:
    assert may(Facts(tag=tag, type=type, level=Level.SHOWN)) == {ActKind.SCROLL}
    inside = Facts(tag="span", type="", level=Level.SHOWN, above=(("b", ""), ("", ""), (tag, type), ("form", "")))
    assert may(inside) == {ActKind.SCROLL}


def test_a_button_that_says_it_submits_nothing() -> None:
    assert ActKind.CLICK in may(Facts(tag="button", type="button", level=Level.SHOWN, above=(("form", ""), ("body", ""))))
    inside = Facts(tag="svg", type="", level=Level.SHOWN, above=(("button", "Button"), ("form", "")))
    assert ActKind.CLICK in may(inside)


def test_only_what_rules_name_is_clicked_but_boxes_and_circles_whose_state_may_be_read() -> None:
    for tag, type in (("button", "button"), ("a", ""), ("div", ""), ("input", "button"), ("input", "text"), ("textarea", "")):
        assert ActKind.CLICK not in may(Facts(tag=tag, type=type, level=Level.SHOWN, clickable=False)), tag
    for type in ("checkbox", "radio"):
        assert ActKind.CLICK in may(Facts(type=type, clickable=False))
    assert ActKind.CLICK not in may(Facts(tag="button", type="submit", level=Level.SHOWN))


@pytest.mark.parametrize(
    "code",
    [0, 8, 0x0B, 0x0D, 0x1B, 0x7F, 0x85, 0x200B, 0x200F, 0x202A, 0x202E, 0x2066, 0x2069, 0xFEFF, 0xAD, 0x61C, 0x2060, 0x2028],
)
def test_a_value_that_reads_otherwise_than_it_is(code: int) -> None:
    assert not is_plain(f"1{chr(code)}00")
    assert not may_enter(Facts(tag="textarea", type=""), chr(code))


def test_lines_and_tabs_only_where_there_are_several() -> None:
    for value in ("a\nb", "a\tb"):
        assert may_enter(Facts(tag="textarea", type=""), value)
        assert not may_enter(Facts(), value)
    assert may_enter(Facts(), "张三 Zoë – 1,000.00 ¥ 👍")
