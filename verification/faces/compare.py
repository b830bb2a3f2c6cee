"""How alike two embeddings are, and whether that is enough."""

import numpy as np

from verification.models.pack import ComparisonThresholds
from verification.reasons import ReasonCode
from verification.types import Comparison, Embedding


def comparison_score(kind: str, a: Embedding, b: Embedding) -> float:
    """The higher the more alike. ``dlib_resnet``: 1 - Euclidean distance; ``arcface``: cosine.

    Raises ValueError where the two cannot be compared: of other sizes, not finite, or of no length.
    """
    if a.ndim != 1 or a.shape != b.shape or not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise ValueError("these embeddings cannot be compared")
    first, second = a.astype(np.float64), b.astype(np.float64)
    if kind == "dlib_resnet":
        return 1.0 - float(np.linalg.norm(first - second))
    if kind == "arcface":
        lengths = float(np.linalg.norm(first) * np.linalg.norm(second))
        if lengths < 1e-9:
            raise ValueError("an embedding of no length")
        return float(first @ second) / lengths
    raise ValueError(f"embeddings of {kind} are not known")


def compare(kind: str, a: Embedding, b: Embedding, thresholds: ComparisonThresholds, *, fmr: float | None = None) -> Comparison:
    """``fmr``: an operating point of the manifest, None its default. Raises ValueError where there is no such."""
    point = thresholds.at(fmr)
    score = comparison_score(kind, a, b)
    match = score >= point.threshold
    return Comparison(score, point.threshold, match, point.fmr, () if match else (ReasonCode.NO_MATCH,))
