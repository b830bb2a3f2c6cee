"""Identifiers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.domain import ids

PREFIXES = [
    ids.SESSION, ids.PARTICIPANT, ids.INVITATION, ids.CONSENT, ids.MESSAGE, ids.FILE, ids.API_KEY, ids.STAFF, ids.CONNECTION
]  # fmt: skip


def test_prefixes_differ() -> None:
    assert len(set(PREFIXES)) == len(PREFIXES)
    assert all(len(prefix) == 2 and prefix.isupper() for prefix in PREFIXES)


@given(st.sampled_from(PREFIXES), st.binary(min_size=16, max_size=16), st.binary(min_size=16, max_size=16))
def test_an_id_is_well_formed_and_keeps_every_bit(prefix: str, one: bytes, other: bytes) -> None:
    id = ids.make_id(prefix, one)
    assert ids.is_id(id, prefix)
    assert not any(ids.is_id(id, another) for another in PREFIXES if another != prefix)
    assert (id == ids.make_id(prefix, other)) is (one == other)
    assert len(id) == 29


@pytest.mark.parametrize("size", [0, 15, 17])
def test_an_id_needs_128_bits(size: int) -> None:
    with pytest.raises(ValueError, match="16 random bytes"):
        ids.make_id(ids.SESSION, bytes(size))


@pytest.mark.parametrize(
    "text", ["", "SE", "SE_", "SE_" + "A" * 25, "SE_" + "A" * 27, "SE_" + "a" * 26, "SE_" + "1" * 26, "SE_" + "A" * 26 + "\n"]
)
def test_anything_else_is_not_one(text: str) -> None:
    assert not ids.is_id(text, ids.SESSION)
