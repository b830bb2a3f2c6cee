"""Accesses that are refused are in the audit, by whom and to what; so are policies that a start brings."""

from pathlib import Path
from typing import Any

from server.app import running
from server.store.sql import open_store
from tests.scenario.test_verifications_api import Bank, settings
from tests.support.bank_place import PASSWORD, PICTURES, takes
from tests.support.fake_engine import FakeEngine
from tests.support.server import FakePlane, Here, app, config


async def entries(here: Here, action: str) -> list[dict[str, Any]]:
    listed = (await here.get("/audit?limit=100", token=here.supervisor)).json["entries"]
    return [entry for entry in listed if entry["action"] == action]


async def kept(folder: Path, action: str) -> list[dict[str, str]]:
    """Details of the entries, of a server that has stopped."""
    store = await open_store(f"sqlite:///{folder}/tongping.db")
    async with store.read() as tx:
        events = [entry.event for entry in await tx.list_audit(after=0, limit=1000)]
    await store.close()
    return [one.details for one in events if one.action.value == action]


async def test_who_was_refused_what(tmp_path: Path) -> None:
    async with app(tmp_path, **settings(tmp_path)) as here:
        bank = await Bank.of(here)
        session = await here.session(customer_reference="c-1")
        place = (await here.post(f"/sessions/{session}/enter", token=here.agent)).json
        id = await bank.ready(session=session)
        await bank.show(id, takes(count=3))
        wrong = await here.get(f"/verifications/{id}", token=bank.secret[:-4] + "AAAA")
        assert wrong.status == 401
        assert (await here.get("/sessions", token="AK_none")).status == 401
        assert (await here.get(f"/verifications/{id}", token=place["token"])).status == 403
        assert (await here.post("/customers/export", {"customer": "c-1"}, token=here.agent)).status == 403
        assert (await here.delete(f"/keys/{bank.id}", token=here.supervisor)).status == 204
        assert (await here.get(f"/verifications/{id}", token=bank.secret)).status == 401
        for path in ("/sessions", f"/verifications/{id}"):  # of nobody
            assert (await here.get(path)).status == 401
            assert (await here.get(path, token="eyJ.none.none")).status == 401
        found = [(one["actor"], one["subject"], one["details"]) for one in await entries(here, "access.refused")]
        agent = next(actor for actor, _, details in found if details["operation"] == "export_customer")
        assert agent.startswith("ST_")
        assert found == [
            ("", bank.id, {"operation": "get_verification", "code": "unauthenticated"}),
            ("", "", {"operation": "list_sessions", "code": "unauthenticated"}),
            (place["participant"], "", {"operation": "get_verification", "code": "not_allowed"}),
            (agent, "", {"operation": "export_customer", "code": "not_allowed"}),
            ("", bank.id, {"operation": "get_verification", "code": "unauthenticated"}),
        ]


async def test_a_flood_is_counted_and_the_count_is_there_when_the_server_has_stopped(tmp_path: Path) -> None:
    async with app(tmp_path, store=await open_store(f"sqlite:///{tmp_path}/tongping.db")) as here:
        for _ in range(30):
            assert (await here.post("/customers/export", {"customer": "c-1"}, token=here.agent)).status == 403
        assert len(await entries(here, "access.refused")) == 5
    assert (await kept(tmp_path, "access.refused"))[5:] == [{"more": "25"}]


async def test_policies_that_a_start_brings(tmp_path: Path) -> None:
    own = tmp_path / "policies"
    own.mkdir()

    async def start() -> list[dict[str, str]]:
        store = await open_store(f"sqlite:///{tmp_path}/tongping.db")
        made = config(tmp_path, transactions__policies_dir=str(own))
        async with running(made, store=store, media=FakePlane(), engine=FakeEngine()):
            pass
        return await kept(tmp_path, "policies.reloaded")

    assert (await start(), await start()) == ([], [])
    (own / "password.toml").write_text(PASSWORD, encoding="utf-8")
    (own / "pictures.toml").write_text(PICTURES, encoding="utf-8")
    [changed] = await start()
    assert set(changed) == {"debit_card_password_change", "test_pictures", "when"}
    assert changed["when"] == "start"
    assert len(await start()) == 1
    (own / "pictures.toml").unlink()
    assert (await start())[1:] == [{"test_pictures": "", "when": "start"}]
    (tmp_path / "data" / "policies.json").unlink()
    assert len(await start()) == 3, "which were in force is not known"
