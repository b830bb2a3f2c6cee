import hashlib

import pytest

from server.cobrowse.matching import Matching
from server.cobrowse.rules import ELSEWHERE, MAX_PAGES, Level, RulePackInvalid, read_rules
from server.cobrowse.shadow import Node
from tests.support.elements import element, stands

PACK = b"""
[[page]]
url = "https://bank.example/transfers/*"
name = "transfer/{id}"
show = ["h1", "label", "main"]
values = ["#amount"]
mask = [".balance"]
block = ["#photo"]

[[page]]
url = "https://bank.example/login"
name = "login"
pause = true

[[page]]
url = "https://bank.example:8443/help/**"
name = "help"
show = ["body"]
"""


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://bank.example/transfers/7", "transfer/{id}"),
        ("https://BANK.example:443/transfers/7?x=1#y", "transfer/{id}"),
        ("https://bank.example/transfers/", "transfer/{id}"),
        ("https://bank.example/transfers/7/more", ELSEWHERE),
        ("https://bank.example/transfers", ELSEWHERE),
        ("http://bank.example/transfers/7", ELSEWHERE),
        ("https://bank.example.evil.example/transfers/7", ELSEWHERE),
        ("https://bank.example@evil.example/transfers/7", ELSEWHERE),
        ("https://me@bank.example/transfers/7", ELSEWHERE),
        ("https://bank.example/login", "login"),
        ("https://bank.example/LOGIN", "login"),
        ("https://bank.example/login/", "login"),
        ("https://bank.example//login", "login"),
        ("https://bank.example/login;jsessionid=1", "login"),
        ("https://bank.example/%6Cogin", "login"),
        ("https://bank.example/%256Cogin", "login"),
        ("https://bank.example/transfers/../login", "login"),
        ("https://bank.example/transfers%2F..%2Flogin", "login"),
        ("https://bank.example/transfers/../help", ELSEWHERE),
        ("https://bank.example:8443/help/", "help"),
        ("https://bank.example:8443/help/a/b/c", "help"),
        ("https://bank.example:8443/helpers", ELSEWHERE),
        ("https://bank.example/help/a", ELSEWHERE),
        ("javascript:alert(1)", ELSEWHERE),
        ("https://[::1/x", ELSEWHERE),
        ("https://bank.example:99999/login", ELSEWHERE),
        ("https://bank.example/login" + "x" * 5000, ELSEWHERE),
        ("", ELSEWHERE),
    ],
)
def test_which_page_an_address_is(url: str, name: str) -> None:
    assert read_rules(PACK).page(url).name == name


def test_a_page_that_is_never_shown_is_not_shown_by_a_wider_entry_either() -> None:
    pack = read_rules(
        b"""
[[page]]
url = "https://bank.example/login"
name = "login"
pause = true

[[page]]
url = "https://bank.example/cards/new"
name = "new card"
mask = ["main"]

[[page]]
url = "https://bank.example/**"
name = "all"
show = ["body"]
"""
    )
    for path in ("login", "Login", "login/", "/login", "login;a=b", "%6cogin", "x/../login", "./login", "x/%2e%2e/login"):
        assert pack.page(f"https://bank.example/{path}").pause, path
    assert pack.page("https://bank.example/cards/new").name == "new card"
    assert (
        pack.page("https://bank.example/cards/New/").name == ELSEWHERE
    )  # which of the two it is, the server of the page knows alone
    assert pack.page("https://bank.example/cards/old/").name == "all"
    assert pack.page("https://bank.example/").name == "all"


def test_what_of_a_node_may_be_seen() -> None:
    page = read_rules(PACK).page("https://bank.example/transfers/7")
    matching, body = Matching(page), element("body")
    main, balance, photo = (
        element("main", body),
        element("p", body, {"class": "balance"}),
        element("img", body, {"id": "photo"}),
    )

    def level(node: Node, above: Level) -> Level:
        return matching.level(stands(matching, node)[0], above)

    assert level(body, Level.MASKED) is Level.MASKED
    assert level(main, Level.MASKED) is Level.SHOWN
    assert level(element("p", main), Level.SHOWN) is Level.SHOWN
    assert level(balance, Level.SHOWN) is Level.SEALED
    assert level(element("h1", balance), Level.SEALED) is Level.SEALED  # nothing below undoes it
    assert level(photo, Level.SHOWN) is Level.BLOCKED
    assert level(element("h1", photo), Level.BLOCKED) is Level.GONE
    assert level(element("h1", photo), Level.GONE) is Level.GONE
    assert page.names() == {"id", "class"}


def test_what_stands_in_a_consent_is_the_files_hash() -> None:
    assert read_rules(PACK).hash == hashlib.sha256(PACK).hexdigest()
    assert read_rules(b"").pages == ()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"\xff", "utf-8"),
        (b"[[page]", "Expected"),
        (b"pages = []", r"only \[\[page\]\]"),
        (b"page = 1", r"only \[\[page\]\]"),
        (b"page = [1]", r"only \[\[page\]\]"),
        (b"[[page]]\nurl = 'https://a/'", "page 1: url and name"),
        (b"[[page]]\nurl = 'https://a/'\nname = 'a'\nshows = []", "unknown key shows"),
        (b"[[page]]\nurl = 'https://a/'\nname = 'a\\n'\n", "page 1: name"),
        (b"[[page]]\nurl = 'ftp://a/'\nname = 'a'", "page 1: url"),
        (b"[[page]]\nurl = '/a'\nname = 'a'", "page 1: url"),
        (b"[[page]]\nurl = 'https://a/b?c'\nname = 'a'", "never counts"),
        (b"[[page]]\nurl = 'https://a/b*'\nname = 'a'", "whole part"),
        (b"[[page]]\nurl = 'https://a/**/b'\nname = 'a'", "whole part"),
        (b"[[page]]\nurl = 'https://a/'\nname = 'a'\nshow = 'h1'", "a list of selectors"),
        (b"[[page]]\nurl = 'https://a/'\nname = 'a'\nmask = ['a:hover']", "mask: cannot read"),
        (b"[[page]]\nurl = 'https://a/'\nname = 'a'\npause = true\nshow = ['h1']", "pause"),
        (b"[[page]]\nurl = 'https://a/'\nname = 'a'\npause = 'no'", "true or false"),
        (b"[[page]]\nurl = 'https://a/'\nname = 'a'\n" * (MAX_PAGES + 1), "more than 500 pages"),
        (b"#" * (256 * 1024 + 1), "longer"),
    ],
)
def test_what_is_refused(text: bytes, why: str) -> None:
    with pytest.raises(RulePackInvalid, match=why):
        read_rules(text, where="here")
