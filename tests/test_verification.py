"""Two graphs are compared to the bit, and the first tensor that differs is named."""

import dataclasses

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from small_graphs import GRAPHS, images, model

from qonnx_tools.arithmetic.log import Log
from qonnx_tools.comparable import Key, comparable
from qonnx_tools.conversion import convert
from qonnx_tools.errors import DataError, ModelError
from qonnx_tools.graph import from_proto, to_proto
from qonnx_tools.verification import verify


@pytest.fixture
def data(tmp_path):
    path = tmp_path / "images.npz"
    np.savez(path, images=images(5))
    return path


def converted(name, **options):
    body, values = GRAPHS[name]
    return convert(to_proto(model(body, **values)), **options).model


def with_code_added(native, initializer, index):
    """The same native graph with one stored code larger by one."""
    proto = onnx.ModelProto()
    proto.CopyFrom(to_proto(native))
    (tensor,) = [each for each in proto.graph.initializer if each.name == initializer]
    codes = numpy_helper.to_array(tensor).copy()
    codes[index] += 1
    tensor.CopyFrom(numpy_helper.from_array(codes, initializer))
    return from_proto(proto)


@pytest.mark.parametrize("name", ["relu", "residual", "moving", "concat"])
@pytest.mark.parametrize("target", ["simulation", "qonnx"])
def test_carriers_of_one_plan_are_equal(name, target, data):
    result = verify(converted(name), converted(name, target=target), data, threads=1)
    assert result.equal
    assert (result.images, result.different, result.largest, result.outputs) == (5, 0, 0.0, ("y",))


def test_log_codes_compare_by_value(data):
    options = {"scheme": "log", "activations": "log", "trunk": "log", "activation_bits": 5, "log_scale": "power-of-two"}
    native = converted("relu", **options)
    assert verify(native, converted("relu", **options), data, threads=1).equal
    parting = verify(native, with_code_added(native, "w.codes", (2, 1, 1, 1)), data, threads=1).parting
    assert (parting.tensor, parting.quantized, parting.intermediate) == ("r", True, True)
    of = comparable(native)[Key("r", quantized=True)].format
    assert isinstance(of, Log)
    assert set(parting.values) <= set(of.decode(np.arange(2**of.bits)).tolist()), "magnitudes, not codes"


@pytest.mark.parametrize("target", ["native", "simulation"])
def test_the_first_tensor_that_differs_is_named(target, data):
    good = converted("residual", target=target)
    bad = with_code_added(converted("residual"), "w.codes", (2, 1, 1, 1))
    parting = verify(good, bad, data, threads=1).parting
    assert (parting.tensor, parting.quantized, parting.image, parting.intermediate) == ("r", True, 0, True)
    assert parting.element[1] == 2, "the channel whose weight was changed"
    first, second = parting.values
    assert first != second
    step = abs(first - second)
    assert np.frexp(step)[0] == 0.5, "one step of the format, in numbers and not in codes"
    assert 0 < parting.different < parting.elements == 4 * 8 * 8
    turned = verify(bad, good, data, threads=1).parting
    assert (turned.tensor, turned.values) == ("r", (second, first))


def test_a_later_layer_is_named_when_the_first_is_equal(data):
    good, bad = converted("relu"), with_code_added(converted("relu"), "v.codes", (1, 0, 1, 1))
    result = verify(good, bad, data, threads=1)
    parting = result.parting
    assert (parting.tensor, parting.intermediate, parting.element[1]) == ("y", False, 1)
    assert result.different == 5
    assert result.largest >= abs(parting.values[0] - parting.values[1]) > 0


def test_a_float_graph_parts_from_its_quantized_one_at_the_first_layer(data):
    body, values = GRAPHS["relu"]
    trained = model(body, **values)
    parting = verify(trained, converted("relu"), data, threads=1).parting
    assert (parting.tensor, parting.intermediate) == ("r", True)
    assert verify(trained, trained, data, threads=1).equal


def test_nan_is_nan_and_zeros_have_no_sign(tmp_path):
    path = tmp_path / "x.npz"
    np.savez(path, images=np.array([[0, -1, 0.25]], np.float32))

    def graph(text):
        return model(text, "float[N, 3] x", "float[N, 3] y")

    root = graph("[n] y = Sqrt (x)")  # NaN for -1
    assert verify(root, root, path).equal
    parting = verify(root, graph("[a] a = Abs (x)\n[n] y = Sqrt (a)"), path).parting
    assert (parting.element, parting.values[1], parting.different) == ((0, 1), 1.0, 1)
    assert np.isnan(parting.values[0])
    parting = verify(graph("[n] y = Identity (x)"), graph("[n] y = Neg (x)"), path).parting
    assert (parting.element, parting.different) == ((0, 1), 2)


@pytest.mark.parametrize("tool", ["hls4ml", "finn"])
def test_tensors_of_files_for_tools_have_their_trained_names(tool, data):
    network, options = to_proto(model(*GRAPHS["relu"][:1], **GRAPHS["relu"][1])), {"rounding": "half_up"}
    made = convert(network, **options, target="qonnx", tool=tool).model
    native = convert(network, **options).model
    if tool == "hls4ml":
        assert verify(native, made, data, threads=1).equal
    parting = verify(with_code_added(native, "w.codes", (2, 1, 1, 1)), made, data, threads=1).parting
    assert (parting.tensor, parting.quantized, parting.intermediate) == ("r", True, True)
    assert tool == "finn" or parting.element[1] == 2, "the element in the layout of the first graph"


def test_only_a_limit_of_images_is_read(data):
    good = converted("relu")
    seen = []
    result = verify(good, good, data, limit=2, progress=lambda *each: seen.append(each))
    assert (result.images, seen) == (2, [(2, 2)])


def test_what_cannot_be_compared_is_refused(data, tmp_path):
    small = model("[n] y = Relu (x)", "float[N, 3, 8, 8] x", "float[N, 3, 8, 8] y")
    other = model("[n] y = Flatten (x)", "float[N, 3, 8, 8] x", "float[N, 192] y")
    with pytest.raises(ModelError, match=r"output 'y' of model A is \[5, 3, 8, 8\], 'y' of model B \[5, 192\]"):
        verify(small, other, data)
    two = model("[n] y = Relu (x)\n[m] z = Abs (x)", "float[N, 3, 8, 8] x", "float[N, 3, 8, 8] y, float[N, 3, 8, 8] z")
    with pytest.raises(ModelError, match="model A has 1 outputs, model B 2"):
        verify(small, two, data)
    codes = model("[n] y = Identity (x)", "int8[N, 3, 8, 8] x", "int8[N, 3, 8, 8] y")
    with pytest.raises(ModelError, match="model B: its inputs are 'x' int8; graphs with one float32 input"):
        verify(small, codes, data)
    np.savez(tmp_path / "none.npz", images=np.zeros((0, 3, 8, 8), np.float32))
    with pytest.raises(DataError):
        verify(small, small, tmp_path / "none.npz")


def test_a_result_is_plain_data(data):
    assert dataclasses.asdict(verify(converted("relu"), converted("relu"), data))["parting"] is None
