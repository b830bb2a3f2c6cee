"""Names in a picture: what can be written, with which font, and what is written instead."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.recording.export.lettering import FAMILIES, Lettering, find_font, initials
from media.recording.export.stage import labels
from media.recording.play.timeline import Party

OWN = Lettering(None)


def party(number: int, name: str, role: str) -> Party:
    return Party(f"PA_{number}", name, role, ())


def test_what_pillow_has_is_written() -> None:
    assert OWN.writable("Alice O'Connor-Smith 3rd") == "Alice O'Connor-Smith 3rd"
    assert OWN.writable("Zoë Müller") in ("Zoë Müller", "Zoe Muller")


def test_without_a_chinese_font_there_are_roles_and_no_boxes() -> None:
    parties = [
        party(1, "王小明", "customer"),
        party(2, "Alice", "agent"),
        party(3, "李四", "expert"),
        party(4, "张三", "expert"),
    ]
    assert labels([*parties, party(5, "", "")], OWN) == {
        "PA_1": "Customer",
        "PA_2": "Alice",
        "PA_3": "Expert",
        "PA_4": "Expert 2",
        "PA_5": "Participant",
    }


def test_with_one_there_are_names() -> None:
    font = find_font()
    lettering = Lettering(font)
    if font is None or lettering.writable("王") is None:
        pytest.skip("this machine has no Chinese font")
    assert lettering.writable("王小明") == "王小明"
    assert lettering.line("王小明", 24, 400).max() > 200
    assert lettering.named()["name"] == font.name


def test_pictures_in_names_are_left_out_and_letters_are_not() -> None:
    assert OWN.writable("Alice \U0001f389") == "Alice"
    assert OWN.writable("Alice 王") is None
    assert OWN.writable("\U0001f389") is None
    assert OWN.writable("") is None
    assert OWN.writable("a\u202eb\x00c") == "abc"


def test_the_best_font_that_is_there_is_taken(tmp_path: Path) -> None:
    assert find_font([tmp_path]) is None
    inner = tmp_path / "truetype"
    inner.mkdir()
    (inner / "Unknown.ttf").touch()
    assert find_font([tmp_path, tmp_path / "none"]) is None
    for name in (FAMILIES[-1], FAMILIES[3].upper()):
        (inner / name).touch()
    assert find_font([tmp_path]) == inner / FAMILIES[3].upper()


def test_a_file_that_is_no_font_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "none.ttf", tmp_path / "not.ttf"):
        (tmp_path / "not.ttf").write_bytes(b"no font")
        with pytest.raises(ValueError, match="is no font"):
            Lettering(path)


def test_a_long_name_is_shortened() -> None:
    long = OWN.line("Supervisor Maximilian von und zu Lichtenstein", 20, 160)
    assert long.shape[1] <= 160
    assert OWN.line("Max", 20, 160).shape[1] < 60


@given(st.text(max_size=200), st.integers(10, 300))
def test_any_name_has_a_line_or_none(name: str, width: int) -> None:
    words = OWN.writable(name)
    if words is not None:
        line = OWN.line(words, 16, width)
        assert line.dtype == np.uint8
        assert 0 < line.shape[1] <= width
    assert len(initials(name)) <= 4


@pytest.mark.parametrize(
    ("name", "letters"),
    [("Alice Jones", "AJ"), ("王小明", "王"), ("alice", "A"), ("Alice 王", "A"), ("", ""), ("- -", "-"), ("专家 李四", "专")],
)
def test_initials(name: str, letters: str) -> None:
    assert initials(name) == letters
