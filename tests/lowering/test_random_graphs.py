"""Random small networks: kernels, function bodies and references agree on every tensor, and with the simulation."""

from random import Random

import numpy as np
import onnx
import pytest
from exact_in_float import is_exact_in_float
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st
from native_runs import compare_everywhere
from random_network import random_images, random_network, random_options

from qonnx_tools.conversion import convert
from qonnx_tools.graph import to_proto
from qonnx_tools.runtime import session

sources = st.randoms(use_true_random=False)
some = settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


@pytest.mark.parametrize("batch_norm", ["fold", "merge", "separate"])
@pytest.mark.parametrize("scheme", ["fixed", "log"])
@some
@given(sources)
def test_kernels_bodies_and_references_agree(count_equal, scheme, batch_norm, source):
    network = random_network(source)
    options = random_options(source, scheme) | {"batch_norm": batch_norm}
    note(f"{options}\n{onnx.printer.to_text(network)}")
    native = to_proto(convert(network, target="native", **options).model)
    if source.randrange(2):
        narrow_accumulators(native, source)
    equality = compare_everywhere(native, random_images(network, source))
    count_equal("kernel = function body = reference", len(equality.kernels), equality.elements)


def narrow_accumulators(native: onnx.ModelProto, source: Random) -> None:
    """Give half of the accumulators another width, in which most sums wrap."""
    for node in native.graph.node:
        for attribute in node.attribute:
            if attribute.name == "accumulator_bits" and source.randrange(2):
                attribute.i = source.randint(1, 64)


@some
@given(sources)
def test_the_simulation_is_exact_where_it_can_be(count_equal, source):
    network = random_network(source)
    narrow = {"weight_bits": source.randint(1, 8), "activation_bits": source.randint(1, 8)}
    options = random_options(source, "fixed") | narrow | {"batch_norm": "fold"}
    note(f"{options}\n{onnx.printer.to_text(network)}")
    conversion = convert(network, target="native", **options)
    feeds = random_images(network, source, fewest=1)
    equality = compare_everywhere(conversion.model, feeds)
    if conversion.in_float or equality.left_out:
        return  # what stays in float may be summed in another order
    if not is_exact_in_float(to_proto(conversion.model), network, equality.kernels):
        return
    simulation = session(convert(network, target="simulation", **options).model)
    (expected,) = simulation.run(None, feeds)
    np.testing.assert_array_equal(equality.kernels[simulation.get_outputs()[0].name], expected)
    count_equal("native = simulation", 1, expected.size)


def test_some_random_networks_are_exact_in_float():
    """The comparison with the simulation does take place."""
    source, exact = Random(0), 0  # noqa: S311  # not for secrets
    for _ in range(12):
        network = random_network(source)
        native = convert(network, target="native").model
        equality = compare_everywhere(native, random_images(network, source, fewest=1))
        exact += is_exact_in_float(to_proto(native), network, equality.kernels)
    assert exact >= 3
