"""Every kind of layer and sum: lowered, and then exact; or left in float, with a reason that says what to do."""

import dataclasses

import numpy as np
import pytest
from native_runs import compare_everywhere

from qonnx_tools.arithmetic.fixed_point import FixedPoint
from qonnx_tools.arithmetic.log import Log
from qonnx_tools.conversion import convert
from qonnx_tools.errors import UnsupportedError
from qonnx_tools.graph import nodes, op_of, parse
from qonnx_tools.plan import TensorPlan
from qonnx_tools.runtime import session

HEAD = '<ir_version: 8, opset_import: ["" : 17]> '
# fmt: off
LOWERED = {
    "1-D": ("N, 3, 9", "N, 4, 7", "float[4, 3, 3] w, float[4] b", "y = Conv (x, w, b)"),
    "grouped": ("N, 4, 6, 6", "N, 6, 4, 4", "float[6, 2, 3, 3] w, float[6] b", "y = Conv <group = 2> (x, w, b)"),
    "transposed": ("N, 3, 4, 4", "N, 5, 5, 5", "float[3, 5, 2, 2] w, float[5] b", "y = ConvTranspose (x, w, b)"),
    "transposed, stride 2": ("N, 4, 4, 3", "N, 6, 8, 6", "float[4, 3, 4, 4] w, float[6] b",
        "y = ConvTranspose <group = 2, strides = [2, 2], pads = [1, 1, 1, 1]> (x, w, b)"),
    "transposed, stride 3, dilated": ("N, 2, 4, 3", "N, 3, 13, 12", "float[2, 3, 3, 2] w", """
        y = ConvTranspose <strides = [3, 3], dilations = [2, 1], pads = [1, 0, 2, 0], output_padding = [2, 1],
        kernel_shape = [3, 2]> (x, w)"""),
    "transposed, window below its stride": ("N, 2, 3, 3", "N, 2, 7, 7", "float[2, 2, 1, 1] w, float[2] b",
        "y = ConvTranspose <strides = [3, 3]> (x, w, b)"),
    "transposed, 1-D": ("N, 4, 5", "N, 6, 9", "float[4, 6, 3] w, float[6] b",
        "y = ConvTranspose <strides = [2], pads = [1, 1]> (x, w, b)"),
    "transposed, before a batch norm": ("N, 2, 3, 3", "N, 3, 6, 6",
        "float[2, 3, 2, 2] w, float[3] s, float[3] o, float[3] m, float[3] v = {1.0, 2.0, 0.5}", """
        a = ConvTranspose <strides = [2, 2]> (x, w) n = BatchNormalization (a, s, o, m, v) y = Relu (n)"""),
    "gemm": ("N, 7", "N, 3", "float[7, 3] w, float[3] b", "y = Gemm (x, w, b)"),
    "gemm with factors": ("N, 7", "N, 3", "float[7, 3] w, float[3] b", "y = Gemm <alpha = 0.3, beta = 2.5> (x, w, b)"),
    "gemm, transposed input": ("7, 5", "5, 3", "float[7, 3] w, float[3] b", "y = Gemm <transA = 1> (x, w, b)"),
    "gemm, one bias": ("N, 7", "N, 3", "float[7, 3] w, float[1] b", "y = Gemm (x, w, b)"),
    "matmul": ("N, 7", "N, 3", "float[7, 3] w", "y = MatMul (x, w)"),
    "matmul of rows": ("N, 5, 7", "N, 5, 3", "float[7, 3] w", "y = MatMul (x, w)"),
    "matmul of rows, between layers": ("N, 2, 4, 7", "N, 2, 4, 2", "float[7, 3] w, float[3] b, float[3, 2] v", """
        a = MatMul (x, w) c = Add (a, b) d = Relu (c) y = MatMul (d, v)"""),
    "difference": ("N, 3, 4, 4", "N, 3, 4, 4", "float[3, 3, 1, 1] w", "a = Conv (x, w) b = Relu (a) y = Sub (x, b)"),
    "difference from a constant": ("N, 3, 4, 4", "N, 3, 4, 4", "float[1, 3, 1, 1] k", "a = Sub (k, x) y = Sub (a, k)"),
    "sum of many": ("N, 3, 4, 4", "N, 3, 4, 4", "float[3, 3, 1, 1] w, float[3, 1, 1] k", """
        a = Conv (x, w) b = Relu (a) c = MaxPool <kernel_shape = [1, 1]> (x) y = Sum (x, b, c, k)"""),
    "sum of one": ("N, 3, 4, 4", "N, 3, 4, 4", "float[3, 3, 1, 1] w", "a = Conv (x, w) b = Relu (a) y = Sum (b)"),
    "mean of two": ("N, 3, 4, 4", "N, 3, 4, 4", "float[3, 3, 1, 1] w", "a = Conv (x, w) b = Relu (a) y = Mean (x, b)"),
    "largest": ("N, 3, 4, 4", "N, 3, 4, 4", "float[3, 3, 1, 1] w, float[3, 1, 1] k",
        "a = Conv (x, w) b = Relu (a) y = Max (x, b, k)"),
    "smallest": ("N, 3, 4, 4", "N, 3, 4, 4", "float[3, 3, 1, 1] w", "a = Conv (x, w) b = Relu (a) y = Min (x, b)"),
    "quotient by a constant": ("N, 3, 4, 4", "N, 3, 4, 4", "float[1, 3, 1, 1] k = {2.0, 0.5, 3.0}",
        "a = Div (x, k) y = Add (a, x)"),
}
LEFT = {
    "3-D": ("N, 2, 4, 4, 4", "N, 3, 3, 3, 3", "float[3, 2, 2, 2, 2] w", "[c] y = Conv (x, w)",
        "3-D convolutions have no integer form, 1-D and 2-D have"),
    "transposed 3-D": ("N, 2, 3, 3, 3", "N, 3, 4, 4, 4", "float[2, 3, 2, 2, 2] w", "[c] y = ConvTranspose (x, w)",
        "3-D transposed convolutions have no integer form, 1-D and 2-D have"),
    "transposed, unequal strides": ("N, 2, 3, 3", "N, 3, 6, 4", "float[2, 3, 2, 2] w",
        "[c] y = ConvTranspose <strides = [2, 1]> (x, w)",
        "its strides [1, 2] differ; only equal ones have an integer form"),
    "transposed, of a given size": ("N, 2, 3, 3", "N, 3, 6, 6", "float[2, 3, 3, 3] w",
        "[c] y = ConvTranspose <strides = [2, 2], output_shape = [6, 6]> (x, w)",
        "the padding that auto_pad or output_shape asks for is not known; export the model with pads"),
    "weights that are computed": ("4, 4", "4, 4", "float[4, 4] w",
        "a = MatMul (x, w) b = Relu (a) [c] y = MatMul (x, b)",
        "its weights 'b' are computed; only constant weights have an integer form"),
    "filters that are computed": ("2, 2, 3, 3", "2, 2, 1, 1", "float[2, 2, 3, 3] w",
        "a = Relu (x) [c] y = Conv <kernel_shape = [3, 3]> (x, a)",
        "its weights 'a' are computed; only constant weights have an integer form"),
    "a matrix for each": ("2, 5, 7", "2, 5, 3", "float[2, 7, 3] w", "[c] y = MatMul (x, w)",
        "its weights have shape [2, 7, 3]; only those of one matrix have an integer form"),
    "constant rows": ("7, 3", "5, 3", "float[5, 7] w", "[c] y = MatMul (w, x)",
        "its weights 'x' are computed; only constant weights have an integer form"),
    "a vector": ("7", "3", "float[7, 3] w", "[c] y = MatMul (x, w)",
        "its input has shape [7]; at most one size but the last may be unknown"),
    "rows of unknown number": ("N, T, 7", "N, T, 3", "float[7, 3] w", "[c] y = MatMul (x, w)",
        "its input has shape ['N', 'T', 7]; at most one size but the last may be unknown"),
    "a bias that is no row": ("2, 7", "2, 3", "float[7, 3] w, float[2, 3] b", "[c] y = Gemm (x, w, b)",
        "its bias 'b' has shape [2, 3], not one value a channel"),
    "quotient": ("N, 3, 4, 4", "N, 3, 4, 4", "float[3, 3, 1, 1] w",
        "a = Conv (x, w) b = Exp (a) [c] y = Div (x, b)",
        "Div has no integer form; compute it outside the accelerator"),
}
# fmt: on


RANDOM = np.random.default_rng(8)


def source(inputs, outputs, stored, body):
    size = {"N": 3, "T": 4}
    proto = parse(f"{HEAD} g (float[{inputs}] x) => (float[{outputs}] y) <{stored}> {{ {body} }}")
    shape = [int(size.get(part.strip(), part)) for part in inputs.split(",")]
    return proto, {"x": RANDOM.normal(size=shape).astype(np.float32)}


@pytest.mark.parametrize("batch_norm", ["fold", "merge", "separate"])
@pytest.mark.parametrize("scheme", ["fixed", "log"])
@pytest.mark.parametrize("name", LOWERED)
def test_it_is_lowered(name, scheme, batch_norm):
    """strict refuses anything in float; kernels, bodies and references agree, and the simulation where it is exact."""
    proto, feeds = source(*LOWERED[name])
    options = {"scheme": scheme, "batch_norm": batch_norm, "activation_bits": 7}
    native = convert(proto, strict=True, **options)
    equality = compare_everywhere(native.model, feeds)
    assert equality.left_out == ()
    (simulated,) = session(convert(proto, target="simulation", **options).model, optimize=False).run(None, feeds)
    if scheme == "fixed" and (batch_norm == "fold" or "batch norm" not in name):
        np.testing.assert_array_equal(equality.kernels["y"], simulated)
    else:
        assert np.abs(equality.kernels["y"] - simulated).max() <= 0.02 * np.abs(simulated).max()


@pytest.mark.parametrize("name", [name for name in LOWERED if name.startswith("transposed")])
def test_transposed_convolutions_take_an_empty_batch(name):
    proto, feeds = source(*LOWERED[name])
    runner = session(convert(proto, strict=True).model)
    (full,) = runner.run(None, feeds)
    (empty,) = runner.run(None, {key: value[:0] for key, value in feeds.items()})
    assert empty.shape == (0, *full.shape[1:])


@pytest.mark.parametrize("name", LEFT)
def test_it_stays_in_float_for_a_reason(tmp_path, name):
    *parts, reason = LEFT[name]
    proto, feeds = source(*parts)
    np.savez(tmp_path / "data.npz", images=feeds["x"])
    native = convert(proto, data=tmp_path / "data.npz")
    assert {item.node: item.reason for item in native.in_float} == {"c": reason}
    with pytest.raises(UnsupportedError, match=r"node 'c': .* \(--strict\)"):
        convert(proto, plan=native.plan, strict=True)
    compare_everywhere(native.model, feeds)


CONV = "(float[N, 3, 4, 4] x) => (float[N, 2, 4, 4] y) <float[2, 3, 1, 1] w, float[2] b> { [c] y = Conv (x, w, b) }"
GIVEN = {
    "no format for the input": ({"x": None}, "its input 'x' is in float; give it a format in the plan"),
    "no format for the weights": ({"w": None}, "its weights 'w' have no format; name one in the plan"),
    "no format for the bias": ({"b": None},
        "its bias 'b' is not a constant in fixed point; give it a format in the plan"),
    "too wide": ({"x": FixedPoint(17, 12)}, "its input 'x' has 17 bits; give it 16 or fewer in the plan"),
    "seven bits": ({"w": Log(7, 1.0)}, "which is no shift; take a log format of 6 bits at most"),
    "a bias that is too fine": ({"b": FixedPoint(32, 30)},
        "its bias has more fraction bits than its accumulator; give it at most theirs in the plan"),
}  # fmt: skip


@pytest.mark.parametrize("name", GIVEN)
def test_a_plan_that_integers_cannot_carry_out(name):
    formats, reason = GIVEN[name]
    proto = parse(f"{HEAD} g {CONV}")
    native = convert(proto, plan=edited(proto, formats))
    (left,) = native.in_float
    assert left.node == "c"
    assert reason in left.reason
    compare_everywhere(native.model, {"x": RANDOM.normal(size=(2, 3, 4, 4)).astype(np.float32)})


@pytest.mark.parametrize("of", [Log(5, (2.0, 1.0, 3.0)), FixedPoint(8, (4, 5, 6))], ids=str)
def test_activations_that_do_not_travel_as_codes(of):
    proto = parse(f"{HEAD} g {CONV}")
    native = convert(proto, plan=edited(proto, {"x": of}))
    reasons = {item.node: item.reason for item in native.in_float}
    assert list(reasons) == ["x.quantizer", "c"]
    assert reasons["x.quantizer"] == (
        f"'x' has the format {of}; only fixed point and log codes with one format for the whole tensor travel as "
        "codes: give it one in the plan"
    )
    compare_everywhere(native.model, {"x": RANDOM.normal(size=(2, 3, 4, 4)).astype(np.float32)})


def edited(proto, formats):
    """The plan that convert proposes, with other formats; None takes a tensor out."""
    plan = convert(proto).plan
    tensors = dict(plan.tensors)
    for name, of in formats.items():
        if of is None:
            del tensors[name]
        else:
            axis = None if of.channels is None else 1
            tensors[name] = TensorPlan(tensors[name].role, of, None, axis)
    return dataclasses.replace(plan, tensors=tensors)


def test_sizes_are_read_from_codes():
    """As models exported with a dynamic batch flatten: no float between the layers."""
    text = f"""{HEAD} g (float[N, 3, 4, 4] x) => (float[N, 5] y)
    <float[2, 3, 3, 3] w, float[8, 5] v, int64 zero = {{0}}, int64[1] at = {{0}}, int64[1] rest = {{-1}}>
    {{ a = Conv (x, w) b = Relu (a) s = Shape (b) n = Gather (s, zero) m = Unsqueeze (n, at)
      t = Concat <axis = 0> (m, rest) f = Reshape (b, t) y = Gemm (f, v) }}"""
    native = convert(parse(text), strict=True).model
    assert [op_of(node) for node in native.graph.nodes].count("qonnx_tools.ops::Dequantize") == 1
    compare_everywhere(native, {"x": RANDOM.normal(size=(2, 3, 4, 4)).astype(np.float32)})


def test_weights_that_several_layers_read_are_stored_once():
    text = f"""{HEAD} g (float[N, 3, 4, 4] x) => (float[N, 3, 4, 4] y) <float[3, 3, 1, 1] w, float[3] b>
    {{ a = Conv (x, w, b) c = Relu (a) y = Conv (c, w, b) }}"""
    native = convert(parse(text), strict=True).model
    first, second = nodes(native.graph, "qonnx_tools.ops::FixedConv")
    assert first.inputs[1] is second.inputs[1]
