"""Many things at once, in any order: afterwards the record, the relay and the connections agree (campaigns 2 and 7)."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.domain.model import ConsentDecision, ParticipantState, Role, SessionStatus
from server.errors import TongpingError
from server.signalling.protocol import State
from tests.support.fake_media import OFFER
from tests.support.signalling import House, Page

pytestmark = [pytest.mark.campaign(2), pytest.mark.campaign(7)]
PEOPLE = 3

person = st.integers(0, PEOPLE - 1)
steps = st.one_of(
    st.tuples(st.sampled_from(["hello", "resume", "cut", "offer", "leave", "remove", "end", "lost worker"]), person),
    st.tuples(st.sampled_from(["given", "refused", "withdrawn"]), person),
    st.tuples(st.sampled_from(["settle", "wait 5", "wait 25", "break store", "mend store", "relay down", "relay up"]), person),
)


class Play:
    """Three people in one session, and what they do."""

    def __init__(self) -> None:
        self.house = House()
        self.places: list[tuple[Any, str]] = []
        self.pages: list[list[Page]] = [[] for _ in range(PEOPLE)]
        self.tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        self.session = await self.house.session()
        roles = (Role.CUSTOMER, Role.AGENT, Role.EXPERT)
        self.places = [await self.house.place(self.session, role) for role in roles]

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        self.tasks.append(asyncio.create_task(work))

    def last(self, who: int) -> Page | None:
        welcomed = [page for page in self.pages[who] if any(frame["t"] == "welcome" for frame in page.frames)]
        return welcomed[-1] if welcomed else None

    async def attempt(self, work: Coroutine[Any, Any, Any]) -> None:
        try:
            await work
        except TongpingError:
            pass  # documented: it was not done

    async def step(self, what: str, who: int) -> None:
        house, (id, token), page = self.house, self.places[who], self.last(who)
        if what in ("hello", "resume"):
            newcomer = Page(house, house.live.new_connection())
            self.pages[who].append(newcomer)
            resume = page.resume() if what == "resume" and page is not None else None
            newcomer.seq = page.seq if resume is not None and page is not None else 0
            self.spawn(house.greet(newcomer, token, resume))
        elif what == "cut" and page is not None:
            page.cut()
        elif what == "offer" and page is not None:
            page.post("media.offer", sdp=OFFER)
        elif what == "leave" and page is not None:
            page.post("leave")
        elif what in ("given", "refused", "withdrawn") and page is not None:
            page.post("consent.set", scope="camera", decision=what, wording="camera-1", language="zh")
        elif what == "remove":
            self.spawn(self.attempt(house.live.remove_participant(self.session, id, "AK_1")))
        elif what == "end" and who == 0:
            self.spawn(self.attempt(house.live.end_session(self.session, "", "AK_1")))
        elif what == "lost worker":
            house.media.lose(self.session)
        elif what == "settle":
            await self.calm()
        elif what.startswith("wait"):
            await self.calm()
            await house.advance(float(what.split()[1]), *[page for page in map(self.last, range(PEOPLE)) if page is not None])
        elif what in ("break store", "mend store"):
            house.store.broken = what == "break store"
        elif what in ("relay down", "relay up"):
            house.media.down = what == "relay down"

    async def calm(self) -> None:
        while self.tasks:
            await asyncio.gather(*self.tasks)
            self.tasks = [task for task in self.tasks if not task.done()]
        await self.house.live.settle()

    async def check(self) -> None:
        house = self.house
        house.store.broken = house.media.down = False
        await self.calm()
        await house.advance(2, *[page for page in map(self.last, range(PEOPLE)) if page is not None])
        here = house.live.connected(self.session)
        session = await house.sessions.get(self.session)
        async with house.store.read() as tx:
            consents = {consent.participant_id: consent for consent in await tx.latest_consents(self.session)}
        if session.status is SessionStatus.ENDED:
            assert not here
        for who, (id, _) in enumerate(self.places):
            stored = await house.participant(id)
            assert (stored.state is ParticipantState.JOINED) is (id in here), (stored.state, id in here)
            connections = {page.connection.id for page in self.pages[who] if page.connection.state is State.OPEN}
            assert len(connections) <= 1
            assert not connections or id in here
            forwarded = house.media.gates.get((self.session, id), frozenset())
            given = id in consents and consents[id].decision is ConsentDecision.GIVEN
            assert forwarded <= ({"camera"} if given and id in here else set())
            assert id in here or (self.session, id) not in house.media.offers


@given(st.lists(steps, max_size=25))
def test_whatever_happens_at_once(sequence: list[tuple[str, int]]) -> None:
    async def scenario() -> None:
        play = Play()
        await play.start()
        for what, who in sequence:
            await play.step(what, who)
        await play.check()
        await play.house.close()

    asyncio.run(scenario())
