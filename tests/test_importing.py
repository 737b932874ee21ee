"""Quantized graphs of other exporters become a plan and the native graph, with the same numbers."""

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static
from small_graphs import GRAPHS, images, model
from tool_networks import network

from qonnx_tools.arithmetic.fixed_point import FixedPoint
from qonnx_tools.checks.rule import check
from qonnx_tools.conversion import convert
from qonnx_tools.errors import ConfigError, ModelError
from qonnx_tools.graph import from_proto, parse, save, to_proto
from qonnx_tools.importing import import_quantized, is_importable
from qonnx_tools.inspection import inspect
from qonnx_tools.plan import Role
from qonnx_tools.runtime import run, session

HEAD = '<ir_version: 8, opset_import: ["" : 17, "qonnx.custom_op.general" : 1]>\n'
RANDOM = np.random.default_rng(5)
W = RANDOM.integers(-100, 100, (4, 3, 3, 3)).astype(np.int8)
PAIRS = """
g (float[N, 3, 8, 8] x) => (float[N, 5] y)
<float sx = {0.03125}, float sr = {0.0625}, float[4] sw = {0.0078125, 0.015625, 0.0078125, 0.00390625},
 float sl = {0.25},
 float[4] sb = {0.000244140625, 0.00048828125, 0.000244140625, 0.0001220703125},
 int8 s0 = {0}, uint8 u0 = {0}, int8[4] z4 = {0, 0, 0, 0}, int8 low = {-7}, int8 high = {7}, float sm = {0.125},
 int8[4, 3, 3, 3] w, int32[4] b, int8[5, 4] m>
{
    [qx] cx = QuantizeLinear (x, sx, s0)
    [dx] dx = DequantizeLinear (cx, sx, s0)
    [dw] dw = DequantizeLinear <axis = 0> (w, sw, z4)
    [db] db = DequantizeLinear <axis = 0> (b, sb)
    [c] c = Conv <kernel_shape = [3, 3], pads = [1, 1, 1, 1]> (dx, dw, db)
    [r] r = Relu (c)
    [qr] cr = QuantizeLinear (r, sr, u0)
    [k] k = MaxPool <kernel_shape = [8, 8]> (cr)
    [dr] dr = DequantizeLinear (k, sr, u0)
    [f] f = Flatten (dr)
    [dm] dm = DequantizeLinear (m, sm, s0)
    [t] t = Transpose <perm = [1, 0]> (dm)
    [g] g = MatMul (f, t)
    [qg] cg = QuantizeLinear (g, sl, s0)
    [i] i = Clip (cg, low, high)
    [dg] y = DequantizeLinear (i, sl, s0)
}
"""


def pairs(**replaced):
    """A network as a quantizer writes it: pairs, weights and biases in integers, 4 bits at the end."""
    values = {
        "w": W,
        "b": RANDOM.integers(-4000, 4000, 4).astype(np.int32),
        "m": RANDOM.integers(-20, 20, (5, 4)).astype(np.int8),
    }
    text = PAIRS
    for old, new in replaced.items():
        text = text.replace(*new) if isinstance(new, tuple) else text.replace(old, new)
    return parse(HEAD + text, **values)


def outputs(graph, given):
    (found,) = run(session(graph, threads=1, optimize=False), given)
    return found


def test_pairs_become_a_plan():
    proto = pairs()
    conversion = convert(proto)
    given = images(6) / 2
    np.testing.assert_array_equal(outputs(conversion.model, given), outputs(proto, given))
    assert conversion.in_float == ()
    lines = conversion.plan.tensors
    assert {name: line.role for name, line in lines.items()} == {
        "x": Role.ACTIVATION, "w": Role.WEIGHT, "b": Role.BIAS, "r": Role.ACTIVATION, "m": Role.WEIGHT,
        "g": Role.ACTIVATION,
    }  # fmt: skip
    assert lines["w"].format == FixedPoint(8, (7, 6, 7, 8))
    assert (lines["w"].axis, lines["b"].format.bits, lines["r"].format) == (0, 32, FixedPoint(8, 4, signed=False))
    assert lines["g"].format == FixedPoint(4, 2, narrow=True)
    assert conversion.plan.scheme == "imported"


@pytest.mark.parametrize("target", ["qonnx", "simulation"])
@pytest.mark.parametrize("name", ["relu", "residual", "depthwise", "pooling"])
def test_our_own_files_come_back(name, target):
    body, values = GRAPHS[name]
    trained = to_proto(model(body, **values))
    first = convert(trained)
    again = convert(to_proto(convert(trained, target=target).model))
    given = images(4)
    np.testing.assert_array_equal(outputs(again.model, given), outputs(first.model, given))
    assert {key: line.format for key, line in again.plan.tensors.items()} == {
        key: line.format for key, line in first.plan.tensors.items()
    }
    assert again.in_float == ()


def test_log_formats_come_back():
    body, values = GRAPHS["relu"]
    options = {"scheme": "log", "log_scale": "power-of-two"}
    trained, given = to_proto(model(body, **values)), images(4)
    again = convert(to_proto(convert(trained, **options, target="simulation").model))
    np.testing.assert_array_equal(outputs(again.model, given), outputs(convert(trained, **options).model, given))


def test_a_bias_without_a_quantizer_is_put_on_the_grid():
    body = """
        g (float[N, 3, 8, 8] x) => (float[N, 4, 8, 8] y)
        <float s = {0.03125}, float z = {0.0}, float k = {8.0}, float[4, 3, 3, 3] w, float[4] b>
        {
            [p] p = qonnx.custom_op.general.Quant <rounding_mode = "ROUND", signed = 1, narrow = 0> (x, s, z, k)
            [q] q = qonnx.custom_op.general.Quant <rounding_mode = "ROUND", signed = 1, narrow = 1> (w, s, z, k)
            [c] c = Conv <kernel_shape = [3, 3], pads = [1, 1, 1, 1]> (p, q, b)
            [r] y = qonnx.custom_op.general.Quant <rounding_mode = "ROUND", signed = 1, narrow = 0> (c, s, z, k)
        }
        """
    weights = RANDOM.normal(size=(4, 3, 3, 3)).astype(np.float32)
    exact = convert(parse(HEAD + body, w=weights, b=np.array([1, -0.5, 0.25, 3], np.float32)))
    assert exact.plan.tensors["b"].format == FixedPoint(32, 10)
    assert not [item for item in exact.left if item.node == "b"]
    proto = parse(HEAD + body, w=weights, b=np.array([1, -0.5, 0.25, 3], np.float32))
    given = images(4)
    np.testing.assert_array_equal(outputs(exact.model, given), outputs(proto, given))
    rounded = convert(parse(HEAD + body, w=weights, b=np.array([1, -0.5, 0.3, 3], np.float32)))
    assert [item.reason for item in rounded.left if item.node == "b"] == [
        "it has no quantizer: it is rounded to the grid of its accumulator"
    ]


@pytest.mark.parametrize(
    ("replaced", "reason"),
    [
        (
            {"float sr = {0.0625}": "float sr = {0.07}"},
            "1 quantizers have no format here: 'r': its scale is 0.07, no",
        ),
        ({"uint8 u0 = {0}": "uint8 u0 = {3}"}, "'r': its zero point is 3, not 0"),
        ({"int8 high = {7}": "int8 high = {9}"}, "'cg': its bounds are those of no format"),
        ({"(k, sr, u0)": "(k, sx, u0)"}, "its scale is another one than that of the QuantizeLinear before it"),
    ],
)
def test_what_is_no_power_of_two_is_named(replaced, reason):
    with pytest.raises(ModelError, match=reason):
        convert(pairs(**replaced))


class Images(CalibrationDataReader):
    """What onnxruntime's quantizer calibrates on."""

    def __init__(self):
        self.left = [{"x": images(1)} for _ in range(4)]

    def get_next(self):
        return self.left.pop() if self.left else None


@pytest.fixture
def by_onnxruntime(tmp_path):
    """A network as onnxruntime quantizes it: pairs with scales of all kinds."""
    save(network("residual"), tmp_path / "float.onnx")
    quantize_static(
        tmp_path / "float.onnx", tmp_path / "quantized.onnx", Images(), per_channel=True,
        activation_type=QuantType.QInt8, weight_type=QuantType.QInt8, extra_options={"ActivationSymmetric": True},
    )  # fmt: skip
    return onnx.load(tmp_path / "quantized.onnx")


def to_powers_of_two(proto):
    """Round every scale to a power of two, those of biases to the product of the two that they are of."""
    values = {tensor.name: tensor for tensor in proto.graph.initializer}
    makers = {name: node for node in proto.graph.node for name in node.output}
    scales = {node.input[1] for node in proto.graph.node if node.op_type in ("QuantizeLinear", "DequantizeLinear")}
    powers = {name: np.exp2(np.rint(np.log2(numpy_helper.to_array(values[name])))) for name in scales}
    for node in proto.graph.node:
        if node.op_type in ("Conv", "Gemm") and len(node.input) > 2:
            x, w, b = (makers[name].input[1] for name in node.input)
            powers[b] = powers[x] * powers[w]
    for name, power in powers.items():
        shape = numpy_helper.to_array(values[name]).shape
        values[name].CopyFrom(numpy_helper.from_array(np.asarray(power, np.float32).reshape(shape), name))


def test_what_onnxruntime_quantizes_to_powers_of_two_comes_in(by_onnxruntime):
    to_powers_of_two(by_onnxruntime)
    conversion = convert(by_onnxruntime)
    given = images(8)
    layers = inspect(conversion.model).layers
    assert [layer.accumulator_bits is not None for layer in layers] == [True] * 3
    found, wanted = outputs(conversion.model, given), outputs(by_onnxruntime, given)
    pooled = conversion.plan.tensors["p"].format if "p" in conversion.plan.tensors else None
    assert pooled is not None, "the mean is rounded where the file rounds it"
    np.testing.assert_array_equal(found, wanted)


def test_what_onnxruntime_quantizes_is_named(by_onnxruntime):
    with pytest.raises(ModelError, match=r"'x': its scale is 0\.[0-9]+, no power of two") as refused:
        convert(by_onnxruntime)
    assert str(refused.value).count("'x'") == 1, "each tensor once"


def test_brevitas_writes_constants_as_nodes():
    body = """
        g (float[N, 3, 8, 8] x) => (float[N, 4, 8, 8] y) <float[4, 3, 3, 3] w>
        {
            s = Constant <value_float = 0.03125> ()
            z = Constant <value_float = 0.0> ()
            k = Constant <value_float = 4.0> ()
            p = onnx.brevitas.Quant <rounding_mode = "ROUND", signed = 1, narrow = 0> (x, s, z, k)
            q = onnx.brevitas.Quant <rounding_mode = "ROUND", signed = 1, narrow = 1> (w, s, z, k)
            c = Conv <kernel_shape = [3, 3], pads = [1, 1, 1, 1]> (p, q)
            r = Relu (c)
            y = onnx.brevitas.Quant <rounding_mode = "FLOOR", signed = 0, narrow = 0> (r, s, z, k)
        }
        """
    head = '<ir_version: 8, opset_import: ["" : 17, "onnx.brevitas" : 1]>\n'
    proto = parse(head + body, w=(RANDOM.normal(size=(4, 3, 3, 3)) / 4).astype(np.float32))
    conversion, given = convert(proto), images(4)
    np.testing.assert_array_equal(outputs(conversion.model, given), outputs(proto, given))
    assert conversion.plan.tensors["w"].format == FixedPoint(4, 5, narrow=True)
    assert {item.rule for item in check(from_proto(proto), "hls4ml")} >= {"quant-domain", "quant-initializers"}


def test_quant_nodes_without_a_format_are_named():
    proto = to_proto(convert(to_proto(model(*[GRAPHS["relu"][0]], **GRAPHS["relu"][1])), target="qonnx").model)
    (scale,) = [tensor for tensor in proto.graph.initializer if tensor.name == "r.quantizer.scale"]
    scale.CopyFrom(numpy_helper.from_array(np.array(0.3, np.float32), scale.name))
    with pytest.raises(ModelError, match=r"1 quantizers have no format here: 'r': its scale is 0\.3, no power of two"):
        convert(proto)


def test_formats_of_the_file_are_all_that_there_are():
    for options in ({"scheme": "log"}, {"weight_bits": 4}, {"data": "x.npz"}):
        with pytest.raises(ConfigError, match="the model is quantized and has formats of its own"):
            convert(pairs(), **options)


def test_the_plan_may_be_edited():
    proto = pairs()
    plan = convert(proto).plan
    again = convert(proto, plan=plan)
    assert to_proto(again.model) == to_proto(convert(proto).model)


def test_native_graphs_are_none():
    body, values = GRAPHS["relu"]
    native = convert(to_proto(model(body, **values))).model
    assert not is_importable(native)
    assert not is_importable(model(body, **values))
    with pytest.raises(ModelError, match="the model is quantized already"):
        convert(to_proto(native))


def test_the_imported_model_is_plain():
    proto = pairs()
    imported = import_quantized(from_proto(proto))
    ops = {node.op for node in imported.model.graph.nodes}
    assert ops == {"Conv", "Flatten", "MatMul", "MaxPool", "Relu", "Reshape"} or "Gemm" in ops
    onnx.checker.check_model(to_proto(imported.model), full_check=True)
