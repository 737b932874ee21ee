"""What shares a number format at each granularity, and that all of them run."""

from dataclasses import replace

import numpy as np
import pytest

from qonnx_tools.conversion import convert
from qonnx_tools.data import open_data
from qonnx_tools.graph import nodes, op_of
from qonnx_tools.histogram import Histogram
from qonnx_tools.plan import BatchNorm, Role
from qonnx_tools.runtime import run, session
from qonnx_tools.schemes.base import GRANULARITIES, make_scheme, schemes
from qonnx_tools.schemes.network import Network
from qonnx_tools.topology import Layer, Normalization

LARGE = np.random.default_rng(5).normal(size=2000).astype(np.float32) * 8


def layer(name, source, output):
    shape = (4, 4, 3, 3)
    return Layer(
        name, "Conv", f"{name}.weight", f"{name}.bias", source, (source,), output, output, output, 0, shape, None
    )


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
    options = {
        "granularity": granularity,
        "batch_norm": batch_norm,
        "data": digits_data["calibration"],
        "images": 64,
        "fit": "weights",
    }
    native = convert(digits_model, scheme=name, target="native", strict=True, **options)
    simulation = convert(digits_model, scheme=name, **options)
    assert native.plan == simulation.plan
    ops = {op_of(node) for node in nodes(native.model.graph)}
    assert ops.isdisjoint({"Conv", "Gemm", "BatchNormalization", "Relu", "Add"})
    (codes,), (values,) = (run(session(converted.model), digits) for converted in (native, simulation))
    assert np.abs(codes - values).max() <= 0.05 * np.abs(values).max()  # a tie of a float32 product may round otherwise
    if granularity in ("network", "class"):
        assert len({plan.format for plan in native.plan.tensors.values() if plan.role is Role.WEIGHT}) == 1


def test_fitting_weights_keeps_the_one_format(digits_model, digits_data):
    plan = convert(
        digits_model,
        granularity="network",
        batch_norm=BatchNorm.SEPARATE,
        data=digits_data["calibration"],
        images=64,
        fit="outputs",
        batch_norm_bits=8,
    ).plan
    assert len(plan.fitted) > 0
    assert len({of.format for of in plan.tensors.values() if of.role is not Role.BIAS}) == 1
