"""Calibration without data: batch-norm statistics give back the input and the activations of training."""

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from qonnx_tools.data import preprocessing, synthetic_images
from qonnx_tools.data_free import IMAGES, calibrate_without_data, normalizing_by_batch, of_any_batch
from qonnx_tools.errors import DataError
from qonnx_tools.graph import from_proto, parse, to_proto
from qonnx_tools.runtime import session

TEXT = """
<ir_version: 8, opset_import: ["" : 17]> g (float[N, 3, 16, 16] x) => (float[N, 12, H, W] y)
<float[12, 3, 3, 3] w, float[12] gamma, float[12] beta, float[12] mean, float[12] var, float[12, 12, 1, 1] v>
{ a = Conv (x, w) [norm] b = BatchNormalization (a, gamma, beta, mean, var) c = Relu (b) y = Conv (c, v) }
"""
GAMMA, BETA = np.linspace(0.5, 2, 12), np.linspace(-1, 1, 12)
MEANS, SPREAD = np.float32([3, -1, 7]), 5.0


@pytest.fixture(scope="module")
def trained():
    """A model whose running statistics come from images of known mean and spread."""
    parameters = {"gamma": GAMMA, "beta": BETA, "mean": np.zeros(12), "var": np.ones(12)}
    proto = parse(TEXT, **{name: np.float32(value) for name, value in parameters.items()})
    images = synthetic_images((None, 3, 16, 16), 256, 99, None) * np.float32(SPREAD) + MEANS[:, None, None]
    (response,) = session(proto, outputs=["a"]).run(["a"], {"x": images})
    for tensor in proto.graph.initializer:
        if tensor.name in ("mean", "var"):
            statistic = getattr(response, tensor.name)(axis=(0, 2, 3))
            tensor.CopyFrom(numpy_helper.from_array(statistic, tensor.name))
    return proto


def statistics(histogram) -> tuple[float, float]:
    values, counts = histogram.occupied()
    mean = np.average(values, weights=counts)
    return mean, np.sqrt(np.average((values - mean) ** 2, weights=counts))


def test_the_input_of_training_is_found(trained):
    found = calibrate_without_data(from_proto(trained), ["x"])
    mean, deviation = statistics(found.histograms["x"])
    assert mean == pytest.approx(MEANS.mean(), abs=0.5)
    assert deviation == pytest.approx(np.sqrt(SPREAD**2 + MEANS.var()), rel=0.1)
    assert found.images == 0
    assert found.source == f"no data: {IMAGES} synthetic images, normalized by the statistics of 1 batch-norm layers"


@pytest.mark.parametrize("bias", [True, False])
def test_a_bias_of_the_convolution_is_not_the_input(trained, bias):
    proto = onnx.ModelProto()
    proto.CopyFrom(trained)
    if bias:
        shift = np.linspace(-30, 30, 12).astype(np.float32)
        proto.graph.initializer.append(numpy_helper.from_array(shift, "shift"))
        proto.graph.node[0].input.append("shift")
        (stored,) = [tensor for tensor in proto.graph.initializer if tensor.name == "mean"]
        stored.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(stored) + shift, "mean"))
    found = calibrate_without_data(from_proto(proto), ["x"])
    assert statistics(found.histograms["x"])[0] == pytest.approx(MEANS.mean(), abs=0.5)


def test_activations_have_the_mean_and_deviation_of_batch_norm(trained):
    found = calibrate_without_data(from_proto(trained), ["b"]).histograms["b"]
    mean, deviation = statistics(found)
    assert mean == pytest.approx(BETA.mean(), abs=0.01)
    assert deviation == pytest.approx(np.sqrt(np.mean(GAMMA**2 + BETA**2) - BETA.mean() ** 2), rel=0.01)


def test_each_channel_is_normalized_by_the_batch(trained):
    x = np.random.default_rng(0).normal(size=(5, 3, 16, 16)).astype(np.float32)
    (b,) = session(normalizing_by_batch(trained), outputs=["b"]).run(["b"], {"x": x})
    np.testing.assert_allclose(b.mean(axis=(0, 2, 3)), BETA, atol=1e-4)
    np.testing.assert_allclose(b.std(axis=(0, 2, 3)), GAMMA, rtol=1e-3)
    assert "training_mode" not in {item.name for item in trained.graph.node[1].attribute}


def test_the_same_every_time_and_another_with_another_seed(trained):
    runs = [calibrate_without_data(from_proto(trained), ["x", "c"], seed=seed).histograms for seed in (1, 1, 2)]
    for name in ("x", "c"):
        assert np.array_equal(runs[0][name].counts, runs[1][name].counts)
        assert not np.array_equal(runs[0][name].counts, runs[2][name].counts)


def test_no_batch_norm_says_so():
    text = '<ir_version: 8, opset_import: ["" : 17]> g (float[N, 3, 8, 8] x) => (float[N, 2, 8, 8] y)'
    found = calibrate_without_data(from_proto(parse(text + "<float[2, 3, 1, 1] w> { y = Conv (x, w) }")), ["x"])
    assert found.source == f"no data: {IMAGES} synthetic images; no batch norm to go by"
    mean, deviation = statistics(found.histograms["x"])
    assert mean == pytest.approx(0, abs=0.01)
    assert deviation == pytest.approx(1, rel=0.01)


def test_preprocessing_shapes_the_images(trained):
    found = calibrate_without_data(from_proto(trained), ["x"], preprocessing("unit")).histograms["x"]
    assert (found.minimum, found.maximum) == (0, 1)


@pytest.mark.parametrize("opset", [13, 14, 17])
@pytest.mark.parametrize("batch", ["N", 1, 3])
def test_opsets_and_batch_sizes_give_the_same(trained, opset, batch):
    proto = onnx.ModelProto()
    proto.CopyFrom(trained)
    proto.opset_import[0].version = opset
    for value in (*proto.graph.input, *proto.graph.output):
        value.type.tensor_type.shape.dim[0].Clear()
        if batch != "N":
            value.type.tensor_type.shape.dim[0].dim_value = batch
    found = calibrate_without_data(from_proto(proto), ["x", "b"]).histograms
    expected = calibrate_without_data(from_proto(trained), ["x", "b"]).histograms
    assert all(np.array_equal(found[name].counts, expected[name].counts) for name in ("x", "b"))


def test_a_batch_size_that_the_graph_insists_on():
    text = '<ir_version: 8, opset_import: ["" : 17]> g (float[2, 3, 4, 4] x) => (float[2, 5] y)'
    text += "<int64[2] s = {2, 48}, float[48, 5] w> { a = Relu (x) b = Reshape (a, s) y = Gemm (b, w) }"
    found = calibrate_without_data(from_proto(parse(text)), ["a"])
    assert found.source.startswith("no data: 2 synthetic images")
    assert found.histograms["a"].total == 2 * 48


def test_a_batch_size_is_freed_on_a_copy():
    proto = to_proto(from_proto(parse(TEXT.replace("[N", "[2"))))
    before = proto.SerializeToString(deterministic=True)
    free = of_any_batch(proto)
    assert proto.SerializeToString(deterministic=True) == before
    assert free.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "N"


@pytest.mark.parametrize(
    "body",
    [
        "a = Conv <group = 3> (x, w) b = BatchNormalization (a, s, t, m, u) y = Relu (b)",
        "z = Neg (x) a = Conv <group = 3> (z, w) b = BatchNormalization (a, s, t, m, u) y = Relu (b)",
        "b = BatchNormalization (x, s, t, m, u) y = Relu (b)",
    ],
)
def test_no_convolution_to_fit_the_input_to(body):
    text = f"""<ir_version: 8, opset_import: ["" : 17]> g (float[N, 3, 8, 8] x) => (float[N, 3, 8, 8] y)
    <float[3, 1, 1, 1] w, float[3] s, float[3] t, float[3] m, float[3] u> {{ {body} }}"""
    found = calibrate_without_data(from_proto(parse(text, u=np.ones(3, np.float32))), ["x"]).histograms["x"]
    assert statistics(found)[1] == pytest.approx(1, rel=0.01)


@pytest.mark.parametrize("shape", ["N, 7", "N, 3, 20"])
def test_inputs_that_are_no_images(shape):
    size = shape.split(", ")[1]
    text = f"""<ir_version: 8, opset_import: ["" : 17]> g (float[{shape}] x) => (float[{shape}] y)
    <float[{size}] s, float[{size}] t, float[{size}] m, float[{size}] u>
    {{ b = BatchNormalization (x, s, t, m, u) y = Relu (b) }}"""
    found = calibrate_without_data(from_proto(parse(text, u=np.ones(int(size), np.float32))), ["x", "b"])
    assert found.histograms["b"].total == found.histograms["x"].total


def test_a_size_that_is_not_known():
    text = '<ir_version: 8, opset_import: ["" : 17]> g (float[N, 3, H, W] x) => (float[N, 3, H, W] y) { y = Relu (x) }'
    with pytest.raises(DataError, match=r"\[N, 3, H, W\]: synthetic images need every dimension but the first"):
        calibrate_without_data(from_proto(parse(text)), ["x"])
