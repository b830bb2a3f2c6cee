"""Who resizes its pictures back and forth costs publishers no more key frames than who asks for key frames."""

from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

from media.relay.feedback import KEYS_AT_ONCE, KEYS_PER_S
from media.relay.room import Room
from media.relay.wishes import Wish, Wishes

SMALL: Wish = (12, {"7": 90})
LARGE: Wish = (12, {"7": 1080})


def toggled(wishes: Wishes, name: str, times: Iterable[float]) -> list[tuple[float, Wish]]:
    """What is taken up, and when."""
    found = []
    for turn, now in enumerate(times):
        wish = (SMALL, LARGE)[turn % 2]
        found += [(now, one) for _, one in wishes.due(now)]
        if wishes.say(name, wish, now):
            found.append((now, wish))
    return found


def test_a_few_changes_are_taken_up_at_once_and_then_one_a_second() -> None:
    wishes = Wishes()
    found = toggled(wishes, "a", (step / 10 for step in range(200)))
    assert [at for at, _ in found[: int(KEYS_AT_ONCE)]] == [step / 10 for step in range(int(KEYS_AT_ONCE))]
    assert len(found) <= KEYS_AT_ONCE + 20 * KEYS_PER_S
    assert len(found) >= KEYS_AT_ONCE + 18 * KEYS_PER_S


def test_the_newest_is_taken_up_in_the_end() -> None:
    wishes = Wishes()
    toggled(wishes, "a", (step / 100 for step in range(50)))
    assert wishes.due(0.6) == []
    assert wishes.due(1.6) == [("a", LARGE)]
    assert wishes.due(9.0) == []


def test_what_went_back_to_what_there_is_needs_nothing() -> None:
    wishes = Wishes()
    toggled(wishes, "a", (step / 100 for step in range(50)))
    wishes.withdraw("a")
    assert wishes.due(9.0) == []


def test_one_who_toggles_delays_nobody_else() -> None:
    wishes = Wishes()
    toggled(wishes, "a", (step / 100 for step in range(50)))
    assert wishes.say("b", SMALL, 0.5)
    wishes.forget("a")
    assert wishes.say("a", SMALL, 0.5)
    toggled(wishes, "a", (0.5 + step / 100 for step in range(50)))
    wishes.clear()
    assert wishes.due(99.0) == []


def test_a_room_takes_up_what_waited_at_a_later_tick() -> None:
    now = [0.0]
    host: Any = SimpleNamespace(emit=lambda event: None, recorder=None)
    room = Room("room", host, clock=lambda: now[0])
    for _ in range(20):
        for wish in (SMALL, LARGE):
            room.set_receive("a", *wish)
    assert room.receive["a"] == LARGE  # an even number of changes was allowed
    room.set_receive("a", *SMALL)
    assert room.receive["a"] == LARGE
    now[0] = 1.5
    room.tick(now[0])
    assert room.receive["a"] == SMALL
    room.disconnect("a")
    assert "a" not in room.receive
