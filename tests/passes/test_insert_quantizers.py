"""insert-quantizers: fires for each planned tensor, for all its readers; says what it declines; refuses a bad plan."""

import numpy as np
import pytest

from qonnx_tools.arithmetic.fixed_point import FixedPoint
from qonnx_tools.arithmetic.log import Log
from qonnx_tools.errors import ConfigError
from qonnx_tools.graph import from_proto, parse, to_proto
from qonnx_tools.passes.insert_quantizers import InsertQuantizers
from qonnx_tools.pipeline import run_passes
from qonnx_tools.plan import Plan, Role, TensorPlan
from qonnx_tools.runtime import session

TEXT = """
<ir_version: 8, opset_import: ["" : 17]> g (float[N, 3, 4, 4] x) => (float[N, 2, 4, 4] y, float[N, 2, 4, 4] a)
<float[2, 3, 1, 1] w, float[2] b, float[2, 2, 1, 1] v>
{ [one] a = Conv (x, w, b) [twice] c = Add (a, a) [two] d = Conv (c, v) [three] e = Conv (c, v) [sum] y = Add (d, e) }
"""
WEIGHT = TensorPlan(Role.WEIGHT, FixedPoint(4, (2, 3)), "floor", 0)
ACTIVATION = TensorPlan(Role.ACTIVATION, FixedPoint(5, 1), "half_up")


def attempt(tensors: dict[str, TensorPlan], text: str = TEXT):
    model = from_proto(parse(text))
    (report,) = run_passes(model, [InsertQuantizers(Plan(tensors=tensors))])
    return model, report.outcomes


def inputs(model) -> dict[str, list[str]]:
    return {node.name: [tensor.name for tensor in node.inputs] for node in model.graph.nodes}


def test_weight():
    model, (done,) = attempt({"w": WEIGHT})
    assert inputs(model)["one"] == ["x", "w.quantized", "b"]
    assert inputs(model)["w.quantizer"][0] == "w"
    assert (done.node, done.what) == ("w.quantizer", "weight 'w' as int4 * 2^-2..3")
    (node,) = [node for node in to_proto(model).graph.node if node.name == "w.quantizer"]
    assert (node.op_type, node.domain) == ("FixedQuant", "qonnx_tools.ops")


def test_weights_that_two_layers_share_get_one_quantizer():
    model, outcomes = attempt({"v": TensorPlan(Role.WEIGHT, Log(4, 1.0))})
    assert len(outcomes) == 1
    assert inputs(model)["two"] == inputs(model)["three"] == ["c", "v.quantized"]
    assert [node.op for node in model.graph.nodes].count("LogQuant") == 1


def test_tensor_that_one_node_reads_twice_and_that_is_a_graph_output():
    model, _ = attempt({"a": ACTIVATION})
    assert inputs(model)["twice"] == ["a.quantized", "a.quantized"]
    assert inputs(model)["a.quantizer"][0] == "a"
    assert [tensor.name for tensor in model.graph.outputs] == ["y", "a"]
    assert [list(tensor.shape) for tensor in model.graph.outputs] == [["N", 2, 4, 4]] * 2


def test_graph_input_and_all_at_once_compute_what_the_formats_say():
    tensors = {"x": ACTIVATION, "w": WEIGHT, "a": ACTIVATION, "v": TensorPlan(Role.WEIGHT, Log(4, 1.0))}
    model, outcomes = attempt(tensors)
    assert [outcome.node for outcome in outcomes] == [f"{name}.quantizer" for name in tensors]
    x = np.random.default_rng(0).normal(size=(2, 3, 4, 4)).astype(np.float32)
    plain = from_proto(parse(TEXT)).graph.tensors()
    w, b, v = (np.asarray(plain[name].values) for name in "wbv")

    def conv(data, weights):
        return np.einsum("nchw,oc->nohw", data, weights[:, :, 0, 0])

    a = conv(ACTIVATION.format.quantize(x, "half_up"), WEIGHT.format.quantize(w, "floor", 0)) + b[:, None, None]
    d = conv(2 * ACTIVATION.format.quantize(a, "half_up"), Log(4, 1.0).quantize(v))
    y, a_out = session(model).run(["y", "a"], {"x": x})
    np.testing.assert_allclose(a_out, a, rtol=0, atol=1e-5)
    np.testing.assert_allclose(y, 2 * d, rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    ("axis", "channels", "name"), [(1, 3, "x"), (0, 2, "w"), (1, 3, "w"), (0, 2, "b"), (1, 2, "c")]
)
def test_channels_along_any_axis(axis, channels, name):
    number_format = FixedPoint(8, tuple(range(channels)))
    model, _ = attempt({name: TensorPlan(Role.ACTIVATION, number_format, None, axis)})
    (node,) = [node for node in model.graph.nodes if node.name == f"{name}.quantizer"]
    rank = len(node.inputs[0].shape)
    assert node.inputs[1].shape == tuple(channels if dimension == axis else 1 for dimension in range(rank))


def test_declines_what_is_quantized_and_what_nothing_reads():
    model, _ = attempt({"w": WEIGHT})
    before = inputs(model)
    (report,) = run_passes(model, [InsertQuantizers(Plan(tensors={"w": WEIGHT, "y": ACTIVATION}))])
    assert [(skip.node, skip.reason) for skip in report.outcomes] == [
        ("w", "is quantized already"),
        ("y", "nothing reads it"),
    ]
    assert inputs(model) == before


def test_names_that_are_taken():
    text = TEXT.replace("c =", "w_quantized =").replace("(c,", "(w_quantized,").replace("[two]", "[w_quantizer]")
    model = from_proto(parse(text))
    for tensor in model.graph.tensors().values():
        if tensor.name == "w_quantized":
            tensor.name = "w.quantized"
    for node in model.graph.nodes:
        node.name = node.name.replace("w_quantizer", "w.quantizer")
    (report,) = run_passes(model, [InsertQuantizers(Plan(tensors={"w": WEIGHT}))])
    assert report.outcomes[0].node != "w.quantizer"
    names = [node.name for node in model.graph.nodes]
    assert len(names) == len(set(names)) == 6


@pytest.mark.parametrize(
    ("name", "planned", "message"),
    [
        ("ww", WEIGHT, "plan tensor 'ww' is not in the model; did you mean 'w'?"),
        ("completely else", WEIGHT, "plan tensor 'completely else' is not in the model; `qonnx inspect` lists"),
        (
            "v",
            TensorPlan(Role.WEIGHT, FixedPoint(4, (1, 2, 3)), None, 0),
            "'v': 3 channels along axis 0 do not fit its",
        ),
        (
            "v",
            TensorPlan(Role.WEIGHT, FixedPoint(4, (1, 2)), None, 4),
            r"channels along axis 4 .* shape \[2, 2, 1, 1\]",
        ),
        ("v", TensorPlan(Role.WEIGHT, FixedPoint(4, (1, 2)), None, -4), "channels along axis -4"),
    ],
)
def test_errors(name, planned, message):
    with pytest.raises(ConfigError, match=message):
        attempt({name: planned})


def test_integer_tensor():
    text = """<ir_version: 8, opset_import: ["" : 17]> g (float[2, 6] x) => (float[3, 4] y)
    { [shape] y = Reshape (x, s) }"""
    with pytest.raises(ConfigError, match="'s' is int64; only float32 tensors are quantized"):
        attempt({"s": ACTIVATION}, text.replace("\n", "\n<int64[2] s = {3, 4}>\n", 1))
