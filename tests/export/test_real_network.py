"""MLPerf Tiny's ResNet-8 through the elements: every layer on codes, every output of one image."""

import pytest
from elements import need
from exported import assert_all_equal, benches

from qonnx_tools.conversion import convert
from qonnx_tools.data import preprocessing
from qonnx_tools.export import export
from qonnx_tools.graph import save

RAW = preprocessing("raw")
KINDS = {
    "fixed": {"scheme": "fixed"},
    "shift_base_2": {"scheme": "log"},
    "log_base_sqrt2": {"scheme": "log", "activations": "log", "activation_bits": 5, "log_base": "sqrt2"},
}
"""More kinds: benchmarks/hardware_layers.py."""


@pytest.mark.parametrize("kind", KINDS)
def test_every_layer_of_resnet8(tmp_path, assets, kind):
    need("verilator", "make", "g++")
    model, data = assets / "models/mlperf_tiny_resnet8_cifar10.onnx", assets / "data"
    if not model.exists():
        pytest.skip(f"{model} is missing")
    train, test = str(data / "cifar10_train.npz"), data / "cifar10_test.npz"
    native = convert(str(model), data=train, images=16, preprocessing=RAW, fit="weights", **KINDS[kind]).model
    save(native, tmp_path / "native.onnx")
    result = export(tmp_path / "native.onnx", tmp_path / "package", data=test, preprocessing=RAW)
    layers = result.manifest["layers"]
    assert {layer["op"].rpartition("::")[2] for layer in layers if "none" in layer["simulation"]} == {
        "Quantize", "Flatten", "Dequantize",
    }  # fmt: skip
    assert sum(layer["macs"] for layer in benches(result) if "macs" in layer) == 12_501_632
    assert_all_equal(result, "SIM=verilator")
