"""Verifications on a database on disk: one winner of every race, and everything there after a restart."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from server.services.verification_redeems import AlreadyRedeemed
from server.store.sql import open_store
from server.transactions.case import CaseState, WrongState
from server.transactions.decision import AttemptKind, Outcome
from tests.support import cases
from tests.support.bank_place import BankPlace, takes


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[BankPlace]:
    (tmp_path / "place").mkdir()
    store = await open_store(f"sqlite:///{tmp_path}/tongping.db")
    made = BankPlace(tmp_path / "place", store=store)
    yield made
    await made.store.close()


async def again(place: BankPlace, folder: Path) -> None:
    """The database is closed and opened anew, and nothing else is remembered."""
    await place.store.close()
    place.store = await open_store(f"sqlite:///{folder}/tongping.db")
    place.anew()


@pytest.mark.campaign(6)
async def test_races_have_one_winner(place: BankPlace) -> None:
    id = await place.ready()
    attempts = place.verifications.attempts
    begun = await asyncio.gather(
        *(attempts.begin_attempt(id, AttemptKind.LIVE, "PA_X") for _ in range(8)), return_exceptions=True
    )
    [attempt] = [one for one in begun if not isinstance(one, WrongState)]
    done = await asyncio.gather(
        *(attempts.finish_attempt(attempt, cases.attempt(), "PA_X", evidence=cases.EVIDENCE) for _ in range(8)),
        return_exceptions=True,
    )
    [(_, _, case)] = [one for one in done if not isinstance(one, WrongState)]
    redeemed = await asyncio.gather(
        *(place.verifications.redeem(place.bank, id, case.result) for _ in range(50)), return_exceptions=True
    )
    assert sum(not isinstance(one, BaseException) for one in redeemed) == 1
    assert sum(isinstance(one, AlreadyRedeemed) for one in redeemed) == 49


async def test_everything_is_there_after_a_restart(place: BankPlace, tmp_path: Path) -> None:
    open_case, in_review, running = await place.ready("test_pictures"), await place.ready(), await place.ready()
    place.refer_risk()
    await place.live(in_review)
    attempt = await place.verifications.attempts.begin_attempt(running, AttemptKind.LIVE, "PA_X")
    place.risk.result = cases.risk()
    await again(place, tmp_path)
    uploaded, _, case = await place.verifications.attempts.upload(place.bank, open_case, takes())
    assert (uploaded.outcome, case.state) == (Outcome.ACCEPT, CaseState.ACCEPTED)
    detail = await place.verifications.reviews.detail(place.reviewer(), in_review)
    assert (detail.details, detail.attempts[0].match_score) == ({"card": "6222020200112233"}, 0.62)
    decision, _, case = await place.verifications.attempts.finish_attempt(
        attempt, cases.attempt(), "PA_X", evidence=cases.EVIDENCE
    )
    assert (decision.outcome, case.state) == (Outcome.ACCEPT, CaseState.ACCEPTED)
    token = case.result
    await again(place, tmp_path)
    assert (await place.verifications.get(place.bank, running)).result == token
    await place.verifications.redeem(place.bank, running, token)
    await again(place, tmp_path)
    with pytest.raises(AlreadyRedeemed):
        await place.verifications.redeem(place.bank, running, token)


@pytest.mark.campaign(19)
async def test_the_details_are_in_no_file_of_the_database(place: BankPlace, tmp_path: Path) -> None:
    """While the case runs, and after it; once it has ended what was sealed is gone from the files, too."""
    id = await place.ready()
    before = await place.case(id)

    def found(words: bytes) -> bool:
        return any(words in path.read_bytes() for path in tmp_path.glob("tongping.db*"))

    assert found(before.sealed)
    assert not found(b"6222020200112233")
    await place.live(id)
    assert await place.store.scrub()
    assert not found(b"6222020200112233")
    assert not found(before.sealed)
    assert not found(before.key)
    assert not found(before.reference_sealed)
