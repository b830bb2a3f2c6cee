"""While the risk cannot be assessed nobody is passed: not by a reviewer, not by a second one, not by an agent who vouches."""

from pathlib import Path
from typing import Any

import pytest

from server.transactions.risk import engine
from tests.scenario.test_verifications_api import Bank, settings
from tests.support.bank_place import TWICE, takes
from tests.support.server import Here, app


def unreadable(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    """As with another `secret`."""
    monkeypatch.setattr(here.server.context.risk._engine.lists, "foreign", 1)


def raising(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    """The evaluation fails."""

    def fails(*given: object) -> None:
        raise ArithmeticError

    monkeypatch.setattr(engine, "weigh", fails)


async def block(here: Here, kind: str = "block") -> None:
    entry = {"list": kind, "kind": "customer", "identifier": "c-1", "reason": "fraud"}
    assert (await here.post("/risk/lists", entry, token=here.supervisor)).status == 201


async def review(here: Here, id: str, token: str | None, decision: str = "approve") -> Any:
    return await here.post(f"/verifications/{id}/review", {"decision": decision, "reason": "looks fine"}, token=token)


async def reviewed(here: Here) -> int:
    entries = (await here.get("/audit?limit=100", token=here.supervisor)).json["entries"]
    return sum(one["action"] == "verification.reviewed" for one in entries)


@pytest.mark.parametrize("lost", [unreadable, raising])
@pytest.mark.parametrize("seconds", [False, True])
async def test_nobody_approves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lost: Any, seconds: bool) -> None:
    told = settings(tmp_path)
    (tmp_path / "policies" / "twice.toml").write_text(
        TWICE.replace(', "challenge"', "").replace("attempts = 3", "attempts = 3\nclip_allowed = true"), encoding="utf-8"
    )
    async with app(tmp_path, **told) as here:
        bank = await Bank.of(here)
        await block(here, "watch")
        id, other = [await bank.ready("test_twice" if seconds else "test_pictures") for _ in range(2)]
        for one in (id, other):
            assert (await bank.show(one, takes())).json["verification"]["state"] == "review"
        state = "review"
        if seconds:
            assert (await review(here, id, here.agent)).json["state"] == (state := "second_review")
        await block(here)
        with monkeypatch.context() as context:
            lost(here, context)
            before = await reviewed(here)
            refused = await review(here, id, here.supervisor)
            assert (refused.status, refused.code) == (503, "risk_unavailable")
            assert await reviewed(here) == before
            found = (await bank.get(id)).json
            assert (found["state"], found["result"]) == (state, None)
            assert (await review(here, other, here.supervisor, "decline")).json["state"] == "rejected", "that needs no risk"
        blocked = await review(here, id, here.supervisor)
        assert (blocked.json["state"], blocked.json["verdict"]["reasons"][0]) == ("rejected", "risk_rejected")


async def test_what_was_referred_for_it_is_assessed_at_the_approval(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reviewer sees why it was referred. What the rules reject by then is rejected: nobody had asked them."""
    async with app(tmp_path, **settings(tmp_path)) as here:
        bank = await Bank.of(here)
        large = {"card": "6222020200112233", "amount": "2000000.00"}
        with monkeypatch.context() as context:
            unreadable(here, context)
            made = [await bank.ready(customer="c-2"), await bank.ready(customer="c-3", details=large)]
            for id in made:
                assert (await bank.show(id, takes())).json["attempt"]["reasons"] == ["risk_unavailable"]
                seen = (await here.get(f"/reviews/{id}", token=here.supervisor)).json
                assert seen["review"]["reasons"] == ["risk_unavailable"]
                assert seen["attempts"][0]["risk_reasons"][0]["code"] == "risk_unavailable"
                assert seen["attempts"][0]["rules_hash"] == ""
                assert (await review(here, id, here.supervisor)).code == "risk_unavailable"
        states = [(await review(here, id, here.supervisor)).json["state"] for id in made]
        assert states == ["accepted", "rejected"]


@pytest.mark.parametrize("lost", [unreadable, raising])
async def test_nobody_vouches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lost: Any) -> None:
    async with app(tmp_path, **settings(tmp_path)) as here:
        bank = await Bank.of(here)
        session = await here.session(customer_reference="c-1")
        entered = (await here.post(f"/sessions/{session}/enter", {}, token=here.agent)).json
        await block(here)
        id = await bank.ready(session=session)
        body = {"methods": ["document_seen", "questions_answered"], "note": "card seen"}
        place = {"token": entered["token"]}
        assert (await here.post(f"/verifications/{id}/identification", body, **place)).code == "risk_rejected"
        with monkeypatch.context() as context:
            lost(here, context)
            refused = await here.post(f"/verifications/{id}/identification", body, **place)
            assert (refused.status, refused.code) == (503, "risk_unavailable")
            assert (await bank.get(id)).json["state"] == "open"
        assert (await here.post(f"/verifications/{id}/identification", body, **place)).code == "risk_rejected"
