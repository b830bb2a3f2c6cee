"""Risk managed over HTTP: lists and rules in force at once, refused with a reason, in the audit; policies read again at SIGHUP."""

import asyncio
import os
import re
import signal
from pathlib import Path

import aiohttp
import pytest

from server.housekeeping import chores, once
from tests.support import packs
from tests.support.fake_engine import FakeEngine
from tests.support.schemathesis_run import explore
from tests.support.server import Here, app
from tests.support.server_process import CALLS_ONLY, ServerProcess

BLOCK = {"list": "block", "kind": "phone", "identifier": "+86 138 0013 8000", "reason": "stolen"}
RULES = "[[rule]]\nname = 'all'\nwhen = 'amount > 10'\naction = 'refer'\nreason = { zh = '因', en = 'why' }\n"
POLICY = 'type = "limit_change"\ntitle = { zh = "调整限额", en = "Change of a limit" }\nassurance = ["match"]\n'


async def audited(here: Here) -> list[str]:
    entries = (await here.get("/audit", token=here.supervisor)).json["entries"]
    return [entry["action"] for entry in entries if entry["action"].startswith(("risk.", "policies."))]


async def test_lists(tmp_path: Path) -> None:
    async with app(tmp_path) as here:
        made = await here.post("/risk/lists", BLOCK, token=here.supervisor, headers={"Idempotency-Key": "one"})
        assert (made.status, made.headers["Location"]) == (201, "/api/v1/risk/lists")
        assert not re.search(r"138.?0013.?8000", made.raw.decode())
        again = await here.post("/risk/lists", BLOCK, token=here.supervisor, headers={"Idempotency-Key": "one"})
        assert again.json == made.json
        assert (await here.post("/risk/lists", BLOCK, token=here.supervisor)).status == 409
        listed = (await here.get("/risk/lists?limit=1", token=here.supervisor)).json
        assert (listed["entries"], listed["next"]) == ([made.json], None)
        wanted = {"kind": "phone", "identifier": "+8613800138000"}
        assert (await here.post("/risk/lists/find", wanted, token=here.supervisor)).json["entries"] == [made.json]
        for bad, why in (
            ({**BLOCK, "kind": "address"}, "not an IP address"),
            ({**BLOCK, "expires_at": "2020-01-01T00:00:00Z"}, "this time is over"),
            ({**BLOCK, "expires_at": "2120-01-01T00:00:00"}, "timezone"),
            ({**BLOCK, "reason": "Because of Mr Wang"}, "reason"),
            ({**BLOCK, "list": "friends"}, "list"),
            ({**BLOCK, "identifier": ""}, "identifier"),
        ):
            answer = await here.post("/risk/lists", bad, token=here.supervisor)
            assert answer.status == 400
            assert why in answer.raw.decode()
        assert (await here.get("/risk/lists?cursor=x", token=here.supervisor)).status == 400
        path = f"/risk/lists/{made.json['id']}"
        assert (await here.delete(path, token=here.supervisor)).status == 204
        assert (await here.delete(path, token=here.supervisor)).status == 404
        assert await audited(here) == ["risk.entry_added", "risk.lists_read", "risk.lists_read", "risk.entry_removed"]


async def test_rules_and_what_would_come_of_facts(tmp_path: Path) -> None:
    async with app(tmp_path) as here:
        asked = {"type": "card_loss_report", "facts": {"amount": 11, "currency": "CNY", "with_agent": True}}
        before = (await here.post("/risk/check", asked, token=here.supervisor)).json
        assert before["level"] == "low"
        tried = (await here.post("/risk/check", {**asked, "text": RULES}, token=here.supervisor)).json
        assert (tried["level"], tried["reasons"][0]["code"]) == ("refer", "all")
        assert (await here.post("/risk/check", asked, token=here.supervisor)).json == before  # nothing was kept
        put = await here.call("PUT", "/risk/rules/default", {"text": RULES}, token=here.supervisor)
        assert (put.status, put.json["stored"], put.json["text"]) == (200, True, RULES)
        assert (await here.post("/risk/check", asked, token=here.supervisor)).json["rules_hash"] == put.json["hash"]
        for path, text, why in (
            ("/risk/rules/default", RULES.replace("amount", "sum"), "rule 1 (all): when: character 1: there is no fact 'sum'"),
            ("/risk/rules/default", "[[rule]]", "rule 1: Object missing required field `name`"),
            ("/risk/rules/Default", RULES, "letter first"),
        ):
            refused = await here.call("PUT", path, {"text": text}, token=here.supervisor)
            assert (refused.status, why in refused.json["detail"]) == (400, True), refused.json
        costly = "".join(RULES.replace("'all'", f"'a{n}'").replace("amount", "amount" + "+1" * 200) for n in range(10))
        refused = await here.call("PUT", "/risk/rules/default", {"text": costly}, token=here.supervisor)
        assert (refused.status, refused.code) == (400, "rules_too_costly"), refused.json
        assert (await here.delete("/risk/rules/default", token=here.supervisor)).status == 204
        assert (await here.delete("/risk/rules/default", token=here.supervisor)).status == 404
        assert (await here.post("/risk/check", asked, token=here.supervisor)).json == before
        for bad, status in (
            ({"type": "nothing_known"}, 404),
            ({**asked, "facts": {"colour": 1}}, 400),
            ({**asked, "facts": {"amount": "11"}}, 400),
        ):
            assert (await here.post("/risk/check", bad, token=here.supervisor)).status == status
        assert await audited(here) == ["risk.rules_replaced", "risk.rules_removed"]


async def test_policies_are_read_again(tmp_path: Path) -> None:
    own = tmp_path / "policies"
    own.mkdir()
    async with app(tmp_path, transactions__policies_dir=str(own)) as here:
        before = (await here.get("/risk/rules", token=here.supervisor)).json
        (own / "limit.toml").write_text(POLICY + "attempts = 9\n", encoding="utf-8")
        refused = await here.post("/risk/reload", token=here.supervisor)
        assert (refused.status, refused.code) == (409, "policies_invalid")
        assert "limit.toml: attempts: Expected `int` <= 5" in refused.json["detail"]
        assert (await here.get("/risk/rules", token=here.supervisor)).json == before
        (own / "limit.toml").write_text(POLICY, encoding="utf-8")
        assert set((await here.post("/risk/reload", token=here.supervisor)).json["policies"]) - set(before["policies"]) == {
            "limit_change"
        }
        assert await audited(here) == ["policies.reloaded"]
        assert (await here.get("//readyz")).json["risk"] is True
        assert "tongping_risk_ready 1.0" in (await here.get("//metrics")).raw.decode()


async def test_a_policy_that_the_model_pack_cannot_answer_is_named_and_calls_go_on(tmp_path: Path) -> None:
    """``base`` was not evaluated at one in 3,030: a start says so, and a reload refuses it, until the file is mended."""
    packs.base()
    own = tmp_path / "policies"
    own.mkdir()
    file = own / "limit.toml"
    file.write_text(POLICY + "fmr = 3.3e-4\n", encoding="utf-8")
    of_base = {"models_dir": str(packs.FOLDER), "verification__pack": "base"}
    async with app(tmp_path, engine=FakeEngine(), transactions__policies_dir=str(own), **of_base) as here:
        ready = await here.get("//readyz")
        assert (ready.status, ready.json["policies_unfit"]) == (200, ["limit_change"])
        refused = await here.post("/risk/reload", token=here.supervisor)
        assert (refused.status, refused.code) == (409, "policies_invalid")
        assert "base was not evaluated at 0.00033" in refused.json["detail"]
        assert (await here.get("//readyz")).json["policies_unfit"] == ["limit_change"]
        assert (await here.post("/sessions", {"kind": "video", "customer_reference": "C-7"}, token=here.agent)).status == 201
        file.write_text(POLICY, encoding="utf-8")
        assert (await here.post("/risk/reload", token=here.supervisor)).status == 200
        assert "policies_unfit" not in (await here.get("//readyz")).json


async def test_a_model_pack_that_is_installed_under_a_server_that_runs_is_looked_at(tmp_path: Path) -> None:
    own = tmp_path / "policies"
    own.mkdir()
    (own / "limit.toml").write_text(POLICY + "fmr = 3.3e-4\n", encoding="utf-8")
    models = tmp_path / "models"
    of_base = {"models_dir": str(models), "verification__pack": "base"}
    async with app(tmp_path, engine=FakeEngine(), transactions__policies_dir=str(own), **of_base) as here:
        [looking] = [done for name, _, done in chores(here.server.context) if name == "policies-pack"]
        await once(looking)
        assert "policies_unfit" not in (await here.get("//readyz")).json
        (models / "base").mkdir(parents=True)
        (models / "base" / "installed.json").write_text("{}", encoding="utf-8")
        await once(looking)
        assert (await here.get("//readyz")).json["policies_unfit"] == ["limit_change"]
        (models / "base" / "installed.json").unlink()
        await once(looking)
        assert "policies_unfit" not in (await here.get("//readyz")).json


@pytest.mark.campaign(3)
async def test_any_request_is_answered_as_the_document_says(tmp_path: Path) -> None:
    async with app(tmp_path) as here:
        failures, cases = await explore(here.url, [here.supervisor, here.supervisor], examples=5, under="/risk/")
    assert failures == []
    assert cases >= 40


async def test_sighup_reads_the_policies_again(tmp_path: Path) -> None:
    """The command itself: it goes on, whether the files are good or not."""
    own = tmp_path / "policies"
    own.mkdir()
    settings = {"TONGPING_TRANSACTIONS_POLICIES_DIR": str(own), **CALLS_ONLY}
    with ServerProcess(tmp_path, **settings) as server:
        async with aiohttp.ClientSession(f"{server.url}/api/v1/") as http, asyncio.timeout(60):
            username, password = server.supervisor
            async with http.post("login", json={"username": username, "password": password}) as answer:
                signed_in = {"Authorization": f"Bearer {(await answer.json())['token']}"}

            async def types() -> set[str]:
                async with http.get("risk/rules", headers=signed_in) as answer:
                    return set((await answer.json())["policies"])

            (own / "limit.toml").write_text(POLICY, encoding="utf-8")
            os.kill(server.pid, signal.SIGHUP)
            while "limit_change" not in await types():
                pass
            (own / "limit.toml").write_text("type = ", encoding="utf-8")
            os.kill(server.pid, signal.SIGHUP)
            while "policies not reloaded" not in server.log:
                assert "limit_change" in await types()


@pytest.mark.parametrize("text", ["#" * 60_001, "a." * 201 + "b = 1", "[" + ".".join("a" * 1000) + "]"])
async def test_rules_that_take_long_to_read_are_refused(tmp_path: Path, text: str) -> None:
    async with app(tmp_path) as here:
        put = await here.call("PUT", "/risk/rules/spare", {"text": text}, token=here.supervisor)
        tried = await here.post("/risk/check", {"type": "card_loss_report", "text": text}, token=here.supervisor)
    assert (put.status, put.code, tried.status, tried.code) == (400, "invalid", 400, "invalid")
