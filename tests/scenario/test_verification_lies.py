"""A process in the place of a verification worker, taken over: what it says and must not say is not believed, and it is renewed."""

from pathlib import Path

import pytest

from tests.support.engine_pools import engine, script, until
from tests.support.tiny_engine import ALICE, draw, install
from verification.errors import EngineLost, ImageRefused


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return install(tmp_path_factory.mktemp("models")).parent


@pytest.mark.campaign(11)
@pytest.mark.parametrize(
    "body",
    [
        "stream.send(bytes(100))",
        "stream.send(b'')",
        "say(Pong(asked))",
        "say(Ready(INFO))",
        "say(ComparedIs(asked + 1, Compared(SAME, EXAMINED, EXAMINED)))",
        "say(MatchedIs(asked, Matched(SAME, EXAMINED)))",
        "say(ComparedIs(asked, Compared(replace(OTHER, match=True), EXAMINED, EXAMINED)))",
        "say(ComparedIs(asked, Compared(replace(SAME, comparison_score=float('nan')), EXAMINED, EXAMINED)))",
        "say(At(asked + 1))",
        "for _ in range(5000): say(At(asked))",
        "say(Refused(asked, 'start', 'pack_unusable', ''))",
        "say(Refused(asked, 'image', 'x', '', 2))",
        "say(Refused(asked, 'image', 'somebody_elses_face', ''))",
        "say(ComparedIs(asked, Compared(replace(SAME, threshold=0.1), EXAMINED, EXAMINED)))",
        "sys.exit()",
    ],
)
async def test_what_it_must_not_say_is_not_believed(models: Path, body: str) -> None:
    async with engine(models, command=script(body), work_s=5.0, backoff_first_s=30.0) as pool:
        with pytest.raises(EngineLost):
            await pool.compare(draw(ALICE), draw(ALICE))
        assert pool.counts.answered == 0
        assert pool.counts.killed_nonsense + pool.counts.died == 1


async def test_what_it_says_no_with_is_in_our_words(models: Path) -> None:
    async with engine(
        models, command=script("say(Refused(asked, 'image', 'image_broken', 'somebody else: ' + 'x' * 50_000))")
    ) as pool:
        with pytest.raises(ImageRefused) as refused:
            await pool.quality(draw(ALICE))
        assert (refused.value.code, refused.value.detail) == ("image_broken", "the picture cannot be decoded")


async def test_what_it_says_unasked_ends_it(models: Path) -> None:
    unasked = "say(ComparedIs(1, Compared(SAME, EXAMINED, EXAMINED)))"
    async with engine(models, command=script("pass", unasked), backoff_first_s=30.0) as pool:
        await until(pool, lambda: pool.counts.killed_nonsense > 0)
