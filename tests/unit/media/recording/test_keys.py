"""Master keys are read strictly; a wrapped key opens for its recording, under its master key, unchanged, and for nothing else."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.recording.errors import RecordingKeyError
from media.recording.keys import (
    MAX_KEY_FILE_BYTES,
    WRAPPED_BYTES,
    KeyRing,
    data_key_id,
    derive,
    master_key_id,
    read_master_keys,
    wrapped_with,
)

A, B, C = bytes(range(32)), bytes(range(1, 33)), b"\xff" * 32
NONCE = bytes(12)
DATA = bytes(range(100, 132))


def b64(key: bytes) -> bytes:
    return base64.b64encode(key)


@pytest.mark.parametrize(
    ("content", "keys"),
    [
        (A, (A,)),
        (b64(A), (A,)),
        (b64(A) + b"\n", (A,)),
        (b64(A) + b"\r\n" + b64(B) + b"\n", (A, B)),
        (b64(A) + b", " + b64(B) + b"," + b64(A), (A, B)),
        (base64.urlsafe_b64encode(C), (C,)),
    ],
)
def test_master_keys_that_are_read(content: bytes, keys: tuple[bytes, ...]) -> None:
    assert read_master_keys(content) == keys


@pytest.mark.parametrize(
    ("content", "code", "words"),
    [
        (b"", "no_master_key", "no master key"),
        (b" \n", "no_master_key", "no master key"),
        (A[:31], "bad_master_key", "base64"),
        (A + b"\n", "bad_master_key", "base64"),
        (b64(A[:16]), "bad_master_key", "32 bytes, not 16"),
        (b64(A[:24]), "bad_master_key", "32 bytes, not 24"),  # 32 characters: no raw key either
        (b64(A + B), "bad_master_key", "not 64"),
        (b"secret", "bad_master_key", "base64"),
        (b"\n".join(b64(bytes([n]) * 32) for n in range(17)), "bad_master_key", "more than 16"),
        (b"A" * (MAX_KEY_FILE_BYTES + 1), "bad_master_key", "at most"),
    ],
)
def test_master_keys_that_are_refused(content: bytes, code: str, words: str) -> None:
    with pytest.raises(RecordingKeyError) as caught:
        read_master_keys(content)
    assert caught.value.code == code
    assert words in caught.value.detail


def test_a_ring_needs_keys() -> None:
    with pytest.raises(RecordingKeyError, match="no_master_key"):
        KeyRing([])
    with pytest.raises(RecordingKeyError, match="bad_master_key"):
        KeyRing([A, b"short"])
    assert KeyRing([B, A, B]).ids == (master_key_id(B), master_key_id(A))
    assert A.hex() not in repr(KeyRing([A]))


@given(st.binary(min_size=32, max_size=32), st.binary(min_size=32, max_size=32), st.binary(min_size=12, max_size=12))
def test_wrap_and_unwrap(master: bytes, data: bytes, nonce: bytes) -> None:
    ring = KeyRing([master])
    wrapped = ring.wrap("RE_1", data, nonce)
    assert len(wrapped) == WRAPPED_BYTES
    assert data not in wrapped
    assert wrapped_with(wrapped) == ring.current
    assert ring.unwrap("RE_1", wrapped) == data


def test_rotation() -> None:
    wrapped = KeyRing([A]).wrap("RE_1", DATA, NONCE)
    both = KeyRing([B, A])
    assert both.unwrap("RE_1", wrapped) == DATA
    again = both.rewrap("RE_1", wrapped, NONCE)
    assert KeyRing([B]).unwrap("RE_1", again) == DATA
    with pytest.raises(RecordingKeyError, match="unknown_master_key") as caught:
        KeyRing([B]).unwrap("RE_1", wrapped)
    assert master_key_id(A) in caught.value.detail


def test_every_flipped_bit_of_a_wrapped_key_is_refused() -> None:
    ring = KeyRing([A])
    wrapped = ring.wrap("RE_1", DATA, NONCE)
    for offset in range(len(wrapped)):
        changed = bytearray(wrapped)
        changed[offset] ^= 1
        with pytest.raises(RecordingKeyError):
            ring.unwrap("RE_1", bytes(changed))
    for size in range(len(wrapped)):
        with pytest.raises(RecordingKeyError):
            ring.unwrap("RE_1", wrapped[:size])
    with pytest.raises(RecordingKeyError, match="wrapped_key_changed"):
        ring.unwrap("RE_2", wrapped)
    with pytest.raises(RecordingKeyError, match="erased"):
        ring.unwrap("RE_1", bytes(WRAPPED_BYTES))
    for bad in ((DATA[:31], NONCE), (DATA, NONCE[:11])):
        with pytest.raises(RecordingKeyError, match="bad_data_key"):
            ring.wrap("RE_1", *bad)


def test_derived_keys_differ_in_every_field() -> None:
    fields = [
        (DATA, "segments", "RE_1", "TR_1", 0, b"salt"),
        (A, "segments", "RE_1", "TR_1", 0, b"salt"),
        (DATA, "header", "RE_1", "TR_1", 0, b"salt"),
        (DATA, "segments", "RE_1T", "R_1", 0, b"salt"),
        (DATA, "segments", "RE_1", "TR_2", 0, b"salt"),
        (DATA, "segments", "RE_1", "TR_1", 1, b"salt"),
        (DATA, "segments", "RE_1", "TR_1", 0, b"pepper"),
    ]
    assert len({derive(*each) for each in fields}) == len(fields)
    assert data_key_id(DATA, "RE_1") != data_key_id(DATA, "RE_2")
