import pytest

from qonnx_tools.passes.fold_bias_add import FoldBiasAdd

ROUNDING = 1e-6  # of the largest output: the bias is added before instead of after the last of 27 float32 additions


@pytest.mark.parametrize("shape", ["4, 1, 1", "1, 4, 1, 1", "1", "1, 1, 1", ""])
@pytest.mark.parametrize("order", ["a, c", "c, a"])
@pytest.mark.parametrize("bias", ["", ", b"])
def test_into_conv(try_pass, shape, order, bias):
    declared = f"float[{shape}] c" if shape else "float c"
    text = f"""
    g (float[N, 3, 5, 5] x) => (float[N, 4, 3, 3] y) <float[4, 3, 3, 3] w, float[4] b, {declared}>
    {{ [conv] a = Conv (x, w{bias}) [add] y = Add ({order}) }}
    """
    tried = try_pass(FoldBiasAdd(), text, tolerance=ROUNDING)
    assert tried.fired == ["add"]
    assert tried.ops == ["Conv"]
    assert [tensor.name for tensor in tried.node("conv").inputs] == ["x", "w", "b" if bias else "conv.bias"]
    assert tried.value("b" if bias else "conv.bias").shape == (4,)


def test_into_grouped_conv_transpose_of_one_axis(try_pass):
    text = """
    g (float[N, 4, 5] x) => (float[N, 6, 7] y) <float[4, 3, 3] w, float[1, 6, 1] c>
    { [conv] a = ConvTranspose <group = 2> (x, w) [add] y = Add (a, c) }
    """
    assert try_pass(FoldBiasAdd(), text, tolerance=ROUNDING).fired == ["add"]


def test_shared_bias_is_not_changed_for_the_other(try_pass):
    text = """
    g (float[N, 2, 5, 5] x) => (float[N, 2, 5, 5] y, float[N, 2, 5, 5] z)
    <float[2, 2, 1, 1] w, float[2] b, float[2, 1, 1] c>
    { [one] a = Conv (x, w, b) [add] y = Add (a, c) [two] z = Conv (x, w, b) }
    """
    tried = try_pass(FoldBiasAdd(), text, tolerance=ROUNDING)
    assert [node.inputs[2].name for node in tried.model.graph.nodes] == ["b_2", "b"]


@pytest.mark.parametrize(
    ("declared", "body", "reason"),
    [
        ("float[5] c", "a = Conv (x, w) [add] y = Add (a, c)", "the addend [5] has not one value a channel (4)"),
        ("float[1, 4, 5, 5] c", "a = Conv (x, w) [add] y = Add (a, c)", "has not one value a channel"),
        ("float[1, 1, 4, 1, 1] c", "a = Conv (x, w) [add] z = Add (a, c) y = Squeeze (z, zero)", "not one value"),
        ("float[4, 1, 1] c", "a = Conv (x, w) [add] z = Add (a, c) y = Sub (z, a)", "has another reader"),
        ("float[4, 1, 1] c", "i = Abs (b) a = Conv (x, w, i) [add] y = Add (a, c)", "the bias of Conv"),
    ],
)
def test_declines(try_pass, declared, body, reason):
    text = f"""
    g (float[N, 3, 5, 5] x) => (float[N, 4, 5, 5] y)
    <float[4, 3, 1, 1] w, float[4] b, int64[1] zero = {{0}}, {declared}> {{ {body} }}
    """
    tried = try_pass(FoldBiasAdd(), text)
    assert reason in tried.reasons["add"]


def test_weight_of_unknown_shape(try_pass):
    text = """
    g (float[N, 3, 5, 5] x, float[o, i, 1, 1] w) => (float[N, p, 5, 5] y) <float[1] c>
    { a = Conv (x, w) [add] y = Add (a, c) }
    """.replace("float[N, 3, 5, 5] x", "float[N, 2, 5, 5] x")
    assert "shape of the weight" in try_pass(FoldBiasAdd(), text).reasons["add"]


def test_leaves_a_residual_sum(try_pass):
    text = "g (float[N, 2, 5, 5] x) => (float[N, 2, 5, 5] y) <float[2, 2, 1, 1] w> { a = Conv (x, w) y = Add (a, x) }"
    assert try_pass(FoldBiasAdd(), text).outcomes == ()
