from hypothesis import given
from hypothesis import strategies as st

from media.relay.speaker import SpeakerDetector


def talk(detector: SpeakerDetector, name: str, level: int, start: float, seconds: float) -> float:
    """20 ms packets of one level; returns when the last came."""
    packets = round(seconds / 0.02)
    for i in range(packets + 1):
        detector.level(name, level, start + i * 0.02)
    return start + packets * 0.02


def test_a_voice_is_told_after_a_moment_and_silence_after_a_while() -> None:
    detector = SpeakerDetector()
    end = talk(detector, "a", 30, 0.0, 0.3)
    assert detector.changed(end) == ("a",)
    assert detector.spoke_at("a") == end
    assert detector.changed(end + 0.5) is None
    assert detector.changed(end + 0.8) == ()
    assert detector.changed(end + 9) is None


def test_a_knock_is_not_a_voice() -> None:
    detector = SpeakerDetector()
    talk(detector, "a", 10, 0.0, 0.08)
    assert detector.changed(1.0) is None
    assert detector.spoke_at("a") == 0.0
    assert detector.spoke_at("nobody") == 0.0


def test_between_start_and_stop_level_a_speaker_goes_on_but_nobody_begins() -> None:
    detector = SpeakerDetector()
    talk(detector, "quiet", 45, 0.0, 1.0)
    end = talk(detector, "a", 30, 0.0, 0.3)
    assert detector.changed(end) == ("a",)
    end = talk(detector, "a", 45, end, 2.0)
    assert detector.changed(end) is None


def test_loudest_first_and_at_most_four_times_a_second() -> None:
    detector = SpeakerDetector()
    talk(detector, "a", 0x80 | 35, 0.0, 0.4)
    assert detector.changed(0.4) == ("a",)
    talk(detector, "b", 20, 0.2, 0.3)
    assert detector.changed(0.5) is None
    talk(detector, "a", 35, 0.5, 0.15)
    talk(detector, "b", 20, 0.5, 0.15)
    assert detector.changed(0.66) == ("b", "a")


def test_who_left_does_not_speak() -> None:
    detector = SpeakerDetector()
    talk(detector, "a", 30, 0.0, 0.4)
    assert detector.changed(0.4) == ("a",)
    detector.remove("a")
    detector.remove("a")
    assert detector.changed(0.8) == ()


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 255), st.floats(0, 0.5)), max_size=80))
def test_changes_are_real_and_not_too_often(levels: list[tuple[str, int, float]]) -> None:
    detector = SpeakerDetector()
    now, told_at, told = 1.0, -1.0, set[str]()
    for name, level, step in levels:
        now += step
        detector.level(name, level, now)
        names = detector.changed(now)
        if names is not None:
            assert set(names) != told
            assert now - told_at >= 0.25
            told, told_at = set(names), now
