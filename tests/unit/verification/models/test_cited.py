"""A manifest cites an evaluation: of these very models, of so many pairs, that found these very thresholds. Anything else is no evidence for this pack."""

import json
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from tests.support import tiny_pack
from verification.errors import ManifestInvalid
from verification.models.cited import check_report
from verification.models.manifest import load_manifest

Tree = dict[str, Any]
Change = Callable[[Tree], Any]


def compared(manifest: Change = lambda _: None, report: Change = lambda _: None) -> None:
    tree, said = tiny_pack.tree(), deepcopy(dict(tiny_pack.EVALUATED))
    manifest(tree)
    report(said)
    pack = load_manifest(tiny_pack.toml(tree))
    check_report(pack, pack.evaluations[0], json.dumps(said).encode())


def point(number: int, **values: Any) -> Change:
    return lambda tree: tree["thresholds"]["comparison"]["points"][number].update(values)


def found(number: int, **values: Any) -> Change:
    return lambda said: said["operating_points"][number].update(values)


def model(number: int, **values: Any) -> Change:
    return lambda tree: tree["model"][number].update(values)


def ran(number: int, **values: Any) -> Change:
    return lambda said: said["pack"]["models"][number].update(values)


def test_what_an_evaluation_found_can_be_cited() -> None:
    compared()
    compared(point(0, fnmr=0.02))
    compared(point(0, fnmr=0.02), found(0, fnmr=0.02004))
    compared(report=found(0, threshold=0.4004))
    compared(model(0, settings={"score": 0.7}), ran(0, settings={"score": 0.7}))


@pytest.mark.parametrize(
    ("manifest", "report", "said"),
    [
        (point(0, threshold=0.41), None, r"threshold 0\.41 .* 0\.001 is not what evaluation\.json found"),
        (None, lambda said: said["operating_points"].pop(), r"threshold 0\.5 "),
        (None, found(0, threshold=0.39), r"threshold 0\.4 "),
        (point(0, fnmr=0.0001), None, r"fnmr 0\.0001 "),
        (point(0, fnmr=0.02), found(0, fnmr=0.0202), r"fnmr 0\.02 "),
        (point(1, fnmr=0.02), None, r"fnmr 0\.02 at a false match rate of 0\.0001 "),
        (lambda tree: tree["thresholds"]["comparison"]["evaluation"]["n"].update(mated=1_000_000), None, "mated = 1000000 is not"),
        (lambda tree: tree["thresholds"]["comparison"]["evaluation"]["n"].update(families=3), None, "families = 3 is not"),
        (None, lambda said: said["n"].pop("mated"), "mated = 10 is not"),
        (None, ran(1, sha256="ab" * 32), "another recogniser than"),
        (None, ran(1, kind="dlib_resnet"), "another recogniser than"),
        (None, ran(1, settings={"size": 112}), "another recogniser than"),
        (model(0, settings={"score": 0.7}), None, "another detector than"),
        (None, ran(0, library="dlib-bin 20"), "another detector than"),
        (None, lambda said: said["pack"]["models"].pop(0), "another detector than"),
        (
            None,
            lambda said: said["pack"]["models"].append({"task": "landmarks5", "kind": "dlib5"}),
            "another landmarks5 than",
        ),
    ],
)  # fmt: skip
def test_what_it_did_not_find_or_of_which_it_was_not_is_refused(
    manifest: Change | None, report: Change | None, said: str
) -> None:
    with pytest.raises(ManifestInvalid, match=said):
        compared(manifest or (lambda _: None), report or (lambda _: None))


@pytest.mark.parametrize(
    "report", [b"{", b"[]", b"{}", b'{"operating_points": 3}', b'{"pack": {"models": []}, "n": {"mated": "many"}}']
)
def test_what_is_no_report_is_refused(report: bytes) -> None:
    pack = load_manifest(tiny_pack.toml(tiny_pack.tree()))
    with pytest.raises(ManifestInvalid, match="cannot be read"):
        check_report(pack, pack.evaluations[0], report)


def attacked(change: Change = lambda _: None, **thresholds: Any) -> None:
    """One passive detector, which is the same as another file."""
    tree = tiny_pack.tree()
    tree["model"][0]["settings"] = {"score": 0.7}
    built = {
        "task": "pad", "kind": "minifasnet", "licence": "x", "file": "p.onnx", "built_from": "evidence.pth", "sha256": "ab" * 32, "bytes": 9,
        "same": [{"sha256": "cd" * 32, "bytes": 8}], "inputs": {"x": [1, 3, 80, 80]}, "outputs": {"y": [1, 3]}, "settings": {"sure": 0.9},
    }  # fmt: skip
    tree["model"].append(built)
    tree["source"] = [{"name": "w", "kind": "mirror", "file": "evidence.pth", "sha256": "ef" * 32, "bytes": 5}]
    cited = {"report": "pad.json", "sha256": "0" * 64, "n": {"bona_fide": 49, "attacks": 145}}
    tree["thresholds"]["pad"] = {"accept": 0.7, "refer": 0.5, "evaluation": cited, **thresholds}
    said = {
        "pack": {
            "models": [
                {**tiny_pack.EVALUATED["pack"]["models"][0], "settings": {"score": 0.7}},
                {"task": "pad", "kind": "minifasnet", "sha256": "cd" * 32, "settings": {"sure": 0.9}},
            ]
        },
        "n": {"bona_fide": 49, "attacks": 145},
        "threshold": 0.7,
        "refer": {"threshold": 0.5},
    }
    change(said)
    pack = load_manifest(tiny_pack.toml(tree))
    check_report(pack, pack.evaluations[1], json.dumps(said).encode())


def test_an_evaluation_of_attacks_can_be_cited_also_of_a_file_that_is_the_same() -> None:
    attacked()
    attacked(ran(1, sha256="ab" * 32))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda said: said.update(threshold=0.6), "accept 0.7 is not"),
        (lambda said: said.pop("threshold"), "accept 0.7 is not"),
        (lambda said: said["refer"].update(threshold=0.4), "refer 0.5 is not"),
        (lambda said: said.pop("refer"), "refer 0.5 is not"),
        (ran(1, sha256="12" * 32), "another pad than"),
        (ran(1, settings={"sure": 0.05}), "another pad than"),
        (ran(0, settings={"score": 0.6}), "another detector than"),
        (lambda said: said["n"].update(attacks=144), "attacks = 145 is not"),
    ],
)
def test_a_threshold_of_attacks_that_its_evaluation_did_not_use_is_refused(change: Change, said: str) -> None:
    with pytest.raises(ManifestInvalid, match=said):
        attacked(change)
