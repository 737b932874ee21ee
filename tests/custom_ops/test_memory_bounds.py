"""The kernels write their output and nothing beside it, though they compute whole registers."""

import numpy as np
import onnxruntime as ort
import pytest
from onnx import helper, numpy_helper

from qonnx_tools.runtime import library_path

GUARD = 256
BYTE = {"bits": 8, "to": 3}
SHORT = {"bits": 16, "to": 5}
SOURCE = np.random.default_rng(2)


def codes(shape, dtype=np.int8):
    return SOURCE.integers(np.iinfo(dtype).min, np.iinfo(dtype).max, shape, endpoint=True).astype(dtype)


def depthwise(height, width, kernel, stride, dtype, output, channels=3):
    window = {"kernel_shape": [kernel] * 2, "strides": [stride] * 2, "pads": [kernel // 2] * 4, "group": channels}
    inputs = [codes((1, channels, height, width), dtype), codes((channels, 1, kernel, kernel)), np.int64(9)]
    return "FixedConv", inputs, window | output | {"accumulator_bits": 32}, 1


def added(height, width, channels, output):
    window = {"kernel_shape": [1, 1], "strides": [1, 1], "pads": [0] * 4, "dilations": [1, 1], "group": 1}
    inputs = [codes((1, 8, height, width)), codes((channels, 8, 1, 1)), np.int64(7), np.int64(0), np.int32(1)]
    inputs += [np.int64(0), codes((1, channels, height, width)), np.int64(0), np.int64(1), np.int64(1)]
    return "FixedConvAdd", inputs, window | output | {"accumulator_bits": 32, "conv_bits": 8}, 1


def pool(height, width, kernel, stride, pad):
    window = {"kernel_shape": [kernel] * 2, "strides": [stride] * 2, "pads": [pad] * 4, "dilations": [1, 1]}
    return "FixedMaxPool", [codes((1, 2, height, width))], window | {"to": 3}, 1


SIZES = [(1, 1), (3, 5), (5, 7), (7, 7), (7, 8), (9, 13), (14, 14), (5, 17), (3, 63), (4, 70)]
CASES = [
    *(depthwise(*size, kernel, stride, np.int8, BYTE) for size in SIZES for kernel in (3, 5) for stride in (1, 2)),
    *(depthwise(*size, 3, stride, np.int16, SHORT) for size in SIZES for stride in (1, 2)),
    *(depthwise(*size, 3, 1, np.uint8, {"bits": 32, "to": 6}) for size in SIZES),
    *(added(*size, channels, output) for size in SIZES for channels in (3, 40) for output in (BYTE, SHORT)),
    *(pool(*size, 1, 1, 0) for size in SIZES),
    *(pool(*size, 3, 2, 1) for size in SIZES),
    *(
        (op, [codes((count,)), codes((count,)), *tail], output, 2)
        for count in (1, 15, 33, 63, 64, 65, 1000)
        for op, tail in (("FixedAdd", [np.int64(0), np.int64(1), np.int64(1)]), ("FixedMul", [np.int64(7)]))
        for output in (BYTE, SHORT)
    ),
    *(
        ("Lookup", [codes((count,)), codes(256, table)], {"input_bits": 8, "to": to}, 1)
        for count in (1, 63, 65, 255, 257, 300)
        for table, to in ((np.int8, 3), (np.int16, 5))
    ),
]


@pytest.mark.parametrize(("op", "inputs", "attributes", "data"), CASES)
def test_nothing_beside_the_output(op, inputs, attributes, data):
    names = [f"i{position}" for position in range(len(inputs))]
    values = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(value.dtype), value.shape)
        for name, value in zip(names[:data], inputs[:data], strict=True)
    ]
    graph = helper.make_graph(
        [helper.make_node(op, names, ["y"], domain="qonnx_tools.ops", **attributes)],
        "one_node",
        values,
        [helper.make_tensor_value_info("y", attributes["to"], None)],
        [numpy_helper.from_array(np.asarray(v), n) for n, v in zip(names[data:], inputs[data:], strict=True)],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("qonnx_tools.ops", 1)]
    options = ort.SessionOptions()
    options.register_custom_ops_library(str(library_path()))
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    feed = dict(zip(names[:data], inputs[:data], strict=True))
    (expected,) = session.run(None, feed)
    for fill in (0x55, 0xAA):
        memory = np.full(expected.nbytes + 2 * GUARD, fill, np.uint8)
        inside = memory[GUARD : GUARD + expected.nbytes]
        binding = session.io_binding()
        for name, value in feed.items():
            binding.bind_cpu_input(name, value)
        binding.bind_output("y", "cpu", 0, expected.dtype.type, expected.shape, inside.ctypes.data)
        session.run_with_iobinding(binding)
        np.testing.assert_array_equal(inside.view(expected.dtype).reshape(expected.shape), expected)
        assert np.all(memory[:GUARD] == fill)
        assert np.all(memory[GUARD + expected.nbytes :] == fill)
