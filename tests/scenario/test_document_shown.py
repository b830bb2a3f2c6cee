"""Photographs of drawn cards shown in a live attempt, read by real workers with the installed pack: the step from the pictures to the check."""

import hashlib
import itertools
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

import cv2
import numpy as np
import pytest
import pytest_asyncio

from server.transactions.decision import CheckOutcome
from server.transactions.policy import Check
from tests.support import cards, packs, portraits
from tests.support.card_person import CardScene, pack
from tests.support.live_person import PORTRAIT, Frame
from tests.support.performer import Person
from tests.unit.server.transactions.test_documents_shown import POLICY, Play, challenges
from verification.documents.reading import DocumentReading
from verification.engine.pool import EngineConfig, EnginePool
from verification.ports import DocumentSeen
from verification.types import Picture

pytestmark = pytest.mark.asyncio(loop_scope="module")
SIZE = (1280, 720)
SHOT = cards.Shot(size=SIZE, fill=0.55, lean=4.0, tilt=0.15, noise=3.0)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pool() -> AsyncIterator[EnginePool]:
    packs.base()
    config = EngineConfig(pack="base", models_dir=packs.FOLDER, document_workers=1, work_s=60.0, stall_s=90.0, deadline_s=120.0)
    async with EnginePool(config) as pool:
        await pool.readers.wait_ready()
        yield pool


@pytest.fixture(autouse=True)
def drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same nonces in each run; and a picture is read each 0.8 s of the attempt, however long that takes here."""
    numbers = itertools.count()
    monkeypatch.setattr(
        "server.challenges.secrets.token_bytes", lambda size: hashlib.sha256(b"%d" % next(numbers)).digest()[:size]
    )
    monkeypatch.setattr("server.documents_shown.time.monotonic", lambda: 0.0)


@dataclass
class Table(CardScene):
    """``photographs``: of what lies there, by what is asked for; without one an empty table. The camera moves: each picture is another one, and some are
    blurred. ``faces``: templates by what the attempt calls them."""

    pool: EnginePool | None = None
    photographs: dict[str, Picture] = field(default_factory=dict)
    faces: dict[bytes, bytes] = field(default_factory=dict)
    readings: list[DocumentReading] = field(default_factory=list)

    def frame(self, index: int, now: float) -> Frame:
        frame = super().frame(index, now)
        if not self.wanted:
            return frame
        picture = self.photographs.get(self.wanted, cards.table(*SIZE))
        if index % 3:
            picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), 1.0 + index % 3), np.uint8)
        return replace(frame, pixels=memoryview(np.ascontiguousarray(picture).tobytes()), width=SIZE[0], height=SIZE[1])

    async def document_frame(
        self, pixels: memoryview | bytes, width: int, height: int, *, today: date, references: Sequence[bytes] = ()
    ) -> DocumentSeen:
        assert self.pool is not None
        known = tuple(self.faces[one] for one in references)
        found = await self.pool.document_frame(pixels, width, height, today=today, references=known)
        self.readings.append(found.reading)
        return found


async def table(pool: EnginePool, **photographs: Picture) -> Table:
    """The person of ``portraits.portrait`` is before the camera, and the customer."""
    customer = portraits.portrait()
    faces = {
        name: (await pool.embed(cards.jpeg(picture))).template
        for name, picture in ((PORTRAIT, customer), (b"first", portraits.light(customer, 0.8, 12)))
    }
    info = replace(pack(), points=pool.pack.points, default_fmr=pool.pack.default_fmr)
    return Table(Person(), info=info, pool=pool, photographs=photographs, faces=faces)


async def played(scene: Table, *, most: int = 8, until: Callable[[Play], bool] = lambda play: False) -> Play:
    """At most so many readings; then they say that they have no other."""
    play = Play(scene, await challenges(scene).begin(POLICY, PORTRAIT))
    while not play.check.over and not until(play):
        await play.on(0.4)
        if len(scene.readings) >= most:
            play.take(play.check.cannot(play.now))
    return play


def outcome(play: Play) -> tuple[CheckOutcome, tuple[str, ...]]:
    return next((one.outcome, one.reasons) for one in play.check.result().checks if one.name is Check.DOCUMENT)


def advice(play: Play) -> set[str]:
    return {reason for _, reasons in play.cards for reason in reasons}


async def test_both_sides_of_a_resident_identity_card(pool: EnginePool) -> None:
    front = cards.photograph(cards.front(face=portraits.portrait()), SHOT)
    back = cards.photograph(cards.back(), replace(SHOT, seed=2, turn=180))
    scene = await table(pool, show_card=front, turn_over=back)
    play = await played(scene)
    assert outcome(play) == (CheckOutcome.PASS, ())
    assert [action for action, _ in play.cards] == ["show_card", "turn_over", "seen"]
    assert all(reading.accepted for reading in scene.readings)  # the sharpest of each while
    pictures = [one for one in (await play.check.material()).pictures if one.shown.kind == "document"]
    assert [one.shown.asked for one in pictures] == ["cn_resident_id_front", "cn_resident_id_back"]


async def test_a_passport_of_somebody_else(pool: EnginePool) -> None:
    other = portraits.azure("Family1-Dad3.jpg")
    page = cards.photograph(cards.passport(face=other), replace(SHOT, fill=0.6))
    play = await played(await table(pool, show_card=page))
    assert outcome(play) == (CheckOutcome.FAIL, ("document_other_person",))


async def test_a_card_too_far_away_is_told_so(pool: EnginePool) -> None:
    far = cards.photograph(cards.front(face=portraits.portrait()), replace(SHOT, fill=0.3))
    play = await played(await table(pool, show_card=far), most=2)
    assert advice(play) == {"document_too_small"}
    assert outcome(play) == (CheckOutcome.REFER, ("document_not_shown",))


async def test_an_expired_card_and_a_bank_card(pool: EnginePool) -> None:
    front = cards.photograph(cards.front(face=portraits.portrait()), SHOT)
    back = cards.photograph(cards.back(begins="2005.05.09", ends="2025.05.09"), SHOT)
    play = await played(await table(pool, show_card=front, turn_over=back), most=4)
    assert advice(play) == {"document_expired"}
    assert outcome(play) == (CheckOutcome.FAIL, ("document_expired",))
    bank = await played(await table(pool, show_card=cards.photograph(cards.bank_card(), SHOT)), most=2)
    assert outcome(bank) == (CheckOutcome.REFER, ("document_not_shown",))
