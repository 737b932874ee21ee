import numpy as np
import pytest

from qonnx_tools.passes.simplify_gemm import SimplifyGemm

W = np.random.default_rng(5).normal(size=(7, 5)).astype(np.float32)
C = np.arange(5, dtype=np.float32)


def gemm(attributes, inputs="(x, w, c)", x="N, 7"):
    return (
        f"g (float[{x}] x) => (float[N, 5] y) <float[7, 5] w, float[5] c> {{ [fc] y = Gemm <{attributes}> {inputs} }}"
    )


def test_factors(try_pass):
    tried = try_pass(SimplifyGemm(), gemm("alpha = 0.5, beta = 4.0"), w=W, c=C)
    assert tried.fired == ["fc"]
    assert tried.ops == ["Gemm"]
    np.testing.assert_array_equal(tried.value("w"), W / 2)
    np.testing.assert_array_equal(tried.value("c"), 4 * C)
    assert (tried.node("fc").attrs["alpha"], tried.node("fc").attrs["beta"]) == (1.0, 1.0)


def test_factors_are_rounded_once(try_pass):
    tried = try_pass(SimplifyGemm(), gemm("alpha = 0.3"), tolerance=1e-6, w=W, c=C)
    expected = (float(np.float32(0.3)) * W.astype(np.float64)).astype(np.float32)
    np.testing.assert_array_equal(tried.value("w"), expected)


def test_a_bias_times_zero_is_none(try_pass):
    tried = try_pass(SimplifyGemm(), gemm("beta = 0.0"), w=W, c=C)
    assert tried.fired == ["fc"]
    assert len(tried.node("fc").inputs) == 2


def test_a_factor_of_no_bias_says_nothing(try_pass):
    assert try_pass(SimplifyGemm(), gemm("beta = 3.0", "(x, w)"), w=W, c=C).fired == []


def test_a_transposed_input(try_pass):
    tried = try_pass(SimplifyGemm(), gemm("transA = 1", x="7, N"), w=W, c=C)
    assert tried.fired == ["fc"]
    assert tried.ops == ["Transpose", "Gemm"]
    assert tried.node("fc").inputs[0].shape == ["N", 7]


def test_what_is_plain_stays(try_pass):
    assert try_pass(SimplifyGemm(), gemm("transB = 0"), w=W, c=C).outcomes == ()


def test_shared_weights_are_copied(try_pass):
    text = """g (float[N, 7] x) => (float[N, 5] y, float[N, 5] z) <float[7, 5] w>
    { [fc] y = Gemm <alpha = 2.0> (x, w) [other] z = Gemm (x, w) }"""
    tried = try_pass(SimplifyGemm(), text, w=W)
    np.testing.assert_array_equal(tried.node("fc").inputs[1].values, 2 * W)
    np.testing.assert_array_equal(tried.node("other").inputs[1].values, W)


@pytest.mark.parametrize(
    ("attributes", "inputs", "reason"),
    [
        ("alpha = 2.0", "(x, v, c)", "alpha is 2, and 'v' is not constant"),
        ("beta = 2.0", "(x, w, d)", "beta is 2, and 'd' is not constant"),
    ],
)
def test_declines(try_pass, attributes, inputs, reason):
    text = f"""g (float[N, 7] x) => (float[N, 5] y) <float[7, 5] w, float[5] c>
    {{ v = Abs (w) d = Abs (c) [fc] y = Gemm <{attributes}> {inputs} }}"""
    tried = try_pass(SimplifyGemm(), text, w=W, c=C)
    assert (tried.fired, tried.reasons) == ([], {"fc": reason})
