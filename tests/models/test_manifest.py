"""The manifest says what is true of the files beside it."""

import hashlib
import json

import numpy as np
import onnx
import onnxruntime
import pytest


@pytest.fixture(scope="module")
def folder(repo_root):
    return repo_root / "models"


@pytest.fixture(scope="module")
def entries(folder):
    return json.loads((folder / "manifest.json").read_text())["models"]


def test_every_model_and_data_file_is_in_the_manifest(folder, entries):
    listed = {entry["file"] for entry in entries} | {data["file"] for entry in entries for data in entry["data"]}
    assert listed == {path.name for path in folder.iterdir() if path.suffix in {".onnx", ".npz"}}


def test_the_files_are_the_ones_described(folder, entries):
    for described in [item for entry in entries for item in (entry, *entry["data"])]:
        content = (folder / described["file"]).read_bytes()
        assert len(content) == described["bytes"]
        assert hashlib.sha256(content).hexdigest() == described["sha256"]


def test_the_float_accuracy_is_measured_again(folder, entries):
    for entry in entries:
        stated = entry["float_accuracy"]
        with np.load(folder / stated["data"]) as data:
            images, labels = data["images"], data["labels"]
        session = onnxruntime.InferenceSession(folder / entry["file"], providers=["CPUExecutionProvider"])
        pixels = images.transpose(0, 3, 1, 2).astype(np.float32)
        (logits,) = session.run([entry["output"]["name"]], {entry["input"]["name"]: pixels})
        assert len(labels) == stated["images"]
        assert int((logits.argmax(axis=1) == labels).sum()) == stated["correct"]
        assert stated["top1_percent"] == round(100 * stated["correct"] / stated["images"], 2)


def test_the_digits_network_is_what_its_users_count_on(digits_model):
    model = onnx.load(digits_model)
    onnx.checker.check_model(model, full_check=True)
    ops = [node.op_type for node in model.graph.node]
    assert digits_model.stat().st_size <= 300_000
    assert model.ir_version <= 10
    assert [(opset.domain, opset.version) for opset in model.opset_import] == [("", 17)]
    assert ops.count("Conv") == ops.count("BatchNormalization") == 9
    assert ops.count("Add") == 3
    assert ops[-1] == "Gemm"
    kernels = {init.name: tuple(init.dims) for init in model.graph.initializer}
    assert kernels["blocks.1.shortcut.0.weight"] == (32, 16, 1, 1)
    dims = model.graph.input[0].type.tensor_type.shape.dim
    assert [dim.dim_param or dim.dim_value for dim in dims] == ["N", 1, 8, 8]


def test_no_image_of_the_digits_test_file_is_in_another_file(digits_data):
    seen = {}
    for part, path in digits_data.items():
        with np.load(path) as data:
            assert (data["images"].dtype, data["images"].shape[1:]) == (np.uint8, (8, 8, 1))
            assert data["images"].max() == 16
            assert np.ptp(np.bincount(data["labels"], minlength=10)) <= 6  # each digit in about its share
            seen[part] = {image.tobytes() for image in data["images"]}
    assert not seen["train"] & seen["test"]
    assert not seen["calibration"] & seen["test"]
