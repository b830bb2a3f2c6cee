"""Who is on the bank's pages, what staff see of it, and offers of help."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType

import pytest

from server.cobrowse.messages import Bye, SiteAccepted, SiteAnswer, SiteAt, SiteHello, SiteOffer, SiteWithdrawn
from server.cobrowse.rules import RulePack, read_rules
from server.cobrowse.visitors import (
    ACCEPTED_S,
    AGAIN_S,
    AWAY_S,
    LIST_S,
    MOST_LISTED,
    MOST_PAGES,
    OFFER_S,
    Visitors,
)
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
        answered, _ = self.visitors.said(name, SiteAnswer(offer=offer, given=given), self.now)
        assert answered is None or answered.given is given
        return answered is not None

    def frames(self, name: str) -> list[object]:
        found: list[object] = []
        while (body := self.visitors.take(name)) is not None:
            found.append(body)
            if isinstance(body, Bye):
                break
        return found

    def offer(self, name: str, staff: str = "anna", offer: str = "o1") -> None:
        self.visitors.offer(f"VI_{name}", offer, staff, staff.title(), self.now)
        self.visitors.show(f"VI_{name}", offer, self.now)

    def ids(self, staff: str = "anna") -> list[str]:
        """Listed anew."""
        self.now += LIST_S
        return [one.id for one in self.visitors.seen_by(staff, self.now)]

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
        assert stage.answer("a", given=False)
        assert not stage.answer("a", given=False), "once"
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
    assert "VI_customer" in stage.ids()
    stage.come("second", address="203.0.113.6")
    assert {"VI_customer", "VI_second"} <= set(stage.ids())
    assert stage.frames("c0") == [Bye(code="too_many", again=False)]


def test_one_address_has_so_many_and_none_that_is_asked_goes() -> None:
    stage = Stage(per_address=2)
    stage.come("a")
    stage.offer("a")
    stage.come("b")
    stage.come("c")
    assert stage.ids() == ["VI_a", "VI_c"]
    stage.offer("c", "bo", "o2")
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


@pytest.mark.parametrize("how", ["no", "silence"])
def test_who_said_no_is_not_asked_when_they_are_there_again(stage: Stage, how: str) -> None:
    stage.offer("a")
    if how == "no":
        assert stage.answer("a", given=False)
    else:
        stage.wait(OFFER_S)
    stage.visitors.went("a", stage.now)
    stage.wait(AWAY_S)
    assert len(stage.visitors) == 0
    stage.come("b", secret=b"a".hex())
    assert stage.offers("bo") == ["no"]
    with pytest.raises(Conflict):
        stage.offer("b", "bo", "o2")
    stage.wait(AGAIN_S)
    assert stage.visitors._refused == {}
    stage.offer("b", "bo", "o2")


def test_of_so_many_it_is_known_that_they_said_no(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.cobrowse.visitors.MOST_REFUSED", 2)
    for name in "abc":
        if name != "a":
            stage.come(name)
        stage.offer(name)
        stage.answer(name, given=False)
    assert len(stage.visitors._refused) == 2
    stage.offer("a", offer="o2")
    with pytest.raises(Conflict):
        stage.offer("b", "bo", "o3")


def test_what_is_not_shown_yet_is_nobodys_to_answer(stage: Stage) -> None:
    stage.visitors.offer("VI_a", "o1", "anna", "Anna", stage.now)
    stage.come("a2", secret=b"a".hex())
    assert stage.frames("a") == stage.frames("a2") == []
    assert not stage.answer("a")
    with pytest.raises(NotFound):
        stage.visitors.withdraw("VI_a", "anna", stage.now)
    with pytest.raises(Conflict):
        stage.offer("a", "bo", "o2")
    stage.visitors.unmade("VI_a", "o1")
    stage.offer("a", "bo", "o2")
    stage.visitors.unmade("VI_a", "o2")
    assert stage.answer("a", "o2"), "what was shown stays"


@pytest.mark.parametrize("away", [0.0, AWAY_S])
def test_who_went_is_shown_nothing_and_may_be_asked_later(stage: Stage, away: float) -> None:
    stage.visitors.offer("VI_a", "o1", "anna", "Anna", stage.now)
    stage.visitors.went("a", stage.now)
    stage.wait(away)
    with pytest.raises(NotFound):
        stage.visitors.show("VI_a", "o1", stage.now)
    stage.come("b", secret=b"a".hex())
    assert stage.frames("b") == []
    (one,) = stage.visitors.seen_by("bo", stage.now)
    assert one.offer == ""


def test_what_was_never_shown_is_no_no(stage: Stage) -> None:
    stage.visitors.offer("VI_a", "o1", "anna", "Anna", stage.now)
    stage.wait(OFFER_S)
    assert stage.frames("a") == []
    stage.offer("a", "bo", "o2")


@pytest.mark.parametrize("gone", [False, True])
def test_one_page_begins_what_was_accepted(stage: Stage, gone: bool) -> None:
    for name in ("b", "c"):
        stage.come(name, secret=b"a".hex())
    stage.offer("a")
    assert stage.answer("b")
    for name in "abc":
        stage.frames(name)
    if gone:
        stage.visitors.went("b", stage.now)
    stage.visitors.came_of(stage.visitors._by_line["a"], "SE_1", "token")
    accepted, late = [SiteAccepted(token="token")], [SiteWithdrawn(late=False)]
    assert [stage.frames(name) for name in "abc"] == [accepted, [], late] if gone else [late, accepted, late]
    if not gone:
        assert stage.visitors._offers["VI_a"][1].by == "b"


def test_so_many_are_listed_and_whom_one_has_asked() -> None:
    stage = Stage(most=2 * MOST_LISTED)
    stage.come("a")
    for number in range(MOST_LISTED):
        stage.come(f"v{number}", address=f"2001:db8::{number}")
        stage.at(f"v{number}", errors=1)
    listed = stage.ids()
    assert len(listed) == MOST_LISTED
    assert "VI_a" not in listed
    stage.offer("a")
    assert stage.ids() == ["VI_a", *listed]
    assert stage.ids("bo") == listed
    stage.visitors.went("v3", stage.now)
    assert "VI_v3" not in [one.id for one in stage.visitors.seen_by("bo", stage.now)]


def calls(what: Callable[[], object]) -> int:
    """How many are made, of anything."""
    count = 0

    def counted(frame: FrameType, event: str, arg: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(counted)
    try:
        what()
    finally:
        sys.setprofile(before)
    return count


def costs(many: int) -> list[int]:
    """Of each thing that may be done, with so many there and no more room."""
    stage = Stage(most=many, per_address=5)
    for number in range(many):
        stage.come(f"v{number}", address=f"2001:db8::{number // 5}")
        stage.visitors.take(f"v{number}")
    stage.visitors.tick(stage.now)
    ways: list[Callable[[], object]] = [
        lambda: stage.at("v7"),
        lambda: stage.answer("v7"),
        lambda: stage.come("again", address="2001:db8::1", secret=b"v7".hex()),
        lambda: stage.come("full", address="2001:db8::f"),
        lambda: stage.come("crowded", address="2001:db8::1"),
        lambda: stage.visitors.went(f"v{many - 1}", stage.now),
        lambda: stage.visitors.tick(stage.now),
        lambda: stage.offer("v8"),
    ]
    found = [calls(way) for way in ways]
    assert len(stage.visitors) == many
    return found


def test_nothing_that_anybody_may_do_costs_more_the_more_there_are() -> None:
    assert costs(10) == costs(400)
