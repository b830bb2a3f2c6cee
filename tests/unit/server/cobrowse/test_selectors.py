import pytest

from server.cobrowse.selectors import SelectorInvalid, read_selector
from tests.support.elements import element, matches

HTML = element("html")
MAIN = element("main", HTML, {"id": "main", "class": "wide open"})
FORM = element("form", MAIN, {"class": "transfer"})
INPUT = element("input", FORM, {"type": "text", "name": "amount", "class": "Amount field"})


@pytest.mark.parametrize(
    "text",
    [
        "input", "INPUT", "*", ".Amount", ".field.Amount", "input.field", "[name]", "[name=amount]", "[name='amount'][type=\"text\"]", "form input",
        "form > input", "#main input", "#main.wide > form.transfer > input", "html input", "* > *", "main form > [ type = text ]", "html > main form input",
    ],
)  # fmt: skip
def test_what_it_matches(text: str) -> None:
    assert matches(text, INPUT)


@pytest.mark.parametrize(
    "text",
    [
        "form",
        ".amount",
        "#input",
        "[name=Amount]",
        "[value]",
        "main > input",
        "html > input",
        "input input",
        ".Amount.other",
        "form main input",
        "body > * input",
    ],
)
def test_what_it_does_not(text: str) -> None:
    assert not matches(text, INPUT)


def test_another_way_up_is_tried() -> None:
    """`a > b c`: the nearest b is no child of an a, one further up is."""
    b = element("b", element("a"))
    other = element("b", element("x", b))
    assert matches("a > b c", element("c", other))


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "a:hover",
        "a + b",
        "a ~ b",
        "a,b",
        "a >",
        "> a",
        "a > > b",
        "a[b^=c]",
        "a[b",
        ".1",
        "#",
        "a.",
        "::part(x)",
        "a/**/b",
        "*a",
        "a*",
        "#a#b",
        ".a b:not(c)",
        "x" * 201,
        "a b c d e f g h i",
    ],
)
def test_what_it_cannot_be(text: str) -> None:
    with pytest.raises(SelectorInvalid):
        read_selector(text)


def test_the_names_it_looks_at() -> None:
    assert read_selector("#a .b [c=d][e] f").names() == {"id", "class", "c", "e"}
    assert read_selector("f > *").names() == frozenset()
