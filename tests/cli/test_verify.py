"""``qonnx verify``: exit 0 or 1, and what it says."""

import json

import onnx
import pytest
from onnx import numpy_helper


@pytest.fixture
def pair(qonnx, folder):
    for target in ("native", "simulation"):
        assert qonnx("convert", "model.onnx", f"{target}.onnx", "--target", target).status == 0
    proto = onnx.load("native.onnx")
    (weight,) = [tensor for tensor in proto.graph.initializer if tensor.name == "first_weight.codes"]
    codes = numpy_helper.to_array(weight).copy()
    codes[3, 0, 1, 1] += 1
    weight.CopyFrom(numpy_helper.from_array(codes, weight.name))
    onnx.save_model(proto, "changed.onnx")
    return folder


@pytest.mark.usefixtures("pair")
def test_equal_graphs(qonnx):
    run = qonnx("verify", "native.onnx", "simulation.onnx", "--data", "unlabelled.npz", "--limit", 4)
    assert (run.status, run.err) == (0, "")
    assert run.out == "equal: 1 output on 4 images, onnxruntime's optimizations on and off\n"
    document = json.loads(qonnx("verify", "native.onnx", "simulation.onnx", "--data", "data.npz", "--json").out)
    assert (document["equal"], document["images"], document["first_difference"]) == (True, 10, None)


@pytest.mark.usefixtures("pair")
def test_different_graphs(qonnx):
    run = qonnx("verify", "simulation.onnx", "changed.onnx", "--data", "data.npz")
    assert (run.status, run.err) == (1, "")
    first, second, third = run.out.splitlines()
    assert first.startswith("different: outputs of ")
    assert "tensor 'b', quantized, " in second
    assert third.startswith("element [0, 3, ")
    run = qonnx("verify", "simulation.onnx", "changed.onnx", "--data", "data.npz", "--json")
    document = json.loads(run.out)
    assert (run.status, document["equal"], document["images"]) == (1, False, 10)
    assert 0 < document["different_images"] <= 10
    found = document["first_difference"]
    assert (found["tensor"], found["quantized"], found["element"][:2]) == ("b", True, [0, 3])
    assert found["values"][0] != found["values"][1]


@pytest.mark.usefixtures("pair")
def test_bad_input_is_one_line(qonnx):
    run = qonnx("verify", "native.onnx", "missing.onnx", "--data", "data.npz")
    assert run.status == 1
    assert run.line.startswith("error: missing.onnx: ")
    run = qonnx("verify", "native.onnx", "simulation.onnx", "--data", "missing.npz")
    assert (run.status, run.line.startswith("error: missing.npz: ")) == (1, True)
