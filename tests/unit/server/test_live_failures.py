"""What live sessions do when something they need fails, hangs or is full."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from server.live.settings import LiveSettings
from tests.support.fake_media import OFFER
from tests.support.signalling import BrittleStore, House, Page


@pytest.fixture
async def house() -> AsyncIterator[House]:
    house = House()
    yield house
    await house.close()


class StuckStore(BrittleStore):
    """While ``stuck`` is set, reading waits for ever."""

    stuck = False

    def read(self) -> Any:
        return self._stuck_read() if self.stuck else super().read()

    @asynccontextmanager
    async def _stuck_read(self) -> AsyncIterator[None]:
        await asyncio.Event().wait()
        yield


class StuckHouse(House):
    store_class = StuckStore
    store: StuckStore


@pytest.mark.parametrize("settings", [LiveSettings(join_s=0.001), LiveSettings(store_s=0.001)])
async def test_a_store_that_hangs_does_not_hang_the_page(settings: LiveSettings) -> None:
    house = StuckHouse(settings)
    session = await house.session()
    _, token = await house.place(session)
    _, desk_token = await house.staff()
    house.store.stuck = True
    for one in (token, desk_token):
        page = Page(house, house.live.new_connection())
        await house.greet(page, one)
        assert page.bye == "internal"
    house.store.stuck = False
    await house.live.close(0.01)


async def test_a_defect_while_greeting_costs_one_connection(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    session = await house.session()
    _, token = await house.place(session)

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("a defect")

    with monkeypatch.context() as patch:
        patch.setattr(house.verifier, "verify", broken)
        assert (await house.connect(token)).bye == "internal"
    assert (await house.connect(token)).bye is None


async def test_a_defect_in_a_message_costs_one_message(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    session = await house.session()
    _, page = await house.enter(session)
    _, token = await house.staff()
    desk = await house.connect(token)

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("a defect")

    with monkeypatch.context() as patch:
        patch.setattr(house.media, "connect", broken)
        patch.setattr(house.sessions, "end", broken)
        patch.setattr(house.sessions, "take", broken)
        assert await page.error("media.offer", sdp=OFFER) == "internal"
        assert await page.error("session.end") == "internal"
        assert await desk.error("waiting.take", session=session) == "internal"
    assert await page.error("chat.send", client_id="1", text="goes on") is None


async def test_full_inboxes_end_the_connection(house: House) -> None:
    session = await house.session()
    _, page = await house.enter(session)
    _, token = await house.staff()
    desk = await house.connect(token)
    for actor in (house.live._sessions[session].actor, house.live._desks.actor):

        async def idle() -> None: ...

        while actor.post(idle):
            pass
    page.post("track.state", source="camera", on=True)
    desk.post("waiting.take", session=session)
    assert page.bye == desk.bye == "internal"
