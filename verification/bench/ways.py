"""Ways of saying how alike the faces of two JPEG files are: ours, insightface's, and dlib alone. SHELL. All on one thread.

Each decodes, finds the face, embeds it and compares: the same task. Everything that a library does beyond that is left out of its way.
"""

import contextlib
import io
import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from verification.engine.session import CPU
from verification.errors import FaceRefused
from verification.faces.analyser import Analyser
from verification.images import read
from verification.models.files import as_path
from verification.models.pack import Task
from verification.models.store import InstalledPack

Way = Callable[[bytes, bytes], float | None]
"""Two JPEG files → how alike (in the way's own unit), None without a face in both."""

INSIGHTFACE_FILES = {
    "detection": ("scrfd_500m_bnkps.onnx", "det_500m.onnx"),
    "recognition": ("w600k_mbf_wq8.onnx", "w600k_mbf.onnx"),
}
"""What is looked for in the folder of models; the first that is there."""
DETECTOR_SIDE = 640


def ours(analyser: Analyser) -> Way:
    """As a worker answers `compare`: read safely, one face, its quality, its embedding."""

    def compare(a: bytes, b: bytes) -> float | None:
        try:
            first, second = (analyser.embed_picture(read(data))[2] for data in (a, b))
        except FaceRefused:
            return None
        return analyser.compare(first, second).comparison_score

    return compare


def ours_bare(analyser: Analyser) -> Way:
    """The same task as the others' ways: without judging the quality."""

    def compare(a: bytes, b: bytes) -> float | None:
        embeddings = []
        for data in (a, b):
            picture = read(data)
            faces = analyser.detect(picture)
            if not faces:
                return None
            embeddings.append(analyser.embed(picture, faces[0]))
        return analyser.compare(embeddings[0], embeddings[1]).comparison_score

    return compare


def insightface_files(folder: Path) -> list[Path]:
    """Detector and recogniser; raises FileNotFoundError, which names what is not there."""
    found = []
    for task, names in INSIGHTFACE_FILES.items():
        present = [folder / name for name in names if (folder / name).is_file()]
        if not present:
            raise FileNotFoundError(f"no {task} model of insightface in {folder} ({' or '.join(names)})")
        found.append(present[0])
    return found


def insightface(files: list[Path], workplace: Path) -> Way:
    """``insightface.app.FaceAnalysis`` as its documentation shows it: detection at 640 × 640, recognition, one thread. ``workplace``: an empty folder."""
    import onnxruntime
    from insightface.app import FaceAnalysis

    for file in files:
        os.symlink(file.resolve(), workplace / file.name)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        app: Any = FaceAnalysis(
            name=str(workplace), allowed_modules=["detection", "recognition"], providers=[CPU], sess_options=options
        )
        app.prepare(ctx_id=-1, det_size=(DETECTOR_SIDE, DETECTOR_SIDE))

    def compare(a: bytes, b: bytes) -> float | None:
        embeddings = []
        for data in (a, b):
            faces = app.get(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR))
            if not faces:
                return None
            largest = max(faces, key=lambda face: (face.bbox[2] - face.bbox[0]) * (face.bbox[3] - face.bbox[1]))
            embeddings.append(largest.normed_embedding)
        return float(embeddings[0] @ embeddings[1])

    return compare


def dlib_alone(pack: InstalledPack) -> Way:
    """What face_recognition.face_encodings does with its defaults (HOG, the picture enlarged once, five points, one jitter), called in dlib itself: that
    package is only these calls. Its weights are those of `base`."""
    import dlib

    five = pack.pack.model(Task.LANDMARKS5)
    recogniser = pack.pack.model(Task.RECOGNISER)
    assert five is not None
    assert recogniser is not None
    detector: Any = dlib.get_frontal_face_detector()
    with as_path(pack.read(five)) as path:
        predictor: Any = dlib.shape_predictor(path)
    with as_path(pack.read_file(recogniser.built_from)) as path:
        encoder: Any = dlib.face_recognition_model_v1(path)

    def compare(a: bytes, b: bytes) -> float | None:
        embeddings = []
        for data in (a, b):
            bgr = np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR))
            picture = np.ascontiguousarray(bgr[:, :, ::-1])
            boxes = detector(picture, 1)
            if not boxes:
                return None
            largest = max(boxes, key=lambda box: box.area())
            embeddings.append(np.array(encoder.compute_face_descriptor(picture, predictor(picture, largest), 1)))
        return 1.0 - float(np.linalg.norm(embeddings[0] - embeddings[1]))

    return compare
