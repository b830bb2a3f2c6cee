"""One ``Analyser`` of each pack for all tests of a run: loading them takes a second."""

from dataclasses import replace
from functools import cache

import msgspec

from tests.support import packs
from verification.faces.analyser import Analyser
from verification.models.store import InstalledPack


@cache
def base() -> Analyser:
    return Analyser(packs.base())


@cache
def open_pack() -> Analyser:
    return Analyser(packs.open_pack())


@cache
def insightface() -> Analyser:
    return Analyser(packs.insightface())


@cache
def strict() -> Analyser:
    """``base`` of a bank that wants people to look straight."""
    return Analyser(with_quality(packs.base(), {"yaw_max": 15.0, "pitch_max": 15.0}))


def with_quality(installed: InstalledPack, limits: dict[str, float]) -> InstalledPack:
    thresholds = msgspec.structs.replace(installed.pack.thresholds, quality=limits)
    return replace(installed, pack=replace(installed.pack, thresholds=thresholds))
