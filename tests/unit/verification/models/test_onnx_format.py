"""ONNX as it is written and read here, against the onnx package; and what is no model is refused."""

import contextlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support import packs, tiny_pack
from verification.errors import FileDamaged
from verification.models import onnx_format
from verification.models.onnx_format import Node, Tensor, inputs_and_outputs, model_bytes
from verification.models.pack import ANY


def test_what_is_written_is_a_model_for_others_too() -> None:
    packs.need_packages()
    import onnx
    import onnxruntime

    nodes = [
        Node("Conv", ("x", "w"), "y", {"kernel_shape": (3, 3), "strides": (2, 2), "pads": (0, 0, 0, 0)}),
        Node("Flatten", ("y",), "z", {"axis": 1}),
    ]
    weights = np.arange(2 * 1 * 3 * 3, dtype=np.float32).reshape(2, 1, 3, 3)
    written = model_bytes(
        "two",
        nodes,
        {"w": weights},
        [Tensor("x", "float32", (ANY, 1, 5, 5))],
        [Tensor("z", "float32", (ANY, 8))],
        note="a note",
    )
    model = onnx.load_model_from_string(written)
    onnx.checker.check_model(model, full_check=True)
    assert model.doc_string == "a note"
    session = onnxruntime.InferenceSession(written, providers=["CPUExecutionProvider"])
    picture = np.ones((3, 1, 5, 5), dtype=np.float32)
    (answer,) = session.run(None, {"x": picture})
    assert answer.tolist() == [[36.0] * 4 + [117.0] * 4] * 3


def test_what_is_written_is_read() -> None:
    assert inputs_and_outputs(tiny_pack.recogniser()) == (
        [Tensor("face", "float32", (ANY, 4))],
        [Tensor("embedding", "float32", (ANY, 2))],
    )


def test_constants_that_are_listed_as_inputs_need_not_be_fed() -> None:
    """Older versions of the format list every constant among the inputs."""
    packs.need_packages()
    from onnx import TensorProto, helper

    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "c"], ["y"])],
        "old",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT16, [1, "n"]) for name in ("x", "c")],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT16, None)],
        [helper.make_tensor("c", TensorProto.FLOAT16, [1, 1], [0])],
    )
    inputs, outputs = inputs_and_outputs(helper.make_model(graph).SerializeToString())
    assert inputs == [Tensor("x", "float16", (1, ANY))]
    assert outputs == [Tensor("y", "float16", ())]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"PK\x03\x04",
        b"\x3a\x05\x0a",  # a graph of five bytes, of which one is there
        b"\x3a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
        b"\x3a\x04\x62\x02\x0a\x00",  # an output without a name
        b"\x3a\x05\x62\x03\x0a\x01\xff",  # a name that is no text
        b"\x3a\x04\x62\x02\x08\x01",  # a number for a name
        b"\x3b",
    ],
)
def test_what_is_no_model_is_refused(content: bytes) -> None:
    with pytest.raises(FileDamaged):
        inputs_and_outputs(content)


@given(st.data())
def test_a_damaged_model_is_refused_or_read_but_nothing_else(data: st.DataObject) -> None:
    whole = bytearray(tiny_pack.detector())
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(whole[: data.draw(st.integers(0, len(whole)))])
    with contextlib.suppress(FileDamaged):
        inputs_and_outputs(cut)


# ---------------------------------------------------------------- weights elsewhere


def _outside() -> bytes:
    """A TensorProto whose weights lie in "w.bin": data_type, name, external_data (location), data_location EXTERNAL."""
    entry = onnx_format._bytes(1, b"location") + onnx_format._bytes(2, b"w.bin")
    return onnx_format._number(2, 1) + onnx_format._bytes(8, b"w") + onnx_format._bytes(13, entry) + onnx_format._number(14, 1)


def _nested(tensor: bytes, *fields: int) -> bytes:
    for number in fields:
        tensor = onnx_format._bytes(number, tensor)
    return tensor


@pytest.mark.parametrize(
    "fields",
    [
        (5, 7),  # initializer of the graph
        (1, 15, 7),  # values of a sparse one
        (5, 5, 1, 7),  # an operation's attribute
        (10, 5, 1, 7),  # of several
        (1, 22, 5, 1, 7),  # a sparse one
        (5, 6, 5, 1, 7),  # of a graph within an attribute
        (5, 11, 5, 1, 7),
        (5, 5, 7, 25),  # of the model's own function
        (5, 11, 25),  # of its attributes' defaults
        (5, 1, 20),  # of a graph for training
    ],
)
def test_weights_in_another_file_are_seen_wherever_they_are(fields: tuple[int, ...]) -> None:
    assert onnx_format.names_other_files(_nested(_outside(), *fields))
    within = (
        onnx_format._number(2, 1) + onnx_format._bytes(8, b"w") + onnx_format._bytes(9, b"\0" * 4) + onnx_format._number(14, 0)
    )
    assert not onnx_format.names_other_files(_nested(within, *fields))


def test_what_is_nested_without_end_is_refused() -> None:
    with pytest.raises(FileDamaged, match="too deeply"):
        onnx_format.names_other_files(_nested(b"", *((6, 5, 1) * 5000), 7))
