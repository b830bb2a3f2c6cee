"""What templates are bound to: all that decides the numbers of faces, and nothing else of a pack."""

from typing import Any

import pytest

from tests.support import tiny_pack
from verification.errors import ManifestInvalid
from verification.models import catalogue
from verification.models.identity import FORMER_PACKS, recogniser_identity
from verification.models.manifest import load_manifest

CORNERS = {
    "task": "landmarks5", "kind": "dlib5", "licence": "CC0-1.0", "library": "dlib-bin 20", "file": "five.dat", "sha256": "ab" * 32, "bytes": 7,
}  # fmt: skip


def identity(change: Any = None, *, corners: bool = False) -> str:
    tree = tiny_pack.tree()
    if corners:
        tree["model"].append(dict(CORNERS))
    if change is not None:
        change(tree)
    return recogniser_identity(load_manifest(tiny_pack.toml(tree)))


def setting(model: int, **values: Any) -> Any:
    return lambda tree: tree["model"][model].setdefault("settings", {}).update(values)


def field(model: int, **values: Any) -> Any:
    return lambda tree: tree["model"][model].update(values)


@pytest.mark.parametrize(
    "change",
    [
        lambda tree: tree.update(version="8", licence="other", summary="other", warnings=["read this"]),
        lambda tree: tree["thresholds"]["comparison"].pop("evaluation"),
        lambda tree: tree["thresholds"].update(quality={"eye_distance_min": 70}),
        lambda tree: tree["thresholds"]["comparison"].update(default_fmr=1e-4),
        field(0, licence="other"),
        field(1, file="renamed.onnx"),
        setting(0, score=0.7),
    ],
)
def test_what_changes_no_numbers(change: Any) -> None:
    assert identity(change) == identity()


@pytest.mark.parametrize(
    "change",
    [
        field(1, sha256="ab" * 32),
        field(1, kind="dlib_resnet"),
        field(1, library="insightface 3"),
        setting(1, size=112),
        field(0, sha256="ab" * 32),
        field(0, kind="scrfd"),
        setting(0, size=640),
    ],
)
def test_what_changes_them(change: Any) -> None:
    assert identity(change) != identity()


def test_corners_say_where_the_points_are_in_the_box_of_a_kind_of_detector() -> None:
    mine = identity(corners=True)
    assert mine != identity()
    assert identity(field(0, sha256="cd" * 32), corners=True) == mine
    assert identity(field(0, kind="scrfd"), corners=True) != mine
    assert identity(field(2, sha256="cd" * 32), corners=True) != mine


EVERY_MANIFEST = {
    "base": (
        "d11d21642496293b4832f5dd4091c5c2a90235dab51080269c423a9c587a9d96",
        "cb78490ace650ce9f647540321ea042c9c76a774263bc335042073db4dc914ad",
        "d5ad7b61165d0528e8892a25768fb617adb6b9fabab7f43fd917c37336a25777",
        "9e724009484e26e4aa4df6db202b4a29e115542c1ea0c1df8bf697c2da4ea0c9",
    ),
    "insightface": (
        "021b7276c4ac2b76fe34afa51c42aadac14691a928ab185e49954146c00aa17d",
        "bdd36af94623117b307438018807298f22d41adc69338aba827a9d5516d3e45f",
    ),
    "insightface-wq8": (
        "14fa4d4202af2375cd8e3441a8e28914f4dbe9d08f156cf75c8101c16ab22785",
        "5af601fa1eb518802245c5278e6cd8b098f8e7867f8f43dad8b56efe5e9a32d0",
    ),
    "open": (
        "5b928e4918f07ff332cda7416fbedcb8ee7bc95091ddc7bb7e229da63c4f056c",
        "9afe520ad3ba14424ecb5d1dd48934c209654656cf01c0d6db6c7356fa102d85",
        "2bebcab7971cf128730718aa94150817dcf90d1a57b4bf99cb39ca93b2e5b800",
        "fbf21b7718306840f0fdbd2bd0a4f1fbaaff056b1ca5a4a6044fc4a305b32196",
        "1c54858f9f988de3778e10fd88f36ddc94d6e41ffe9aefcbd725be382a4cf7f4",
        "67be44bcb0f6b5ece50ae6ad34ce629a75bc8424ab4433b07e82afbfaf963f9f",
    ),
}
"""That ever came with the product, written down a second time: what is here and not in the product is a template that nobody can be compared with any more."""


@pytest.mark.parametrize("name", sorted(EVERY_MANIFEST))
def test_templates_of_every_manifest_that_there_ever_was_are_known(name: str) -> None:
    """They were all made with the recogniser that the pack still has. A pack whose recogniser changes gets another name here and in the product."""
    recogniser = recogniser_identity(catalogue.shipped()[name])
    assert {pack: FORMER_PACKS.get(pack) for pack in EVERY_MANIFEST[name]} == dict.fromkeys(EVERY_MANIFEST[name], recogniser)


def test_the_packs_that_come_with_this_version() -> None:
    """Whoever changes a manifest writes its new hash down in the product and above, and leaves the former ones there."""
    now = {pack.name: pack for pack in catalogue.shipped().values()}
    assert len({recogniser_identity(pack) for pack in now.values()}) == len(now)
    assert {name: EVERY_MANIFEST[name][-1] for name in now} == {name: pack.hash for name, pack in now.items()}
    assert set(FORMER_PACKS) == {pack for packs in EVERY_MANIFEST.values() for pack in packs}


def test_a_pack_without_a_recogniser() -> None:
    from dataclasses import replace

    pack = catalogue.shipped()["base"]
    with pytest.raises(ManifestInvalid):
        recogniser_identity(replace(pack, models={}))
