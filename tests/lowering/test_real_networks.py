"""Every trained network: kernels, function bodies and references agree on every tensor of the native graph."""

import numpy as np
import onnx
import pytest
from exact_in_float import is_exact_in_float
from native_runs import compare_everywhere
from real_networks import NETWORKS, ROOT, SHIPPED, TREATMENTS, feeds, model_path

from qonnx_tools.conversion import convert
from qonnx_tools.graph import to_proto
from qonnx_tools.runtime import session

CASES = [(name, treatment) for name, network in NETWORKS.items() for treatment in network.treatments]


@pytest.fixture
def path(request, name):
    return model_path(name, None if name in SHIPPED else request.getfixturevalue("assets"))


@pytest.mark.parametrize("scheme", ["fixed", "log"])
@pytest.mark.parametrize(("name", "batch_norm"), CASES)
def test_kernels_bodies_and_references_agree(name, batch_norm, scheme, path, count_equal):
    native = convert(path, scheme=scheme, batch_norm=batch_norm, target="native").model
    images = feeds(name, path)
    equality = compare_everywhere(native, images)
    count_equal("kernel = function body = reference", len(equality.kernels), equality.elements)
    if scheme == "fixed" and batch_norm == "fold":
        must_be_exact = is_exact_in_float(to_proto(native), onnx.load(path), equality.kernels)
        assert NETWORKS[name].exact or not must_be_exact
        if NETWORKS[name].exact:
            simulation = session(convert(path, scheme=scheme, batch_norm=batch_norm, target="simulation").model)
            (expected,) = simulation.run(None, images)
            np.testing.assert_array_equal(equality.kernels[simulation.get_outputs()[0].name], expected)
            count_equal("native = simulation", 1, expected.size)


@pytest.mark.parametrize("name", NETWORKS)
def test_what_is_said_of_batch_norms_is_true(name, path):
    ops = {node.op_type for node in onnx.load(path).graph.node}
    assert NETWORKS[name].treatments == (TREATMENTS if "BatchNormalization" in ops else ("fold",))


def test_every_network_of_the_repository_is_among_them():
    assert {file.stem for file in (ROOT / "models").glob("*.onnx")} == set(SHIPPED)


def test_every_network_of_the_assets_is_among_them(assets):
    assert {file.stem for file in (assets / "models").glob("*.onnx")} == NETWORKS.keys() - set(SHIPPED)
