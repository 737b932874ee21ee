"""Trained networks with log activations: kernels, bodies and references agree, and the simulation where it is exact."""

import numpy as np
import pytest
from native_runs import compare_everywhere
from real_networks import SHIPPED, feeds, model_path

from qonnx_tools.conversion import convert
from qonnx_tools.runtime import session

NETWORKS = ("digits_resnet", "resnet20_cifar10", "mlperf_tiny_resnet8_cifar10")
LOG = {"scheme": "log", "activations": "log", "activation_bits": 5, "fit": "weights"}
VARIANTS = {
    "base 2": {},
    "base sqrt 2": {"log_base": "sqrt2"},
    "base 2 everywhere": {"trunk": "log", "log_rounding": "log"},
    "base 2 in all layers but the first": {"trunk": "fixed8-log"},
    "base sqrt 2 everywhere": {"log_base": "sqrt2", "trunk": "log"},
    "base 2, 4 bits, first and last of 8": {"activation_bits": 4, "first_last": "fixed8"},
    "base 2, merged": {"batch_norm": "merge"},
    "base sqrt 2, separate": {"log_base": "sqrt2", "batch_norm": "separate"},
    "weights alone, base sqrt 2": {"activations": "fixed", "activation_bits": 8, "log_base": "sqrt2"},
}


@pytest.fixture
def path(request, name):
    return model_path(name, None if name in SHIPPED else request.getfixturevalue("assets"))


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("name", NETWORKS)
def test_kernels_bodies_and_references_agree(name, variant, path, count_equal):
    native = convert(path, **(LOG | VARIANTS[variant]), target="native")
    assert not native.in_float
    images = {key: value[:1] for key, value in feeds(name, path).items()}
    equality = compare_everywhere(native.model, images)
    count_equal("kernel = function body = reference", len(equality.kernels), equality.elements)


@pytest.mark.parametrize("trunk", ["fixed8", "fixed8-log", "log"])
@pytest.mark.parametrize("name", NETWORKS)
def test_scales_that_are_powers_of_two_give_the_simulation(name, trunk, path, count_equal):
    """With 4 bits the products span 20 octaves: less than a float32 number holds, but for sums of very many."""
    options = LOG | {"weight_bits": 4, "activation_bits": 4, "log_scale": "power-of-two", "trunk": trunk}
    images = feeds(name, path)
    native, simulation = (session(convert(path, **options, target=target).model) for target in ("native", "simulation"))
    (found,), (expected,) = native.run(None, images), simulation.run(None, images)
    np.testing.assert_array_equal(found, expected)
    count_equal("native = simulation", 1, found.size)
