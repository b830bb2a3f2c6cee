"""A model as it is put together, node by node, for ``onnx_format.model_bytes``. Sans I/O."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from verification.errors import FileDamaged
from verification.models.onnx_format import Node

Weights = NDArray[np.float32]


@dataclass
class Graph:
    """The graph so far: ``value`` is the name of the last output, ``shape`` its channels, rows, columns."""

    shape: tuple[int, int, int]
    value: str
    nodes: list[Node] = field(default_factory=list)
    constants: dict[str, NDArray[np.float32] | NDArray[np.int64]] = field(default_factory=dict)

    def add(
        self, operation: str, inputs: tuple[str, ...], shape: tuple[int, int, int], **attributes: int | Sequence[int]
    ) -> None:
        """One operation more; its output is the last now."""
        output = f"t{len(self.nodes)}"
        self.nodes.append(Node(operation, inputs, output, attributes))
        self.value, self.shape = output, shape

    def convolve(
        self, weights: Weights, biases: Weights, *, stride: tuple[int, int], padding: tuple[int, int], groups: int = 1
    ) -> None:
        """``weights``: (filters, channels of a group, rows, columns). Raises FileDamaged where they do not fit the channels there are."""
        filters, channels, *window = weights.shape
        if channels * groups != self.shape[0] or biases.shape != (filters,) or filters % groups:
            raise FileDamaged("a convolution of this network does not fit the one before")
        number = len(self.nodes)
        self.constants[f"w{number}"], self.constants[f"b{number}"] = weights, biases
        rows, columns = self.sizes(window, stride, padding)
        more: dict[str, int] = {} if groups == 1 else {"group": groups}
        self.add(
            "Conv",
            (self.value, f"w{number}", f"b{number}"),
            (filters, rows, columns),
            kernel_shape=window,
            strides=stride,
            pads=padding * 2,
            **more,
        )

    def sizes(self, window: Sequence[int], stride: Sequence[int], padding: Sequence[int]) -> tuple[int, int]:
        """Rows and columns that a window leaves of the last output. Raises FileDamaged where that is nothing."""
        rows, columns = (
            (size + 2 * pad - wide) // step + 1
            for size, wide, step, pad in zip(self.shape[1:], window, stride, padding, strict=True)
        )
        if rows < 1 or columns < 1:
            raise FileDamaged("nothing is left of the picture in this network")
        return rows, columns
