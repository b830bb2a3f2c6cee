"""The format of evidence: what is sealed opens in its own case, under its own name, unchanged - and nowhere else."""

import secrets

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verification.evidence import format as sealed
from verification.evidence.format import BlobEntry, EvidenceError, KeyRing, Manifest

KEY, CASE = bytes(range(32)), "case-1"
NONCE, SALT = bytes(12), bytes(16)


def code(*arguments: object, of: object) -> str:
    assert callable(of)
    with pytest.raises(EvidenceError) as caught:
        of(*arguments)
    return caught.value.code


@given(st.binary(max_size=300))
def test_what_is_sealed_is_opened(data: bytes) -> None:
    there = sealed.seal(KEY, CASE, "frame-1", "frame", data, SALT)
    assert sealed.open_sealed(KEY, CASE, "frame-1", "frame", there) == data
    assert len(there) == len(data) + sealed.BLOB_OVERHEAD
    assert len(data) < 8 or data not in there


def test_every_bit_is_sealed() -> None:
    there = sealed.seal(KEY, CASE, "frame-1", "frame", b"a face", SALT)
    for bit in range(8 * len(there)):
        changed = bytearray(there)
        changed[bit // 8] ^= 1 << bit % 8
        assert code(KEY, CASE, "frame-1", "frame", bytes(changed), of=sealed.open_sealed) == "evidence_changed"
    for length in range(len(there)):
        assert code(KEY, CASE, "frame-1", "frame", there[:length], of=sealed.open_sealed) == "evidence_changed"
    assert code(KEY, CASE, "frame-1", "frame", there + b"\0", of=sealed.open_sealed) == "evidence_changed"


@pytest.mark.parametrize(
    ("key", "case", "name", "kind"),
    [
        (bytes(32), CASE, "frame-1", "frame"),
        (KEY, "case-2", "frame-1", "frame"),
        (KEY, CASE, "frame-2", "frame"),
        (KEY, CASE, "frame-1", "document"),
        (KEY, CASE + "f", "rame-1", "frame"),
    ],
)
def test_nothing_opens_elsewhere(key: bytes, case: str, name: str, kind: str) -> None:
    there = sealed.seal(KEY, CASE, "frame-1", "frame", b"a face", SALT)
    assert code(key, case, name, kind, there, of=sealed.open_sealed) == "evidence_changed"


def test_a_case_key_opens_with_its_master_key_for_its_case_unchanged() -> None:
    first, second = KeyRing([b"m" * 32]), KeyRing([b"n" * 32, b"m" * 32])
    wrapped = first.wrap(CASE, KEY, NONCE)
    assert len(wrapped) == sealed.WRAPPED_BYTES
    assert first.unwrap(CASE, wrapped) == second.unwrap(CASE, wrapped) == KEY
    assert KEY not in wrapped
    assert code("case-2", wrapped, of=first.unwrap) == "evidence_changed"
    assert code(CASE, wrapped, of=KeyRing([b"n" * 32]).unwrap) == "evidence_unknown_master_key"
    assert code(CASE, bytes(len(wrapped)), of=first.unwrap) == "evidence_erased"
    assert code(CASE, b"", of=first.unwrap) == "evidence_erased"
    assert code(CASE, wrapped[:-1], of=first.unwrap) == "evidence_changed"
    for bit in range(8 * len(wrapped)):
        changed = bytearray(wrapped)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(EvidenceError):
            first.unwrap(CASE, bytes(changed))
    assert "m" * 8 not in repr(first)
    assert sealed.wrapped_with(second.wrap(CASE, KEY, NONCE)) == second.current != first.current


def test_keys_that_are_none() -> None:
    assert code([], of=KeyRing) == "evidence_bad_key"
    assert code([b"short"], of=KeyRing) == "evidence_bad_key"
    ring = KeyRing([b"m" * 32])
    assert code(CASE, b"short", NONCE, of=ring.wrap) == "evidence_bad_key"
    assert code(CASE, KEY, b"short", of=ring.wrap) == "evidence_bad_key"
    assert code(KEY, CASE, "a", "b", b"", b"short", of=sealed.seal) == "evidence_bad_key"


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../a", "a..b", "A", "a b", "ä", "a" * 81, "-a", "a\n", "a\0"])
def test_names_that_are_none(name: str) -> None:
    assert code(name, of=sealed.check_name) == "evidence_bad_name"


def test_what_is_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealed, "MAX_BLOB_BYTES", 10)
    monkeypatch.setattr(sealed, "MAX_MANIFEST_BYTES", 10)
    assert code(KEY, CASE, "a", "b", b"12345678901", SALT, of=sealed.seal) == "evidence_too_large"
    assert code(Manifest(1, CASE, "t", 0, 0, (), ""), of=sealed.encode_manifest) == "evidence_too_large"


def test_manifests_fit_their_case() -> None:
    entries = (sealed.entry(0, "a", "frame", b"one"), sealed.entry(1, "b", "frame", b"two"))
    manifest = Manifest(1, CASE, "liveness", 5.0, 6.0, entries, "{}")
    data = sealed.encode_manifest(manifest)
    assert sealed.decode_manifest(data, CASE) == manifest
    assert sealed.matches(entries[0], b"one")
    assert not sealed.matches(entries[0], b"two")
    assert not sealed.matches(entries[0], b"ones")
    wrong = (b"", b"{}", data[:-1], data.replace(b'"schema":1', b'"schema":2'), data.replace(b'"number":1', b'"number":0'))
    for other in (*wrong, data.replace(b'"name":"b"', b'"name":"a"'), data.replace(b"}", b',"x":1}', 1)):
        assert code(other, CASE, of=sealed.decode_manifest) == "evidence_changed"
    assert code(data, "case-2", of=sealed.decode_manifest) == "evidence_changed"


def test_due_is_whose_time_is_over_the_longest_first() -> None:
    assert sealed.due({"a": 10.0, "b": 5.0, "c": 10.1, "d": 10.0}, 10.0) == ["b", "a", "d"]
    assert sealed.due({}, 1.0) == []


@given(st.binary(max_size=200))
def test_any_bytes_are_refused(data: bytes) -> None:
    ring = KeyRing([secrets.token_bytes(32)])
    for refuse in (
        lambda: ring.unwrap(CASE, data),
        lambda: sealed.open_sealed(KEY, CASE, "a", "b", data),
        lambda: sealed.decode_manifest(data, CASE),
    ):
        with pytest.raises(EvidenceError):
            refuse()


def test_entries_are_plain_facts() -> None:
    assert sealed.entry(3, "a", "frame", b"") == BlobEntry(
        3, "a", "frame", 0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    )
