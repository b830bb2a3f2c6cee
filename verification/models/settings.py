"""What ``settings`` of a model may say, by the kind of what reads it. Sans I/O.

A size or a crop that its reader takes is within bounds that it can work with. What a reader does not take, as its network was trained with
nothing else, may be said, but only as it is: so a manifest never describes something else than what runs.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from verification.models.pack import Model, Strict, Task

Share = Annotated[float, Meta(ge=0.0, le=1.0)]
Side = Annotated[int, Meta(ge=64, le=2048)]
"""Longer side of a picture in a detector's pass, pixels."""
Crop = Annotated[float, Meta(ge=1.0, le=8.0)]
"""How many times the face's box."""


class _Hog(Strict, frozen=True, kw_only=True):
    score: Annotated[float, Meta(ge=-2.0, le=10.0)] = 0.0
    sides: Annotated[tuple[Annotated[int, Meta(ge=64, le=8192)], ...], Meta(min_length=1, max_length=8)] = (320,)


class _Yunet(Strict, frozen=True, kw_only=True):
    size: Side = 320
    score: Share = 0.6
    nms: Share = 0.3
    multiple: Literal[32] = 32
    colour: Literal["BGR"] = "BGR"


class _Scrfd(Strict, frozen=True, kw_only=True):
    size: Annotated[int, Meta(ge=64, le=2048, multiple_of=32)] = 320
    score: Share = 0.5
    nms: Annotated[float, Meta(ge=0.4, le=0.4)] = 0.4


class _DlibResnet(Strict, frozen=True, kw_only=True):
    size: Literal[150] = 150
    padding: Annotated[float, Meta(ge=0.25, le=0.25)] = 0.25
    colour: Literal["RGB"] = "RGB"
    mean: Annotated[tuple[Annotated[float, Meta(ge=0.0, le=255.0)], ...], Meta(min_length=3, max_length=3)] = (0.0, 0.0, 0.0)
    scale: Annotated[float, Meta(ge=1.0, le=1024.0)] = 256.0


class _Arcface(Strict, frozen=True, kw_only=True):
    size: Literal[112] = 112


class _Minifas(Strict, frozen=True, kw_only=True):
    size: Annotated[int, Meta(ge=16, le=1024)] | None = None
    crop: Crop = 2.7
    live: Annotated[int, Meta(ge=0, le=15)] | None = None
    sure: Annotated[float, Meta(gt=0.0, lt=1.0)] | None = None
    """The least that it says of living faces: under it no others outvote it (``faces.passive.doubted``)."""


class _Minifasnet(_Minifas, frozen=True, kw_only=True):
    colour: Literal["BGR"] = "BGR"


class _Minifas128(_Minifas, frozen=True, kw_only=True):
    colour: Literal["RGB"] = "RGB"


class _Liveness(Strict, frozen=True, kw_only=True):
    size: Literal[80] = 80


class _Mesh478(Strict, frozen=True, kw_only=True):
    size: Literal[256] = 256
    crop: Crop = 1.5
    colour: Literal["RGB"] = "RGB"


class _Fsanet(Strict, frozen=True, kw_only=True):
    size: Literal[64] = 64
    margin: Share = 0.2
    colour: Literal["BGR"] = "BGR"


class _Nothing(Strict, frozen=True, kw_only=True):
    pass


SETTINGS: Mapping[str, type[Strict]] = MappingProxyType(
    {
        "hog": _Hog,
        "yunet": _Yunet,
        "scrfd": _Scrfd,
        "dlib5": _Nothing,
        "dlib_resnet": _DlibResnet,
        "arcface": _Arcface,
        "minifasnet": _Minifasnet,
        "minifas128": _Minifas128,
        "insightface_liveness": _Liveness,
        "mesh478": _Mesh478,
        "fsanet": _Fsanet,
        "ppocr": _Nothing,
    }
)
"""By kind: what is understood. What is left out is as its reader has it."""

_MINIFAS = {"minifasnet": (80, 1), "minifas128": (128, 0)}
"""Side of the input and the class that is bona fide, where the manifest does not say."""


def wrong_settings(model: Model) -> str:
    """What cannot be used in a model's settings, in one line; "" where all can."""
    try:
        found = msgspec.convert(model.settings, SETTINGS[model.kind])
    except msgspec.ValidationError as error:
        return f"settings: {error}"
    if isinstance(found, _Minifas):
        size, live = _MINIFAS[model.kind]
        return _minifas(model, size if found.size is None else found.size, live if found.live is None else found.live)
    return ""


def _minifas(model: Model, size: int, live: int) -> str:
    """That the network takes pictures of this size, and has that class."""
    for shape in model.inputs.values():
        if any(isinstance(side, int) and side != size for side in shape[2:]):
            return f"settings: size {size}, and its input is {'×'.join(map(str, shape))}"
    classes = [shape[-1] for shape in model.outputs.values() if shape]
    if classes and isinstance(classes[0], int) and live >= classes[0]:
        return f"settings: live {live}, and it has {classes[0]} classes"
    return ""


def unlike(models: Sequence[Model]) -> str:
    """Models of one pack that are read as one, but say different things: "" where there are none."""
    poses = [model.settings for model in models if model.task is Task.HEAD_POSE]
    return "the head pose models have different settings, and are read with one" if any(s != poses[0] for s in poses) else ""
