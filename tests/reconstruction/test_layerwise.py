import numpy as np
import onnxruntime as ort
import pytest

from qonnx_tools.arithmetic.fixed_point import FixedPoint
from qonnx_tools.graph import constant_value, from_proto, nodes, parse, to_proto
from qonnx_tools.passes.insert_quantizers import InsertQuantizers
from qonnx_tools.pipeline import canonicalize, run_passes
from qonnx_tools.plan import Plan, Role, TensorPlan
from qonnx_tools.reconstruction.layer_view import LayerView
from qonnx_tools.reconstruction.layerwise import Choice, reconstruct
from qonnx_tools.reconstruction.moments import Moments
from qonnx_tools.runtime import session
from qonnx_tools.schemes._fit import fixed_family
from qonnx_tools.topology import layers

RANDOM = np.random.default_rng(11)
OPSET = '<ir_version: 8, opset_import: ["" : 17]>'
LAYERS = {
    "convolution": ("Conv <pads = [1, 0, 2, 1], strides = [2, 1], dilations = [1, 2]> (x, w, b)", (4, 6, 3, 2)),
    "grouped": ("Conv <group = 2> (x, w, b)", (4, 3, 3, 3)),
    "depthwise": ("Conv <group = 6, pads = [1, 1, 1, 1]> (x, w, b)", (6, 1, 3, 3)),
    "gemm": ("Gemm (x, w, b)", (6, 5)),
    "transposed gemm": ("Gemm <transB = 1> (x, w, b)", (5, 6)),
}


def one_layer(name):
    call, shape = LAYERS[name]
    channels = shape[1] if name == "gemm" else shape[0]
    rank = "N,6,8,8" if len(shape) == 4 else "N,6"
    size = ",".join(map(str, shape))
    made = "N,M,P,Q" if len(shape) == 4 else "N,M"
    text = (
        f"{OPSET} g (float[{rank}] x) => (float[{made}] y) <float[{size}] w, float[{channels}] b> {{ [c] y = {call} }}"
    )
    proto = parse(
        text, w=RANDOM.normal(size=shape).astype(np.float32), b=RANDOM.normal(size=channels).astype(np.float32)
    )
    x = RANDOM.normal(size=(3, 6, 8, 8) if len(shape) == 4 else (3, 6)).astype(np.float32)
    return proto, x


def outputs(proto, x):
    return ort.InferenceSession(proto.SerializeToString()).run(None, {proto.graph.input[0].name: x})[0]


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_is_the_product_of_its_rows_and_columns(name):
    proto, x = one_layer(name)
    model = from_proto(proto)
    canonicalize(model)
    (node,) = nodes(model.graph, "Conv", "Gemm")
    weights, bias = (constant_value(tensor) for tensor in node.inputs[1:])
    view = LayerView.of(node, weights.shape)
    product = view.rows(weights) @ view.columns(x) + bias.reshape(view.groups, -1, 1)
    np.testing.assert_allclose(product, view.targets(outputs(proto, x)), rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(view.weights(view.rows(weights)), weights)


@pytest.mark.parametrize("name", LAYERS)
def test_moments_give_the_squared_error_and_the_best_offset(name):
    proto, x = one_layer(name)
    model = from_proto(proto)
    canonicalize(model)
    (node,) = nodes(model.graph, "Conv", "Gemm")
    view = LayerView.of(node, tuple(node.inputs[1].shape))
    columns, targets = view.columns(x), view.targets(outputs(proto, x))
    moments = Moments.zero(*view.rows(constant_value(node.inputs[1])).shape)
    for at in range(len(x)):
        moments.add(view.columns(x[at : at + 1]), view.targets(outputs(proto, x[at : at + 1])))
    rows = RANDOM.normal(size=moments.cross.shape)
    gram, cross = moments.centred()
    error = np.einsum("grk,grk->gr", rows @ gram - 2 * cross, rows) + moments.variance()
    left = targets - rows @ columns - moments.offset(rows)[:, :, None]
    np.testing.assert_allclose(left.mean(axis=2), 0, atol=1e-4)
    np.testing.assert_allclose(error, np.square(left).mean(axis=2), rtol=1e-3)


BLOCK = """
    c1 = Conv <pads = [1, 1, 1, 1]> (x, w1, b1)
    r1 = Relu (c1)
    c2 = Conv <pads = [1, 1, 1, 1]> (r1, w2, b2)
    s = Add (c2, r1)
    r2 = Relu (s)
    p = GlobalAveragePool (r2)
    f = Flatten (p)
    y = Gemm <transB = 1> (f, w3, b3)
"""
SHAPES = {"w1": (8, 3, 3, 3), "b1": (8,), "w2": (8, 8, 3, 3), "b2": (8,), "w3": (5, 8), "b3": (5,)}


def network(body=BLOCK, shapes=SHAPES):
    declared = ", ".join(f"float[{','.join(map(str, shape))}] {name}" for name, shape in shapes.items())
    values = {
        name: (RANDOM.normal(size=shape) * (0.3 if len(shape) > 1 else 0.1)).astype(np.float32)
        for name, shape in shapes.items()
    }
    model = from_proto(parse(f"{OPSET} g (float[N,3,8,8] x) => (float[N,5] y) <{declared}> {{ {body} }}", **values))
    canonicalize(model)
    return model


def images(count):
    smooth = RANDOM.normal(size=(count, 3, 4, 4)).repeat(2, axis=2).repeat(2, axis=3)
    return (smooth + 0.3 * RANDOM.normal(size=(count, 3, 8, 8))).astype(np.float32)


def choices(model, bits):
    found = {}
    for layer in layers(model.graph):
        weights = constant_value(model.graph.tensors()[layer.weight])
        rows = np.moveaxis(weights, layer.channel_axis, 0).reshape(weights.shape[layer.channel_axis], -1)
        found[layer.node] = Choice(fixed_family(rows, bits))
    return found


def with_values(model, values):
    changed = from_proto(to_proto(model))
    for name, value in values.items():
        changed.graph.tensors()[name].values = value
    return changed


def rounded(model, bits):
    found = {}
    for node, choice in choices(model, bits).items():
        (layer,) = [layer for layer in layers(model.graph) if layer.node == node]
        weights = constant_value(model.graph.tensors()[layer.weight])
        best = np.argmin(
            [
                np.square(weights - choice.family.format_of(row).quantize(weights, None, layer.channel_axis))
                .reshape(len(weights), -1)
                .sum(axis=1)
                for row in choice.family.parameters
            ],
            axis=0,
        )
        found[layer.weight] = choice.family.choice(best).quantize(weights, None, layer.channel_axis)
    return found


@pytest.mark.parametrize("bits", [2, 3, 4])
def test_a_network_comes_nearer_to_what_was_trained_than_by_rounding_weights(bits):
    model, x = network(), images(600)
    fitted, fresh = x[:512], x[512:]
    result = reconstruct(model, np.array_split(fitted, 8), choices(model, bits), {})
    wanted = outputs(to_proto(model), fresh)

    def error(values):
        return float(np.square(outputs(to_proto(with_values(model, values)), fresh) - wanted).mean())

    assert error(result.values) < 0.7 * error(rounded(model, bits))
    assert [layer.node for layer in result.layers] == [layer.node for layer in layers(model.graph)]
    assert all(0 < layer.noise < 1 for layer in result.layers)


def test_weights_lie_on_the_grid_of_their_format():
    model = network()
    result = reconstruct(model, np.array_split(images(64), 2), choices(model, 3), {})
    assert set(result.formats) == {layer.weight for layer in layers(model.graph)}
    for layer in layers(model.graph):
        of, value = result.formats[layer.weight], result.values[layer.weight]
        assert isinstance(of, FixedPoint)
        np.testing.assert_array_equal(of.quantize(value, None, layer.channel_axis), value)


def test_the_same_images_give_the_same_weights():
    model, x = network(), images(64)
    one, other = (reconstruct(model, np.array_split(x, 2), choices(model, 3), {}) for _ in range(2))
    for name in one.values:
        np.testing.assert_array_equal(one.values[name], other.values[name])


def test_later_layers_make_good_the_errors_of_quantized_activations():
    model, x = network(), images(512)
    quantized = from_proto(to_proto(model))
    coarse = {
        layer.input: TensorPlan(Role.ACTIVATION, FixedPoint(3, 1, layer.input == "x")) for layer in layers(model.graph)
    }
    run_passes(quantized, [InsertQuantizers(Plan(tensors=coarse))])
    result = reconstruct(quantized, np.array_split(x, 8), choices(model, 8), {})
    wanted, fresh = outputs(to_proto(model), x[:64]), x[:64]

    def error(values):
        return float(np.square(session(with_values(quantized, values)).run(None, {"x": fresh})[0] - wanted).mean())

    assert error(result.values) < 0.8 * error(rounded(model, 8))


MERGED = BLOCK.replace(
    "c2 = Conv <pads = [1, 1, 1, 1]> (r1, w2, b2)",
    "d2 = Conv <pads = [1, 1, 1, 1]> (r1, w2)\n"
    "c2 = BatchNormalization <epsilon = 0.0> (d2, scale, offset, mean, variance)",
)


def test_the_offset_of_a_batch_norm_takes_up_the_mean_error():
    shapes = {**{name: shape for name, shape in SHAPES.items() if name != "b2"}, "scale": (8,), "offset": (8,)}
    declared = {**shapes, "mean": (8,), "variance": (8,)}
    model = network(MERGED, declared)
    tensors = model.graph.tensors()
    tensors["mean"].values, tensors["variance"].values = np.zeros(8, np.float32), np.ones(8, np.float32)
    tensors["scale"].values = np.array([0.5, 2, -1, 1, 4, 0.25, 1, 1e-9], np.float32)
    result = reconstruct(model, np.array_split(images(256), 4), choices(model, 3), {})
    moved = result.values["offset"] - tensors["offset"].values
    assert np.abs(moved[:7]).min() > 0
    assert abs(moved[7]) < 1e-6
