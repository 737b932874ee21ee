"""Quantizers in a graph: known ops with bodies in the file, which keep the shape of what they quantize."""

import numpy as np
import onnx
import pytest

from qonnx_tools.errors import ModelError
from qonnx_tools.graph import from_proto, parse, to_proto
from qonnx_tools.passes.base import Skip
from qonnx_tools.passes.fold_constants import FoldConstants
from qonnx_tools.pipeline import canonicalize, run_passes

NATIVE = """
<ir_version: 8, opset_import: ["" : 17, "qonnx_tools.ops" : 1]>
g (float[N, 3, 8, 8] x) => (float[N, 4, 6, 6] y) <float[4, 3, 3, 3] w, int64 frac = {5}>
{
    [input] a = qonnx_tools.ops.FixedQuant <bits = 8, signed = 1, narrow = 0, rounding = 0> (x, frac)
    [weight] v = qonnx_tools.ops.FixedQuant <bits = 8, signed = 1, narrow = 0, rounding = 0> (w, frac)
    [conv] b = Conv (a, v)
    [relu] y = Relu (b)
}
"""
QONNX = """
<ir_version: 6, opset_import: ["" : 11, "qonnx.custom_op.general" : 1]>
g (float[1, 3, 4, 4] x) => (float[1, 12, 2, 2] y)
<float[1, 3, 4, 4] w, float s = {0.5}, float z = {0.0}, float b = {8.0}, int64[4] shape = {1, 12, 2, 2}>
{
    [one] a = qonnx.custom_op.general.Quant <signed = 1, narrow = 0, rounding_mode = "ROUND"> (x, s, z, b)
    [two] v = qonnx.custom_op.general.Quant <signed = 1, narrow = 1, rounding_mode = "FLOOR"> (w, s, z, b)
    [sum] c = Add (a, v)
    [three] d = qonnx.custom_op.general.BipolarQuant (c, s)
    [four] y = Reshape (d, shape)
}
"""


def test_bodies_are_in_the_file():
    out = to_proto(from_proto(parse(NATIVE)))
    assert [(body.domain, body.name) for body in out.functions] == [("qonnx_tools.ops", "FixedQuant")]
    assert {entry.domain: entry.version for entry in out.opset_import} == {"": 17, "qonnx_tools.ops": 1}
    again = to_proto(from_proto(out))
    assert again.SerializeToString(deterministic=True) == out.SerializeToString(deterministic=True)
    onnx.checker.check_model(out)


def test_a_domain_that_the_file_does_not_import_is_added():
    model = from_proto(parse(NATIVE))
    del model.opsets["qonnx_tools.ops"]
    assert {entry.domain for entry in to_proto(model).opset_import} == {"", "qonnx_tools.ops"}


def test_shapes_pass_through_quantizers():
    model = from_proto(parse(NATIVE))
    shapes = {tensor.name: tensor.shape for node in model.graph.nodes for tensor in node.outputs}
    assert shapes["a"] == ["N", 3, 8, 8]
    assert shapes["v"] == [4, 3, 3, 3]
    assert shapes["b"] == ["N", 4, 6, 6]


def test_qonnx_model_of_an_old_opset():
    model = from_proto(parse(QONNX))
    assert model.opset == 17
    shapes = {tensor.name: tensor.shape for node in model.graph.nodes for tensor in node.outputs}
    assert shapes["d"] == [1, 3, 4, 4]
    canonicalize(model)
    assert [node.name for node in model.graph.nodes] == ["one", "two", "sum", "three", "four"]


def test_quantizers_of_weights_are_not_folded():
    model = from_proto(parse(NATIVE))
    (report,) = run_passes(model, [FoldConstants()])
    reason = "qonnx_tools.ops::FixedQuant of constants is kept: only ops of arithmetic and shape are folded"
    assert report.outcomes == (Skip("weight", reason),)


def test_misspelt_attribute_is_refused():
    with pytest.raises(ModelError, match="narow"):
        from_proto(parse(NATIVE.replace("narrow", "narow")))


def test_numbers_through_the_bodies():
    out = to_proto(from_proto(parse(NATIVE)))
    x = np.random.default_rng(0).normal(size=(2, 3, 8, 8)).astype(np.float32)
    (y,) = onnx.reference.ReferenceEvaluator(out).run(None, {"x": x})
    assert np.array_equal(y * 1024, np.round(y * 1024)), "products of two values with five fraction bits"
