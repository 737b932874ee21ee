import numpy as np
import pytest

from qonnx_tools.passes.fold_padding import FoldPadding

CONV = "y = Conv <pads = [1, 0, 0, 2]> (p, w)"


def graph(body, *, extra="", outputs="float[N, c, h, v] y"):
    return f"g (float[N, 2, 6, 6] x) => ({outputs}) <float[2, 2, 3, 3] w{extra}> {{ {body} }}"


def pads(*values):
    return f", int64[{len(values)}] q = {{{', '.join(map(str, values))}}}"


@pytest.mark.parametrize("value", ["", ", zero"])
def test_into_conv(try_pass, value):
    text = graph(f"[pad] p = Pad (x, q{value}) {CONV}", extra=pads(0, 0, 1, 2, 0, 0, 3, 4) + ", float zero = {0.0}")
    tried = try_pass(FoldPadding(), text)
    assert tried.fired == ["pad"]
    assert tried.model.graph.nodes[0].attrs["pads"] == [2, 2, 3, 6]


def test_with_axes(try_pass):
    extra = pads(1, 2, 3, 4) + ", int64[2] axes = {-1, 2}"
    tried = try_pass(FoldPadding(), graph("[pad] p = Pad (x, q, , axes) y = Conv (p, w)", extra=extra), opset=18)
    assert tried.model.graph.nodes[0].attrs["pads"] == [2, 1, 4, 3]


@pytest.mark.parametrize("own", ["", ", pads = [1, 0, 0, 0], count_include_pad = 1"])
def test_into_average_pool(try_pass, own):
    body = f"[pad] p = Pad (x, q) y = AveragePool <kernel_shape = [3, 3]{own}> (p)"
    assert try_pass(FoldPadding(), graph(body, extra=pads(0, 0, 1, 1, 0, 0, 1, 0))).fired == ["pad"]


@pytest.mark.parametrize(
    ("body", "amounts", "reason"),
    [
        ('[pad] p = Pad <mode = "reflect"> (x, q) ' + CONV, (0, 0, 1, 1, 0, 0, 1, 1), "its mode is reflect"),
        ("[pad] p = Pad (x, q, v) " + CONV, (0, 0, 1, 1, 0, 0, 1, 1), "it pads with 2.0, not with 0"),
        ("[pad] p = Pad (x, q) " + CONV, (0, 0, 1, -1, 0, 0, 1, 1), "it crops (negative pads)"),
        ("[pad] p = Pad (x, q) y = Relu (p)", (0, 1, 0, 0, 0, 1, 0, 0), "it pads the batch or channel axis"),
        ("[pad] p = Pad (x, q) y = Relu (p)", (0, 0, 1, 0, 0, 0, 1, 0), "its reader is Relu 'Relu_1'"),
        ("[pad] p = Pad (x, q) y = MaxPool <kernel_shape = [3, 3]> (p)", (0, 0, 1, 0, 0, 0, 1, 0), "MaxPool"),
        (
            "[pad] p = Pad (x, q) y = AveragePool <kernel_shape = [3, 3], pads = [1, 1, 1, 1]> (p)",
            (0, 0, 1, 0, 0, 0, 1, 0),
            "leaves its own padding out of the average",
        ),
        (
            "[pad] p = Pad (x, q) y = AveragePool <kernel_shape = [3, 3], ceil_mode = 1> (p)",
            (0, 0, 1, 0, 0, 0, 1, 0),
            "rounds its output size up",
        ),
        (
            "[pad] p = Pad (x, q) y = AveragePool <kernel_shape = [3, 3]> (p)",
            (0, 0, 3, 0, 0, 0, 1, 0),
            "as wide as the window",
        ),
        ('[pad] p = Pad (x, q) y = Conv <auto_pad = "VALID"> (p, w)', (0, 0, 1, 0, 0, 0, 1, 0), "auto_pad VALID"),
    ],
)
def test_declines(try_pass, body, amounts, reason):
    tried = try_pass(FoldPadding(), graph(body, extra=pads(*amounts) + ", float v = {2.0}"))
    assert tried.fired == []
    assert reason in tried.reasons["pad"]


def test_declines_another_reader(try_pass):
    body = f"[pad] p = Pad (x, q) {CONV} z = Relu (p)"
    text = graph(body, extra=pads(0, 0, 1, 1, 0, 0, 1, 1), outputs="float[N, 2, h, v] y, float[N, 2, 8, 8] z")
    assert try_pass(FoldPadding(), text).reasons == {"pad": "it has another reader or is a graph output"}


def test_declines_pads_that_are_computed(try_pass):
    body = f"s = Abs (q) [pad] p = Pad (x, s) {CONV}"
    text = graph(body, extra=pads(0, 0, 1, 1, 0, 0, 1, 1))
    assert try_pass(FoldPadding(), text).reasons == {"pad": "its pads, value or axes are not constant"}


def test_declines_a_pad_of_the_weight(try_pass):
    text = """
    g (float[N, 2, 6, 6] x) => (float[N, 2, h, v] y) <float[2, 2, 1, 1] w, int64[8] q>
    { [pad] p = Pad (w, q) y = Conv (x, p) }
    """
    tried = try_pass(FoldPadding(), text, q=np.array([0, 0, 1, 1, 0, 0, 1, 1]))
    assert "not a Conv or AveragePool" in tried.reasons["pad"]
