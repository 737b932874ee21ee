"""Inspection: layers, formats and sizes of float and quantized models."""

import dataclasses
import json

import onnx
import pytest

from qonnx_tools.arithmetic.fixed_point import FixedPoint
from qonnx_tools.cli.inspect import to_json
from qonnx_tools.conversion import convert
from qonnx_tools.cost import cost_of
from qonnx_tools.errors import ModelError
from qonnx_tools.graph import load, parse, save, to_proto
from qonnx_tools.inspection import inspect
from qonnx_tools.origin import origin_of
from qonnx_tools.plan import BatchNorm
from qonnx_tools.preparation import prepare
from qonnx_tools.workload import work_of

TEXT = """
<ir_version: 8, opset_import: ["" : 17]> g (float[N, 3, 8, 8] x) => (float[N, 5] y)
<float[4, 3, 3, 3] w, float[4] b, float[64, 5] v, float[1, 4, 1, 1] k>
{
  [first] a = Conv (x, w, b)
  c = Relu (a)
  d = Mul (c, k)
  e = MaxPool <kernel_shape = [3, 3]> (d)
  f = Flatten (e)
  [last] y = Gemm (f, v)
}
"""


def test_float_model():
    found = inspect(parse(TEXT))
    first, last = found.layers
    assert (first.name, first.op, first.weight_shape, first.macs) == ("first", "Conv", (4, 3, 3, 3), 36 * 108)
    assert (first.weight_kind, first.weight_bits, first.bias_bits, first.input_bits, first.output_bits) == (None,) * 5
    assert (last.name, last.op, last.macs) == ("last", "Gemm", 320)
    assert found.macs == 36 * 108 + 320
    assert found.weights == 108 + 4 + 320, "the operand of the Mul is no weight"
    assert found.weight_bits_float == found.weight_bits_stored == 32 * found.weights
    assert found.operators == {"Conv": 1, "Relu": 1, "Mul": 1, "MaxPool": 1, "Flatten": 1, "Gemm": 1}
    assert (found.inputs, found.outputs) == ({"x": ["N", 3, 8, 8]}, {"y": ["N", 5]})
    assert (found.opset, found.ir_version, found.tensors) == (17, 8, ())


@pytest.mark.parametrize("target", ["native", "simulation"])
@pytest.mark.parametrize("options", [{}, {"scheme": "log", "activations": "log", "activation_bits": 5}], ids=str)
def test_the_work_is_that_of_the_plan(options, target):
    source = parse(GRAPHS["residual"])
    conversion = convert(source, target=target, **options)
    found = inspect(conversion.model).work
    expected = work_of(prepare(source, BatchNorm.FOLD).model, conversion.plan)
    unlike = {"accumulator_bits": None} | (
        {"weight_places": None, "input_places": None, "weight_steps": None} if target != "native" else {}
    )
    assert [dataclasses.replace(layer, **unlike) for layer in found.layers] == [
        dataclasses.replace(layer, **unlike) for layer in expected.layers
    ]
    assert {item.name: item for item in found.maps} == {item.name: item for item in expected.maps}
    peaks = [cost_of(work).peak_map_memory_bits for work in (found, expected)]
    assert 0 < peaks[0] <= peaks[1], "a sum in the convolution before it keeps less"
    assert peaks[0] == peaks[1] or target == "native"
    names = {"memory_bits", "multiplier_cost", "memory_saving_vs_8bit", "multiplier_saving_vs_8bit"}
    assert names | {"multiplier_input_saving_vs_8bit"} <= to_json(inspect(conversion.model))["totals"].keys()


@pytest.mark.parametrize("target", ["native", "simulation"])
@pytest.mark.parametrize("scheme", ["fixed", "log"])
def test_quantized_model(scheme, target):
    overrides = ["first:weight_bits=3,bias_bits=20", "x:activation_bits=7", "c:activation_bits=5"]
    options = {"weight_bits": 4, "activation_bits": 6, "overrides": overrides, "target": target}
    found = inspect(convert(parse(TEXT), scheme=scheme, **options).model)
    first, last = found.layers
    assert (first.weight_kind, first.weight_bits, first.bias_bits) == (scheme, 3, 20)
    assert (first.input_bits, first.output_bits) == (7, 5)
    assert (last.weight_bits, last.bias_bits, last.input_bits, last.output_bits) == (4, None, 6, None)
    assert found.macs == 36 * 108 + 320
    assert found.weight_bits_stored == 108 * 3 + 4 * 20 + 320 * 4
    assert {item.name: item.format.bits for item in found.tensors} == {
        "x": 7,
        "w": 3,
        "b": 20,
        "c": 5,
        "k": 6,
        "d": 6,
        "v": 4,
    }


def test_the_same_however_it_is_given(digits_model):
    results = [inspect(each) for each in (digits_model, str(digits_model), load(digits_model), onnx.load(digits_model))]
    assert all(result == results[0] for result in results)
    assert len(results[0].layers) == 10
    assert results[0].producer == "pytorch"


def test_shared_weights_count_once():
    text = """<ir_version: 8, opset_import: ["" : 17]> g (float[N, 3, 8, 8] x) => (float[N, 3, 8, 8] y)
    <float[3, 3, 1, 1] w> { a = Conv (x, w) y = Conv (a, w) }"""
    found = inspect(parse(text))
    assert (found.weights, found.macs) == (9, 2 * 64 * 9)


def test_unknown_sizes():
    text = """<ir_version: 8, opset_import: ["" : 17]> g (float[N, 3, H, W] x) => (float[N, 3, H, W] y)
    <float[3, 3, 1, 1] w> { y = Conv (x, w) }"""
    found = inspect(parse(text))
    assert (found.layers[0].macs, found.macs) == (None, 0)


def test_a_file_that_is_not_there():
    with pytest.raises(ModelError, match=r"nowhere.onnx: no such file"):
        inspect("nowhere.onnx")


HEAD = '<ir_version: 8, opset_import: ["" : 17]> '
GRAPHS = {
    "plain": TEXT,
    "residual": HEAD + """g (float[N, 3, 8, 8] x) => (float[N, 3, 8, 8] y) <float[3, 3, 3, 3] w, float[3, 3, 3, 3] v>
    { [c] a = Conv <pads = [1, 1, 1, 1]> (x, w) [r] b = Relu (a) [d] e = Conv <pads = [1, 1, 1, 1]> (b, v)
      [s] f = Add (e, b) [q] g = Relu (f) [l] y = Conv <pads = [1, 1, 1, 1]> (g, w) }""",
    "batch norms": HEAD + """g (float[N, 3, 8, 8] x) => (float[N, 4, 4, 4] y)
    <float[4, 3, 3, 3] w, float[4] bias, float[4, 4, 3, 3] v, float[4] s, float[4] b, float[4] m,
     float[4] n = {1.0, 2.0, 0.5, 3.0}>
    { [c] a = Conv (x, w, bias) [n1] d = BatchNormalization (a, s, b, m, n) [r] e = Relu (d) [k] f = Conv (e, v)
      [n2] h = BatchNormalization (f, b, s, m, n) [sig] i = Sigmoid (h) [p] y = Mul (i, i) }""",
    "concat": HEAD + """g (float[N, 3, 8, 8] x) => (float[N, 4, 8, 8] y) <float[3, 3, 1, 1] w, float[4, 6, 1, 1] v>
    { [c] a = Conv (x, w) [r] b = Relu (a) [k] e = Concat <axis = 1> (x, b) [d] y = Conv (e, v) }""",
    "float in between": HEAD + """g (float[N, 3, 8, 8] x) => (float[N, 4, 8, 8] y)
    <float[3, 3, 1, 1] w, float[4, 3, 1, 1] v, float[3, 3, 1, 1, 1] u>
    { [c] a = Conv (x, w) [s] b = Softmax <axis = 1> (a) [m] e = MaxPool <kernel_shape = [1, 1]> (b)
      [d] y = Conv (e, v) }""",
    "a layer in float": HEAD + """g (float[N, 3, 4, 4, 4] x) => (float[N, 2, 4, 4, 4] y)
    <float[3, 3, 1, 1, 1] w, float[2, 3, 1, 1, 1] v>
    { [c] a = Conv (x, w) [r] b = Relu (a) [t] e = Transpose <perm = [0, 1, 2, 4, 3]> (b) [d] y = Conv (e, v) }""",
    "two formats of one result": HEAD + """g (float[N, 3, 8, 8] x) => (float[N, 3, 8, 8] y, float[N, 3, 8, 8] a)
    <float[3, 3, 1, 1] w> { [c] a = Conv (x, w) [r] b = Relu (a) [d] y = Conv (b, w) }""",
}  # fmt: skip


def common(found):
    """What does not depend on how a model computes."""
    unlike = {"op": "", "accumulator_bits": None, "safe_accumulator_bits": None, "unit": None}
    return {
        "layers": {layer.name: dataclasses.replace(layer, **unlike) for layer in found.layers},
        "tensors": {item.name: item for item in found.tensors},
        **{name: getattr(found, name) for name in ("inputs", "outputs", "macs", "weights")},
        "bits": (found.weight_bits_float, found.weight_bits_stored),
    }


def both(source, **options):
    simulation = convert(source, target="simulation", **options)
    native = convert(source, target="native", plan=simulation.plan)
    return inspect(to_proto(simulation.model)), inspect(to_proto(native.model))


@pytest.mark.parametrize("batch_norm", ["fold", "merge", "separate"])
@pytest.mark.parametrize("options", [{"scheme": "fixed"}, {"scheme": "log"}, {"granularity": "layer"}], ids=str)
@pytest.mark.parametrize("name", GRAPHS)
def test_a_native_graph_says_what_its_simulation_says(name, options, batch_norm):
    simulation, native = both(parse(GRAPHS[name]), batch_norm=batch_norm, **options)
    assert simulation.layers
    assert common(native) == common(simulation)


def test_inputs_of_different_formats_are_counted_on_one_grid():
    """8 bits at 2^-4 and 8 unsigned ones at 2^-6 fit 10 signed ones at 2^-6."""
    source = parse(GRAPHS["concat"])
    plan = convert(source).plan
    tensors = dict(plan.tensors)
    tensors["x"] = dataclasses.replace(tensors["x"], format=FixedPoint(8, 4))
    tensors["b"] = dataclasses.replace(tensors["b"], format=FixedPoint(8, 6, signed=False))
    edited = dataclasses.replace(plan, tensors=tensors)
    found = [inspect(convert(source, plan=edited, target=target).model) for target in ("simulation", "native")]
    assert [layer.input_bits for layer in found[0].layers] == [8, 10]
    assert common(found[0]) == common(found[1])


@pytest.mark.parametrize("batch_norm", ["fold", "merge", "separate"])
@pytest.mark.parametrize("scheme", ["fixed", "log"])
def test_real_networks_say_the_same(digits_model, scheme, batch_norm):
    simulation, native = both(digits_model, scheme=scheme, batch_norm=batch_norm)
    assert len(simulation.layers) == 10
    assert common(native) == common(simulation)


WITH_BATCH_NORM = (
    "resnet20_cifar10",
    "mlperf_tiny_resnet8_cifar10",
    "cnn6_fashion_mnist",
    "mobilenet_v1_075_imagenet",
)
WITHOUT = ("mnist8_onnxzoo", "squeezenet11_imagenet", "yolox_nano_coco")


@pytest.mark.parametrize("scheme", ["fixed", "log"])
@pytest.mark.parametrize(
    ("name", "batch_norm"),
    [(name, treatment) for name in WITH_BATCH_NORM for treatment in ("fold", "merge", "separate")]
    + [(name, "fold") for name in WITHOUT],
)
def test_networks_of_the_assets_say_the_same(assets, name, scheme, batch_norm):
    simulation, native = both(assets / "models" / f"{name}.onnx", scheme=scheme, batch_norm=batch_norm)
    assert common(native) == common(simulation)


def test_what_only_a_native_graph_says():
    simulation, native = both(parse(GRAPHS["batch norms"]), scheme="log", batch_norm="separate")
    assert {layer.op for layer in simulation.layers} == {"Conv"}
    assert {layer.op for layer in native.layers} == {"ShiftConv"}
    assert {layer.accumulator_bits for layer in simulation.layers} == {None}
    for layer in native.layers:
        assert layer.accumulator_bits == layer.safe_accumulator_bits > 8 + 14
    assert (simulation.affine_units, simulation.tables, simulation.table_entries) == (0, 0, 0)
    assert (native.affine_units, native.tables, native.table_entries) == (2, 1, 256)


def test_metadata_that_make_no_sense():
    proto = to_proto(convert(parse(TEXT)).model)
    (entry,) = next(node for node in proto.graph.node if node.op_type == "FixedConv").metadata_props
    document = json.loads(entry.value)
    assert (entry.key, document["node"], document["op"]) == ("qonnx_tools.format", "first", "Conv")
    for text, reason in (("{", "Expecting"), ("{}", "node: field required"), ('{"node": "a", "op": 1}', "op: input")):
        entry.value = text
        with pytest.raises(ModelError, match=rf"node 'a.FixedConv': its metadata .*qonnx_tools.format.*{reason}"):
            inspect(proto)


def test_the_lines_of_the_plan_come_through_the_graph(tmp_path, digits_model):
    """From the native graph alone, all that the plan says of formats."""
    conversion = convert(digits_model, scheme="log", batch_norm="separate")
    save(conversion.model, tmp_path / "native.onnx")
    model = load(tmp_path / "native.onnx")
    lines = {}
    for origin in (origin_of(model, node) for node in model.graph.nodes):
        lines |= {} if origin is None else origin.tensors
    plan = conversion.plan.tensors
    assert lines.keys() == plan.keys()
    assert {name: (line.role, line.format, line.axis) for name, line in lines.items()} == {
        name: (line.role, line.format, line.axis) for name, line in plan.items()
    }
