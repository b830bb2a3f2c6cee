"""An installed pack is opened only when hashes, shapes, thresholds, libraries and licence are what its manifest says."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support import tiny_pack
from verification.errors import (
    FileDamaged,
    HashMismatch,
    LicenceNotAccepted,
    ManifestInvalid,
    NotInstalled,
    PackError,
    ShapeMismatch,
)
from verification.models import catalogue, onnx_format
from verification.models.install import Options, install
from verification.models.manifest import load_manifest
from verification.models.pack import Task
from verification.models.store import OLD, RECORD, InstalledPack, ModelStore, State, check_models


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path / "models")


def installed(store: ModelStore, tmp_path: Path, tree: dict[str, Any] | None = None, **files: bytes) -> InstalledPack:
    folder = tiny_pack.write(tmp_path / "own", tree)
    for name, content in files.items():
        (folder / name.replace("_onnx", ".onnx")).write_bytes(content)
    return install(store, "tiny", Options(origin=str(folder)))


def test_a_pack_is_opened_and_its_models_read(store: ModelStore, tmp_path: Path) -> None:
    installed(store, tmp_path)
    opened = store.open("tiny")
    recogniser = opened.pack.model(Task.RECOGNISER)
    assert recogniser is not None
    assert opened.read(recogniser) == tiny_pack.recogniser()
    assert opened.path(recogniser).read_bytes() == tiny_pack.recogniser()
    assert opened.file("detector.onnx").read_bytes() == tiny_pack.detector()
    assert store.state("tiny") == (State.INSTALLED, "")
    assert store.verify("tiny").pack.hash == opened.pack.hash
    assert "tiny" in store.catalogue()
    with pytest.raises(NotInstalled, match="has no file"):
        opened.file("../../secrets")


def test_what_is_not_there_is_not_installed(store: ModelStore) -> None:
    assert store.state("base") == (State.NOT_INSTALLED, "")
    with pytest.raises(NotInstalled, match="tongping models install base"):
        store.open("base")
    for name in ("nope", "", ".hidden", "a/b", ".."):
        with pytest.raises(NotInstalled, match="no pack"):
            store.open(name)
        with pytest.raises(NotInstalled):
            store.remove(name)


@pytest.mark.campaign(11)
@pytest.mark.parametrize("file", ["detector.onnx", "recogniser.onnx"])
def test_one_changed_byte_is_found(store: ModelStore, tmp_path: Path, file: str) -> None:
    opened = installed(store, tmp_path)
    path = opened.folder / file
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))
    for look in (store.open, store.verify):
        with pytest.raises(HashMismatch, match=file):
            look("tiny")
    model = next(model for model in opened.pack.all_models if model.file == file)
    with pytest.raises(HashMismatch):
        opened.read(model)


def test_a_missing_or_longer_file_is_found(store: ModelStore, tmp_path: Path) -> None:
    opened = installed(store, tmp_path)
    with (opened.folder / "detector.onnx").open("ab") as file:
        file.write(b"\0")
    assert store.state("tiny") == (State.DAMAGED, "detector.onnx is missing or has another size")
    with pytest.raises(HashMismatch):
        store.open("tiny")
    (opened.folder / "detector.onnx").unlink()
    with pytest.raises(NotInstalled, match=r"detector\.onnx"):
        store.open("tiny")


@pytest.mark.campaign(11)
@pytest.mark.campaign(21)
def test_a_threshold_that_was_edited_is_found(store: ModelStore, tmp_path: Path) -> None:
    opened = installed(store, tmp_path)
    path = opened.folder / "manifest.toml"
    path.write_bytes(path.read_bytes().replace(b'"threshold" = 0.4', b'"threshold" = 0.1'))
    assert load_manifest(path.read_bytes()).hash != opened.pack.hash
    with pytest.raises(HashMismatch, match="not the one that was installed"):
        store.open("tiny")
    assert store.state("tiny")[0] is State.DAMAGED
    assert "tiny" not in store.catalogue()
    path.write_bytes(b"format = 1")
    with pytest.raises(ManifestInvalid):
        store.open("tiny")


def test_a_report_that_was_edited_or_lost_is_found(store: ModelStore, tmp_path: Path) -> None:
    opened = installed(store, tmp_path)
    report = opened.folder / "evaluation.json"
    report.write_bytes(tiny_pack.REPORT.replace(b"0.02", b"0.01"))
    with pytest.raises(HashMismatch, match=r"evaluation\.json"):
        store.open("tiny")
    report.unlink()
    with pytest.raises(NotInstalled, match=r"evaluation\.json"):
        store.open("tiny")


@pytest.mark.campaign(11)
@pytest.mark.campaign(21)
def test_thresholds_that_their_evaluation_did_not_find_are_not_installed(store: ModelStore, tmp_path: Path) -> None:
    tree = tiny_pack.tree()
    tree["thresholds"]["comparison"]["points"][0]["threshold"] = 0.3
    with pytest.raises(ManifestInvalid, match=r"0\.3 at a false match rate of 0\.001"):
        installed(store, tmp_path, tree)
    assert store.state("base")[0] is State.NOT_INSTALLED
    assert [path.name for path in store.folder.iterdir()] == [".lock"]


SHAPES: list[tuple[int, str, dict[str, Any], str]] = [
    (0, "inputs", {"picture": [1, 1, "?", "?"]}, "picture is float32"),
    (0, "inputs", {"picture": [1, 3, "?"]}, "picture is float32"),
    (0, "inputs", {"image": [1, 3, "?", "?"]}, "names are picture"),
    (0, "outputs", {"faces": [1, 3, 320, "?"]}, "faces is float32"),
    (1, "outputs", {"embedding": ["?", 2], "more": [1]}, "names are embedding"),
    (1, "inputs", {"face": [7, 4]}, "face is float32"),
]


@pytest.mark.campaign(11)
@pytest.mark.parametrize(("model", "what", "shapes", "said"), SHAPES)
def test_other_shapes_than_the_model_has_are_refused(
    store: ModelStore, tmp_path: Path, model: int, what: str, shapes: dict[str, Any], said: str
) -> None:
    tree = tiny_pack.tree()
    tree["model"][model][what] = shapes
    with pytest.raises(ShapeMismatch, match=said):
        installed(store, tmp_path, tree)


def test_another_element_than_the_model_has_is_refused(store: ModelStore, tmp_path: Path) -> None:
    tree = tiny_pack.tree()
    tree["model"][0]["element"] = "float16"
    with pytest.raises(ShapeMismatch, match="not float16"):
        installed(store, tmp_path, tree)


def test_an_open_dimension_takes_a_fixed_one(store: ModelStore, tmp_path: Path) -> None:
    tree = tiny_pack.tree()
    tree["model"][0]["inputs"] = {"picture": ["?", "?", "?", "?"]}
    assert installed(store, tmp_path, tree).pack.version == "7"


def test_a_model_that_is_none_is_refused(store: ModelStore, tmp_path: Path) -> None:
    tree = tiny_pack.tree()
    tree["model"][0] |= {"sha256": tiny_pack.sha256(b"no model"), "bytes": 8}
    with pytest.raises(FileDamaged, match="no ONNX model"):
        installed(store, tmp_path, tree, detector_onnx=b"no model")


@pytest.mark.parametrize(
    ("library", "said"), [("no-such-package 1", "needs the Python package"), ("numpy 1", "was made for numpy 1")]
)
def test_a_library_that_is_missing_or_another_is_told(store: ModelStore, tmp_path: Path, library: str, said: str) -> None:
    tree = tiny_pack.tree()
    tree["model"][0]["library"] = library
    with pytest.raises(NotInstalled, match=said):
        installed(store, tmp_path, tree)


def test_a_model_within_a_library_has_no_file(store: ModelStore, tmp_path: Path) -> None:
    tree = tiny_pack.tree()
    tree["model"][0] = {"task": "detector", "kind": "hog", "licence": "BSL-1.0", "library": "numpy 2"}
    del tree["thresholds"]["comparison"]["evaluation"]  # which was of another detector
    opened = installed(store, tmp_path, tree)
    detector = opened.pack.model(Task.DETECTOR)
    assert detector is not None
    with pytest.raises(NotInstalled, match="part of numpy 2"):
        opened.path(detector)


LICENSED = {"accept_licence": True, "licence": "research", "licence_text": "For research only."}


def test_a_licence_is_accepted_on_record_before_anything_is_loaded(store: ModelStore, tmp_path: Path) -> None:
    tree = tiny_pack.tree() | LICENSED
    with pytest.raises(LicenceNotAccepted, match="--accept-licence"):
        installed(store, tmp_path, tree)
    assert not (store.folder / "tiny").exists()
    install(store, "tiny", Options(origin=str(tmp_path / "own"), accept_licence=True))
    record = store.record("tiny")
    assert record is not None
    assert record.acceptance is not None
    assert set(record.acceptance) == {"licence_sha256", "at", "by"}
    assert store.open("tiny").pack.needs_acceptance
    install(store, "tiny", Options(origin=str(tmp_path / "own")))  # the same licence is not asked for again
    assert store.open("tiny").pack.licence == "research"


def test_another_licence_is_asked_for_anew(store: ModelStore, tmp_path: Path) -> None:
    tree = tiny_pack.tree() | LICENSED
    install(store, "tiny", Options(origin=str(tiny_pack.write(tmp_path / "own", tree)), accept_licence=True))
    tree["licence_text"] = "For research only, and on Sundays."
    with pytest.raises(LicenceNotAccepted):
        installed(store, tmp_path, tree)
    assert "Sundays" not in store.open("tiny").pack.licence_text


@pytest.mark.parametrize("record", [b"", b"{", b"[]", b'{"pack": "other"}', b'{"pack": "tiny"}'])
def test_without_its_record_nothing_is_loaded(store: ModelStore, tmp_path: Path, record: bytes) -> None:
    opened = installed(store, tmp_path)
    (opened.folder / "installed.json").write_bytes(record)
    with pytest.raises(PackError):
        store.open("tiny")


def test_an_acceptance_that_was_taken_out_of_the_record_is_missed(store: ModelStore, tmp_path: Path) -> None:
    tree = tiny_pack.tree() | LICENSED
    opened = install(store, "tiny", Options(origin=str(tiny_pack.write(tmp_path / "own", tree)), accept_licence=True))
    record = json.loads((opened.folder / "installed.json").read_bytes())
    (opened.folder / "installed.json").write_text(json.dumps(record | {"acceptance": None}))
    with pytest.raises(LicenceNotAccepted, match="nobody has accepted"):
        store.open("tiny")


def test_a_removed_pack_is_gone_and_others_stay(store: ModelStore, tmp_path: Path) -> None:
    opened = installed(store, tmp_path)
    freed = sum(path.stat().st_size for path in opened.folder.iterdir())
    assert store.remove("tiny") == freed
    assert [path.name for path in store.folder.iterdir()] == [".lock"]
    with pytest.raises(NotInstalled):
        store.remove("tiny")


def test_after_a_power_cut_the_old_pack_is_there_again(store: ModelStore, tmp_path: Path) -> None:
    """Cut between the two renames of a replacement, and in the middle of another installation."""
    opened = installed(store, tmp_path)
    opened.folder.rename(store.folder / f"{OLD}tiny")
    (store.folder / ".new-half").mkdir()
    store.recover()
    assert store.open("tiny").pack.hash == opened.pack.hash
    assert sorted(path.name for path in store.folder.iterdir()) == [".lock", "tiny"]


def test_half_of_an_old_pack_is_not_brought_back(store: ModelStore, tmp_path: Path) -> None:
    """Cut while it was being removed: without its record nobody knows what of it is left."""
    opened = installed(store, tmp_path)
    opened.folder.rename(store.folder / f"{OLD}tiny")
    (store.folder / f"{OLD}tiny" / RECORD).unlink()
    store.recover()
    assert [path.name for path in store.folder.iterdir()] == [".lock"]
    assert store.installed() == []


def test_what_was_never_whole_is_not_brought_back(store: ModelStore, tmp_path: Path) -> None:
    """Without the record of its installation a folder is no pack, whatever it is called."""
    opened = installed(store, tmp_path)
    opened.folder.rename(store.folder / f"{OLD}tiny")
    (store.folder / f"{OLD}tiny" / "installed.json").unlink()
    store.recover()
    assert [path.name for path in store.folder.iterdir()] == [".lock"]


def test_what_was_replaced_is_not_brought_back(store: ModelStore, tmp_path: Path) -> None:
    opened = installed(store, tmp_path)
    (store.folder / f"{OLD}tiny").mkdir()
    store.recover()
    assert [path.name for path in sorted(store.folder.iterdir())] == [".lock", "tiny"]
    assert store.open("tiny").folder == opened.folder


def test_every_report_that_a_shipped_manifest_cites_is_shipped() -> None:
    for pack in catalogue.shipped().values():
        for evaluation in pack.evaluations:
            report = catalogue.shipped_report(evaluation.report)
            assert report is not None
            assert tiny_pack.sha256(report) == evaluation.sha256


def test_models_are_checked_where_they_stand(tmp_path: Path) -> None:
    folder = tiny_pack.write(tmp_path / "own")
    pack = load_manifest(tiny_pack.toml(tiny_pack.tree()))
    check_models(pack, folder)
    (folder / "detector.onnx").write_bytes(tiny_pack.recogniser())
    with pytest.raises(HashMismatch):
        check_models(pack, folder)


@pytest.mark.parametrize("name", ["recogniser.onnx", "recogniser.bin"])
def test_a_model_whose_weights_lie_in_another_file_is_refused(store: ModelStore, tmp_path: Path, name: str) -> None:
    """ONNX Runtime would read that file from wherever the process stands, and no hash covers it. Whatever it is called."""
    elsewhere = onnx_format._bytes(8, b"weights") + onnx_format._number(2, 1) + onnx_format._number(14, 1)
    content = tiny_pack.recogniser() + onnx_format._bytes(25, onnx_format._bytes(7, _with_tensor(elsewhere)))
    tree = tiny_pack.tree()
    tree["model"][1] |= {"file": name, "sha256": tiny_pack.sha256(content), "bytes": len(content)}
    folder = tiny_pack.write(tmp_path / "own", tree, {**tiny_pack.FILES, name: content})
    with pytest.raises(ShapeMismatch, match="another file"):
        install(store, "tiny", Options(origin=str(folder)))
    assert store.installed() == []


def test_shapes_are_looked_at_whatever_a_file_is_called(store: ModelStore, tmp_path: Path) -> None:
    tree = tiny_pack.tree()
    tree["model"][1] |= {"file": "recogniser.weights", "inputs": {"face": ["?", 5]}}
    folder = tiny_pack.write(tmp_path / "own", tree, {**tiny_pack.FILES, "recogniser.weights": tiny_pack.RECOGNISER})
    with pytest.raises(ShapeMismatch, match="face"):
        install(store, "tiny", Options(origin=str(folder)))
    tree["model"][1] |= {"inputs": {}}
    with pytest.raises(ManifestInvalid, match=r"inputs and outputs of recogniser\.weights are needed"):
        install(store, "tiny", Options(origin=str(tiny_pack.write(tmp_path / "other", tree))))
    assert store.installed() == []


def _with_tensor(tensor: bytes) -> bytes:
    return onnx_format._bytes(5, onnx_format._bytes(5, tensor))
