"""Whose a conversation is in which the bank asked about several customers, one of them by mistake: handed out to nobody else, erased with whom it was with."""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

from server.domain.ids import SessionId
from server.domain.model import SessionStatus
from tests.scenario.test_customers_api import NOBODY
from tests.scenario.test_verifications_api import Bank, settings
from tests.support.bank_place import takes
from tests.support.records import Records
from tests.support.server import Here, app

TOLD = ("Alice Wang", "her account", "she moves", "my number is 139", "salary")


async def talked(here: Here) -> str:
    """Alice has said and sent something in a session without a reference."""
    session = await here.session(customer_reference="", reason="her account", context="she moves")
    link = (await here.invitation(session, name="Alice Wang"))["link"]
    place = (await here.post("/invitations/redeem", {"secret": link.rpartition("/")[2], "name": "Alice Wang"})).json
    headers = {"X-File-Name": "salary.txt"}
    sent = await here.call("POST", f"/sessions/{session}/files", token=place["token"], data=b"salary", headers=headers)
    assert sent.status == 201
    make = Records()
    make.skip(9_000_000)
    async with here.server.context.store.begin() as tx:
        person = (await tx.list_participants(SessionId(session)))[0]
        await tx.add_message(make.message(SessionId(session), person.id, client_id="1", text="my number is 139"))
    return session


async def by_mistake(bank: Bank, customer: str, session: str) -> None:
    made = await bank.ask(customer=customer, session=session)
    assert made.status == 201
    assert (await bank.post(f"/{made.json['id']}/cancel")).status == 200


async def end(here: Here, session: str) -> None:
    assert (await here.post(f"/sessions/{session}/end", {"reason": "done"}, token=here.agent)).status == 200


async def told(here: Here, customer: str) -> tuple[set[str], list[str], list[str]]:
    """(what of the conversation is handed out, sessions, those that were left out)."""
    out = await here.post("/customers/export", {"customer": customer}, token=here.supervisor)
    assert out.status == 200
    with zipfile.ZipFile(io.BytesIO(out.raw)) as archive:
        everything = b"".join(archive.read(name) for name in archive.namelist()).decode(errors="replace")
        data = json.loads(archive.read("data.json"))
    return {one for one in TOLD if one in everything}, [one["id"] for one in data["sessions"]], data["sessions_left_out"]


async def erased(here: Here, customer: str) -> tuple[int, list[str]]:
    """(sessions, those that were kept)."""
    done: Any = await here.post("/customers/erase", {"customer": customer}, token=here.supervisor)
    assert done.status == 200, done.raw
    return done.json["erased"]["sessions"], done.json["sessions_kept"]


async def left(here: Here, session: str) -> tuple[str, list[str]]:
    """(context, names)."""
    async with here.server.context.store.read() as tx:
        found = await tx.get_session(SessionId(session))
        people = await tx.list_participants(SessionId(session))
    assert found is not None
    assert found.status is SessionStatus.ENDED
    return found.context, [one.name for one in people]


async def test_it_is_whose_verification_was_tried(tmp_path: Path) -> None:
    async with app(tmp_path, **settings(tmp_path, webhooks__origins=(NOBODY,))) as here:
        bank = await Bank.of(here)
        session = await talked(here)
        await by_mistake(bank, "customer-b", session)
        assert (await told(here, "customer-b"))[1] == [session], "until somebody tries, all that there is names one"
        tried = await bank.ready(customer="customer-a", session=session)
        assert (await bank.show(tried, takes())).json["attempt"]["outcome"] == "accept"
        await end(here, session)
        assert await told(here, "customer-a") == (set(TOLD), [session], [])
        assert await told(here, "customer-b") == (set(), [], [session])
        assert await erased(here, "customer-a") == (1, [])
        assert await left(here, session) == ("", [""])
        assert await told(here, "customer-b") == (set(), [], [])
        assert await erased(here, "customer-b") == (0, [])


async def test_it_is_nobodys_where_none_was_tried_and_stays_so(tmp_path: Path) -> None:
    async with app(tmp_path, **settings(tmp_path, webhooks__origins=(NOBODY,))) as here:
        bank = await Bank.of(here)
        session = await talked(here)
        await by_mistake(bank, "customer-a", session)
        await by_mistake(bank, "customer-b", session)
        await end(here, session)
        assert await told(here, "customer-a") == await told(here, "customer-b") == (set(), [], [session])
        assert await erased(here, "customer-a") == (0, [session])
        assert await told(here, "customer-b") == (set(), [], [session]), "who was erased was one of them still"
        assert await erased(here, "customer-b") == (0, [session])
        assert (await left(here, session))[0] == "she moves"


async def test_one_that_was_erased_by_its_reference_is_nobodys(tmp_path: Path) -> None:
    async with app(tmp_path, **settings(tmp_path, webhooks__origins=(NOBODY,))) as here:
        bank = await Bank.of(here)
        session = await talked(here)
        await by_mistake(bank, "customer-b", session)
        named = await here.call("PATCH", f"/sessions/{session}", {"customer_reference": "customer-a"}, token=here.agent)
        assert named.status == 200
        await end(here, session)
        assert await told(here, "customer-b") == (set(), [], [session])
        assert await erased(here, "customer-a") == (1, [])
        assert await told(here, "customer-b") == (set(), [], []), "neither who was there nor what they agreed to"
        assert await erased(here, "customer-b") == (0, [])
