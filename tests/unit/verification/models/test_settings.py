"""Settings of models: what their readers know and can work with, and nothing else."""

from typing import Any

import pytest

from tests.support import tiny_pack
from verification.errors import ManifestInvalid
from verification.models import catalogue
from verification.models.manifest import load_manifest
from verification.models.pack import KINDS, Model, Task
from verification.models.settings import SETTINGS, wrong_settings


def model(kind: str, settings: dict[str, Any], **more: Any) -> Model:
    task = next(task for task, kinds in KINDS.items() if kind in kinds)
    return Model(task=task, kind=kind, licence="CC0-1.0", settings=settings, **more)


def test_every_kind_has_its_settings() -> None:
    assert set(SETTINGS) == {kind for kinds in KINDS.values() for kind in kinds}


def test_what_shipped_packs_say_is_understood() -> None:
    models = [one for pack in catalogue.shipped().values() for one in pack.all_models]
    assert len(models) > 20
    assert [wrong_settings(one) for one in models if wrong_settings(one)] == []


@pytest.mark.parametrize(
    ("kind", "settings", "said"),
    [
        ("yunet", {"sise": 80}, "unknown field `sise`"),
        ("yunet", {"size": 0}, r">= 64 - at `\$.size`"),
        ("yunet", {"size": "320"}, "Expected `int`"),
        ("yunet", {"score": float("nan")}, r"\$.score"),
        ("yunet", {"nms": 1.5}, r"\$.nms"),
        ("yunet", {"colour": "RGB"}, "Invalid enum value 'RGB'"),
        ("scrfd", {"size": 100}, "multiple of 32"),
        ("scrfd", {"nms": 0.5}, r"\$.nms"),
        ("hog", {"sides": []}, r"\$.sides"),
        ("hog", {"sides": [320, 10**9]}, r"\$.sides\[1\]"),
        ("hog", {"score": float("inf")}, r"\$.score"),
        ("dlib5", {"size": 5}, "unknown field"),
        ("dlib_resnet", {"mean": [122.8, 117.0]}, r"\$.mean"),
        ("dlib_resnet", {"scale": 0}, r"\$.scale"),
        ("dlib_resnet", {"size": 112}, "Invalid enum value 112"),
        ("arcface", {"size": 150}, "Invalid enum value 150"),
        ("minifasnet", {"crop": float("nan")}, r"\$.crop"),
        ("minifasnet", {"live": -1}, r"\$.live"),
        ("minifas128", {"colour": "BGR"}, "Invalid enum value 'BGR'"),
        ("insightface_liveness", {"size": 128}, "Invalid enum value 128"),
        ("mesh478", {"crop": 0.5}, r"\$.crop"),
        ("fsanet", {"margin": 2}, r"\$.margin"),
        ("ppocr", {"language": "en"}, "unknown field"),
    ],
)
def test_what_a_reader_does_not_know_or_cannot_work_with_is_told(kind: str, settings: dict[str, Any], said: str) -> None:
    with pytest.raises(AssertionError, match=said):
        raise AssertionError(wrong_settings(model(kind, settings)))


@pytest.mark.parametrize(
    ("kind", "settings", "said"),
    [
        ("minifasnet", {"size": 80, "live": 2}, ""),
        ("minifasnet", {"size": 128}, "size 128, and its input is 1×3×80×80"),
        ("minifas128", {}, "size 128, and its input is 1×3×80×80"),
        ("minifasnet", {"live": 7}, "live 7, and it has 3 classes"),
    ],
)
def test_passive_detection_fits_its_network(kind: str, settings: dict[str, Any], said: str) -> None:
    shapes: dict[str, Any] = {"inputs": {"input": (1, 3, 80, 80)}, "outputs": {"logits": (1, 3)}}
    assert wrong_settings(model(kind, settings, **shapes)).removeprefix("settings: ") == said
    free: dict[str, Any] = {"inputs": {"input": (1, 3, "?", "?")}, "outputs": {"logits": (1, "?")}}
    assert wrong_settings(model(kind, settings, **free)) == ""


def test_a_manifest_with_a_setting_that_nobody_knows_is_refused() -> None:
    tree = tiny_pack.tree()
    tree["model"][0]["settings"] = {"sise": 320}
    with pytest.raises(ManifestInvalid, match=r"detector yunet: settings: .*sise"):
        load_manifest(tiny_pack.toml(tree))


def test_two_head_poses_that_are_read_as_one_say_the_same() -> None:
    tree = tiny_pack.tree()
    pose = {**tree["model"][0], "task": "head_pose", "kind": "fsanet"}
    tree["model"] += [{**pose, "settings": {"margin": 0.2}}, {**pose, "settings": {"margin": 0.2}}]
    assert len(load_manifest(tiny_pack.toml(tree)).models[Task.HEAD_POSE]) == 2
    tree["model"][-1]["settings"] = {"margin": 0.3}
    with pytest.raises(ManifestInvalid, match="different settings"):
        load_manifest(tiny_pack.toml(tree))
