"""A pack of one's own that takes no time: two ONNX models of a few bytes, a manifest as text, and a folder to install it from."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from verification.models.onnx_format import Node, Tensor, model_bytes
from verification.models.pack import ANY


def detector() -> bytes:
    """An identity of (1, 3, any, any)."""
    shape = (1, 3, ANY, ANY)
    nodes = [Node("Identity", ("picture",), "faces")]
    return model_bytes("detector", nodes, {}, [Tensor("picture", "float32", shape)], [Tensor("faces", "float32", shape)])


def recogniser() -> bytes:
    """(N, 4) times a constant."""
    nodes = [Node("MatMul", ("face", "weights"), "embedding")]
    weights = {"weights": np.eye(4, 2, dtype=np.float32)}
    return model_bytes(
        "recogniser", nodes, weights, [Tensor("face", "float32", (ANY, 4))], [Tensor("embedding", "float32", (ANY, 2))]
    )


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


DETECTOR, RECOGNISER = detector(), recogniser()
EVALUATED: Mapping[str, Any] = {
    "pack": {
        "models": [
            {
                "task": "detector",
                "kind": "yunet",
                "file": "detector.onnx",
                "sha256": sha256(DETECTOR),
                "library": "",
                "settings": {},
            },
            {
                "task": "recogniser",
                "kind": "arcface",
                "file": "recogniser.onnx",
                "sha256": sha256(RECOGNISER),
                "library": "",
                "settings": {},
            },
        ]
    },
    "n": {"mated": 10, "non_mated": 100_000, "identities": 5},
    "operating_points": [{"fmr": 1e-3, "fnmr": 0.02, "threshold": 0.4}, {"fmr": 1e-4, "threshold": 0.5}],
}
"""What there is to be cited."""
REPORT = json.dumps(EVALUATED).encode()
FILES: Mapping[str, bytes] = {"detector.onnx": DETECTOR, "recogniser.onnx": RECOGNISER, "evaluation.json": REPORT}


def tree(name: str = "tiny") -> dict[str, Any]:
    """The manifest, to be changed and written with ``toml``."""

    def model(file: str, **more: Any) -> dict[str, Any]:
        content = FILES[file]
        return {"file": file, "sha256": sha256(content), "bytes": len(content), "licence": "CC0-1.0", **more}

    return {
        "format": 1,
        "name": name,
        "version": "7",
        "summary": "for tests",
        "licence": "CC0-1.0",
        "model": [
            model(
                "detector.onnx",
                task="detector",
                kind="yunet",
                inputs={"picture": [1, 3, "?", "?"]},
                outputs={"faces": [1, 3, "?", "?"]},
            ),
            model(
                "recogniser.onnx", task="recogniser", kind="arcface", inputs={"face": ["?", 4]}, outputs={"embedding": ["?", 2]}
            ),
        ],
        "thresholds": {
            "comparison": {
                "default_fmr": 1e-3,
                "points": [{"fmr": 1e-3, "threshold": 0.4}, {"fmr": 1e-4, "threshold": 0.5}],
                "evaluation": {"report": "evaluation.json", "sha256": sha256(REPORT), "n": {"mated": 10, "non_mated": 100_000}},
            },
            "quality": {"eye_distance_min": 60},
        },
    }


def toml(tree: Mapping[str, Any]) -> bytes:
    """Plain TOML of a tree: inline throughout, which is all that a manifest needs."""
    return "\n".join(f"{key} = {_value(value)}" for key, value in tree.items()).encode()


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{json.dumps(key)} = {_value(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    if isinstance(value, float):
        return repr(value)
    return json.dumps(value)


def write(folder: Path, manifest: Mapping[str, Any] | None = None, files: Mapping[str, bytes] = FILES) -> Path:
    """A folder as a bank's own pack: manifest and files. Returns it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "manifest.toml").write_bytes(toml(tree() if manifest is None else manifest))
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder
