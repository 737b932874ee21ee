"""The options of the log scheme: base, scales, thresholds, and which activations are in log codes."""

import dataclasses

import numpy as np
import pytest
from four_layers import LAYERS, NETWORK

from qonnx_tools.arithmetic.fixed_point import FixedPoint
from qonnx_tools.arithmetic.log import Log
from qonnx_tools.errors import ConfigError
from qonnx_tools.schemes.base import make_scheme

PLACES = dataclasses.replace(NETWORK, entries=frozenset({"x"}), read_by_layers_alone=frozenset({"x", "a", "b"}))
"""The network, of which something else than layers reads c."""


def weights_of(**options):
    plan = make_scheme("log", options).propose(PLACES)
    return [plan.tensors[layer.weight] for layer in LAYERS]


@pytest.mark.parametrize(("base", "steps"), [("2", 1), ("sqrt2", 2)])
def test_the_base_is_that_of_every_layer(base, steps):
    assert {tensor.format.steps for tensor in weights_of(log_base=base)} == {steps}


@pytest.mark.parametrize("granularity", ["channel", "layer"])
def test_scales_may_have_to_be_powers_of_two(granularity):
    for tensor in weights_of(log_scale="power-of-two", granularity=granularity):
        mantissas, _ = np.frexp(np.atleast_1d(tensor.format.scale))
        assert (mantissas == 0.5).all()
    assert any((np.frexp(np.atleast_1d(tensor.format.scale))[0] != 0.5).any() for tensor in weights_of())


@pytest.mark.parametrize("rounding", ["linear", "log"])
def test_thresholds_are_part_of_the_plan(rounding):
    assert {tensor.rounding for tensor in weights_of(log_rounding=rounding)} == {rounding}


def test_log_activations_are_those_that_layers_alone_read():
    plan = make_scheme("log", {"activations": "log", "activation_bits": 4, "log_base": "sqrt2"}).propose(PLACES)
    kinds = {name: plan.tensors[name].format for name in "xabc"}
    assert all(isinstance(kinds[name], Log) and (kinds[name].bits, kinds[name].steps) == (4, 2) for name in "ab")
    assert not kinds["a"].signed
    assert all(isinstance(kinds[name], FixedPoint) and kinds[name].bits == 8 for name in "xc")


def test_the_trunk_may_be_in_log_codes_too_but_not_the_inputs_of_the_graph():
    plan = make_scheme("log", {"activations": "log", "trunk": "log", "activation_bits": 5}).propose(PLACES)
    assert [plan.tensors[name].format.kind for name in "xabc"] == ["fixed", "log", "log", "log"]


def test_first_and_last_in_fixed_point_read_fixed_point():
    options = {"activations": "log", "activation_bits": 5, "first_last": "fixed8"}
    plan = make_scheme("log", options).propose(PLACES)
    last = LAYERS[-1]
    assert {plan.tensors[name].format.kind for name in (*last.sources, last.weight)} == {"fixed"}


@pytest.mark.parametrize(
    ("options", "apart"),
    [
        ({}, (False, False)),
        ({"activations": "log"}, (False, False)),
        ({"activations": "log", "trunk": "fixed8-log"}, (False, True)),
        ({"activations": "log", "trunk": "log"}, (True, False)),
        ({"activations": "log", "trunk": "log", "first_last": "fixed8"}, (False, False)),
        ({"trunk": "log"}, (False, False)),
    ],
)
def test_what_layers_read_in_a_format_of_their_own(options, apart):
    scheme = make_scheme("log", {"activation_bits": 5, **options})
    assert (scheme.separates(is_entry=True), scheme.separates(is_entry=False)) == apart


def test_a_single_activation_can_be_excepted():
    plan = make_scheme("log", {"activations": "log", "activation_bits": 5}, ["a:activations=fixed"]).propose(PLACES)
    assert plan.tensors["a"].format.kind == "fixed"
    assert plan.tensors["b"].format.kind == "log"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"log_base": "3"}, "log-base is '3'; choose one of 2, sqrt2"),
        ({"log_scale": "some"}, "log-scale is 'some'; choose one of any, power-of-two"),
        ({"trunk": "fixed"}, "trunk is 'fixed'; choose one of fixed8, fixed8-log, log"),
        ({"activations": "log", "activation_bits": 12}, "bits is 12; a log format has"),
        ({"fit": "all"}, "fit is 'all'; choose one of auto, outputs, weights"),
    ],
)
def test_what_is_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        make_scheme("log", options)


def test_formats_that_are_given_are_kept():
    given = make_scheme("log", {"weight_bits": 3}).propose(PLACES).tensors[LAYERS[1].weight]
    for granularity in ("channel", "layer", "class", "network"):
        scheme = make_scheme("log", {"granularity": granularity})
        plan = scheme.propose(dataclasses.replace(PLACES, given={LAYERS[1].weight: given}))
        assert plan.tensors[LAYERS[1].weight] == given
        assert plan.tensors[LAYERS[0].weight].format.bits == 5


@pytest.mark.parametrize("name", ["fixed", "log"])
def test_the_best_of_a_family_by_squared_error_is_the_format_of_the_weights(name):
    scheme = make_scheme(name, {"weight_bits": 4})
    layer = LAYERS[0]
    weights = NETWORK.values[layer.weight]
    local = scheme.at_layer(layer, LAYERS)
    family = local.weight_family(weights.reshape(4, -1))
    errors = [
        np.square(weights - family.format_of(row).quantize(weights, None, 0), dtype=np.float64).sum(axis=(1, 2, 3))
        for row in family.parameters
    ]
    assert family.choice(np.argmin(errors, axis=0)) == local.weight_format(weights, 0)[0]


@pytest.mark.parametrize(
    ("name", "options", "fits"),
    [
        ("fixed", {}, False),
        ("fixed", {"weight_bits": 4}, True),
        ("fixed", {"weight_bits": 4, "fit": "weights"}, False),
        ("fixed", {"fit": "outputs"}, True),
        ("log", {}, True),
        ("log", {"fit": "weights"}, False),
    ],
)
def test_what_weights_are_fitted_to(name, options, fits):
    assert make_scheme(name, options).fits_outputs is fits
