"""A policy that asks for an agent beside the picture: one who is there all through it is enough, one who was away is not."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.scenario.test_live_verification import Visit, drawn, here
from tests.support import bank_place
from tests.support.signalling import House

__all__ = ["drawn"]


@pytest.fixture
async def visit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Visit]:
    monkeypatch.setattr(bank_place, "PASSWORD", bank_place.PASSWORD + '[challenge]\nalso_require = ["agent"]\n')
    one = Visit(House(), bank_place.BankPlace(tmp_path))
    await one.open()
    yield one
    await one.house.close()


async def test_an_agent_who_is_there_all_through_it_is_enough(visit: Visit) -> None:
    await here(visit)
    await visit.begin(visit.customer[1])
    assert (await visit.play())["outcome"] == "accept"


async def test_without_an_agent_a_person_decides(visit: Visit) -> None:
    await here(visit)
    visit.agent[1].cut()
    await visit.house.live.settle()
    await visit.begin(visit.customer[1])
    assert (await visit.play())["outcome"] == "refer"
    case = await visit.place.case(visit.case)
    assert case.decided is not None
    assert case.decided.reasons == ("assurance_missing",)


async def test_an_agent_who_goes_in_the_middle_is_none(visit: Visit) -> None:
    await here(visit)
    await visit.begin(visit.customer[1])
    await visit.until(lambda: visit.house.media.taps)
    look = visit.scene.analyse

    async def leaves(*args: object, **more: object) -> object:
        if len(visit.scene.calls) == 30:
            visit.agent[1].cut()
        return await look(*args, **more)  # type: ignore[arg-type]

    visit.scene.analyse = leaves  # type: ignore[method-assign, assignment]
    assert (await visit.play())["outcome"] == "refer"
    case = await visit.place.case(visit.case)
    assert case.decided is not None
    assert "assurance_missing" in case.decided.reasons
