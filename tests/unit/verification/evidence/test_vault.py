"""Campaign 19 in short, the part of the blobs: flipped bits, swaps, replays, losses, rotation, erasure - all refused, and nothing plain on disk."""

import contextlib
import errno
import hashlib
import itertools
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.failing_disk import files_at_most
from verification.evidence import format as evidence_format
from verification.evidence.format import EvidenceError, KeyRing
from verification.evidence.vault import FileVault, Vault

LONG = os.environ.get("TESTS_CAMPAIGN") == "long"
PICTURE_BYTES = 4_000 if LONG else 200
"""Of one whose every bit is turned; the long form's is a small JPEG's."""
OLD, NEW = b"o" * 32, b"n" * 32
FACE = b"CANARY a face, sampled " * 20
SCRIPT = b'{"CANARY": "actions"}'
FACTS = '{"decision":"REFER","name":"CANARY"}'


@pytest.fixture
def vault(tmp_path: Path) -> FileVault:
    made: Vault = FileVault(tmp_path / "evidence", KeyRing([OLD]))
    assert isinstance(made, FileVault)
    for case, face in (("case-1", FACE), ("case-2", FACE[::-1])):
        draft = made.begin(case)
        draft.add("frame-1", "frame", face)
        draft.add("frame-2", "frame", face[:100] + b"2")
        draft.add("script", "script", SCRIPT)
        draft.seal(type="liveness", created_s=100.0, keep_until_s=200.0 if case == "case-1" else 300.0, facts=FACTS)
    return made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "evidence"


def refusal(action: Callable[[], object]) -> str:
    with pytest.raises(EvidenceError) as caught:
        action()
    return caught.value.code


def everything(vault: FileVault, case: str = "case-1") -> dict[str, bytes]:
    return {entry.name: vault.read(case, entry.name) for entry in vault.verify(case).blobs}


def test_what_was_put_in_comes_out(vault: FileVault) -> None:
    assert everything(vault) == {"frame-1": FACE, "frame-2": FACE[:100] + b"2", "script": SCRIPT}
    manifest = vault.manifest("case-1")
    assert (manifest.case, manifest.type, manifest.facts, manifest.keep_until_s) == ("case-1", "liveness", FACTS, 200.0)
    first = manifest.blobs[0]
    assert (first.number, first.kind, first.size) == (0, "frame", len(FACE))
    assert vault.cases() == ["case-1", "case-2"]
    assert vault.unfinished() == []


def test_nothing_plain_is_on_disk_and_names_are_in_the_manifest_alone(vault: FileVault, folder: Path) -> None:
    for path in folder.rglob("*"):
        assert "frame" not in path.name
        if path.is_file():
            data = path.read_bytes()
            assert b"CANARY" not in data
            assert b"frame" not in data
            assert OLD not in data
            assert path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("name", ["key", "manifest", "0000.blob", "0001.blob", "0002.blob"])
def test_every_flipped_bit_is_found(vault: FileVault, folder: Path, name: str) -> None:
    path = folder / "case-1" / name
    plain = path.read_bytes()
    step = 1 if LONG else 7  # all of them in short: test_format
    for bit in range(0, 8 * len(plain), step):
        changed = bytearray(plain)
        changed[bit // 8] ^= 1 << bit % 8
        path.write_bytes(changed)
        assert refusal(lambda: vault.verify("case-1")) in ("evidence_changed", "evidence_unknown_master_key")
    path.write_bytes(plain)
    assert everything(vault)


@pytest.mark.parametrize("name", ["key", "manifest", "0000.blob", "0002.blob"])
def test_what_is_cut_longer_empty_zero_or_no_file_is_refused(vault: FileVault, folder: Path, name: str) -> None:
    path = folder / "case-1" / name
    plain = path.read_bytes()
    for data in (b"", plain[:-1], plain[:10], plain + b"\0", plain * 2, bytes(len(plain))):
        path.write_bytes(data)
        assert refusal(lambda: vault.verify("case-1")) in ("evidence_changed", "evidence_erased")
    path.unlink()
    assert refusal(lambda: vault.verify("case-1")) in ("evidence_missing", "evidence_not_found")
    path.symlink_to(folder / "case-2" / name)
    with pytest.raises(OSError, match="symbolic"):
        vault.verify("case-1")


def test_every_bit_of_a_whole_picture(folder: Path) -> None:
    """As whoever reviews asks for it, one picture at a time; every tenth in the suite. Nothing of it comes out."""
    vault = FileVault(folder, KeyRing([OLD]))
    draft = vault.begin("case-3")
    draft.add("frame-1", "frame", os.urandom(PICTURE_BYTES))
    draft.seal(type="liveness", created_s=100.0, keep_until_s=200.0)
    path = folder / "case-3" / "0000.blob"
    plain = path.read_bytes()
    changed = bytearray(plain)
    refused = 0
    with path.open("r+b", buffering=0) as file:
        for bit in range(0, 8 * len(plain), 1 if LONG else 10):
            changed[bit // 8] ^= 1 << bit % 8
            os.pwrite(file.fileno(), changed, 0)
            refused += refusal(lambda: vault.read("case-3", "frame-1")) == "evidence_changed"
            changed[bit // 8] ^= 1 << bit % 8
        assert refused == len(range(0, 8 * len(plain), 1 if LONG else 10))
        os.pwrite(file.fileno(), plain, 0)
    print(f"{refused} changed blobs of {len(plain)} bytes, all refused")
    assert len(vault.read("case-3", "frame-1")) == PICTURE_BYTES


def test_every_file_in_the_place_of_every_other(vault: FileVault, folder: Path) -> None:
    """Of one case and of two; in the long form also every two of them at once. A case of which no file was changed is read as before."""
    files = sorted(path for case in ("case-1", "case-2") for path in (folder / case).iterdir())
    whole = {path: path.read_bytes() for path in files}
    before = {case: everything(vault, case) for case in ("case-1", "case-2")}
    moves = [(to, source) for to in files for source in files if whole[to] != whole[source]]
    assert len(moves) == len(files) * (len(files) - 1)
    pairs = itertools.combinations(moves, 2) if LONG else ()
    tried = 0
    for change in [*((move,) for move in moves), *(pair for pair in pairs if pair[0][0] != pair[1][0])]:
        for to, source in change:
            to.write_bytes(whole[source])
        for case in ("case-1", "case-2"):
            if any(to.parent.name == case for to, _ in change):
                assert refusal(lambda case=case: vault.verify(case)) in ("evidence_changed", "evidence_unknown_master_key"), (
                    change
                )
            else:
                assert vault.verify(case).case == case
        for to, _ in change:
            to.write_bytes(whole[to])
        tried += 1
    print(f"{tried} changes of {len(files)} files, all refused")
    assert {case: everything(vault, case) for case in ("case-1", "case-2")} == before


def test_swapped_blobs_are_refused(vault: FileVault, folder: Path) -> None:
    first, second = (folder / "case-1" / name for name in ("0000.blob", "0001.blob"))
    a, b = first.read_bytes(), second.read_bytes()
    first.write_bytes(b)
    second.write_bytes(a)
    assert refusal(lambda: vault.read("case-1", "frame-1")) == "evidence_changed"
    assert refusal(lambda: vault.read("case-1", "frame-2")) == "evidence_changed"
    assert vault.read("case-1", "script") == SCRIPT


@pytest.mark.parametrize("names", [("key",), ("manifest",), ("0000.blob",), ("manifest", "0000.blob"), ("key", "manifest", "0000.blob", "0001.blob", "0002.blob")])  # fmt: skip
def test_what_is_replayed_into_another_case_is_refused(vault: FileVault, folder: Path, names: tuple[str, ...]) -> None:
    for name in names:
        shutil.copy(folder / "case-1" / name, folder / "case-2" / name)
    assert refusal(lambda: vault.verify("case-2")) == "evidence_changed"
    everything(vault)


def test_a_file_that_the_manifest_does_not_name_is_found(vault: FileVault, folder: Path) -> None:
    shutil.copy(folder / "case-1" / "0000.blob", folder / "case-1" / "0003.blob")
    assert refusal(lambda: vault.verify("case-1")) == "evidence_changed"


def test_keys_are_rotated_without_touching_the_blobs(vault: FileVault, folder: Path) -> None:
    before = {path: path.read_bytes() for path in folder.rglob("*.blob")}
    both = FileVault(folder, KeyRing([NEW, OLD]))
    assert everything(both) == everything(vault)
    assert [both.rewrap(case) for case in both.cases()] == [True, True]
    assert not both.rewrap("case-1")
    assert {path: path.read_bytes() for path in folder.rglob("*.blob")} == before
    assert everything(FileVault(folder, KeyRing([NEW])))["frame-1"] == FACE
    assert refusal(lambda: vault.read("case-1", "frame-1")) == "evidence_unknown_master_key"
    assert refusal(lambda: vault.rewrap("case-1")) == "evidence_unknown_master_key"


def test_what_is_erased_is_unreadable_also_from_a_copy_of_everything_else(
    vault: FileVault, folder: Path, tmp_path: Path
) -> None:
    shutil.copytree(folder / "case-1", tmp_path / "copy", ignore=shutil.ignore_patterns("key"))
    link = tmp_path / "linked"
    os.link(folder / "case-1" / "key", link)
    (folder / "case-1" / "key.abc.tmp").write_bytes(b"a rewrap that was killed")
    assert vault.erase("case-1")
    assert not link.read_bytes().strip(b"\0")
    assert not (folder / "case-1").exists()
    assert not vault.erase("case-1")
    assert refusal(lambda: vault.read("case-1", "frame-1")) == "evidence_not_found"
    shutil.copytree(tmp_path / "copy", folder / "case-1")
    assert refusal(lambda: vault.read("case-1", "frame-1")) == "evidence_not_found"
    shutil.copy(link, folder / "case-1" / "key")
    assert refusal(lambda: vault.read("case-1", "frame-1")) == "evidence_erased"
    shutil.copy(folder / "case-2" / "key", folder / "case-1" / "key")
    assert refusal(lambda: vault.read("case-1", "frame-1")) == "evidence_changed"
    everything(vault, "case-2")


def test_a_case_is_due_when_its_time_is_over(vault: FileVault, folder: Path) -> None:
    assert [vault.due(now) for now in (199.9, 200.0, 301.0)] == [[], ["case-1"], ["case-1", "case-2"]]
    (folder / "case-1" / "manifest").write_bytes(b"broken")
    assert vault.due(301.0) == ["case-2"]


def test_a_draft_is_nothing_before_it_is_sealed(vault: FileVault, folder: Path) -> None:
    draft = vault.begin("case-3")
    draft.add("frame-1", "frame", FACE)
    assert refusal(lambda: vault.read("case-3", "frame-1")) == "evidence_missing"
    assert refusal(lambda: vault.begin("case-3")) == "evidence_exists"
    assert vault.unfinished() == ["case-3"]
    draft.abandon()
    assert not (folder / "case-3").exists()
    assert refusal(lambda: draft.add("more", "frame", b"")) == "evidence_sealed"
    sealed = vault.begin("case-3")
    sealed.seal(type="liveness", created_s=0, keep_until_s=1)
    sealed.abandon()
    assert vault.verify("case-3").blobs == ()
    assert refusal(lambda: sealed.seal(type="liveness", created_s=0, keep_until_s=1)) == "evidence_sealed"


def written(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_draft_that_outlives_its_case_writes_nowhere(vault: FileVault, folder: Path) -> None:
    """Whoever is slow finds the case erased; also where somebody else has begun one of that name."""
    first, second, third = (vault.begin(case) for case in ("case-3", "case-4", "case-5"))
    for draft in (first, second, third):
        draft.add("frame-1", "frame", FACE)
    for case in ("case-3", "case-4", "case-5"):
        assert vault.erase(case)
    assert refusal(lambda: first.add("frame-2", "frame", FACE)) == "evidence_erased"
    assert refusal(lambda: first.add("frame-2", "frame", FACE)) == "evidence_sealed"
    first.abandon()
    assert vault.cases() == ["case-1", "case-2"]
    for case in ("case-4", "case-5"):
        vault.begin(case).seal(type="liveness", created_s=0, keep_until_s=1)
    before = [written(folder / case) for case in ("case-4", "case-5")]
    assert refusal(lambda: second.seal(type="liveness", created_s=5, keep_until_s=9)) == "evidence_erased"
    third.abandon()
    assert [written(folder / case) for case in ("case-4", "case-5")] == before
    for case in ("case-4", "case-5"):
        assert vault.verify(case).blobs == ()


def test_drafts_keep_no_folder_open(vault: FileVault) -> None:
    fds = Path("/proc/self/fd")

    def held() -> int:
        return sum("evidence" in os.readlink(path) for path in fds.iterdir() if path.is_symlink())

    vault.begin("case-3").seal(type="liveness", created_s=0, keep_until_s=1)
    vault.begin("case-4").abandon()
    draft = vault.begin("case-5")
    assert held() == 1
    del draft
    assert held() == 0


def test_what_no_draft_takes(vault: FileVault, monkeypatch: pytest.MonkeyPatch) -> None:
    draft = vault.begin("case-3")
    draft.add("frame-1", "frame", b"")
    assert refusal(lambda: draft.add("frame-1", "frame", b"")) == "evidence_exists"
    for name, kind in (("manifest", "frame"), ("a", "manifest"), ("../a", "frame"), ("a", "")):
        assert refusal(lambda name=name, kind=kind: draft.add(name, kind, b"")) == "evidence_bad_name"  # type: ignore[misc]
    monkeypatch.setattr(evidence_format, "MAX_BLOBS", 1)
    assert refusal(lambda: draft.add("a", "frame", b"")) == "evidence_exists"
    assert refusal(lambda: vault.begin("../case")) == "evidence_bad_name"
    assert refusal(lambda: vault.read("case-1", "nothing")) == "evidence_not_found"
    assert refusal(lambda: vault.read("nothing", "a")) == "evidence_not_found"


def test_a_disk_that_fails_leaves_nothing_half_written(vault: FileVault, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    draft = vault.begin("case-3")
    draft.add("frame-1", "frame", FACE)

    def full(file: int, data: bytes = b"") -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with pytest.raises(OSError, match="space"):
            draft.add("frame-2", "frame", FACE)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="space"):
            draft.seal(type="liveness", created_s=0, keep_until_s=1)
    assert sorted(path.name for path in (folder / "case-3").iterdir()) == ["0000.blob", "key"]
    draft.add("frame-2", "frame", FACE)
    draft.seal(type="liveness", created_s=0, keep_until_s=1)
    assert [blob.name for blob in vault.verify("case-3").blobs] == ["frame-1", "frame-2"]


def written_anew(vault: FileVault) -> None:
    draft = vault.begin("case-3")
    try:
        draft.add("frame-1", "frame", FACE)
        draft.add("frame-2", "frame", FACE[::-1])
        draft.seal(type="liveness", created_s=0, keep_until_s=1)
    except OSError:
        draft.abandon()
        raise


@pytest.mark.campaign(12)
@pytest.mark.parametrize("error", [errno.EIO, errno.ENOSPC])
def test_whichever_call_fails_there_is_all_of_it_or_nothing(
    vault: FileVault, folder: Path, monkeypatch: pytest.MonkeyPatch, error: int
) -> None:
    """Each call of one writing in turn, until one goes through."""
    other, left = everything(vault), [0]

    def counted(real: Callable[..., object]) -> Callable[..., object]:
        def call(*given: object, **more: object) -> object:
            left[0] -= 1
            if left[0] == 0:
                raise OSError(error, os.strerror(error))
            return real(*given, **more)

        return call

    for failing in itertools.count(1):
        left[0] = failing
        with monkeypatch.context() as patch, contextlib.suppress(OSError):
            for name in ("write", "fsync", "replace"):
                patch.setattr(os, name, counted(getattr(os, name)))
            written_anew(vault)
        if left[0] > 0:
            break
        assert set(vault.cases()) - {"case-1", "case-2"} == set(vault.unfinished()), failing
        vault.erase("case-3")  # as the next start does with what is unfinished
        assert everything(vault) == other
    assert failing > 10, "nothing was tried"
    assert everything(vault, "case-3") == {"frame-1": FACE, "frame-2": FACE[::-1]}


@pytest.mark.campaign(12)
@pytest.mark.parametrize("size", [0, 1, 30, 200])
def test_a_write_that_is_cut_off_leaves_nothing(vault: FileVault, folder: Path, size: int) -> None:
    draft = vault.begin("case-3")
    draft.add("frame-1", "frame", FACE)
    with files_at_most(size):
        for _ in range(2):
            with pytest.raises(OSError, match="large"):
                draft.add("frame-2", "frame", FACE)
        with pytest.raises(OSError, match="large"):
            draft.seal(type="liveness", created_s=0, keep_until_s=1)
    assert sorted(path.name for path in (folder / "case-3").iterdir()) == ["0000.blob", "key"]
    draft.add("frame-2", "frame", FACE)
    draft.seal(type="liveness", created_s=0, keep_until_s=1)
    assert everything(vault, "case-3") == {"frame-1": FACE, "frame-2": FACE}


@pytest.mark.campaign(12)
def test_what_is_written_a_few_bytes_at_a_time_is_whole(vault: FileVault, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda file, data: real(file, data[:7]))
        written_anew(vault)
    assert everything(vault, "case-3") == {"frame-1": FACE, "frame-2": FACE[::-1]}


@pytest.mark.parametrize(
    ("created_s", "keep_until_s"),
    [(0, float("inf")), (0, float("nan")), (float("nan"), 1), (float("-inf"), 1), (100, 99.9)],
)
def test_times_that_cannot_be_are_refused_before_anything_is_lost(
    vault: FileVault, created_s: float, keep_until_s: float
) -> None:
    """ "Keep for ever" cannot be written: the manifest could never be read again, and nothing in the case."""
    draft = vault.begin("case-3")
    draft.add("frame-1", "frame", FACE)
    assert refusal(lambda: draft.seal(type="liveness", created_s=created_s, keep_until_s=keep_until_s)) == "evidence_bad_time"
    assert vault.unfinished() == ["case-3"]
    draft.seal(type="liveness", created_s=100, keep_until_s=100)
    assert vault.read("case-3", "frame-1") == FACE
    assert vault.due(100) == ["case-3"]


def test_the_digest_is_of_the_manifest_as_it_stands_on_disk_and_of_nothing_else(vault: FileVault, folder: Path) -> None:
    sealed = (folder / "case-1" / "manifest").read_bytes()
    assert vault.digest("case-1") == hashlib.sha256(sealed).hexdigest()
    assert vault.digest("case-2") != vault.digest("case-1")
    before = vault.digest("case-1")
    assert FileVault(folder, KeyRing([NEW, OLD])).rewrap("case-1")
    assert vault.digest("case-1") == before
    (folder / "case-1" / "manifest").unlink()
    assert refusal(lambda: vault.digest("case-1")) == "evidence_missing"


def test_what_is_old_comes_in_order_and_so_many_at_once(vault: FileVault, folder: Path) -> None:
    vault.begin("case-0")  # not finished
    assert vault.old("", 1000.0, 10) == []
    for name in ("case-0", "case-1", "case-2"):
        os.utime(folder / name, (999.0, 999.0))
    assert vault.old("", 999.0, 10) == []
    assert vault.old("", 999.5, 10) == ["case-0", "case-1", "case-2"]
    assert vault.old("", 999.5, 2) == ["case-0", "case-1"]
    assert vault.old("case-1", 999.5, 2) == ["case-2"]
