"""reduce-batch-norm: it fires, takes the bias along, declines with a reason, keeps the numbers."""

import numpy as np
import pytest

from qonnx_tools.graph import constant_value, from_proto, nodes, parse, to_proto
from qonnx_tools.outcome import Rewrite, Skip
from qonnx_tools.passes.reduce_batch_norm import ReduceBatchNorm
from qonnx_tools.pipeline import run_passes
from qonnx_tools.runtime import session

RANDOM = np.random.default_rng(2)
NORM = {
    "gamma": RANDOM.normal(size=3),
    "beta": RANDOM.normal(size=3),
    "mean": RANDOM.normal(size=3),
    "variance": RANDOM.uniform(0.1, 3, 3),
}


def model(body, inputs="float[1, 2, 5, 5] x", outputs="float[1, 3, 3, 3] y", **values):
    text = f"""
        <ir_version: 8, opset_import: ["" : 17]>
        example ({inputs}) => ({outputs})
        <float[3, 2, 3, 3] w, float[3] c, float[3] gamma, float[3] beta, float[3] mean, float[3] variance>
        {{ {body} }}
        """
    arrays = {name: value.astype(np.float32) for name, value in (NORM | values).items()}
    return from_proto(parse(text, **arrays))


@pytest.mark.parametrize("bias", ["", ", c"])
def test_the_unit_keeps_one_scale_and_one_offset(bias):
    text = f"""
        [conv] z = Conv <kernel_shape = [3, 3]> (x, w{bias})
        [norm] y = BatchNormalization <epsilon: float = 0.5> (z, gamma, beta, mean, variance)
    """
    before, after = model(text), model(text)
    (report,) = run_passes(after, [ReduceBatchNorm()])
    assert [type(outcome) for outcome in report.outcomes] == [Rewrite]
    (conv,) = nodes(after.graph, "Conv")
    (norm,) = nodes(after.graph, "BatchNormalization")
    assert len(conv.inputs) == 2
    assert [tensor.name for tensor in norm.inputs[1:3]] == ["norm.scale", "norm.offset"]
    assert norm.attrs["epsilon"] == 0
    assert not constant_value(norm.inputs[3]).any()
    np.testing.assert_array_equal(constant_value(norm.inputs[4]), np.ones(3, np.float32))
    scale = NORM["gamma"].astype(np.float32) / np.sqrt(NORM["variance"].astype(np.float32).astype(np.float64) + 0.5)
    np.testing.assert_array_equal(constant_value(norm.inputs[1]), scale.astype(np.float32))
    x = RANDOM.normal(size=(1, 2, 5, 5)).astype(np.float32)
    runs = [session(item, optimize=False).run(None, {"x": x})[0] for item in (before, after)]
    np.testing.assert_allclose(runs[1], runs[0], rtol=1e-5, atol=1e-5)


def test_a_bias_that_another_node_sees_stays():
    after = model(
        """
        [conv] z = Conv <kernel_shape = [3, 3]> (x, w, c)
        [norm] y = BatchNormalization (z, gamma, beta, mean, variance)
        """,
        outputs="float[1, 3, 3, 3] y, float[1, 3, 3, 3] z",
    )
    run_passes(after, [ReduceBatchNorm()])
    (conv,) = nodes(after.graph, "Conv")
    assert len(conv.inputs) == 3


def test_it_is_idempotent_to_the_byte():
    after = model(
        "y = BatchNormalization (x, gamma, beta, mean, variance)", "float[1, 3, 2, 2] x", "float[1, 3, 2, 2] y"
    )
    run_passes(after, [ReduceBatchNorm()])
    once = to_proto(after).SerializeToString()
    (report,) = run_passes(after, [ReduceBatchNorm()])
    assert report.outcomes == ()
    assert to_proto(after).SerializeToString() == once


def test_parameters_that_are_computed_are_declined():
    after = model(
        "[norm] y = BatchNormalization (x, scale, beta, mean, variance)",
        "float[1, 3, 2, 2] x, float[3] scale",
        "float[1, 3, 2, 2] y",
    )
    (report,) = run_passes(after, [ReduceBatchNorm()])
    assert report.outcomes == (Skip("norm", "its parameters are not constant"),)
