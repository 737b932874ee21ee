"""Schemes: what they propose, how single layers are excepted, and what they refuse."""

import numpy as np
import pytest
from four_layers import LAYERS, NETWORK
from small_graphs import model

from qonnx_tools.arithmetic.fixed_point import FixedPoint
from qonnx_tools.arithmetic.log import Log
from qonnx_tools.conversion import convert
from qonnx_tools.errors import ConfigError
from qonnx_tools.histogram import Histogram
from qonnx_tools.plan import BatchNorm, Role
from qonnx_tools.runtime import run, session
from qonnx_tools.schemes._grids import finest_bits
from qonnx_tools.schemes.addends import SCALE_FRAC
from qonnx_tools.schemes.base import make_scheme, schemes
from qonnx_tools.schemes.network import Network
from qonnx_tools.topology import Normalization


@pytest.mark.parametrize("name", schemes())
def test_every_tensor_gets_a_format_and_the_plan_is_the_same_each_time(name):
    scheme = make_scheme(name, {})
    plan = scheme.propose(NETWORK)
    assert set(plan.tensors) == {*NETWORK.histograms, *NETWORK.constants, *NETWORK.values}
    assert plan == scheme.propose(NETWORK)
    assert plan.scheme == name


def test_activations_are_signed_only_where_they_go_below_zero():
    plan = make_scheme("fixed", {}).propose(NETWORK)
    assert plan.tensors["x"].format.signed
    assert not any(plan.tensors[name].format.signed for name in "abc")


def test_tensors_that_meet_in_a_concat_share_a_format():
    histograms = {**NETWORK.histograms, "b": Histogram.of(np.float32([0, 100]))}
    apart = Network(NETWORK.layers, NETWORK.constants, NETWORK.values, histograms)
    joined = Network(
        NETWORK.layers, NETWORK.constants, NETWORK.values, histograms, joined=(("a", "b", "not quantized"),)
    )
    plan = make_scheme("fixed", {}).propose(joined)
    assert plan.tensors["a"] == plan.tensors["b"]
    assert plan.tensors["a"].format.decode(plan.tensors["a"].format.code_range[1]) >= 64
    separate = make_scheme("fixed", {}).propose(apart)
    assert separate.tensors["a"] != separate.tensors["b"]
    assert plan.tensors["c"] == separate.tensors["c"]


def test_biases_lie_on_the_grid_of_the_accumulator():
    plan = make_scheme("fixed", {"weight_bits": 6, "activation_bits": 7, "granularity": "layer"}).propose(NETWORK)
    for item in LAYERS:
        bias = plan.tensors[item.bias]
        assert bias.role is Role.BIAS
        assert bias.format.bits == 32
        assert bias.format.frac == plan.tensors[item.weight].format.frac + plan.tensors[item.input].format.frac


@pytest.mark.parametrize("name", schemes())
def test_formats_per_channel_err_less_than_one_for_the_layer(name):
    spread = np.float32([100, 1, 0.01, 1e-4]).reshape(4, 1, 1, 1)
    values = {**NETWORK.values, "first.weight": NETWORK.values["first.weight"] * spread}
    network = Network(NETWORK.layers, NETWORK.constants, values, NETWORK.histograms)
    errors = {}
    for granularity in ("layer", "channel"):
        plan = make_scheme(name, {"granularity": granularity}).propose(network)
        weight, bias = plan.tensors["first.weight"], plan.tensors["first.bias"]
        quantized = weight.format.quantize(values["first.weight"], weight.rounding, weight.axis)
        errors[granularity] = np.abs(quantized / values["first.weight"] - 1).max(axis=(1, 2, 3))
        assert weight.format.channels == (4 if granularity == "channel" else None)
        assert np.all(np.asarray(bias.format.frac) <= finest_bits(weight.format) + plan.tensors["x"].format.frac)
    assert np.median(errors["channel"]) < np.median(errors["layer"])


def test_a_bias_too_large_for_that_grid_keeps_its_range():
    values = {**NETWORK.values, "first.bias": np.float32([3e4, -1.0, 0.0, 2.0])}
    network = Network(NETWORK.layers, NETWORK.constants, values, NETWORK.histograms)
    bias = make_scheme("fixed", {"bias_bits": 16, "granularity": "layer"}).propose(network).tensors["first.bias"].format
    assert bias == FixedPoint(16, 0)
    assert bias.quantize(np.float32([3e4])) == np.float32([3e4])


def test_log_weights_by_default_and_fixed_ends_on_request():
    plain = make_scheme("log", {}).propose(NETWORK)
    assert all(isinstance(plain.tensors[item.weight].format, Log) for item in LAYERS)
    assert {plain.tensors[item.weight].format.bits for item in LAYERS} == {5}
    ends = make_scheme("log", {"first_last": "fixed8"}).propose(NETWORK)
    kinds = [ends.tensors[item.weight].format.kind for item in LAYERS]
    assert kinds == ["fixed", "log", "log", "fixed"]
    assert ends.tensors["last.weight"].format.bits == 8


def with_normalization(source, batch_norm):
    """The network with a batch norm behind the first layer, whose output is quantized before it or not."""
    unit = Normalization("bn", "bn.scale", "bn.offset", "first.out", ("first.out",))
    values = {**NETWORK.values, "bn.scale": np.float32([4, 1, 1e-3, 0]), "bn.offset": np.float32([1, -2, 0, 3])}
    histograms = {**NETWORK.histograms, **({"first.out": source} if source else {})}
    network = Network(NETWORK.layers, NETWORK.constants, values, histograms, normalizations=(unit,))
    return make_scheme("fixed", {"batch_norm": batch_norm, "batch_norm_bits": 12}).propose(network).tensors


def test_a_merged_batch_norm_multiplies_behind_the_accumulator():
    tensors = with_normalization(None, BatchNorm.MERGE)
    scale, offset = tensors["bn.scale"], tensors["bn.offset"]
    assert (scale.role, scale.format.bits, scale.axis) == (Role.BATCH_NORM, 12, 0)
    np.testing.assert_allclose(scale.format.quantize(np.float32([4, 1, 1e-3, 0]), axis=0), [4, 1, 1e-3, 0], rtol=2**-11)
    assert max(scale.format.frac) <= SCALE_FRAC
    grid = finest_bits(tensors["first.weight"].format) + tensors["x"].format.frac + np.array(scale.format.frac)
    assert np.all(np.array(offset.format.frac) <= grid)
    assert offset.role is Role.BATCH_NORM


def test_a_separate_batch_norm_reads_a_format_of_its_own_width():
    stored = Histogram.of(np.random.default_rng(3).normal(size=1000).astype(np.float32))
    tensors = with_normalization(stored, BatchNorm.SEPARATE)
    assert tensors["first.out"].format.bits == 12
    assert tensors["a"].format.bits == 8
    grid = tensors["first.out"].format.frac + np.array(tensors["bn.scale"].format.frac)
    assert np.all(np.array(tensors["bn.offset"].format.frac) <= grid)


def test_overrides_by_name_and_by_glob_the_later_one_wins():
    overrides = ["block/*:weight_bits=4", "block/b:weight_bits=3,bias-bits=16", "a:activation_bits=6"]
    plan = make_scheme("fixed", {}, overrides).propose(NETWORK)
    widths = {item.node: plan.tensors[item.weight].format.bits for item in LAYERS}
    assert widths == {"first": 8, "block/a": 4, "block/b": 3, "last": 8}
    assert plan.tensors["block/b.bias"].format.bits == 16
    assert plan.tensors["a"].format.bits == 6
    mixed = make_scheme("log", {}, ["last.weight:weights=fixed,weight_bits=8"]).propose(NETWORK)
    assert isinstance(mixed.tensors["last.weight"].format, FixedPoint)


@pytest.mark.parametrize(
    ("name", "options", "overrides", "message"),
    [
        ("lag", {}, [], "scheme 'lag' is unknown; choose one of fixed, log"),
        ("fixed", {"first_last": "log"}, [], "option first-last does not apply to scheme fixed"),
        ("fixed", {"weight_bits": 0}, [], "weight-bits is 0; it must lie in 1..16"),
        ("fixed", {"activation_bits": 17}, [], "activation-bits is 17"),
        ("fixed", {"granularity": "pixel"}, [], "granularity is 'pixel'; choose one of channel, layer"),
        ("fixed", {"batch_norm": "melt"}, [], "batch-norm is 'melt'; choose one of fold, merge, separate"),
        ("fixed", {"bias_bits": 64}, [], "bias-bits is 64"),
        ("fixed", {"rounding": "nearest"}, [], "rounding 'nearest' is unknown"),
        ("log", {"weight_bits": 9}, [], "bits is 9; a log format has 2 to 8 bits"),
        ("log", {"first_last": "int8"}, [], "first-last is 'int8'; choose one of log, fixed8"),
        ("log", {}, ["a:weights=posit"], "weights is 'posit'; choose one of log, fixed"),
        ("fixed", {}, ["nothing*:weight_bits=4"], r"override 'nothing\*' matches no layer and no tensor"),
        ("fixed", {}, ["first:weight_bits"], "is not PATTERN:option=value"),
        ("fixed", {}, ["weight_bits=4"], "is not PATTERN:option=value"),
        ("fixed", {}, ["first:width=4"], "option width cannot be set for single layers of scheme fixed"),
        ("fixed", {}, ["first:weight_bits=four"], "weight_bits is 'four'; it must be a whole number"),
    ],
)
def test_what_is_refused(name, options, overrides, message):
    with pytest.raises(ConfigError, match=message):
        make_scheme(name, options, overrides).propose(NETWORK)


def test_finest_bits():
    assert finest_bits(FixedPoint(8, 5)) == 5
    assert finest_bits(FixedPoint(8, (3, -2, 7))).tolist() == [3, -2, 7]
    assert finest_bits(Log(5, 1.0)) == 14
    assert finest_bits(Log(5, (0.75, 4.0))).tolist() == [15, 12]


def test_a_batch_norm_behind_a_grouped_transposed_convolution():
    """Its weights share formats between groups, its batch norm has one for each channel: the grid repeats."""
    random = np.random.default_rng(5)
    values = {"w": random.normal(size=(4, 3, 2, 2)), "s": random.uniform(0.5, 2, 6), "o": random.normal(size=6)}
    values |= {"m": random.normal(size=6), "v": random.uniform(0.5, 2, 6), "u": random.normal(size=(2, 6, 1, 1))}
    body = """
        [t] z = ConvTranspose <group = 2> (x, w) [n] n = BatchNormalization (z, s, o, m, v)
        [r] r = Relu (n) [c] y = Conv (r, u)
    """
    source = model(body, "float[N, 4, 5, 5] x", "float[N, 2, 6, 6] y", **values)
    images = random.normal(size=(3, 4, 5, 5)).astype(np.float32)
    for batch_norm in ("merge", "separate"):
        found = convert(source, batch_norm=batch_norm)
        offset = found.plan.tensors["n.offset"].format
        weights, scale = found.plan.tensors["w"].format, found.plan.tensors["n.scale"].format
        assert len(weights.frac) == 3
        assert len(scale.frac) == len(offset.frac) == 6
        native, simulation = (
            run(session(convert(source, plan=found.plan, target=target).model, optimize=False), images)[0]
            for target in ("native", "simulation")
        )
        np.testing.assert_array_equal(native, simulation)
