"""Which tensors get a quantizer, where the values of a layer come from, and what a layer costs."""

import pytest

from qonnx_tools.graph import from_proto, parse
from qonnx_tools.topology import activations, concatenated, constants, layers, read_by_layers_alone

HEAD = '<ir_version: 8, opset_import: ["" : 17]> '
CONV = "<float[4, 4, 1, 1] w, float[4, 4, 1, 1] v>"


def graph(body: str, inputs: str = "float[N, 4, 8, 8] x", outputs: str = "float[N, 4, 8, 8] y", stored: str = CONV):
    return from_proto(parse(f"{HEAD} g ({inputs}) => ({outputs}) {stored} {{ {body} }}")).graph


def chosen(body: str, **declared: str) -> list[str]:
    return activations(graph(body, **declared))[0]


def left(body: str, **declared: str) -> dict[str, str]:
    return {skip.node: skip.reason for skip in activations(graph(body, **declared))[1]}


RESULT = "a result of the graph: read at the accumulator's precision"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("a = Conv (x, w) y = Conv (a, v)", "x a"),
        ("a = Conv (x, w) b = Relu (a) y = Conv (b, v)", "x b"),
        ("a = Conv (x, w) b = Relu (a) c = Relu (b) y = Conv (c, v)", "x c"),
        ("a = Conv (x, w) b = Relu (a) c = Sigmoid (a) d = Add (b, c) y = Conv (d, v)", "x a b c d"),
        ("a = Conv (x, w) b = MaxPool <kernel_shape = [1, 1]> (a) c = Relu (b) y = Conv (c, v)", "x c"),
        ("a = Conv (x, w) b = Transpose <perm = [0, 1, 3, 2]> (a) c = Identity (b) y = Conv (c, v)", "x a"),
        ("a = Relu (x) y = Conv (a, v)", "a"),
        ("a = Conv (x, w) b = Add (a, x) c = Relu (b) d = Conv (c, v) y = Add (d, c)", "x a c d"),
        ("a = Softmax (x) y = Conv (a, v)", "a"),
        ("a = Conv (x, w) y = Softmax (a)", "x"),
        ("y = Conv (x, w)", "x"),
        ("y = MaxPool <kernel_shape = [1, 1]> (x)", ""),
        ("a = Conv (x, w) b = Relu (a) y = Identity (b)", "x"),
        ("a = Conv (x, w) b = Relu (a) c = Add (b, b) d = Softmax (b) y = Add (c, d)", "x b c d"),
        ("a = GlobalAveragePool (x) b = Conv (a, w) y = Add (b, x)", "x a b"),
        ("a = GlobalMaxPool (x) b = Conv (a, w) y = Add (b, x)", "x b"),
    ],
)
def test_where_quantizers_go(body, expected):
    assert chosen(body) == expected.split()


def test_a_merged_batch_norm_belongs_to_the_layer_before_it():
    stored = CONV[:-1] + ", float[4] s, float[4] t, float[4] m, float[4] u>"
    text = "a = Conv (x, w) b = BatchNormalization (a, s, t, m, u) c = Relu (b) y = Conv (c, v)"
    assert chosen(text, stored=stored) == ["x", "a", "c"]
    assert activations(graph(text, stored=stored), merged=True)[0] == ["x", "c"]
    text = "a = Conv (x, w) b = Relu (a) c = BatchNormalization (b, s, t, m, u) y = Conv (c, v)"
    assert activations(graph(text, stored=stored), merged=True)[0] == ["x", "c"]


def test_clip_is_the_saturation_of_the_layer():
    text = "a = Conv (x, w) b = Clip (a, low, high) y = Conv (b, v)"
    assert chosen(text, stored=CONV[:-1] + ", float low = {0}, float high = {6}>") == ["x", "b"]


def test_a_clipped_tensor_that_is_also_a_result_keeps_a_quantizer_of_its_own():
    text = "a = Conv (x, w) b = Relu (a) y = Conv (b, v)"
    assert chosen(text, outputs="float[N, 4, 8, 8] y, float[N, 4, 8, 8] a") == ["x", "a", "b"]


def test_a_result_that_is_read_again_is_quantized_for_its_reader():
    text = "a = Conv (x, w) y = Conv (a, v)"
    assert chosen(text, outputs="float[N, 4, 8, 8] y, float[N, 4, 8, 8] a") == ["x", "a"]


def test_reasons_to_stay_in_float():
    assert left("a = Conv (x, w) b = Softmax (a) c = Erf (a) y = Add (b, c)") == {
        "a": "read only by Erf, Softmax, which stays in float",
        "y": RESULT,
    }
    assert left("a = Conv (x, w) y = Identity (a)") == {"a": RESULT}


def test_integers_are_no_activations():
    text = "a = Conv (x, w) s = Shape (x) t = Cast <to = 1> (s) y = Conv (a, v)"
    assert chosen(text) == ["x", "a"]


@pytest.mark.parametrize(("mode", "expected"), [("nearest", "x a"), ("linear", "x a b")])
def test_resize_passes_values_on_only_to_the_nearest(mode, expected):
    text = f'a = Conv (x, w) b = Resize <mode = "{mode}"> (a, , s) y = Conv (b, v)'
    assert chosen(text, stored=CONV[:-1] + ", float[4] s = {1, 1, 1, 1}>") == expected.split()


@pytest.mark.parametrize("mode", ["nearest", "linear"])
def test_computed_scales_of_a_resize_are_no_activations(mode):
    text = f's = Sqrt (t) a = Conv (x, w) b = Resize <mode = "{mode}"> (a, , s) y = Conv (b, v)'
    inputs = "float[N, 4, 8, 8] x, float[4] t"
    found = chosen(text, inputs=inputs, outputs="float[N, 4, H, W] y")
    assert "s" not in found
    assert "a" in found


def test_sources_look_through_what_passes_values_on():
    text = """
      a = Conv (x, w) b = Relu (a) c = Conv (x, w)
      d = Concat <axis = 1> (b, c) e = Transpose (d) f = Flatten (e) y = Gemm (f, m)
    """
    stored = "<float[4, 4, 1, 1] w, float[8, 5] m>"
    found = graph(text, outputs="float[M, 5] y", stored=stored, inputs="float[1, 4, 1, 1] x")
    *_, last = layers(found)
    assert (last.input, set(last.sources)) == ("f", {"b", "c"})
    assert concatenated(found) == [("b", "c")]


def test_source_of_a_gather_is_the_data_not_the_index():
    text = "i = Cast <to = 7> (k) a = Gather <axis = 1> (x, i) y = Conv (a, w)"
    (layer,) = layers(graph(text, inputs="float[N, 4, 8, 8] x, float[4] k"))
    assert layer.sources == ("x",)


def test_layer_parts():
    text = "a = Conv (x, w, b) c = Relu (a) d = Clip (c, , high) e = Relu (d) y = Add (e, d)"
    (layer,) = layers(graph(text, stored="<float[4, 4, 1, 1] w, float[4] b, float high = {6}>"))
    assert (layer.weight, layer.bias, layer.input, layer.output, layer.result) == ("w", "b", "x", "a", "d")
    assert (layer.op, layer.channel_axis, layer.weight_shape) == ("Conv", 0, (4, 4, 1, 1))


def test_computed_weights_are_no_layer_and_computed_biases_no_bias():
    assert layers(graph("u = Relu (w) y = Conv (x, u)")) == []
    (layer,) = layers(graph("u = Relu (b) y = Conv (x, w, u)", stored="<float[4, 4, 1, 1] w, float[4] b>"))
    assert layer.bias is None


@pytest.mark.parametrize(
    ("body", "inputs", "outputs", "weights", "axis", "macs"),
    [
        ("y = Conv <pads = [1, 1, 1, 1]> (x, w)", "1, 3, 8, 6", "1, 5, 8, 6", "5, 3, 3, 3", 0, 48 * 5 * 27),
        ("y = Conv <strides = [2, 2]> (x, w)", "N, 3, 9, 9", "N, 5, 4, 4", "5, 3, 3, 3", 0, 16 * 5 * 27),
        ("y = Conv <group = 2> (x, w)", "N, 4, 3, 3", "N, 6, 1, 1", "6, 2, 3, 3", 0, 6 * 2 * 9),
        ("y = Conv <group = 4> (x, w)", "N, 4, 4, 4", "N, 4, 2, 2", "4, 1, 3, 3", 0, 4 * 4 * 9),
        ("y = Conv (x, w)", "N, 3, 10", "N, 2, 8", "2, 3, 3", 0, 8 * 2 * 9),
        ("y = Conv (x, w)", "N, 3, 4, 4, 4", "N, 2, 3, 3, 3", "2, 3, 2, 2, 2", 0, 27 * 2 * 3 * 8),
        ("y = ConvTranspose <strides = [2, 2]> (x, w)", "N, 3, 4, 4", "N, 5, 8, 8", "3, 5, 2, 2", 1, 16 * 3 * 5 * 4),
        ("y = ConvTranspose <group = 2> (x, w)", "N, 4, 3, 3", "N, 6, 4, 4", "4, 3, 2, 2", 1, 9 * 4 * 3 * 4),
        ("y = Gemm (x, w)", "N, 7", "N, 3", "7, 3", 1, 21),
        ("y = Gemm <transB = 1> (x, w)", "N, 7", "N, 3", "3, 7", 0, 21),
        ("y = MatMul (x, w)", "N, 7", "N, 3", "7, 3", 1, 21),
        ("y = MatMul (x, w)", "N, 5, 7", "N, 5, 3", "7, 3", 1, 5 * 21),
        ("y = Conv (x, w)", "N, 3, H, W", "N, 2, H, W", "2, 3, 1, 1", 0, None),
        ("y = MatMul (x, w)", "N, T, 7", "N, T, 3", "7, 3", 1, None),
    ],
)
def test_multiplications_of_one_image(body, inputs, outputs, weights, axis, macs):
    declared = {"inputs": f"float[{inputs}] x", "outputs": f"float[{outputs}] y", "stored": f"<float[{weights}] w>"}
    (layer,) = layers(graph(body, **declared))
    assert (layer.channel_axis, layer.macs) == (axis, macs)


def test_constants_are_the_float_operands_of_elementwise_operators():
    text = "[one] a = Mul (x, k) [two] b = Add (k, a) [three] c = Conv (b, w) [four] y = Mean (c, m)"
    found = graph(text, stored="<float[4, 4, 1, 1] w, float[1, 4, 1, 1] k, float[1] m>")
    assert list(constants(found)) == [("k", "one"), ("k", "two"), ("m", "four")]


def test_tensors_that_layers_alone_read():
    text = "a = Conv (x, w) b = Relu (a) p = MaxPool <kernel_shape = [1, 1]> (b) c = Conv (p, w) y = Add (c, x)"
    assert read_by_layers_alone(graph(text)) == {"b", "p"}
