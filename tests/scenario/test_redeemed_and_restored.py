"""A decision that was redeemed after a backup is not redeemed again where that backup comes back."""

import shutil
import sqlite3
from pathlib import Path

import aiohttp

from server.app import running
from server.store.sql import open_store
from tests.scenario.test_customers_api import restored
from tests.scenario.test_verifications_api import Bank, settings
from tests.support.bank_place import takes
from tests.support.fake_engine import FakeEngine
from tests.support.server import FakePlane, app


async def test_redeemed_after_the_backup(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    store = await open_store(f"sqlite:///{data}/tongping.db")
    made = settings(tmp_path)
    async with app(tmp_path, store=store, **made) as here:
        bank = await Bank.of(here)
        cases = [await bank.ready() for _ in range(2)]
        tokens = [(await bank.show(id, takes())).json["verification"]["result"] for id in cases]
        await store.scrub()
        shutil.copytree(data, tmp_path / "backup")
        assert (await bank.post(f"/{cases[0]}/redeem", {"token": tokens[0]})).status == 200
        when = (await bank.get(cases[0])).json["redeemed_at"]
        config = here.server.context.config
    await store.close()
    restored(tmp_path, data)
    with sqlite3.connect(data / "tongping.db") as base:
        assert base.execute("SELECT count(*) FROM verification_cases WHERE redeemed_at IS NOT NULL").fetchone() == (0,)
    store = await open_store(f"sqlite:///{data}/tongping.db")
    async with (
        running(config, store=store, media=FakePlane(), engine=FakeEngine()) as server,
        aiohttp.ClientSession() as bank.here.http,
    ):
        bank.here.server = server
        assert (await bank.get(cases[0])).json["redeemed_at"] == when
        again = await bank.post(f"/{cases[0]}/redeem", {"token": tokens[0]})
        assert (again.status, again.code) == (409, "already_redeemed")
        assert when[:19] in again.json["detail"]
        async with store.read() as tx:
            events = [entry.event for entry in await tx.list_audit(after=0, limit=1000)]
        [told] = [one for one in events if one.action.value == "verification.redeemed"]
        assert (told.subject, told.actor, told.details) == (cases[0], "server", {"why": "replayed"})
        assert await server.context.verifications.redemptions.replay() == 0
        assert (await bank.post(f"/{cases[1]}/redeem", {"token": tokens[1]})).status == 200, "nobody had redeemed that one"
    await store.close()
