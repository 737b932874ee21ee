"""The passes that write a graph as hls4ml and FINN read it: they fire, decline with a reason, keep the numbers."""

import numpy as np
import pytest

from qonnx_tools.graph import from_proto, parse, to_proto
from qonnx_tools.outcome import Skip
from qonnx_tools.passes.clip_to_relu import ClipToRelu
from qonnx_tools.passes.gemm_to_matmul import GemmToMatmul
from qonnx_tools.passes.half_up_to_floor import HalfUpToFloor
from qonnx_tools.passes.plain_constants import PlainConstants
from qonnx_tools.passes.plain_names import PlainNames
from qonnx_tools.passes.pool_to_convolution import PoolToConvolution
from qonnx_tools.passes.share_scales import ShareScales
from qonnx_tools.passes.shortcut_to_convolution import ShortcutToConvolution
from qonnx_tools.passes.signs_for_relu import SignsForRelu
from qonnx_tools.passes.to_channels_last import ToChannelsLast
from qonnx_tools.pipeline import run_passes
from qonnx_tools.runtime import session

HEAD = '<ir_version: 8, opset_import: ["" : 17, "qonnx.custom_op.general" : 1, "qonnx_tools.ops" : 1]>\n'
Q = 'qonnx.custom_op.general.Quant <rounding_mode = "ROUND", signed = {}, narrow = 0>'
RANDOM = np.random.default_rng(2)


def tried(each, text, x, **values):
    """Run a pass on a graph; compare numbers before and after to the bit, and that a second run does nothing."""
    proto = parse(HEAD + text, **values)
    work = from_proto(proto)
    (report,) = run_passes(work, [each])
    before, after = (session(graph, optimize=False, threads=1).run(None, {"x": x}) for graph in (proto, to_proto(work)))
    for expected, found in zip(before, after, strict=True):
        np.testing.assert_array_equal(found, expected)
    (again,) = run_passes(work, [each])
    assert again.rewrites == ()
    return work, [outcome.node for outcome in report.rewrites], {
        outcome.node: outcome.reason for outcome in report.outcomes if isinstance(outcome, Skip)
    }  # fmt: skip


def maps(channels=3, size=8):
    """Maps on a grid of 2^-4, so that sums are exact in any order."""
    return RANDOM.integers(-99, 99, (2, channels, size, size)).astype(np.float32) / 16


@pytest.mark.parametrize(
    ("node", "shape", "kernel"),
    [
        ("GlobalAveragePool (x)", [3, 1, 1], [8, 8]),
        ("AveragePool <kernel_shape = [2, 2], strides = [2, 2]> (x)", [3, 4, 4], [2, 2]),
        ("AveragePool <kernel_shape = [4, 4], pads = [1, 1, 1, 1], count_include_pad = 1> (x)", [3, 7, 7], [4, 4]),
    ],
)
def test_means_are_depthwise_convolutions(node, shape, kernel):
    text = f"g (float[N, 3, 8, 8] x) => (float[N, {', '.join(map(str, shape))}] y) {{ [p] y = {node} }}"
    work, fired, _ = tried(PoolToConvolution(), text, maps())
    (conv,) = (each for each in work.graph.nodes if each.op == "Conv")
    assert (fired, conv.attrs["group"], conv.attrs["kernel_shape"]) == (["p"], 3, kernel)


def test_the_largest_of_a_map_is_a_max_pool():
    text = "g (float[N, 3, 8, 8] x) => (float[N, 3, 1, 1] y) { [p] y = GlobalMaxPool (x) }"
    work, fired, _ = tried(PoolToConvolution(), text, maps())
    assert (fired, work.graph.nodes[0].op, work.graph.nodes[0].attrs["kernel_shape"]) == (["p"], "MaxPool", [8, 8])
    _, fired, _ = tried(PoolToConvolution(whole_maps=False), text, maps())
    assert fired == []


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ("kernel_shape = [3, 3], pads = [1, 1, 1, 1]", "padding that does not count makes windows of different size"),
        ("kernel_shape = [2, 2], ceil_mode = 1", "ceil_mode and auto_pad have no convolution"),
    ],
)
def test_other_windows_stay(attributes, reason):
    text = f"g (float[N, 3, 8, 8] x) => (float[N, 3, h, v] y) {{ [p] y = AveragePool <{attributes}> (x) }}"
    assert tried(PoolToConvolution(), text, maps())[2] == {"p": reason}


def test_maps_of_unknown_size_stay():
    text = "g (float[N, 3, h, v] x) => (float[N, 3, 1, 1] y) { [p] y = GlobalAveragePool (x) }"
    assert tried(PoolToConvolution(), text, maps())[2] == {"p": "its input is no map of two dimensions of known size"}


SHORTCUT = """
g (float[N, 3, 8, 8] x) => (float[N, 6, 4, 4] y)
<int64[1] zero = {{0}}, int64[1] start = {{{start}}}, int64[1] most = {{9000}}, int64[1] rows = {{2}},
 int64[1] columns = {{3}}, int64[1] two = {{2}}, int64[8] around = {{0, 1, 0, 0, 0, 2, 0, 0}}, float more = {{{more}}}>
{{
    [i] a = Slice (x, start, most, rows, two)
    [j] b = Slice (a, zero, most, columns, two)
    [k] y = Pad (b, around, more)
}}
"""


def test_a_shortcut_is_one_convolution():
    work, fired, _ = tried(ShortcutToConvolution(), SHORTCUT.format(start=0, more=0.0), maps())
    (conv,) = (each for each in work.graph.nodes if each.op == "Conv")
    assert (fired, conv.attrs["strides"]) == (["k"], [2, 2])
    assert len(work.graph.nodes) == 2, "the convolution and the quantizer of its ones"


@pytest.mark.parametrize(("start", "more"), [(1, 0.0), (0, 1.0)])
def test_other_slices_and_paddings_stay(start, more):
    _, fired, reasons = tried(ShortcutToConvolution(), SHORTCUT.format(start=start, more=more), maps())
    assert fired == []
    assert reasons == {"k": "only every n-th row and column, and whole channels of zeros, are a convolution"}


def clip(low, high, frac):
    return f"""g (float[N, 3, 8, 8] x) => (float[N, 3, 8, 8] y) <float low = {{{low}}}, float high = {{{high}}},
        int64 frac = {{{frac}}}>
        {{ [c] c = Clip (x, low, high) [q] y = qonnx_tools.ops.FixedQuant <bits = 8, signed = 0> (c, frac) }}"""


def test_a_clip_that_the_format_does_is_a_relu():
    work, fired, _ = tried(ClipToRelu(), clip(0.0, 6.0, 6), maps())
    assert (fired, [each.op for each in work.graph.nodes]) == (["c"], ["Relu", "FixedQuant"])
    assert tried(ClipToRelu(), clip(0.0, 6.0, 4), maps())[2] == {
        "c": "a format behind it goes beyond 6; give it one that ends there"
    }
    assert tried(ClipToRelu(), clip(-1.0, 6.0, 6), maps())[2] == {"c": "its lower bound is not 0"}


def test_half_up_is_half_a_step_more_and_a_floor():
    half_up = "qonnx_tools.ops.FixedQuant <bits = 8, rounding = 1>"
    text = f"""g (float[N, 3, 8, 8] x) => (float[N, 3, 8, 8] y, float[N, 4, 8, 8] z)
        <int64 f = {{2}}, int64 fb = {{5}}, float[4, 3, 1, 1] w, float[4] b>
        {{ [q] y = {half_up} (x, f) [k] k = qonnx_tools.ops.FixedQuant <bits = 8> (b, fb)
           [c] c = Conv <kernel_shape = [1, 1]> (x, w, k) [r] z = {half_up} (c, f) }}"""
    weights = RANDOM.integers(-4, 4, (4, 3, 1, 1)).astype(np.float32)
    work, fired, _ = tried(HalfUpToFloor(), text, maps(), w=weights, b=np.array([0.3, 1, -2, 0], np.float32))
    assert fired == ["q", "r"]
    ops = [each.op for each in work.graph.nodes]
    assert ops.count("Add") == 1, "the other half step is in the bias"
    per_channel = f"""g (float[N, 3, 8, 8] x) => (float[N, 3, 8, 8] y) <int64[3, 1, 1] f = {{1, 2, 3}}>
        {{ [q] y = {half_up} (x, f) }}"""
    assert tried(HalfUpToFloor(), per_channel, maps())[2] == {"q": "its fraction bits differ per channel"}


def test_scales_of_channels_become_the_finest():
    text = f"""g (float[N, 3] x) => (float[N, 4] y) <float[3, 4] w, float[1, 4] s, float z = {{0.0}}, float k = {{8.0}}>
        {{ [q] q = {Q.format(1)} (w, s, z, k) [m] y = MatMul (x, q) }}"""
    weights = RANDOM.normal(size=(3, 4)).astype(np.float32)
    x = RANDOM.integers(-9, 9, (2, 3)).astype(np.float32)
    work, fired, _ = tried(ShareScales(), text, x, w=weights, s=np.float32([[0.25, 0.0625, 0.125, 0.5]]))
    quant = next(each for each in work.graph.nodes if each.op == "Quant")
    assert (fired, quant.inputs[1].values.shape, quant.inputs[1].values.item()) == (["q"], (), 0.0625)
    assert tried(ShareScales(), text, x, w=weights, s=np.float32([[0.3, 0.25, 1, 1]]))[2] == {
        "q": "its scales are no powers of two"
    }
    wide = tried(ShareScales(), text, x, w=weights * 100, s=np.float32([[2.0**-60, 1, 1, 1]]))[2]
    assert wide["q"].startswith("on one scale its values need 6")


def test_gemm_is_matmul_and_add():
    text = f"""g (float[N, 3] x) => (float[N, 4] y) <float[4, 3] w, float[4, 1] s, float z = {{0.0}}, float k = {{8.0}},
        float[4] b> {{ [q] q = {Q.format(1)} (w, s, z, k) [m] y = Gemm <transB = 1> (x, q, b) }}"""
    given = {"w": RANDOM.normal(size=(4, 3)).astype(np.float32), "s": np.float32([[0.25], [0.5], [1], [0.125]])}
    x = RANDOM.integers(-9, 9, (2, 3)).astype(np.float32)
    work, fired, _ = tried(GemmToMatmul(), text, x, **given, b=np.float32([1, 2, 3, 4]))
    assert (fired, [each.op for each in work.graph.nodes]) == (["m"], ["Quant", "MatMul", "Add"])
    computed = "g (float[N, 3] x, float[3, 4] w) => (float[N, 4] y) { [n] n = Neg (w) [m] y = Gemm (x, n) }"
    work = from_proto(parse(HEAD + computed))
    (report,) = run_passes(work, [GemmToMatmul()])
    assert [outcome.reason for outcome in report.outcomes] == ["its weights are computed"]
    scaled = "g (float[N, 3] x) => (float[N, 4] y) <float[3, 4] w> { [m] y = Gemm <alpha = 2.0> (x, w) }"
    weights = np.ones((3, 4), np.float32)
    assert tried(GemmToMatmul(), scaled, x, w=weights)[2] == {"m": "transA, alpha and beta have no place in a MatMul"}


def test_constants_other_than_weights_are_plain():
    text = f"""g (float[N, 3] x) => (float[N, 4] y) <float[4, 3] w, float s = {{0.25}}, float z = {{0.0}},
        float k = {{8.0}}, float[4] b> {{ [q] q = {Q.format(1)} (w, s, z, k) [p] p = {Q.format(1)} (b, s, z, k)
        [m] y = Gemm <transB = 1> (x, q, p) }}"""
    x = RANDOM.integers(-9, 9, (2, 3)).astype(np.float32)
    weights = RANDOM.normal(size=(4, 3)).astype(np.float32)
    work, fired, _ = tried(PlainConstants(), text, x, w=weights, b=np.float32([1.1, 2, 3, 4]))
    assert (fired, [each.op for each in work.graph.nodes]) == (["p"], ["Quant", "Gemm"])


def test_unsigned_formats_stand_behind_a_relu():
    text = f"""g (float[N, 3, 8, 8] x) => (float[N, 3, 8, 8] y, float[N, 3, 8, 8] v)
        <float s = {{0.25}}, float z = {{0.0}}, float k = {{5.0}}>
        {{ [q] y = {Q.format(0)} (x, s, z, k) [r] r = Relu (x) [p] v = {Q.format(1)} (r, s, z, k) }}"""
    work, fired, _ = tried(SignsForRelu(), text, maps())
    assert sorted(fired) == ["p", "q"]
    quants = [each for each in work.graph.nodes if each.op == "Quant"]
    assert {each.name: (each.attrs["signed"], each.inputs[3].values.item()) for each in quants} == {
        "q": (0, 5.0), "p": (0, 4.0),
    }  # fmt: skip


def test_names_become_identifiers_that_differ():
    text = "g (float[N, 3, 8, 8] x) => (float[N, 3, 8, 8] y) { [p] a = Relu (x) [q] b = Abs (a) [X] y = Neg (b) }"
    proto = parse(HEAD + text)
    for node, name in zip(proto.graph.node, ("/a.b/Relu", "a_b_RELU", "7"), strict=True):
        node.name = name
    proto.graph.node[0].output[0] = proto.graph.node[1].input[0] = "/a.b/out"
    proto.graph.node[1].output[0] = proto.graph.node[2].input[0] = "a_b_out"
    work = from_proto(proto)
    run_passes(work, [PlainNames()])
    assert [tensor.name for node in work.graph.nodes for tensor in node.outputs] == ["a_b_out", "a_b_out_2", "y"]
    assert [node.name for node in work.graph.nodes] == ["a_b_Relu", "a_b_RELU_2", "node_7"]
    (again,) = run_passes(work, [PlainNames()])
    assert again.outcomes == ()


def test_channels_last_of_a_network():
    text = """g (float[N, 3, 8, 8] x) => (float[N, 4, 4, 4] y, float[N, 1024] z)
        <float[4, 3, 3, 3] w, float[4] b, float[4] m, float[4] o, float[1, 4, 1, 1] c, float[8, 4, 1, 1] v>
        {
            [c] c1 = Conv <kernel_shape = [3, 3], pads = [1, 1, 1, 1]> (x, w, b)
            [n] n = BatchNormalization <epsilon = 0.0> (c1, b, b, m, o)
            [a] a = Add (n, c)
            [k] y = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (a)
            [d] d = Concat <axis = 1> (a, a, a, a)
            [f] z = Flatten (d)
        }"""
    values = {
        "w": RANDOM.integers(-4, 4, (4, 3, 3, 3)), "b": np.array([1, 2, -1, 0]), "m": np.zeros(4), "o": np.ones(4),
        "c": np.array([1, -2, 3, 0]).reshape(1, 4, 1, 1), "v": np.ones((8, 4, 1, 1)),
    }  # fmt: skip
    given = {name: np.asarray(value, np.float32) for name, value in values.items()}
    work, fired, _ = tried(ToChannelsLast(), text, maps(), **given)
    assert fired[:4] == ["c", "n", "a", "k"]
    domains = {each.name: each.domain for each in work.graph.nodes}
    assert [domains[name] for name in ("c", "n", "k")] == ["qonnx.custom_op.channels_last"] * 3
    assert [each.op for each in work.graph.nodes].count("Transpose") == 3, "one at the input, one for each output"


def test_what_has_no_form_for_channels_last_reads_the_old_layout():
    text = """g (float[N, 3, 8, 8] x) => (float[N, 3, 1, 1] y)
        { [k] k = MaxPool <kernel_shape = [2, 2]> (x) [p] p = GlobalAveragePool (k) [t] y = Tanh (p) }"""
    _, fired, reasons = tried(ToChannelsLast(), text, maps())
    assert (fired, reasons) == (
        ["k", "t"], {"p": "GlobalAveragePool has no form for channels last; it reads the old layout"}
    )  # fmt: skip


def test_the_rows_of_weights_follow_a_flatten():
    text = """g (float[N, 3, 8, 8] x) => (float[N, 5] y) <float[192, 5] w>
        { [k] k = MaxPool <kernel_shape = [1, 1]> (x) [f] f = Flatten (k) [m] y = MatMul (f, w) }"""
    weights = RANDOM.integers(-4, 4, (192, 5)).astype(np.float32)
    work, _, _ = tried(ToChannelsLast(), text, maps(), w=weights)
    assert [each.op for each in work.graph.nodes] == ["Transpose", "MaxPool", "Flatten", "MatMul"]
