from hypothesis import given
from hypothesis import strategies as st

from media.relay.slots import Candidate, SlotTable


def camera(name: str, order: int = 0, spoke_at: float = 0.0, person: str = "") -> Candidate[str]:
    return Candidate(name, "video", False, spoke_at, order, person)


def screen(name: str, order: int = 0, person: str = "") -> Candidate[str]:
    return Candidate(name, "video", True, 0.0, order, person)


def voice(name: str, order: int = 0, spoke_at: float = 0.0, person: str = "") -> Candidate[str]:
    return Candidate(name, "audio", False, spoke_at, order, person)


def whole(person: str, order: int = 0, spoke_at: float = 0.0) -> list[Candidate[str]]:
    """Somebody with microphone and camera."""
    return [voice(f"{person} voice", order, spoke_at, person), camera(f"{person} face", order, spoke_at, person)]


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
    assert table.shown == {"a0": "voice 1", "a1": "voice 2", "v0": "silent", "v1": "s", "v2": "spoke"}
    assert table.update(everything, most_video=2) == [("v0", None)]
    assert {key for key in table.shown.values() if key} == {"spoke", "s", "voice 1", "voice 2"}
    assert table.update(everything, most_video=0) == [("v1", None), ("v2", None)]
    assert {mid for mid, _ in table.update(everything)} == {"v0", "v1", "v2"}
    assert table.update(everything, most_video=64) == []


def test_audio_and_video_do_not_mix() -> None:
    table: SlotTable[str] = SlotTable(["a0"], ["v0"])
    changes = table.update([Candidate("mic", "audio", False, 0.0, 1), camera("cam", 2)])
    assert dict(changes) == {"a0": "mic", "v0": "cam"}


def test_a_voice_and_a_face_of_one_person_are_a_pair_whoever_comes_first() -> None:
    table: SlotTable[str] = SlotTable(["a0", "a1", "a2"], ["v0", "v1", "v2"])
    (voice_a, face_a), (voice_b, face_b), (voice_c, face_c) = whole("a", 1), whole("b", 2), whole("c", 3)
    table.update([voice_a])
    table.update([voice_a, face_b])
    assert table.shown["v0"] is None  # kept for a's face
    table.update([voice_a, face_b, voice_c])
    table.update([voice_a, face_b, voice_c, face_c, voice_b, face_a])
    assert table.shown == {"a0": "a voice", "v0": "a face", "a1": "b voice", "v1": "b face", "a2": "c voice", "v2": "c face"}


def test_a_camera_turned_on_again_comes_back_to_its_voice() -> None:
    table: SlotTable[str] = SlotTable(["a0", "a1"], ["v0", "v1", "v2"])
    table.update([*whole("a", 1), *whole("b", 2)])
    table.update([whole("a", 1)[0], *whole("b", 2)])
    table.update([whole("a", 1)[0], *whole("b", 2), camera("c face", 3, person="c")])
    assert table.update([*whole("a", 1), *whole("b", 2), camera("c face", 3, person="c")]) == [("v0", "a face")]


def test_a_screen_keeps_out_of_the_way_of_faces() -> None:
    table: SlotTable[str] = SlotTable(["a0", "a1"], ["v0", "v1", "v2"])
    table.update([voice("a voice", 1, person="a"), screen("a screen", 1, "a")])
    assert table.shown == {"a0": "a voice", "a1": None, "v0": None, "v1": None, "v2": "a screen"}
    without_spare: SlotTable[str] = SlotTable(["a0", "a1", "a2"], ["v0", "v1", "v2"])
    without_spare.update([*whole("a", 1), screen("a screen", 1, "a"), voice("b voice", 2, person="b")])
    assert without_spare.shown["v2"] == "a screen"
    assert without_spare.update([*whole("a", 1), screen("a screen", 1, "a"), *whole("b", 2)]) == [("v1", "b face")]


def test_who_has_a_half_elsewhere_takes_a_slot_without_a_pair() -> None:
    table: SlotTable[str] = SlotTable(["a0", "a1"], ["v0", "v1", "v2", "v3"])
    table.update([*whole("a", 1), *whole("b", 2), camera("c face", 3, person="c")])
    assert table.shown["v2"] == "c face"
    table.update([*whole("a", 1), camera("b face", 2, 0.0, "b"), *whole("c", 3, 9.0)])
    assert table.shown["a1"] == "c voice"  # never moved, so not in step: nobody's face jumps for it
    assert table.shown["v2"] == "c face"


candidates = st.lists(
    st.builds(
        Candidate,
        st.integers(0, 11),
        st.sampled_from(["audio", "video"]),
        st.booleans(),
        st.sampled_from([0.0, 1.0, 2.0]),
        st.integers(0, 9),
        st.sampled_from(["", "p", "q", "r", "s"]),
    ),
    max_size=12,
    unique_by=lambda c: c.key,
)


def who_would_be_shown(table: SlotTable[int], step: list[Candidate[int]], kind: str, count: int) -> set[int]:
    """By rank alone, wherever it is put."""
    shown = {key for key in table.shown.values() if key is not None}
    ranked = sorted((c for c in step if c.kind == kind), key=lambda c: (not c.screen, -c.spoke_at, c.key not in shown, c.order))
    return {c.key for c in ranked[:count]}


@given(st.lists(candidates, max_size=6), st.integers(0, 4), st.integers(0, 4))
def test_the_table_is_full_stable_and_tells_every_change(steps: list[list[Candidate[int]]], audio: int, video: int) -> None:
    table: SlotTable[int] = SlotTable([f"a{i}" for i in range(audio)], [f"v{i}" for i in range(video)])
    kinds: dict[int, str] = {}
    for step in steps:
        step = [c for c in step if kinds.setdefault(c.key, c.kind) == c.kind]
        before = dict(table.shown)
        expected = {kind: who_would_be_shown(table, step, kind, n) for kind, n in (("audio", audio), ("video", video))}
        changes = table.update(step)
        assert {**before, **dict(changes)} == table.shown
        assert all(before[mid] != key for mid, key in changes)
        assert [key is not None for _, key in changes] == sorted(key is not None for _, key in changes)
        for kind, keys in expected.items():
            now = [k for m, k in table.shown.items() if m[0] == kind[0] and k is not None]
            assert len(now) == len(set(now))
            assert set(now) == keys
        for mid, key in before.items():  # what stays shown stays in its slot
            if key in table.shown.values() and key is not None:
                assert table.shown[mid] == key
        assert table.update(step) == []


@given(st.lists(candidates, max_size=6), st.integers(0, 4), st.integers(0, 4))
def test_a_newcomer_is_beside_its_other_half_wherever_that_is_possible(
    steps: list[list[Candidate[int]]], audio: int, video: int
) -> None:
    table: SlotTable[int] = SlotTable([f"a{i}" for i in range(audio)], [f"v{i}" for i in range(video)])
    kinds: dict[int, str] = {}
    for step in steps:
        step = [c for c in step if kinds.setdefault(c.key, c.kind) == c.kind]
        before = dict(table.shown)
        table.update(step)
        by_key = {c.key: c for c in step}
        stayed = {mid: key for mid, key in before.items() if key is not None and table.shown[mid] == key}
        new = [by_key[k] for m, k in table.shown.items() if k is not None and k not in stayed.values()]
        halves = {"audio": "v", "video": "a"}
        for candidate in new:
            if candidate.screen or not candidate.person:
                continue
            mine = halves[candidate.kind]
            beside = [
                mid[1:]
                for mid, key in stayed.items()
                if mid[0] == mine and by_key[key].person == candidate.person and not by_key[key].screen
            ]
            wanted = [candidate.kind[0] + index for index in beside if candidate.kind[0] + index in table.shown]
            if any(mid not in stayed for mid in wanted):  # free when it came: it, or another half of the same person, is there
                assert any((key := table.shown[mid]) is not None and by_key[key].person == candidate.person for mid in wanted)


@given(st.lists(st.sampled_from("pqrstu"), unique=True, max_size=6), st.integers(0, 3), st.integers(0, 3))
def test_everybody_is_in_step_while_there_are_pairs(people: list[str], spare: int, screens: int) -> None:
    """Whole people, however many come at once, and screens besides: nobody's voice is beside somebody else's face."""
    table: SlotTable[str] = SlotTable([f"a{i}" for i in range(6)], [f"v{i}" for i in range(6 + spare)])
    shared = [screen(f"screen {i}", 50 + i, person) for i, person in enumerate(people[: min(screens, 6 + spare - len(people))])]
    table.update([*shared, *(c for i, person in enumerate(people) for c in whole(person, i))])
    for index in range(6):
        heard, seen = table.shown[f"a{index}"], table.shown[f"v{index}"]
        if heard is not None:
            assert seen == heard.replace("voice", "face")
