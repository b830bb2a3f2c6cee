"""Fetching: goes on where the line broke, follows to no other scheme, writes no more than was said, and keeps no wrong file."""

import socket
import ssl
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import pytest

from server.tls import self_signed
from tests.support.file_server import FileServer
from tests.support.tiny_pack import sha256
from verification.errors import FetchFailed, HashMismatch
from verification.models import fetch
from verification.models.files import no_progress
from verification.models.pack import Source

CONTENT = bytes(range(256)) * 4000


@pytest.fixture
def server() -> Iterator[FileServer]:
    with FileServer({"w.onnx": CONTENT}) as running:
        yield running


def get(server: FileServer, part: Path, *, size: int = len(CONTENT), hashed: bytes = CONTENT, url: str = "") -> None:
    fetch.fetch(
        url or f"{server.url}/w.onnx", part, sha256=sha256(hashed), size=size, progress=no_progress, name="w.onnx", timeout_s=5
    )


def test_a_file_is_fetched_and_its_progress_told(server: FileServer, tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    fetch.fetch(
        f"{server.url}/w.onnx",
        tmp_path / "part",
        sha256=sha256(CONTENT),
        size=len(CONTENT),
        progress=lambda *step: told.append(step),
        name="w.onnx",
    )
    assert (tmp_path / "part").read_bytes() == CONTENT
    assert told[-1] == ("w.onnx", len(CONTENT), len(CONTENT))
    assert [done for _, done, _ in told] == sorted(done for _, done, _ in told)


def test_a_broken_line_is_asked_on_from_there(server: FileServer, tmp_path: Path) -> None:
    server.break_off_after = 300_000
    get(server, tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == CONTENT
    assert [wanted for _, wanted in server.asked] == [None, "bytes=300000-"]


def test_the_next_run_goes_on_where_the_last_ended(server: FileServer, tmp_path: Path) -> None:
    (tmp_path / "part").write_bytes(CONTENT[:1000])
    get(server, tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == CONTENT
    assert server.asked == [("/w.onnx", "bytes=1000-")]


def test_what_is_whole_already_is_not_asked_for(server: FileServer, tmp_path: Path) -> None:
    (tmp_path / "part").write_bytes(CONTENT)
    get(server, tmp_path / "part")
    assert server.asked == []


@pytest.mark.parametrize("way", ["ranges are ignored", "another range comes"])
def test_a_server_that_cannot_go_on_sends_it_anew(server: FileServer, tmp_path: Path, way: str) -> None:
    server.ranges, server.wrong_range = way != "ranges are ignored", way == "another range comes"
    (tmp_path / "part").write_bytes(CONTENT[:1000])
    get(server, tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == CONTENT


def test_more_than_the_manifest_says_is_not_kept(server: FileServer, tmp_path: Path) -> None:
    server.extra = b"more"
    with pytest.raises(FetchFailed, match="larger"):
        get(server, tmp_path / "part")
    assert (tmp_path / "part").stat().st_size == 0
    assert len(server.asked) == 1


def test_another_file_is_not_kept(server: FileServer, tmp_path: Path) -> None:
    with pytest.raises(HashMismatch):
        get(server, tmp_path / "part", hashed=b"another")
    assert not (tmp_path / "part").exists()


def test_a_shorter_file_than_was_begun_is_begun_anew(server: FileServer, tmp_path: Path) -> None:
    server.files["w.onnx"] = CONTENT[:100]
    (tmp_path / "part").write_bytes(CONTENT[:1000])
    with pytest.raises(FetchFailed, match="less of it"):
        get(server, tmp_path / "part")
    assert server.asked[0] == ("/w.onnx", "bytes=1000-")
    assert server.asked[1] == ("/w.onnx", None)


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/x", "FILE:///etc/passwd", "data:text/plain,x"])
def test_no_other_scheme_is_followed(server: FileServer, tmp_path: Path, target: str) -> None:
    server.leads_to = target
    with pytest.raises(FetchFailed):
        get(server, tmp_path / "part")
    assert not (tmp_path / "part").exists() or (tmp_path / "part").stat().st_size == 0


def test_https_is_not_led_to_http() -> None:
    import urllib.request

    request = urllib.request.Request("https://example.org/a")
    with pytest.raises(FetchFailed, match="another kind"):
        fetch._SameScheme().redirect_request(request, None, 302, "", {}, "http://example.org/a")
    assert fetch._SameScheme().redirect_request(request, None, 302, "", {}, "https://cdn.example.org/a") is not None


def test_a_circle_of_redirects_ends(server: FileServer, tmp_path: Path) -> None:
    server.leads_to = "/w.onnx"
    with pytest.raises(FetchFailed):
        get(server, tmp_path / "part")
    assert len(server.asked) < 20


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://example.org/w.onnx", "/w.onnx"])
def test_no_other_scheme_is_asked(server: FileServer, tmp_path: Path, url: str) -> None:
    with pytest.raises(FetchFailed, match="neither http nor https"):
        get(server, tmp_path / "part", url=url)
    with pytest.raises(FetchFailed, match="neither http nor https"):
        fetch.fetch_small(url, 100)


@pytest.mark.parametrize("status", [403, 404, 500])
def test_what_the_server_answers_is_told_and_not_asked_again(server: FileServer, tmp_path: Path, status: int) -> None:
    server.status = status
    with pytest.raises(FetchFailed, match=str(status)):
        get(server, tmp_path / "part")
    assert len(server.asked) == 1


def test_a_password_in_an_address_is_not_told(server: FileServer, tmp_path: Path) -> None:
    server.status = 403
    with pytest.raises(FetchFailed) as refused:
        get(server, tmp_path / "part", url=server.url.replace("://", "://teller:secret@") + "/w.onnx?key=secret")
    assert "secret" not in refused.value.detail


def test_nobody_there_is_one_line(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        with pytest.raises(FetchFailed, match="cannot fetch"):
            fetch.fetch(
                f"http://127.0.0.1:{port}/w",
                tmp_path / "part",
                sha256="0" * 64,
                size=1,
                progress=no_progress,
                name="w",
                timeout_s=2,
            )


def test_a_whole_file_has_a_deadline(server: FileServer, tmp_path: Path) -> None:
    with pytest.raises(FetchFailed, match="too long"):
        fetch.fetch(
            f"{server.url}/w.onnx",
            tmp_path / "part",
            sha256=sha256(CONTENT),
            size=len(CONTENT),
            progress=no_progress,
            name="w",
            whole_timeout_s=-1,
        )


def _in_a_moment(url: str, part: Path, *, small: bool) -> None:
    if small:
        fetch.fetch_small(url, len(CONTENT), timeout_s=5, whole_timeout_s=0.3)
        return
    fetch.fetch(
        url,
        part,
        sha256=sha256(CONTENT),
        size=len(CONTENT),
        progress=no_progress,
        name="w",
        timeout_s=5,
        whole_timeout_s=0.3,
    )


@pytest.mark.parametrize("where", ["head", "body"])
@pytest.mark.parametrize("small", [False, True])
def test_a_server_that_drips_holds_nobody_longer_than_the_whole_time(
    tmp_path: Path, where: Literal["head", "body"], small: bool
) -> None:
    """Each byte comes well within the time of a piece."""
    part = tmp_path / "part"
    with FileServer({"w.onnx": CONTENT}) as server:
        server.drips = where
        with pytest.raises(FetchFailed, match="too long"):
            _in_a_moment(f"{server.url}/w.onnx", part, small=small)
    assert server.left_early == 1
    if where == "body" and not small:
        assert 0 < part.stat().st_size < 100_000  # kept for the next run


@pytest.fixture
def tls(tmp_path: Path) -> tuple[ssl.SSLContext, Path]:
    """Of a server that nobody knows, and its certificate."""
    certificate, key = self_signed(tmp_path, ("127.0.0.1",), datetime.now(UTC))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context, certificate


def test_certificates_are_checked(tls: tuple[ssl.SSLContext, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with FileServer({"w.onnx": CONTENT}, tls=tls[0]) as server:
        with pytest.raises(FetchFailed, match="certificate"):
            get(server, tmp_path / "part")
        assert server.asked == []
        monkeypatch.setenv("SSL_CERT_FILE", str(tls[1]))
        get(server, tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == CONTENT


def test_a_server_that_drips_under_tls_holds_nobody_either(
    tls: tuple[ssl.SSLContext, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tls[1]))
    with FileServer({"w.onnx": CONTENT}, tls=tls[0]) as server:
        server.drips = "body"
        with pytest.raises(FetchFailed, match="too long"):
            _in_a_moment(f"{server.url}/w.onnx", tmp_path / "part", small=False)
    assert server.left_early == 1


def test_a_piece_has_a_deadline_of_its_own(tmp_path: Path) -> None:
    """Of a server that takes a call and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/w"
        with pytest.raises(FetchFailed, match="timed out"):
            fetch.fetch_small(url, 10, timeout_s=0.05, whole_timeout_s=60)


def test_a_manifest_of_a_mirror_is_bounded(server: FileServer) -> None:
    assert fetch.fetch_small(f"{server.url}/w.onnx", len(CONTENT)) == CONTENT
    with pytest.raises(FetchFailed, match="too long"):
        fetch.fetch_small(f"{server.url}/w.onnx", len(CONTENT) - 1)
    with pytest.raises(FetchFailed, match="404"):
        fetch.fetch_small(f"{server.url}/nothing", 10)


def wheel(folder: Path) -> bytes:
    path = folder / "tiny_weights-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("tiny_weights/w.dat", b"weights")
        archive.writestr("tiny_weights-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny-weights\nVersion: 1.0\n")
        archive.writestr("tiny_weights-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr("tiny_weights-1.0.dist-info/RECORD", "")
    return path.read_bytes()


def package(content: bytes) -> Source:
    return Source(
        name="tiny",
        kind="pypi",
        project="tiny_weights",
        version="1.0",
        file="tiny_weights-1.0-py3-none-any.whl",
        sha256=sha256(content),
        bytes=len(content),
    )


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder as pip's only index."""
    for name in ("PIP_EXTRA_INDEX_URL", "PIP_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def test_a_package_comes_by_pip_with_its_hash(index: Path, tmp_path: Path) -> None:
    content = wheel(index)
    (tmp_path / "to").mkdir()
    assert fetch.download_package(package(content), tmp_path / "to", quiet=True).read_bytes() == content


def test_a_package_with_another_hash_is_refused(index: Path, tmp_path: Path) -> None:
    wheel(index)
    (tmp_path / "to").mkdir()
    with pytest.raises(FetchFailed, match="pip cannot fetch tiny_weights"):
        fetch.download_package(package(b"other"), tmp_path / "to", quiet=True)
    assert [path.suffix for path in (tmp_path / "to").iterdir()] == [".txt"]


@pytest.mark.parametrize("retries", [0, 1])
def test_an_index_that_never_answers_is_left_after_the_tries_and_the_time_that_were_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, retries: int
) -> None:
    """Each try is a connection of its own."""
    with socket.create_server(("127.0.0.1", 0), backlog=16) as silent:
        monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
        monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{silent.getsockname()[1]}/simple")
        for name in ("PIP_EXTRA_INDEX_URL", "PIP_NO_INDEX", "PIP_FIND_LINKS", "http_proxy", "HTTP_PROXY"):
            monkeypatch.delenv(name, raising=False)
        with pytest.raises(FetchFailed, match="pip cannot fetch tiny_weights"):
            fetch.download_package(package(b"any"), tmp_path, quiet=True, retries=retries, timeout_s=0.2, whole_timeout_s=60)
        silent.setblocking(False)
        asked = 0
        while True:
            try:
                silent.accept()[0].close()
            except BlockingIOError:
                break
            asked += 1
    assert asked == 1 + retries


def test_what_another_source_left_does_not_speak_against_this_one(server: FileServer, tmp_path: Path) -> None:
    """A mirror of wrong bytes hung up; the true source is asked for the rest, found out, and asked for the whole."""
    (tmp_path / "part").write_bytes(b"\0" * 50_000)
    get(server, tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == CONTENT
    assert [wanted for _, wanted in server.asked] == ["bytes=50000-", None]


@pytest.mark.parametrize("left", [len(CONTENT), len(CONTENT) + 9])
def test_a_whole_wrong_file_that_was_left_is_fetched_anew(server: FileServer, tmp_path: Path, left: int) -> None:
    (tmp_path / "part").write_bytes(b"\0" * left)
    get(server, tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == CONTENT
    assert server.asked == [("/w.onnx", None)]


def test_a_source_that_is_wrong_from_its_first_byte_is_told_also_where_something_was_left(
    server: FileServer, tmp_path: Path
) -> None:
    (tmp_path / "part").write_bytes(CONTENT[:1000])
    with pytest.raises(HashMismatch):
        get(server, tmp_path / "part", hashed=b"another")
    assert not (tmp_path / "part").exists()
    assert [wanted for _, wanted in server.asked] == ["bytes=1000-", None]
