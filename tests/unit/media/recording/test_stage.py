"""What an export writes over its picture: what was ticked, what was only noted, and what is missing."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from media.recording.events import Checkpoint
from media.recording.export.canvas import CHECK, NOTED, Colour, _yuv
from media.recording.export.lettering import Lettering
from media.recording.export.stage import Stage
from media.recording.format import TrackHeader
from media.recording.play.timeline import Happened, Party, Span, Timeline, Track
from media.recording.records import Gap, GapReason

S = 1_000_000
LETTERS = Lettering(None)
HEADER = TrackHeader(
    recording="RE_1", track="TR_1", part=0, participant="PA_1", source="camera", kind="video", codec="VP8", clock_rate=90000,
    zero_wall_us=0, zero_mono_us=0, data_key="00" * 16, salt="00" * 16,
)  # fmt: skip


def stage(*told: tuple[float, Checkpoint], gaps: tuple[Gap, ...] = ()) -> Stage:
    """One person who shows nothing, from 0 to 2 s and from 6 to 9 s."""
    spans = (Span(0, 2 * S), Span(6 * S, 9 * S))
    track = Track("TR_1", "PA_1", "camera", "video", "VP8", "video/webm", spans, gaps, (), HEADER, ())
    found = Timeline(
        "RE_1", 0, 9 * S, (track,), (Party("PA_1", "Ann", "customer", (Span(0, 9 * S),)),),
        tuple(Happened(int(at * S), event) for at, event in told), (), (), (),
    )  # fmt: skip
    return Stage(found, lambda _: iter(()), (640, 360), "auto", LETTERS)


def shown(on: Stage, at: float) -> NDArray[np.uint8]:
    on.draw(int(at * S), ())
    return on.canvas.pixels.copy()


def signs(on: Stage, at: float) -> list[tuple[str, int]]:
    """From above: which kind, and how wide it is in pixels."""
    shown(on, at)
    size = 640 * 360
    u, v = (on.canvas.pixels.reshape(-1)[size + n * size // 4 : size + (n + 1) * size // 4].reshape(180, 320) for n in (0, 1))

    def rows(colour: Colour) -> list[tuple[int, int]]:
        """Row and width of each row that has a stretch of the colour at a sign's left edge."""
        _, cb, cr = _yuv(colour)
        same = (u == cb) & (v == cr)
        return [(row, 2 * int(np.ptp(np.flatnonzero(line))) + 2) for row, line in enumerate(same) if line.sum() > 6]

    found = sorted((row, kind, width) for kind, colour in (("check", CHECK), ("note", NOTED)) for row, width in rows(colour))
    begins: list[tuple[int, str, int]] = []
    before = (-9, "")
    for row, kind, width in found:
        if (row - 1, kind) != before:
            begins.append((row, kind, width))
        before = (row, kind)
    return [(kind, width) for _, kind, width in begins]


def wide(words: str) -> int:
    on = stage()
    line: Any = LETTERS.line(words, on._line, 560)
    return int(line.shape[1] + 32) // 2 * 2


def item(label: str, **more: Any) -> Checkpoint:
    return Checkpoint(participant="PA_2", key="item", label=label, **more)


NOTE = Checkpoint(participant="PA_2", key="", note="wishes to think it over")


def test_what_was_done_is_green_for_four_seconds() -> None:
    on = stage((1, item("Risk read")))
    assert signs(on, 0.9) == []
    assert [kind for kind, _ in signs(on, 1.0)] == ["check"]
    assert [kind for kind, _ in signs(on, 4.9)] == ["check"]
    assert signs(on, 5.0) == []


def test_a_note_alone_has_no_tick_and_is_not_green() -> None:
    assert signs(stage((1, NOTE)), 2) == [("note", wide("wishes to think it over"))]


def test_a_note_does_not_hide_what_was_done_just_before() -> None:
    on = stage((1, item("Risk read")), (1.2, NOTE))
    assert [kind for kind, _ in signs(on, 1.1)] == ["check"]
    assert [kind for kind, _ in signs(on, 2)] == ["check", "note"]
    assert [kind for kind, _ in signs(on, 5.1)] == ["note"]


def test_no_more_than_three_stand_under_each_other() -> None:
    on = stage((1, NOTE), (1.1, item("a")), (1.2, item("b")), (1.3, item("c")))
    assert [kind for kind, _ in signs(on, 2)] == ["check"] * 3


def test_what_was_taken_back_is_not_shown_as_done() -> None:
    assert signs(stage((1, item("Risk read", done=False))), 2) == []
    assert signs(stage((1, item("Risk read", done=False, note="not read"))), 2) == []


def test_where_something_is_missing_that_is_written() -> None:
    lost = (Gap(0, 2 * S, 6 * S, GapReason.RECORDER_LOST),)
    silent, missing = stage(), stage(gaps=lost)
    assert np.array_equal(shown(silent, 1), shown(missing, 1))
    differs = np.argwhere(shown(silent, 4)[:360] != shown(missing, 4)[:360])
    line = LETTERS.line(missing._words("Gap in the recording 录制缺失", "Gap in the recording"), missing._line, 632)
    (top, left), (bottom, right) = differs.min(axis=0), differs.max(axis=0)
    assert (bottom - top < line.shape[0], abs(right - left - line.shape[1]) < 8, bottom < 180) == (True, True, True)
    assert np.array_equal(shown(silent, 7), shown(missing, 7))
