"""The bank's own books, in SQLite: who is signed in, what was ordered, what was carried out. Blocks: call it in a thread. SHELL.

An order moves ``asking`` → ``waiting`` → ``redeeming`` → ``done``, or to ``refused`` or ``unclear`` and no further. Two steps make that a decision is
acted upon once at most: ``begin`` (one caller gets True) before the decision is redeemed, and ``carry_out``, which writes the effect and the mark that
it was carried out in one transaction. What stood at ``redeeming`` when the bank was stopped is ``unclear`` from then on: nobody knows whether it was
redeemed, so nothing is carried out.
"""

import hashlib
import json
import secrets
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from server.demo_bank.products import LOSS, PASSWORD, PEOPLE, PHONE, USHIELD, Account

SESSION_S = 8 * 3600.0
MAX_SESSIONS = 1000
MAX_ORDERS_EACH = 200
MAX_UNSETTLED_EACH = 3
MAX_HOOKS = 5000
MAX_CONSENTS = 1000
UNSETTLED = ("asking", "waiting", "redeeming")

_SCHEMA = """
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS accounts (
  customer TEXT PRIMARY KEY, pseudonym TEXT NOT NULL UNIQUE, template TEXT NOT NULL DEFAULT '', consent TEXT NOT NULL DEFAULT '',
  card TEXT NOT NULL, card_blocked_at REAL NOT NULL DEFAULT 0, pin_hash TEXT NOT NULL DEFAULT '', pin_set_at REAL NOT NULL DEFAULT 0,
  phone TEXT NOT NULL, phone_set_at REAL NOT NULL DEFAULT 0, ushield_hash TEXT NOT NULL DEFAULT '', ushield_set_at REAL NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE IF NOT EXISTS consents (
  id TEXT PRIMARY KEY, customer TEXT NOT NULL, wording TEXT NOT NULL, given_at REAL NOT NULL, withdrawn_at REAL NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE IF NOT EXISTS sessions (hash TEXT PRIMARY KEY, customer TEXT NOT NULL, expires_at REAL NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS orders (
  id TEXT PRIMARY KEY, customer TEXT NOT NULL, pseudonym TEXT NOT NULL, type TEXT NOT NULL, details TEXT NOT NULL, secret_hash TEXT NOT NULL,
  hook TEXT NOT NULL UNIQUE, language TEXT NOT NULL, state TEXT NOT NULL, case_id TEXT NOT NULL DEFAULT '', case_state TEXT NOT NULL DEFAULT '',
  link TEXT NOT NULL DEFAULT '', attempts_left INTEGER NOT NULL DEFAULT 0, reasons TEXT NOT NULL DEFAULT '[]', fault TEXT NOT NULL DEFAULT '',
  claims TEXT NOT NULL DEFAULT '', token TEXT NOT NULL DEFAULT '', verified_at REAL NOT NULL DEFAULT 0, redeemed_at TEXT NOT NULL DEFAULT '',
  done_at REAL NOT NULL DEFAULT 0, hooks INTEGER NOT NULL DEFAULT 0, ordered_at REAL NOT NULL, version INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX IF NOT EXISTS orders_of ON orders (customer, ordered_at);
CREATE INDEX IF NOT EXISTS orders_open ON orders (state);
CREATE TABLE IF NOT EXISTS hooks (id TEXT PRIMARY KEY, at REAL NOT NULL) STRICT;
"""


@dataclass(frozen=True, slots=True)
class Order:
    """``details``: what is to be carried out, as JSON. ``case_state``: of the verification, as Tongping last said. ``reasons``: of its verdict. ``fault``: why the
    bank did not act, a code. ``claims``: of a decision that was verified, None without one. ``hooks``: how many webhooks came. ``version``: another
    after each change."""

    id: str
    customer: str
    pseudonym: str
    type: str
    details: dict[str, str]
    secret_hash: str
    hook: str
    language: str
    state: str
    case_id: str
    case_state: str
    link: str
    attempts_left: int
    reasons: list[str]
    fault: str
    claims: dict[str, Any] | None
    token: str
    verified_at: float
    redeemed_at: str
    done_at: float
    hooks: int
    ordered_at: float
    version: int

    @property
    def settled(self) -> bool:
        return self.state not in UNSETTLED


class TooManyOrders(Exception):
    """So many of this customer wait already."""


class Books:
    """``now``: seconds since 1970. Raises OSError or sqlite3.Error where the folder cannot be used."""

    def __init__(self, folder: Path, now: Any = time.time) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._now = now
        self._lock = threading.Lock()
        self._db = sqlite3.connect(folder / "bank.db", check_same_thread=False, isolation_level=None)
        (folder / "bank.db").chmod(0o600)
        self._db.row_factory = sqlite3.Row
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.executescript(_SCHEMA)
        with self._writing() as db:
            for person in PEOPLE.values():
                db.execute(
                    "INSERT OR IGNORE INTO accounts (customer, pseudonym, card, phone) VALUES (?, ?, ?, ?)",
                    (person.id, _pseudonym(), person.card, person.phone),
                )
            db.execute("INSERT OR IGNORE INTO facts VALUES ('forms', ?)", (secrets.token_bytes(32),))
            db.execute(
                "UPDATE orders SET state = 'unclear', fault = 'stopped', version = version + 1 WHERE state = 'redeeming'"
            )
        self.form_key: bytes = self._one("SELECT value FROM facts WHERE name = 'forms'")["value"]

    def close(self) -> None:
        with self._lock:
            self._db.close()

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction, on disk when the block is left."""
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def _all(self, sql: str, values: tuple[Any, ...] = ()) -> list[sqlite3.Row]:
        with self._lock:
            return self._db.execute(sql, values).fetchall()

    def _one(self, sql: str, values: tuple[Any, ...] = ()) -> Any:
        with self._lock:
            return self._db.execute(sql, values).fetchone()

    # ---- who is signed in

    def sign_in(self, token: str, customer: str) -> None:
        """``token``: a new one. Only its hash is kept."""
        with self._writing() as db:
            now = self._now()
            db.execute("DELETE FROM sessions WHERE expires_at < ?", (now,))
            db.execute(
                "DELETE FROM sessions WHERE hash IN (SELECT hash FROM sessions ORDER BY expires_at DESC LIMIT -1 OFFSET ?)",
                (MAX_SESSIONS - 1,),
            )
            db.execute("INSERT INTO sessions VALUES (?, ?, ?)", (_hash(token), customer, now + SESSION_S))

    def signed_in(self, token: str) -> str:
        """The customer, "" for nobody."""
        row = self._one("SELECT customer FROM sessions WHERE hash = ? AND expires_at > ?", (_hash(token), self._now()))
        return str(row["customer"]) if row is not None else ""

    def sign_out(self, token: str) -> None:
        with self._writing() as db:
            db.execute("DELETE FROM sessions WHERE hash = ?", (_hash(token),))

    # ---- accounts

    def account(self, customer: str) -> Account:
        with self._lock:
            return _account(self._db, customer)

    def consent(self, customer: str, wording: str) -> str:
        """Write down that this was agreed to; where, which Tongping is told."""
        id = f"consents/{secrets.token_hex(8)}"
        with self._writing() as db:
            db.execute(
                "INSERT INTO consents (id, customer, wording, given_at) VALUES (?, ?, ?, ?)",
                (id, customer, wording, self._now()),
            )
            db.execute(
                "DELETE FROM consents WHERE id NOT IN (SELECT consent FROM accounts)"
                " AND id IN (SELECT id FROM consents ORDER BY given_at DESC LIMIT -1 OFFSET ?)",
                (MAX_CONSENTS,),
            )
        return id

    def enrolled(self, customer: str, template: str, consent: str) -> None:
        with self._writing() as db:
            db.execute("UPDATE accounts SET template = ?, consent = ? WHERE customer = ?", (template, consent, customer))

    def forgotten(self, customer: str) -> None:
        """The template is erased, and the consent to it withdrawn."""
        with self._writing() as db:
            db.execute(
                "UPDATE consents SET withdrawn_at = ? WHERE id = (SELECT consent FROM accounts WHERE customer = ?)",
                (self._now(), customer),
            )
            db.execute("UPDATE accounts SET template = '', consent = '' WHERE customer = ?", (customer,))

    def anew(self, customer: str) -> None:
        """As on the first day: another pseudonym, no face, the first card and number. The orders stay."""
        person = PEOPLE[customer]
        with self._writing() as db:
            db.execute("DELETE FROM accounts WHERE customer = ?", (customer,))
            db.execute(
                "INSERT INTO accounts (customer, pseudonym, card, phone) VALUES (?, ?, ?, ?)",
                (customer, _pseudonym(), person.card, person.phone),
            )

    def new_card(self, customer: str) -> None:
        """In the place of one that is blocked."""
        with self._writing() as db:
            db.execute(
                "UPDATE accounts SET card = ?, card_blocked_at = 0, pin_hash = '', pin_set_at = 0 WHERE customer = ? AND card_blocked_at > 0",
                (f"{secrets.randbelow(10_000):04d}", customer),
            )

    # ---- orders

    def order(self, id: str, account: Account, type: str, details: dict[str, str], secret: str, language: str) -> Order:
        """A new order under ``id``, or the one that has it already and is this customer's: a form that is sent twice is one order. Raises TooManyOrders,
        KeyError (the id is another's)."""
        kept_secret = _kept(secret) if secret else ""
        with self._writing() as db:
            row = db.execute("SELECT customer FROM orders WHERE id = ?", (id,)).fetchone()
            if row is not None and row["customer"] != account.customer:
                raise KeyError(id)
            if row is None:
                marks = ", ".join("?" * len(UNSETTLED))
                (open,) = db.execute(
                    f"SELECT COUNT(*) FROM orders WHERE customer = ? AND state IN ({marks})",  # noqa: S608 - only question marks
                    (account.customer, *UNSETTLED),
                ).fetchone()
                if open >= MAX_UNSETTLED_EACH:
                    raise TooManyOrders
                form = json.dumps({**details, "request_reference": id}, sort_keys=True, ensure_ascii=False)
                db.execute(
                    "INSERT INTO orders (id, customer, pseudonym, type, details, secret_hash, hook, language, state, ordered_at)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'asking', ?)",
                    (
                        id,
                        account.customer,
                        account.pseudonym,
                        type,
                        form,
                        kept_secret,
                        secrets.token_urlsafe(24),
                        language,
                        self._now(),
                    ),
                )
                db.execute(
                    "DELETE FROM orders WHERE id IN (SELECT id FROM orders WHERE customer = ? ORDER BY ordered_at DESC LIMIT -1 OFFSET ?)",
                    (account.customer, MAX_ORDERS_EACH),
                )
        return self.get(id)

    def get(self, id: str) -> Order:
        """Raises KeyError."""
        row = self._one("SELECT * FROM orders WHERE id = ?", (id,))
        if row is None:
            raise KeyError(id)
        return _order(row)

    def by_hook(self, hook: str) -> Order | None:
        row = self._one("SELECT * FROM orders WHERE hook = ?", (hook,))
        return _order(row) if row is not None else None

    def history(self, customer: str) -> list[Order]:
        """The newest first."""
        return [
            _order(row)
            for row in self._all("SELECT * FROM orders WHERE customer = ? ORDER BY ordered_at DESC LIMIT 50", (customer,))
        ]

    def unsettled(self) -> list[str]:
        """Orders about which Tongping is still to be asked; the oldest first."""
        rows = self._all("SELECT id FROM orders WHERE state IN ('asking', 'waiting') ORDER BY ordered_at LIMIT 100")
        return [str(row["id"]) for row in rows]

    def asked(self, id: str, case: str, case_state: str, link: str, attempts_left: int) -> None:
        """Tongping has a verification for it."""
        self._change(
            id, "asking", "state = 'waiting', fault = '', case_id = ?, case_state = ?, link = ?, attempts_left = ?",
            case, case_state, link, attempts_left,
        )  # fmt: skip

    def stands(self, id: str, case_state: str, reasons: list[str], attempts_left: int) -> None:
        """How the verification stands now."""
        said = (case_state, json.dumps(reasons), attempts_left)
        order = self.get(id)
        if (order.case_state, json.dumps(order.reasons), order.attempts_left) != said:
            self._change(id, "waiting", "case_state = ?, reasons = ?, attempts_left = ?", *said)

    def troubled(self, id: str, fault: str) -> None:
        """It could not be asked for yet."""
        self._change(id, "asking", "fault = ?", fault)

    def refuse(self, id: str, fault: str) -> None:
        """Nothing will be carried out."""
        marks = "state = 'refused', fault = ?, secret_hash = ''"
        if not self._change(id, "waiting", marks, fault):
            self._change(id, "asking", marks, fault)

    def decided(self, id: str, token: str, claims: dict[str, Any]) -> None:
        """A decision whose signature and details are good."""
        self._change(id, "waiting", "token = ?, claims = ?, verified_at = ?", token, json.dumps(claims), self._now())

    def begin(self, id: str) -> bool:
        """True for one caller: they redeem, and nobody else ever does."""
        return self._change(id, "waiting", "state = 'redeeming'")

    def unclear(self, id: str, fault: str) -> None:
        """It may have been redeemed, or was by somebody else. It is not carried out."""
        self._change(id, "redeeming", "state = 'unclear', fault = ?, secret_hash = ''", fault)

    def carry_out(self, id: str, details: dict[str, str], redeemed_at: str) -> bool:
        """The effect, and that it was carried out, in one transaction; once, whoever calls. ``details``: those that the decision was verified for.

        Where the order is another one by now, or the account is (another card, another number), nothing is done, and the order is ``unclear``."""
        with self._writing() as db:
            row = db.execute("SELECT * FROM orders WHERE id = ? AND state = 'redeeming'", (id,)).fetchone()
            if row is None:
                return False
            now, order = self._now(), _order(row)
            if order.details != details or not _fits(order, _account(db, order.customer)):
                db.execute(
                    "UPDATE orders SET state = 'unclear', fault = 'changed', secret_hash = '', version = version + 1 WHERE id = ?",
                    (id,),
                )
                return False
            change, *values = {
                PASSWORD: ("pin_hash = ?, pin_set_at = ?", order.secret_hash, now),
                LOSS: ("card_blocked_at = ?", now),
                PHONE: ("phone = ?, phone_set_at = ?", details.get("new_phone"), now),
                USHIELD: ("ushield_hash = ?, ushield_set_at = ?", order.secret_hash, now),
            }[order.type]
            db.execute(f"UPDATE accounts SET {change} WHERE customer = ?", (*values, order.customer))  # noqa: S608 - of the table above
            db.execute(
                "UPDATE orders SET state = 'done', secret_hash = '', redeemed_at = ?, done_at = ?, version = version + 1 WHERE id = ?",
                (redeemed_at, now, id),
            )
        return True

    def hook_came(self, id: str, order: str) -> bool:
        """False where this webhook has come before."""
        with self._writing() as db:
            new = db.execute("INSERT OR IGNORE INTO hooks VALUES (?, ?)", (id, self._now())).rowcount == 1
            if new:
                db.execute("UPDATE orders SET hooks = hooks + 1 WHERE id = ?", (order,))
                db.execute(
                    "DELETE FROM hooks WHERE id IN (SELECT id FROM hooks ORDER BY at DESC LIMIT -1 OFFSET ?)", (MAX_HOOKS,)
                )
        return new

    def _change(self, id: str, state: str, change: str, *values: Any) -> bool:
        """If the order is in ``state``. ``change``: a text of this module."""
        with self._writing() as db:
            sql = f"UPDATE orders SET {change}, version = version + 1 WHERE id = ? AND state = ?"  # noqa: S608
            return db.execute(sql, (*values, id, state)).rowcount == 1


def _account(db: sqlite3.Connection, customer: str) -> Account:
    row = db.execute("SELECT * FROM accounts WHERE customer = ?", (customer,)).fetchone()
    return Account(**{name: row[name] for name in Account.__dataclass_fields__})


def _fits(order: Order, account: Account) -> bool:
    """Whether what was ordered is still there to be changed, and the customer the same."""
    details = order.details
    if order.pseudonym != account.pseudonym or details.get("card_last4", account.card) != account.card:
        return False
    if order.type in (PASSWORD, LOSS):
        return not account.card_blocked_at
    return order.type != PHONE or details["old_phone_last4"] == account.phone[-4:]


def _order(row: sqlite3.Row) -> Order:
    values = {name: row[name] for name in Order.__dataclass_fields__}
    values["details"] = json.loads(row["details"])
    values["reasons"] = json.loads(row["reasons"])
    values["claims"] = json.loads(row["claims"]) if row["claims"] else None
    return Order(**values)


def _pseudonym() -> str:
    """Says nothing of who it is."""
    return f"c-{secrets.token_hex(8)}"


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode(errors="surrogatepass")).hexdigest()


def _kept(secret: str) -> str:
    """A password as it may be kept: scrypt with a salt of its own."""
    salt = secrets.token_bytes(16)
    return f"{salt.hex()}:{hashlib.scrypt(secret.encode(), salt=salt, n=1 << 14, r=8, p=1).hex()}"
