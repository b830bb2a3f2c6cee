"""What a manifest may say, and that everything else is refused with a line that names it."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support import tiny_pack
from verification.errors import ManifestInvalid
from verification.models.builders import BUILDERS
from verification.models.catalogue import shipped
from verification.models.manifest import MAX_MANIFEST_BYTES, load_manifest
from verification.models.pack import BUILT, ComparisonThresholds, Task

Tree = dict[str, Any]


def test_every_shipped_manifest_is_read() -> None:
    assert list(shipped()) == ["base", "insightface", "insightface-wq8", "open"]
    assert {name for name, pack in shipped().items() if pack.needs_acceptance} == {"insightface", "insightface-wq8"}


def test_no_shipped_pack_has_the_68_points() -> None:
    """Whose training pictures exclude commercial use."""
    named = [file for pack in shipped().values() for file in pack.files] + [
        member.path for pack in shipped().values() for source in pack.sources for member in source.members
    ]
    assert named
    assert [file for file in named if "68_face" in file] == []


def test_models_are_found_by_their_task() -> None:
    pack = shipped()["open"]
    assert [model.kind for model in pack.models[Task.PAD]] == ["minifasnet", "minifasnet", "minifas128"]
    recogniser = pack.model(Task.RECOGNISER)
    assert recogniser is not None
    assert recogniser.built_from == "dlib_face_recognition_resnet_model_v1.dat"
    assert pack.files[recogniser.file] == (recogniser.sha256, recogniser.bytes)
    assert shipped()["base"].model(Task.PAD) is None


def test_open_uses_the_very_recogniser_of_base() -> None:
    assert shipped()["open"].model(Task.RECOGNISER) == shipped()["base"].model(Task.RECOGNISER)


def test_what_is_built_has_a_builder() -> None:
    assert set(BUILDERS) == BUILT
    built = [model for pack in shipped().values() for model in pack.all_models if model.built_from]
    assert {model.kind for model in built} == BUILT


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"built_from": "", "source": "dlib"}, "same is for what is built"),
        ({"same": [{"sha256": "0" * 64, "bytes": 22}]}, "different sizes"),
        ({"same": [{"sha256": "0" * 63, "bytes": 7}]}, "64 hexadecimal"),
        ({"file": "w.dat"}, "both fetched and built"),
        ({"built_from": "v.dat"}, "not fetched"),
    ],
)
def test_what_is_built_is_told_from_what_is_the_same(change: dict[str, Any], said: str) -> None:
    tree = tiny_pack.tree()
    tree["source"] = [{"name": "dlib", "kind": "mirror", "file": "w.dat", "sha256": "1" * 64, "bytes": 9}]
    shapes = {"inputs": {"face": ["?", 4]}, "outputs": {"embedding": ["?", 2]}}
    built = {
        "task": "recogniser",
        "kind": "dlib_resnet",
        "licence": "CC0-1.0",
        "file": "r.onnx",
        "sha256": "2" * 64,
        "bytes": 22,
    }
    tree["model"][1] = {**built, **shapes, "built_from": "w.dat", "same": [{"sha256": "0" * 64, "bytes": 7}]}
    assert load_manifest(tiny_pack.toml(tree)).model(Task.RECOGNISER) is not None
    tree["model"][1] |= change
    with pytest.raises(ManifestInvalid, match=said):
        load_manifest(tiny_pack.toml(tree))


def test_comments_and_order_do_not_change_the_hash() -> None:
    tree = tiny_pack.tree()
    turned = dict(reversed(tree.items()))
    one = load_manifest(tiny_pack.toml(tree))
    assert load_manifest(b"# a comment\n" + tiny_pack.toml(turned)).hash == one.hash
    tree["thresholds"]["comparison"]["points"][0]["threshold"] = 0.41
    assert load_manifest(tiny_pack.toml(tree)).hash != one.hash


def test_thresholds_are_asked_for_by_false_match_rate() -> None:
    comparison = load_manifest(tiny_pack.toml(tiny_pack.tree())).thresholds.comparison
    assert isinstance(comparison, ComparisonThresholds)
    assert comparison.at().threshold == 0.4
    assert comparison.at(0.0001).threshold == 0.5
    with pytest.raises(ValueError, match="no threshold"):
        comparison.at(1e-2)


def _source(**more: Any) -> dict[str, Any]:
    content = tiny_pack.FILES["detector.onnx"]
    whole = {"name": "s", "kind": "https", "url": "https://example.org/d", "file": "detector.onnx"}
    return {**whole, "sha256": tiny_pack.sha256(content), "bytes": len(content), **more}


def _member(**more: Any) -> dict[str, Any]:
    content = tiny_pack.FILES["detector.onnx"]
    return {
        "path": "a/detector.onnx",
        "file": "detector.onnx",
        "sha256": tiny_pack.sha256(content),
        "bytes": len(content),
        **more,
    }


def _set(*path: str | int, to: Any) -> Callable[[Tree], None]:
    def change(tree: Tree) -> None:
        at: Any = tree
        for key in path[:-1]:
            at = at[key]
        at[path[-1]] = to

    return change


def _drop(*path: str | int) -> Callable[[Tree], None]:
    def change(tree: Tree) -> None:
        at: Any = tree
        for key in path[:-1]:
            at = at[key]
        del at[path[-1]]

    return change


def _also(**more: Any) -> Callable[[Tree], None]:
    """Another model, of the detector's file."""
    return lambda tree: tree["model"].append({**tree["model"][0], **more})


COMPARISON = ("thresholds", "comparison")
REFUSED: list[tuple[Callable[[Tree], None], str]] = [
    (_set("format", to=2), "format 2"),
    (_set("surprise", to=1), "surprise"),
    (_set("name", to="../x"), "no name for a pack"),
    (_set("name", to="X"), "no name for a pack"),
    (_set("version", to=""), "no version"),
    (_set("licence", to=" "), "no licence"),
    (_set("accept_licence", to=True), "licence_text"),
    (_set("model", to=[]), "no model"),
    (_drop("model", 0), "no detector"),
    (_drop("model", 1), "no recogniser"),
    (_set("model", 0, "kind", to="retinaface"), "kind must be one of"),
    (_set("model", 0, "task", to="fortune"), "cannot be used"),
    (_set("model", 0, "licence", to=""), "no licence"),
    (_set("model", 0, "file", to="../../etc/passwd"), "no name for a file"),
    (_set("model", 0, "file", to="installed.json"), "no name for a file"),
    (_set("model", 0, "file", to="a..onnx"), "no name for a file"),
    (_set("model", 0, "sha256", to="ab"), "64 hexadecimal"),
    (_set("model", 0, "bytes", to=0), "0 bytes"),
    (_set("model", 0, "bytes", to=1 << 40), "cannot be"),
    (_set("model", 0, "element", to="complex64"), "element"),
    (_set("model", 0, "inputs", to={}), "inputs and outputs"),
    (_set("model", 0, "inputs", to={"picture": [0, 3]}), "dimensions"),
    (_set("model", 0, "inputs", to={"picture": ["batch"]}), "dimensions"),
    (_set("model", 0, "library", to="somewhere"), "library"),
    (_drop("model", 0, "file"), "neither a file nor a library"),
    (_set("model", 0, "kind", to="hog"), "a file is not read"),
    (_also(task="document", kind="ppocr", library="rapidocr 3"), "a file is not read"),
    (_set("model", 0, "source", to="nowhere"), "no source"),
    (_set("model", 0, "built_from", to="x.dat"), "nothing is built"),
    (lambda tree: tree["model"].append(copy.deepcopy(tree["model"][1])), "more than one recogniser"),
    (_set("source", to=[_source(kind="ftp")]), "kind 'ftp'"),
    (_set("source", to=[_source(url="http://example.org/d")]), "not https"),
    (_set("source", to=[_source(url="file:///etc/passwd")]), "not https"),
    (_set("source", to=[_source(kind="pypi")]), "project and version"),
    (_set("source", to=[_source(), _source(file="other.onnx")]), "one name"),
    (_set("source", to=[_source(), _source(name="t")]), "two sources"),
    (_set("source", to=[_source(name="..")]), "no name for a source"),
    (_set("source", to=[_source(sha256="0" * 64)]), "another hash"),
    (_set("source", to=[_source(file="a.rar", members=[_member()])]), "no archive"),
    (_set("source", to=[_source(file="a.zip", members=[_member(path="../a")])]), "path"),
    (_set("source", to=[_source(file="a.zip", members=[_member(path="/a")])]), "path"),
    (_set("source", to=[_source(file="a.zip", members=[_member(file="../a")])]), "no name for a file"),
    (_drop("thresholds"), "thresholds"),
    (_drop(*COMPARISON), "no threshold of comparison"),
    (_set(*COMPARISON, "points", to=[]), "no points"),
    (_set(*COMPARISON, "points", 0, "threshold", to=1.5), "outside"),
    (_set(*COMPARISON, "points", 0, "threshold", to=float("nan")), "outside"),
    (_set(*COMPARISON, "points", 0, "threshold", to=0.6), "needs a higher threshold"),
    (_set(*COMPARISON, "points", 0, "fmr", to=1e-4), "needs a higher threshold"),
    (_set(*COMPARISON, "points", 0, "fmr", to=0.0), "cannot be"),
    (_set(*COMPARISON, "points", 0, "fmr", to=0.11), "cannot be: more than 0, 0.1 at most"),
    (_set(*COMPARISON, "points", to=[{"fmr": 1e-3, "threshold": -0.9}]), "lets strangers match"),
    (_set(*COMPARISON, "points", to=[{"fmr": 1e-3, "threshold": 0.09}]), "arcface needs 0.1 at least"),
    (_set(*COMPARISON, "points", 0, "fnmr", to=1.5), "cannot be"),
    (_set(*COMPARISON, "default_fmr", to=0.5), "none of the points"),
    (_set("thresholds", "pad", to={"accept": 0.7, "refer": 0.5}), "need each other"),
    (_set("thresholds", "quality", "eye_distance_min", to=float("inf")), "no number"),
    (_set("thresholds", "quality", "eye_distance_min", to=0), "eye_distance_min is 0.0"),
    (_set("thresholds", "quality", "yaw_max", to=-5), "above 0"),
    (_set("thresholds", "quality", "min_size_px", to=60), "not known: min_size_px"),
    (_set(*COMPARISON, "evaluation", "report", to="../report.json"), "report"),
    (_set(*COMPARISON, "evaluation", "report", to="installed.json"), "another file"),
    (_set(*COMPARISON, "evaluation", "sha256", to="x"), "64 hexadecimal"),
    (_set(*COMPARISON, "evaluation", "n", to={}), "counted nothing"),
    (_set(*COMPARISON, "evaluation", "n", to={"mated": 0}), "counted nothing"),
]


@pytest.mark.parametrize(("change", "said"), REFUSED, ids=[f"{index}-{said}" for index, (_, said) in enumerate(REFUSED)])
def test_what_cannot_be_right_is_refused(change: Callable[[Tree], None], said: str) -> None:
    tree = tiny_pack.tree()
    change(tree)
    with pytest.raises(ManifestInvalid) as refused:
        load_manifest(_text(tree))
    assert said in refused.value.detail


def _text(tree: Tree) -> bytes:
    """TOML's own words for what JSON cannot say."""
    return tiny_pack.toml(tree)


@pytest.mark.parametrize(("accept", "refer"), [(0.5, 0.7), (1.0, 0.5), (0.7, 0.0)])
def test_thresholds_of_attacks_stand_in_their_order(accept: float, refer: float) -> None:
    tree = tiny_pack.tree()
    pad = {**tree["model"][0], "task": "pad", "kind": "minifasnet"}
    tree["model"].append(pad)
    tree["thresholds"]["pad"] = {"accept": accept, "refer": refer}
    with pytest.raises(ManifestInvalid, match="refer <= accept"):
        load_manifest(tiny_pack.toml(tree))
    for everything in ({"accept": 0.29, "refer": 0.2}, {"accept": 1e-9, "refer": 1e-9}, {"accept": 0.7, "refer": 0.04}):
        tree["thresholds"]["pad"] = everything
        with pytest.raises(ManifestInvalid, match=r"lets everything pass: accept needs 0\.3 at least, refer 0\.05"):
            load_manifest(tiny_pack.toml(tree))
    tree["thresholds"]["pad"] = {"accept": 0.7, "refer": 0.5}
    thresholds = load_manifest(tiny_pack.toml(tree)).thresholds.pad
    assert thresholds is not None
    assert (thresholds.accept, thresholds.refer) == (0.7, 0.5)


@pytest.mark.parametrize("content", [b"\xff", b"format = ", b"[" * 5000, b"x" * (MAX_MANIFEST_BYTES + 1)])
def test_what_is_no_manifest_is_refused(content: bytes) -> None:
    with pytest.raises(ManifestInvalid):
        load_manifest(content)


@given(st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
def test_no_text_does_more_than_be_refused(content: bytes) -> None:
    with pytest.raises(ManifestInvalid):
        load_manifest(content)
