"""Layers of packages streamed through the elements in Verilog: every output equals the golden one, or the run fails."""

import random

import pytest
from elements import need
from exported import KINDS, assert_all_equal, benches, native_file, simulate
from random_network import random_network

from qonnx_tools.conversion import convert
from qonnx_tools.errors import QonnxToolsError
from qonnx_tools.export import export
from qonnx_tools.graph import save

NETWORKS = 24
"""Random networks, each in one of the kinds of arithmetic."""


@pytest.mark.parametrize("kind", KINDS)
def test_every_layer_on_codes_is_simulated_and_equal(tmp_path, kind):
    need("iverilog", "make")
    result = export(native_file(tmp_path, kind), tmp_path / "package", vectors=2)
    without = [layer["op"] for layer in result.manifest["layers"] if "none" in layer["simulation"]]
    assert set(without) <= {"qonnx_tools.ops::Quantize", "qonnx_tools.ops::Dequantize", "Flatten"}
    assert_all_equal(result)


def test_verilator_computes_the_same(tmp_path):
    need("verilator", "make", "g++")
    result = export(native_file(tmp_path, "log_sqrt2"), tmp_path / "package")
    assert_all_equal(result, "SIM=verilator")


@pytest.mark.parametrize("seed", range(NETWORKS))
def test_random_networks(tmp_path, seed):
    need("iverilog", "make")
    source = random.Random(seed)  # noqa: S311
    network = random_network(source)
    options = KINDS[sorted(KINDS)[seed % len(KINDS)]]
    try:
        native = convert(network, **options).model
    except QonnxToolsError as error:
        pytest.skip(f"this network has no plan of this kind: {error}")
    save(native, tmp_path / "model.onnx")
    result = export(tmp_path / "model.onnx", tmp_path / "package", vectors=2)
    if not benches(result):
        pytest.skip("this network has no layer on codes")
    assert_all_equal(result)


@pytest.fixture
def package(tmp_path):
    need("iverilog", "make")
    return export(native_file(tmp_path, "shift"), tmp_path / "package")


def test_a_wrong_golden_code_fails_the_run(package):
    layer = benches(package)[0]
    path = package.folder / package.manifest["tensors"][layer["outputs"][0]]["hex"]
    lines = path.read_text().split("\n")
    lines[5] = f"{int(lines[5], 16) ^ 1:02x}"
    path.write_text("\n".join(lines))
    name = layer["simulation"]["module"]
    status, shown, layers = simulate(package.folder, name)
    assert status != 0
    assert layers[name][0] == 1
    assert f"{name}: output 5 is " in shown
    assert "FAIL: 1 outputs differ" in shown
    assert simulate(package.folder)[0] != 0


def test_a_wrong_weight_fails_the_run(package):
    layer = next(layer for layer in benches(package) if "w" in layer["constants"])
    path = package.folder / layer["constants"]["w"]["hex"]
    first, rest = path.read_text().split("\n", 1)
    path.write_text(f"{int(first, 16) ^ 2:02x}\n{rest}")
    assert simulate(package.folder, layer["simulation"]["module"])[0] != 0


def test_without_vectors_nothing_is_simulated(tmp_path):
    result = export(native_file(tmp_path, "fixed"), tmp_path / "package", vectors=0)
    assert not benches(result)
    assert {layer["simulation"]["none"] for layer in result.manifest["layers"]} >= {"the package has no vectors"}
