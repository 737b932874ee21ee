"""Every reader of a compressed feature map sees what decoding its stream gives, on floats and on codes."""

from dataclasses import replace

import numpy as np
import onnx
import onnxruntime
import pytest

from qonnx_tools.arithmetic.coding import decode, encode, round_trip
from qonnx_tools.arithmetic.fixed_point import FixedPoint
from qonnx_tools.conversion import convert
from qonnx_tools.errors import ConfigError
from qonnx_tools.feature_map_plan import FeatureMapPlan
from qonnx_tools.graph import consumers, nodes, to_proto
from qonnx_tools.inspection import inspect
from qonnx_tools.passes.compress_feature_maps import CompressFeatureMaps
from qonnx_tools.passes.insert_quantizers import InsertQuantizers
from qonnx_tools.pipeline import run_passes
from qonnx_tools.plan import Role, TensorPlan
from qonnx_tools.round_trips import compressed_maps
from qonnx_tools.runtime import session
from tests.helpers.compressed import LOSSY, with_maps
from tests.helpers.small_classifier import small_classifier
from tests.helpers.small_graphs import images

TARGETS = ["native", "simulation"]


def tensors_of(model, names, feed):
    return dict(zip(names, session(model, outputs=names, optimize=False).run(names, {"x": feed}), strict=True))


@pytest.mark.parametrize("target", TARGETS)
def test_readers_see_what_comes_back(target):
    network, plan = with_maps(LOSSY)
    converted = convert(network, plan=plan, target=target)
    found = {item.tensor: item for item in compressed_maps(converted.model)}
    assert {name: item.plan for name, item in found.items()} == LOSSY
    trips = {node.inputs[0].name: node.outputs[0].name for node in nodes(converted.model.graph) if "Trip" in node.op}
    names = [name for pair in trips.items() for name in pair]
    seen = tensors_of(converted.model, names, images())
    for item in found.values():
        coding = item.plan.coding(4)
        form = FixedPoint(item.format.bits, 0, item.format.signed, item.format.narrow)
        assert item.format == form
        changed = 0
        for codes, returned in zip(seen[item.codes], seen[trips[item.codes]], strict=True):
            np.testing.assert_array_equal(returned, decode(encode(codes, coding, form)))
            np.testing.assert_array_equal(returned, round_trip(codes, coding, form))
            changed += np.count_nonzero(codes != returned)
        assert changed


@pytest.mark.parametrize("target", TARGETS)
def test_both_branches_read_the_map(target):
    network, plan = with_maps(LOSSY)
    graph = convert(network, plan=plan, target=target).model.graph
    trip = next(node for node in nodes(graph) if "Trip" in node.op and "r." in node.name)
    assert [node.op for node in consumers(trip.inputs[0])] == ["FeatureMapRoundTrip"]
    behind = consumers(trip.outputs[0])
    if target == "simulation":
        assert [node.op for node in behind] == ["Dequantize"]
        behind = consumers(behind[0].outputs[0])
        assert sorted(node.op for node in behind) == ["Add", "Conv"]
    else:
        assert [node.op for node in behind] == ["FixedConvAdd"]
        assert sum(tensor is trip.outputs[0] for tensor in behind[0].inputs) == 2


OPTIONS = [
    {"weight_bits": 4, "activation_bits": 6},
    {"residual_add": "merge"},
    {"batch_norm": "separate"},
    {"scheme": "log"},
    {"scheme": "log", "activations": "log", "trunk": "fixed8-log", "activation_bits": 4},
]


@pytest.mark.parametrize(
    ("example", "options"),
    [
        *[(example, {}) for example in ("relu", "residual", "concat", "pooling", "moving", "product")],
        *[("residual", options) for options in OPTIONS],
        *[("batch norm", {"batch_norm": treatment}) for treatment in ("fold", "merge", "separate")],
    ],
    ids=str,
)
def test_native_and_simulation_give_the_same_bits(example, options):
    network, plan = with_maps({}, example, **options)
    maps = {
        name: FeatureMapPlan("haar", levels=1, step=5.0)
        for name, line in plan.tensors.items()
        if line.role is Role.ACTIVATION and isinstance(line.format, FixedPoint) and name != "x"
    }
    plan = replace(plan, feature_maps=maps)
    results = [convert(network, plan=plan, target=target).model for target in TARGETS]
    found = [{item.tensor: item for item in compressed_maps(result)} for result in results]
    assert {name: item.plan for name, item in found[0].items()} == maps
    assert found[0].keys() == found[1].keys()
    feed = images()
    seen = [
        tensors_of(result, [item.codes for item in items.values()], feed)
        for result, items in zip(results, found, strict=True)
    ]
    for name in maps:
        np.testing.assert_array_equal(seen[0][found[0][name].codes], seen[1][found[1][name].codes])


def test_lossless_changes_nothing():
    network, plan = with_maps({name: FeatureMapPlan("wavelet53", levels=3) for name in LOSSY})
    feed = images()
    for target in TARGETS:
        plain = convert(network, plan=replace(plan, feature_maps={}), target=target)
        compressed = convert(network, plan=plan, target=target)
        outputs = [session(item.model).run(None, {"x": feed})[0] for item in (plain, compressed)]
        np.testing.assert_array_equal(*outputs)


def test_the_bodies_give_what_the_library_gives():
    network, plan = with_maps(LOSSY)
    proto = to_proto(convert(network, plan=plan).model)
    onnx.checker.check_model(proto, full_check=True)
    plain = onnxruntime.InferenceSession(proto.SerializeToString())
    feed = images()
    np.testing.assert_array_equal(plain.run(None, {"x": feed})[0], session(proto).run(None, {"x": feed})[0])


@pytest.mark.parametrize("target", TARGETS)
def test_the_contents_stay_those_without_compression(target):
    network, plan = with_maps(LOSSY)
    plain = inspect(convert(network, plan=replace(plan, feature_maps={}), target=target).model)
    compressed = inspect(convert(network, plan=plan, target=target).model)
    assert [layer.input_bits for layer in compressed.layers] == [layer.input_bits for layer in plain.layers]
    assert [layer.name for layer in compressed.layers] == [layer.name for layer in plain.layers]
    assert compressed.work.maps == plain.work.maps


def test_a_second_run_does_nothing():
    network, plan = with_maps(LOSSY)
    (once,) = run_passes(network, [InsertQuantizers(replace(plan, feature_maps={})), CompressFeatureMaps(LOSSY)])[1:]
    assert [outcome.node for outcome in once.rewrites] == ["r", "u"]
    assert once.rewrites[0].what.endswith(
        "stored as wavelet53, 2 levels, step 6.5 LSB, finest bands of 2 channels dropped, context coder"
    )
    assert once.rewrites[1].what.endswith("stored as predictive, step 9 LSB, rice coder")
    (again,) = run_passes(network, [CompressFeatureMaps(LOSSY)])
    assert [(outcome.node, outcome.reason) for outcome in again.outcomes] == [
        ("r", "is compressed already"),
        ("u", "is compressed already"),
    ]


def refused(maps, example="residual", lines=None):
    network, plan = with_maps({}, example)
    plan = replace(plan, tensors={**plan.tensors, **(lines or {})})
    with pytest.raises(ConfigError) as caught:
        run_passes(network, [InsertQuantizers(plan), CompressFeatureMaps(maps)])
    return str(caught.value)


def test_what_cannot_be_compressed():
    any_map = FeatureMapPlan()
    assert refused({"rr": any_map}).startswith("feature map 'rr' is not in the model; did you mean 'r'?")
    assert refused({"z": any_map}) == "feature map 'z' has no format; give it one in the plan"
    wide = TensorPlan(Role.ACTIVATION, FixedPoint(20, 4))
    message = "feature map 'r' cannot be compressed: it has 20 bits; codes of 1 to 16 bits are compressed; take it out"
    assert refused({"r": any_map}, lines={"r": wide}) == message
    dropping = FeatureMapPlan("haar", levels=1, dropped=(4,))
    assert refused({"r": dropping}) == "feature map 'r': dropped: there is no channel 4; the map has 4"


def test_a_map_that_is_no_image():
    network = small_classifier()
    plan = convert(network).plan
    lines = {**plan.tensors, "j": TensorPlan(Role.ACTIVATION, FixedPoint(8, 4))}
    with pytest.raises(ConfigError, match=r"feature map 'j' cannot be compressed: its shape is .*not \[N, C, H, W\]"):
        convert(network, plan=replace(plan, tensors=lines, feature_maps={"j": FeatureMapPlan()}))


def test_a_target_without_the_op():
    network, plan = with_maps(LOSSY)
    with pytest.raises(ConfigError, match="feature maps 'r', 'u': the target qonnx has no op"):
        convert(network, plan=plan, target="qonnx")
