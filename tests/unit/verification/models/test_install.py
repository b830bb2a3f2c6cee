"""Installing: from a folder, an address, an archive, what is there already; and an installed pack survives what goes wrong."""

import io
import json
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.support import packs, tiny_pack
from tests.support.file_server import FileServer
from verification.errors import FetchFailed, HashMismatch, ManifestInvalid, NotInstalled, PackError
from verification.models import catalogue, dlib_onnx, fetch, files
from verification.models.install import Options, install, pack_named
from verification.models.manifest import load_manifest
from verification.models.pack import Task
from verification.models.store import ModelStore, State

HASH = load_manifest(tiny_pack.toml(tiny_pack.tree())).hash
"""Of the pack of one's own: over http nothing else says that it is."""


def over(server: "FileServer", **more: Any) -> Options:
    """From this address, by the hash of the manifest that is there: over http nothing else says whose a pack is."""
    try:
        digest = load_manifest(server.files["manifest.toml"]).hash
    except (KeyError, ManifestInvalid):
        digest = HASH
    return Options(origin=server.url, pack_hash=digest, **more)


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path / "models")


@pytest.fixture
def server() -> Iterator[FileServer]:
    content = {**tiny_pack.FILES, "manifest.toml": tiny_pack.toml(tiny_pack.tree())}
    with FileServer(content) as running:
        yield running


def archive() -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name in ("detector.onnx", "recogniser.onnx"):
            info = tarfile.TarInfo(f"weights/{name}")
            info.size = len(tiny_pack.FILES[name])
            tar.addfile(info, io.BytesIO(tiny_pack.FILES[name]))
    return out.getvalue()


def archived(content: bytes, **more: Any) -> dict[str, Any]:
    """The tiny pack's models from an archive."""
    tree = tiny_pack.tree()
    members = [
        {
            "path": f"weights/{name}",
            "file": name,
            "sha256": tiny_pack.sha256(tiny_pack.FILES[name]),
            "bytes": len(tiny_pack.FILES[name]),
        }
        for name in ("detector.onnx", "recogniser.onnx")
    ]
    source = {"name": "w", "kind": "mirror", "file": "w.tar.gz", "sha256": tiny_pack.sha256(content), "bytes": len(content)}
    tree["source"] = [{**source, "members": members, **more}]
    return tree


def test_an_own_pack_is_installed_from_an_address(store: ModelStore, server: FileServer) -> None:
    told: list[str] = []
    install(store, "tiny", Options(pack_hash=HASH, origin=f"{server.url}/packs", progress=lambda file, *_: told.append(file)))
    assert store.open("tiny").pack.version == "7"
    assert set(told) == {"detector.onnx", "recogniser.onnx"}
    assert sorted(path.name for path in store.folder.iterdir()) == [".downloads", ".lock", "tiny"]
    assert list((store.folder / ".downloads").iterdir()) == []


def test_a_pack_of_one_s_own_over_http_needs_its_hash(store: ModelStore, server: FileServer) -> None:
    """Whoever holds the line may say what they like, and that everybody is everybody."""
    with pytest.raises(FetchFailed, match="--sha256"):
        install(store, "tiny", Options(origin=server.url))
    assert server.asked == []
    with pytest.raises(HashMismatch, match="not the one that was given"):
        install(store, "tiny", Options(origin=server.url, pack_hash="ab" * 32))
    assert not (store.folder / "tiny").exists()
    install(store, "tiny", Options(origin=server.url, pack_hash=HASH.upper()))
    assert store.open("tiny").pack.hash == HASH


def test_a_pack_that_comes_with_this_version_is_the_one_that_was_meant(store: ModelStore) -> None:
    with pytest.raises(HashMismatch, match="base there has the hash"):
        install(store, "base", Options(pack_hash=HASH))


def test_an_installation_that_was_cut_off_goes_on(store: ModelStore, server: FileServer) -> None:
    content = server.files["detector.onnx"]
    downloads = store.folder / ".downloads"
    downloads.mkdir(parents=True)
    (downloads / tiny_pack.sha256(content)).write_bytes(content[:40])
    install(store, "tiny", over(server))
    assert ("/detector.onnx", "bytes=40-") in server.asked


def test_what_came_before_the_server_failed_is_not_fetched_again(store: ModelStore, server: FileServer) -> None:
    last = server.files.pop("recogniser.onnx")
    with pytest.raises(FetchFailed, match=r"recogniser\.onnx"):
        install(store, "tiny", over(server))
    assert not (store.folder / "tiny").exists()
    server.files["recogniser.onnx"] = last
    install(store, "tiny", over(server))
    assert [path for path, _ in server.asked].count("/detector.onnx") == 1
    assert list((store.folder / ".downloads").iterdir()) == []


def test_a_mirror_that_fails_is_told(store: ModelStore, server: FileServer) -> None:
    server.status = 500
    with pytest.raises(FetchFailed, match="500"):
        install(store, "tiny", over(server))


def test_an_archive_of_a_mirror_is_taken_apart(store: ModelStore, tmp_path: Path) -> None:
    folder = tiny_pack.write(
        tmp_path / "own", archived(archive()), {"evaluation.json": tiny_pack.REPORT, "w.tar.gz": archive()}
    )
    install(store, "tiny", Options(origin=str(folder)))
    assert store.open("tiny").pack.version == "7"


def test_members_beside_the_manifest_do_without_the_archive(store: ModelStore, tmp_path: Path) -> None:
    install(store, "tiny", Options(origin=str(tiny_pack.write(tmp_path / "own", archived(archive())))))
    assert store.open("tiny").pack.version == "7"


def test_an_archive_comes_from_an_address(store: ModelStore, server: FileServer) -> None:
    content = archive()
    server.files = {
        "w.tar.gz": content,
        "evaluation.json": tiny_pack.REPORT,
        "manifest.toml": tiny_pack.toml(archived(content)),
    }
    install(store, "tiny", over(server))
    assert store.open("tiny").pack.version == "7"


def test_what_another_pack_has_is_not_fetched_again(store: ModelStore, tmp_path: Path) -> None:
    install(store, "tiny", Options(origin=str(tiny_pack.write(tmp_path / "own"))))
    poor = tiny_pack.write(tmp_path / "poor", tiny_pack.tree("second"), {"evaluation.json": tiny_pack.REPORT})
    install(store, "second", Options(origin=str(poor)))
    assert store.open("second").file("detector.onnx").read_bytes() == tiny_pack.detector()
    store.remove("tiny")
    assert store.verify("second").pack.name == "second"


def test_a_damaged_pack_is_not_copied_but_repaired(store: ModelStore, tmp_path: Path) -> None:
    opened = install(store, "tiny", Options(origin=str(tiny_pack.write(tmp_path / "own"))))
    (opened.folder / "detector.onnx").write_bytes(b"x" * len(tiny_pack.detector()))
    install(store, "tiny", Options(origin=str(tmp_path / "own")))
    assert store.verify("tiny").pack.name == "tiny"


@pytest.mark.parametrize("wrong", ["a file", "the report", "the manifest", "a missing file"])
def test_the_pack_before_stays_when_the_new_one_is_wrong(store: ModelStore, tmp_path: Path, wrong: str) -> None:
    folder = tiny_pack.write(tmp_path / "own")
    install(store, "tiny", Options(origin=str(folder)))
    newer = tiny_pack.tree() | {"version": "8"}
    content = tiny_pack.recogniser() + b"\x32\x01x"  # another note, the same model
    newer["model"][1] |= {"sha256": tiny_pack.sha256(content), "bytes": len(content)}
    tiny_pack.write(folder, newer, {"recogniser.onnx": content})
    if wrong == "a file":
        (folder / "recogniser.onnx").write_bytes(content[:-1] + b"y")
    elif wrong == "the report":
        (folder / "evaluation.json").write_bytes(b"{}")
    elif wrong == "the manifest":
        (folder / "manifest.toml").write_bytes(b"format = 9")
    else:
        (folder / "recogniser.onnx").unlink()
    with pytest.raises(PackError):
        install(store, "tiny", Options(origin=str(folder)))
    assert store.verify("tiny").pack.version == "7"
    assert sorted(path.name for path in store.folder.iterdir()) == [".lock", "tiny"]


def test_a_newer_version_takes_the_place_of_the_older(store: ModelStore, tmp_path: Path) -> None:
    folder = tiny_pack.write(tmp_path / "own")
    install(store, "tiny", Options(origin=str(folder)))
    install(store, "tiny", Options(origin=str(tiny_pack.write(folder, tiny_pack.tree() | {"version": "8"}))))
    assert store.open("tiny").pack.version == "8"


def test_another_name_than_the_manifest_has_is_refused(store: ModelStore, tmp_path: Path) -> None:
    folder = tiny_pack.write(tmp_path / "own")
    with pytest.raises(ManifestInvalid, match="of the pack 'tiny'"):
        install(store, "other", Options(origin=str(folder)))
    with pytest.raises(NotInstalled, match="no pack 'other'"):
        install(store, "other")
    with pytest.raises(NotInstalled, match="cannot read"):
        install(store, "other", Options(origin=str(tmp_path / "nowhere")))
    (folder / "manifest.toml").write_bytes(b"#" * (1 << 20))
    with pytest.raises(ManifestInvalid, match="too long"):
        pack_named("other", str(folder))


def test_a_shipped_pack_keeps_its_own_manifest_whatever_a_mirror_has(store: ModelStore, tmp_path: Path) -> None:
    mirror = tiny_pack.write(tmp_path / "own", tiny_pack.tree("base"))
    assert pack_named("base", str(mirror)) == pack_named("base")
    with pytest.raises(FetchFailed, match="has neither"):
        install(store, "base", Options(origin=str(mirror)))


def test_what_has_no_public_address_needs_a_mirror(store: ModelStore) -> None:
    with pytest.raises(FetchFailed, match="no public address"):
        install(store, "insightface-wq8", Options(accept_licence=True))
    assert sorted(path.name for path in store.folder.iterdir()) == [".lock"]


def test_two_do_not_install_at_once(store: ModelStore, tmp_path: Path) -> None:
    folder = tiny_pack.write(tmp_path / "own")
    with files.locked(store.folder), pytest.raises(PackError, match="somebody else"):
        install(store, "tiny", Options(origin=str(folder)))


def test_a_mirror_that_has_another_file_of_that_name_is_refused(store: ModelStore, tmp_path: Path) -> None:
    folder = tiny_pack.write(tmp_path / "own", files={**tiny_pack.FILES, "detector.onnx": b"x" * len(tiny_pack.detector())})
    with pytest.raises(HashMismatch, match=r"detector\.onnx"):
        install(store, "tiny", Options(origin=str(folder)))


def test_what_is_built_must_be_what_the_manifest_names(
    store: ModelStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As when another version of this code built something else."""
    ready = packs.base()
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    for name in ("dlib_face_recognition_resnet_model_v1.dat", "shape_predictor_5_face_landmarks.dat"):
        (mirror / name).symlink_to(ready.file(name))
    build = dlib_onnx.build
    monkeypatch.setattr(dlib_onnx, "build", lambda dat: build(dat) + b"\x32\x00")
    with pytest.raises(HashMismatch, match="was built, but"):
        install(store, "base", Options(origin=str(mirror)))
    monkeypatch.setattr(dlib_onnx, "build", build)
    install(store, "base", Options(origin=str(mirror)))
    assert store.verify("base").pack.name == "base"


def test_open_is_installed_from_a_mirror_beside_base() -> None:
    """What base has is not asked of the mirror, which lacks it."""
    opened = packs.open_pack()
    assert opened.pack.name == "open"
    assert packs.STORE.verify("open").pack.hash == opened.pack.hash


def test_insightface_from_the_mirror_needed_its_licence() -> None:
    opened = packs.insightface()
    record = packs.STORE.record("insightface-wq8")
    assert record is not None
    assert record.accepts(opened.pack)


def as_shipped(monkeypatch: pytest.MonkeyPatch, tree: dict[str, Any], url: str = "") -> None:
    """The tiny pack as one that comes with this version; ``url`` where its source is asked for, which a manifest can only say with https."""
    pack = load_manifest(tiny_pack.toml(tree))
    if url:
        pack = replace(pack, sources=tuple(msgspec.structs.replace(source, url=url) for source in pack.sources))
    monkeypatch.setattr(catalogue, "shipped", lambda: {"tiny": pack})
    monkeypatch.setattr(catalogue, "shipped_report", lambda _: tiny_pack.REPORT)


def test_a_shipped_pack_comes_from_its_own_address(
    store: ModelStore, server: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = archive()
    server.files = {"w.tar.gz": content}
    as_shipped(monkeypatch, archived(content, kind="https", url="https://example.org/w.tar.gz"), f"{server.url}/w.tar.gz")
    install(store, "tiny")
    assert store.open("tiny").pack.version == "7"
    assert not (store.folder / "tiny" / "manifest.toml").exists()
    assert server.asked == [("/w.tar.gz", None)]


def test_a_single_file_comes_from_its_own_address(
    store: ModelStore, server: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = tiny_pack.tree()
    tree["source"] = [
        {
            "name": name,
            "kind": "https",
            "url": "https://example.org/x",
            "file": f"{name}.onnx",
            "sha256": model["sha256"],
            "bytes": model["bytes"],
        }
        for name, model in zip(("detector", "recogniser"), tree["model"], strict=True)
    ]
    as_shipped(monkeypatch, tree)
    pack = catalogue.shipped()["tiny"]
    sources = tuple(msgspec.structs.replace(source, url=f"{server.url}/{source.file}") for source in pack.sources)
    monkeypatch.setattr(catalogue, "shipped", lambda: {"tiny": replace(pack, sources=sources)})
    install(store, "tiny")
    assert store.verify("tiny").pack.version == "7"


def test_a_shipped_pack_comes_from_the_package_index(
    store: ModelStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = tmp_path / "index"
    index.mkdir()
    wheel = index / "tiny_weights-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as packed:
        for name in ("detector.onnx", "recogniser.onnx"):
            packed.writestr(f"weights/{name}", tiny_pack.FILES[name])
        packed.writestr("tiny_weights-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny-weights\nVersion: 1.0\n")
        packed.writestr("tiny_weights-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        packed.writestr("tiny_weights-1.0.dist-info/RECORD", "")
    for name in ("PIP_EXTRA_INDEX_URL", "PIP_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    for name, value in (("PIP_NO_INDEX", "1"), ("PIP_CONFIG_FILE", "/dev/null"), ("PIP_FIND_LINKS", str(index))):
        monkeypatch.setenv(name, value)
    more = {"kind": "pypi", "project": "tiny_weights", "version": "1.0", "file": wheel.name}
    as_shipped(monkeypatch, archived(wheel.read_bytes(), **more))
    install(store, "tiny")
    assert store.open("tiny").pack.version == "7"
    assert sorted(path.name for path in store.folder.iterdir()) == [".lock", "tiny"]


def test_a_mirror_has_either_the_weights_or_what_others_built(
    store: ModelStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same manifest; the hash that is checked is that of the file which is there, and an evaluation of either is one of both."""
    weights, theirs = b"weights", tiny_pack.recogniser() + b"\x32\x01x"
    monkeypatch.setattr(dlib_onnx, "build", lambda dat: tiny_pack.recogniser() if dat == weights else b"")
    tree = tiny_pack.tree()
    tree["source"] = [
        {"name": "w", "kind": "mirror", "file": "w.dat", "sha256": tiny_pack.sha256(weights), "bytes": len(weights)}
    ]
    same = [{"sha256": tiny_pack.sha256(theirs), "bytes": len(theirs)}]
    tree["model"][1] |= {"kind": "dlib_resnet", "built_from": "w.dat", "same": same}
    ran = [
        {**model, "kind": "dlib_resnet" if model["task"] == "recogniser" else "yunet"}
        for model in tiny_pack.EVALUATED["pack"]["models"]
    ]
    report = json.dumps({**tiny_pack.EVALUATED, "pack": {"models": ran}}).encode()
    tree["thresholds"]["comparison"]["evaluation"]["sha256"] = tiny_pack.sha256(report)
    known = {"detector.onnx": tiny_pack.DETECTOR, "evaluation.json": report}
    mirrors = {
        "weights": tiny_pack.write(tmp_path / "weights", tree, {**known, "w.dat": weights}),
        "theirs": tiny_pack.write(tmp_path / "theirs", tree, {**known, "recogniser.onnx": theirs}),
        "neither": tiny_pack.write(tmp_path / "neither", tree, known),
        "another": tiny_pack.write(tmp_path / "another", tree, {**known, "recogniser.onnx": b"x" * len(theirs)}),
    }
    for name in ("neither", "another"):
        with pytest.raises(FetchFailed, match=r"has neither w\.dat"):
            install(store, "tiny", Options(origin=str(mirrors[name])))
    hashes = []
    for name, content, files_there in (
        ("theirs", theirs, {"detector.onnx", "recogniser.onnx"}),
        ("weights", tiny_pack.recogniser(), {"detector.onnx", "recogniser.onnx", "w.dat"}),
        ("theirs", tiny_pack.recogniser(), {"detector.onnx", "recogniser.onnx", "w.dat"}),  # what is there is better and kept
    ):
        install(store, "tiny", Options(origin=str(mirrors[name])))
        opened = store.verify("tiny")
        recogniser = opened.pack.model(Task.RECOGNISER)
        assert recogniser is not None
        assert opened.read(recogniser) == content
        assert recogniser.sha256 == tiny_pack.sha256(content)
        assert set(opened.pack.files) == files_there
        assert store.state("tiny")[0] is State.INSTALLED
        hashes.append(opened.pack.hash)
    assert len(set(hashes)) == 1


def test_how_long_the_package_index_is_asked_is_what_was_said(
    store: ModelStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, Any]] = []

    def unreachable(source: Any, folder: Path, **how: Any) -> Path:
        asked.append(how)
        raise FetchFailed("nobody there")

    monkeypatch.setattr(fetch, "download_package", unreachable)
    tree = tiny_pack.tree()
    content = tiny_pack.DETECTOR
    tree["source"] = [
        {
            "name": "w", "kind": "pypi", "project": "w", "version": "1", "file": "detector.onnx",
            "sha256": tiny_pack.sha256(content), "bytes": len(content),
        }
    ]  # fmt: skip
    own = tiny_pack.write(tmp_path / "own", tree, {k: v for k, v in tiny_pack.FILES.items() if k != "detector.onnx"})
    monkeypatch.setattr(catalogue, "shipped", lambda: {"tiny": load_manifest((own / "manifest.toml").read_bytes())})
    with pytest.raises(FetchFailed, match="nobody there"):
        install(store, "tiny", Options(retries=1, timeout_s=5, whole_timeout_s=60))
    assert asked == [{"quiet": True, "retries": 1, "timeout_s": 5, "whole_timeout_s": 60}]
