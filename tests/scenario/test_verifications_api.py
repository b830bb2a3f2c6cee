"""Transactions that are verified, over HTTP as a bank's system asks for them, with the real risk engine and an engine of faces in this process."""

import asyncio
import base64
import json
import re
import urllib.error
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from typer.testing import CliRunner

from server.api import openapi
from server.api.operations import BASE, OPERATIONS
from server.cli import app as cli
from server.transactions.decision import Outcome
from server.transactions.details import details_hash
from server.transactions.token import DecisionRefused, DecisionSigner, verify_decision
from tests.scenario.test_webhooks import receiver
from tests.support.bank_place import PASSWORD, PICTURES, takes
from tests.support.fake_engine import FakeEngine
from tests.support.repository import ROOT
from tests.support.server import Answer, Here, app
from tests.support.tiny_engine import ALICE, BOB, draw

CALM = """
model_weight = 0.0

[[rule]]
name = "a_million"
when = "known(amount) and amount >= 1000000"
action = "reject"
reason = { zh = "金额过大", en = "A million or more" }
"""
"""Not the shipped ones, which look at the hour: these tests run at any."""
DETAILS = {"card": "6222020200112233", "amount": "1250.00"}
SIGNED: dict[str, Any] = {
    "jti": "DE_" + "A" * 26, "customer": "c-2", "type": "test_pictures", "decision": Outcome.ACCEPT, "reasons": (), "policy_hash": "ab" * 32,
    "pack_hash": "", "assurance": None, "risk_level": None,
}  # fmt: skip


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def settings(folder: Path, **more: Any) -> dict[str, Any]:
    own = folder / "policies"
    own.mkdir()
    (own / "pictures.toml").write_text(PICTURES, encoding="utf-8")
    (own / "password.toml").write_text(PASSWORD, encoding="utf-8")
    (own / "rules").mkdir()
    (own / "rules" / "default.toml").write_text(CALM, encoding="utf-8")
    return {"engine": FakeEngine(), "transactions__policies_dir": str(own), **more}


class Bank:
    """One of the bank's systems."""

    def __init__(self, here: Here, secret: str, id: str) -> None:
        self.here, self.secret, self.id = here, secret, id

    @classmethod
    async def of(cls, here: Here, name: str = "bank") -> "Bank":
        made = (await here.post("/keys", {"name": name, "verifications": True}, token=here.supervisor)).json
        return cls(here, made["secret"], made["key"]["id"])

    async def post(self, path: str, body: Any = None, **more: Any) -> Answer:
        return await self.here.post(f"/verifications{path}", body, token=self.secret, **more)

    async def ask(self, type: str = "test_pictures", **fields: Any) -> Answer:
        body = {"type": type, "customer": "c-1", "consent": "consents/1", "details": DETAILS, **fields}
        return await self.post("", body)

    async def ready(self, type: str = "test_pictures", **fields: Any) -> str:
        made = await self.ask(type, **fields)
        assert made.status == 201, made.json
        id = str(made.json["id"])
        put = await self.here.call("PUT", f"/verifications/{id}/portrait", {"image": b64(draw(ALICE))}, token=self.secret)
        assert (put.status, put.json["reference"]) == (200, "portrait")
        return id

    async def show(self, id: str, images: list[bytes], **more: Any) -> Answer:
        return await self.post(f"/{id}/attempts", {"image": [b64(image) for image in images]}, **more)

    async def get(self, id: str) -> Answer:
        return await self.here.get(f"/verifications/{id}", token=self.secret)


async def test_the_whole_way(tmp_path: Path) -> None:
    async with app(tmp_path, **settings(tmp_path)) as here:
        bank = await Bank.of(here)
        made = await bank.ask()
        assert (made.status, made.headers["Location"]) == (201, f"/api/v1/verifications/{made.json['id']}")
        id = await bank.ready(signals={"device": "d-1", "channel": "app"})
        done = await bank.show(id, takes())
        assert (done.status, done.json["attempt"]["outcome"]) == (201, "accept"), done.json
        assert done.json["verification"]["verdict"] == {
            "outcome": "accept", "reasons": [], "assurance": "images", "risk_level": "low",
        }  # fmt: skip
        found = (await bank.get(id)).json
        jwks = (await here.get("/verifications/keys")).json
        claims = verify_decision(found["result"], jwks, details=DETAILS, audience=bank.id, now=datetime.now(UTC))
        assert (claims.accepted, claims.case, claims.iss) == (True, id, here.url)
        with pytest.raises(DecisionRefused) as refused:
            verify_decision(
                found["result"], jwks, details={**DETAILS, "amount": "9250.00"}, audience=bank.id, now=datetime.now(UTC)
            )
        assert refused.value.code == "other_details"
        redeemed = await bank.post(f"/{id}/redeem", {"token": found["result"]})
        assert (redeemed.status, redeemed.json["id"]) == (200, id)
        again = await bank.post(f"/{id}/redeem", {"token": found["result"]})
        assert (again.status, again.code) == (409, "already_redeemed")
        assert redeemed.json["redeemed_at"][:19] in again.json["detail"]


@pytest.mark.campaign(6)
async def test_one_of_a_hundred_redeems(tmp_path: Path) -> None:
    async with app(tmp_path, **settings(tmp_path)) as here:
        bank = await Bank.of(here)
        id = await bank.ready()
        token = (await bank.show(id, takes())).json["verification"]["result"]
        same = {"headers": {"Idempotency-Key": "order-1"}}
        answers = await asyncio.gather(
            *(bank.post(f"/{id}/redeem", {"token": token}, **(same if number % 2 else {})) for number in range(100))
        )
        assert sorted(answer.status for answer in answers) == [200] + [409] * 99


async def test_a_repeat_with_the_same_key_is_the_same_answer(tmp_path: Path) -> None:
    """Where an answer was lost on its way the bank asks again, and nothing is done twice."""
    async with app(tmp_path, **settings(tmp_path)) as here:
        bank = await Bank.of(here)
        body = {"type": "test_pictures", "customer": "c-1", "consent": "consents/1", "details": DETAILS}
        headers = {"Idempotency-Key": "order-1"}
        first, second = [await bank.post("", body, headers=headers) for _ in range(2)]
        assert (first.status, first.json) == (201, second.json)
        other = await bank.post("", {**body, "details": {"card": "1"}}, headers=headers)
        assert (other.status, other.code) == (409, "conflict")
        id = await bank.ready()
        shown = [await bank.show(id, takes(), headers={"Idempotency-Key": "show-1"}) for _ in range(2)]
        assert (shown[0].status, shown[0].json) == (201, shown[1].json)
        token = shown[0].json["verification"]["result"]
        redeemed = [await bank.post(f"/{id}/redeem", {"token": token}, headers={"Idempotency-Key": "go-1"}) for _ in range(2)]
        assert [answer.status for answer in redeemed] == [200, 409], "a second 200 would be a second execution"
        assert (redeemed[1].code, redeemed[0].json["redeemed_at"][:19] in redeemed[1].json["detail"]) == (
            "already_redeemed",
            True,
        )


async def test_what_is_refused(tmp_path: Path) -> None:
    async with app(tmp_path, **settings(tmp_path)) as here:
        bank, other = await Bank.of(here), await Bank.of(here, "another")
        for fields, status, code in (
            ({"type": "no_such_type"}, 404, "type_unknown"),
            ({"type": "X"}, 400, "invalid"),
            ({"details": {"card": "1", "amount": 1250.5}}, 400, "details_invalid"),
            ({"details": {"amount": "1250.00"}}, 400, "invalid"),
            ({"details": "text"}, 400, "details_invalid"),
            ({"customer": "王芳"}, 400, "invalid"),
            ({"signals": {"address": "nowhere"}}, 400, "invalid"),
            ({"signals": {"imei": "1"}}, 400, "invalid"),
            ({"template": f"FT_{'A' * 26}"}, 404, "not_found"),
            ({"session": f"SE_{'A' * 26}"}, 404, "not_found"),
        ):
            answer = await bank.ask(**fields)
            assert (answer.status, answer.code) == (status, code), answer.json
            assert answer.json["detail"]
        twice = json.dumps({"type": "test_pictures", "customer": "c-1", "consent": "c", "details": {}}).replace(
            '"details": {}', '"details": {"card": "1", "card": "2"}'
        )
        answer = await here.post(
            "/verifications", data=twice.encode(), headers={"Content-Type": "application/json"}, token=bank.secret
        )
        assert (answer.status, answer.code) == (400, "details_invalid")
        id = await bank.ready()
        assert (await other.get(id)).status == 404
        assert (await other.show(id, takes())).status == 404
        assert (await bank.get(f"VE_{'A' * 26}")).status == 404
        live = await bank.ready("debit_card_password_change")
        assert (await bank.show(live, takes())).code == "conflict"
        assert (await bank.post(f"/{live}/redeem", {"token": "x.y.z"})).status == 400
        assert (
            await here.post(f"/verifications/{id}/review", {"decision": "approve", "reason": "x"}, token=here.agent)
        ).code == ("not_in_review")


async def test_refused_pictures_say_what_to_do(tmp_path: Path) -> None:
    async with app(tmp_path, **settings(tmp_path)) as here:
        bank = await Bank.of(here)
        id = await bank.ready()
        nobody = (await bank.show(id, [draw(None)] * 10)).json
        assert (nobody["attempt"]["outcome"], nobody["advice"][0]["advice"]["en"]) == (
            "reject",
            "Make sure that your whole face is in the picture.",
        )
        assert (nobody["verification"]["state"], nobody["verification"]["attempts_used"]) == ("open", 1)


@pytest.mark.campaign(6)
async def test_five_failures_lock_the_customer(tmp_path: Path) -> None:
    async with app(tmp_path, **settings(tmp_path)) as here:
        bank = await Bank.of(here)
        first, second = await bank.ready(), await bank.ready()
        states = [
            (await bank.show(id, takes(BOB))).json["verification"]["state"] for id in (first, first, first, second, second)
        ]
        assert states == ["open", "open", "rejected", "open", "locked"]
        refused = await bank.ask()
        assert (refused.status, refused.code) == (423, "customer_locked")
        assert (await here.post("/verifications/unlock", {"customer": "c-1"}, token=here.agent)).status == 403
        assert (await here.post("/verifications/unlock", {"customer": "c-1"}, token=here.supervisor)).status == 204
        assert (await bank.ask()).status == 201


async def test_a_review_in_the_workbench(tmp_path: Path) -> None:
    async with app(tmp_path, **settings(tmp_path)) as here:
        bank = await Bank.of(here)
        id = await bank.ready()
        shown = (await bank.show(id, takes(count=3))).json
        assert (shown["attempt"]["outcome"], shown["verification"]["state"]) == ("refer", "review")
        queue = (await here.get("/reviews", token=here.agent)).json["reviews"]
        assert [(one["id"], one["yours"], one["reasons"]) for one in queue] == [(id, True, ["pad_too_few"])]
        detail = (await here.get(f"/reviews/{id}", token=here.agent)).json
        assert detail["details"] == DETAILS
        assert {check["name"]: check["outcome"] for check in detail["attempts"][0]["checks"]} == {
            "match": "pass",
            "pad": "refer",
        }
        without = await here.post(f"/verifications/{id}/review", {"decision": "approve", "reason": ""}, token=here.agent)
        assert (without.status, without.json["field"]) == (400, "reason")
        done = await here.post(f"/verifications/{id}/review", {"decision": "approve", "reason": "the same"}, token=here.agent)
        assert (done.status, done.json["state"], done.json["result"]) == (200, "accepted", None)
        claims = verify_decision(
            (await bank.get(id)).json["result"], (await here.get("/verifications/keys")).json, details=DETAILS, audience=bank.id,
            now=datetime.now(UTC),
        )  # fmt: skip
        assert claims.reasons == ("approved_in_review", "pad_too_few")
        entries = (await here.get("/audit?limit=100", token=here.supervisor)).json["entries"]
        reviewed = [one for one in entries if one["action"] == "verification.reviewed"]
        assert [(one["actor"], one["subject"], one["details"]) for one in reviewed] == [
            (here.agent_id, id, {"decision": "approve"})
        ]
        assert "the same" not in json.dumps(entries)


async def test_a_session_is_of_one_customer(tmp_path: Path) -> None:
    """By its reference, and by the cases in it, whichever key asked for them."""
    async with app(tmp_path, **settings(tmp_path)) as here:
        bank, other = await Bank.of(here), await Bank.of(here, "another")

        async def named(session: str, reference: str) -> Answer:
            return await here.call("PATCH", f"/sessions/{session}", {"customer_reference": reference}, token=here.agent)

        theirs = await here.session(customer_reference="c-1")
        refused = await bank.ask(customer="c-2", session=theirs)
        assert (refused.status, refused.code) == (409, "session_of_another")
        assert "c-1" not in refused.raw.decode()
        assert (await bank.ask(customer="c-1", session=theirs)).status == 201

        nameless = await here.session(customer_reference="")
        assert (await bank.ask(customer="c-1", session=nameless)).status == 201
        for who in (bank, other):
            refused = await who.ask(customer="c-2", session=nameless)
            assert (refused.status, refused.code) == (409, "session_of_another")
            assert "c-1" not in refused.raw.decode()
        assert (await other.ask(customer="c-1", session=nameless)).status == 201
        renamed = await named(nameless, "c-2")
        assert (renamed.status, renamed.code) == (409, "session_of_another")
        assert (await here.get(f"/sessions/{nameless}", token=here.agent)).json["customer_reference"] == ""
        assert [(await named(nameless, reference)).status for reference in ("c-1", "", "c-1")] == [200, 200, 200]

        mistaken = await here.session(customer_reference="")
        wrong = (await bank.ask(customer="c-8", session=mistaken)).json["id"]
        assert (await bank.ask(customer="c-9", session=mistaken)).code == "session_of_another"
        assert (await here.post(f"/verifications/{wrong}/cancel", {}, token=bank.secret)).status == 200
        assert (await bank.ask(customer="c-9", session=mistaken)).status == 201, "withdrawn before anybody tried"

        empty = await here.session(customer_reference="")
        both = await asyncio.gather(bank.ask(customer="c-3", session=empty), other.ask(customer="c-4", session=empty))
        assert sorted((answer.status, answer.code) for answer in both) == [(201, ""), (409, "session_of_another")]
        renamed_at_once = await here.session(customer_reference="")
        made, renamed = await asyncio.gather(bank.ask(customer="c-5", session=renamed_at_once), named(renamed_at_once, "c-6"))
        assert sorted((made.status // 100, renamed.status // 100)) == [2, 4], "one of the two was first"
        entries = (await here.get("/audit?limit=100", token=here.supervisor)).json["entries"]
        created = [one for one in entries if one["action"] == "verification.created"]
        assert len(created) == 6 + (made.status == 201)


async def test_identified_by_an_agent_and_approved_by_another(tmp_path: Path) -> None:
    async with app(tmp_path, **settings(tmp_path)) as here:
        bank = await Bank.of(here)
        session = await here.session(customer_reference="c-1")
        place = (await here.post(f"/sessions/{session}/enter", token=here.agent)).json["token"]
        id = (await bank.ask("debit_card_password_change", session=session)).json["id"]
        body = {"methods": ["document_seen", "questions_answered"], "note": "knew the last two payments"}
        few = await here.post(f"/verifications/{id}/identification", {**body, "methods": ["document_seen"]}, token=place)
        assert (few.status, few.code) == (400, "invalid")
        done = await here.post(f"/verifications/{id}/identification", body, token=place)
        assert (done.status, done.json["state"], done.json["attempts_used"]) == (200, "review", 0)
        assert done.json["verdict"] == {
            "outcome": "refer", "reasons": ["identified_by_agent"], "assurance": "agent", "risk_level": "low",
        }  # fmt: skip
        detail = (await here.get(f"/reviews/{id}", token=here.supervisor)).json
        assert detail["identified"]["methods"] == body["methods"]
        name = (await here.get("/me", token=here.agent)).json["name"]
        by = {"id": here.agent_id, "name": name, "active": True}
        assert (detail["attempts"], detail["identified"]["by"]) == ([], by)
        review = {"decision": "approve", "reason": "I have seen the card too"}
        assert (await here.post(f"/verifications/{id}/review", review, token=here.agent)).status == 403
        assert (await here.post(f"/verifications/{id}/review", review, token=here.supervisor)).json["state"] == "accepted"


async def test_the_queue_page_by_page(tmp_path: Path) -> None:
    async with app(tmp_path, **settings(tmp_path)) as here:
        bank = await Bank.of(here)
        made = [await bank.ready(customer=f"c-{number}") for number in range(3)]
        for id in made:
            assert (await bank.show(id, takes(count=3))).json["verification"]["state"] == "review"
        found: list[str] = []
        after = ""
        for _ in made:
            page = (await here.get(f"/reviews?limit=1&yours=true{after}", token=here.agent)).json
            found += [one["id"] for one in page["reviews"]]
            after = f"&cursor={page['next']}"
        assert (found, page["next"]) == (made, None)
        assert [(one["type"], one["count"]) for one in page["types"]] == [(page["reviews"][0]["type"], 3)]
        assert (await here.get("/reviews?yours=false", token=here.agent)).json["reviews"] == []
        for wrong in (
            "limit=0",
            "limit=101",
            "cursor=x",
            f"cursor={'A' * 201}",
            "yours=perhaps",
            "type=A%20B",
            "due_in_s=0",
            "state=x",
        ):
            refused = await here.get(f"/reviews?{wrong}", token=here.agent)
            assert (refused.status, refused.code) == (400, "invalid"), wrong
        entries = (await here.get("/audit?limit=100", token=here.supervisor)).json["entries"]
        seen = [(one["actor"], one["details"]) for one in entries if one["action"] == "reviews.listed"]
        assert seen == [(here.agent_id, {"count": "1"})]  # the others within the minute come with the next entry


def example() -> str:
    """The bank's side in the documentation."""
    page = (ROOT / "docs" / "transactions.md").read_text(encoding="utf-8")
    code = page.partition("```python\n")[2].partition("```")[0]
    assert 20 <= len([line for line in code.splitlines() if line.strip()]) <= 40
    return code


async def test_the_banks_side_in_the_documentation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with app(tmp_path, **settings(tmp_path)) as here:
        bank = await Bank.of(here)
        monkeypatch.setenv("BANK_TONGPING_URL", here.url)
        monkeypatch.setenv("BANK_TONGPING_KEY", bank.secret)
        side: dict[str, Any] = {}
        exec(compile(example(), "docs/transactions.md", "exec"), side)
        done: list[Any] = []
        ask = partial(side["ask"], "order-1", "test_pictures", "c-1", DETAILS, draw(ALICE))
        execute = side["execute"]
        case = await asyncio.to_thread(ask)
        assert await asyncio.to_thread(execute, case, DETAILS, done.append) is False
        assert (await bank.show(case, takes())).json["attempt"]["outcome"] == "accept"
        for other in ({**DETAILS, "amount": "9250.00"}, {"card": DETAILS["card"]}):
            assert await asyncio.to_thread(execute, case, other, done.append) is False
        assert done == []
        assert await asyncio.to_thread(execute, case, DETAILS, done.append) is True
        assert done == [DETAILS]
        with pytest.raises(urllib.error.HTTPError, match="409") as refused:
            await asyncio.to_thread(execute, case, DETAILS, done.append)
        refused.value.close()
        assert done == [DETAILS]
        raced = await asyncio.to_thread(partial(side["ask"], "order-2", "test_pictures", "c-1", DETAILS, draw(ALICE)))
        await bank.show(raced, takes())
        workers = (asyncio.to_thread(execute, raced, DETAILS, done.append) for _ in range(4))
        ran = await asyncio.gather(*workers, return_exceptions=True)
        lost = [one for one in ran if isinstance(one, urllib.error.HTTPError)]
        for one in lost:
            one.close()
        assert (ran.count(True), [one.code for one in lost]) == (1, [409] * 3)
        assert done == [DETAILS, DETAILS], "each of the two orders once"
        declined = await asyncio.to_thread(partial(side["ask"], "order-3", "test_pictures", "c-1", DETAILS, draw(ALICE)))
        for _ in range(3):
            await bank.show(declined, takes(BOB))
        assert (await bank.get(declined)).json["result"]
        assert await asyncio.to_thread(execute, declined, DETAILS, done.append) is False

        late = await asyncio.to_thread(partial(side["ask"], "order-4", "test_pictures", "c-2", DETAILS, draw(ALICE)))
        await bank.show(late, takes())
        own = here.server.context.verifications.cases._signer
        strange = DecisionSigner(Ed25519PrivateKey.generate(), "0" * 16, issuer=here.url, lifetime_s=600)
        call = side["call"]
        for signer, ago_s, executed in ((own, 7200, False), (strange, 0, False), (own, 0, True)):
            now = datetime.now(UTC) - timedelta(seconds=ago_s)
            other, _ = signer.sign(**SIGNED, audience=bank.id, case=late, details_hash=details_hash(DETAILS), now=now)
            found = other if not executed else (await bank.get(late)).json["result"]
            side["call"] = lambda method, *rest, told=found: (
                {"result": told} if "keys" not in rest[0] and method == "GET" else call(method, *rest)
            )
            assert await asyncio.to_thread(execute, late, DETAILS, done.append) is executed
        assert len(done) == 3


def test_the_variables_of_the_example_are_none_of_the_servers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where they are exported the commands work all the same."""
    for name in re.findall(r'os\.environ\["(\w+)"\]', example()):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("TONGPING_DATA_DIR", str(tmp_path))
    done = CliRunner().invoke(cli, ["audit", "keys"])
    assert done.exit_code == 0, done.output


async def test_the_command_reads_the_keys_of_a_server(tmp_path: Path) -> None:
    async with app(tmp_path, **settings(tmp_path)) as here:
        bank = await Bank.of(here)
        id = await bank.ready()
        token = (await bank.show(id, takes())).json["verification"]["result"]
        (tmp_path / "details.json").write_text(json.dumps(DETAILS))
        for path, code, said in (("keys", 0, "accepted"), ("nowhere", 1, "")):
            arguments = ["--jwks", f"{here.url}/api/v1/verifications/{path}", "--details", str(tmp_path / "details.json")]
            run = partial(CliRunner().invoke, cli, ["verify-decision", *arguments, "--audience", bank.id, "--case", id, token])
            done = await asyncio.to_thread(run)
            assert (done.exit_code, said in done.output) == (code, True), done.output


async def test_a_callback_is_told_of_its_case_alone(tmp_path: Path) -> None:
    async with receiver() as to, app(tmp_path, **settings(tmp_path, webhooks__origins=(to.url,))) as here:
        bank = await Bank.of(here)
        refused = await bank.ask(callback="https://elsewhere.example/hooks")
        assert (refused.status, refused.code) == (400, "invalid")
        await bank.ready()
        id = await bank.ready(callback=f"{to.url}/hooks")
        await bank.show(id, takes())
        async with to.arrived:
            await to.arrived.wait_for(lambda: "verification.ended" in to.types())
        told = [json.loads(body) for _, body in to.got]
        assert {one["data"]["subject"] for one in told} == {id}
        ended = next(one for one in told if one["type"] == "verification.ended")
        assert (ended["data"]["state"], ended["data"]["type"]) == ("accepted", "test_pictures")
        words = json.dumps(told)
        assert not any(secret in words for secret in ("6222020200112233", "1250.00", "eyJ"))


async def test_the_examples_of_the_document_run(tmp_path: Path) -> None:
    """In their order, on what the one before has made, with the policies that are shipped."""
    async with app(tmp_path, engine=FakeEngine()) as here:
        bank = await Bank.of(here)
        paths = openapi.document(here.url)["paths"]
        place = (await here.post(f"/sessions/{await here.session()}/enter", token=here.agent)).json["token"]
        ids = ""
        answers: dict[str, Answer] = {}
        for operation in OPERATIONS:
            if operation.sends is None or not operation.path.startswith("/verifications"):
                continue
            described = paths[BASE + operation.path][operation.method.lower()]
            body = described["requestBody"]["content"]["application/json"]["example"]
            token = here.supervisor if operation.id in {"review_verification", "unlock_customer"} else bank.secret
            token = place if operation.id == "identify_customer" else token
            path = operation.path.replace("{verification}", ids)
            answers[operation.id] = await here.call(operation.method, path, body, token=token)
            if operation.id == "create_verification":
                ids = answers[operation.id].json["id"]
        assert {name: (answer.status, answer.code) for name, answer in answers.items()} == {
            "create_verification": (201, ""),
            "set_portrait": (200, ""),
            "upload_attempt": (409, "conflict"),  # that type is verified on the live stream only
            "redeem_decision": (400, "invalid"),  # nothing was decided
            "identify_customer": (404, "not_found"),  # the case is of no session
            "review_verification": (409, "not_in_review"),
            "unlock_customer": (204, ""),
        }
