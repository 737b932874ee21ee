import pytest

from qonnx_tools.passes.matmul_to_gemm import MatmulToGemm


@pytest.mark.parametrize("shape", ["[5]", "[1, 5]", "[1]", ""])
@pytest.mark.parametrize("order", ["a, c", "c, a"])
def test_fires(try_pass, shape, order):
    text = f"""
    g (float[N, 7] x) => (float[N, 5] y) <float[7, 5] w, float{shape} c>
    {{ [product] a = MatMul (x, w) [sum] y = Add ({order}) }}
    """
    tried = try_pass(MatmulToGemm(), text, tolerance=1e-6)  # the bias may be added first instead of last
    assert tried.fired == ["product"]
    (gemm,) = tried.model.graph.nodes
    assert (gemm.op, gemm.name, gemm.outputs[0].name) == ("Gemm", "product", "y")
    assert gemm.inputs[2].name == ("c" if shape == "[5]" else "product.bias")
    assert gemm.inputs[2].shape == (5,)


@pytest.mark.parametrize(
    ("x", "c", "body", "reason"),
    [
        ("N, 4, 7", "5", "[product] a = MatMul (x, w) y = Add (a, c)", "not known to be two-dimensional"),
        ("2, 7", "2, 5", "[product] a = MatMul (x, w) y = Add (a, c)", "the addend [2, 5] has not one value a column"),
        ("N, 7", "5", "[product] y = MatMul (x, w)", "its output has several readers or is a graph output"),
        ("N, 7", "5", "[product] a = MatMul (x, w) y = Relu (a)", "no Add follows"),
        ("N, 7", "5", "[product] a = MatMul (x, w) b = Add (a, c) y = Sub (b, a)", "several readers"),
        ("N, 7", "5", "[product] a = MatMul (x, w) i = Abs (c) y = Add (a, i)", "is not constant"),
        ("N, 7", "5", "v = Abs (w) [product] a = MatMul (x, v) y = Add (a, c)", "not a constant matrix"),
    ],
)
def test_declines(try_pass, x, c, body, reason):
    text = f"g (float[{x}] x) => (float[{x[:-1]} 5] y) <float[7, 5] w, float[{c}] c> {{ {body} }}"
    tried = try_pass(MatmulToGemm(), text)
    assert tried.fired == []
    assert reason in tried.reasons["product"]


def test_declines_an_addend_that_widens(try_pass):
    text = """
    g (float[N, 7] x) => (float[N, 5] y) <float[7, 1] w, float[5] c>
    { [product] a = MatMul (x, w) y = Add (a, c) }
    """
    assert "not one value a column (1)" in try_pass(MatmulToGemm(), text).reasons["product"]
