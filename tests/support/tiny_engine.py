"""A verification pack small enough to be made in a test: drawn faces, a real ONNX model of a kilobyte, the real worker around it.

A face is a bright rectangle on black; its colour is who it is. Striped, it is an attack; dim, its quality is bad. A pack named
``traps`` does harm when it meets the colours of ``Trap``.

python -m tests.support.tiny_engine SOCKET         a worker with it
python -m tests.support.tiny_engine user SOCKET    the same, as an ordinary user where it is started by root
"""

import _thread
import enum
import hashlib
import os
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from io import BytesIO
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

from verification.documents.reading import DocumentField, DocumentReading, DocumentType
from verification.engine import messages, worker
from verification.engine.desk import Desk
from verification.engine.session import Session, provider_names
from verification.engine.warm_up import warm_up
from verification.errors import FaceRefused, HashMismatch
from verification.ports import PackInfo
from verification.reasons import ReasonCode
from verification.types import (
    Ability,
    Box,
    Comparison,
    Embedding,
    Face,
    Landmarks,
    Pad,
    Picture,
    Pose,
    Quality,
)

USER = 12345
COMMAND = (sys.executable, "-m", "tests.support.tiny_engine")
ALICE, BOB = (230, 160, 120), (120, 200, 240)
THRESHOLDS = {1e-3: 0.7, 1e-4: 0.8}
ACCEPT, REFER = 0.7, 0.4
VALUES = 8
Colour = tuple[int, int, int]


class Trap(enum.Enum):
    """What becomes of a worker that looks at a face of this colour."""

    HANG = (255, 255, 0)
    GROW = (0, 255, 255)
    """More memory, a little at a time."""
    BLOAT = (255, 0, 255)
    """More memory than there is, at once."""
    CRASH = (255, 128, 0)
    FAIL = (0, 128, 255)
    """A mistake of ours."""
    SPAWN = (64, 64, 255)
    """Threads, as many as it can have."""
    SLOW = (128, 255, 0)
    """Half a second of work."""


def pixels(colour: Colour | None, *, size: tuple[int, int] = (160, 120), faces: int = 1, striped: bool = False) -> Picture:
    """``colour`` None: nobody."""
    width, height = size
    picture = np.zeros((height, width, 3), np.uint8)
    step = width // max(faces, 1)
    for number in range(faces if colour is not None else 0):
        x0, x1 = number * step + step // 4, number * step + 3 * step // 4
        picture[height // 4 : 3 * height // 4, x0:x1] = colour
        if striped:
            picture[height // 4 : 3 * height // 4 : 2, x0:x1] = np.array(colour) // 2 + 20
    return picture


def draw(colour: Colour | None, *, kind: str = "PNG", **more: Any) -> bytes:
    """As a file."""
    file = BytesIO()
    Image.fromarray(pixels(colour, **more)).save(file, kind, quality=95)
    return file.getvalue()


def model() -> bytes:
    """(1, 3, 8, 8) → (1, 8): a fixed projection."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    weights = np.random.default_rng(7).normal(0, 0.02, (192, VALUES)).astype(np.float32)
    graph = helper.make_graph(
        [helper.make_node("Flatten", ["picture"], ["flat"]), helper.make_node("MatMul", ["flat", "weights"], ["embedding"])],
        "tiny",
        [helper.make_tensor_value_info("picture", TensorProto.FLOAT, ["n", 3, 8, 8])],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["n", VALUES])],
        [numpy_helper.from_array(weights, "weights")],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(made)
    return bytes(made.SerializeToString())


def install(folder: Path) -> Path:
    """The model's file, with its hash beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tiny.onnx").write_bytes(model())
    (folder / "tiny.sha256").write_text(hashlib.sha256((folder / "tiny.onnx").read_bytes()).hexdigest())
    return folder / "tiny.onnx"


class TinyAnalyser:
    """``embedder``: (1, 3, 8, 8) → (1, 8)."""

    abilities = frozenset({Ability.TURN_LEFT, Ability.COLOURS})

    def __init__(self, embedder: Any, *, traps: bool = False) -> None:
        self._embedder = embedder
        self._traps = traps

    def detect(self, picture: Picture) -> list[Face]:
        bright = (picture.max(axis=2) > 25).astype(np.uint8)
        count, _, stats, _ = cv2.connectedComponentsWithStats(bright)
        found = []
        for x, y, width, height, area in stats[1:count].tolist():
            if area < 100:
                continue
            points = np.array([(0.3, 0.35), (0.7, 0.35), (0.5, 0.55), (0.35, 0.75), (0.65, 0.75)], np.float32)
            box = Box(float(x), float(y), float(x + width), float(y + height))
            found.append(Face(box, 0.9, points * (width, height) + (x, y)))
        return sorted(found, key=lambda face: -face.box.area)

    def one_face(self, picture: Picture, *, careful: bool = False) -> Face:
        faces = self.detect(picture)
        if len(faces) != 1:
            raise FaceRefused(f"{len(faces)} faces", code=ReasonCode.SEVERAL_FACES if faces else ReasonCode.NO_FACE)
        return faces[0]

    def _crop(self, picture: Picture, face: Face) -> Picture:
        x0, y0, x1, y1 = (round(value) for value in face.box)
        return picture[max(0, y0) : y1, max(0, x0) : x1]

    def quality(self, picture: Picture, face: Face, *, landmarks: Landmarks | None = None, pose: Pose | None = None) -> Quality:
        if self._traps:
            spring(tuple(int(value) for value in np.median(self._crop(picture, face), axis=(0, 1))))
        brightness = float(self._crop(picture, face).mean()) / 255
        reasons = (ReasonCode.TOO_DARK,) if brightness < 0.25 else ()
        return Quality(
            face.eye_distance, 0.0, 0.0, 0.0, 0.5, brightness, 0.1, 0.0, 0.0, None, None, reasons, 0.2 if reasons else 0.9
        )

    def embed(self, picture: Picture, face: Face) -> Embedding:
        crop = cv2.resize(self._crop(picture, face), (8, 8), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
        embedding: Embedding = self._embedder(crop.transpose(2, 0, 1)[None])[0]
        return embedding

    def compare(self, a: Embedding, b: Embedding, *, fmr: float | None = None) -> Comparison:
        rate = 1e-3 if fmr is None else fmr
        if rate not in THRESHOLDS:
            raise ValueError(f"no threshold for a false match rate of {rate:g}")
        score = 1 - float(np.linalg.norm(a - b))
        match = score >= THRESHOLDS[rate]
        return Comparison(score, THRESHOLDS[rate], match, rate, () if match else (ReasonCode.NO_MATCH,))

    def pad(self, picture: Picture, face: Face) -> Pad | None:
        crop = self._crop(picture, face).astype(np.float32)
        score = 0.1 if float(np.abs(np.diff(crop.mean(axis=(1, 2)))).mean()) > 10 else 0.9
        return Pad(score, (score,), ("stripes",))

    def pad_reasons(self, pad: Pad | None) -> tuple[ReasonCode, ...]:
        if pad is None:
            return (ReasonCode.PAD_UNAVAILABLE,)
        return () if pad.score >= ACCEPT else (ReasonCode.PAD_UNSURE,) if pad.score >= REFER else (ReasonCode.PAD_ATTACK,)

    def landmarks(self, picture: Picture, face: Face) -> Landmarks | None:
        return None

    def pose(self, picture: Picture, face: Face) -> Pose | None:
        return Pose(0.0, 0.0, 0.0)


@dataclass(frozen=True)
class TinyPortrait:
    """As ``verification.documents.reader.Portrait``, without loading its models."""

    card: Picture | None
    face: Face | None


class TinyCards:
    """A document has a green stripe along its top. It is valid until the end of 2029."""

    def __init__(self, analyser: TinyAnalyser) -> None:
        self._analyser = analyser

    def read(self, picture: Picture, today: date) -> tuple[DocumentReading, Any]:
        height, width = picture.shape[:2]
        stripe = picture[: height // 10].mean(axis=(0, 1))
        if not stripe[1] > 2 * max(stripe[0], stripe[2]):
            return DocumentReading(None, (), (ReasonCode.DOCUMENT_NOT_FOUND,), width, height), TinyPortrait(None, None)
        card = picture.copy()
        card[: height // 10 + 4] = 0
        face = next(iter(self._analyser.detect(card)), None)
        expired = today > date(2029, 12, 31)
        reasons = (ReasonCode.DOCUMENT_EXPIRED,) if expired else ()
        fields = (DocumentField("number", "11010519491231002X", 0.98, proven=True), DocumentField("name", "张三", 0.9))
        box = tuple(float(value) for value in face.box) if face else None
        reading = DocumentReading(
            DocumentType.CN_ID_FRONT,
            fields,
            reasons,
            width,
            height,
            expired=expired,
            portrait=box,
            models="ab" * 32,  # type: ignore[arg-type]
        )
        return reading, TinyPortrait(card, face) if face else TinyPortrait(None, None)

    def try_models(self, card: Picture) -> None:
        self.read(card, date(2026, 1, 1))


def card(colour: Colour | None, *, kind: str = "PNG") -> bytes:
    """A document with this face, as a file."""
    picture = pixels(colour)
    picture[: picture.shape[0] // 10] = (0, 200, 0)
    file = BytesIO()
    Image.fromarray(picture).save(file, kind)
    return file.getvalue()


def spring(colour: Sequence[int]) -> None:
    """Do the harm that goes with it."""
    for trap in Trap:
        if max(abs(a - b) for a, b in zip(trap.value, colour, strict=True)) > 6:
            continue
        if trap is Trap.HANG:
            while True:
                pass
        if trap is Trap.GROW:
            kept = []
            while True:
                kept.append(bytearray(b"x" * (4 << 20)))
                time.sleep(0.005)
        if trap is Trap.BLOAT:
            bytearray(1 << 33)
        if trap is Trap.CRASH:
            import ctypes

            ctypes.string_at(0)
        if trap is Trap.SPAWN:
            threading.stack_size(32 << 10)
            for _ in range(500):
                _thread.start_new_thread(time.sleep, (60.0,))
            time.sleep(60.0)
        if trap is Trap.FAIL:
            raise RuntimeError("a mistake")
        if trap is Trap.SLOW:
            end = time.perf_counter() + 0.5
            while time.perf_counter() < end:
                pass


def info(pack: str, providers: tuple[str, ...], digest: str) -> PackInfo:
    points = tuple(THRESHOLDS.items())
    return PackInfo(
        pack, "1", digest, TinyAnalyser.abilities, True, False, False, providers, points, 1e-3, ACCEPT, REFER, digest
    )


def open_tiny(order: messages.Open) -> Desk:
    """In a worker: with the real session, its hash and its shapes checked."""
    folder = Path(order.models_dir)
    digest = (folder / "tiny.sha256").read_text()
    if order.pack not in ("tiny", "traps"):
        raise HashMismatch(f"there is no pack {order.pack}")
    session = Session(
        folder / "tiny.onnx", name="tiny.onnx", sha256=digest, inputs={"picture": ("?", 3, 8, 8)}, outputs={"embedding": ("?", VALUES)},
        threads=order.threads, providers=order.providers,
    )  # fmt: skip
    analyser = TinyAnalyser(lambda crop: session.run(crop)[0], traps=order.pack == "traps")
    documents: Any = TinyCards(analyser) if order.documents else None
    return Desk(analyser, info(order.pack, provider_names(order.providers), digest), bytes.fromhex(digest), documents=documents)


def become_ordinary() -> None:
    """Everything is loaded before: root's interpreter may lie where nobody else reads."""
    install(Path(folder := tempfile.mkdtemp()))
    warm_up(open_tiny(messages.Open("tiny", folder, 1, ("cpu",), 0)))
    shutil.rmtree(folder)
    if os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(USER, USER, USER)
        os.setresuid(USER, USER, USER)


if __name__ == "__main__":
    if sys.argv[1] == "user":
        become_ordinary()
    sys.exit(worker.main(sys.argv[-1:], open_tiny))
