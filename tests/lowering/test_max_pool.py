"""MaxPool on codes: no float anywhere, and exactly the simulation's numbers."""

import numpy as np
import onnxruntime as ort
import pytest

from qonnx_tools.conversion import convert
from qonnx_tools.graph import from_proto, nodes, op_of, parse, to_proto
from qonnx_tools.outcome import Skip
from qonnx_tools.passes.lower_to_native import LowerToNative
from qonnx_tools.runtime import session

FILTERS = np.random.default_rng(3).normal(size=(4, 3, 3, 3)).astype(np.float32)


def model(pool, height=13, width=11, weights=FILTERS, result="N, 4, R, C"):
    spatial = "N, 3, " + ", ".join(str(size) for size in (height, width) if size)
    return from_proto(
        parse(
            f"""
            <ir_version: 8, opset_import: ["" : 17]>
            example (float[{spatial}] x) => (float[{result}] y)
            <float[{", ".join(map(str, weights.shape))}] w>
            {{ [c] z = Conv (x, w)
               [r] r = Relu (z)
               [p] p = {pool} (r)
               [n] y = Neg (p) }}
            """,
            w=weights,
        )
    )


def check(source, shape, bits=8):
    """Assert that kernels, bodies and the simulation agree; return the attributes of the pooling."""
    native = convert(source, target="native", activation_bits=bits)
    assert not native.in_float
    ops = [op_of(node) for node in nodes(native.model.graph)]
    assert {"Cast", "MaxPool", "GlobalMaxPool"}.isdisjoint(ops)
    x = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    proto = to_proto(native.model)
    options = ort.SessionOptions()
    options.log_severity_level = 4
    found = session(proto).run(None, {"x": x})[0]
    np.testing.assert_array_equal(
        found, ort.InferenceSession(proto.SerializeToString(), options).run(None, {"x": x})[0]
    )
    simulation = convert(source, activation_bits=bits, target="simulation").model
    np.testing.assert_array_equal(found, session(simulation).run(None, {"x": x})[0])
    (pooling,) = nodes(native.model.graph, "qonnx_tools.ops::FixedMaxPool")
    return pooling.attrs


@pytest.mark.parametrize("bits", [8, 12])
@pytest.mark.parametrize(
    ("attributes", "pads"),
    [
        ("kernel_shape = [3, 3], strides = [2, 2]", [0, 0, 0, 0]),
        ("kernel_shape = [3, 3], strides = [2, 2], pads = [1, 1, 1, 1]", [1, 1, 1, 1]),
        ("kernel_shape = [2, 2], strides = [2, 2], ceil_mode = 1", [0, 0, 1, 1]),
        ("kernel_shape = [2, 3], strides = [3, 4], ceil_mode = 1", [0, 0, 0, 2]),
        ("kernel_shape = [3, 2], strides = [2, 2], pads = [1, 0, 1, 1], ceil_mode = 1", [1, 0, 1, 1]),
        ("kernel_shape = [2, 2], dilations = [3, 2], pads = [1, 1, 0, 1]", [1, 1, 0, 1]),
        ('kernel_shape = [3, 3], strides = [2, 2], auto_pad = "SAME_UPPER"', [1, 1, 1, 1]),
        ("kernel_shape = [5, 5], pads = [2, 2, 2, 2]", [2, 2, 2, 2]),
    ],
)
def test_windows(attributes, pads, bits):
    found = check(model(f"MaxPool <{attributes}>"), (3, 3, 13, 11), bits)
    assert found["pads"] == pads


def test_ceil_mode_leaves_out_a_window_in_the_padding():
    """Of 11 rows a fourth window would begin behind the map and its padding at the beginning."""
    found = check(
        model("MaxPool <kernel_shape = [2, 2], strides = [4, 4], pads = [1, 1, 1, 1], ceil_mode = 1>"), (2, 3, 13, 11)
    )
    assert found["pads"] == [1, 1, 1, 1]


def test_the_whole_map_is_one_window():
    found = check(model("GlobalMaxPool", result="N, 4, 1, 1"), (2, 3, 13, 11))
    assert found["kernel_shape"] == [11, 9]


def test_one_dimension():
    source = model("MaxPool <kernel_shape = [3], strides = [2], ceil_mode = 1>", 14, 0, FILTERS[:, :, :, 0], "N, 4, R")
    assert check(source, (2, 3, 14))["pads"] == [0, 1]


CEIL = "MaxPool <kernel_shape = [2, 2], strides = [2, 2], ceil_mode = 1>"


@pytest.mark.parametrize(
    ("pool", "shape", "change", "reason"),
    [
        ("GlobalMaxPool", ["N", 4, "H", "W"], {}, "the size of its input is not known"),
        (CEIL, ["N", 4, "H", "W"], {}, "the size of its input is not known"),
        (CEIL, None, {}, "the size of its input is not known"),
        ("GlobalMaxPool", ["N", 4, 3, 3, 3], {}, "only 1-D and 2-D poolings have an integer form"),
        (CEIL, ["N", 4, 11, 9], {"pads": [0, 2, 0, 0]}, "its padding is not smaller than its window"),
        (CEIL, ["N", 4, 11, 9], {"auto_pad": "SAME_LOWER"}, "the size of its input is not known"),
    ],
)
def test_what_it_declines(pool, shape, change, reason):
    result = "N, 4, 1, 1" if pool == "GlobalMaxPool" else "N, 4, R, C"
    simulation = convert(model(pool, result=result), target="simulation").model
    (node,) = nodes(simulation.graph, "MaxPool", "GlobalMaxPool")
    node.inputs[0].shape = shape
    node.attrs.update(change)
    skips = [outcome for outcome in LowerToNative().run(simulation.graph) if isinstance(outcome, Skip)]
    assert ("p", reason) in [(skip.node, skip.reason) for skip in skips]
