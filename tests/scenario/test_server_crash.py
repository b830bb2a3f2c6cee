"""Campaign 12 for the whole server: ``tongping serve`` is killed (SIGKILL) again and again while a bank's systems use it, and its disk takes writes in part or not at
all; nothing that was acknowledged is lost, nothing is there by half, nobody redeems twice, and it is back within seconds. What looks at faces is the tests' engine."""

import asyncio
import base64
import contextlib
import hashlib
import os
import random
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import aiohttp
import pytest
from typer.testing import CliRunner

from server.cli import app as cli
from tests.support.asking import DETAILS
from tests.support.bank import Bank, Refused
from tests.support.bank_place import PICTURES, takes
from tests.support.failing_disk import files_at_most
from tests.support.machine import quick_or_skip
from tests.support.server_process import ServerProcess
from tests.support.tiny_engine import ALICE, draw

KILLS = int(os.environ.get("TESTS_KILLS", "50"))  # the long form: 1000
SEED = int(os.environ.get("TESTS_KILLS_SEED", "121212"))
KILLS_A_FOLDER = 25
"""All of it is checked after every kill; then a new one is begun."""
BACK_S = 5.0
DEADLINE_S = 60.0
KILLED_S = 300.0
WRITERS = 3
MOST_INSTRUCTIONS, MOST_SYNCS, MOST_ANSWERS = 40_000, 40, 60
"""Before a kill: some six customers through all their steps."""
TYPE = "debit_card_password_change"
SETTINGS = {
    "TONGPING_TRANSACTIONS_CASES_PER_MIN": "1000000",
    "TONGPING_TRANSACTIONS_DECISION_S": "3600",
    "TONGPING_VERIFICATION_KEY_RATE_PER_MIN": "1000000",
    "TONGPING_TOKENS_DESK_S": "86400",
}
SCORED = "tests.support.scored_server"
LOOKED_AT = {"type": "test_pictures", "details": {"card": "6222020200112233"}, "consent": "c-1"}
PORTRAIT, *SHOWN = [base64.b64encode(picture).decode() for picture in (draw(ALICE), *takes())]
TOO_FEW = 3
"""Pictures, of which an attack cannot be told: a colleague looks at them."""
NOBODY = 1 << 62


@dataclass(slots=True)
class Customer:
    """``answered``: what the server has said of them, by what was asked for; ``asked``: for what, whether it answered or not. ``token``: the decision that was
    handed out; ``tried``: it was tried a second time already."""

    name: str
    asked: set[str] = field(default_factory=set)
    answered: dict[str, str] = field(default_factory=dict)
    token: str = ""
    tried: bool = False


@dataclass(slots=True)
class Place:
    """A running server, whose data is checked by ``check``. ``head``: of the audit chain, as it was whole last; ``refused``: answers that it could not write;
    ``last``: with the answer of this number it is killed."""

    server: ServerProcess
    http: aiohttp.ClientSession
    key: str = ""
    colleague: str = ""
    head: str = ""
    customers: list[Customer] = field(default_factory=list)
    refused: int = 0
    last: int = NOBODY

    def caller(self, token: str) -> Bank:
        made = Bank(self.http, self.server.url)
        made.use(token)
        return made

    @property
    def bank(self) -> Bank:
        return self.caller(self.key)

    async def make_key(self) -> None:
        bank = Bank(self.http, self.server.url)
        body = {"username": self.server.supervisor[0], "password": self.server.supervisor[1]}
        self.colleague = (await bank.call("POST", "/login", body))["token"]
        bank.use(self.colleague)
        rights = {"verifications": True, "customers": True}
        self.key = (await bank.call("POST", "/keys", {"name": "core", **rights}))["secret"]

    async def ready(self) -> None:
        """What a load balancer asks."""
        async with asyncio.timeout(DEADLINE_S):
            while True:
                async with self.http.get(f"{self.server.url}/readyz") as answer:
                    if answer.status == 200:
                        return

    async def one(self, customer: Customer, *, erase: bool, refer: bool) -> None:
        """A verification that is decided and redeemed, a session with a file, a verification that is taken back, and everything of them erased."""
        await self.verified(customer, refer=refer)
        bank = self.bank

        async def ask(what: str, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
            customer.asked.add(what)
            found = await bank.call(method, path, body)
            self.noted(customer, what, found["id"])
            return found

        body = {"kind": "video", "language": "en", "customer_reference": customer.name}
        session = (await ask("session", "POST", "/sessions", body))["id"]
        link = (await ask("invitation", "POST", f"/sessions/{session}/invitations", {"role": "customer"}))["link"]
        place = await bank.call("POST", "/invitations/redeem", {"secret": link.rpartition("/")[2], "name": customer.name})
        await self.send(customer, session, place["token"])
        body = {"type": TYPE, "customer": customer.name, "details": DETAILS[TYPE], "consent": "c-1"}
        case = (await ask("case", "POST", "/verifications", body))["id"]
        if not erase:
            return
        await ask("cancelled", "POST", f"/verifications/{case}/cancel")
        await ask("ended", "POST", f"/sessions/{session}/end", {"reason": "done"})
        await ask("erased", "POST", "/customers/erase", {"customer": customer.name})

    async def verified(self, customer: Customer, *, refer: bool) -> None:
        """They are looked at, by a colleague too who approves them; the decision is handed out, and redeemed."""
        bank, told, asked = self.bank, customer.answered, customer.asked
        asked.add("verification")
        case = (await bank.call("POST", "/verifications", {**LOOKED_AT, "customer": customer.name}))["id"]
        self.noted(customer, "verification", case)
        await bank.call("PUT", f"/verifications/{case}/portrait", {"image": PORTRAIT})
        asked.add("attempt")
        done = await bank.call("POST", f"/verifications/{case}/attempts", {"image": SHOWN[:TOO_FEW] if refer else SHOWN})
        assert done["attempt"]["outcome"] == ("refer" if refer else "accept"), done
        self.noted(customer, "attempt", case)
        customer.token = done["verification"]["result"] or ""
        if refer:
            asked.add("reviewed")
            words = {"decision": "approve", "reason": "The same person as at the branch"}
            await self.caller(self.colleague).call("POST", f"/verifications/{case}/review", words)
            self.noted(customer, "reviewed", case)
            customer.token = (await bank.call("GET", f"/verifications/{case}"))["result"]
        assert customer.token, told
        self.noted(customer, "decided", case)
        asked.add("redeemed")
        await bank.call("POST", f"/verifications/{case}/redeem", {"token": customer.token})
        self.noted(customer, "redeemed", case)

    async def decided(self, customer: Customer, *, again: bool) -> None:
        """What was decided stands as it was handed out, once; ``again``, once for each customer, also that nothing more comes of it."""
        bank, told, asked = self.bank, customer.answered, customer.asked
        case = await bank.call("GET", f"/verifications/{told['verification']}")
        if "erased" not in asked:
            may_be = {"open"} | ({"checking", "review", "accepted"} if "attempt" in asked else set())
            if "attempt" in told:
                may_be = {"accepted"} | ({"review"} if "decided" not in told and "reviewed" not in told else set())
            assert case["state"] in may_be, (customer, case)
            assert customer.token in ("", case["result"]), customer
            assert case["state"] != "accepted" or case["result"], customer
        assert "redeemed" not in told or case["redeemed_at"], customer
        if not again or not customer.token or customer.tried:
            return
        customer.tried = True
        path, body = f"/verifications/{case['id']}", {"token": customer.token}
        redeemed = bool(case["redeemed_at"])
        assert "redeemed" in asked or not redeemed, customer
        if not redeemed and "erased" not in asked:
            await bank.call("POST", f"{path}/redeem", body)
            self.noted(customer, "redeemed", case["id"])
        for what, more in (("redeem", body), ("attempts", {"image": SHOWN})):
            with pytest.raises(Refused, match=r": 4(00|09|10) "):
                await bank.call("POST", f"{path}/{what}", more)

    async def send(self, customer: Customer, session: str, token: str) -> None:
        customer.asked.add("file")
        headers = {"Authorization": f"Bearer {token}", "X-File-Name": "words.txt"}
        data = written(customer.name)
        async with self.http.post(f"{self.server.url}/api/v1/sessions/{session}/files", data=data, headers=headers) as answer:
            if answer.status != 201:
                raise Refused(f"a file: {answer.status} {await answer.text()}")
            self.noted(customer, "file", (await answer.json())["id"])

    def noted(self, customer: Customer, what: str, id: str) -> None:
        customer.answered[what] = id
        if self.answers == self.last:
            self.server.kill()

    async def write(self, prefix: str, customers: int = NOBODY) -> None:
        """So many of them, or until the server is gone."""
        for at in range(customers):
            customer = Customer(f"{prefix}-{at}-of-the-bank")
            self.customers.append(customer)
            try:
                await self.one(customer, erase=at % 3 == 0, refer=at % 2 == 0)
            except Refused as refused:  # not acknowledged; of a disk that is kept busy, or that takes nothing
                if ": 503 " not in str(refused):
                    raise
                self.refused += 1
            except (aiohttp.ClientError, OSError):
                return

    @property
    def answers(self) -> int:
        return sum(len(one.answered) for one in self.customers)

    def check(self) -> None:
        """The files, as the killed one left them."""
        database = self.server.data / "tongping.db"
        points = ["--checkpoint", self.head] if self.head else []
        verified = CliRunner().invoke(cli, ["audit", "verify", str(database), *points])
        assert verified.exit_code == 0, verified.output
        self.head = verified.output.partition("head ")[2].split()[0]
        with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
            audited = Counter(
                connection.execute(
                    "SELECT json_extract(entry, '$.action'), coalesce(json_extract(entry, '$.subject'), '') FROM audit"
                )
            )
            for action, table in (
                ("session.created", "sessions"),
                ("verification.created", "verification_cases"),
                ("file.received", "files"),
            ):
                there = {id for (id,) in connection.execute(f"SELECT id FROM {table}")}
                said = {subject for word, subject in audited if word == action}
                assert there == said, f"{table}: half a transaction"
            redeemed = {id for (id,) in connection.execute("SELECT id FROM verification_cases WHERE redeemed_at IS NOT NULL")}
            times = {subject: count for (word, subject), count in audited.items() if word == "verification.redeemed"}
            assert times == dict.fromkeys(redeemed, 1), "redeemed by half, or twice"
        for customer in self.customers:
            for what, action in AUDITED.items():
                if what in customer.answered:
                    assert audited[action, customer.answered[what]] == 1, (customer, what)

    async def served(self, *, writing: bool = True) -> None:
        """The same by the server that came after it. ``writing``: it can."""
        bank = self.bank
        folder = self.server.data / "files"
        with contextlib.closing(sqlite3.connect(f"file:{self.server.data}/tongping.db?mode=ro", uri=True)) as connection:
            recorded = {id for (id,) in connection.execute("SELECT id FROM files")}
            gone = {id for (id,) in connection.execute("SELECT id FROM files WHERE name = ''")}
            named = {name for (name,) in connection.execute(NAMED)}
        assert {path.name for path in folder.iterdir()} == recorded - gone, "bytes of nobody, or a record without them"
        held = await asyncio.to_thread(
            CliRunner().invoke,
            cli,
            ["evidence", "verify"],
            env={"TONGPING_DATA_DIR": str(self.server.data)},
        )
        assert held.exit_code == 0, held.output
        for customer in self.customers:
            told, asked = customer.answered, customer.asked
            if "verification" in told:
                await self.decided(customer, again=writing)
            if "session" in told:
                session = await bank.call("GET", f"/sessions/{told['session']}")
                assert session["customer_reference"] == customer.name or "erased" in asked
                assert session["status"] == "ended" if "ended" in told else "ended" in asked or session["status"] != "ended"
            if "case" in told and "erased" not in asked:
                case = await bank.call("GET", f"/verifications/{told['case']}")
                assert case["state"] == "cancelled" if "cancelled" in told else "cancelled" in asked or case["state"] == "open"
            if "file" in told and "erased" not in asked:
                assert (
                    hashlib.sha256((folder / told["file"]).read_bytes()).digest()
                    == hashlib.sha256(written(customer.name)).digest()
                )
        assert not named & {one.name for one in self.customers if "erased" in one.answered}, "who was erased"


AUDITED = {
    "session": "session.created",
    "ended": "session.ended",
    "invitation": "invitation.created",
    "file": "file.received",
    "case": "verification.created",
    "cancelled": "verification.ended",
    "erased": "customer.erased",
    "verification": "verification.created",
    "attempt": "verification.attempt_ended",
    "reviewed": "verification.reviewed",
    "decided": "verification.ended",
    "redeemed": "verification.redeemed",
}
"""What was asked for, and the event that says so."""
NAMED = (
    "SELECT customer_reference FROM sessions UNION SELECT customer FROM verification_cases UNION SELECT name FROM participants"
)


def written(name: str) -> bytes:
    """A file of 24 kB or so."""
    return f"{name} asks for a new card.\n".encode() * 512


def server_in(folder: Path) -> ServerProcess:
    """With a policy that looks at pictures, and rules that do not look at the clock."""
    own = folder / "policies"
    (own / "rules").mkdir(parents=True)
    (own / "pictures.toml").write_text(PICTURES, encoding="utf-8")
    (own / "rules" / "default.toml").write_text("model_weight = 0.0\n", encoding="utf-8")
    server = ServerProcess(folder, **SETTINGS, TONGPING_TRANSACTIONS_POLICIES_DIR=str(own))
    server.under = (SCORED,)
    return server


def used_s(pid: int) -> float:
    """Processor time of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextlib.asynccontextmanager
async def opened(server: ServerProcess) -> AsyncIterator[Place]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=DEADLINE_S)) as http:
        place = Place(server, http)
        await place.ready()
        await place.make_key()
        yield place


async def killed(place: Place, round: int, how: tuple[int, int], answers: int) -> None:
    """By itself at a write point that it was started for (``how``), or by us after so many answers. Writers end when it is gone."""
    place.last = place.answers + answers if how == (0, 0) else NOBODY
    os.kill(place.server.pid, signal.SIGUSR1)
    async with asyncio.timeout(KILLED_S), asyncio.TaskGroup() as tasks:
        for number in range(WRITERS):
            tasks.create_task(place.write(f"c-{round}-{number}"))
    place.last = NOBODY
    assert place.server.died() == -signal.SIGKILL


@pytest.mark.campaign(12)
@pytest.mark.quiet
async def test_a_server_killed_while_it_serves_is_back_with_all_that_it_acknowledged(tmp_path: Path) -> None:
    chance = random.Random(SEED)
    back: list[float] = []
    used: list[float] = []
    seen: Counter[str] = Counter()
    for first in range(0, KILLS, KILLS_A_FOLDER):
        folder = tmp_path / f"server{first}"
        folder.mkdir()
        hows = [
            ((chance.randint(500, MOST_INSTRUCTIONS), 0), (0, chance.randint(1, MOST_SYNCS)), (0, 0))[round % 3]
            for round in range(first, min(first + KILLS_A_FOLDER, KILLS))
        ]
        server = server_in(folder)
        server.under = ("tests.support.dying", *map(str, hows[0]), SCORED)
        with server:
            async with opened(server) as place:
                for at, how in enumerate(hows):
                    await killed(place, first + at, how, chance.randint(1, MOST_ANSWERS))
                    place.check()
                    server.under = ("tests.support.dying", *map(str, (*hows, (0, 0))[at + 1]), SCORED)
                    began = time.monotonic()
                    await asyncio.to_thread(server.start)
                    await place.ready()
                    back.append(time.monotonic() - began)
                    used.append(used_s(server.pid))
                    await place.served()
                seen.update(what for one in place.customers for what in one.answered)
    print(f"{KILLS} kills; acknowledged, and none lost: {dict(seen)}")
    times = f"back after {median(back):.1f} s in the middle, {max(back):.1f} s at most; {median(used):.1f} s of processor time, {max(used):.1f} s at most"
    print(times)
    assert set(AUDITED) <= set(seen) or KILLS < 3
    quick_or_skip(median(back) <= BACK_S, times)


@pytest.mark.campaign(12)
async def test_a_server_whose_disk_takes_nothing_more_says_so_and_goes_on(tmp_path: Path) -> None:
    """Database, files, and the log that it writes for each request."""
    with server_in(tmp_path) as server:
        async with opened(server) as place:
            await place.write("before", 3)
            assert place.refused == 0
            for number, room in enumerate((0, 4_097, 20_011)):
                with files_at_most(room, server.pid):
                    await place.write(f"during-{number}", 2)
                    await place.ready()
                    await place.served(writing=False)
                assert place.refused == 2 * (number + 1)
            await place.write("after", 3)
            assert place.refused == 6
            server.kill()
            place.check()
            await asyncio.to_thread(server.start)
            await place.ready()
            await place.served()
