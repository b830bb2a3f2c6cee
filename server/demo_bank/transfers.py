"""The page for transfers: a customer's accounts, whom they paid, what was paid, and what is checked of a new one. Pure. All of it is made up, and no money moves:
the page is there to be looked at together."""

import random
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from server.demo_bank.products import PEOPLE
from server.demo_bank.render import Html, Renderer
from server.demo_bank.words import Language

LIMIT = 50_000
AHEAD_DAYS = 90
PAYMENTS = 36
PURPOSES = ("purpose_family", "purpose_rent", "purpose_goods", "purpose_salary", "purpose_other")
FIELDS = ("payee", "account", "amount", "purpose", "pay_on", "memo")
"""What is kept of a form that was wrong; never the code or the password."""
_AMOUNT = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,2})?")


@dataclass(frozen=True, slots=True)
class Owned:
    """An account of the customer's. ``kind``: the key of its words."""

    kind: str
    tail: str
    currency: str
    balance: str


@dataclass(frozen=True, slots=True)
class Payee:
    name_zh: str
    name_en: str
    bank_zh: str
    bank_en: str
    account: str

    def name(self, language: Language) -> str:
        return self.name_zh if language == "zh" else self.name_en

    def bank(self, language: Language) -> str:
        return self.bank_zh if language == "zh" else self.bank_en


_BANKS = (("江南银行", "Jiangnan Bank"), ("滨海银行", "Binhai Bank"), ("同屏银行", "Tongping Bank"))
_NAMES = (
    ("白小梅", "Bai Xiaomei"), ("蔡国强", "Cai Guoqiang"), ("邓丽", "Deng Li"), ("方志远", "Fang Zhiyuan"), ("高翔", "Gao Xiang"), ("何静", "He Jing"),
    ("黄阿姨", "Auntie Huang"), ("江城物业", "Jiangcheng Property"), ("孔令华", "Kong Linghua"), ("林晓雨", "Lin Xiaoyu"), ("马东", "Ma Dong"), ("倪洁", "Ni Jie"),
    ("欧阳敏", "Ouyang Min"), ("彭飞", "Peng Fei"), ("钱多多", "Qian Duoduo"), ("沈雪", "Shen Xue"), ("唐宁", "Tang Ning"), ("万家水务", "Wanjia Water"),
    ("谢天", "Xie Tian"), ("许可", "Xu Ke"), ("杨帆", "Yang Fan"), ("余晖", "Yu Hui"), ("张伟", "Zhang Wei"), ("周周", "Zhou Zhou"),
)  # fmt: skip
PAYEES = tuple(
    Payee(zh, en, *_BANKS[number % len(_BANKS)], f"62170{number:02}88120{(number * 37 + 1205) % 10000:04}")
    for number, (zh, en) in enumerate(_NAMES)
)
"""Those that the customer keeps, by name."""


def owned(customer: str) -> tuple[Owned, ...]:
    person = PEOPLE[customer]
    return (
        Owned("account_card", person.card, "CNY", person.balance),
        Owned("account_savings", "3075", "CNY", "120,000.00"),
        Owned("account_dollar", "9610", "USD", "2,315.80"),
    )


def payments(today: date) -> list[tuple[date, Payee, str, str]]:
    """Day, to whom, for what, how much; the newest first, and the same each time."""
    drawn, day, made = random.Random(36), today, []  # noqa: S311 - made up, nothing secret
    for _ in range(PAYMENTS):
        day -= timedelta(days=drawn.randrange(1, 6))
        made.append(
            (day, drawn.choice(PAYEES), drawn.choice(PURPOSES), f"{Decimal(drawn.randrange(1_000, 400_000)) / 100:,.2f}")
        )
    return made


def wrongs(form: Mapping[str, str], customer: str, today: date) -> dict[str, str]:
    """What is wrong, by field: the keys of words."""
    found: dict[str, str] = {}
    if not form.get("payee", "").strip():
        found["payee"] = "wrong_payee"
    account = form.get("account", "").replace(" ", "")
    if not (account.isascii() and account.isdecimal() and 12 <= len(account) <= 19):
        found["account"] = "wrong_account"
    balances = {one.kind: Decimal(one.balance.replace(",", "")) for one in owned(customer)}
    amount = _amount(form.get("amount", ""))
    if amount is None:
        found["amount"] = "wrong_amount"
    elif amount > balances.get(form.get("from", ""), Decimal(0)):
        found["amount"] = "wrong_balance"
    elif amount > LIMIT:
        found["amount"] = "wrong_limit"
    if form.get("purpose") not in PURPOSES:
        found["purpose"] = "wrong_purpose"
    try:
        day = date.fromisoformat(form.get("pay_on", ""))
    except ValueError:
        day = None
    if day is None or not today <= day <= today + timedelta(days=AHEAD_DAYS):
        found["pay_on"] = "wrong_day"
    for name, words in (("code", "wrong_code"), ("secret", "wrong_password")):
        given = form.get(name, "")
        if not (given.isascii() and given.isdecimal() and len(given) == 6):
            found[name] = words
    return found


def _amount(text: str) -> Decimal | None:
    """More than nothing, with two places at most."""
    plain = text.replace(",", "").strip()
    return Decimal(plain) if _AMOUNT.fullmatch(plain) and Decimal(plain) > 0 else None


class TransferView:
    """The page. ``nonce``: of its script."""

    def __init__(self, renderer: Renderer, form_token: str, nonce: str) -> None:
        self._r, self._form_token, self._nonce = renderer, form_token, nonce

    def page(self, customer: str, today: date, form: Mapping[str, str], wrong: Mapping[str, str]) -> Html:
        r, language = self._r, self._r.language
        accounts = [
            {"kind": r.word(one.kind), "tail": one.tail, "currency": one.currency, "balance": one.balance}
            for one in owned(customer)
        ]
        chosen_from = form.get("from", "account_card")
        froms = [
            self._option(one.kind, r.word("account_line", kind=r.word(one.kind), tail=one.tail), one.kind == chosen_from)
            for one in owned(customer)
        ]
        payees = [{"name": one.name(language), "bank": one.bank(language), "account": one.account} for one in PAYEES]
        paid = [
            {"day": day.isoformat(), "name": payee.name(language), "purpose": r.word(purpose), "amount": amount}
            for day, payee, purpose, amount in payments(today)
        ]
        purpose = form.get("purpose", "")
        purposes = [self._option("", r.word("purpose_choose"), not purpose)]
        purposes += [self._option(one, r.word(one), one == purpose) for one in PURPOSES]
        values = {
            "form_token": self._form_token,
            "nonce": self._nonce,
            "accounts": r.pages("transfer_account", accounts),
            "froms": Html("".join(froms)),
            "payees": r.pages("transfer_payee", payees),
            "purposes": Html("".join(purposes)),
            "payments": r.pages("transfer_paid", paid),
            "first": today.isoformat(),
            "last": (today + timedelta(days=AHEAD_DAYS)).isoformat(),
            "limit": str(LIMIT),
        }
        for name in FIELDS:
            values[name] = form.get(name, "")
        values["pay_on"] = form.get("pay_on", today.isoformat())
        for name in (*FIELDS, "code", "secret"):
            values[f"wrong_{name}"] = r.word(wrong[name]) if name in wrong else ""
            values[f"invalid_{name}"] = Html(' aria-invalid="true"') if name in wrong else Html()
        return r.page("transfer", values)

    def _option(self, value: str, words: str, is_chosen: bool) -> Html:
        return self._r.page("option", {"value": value, "words": words, "chosen": Html(" selected") if is_chosen else Html()})

    def fees(self) -> Html:
        """What stands in the frame."""
        rows = [
            {"kind": self._r.word(f"fee_{one}"), "fee": self._r.word(f"fee_{one}_value")} for one in ("same", "other", "abroad")
        ]
        return self._r.page("fees", {"nonce": self._nonce, "rows": self._r.pages("fee", rows)})
