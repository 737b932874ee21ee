"""Function bodies equal the reference to the bit, on plain onnxruntime and on onnx's evaluator."""

import itertools

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

from qonnx_tools import ops
from qonnx_tools.arithmetic.log import LogRounding
from qonnx_tools.arithmetic.rounding import Rounding

FIXED = ops.op_table()[ops.DOMAIN, "FixedQuant"]
LOG = ops.op_table()[ops.DOMAIN, "LogQuant"]
SIGNS = [(1, 0), (1, 1), (0, 0)]
LOG_SETTINGS = [
    (bits, steps, signed)
    for bits in range(1, 9)
    for steps in (1, 2)
    for signed in (0, 1)
    if bits > signed and (bits, steps, signed) != (8, 1, 0)
]


def model(op, nodes, opset):
    """One graph output for each (attributes, parameter): one body serves them all."""
    made, constants, outputs = [], [], []
    for position, (attributes, parameter) in enumerate(nodes):
        names = ["x", f"p{position}"], [f"y{position}"]
        made.append(helper.make_node(op.name, *names, domain=ops.DOMAIN, **attributes))
        constants.append(onnx.numpy_helper.from_array(parameter, f"p{position}"))
        outputs.append(helper.make_tensor_value_info(f"y{position}", TensorProto.FLOAT, None))
    graph = helper.make_graph(
        made, "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, None)], outputs, constants
    )
    imports = [helper.make_opsetid("", opset), helper.make_opsetid(ops.DOMAIN, ops.DOMAIN_VERSION)]
    functions = ops.function_bodies([(ops.DOMAIN, op.name)], opset)
    return helper.make_model(graph, opset_imports=imports, functions=functions, ir_version=10)


def on_onnxruntime(proto, x, *, optimize):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    level = onnxruntime.GraphOptimizationLevel
    options.graph_optimization_level = level.ORT_ENABLE_ALL if optimize else level.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x})


def on_onnx(proto, x):
    with np.errstate(all="ignore"):
        return ReferenceEvaluator(proto).run(None, {"x": x})


def same_bits(found, expected, what):
    assert (found.shape, found.dtype) == (expected.shape, np.float32), what
    nan = np.isnan(expected)
    np.testing.assert_array_equal(np.isnan(found), nan, str(what))
    np.testing.assert_array_equal(found[~nan].view(np.int32), expected[~nan].view(np.int32), str(what))


def check(op, nodes, x, opset=17, *, onnx_too=True):
    proto = model(op, nodes, opset)
    runs = [on_onnxruntime(proto, x, optimize=optimize) for optimize in (True, False)]
    if onnx_too and x.size:  # the evaluator of onnx 1.17 gets empty shapes wrong
        runs.append(on_onnx(proto, x))
    for found in runs:
        for y, (attributes, parameter) in zip(found, nodes, strict=True):
            same_bits(y, op.reference([x, parameter], attributes)[0], (attributes, parameter))


def newest_opset():
    """The newest opset of onnx that this onnxruntime runs."""
    for opset in range(onnx.defs.onnx_opset_version(), 17, -1):
        try:
            on_onnxruntime(
                model(FIXED, [(FIXED.complete({"bits": 4}), np.array(0))], opset),
                np.zeros(1, np.float32),
                optimize=True,
            )
        except onnxruntime.capi.onnxruntime_pybind11_state.Fail:
            continue
        return opset
    return 17


def around(values):
    """``values`` as float32 with both neighbours, and what is special."""
    special = [0.0, -0.0, np.nan, np.inf, -np.inf, 1e-45, -1e-45, 1e-38, 3e38, -3e38, 2.0**31, -(2.0**31), 8388607.5]
    x = np.array([*values, *special], np.float32)
    with np.errstate(over="ignore"):
        return np.concatenate([x, np.nextafter(x, np.float32(np.inf)), np.nextafter(x, np.float32(-np.inf))])


@pytest.mark.parametrize("bits", [0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 24, 25, 31, 32])
def test_fixed_quant(bits):
    nodes = [
        (FIXED.complete({"bits": bits, "signed": signed, "narrow": narrow, "rounding": mode.code}), np.array(frac))
        for (signed, narrow), mode, frac in itertools.product(SIGNS, Rounding, (0, 3))
    ]
    edge = 2.0**bits
    x = around([*np.arange(-40, 41) / 16, *(np.arange(-5, 6) / 2 + edge), *(np.arange(-5, 6) / 2 - edge / 2), edge / 8])
    check(FIXED, nodes, x)


def test_fixed_quant_all_fraction_bits():
    fracs = np.arange(-64, 127)
    x = np.ldexp(np.array([[-2.5], [-0.5], [0.5], [1.5], [1e4], [-1e4], [np.nan]]), -fracs).astype(np.float32)
    for mode in Rounding:
        check(FIXED, [(FIXED.complete({"bits": 8, "rounding": mode.code}), fracs)], x, onnx_too=mode.code == 0)


@pytest.mark.parametrize(("bits", "steps", "signed"), LOG_SETTINGS)
def test_log_quant(bits, steps, signed):
    nodes = []
    middles = []
    for mode, scale in itertools.product(LogRounding, (8.0, 0.37)):
        attributes = LOG.complete({"bits": bits, "steps": steps, "signed": signed, "rounding": mode.code})
        largest = np.float32(scale if bits < 8 and not (bits == 7 and not signed) else scale * 32)
        nodes.append((attributes, np.array(largest)))
        octaves = np.arange(2.0 ** (bits - signed) + 1) / steps
        for middle in (0.75, 0.75 * 2**0.5, 2**-0.25, 2**-0.5, (1 + 2**-0.5) / 2, 1.0):
            middles.extend(float(largest) * middle * 2.0**-octaves)
    x = around(middles)
    check(LOG, nodes, np.concatenate([x, -x]))


CHANNELS = [(3, 1, 1), (1, 3, 1, 1), (2, 1, 1, 1), (4,), (2, 3, 5, 4), (1,), ()]


@pytest.mark.parametrize("shape", CHANNELS)
def test_parameters_broadcast(shape):
    rng = np.random.default_rng(7)
    x = (rng.normal(size=(2, 3, 5, 4)) * 4).astype(np.float32)
    fixed = FIXED.complete({"bits": 6, "rounding": 2})
    check(FIXED, [(fixed, np.array(rng.integers(-2, 6, shape), np.int64))], x)
    log = LOG.complete({"bits": 4, "steps": 2})
    check(LOG, [(log, np.array(rng.uniform(0.1, 9, shape), np.float32))], x)


@pytest.mark.parametrize("opset", sorted({13, 17, 21, newest_opset()}))
def test_opsets(opset):
    x = around(np.arange(-40, 41) / 16)
    fixed = [(FIXED.complete({"bits": 5, "rounding": mode.code}), np.array(2)) for mode in Rounding]
    check(FIXED, fixed, x, opset)
    log = [(LOG.complete({"bits": 4, "rounding": mode.code}), np.array(1.5, np.float32)) for mode in LogRounding]
    check(LOG, log, x, opset)


def test_the_newest_opset_is_recent():
    assert newest_opset() >= 21


def test_attributes_have_defaults_on_onnxruntime():
    x = around(np.arange(-40, 41) / 16)
    for op, parameter in ((FIXED, np.array(2)), (LOG, np.array(1.5, np.float32))):
        check(op, [({"bits": 4}, parameter)], x, onnx_too=False)


shapes = st.lists(st.integers(0, 4), max_size=5).map(tuple)


@settings(deadline=None, max_examples=25)
@given(shapes, st.integers(0, 2**32 - 1), st.integers(0, 32), st.sampled_from(SIGNS), st.sampled_from(list(Rounding)))
def test_fixed_quant_of_any_shape(shape, seed, bits, sign, mode):
    rng = np.random.default_rng(seed)
    parameter = np.array(rng.integers(-8, 9, tuple(size if rng.random() < 0.5 else 1 for size in shape)))
    attributes = FIXED.complete({"bits": bits, "signed": sign[0], "narrow": sign[1], "rounding": mode.code})
    x = np.array(rng.normal(size=shape) * 2.0 ** rng.integers(-6, bits + 2), np.float32)
    check(FIXED, [(attributes, parameter)], x)


@settings(deadline=None, max_examples=25)
@given(
    shapes,
    st.integers(0, 2**32 - 1),
    st.sampled_from([s for s in LOG_SETTINGS if s[0] < 7]),
    st.sampled_from(list(LogRounding)),
)
def test_log_quant_of_any_shape(shape, seed, fields, mode):
    rng = np.random.default_rng(seed)
    parameter = np.array(rng.uniform(0.1, 9, tuple(size if rng.random() < 0.5 else 1 for size in shape)), np.float32)
    attributes = LOG.complete(dict(zip(("bits", "steps", "signed"), fields, strict=True)) | {"rounding": mode.code})
    x = np.array(rng.normal(size=shape) * 2.0 ** rng.integers(-20, 5), np.float32)
    check(LOG, [(attributes, parameter)], x)
