"""The packs that come with this version: their manifests in ``packs/``, and the evaluation reports that those cite. SHELL."""

from collections.abc import Mapping
from functools import cache
from importlib import resources
from types import MappingProxyType

from verification.models.manifest import load_manifest
from verification.models.pack import Pack

_FOLDER = resources.files("verification.models") / "packs"


@cache
def shipped() -> Mapping[str, Pack]:
    """By name. Raises ManifestInvalid: then this installation is damaged."""
    packs = [load_manifest(file.read_bytes()) for file in _FOLDER.iterdir() if file.name.endswith(".toml")]
    return MappingProxyType({pack.name: pack for pack in sorted(packs, key=lambda pack: pack.name)})


def shipped_report(file: str) -> bytes | None:
    """A report beside the shipped manifests."""
    report = _FOLDER / file
    return report.read_bytes() if report.is_file() else None
