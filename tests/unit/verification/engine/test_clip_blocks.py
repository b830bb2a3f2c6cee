"""WebM clips with more packets than a clip has, wherever they hide."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.short_clips import record
from tests.support.webm import CLUSTER, LACED, PICTURES, TIME, WITHOUT_SIZE, block, element, sound_track, vp8, webm
from verification.engine import clips
from verification.engine.clip_blocks import MAX_ELEMENTS, MAX_PACKETS, check
from verification.errors import ImageRefused
from verification.reasons import ReasonCode

GREY = [np.full((64, 96, 3), 90, np.uint8)] * 30
CLIP = record(GREY[:4])
PICTURE = block(vp8()[0], track=PICTURES)
NONE_OF_ITS_OWN = block(b"x", track=9)
"""After a block of a track that is not there a demuxer looks for the next cluster, byte by byte."""
MANY = LACED * (MAX_PACKETS // 256 + 1)


def refusal(data: bytes) -> str:
    try:
        check(data)
    except ImageRefused as refused:
        return refused.code
    return ""


@pytest.mark.parametrize(("codec", "container"), [("libvpx", "webm"), ("libvpx-vp9", "webm"), ("libx264", "matroska")])
def test_clips_as_they_are_recorded(codec: str, container: str) -> None:
    check(record(GREY, codec, container))


def test_as_browsers_record_without_sizes() -> None:
    check(webm([PICTURE], more=(CLUSTER + WITHOUT_SIZE + TIME + block(b"x") * 3) * 2))
    check(webm([PICTURE], more=CLUSTER + WITHOUT_SIZE + TIME + block(b"x"))[:-3])  # broken off
    assert len(list(clips.sampled(webm([PICTURE + block(b"x") * 20]), 4))) == 1


GROUP = element("a0", LACED.replace(b"\xa3", b"\xa1", 1), b"\x9b\x81\x01")


@pytest.mark.parametrize(("one", "each"), [(block(b"x"), 1), (LACED, 256), (GROUP, 256)])
@pytest.mark.parametrize("sized", [True, False])
def test_more_packets_than_a_clip_has(one: bytes, each: int, sized: bool) -> None:
    for count, wanted in ((MAX_PACKETS // each, ""), (MAX_PACKETS // each + 1, ReasonCode.CLIP_TOO_LONG)):
        inside = TIME + one * count
        assert refusal(CLUSTER + WITHOUT_SIZE + inside if not sized else element(CLUSTER, inside)) == wanted


def test_they_are_counted_over_all_clusters() -> None:
    third = LACED * (MAX_PACKETS // 256 // 2)
    assert refusal(webm([third] * 2)) == ""
    assert refusal(webm([third] * 3)) == ReasonCode.CLIP_TOO_LONG


def test_where_a_demuxer_comes_after_an_error() -> None:
    """In what is nothing by its name, or in a picture: whatever looks like a cluster is one after an error."""
    hidden = CLUSTER + WITHOUT_SIZE + TIME + MANY
    for inside in (element("ec", hidden), block(hidden, track=PICTURES), hidden[4:] + hidden):
        data = webm([PICTURE + NONE_OF_ITS_OWN + inside])
        assert refusal(data) == ReasonCode.CLIP_TOO_LONG
        with pytest.raises(ImageRefused, match="claims more") as refused:
            list(clips.sampled(data, 4))
        assert refused.value.code == ReasonCode.CLIP_TOO_LONG


def test_more_elements_than_are_looked_at() -> None:
    assert refusal(webm([b"\xec\x80" * MAX_ELEMENTS])) == ReasonCode.CLIP_TOO_LONG
    assert refusal(CLUSTER * (MAX_ELEMENTS + 1)) == ReasonCode.CLIP_TOO_LONG
    assert refusal(webm([b"\xa0\x80" * MAX_ELEMENTS])) == ReasonCode.CLIP_TOO_LONG


def test_sound_that_is_cut_into_any_number_of_packets() -> None:
    data = webm([PICTURE], [sound_track("A_REAL/COOK")])
    assert refusal(data) == ReasonCode.CLIP_BROKEN


@pytest.mark.parametrize(
    "after", [b"", b"\xa3", b"\xa3\x81", b"\x00\x81x", b"\x08\x81x", b"\xa3\xff", b"\xa3\x40", b"\xa3\x84\x82\0"]
)
def test_what_ends_within_an_element_has_no_more(after: bytes) -> None:
    assert refusal(CLUSTER + WITHOUT_SIZE + after) == ""


@given(st.binary(max_size=300), st.booleans())
def test_no_bytes_do_harm(data: bytes, in_cluster: bool) -> None:
    assert refusal(CLUSTER + WITHOUT_SIZE + data if in_cluster else data) in (
        "",
        ReasonCode.CLIP_BROKEN,
        ReasonCode.CLIP_TOO_LONG,
    )


@given(st.integers(0, len(CLIP)), st.integers(0, len(CLIP) - 1), st.integers(0, 255))
def test_spoilt_clips(end: int, at: int, value: int) -> None:
    assert refusal(CLIP[:end]) == ""
    assert refusal(CLIP[:at] + bytes([value]) + CLIP[at + 1 :]) in ("", ReasonCode.CLIP_BROKEN, ReasonCode.CLIP_TOO_LONG)
