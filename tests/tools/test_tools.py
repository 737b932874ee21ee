"""Graphs for hls4ml and FINN: every fact that was found by running the tools, on the nodes; the same numbers."""

import re

import numpy as np
import onnx
import pytest
from small_graphs import W, conv, images, model
from tool_networks import BODIES, network

from qonnx_tools.conversion import convert
from qonnx_tools.errors import ConfigError, InexactError
from qonnx_tools.graph import clean_up, constant_value, from_proto, gs, is_constant, nodes, op_of, to_proto
from qonnx_tools.runtime import run, session

QUANT, LAST = "qonnx.custom_op.general::Quant", "qonnx.custom_op.channels_last"
OPTIONS = [
    {},
    {"batch_norm": "merge"},
    {"batch_norm": "separate", "activation_bits": 6, "weight_bits": 5},
    {"scheme": "log", "log_scale": "power-of-two"},
    {"granularity": "layer"},
]


def made(name, tool, **options):
    return convert(to_proto(network(name)), target="qonnx", tool=tool, **options)


def nodes_of(conversion, op):
    return [node for node in conversion.model.graph.nodes if op_of(node) == op]


def weights(conversion):
    return [node for node in nodes_of(conversion, QUANT) if is_constant(node.inputs[0])]


def activations(conversion):
    return [node for node in nodes_of(conversion, QUANT) if not is_constant(node.inputs[0])]


@pytest.mark.parametrize(("name", "options"), [(name, OPTIONS[at]) for at, name in enumerate(BODIES)], ids=str)
def test_hls4ml_gets_the_native_numbers(name, options):
    given = images(4)
    conversion = made(name, "hls4ml", **options)
    (expected,) = run(session(convert(to_proto(network(name)), **options).model, threads=1), given)
    (found,) = run(session(conversion.model, threads=1), given)  # float32 is exact: the sums are small
    np.testing.assert_array_equal(found, expected)
    assert conversion.inexact == ()
    ops = {op_of(node) for node in conversion.model.graph.nodes}
    laid_out = {f"{LAST}::Conv", f"{LAST}::MaxPool", f"{LAST}::BatchNormalization"}
    assert ops <= {QUANT, "Add", "Concat", "Flatten", "MatMul", "Relu", "Transpose"} | laid_out


def as_finn_reads(conversion):
    """The file with the thresholds of FINN for its activations: how many of them a number reaches, ties upward."""
    model = from_proto(to_proto(conversion.model))
    for node in activations(conversion):
        assert node.attrs["rounding_mode"] == "ROUND"
    quants = [node for node in nodes(model.graph, QUANT) if not is_constant(node.inputs[0])]
    for at, node in enumerate(quants):
        half = gs.Constant(f"half_{at}", np.asarray(constant_value(node.inputs[1]) / np.float32(2)))
        moved = gs.Variable(f"moved_{at}", dtype=np.float32, shape=node.inputs[0].shape)
        model.graph.nodes.append(gs.Node("Add", f"add_{at}", {}, [node.inputs[0], half], [moved]))
        node.inputs = [moved, *list(node.inputs)[1:]]
        node.attrs["rounding_mode"] = "FLOOR"
    clean_up(model.graph)
    return model


@pytest.mark.parametrize("options", [OPTIONS[1], OPTIONS[3]], ids=str)
@pytest.mark.parametrize("name", ["residual", "batch norm", "depthwise", "shortcut"])
def test_finn_gets_the_native_numbers(name, options):
    given = images(20)
    conversion = made(name, "finn", **options, rounding="half_up")
    native = convert(to_proto(network(name)), **options, rounding="half_up").model
    read = as_finn_reads(conversion)
    (expected,), (found,) = (run(session(each, threads=1), given) for each in (native, read))
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("tool", ["hls4ml", "finn"])
@pytest.mark.parametrize("name", ["batch norm", "shortcut"])
def test_the_profile_that_is_safe_for_all(name, tool):
    conversion = made(name, tool, rounding="half_up")
    proto = to_proto(conversion.model)
    onnx.checker.check_model(proto, full_check=True)
    assert proto.ir_version <= 10
    assert conversion.model.opset in (13, 17)
    assert [value.type.tensor_type.shape.dim[0].dim_value for value in (*proto.graph.input, *proto.graph.output)] == [
        1,
        1,
    ]
    quants = nodes_of(conversion, QUANT)
    assert len(quants) > 5
    for node in quants:
        assert node.attrs.keys() == {"rounding_mode", "signed", "narrow"}
        assert not (node.attrs["narrow"] and not node.attrs["signed"])
        scale, zero, bits = (constant_value(tensor) for tensor in list(node.inputs)[1:])
        assert (zero.shape, zero.item(), bits.shape) == ((), 0, ())
        assert np.all(np.frexp(scale)[0] == 0.5)
        assert scale.ndim == 0 or tool == "finn"
    for node in conversion.model.graph.nodes:
        if node.op == "Conv":
            assert node.attrs.keys() == {"kernel_shape", "strides", "pads", "dilations", "group"}
        for thing in (node, *node.inputs, *node.outputs):
            assert re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", thing.name)


def test_hls4ml_half_up_is_an_addition_and_a_floor():
    conversion = made("residual", "hls4ml", rounding="half_up")
    makers = set()
    for node in activations(conversion):
        assert node.attrs["rounding_mode"] == "FLOOR"
        maker = node.inputs[0].inputs[0]
        half = constant_value(node.inputs[1]).item() / 2
        makers.add(maker.op)
        if maker.op == "Add":
            assert (constant_value(maker.inputs[1]).shape, constant_value(maker.inputs[1]).item()) == ((), half)
        else:
            bias = constant_value(maker.inputs[2].inputs[0].inputs[0])
            assert np.all(bias % (2 * half) == half), "the network has no other bias there"
    assert makers == {"Add", "Conv"}, "hls4ml joins no Add of a number with a convolution"


def test_hls4ml_pools_by_a_depthwise_convolution():
    conversion = made("residual", "hls4ml")
    pool = next(node for node in nodes_of(conversion, f"{LAST}::Conv") if node.attrs["kernel_shape"] == [8, 8])
    assert pool.attrs["group"] == 4
    quantizer = pool.inputs[1].inputs[0]
    assert constant_value(quantizer.inputs[0]).shape == (4, 8, 8, 1)
    np.testing.assert_array_equal(constant_value(quantizer.inputs[0]), np.float32(1 / 64))


def test_hls4ml_has_one_scale_for_the_weights_of_a_gemm():
    conversion = made("residual", "hls4ml")
    (product,) = nodes_of(conversion, "MatMul")
    quantizer = product.inputs[1].inputs[0]
    assert constant_value(quantizer.inputs[1]).shape == ()
    plan = conversion.plan.tensors["m"].format
    assert len(set(plan.frac)) > 1, "the plan has one a channel"
    assert constant_value(quantizer.inputs[3]).item() > plan.bits


def test_log_weights_are_integers():
    for tool, rounding in (("hls4ml", "half_even"), ("finn", "half_up")):
        conversion = made("residual", tool, scheme="log", log_scale="power-of-two", weight_bits=4, rounding=rounding)
        quantizer = next(node for node in weights(conversion) if node.inputs[0].name == "v")
        assert quantizer.attrs["narrow"] == 1
        codes = constant_value(quantizer.inputs[0]) / constant_value(quantizer.inputs[1])
        exponents = np.log2(np.abs(codes[codes != 0]))
        np.testing.assert_array_equal(exponents, np.rint(exponents))
        if tool == "finn":
            assert constant_value(quantizer.inputs[3]).item() == 8, "exponents 0 to 6 and a sign"


def test_batch_norm_constants_of_separate_units_are_quantized():
    conversion = made("batch norm", "hls4ml", batch_norm="separate")
    (unit,) = nodes_of(conversion, f"{LAST}::BatchNormalization")
    assert [tensor.inputs[0].op for tensor in list(unit.inputs)[1:3]] == ["Quant", "Quant"]
    assert unit.inputs[0].inputs[0].op == "Quant"
    merged = made("batch norm", "hls4ml", batch_norm="merge")
    (unit,) = nodes_of(merged, f"{LAST}::BatchNormalization")
    assert unit.inputs[0].inputs[0].op == "Conv"


def test_finn_has_plain_biases_and_signs_behind_relu():
    conversion = made("residual", "finn", rounding="half_up")
    (product,) = nodes_of(conversion, "MatMul")
    (add,) = (node for node in nodes_of(conversion, "Add") if any(is_constant(tensor) for tensor in node.inputs))
    assert add.inputs[0].inputs[0] is product
    for node in activations(conversion):
        behind_relu = node.inputs[0].inputs[0].op == "Relu" if node.inputs[0].inputs else False
        assert node.attrs["signed"] == (not behind_relu)
    assert [node.op for node in conversion.model.graph.nodes if node.op == "GlobalAveragePool"]


@pytest.mark.parametrize(
    ("tool", "options", "reason"),
    [
        ("hls4ml", {"rounding": "half_away"}, "it is rounded half_away, and the tool rounds half_even or floor"),
        ("hls4ml", {"rounding": "ceil"}, "it is rounded ceil, and the tool rounds half_even or floor"),
        ("hls4ml", {"scheme": "log"}, "its scale is no power of two"),
        ("hls4ml", {"scheme": "log", "log_base": "sqrt2"}, "base sqrt 2: its magnitudes are no integers"),
        ("finn", {}, "it is rounded half_even, and the tool rounds half_up; convert with that --rounding"),
        ("finn", {"rounding": "floor"}, "it is rounded floor, and the tool rounds half_up"),
        ("finn", {"rounding": "half_up", "activation_bits": 9}, "has 9 bits; activations above 8 stay in float"),
    ],
)
def test_what_a_tool_does_not_do_is_refused_and_measured(tool, options, reason):
    with pytest.raises(InexactError, match=re.escape(reason)) as refused:
        made("residual", tool, **options)
    conversion = made("residual", tool, **options, allow_inexact=True)
    assert {item.node for item in conversion.inexact} == {item.node for item in refused.value.items}
    found = conversion.deviation
    assert (found.images, found.source) == (64, "synthetic images")
    assert found.largest >= found.mean >= 0
    assert found.spread > 0
    exact = made("residual", "hls4ml", allow_inexact=True)
    assert (exact.inexact, exact.deviation) == ((), None)


def test_hls4ml_refuses_nodes_by_name():
    cases = {
        "[s] y = Sigmoid (z)": "'s': hls4ml does not compute Sigmoid exactly",
        conv("d", "r", "y", "v", "kernel_shape = [3, 3], pads = [2, 2, 2, 2], dilations = [2, 2]"): "dilated kernel",
        conv("d", "r", "y", "g", "kernel_shape = [3, 3], pads = [1, 1, 1, 1], group = 2"): "no groups between",
    }
    for last, reason in cases.items():
        body = conv("c", "x", "z") + "\n[r] r = Relu (z)\n" + last
        values = {"w": W, "v": np.ones((4, 4, 3, 3)), "g": np.ones((4, 2, 3, 3))}
        used = {name: value for name, value in values.items() if name == "w" or f", {name})" in last}
        with pytest.raises(InexactError, match=reason):
            convert(to_proto(model(body, **used)), target="qonnx", tool="hls4ml")


def test_finn_refuses_means_of_other_counts():
    body = conv("c", "x", "z", "w", "kernel_shape = [3, 3]") + "\n[r] u = Relu (z)\n[p] y = GlobalAveragePool (u)"
    network = model(body, outputs="float[N, 4, 1, 1] y", w=W)
    with pytest.raises(InexactError, match="'p': a mean of 36 numbers is rounded otherwise on integer codes"):
        convert(to_proto(network), target="qonnx", tool="finn", rounding="half_up")


def test_tools_go_with_qonnx():
    with pytest.raises(ConfigError, match="for hls4ml goes with the target qonnx, not with native"):
        convert(to_proto(network("residual")), tool="hls4ml")
    with pytest.raises(ConfigError, match="tool 'hls' is unknown; choose one of finn, hls4ml"):
        convert(to_proto(network("residual")), target="qonnx", tool="hls")


def test_names_of_inputs_that_a_tool_reserves_are_changed():
    reserved = model("[c] a/b = Conv <kernel_shape = [1, 1]> (input, w)".replace("a/b", "y"), "float[N, 3, 8, 8] input",
                     w=np.ones((4, 3, 1, 1)))  # fmt: skip
    conversion = convert(to_proto(reserved), target="qonnx", tool="hls4ml")
    assert [tensor.name for tensor in conversion.model.graph.inputs] == ["graph_input"]
