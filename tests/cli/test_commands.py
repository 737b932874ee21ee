"""What the commands print and write when all is well."""

import dataclasses
import json
import re
from importlib.metadata import version
from pathlib import Path

import numpy as np
import onnx
import pytest

import qonnx_tools
from qonnx_tools.conversion import convert
from qonnx_tools.graph import parse, save
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
    assert expected.plan.fitted
    save(expected.model, "expected.onnx")
    save_plan(expected.plan, "expected.json")
    assert Path("out.onnx").read_bytes() == Path("expected.onnx").read_bytes()
    text = Path("p.json").read_text(encoding="utf-8").replace("p.fitted.npz", "expected.fitted.npz")
    assert text == Path("expected.json").read_text(encoding="utf-8")
    assert Path("p.fitted.npz").read_bytes() == Path("expected.fitted.npz").read_bytes()
    assert load_plan("p.json") == expected.plan
    assert "calibration: 10 of 10 images of data.npz" in run.out
    assert "2 of 2 layers on integer codes, 0 nodes in float" in run.out
    assert "wrote out.onnx, scheme fixed, target native" in run.out
    assert "next: qonnx evaluate out.onnx --against model.onnx --data" in run.out
    assert not [path for path in folder.iterdir() if path.name.startswith(".")]


def test_convert_with_the_plan_of_another_run(qonnx, folder):
    qonnx("convert", "model.onnx", "first.onnx", "--scheme", "log", "--save-plan", "p.json")
    run = qonnx("convert", "model.onnx", "second.onnx", "--plan", "p.json", "--save-plan", "q.json")
    assert run.status == 0
    assert (folder / "first.onnx").read_bytes() == (folder / "second.onnx").read_bytes()
    assert (folder / "p.json").read_bytes() == (folder / "q.json").read_bytes()


def test_convert_with_a_plan_that_holds_fitted_weights(qonnx, folder):
    qonnx("convert", "model.onnx", "first.onnx", "--scheme", "log", "--data", "data.npz", "--save-plan", "p.json")
    run = qonnx("convert", "model.onnx", "second.onnx", "--plan", "p.json", "--save-plan", "q.json")
    assert (run.status, run.err) == (0, "")
    assert (folder / "first.onnx").read_bytes() == (folder / "second.onnx").read_bytes()
    assert load_plan("p.json") == load_plan("q.json")


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
    assert "did first: Conv on integer codes" in run.out
    assert "no format logits: a result of the graph: read at the accumulator's precision" in run.out


SOFTMAX = """
<ir_version: 8, opset_import: ["" : 17]> g (float[N, 3, 6, 6] x) => (float[N, 3, 6, 6] y) <float[3, 3, 1, 1] w>
{ [conv] a = Conv (x, w) [soft] b = Softmax <axis = 1> (a) [erf] y = Erf (b) }
"""


@pytest.mark.usefixtures("folder")
def test_convert_lists_what_stays_in_float(qonnx):
    onnx.save_model(parse(SOFTMAX), "soft.onnx")
    run = qonnx("convert", "soft.onnx", "out.onnx")
    assert (run.status, run.err) == (0, "")
    assert "1 of 1 layer on integer codes, 2 nodes in float" in run.out
    assert "float soft: Softmax has no integer form; compute it outside the accelerator" in run.out
    assert "float erf: its input 'b' is in float" in run.out
    assert run.out.splitlines()[-1].startswith("next: qonnx evaluate out.onnx")
    document = json.loads(qonnx("convert", "soft.onnx", "out.onnx", "--json").out)
    assert (document["layers"], document["layers_on_codes"]) == (1, 1)
    assert [item["node"] for item in document["in_float"]] == ["soft", "erf"]
    strict = qonnx("convert", "soft.onnx", "strict.onnx", "--strict")
    assert strict.status == 1
    assert strict.line == (
        "error: node 'soft': Softmax has no integer form; compute it outside the accelerator (--strict)"
    )
    assert not Path("strict.onnx").exists()


@pytest.mark.usefixtures("folder")
def test_accumulators_too_narrow_are_one_warning(qonnx):
    options = ("--accumulator-bits", 9, "--layer", "last:accumulator-bits=0")
    run = qonnx("convert", "model.onnx", "out.onnx", "--save-plan", "p.json", *options)
    assert run.status == 0
    safe = re.fullmatch(
        r"warning: sums can wrap in 1 layer, most of all in 'first': its accumulator has 9 bits, (\d+) are safe",
        run.line,
    )
    plan = load_plan("p.json")
    assert (plan.accumulator_bits, plan.accumulators) == (9, {"last": 0})
    explained = qonnx("convert", "model.onnx", "again.onnx", "--plan", "p.json", "--explain")
    assert f"did first: Conv on integer codes; its accumulator has 9 bits, {safe[1]} are safe" in explained.out
    assert Path("again.onnx").read_bytes() == Path("out.onnx").read_bytes()
    document = json.loads(qonnx("convert", "model.onnx", "out.onnx", "--plan", "p.json", "--json").out)
    assert document["narrow_accumulators"] == [{"layer": "first", "bits": 9, "safe_bits": int(safe[1])}]
    layers = json.loads(qonnx("inspect", "out.onnx", "--json").out)["layers"]
    assert [layer["accumulator_bits"] == layer["safe_accumulator_bits"] for layer in layers] == [False, True]
    assert f"│    9 of {safe[1]} │" in qonnx("inspect", "out.onnx").out
    for target in ("simulation", "qonnx"):
        refused = qonnx("convert", "model.onnx", "refused.onnx", "--plan", "p.json", "--target", target)
        assert refused.status == 1
        assert refused.line == (
            f"error: accumulator of 'first': 9 bits are fewer than the {safe[1]} that are safe, and the target "
            f"{target} has no sums that wrap; take the target native, or {safe[1]} bits or more"
        )
        wide = qonnx("convert", "model.onnx", "wide.onnx", "--accumulator-bits", safe[1], "--target", target)
        assert (wide.status, wide.err) == (0, "")


@pytest.mark.usefixtures("folder")
def test_accumulators_out_of_range_or_of_no_layer(qonnx):
    run = qonnx("convert", "model.onnx", "out.onnx", "--accumulator-bits", 65)
    assert (run.status, run.line) == (1, "error: accumulator-bits is 65; it must lie in 0..64")
    plan = convert("model.onnx").plan
    save_plan(dataclasses.replace(plan, accumulators={"frist": 20}), "p.json")
    for target in ("native", "simulation"):
        run = qonnx("convert", "model.onnx", "out.onnx", "--plan", "p.json", "--target", target)
        assert run.status == 1
        assert run.line == "error: accumulator of 'frist': the model has no such layer; did you mean 'first'?"


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
