"""One format for many tensors: which ones share it, and which format it is."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from qonnx_tools.arithmetic.fixed_point import FixedPoint
from qonnx_tools.arithmetic.log import Log
from qonnx_tools.conversion import convert
from qonnx_tools.data import open_data
from qonnx_tools.graph import nodes, op_of
from qonnx_tools.histogram import Histogram
from qonnx_tools.plan import BatchNorm, Role, TensorPlan
from qonnx_tools.runtime import run, session
from qonnx_tools.schemes._fit import fit_fixed, fit_log, sample
from qonnx_tools.schemes._sharing import Member, noise_to_signal, share
from qonnx_tools.schemes.base import GRANULARITIES, make_scheme, schemes
from qonnx_tools.schemes.network import Network
from qonnx_tools.topology import Layer, Normalization

RANDOM = np.random.default_rng(5)
LARGE = RANDOM.normal(size=2000).astype(np.float32) * 8
SMALL = RANDOM.normal(size=300).astype(np.float32) * 0.05


def member(values, *, bits=8, signed=True, granularity="network", batch_norm=False, role=Role.WEIGHT):
    alone = TensorPlan(role, fit_fixed(sample(values), bits, signed=signed))
    return Member(alone, partial(sample, values), granularity, batch_norm)


def log_member(values, bits=5):
    alone = TensorPlan(Role.WEIGHT, fit_log(sample(values), bits, 1, signed=True))
    return Member(alone, partial(sample, values), "network")


def formats(members):
    return {name: plan.format for name, plan in share(members).items()}


def test_a_group_has_the_format_of_least_noise_to_signal():
    members = {"large": member(LARGE), "small": member(SMALL)}
    found = formats(members)
    assert found["large"] == found["small"]
    costs = {
        frac: sum(noise_to_signal(FixedPoint(8, frac), sample(values)) for values in (LARGE, SMALL))
        for frac in range(-4, 20)
    }
    assert found["large"].frac == min(costs, key=costs.__getitem__)
    # by squared errors alone the large numbers would decide
    assert noise_to_signal(found["small"], sample(SMALL)) < noise_to_signal(
        members["large"].alone.format, sample(SMALL)
    )


def test_the_order_of_the_tensors_does_not_matter():
    members = {"large": member(LARGE), "small": member(SMALL), "zero": member(np.zeros(5, np.float32))}
    assert formats(members) == formats(dict(reversed(members.items())))


def test_signed_where_one_of_the_tensors_is():
    positive = {name: member(np.abs(LARGE), signed=False) for name in ("a", "b")}
    assert not formats(positive)["a"].signed
    mixed = formats(positive | {"c": member(LARGE)})
    assert set(mixed.values()) == {FixedPoint(8, mixed["a"].frac, signed=True)}


def test_widths_and_kinds_of_number_stay_apart():
    found = formats({"wide": member(LARGE, bits=16), "narrow": member(SMALL), "log": log_member(SMALL)})
    assert [(form.kind, form.bits) for form in found.values()] == [("fixed", 16), ("fixed", 8), ("log", 5)]


def test_classes_stay_apart_unless_the_whole_network_shares():
    for granularity, count in (("class", 2), ("network", 1)):
        found = formats(
            {
                "conv": member(SMALL, granularity=granularity),
                "norm": member(LARGE, granularity=granularity, batch_norm=True),
            }
        )
        assert len(set(found.values())) == count


def test_only_tensors_that_share_are_named():
    assert set(share({"a": member(LARGE), "b": member(SMALL, granularity="layer")})) == {"a"}


def test_one_scale_for_all_log_weights():
    members = {"large": log_member(LARGE), "small": log_member(SMALL), "middle": log_member(LARGE / 8)}
    found = formats(members)
    assert len(set(found.values())) == 1
    assert isinstance(found["large"], Log)
    alone = [item.alone.format for item in members.values()]
    costs = [sum(noise_to_signal(form, item.sample()) for item in members.values()) for form in alone]
    assert found["large"] == alone[int(np.argmin(costs))]


def layer(name, source, output):
    shape = (4, 4, 3, 3)
    return Layer(name, "Conv", f"{name}.weight", f"{name}.bias", source, (source,), output, output, 0, shape, None)


def network(*, units=True):
    """Three layers, a batch norm behind the first and the second, and a constant that is added."""
    layers = (layer("one", "x", "z1"), layer("two", "a", "z2"), layer("three", "b", "y"))
    found = tuple(Normalization(f"bn{i}", f"bn{i}.scale", f"bn{i}.offset", f"z{i}", (f"z{i}",)) for i in (1, 2))
    random = np.random.default_rng(7)
    values = {item.weight: random.normal(size=item.weight_shape).astype(np.float32) * 0.1 for item in layers}
    values |= {item.bias: random.normal(size=4).astype(np.float32) for item in layers}
    values |= {name: random.normal(size=4).astype(np.float32) for unit in found for name in (unit.scale, unit.offset)}
    values["added"] = random.normal(size=(1, 4, 1, 1)).astype(np.float32)
    histograms = {"x": Histogram.of(LARGE)}
    histograms |= {name: Histogram.of(LARGE * 3) for name in ("z1", "z2") if units}
    histograms |= {name: Histogram.of(np.maximum(LARGE, 0)) for name in "ab"}
    return Network(layers, ("added",), values, histograms, (), found if units else ())


def propose(granularity, scheme="fixed", overrides=(), net=None, **options):
    options = {"batch_norm": BatchNorm.SEPARATE, "batch_norm_bits": 8} | options
    return make_scheme(scheme, {"granularity": granularity, **options}, overrides).propose(net or network()).tensors


def groups(tensors, *, kind="fixed"):
    """Return the sets of tensors that have the same format, biases aside."""
    found = {}
    for name, plan in tensors.items():
        if plan.role is not Role.BIAS and plan.format.kind == kind:
            found.setdefault(plan.format, set()).add(name)
    return sorted(map(sorted, found.values()))


CONVOLUTION = ["a", "added", "b", "one.weight", "three.weight", "two.weight", "x"]
NORMALIZATION = ["bn1.offset", "bn1.scale", "bn2.offset", "bn2.scale", "z1", "z2"]


def test_one_format_for_the_whole_network():
    assert groups(propose("network")) == [sorted([*CONVOLUTION, *NORMALIZATION])]


def test_one_format_a_class():
    assert groups(propose("class", batch_norm_bits=16)) == [CONVOLUTION, NORMALIZATION]


def test_widths_that_differ_have_a_format_each():
    tensors = propose("network", weight_bits=6, batch_norm_bits=16)
    weights = [name for name in CONVOLUTION if name.endswith("weight")]
    assert groups(tensors) == sorted([sorted({*CONVOLUTION} - {*weights}), NORMALIZATION, weights])


def test_log_weights_have_one_scale_and_the_rest_shares_fixed_point():
    tensors = propose("network", "log")
    weights = [name for name in CONVOLUTION if name.endswith("weight")]
    assert groups(tensors, kind="log") == [weights]
    assert groups(tensors) == [sorted({*CONVOLUTION, *NORMALIZATION} - {*weights})]


def test_a_layer_has_formats_of_its_own():
    tensors = propose("layer")
    assert all(plan.format.channels is None for plan in tensors.values())
    assert tensors["x"].format != tensors["one.weight"].format


@pytest.mark.parametrize("granularity", ["network", "class"])
def test_biases_stay_on_the_accumulators_grid(granularity):
    for units in (True, False):
        tensors = propose(granularity, net=network(units=units))
        for source, item in (("x", "one"), ("a", "two"), ("b", "three")):
            bias = tensors[f"{item}.bias"]
            assert (bias.role, bias.format.bits) == (Role.BIAS, 32)
            assert bias.format.frac == tensors[source].format.frac + tensors[f"{item}.weight"].format.frac


def test_an_offset_is_not_finer_than_what_it_is_added_to():
    net = network()
    huge = {name: Histogram.of(LARGE * 1e6) for name in ("z1", "z2")}
    values = {name: np.abs(value) * 1e6 if "scale" in name else value for name, value in net.values.items()}
    tensors = propose("class", net=replace(net, histograms={**net.histograms, **huge}, values=values))
    for unit in net.normalizations:
        grid = tensors[unit.input].format.frac + tensors[unit.scale].format.frac
        assert tensors[unit.offset].format.frac == grid < tensors[unit.scale].format.frac


def test_overrides_leave_the_group():
    shared = propose("network")
    tensors = propose("network", overrides=["two:weight_bits=4", "b:granularity=layer", "bn1:batch_norm_bits=12"])
    assert tensors["two.weight"].format.bits == 4
    assert not tensors["b"].format.signed
    assert tensors["bn1.scale"].format == tensors["bn1.offset"].format
    assert tensors["bn1.scale"].format.bits == 12
    rest = {name for name in shared if name not in ("two.weight", "b", "bn1.scale", "bn1.offset")}
    assert len({tensors[name].format for name in rest if tensors[name].role is not Role.BIAS}) == 1


def test_overrides_join_a_group():
    tensors = propose("channel", overrides=["one:granularity=network", "three:granularity=network"])
    assert tensors["one.weight"] == tensors["three.weight"]
    assert tensors["two.weight"].axis == 0


def test_a_bias_is_overridden_by_its_own_name():
    tensors = propose("layer", overrides=["one.bias:bias_bits=12", "bn2.offset:bias_bits=14"])
    assert [tensors[name].format.bits for name in ("one.bias", "two.bias")] == [12, 32]
    assert [tensors[name].format.bits for name in ("bn1.offset", "bn2.offset")] == [32, 14]


@pytest.fixture(scope="module")
def digits(digits_data):
    (batch,) = open_data(str(digits_data["test"]), None, ("N", 1, 8, 8)).batches(64, limit=64)
    return batch.images


@pytest.mark.parametrize("batch_norm", list(BatchNorm))
@pytest.mark.parametrize("granularity", GRANULARITIES)
@pytest.mark.parametrize("name", schemes())
def test_every_scheme_granularity_and_treatment_has_a_native_graph(
    name, granularity, batch_norm, digits_model, digits, digits_data
):
    options = {"granularity": granularity, "batch_norm": batch_norm, "data": digits_data["calibration"], "images": 64}
    native = convert(digits_model, scheme=name, target="native", strict=True, **options)
    simulation = convert(digits_model, scheme=name, **options)
    assert native.plan == simulation.plan
    ops = {op_of(node) for node in nodes(native.model.graph)}
    assert ops.isdisjoint({"Conv", "Gemm", "BatchNormalization", "Relu", "Add"})
    (codes,), (values,) = (run(session(converted.model), digits) for converted in (native, simulation))
    assert np.abs(codes - values).max() <= 0.05 * np.abs(values).max()  # a tie of a float32 product may round otherwise
    if granularity in ("network", "class"):
        assert len({plan.format for plan in native.plan.tensors.values() if plan.role is Role.WEIGHT}) == 1
