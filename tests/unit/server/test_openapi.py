"""The OpenAPI document: complete, valid, the same as the table for people; schemathesis asks the real application."""

import re
from pathlib import Path

import jsonschema_rs
import pytest

from server.api import bodies, openapi
from server.api.handlers import HANDLERS
from server.api.operations import BASE, OPERATIONS, Access
from server.domain.grants import Grant
from tests.support.fake_engine import FakeEngine
from tests.support.server import app

DOCUMENT = openapi.document("http://127.0.0.1:8080")


def test_every_operation_has_its_handler() -> None:
    assert set(HANDLERS) == {operation.id for operation in OPERATIONS}
    assert len(HANDLERS) == len(OPERATIONS)


def test_the_table_for_people_says_the_same() -> None:
    told: dict[tuple[str, str], tuple[str, bool]] = {}
    for line in (bodies.__doc__ or "").splitlines():
        if line.startswith("|") and "/signal" not in line and "---" not in line and "Method and path" not in line:
            where, who, answer = [cell.strip() for cell in line.strip("|").split("|", 2)]
            if match := re.match(r"GET, POST \* (/\w+), DELETE (/\S+)", where):
                told["GET", match[1]] = told["DELETE", match[2]] = (who, False)
                told["POST", match[1]] = (who, True)
                continue
            method, path = where.split(None, 1)
            told[method, path.partition("?")[0]] = (
                who.removesuffix("*").strip(),
                "*" in who or "*" in answer.partition("→")[0],
            )
    table = {(operation.method, operation.path): operation for operation in OPERATIONS}
    assert set(told) == set(table)
    for place, (who, idempotent) in told.items():
        operation = table[place]
        assert operation.idempotent == (idempotent or "chat *" in who), place
        if isinstance(operation.needs, Grant):
            assert operation.needs.value in who, place
        else:
            word = {Access.PUBLIC: "anybody", Access.PLACE: "participant or session.read"}.get(operation.needs)
            assert word in who if word else who in {"desk token", "staff"}, place


def test_every_creating_post_takes_a_key() -> None:
    creating = {operation.id for operation in OPERATIONS if operation.status == 201} | {
        "join_waiting",
        "redeem_invitation",
    }
    assert {operation.id for operation in OPERATIONS if operation.idempotent} == creating


def test_the_document_holds_together() -> None:
    text = str(DOCUMENT)
    for name in re.findall(r"'#/components/schemas/(\w+)'", text):
        assert name in DOCUMENT["components"]["schemas"]
    for status in re.findall(r"'#/components/responses/(\d+)'", text):
        assert status in DOCUMENT["components"]["responses"]
    for schema in DOCUMENT["components"]["schemas"].values():
        jsonschema_rs.meta.validate({**schema, "$schema": "https://json-schema.org/draft/2020-12/schema"})
    assert set(DOCUMENT["paths"]) == {BASE + operation.path for operation in OPERATIONS}


def test_examples_are_what_they_are_examples_of() -> None:
    content = DOCUMENT["paths"][f"{BASE}/sessions/{{session}}/media"]["get"]["responses"]["200"]["content"]["application/json"]
    schema = {
        **content["schema"],
        "components": DOCUMENT["components"],
        "$schema": "https://json-schema.org/draft/2020-12/schema",
    }
    jsonschema_rs.validate(schema, content["example"])
    customer, agent = content["example"]["participants"]
    assert {layer["rid"] for layer in customer["sources"][0]["layers"]} == {"q", "f"}
    assert agent["slots"][0]["participant"] == customer["participant"]
    assert all(set(schema["properties"]) == set(schema["required"]) for name, schema in DOCUMENT["components"]["schemas"].items()
               if name.startswith("Media"))  # fmt: skip


@pytest.mark.campaign(3)
async def test_schemathesis_finds_no_fault(tmp_path: Path) -> None:
    """The short form; ``python -m tests.support.schemathesis_run --examples 1000`` is the long one."""
    from tests.support.schemathesis_run import explore

    engine = FakeEngine()
    async with app(tmp_path, engine=engine, throttle__attempts=1000, throttle__waiting_joins=1000) as here:
        session = await here.session()
        place = await here.place(session)
        faces = (await here.post("/keys", {"name": "faces", "faces": True}, token=here.supervisor)).json["secret"]
        bank = (await here.post("/keys", {"name": "bank", "verifications": True}, token=here.supervisor)).json["secret"]
        failures, cases = await explore(here.url, [here.supervisor, faces, place["token"]], session=session, examples=3)
        checked, more = await explore(here.url, [faces], examples=5, under="/face/")
        asked, _ = await explore(here.url, [bank, bank, here.supervisor], examples=5, under="/verifications")
    assert failures + checked + asked == []
    assert more >= 30
    assert cases >= 5 * len(OPERATIONS)
