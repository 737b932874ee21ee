"""The target qdq in plain onnxruntime: the numbers of the native graph, optimized or not, by standard ops alone."""

import dataclasses

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from hypothesis import HealthCheck, assume, given, note, settings
from hypothesis import strategies as st
from onnx import numpy_helper
from random_network import random_images, random_network, random_options
from real_networks import feeds, model_path
from small_graphs import GRAPHS, images, model

from qonnx_tools.conversion import convert
from qonnx_tools.errors import ConfigError, UnsupportedError
from qonnx_tools.feature_map_plan import FeatureMapPlan
from qonnx_tools.graph import from_proto, to_proto
from qonnx_tools.inspection import inspect
from qonnx_tools.outcome import Skip
from qonnx_tools.passes.lower_to_qdq import LowerToQdq
from qonnx_tools.pipeline import run_passes
from qonnx_tools.runtime import session
from qonnx_tools.verification import verify

LEVELS = [ort.GraphOptimizationLevel.ORT_DISABLE_ALL, ort.GraphOptimizationLevel.ORT_ENABLE_ALL]
INTEGER_KERNELS = {"ConvInteger", "MatMulInteger", "MatMulIntegerToFloat", "QGemm", "QLinearAdd", "QLinearConv",
                   "QLinearGlobalAveragePool", "QLinearMatMul", "QLinearMul"}  # fmt: skip
some = settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])


def plain(proto, level, written=""):
    """A session of onnxruntime that knows no library of ours."""
    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    options.graph_optimization_level = level
    options.optimized_model_filepath = str(written)
    return ort.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])


def check(network, feed, **options):
    """Convert to both targets, compare all outputs with the native graph's, and return the qdq conversion."""
    native = convert(network, target="native", **options)
    expected = session(native.model, threads=1, optimize=False).run(None, feed)
    conversion = convert(network, target="qdq", **options)
    proto = to_proto(conversion.model)
    onnx.checker.check_model(proto, full_check=True)
    assert not proto.functions
    assert {node.domain for node in proto.graph.node} == {""}
    for level in LEVELS:
        for found, wanted in zip(plain(proto, level).run(None, feed), expected, strict=True):
            np.testing.assert_array_equal(found, wanted)
    return native, conversion


@pytest.mark.parametrize("name", GRAPHS)
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"batch_norm": "merge"},
        {"batch_norm": "separate", "activation_bits": 5, "weight_bits": 3},
        {"rounding": "half_up"},
        {"rounding": "floor", "activation_bits": 12},
        {"scheme": "log", "log_scale": "power-of-two"},
        {"scheme": "log", "activations": "log", "activation_bits": 5, "log_base": "sqrt2"},
    ],
    ids=str,
)
def test_small_networks(name, options):
    body, values = GRAPHS[name]
    check(to_proto(model(body, **values)), {"x": images()}, **options)


@pytest.mark.parametrize("scheme", ["fixed", "log"])
@some
@given(st.randoms(use_true_random=False))
def test_random_networks(scheme, source):
    network = random_network(source)
    options = random_options(source, scheme)
    note(f"{options}\n{onnx.printer.to_text(network)}")
    feed = random_images(network, source, fewest=1)
    assume(not convert(network, **options).in_float)  # what is in float may be summed in another order
    check(network, feed, **options)


@pytest.mark.parametrize("name", ["resnet20_cifar10", "mobilenet_v1_075_imagenet"])
def test_real_networks(name, assets, tmp_path):
    path = model_path(name, assets)
    _, conversion = check(path, feeds(name, path))
    written = tmp_path / "optimized.onnx"
    plain(to_proto(conversion.model), LEVELS[1], written)
    assert not {node.op_type for node in onnx.load(written).graph.node} & INTEGER_KERNELS, "sums stay exact everywhere"


def test_pairs_with_scales_of_powers_of_two(digits_model):
    _, conversion = check(digits_model, feeds("digits_resnet", digits_model))
    proto = to_proto(conversion.model)
    values = {tensor.name: numpy_helper.to_array(tensor) for tensor in proto.graph.initializer}
    pairs = [node for node in proto.graph.node if node.op_type in ("QuantizeLinear", "DequantizeLinear")]
    convs = [node for node in proto.graph.node if node.name.endswith(".FixedConv.Conv")]
    makers = {name: node for node in proto.graph.node for name in node.output}
    assert len(convs) > 3
    assert all(makers[conv.input[side]].op_type == "DequantizeLinear" for conv in convs for side in (0, 1))
    assert len(pairs) > 4 * len(convs)
    for node in pairs:
        assert np.all(np.frexp(values[node.input[1]])[0] == 0.5)
        assert len(node.input) == 2 or not values[node.input[2]].any()


def test_wide_codes_that_are_moved_come_out_the_same():
    body = """
        [c] c = Conv <kernel_shape = [1, 1]> (x, w)
        [h] h = HardSwish (c)
        [t] y = Transpose <perm = [0, 1, 3, 2]> (h)
        """
    network = to_proto(model(body, w=np.ones((4, 3, 1, 1)) / 2))
    _, conversion = check(network, {"x": images() - 2}, activation_bits=6)
    ops = [node.op for node in conversion.model.graph.nodes]
    assert ops[-3:] == ["Transpose", "Cast", "Mul"], "onnxruntime moves a DequantizeLinear past a Transpose"


def test_what_codes_stand_for_is_kept(tmp_path):
    body, values = GRAPHS["residual"]
    network = to_proto(model(body, **values))
    np.savez(tmp_path / "x.npz", images=images())
    native, conversion = check(network, {"x": images()})
    assert verify(native.model, conversion.model, tmp_path / "x.npz", threads=1).equal
    formats = [{item.name: item.format for item in inspect(each.model).tensors} for each in (native, conversion)]
    assert formats[0] == formats[1]
    (again,) = run_passes(conversion.model, [LowerToQdq()])
    assert again.outcomes == ()


def test_sums_that_wrap_wrap_the_same():
    body, values = GRAPHS["relu"]
    native, conversion = check(to_proto(model(body, **values)), {"x": images()}, accumulator_bits=9)
    assert conversion.narrow == native.narrow
    assert len(conversion.narrow) == 2
    what = [outcome.what for outcome in conversion.reports[-1].outcomes if "Conv" in outcome.what]
    assert what == ["FixedConv as its function body: its sums wrap"] * 2


def test_compressed_feature_maps_are_declined():
    body, values = GRAPHS["relu"]
    network = to_proto(model(body, **values))
    plan = convert(network).plan
    compressed = dataclasses.replace(plan, feature_maps={"r": FeatureMapPlan(transform="wavelet53", levels=1, step=2)})
    with pytest.raises(ConfigError, match="feature maps 'r': the target qdq has no op for compressed feature maps"):
        convert(network, plan=compressed, target="qdq")
    (report,) = run_passes(convert(network, plan=compressed).model, [LowerToQdq()])
    (skip,) = (outcome for outcome in report.outcomes if isinstance(outcome, Skip))
    assert skip.reason == "FeatureMapRoundTrip has no form in standard ONNX without loops"


def test_strict_refuses_what_stays_in_float():
    network = to_proto(model("[c] z = Conv (x, w)\n[s] y = Softmax (z)", w=np.ones((4, 3, 1, 1))))
    with pytest.raises(UnsupportedError, match="Softmax has no integer form"):
        convert(network, target="qdq", strict=True)
    with pytest.raises(ConfigError, match="strict goes with the target native"):
        convert(network, target="qonnx", strict=True)


def test_a_graph_without_ops_of_ours_stays_as_it_is():
    body, values = GRAPHS["relu"]
    work = from_proto(to_proto(model(body, **values)))
    before = to_proto(work)
    (report,) = run_passes(work, [LowerToQdq()])
    assert (report.outcomes, to_proto(work)) == ((), before)
