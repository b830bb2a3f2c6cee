"""Who is on the bank's pages, what staff see of it, and offers of help."""

from dataclasses import dataclass

import pytest

from server.cobrowse.messages import Bye, SiteAccepted, SiteAnswer, SiteAt, SiteHello, SiteOffer, SiteWithdrawn
from server.cobrowse.rules import RulePack, read_rules
from server.cobrowse.visitors import ACCEPTED_S, AGAIN_S, AWAY_S, MOST_PAGES, OFFER_S, Visitors
from server.errors import Conflict, NotFound

RULES = b"""
[[page]]
url = "https://bank.example/transfers/*"
name = "transfer"

[[page]]
url = "https://bank.example/login"
name = "login"
pause = true
"""
TRANSFER = "https://bank.example/transfers/8842"


@dataclass(frozen=True)
class Place:
    pack: RulePack
    key: str = "pk_bank"
    name: str = "Bank"
    bank: tuple[str, str] = ("银行", "Bank")


PLACE = Place(read_rules(RULES))


class Stage:
    def __init__(self, most: int = 100, per_address: int = 100) -> None:
        self.visitors = Visitors(most, per_address)
        self.now = 1000.0

    def come(self, name: str, *, address: str = "192.0.2.1", secret: str = "") -> None:
        hello = SiteHello(site="pk_bank", visitor=(secret or name.encode().hex()).ljust(32, "0")[:32], language="en")
        self.visitors.come(name, hello, PLACE, f"VI_{name}", address, self.now)

    def at(self, name: str, url: str = TRANSFER, **fields: object) -> None:
        self.visitors.said(name, SiteAt(url=url, **fields), self.now)  # type: ignore[arg-type]

    def answer(self, name: str, offer: str = "o1", *, given: bool = True) -> bool:
        return self.visitors.said(name, SiteAnswer(offer=offer, given=given), self.now)[0] is not None

    def frames(self, name: str) -> list[object]:
        found: list[object] = []
        while (body := self.visitors.take(name)) is not None:
            found.append(body)
            if isinstance(body, Bye):
                break
        return found

    def offer(self, name: str, staff: str = "anna", offer: str = "o1") -> None:
        self.visitors.offer(f"VI_{name}", offer, staff, staff.title(), self.now)

    def offers(self, staff: str = "anna") -> list[str]:
        return [one.offer for one in self.visitors.seen_by(staff, self.now)]

    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.visitors.tick(self.now)


@pytest.fixture
def stage() -> Stage:
    made = Stage()
    made.come("a")
    return made


@pytest.mark.parametrize(
    ("url", "step", "seen"),
    [
        (TRANSFER, "amount", ("transfer", "amount", 2)),
        (TRANSFER, "card 6222020200112233", ("transfer", "", 2)),
        ("https://bank.example/login", "amount", ("", "", 0)),
        ("https://bank.example/other/8842", "amount", ("", "", 0)),
        ("nonsense", "amount", ("", "", 0)),
    ],
)
def test_of_a_page_only_what_rules_call_it_is_seen(stage: Stage, url: str, step: str, seen: tuple[str, str, int]) -> None:
    stage.at("a", url, step=step, errors=2, dwell_s=30)
    (one,) = stage.visitors.seen_by("anna", stage.now)
    assert (one.page, one.step, one.errors) == seen
    assert one.dwell_s == 30
    assert "8842" not in repr(one)


def test_where_something_is_wrong_comes_first_then_the_longest(stage: Stage) -> None:
    for name, errors, dwell_s in (("a", 0, 500), ("b", 1, 5), ("c", 1, 50)):
        if name != "a":
            stage.come(name)
        stage.at(name, errors=errors, dwell_s=dwell_s)
    assert [one.id for one in stage.visitors.seen_by("anna", stage.now)] == ["VI_c", "VI_b", "VI_a"]


def test_an_offer_is_shown_and_accepted_once(stage: Stage) -> None:
    stage.offer("a")
    (told,) = stage.frames("a")
    assert told == SiteOffer(offer="o1", name="Anna", seconds=round(OFFER_S), bank_zh="银行", bank_en="Bank")
    assert (stage.offers(), stage.offers("bo")) == (["open"], ["other"])
    assert not stage.answer("a", "another")
    assert stage.answer("a")
    assert not stage.answer("a"), "once"
    visitor = stage.visitors._by_line["a"]
    stage.visitors.came_of(visitor, "SE_1", "token")
    assert stage.frames("a") == [SiteAccepted(token="token")]
    stage.visitors.went("a", stage.now)
    stage.wait(AWAY_S)
    assert [one.session for one in stage.visitors.seen_by("anna", stage.now)] == ["SE_1"], "also once the page shares"
    assert [one.session for one in stage.visitors.seen_by("bo", stage.now)] == [""]
    stage.wait(ACCEPTED_S)
    stage.wait(0)
    assert len(stage.visitors) == 0


def test_what_came_to_nothing_is_said(stage: Stage) -> None:
    stage.offer("a")
    assert stage.answer("a")
    stage.frames("a")
    stage.visitors.came_of(stage.visitors._by_line["a"], "", "")
    assert stage.frames("a") == [SiteWithdrawn(late=True)]
    assert stage.offers() == [""]


@pytest.mark.parametrize("how", ["no", "silence", "withdrawn"])
def test_nobody_asks_again_soon(stage: Stage, how: str) -> None:
    stage.offer("a")
    stage.frames("a")
    if how == "no":
        assert not stage.answer("a", given=False)
    elif how == "silence":
        stage.wait(OFFER_S)
    else:
        with pytest.raises(NotFound):
            stage.visitors.withdraw("VI_a", "bo", stage.now)
        stage.visitors.withdraw("VI_a", "anna", stage.now)
    assert stage.frames("a") == [SiteWithdrawn(late=False)]
    assert not stage.answer("a"), "too late"
    assert stage.offers("bo") == ["no"]
    with pytest.raises(Conflict):
        stage.offer("a", "bo", "o2")
    stage.wait(AGAIN_S)
    stage.offer("a", "bo", "o2")


def test_one_offer_at_a_time(stage: Stage) -> None:
    stage.come("b")
    stage.offer("a")
    with pytest.raises(Conflict):
        stage.offer("a", "bo", "o2")
    with pytest.raises(Conflict):
        stage.offer("b", "anna", "o2")
    with pytest.raises(NotFound):
        stage.offer("nobody", "bo")
    stage.offer("b", "bo", "o2")


def test_a_reload_sees_the_offer_still(stage: Stage) -> None:
    stage.offer("a")
    stage.visitors.went("a", stage.now)
    stage.now += 5
    stage.come("a2", secret=b"a".hex())
    assert [type(one) for one in stage.frames("a2")] == [SiteOffer]
    assert stage.answer("a2")


def test_a_visitor_of_another_address_is_another(stage: Stage) -> None:
    stage.come("thief", address="198.51.100.9", secret=b"a".hex())
    assert stage.frames("thief") == [Bye(code="too_many", again=False)]
    stage.offer("a")
    assert not stage.answer("thief")
    assert stage.frames("thief") == [Bye(code="too_many", again=False)]


def test_a_crowd_of_one_address_keeps_nobody_out() -> None:
    stage = Stage(most=4)
    stage.come("customer", address="203.0.113.5")
    for number in range(12):
        stage.come(f"c{number}")
        stage.now += 1
    assert len(stage.visitors) == 4
    assert "VI_customer" in [one.id for one in stage.visitors.seen_by("anna", stage.now)]
    stage.come("second", address="203.0.113.6")
    assert {"VI_customer", "VI_second"} <= {one.id for one in stage.visitors.seen_by("anna", stage.now)}
    assert stage.frames("c0") == [Bye(code="too_many", again=False)]


def test_one_address_has_so_many_and_none_that_is_asked_goes() -> None:
    stage = Stage(per_address=2)
    stage.come("a")
    stage.offer("a")
    stage.come("b")
    stage.come("c")
    assert [one.id for one in stage.visitors.seen_by("anna", stage.now)] == ["VI_a", "VI_c"]
    stage.visitors.offer("VI_c", "o2", "bo", "Bo", stage.now)
    stage.come("d")
    assert stage.frames("d") == [Bye(code="too_many", again=False)]


def test_who_says_too_much_is_cut_off(stage: Stage) -> None:
    for _ in range(30):
        stage.at("a")
    assert stage.frames("a") == [Bye(code="too_many", again=False)]


def test_so_many_pages_of_one_visitor(stage: Stage) -> None:
    for number in range(MOST_PAGES):
        stage.come(f"p{number}", secret=b"a".hex())
    assert stage.frames(f"p{MOST_PAGES - 1}") == [Bye(code="too_many", again=False)]
    assert stage.frames("p0") == []
