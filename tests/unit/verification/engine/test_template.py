"""Templates as bytes: bound to their recogniser, and nothing else is taken for one."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verification.engine.template import MAX_VALUES, pack, unpack
from verification.errors import TemplateRefused

MINE, OTHER = bytes(range(32)), bytes(32)
VALUES = struct.pack("<3f", 0.5, -1.0, 2.0)


def test_there_and_back() -> None:
    assert unpack(pack(MINE, VALUES), MINE, OTHER) == VALUES


def test_those_of_before_are_bound_to_the_recogniser_s_file() -> None:
    old = b"TPF1" + pack(MINE, VALUES)[4:]
    assert unpack(old, OTHER, MINE) == VALUES
    with pytest.raises(TemplateRefused) as refused:
        unpack(old, MINE, OTHER)
    assert refused.value.code == "template_of_another_model"


def test_another_recogniser_made_it() -> None:
    with pytest.raises(TemplateRefused) as refused:
        unpack(pack(OTHER, VALUES), MINE, OTHER)
    assert refused.value.code == "template_of_another_model"


@pytest.mark.parametrize(
    "spoilt",
    [
        b"",
        b"TPF1",
        pack(MINE, VALUES)[:-1],
        pack(MINE, VALUES) + b"\0",
        b"X" + pack(MINE, VALUES)[1:],
        b"TPF1" + MINE + b"\0\0",
        b"TPF3" + pack(MINE, VALUES)[4:],
        pack(MINE, struct.pack("<2f", float("nan"), 1.0)),
        pack(MINE, struct.pack("<2f", float("inf"), 1.0)),
    ],
)
def test_what_is_no_template(spoilt: bytes) -> None:
    with pytest.raises(TemplateRefused) as refused:
        unpack(spoilt, MINE, MINE)
    assert refused.value.code == "template_broken"


@pytest.mark.parametrize(
    ("recogniser", "values"), [(b"short", VALUES), (MINE, b""), (MINE, b"123"), (MINE, bytes(4 * MAX_VALUES + 4))]
)
def test_what_cannot_become_one(recogniser: bytes, values: bytes) -> None:
    with pytest.raises(ValueError, match="a template is"):
        pack(recogniser, values)


@given(st.binary(max_size=200))
def test_no_bytes_do_harm(data: bytes) -> None:
    with pytest.raises(TemplateRefused):
        unpack(data, MINE, MINE)
