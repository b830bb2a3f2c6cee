"""Lines of a shared page in records, and out of them again."""

import pytest

from media.recording.errors import RecordingFormatError
from media.recording.format import TrackHeader
from media.recording.index import SHOWN, UNSHOWN, KeyFrame, TrackIndex
from media.recording.pages import BEGINS, BLANK, MAX_LINE_BYTES, MORE, PAUSED, PIECE_BYTES, Line, lines, pack_line
from media.recording.play.pages import shown, written
from media.recording.records import Kind, Record, pack, unpack
from tests.support.recordings import header

LONG = b'"' + b"x" * (2 * PIECE_BYTES) + b'"'


def records(*packed: list[bytes]) -> list[Record]:
    return list(unpack(b"".join(b"".join(one) for one in packed)))


def test_a_line_longer_than_a_record_comes_out_whole() -> None:
    found = records(pack_line(5, b"{}", BEGINS), pack_line(7, LONG), pack_line(9, b"[]", BLANK))
    assert [len(one.payload) <= PIECE_BYTES for one in found] == [True] * 5
    assert list(lines(found)) == [Line(5, b"{}", True), Line(7, LONG, False), Line(9, b"[]", False)]


@pytest.mark.parametrize("lost", [1, 2, 3])
def test_a_line_of_which_a_piece_is_missing_is_left_out(lost: int) -> None:
    found = records(pack_line(5, b"{}", BEGINS), pack_line(7, LONG), pack_line(9, b"[]"))
    del found[lost]
    if lost == 2:  # the last piece closes what is left of it
        found = [one for one in found if not one.layer & MORE]
    assert [one.text for one in lines(found) if one.text in (b"{}", b"[]")] == [b"{}", b"[]"]


def test_a_pause_is_told_in_its_place() -> None:
    found = records(pack_line(5, b"{}", BEGINS), [pack(Kind.PAUSE, 6)], [pack(Kind.RESUME, 7)], pack_line(8, b"[]"))
    assert list(lines(found))[1] == Line(6, PAUSED, False)
    assert b"".join(written(found)).splitlines() == [
        b'{"at_us":5,"begins":true,"line":{}}',
        b'{"at_us":6,"begins":false,"line":' + PAUSED + b"}",
        b'{"at_us":8,"begins":false,"line":[]}',
    ]


@pytest.mark.parametrize(
    ("line", "flags", "code"),
    [
        (b"", 0, "bad_page"),
        (b"{\n}", 0, "bad_page"),
        (b"{}", MORE, "bad_page"),
        (b"x" * (MAX_LINE_BYTES + 1), 0, "page_too_large"),
    ],
)
def test_what_is_no_line_is_refused(line: bytes, flags: int, code: str) -> None:
    with pytest.raises(RecordingFormatError) as caught:
        pack_line(1, line, flags)
    assert caught.value.code == code


def index() -> TrackIndex:
    return TrackIndex.of(header(kind="pages"))


def test_the_index_says_where_a_picture_begins_and_where_nothing_is_shown() -> None:
    made = index()
    made.scan(b"".join([*pack_line(10, b"{}", BEGINS), *pack_line(20, b"{}"), *pack_line(30, b"{}", BLANK)]))
    assert made.key_frames == [KeyFrame(10, 0, SHOWN), KeyFrame(30, 0, UNSHOWN)]
    key, head = bytes(32), bytes(32)
    assert TrackIndex.decode(made.encode(key, head, bytes(12)), header(kind="pages"), key, head) == made


def test_when_the_page_was_shown() -> None:
    keys = [KeyFrame(10, 0, SHOWN), KeyFrame(15, 0, SHOWN), KeyFrame(30, 1, UNSHOWN), KeyFrame(35, 1, UNSHOWN)]
    assert shown(keys, 100) == [(10, 30)]
    assert shown([*keys, KeyFrame(50, 2, SHOWN)], 100) == [(10, 30), (50, 100)]
    assert shown([KeyFrame(5, 0, UNSHOWN)], 100) == []


def test_a_track_of_pages_needs_no_clock() -> None:
    assert isinstance(header(kind="pages"), TrackHeader)
