"""How the ops behave in a session: shapes, constant inputs, domains and their versions."""

import numpy as np
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper

from qonnx_tools.runtime import library_path

DOMAINS = ("qonnx.custom_op.general", "onnx.brevitas", "finn.custom_op.general")
SIGNED = {"signed": 1, "narrow": 0, "rounding_mode": "ROUND"}
f32 = np.float32


def test_symbolic_dimensions_reach_the_output(make_model, make_session):
    x = np.zeros((2, 3, 4), f32)
    session = make_session(make_model("FixedQuant", [x, np.int64(2)], {"bits": 8}, shape=["batch", 3, "width"]))
    assert session.get_outputs()[0].shape == ["batch", 3, "width"]
    assert session.get_outputs()[0].type == "tensor(float)"


def test_dimensions_without_a_name_stay_unknown():
    """onnxruntime takes a size of -1 at its word where the dimension has no name, and cuts slices by it."""
    end = np.array([np.iinfo(np.int64).max], np.int64)
    constants = {"frac": np.int64(1), "first": np.int64([0]), "end": end, "axis": np.int64([2]), "step": np.int64([2])}
    graph = helper.make_graph(
        [
            helper.make_node("FixedQuant", ["x", "frac"], ["a"], domain="qonnx_tools.ops", bits=8),
            helper.make_node("Slice", ["a", "first", "end", "axis", "step"], ["b"]),
            helper.make_node("FixedQuant", ["b", "frac"], ["y"], domain="qonnx_tools.ops", bits=8),
        ],
        "unknown_sizes",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None] * 3)],
        [helper.make_empty_tensor_value_info("y")],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("qonnx_tools.ops", 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    options = ort.SessionOptions()
    options.register_custom_ops_library(str(library_path()))
    session = ort.InferenceSession(model.SerializeToString(), options)
    assert not any(isinstance(size, int) for size in session.get_outputs()[0].shape)
    for shape in [(1, 2, 5), (3, 4, 8)]:
        x = np.random.default_rng(1).normal(0, 9, shape).astype(f32)
        np.testing.assert_array_equal(session.run(None, {"x": x})[0], np.rint(x[:, :, ::2] * 2) / 2)


def test_one_session_takes_every_shape_that_the_parameters_fit(make_model, make_session):
    scale = np.array([0.5, 2, 0.25], f32).reshape(3, 1)
    inputs = [np.zeros((1, 3, 1), f32), scale, f32(0), f32(8)]
    model = make_model("Quant", inputs, SIGNED, domain=DOMAINS[0], shape=["n", 3, "width"])
    session = make_session(model, 2)
    for shape in [(1, 3, 1), (2, 3, 5), (0, 3, 5), (7, 3, 20011), (1, 3, 2)]:
        x = np.random.default_rng(1).normal(0, 9, shape).astype(f32)
        expected = np.clip(np.rint(x / scale), -128, 127) * scale
        np.testing.assert_array_equal(session.run(None, {"i0": x})[0], expected)


def test_unknown_rank(make_session):
    graph = helper.make_graph(
        [helper.make_node("FixedQuant", ["x", "frac"], ["y"], domain="qonnx_tools.ops", bits=8)],
        "unknown_rank",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, None)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.int64(1), "frac")],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("qonnx_tools.ops", 1)]
    session = make_session(helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString())
    for shape in [(), (3,), (2, 0), (2, 2, 2)]:
        assert session.run(None, {"x": np.ones(shape, f32)})[0].shape == shape


@pytest.mark.parametrize("domain", DOMAINS)
@pytest.mark.parametrize("op", ["Quant", "IntQuant"])
@pytest.mark.parametrize("version", [1, 2])
def test_every_domain_and_version(domain, op, version, run_node):
    inputs = [np.array([0.3, 9], f32), f32(0.25), f32(0), f32(4)]
    found = run_node(op, inputs, SIGNED, domain=domain, version=version)
    np.testing.assert_array_equal(found, np.array([0.25, 1.75], f32))


@pytest.mark.parametrize("constant", [(1, 2, 3), (), (3,), (1,), (0, 1, 2, 3), (0,)])
def test_any_inputs_may_be_constant(constant, run_node):
    inputs = [np.array([0.3, 9], f32), f32(0.25), f32(0), f32(4)]
    found = run_node("Quant", inputs, SIGNED, domain=DOMAINS[0], constant=constant)
    np.testing.assert_array_equal(found, np.array([0.25, 1.75], f32))


@pytest.mark.parametrize("dtype", [np.float64, np.int8, np.uint8, np.int16, np.uint16, np.int32, np.int64])
def test_bit_width_of_any_number_type(dtype, run_node):
    inputs = [np.array([0.3, 9], f32), f32(0.25), f32(0), np.array([4], dtype)]
    np.testing.assert_array_equal(run_node("Quant", inputs, SIGNED, domain=DOMAINS[0]), np.array([0.25, 1.75], f32))


def test_many_sessions_share_the_library(make_model):
    options = ort.SessionOptions()
    options.register_custom_ops_library(str(library_path()))
    model = make_model("FixedQuant", [np.zeros(3, f32), np.int64(2)], {"bits": 8})
    sessions = [ort.InferenceSession(model, options, providers=["CPUExecutionProvider"]) for _ in range(5)]
    del options
    for session in sessions:
        assert session.run(None, {"i0": np.ones(3, f32)})[0].tolist() == [1, 1, 1]
