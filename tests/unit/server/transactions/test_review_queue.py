"""The queue of reviews: pages, filters, names of colleagues, who has seen it in the audit, and how desks learn of it."""

from pathlib import Path

import msgspec
import pytest

from server.api.bodies_verifications import ReviewDecision
from server.domain.ids import CaseId, StaffId
from server.domain.model import Role, Staff
from server.errors import Invalid, StoreUnavailable
from server.services import verification_queue
from server.store.codec import encode_cursor
from server.transactions.case import CaseState
from server.transactions.decision import AttemptKind
from server.transactions.lock import ended_through_us
from server.transactions.material import Material
from tests.support import cases
from tests.support.bank_place import BankPlace
from tests.support.records import at
from tests.unit.server.transactions.test_reviewed import referred


@pytest.fixture
def place(tmp_path: Path) -> BankPlace:
    return BankPlace(tmp_path)


async def waiting(place: BankPlace, *types: str) -> list[CaseId]:
    """Cases that wait for a review, each of another customer, a second after the one before."""
    made = []
    for number, type in enumerate(types):
        place.clock.mono += 1
        made.append(await referred(place, type, customer=f"c-{number}"))
    return made


async def seen(place: BankPlace) -> list[dict[str, str]]:
    return [details for action, _, details in await place.audit() if action == "reviews.listed"]


PASSWORD, TWICE = "debit_card_password_change", "test_twice"


async def test_it_comes_page_by_page_the_one_that_is_due_first_first(place: BankPlace) -> None:
    made = await waiting(place, PASSWORD, TWICE, PASSWORD, PASSWORD, TWICE)
    queue = place.verifications.reviews.waiting
    pages, cursor = [], None
    while True:
        page = await queue.page(place.reviewer(), limit=2, cursor=cursor)
        pages.append([one.id for one in page.reviews])
        if page.next is None:
            break
        cursor = page.next
    assert pages == [made[:2], made[2:4], made[4:]]
    assert [(one.type, one.count) for one in page.types] == [(PASSWORD, 3), (TWICE, 2)]
    assert page.types[0].title == {"zh": "修改借记卡密码", "en": "Change of a debit card's password"}
    whole = await queue.page(place.reviewer(), limit=5)
    assert ([one.id for one in whole.reviews], whole.next) == (made, None)
    first = await queue.page(place.reviewer(), limit=2)
    await place.verifications.reviews.review(place.reviewer("WU"), made[1], ReviewDecision.DECLINE, "no")
    await place.verifications.reviews.review(place.reviewer("WU"), made[2], ReviewDecision.DECLINE, "no")
    after = await queue.page(place.reviewer(), limit=2, cursor=first.next)  # what was decided meanwhile moves nothing
    assert [one.id for one in after.reviews] == made[3:]
    for wrong in ("x", "", "AAAA", encode_cursor(at(0), "VE_1")[:-2]):
        with pytest.raises(Invalid, match="cursor"):
            await queue.page(place.reviewer(), cursor=wrong)


async def test_it_is_filtered_by_type_by_whose_it_is_and_by_the_time_that_is_left(place: BankPlace) -> None:
    made = await waiting(place, PASSWORD, TWICE, PASSWORD, TWICE)
    reviews = place.verifications.reviews
    await reviews.review(place.reviewer("LI"), made[1], ReviewDecision.APPROVE, "seen")

    async def ids(**filters: object) -> list[CaseId]:
        return [one.id for one in (await reviews.waiting.page(place.reviewer("LI"), **filters)).reviews]

    assert await ids(type=TWICE) == [made[1], made[3]]
    assert await ids(type="of_no_policy") == []
    assert await ids(yours=True) == [made[0], made[2], made[3]]
    assert await ids(yours=False) == [made[1]]
    assert await ids(yours=True, type=TWICE) == [made[3]]
    place.clock.mono += 595 - 3  # of the 600 seconds of the first
    assert await ids(due_in_s=6) == made[:2]
    assert await ids(due_in_s=6, yours=True) == made[:1]
    counts = (await reviews.waiting.page(place.reviewer("LI"), type=TWICE)).types
    assert sum(one.count for one in counts) == 4  # of all that wait, whatever was asked for


async def test_few_of_many_that_fit_are_found_in_short_pages(place: BankPlace, monkeypatch: pytest.MonkeyPatch) -> None:
    """No question looks at more cases than so many; the next page goes on where it stopped."""
    monkeypatch.setattr(verification_queue, "MOST_SCANNED", 2)
    made = await waiting(place, TWICE, TWICE, TWICE, TWICE, TWICE)
    reviews = place.verifications.reviews
    for id in made[:4]:
        await reviews.review(place.reviewer("LI"), id, ReviewDecision.APPROVE, "seen")
    found, cursors = [], [None]
    while len(cursors) < 10:
        page = await reviews.waiting.page(place.reviewer("LI"), yours=True, limit=50, cursor=cursors[-1])
        found += [one.id for one in page.reviews]
        if page.next is None:
            break
        cursors.append(page.next)
    assert (found, len(cursors)) == ([made[4]], 3)


async def test_who_has_seen_it_is_in_the_audit_once_a_minute(place: BankPlace) -> None:
    queue = place.verifications.reviews.waiting
    await queue.page(place.reviewer())
    assert await seen(place) == []  # nothing was shown
    first, second = await waiting(place, PASSWORD, PASSWORD)
    for _ in range(3):
        await queue.page(place.reviewer())
    assert await seen(place) == [{"count": "2"}]
    [third] = await waiting(place, TWICE)
    await queue.page(place.reviewer())
    await queue.page(place.reviewer("WU"))
    assert await seen(place) == [{"count": "2"}, {"count": "3"}]  # each reviewer by themselves
    place.clock.mono += 61
    await place.verifications.settle_due()  # what was held back, also where nobody looks again
    assert await seen(place) == [{"count": "2"}, {"count": "3"}, {"count": "1"}]
    place.clock.mono += 61
    await queue.page(place.reviewer())
    await place.verifications.settle_due()
    assert len(await seen(place)) == 3  # the same list again
    assert {first, second, third}.isdisjoint(str(await seen(place)))


async def test_what_is_held_back_is_written_when_the_server_stops(place: BankPlace, monkeypatch: pytest.MonkeyPatch) -> None:
    queue = place.verifications.reviews.waiting
    for types in ((PASSWORD,), (TWICE, TWICE)):
        await waiting(place, *types)
        await queue.page(place.reviewer())
    assert await seen(place) == [{"count": "1"}]
    begin = place.store.begin

    def broken() -> None:
        raise StoreUnavailable("down")

    monkeypatch.setattr(place.store, "begin", broken)
    await queue.looks.close()  # stops all the same
    monkeypatch.setattr(place.store, "begin", begin)
    await queue.looks.close()
    await queue.looks.close()
    assert await seen(place) == [{"count": "1"}, {"count": "2"}]


async def test_nobody_gets_the_list_where_the_audit_cannot_have_it(place: BankPlace, monkeypatch: pytest.MonkeyPatch) -> None:
    await waiting(place, PASSWORD)
    begin = place.store.begin

    def broken() -> None:
        raise StoreUnavailable("down")

    monkeypatch.setattr(place.store, "begin", broken)
    with pytest.raises(StoreUnavailable):
        await place.verifications.reviews.waiting.page(place.reviewer())
    monkeypatch.setattr(place.store, "begin", begin)
    await place.verifications.reviews.waiting.page(place.reviewer())
    assert await seen(place) == [{"count": "1"}]


async def test_colleagues_are_named(place: BankPlace) -> None:
    [id] = await waiting(place, TWICE)
    wu = Staff(id=StaffId("ST_WU"), username="wu", name="吴敏", role=Role.AGENT, password_hash="x", created_at=at(0))
    async with place.store.begin() as tx:
        await tx.add_staff(wu)
    reviews = place.verifications.reviews
    await reviews.review(place.reviewer("WU"), id, ReviewDecision.APPROVE, "seen")
    [one] = (await reviews.detail(place.reviewer("LI"), id)).reviews
    assert (one.by.id, one.by.name, one.by.active) == ("ST_WU", "吴敏", True)
    async with place.store.begin() as tx:
        await tx.save_staff(msgspec.structs.replace(wu, disabled_at=at(5)))
    [one] = (await reviews.detail(place.reviewer("LI"), id)).reviews
    assert (one.by.name, one.by.active) == ("吴敏", False)
    assert "吴敏" not in str(await place.audit())


async def test_an_attempt_that_ended_through_us_is_marked(place: BankPlace) -> None:
    """By a fault of ours and where nobody has seen its end; not what was shown, what the customer broke off, nor what the bank took back."""
    id = await place.ready(TWICE)
    attempts = place.verifications.attempts
    for fault in ("camera_off", "engine_lost"):
        begun = await attempts.begin_attempt(id, AttemptKind.LIVE, "PA_X")
        checked, digest = await place.verifications.evidence.keep(
            begun, cases.attempt(checks=(), match_score=None, fault=fault), Material()
        )
        await attempts.finish_attempt(begun, checked, "PA_X", evidence=digest)
    assert (await place.case(id)).state is CaseState.REVIEW
    detail = await place.verifications.reviews.detail(place.reviewer(), id)
    assert [(one.fault, one.excused) for one in detail.attempts] == [("camera_off", False), ("engine_lost", True)]
    broken = await place.ready()
    begun = await attempts.begin_attempt(broken, AttemptKind.LIVE, "PA_X")
    async with place.store.read() as tx:
        [runs] = await tx.list_attempts(broken)
    assert not ended_through_us(runs)
    await attempts.abandon_attempt(begun, "PA_X", RuntimeError("broke"))
    taken_back = await place.ready()
    await attempts.begin_attempt(taken_back, AttemptKind.LIVE, "PA_X")
    await place.verifications.cancel(place.bank, taken_back)
    async with place.store.read() as tx:
        ended = [*await tx.list_attempts(broken), *await tx.list_attempts(taken_back)]
    assert [ended_through_us(one) for one in ended] == [True, False]
