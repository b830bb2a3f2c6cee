"""Hand-over and lost agents in any order of what people, pages, the relay and the store do: nobody hears what they must not, nobody
hangs on hold, one leads."""

import asyncio
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from server.domain.model import Role, SessionStatus
from server.errors import Conflict, Gone, NotAllowed, StoreUnavailable
from tests.support.colleagues import Branch, Colleague, Inside, give
from tests.support.signalling import Page


class Handovers(RuleBasedStateMachine):
    """One session with a customer, three accounts at desks, one of which leads; the clock is moved."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.house = Branch()
        self.pages: dict[int, Page] = {}
        self.run(self.begin())

    def run(self, what: Any) -> Any:
        return self.runner.run(what)

    async def begin(self) -> None:
        self.staff: list[Colleague] = [await self.house.colleague() for _ in range(3)]
        self.session = await self.house.session(created_by=self.staff[0].id)
        self.customer = Inside(*await self.house.enter(self.session))
        await give(self.customer.page, "microphone")
        await self.came(0, (await self.house.comes(self.session, self.staff[0]))[1])

    async def came(self, who: int, page: Page) -> None:
        if page.bye is None:
            self.pages[who] = page
            await give(page, "microphone", "camera")

    def teardown(self) -> None:
        self.run(self.house.close())
        self.runner.close()

    def talking(self) -> list[Page]:
        pages = [page for page in self.pages.values() if page.bye is None]
        return [*pages, self.customer.page, *(one.desk for one in self.staff)]

    @property
    def live(self) -> Any:
        return self.house.live._sessions.get(self.session)

    # ------------------------------------------------------------ what happens

    @rule(who=st.integers(0, 2), to=st.none() | st.integers(0, 2), warm=st.booleans())
    def offers(self, who: int, to: int | None, warm: bool) -> None:
        if who in self.pages:
            fields = {"to": None if to is None else self.staff[to].id, "warm": warm}
            self.run(self.pages[who].say("handover.offer", **fields))

    @rule(who=st.integers(0, 2), accepted=st.booleans())
    def answers(self, who: int, accepted: bool) -> None:
        self.run(self.staff[who].desk.say("handover.answer", session=self.session, accepted=accepted))

    @rule(one=st.integers(0, 2), other=st.integers(0, 2))
    def both_accept(self, one: int, other: int) -> None:
        before = [len(staff.desk.got("handover.taken")) for staff in self.staff]
        for who in {one, other}:
            self.staff[who].desk.post("handover.answer", session=self.session, accepted=True)
        self.run(self.house.live.settle())
        after = [len(staff.desk.got("handover.taken")) for staff in self.staff]
        assert sum(after) - sum(before) <= 1

    @rule(who=st.integers(0, 2))
    def comes(self, who: int) -> None:
        taken = self.staff[who].desk.got("handover.taken")
        if taken:
            self.run(self.sits(who, taken[-1]["token"]))

    @rule(who=st.integers(0, 2))
    def comes_by_the_desk(self, who: int) -> None:
        async def enter() -> None:
            entry = await self.house.entries.enter(self.session, self.staff[who].id, self.staff[who].login)
            self.house.live.session_changed(await self.house.sessions.get(self.session))
            await self.sits(who, entry.token)

        try:
            self.run(enter())
        except (Conflict, NotAllowed, Gone, StoreUnavailable):
            return

    async def sits(self, who: int, token: str) -> None:
        await self.came(who, await self.house.connect(token))

    @rule(who=st.integers(0, 2))
    def connects(self, who: int) -> None:
        if who in self.pages and self.pages[who].bye is None:
            self.house.media.peer(self.session, self.pages[who].snapshot["you"]["id"], "connected")
            self.house.media.track(self.session, self.pages[who].snapshot["you"]["id"], "camera", True)
            self.run(self.house.live.settle())

    @rule(who=st.integers(0, 2), what=st.sampled_from(["handover.complete", "handover.cancel", "leave"]))
    def says(self, who: int, what: str) -> None:
        if who in self.pages:
            self.run(self.pages[who].say(what))

    @rule(who=st.integers(0, 2))
    def is_cut(self, who: int) -> None:
        if who in self.pages:
            self.pages.pop(who).cut()
            self.run(self.house.live.settle())

    @rule(broken=st.booleans())
    def store(self, broken: bool) -> None:
        self.house.store.broken = broken

    @rule(seconds=st.sampled_from([0.2, 1.0, 4.0, 16.0, 31.0]))
    def time_passes(self, seconds: float) -> None:
        self.run(self.house.advance(seconds, *self.talking()))

    @precondition(lambda self: self.live is not None)
    @rule()
    def everything_settles(self) -> None:
        """With a store that works and some time nothing is under way any more that only waits for time."""
        self.house.store.broken = False
        self.run(self.house.advance(70, *self.talking()))
        live = self.live
        if live is None:
            return
        assert live.leaving is None
        assert live.handing is None or live.handing.stage.name == "HERE", live.handing
        if live.handing is not None:  # only a talk of two who are both there goes on
            assert live.handing.warm
            assert {live.handing.giver, live.handing.to} <= set(live.members)
        assert live.lost is None

    # ------------------------------------------------------------ what must always be so

    @invariant()
    def the_customer_is_on_hold_exactly_while_two_others_talk(self) -> None:
        live = self.live
        if live is None or self.customer.id not in live.members:
            return
        consults = live.record.consults_at is not None
        member = live.members[self.customer.id]
        assert member.aside is consults
        if member.applied is not None:
            assert (self.house.circle(self.session, self.customer.id) != "") is consults

    @invariant()
    def record_and_memory_agree(self) -> None:
        live = self.live
        if live is None or live.record is None:
            return
        stored = self.house.store._committed.sessions[self.session]
        assert (stored.handover_to, stored.consults_at, stored.taken_by, stored.status) == (
            live.record.handover_to,
            live.record.consults_at,
            live.record.taken_by,
            live.record.status,
        )
        if live.handing is not None and live.handing.to is not None:
            assert live.record.handover_to == live.handing.to
        if live.handing is None:
            assert live.record.handover_to is None

    @invariant()
    def nobody_is_heard_in_a_session_that_waits(self) -> None:
        live = self.live
        if live is not None and live.record is not None and live.record.status is SessionStatus.WAITING:
            for member in live.members.values():
                assert self.house.gates(self.session, member.id) == set()

    @invariant()
    def whoever_left_is_not_heard(self) -> None:
        live = self.live
        if live is not None:
            for room, participant in self.house.media.gates:
                if room == self.session and participant not in live.members:
                    assert not self.house.media.gates[room, participant]

    @invariant()
    def one_leads(self) -> None:
        """Of those staff who came by an account: besides the one on the way and the one who leaves nobody else is inside."""
        live = self.live
        if live is None:
            return
        agents = [one for one in live.members.values() if one.participant.role is Role.AGENT and not one.leaving]
        others = [one for one in agents if one.id != (live.handing.to if live.handing is not None else None)]
        assert len(others) <= 1, [one.id for one in others]


TestHandovers = Handovers.TestCase
TestHandovers.settings = settings(
    max_examples=20,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.generate],
)
