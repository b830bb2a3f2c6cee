"""A model of a pack in ONNX Runtime: its bytes checked against the manifest, then its inputs and outputs, then its providers. SHELL.

Nothing is loaded that was not hashed first: the session is made from the very bytes whose hash was right, not from a path that
may show something else a moment later.
"""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import onnxruntime
from numpy.typing import NDArray

from verification.errors import HashMismatch, NotInstalled, ProviderMissing, ShapeMismatch

CPU = "CPUExecutionProvider"
SHORT_NAMES = {
    "cpu": CPU,
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
    "directml": "DmlExecutionProvider",
}
"""What configuration may say instead of ONNX Runtime's own names."""

ELSEWHERE = frozenset({"AzureExecutionProvider"})
"""Works by asking another machine: never here."""

MAX_THREADS = 64
Shape = Sequence[int | str | None]
"""Of one tensor; None, a name or -1: any size."""

onnxruntime.set_default_logger_severity(4)  # what a stranger's picture makes a model say belongs in no log


def available_providers() -> tuple[str, ...]:
    """Those of this installation of ONNX Runtime that work on this machine, by its names, its best first."""
    return tuple(name for name in onnxruntime.get_available_providers() if name not in ELSEWHERE)


def provider_names(providers: Sequence[str]) -> tuple[str, ...]:
    """Of ONNX Runtime, in this order. Raises ProviderMissing for one that this installation does not have, or for none at all."""
    available = available_providers()
    names = tuple(dict.fromkeys(SHORT_NAMES.get(name.lower(), name) for name in providers))
    if not names:
        raise ProviderMissing("no execution provider is configured; there are " + ", ".join(available))
    for name in names:
        if name not in available:
            raise ProviderMissing(
                f"{name} is not in this ONNX Runtime; there are {', '.join(available)} (verification.providers)"
            )
    return names


class Session:
    """One loaded model. ``inputs``, ``outputs``: name → shape, None for any size, in the model's order. Not for two threads at a time."""

    def __init__(
        self,
        model: Path | bytes,
        *,
        name: str,
        sha256: str | None = None,
        inputs: Mapping[str, Shape] | None = None,
        outputs: Mapping[str, Shape] | None = None,
        threads: int = 1,
        providers: Sequence[str] = (CPU,),
        arena: bool = True,
    ) -> None:
        """``name``: what errors call it. What the manifest says - ``sha256`` in hexadecimal, ``inputs`` and ``outputs`` - is checked where given. ``arena``: keep
        memory between runs; without, each run gives back what it took, for models whose inputs are of many sizes.

        Raises NotInstalled, HashMismatch, ShapeMismatch, ProviderMissing; ValueError for a number of threads that cannot be.
        """
        if not 1 <= threads <= MAX_THREADS:
            raise ValueError(f"1 to {MAX_THREADS} threads")
        wanted = provider_names(providers)
        data = model if isinstance(model, bytes) else _read(model, name)
        if sha256 is not None and hashlib.sha256(data).hexdigest() != sha256.lower():
            raise HashMismatch(f"{name} is not the file that the manifest names")
        try:
            self._session = onnxruntime.InferenceSession(data, _options(threads, arena), providers=list(wanted))
        except Exception as error:  # its own classes share no base of theirs
            raise ShapeMismatch(f"{name} is no model that ONNX Runtime reads: {type(error).__name__}") from error
        self.name = name
        self.providers = tuple(self._session.get_providers())
        for provider in wanted:
            if provider not in self.providers:
                raise ProviderMissing(f"{provider} does not work on this machine")
        self.inputs = {node.name: _shape(node.shape) for node in self._session.get_inputs()}
        self.outputs = {node.name: _shape(node.shape) for node in self._session.get_outputs()}
        _check(name, "input", self.inputs, inputs)
        _check(name, "output", self.outputs, outputs)
        self._input_names = list(self.inputs)

    @property
    def runtime(self) -> Any:
        """ONNX Runtime's own session, for libraries that want one."""
        return self._session

    def run(self, *arrays: NDArray[Any], outputs: Sequence[str] | None = None) -> list[NDArray[Any]]:
        """The inputs in the model's order; all outputs, or those named."""
        found: list[NDArray[Any]] = self._session.run(outputs, dict(zip(self._input_names, arrays, strict=True)))
        return found


def _read(path: Path, name: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise NotInstalled(f"{name} cannot be read") from error


def _options(threads: int, arena: bool) -> Any:
    """Nothing spins: a core that waits belongs to the calls of the people beside it."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = arena
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = 4
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


def _shape(dimensions: Shape) -> tuple[int | None, ...]:
    return tuple(size if isinstance(size, int) and size >= 0 else None for size in dimensions)


def _check(name: str, what: str, found: Mapping[str, tuple[int | None, ...]], named: Mapping[str, Shape] | None) -> None:
    """Every tensor that the manifest names, in that order, and no other; a size that both give must be the same."""
    if named is None:
        return
    if list(found) != list(named):
        raise ShapeMismatch(f"{name} has the {what}s {', '.join(found)}, its manifest says {', '.join(named)}")
    for tensor, shape in named.items():
        sizes = _shape(shape)
        fits = len(sizes) == len(found[tensor]) and all(
            a is None or b is None or a == b for a, b in zip(sizes, found[tensor], strict=True)
        )
        if not fits:
            raise ShapeMismatch(f"{what} {tensor} of {name} is {_words(found[tensor])}, its manifest says {_words(sizes)}")


def _words(shape: tuple[int | None, ...]) -> str:
    return "×".join("?" if size is None else str(size) for size in shape)
