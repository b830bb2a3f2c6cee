"""The page for transfers: what of a form is wrong, and that what is secret does not come back with it."""

import re
from datetime import date, timedelta

import pytest

from server.demo_bank.render import Renderer
from server.demo_bank.transfers import AHEAD_DAYS, FIELDS, PAYEES, PURPOSES, TransferView, owned, payments, wrongs
from server.demo_bank.words import LANGUAGES, WORDS

TODAY = date(2026, 11, 23)
GOOD = {
    "from": "account_card",
    "payee": "Lin Xiaoyu",
    "account": "6217 0009 8812 01575",
    "amount": "1,250.50",
    "purpose": "purpose_rent",
    "pay_on": "2026-11-30",
    "memo": "",
    "code": "204060",
    "secret": "804152",
}


def test_a_good_form_has_nothing_wrong() -> None:
    assert wrongs(GOOD, "li", TODAY) == {}


@pytest.mark.parametrize(
    ("field", "value", "wrong"),
    [
        ("payee", "  ", "wrong_payee"),
        ("account", "62170009881", "wrong_account"),
        ("account", "6217000988120١٢٣", "wrong_account"),
        ("account", "62170009881201575123", "wrong_account"),
        ("amount", "", "wrong_amount"),
        ("amount", "0", "wrong_amount"),
        ("amount", "-5", "wrong_amount"),
        ("amount", "1.005", "wrong_amount"),
        ("amount", "NaN", "wrong_amount"),
        ("amount", "Infinity", "wrong_amount"),
        ("amount", "1e9999", "wrong_amount"),
        ("amount", "١٢", "wrong_amount"),
        ("amount", "42180.57", "wrong_balance"),
        ("from", "account_else", "wrong_balance"),
        ("purpose", "", "wrong_purpose"),
        ("purpose", "purpose_else", "wrong_purpose"),
        ("pay_on", "", "wrong_day"),
        ("pay_on", "2026-11-22", "wrong_day"),
        ("pay_on", "2026-02-30", "wrong_day"),
        ("pay_on", (TODAY + timedelta(days=AHEAD_DAYS + 1)).isoformat(), "wrong_day"),
        ("code", "20406", "wrong_code"),
        ("code", "２０４０６０", "wrong_code"),
        ("secret", "80415a", "wrong_password"),
    ],
)
def test_what_is_wrong_is_said_of_its_field(field: str, value: str, wrong: str) -> None:
    found = wrongs({**GOOD, field: value}, "li", TODAY)
    assert found == {"amount" if field == "from" else field: wrong}


def test_more_than_the_daily_limit_is_wrong_where_the_account_has_it() -> None:
    assert wrongs({**GOOD, "amount": "50000.01"}, "wang", TODAY) == {"amount": "wrong_limit"}
    assert wrongs({**GOOD, "amount": "50000"}, "wang", TODAY) == {}


def test_an_empty_form_is_wrong_everywhere() -> None:
    assert set(wrongs({}, "li", TODAY)) == {*FIELDS, "code", "secret"} - {"memo"}


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_wrong_form_comes_back_filled_in_but_for_what_is_secret(language: str) -> None:
    view = TransferView(Renderer("zh" if language == "zh" else "en"), "form", "n0")
    form = {**GOOD, "payee": '"><b>', "secret": "7531902x"}
    page = view.page("li", TODAY, form, wrongs(form, "li", TODAY))
    assert 'value="&quot;&gt;&lt;b&gt;"' in page
    assert "1,250.50" in page
    assert '<option value="purpose_rent" selected>' in page
    assert "7531902" not in page
    assert "204060" not in page
    assert re.findall(r'name="(\w+)"[^>]*aria-invalid="true"', page) == ["secret"]
    assert WORDS["wrong_password"][0 if language == "zh" else 1] in page


def test_what_is_made_up_is_the_same_each_time_and_not_of_the_future() -> None:
    made = payments(TODAY)
    assert made == payments(TODAY)
    assert all(day < TODAY and payee in PAYEES and purpose in PURPOSES for day, payee, purpose, _ in made)
    assert len({one.account for one in PAYEES}) == len(PAYEES)
    assert {one.kind for one in owned("chen")} <= set(WORDS)
