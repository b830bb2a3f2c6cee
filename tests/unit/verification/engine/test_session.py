"""A model is loaded from the bytes that were hashed, with the shapes and on the provider that were asked for; or says why not."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.support.tiny_engine import VALUES, model
from verification.engine.session import CPU, Session, provider_names
from verification.errors import HashMismatch, NotInstalled, ProviderMissing, ShapeMismatch

MODEL = model()
INPUTS, OUTPUTS = {"picture": ("?", 3, 8, 8)}, {"embedding": (-1, VALUES)}


def test_it_runs() -> None:
    session = Session(MODEL, name="tiny", sha256=hashlib.sha256(MODEL).hexdigest().upper(), inputs=INPUTS, outputs=OUTPUTS)
    (alone,) = session.run(np.ones((1, 3, 8, 8), np.float32))
    (batch,) = session.run(np.ones((5, 3, 8, 8), np.float32), outputs=["embedding"])
    assert alone.shape == (1, VALUES)
    np.testing.assert_allclose(batch, np.repeat(alone, 5, axis=0), atol=1e-6)
    assert session.inputs == {"picture": (None, 3, 8, 8)}
    assert session.providers == (CPU,)


def test_threads_change_nothing() -> None:
    given = np.random.default_rng(1).random((4, 3, 8, 8)).astype(np.float32)
    one, two = (Session(MODEL, name="tiny", threads=threads).run(given)[0] for threads in (1, 2))
    np.testing.assert_allclose(one, two, atol=1e-6)


def test_another_hash() -> None:
    with pytest.raises(HashMismatch, match="tiny is not the file"):
        Session(MODEL + b"\0", name="tiny", sha256=hashlib.sha256(MODEL).hexdigest())


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(NotInstalled):
        Session(tmp_path / "none.onnx", name="none")


def test_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "tiny.onnx").write_bytes(MODEL)
    assert Session(tmp_path / "tiny.onnx", name="tiny", inputs=INPUTS).outputs == {"embedding": (None, VALUES)}


@pytest.mark.parametrize("data", [b"", b"no model", MODEL[: len(MODEL) // 2]])
def test_what_is_no_model(data: bytes) -> None:
    with pytest.raises(ShapeMismatch, match="no model that ONNX Runtime reads"):
        Session(data, name="odd")


@pytest.mark.parametrize(
    ("inputs", "outputs", "words"),
    [
        ({"picture": (1, 3, 8, 9)}, OUTPUTS, "1×3×8×9"),
        ({"picture": (3, 8, 8)}, OUTPUTS, "its manifest says 3×8×8"),
        ({"image": (1, 3, 8, 8)}, OUTPUTS, "has the inputs picture"),
        ({**INPUTS, "more": (1,)}, OUTPUTS, "picture, more"),
        (INPUTS, {"embedding": (1, 7)}, "output embedding"),
        (INPUTS, {}, "has the outputs embedding"),
    ],
)
def test_shapes_that_the_manifest_does_not_say(
    inputs: dict[str, tuple[int | str, ...]], outputs: dict[str, tuple[int | str, ...]], words: str
) -> None:
    with pytest.raises(ShapeMismatch, match=words):
        Session(MODEL, name="tiny", inputs=inputs, outputs=outputs)


def test_a_provider_by_its_short_name_or_its_own() -> None:
    assert provider_names(("cpu", "CPU", CPU)) == (CPU,)


@pytest.mark.parametrize(
    "names", [("AzureExecutionProvider",), ("cuda",), ("openvino", "cpu"), ("NoSuchExecutionProvider",), ()]
)
def test_a_provider_that_is_not_there_is_named(names: tuple[str, ...]) -> None:
    with pytest.raises(ProviderMissing, match=r"there are .*CPUExecutionProvider"):
        Session(MODEL, name="tiny", providers=names)


@pytest.mark.parametrize("threads", [0, -1, 1000])
def test_so_many_threads_cannot_be(threads: int) -> None:
    with pytest.raises(ValueError, match="threads"):
        Session(MODEL, name="tiny", threads=threads)


def test_onnx_runtime_writes_nothing_home_and_calls_nobody(tmp_path: Path) -> None:
    """Its telemetry, which PyPI's builds have switched on, begins with a database in the home folder."""
    code = "import sys; sys.path.insert(0, '.'); from tests.support.tiny_engine import model\n"
    code += "from verification.engine.session import Session; Session(model(), name='tiny')"
    environment = {"HOME": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1", "PATH": os.environ["PATH"]}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True, timeout=60)
    assert list(tmp_path.rglob("*")) == []
