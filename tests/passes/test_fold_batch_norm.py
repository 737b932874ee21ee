"""Folding a batch norm moves two float32 roundings: the tolerance is 2e-6 of the largest output (about 16 units of
float32 rounding), for sums of at most 72 terms."""

import numpy as np
import pytest

from qonnx_tools.errors import UnsupportedError
from qonnx_tools.graph import from_proto, parse
from qonnx_tools.passes.fold_batch_norm import FoldBatchNorm
from qonnx_tools.pipeline import run_passes

ROUNDING = 2e-6


def statistics(channels):
    """Parameters of batch norm with a wide spread, negative factors among them."""
    generator = np.random.default_rng(7)
    return {
        "gamma": generator.normal(size=channels).astype(np.float32),
        "beta": generator.normal(size=channels).astype(np.float32),
        "mean": generator.normal(size=channels).astype(np.float32),
        "var": generator.uniform(1e-3, 4, size=channels).astype(np.float32),
    }


def declared(channels):
    return ", ".join(f"float[{channels}] {name}" for name in ("gamma", "beta", "mean", "var"))


NORM = "BatchNormalization <epsilon = 0.001>"


@pytest.mark.parametrize("bias", ["", ", b"])
@pytest.mark.parametrize(("group", "into"), [(1, 4), (2, 2), (4, 1)])
@pytest.mark.parametrize("pads", ["", ", pads = [1, 1, 2, 0]"])
def test_after_conv(try_pass, bias, group, into, pads):
    text = f"""
    g (float[N, 4, 6, 6] x) => (float[N, 8, h, v] y) <float[8, {into}, 3, 3] w, float[8] b, {declared(8)}>
    {{ [conv] a = Conv <group = {group}{pads}> (x, w{bias}) [norm] y = {NORM} (a, gamma, beta, mean, var) }}
    """
    tried = try_pass(FoldBatchNorm(), text, tolerance=ROUNDING, **statistics(8))
    assert tried.fired == ["norm"]
    (conv,) = tried.model.graph.nodes
    assert [tensor.name for tensor in conv.inputs] == ["x", "w", "b" if bias else "conv.bias"]
    assert [tensor.name for tensor in conv.outputs] == ["y"]
    assert tried.value("w").dtype == np.float32


@pytest.mark.parametrize("bias", ["", ", b"])
@pytest.mark.parametrize("group", [1, 2, 4])
def test_after_conv_transpose(try_pass, bias, group):
    text = f"""
    g (float[N, 4, 5, 5] x) => (float[N, 8, h, v] y) <float[4, {8 // group}, 3, 3] w, float[8] b, {declared(8)}>
    {{ [conv] a = ConvTranspose <group = {group}, strides = [2, 2]> (x, w{bias})
       [norm] y = {NORM} (a, gamma, beta, mean, var) }}
    """
    assert try_pass(FoldBatchNorm(), text, tolerance=ROUNDING, **statistics(8)).ops == ["ConvTranspose"]


GEMM_BIAS = ["", ", float[5] b", ", float[1, 5] b", ", float[1] b", ", float b"]


@pytest.mark.parametrize("bias", GEMM_BIAS)
@pytest.mark.parametrize("turned", [0, 1])
@pytest.mark.parametrize("where", ["after", "before"])
def test_gemm(try_pass, bias, turned, where):
    channels = 5 if where == "after" else 7
    gemm = f"Gemm <alpha = 0.5, beta = -2.0, transB = {turned}>"
    given = ", b" if bias else ""
    norm = f"{NORM} ({'a' if where == 'after' else 'x'}, gamma, beta, mean, var)"
    body = (
        f"[gemm] a = {gemm} (x, w{given}) [norm] y = {norm}"
        if where == "after"
        else f"[norm] a = {norm} [gemm] y = {gemm} (a, w{given})"
    )
    text = f"""
    g (float[N, 7] x) => (float[N, 5] y) <float[{"5, 7" if turned else "7, 5"}] w, {declared(channels)}{bias}>
    {{ {body} }}
    """
    tried = try_pass(FoldBatchNorm(), text, tolerance=ROUNDING, **statistics(channels))
    assert tried.ops == ["Gemm"]
    assert tried.node("gemm").attrs["beta"] == 1
    assert tried.node("gemm").inputs[2].shape == (5,)


@pytest.mark.parametrize("bias", ["", ", b"])
@pytest.mark.parametrize("group", [1, 2, 4])
def test_before_conv(try_pass, bias, group):
    text = f"""
    g (float[N, 4, 6, 6] x) => (float[N, 8, h, v] y) <float[8, {4 // group}, 3, 3] w, float[8] b, {declared(4)}>
    {{ [norm] a = {NORM} (x, gamma, beta, mean, var)
       [conv] y = Conv <group = {group}, strides = [2, 1]> (a, w{bias}) }}
    """
    tried = try_pass(FoldBatchNorm(), text, tolerance=ROUNDING, **statistics(4))
    assert tried.ops == ["Conv"]
    assert tried.fired == ["norm"]


def test_before_padded_conv_without_shift(try_pass):
    values = statistics(4) | {"beta": np.zeros(4, np.float32), "mean": np.zeros(4, np.float32)}
    text = f"""
    g (float[N, 4, 6, 6] x) => (float[N, 8, 6, 6] y) <float[8, 4, 3, 3] w, {declared(4)}>
    {{ a = {NORM} (x, gamma, beta, mean, var) y = Conv <pads = [1, 1, 1, 1]> (a, w) }}
    """
    assert try_pass(FoldBatchNorm(), text, tolerance=ROUNDING, **values).ops == ["Conv"]


def test_before_and_after_in_a_row(try_pass):
    text = f"""
    g (float[N, 4, 6, 6] x) => (float[N, 4, 6, 6] y) <float[4, 4, 1, 1] w, {declared(4)}>
    {{ a = {NORM} (x, gamma, beta, mean, var) b = Conv (a, w) c = {NORM} (b, gamma, beta, mean, var)
       d = {NORM} (c, gamma, beta, mean, var) y = Relu (d) }}
    """
    assert try_pass(FoldBatchNorm(), text, tolerance=ROUNDING, **statistics(4)).ops == ["Conv", "Relu"]


def test_shared_weights_are_copied(try_pass):
    text = f"""
    g (float[N, 4, 6, 6] x) => (float[N, 4, 6, 6] y, float[N, 4, 6, 6] z)
    <float[4, 4, 1, 1] w, float[4] b, {declared(4)}>
    {{ a = Conv (x, w, b) y = {NORM} (a, gamma, beta, mean, var) z = Conv (x, w, b) }}
    """
    tried = try_pass(FoldBatchNorm(), text, tolerance=ROUNDING, **statistics(4))
    assert [[tensor.name for tensor in node.inputs] for node in tried.model.graph.nodes] == [
        ["x", "w_2", "b_2"],
        ["x", "w", "b"],
    ]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (
            f"[norm] y = {NORM} (x, gamma, beta, mean, var)",
            "before it is a graph input, which has no weights; its output",
        ),
        (f"r = Relu (x) [norm] a = {NORM} (r, gamma, beta, mean, var) y = Relu (a)", "before it is Relu 'Relu_0'"),
        (f"c = Conv (x, w) [norm] n = {NORM} (c, gamma, beta, mean, var) y = Add (n, c)", "has another reader"),
        (f"c = Conv (x, w) [norm] n = {NORM} (c, gamma, beta, mean, m) y = Relu (n)", "parameters are not constant"),
        (f"v = Abs (w) c = Conv (x, v) [norm] y = {NORM} (c, gamma, beta, mean, var)", "the weight of Conv 'Conv_1'"),
        (
            f"i = Abs (var) c = Conv (x, w, i) [norm] y = {NORM} (c, gamma, beta, mean, var)",
            "the bias of Conv 'Conv_1'",
        ),
        (
            f"[norm] n = {NORM} (x, gamma, beta, mean, var) c = Conv <pads = [1, 1, 1, 1]> (n, k) y = Relu (c)",
            "Conv 'Conv_1' pads with zeros after the shift",
        ),
        (f"[norm] n = {NORM} (x, gamma, beta, mean, var) y = ConvTranspose (n, w)", "after it is ConvTranspose"),
    ],
)
def test_declines(try_pass, body, reason):
    body = body if "m)" not in body else f"m = Abs (var) {body}"
    text = f"""
    g (float[N, 4, 6, 6] x) => (float[N, 4, 6, 6] y) <float[4, 4, 1, 1] w, float[4, 4, 3, 3] k, {declared(4)}>
    {{ {body} }}
    """
    tried = try_pass(FoldBatchNorm(), text, **statistics(4))
    assert tried.fired == []
    assert reason in tried.reasons["norm"]


def test_declines_a_value_between_that_is_an_output(try_pass):
    text = f"""
    g (float[N, 4, 6, 6] x) => (float[N, 4, 6, 6] a, float[N, 4, 6, 6] y) <float[4, 4, 1, 1] w, {declared(4)}>
    {{ a = Conv (x, w) [norm] y = {NORM} (a, gamma, beta, mean, var) }}
    """
    tried = try_pass(FoldBatchNorm(), text, **statistics(4))
    assert "the output of Conv 'Conv_0' has another reader or is a graph output" in tried.reasons["norm"]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (f"a = Gemm (x, w, m) [norm] y = {NORM} (a, gamma, beta, mean, var)", "has more than one row"),
        (f"[norm] a = {NORM} (x, gamma, beta, mean, var) y = Gemm <transA = 1> (a, w)", "has transA"),
    ],
)
def test_declines_gemm(try_pass, body, reason):
    text = f"g (float[4, 4] x) => (float[4, 4] y) <float[4, 4] w, float[4, 4] m, {declared(4)}> {{ {body} }}"
    assert reason in try_pass(FoldBatchNorm(), text, **statistics(4)).reasons["norm"]


def test_declines_training(try_pass):
    text = f"""
    g (float[N, 4, 6, 6] x) => (float[N, 4, 6, 6] y) <float[4, 4, 1, 1] w, {declared(4)}>
    {{ a = Conv (x, w)
       [norm] y, m, v = BatchNormalization <training_mode = 1> (a, gamma, beta, mean, var) }}
    """
    assert try_pass(FoldBatchNorm(), text, **statistics(4)).reasons == {"norm": "it is in training mode"}


def folded(**changed):
    text = f"""
    <ir_version: 8, opset_import: ["" : 17]>
    g (float[N, 4, 6, 6] x) => (float[N, 4, 6, 6] y) <float[4, 4, 1, 1] w, {declared(4)}>
    {{ [conv] a = Conv (x, w) [norm] y = {NORM} (a, gamma, beta, mean, var) }}
    """
    run_passes(from_proto(parse(text, **statistics(4) | changed)), [FoldBatchNorm()])


def test_variance_must_be_positive():
    variance = np.array([1, 1, -0.002, 1], np.float32)
    with pytest.raises(UnsupportedError, match=r"node 'norm': variance \+ epsilon is -0.001\d* in channel 2"):
        folded(var=variance)


def test_overflow_is_refused():
    with pytest.raises(UnsupportedError, match=r"node 'norm': folded into Conv 'conv' .* not finite in float32"):
        folded(gamma=np.full(4, 3e38, np.float32), var=np.full(4, 1e-6, np.float32))
