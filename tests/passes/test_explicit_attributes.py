import itertools

import pytest

from qonnx_tools.graph import from_proto, parse
from qonnx_tools.passes.explicit_attributes import ExplicitAttributes
from qonnx_tools.pipeline import run_passes


def test_defaults_are_written(try_pass):
    tried = try_pass(
        ExplicitAttributes(),
        """
        g (float[N, 4, 9, 9] x) => (float[N, 4, 9, 9] y) <float[4, 4, 3, 3] w, float[4, 4, 3, 3] v>
        { [c] a = Conv (x, w) [m] b = MaxPool <kernel_shape = [1, 1]> (a) [t] y = ConvTranspose (b, v) }
        """,
    )
    written = {"kernel_shape": [3, 3], "strides": [1, 1], "dilations": [1, 1], "group": 1, "pads": [0, 0, 0, 0]}
    assert tried.node("c").attrs == written
    assert tried.node("t").attrs == written
    assert tried.node("m").attrs == {key: value for key, value in written.items() if key != "group"} | {
        "kernel_shape": [1, 1]
    }


@pytest.mark.parametrize(
    ("mode", "size", "kernel", "stride", "dilation"),
    [
        (mode, size, *rest)
        for mode, size in itertools.product(["SAME_UPPER", "SAME_LOWER", "VALID", "NOTSET"], [9, 10])
        for rest in [(1, 1, 1), (2, 1, 1), (3, 2, 1), (3, 1, 2), (1, 2, 1), (4, 3, 1), (2, 1, 3)]
        # onnxruntime itself refuses SAME with dilation, and SAME that would crop
        if mode in {"VALID", "NOTSET"} or rest not in [(3, 1, 2), (2, 1, 3), (1, 2, 1)]
    ],
)
def test_auto_pad(try_pass, mode, size, kernel, stride, dilation):
    attributes = f'auto_pad = "{mode}", strides = [{stride}, 1]'
    tried = try_pass(
        ExplicitAttributes(),
        f"""
        g (float[N, 2, {size}, 9] x) => (float[N, 2, h, w1] y, float[N, 2, h2, w2] z)
        <float[2, 1, {kernel}, 3] w>
        {{
            y = Conv <{attributes}, dilations = [{dilation}, 1], group = 2> (x, w)
            z = MaxPool <{attributes}, dilations = [{dilation}, 1], kernel_shape = [{kernel}, 3]> (x)
        }}
        """,
    )
    assert len(tried.fired) == 2
    assert all("auto_pad" not in node.attrs for node in tried.model.graph.nodes)


@pytest.mark.parametrize(
    ("mode", "kernel", "stride", "dilation", "pads"),
    [
        ("SAME_UPPER", 2, 1, 3, [1, 2]),
        ("SAME_LOWER", 2, 1, 3, [2, 1]),
        ("SAME_UPPER", 1, 2, 1, [0, 0]),
        ("SAME_LOWER", 3, 3, 2, [2, 2]),
    ],
)
def test_same_with_dilation(mode, kernel, stride, dilation, pads):
    model = from_proto(
        parse(
            f"""
            <ir_version: 8, opset_import: ["" : 17]> g (float[N, 1, 10] x) => (float[N, 1, m] y)
            <float[1, 1, {kernel}] w>
            {{ y = Conv <auto_pad = "{mode}", strides = [{stride}], dilations = [{dilation}]> (x, w) }}
            """
        )
    )
    run_passes(model, [ExplicitAttributes()])
    (conv,) = model.graph.nodes
    assert conv.attrs["pads"] == pads
    size = (10 + sum(pads) - (kernel - 1) * dilation - 1) // stride + 1
    assert size == -(-10 // stride)


@pytest.mark.parametrize("mode", ["SAME_UPPER", "SAME_LOWER", "VALID"])
@pytest.mark.parametrize(("kernel", "stride", "extra"), [(3, 2, 0), (3, 2, 1), (4, 1, 0), (2, 2, 0)])
def test_auto_pad_of_conv_transpose(try_pass, mode, kernel, stride, extra):
    tried = try_pass(
        ExplicitAttributes(),
        f"""
        g (float[N, 2, 5, 5] x) => (float[N, 3, h, w1] y) <float[2, 3, {kernel}, {kernel}] w>
        {{ y = ConvTranspose <auto_pad = "{mode}", strides = [{stride}, {stride}],
                              output_padding = [{extra}, {extra}]> (x, w) }}
        """,
        tolerance=1e-6,
    )
    assert len(tried.fired) == 1


@pytest.mark.parametrize("mode", ["SAME_UPPER", "SAME_LOWER"])
def test_average_pool(try_pass, mode):
    text = f"""
    g (float[N, 2, 7, 8] x) => (float[N, 2, h, w] y)
    {{ y = AveragePool <auto_pad = "{mode}", kernel_shape = [3, 2], strides = [2, 3]> (x) }}
    """
    assert "dilations" not in try_pass(ExplicitAttributes(), text).model.graph.nodes[0].attrs
    assert try_pass(ExplicitAttributes(), text, opset=19).model.graph.nodes[0].attrs["dilations"] == [1, 1]


def test_declines(try_pass):
    tried = try_pass(
        ExplicitAttributes(),
        """
        g (float[N, 2, H, 8] x, float[2, 2, h, w] v) => (float[N, 2, a, b] y, float[N, 2, c, d] z, float[e, f, i, j] t,
                                                         float[k, l, m, n] u)
        <float[2, 2, 3, 3] w>
        {
            [unknown] y = Conv <auto_pad = "SAME_UPPER"> (x, w)
            [ceil] z = MaxPool <auto_pad = "VALID", kernel_shape = [2, 2], ceil_mode = 1> (x)
            [stated] t = ConvTranspose <output_shape = [4, 10]> (x, w)
            [computed] u = Conv (x, v)
        }
        """,
    )
    assert tried.fired == []
    assert tried.reasons["unknown"].startswith("auto_pad SAME_UPPER needs a known spatial input shape")
    assert "ceil_mode" in tried.reasons["ceil"]
    assert "output_shape" in tried.reasons["stated"]
    assert tried.reasons["computed"] == "the shape of its weight is not known"


def test_declines_a_transposed_kernel_smaller_than_its_stride(try_pass):
    text = """
    g (float[N, 2, 5, 5] x) => (float[N, 3, h, w1] y) <float[2, 3, 1, 1] w>
    { [t] y = ConvTranspose <auto_pad = "SAME_UPPER", strides = [2, 2]> (x, w) }
    """
    assert "smaller than its stride" in try_pass(ExplicitAttributes(), text).reasons["t"]
