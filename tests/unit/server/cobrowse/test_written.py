"""What is written piece by piece says what it says as a whole."""

import json
import random
from collections.abc import Generator

import msgspec
import pytest

from server.cobrowse import nodes
from server.cobrowse.sanitiser import Sanitised, Sanitiser
from tests.support.pages import Json, Recorder, added, mutation
from tests.support.shared_page import PACK, STYLES


def stepped(steps: Generator[None, None, Sanitised]) -> tuple[Sanitised, int]:
    """And how many pauses there were."""
    pauses = 0
    while True:
        try:
            next(steps)
        except StopIteration as done:
            return done.value, pauses
        pauses += 1


def some(page: Recorder, drawn: random.Random, depth: int) -> Json:
    if depth == 0 or drawn.random() < 0.3:
        return page.text("Words")
    tag = drawn.choice(["div", "h1", "style", "script", "p"])
    if tag == "style":
        return page.element(tag, {}, ".a{color:red}" * drawn.choice([1, 100]))
    return page.element(
        tag, {"class": drawn.choice(["shown", "x"])}, *(some(page, drawn, depth - 1) for _ in range(drawn.randrange(6)))
    )


def read(made: Sanitised) -> object:
    return json.loads(msgspec.json.encode(made.event))


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("together", [1, 2, 7, 100])
def test_the_same_leaves(monkeypatch: pytest.MonkeyPatch, seed: int, together: int) -> None:
    monkeypatch.setattr(nodes, "TOGETHER", together)
    page, drawn = Recorder(), random.Random(seed)
    page.put(*(some(page, drawn, 5) for _ in range(8)))
    grown = mutation(adds=[added(page.body, some(page, drawn, 5)) for _ in range(4)])
    whole, pieces = Sanitiser(PACK, STYLES), Sanitiser(PACK, STYLES)
    for raw in (page.meta(), page.picture(), grown):
        expected = whole.take(raw)
        made, _ = stepped(pieces.steps(raw))
        assert read(made) == expected.event
        assert (made.resync, made.dropped) == (expected.resync, expected.dropped)


def test_no_more_is_written_at_once_than_stands_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Side by side, and below each other."""
    monkeypatch.setattr(nodes, "TOGETHER", 10)
    for width in (1, 10, 300):
        page = Recorder()
        page.put(*(page.element("div", {}, *(page.element("p") for _ in range(300 // width))) for _ in range(width)))
        sanitiser = Sanitiser(PACK, STYLES)
        sanitiser.take(page.meta())
        made, pauses = stepped(sanitiser.steps(page.picture()))
        assert pauses >= 300 // 12
        left = made.event
        assert left is not None
        assert count(left) < 40


def count(made: object) -> int:
    """Objects that are not written yet."""
    if isinstance(made, dict):
        return 1 + sum(map(count, made.values()))
    return sum(map(count, made)) if isinstance(made, list) else 0
