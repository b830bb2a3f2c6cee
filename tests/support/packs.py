"""Model packs for tests, installed once into ``var/test-models`` of this checkout and reused by every later run.

    pack = packs.base()          # always there: from what `make run` installed, or from PyPI
    pack = packs.open_pack()     # from the mirror of ../shared/models; skips the test, saying so, where that is not there
    pack = packs.insightface()   # ditto

Nothing of the mirror is ever committed.
"""

import importlib.util
from functools import cache
from pathlib import Path

import pytest

from verification.errors import PackError
from verification.models.install import Options, install
from verification.models.store import InstalledPack, ModelStore

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "var" / "test-models"
MIRROR = ROOT.parent / "shared" / "models"
STORE = ModelStore(FOLDER)


def need_packages() -> None:
    """Skips where TONGPING_VERIFICATION=0 left the packages of face checks out."""
    if any(importlib.util.find_spec(name) is None for name in ("dlib", "onnxruntime", "cv2")):
        pytest.skip("the packages of face checks are not installed: make verification")


@cache
def base() -> InstalledPack:
    """dlib's HOG detector, 5-point predictor and recogniser."""
    need_packages()
    ready = ROOT / "var" / "models" / "base"
    return _ready("base", str(ready) if ready.is_dir() else "")


@cache
def open_pack() -> InstalledPack:
    """YuNet, three PAD models, mesh, head pose, the recogniser of ``base`` (taken from there by its hash)."""
    base()
    return _ready("open", _mirror())


@cache
def insightface() -> InstalledPack:
    """SCRFD and ArcFace as the mirror has them."""
    need_packages()
    return _ready("insightface-wq8", _mirror())


def _mirror() -> str:
    if not MIRROR.is_dir():
        pytest.skip("the mirror of models (../shared/models) is not there")
    return str(MIRROR)


def _ready(name: str, origin: str) -> InstalledPack:
    FOLDER.parent.mkdir(mode=0o700, exist_ok=True)
    try:
        return STORE.open(name)
    except PackError:
        return install(STORE, name, Options(origin=origin, accept_licence=True, wait=True))
