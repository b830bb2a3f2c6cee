"""Evidence whose time is over goes, piece by piece: one that cannot be erased keeps no other, and the audit names each that is gone."""

from datetime import timedelta
from pathlib import Path

import pytest

from server.audit.events import AuditAction
from server.domain.ids import CaseId
from server.services import verification_evidence
from server.transactions.decision import AttemptKind
from tests.support import cases
from tests.support.bank_place import BankPlace

LATE_S = timedelta(days=400).total_seconds()


async def ended(place: BankPlace, count: int) -> list[CaseId]:
    made = []
    for number in range(count):
        made.append(await place.ready(customer=f"c-{number}"))
        await place.live(made[-1])
        place.clock.mono += 1
    place.clock.mono += LATE_S
    return made


async def stick(place: BankPlace, folder: Path, id: CaseId) -> Path:
    """What cannot be erased: a disk that does not do it."""
    key = folder / "evidence" / (await place.case(id)).reference_vault / "key"
    key.unlink()
    key.mkdir()
    return key


@pytest.mark.parametrize("at_once", [1, 2, 100])
async def test_one_that_cannot_be_erased_keeps_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    monkeypatch.setattr(verification_evidence, "AT_ONCE", at_once)
    place = BankPlace(tmp_path)
    made = await ended(place, 4)
    stuck = [await stick(place, tmp_path, made[0]), await stick(place, tmp_path, made[2])]
    evidence = place.verifications.evidence
    assert (await evidence.erase_due(), evidence.stuck) == (2, 2)
    assert [(await place.case(id)).evidence_erased_at is not None for id in made] == [False, True, False, True]
    assert {path.name for path in (tmp_path / "evidence").iterdir()} == {key.parent.name for key in stuck}
    assert (await evidence.erase_due(), evidence.stuck) == (0, 2), "each is tried again"
    for key in stuck:
        key.rmdir()
    assert (await evidence.erase_due(), evidence.stuck) == (2, 0)
    assert not list((tmp_path / "evidence").iterdir())


async def test_what_was_sealed_of_an_attempt_that_ended_without_it_goes_with_the_case(tmp_path: Path) -> None:
    place = BankPlace(tmp_path)
    id = await place.ready()
    attempt = await place.verifications.attempts.begin_attempt(id, AttemptKind.LIVE, "PA_X")
    _, digest = await place.verifications.evidence.keep(attempt, cases.attempt(), cases.MATERIAL)
    assert digest
    await place.verifications.cancel(place.bank, id)
    assert await place.verifications.evidence.erase(await place.case(id), "ST_1", "customer") == 2
    assert not list((tmp_path / "evidence").iterdir())


async def test_a_portrait_that_was_replaced_is_erased_with_an_entry(tmp_path: Path) -> None:
    place = BankPlace(tmp_path)
    id = await place.ready()
    first = (await place.case(id)).reference_vault
    await place.portrait(id)
    second = (await place.case(id)).reference_vault
    assert {path.name for path in (tmp_path / "evidence").iterdir()} == {second} != {first}
    async with place.store.read() as tx:
        entries = [entry.event for entry in await tx.list_audit(after=0, limit=100)]
    [gone] = [one for one in entries if one.action is AuditAction.EVIDENCE_ERASED]
    assert (gone.actor, gone.subject) == (place.bank.actor, id)
    assert gone.details == {"count": "1", "why": "replaced", "evidence": first}
