"""Which activations are stored compressed."""

from dataclasses import replace

import numpy as np
import pytest

from qonnx_tools.arithmetic.fixed_point import FixedPoint
from qonnx_tools.compression.choice import chosen_maps
from qonnx_tools.conversion import convert
from qonnx_tools.errors import ConfigError
from qonnx_tools.plan import Plan, Role, TensorPlan
from tests.helpers.small_classifier import small_classifier
from tests.helpers.small_graphs import GRAPHS, model


def small(example, **options):
    text, values = GRAPHS[example]
    network = model(text, **values)
    return network.graph, convert(network, **options).plan


@pytest.mark.parametrize(
    ("example", "blocks", "every"),
    [
        ("residual", ["u"], ["r", "u"]),
        ("relu", ["r"], ["r"]),
        ("clip", ["r"], ["r"]),
        ("concat", ["r"], ["r", "s"]),
        ("product", ["z", "s", "p"], ["z", "s", "p"]),
    ],
)
def test_the_automatic_choices(example, blocks, every):
    graph, plan = small(example)
    assert sorted(chosen_maps(graph, plan)) == sorted(blocks)
    assert sorted(chosen_maps(graph, plan, ["all"])) == sorted(every)


def test_a_sum_with_a_constant_is_no_block():
    text = """[c] z = Conv <kernel_shape = [3, 3], pads = [1, 1, 1, 1]> (x, w) [a] s = Add (z, one) [r] r = Relu (s)
    [m] m = Mul (r, z) [d] y = Conv <kernel_shape = [3, 3], pads = [1, 1, 1, 1]> (m, v)"""
    values = GRAPHS["relu"][1] | {"one": np.ones((1, 1, 8, 1))}
    network = model(text, **values)
    assert chosen_maps(network.graph, convert(network).plan) == ("r",)


def test_vectors_and_other_formats_are_left_out():
    network = small_classifier()
    plan = convert(network).plan
    assert {"f", "h", "i"} <= plan.tensors.keys()
    assert chosen_maps(network.graph, plan) == ("h",)
    assert chosen_maps(network.graph, plan, ["all", "f"]) == ("e", "f", "h")
    wide = replace(plan, tensors=plan.tensors | {"e": TensorPlan(Role.ACTIVATION, FixedPoint(24, 8))})
    assert chosen_maps(network.graph, wide, ["all"]) == ("h",)
    with pytest.raises(ConfigError, match="feature map 'e' cannot be compressed: it has 24 bits"):
        chosen_maps(network.graph, wide, ["e"])


def test_names_and_patterns():
    graph, plan = small("residual")
    assert chosen_maps(graph, plan, ["x"]) == ("x",)
    assert chosen_maps(graph, plan, ["[rs]", "u"]) == ("r", "s", "u")
    assert chosen_maps(graph, plan, ["*"]) == ("x", "r", "s", "u")
    with pytest.raises(
        ConfigError, match="feature map name 'uu' matches no activation with a format; did you mean 'u'"
    ):
        chosen_maps(graph, plan, ["uu"])
    with pytest.raises(
        ConfigError, match=r"feature map pattern 'layer9\*' matches no activation .* take blocks or all"
    ):
        chosen_maps(graph, plan, ["layer9*"])


def test_a_pattern_of_what_cannot_be_compressed():
    graph, plan = small("relu", scheme="log", activations="log", activation_bits=4, trunk="log")
    with pytest.raises(ConfigError, match=r"pattern 'r\*': none can be compressed; 'r': its format is"):
        chosen_maps(graph, plan, ["r*"])
    with pytest.raises(ConfigError, match="the model has no feature map in one fixed-point format"):
        chosen_maps(graph, Plan(tensors={}))
