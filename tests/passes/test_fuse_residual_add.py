"""The addition at the end of a residual block joins a convolution: the same codes, and everything else stays."""

import numpy as np
import pytest

from qonnx_tools.arithmetic.fixed_point import FixedPoint
from qonnx_tools.conversion import convert
from qonnx_tools.graph import from_proto, nodes, op_of, parse, to_proto
from qonnx_tools.ops import DOMAIN
from qonnx_tools.origin import Origin, note_origin, origin_of
from qonnx_tools.passes.fuse_residual_add import FuseResidualAdd
from qonnx_tools.pipeline import run_passes
from qonnx_tools.plan import Role, TensorPlan

WINDOW = "kernel_shape = [3, 3], strides = [1, 1], pads = [1, 1, 1, 1], dilations = [1, 1]"
CONV = f"{WINDOW}, accumulator_bits = 20, bits = 7, to = 3"
PARAMETERS = "s, b, m, e"
W = np.random.default_rng(3).integers(-7, 8, (3, 3, 3, 3)).astype(np.int8)


def conv(name, x, y, op="FixedConv", attributes=CONV, parameters=PARAMETERS):
    return f"[{name}] {y} = {DOMAIN}.{op} <{attributes}> ({x}, w, {parameters})\n"


def add(name, a, b, y):
    return f"[{name}] {y} = {DOMAIN}.FixedAdd <bits = 8, signed = 0, to = 2, rounding = 3> ({a}, {b}, one, two, t)\n"


def graph(nodes, outputs="uint8[N, 3, 5, 5] y", more=""):
    """Codes ``q`` of the input ``x``, then ``nodes``."""
    text = f"""
    <ir_version: 8, opset_import: ["" : 17, "{DOMAIN}" : 1]>
    g (float[N, 3, 5, 5] x) => ({outputs})
    <int8[3, 3, 3, 3] w, int64[3] s = {{4, 5, 3}}, int64[3] b = {{9, -5, 30}}, int32 m = {{1}}, int64 e = {{0}},
     int64 f = {{4}}, int64 one = {{1}}, int64 two = {{2}}, int64 t = {{2}} {more}>
    {{ [quantize] q = {DOMAIN}.Quantize <bits = 8, to = 3> (x, f)
    {nodes} }}
    """
    return parse(text, w=W)


@pytest.mark.parametrize("order", ["a, q", "q, a"])
def test_the_residual_of_an_identity(attempt, order):
    tried = attempt(FuseResidualAdd(), graph(conv("conv", "q", "a") + add("add", *order.split(", "), "y")))
    assert tried.fired == ["add"]
    assert tried.ops == ["Quantize", "FixedConvAdd"]
    node = tried.node("add")
    lefts = ["one", "two"] if order == "a, q" else ["two", "one"]
    assert [tensor.name for tensor in node.inputs] == ["q", "w", *PARAMETERS.split(", "), "q", *lefts, "t"]
    assert {name: node.attrs[name] for name in ("conv_bits", "bits", "signed", "to", "accumulator_bits")} == {
        "conv_bits": 7,
        "bits": 8,
        "signed": 0,
        "to": 2,
        "accumulator_bits": 20,
    }


def test_of_two_convolutions_the_later_one_adds(attempt):
    text = conv("first", "q", "a") + conv("shortcut", "q", "c") + add("add", "a", "c", "y")
    tried = attempt(FuseResidualAdd(), graph(text))
    assert tried.ops == ["Quantize", "FixedConv", "FixedConvAdd"]
    assert tried.node("first").outputs[0].name == tried.node("add").inputs[6].name == "a"


@pytest.mark.parametrize(
    ("op", "attributes"),
    [
        ("ShiftConv", "weight_bits = 4, steps = 2"),
        ("LogConv", "x_bits = 8, weight_bits = 4, steps = 1, guard_bits = 9"),
    ],
)
def test_every_kind_of_weights(attempt, op, attributes):
    text = conv("conv", "q", "a", op, f"{CONV}, {attributes}") + add("add", "a", "q", "y")
    assert attempt(FuseResidualAdd(), graph(text)).ops == ["Quantize", f"{op}Add"]


NOBODY = "no operand is the result of a convolution that nothing else reads"


@pytest.mark.parametrize(
    ("nodes", "outputs", "reason"),
    [
        (conv("c", "q", "a") + add("add", "a", "q", "y"), "uint8[N, 3, 5, 5] y, int8[N, 3, 5, 5] a", NOBODY),
        (conv("c", "q", "a") + add("add", "a", "a", "y"), "uint8[N, 3, 5, 5] y", NOBODY),
        (
            conv("c", "q", "a") + add("add", "a", "q", "y") + "z = Transpose <perm = [3, 2, 1, 0]> (a)",
            "uint8[N, 3, 5, 5] y, int8[5, 5, 3, N] z",
            NOBODY,
        ),
        (add("add", "q", "q", "y"), "uint8[N, 3, 5, 5] y", NOBODY),
        (conv("c", "q", "a") + "r = Relu (a)\n" + add("add", "r", "q", "y"), "uint8[N, 3, 5, 5] y", NOBODY),
        (
            conv("c", "q", "a") + add("add", "a", "k", "y"),
            "uint8[N, 3, 5, 5] y",
            "its operands have the shapes ['N', 3, 5, 5] and [3, 1, 1]; a convolution adds only equal ones",
        ),
        (conv("c", "q", "a", parameters="s, b") + add("add", "a", "q", "y"), "uint8[N, 3, 5, 5] y", NOBODY),
    ],
)
def test_what_is_declined(nodes, outputs, reason):
    model = from_proto(graph(nodes, outputs, ", int8[3, 1, 1] k = {1, -2, 3}"))
    before = to_proto(model).SerializeToString()
    (report,) = run_passes(model, [FuseResidualAdd()])
    assert {outcome.node: outcome.reason for outcome in report.outcomes} == {"add": reason}
    assert to_proto(model).SerializeToString() == before


def test_the_node_says_what_both_stood_for():
    """Also where the two were read from a file."""
    model = from_proto(graph(conv("conv", "q", "a") + add("add", "a", "q", "y")))
    of, weight = FixedPoint(7, 3), TensorPlan(Role.WEIGHT, FixedPoint(8, 6), "half_even")
    made = {node.name: node for node in nodes(model.graph)}
    origins = [
        Origin("layer", "Conv", (of,), of, {"layer.weight": weight}, {"layer.weight": (3, 3, 3, 3)}, macs=9),
        Origin("sum", "Add", (of, of), FixedPoint(8, 2, signed=False)),
    ]
    for name, origin in zip(("conv", "add"), origins, strict=True):
        note_origin(made[name], origin)
    model = from_proto(to_proto(model))
    run_passes(model, [FuseResidualAdd()])
    again = from_proto(to_proto(model))
    for each in (model, again):
        (node,) = nodes(each.graph, f"{DOMAIN}::FixedConvAdd")
        origin = origin_of(each, node)
        assert (origin.node, origin.macs, origin.makes) == ("layer", 9, of)
        assert [part.node for part in origin.parts] == ["layer", "sum"]
        assert origin.then == origins[1]


def test_a_conversion_ends_with_it():
    """The digits of the codes do not change: the graph of the pass before gives the same."""
    text = """
    <ir_version: 8, opset_import: ["" : 17]>
    net (float[N, 3, 8, 8] x) => (float[N, 3, 8, 8] y) <float[3, 3, 3, 3] v>
    { [first] a = Conv <pads = [1, 1, 1, 1]> (x, v)
      r = Relu (a)
      [second] b = Conv <pads = [1, 1, 1, 1]> (r, v)
      [sum] z = Add (b, r)
      y = Relu (z) }
    """
    source = parse(text, v=np.random.default_rng(0).normal(size=(3, 3, 3, 3)).astype(np.float32))
    conversion = convert(source)
    assert [report.name for report in conversion.reports][-3:] == [
        "lower-to-native",
        "fuse-tables",
        "fuse-residual-add",
    ]
    ops = [op_of(node).removeprefix(f"{DOMAIN}::") for node in nodes(conversion.model.graph)]
    assert ops == ["Quantize", "FixedConv", "FixedConvAdd", "Dequantize"]
