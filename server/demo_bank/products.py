"""The drawn customers, and the four transactions: what is asked for, what is checked, and the details that a decision is about. Pure.

A new password or PIN is in no detail: Tongping never learns it. ``request_reference`` is the order's own id, so a decision about one order is none
about another that looks the same.
"""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Literal

PASSWORD, LOSS, PHONE, USHIELD = "debit_card_password_change", "card_loss_report", "reserved_phone_change", "ushield_pin_reset"
TYPES = (PASSWORD, LOSS, PHONE, USHIELD)
AgeGroup = Literal["18_24", "25_64", "65_79", "80_plus"]


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who was drawn. ``since_days``: how long a customer."""

    id: str
    name_zh: str
    name_en: str
    about: str
    age_group: AgeGroup
    since_days: int
    card: str
    account: str
    phone: str
    ushield: str
    balance: str


PEOPLE = {
    one.id: one
    for one in (
        Person("li", "李华", "Li Hua", "about_li", "25_64", 2410, "8842", "6222020200118842", "13900139042", "UK20240817", "42,180.56"),
        Person("wang", "王桂兰", "Wang Guilan", "about_wang", "80_plus", 9120, "1937", "6222020200111937", "13700137015", "UK20191102", "186,002.10"),
        Person("chen", "陈明", "Chen Ming", "about_chen", "18_24", 96, "5506", "6222020200115506", "15800158077", "UK20260902", "1,930.00"),
        Person("miller", "莎拉·米勒", "Sarah Miller", "about_miller", "25_64", 730, "7021", "6222020200117021", "18600186031", "UK20250330", "23,655.40"),
    )
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Account:
    """What of a customer changes. ``pin_set_at`` and the others: seconds since 1970, 0 where it never happened here."""

    customer: str
    pseudonym: str
    template: str
    consent: str
    card: str
    card_blocked_at: float
    pin_set_at: float
    phone: str
    phone_set_at: float
    ushield_set_at: float


@dataclass(frozen=True, slots=True)
class Wanted:
    """A form that is good. ``secret``: a new password or PIN, "" where there is none. ``details``: without ``request_reference``."""

    details: dict[str, str]
    secret: str = ""


class FormWrong(Exception):
    """``str()``: the key of the words that say what is wrong."""


def wanted(type: str, form: Mapping[str, str], account: Account, today: date) -> Wanted:
    """What a form asks for. Raises FormWrong."""
    if account.card_blocked_at and type in (PASSWORD, LOSS):
        raise FormWrong("wrong_blocked")
    if type == PASSWORD:
        secret = _secret(form, (6, 6), "wrong_password", account)
        return Wanted({"card_last4": account.card, "channel": "web"}, secret)
    if type == LOSS:
        if not form.get("lost_on"):
            return Wanted({"card_last4": account.card})
        try:
            lost_on = date.fromisoformat(form["lost_on"])
        except ValueError:
            raise FormWrong("wrong_date") from None
        if lost_on > today:
            raise FormWrong("wrong_date")
        return Wanted({"card_last4": account.card, "lost_on": lost_on.isoformat()})
    if type == PHONE:
        phone = "".join(one for one in form.get("new_phone", "") if one not in " -")
        if not (phone.isascii() and phone.isdecimal() and len(phone) == 11 and phone.startswith("1")):
            raise FormWrong("wrong_phone")
        if phone == account.phone:
            raise FormWrong("wrong_same_phone")
        return Wanted({"new_phone": phone, "old_phone_last4": account.phone[-4:]})
    if type == USHIELD:
        secret = _secret(form, (6, 8), "wrong_pin", account)
        return Wanted({"ushield_serial": PEOPLE[account.customer].ushield}, secret)
    raise FormWrong("wrong_type")


def _secret(form: Mapping[str, str], lengths: tuple[int, int], wrong: str, account: Account) -> str:
    new = form.get("new_secret", "")
    if not (new.isascii() and new.isdecimal() and lengths[0] <= len(new) <= lengths[1]):
        raise FormWrong(wrong)
    if new != form.get("again", ""):
        raise FormWrong("wrong_again")
    steps = {(int(b) - int(a)) % 10 for a, b in itertools.pairwise(new)}
    if len(steps) == 1 or new in account.phone or new in PEOPLE[account.customer].account:
        raise FormWrong("wrong_simple")
    return new


def changed(type: str, details: Mapping[str, str]) -> tuple[str, str]:
    """The detail that somebody who sits between would like to change, and what they would put there."""
    name = {PASSWORD: "card_last4", LOSS: "card_last4", PHONE: "new_phone", USHIELD: "ushield_serial"}[type]
    was = details[name]
    return name, was[:-1] + str((int(was[-1]) + 1) % 10)


def masked(phone: str) -> str:
    """139****9042, as banks show it."""
    return f"{phone[:3]}****{phone[-4:]}"
