"""Servers whose keys come from a `secret` that they share take another one: what was signed before stays good, or ends where it is not named any more."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from server.app import running
from server.auth.passwords import Passwords
from server.errors import ConfigError
from server.store.sql import open_store
from server.transactions.token import verify_decision
from tests.scenario.test_verifications_api import DETAILS, Bank, settings
from tests.support.bank_place import takes
from tests.support.server import FakePlane, Here, app, config

FIRST, SECOND = "the first secret of a group of servers", "the second secret of a group of servers"
BLOCKED = {"device": "d-9"}


@asynccontextmanager
async def again(folder: Path, told: dict[str, Any]) -> AsyncIterator[Here]:
    """The same database and folder, another start."""
    own = dict(told)
    engine, media = own.pop("engine"), FakePlane()
    passwords = Passwords(memory_kib=64, passes=1, lanes=1)
    store = await open_store(f"sqlite:///{folder}/shared.db")
    made = running(config(folder, **own), store=store, media=media, passwords=passwords, engine=engine)
    async with made as server, aiohttp.ClientSession() as http:
        yield Here(server, http, media)


async def test_another_secret(tmp_path: Path) -> None:
    told = {**settings(tmp_path), "public_url": "http://bank.example"}
    store = await open_store(f"sqlite:///{tmp_path}/shared.db")
    entry = {"list": "block", "kind": "device", "identifier": "d-9", "reason": "stolen"}
    async with app(tmp_path, store=store, **told, secret=FIRST) as here:
        bank = await Bank.of(here)
        assert (await here.post("/risk/lists", entry, token=here.supervisor)).status == 201
        results = []
        for customer in ("c-1", "c-2"):
            id = await bank.ready(customer=customer)
            results.append((id, (await bank.show(id, takes())).json["verification"]["result"]))
        supervisor, secret, key = here.supervisor, bank.secret, bank.id
    async with again(tmp_path, {**told, "secret": SECOND, "secret_previous": (FIRST,)}) as here:
        bank = Bank(here, secret, key)
        jwks = (await here.get("/verifications/keys")).json
        assert len(jwks["keys"]) == 2
        claims = verify_decision(results[0][1], jwks, details=DETAILS, audience=key, now=datetime.now(UTC))
        assert claims.accepted
        assert (await bank.post(f"/{results[0][0]}/redeem", {"token": results[0][1]})).status == 200
        assert (await here.get("/audit?limit=1", token=supervisor)).status == 200, "who was signed in still is"
        stolen = await bank.show(await bank.ready(customer="c-3", signals=BLOCKED), takes())
        assert stolen.json["attempt"]["reasons"] == ["risk_rejected"], "the lists are read"
        fresh = (await bank.show(await bank.ready(customer="c-4"), takes())).json["verification"]["result"]
        assert verify_decision(fresh, jwks, details=DETAILS, audience=key, now=datetime.now(UTC)).accepted
    with pytest.raises(ConfigError, match="unknown key"):  # checkpoints that nothing is known of
        async with again(tmp_path, {**told, "secret": SECOND}):
            pass
    async with again(tmp_path, {**told, "secret": SECOND, "audit__checkpoint_dir": str(tmp_path / "anew")}) as here:
        bank = Bank(here, secret, key)
        assert len((await here.get("/verifications/keys")).json["keys"]) == 1
        refused = await bank.post(f"/{results[1][0]}/redeem", {"token": results[1][1]})
        assert (refused.status, refused.code) == (400, "invalid")
        assert (await here.get("/audit?limit=1", token=supervisor)).status == 401
        unread = await bank.show(await bank.ready(customer="c-5", signals=BLOCKED), takes())
        assert "risk_unavailable" in unread.json["attempt"]["reasons"]
