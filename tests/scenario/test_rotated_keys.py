"""Decisions that were signed before the key was changed: the bank's system still verifies and redeems them, by a server that has started anew."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import jwt
import pytest

from server.app import database_url, running
from server.store.sql import open_store
from server.transactions.token import DecisionRefused, verify_decision
from tests.scenario.test_verifications_api import DETAILS, Bank, settings
from tests.support.bank_place import takes
from tests.support.repository import ROOT
from tests.support.server import FakePlane, Here, app, config


@asynccontextmanager
async def started(folder: Path, told: dict[str, Any], known: Bank | None = None) -> AsyncIterator[Bank]:
    """A server on the database and the keys in this folder. ``known``: the bank's system, as an earlier one made it."""
    rest = {name: value for name, value in told.items() if name != "engine"}
    store = await open_store(database_url(config(folder, **rest)))
    try:
        if known is None:
            async with app(folder, store=store, **told) as here:
                yield await Bank.of(here)
            return
        async with (
            running(config(folder, **rest), store=store, media=FakePlane(), engine=told["engine"]) as server,
            aiohttp.ClientSession() as http,
        ):
            yield Bank(Here(server, http, None), known.secret, known.id)
    finally:
        await store.close()


def rotate(folder: Path, *more: str) -> str:
    """As an operator does, between two servers."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TONGPING_")}
    done = subprocess.run(
        [sys.executable, "-m", "server", "keys", "rotate", "--decisions", *more], cwd=ROOT, capture_output=True, text=True, check=True,
        env={**environment, "TONGPING_DATA_DIR": str(folder / "data")}, timeout=120,
    )  # fmt: skip
    return done.stdout


async def accepted(bank: Bank, customer: str) -> tuple[str, str]:
    """A case, and its decision."""
    id = await bank.ready(customer=customer)
    done = (await bank.show(id, takes())).json
    assert done["attempt"]["outcome"] == "accept", done
    return id, done["verification"]["result"]


def signed_by(token: str) -> str:
    return str(jwt.get_unverified_header(token)["kid"])


async def test_what_was_signed_by_an_older_key_is_verified_and_redeemed_after_a_restart(tmp_path: Path) -> None:
    told = settings(tmp_path)
    (tmp_path / "data").mkdir(mode=0o700)
    async with started(tmp_path, told) as bank:
        decisions = [await accepted(bank, f"c-{number}") for number in range(2)]
    for number in range(2):
        said = await asyncio.to_thread(rotate, tmp_path)
        assert f"older keys that stay in the set: {number + 1}" in said
        async with started(tmp_path, told, bank) as again:
            jwks = (await again.here.get("/verifications/keys")).json
            id, token = decisions[number]
            kids = [one["kid"] for one in jwks["keys"]]
            assert (len(kids), signed_by(token) in kids) == (number + 2, True)
            claims = verify_decision(token, jwks, details=DETAILS, audience=again.id, now=datetime.now(UTC), case=id)
            assert claims.accepted
            without = {"keys": [one for one in jwks["keys"] if one["kid"] != signed_by(token)]}
            with pytest.raises(DecisionRefused) as refused:
                verify_decision(token, without, details=DETAILS, audience=again.id, now=datetime.now(UTC), case=id)
            assert refused.value.code == "unknown_key"
            assert (await again.get(id)).json["result"] == token
            answers = [await again.post(f"/{id}/redeem", {"token": token}) for _ in range(2)]
            assert [(one.status, one.code) for one in answers] == [(200, ""), (409, "already_redeemed")]
            other, newer = await accepted(again, f"d-{number}")
            assert signed_by(newer) in kids
            assert signed_by(newer) not in {signed_by(token) for _, token in decisions}
            decisions.append((other, newer))


async def test_what_a_withdrawn_key_signed_is_neither_verified_nor_redeemed(tmp_path: Path) -> None:
    told = settings(tmp_path)
    (tmp_path / "data").mkdir(mode=0o700)
    async with started(tmp_path, told) as bank:
        id, token = await accepted(bank, "c-1")
    said = await asyncio.to_thread(rotate, tmp_path, "--withdraw")
    assert "the only one in the set" in said
    async with started(tmp_path, told, bank) as again:
        jwks = (await again.here.get("/verifications/keys")).json
        assert len(jwks["keys"]) == 1
        with pytest.raises(DecisionRefused) as refused:
            verify_decision(token, jwks, details=DETAILS, audience=again.id, now=datetime.now(UTC), case=id)
        assert refused.value.code == "unknown_key"
        answer = await again.post(f"/{id}/redeem", {"token": token})
        assert (answer.status, answer.code) == (400, "invalid")
        assert (await again.get(id)).json["redeemed_at"] is None
        newer, fresh = await accepted(again, "c-2")
        assert verify_decision(fresh, jwks, details=DETAILS, audience=again.id, now=datetime.now(UTC)).accepted
        assert (await again.post(f"/{newer}/redeem", {"token": fresh})).status == 200
