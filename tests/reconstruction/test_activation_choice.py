import numpy as np
import pytest

from qonnx_tools.arithmetic.fixed_point import FixedPoint
from qonnx_tools.arithmetic.log import Log
from qonnx_tools.conversion import convert
from qonnx_tools.graph import from_proto, nodes, parse
from qonnx_tools.passes.insert_quantizers import InsertQuantizers
from qonnx_tools.pipeline import canonicalize, run_passes
from qonnx_tools.plan import Plan, Role, TensorPlan
from qonnx_tools.quantizers import quantizer_of
from qonnx_tools.reconstruction.activation_choice import choose_format
from qonnx_tools.reconstruction.walk import Walk

RANDOM = np.random.default_rng(23)
FORMATS = [TensorPlan(Role.ACTIVATION, FixedPoint(4, frac)) for frac in (-2, 0, 2)]
DIRECT = "y = Conv (x, w)"
BEHIND_POOL = "p = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (x)\n y = Conv (p, w)"
ADDED = "c = Conv (x, w)\n y = Add (c, x)"


def chosen(body, weights, x, formats=FORMATS):
    """The format chosen for the input x of a network with two channels."""
    text = f"""
        <ir_version: 8, opset_import: ["" : 17]>
        g (float[N,2,4,4] x) => (float[N,2,P,Q] y) <float[2,2,1,1] w> {{ {body} }}
    """
    model = from_proto(parse(text, w=np.array(weights, np.float32).reshape(2, 2, 1, 1)))
    canonicalize(model)
    run_passes(model, [InsertQuantizers(Plan(tensors={"x": formats[0]}))])
    walk = Walk(model, [x], {})
    for node in walk:
        if quantizer_of(node) is not None:
            readers = [reader.name for reader in nodes(model.graph) if reader.inputs[0] is node.outputs[0]]
            best = choose_format(walk, node, formats).format
            assert readers == [reader.name for reader in nodes(model.graph) if reader.inputs[0] is node.outputs[0]]
            return best
    raise AssertionError("there is no quantizer")


def two_channels(small, large):
    x = RANDOM.normal(size=(16, 2, 4, 4)) * np.array([small, large]).reshape(1, 2, 1, 1)
    return x.astype(np.float32)


@pytest.mark.parametrize("body", [DIRECT, BEHIND_POOL])
def test_what_the_layer_does_not_read_does_not_count(body):
    x = two_channels(0.5, 12.0)
    assert chosen(body, [[1, 0], [2, 0]], x) == FixedPoint(4, 2)
    assert chosen(body, [[0, 1], [0, 2]], x) == FixedPoint(4, -2)


def test_other_readers_count_by_the_values_themselves():
    x = two_channels(0.5, 12.0)
    assert chosen(ADDED, [[1, 0], [2, 0]], x, FORMATS[1:]) == FixedPoint(4, 0)


def test_a_constant_difference_of_a_channel_does_not_count():
    x = (RANDOM.integers(-20, 20, size=(16, 2, 4, 4)) / 4 + 3 / 16).astype(np.float32)
    shifting = TensorPlan(Role.ACTIVATION, FixedPoint(8, 2), "floor")  # by exactly 3/16
    nearest = TensorPlan(Role.ACTIVATION, FixedPoint(8, 1), "half_even")  # by -3/16 or 1/16: less in the mean square
    assert chosen(DIRECT, [[1, 2], [3, 4]], x, [nearest, shifting]) == shifting.format
    assert chosen("y = Relu (x)", [[1, 2], [3, 4]], x, [shifting, nearest]) == nearest.format


def test_log_scales_are_candidates_too():
    formats = [TensorPlan(Role.ACTIVATION, Log(4, scale)) for scale in (1.0, 32.0, 4096.0)]
    x = two_channels(0.5, 12.0)
    assert chosen(DIRECT, [[0, 1], [0, 2]], x, formats) == Log(4, 32.0)


NETWORK = """
    <ir_version: 8, opset_import: ["" : 17]>
    g (float[N,2,4,4] x) => (float[N,2,4,4] y) <float[2,2,1,1] w1, float[2] b1, float[2,2,1,1] w2, float[2] b2>
    {
        a = Conv (x, w1, b1)
        r = Relu (a)
        y = Conv (r, w2, b2)
    }
"""


@pytest.mark.parametrize("fit", ["outputs", "weights"])
def test_a_plan_takes_formats_that_serve_the_layers_where_weights_are_fitted_to_outputs(fit, tmp_path):
    w1 = np.array([[0.05, 0.0], [0.0, 1.0]], np.float32).reshape(2, 2, 1, 1)
    w2 = np.array([[1.0, 0.0], [2.0, 0.0]], np.float32).reshape(2, 2, 1, 1)
    model = parse(NETWORK, w1=w1, b1=np.zeros(2, np.float32), w2=w2, b2=np.zeros(2, np.float32))
    np.savez(tmp_path / "images.npz", images=RANDOM.normal(size=(64, 2, 4, 4)).astype(np.float32))
    options = {"weight_bits": 8, "activation_bits": 4, "fit": fit}
    plan = convert(model, data=str(tmp_path / "images.npz"), scheme="fixed", target="simulation", **options).plan
    of = plan.tensors["r"].format
    assert isinstance(of, FixedPoint)
    assert of.frac >= 5 if fit == "outputs" else of.frac <= 4
