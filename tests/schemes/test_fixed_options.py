"""The options of scheme fixed: how what more than layers read is stored."""

import dataclasses

import numpy as np
import pytest
from four_layers import NETWORK
from small_classifier import small_classifier, small_images

from qonnx_tools.conversion import convert
from qonnx_tools.errors import ConfigError
from qonnx_tools.runtime import run, session
from qonnx_tools.schemes.base import make_scheme
from qonnx_tools.search.images import Images

PLACES = dataclasses.replace(NETWORK, entries=frozenset({"x"}), read_by_layers_alone=frozenset({"x", "a", "b"}))
"""The network, of which something else than layers reads c."""


@pytest.mark.parametrize(("trunk", "bits"), [("same", (3, 3, 3, 3)), ("fixed8", (8, 3, 3, 8))])
def test_inputs_and_what_more_than_layers_read_have_the_trunks_width(trunk, bits):
    plan = make_scheme("fixed", {"activation_bits": 3, "trunk": trunk}).propose(PLACES)
    assert tuple(plan.tensors[name].format.bits for name in "xabc") == bits


def test_layers_read_a_sum_in_their_own_width():
    data = Images(small_images(40), None, "random images")
    plan = convert(small_classifier(), data=data, weight_bits=4, activation_bits=3, trunk="fixed8").plan
    widths = {name: of.format.bits for name, of in plan.tensors.items() if of.role == "activation"}
    assert {name: bits for name, bits in widths.items() if bits == 3}.keys() == {"e.for_layers", "i"}
    assert {"x", "e"} <= {name for name, bits in widths.items() if bits == 8}
    native, simulation = (
        run(session(convert(small_classifier(), plan=plan, target=target).model), data.images)[0]
        for target in ("native", "simulation")
    )
    assert np.array_equal(native, simulation)


def test_another_trunk_is_named():
    with pytest.raises(ConfigError, match="trunk is 'log'; scheme fixed has same, fixed8"):
        make_scheme("fixed", {"trunk": "log"})
