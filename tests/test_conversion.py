"""Conversion from end to end: the same bytes each time, the numbers that the plan says, on every kind of layer."""

import hashlib
import os
import subprocess
import sys

import numpy as np
import onnx
import onnxruntime
import pytest

from qonnx_tools.arithmetic.fixed_point import FixedPoint
from qonnx_tools.arithmetic.log import Log
from qonnx_tools.conversion import convert
from qonnx_tools.data import preprocessing
from qonnx_tools.errors import ConfigError, ModelError
from qonnx_tools.evaluation import evaluate
from qonnx_tools.graph import load, parse, save, to_proto
from qonnx_tools.inspection import inspect
from qonnx_tools.plan import Plan, Role, load_plan, save_plan
from qonnx_tools.quantizers import quantizer_of
from qonnx_tools.runtime import session
from qonnx_tools.schemes.base import make_scheme

HEAD = '<ir_version: 8, opset_import: ["" : 17]> '


def content(conversion) -> bytes:
    return to_proto(conversion.model).SerializeToString(deterministic=True)


def plain(proto: onnx.ModelProto) -> onnxruntime.InferenceSession:
    """onnxruntime as anyone has it: no library, no folding of ours, no optimization."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(proto.SerializeToString(), options)


LAST = {"native": "fuse-residual-add", "simulation": "insert-quantizers"}


@pytest.mark.parametrize("scheme", ["fixed", "log"])
@pytest.mark.parametrize("with_data", [True, False])
def test_digits(digits_model, digits_data, scheme, with_data):
    data = digits_data["calibration"] if with_data else None
    native = convert(digits_model, scheme=scheme, data=data)
    assert "200 of" in native.calibration.source if with_data else "no data" in native.calibration.source
    simulation = convert(digits_model, plan=native.plan, target="simulation")
    images = np.load(digits_data["test"])["images"][:50].transpose(0, 3, 1, 2).astype(np.float32)
    for result in (native, simulation):
        assert [report.name for report in result.reports][-1] == LAST[result.target]
        measured = evaluate(result.model, digits_data["test"], against=digits_model)
        assert measured.against.other.top1.successes == 498
        lost = 498 - measured.model.top1.successes
        assert lost <= (3 if scheme == "fixed" or with_data else 30)
        assert measured.against.sqnr_db > (30 if scheme == "fixed" else 13 if with_data else 6)
        proto = to_proto(result.model)
        with_library = session(proto, optimize=False).run(None, {"input": images})
        np.testing.assert_array_equal(plain(proto).run(None, {"input": images}), with_library)


def test_every_tensor_of_the_plan_is_quantized_as_it_says(digits_model):
    result = convert(digits_model, scheme="log", weight_bits=4, activation_bits=6, target="simulation")
    found = {node.inputs[0].name: quantizer_of(node) for node in result.model.graph.nodes if quantizer_of(node)}
    assert found.keys() == result.plan.tensors.keys()
    assert {name: each.format for name, each in found.items()} == {
        name: each.format for name, each in result.plan.tensors.items()
    }
    layers = inspect(result.model).layers
    assert {layer.weight_bits for layer in layers} == {4}
    assert {layer.input_bits for layer in layers} == {6}
    assert {layer.bias_bits for layer in layers} == {32}
    assert {layer.weight_kind for layer in layers} == {"log"}


@pytest.mark.parametrize("scheme", ["fixed", "log"])
def test_the_same_bytes_in_another_process(tmp_path, digits_model, digits_data, scheme):
    results = [convert(digits_model, scheme=scheme, data=str(digits_data["calibration"])) for _ in range(2)]
    assert content(results[0]) == content(results[1])
    code = (
        "import sys, qonnx_tools\nfrom qonnx_tools.graph import save\n"
        "model, data, scheme, out = sys.argv[1:]\n"
        "save(qonnx_tools.convert(model, data=data, scheme=scheme).model, out)"
    )
    arguments = [str(digits_model), str(digits_data["calibration"]), scheme, str(tmp_path / "out.onnx")]
    environment = os.environ | {"PYTHONHASHSEED": "77"}  # all else alike: sums depend on the kernels of the BLAS
    subprocess.run([sys.executable, "-P", "-c", code, *arguments], check=True, env=environment)
    save(results[0].model, tmp_path / "mine.onnx")
    digests = {hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() for name in ("mine.onnx", "out.onnx")}
    assert len(digests) == 1


def test_a_plan_gives_the_bytes_that_it_came_with(tmp_path, digits_model):
    first = convert(digits_model, scheme="log")
    save_plan(first.plan, tmp_path / "plan.json")
    for plan in (first.plan, tmp_path / "plan.json", str(tmp_path / "plan.json"), load_plan(tmp_path / "plan.json")):
        again = convert(digits_model, plan=plan)
        assert content(again) == content(first)
        assert (again.plan, again.calibration) == (first.plan, None)


def test_an_edited_plan_is_what_counts(digits_model):
    first = convert(digits_model)
    tensors = {name: each for name, each in first.plan.tensors.items() if name.endswith("weight")}
    edited = convert(digits_model, plan=Plan(tensors=tensors), target="simulation")
    assert sum(quantizer_of(node) is not None for node in edited.model.graph.nodes) == len(tensors) == 10


def test_the_model_given_stays_as_it_is(digits_model):
    proto = onnx.load_model(digits_model)
    model = load(digits_model)
    before = proto.SerializeToString(deterministic=True), to_proto(model).SerializeToString(deterministic=True)
    results = [convert(source) for source in (proto, model, digits_model, str(digits_model))]
    assert proto.SerializeToString(deterministic=True) == before[0]
    assert to_proto(model).SerializeToString(deterministic=True) == before[1]
    assert len({content(result) for result in results}) == 1


@pytest.mark.parametrize("target", LAST)
def test_names_shapes_and_metadata_stay(digits_model, target):
    proto = onnx.load_model(digits_model)
    proto.metadata_props.add(key="author", value="somebody")
    proto.doc_string, proto.domain, proto.model_version = "about it", "my.domain", 42
    proto.graph.doc_string = "the graph"
    made = to_proto(convert(proto, target=target).model)
    assert made.graph.input == proto.graph.input
    assert made.graph.output == proto.graph.output
    assert {entry.key: entry.value for entry in made.metadata_props}["author"] == "somebody"
    for name in ("doc_string", "domain", "model_version", "producer_name", "producer_version"):
        assert getattr(made, name) == getattr(proto, name)
    assert made.graph.doc_string == "the graph"
    if target == "simulation":
        assert {node.name for node in proto.graph.node if node.op_type in ("Conv", "Gemm", "Relu", "Add")} <= {
            node.name for node in made.graph.node
        }
    onnx.checker.check_model(made, full_check=True)


def test_images_limits_the_data(digits_model, digits_data):
    few = convert(digits_model, data=digits_data["calibration"], images=7)
    assert few.calibration.images == 7
    seen = []
    convert(digits_model, data=digits_data["calibration"], images=100, progress=lambda *pair: seen.append(pair))
    assert seen[-1] == (100, 100)
    with pytest.raises(ConfigError, match="images is 0; calibration needs at least 1"):
        convert(digits_model, data=digits_data["calibration"], images=0)


def test_granularity(digits_model):
    channels = {}
    for granularity in ("channel", "layer"):
        plan = convert(digits_model, granularity=granularity).plan
        channels[granularity] = [each.format.channels for each in plan.tensors.values() if each.role is Role.WEIGHT]
    assert channels == {"channel": [16, 16, 16, 32, 32, 32, 48, 48, 48, 10], "layer": [None] * 10}


def test_overrides(digits_model):
    plan = convert(digits_model, overrides=["*blocks.1*:weight_bits=3", "classifier.weight:weight_bits=6"]).plan
    bits = {name: each.format.bits for name, each in plan.tensors.items() if each.role is Role.WEIGHT}
    assert {value for name, value in bits.items() if "blocks.1" in name} == {3}
    assert bits["classifier.weight"] == 6
    assert bits["stem.0.weight"] == 8


def test_schemes_by_name_and_as_objects(digits_model):
    by_name = convert(digits_model, scheme="log", weight_bits=4)
    as_object = convert(digits_model, scheme=make_scheme("log", {"weight_bits": 4}))
    assert content(by_name) == content(as_object)
    with pytest.raises(ConfigError, match="scheme log is given with its options"):
        convert(digits_model, scheme=make_scheme("log", {}), weight_bits=4)
    with pytest.raises(ConfigError, match="scheme log is given with its options"):
        convert(digits_model, scheme=make_scheme("log", {}), overrides=["*:weight_bits=4"])


@pytest.mark.parametrize("options", [{"scheme": "fixed"}, {"weight_bits": 4}, {"overrides": ["*:weight_bits=4"]}])
def test_a_plan_goes_with_no_format_option(digits_model, options):
    with pytest.raises(ConfigError, match="a plan names every format already"):
        convert(digits_model, plan=Plan(), **options)


LAYERS = {
    "conv": ("N, 3, 6, 6", "N, 4, 4, 4", "float[4, 3, 3, 3] w, float[4] b", "y = Conv (x, w, b)"),
    "no bias": ("N, 3, 6, 6", "N, 4, 4, 4", "float[4, 3, 3, 3] w", "y = Conv (x, w)"),
    "grouped": ("N, 4, 6, 6", "N, 6, 4, 4", "float[6, 2, 3, 3] w, float[6] b", "y = Conv <group = 2> (x, w, b)"),
    "depthwise": ("N, 4, 6, 6", "N, 8, 4, 4", "float[8, 1, 3, 3] w, float[8] b", "y = Conv <group = 4> (x, w, b)"),
    "1-D": ("N, 3, 9", "N, 4, 7", "float[4, 3, 3] w, float[4] b", "y = Conv (x, w, b)"),
    "3-D": ("N, 2, 4, 4, 4", "N, 3, 3, 3, 3", "float[3, 2, 2, 2, 2] w, float[3] b", "y = Conv (x, w, b)"),
    "transposed": ("N, 3, 4, 4", "N, 5, 5, 5", "float[3, 5, 2, 2] w, float[5] b", "y = ConvTranspose (x, w, b)"),
    "transposed, grouped": ("N, 4, 4, 4", "N, 6, 5, 5", "float[4, 3, 2, 2] w, float[6] b",
                            "y = ConvTranspose <group = 2> (x, w, b)"),
    "gemm": ("N, 7", "N, 3", "float[7, 3] w, float[3] b", "y = Gemm (x, w, b)"),
    "gemm, transposed": ("N, 7", "N, 3", "float[3, 7] w, float[3] b", "y = Gemm <transB = 1> (x, w, b)"),
    "gemm, bias of a row": ("N, 7", "N, 3", "float[7, 3] w, float[1, 3] b", "y = Gemm (x, w, b)"),
    "gemm, one bias": ("N, 7", "N, 3", "float[7, 3] w, float[1] b", "y = Gemm (x, w, b)"),
    "gemm, scalar bias": ("N, 7", "N, 3", "float[7, 3] w, float b", "y = Gemm (x, w, b)"),
    "matmul": ("N, 7", "N, 3", "float[7, 3] w", "y = MatMul (x, w)"),
    "matmul of rows": ("N, 5, 7", "N, 5, 3", "float[7, 3] w", "y = MatMul (x, w)"),
    "constants": ("N, 3, 4, 4", "N, 3, 4, 4", "float[1, 3, 1, 1] k, float s",
                  "a = Mul (x, k) b = Add (s, a) y = Relu (b)"),
    "concat": ("N, 3, 4, 4", "N, 2, 4, 4", "float[3, 3, 1, 1] w, float[2, 6, 1, 1] v",
               "a = Conv (x, w) b = Relu (a) c = Concat <axis = 1> (b, x) y = Conv (c, v)"),
    "residual": ("N, 3, 4, 4", "N, 3, 4, 4", "float[3, 3, 1, 1] w, float[3, 3, 1, 1] v",
                 "a = Conv (x, w) b = Relu (a) c = Conv (b, v) d = Add (c, x) y = Relu (d)"),
    "split": ("N, 4, 4, 4", "N, 2, 4, 4", "float[2, 2, 1, 1] w",
              "a, b = Split <axis = 1> (x) c = Conv (a, w) d = Sigmoid (b) y = Mul (c, d)"),
    "shared weights": ("N, 3, 4, 4", "N, 3, 4, 4", "float[3, 3, 1, 1] w, float[3] b",
                       "a = Conv (x, w, b) c = Relu (a) y = Conv (c, w, b)"),
}  # fmt: skip


@pytest.mark.parametrize("scheme", ["fixed", "log"])
@pytest.mark.parametrize("granularity", ["channel", "layer"])
@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("target", LAST)
def test_every_kind_of_layer(name, scheme, granularity, target):
    """Wide formats give nearly the float numbers; and the library gives what the function bodies give."""
    inputs, outputs, stored, body = LAYERS[name]
    proto = parse(f"{HEAD} g (float[{inputs}] x) => (float[{outputs}] y) <{stored}> {{ {body} }}")
    bits = {"weight_bits": 16} if scheme == "fixed" else {"weight_bits": 5}
    result = convert(proto, scheme=scheme, granularity=granularity, activation_bits=16, target=target, **bits)
    roles = {tensor: each.role for tensor, each in result.plan.tensors.items()}
    for tensor in proto.graph.initializer:
        assert tensor.name in roles
    shape = [size if isinstance(size, int) else 4 for size in session(proto).get_inputs()[0].shape]
    x = np.random.default_rng(3).normal(size=shape).astype(np.float32)
    made = to_proto(result.model)
    onnx.checker.check_model(made, full_check=True)
    (got,) = session(made, optimize=False).run(None, {"x": x})
    np.testing.assert_array_equal(plain(made).run(None, {"x": x})[0], got)
    (expected,) = plain(proto).run(None, {"x": x})
    has_log = any(isinstance(each.format, Log) for each in result.plan.tensors.values())
    assert has_log == (scheme == "log" and name != "constants")
    limit = 0.35 if has_log else 2e-3
    assert np.abs(got - expected).max() <= limit * np.abs(expected).max()
    assert np.abs(got - expected).max() > 0


def test_what_stays_in_float_is_said():
    text = f"""{HEAD} g (float[N, 3, 4, 4] x) => (float[N, 2, 4, 4] y) <float[2, 3, 1, 1] w>
    {{ a = Conv (x, w) b = Softmax (a) y = Erf (b) }}"""
    result = convert(parse(text))
    assert {skip.node: skip.reason for skip in result.left} == {
        "a": "read only by Softmax, which stays in float",
        "b": "read only by Erf, which stays in float",
        "y": "a result of the graph: read at the accumulator's precision",
    }
    assert set(result.plan.tensors) == {"x", "w"}


def test_nothing_to_quantize():
    text = f"{HEAD} g (float[N, 3] x) => (float[N, 3] y) {{ y = Softmax (x) }}"
    result = convert(parse(text))
    assert (result.plan.tensors, len(result.left)) == ({}, 2)


@pytest.mark.parametrize("batch", [1, 4])
def test_fixed_batch_sizes_give_the_same_plan(digits_model, digits_data, batch):
    """30 images end in a batch of 2 where the model wants 4."""
    proto = onnx.load_model(digits_model)
    for value in (*proto.graph.input, *proto.graph.output):
        value.type.tensor_type.shape.dim[0].dim_value = batch
    data = digits_data["calibration"]
    fixed, free = convert(proto, data=data, images=30), convert(digits_model, data=data, images=30)
    assert fixed.plan == free.plan
    assert to_proto(fixed.model).graph.input == proto.graph.input
    one, other = (
        evaluate(fixed.model, digits_data["test"], limit=30),
        evaluate(free.model, digits_data["test"], limit=30),
    )
    assert one.model.top1.successes == other.model.top1.successes


def test_preprocessing_reaches_the_data(digits_model, digits_data):
    given = {"data": digits_data["calibration"]}
    raw, halved = (
        convert(digits_model, **given, preprocessing=preprocessing("raw", scale=scale)).plan.tensors["input"].format
        for scale in (1.0, 0.5)
    )
    assert (raw, halved) == (FixedPoint(8, 3, signed=False), FixedPoint(8, 4, signed=False))


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ("(float[N] x, float[N] z) => (float[N] y) { y = Add (x, z) }", r"the model has 2 inputs \('x', 'z'\)"),
        ("() => (float[2] y) <float[2] x> { y = Relu (x) }", "the model has 0 inputs; export it with one"),
        ("(int32[N] x) => (int32[N] y) { y = Neg (x) }", "input 'x' is int32 of shape"),
        ("(float x) => (float y) { y = Neg (x) }", r"input 'x' is float32 of shape \[\]; export it as float32"),
    ],
)
def test_models_that_cannot_be_converted(declared, message):
    with pytest.raises(ModelError, match=f"the model: {message}"):
        convert(parse(f"{HEAD} g {declared}"))


def test_quantizers_without_a_format_are_refused():
    text = """<ir_version: 8, opset_import: ["" : 17, "qonnx.custom_op.general" : 1]> g (float[N] x) => (float[N] y)
    <float s = {0.3}, float z = {0}, float b = {8}>
    { [q] y = qonnx.custom_op.general.Quant <signed = 1, narrow = 0, rounding_mode = "ROUND"> (x, s, z, b) }"""
    with pytest.raises(ModelError, match=r"the model: 1 quantizers have no format here: 'x': its scale is 0\.3"):
        convert(parse(text))


GOLDEN = [("fixed", True, 0.3), ("log", True, 0.4), ("fixed", False, 1.0), ("log", False, 5.5)]


@pytest.mark.parametrize(("scheme", "with_data", "points"), GOLDEN)
def test_resnet20_loses_little(assets, scheme, with_data, points):
    """On 5,000 test images; calibrated on 512 of the training set, or on none."""
    file, cifar10 = assets / "models" / "resnet20_cifar10.onnx", preprocessing("cifar10")
    data = assets / "data" / "cifar10_train.npz" if with_data else None
    native = convert(file, scheme=scheme, data=data, preprocessing=cifar10 if with_data else None)
    if with_data:
        assert native.calibration.images == 512
    for result in (native, convert(file, plan=native.plan, target="simulation")):
        measured = evaluate(result.model, assets / "data" / "cifar10_test.npz", preprocessing=cifar10)
        assert measured.images == 5000
        assert 100 * measured.model.top1.share >= 91.48 - points
