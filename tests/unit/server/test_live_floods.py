"""What one person says that is written down is bounded; taking a consent back is not."""

import pytest

from server.domain.model import ConsentDecision, ConsentScope
from server.live.settings import LiveSettings
from tests.support.signalling import House, Page

BURST = int(LiveSettings().stored_burst)


@pytest.fixture
async def page() -> Page:
    house = House()
    _, token = await house.place(await house.session())
    return await house.connect(token)


def decision(scope: str, decision: str) -> dict[str, str]:
    return {"scope": scope, "decision": decision, "wording": "w", "language": "en"}


async def test_a_chat_flood_is_refused_and_the_connection_goes_on(page: Page) -> None:
    codes = [await page.error("chat.send", client_id=f"c{n}", text="x") for n in range(BURST + 5)]
    assert codes == [None] * BURST + ["too_many"] * 5
    assert len(page.got("chat.message")) == BURST
    page.house.clock.seconds += 1
    assert await page.error("chat.send", client_id="later", text="x") is None


async def test_a_flood_of_offers_does_not_reach_the_relay(page: Page) -> None:
    codes = [await page.error("media.offer", sdp="v=0") for _ in range(30)]
    allowed = int(LiveSettings().offers_burst)
    assert "too_many" not in codes[:allowed]
    assert codes[allowed:] == ["too_many"] * (30 - allowed)
    page.house.clock.seconds += 2
    assert await page.error("media.offer", sdp="v=0") != "too_many"


async def test_consent_is_taken_back_in_a_flood_and_a_yes_is_not_stored(page: Page) -> None:
    assert await page.error("consent.set", **decision("camera", "given")) is None
    while await page.error("consent.set", **decision("microphone", "given")) is None:
        pass
    stored = len(page.got("consent.changed"))
    assert await page.error("consent.set", **decision("camera", "withdrawn")) is None
    assert len(page.got("consent.changed")) == stored + 1
    room, participant = page.snapshot["session"]["id"], page.snapshot["you"]["id"]
    assert page.house.media.gates[room, participant] == frozenset({"microphone"})
    assert await page.error("consent.set", **decision("camera", "given")) == "too_many"
    assert await page.error("consent.set", **decision("screen", "refused")) == "too_many"
    assert page.house.media.gates[room, participant] == frozenset({"microphone"})
    async with page.house.store.read() as tx:
        newest = {consent.scope: consent.decision for consent in await tx.latest_consents(room)}
    assert newest == {
        ConsentScope.CAMERA: ConsentDecision.WITHDRAWN,
        ConsentScope.MICROPHONE: ConsentDecision.GIVEN,
    }
