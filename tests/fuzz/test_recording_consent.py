"""Whatever happens in a session, in whatever order, and whatever fails: of nobody is recorded who has not agreed, and all is well again after."""

import asyncio
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from server.domain.model import ConsentDecision, ConsentScope, Role
from tests.support.recorded import Studio
from tests.support.signalling import Page

ROLES = (Role.CUSTOMER, Role.AGENT, Role.EXPERT, Role.SUPERVISOR, Role.CUSTOMER)
who = st.integers(0, len(ROLES) - 1)
steps = st.one_of(
    st.tuples(st.just("record"), st.sampled_from(["on", "on", "paused", "off"])),
    st.tuples(st.just("decide"), who, st.sampled_from(["given", "given", "refused", "withdrawn"])),
    st.tuples(st.just("hold"), who, st.booleans()),
    st.tuples(st.just("supervise"), st.sampled_from(["listen", "join"])),
    st.tuples(st.just("leave"), who),
    st.tuples(st.just("come"), who),
    st.tuples(st.just("store"), st.booleans()),
    st.tuples(st.just("relay"), st.booleans()),
    st.tuples(st.just("recorder"), st.booleans()),
    st.tuples(st.just("disk")),
    st.tuples(st.just("worker")),
    st.tuples(st.just("time"), st.sampled_from([0.5, 2.0, 7.0])),
    st.tuples(st.just("chat"), who),
)


class World:
    def __init__(self) -> None:
        self.house = Studio()
        self.ids: dict[int, str] = {}
        self.pages: dict[int, Page] = {}
        self.no: set[str] = set()  # whose last word it was, stored or not

    async def begin(self) -> None:
        self.session = await self.house.session()
        for number in range(3):  # a supervisor may come later
            await self.come(number)

    async def come(self, number: int) -> None:
        if number in self.pages or self.house.store.broken:
            return
        id, token = await self.house.place(self.session, ROLES[number])
        page = await self.house.connect(token)
        if page.bye is None:
            self.ids[number], self.pages[number] = id, page

    async def do(self, step: tuple[Any, ...]) -> None:
        house, agent = self.house, self.pages.get(1)
        kind, *more = step
        page = self.pages.get(more[0]) if more and isinstance(more[0], int) and not isinstance(more[0], bool) else None
        if kind == "record" and agent is not None:
            await agent.say("recording.set", state=more[0])
        elif kind == "decide" and page is not None:
            said = {"scope": "recording", "decision": more[1], "wording": "recording-1", "language": "en"}
            refused = await page.error("consent.set", **said)
            if more[1] != "given":
                self.no.add(self.ids[more[0]])
            elif refused is None:
                self.no.discard(self.ids[more[0]])
        elif kind == "hold" and agent is not None and page is not None and page is not agent:
            await agent.say("participant.hold", participant=self.ids[more[0]], held=more[1])
        elif kind == "supervise" and 3 in self.pages:
            await self.pages[3].say("supervise", mode=more[0])
        elif kind == "leave" and page is not None:
            await page.say("leave")
            if page.bye is not None:
                del self.pages[more[0]]
        elif kind == "come":
            await self.come(more[0])
        elif kind == "chat" and page is not None:
            await page.say("chat.send", client_id=str(page.seq), text="hello")
        elif kind == "store":
            house.store.broken = more[0]
        elif kind == "relay":
            house.media.down = more[0]
        elif kind == "recorder":
            (house.recorder.lose if more[0] else house.recorder.come_back)()
        elif kind == "disk":
            for recording in list(house.recorder.under_way):
                house.recorder.fail(recording)
        elif kind == "worker":
            house.media.lose(self.session)
        elif kind == "time":
            await house.advance(more[0], *self.pages.values())
        await house.live.settle()

    async def agreed(self) -> set[str]:
        async with self.house.store.read() as tx:
            consents = await tx.latest_consents(self.session)
        return {
            consent.participant_id
            for consent in consents
            if consent.scope is ConsentScope.RECORDING and consent.decision is ConsentDecision.GIVEN
        }

    async def check(self) -> None:
        """What the relay was last told, where it answers; where it does not, what the recorder keeps."""
        recorded = self.house.whom(self.session)
        if not recorded:
            return
        said = self.house.media.recordings[self.session]
        silent = self.house.recorder.under_way.get(said.recording, True) or self.house.recorder.down
        agreed = await self.agreed() - self.no
        live = self.house.live._sessions[self.session]
        members = live.members
        may = {
            member.id
            for member in members.values()
            if member.id in agreed and member.participant.held_at is None and member.participant.listens_at is None
        }
        taken_down = {id for name, _, id in self.house.media.calls if name == "disconnect"}
        assert recorded <= may or silent or recorded - may <= taken_down, (recorded - may, said.state)
        if not silent:
            customers = {m.id for m in members.values() if m.participant.role is Role.CUSTOMER}
            leads = {m.id for m in members.values() if m.participant.role in (Role.AGENT, Role.SUPERVISOR)}
            assert customers, "nobody is served"
            assert customers <= agreed, "a customer has not agreed"
            assert leads & agreed, "nobody who leads has agreed"
        stored = {recording.id: recording for recording in await self.house.recordings()}
        assert recorded <= set(stored[said.recording].participants)  # type: ignore[index]


async def play(sequence: list[tuple[Any, ...]]) -> None:
    world = World()
    await world.begin()
    try:
        for step in sequence:
            await world.do(step)
            await world.check()
        house = world.house
        house.store.broken = house.media.down = False
        house.recorder.come_back()
        await house.advance(10, *world.pages.values())
        await world.check()
        for one in world.pages.values():
            shown = one.got("recording")[-1] if one.got("recording") else one.snapshot["recording"]
            assert shown["state"] != "on" or set(shown["recorded"]) == house.whom(world.session)
            assert not (shown["state"] == "failed" and shown["problem"] in ("relay", "recorder")), shown
        if 1 in world.pages:
            await world.pages[1].say("session.end")
            await house.advance(700)
            assert house.recorder.under_way == {}
            assert all(recording.ended_at is not None for recording in await house.recordings())
            assert not house.live._sessions or not house.live._sessions[world.session].recording.undone
    finally:
        await world.house.close()


@settings(deadline=None, max_examples=80)
@given(st.lists(steps, min_size=2, max_size=25))
def test_of_nobody_is_recorded_who_has_not_agreed(sequence: list[tuple[Any, ...]]) -> None:
    asyncio.run(play([("record", "on"), *(("decide", number, "given") for number in range(3)), *sequence]))
