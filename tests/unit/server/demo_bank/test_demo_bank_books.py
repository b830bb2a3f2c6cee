"""The bank's books: what happens once happens once, whoever asks how often, and outlives the process."""

import json
import sqlite3
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from server.demo_bank import books as module
from server.demo_bank.books import Books, Order, TooManyOrders
from server.demo_bank.products import LOSS, PASSWORD, PHONE, TYPES, USHIELD

CLAIMS = {"decision": "accept"}


class Time:
    seconds = 1_800_000_000.0

    def __call__(self) -> float:
        self.seconds += 1
        return self.seconds


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def books(tmp_path: Path, time: Time) -> Iterator[Books]:
    made = Books(tmp_path / "bank", time)
    yield made
    made.close()


def ordered(books: Books, id: str = "order-1", type: str = PHONE, customer: str = "li", secret: str = "") -> Order:
    details = {"new_phone": "15020014477", "old_phone_last4": "9042"} if type == PHONE else {"card_last4": "8842"}
    order = books.order(id, books.account(customer), type, details, secret, "zh")
    books.asked(id, f"VE_{id}", "open", "https://video.example/j/x", 3)
    return order


def carry_out(books: Books, id: str = "order-1") -> bool:
    return books.carry_out(id, books.get(id).details, "2026-01-01T00:00:00Z")


def test_a_decision_is_acted_upon_by_one_of_many(books: Books) -> None:
    ordered(books)
    with ThreadPoolExecutor(8) as threads:
        begun = list(threads.map(lambda _: books.begin("order-1"), range(40)))
        done = list(threads.map(lambda _: carry_out(books), range(40)))
    assert (sum(begun), sum(done)) == (1, 1)
    assert books.account("li").phone == "15020014477"


@pytest.mark.parametrize("type", TYPES)
def test_effect_and_mark_are_one_transaction(books: Books, type: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut off between the two, there is neither."""
    ordered(books, type=type, secret="804152" if type in (PASSWORD, USHIELD) else "")
    assert books.begin("order-1")
    before = books.account("li")
    books._db.execute("CREATE TRIGGER cut BEFORE UPDATE OF done_at ON orders BEGIN SELECT RAISE(ABORT, 'cut off'); END")
    with pytest.raises(sqlite3.IntegrityError, match="cut off"):
        carry_out(books)
    assert books.account("li") == before
    assert books.get("order-1").state == "redeeming"
    books._db.execute("DROP TRIGGER cut")
    assert carry_out(books)
    assert books.account("li") != before


def test_nothing_is_carried_out_but_what_was_verified_and_is_still_there(books: Books) -> None:
    """Another card by now, another number, another customer, other details than those of the decision."""
    details = ordered(books, "other-details").details
    books.begin("other-details")
    assert not books.carry_out("other-details", {**details, "new_phone": "15020014478"}, "now")
    ordered(books, "first-phone")
    books.begin("first-phone")
    assert carry_out(books, "first-phone")
    for id, type in (("phone", PHONE), ("password", PASSWORD), ("loss", LOSS)):
        customer = "chen" if type != PHONE else "li"
        ordered(books, id, type, customer)
        books.begin(id)
        assert not carry_out(books, id), "9042 was the number before; 8842 is not Chen's card"
    ordered(books, "anew", USHIELD, "wang")
    books.begin("anew")
    books.anew("wang")
    assert not carry_out(books, "anew")
    faults = {(books.get(id).state, books.get(id).fault) for id in ("other-details", "phone", "password", "loss", "anew")}
    assert faults == {("unclear", "changed")}
    assert books.account("wang").ushield_set_at == 0
    assert books.account("li").phone == "15020014477"


def test_nothing_is_carried_out_that_was_not_begun(books: Books) -> None:
    ordered(books)
    assert not carry_out(books)
    books.refuse("order-1", "rejected")
    assert not books.begin("order-1")
    assert not carry_out(books)
    assert books.get("order-1").state == "refused"


def test_no_way_back_from_an_end(books: Books) -> None:
    ordered(books)
    books.begin("order-1")
    books.unclear("order-1", "unreachable")
    settled = books.get("order-1")
    books.asked("order-1", "VE_2", "open", "", 3)
    books.stands("order-1", "accepted", [], 0)
    books.decided("order-1", "token", CLAIMS)
    books.refuse("order-1", "rejected")
    books.troubled("order-1", "unreachable")
    assert not books.begin("order-1")
    assert not carry_out(books)
    assert books.get("order-1") == settled


def test_what_was_being_redeemed_when_it_stopped_is_unclear(tmp_path: Path, time: Time) -> None:
    first = Books(tmp_path, time)
    ordered(first, "begun")
    ordered(first, "waiting")
    first.begin("begun")
    first.close()
    again = Books(tmp_path, time)
    assert [(again.get(id).state, again.get(id).fault) for id in ("begun", "waiting")] == [
        ("unclear", "stopped"),
        ("waiting", ""),
    ]
    assert not carry_out(again, "begun")
    assert again.unsettled() == ["waiting"]
    assert again.form_key == again.form_key
    again.close()


def test_one_form_is_one_order_and_nobody_elses(books: Books) -> None:
    first = ordered(books)
    again = books.order("order-1", books.account("li"), LOSS, {"card_last4": "0000"}, "", "en")
    assert (again.type, again.details) == (PHONE, first.details)
    with pytest.raises(KeyError):
        books.order("order-1", books.account("chen"), LOSS, {"card_last4": "0000"}, "", "en")


def test_three_orders_at_a_time_and_two_hundred_in_all(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_ORDERS_EACH", 5)
    for number in range(3):
        ordered(books, f"open-{number}")
    with pytest.raises(TooManyOrders):
        ordered(books, "fourth")
    ordered(books, "chens", customer="chen")
    for number in range(3):
        books.refuse(f"open-{number}", "cancelled")
    for number in range(8):
        ordered(books, f"more-{number}")
        books.refuse(f"more-{number}", "cancelled")
    assert [one.id for one in books.history("li")] == [f"more-{number}" for number in (7, 6, 5, 4, 3)]


def test_a_webhook_is_taken_once(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_HOOKS", 3)
    ordered(books)
    assert [books.hook_came("WD_1", "order-1") for _ in range(3)] == [True, False, False]
    assert books.get("order-1").hooks == 1
    for number in range(10):
        books.hook_came(f"WD_more{number}", "order-1")
    assert books._db.execute("SELECT COUNT(*) FROM hooks").fetchone()[0] == 3


def test_secrets_are_kept_as_hashes(tmp_path: Path, books: Books) -> None:
    ordered(books, type=PASSWORD, secret="804152")
    books.sign_in("the-cookie-of-somebody", "li")
    assert books.signed_in("the-cookie-of-somebody") == "li"
    order = books.get("order-1")
    assert order.secret_hash.count(":") == 1
    assert "804152" not in json.dumps(order.details)
    for path in (tmp_path / "bank").iterdir():
        assert b"the-cookie-of-somebody" not in path.read_bytes(), path.name
    assert stat.S_IMODE((tmp_path / "bank" / "bank.db").stat().st_mode) == 0o600
    books.begin("order-1")
    carry_out(books)
    assert books.get("order-1").secret_hash == ""


def test_sessions_end_and_are_bounded(books: Books, time: Time, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_SESSIONS", 3)
    for number in range(6):
        books.sign_in(f"cookie-{number}", "li")
    assert [books.signed_in(f"cookie-{number}") for number in range(6)] == ["", "", "", "li", "li", "li"]
    books.sign_out("cookie-5")
    assert books.signed_in("cookie-5") == ""
    time.seconds += module.SESSION_S + 1
    assert books.signed_in("cookie-4") == ""


def test_a_blocked_card_has_a_successor_and_no_other_has(books: Books) -> None:
    card = books.account("li").card
    books.new_card("li")
    assert books.account("li").card == card
    ordered(books, type=LOSS)
    books.begin("order-1")
    carry_out(books)
    assert books.account("li").card_blocked_at > 0
    books.new_card("li")
    assert books.account("li").card_blocked_at == 0


def test_consents_are_kept_with_their_wording_and_withdrawn(books: Books) -> None:
    consent = books.consent("li", "I agree.")
    books.enrolled("li", "FT_1", consent)
    assert books.account("li").consent == consent
    books.forgotten("li")
    row = books._db.execute("SELECT wording, withdrawn_at > 0 FROM consents WHERE id = ?", (consent,)).fetchone()
    assert tuple(row) == ("I agree.", 1)
    assert (books.account("li").template, books.account("li").consent) == ("", "")
