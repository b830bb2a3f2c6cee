"""What an agent may read of the demo bank's pages, and what its pages need for that."""

from pathlib import Path

import pytest
from aiohttp import web

from server.cobrowse.rules import UNKNOWN_PAGE, read_rules
from server.demo_bank.guard import Visit, add_headers
from server.demo_bank.render import Renderer
from server.demo_bank.settings import Settings
from server.demo_bank.shown import rules

URL = "http://127.0.0.1:8081"
PACK = read_rules(rules(URL))


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/", "home"),
        ("/new/card_loss_report?way=person", "new order"),
        ("/orders/abc", "order"),
        ("/history", "history"),
        ("/transfer", "transfer"),
    ],
)
def test_each_page_has_a_name(path: str, name: str) -> None:
    page = PACK.page(URL + path)
    assert (page.name, page.pause) == (name, False)


def test_where_a_face_is_photographed_nothing_is_shown() -> None:
    assert PACK.page(f"{URL}/branch").pause


def test_other_addresses_are_unknown() -> None:
    assert PACK.page("http://127.0.0.1:8082/") is UNKNOWN_PAGE
    assert PACK.page(f"{URL}/orders/abc/cancel") is UNKNOWN_PAGE
    assert PACK.page(f"{URL}/transfer/fees") is UNKNOWN_PAGE


@pytest.mark.parametrize(
    ("server", "socket"), [("https://video.bank.example", "wss://video.bank.example"), (URL, "ws://127.0.0.1:8081")]
)
def test_pages_may_reach_the_server_where_they_can_be_shown(server: str, socket: str, tmp_path: Path) -> None:
    for site, there in (("pk_demo", True), ("", False)):
        settings = Settings(server_url=server, key="AK_X.k", folder=tmp_path, public_url=URL, site=site)
        response = web.Response()
        add_headers(settings, None, response)
        assert (f"connect-src 'self' {socket};" in response.headers["Content-Security-Policy"]) is there


def test_only_what_is_meant_for_a_frame_may_stand_in_one(tmp_path: Path) -> None:
    settings = Settings(server_url=URL, key="AK_X.k", folder=tmp_path, public_url=URL)
    for framed, around, option in ((False, "'none'", "DENY"), (True, "'self'", "SAMEORIGIN")):
        response = web.Response()
        add_headers(settings, Visit("", "li", "", Renderer("en"), "n0", {}, framed=framed), response)
        assert f"; frame-ancestors {around}; " in response.headers["Content-Security-Policy"]
        assert response.headers["X-Frame-Options"] == option


def test_the_script_has_the_key_and_the_nonce() -> None:
    made = Renderer("en").page("sharing", {"server": "https://video.bank.example", "site": "pk_demo", "nonce": "n0"})
    assert 'src="https://video.bank.example/sdk/tongping.js" data-site="pk_demo"' in made
    assert 'nonce="n0"' in made
