"""Ops on codes in a whole graph: loaded, inferred, saved, and run without the project's library."""

import numpy as np
import onnx
import onnxruntime
import pytest

from qonnx_tools import graph, ops

NET = """
<ir_version: 10, opset_import: ["": 17, "qonnx_tools.ops": 1]>
net (float[N, 3, H, 9] x) => (float[N, 5] y)
<
    int64 f4 = {4}, int64 f3 = {3}, int64 zero = {0}, int64 one = {1}, int64 s6 = {6}, int64 s9 = {9},
    int32 unit = {1}, int32 by49 = {1337}, int64 s16 = {16}, int64 s2 = {2},
    int8[8, 3, 3, 3] w1, int32[8] b1, int8[8, 1, 3, 3] w2, int32[8] a2, int64[8] addend, int64[8] s_each,
    int8[5, 8] w3, int8[256] table
>
{
    c0 = qonnx_tools.ops.Quantize <bits = 8, to = 3> (x, f4)
    c1 = qonnx_tools.ops.FixedConv <kernel_shape = [3, 3], strides = [2, 1], pads = [1, 1, 1, 1], dilations = [1, 1],
        group = 1, accumulator_bits = 20, bits = 8, signed = 0, to = 2> (c0, w1, s6, b1, unit, zero)
    c2 = qonnx_tools.ops.ShiftConv <kernel_shape = [3, 3], strides = [1, 1], pads = [1, 1, 1, 1], dilations = [1, 1],
        group = 8, accumulator_bits = 24, weight_bits = 4, bits = 16, to = 5> (c1, w2, s2, b1, a2, addend)
    c3 = MaxPool <kernel_shape = [1, 1]> (c1)
    c4 = qonnx_tools.ops.Affine <bits = 8, to = 3> (c2, a2, addend, s_each)
    c5 = qonnx_tools.ops.FixedAdd <bits = 8, to = 3> (c3, c4, one, zero, one)
    c6 = qonnx_tools.ops.Lookup <input_bits = 8, to = 3> (c5, table)
    c7 = qonnx_tools.ops.FixedAveragePool <bits = 8, to = 3> (c6, by49, s16)
    c8 = Flatten (c7)
    c9 = qonnx_tools.ops.FixedGemm <transB = 1, accumulator_bits = 32, bits = 32, to = 6>
        (c8, w3, zero, zero, unit, zero)
    y = qonnx_tools.ops.Dequantize (c9, f3)
}
"""

SHAPES = {
    "c1": (np.uint8, ["N", 8, None, 9]),
    "c2": (np.int16, ["N", 8, None, 9]),
    "c4": (np.int8, ["N", 8, None, 9]),
    "c7": (np.int8, ["N", 8, 1, 1]),
    "c9": (np.int32, ["N", 5]),
}


@pytest.fixture
def net():
    rng = np.random.default_rng(5)
    return graph.parse(
        NET,
        w1=rng.integers(-128, 128, (8, 3, 3, 3)).astype(np.int8),
        b1=rng.integers(-999, 999, 8).astype(np.int32),
        w2=rng.integers(-7, 8, (8, 1, 3, 3)).astype(np.int8),
        a2=rng.integers(1, 99, 8).astype(np.int32),
        addend=rng.integers(-999, 999, 8),
        s_each=rng.integers(7, 11, 8),
        w3=rng.integers(-8, 8, (5, 8)).astype(np.int8),
        table=rng.integers(-128, 128, 256).astype(np.int8),
    )


def test_shapes_and_types_come_through_the_graph(net):
    model = graph.from_proto(net)
    graph.update_shapes(model)
    tensors = model.graph.tensors()
    for name, (dtype, shape) in SHAPES.items():
        found = [size if isinstance(size, int) or size == "N" else None for size in tensors[name].shape]
        assert (tensors[name].dtype, found) == (dtype, shape), name


def test_a_saved_graph_runs_without_the_library(net, tmp_path):
    graph.save(graph.from_proto(net), tmp_path / "net.onnx")
    onnx.checker.check_model(str(tmp_path / "net.onnx"), full_check=True)
    session = onnxruntime.InferenceSession(tmp_path / "net.onnx", providers=["CPUExecutionProvider"])
    x = np.random.default_rng(6).normal(size=(2, 3, 7, 9)).astype(np.float32)
    np.testing.assert_array_equal(session.run(None, {"x": x})[0], by_references(net, x))


def by_references(proto, x):
    """Run the graph node by node: references of our ops, and of the others what they do to codes."""
    values = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in proto.graph.initializer} | {"x": x}
    table = ops.op_table()
    for node in proto.graph.node:
        inputs = [values[name] for name in node.input]
        if node.domain:
            attributes = {item.name: onnx.helper.get_attribute_value(item) for item in node.attribute}
            (values[node.output[0]],) = table[node.domain, node.op_type].reference(inputs, attributes)
        else:
            values[node.output[0]] = inputs[0].reshape(len(x), -1) if node.op_type == "Flatten" else inputs[0]
    assert np.unique(values["c6"]).size > 20
    return values["y"]
