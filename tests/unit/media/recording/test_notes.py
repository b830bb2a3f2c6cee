"""Chapters, words and manifest beside an export."""

from hypothesis import given
from hypothesis import strategies as st

from media.recording.events import Chat, Checkpoint, Event, File, Left
from media.recording.export.notes import Chapter, chapters, encode, in_language, subtitles

NAMES = {"PA_1": "王 <小明>", "PA_2": "Alice"}


def test_chapters_go_from_checkpoint_to_checkpoint() -> None:
    told: list[tuple[int, Event]] = [
        (2_000_000, Checkpoint(participant="PA_2", key="risk", label="Risk read")),
        (3_000_000, Left(participant="PA_1")),
        (4_000_000, Checkpoint(participant="PA_2", key="risk", done=False)),
        (4_800_000, Checkpoint(participant="PA_2", key="", note="a note alone begins no chapter")),
        (5_000_000, Checkpoint(participant="PA_2", key="signed", note="with the seal")),
        (99_000_000, Checkpoint(participant="PA_2", key="after the end")),
    ]
    assert chapters(told, 8_000_000) == (
        Chapter(0, 2_000_000, "Start"),
        Chapter(2_000_000, 5_000_000, "Risk read"),
        Chapter(5_000_000, 8_000_000, "signed: with the seal"),
    )
    assert chapters(told[:1], 1_000_000) == ()
    assert chapters([(0, told[0][1])], 1_000_000) == (Chapter(0, 1_000_000, "Risk read"),)


def test_what_was_ticked_off_is_told_in_a_chosen_language() -> None:
    both = Checkpoint(participant="PA_2", key="risk", label="已说明风险", zh="已说明风险", en="Risk explained", note="twice")
    older = Checkpoint(participant="PA_2", key="fees", label="费用")
    told: list[tuple[int, Event]] = [(1, Left(participant="PA_1")), (2, both), (5, older)]
    assert [each.title for each in chapters(told, 9)] == ["开始", "已说明风险: twice", "费用"]
    english = list(in_language(told, "en"))
    assert [each.title for each in chapters(english, 9)] == ["Start", "Risk explained: twice", "费用"]
    assert "✓ Risk explained: twice\n" in subtitles(english, NAMES, 9)
    assert list(in_language(english, "zh")) == told


def test_chat_files_and_checkpoints_are_cues() -> None:
    told: list[tuple[int, Event]] = [
        (1_234_567, Chat(participant="PA_1", text="a < b\n\n--> & c")),
        (3_700_000_000, File(participant="PA_9", name="contract.pdf", size=3)),
        (3_701_000_000, Checkpoint(participant="PA_2", key="risk", done=False)),
        (3_701_500_000, Checkpoint(participant="PA_2", key="", note="asks for <time>")),
        (3_701_000_000, Left(participant="PA_2")),
    ]
    assert subtitles(told, NAMES, 3_702_000_000) == (
        "WEBVTT\n\n00:00:01.234 --> 00:00:07.234\n<v 王 &lt;小明&gt;>a &lt; b\n--&gt; &amp; c\n\n"
        "01:01:40.000 --> 01:01:42.000\n<v PA_9>[contract.pdf]\n\n01:01:41.000 --> 01:01:42.000\n✗ risk\n\n"
        "01:01:41.500 --> 01:01:42.000\n<v Alice>asks for &lt;time&gt;\n"
    )


def test_nothing_said_is_no_file() -> None:
    assert subtitles([(1, Left(participant="PA_1"))], NAMES, 10) == ""


@given(st.text(max_size=60), st.text(max_size=20))
def test_no_words_break_out_of_their_cue(words: str, name: str) -> None:
    made = subtitles([(0, Chat(participant="PA_1", text=words))], {"PA_1": name}, 1_000_000)
    blocks = made.split("\n\n")
    assert len(blocks) == 2
    assert made.count("-->") == 1
    assert blocks[1].count("<") == 1


def test_the_same_manifest_is_the_same_bytes() -> None:
    assert encode({"b": 1, "a": {"d": "客", "c": []}}) == encode({"a": {"c": [], "d": "客"}, "b": 1})
    assert encode({"a": 1}).endswith(b"}\n")
