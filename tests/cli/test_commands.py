"""What the commands print and write when all is well."""

import json
import re
from importlib.metadata import version
from pathlib import Path

import numpy as np
import onnx
import pytest

import qonnx_tools
from qonnx_tools.conversion import convert
from qonnx_tools.graph import save
from qonnx_tools.plan import load_plan, save_plan


def test_version(qonnx):
    run = qonnx("--version")
    assert (run.status, run.out, run.err) == (0, f"qonnx-tools {qonnx_tools.__version__}\n", "")
    assert version("qonnx-tools") == qonnx_tools.__version__


def test_help(qonnx):
    for arguments in ([], ["convert"], ["evaluate"], ["inspect"]):
        run = qonnx(*arguments, "--help")
        assert (run.status, run.err) == (0, "")
        assert "Usage:" in run.out


def test_convert_writes_what_the_python_interface_gives(qonnx, folder):
    run = qonnx("convert", "model.onnx", "out.onnx", "--data", "data.npz", "--weight-bits", 4, "--save-plan", "p.json")
    assert (run.status, run.err) == (0, "")
    expected = convert("model.onnx", data="data.npz", weight_bits=4)
    save(expected.model, "expected.onnx")
    save_plan(expected.plan, "expected.json")
    assert Path("out.onnx").read_bytes() == Path("expected.onnx").read_bytes()
    assert Path("p.json").read_bytes() == Path("expected.json").read_bytes()
    assert load_plan("p.json") == expected.plan
    assert "calibration: 10 of 10 images of data.npz" in run.out
    assert "wrote out.onnx, scheme fixed" in run.out
    assert "next: qonnx evaluate out.onnx --against model.onnx --data" in run.out
    assert not [path for path in folder.iterdir() if path.name.startswith(".")]


def test_convert_with_the_plan_of_another_run(qonnx, folder):
    qonnx("convert", "model.onnx", "first.onnx", "--scheme", "log", "--save-plan", "p.json")
    run = qonnx("convert", "model.onnx", "second.onnx", "--plan", "p.json", "--save-plan", "q.json")
    assert run.status == 0
    assert (folder / "first.onnx").read_bytes() == (folder / "second.onnx").read_bytes()
    assert (folder / "p.json").read_bytes() == (folder / "q.json").read_bytes()


def test_convert_replaces_its_outputs(qonnx, folder):
    for name in ("out.onnx", "p.json"):
        (folder / name).write_text("of yesterday")
    assert qonnx("convert", "model.onnx", "out.onnx", "--save-plan", "p.json").status == 0
    onnx.checker.check_model(onnx.load("out.onnx"))
    assert load_plan("p.json").tensors


def test_convert_without_data_says_so(qonnx, folder):
    run = qonnx("convert", folder / "model.onnx", folder / "out.onnx")
    assert "calibration: no data: 64 synthetic images; no batch norm to go by" in run.out


def test_explain(qonnx, folder):
    run = qonnx("convert", folder / "model.onnx", folder / "out.onnx", "--explain")
    assert "did first_weight.quantizer: weight 'first_weight' as int8" in run.out
    assert "float logits: a result of the graph: read at the accumulator's precision" in run.out


@pytest.mark.usefixtures("folder")
def test_names_are_shown_as_they_are(qonnx):
    """Brackets are no markup, and a name that is no UTF-8 is shown somehow."""
    for name in ("[bold]out.onnx", "out\udcff.onnx"):
        run = qonnx("convert", "model.onnx", name)
        assert run.status == 0
        assert Path(name).is_file()
        if name.startswith("["):
            assert f"wrote {name}," in run.out


@pytest.mark.usefixtures("folder")
def test_json_is_all_of_standard_output(process):
    inspected = process("inspect", "model.onnx", "--json")
    assert (inspected.status, inspected.err) == (0, "")
    assert [layer["name"] for layer in json.loads(inspected.out)["layers"]] == ["first", "last"]
    evaluated = process("evaluate", "model.onnx", "--data", "data.npz", "--against", "model.onnx", "--json")
    assert (evaluated.status, evaluated.err) == (0, "")
    document = json.loads(evaluated.out)
    assert document["images"] == 10
    assert document["against"]["sqnr_db"] is None
    assert document["against"]["paired"]["difference"] == 0


@pytest.mark.usefixtures("folder")
def test_json_of_a_quantized_model_is_valid(qonnx):
    qonnx("convert", "model.onnx", "out.onnx", "--scheme", "log")
    document = json.loads(qonnx("inspect", "out.onnx", "--json").out)
    assert {"name", "kind", "bits", "rounding"} <= document["tensors"][0].keys()
    document = json.loads(qonnx("evaluate", "out.onnx", "--data", "data.npz", "--against", "model.onnx", "--json").out)
    assert document["against"]["identical_outputs"] is False
    assert 0 < document["against"]["sqnr_db"] < 60


@pytest.mark.usefixtures("folder")
def test_json_holds_no_nan_or_infinity(qonnx):
    np.savez("huge.npz", images=np.full((2, 3, 6, 6), 1e38, np.float32), labels=[0, 1])
    run = qonnx("evaluate", "model.onnx", "--data", "huge.npz", "--against", "model.onnx", "--json")
    assert run.status == 0
    json.loads(run.out, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))


@pytest.mark.usefixtures("folder")
def test_evaluate_as_text(qonnx):
    run = qonnx("evaluate", "model.onnx", "--data", "data.npz", "--against", "model.onnx", "--limit", 4)
    assert (run.status, run.err) == (0, "")
    assert "4 of 10 images of data.npz" in run.out
    assert "difference +0.00 points" in run.out
    assert "same prediction on 100.00 %; output SQNR inf dB" in run.out
    alone = qonnx("evaluate", "model.onnx", "--data", "unlabelled.npz", "--no-labels")
    assert re.search(r"model.onnx +│ +- +│ +- +│", alone.out)


@pytest.mark.usefixtures("folder")
def test_inspect_as_text(qonnx):
    run = qonnx("inspect", "model.onnx")
    assert (run.status, run.err) == (0, "")
    assert "input image ['N', 3, 6, 6]" in run.out
    assert "operators: 1 Conv, 1 Flatten, 1 Gemm, 1 GlobalAveragePool, 1 Relu" in run.out
    assert f"{36 * 135 + 20:,} MACs an image; 164 weights and biases: 0.6 KiB, 0.6 KiB as float32" in run.out
