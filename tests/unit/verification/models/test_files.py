"""Archives give only what the manifest names, and only under the names that it gives."""

import contextlib
import io
import os
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.support.tiny_pack import sha256
from verification.errors import FetchFailed, FileDamaged, HashMismatch, PackError, VerificationError
from verification.models import files
from verification.models.pack import Member, Source

CONTENT = b"weights" * 1000


def source(name: str, *members: Member) -> Source:
    return Source(name="s", kind="https", url="https://example.org/a", file=name, sha256="0" * 64, bytes=1, members=members)


def member(path: str = "a/w.dat", content: bytes = CONTENT, *, size: int = len(CONTENT)) -> Member:
    return Member(path=path, file="w.dat", sha256=sha256(content), bytes=size)


def tar(path: Path, *entries: tuple[tarfile.TarInfo, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for info, content in entries:
            info.size = len(content) if info.isreg() else 0
            archive.addfile(info, io.BytesIO(content))
    return path


def packed(path: Path, name: str = "a/w.dat", content: bytes = CONTENT) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("../../escape", b"no")
        archive.writestr(name, content)
    return path


def extract(archive: Path, to: Path, *members: Member) -> None:
    to.mkdir(exist_ok=True)
    files.extract(archive, source(archive.name, *members), members, to)


@pytest.mark.parametrize("kind", ["tar.gz", "zip", "whl"])
def test_only_what_is_named_is_taken_out(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"a.{kind}"
    if kind == "tar.gz":
        tar(
            path,
            (tarfile.TarInfo("../escape"), b"no"),
            (tarfile.TarInfo("/etc/escape"), b"no"),
            (tarfile.TarInfo("a/w.dat"), CONTENT),
        )
    else:
        packed(path)
    extract(path, tmp_path / "out", member())
    assert {file.name: file.read_bytes() for file in (tmp_path / "out").iterdir()} == {"w.dat": CONTENT}
    assert sorted(file.name for file in tmp_path.iterdir()) == [path.name, "out"]


def test_a_link_under_the_name_is_not_followed(tmp_path: Path) -> None:
    link = tarfile.TarInfo("a/w.dat")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    with pytest.raises(FileDamaged, match="not the file"):
        extract(tar(tmp_path / "a.tar.gz", (link, b"")), tmp_path / "out", member())
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("kind", ["tar.gz", "zip"])
def test_another_size_or_hash_is_refused_and_nothing_is_left(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"a.{kind}"
    if kind == "zip":
        packed(path)
    else:
        tar(path, (tarfile.TarInfo("a/w.dat"), CONTENT))
    with pytest.raises(FileDamaged, match="not the file"):
        extract(path, tmp_path / "out", member(size=len(CONTENT) - 1))
    with pytest.raises(HashMismatch, match=r"w\.dat"):
        extract(path, tmp_path / "out", member(content=b"other"))
    with pytest.raises(FileDamaged, match="has no b"):
        extract(path, tmp_path / "out", member("b"))
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("kind", ["tar.gz", "zip"])
def test_what_is_no_archive_or_is_cut_short_is_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"a.{kind}"
    if kind == "zip":
        packed(path)
    else:
        tar(path, (tarfile.TarInfo("a/w.dat"), bytes(range(256)) * 4000))
    whole = path.read_bytes()
    for damaged in (b"not an archive", whole[: len(whole) // 2], b""):
        path.write_bytes(damaged)
        with pytest.raises(FileDamaged):
            extract(path, tmp_path / "out", member())


def test_a_damaged_file_inside_is_refused(tmp_path: Path) -> None:
    path = packed(tmp_path / "a.zip", content=bytes(range(256)) * 28)
    whole = bytearray(path.read_bytes())
    at = whole.index(b"a/w.dat") + len("a/w.dat")
    whole[at : at + 8] = b"\xff" * 8
    path.write_bytes(bytes(whole))
    with pytest.raises(VerificationError):
        extract(path, tmp_path / "out", member(content=bytes(range(256)) * 28, size=256 * 28))


def test_a_changed_byte_in_a_tar_is_refused(tmp_path: Path) -> None:
    path = tar(
        tmp_path / "a.tar.gz", (tarfile.TarInfo("other"), bytes(range(256)) * 4000), (tarfile.TarInfo("a/w.dat"), CONTENT)
    )
    whole = path.read_bytes()
    for at in range(10, len(whole), len(whole) // 40):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1 :])
        with contextlib.suppress(VerificationError):  # or the byte is behind what is looked at
            extract(path, tmp_path / f"out{at}", member())
            assert (tmp_path / f"out{at}" / "w.dat").read_bytes() == CONTENT


def test_more_than_was_said_is_never_written(tmp_path: Path) -> None:
    class Endless(io.RawIOBase):
        taken = 0

        def read(self, size: int = -1) -> bytes:
            self.taken += size
            return b"x" * size

    endless = Endless()
    with pytest.raises(HashMismatch, match="size"):
        files.copy_checked(endless, tmp_path / "w.dat", sha256(b""), 100)  # type: ignore[arg-type]
    assert endless.taken <= 2 * files.CHUNK_BYTES
    assert not (tmp_path / "w.dat").exists()


def test_a_link_is_not_the_file_that_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(CONTENT)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert files.is_file(tmp_path / "real", sha256(CONTENT), len(CONTENT))
    assert not files.is_file(tmp_path / "link", sha256(CONTENT), len(CONTENT))


def test_one_at_a_time_changes_a_folder(tmp_path: Path) -> None:
    with files.locked(tmp_path / "models"), pytest.raises(PackError, match="somebody else"), files.locked(tmp_path / "models"):
        pass
    with files.locked(tmp_path / "models"):
        pass


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(FetchFailed, match="cannot write"), files.locked(tmp_path / "file" / "models"):
        pass


def test_a_library_that_wants_a_path_gets_these_bytes_and_nobody_changes_them() -> None:
    with files.as_path(b"the model") as path:
        assert Path(path).read_bytes() == b"the model"
        with pytest.raises(OSError, match="not permitted"), open(path, "r+b", buffering=0) as writer:
            writer.write(b"another")
        assert Path(path).read_bytes() == b"the model"
    assert not os.path.exists(path) or Path(path).read_bytes() != b"the model"


def test_without_such_memory_it_is_a_file_that_is_gone_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "memfd_create")
    with files.as_path(b"the model") as path:
        assert Path(path).read_bytes() == b"the model"
        assert Path(path).stat().st_mode & 0o077 == 0
    assert not os.path.exists(path)
