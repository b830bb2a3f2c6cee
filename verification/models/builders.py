"""What is built here of its authors' own weights, by the kind of model. Sans I/O."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from verification.models import dlib_onnx, minifas_onnx

BUILDERS: Mapping[str, Callable[[bytes], bytes]] = MappingProxyType(
    {"dlib_resnet": lambda weights: dlib_onnx.build(weights), "minifasnet": lambda weights: minifas_onnx.build(weights)}
)
"""File → ONNX model, the same bytes every time. Raise FileDamaged."""
