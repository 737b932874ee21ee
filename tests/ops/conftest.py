"""Running one node of an op of the table, by its function body and by its reference."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper
from onnx.reference import ReferenceEvaluator

from qonnx_tools import ops


def one_node(op, inputs, attributes, opset=17, constant=(), shapes=None):
    """A model of one node; the inputs named in ``constant`` are initializers. ``shapes`` are those of graph inputs."""
    names = [wanted.name for wanted in op.inputs[: len(inputs)]]
    given = {name: np.asarray(value) for name, value in zip(names, inputs, strict=True)}
    node = helper.make_node(op.name, names, ["y"], domain=op.domains[0])
    for name, value in attributes.items():
        if isinstance(value, list | tuple) and not value:
            node.attribute.append(onnx.AttributeProto(name=name, type=onnx.AttributeProto.INTS))
        else:
            node.attribute.append(helper.make_attribute(name, value))
    (result,) = op.reference(inputs, attributes)
    interface = [
        helper.make_tensor_value_info(
            name, helper.np_dtype_to_tensor_dtype(value.dtype), (shapes or {}).get(name, [None] * value.ndim)
        )
        for name, value in given.items()
        if name not in constant
    ]
    graph = helper.make_graph(
        [node],
        "g",
        interface,
        [helper.make_tensor_value_info("y", helper.np_dtype_to_tensor_dtype(result.dtype), None)],
        [onnx.numpy_helper.from_array(given[name], name) for name in constant],
    )
    imports = [helper.make_opsetid("", opset), helper.make_opsetid(op.domains[0], op.since_version)]
    functions = ops.function_bodies([(op.domains[0], op.name)], opset)
    proto = helper.make_model(graph, opset_imports=imports, functions=functions, ir_version=10)
    return proto, {name: value for name, value in given.items() if name not in constant}, result


def on_onnxruntime(proto, feeds, *, optimize):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    level = onnxruntime.GraphOptimizationLevel
    options.graph_optimization_level = level.ORT_ENABLE_ALL if optimize else level.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])
    (result,) = session.run(None, feeds)
    assert len(session.get_outputs()[0].shape or result.shape) == result.ndim, "the rank that onnxruntime inferred"
    return result


@pytest.fixture(scope="session")
def check_body():
    """A function that compares body and reference exactly: plain onnxruntime both ways, and onnx's evaluator."""

    def check(op, inputs, attributes, *, opset=17, constant=(), onnx_too=True):
        complete = op.complete(attributes)
        proto, feeds, expected = one_node(op, inputs, complete, opset, constant)
        runs = [on_onnxruntime(proto, feeds, optimize=optimize) for optimize in (True, False)]
        if onnx_too:
            with np.errstate(all="ignore"):
                runs.append(ReferenceEvaluator(proto).run(None, feeds)[0])
        for found in runs:
            what = f"{op.name} {complete}"
            assert (found.shape, found.dtype) == (expected.shape, expected.dtype), what
            np.testing.assert_array_equal(found, expected, what)
        return expected

    return check


@pytest.fixture(scope="session")
def one_node_on_onnxruntime():
    """A function that returns what plain onnxruntime and the reference make of a node."""

    def run(op, inputs, attributes, constant, shapes=None):
        proto, feeds, expected = one_node(op, inputs, attributes, constant=constant, shapes=shapes)
        return on_onnxruntime(proto, feeds, optimize=True), expected

    return run


@pytest.fixture(scope="session")
def examples():
    """For every op of the table: inputs, and the attributes that it requires."""
    rng = np.random.default_rng(11)
    floats = (rng.normal(size=(2, 3, 4)) * 4).astype(np.float32)
    codes = rng.integers(-128, 128, (2, 3, 4)).astype(np.int8)
    maps, rows = rng.integers(-128, 128, (2, 4, 7, 6)).astype(np.int8), rng.integers(0, 256, (2, 12)).astype(np.uint8)
    filters = rng.integers(-7, 8, (6, 2, 3, 2)).astype(np.int8)
    matrix = rng.integers(-7, 8, (12, 5)).astype(np.int8)
    number, integer = (lambda value: np.array(value, np.float32)), (lambda value: np.array(value, np.int64))

    def tail(channels):
        return [
            integer(9),
            rng.integers(-9, 9, channels).astype(np.int32),
            rng.integers(-9, 9, channels).astype(np.int32),
            rng.integers(-99, 99, channels),
        ]

    byte = {"bits": 8, "to": onnx.TensorProto.INT8}
    pooling = {"kernel_shape": [3, 2], "strides": [2, 1], "pads": [1, 0, 2, 1], "dilations": [1, 2]}
    window = {**pooling, "group": 2}
    conv, gemm = [maps, filters, *tail(6)], [rows, matrix, *tail(5)]
    sums = {**byte, "accumulator_bits": 24}
    log_unit = {"x_bits": 4, "weight_bits": 4, "steps": 2, "guard_bits": 5}
    residual = [rng.integers(0, 256, (2, 6, 4, 5)).astype(np.uint8), integer(3), integer(2), integer(2)]
    added = {**window, **sums, "conv_bits": 7}
    compressed = [maps, integer(40), np.array([True, False, False, True])]
    wavelet = {"transform": 3, "levels": 2, **byte}
    encode = ops.op_table()[ops.DOMAIN, "FeatureMapEncode"]
    return {
        "FixedQuant": ([floats, integer(3)], {"bits": 5}),
        "LogQuant": ([floats, number(0.5)], {"bits": 5}),
        "Quant": ([floats, number(0.5), number(0), number(8)], {"signed": 1, "narrow": 0, "rounding_mode": "FLOOR"}),
        "IntQuant": ([floats, number(0.5), number(0), number(8)], {"signed": 1, "narrow": 0, "rounding_mode": "FLOOR"}),
        "BipolarQuant": ([floats, number(0.5)], {}),
        "Trunc": ([floats, number(0.5), number(0), number(8), number(4)], {"rounding_mode": "FLOOR"}),
        "FloatQuant": (
            [floats, number(0.5), number(4), number(3), number(7), number(240)],
            {"has_inf": 0, "has_nan": 0, "saturation": 1, "rounding_mode": "FLOOR"},
        ),
        "Quantize": ([floats, integer([[3], [-1], [5]])], byte),
        "Dequantize": ([codes, integer([[3], [-1], [5]])], {}),
        "LogQuantize": ([floats, number([[3], [2], [5]])], {"bits": 4, "to": onnx.TensorProto.INT8}),
        "LogDequantize": ([codes, number([[3], [2], [5]])], {"bits": 4}),
        "Requantize": ([codes, integer([[3], [-1], [5]])], byte),
        "Affine": ([codes, np.array([7, -5, 90], np.int32), integer([5, -500, 9]), integer([3, 4, 5])], byte),
        "FixedAdd": ([codes, codes[:1, :, :1], integer(1), integer(2), integer(3)], byte),
        "FixedMul": ([codes, codes[:1, :, :1], integer(6)], byte),
        "Lookup": ([codes, rng.integers(0, 255, 256).astype(np.uint8)], {"input_bits": 8, "to": 2}),
        "FixedMaxPool": ([maps], {**pooling, "to": onnx.TensorProto.INT8}),
        "FixedAveragePool": ([maps, np.array(37, np.int32), integer(9)], byte),
        "FixedConv": (conv, {**window, **sums}),
        "ShiftConv": (conv, {**window, **sums, "weight_bits": 4}),
        "FixedGemm": (gemm, sums),
        "ShiftGemm": (gemm, {**sums, "weight_bits": 4}),
        "LogConv": ([maps // 16, *conv[1:]], {**window, **sums, **log_unit}),
        "LogGemm": ([rows // 16, *gemm[1:]], {**sums, **log_unit, "x_signed": 0}),
        "FixedConvAdd": ([*conv, *residual], added),
        "ShiftConvAdd": ([*conv, *residual], {**added, "weight_bits": 4}),
        "LogConvAdd": ([maps // 16, *conv[1:], *residual], {**added, **log_unit}),
        "FeatureMapRoundTrip": (compressed, wavelet),
        "FeatureMapEncode": (compressed, {**wavelet, "coder": 1}),
        "FeatureMapDecode": (list(encode.reference(compressed, {**wavelet, "coder": 1})), {**byte, "shape": [4, 7, 6]}),
        "LogRequantize": ([codes, np.array([1, 5, 9, 20, 33, 60, 127])], {"bits": 4, "to": onnx.TensorProto.INT8}),
    }
