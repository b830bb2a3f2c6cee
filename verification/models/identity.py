"""Which recogniser numbers of faces come from: a hash over all that decides them, and over nothing else of a pack. Sans I/O.

Numbers are comparable where the same weights saw faces that were cut out in the same way: by the recogniser's file and what it is told, and by where the face's points
come from. Thresholds, passive detection, licences and addresses change none of them.
"""

import hashlib
import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from verification.errors import ManifestInvalid
from verification.models.pack import Model, Pack, Task

ALIGNMENT = 1
"""Of ``faces.align``, ``faces.corners`` and ``faces.embed``: one more when what they make of the same points and pixels changes."""

_OF_POINTS = ("size",)
"""Settings of a detector that decide where its points are; the others decide whether there is a face."""


def recogniser_identity(pack: Pack) -> str:
    """Hexadecimal SHA-256. Raises ManifestInvalid for a pack without a recogniser or a detector."""
    recogniser, detector, corners = (pack.model(task) for task in (Task.RECOGNISER, Task.DETECTOR, Task.LANDMARKS5))
    if recogniser is None or detector is None:
        raise ManifestInvalid("a pack has a recogniser and a detector")
    if corners is not None:  # they say where the points are, in the box of a detector of this kind
        points: dict[str, Any] = {"kind": detector.kind, "corners": _model(corners)}
    else:
        points = _model(detector) | {"settings": {name: detector.settings.get(name) for name in _OF_POINTS}}
    said = {"alignment": ALIGNMENT, "recogniser": _model(recogniser), "points": points}
    return hashlib.sha256(json.dumps(said, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _model(model: Model) -> dict[str, Any]:
    return {"kind": model.kind, "sha256": model.sha256, "library": model.library, "settings": model.settings}


_FORMER: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        # base 1
        "630a1f5d3f31f4e3972b0d27cf17c7fa72eb20323136cd3416bd28c4cdeae429": (
            "d11d21642496293b4832f5dd4091c5c2a90235dab51080269c423a9c587a9d96",
            "cb78490ace650ce9f647540321ea042c9c76a774263bc335042073db4dc914ad",
            "d5ad7b61165d0528e8892a25768fb617adb6b9fabab7f43fd917c37336a25777",
            "9e724009484e26e4aa4df6db202b4a29e115542c1ea0c1df8bf697c2da4ea0c9",
        ),
        # insightface 1
        "7626a4f3d6bd6700a7b84f2c5c7346578dd8902b525904069ffd081027144ca0": (
            "021b7276c4ac2b76fe34afa51c42aadac14691a928ab185e49954146c00aa17d",
            "bdd36af94623117b307438018807298f22d41adc69338aba827a9d5516d3e45f",
        ),
        # insightface-wq8 1
        "8b5437dfa3e41c261adffbc43ac5ed1fa41c6fb522443b21f1fd0273b1abb7d3": (
            "14fa4d4202af2375cd8e3441a8e28914f4dbe9d08f156cf75c8101c16ab22785",
            "5af601fa1eb518802245c5278e6cd8b098f8e7867f8f43dad8b56efe5e9a32d0",
        ),
        # open 1
        "7014795ff2ee66e19dc8f063c9684d8d4fe5fce3a1136d2a592a417c1283d6af": (
            "5b928e4918f07ff332cda7416fbedcb8ee7bc95091ddc7bb7e229da63c4f056c",
            "9afe520ad3ba14424ecb5d1dd48934c209654656cf01c0d6db6c7356fa102d85",
            "2bebcab7971cf128730718aa94150817dcf90d1a57b4bf99cb39ca93b2e5b800",
            "fbf21b7718306840f0fdbd2bd0a4f1fbaaff056b1ca5a4a6044fc4a305b32196",
            "1c54858f9f988de3778e10fd88f36ddc94d6e41ffe9aefcbd725be382a4cf7f4",
            "67be44bcb0f6b5ece50ae6ad34ce629a75bc8424ab4433b07e82afbfaf963f9f",
        ),
    }
)
"""Recogniser → every manifest that named it and came with a version whose templates did not say their recogniser, the oldest first."""

FORMER_PACKS: Mapping[str, str] = MappingProxyType(
    {pack: recogniser for recogniser, packs in _FORMER.items() for pack in packs}
)
"""Hash of a manifest → its recogniser."""
