"""Every rule of the linter: a graph that meets it, and our own files, which meet none."""

import numpy as np
import pytest
from small_graphs import GRAPHS, W, conv, model
from tool_networks import network

from qonnx_tools.checks.rule import TARGETS, Severity, check, rules
from qonnx_tools.conversion import convert
from qonnx_tools.errors import ConfigError
from qonnx_tools.graph import from_proto, parse, to_proto

GOOD = 'rounding_mode = "ROUND", signed = 1, narrow = 0'
HEAD = (
    '<ir_version: {ir}, opset_import: ["" : {opset}, "qonnx.custom_op.general" : 1, "onnx.brevitas" : 1, '
    '"qonnx.custom_op.channels_last" : 1, "qonnx_tools.ops" : 1]>\n'
)
GIVEN = (
    "float[4, 3, 3, 3] w, float[4, 1, 1, 1] v, float[4, 3] m, float[3, 4] n, float[4] b, float s = {0.25}, "
    "float three = {0.3}, float[4, 1, 1, 1] many, float[1, 4] few, float z = {0.0}, float one = {1.0}, "
    "float k = {8.0}, "
    "float nine = {9.0}, int64 f = {0}, uint8 u0 = {0}, int8 i0 = {0}, uint8 u1 = {1}, int8[4, 300, 3, 3] big"
)


def graph(body, inputs="float[1, 3, 6, 6] x", outputs="float[1, 4, 6, 6] y", opset=17, ir=8):
    """A graph in text form with constants to choose from."""
    random = np.random.default_rng(0)
    values = {
        "w": random.normal(size=(4, 3, 3, 3)),
        "v": random.normal(size=(4, 1, 1, 1)),
        "m": random.normal(size=(4, 3)),
        "n": random.normal(size=(3, 4)),
        "b": random.normal(size=4),
        "many": np.array([1, 0.5, 0.25, 0.5]).reshape(4, 1, 1, 1),
        "few": np.array([[1, 0.5, 0.25, 0.5]]),
    }
    given = {name: value.astype(np.float32) for name, value in values.items()} | {
        "big": np.full((4, 300, 3, 3), 100, np.int8)
    }
    text = (
        HEAD.replace("{opset}", str(opset)).replace("{ir}", str(ir))
        + f"g ({inputs}) => ({outputs})\n<{GIVEN}>\n{{ {body} }}"
    )
    return from_proto(parse(text, **given))


Q = f"qonnx.custom_op.general.Quant <{GOOD}>"
SAME = "kernel_shape = [3, 3], strides = [1, 1], pads = [1, 1, 1, 1], dilations = [1, 1], group = 1"
DOUBLE = "[a] a = QuantizeLinear (x, s, u0)\n[d] d = DequantizeLinear (a, s, u0)\n"
X4 = "float[1, 4, 6, 6] x"
MET = {
    "int-quant": ("finn", f"[q] y = qonnx.custom_op.general.IntQuant <{GOOD}> (x, s, z, k)", {"inputs": X4}),
    "quant-domain": ("hls4ml", f"[q] y = onnx.brevitas.Quant <{GOOD}> (x, s, z, k)", {"inputs": X4}),
    "quant-attributes": (
        "hls4ml", "[q] y = qonnx.custom_op.general.Quant <signed = 1, narrow = 0> (x, s, z, k)", {"inputs": X4}
    ),
    "quant-initializers": ("finn", f"[i] i = Neg (s)\n[q] y = {Q} (x, i, z, k)", {"inputs": X4}),
    "zero-point": ("hls4ml", f"[q] y = {Q} (x, s, one, k)", {"inputs": X4}),
    "scale-power-of-two": ("hls4ml", f"[q] y = {Q} (x, three, z, k)", {"inputs": X4}),
    "narrow-unsigned": (
        "finn", '[q] y = qonnx.custom_op.general.Quant <rounding_mode = "ROUND", signed = 0, narrow = 1> (x, s, z, k)',
        {"inputs": X4},
    ),
    "opset": ("finn", "[q] y = Relu (x)", {"inputs": X4, "opset": 16}),
    "ir-version": ("ort", "[q] y = Relu (x)", {"inputs": X4, "ir": 11}),
    "static-batch": ("hls4ml", "[q] y = Relu (x)", {"inputs": "float[N, 4, 6, 6] x", "outputs": "float[N, 4, 6, 6] y"}),
    "conv-attributes": ("finn", "[q] y = Conv <pads = [1, 1, 1, 1]> (x, w)", {}),
    "plain-names": ("hls4ml", "[q] y = Relu (input)", {"inputs": "float[1, 4, 6, 6] input"}),
    "foreign-ops": ("finn", "[q] y = qonnx_tools.ops.FixedQuant <bits = 8> (x, f)", {"inputs": X4}),
    "hls4ml-rounding": (
        "hls4ml", '[q] y = qonnx.custom_op.general.Quant <rounding_mode = "CEIL", signed = 1, narrow = 0> (x, s, z, k)',
        {"inputs": X4},
    ),
    "hls4ml-batch-norm": ("hls4ml", "[q] y = BatchNormalization (x, b, b, b, b)", {"inputs": X4}),
    "hls4ml-input": ("hls4ml", f"[q] y = {Q} (x, s, z, k)", {"inputs": X4}),
    "hls4ml-global-pool": ("hls4ml", "[q] y = GlobalAveragePool (x)", {"inputs": X4, "outputs": "float[1, 4, 1, 1] y"}),
    "hls4ml-unsupported": ("hls4ml", "[q] y = Clip (x, z, one)", {"inputs": X4}),
    "hls4ml-tables": ("hls4ml", "[q] y = Sigmoid (x)", {"inputs": X4}),
    "hls4ml-matmul-scales": (
        "hls4ml", f"[q] t = {Q} (n, few, z, k)\n[g] y = MatMul (x, t)",
        {"inputs": "float[1, 3] x", "outputs": "float[1, 4] y"},
    ),
    "hls4ml-channel-scales": ("hls4ml", f"[q] t = {Q} (w, many, z, k)\n[g] y = Conv <{SAME}> (x, t)", {}),
    "hls4ml-layout": ("hls4ml", f"[q] y = Conv <{SAME}> (x, w)", {}),
    "hls4ml-gemm": (
        "hls4ml", "[q] y = Gemm <transB = 1> (x, m)", {"inputs": "float[1, 3] x", "outputs": "float[1, 4] y"}
    ),
    "hls4ml-log-weights": (
        "hls4ml", f"[q] t = {Q} (few, s, z, k)\n[g] y = Mul (x, t)",
        {"inputs": "float[1, 4] x", "outputs": "float[1, 4] y"},
    ),
    "hls4ml-concat": ("hls4ml", "[q] y = Concat <axis = 1> (x, x, x, x)", {"inputs": "float[1, 1, 6, 6] x"}),
    "hls4ml-dilations": (
        "hls4ml", "[q] y = Conv <kernel_shape = [3, 3], pads = [2, 2, 2, 2], dilations = [2, 2]> (x, w)", {}
    ),
    "hls4ml-groups": (
        "hls4ml", "[q] y = Conv <kernel_shape = [1, 1], group = 2> (x, h)",
        {"inputs": "float[1, 4, 6, 6] x, float[4, 2, 1, 1] h"},
    ),
    "hls4ml-added-number": ("hls4ml", f"[c] c = Conv <{SAME}> (x, w)\n[q] y = Add (c, s)", {}),
    "hls4ml-flatten": (
        "hls4ml", "[t] t = Transpose <perm = [0, 3, 1, 2]> (x)\n[q] q = Flatten (t)\n[g] y = MatMul (q, n)",
        {"inputs": "float[1, 1, 1, 3] x", "outputs": "float[1, 4] y"},
    ),
    "finn-quantizers": (
        "finn",
        "[q] y = qonnx.custom_op.general.FloatQuant <saturation = 1, has_inf = 0, has_nan = 0> (x, s, k, k, k, k)",
        {"inputs": X4},
    ),
    "finn-rounding": (
        "finn", '[q] y = qonnx.custom_op.general.Quant <rounding_mode = "FLOOR", signed = 1, narrow = 0> (x, s, z, k)',
        {"inputs": X4},
    ),
    "finn-ties": ("finn", f"[q] y = {Q} (x, s, z, k)", {"inputs": X4}),
    "finn-signs": ("finn", f"[r] r = Relu (x)\n[q] y = {Q} (r, s, z, k)", {"inputs": X4}),
    "finn-widths": ("finn", f"[q] y = {Q} (x, s, z, nine)", {"inputs": X4}),
    "finn-average-pool": (
        "finn", "[q] y = AveragePool <kernel_shape = [3, 3], pads = [1, 1, 1, 1]> (x)", {"inputs": X4}
    ),
    "finn-bias": ("finn", f"[q] t = {Q} (b, s, z, k)\n[c] y = Conv <{SAME}> (x, w, t)", {}),
    "finn-unsupported": ("finn", "[q] y = Softmax (x)", {"inputs": X4}),
    "ort-ops": ("ort", f"[q] y = {Q} (x, s, z, k)", {"inputs": X4}),
    "qdq-ops": ("qdq", "[q] y = qonnx_tools.ops.FixedQuant <bits = 8> (x, f)", {"inputs": X4}),
    "qdq-scales": ("qdq", "[q] y = DequantizeLinear (x, three, u0)", {"inputs": "uint8[1, 4, 6, 6] x"}),
    "qdq-zero-points": ("qdq", "[q] y = DequantizeLinear (x, s, u1)", {"inputs": "uint8[1, 4, 6, 6] x"}),
    "qdq-sums": (
        "ort", DOUBLE + f"[e] e = DequantizeLinear (big, s, i0)\n[q] y = Conv <{SAME}> (d, e)",
        {"inputs": "float[1, 300, 6, 6] x"},
    ),
    "qdq-fusions": (
        "qdq", DOUBLE + "[q] c = Add (d, d)\n[e] e = QuantizeLinear (c, s, u0)\n[g] y = DequantizeLinear (e, s, u0)",
        {"inputs": X4},
    ),
    "qdq-saturation": (
        "ort", DOUBLE + f"[e] e = DequantizeLinear (big, s, i0)\n[q] c = Conv <{SAME}> (d, e)\n"
        "[h] h = QuantizeLinear (c, s, u0)\n[g] y = DequantizeLinear (h, s, u0)",
        {"inputs": "float[1, 300, 6, 6] x"},
    ),
    "native-float": ("native", "[q] y = Relu (x)", {"inputs": X4}),
}  # fmt: skip
ELSEWHERE = {"native-origin", "native-accumulator"}


def test_every_rule_has_a_graph_here():
    assert rules().keys() == MET.keys() | ELSEWHERE
    assert {target for rule in rules().values() for target in rule.targets} == set(TARGETS)


@pytest.mark.parametrize("name", MET)
def test_a_graph_that_meets_the_rule(name):
    target, body, options = MET[name]
    found = [item for item in check(graph(body, **options), target) if item.rule == name]
    assert found, "the rule fires"
    rule = rules()[name]
    for item in found:
        assert (item.severity, item.remedy) == (rule.severity, rule.remedy)
        assert item.place
        assert item.what


@pytest.mark.parametrize(
    "node",
    [
        "AveragePool <kernel_shape = [3, 3], pads = [1, 1, 1, 1]> (x)",
        "ReduceMean <axes = [1], keepdims = 1> (x)",
        "Clip (x, z, one)",
        "Resize (x, , up)",
        "QuantizeLinear (x, s, u0)",
        "Erf (x)",
    ],
)
def test_what_hls4ml_does_not_read(node):
    kind = "uint8" if node.startswith("Quantize") else "float"
    made = graph(f"[q] y = {node}", f"{X4}, float[4] up", f"{kind}[1, c, h, v] y")
    assert "hls4ml-unsupported" in {item.rule for item in check(made, "hls4ml")}


def test_a_graph_that_meets_no_rule():
    plain = graph("[q] y = Relu (x)", X4)
    for target in ("ort", "hls4ml", "finn", "qdq"):
        assert [item for item in check(plain, target) if item.severity is not Severity.NOTE] == []


@pytest.mark.parametrize("name", ["residual", "batch norm", "shortcut", "depthwise"])
@pytest.mark.parametrize(("tool", "rounding"), [("hls4ml", "half_even"), ("hls4ml", "half_up"), ("finn", "half_up")])
def test_files_made_for_a_tool_are_clean(name, tool, rounding):
    batch_norm = "separate" if tool == "hls4ml" else "merge"
    made = convert(to_proto(network(name)), target="qonnx", tool=tool, rounding=rounding, batch_norm=batch_norm)
    found = check(made.model, tool)
    assert {item.severity for item in found} <= {Severity.NOTE}, found


@pytest.mark.parametrize("target", ["qdq", "ort"])
def test_files_in_standard_onnx_are_clean(target):
    for name in ("residual", "pooling", "concat"):
        body, values = GRAPHS[name]
        assert check(convert(to_proto(model(body, **values)), target="qdq").model, target) == ()


def test_native_graphs():
    body, values = GRAPHS["residual"]
    network = to_proto(model(body, **values))
    native = convert(network).model
    assert check(native, "native") == ()
    assert check(native, "ort") == ()
    narrow = convert(network, accumulator_bits=9).model
    found = check(narrow, "native")
    assert {item.rule for item in found} == {"native-accumulator"}
    assert len(found) == 3
    proto = to_proto(native)
    for node in proto.graph.node:
        del node.metadata_props[:]
    assert {item.rule for item in check(from_proto(proto), "native")} >= {"native-origin"}


def test_a_graph_of_a_plan_without_a_tool_is_told_what_to_do():
    made = convert(to_proto(network("residual")), target="qonnx").model
    found = {item.rule for item in check(made, "hls4ml") if item.severity is Severity.ERROR}
    assert found == {"hls4ml-gemm", "hls4ml-global-pool", "hls4ml-layout", "hls4ml-matmul-scales", "plain-names",
                     "static-batch"}  # fmt: skip
    assert next(iter(check(made, "hls4ml"))).severity is Severity.ERROR, "the worst comes first"


def test_unknown_targets():
    with pytest.raises(ConfigError, match="target 'tpu' is unknown; choose one of ort, hls4ml, finn, qdq, native"):
        check(graph("[q] y = Relu (x)", X4), "tpu")


def test_softmax_is_approximated():
    made = model(conv("c", "x", "z") + "\n[s] y = Softmax (z)", "float[1, 3, 8, 8] x", "float[1, 4, 8, 8] y", w=W)
    assert {item.rule for item in check(made, "hls4ml") if item.severity is Severity.WARNING} == {"hls4ml-tables"}
