"""Which pictures of an attempt are kept."""

from dataclasses import dataclass

import pytest

from server.errors import VerificationLost
from server.keeping import RESERVED, Keeping, Seen
from server.transactions.material import MAX_PICTURES, PictureKind


@dataclass(frozen=True, slots=True)
class Frame:
    """``server.live.ports.TapPicture``; its number is its pixels."""

    index: int
    rtp_time: int = 0
    received_at: float = 0.0
    width: int = 640
    height: int = 480
    sha256: bytes = b""
    nonce: bytes = b""
    lost: int = 0

    @property
    def pixels(self) -> memoryview:
        return memoryview(str(self.index).encode())


class Worker:
    def __init__(self) -> None:
        self.made: list[bytes] = []
        self.broken = False

    async def still(self, pixels: memoryview, width: int, height: int) -> bytes:
        if self.broken:
            raise VerificationLost("gone")
        assert (width, height) == (640, 480)
        self.made.append(bytes(pixels))
        return b"jpeg " + bytes(pixels)


@pytest.fixture
def worker() -> Worker:
    return Worker()


@pytest.fixture
def keeping(worker: Worker) -> Keeping:
    return Keeping(worker.still)


def saw(keeping: Keeping, index: int, **fields: object) -> None:
    keeping.saw(Seen(picture=Frame(index), at_s=index / 10, **fields))  # type: ignore[arg-type]


async def kept(keeping: Keeping) -> dict[str, tuple[bytes, str, int]]:
    return {one.shown.name: (one.jpeg[5:], one.shown.asked, one.shown.at_ms) for one in await keeping.pictures()}


async def test_the_first_good_one_the_best_match_and_the_last(keeping: Keeping) -> None:
    for index, (good, match) in enumerate([(False, None), (True, 0.4), (True, 0.9), (True, 0.6), (False, None)]):
        saw(keeping, index, good=good, match=match, pad=0.75, quality=1.5)
    assert await kept(keeping) == {"first-1": (b"1", "", 100), "match-1": (b"2", "", 200), "last-1": (b"4", "", 400)}
    shown = {one.shown.kind: one.shown for one in keeping.kept}
    assert (shown[PictureKind.MATCH].match, shown[PictureKind.LAST].match) == (0.9, None)
    assert (shown[PictureKind.MATCH].pad, shown[PictureKind.MATCH].quality) == (0.75, 1.0)


async def test_an_action_at_its_peak_whichever_way_it_goes(keeping: Keeping) -> None:
    keeping.asked("turn_left")
    for index, yaw in enumerate([2.0, 10.0, 31.0, 28.0, None, 5.0]):
        saw(keeping, index, stretch=yaw)
    keeping.rest()
    saw(keeping, 6, stretch=90.0)  # nothing is asked for
    keeping.asked("blink")
    for index, eyes in enumerate([0.3, 0.29, 0.04, 0.3], start=7):
        saw(keeping, index, stretch=eyes)
    found = await kept(keeping)
    assert found["action-1"] == (b"2", "turn_left", 200)
    assert found["action-2"] == (b"9", "blink", 900)
    assert set(found) == {"action-1", "action-2", "last-1"}


async def test_each_colour_just_before_the_next(keeping: Keeping) -> None:
    saw(keeping, 0)
    keeping.coloured("#ff0000")
    saw(keeping, 1)
    saw(keeping, 2)
    keeping.coloured("#00ff00")
    keeping.coloured("#0000ff")  # nothing was seen of the one before
    saw(keeping, 3)
    found = await kept(keeping)
    assert found["colour-1"] == (b"2", "#ff0000", 200)
    assert found["colour-2"] == (b"3", "#0000ff", 300)


async def test_no_more_than_sixteen_and_the_last_ones_have_their_places(keeping: Keeping, worker: Worker) -> None:
    for index in range(40):
        keeping.asked("nod")
        saw(keeping, index, stretch=1.0, match=0.5 + index / 100)
        keeping.rest()
        keeping.add(PictureKind.DOCUMENT, Seen(picture=Frame(1000 + index), at_s=0.0))
    found = await kept(keeping)
    assert len(found) == MAX_PICTURES
    assert (found["match-1"][0], found["last-1"][0]) == (b"39", b"39")
    assert sum(name.startswith(("action", "document")) for name in found) == MAX_PICTURES - RESERVED
    assert sum(name.startswith("document") for name in found) > 2
    assert len(worker.made) == MAX_PICTURES


async def test_a_document_has_its_places_however_much_was_asked_for(keeping: Keeping) -> None:
    for index in range(20):
        keeping.asked("nod")
        saw(keeping, index, stretch=1.0)
        keeping.rest()
    for side in ("front", "back"):
        keeping.add(PictureKind.DOCUMENT, Seen(picture=Frame(50), at_s=9.0), side)
    found = await kept(keeping)
    assert [(found[name][1]) for name in ("document-1", "document-2")] == ["front", "back"]
    assert "last-1" in found


async def test_what_is_settled_is_made_small_at_once_and_what_may_change_is_not(keeping: Keeping, worker: Worker) -> None:
    saw(keeping, 0, good=True)
    await keeping.settle()
    assert worker.made == [b"0"]
    keeping.asked("nod")
    saw(keeping, 1, stretch=1.0)
    await keeping.settle()
    assert worker.made == [b"0"]
    keeping.rest()
    await keeping.settle()
    await keeping.settle()
    assert worker.made == [b"0", b"1"]


async def test_what_cannot_be_made_is_told_and_the_others_are_there(keeping: Keeping, worker: Worker) -> None:
    saw(keeping, 0, good=True)
    await keeping.settle()
    worker.broken = True
    with pytest.raises(VerificationLost):
        await keeping.pictures()
    assert [one.shown.name for one in keeping.kept] == ["first-1"]


async def test_nothing_seen_is_nothing_kept(keeping: Keeping) -> None:
    keeping.asked("nod")
    keeping.coloured("#ff0000")
    assert await keeping.pictures() == ()
