import numpy as np
import pytest

from qonnx_tools.errors import ConfigError
from qonnx_tools.passes.fold_constants import FoldConstants


def test_shape_arithmetic_of_a_static_model(try_pass):
    tried = try_pass(
        FoldConstants(),
        """
        g (float[2, 3, 4, 4] x) => (float[2, 48] y)
        <int64 zero = {0}, int64[1] axis = {0}, int64[1] rest = {-1}>
        {
            s = Shape (x)
            n = Gather <axis = 0> (s, zero)
            u = Unsqueeze (n, axis)
            t = Concat <axis = 0> (u, rest)
            y = Reshape (x, t)
        }
        """,
    )
    assert tried.ops == ["Reshape"]
    assert tried.value("t").tolist() == [2, -1]
    assert tried.value("t").dtype == np.int64


def test_static_dimensions_of_a_dynamic_shape(try_pass):
    tried = try_pass(
        FoldConstants(),
        """
        g (float[N, 3, 4, 4] x) => (float[N, 48] y)
        <int64[1] first = {0}, int64[3] others = {1, 2, -1}, int64[1] axis = {0}>
        {
            s = Shape (x)
            [dynamic] n = Gather <axis = 0> (s, first)
            [static] d = Gather <axis = 0> (s, others)
            p = ReduceProd <axes = [0]> (d)
            t = Concat <axis = 0> (n, p)
            y = Reshape (x, t)
        }
        """,
    )
    assert tried.ops == ["Shape", "Gather", "Concat", "Reshape"]
    assert tried.value("p").tolist() == [48]


def test_shape_with_start_and_end(try_pass):
    tried = try_pass(
        FoldConstants(), "g (float[N, 3, 4, 5] x) => (int64[2] y) { s = Shape <start = 1, end = -1> (x) y = Neg (s) }"
    )
    assert tried.reasons == {"Neg_1": "is a graph output"}
    assert tried.value("s").tolist() == [3, 4]


def test_weights_of_any_size(try_pass):
    tried = try_pass(
        FoldConstants(max_elements=0),
        """
        g (float[N, 300] x) => (float[N, 300] y) <float[300, 300] w>
        { t = Transpose (w) y = MatMul (x, t) }
        """,
        tolerance=1e-5,  # onnxruntime packs a stored weight and then adds in another order: 300 terms
    )
    assert tried.ops == ["MatMul"]


@pytest.mark.parametrize("node", ["Expand (w, size)", "Tile (w, size)", "ConstantOfShape (size)"])
def test_declines_what_grows(try_pass, node):
    tried = try_pass(
        FoldConstants(max_elements=99),
        f"g (float[10, 10] x) => (float[10, 10] y) <float[1, 1] w, int64[2] size = {{10, 10}}>"
        f"{{ [grown] t = {node} y = Add (x, t) }}",
    )
    assert tried.reasons == {"grown": "its result has 100 elements, more than 99"}


def test_growth_within_the_limit(try_pass):
    text = """
    g (float[2, 9] x) => (float[2, 9] y) <float[1, 9] w, int64[2] s = {2, 1}>
    { t = Expand (w, s) y = Add (x, t) }
    """
    assert try_pass(FoldConstants(max_elements=18), text).ops == ["Add"]


def test_size_that_is_not_known(try_pass):
    tried = try_pass(
        FoldConstants(),
        """
        g (float[N] x) => (float[N] y) <float[3] w, float one = {1.0}>
        { f = Abs (w) [grown] t = Range (one, one, one) s = ReduceSum (t) y = Add (x, s) }
        """,
    )
    assert "grown" not in tried.reasons or "not known beforehand" in tried.reasons["grown"]


def test_declines_quantizers(try_pass):
    tried = try_pass(
        FoldConstants(),
        """
        g (float[N, 2] x) => (float[N, 2] y) <float[2] w, float s = {0.5}, int8 z = {0}>
        { [q] a = QuantizeLinear (w, s, z) b = DequantizeLinear (a, s, z) y = Add (x, b) }
        """,
    )
    assert tried.reasons == {"q": "QuantizeLinear of constants is kept: only ops of arithmetic and shape are folded"}


def test_declines_random_ops(try_pass):
    text = "g (float[2] x) => (int64 y) <float[2] w> { [r] r = RandomNormalLike (w) y = Size (r) }"
    assert try_pass(FoldConstants(), text).reasons["r"] == "is random"


def test_declines_results_that_are_not_finite(try_pass):
    text = "g (float[N] x) => (float[N] y) <float w = {0.0}> { [log] a = Log (w) b = Exp (a) y = Add (x, b) }"
    tried = try_pass(FoldConstants(), text)
    assert tried.reasons == {"log": "its result has NaN or infinite values"}


def test_limit_is_checked():
    with pytest.raises(ConfigError, match="max_elements = -1: must be 0 or more"):
        FoldConstants(max_elements=-1)
