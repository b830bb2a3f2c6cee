"""A customer who is verified by themselves, by a link: what the page is told, who else gets in, asking for a person, and how it ends."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from server.api.bodies import CreateInvitation, Entry, RedeemInvitation
from server.api.bodies_verifications import Link
from server.config import TransactionsConfig
from server.domain.ids import LoginId, ParticipantId, SessionId
from server.domain.model import Language, LeaveReason, ParticipantState, Role, Session, SessionKind, SessionStatus
from server.errors import Conflict, Invalid, NotAllowed, NotFound, TooMany
from server.live.cases import CaseWatch
from server.services.entries import LinkInUse
from server.services.verifications import SessionTaken
from server.transactions.brief import CaseBrief, CaseStep
from server.transactions.case import CaseState
from tests.scenario.test_live_verification import Visit, drawn
from tests.support.bank_place import BankPlace
from tests.support.fake_media import OFFER
from tests.support.signalling import House, Page

__all__ = ["drawn"]
RETURN = "https://app.bank.example/done?order=7"


class Alone(Visit):
    """A customer who has opened their link and agreed, and nobody else. ``watch``: what tells of changes that others made."""

    watch: CaseWatch
    secret: str

    async def open(self) -> None:
        place, house = self.place, self.house
        place.store, place.clock = house.store, house.clock
        settings = TransactionsConfig(return_origins=("https://app.bank.example",), cases_per_min=30)
        place.config = msgspec.structs.replace(place.config, transactions=settings)
        self.bind()
        await self.watch.look()
        self.secret = await self.asked_with_link()
        self.customer = await self.come()
        await self.agrees()

    def bind(self) -> None:
        """As ``server/app.py`` does."""
        house, sessions = self.house, self.place.anew().sessions
        self.attempts()
        house.invitations.previews = house.live.briefs = sessions
        house.sessions.ending = sessions.ending
        self.watch = CaseWatch(house.store, house.live, sessions)

    async def asked_with_link(self, **fields: Any) -> str:
        """The secret of the link of a new case."""
        made = await self.place.asked(customer="C-1", link=Link(language=Language.EN, return_url=RETURN), **fields)
        assert made.links is not None
        assert made.session is not None
        self.case, self.session = made.id, made.session
        await self.place.portrait(made.id)
        return made.links.customer.rpartition("/j/")[2]

    async def redeem(self, name: str = "王芳") -> Entry:
        return await self.house.entries.redeem(RedeemInvitation(secret=self.secret, name=name))

    async def come(self) -> tuple[ParticipantId, Page]:
        entry = await self.redeem()
        return entry.participant, await self.house.connect(entry.token)

    async def agrees(self) -> None:
        for scope in ("face", "camera"):
            await self.customer[1].say("consent.set", scope=scope, decision="given", wording="w", language="en")
        await self.customer[1].say("media.offer", sdp=OFFER)
        await self.house.live.settle()

    async def look(self) -> None:
        await self.watch.look()
        await self.house.live.settle()

    def briefs(self, page: Page | None = None) -> list[dict[str, Any]]:
        """As the page was told last."""
        told = (page or self.customer[1]).got("verification.cases")
        cases: list[dict[str, Any]] = told[-1]["cases"] if told else []
        return cases

    async def record(self) -> Session:
        return await self.house.sessions.get(self.session)

    async def later(self, seconds: float) -> None:
        """The server lives on, nobody says anything, and what is due is done."""
        self.house.clock.seconds += seconds
        while await self.place.verifications.settle_due():
            pass
        await self.watch.end_over()
        await self.look()

    async def desk(self, role: Role = Role.AGENT) -> Page:
        _, token = await self.house.staff(role)
        return await self.house.connect(token)

    async def take(self, desk: Page) -> Page:
        """The agent of this desk takes the customer, and comes."""
        assert await desk.error("waiting.take", session=self.session) is None
        page = await self.house.connect(desk.got("waiting.taken")[-1]["token"])
        await self.house.live.settle()
        return page


@pytest.fixture
async def alone(tmp_path: Path) -> AsyncIterator[Alone]:
    house = House()
    one = Alone(house, BankPlace(tmp_path))
    await one.open()
    yield one
    await house.close()


# ---- made with the case


async def test_the_session_and_its_link_are_made_with_the_case(alone: Alone) -> None:
    session = await alone.record()
    assert (session.kind, session.status, session.language) == (SessionKind.VERIFICATION, SessionStatus.OPEN, Language.EN)
    assert (session.reason, session.customer_reference) == ("Change of a debit card's password", "C-1")
    assert session.created_by == alone.place.bank.actor
    [invitation] = await alone.house.invitations.of_session(alone.session)
    case = await alone.place.case(alone.case)
    assert (invitation.role, case.session_id) == (Role.CUSTOMER, alone.session)
    assert invitation.expires_at == case.expires_at + timedelta(seconds=1800), "who waits for a person may come back"
    actions = [action for action, _ in await alone.house.audit()]
    assert actions[:3] == ["session.created", "invitation.created", "verification.created"]
    again = await alone.place.verifications.get(alone.place.bank, alone.case)
    assert again.links is None, "told once"
    assert alone.secret not in f"{session}{invitation}{case}"


async def test_nothing_is_left_of_a_case_that_is_refused(alone: Alone) -> None:
    async def made() -> int:
        async with alone.house.store.read() as tx:
            return len((await tx.list_sessions(status=None, customer_reference=None, limit=50, cursor=None)).sessions)

    before, entries = await made(), len(await alone.house.audit())
    link = Link()
    for fields, error in (
        ({"link": link, "session": alone.session}, Invalid),
        ({"link": link, "template": "TE_" + "A" * 26}, NotFound),
        ({"link": link, "details": {"card": "x"}}, Invalid),
        ({"link": Link(return_url="https://evil.example/")}, Invalid),
        ({"link": Link(return_url="https://app.bank.example.evil.example/")}, Invalid),
        ({"link": Link(return_url="http://app.bank.example/")}, Invalid),
        ({"link": Link(return_url="https://app.bank.example@evil.example/")}, Invalid),
        ({"link": Link(return_url="javascript:alert(1)//https://app.bank.example")}, Invalid),
        ({"link": Link(return_url="https://app.bank.example\\@evil.example/")}, Invalid),
        ({"link": Link(return_url="//app.bank.example/")}, Invalid),
    ):
        with pytest.raises(error):
            await alone.place.asked(**fields)
    assert (await made(), len(await alone.house.audit())) == (before, entries)


async def test_so_many_cases_may_a_key_make_in_a_minute(alone: Alone) -> None:
    for number in range(29):
        await alone.place.asked(customer=f"C-{number + 2}")
    with pytest.raises(TooMany) as refused:
        await alone.place.asked(customer="C-99")
    assert refused.value.retry_after_s == 2
    alone.house.clock.seconds += 2
    assert await alone.place.asked(customer="C-99")


async def test_what_the_page_is_told_before_and_when_it_comes(alone: Alone) -> None:
    preview = await alone.house.invitations.inspect(alone.secret, "")
    told = preview.verification
    assert told == CaseBrief(
        case=alone.case,
        type="debit_card_password_change",
        title={Language.ZH: "修改借记卡密码", Language.EN: "Change of a debit card's password"},
        state=CaseState.OPEN,
        attempts_left=3,
        attempts_used=0,
        expires_at=(await alone.place.case(alone.case)).expires_at,
        steps=[CaseStep.FACE, CaseStep.LIGHT],
        without_face=True,
        retention_days=180,
        return_url=RETURN,
    )
    assert (preview.kind, preview.language, preview.invited_by) == (SessionKind.VERIFICATION, Language.EN, "")
    assert alone.briefs() == [msgspec.to_builtins(told)]
    plain = await alone.house.session()
    made = await alone.house.invitations.create(plain, CreateInvitation(role=Role.CUSTOMER), "AK_X")
    assert (await alone.house.invitations.inspect(made.link.rpartition("/")[2], "")).verification is None


async def test_shown_accepted_and_told(alone: Alone) -> None:
    page = alone.customer[1]
    assert await alone.begin(page) is None
    done = await alone.play()
    assert (done["outcome"], done["left"]) == ("accept", 2)
    states = [told["cases"][0]["state"] for told in page.got("verification.cases")]
    assert states == ["open", "checking", "accepted"]
    assert alone.briefs()[0]["return_url"] == RETURN
    asked = alone.place.risk.asked[-1]
    assert (asked.with_agent, asked.session_kind, asked.assurance) == (False, "verification", "live")
    assert await alone.begin(page) is None
    await alone.until(lambda: len(alone.told()) == 3)
    assert alone.told()[-1]["problem"] == "wrong_state", "one success only"


async def test_what_others_do_to_the_case_is_told(alone: Alone) -> None:
    """By another server on the same database, too: the trail says it."""
    await alone.place.verifications.cancel(alone.place.bank, alone.case)
    assert alone.briefs()[0]["state"] == "open"
    await alone.look()
    assert alone.briefs()[0]["state"] == "cancelled"
    assert await alone.watch.look() == 0


async def test_a_case_that_expires_is_told(alone: Alone) -> None:
    alone.house.clock.seconds += 901
    await alone.place.verifications.settle_due()
    await alone.look()
    assert alone.briefs()[0]["state"] == "expired"


async def test_briefs_that_cannot_be_read_are_read_again(alone: Alone) -> None:
    class Broken:
        async def of_session(self, session: SessionId) -> list[CaseBrief]:
            raise TooMany("not now")

    sessions, alone.house.live.briefs = alone.house.live.briefs, Broken()
    await alone.place.verifications.cancel(alone.place.bank, alone.case)
    await alone.look()
    assert alone.briefs()[0]["state"] == "open"
    alone.house.live.briefs = sessions
    await alone.house.advance(1, alone.customer[1])
    assert alone.briefs()[0]["state"] == "cancelled"


# ---- who gets in


async def test_the_link_opens_one_page_at_a_time(alone: Alone) -> None:
    with pytest.raises(LinkInUse):
        await alone.redeem("somebody else")
    assert [action for action, _ in await alone.house.audit()][-1] == "invitation.refused"
    alone.customer[1].cut()
    with pytest.raises(LinkInUse):
        await alone.redeem()
    await alone.house.advance(25)
    old = alone.customer
    place = await alone.house.participant(old[0])
    assert place.leave_reason is LeaveReason.LOST
    alone.customer = await alone.come()
    assert alone.briefs()[0]["state"] == "open"
    stale = await alone.house.connect(alone.house.token(alone.session, old[0], Role.CUSTOMER))
    assert stale.bye == "unauthorised", "the place before is good for nothing any more"
    await alone.agrees()
    await alone.begin(alone.customer[1])
    assert (await alone.play())["outcome"] == "accept"


async def test_who_loads_the_page_again_is_in_the_same_place(alone: Alone) -> None:
    id, page = alone.customer
    page.cut()
    again = await alone.house.connect(alone.house.token(alone.session, id, Role.CUSTOMER))
    assert again.bye is None
    assert alone.briefs(again)[0]["case"] == alone.case


async def test_who_never_came_with_a_link_does_not_keep_it(alone: Alone) -> None:
    await alone.customer[1].say("leave")
    entry = await alone.redeem()
    with pytest.raises(LinkInUse):
        await alone.redeem()
    alone.house.clock.seconds += 61
    alone.customer = await alone.come()
    assert (await alone.house.participant(entry.participant)).state is ParticipantState.LEFT
    late = await alone.house.connect(entry.token)
    assert late.bye == "unauthorised"


async def test_nobody_else_is_invited_and_nobody_of_the_bank_walks_in(alone: Alone) -> None:
    for role in (Role.CUSTOMER, Role.AGENT, Role.EXPERT):
        with pytest.raises(Conflict):
            await alone.house.invitations.create(alone.session, CreateInvitation(role=role), alone.place.bank.actor)
    for role in (Role.EXPERT, Role.SUPERVISOR, Role.AGENT):
        staff, _ = await alone.house.staff(role)
        with pytest.raises(NotAllowed):
            await alone.house.entries.enter(alone.session, staff, LoginId("LO_X"))
    desk = await alone.desk()
    await alone.house.advance(3, desk, alone.customer[1])
    assert str(alone.session) not in str(desk.frames), "nobody is offered it"
    assert await desk.error("waiting.take", session=alone.session) == "conflict"
    page = await alone.house.sessions.page(status=None, customer_reference=None, limit=9, cursor=None, seen_by=staff)
    assert page.sessions == []


async def test_a_case_of_another_session_is_nobody_s_here(alone: Alone) -> None:
    mine, session = alone.case, alone.session
    await alone.asked_with_link()
    other, alone.case, alone.session = alone.case, mine, session
    await alone.begin(alone.customer[1], other)
    await alone.until(lambda: alone.told())
    assert alone.told()[-1]["problem"] == "not_found"
    assert [brief["case"] for brief in alone.briefs()] == [mine]


async def test_a_second_customer_whom_the_agent_invited_sees_and_begins_nothing(alone: Alone) -> None:
    desk = await alone.desk()
    await alone.customer[1].say("verification.agent", reason="help")
    await alone.take(desk)
    made = await alone.house.invitations.create(alone.session, CreateInvitation(role=Role.CUSTOMER), "PA_X")
    entry = await alone.house.entries.redeem(RedeemInvitation(secret=made.link.rpartition("/")[2], name="a friend"))
    friend = await alone.house.connect(entry.token)
    assert friend.got("verification.cases") == []
    assert await friend.error("verification.begin", case=alone.case, participant=entry.participant) == "not_allowed"


# ---- colours


async def test_without_colours_from_the_beginning(alone: Alone) -> None:
    page = alone.customer[1]
    assert await page.error("verification.begin", case=alone.case, participant=alone.customer[0], light=False) is None
    done = await alone.play()
    assert alone.told()[0]["warning"] is False
    assert [cue["number"] for cue in page.got("verification.cue") if cue["cue"] == "ask"] == [0, 1, 2, 3, 4]
    assert not any(cue["colour"] for cue in page.got("verification.cue"))
    case = await alone.place.case(alone.case)
    assert case.decided is not None
    assert (done["outcome"], case.decided.reasons) == ("refer", ("light_declined",))
    assert (alone.briefs()[0]["state"], alone.briefs()[0]["reasons"]) == ("review", [])


async def test_no_more_colours_in_the_middle(alone: Alone) -> None:
    page = alone.customer[1]
    await alone.begin(page)
    await alone.until(lambda: alone.house.media.taps)
    assert await page.error("verification.cannot", light=True) is None
    done = await alone.play()
    assert not any(cue["colour"] for cue in page.got("verification.cue"))
    case = await alone.place.case(alone.case)
    assert case.decided is not None
    assert (done["outcome"], case.decided.reasons) == ("refer", ("light_declined",))


# ---- asking for a person


async def test_asking_for_a_person_waits_in_line_and_is_taken(alone: Alone) -> None:
    desk = await alone.desk()
    page = alone.customer[1]
    assert await page.error("verification.agent", reason="declined") is None
    await alone.house.live.settle()
    session = await alone.record()
    assert (session.status, session.reason) == (
        SessionStatus.WAITING,
        "Change of a debit card's password · wants no check of the face",
    )
    over, _ = await alone.house.staff(Role.SUPERVISOR)
    assert (await alone.house.entries.enter(alone.session, over, LoginId("LO_S"))).role is Role.SUPERVISOR
    [entry] = desk.got("waiting.list")[-1]["entries"]
    assert (entry["session"], entry["reason"], entry["connected"]) == (alone.session, session.reason, True)
    assert page.got("queue.position")[-1]["position"] == 1
    assert page.got("session.changed")[-1]["session"]["status"] == "waiting"
    assert await page.error("verification.agent", reason="help") is None, "again changes nothing"
    assert await alone.begin(page) == "conflict", "a camera that nobody lets through"
    agent = await alone.take(desk)
    assert alone.briefs(agent)[0]["case"] == alone.case
    assert (await alone.record()).status is SessionStatus.OPEN
    assert await page.error("verification.agent", reason="help") == "conflict", "somebody is there"
    assert await agent.error("verification.begin", case=alone.case, participant=alone.customer[0]) is None
    assert (await alone.play())["outcome"] == "accept"
    asked = [subject for action, subject in await alone.house.audit() if action == "session.asked"]
    assert asked == [alone.session]


async def test_an_agent_who_comes_in_the_middle_was_not_there(alone: Alone) -> None:
    """Nobody gets `with_agent` by asking for one and beginning alone."""
    desk = await alone.desk()
    await alone.customer[1].say("verification.agent", reason="help")
    agent = await alone.take(desk)
    await agent.say("leave")
    await alone.begin(alone.customer[1])
    await alone.play()
    assert alone.place.risk.asked[-1].with_agent is False


async def test_asking_in_the_middle_of_an_attempt_uses_it_up(alone: Alone) -> None:
    await alone.desk()
    await alone.begin(alone.customer[1])
    await alone.until(lambda: alone.house.media.taps)
    await alone.customer[1].say("verification.agent", reason="cannot")
    await alone.until(lambda: len(alone.told()) == 2)
    assert (alone.told()[-1]["outcome"], alone.told()[-1]["left"]) == ("reject", 2)
    async with alone.house.store.read() as tx:
        failures = await alone.place.verifications.cases.failures(tx, "C-1")
    assert failures is not None
    assert failures.count == 1


async def test_nobody_on_duty(alone: Alone) -> None:
    assert await alone.customer[1].error("verification.agent", reason="help") == "no_staff"
    assert (await alone.record()).status is SessionStatus.OPEN
    assert await alone.begin(alone.customer[1]) is None, "they can go on by themselves"


async def test_who_does_not_want_to_wait_goes_on_by_themselves(alone: Alone) -> None:
    desk = await alone.desk()
    page = alone.customer[1]
    for _ in range(2):
        await page.say("verification.agent", reason="help")
        assert await page.error("verification.agent", reason="help", wanted=False) is None
    session = await alone.record()
    assert (session.status, session.reason, session.waiting_since) == (
        SessionStatus.OPEN,
        "Change of a debit card's password",
        None,
    )
    await alone.house.live.settle()
    assert desk.got("waiting.list")[-1]["entries"] == []
    assert await page.error("verification.agent", reason="help", wanted=False) is None
    await alone.begin(page)
    assert (await alone.play())["outcome"] == "accept"


async def test_who_walks_away_from_the_line_can_come_back_by_the_link(alone: Alone) -> None:
    await alone.desk()
    await alone.customer[1].say("verification.agent", reason="help")
    await alone.customer[1].say("leave")
    await alone.house.live.settle()
    assert ((await alone.record()).status, await alone.state()) == (SessionStatus.OPEN, CaseState.OPEN)
    alone.customer = await alone.come()
    await alone.customer[1].say("verification.agent", reason="help")
    alone.customer[1].cut()
    await alone.house.advance(700)
    assert (await alone.record()).status is SessionStatus.OPEN, "nobody waits for ever"


async def test_a_case_does_not_expire_while_its_customer_waits_for_a_person(alone: Alone) -> None:
    """Fifteen minutes of their own, and thirty of waiting in all."""
    page = alone.customer[1]
    made = alone.briefs()[0]["expires_at"]
    desk = await alone.desk()
    await alone.later(800)
    await page.say("verification.agent", reason="help")
    await alone.look()
    assert alone.briefs()[0]["expires_at"] > made, "the page says until when"
    await alone.later(900)
    assert await alone.state() is CaseState.OPEN
    agent = await alone.take(desk)
    await alone.later(800)
    assert await alone.state() is CaseState.OPEN, "nor while they talk"
    assert await agent.error("verification.begin", case=alone.case, participant=alone.customer[0]) is None
    assert (await alone.play())["outcome"] == "accept"
    held = [(action, subject) for action, subject in await alone.house.audit() if action.startswith("verification.held")]
    assert held == [("verification.held", alone.case)]


async def test_nobody_waits_for_a_person_for_ever(alone: Alone) -> None:
    await alone.desk()
    await alone.customer[1].say("verification.agent", reason="help")
    await alone.later(900 + 1799)
    assert await alone.state() is CaseState.OPEN
    await alone.later(2)
    assert await alone.state() is CaseState.EXPIRED
    assert alone.briefs()[0]["state"] == "expired", "and the page knows"


async def test_who_goes_on_alone_has_the_time_that_was_left(alone: Alone) -> None:
    await alone.desk()
    page = alone.customer[1]
    await alone.later(300)
    await page.say("verification.agent", reason="help")
    await alone.later(500)
    assert await page.error("verification.agent", reason="help", wanted=False) is None
    await alone.later(599)
    assert await alone.state() is CaseState.OPEN
    await alone.later(2)
    assert await alone.state() is CaseState.EXPIRED
    told = [action for action, subject in await alone.house.audit() if subject == alone.case]
    assert [action for action in told if action in ("verification.held", "verification.released")] == [
        "verification.held",
        "verification.released",
    ]


async def test_only_customers_of_such_sessions_ask(alone: Alone) -> None:
    plain = await alone.house.session()
    _, other = await alone.house.enter(plain)
    assert await other.error("verification.agent", reason="help") == "conflict"
    _, staff = await alone.house.enter(plain, Role.AGENT)
    assert await staff.error("verification.agent", reason="help") == "not_allowed"
    assert await other.error("verification.agent", reason="money") == "invalid"


async def test_no_other_case_comes_into_a_customers_own_session(alone: Alone) -> None:
    """Neither of another of the bank's systems, which is told of no such session, nor a second one of the same."""
    bank = alone.place.bank
    try:
        alone.place.bank = replace(bank, actor="AK_" + "Z" * 26)
        with pytest.raises(NotFound):
            await alone.place.ready(customer="C-1", session=alone.session)
    finally:
        alone.place.bank = bank
    with pytest.raises(SessionTaken):
        await alone.place.ready(customer="C-1", session=alone.session)
