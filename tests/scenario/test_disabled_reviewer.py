"""An approval by an account that was disabled before the case was decided: it does not count."""

from pathlib import Path

from tests.scenario.test_verifications_api import Bank, settings
from tests.support.bank_place import TWICE, takes
from tests.support.server import app

UPLOADED = TWICE.replace(', "challenge"', "").replace("attempts = 3", "attempts = 3\nclip_allowed = true")


async def test_whose_account_is_disabled_does_not_count(tmp_path: Path) -> None:
    told = settings(tmp_path)
    (tmp_path / "policies" / "twice.toml").write_text(UPLOADED, encoding="utf-8")
    approve = {"decision": "approve", "reason": "yes"}
    async with app(tmp_path, **told) as here:
        bank = await Bank.of(here)
        entry = {"list": "watch", "kind": "customer", "identifier": "c-1", "reason": "look"}
        assert (await here.post("/risk/lists", entry, token=here.supervisor)).status == 201
        account = {"username": "third", "name": "Third", "role": "agent", "password": "a password of a third person"}
        third = (await here.post("/staff", account, token=here.supervisor)).json
        login = await here.post("/login", {"username": "third", "password": account["password"]})
        id = await bank.ready("test_twice")
        await bank.show(id, takes())
        first = await here.post(f"/verifications/{id}/review", approve, token=here.agent)
        assert first.json["state"] == "second_review"
        assert (await here.delete(f"/staff/{here.agent_id}", token=here.supervisor)).status == 204
        second = await here.post(f"/verifications/{id}/review", approve, token=here.supervisor)
        assert (second.json["state"], second.json["result"]) == ("second_review", None)
        seen = (await here.get(f"/reviews/{id}", token=login.json["token"])).json
        assert [len(seen["attempts"][0][name]) for name in ("rules_hash", "model_hash")] == [64, 64]
        assert next((one["by"]["id"], one["by"]["active"]) for one in seen["reviews"]) == (here.agent_id, False)
        assert (await here.post(f"/verifications/{id}/review", approve, token=here.supervisor)).status == 403
        done = await here.post(f"/verifications/{id}/review", approve, token=login.json["token"])
        assert done.json["state"] == "accepted", third
        entries = (await here.get("/audit?limit=100", token=here.supervisor)).json["entries"]
        told_of = [one["details"] for one in entries if one["action"] == "verification.reviewed"]
        one, other = {"decision": "approve"}, {"decision": "approve", "not_counted": here.agent_id}
        assert sorted(map(len, told_of)) == [1, 2, 2]
        assert (told_of.count(one), told_of.count(other)) == (1, 2)
