from hypothesis import given
from hypothesis import strategies as st

from media.slots import Candidate, SlotTable


def camera(name: str, order: int = 0, spoke_at: float = 0.0) -> Candidate[str]:
    return Candidate(name, "video", False, spoke_at, order)


def screen(name: str, order: int = 0) -> Candidate[str]:
    return Candidate(name, "video", True, 0.0, order)


def test_newcomers_take_the_first_free_slots_in_order_of_joining() -> None:
    table: SlotTable[str] = SlotTable(["a0"], ["v0", "v1"])
    assert table.update([camera("second", 2), camera("first", 1)]) == [("v0", "first"), ("v1", "second")]
    assert table.shown == {"a0": None, "v0": "first", "v1": "second"}


def test_nothing_moves_without_need() -> None:
    table: SlotTable[str] = SlotTable([], ["v0", "v1", "v2"])
    table.update([camera("a", 1), camera("b", 2), camera("c", 3)])
    assert table.update([camera("c", 3), camera("b", 2)]) == [("v0", None)]
    assert table.update([camera("b", 2), camera("c", 3), camera("d", 4)]) == [("v0", "d")]


def test_a_screen_takes_the_slot_of_who_spoke_longest_ago() -> None:
    table: SlotTable[str] = SlotTable([], ["v0", "v1"])
    table.update([camera("a", 1), camera("b", 2)])
    assert table.update([camera("a", 1, 5.0), camera("b", 2), screen("s", 3)]) == [("v1", "s")]


def test_who_speaks_gets_in_when_slots_are_short() -> None:
    table: SlotTable[str] = SlotTable([], ["v0", "v1"])
    everybody = [camera("a", 1), camera("b", 2), camera("c", 3)]
    table.update(everybody)
    assert table.update(everybody) == []
    assert table.update([camera("a", 1), camera("b", 2, 3.0), camera("c", 3, 7.0)]) == [("v0", "c")]


def test_a_page_that_wants_fewer_pictures_keeps_the_screen_and_every_voice() -> None:
    table: SlotTable[str] = SlotTable(["a0", "a1"], ["v0", "v1", "v2"])
    voices = [Candidate("voice 1", "audio", False, 0.0, 1), Candidate("voice 2", "audio", False, 0.0, 2)]
    everything = [camera("spoke", 1, 9.0), camera("silent", 2), screen("s", 3), *voices]
    table.update(everything)
    assert table.update(everything, most_video=2) == [("v2", None)]
    assert {key for key in table.shown.values() if key} == {"spoke", "s", "voice 1", "voice 2"}
    assert table.update(everything, most_video=0) == [("v0", None), ("v1", None)]
    assert dict(table.update(everything)) == {"v0": "s", "v1": "spoke", "v2": "silent"}
    assert table.update(everything, most_video=64) == []


def test_audio_and_video_do_not_mix() -> None:
    table: SlotTable[str] = SlotTable(["a0"], ["v0"])
    changes = table.update([Candidate("mic", "audio", False, 0.0, 1), camera("cam", 2)])
    assert dict(changes) == {"a0": "mic", "v0": "cam"}


candidates = st.lists(
    st.builds(
        Candidate,
        st.integers(0, 9),
        st.sampled_from(["audio", "video"]),
        st.booleans(),
        st.sampled_from([0.0, 1.0, 2.0]),
        st.integers(0, 9),
    ),
    max_size=10,
    unique_by=lambda c: c.key,
)


@given(st.lists(candidates, max_size=6), st.integers(0, 4), st.integers(0, 4))
def test_the_table_is_full_stable_and_tells_every_change(steps: list[list[Candidate[int]]], audio: int, video: int) -> None:
    table: SlotTable[int] = SlotTable([f"a{i}" for i in range(audio)], [f"v{i}" for i in range(video)])
    for step in steps:
        before = dict(table.shown)
        changes = table.update(step)
        assert {**before, **dict(changes)} == table.shown
        shown = [key for key in table.shown.values() if key is not None]
        assert len(shown) == len(set(shown))
        for kind, count in (("audio", audio), ("video", video)):
            mine = {c.key for c in step if c.kind == kind}
            now = {k for m, k in table.shown.items() if m[0] == kind[0] and k is not None}
            assert now <= mine
            assert len(now) == min(count, len(mine))
        for mid, key in before.items():  # what stays shown stays in its slot
            if key in shown and any(m[0] == mid[0] and k == key for m, k in table.shown.items()):
                assert table.shown[mid] == key
        assert table.update(step) == []
