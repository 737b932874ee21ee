"""Compressed feature maps on the command line: convert, evaluate, inspect, and what is refused."""

import json

import numpy as np
import pytest

from qonnx_tools.feature_map_codec import compress
from qonnx_tools.feature_map_plan import relative_step
from qonnx_tools.graph import load
from qonnx_tools.plan import load_plan
from qonnx_tools.round_trips import compressed_maps
from qonnx_tools.runtime import session


@pytest.mark.usefixtures("folder")
def test_convert_evaluate_inspect(qonnx):
    options = ("--feature-maps", "haar", "--feature-map-step", 0.05, "--feature-map-coder", "rice")
    run = qonnx("convert", "model.onnx", "out.onnx", *options, "--save-plan", "plan.json")
    assert (run.status, run.err) == (0, "")
    plan = load_plan("plan.json")
    (item,) = plan.feature_maps.values()
    step = relative_step(0.05, plan.tensors["b"].format)
    assert (item.transform, item.coder, item.levels, item.step) == ("haar", "rice", 3, step)

    (found,) = compressed_maps(load("out.onnx"))
    assert (found.tensor, found.plan, found.shape) == ("b", item, (5, 6, 6))
    images = np.load("data.npz")["images"]
    (codes,) = session("out.onnx", outputs=[found.codes]).run([found.codes], {"image": images})
    sizes = [len(compress(each, item.coding(5), found.format)) for each in codes]
    document = json.loads(qonnx("evaluate", "out.onnx", "--data", "data.npz", "--json").out)
    maps = document["feature_maps"]
    assert maps["bytes"] == maps["maps"][0]["bytes"] == np.mean(sizes)
    assert maps["ratio_vs_32bit"] == 5 * 6 * 6 * 4 / np.mean(sizes)
    assert maps["ratio_vs_own_width"] == 5 * 6 * 6 / np.mean(sizes)
    assert maps["bits_a_value"] == 8 * np.mean(sizes) / (5 * 6 * 6)
    coding = {"transform": "haar", "levels": 3, "coder": "rice", "step": step, "dropped": []}
    assert coding.items() <= maps["maps"][0].items()
    assert 0 <= document["top1"] <= 1

    shown = qonnx("evaluate", "out.onnx", "--data", "data.npz").out
    assert "compressed feature maps" in shown
    listed = json.loads(qonnx("inspect", "out.onnx", "--json").out)["feature_maps"]
    assert listed == [{"tensor": "b", **coding, "bits": 8, "shape": [5, 6, 6]}]
    assert "haar 3, rice" in qonnx("inspect", "out.onnx").out


@pytest.mark.usefixtures("folder")
def test_a_model_without_compressed_maps_says_nothing_of_them(qonnx):
    qonnx("convert", "model.onnx", "out.onnx")
    assert "feature_maps" not in json.loads(qonnx("evaluate", "out.onnx", "--data", "data.npz", "--json").out)
    assert "feature map" not in qonnx("evaluate", "out.onnx", "--data", "data.npz").out
    assert json.loads(qonnx("inspect", "out.onnx", "--json").out)["feature_maps"] == []


@pytest.mark.usefixtures("folder")
def test_the_simulation_takes_the_same_bytes(qonnx):
    qonnx("convert", "model.onnx", "native.onnx", "--feature-maps", "predictive", "--save-plan", "plan.json")
    qonnx("convert", "model.onnx", "simulation.onnx", "--plan", "plan.json", "--target", "simulation")
    native, simulation = (
        json.loads(qonnx("evaluate", f"{name}.onnx", "--data", "data.npz", "--json").out)["feature_maps"]
        for name in ("native", "simulation")
    )
    assert native == simulation


@pytest.mark.usefixtures("folder")
def test_maps_of_a_plan_are_replaced(qonnx):
    qonnx("convert", "model.onnx", "a.onnx", "--feature-maps", "haar", "--save-plan", "a.json")
    options = ("--plan", "a.json", "--feature-maps", "none", "--save-plan", "b.json")
    assert qonnx("convert", "model.onnx", "b.onnx", *options).status == 0
    first, second = load_plan("a.json"), load_plan("b.json")
    assert first.tensors == second.tensors
    assert [item.transform for item in second.feature_maps.values()] == ["none"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["--feature-maps", "dct"],
            "feature maps 'dct' is unknown; choose one of wavelet53, haar, predictive, none, auto",
        ),
        (["--feature-maps", "haar", "--feature-map-coder", "zip"], "feature map coder 'zip' is unknown; choose one of"),
        (["--feature-maps", "haar", "--feature-map-step", "-1"], "feature map step is -1; give a share of the range"),
        (["--feature-maps", "haar", "--feature-map-levels", "4"], "feature map levels is 4; a wavelet has 1 to 3"),
        (["--feature-maps", "none", "--feature-map-levels", "1"], "feature map levels go with haar or wavelet53"),
        (["--feature-maps", "predictive", "--feature-map-drop", ".5"], "feature map drop: predictive has no bands"),
        (["--feature-maps", "none", "--feature-map-drop", ".5"], "feature map drop: none has no bands to drop"),
        (["--feature-maps", "haar", "--feature-map-drop", "1.5"], "feature map drop is 1.5; give the share"),
        (
            ["--feature-maps", "haar", "--feature-map-drop", ".5", "--feature-map-drop-from", "some"],
            "feature map drop from 'some' is unknown; choose all or each",
        ),
        (["--feature-map-drop-from", "all"], "--feature-map-drop-from goes with --feature-maps"),
        (
            ["--feature-maps", "haar", "--feature-map-drop", ".5"],
            "feature map drop needs calibration images: give data",
        ),
        (["--feature-maps", "auto"], "feature maps auto needs calibration images: give data"),
        (["--feature-maps", "haar", "--max-drop", "1"], "max drop needs calibration images: give data"),
        (["--feature-maps", "haar", "--max-drop", "1", "--feature-map-step", ".1"], "max drop chooses the steps"),
        (["--feature-maps", "haar", "--feature-map-at", "bb"], "feature map name 'bb' matches no activation"),
        (
            ["--feature-maps", "haar", "--feature-map-at", "logits*"],
            "feature map pattern 'logits*' matches no activation",
        ),
        (["--feature-maps", "haar", "--target", "qonnx"], "feature maps 'b': the target qonnx has no op"),
        (["--feature-maps", "haar", "--search", "--data", "data.npz"], "--feature-maps does not go with --search"),
        (["--feature-map-step", ".1"], "--feature-map-step goes with --feature-maps"),
        (["--max-drop", "1"], "--max-drop goes with --search"),
    ],
)
def test_one_line_for_bad_input(qonnx, untouched, options, message):
    untouched()
    run = qonnx("convert", "model.onnx", "out.onnx", *options)
    assert run.status == 1
    assert run.line.startswith(f"error: {message}")


@pytest.mark.usefixtures("folder")
def test_tuned_on_images(qonnx):
    options = ("--data", "data.npz", "--feature-maps", "auto", "--max-drop", 60, "--save-plan", "plan.json", "--json")
    document = json.loads(qonnx("convert", "model.onnx", "out.onnx", *options).out)
    assert document["feature_map_loss"]["share"] <= 0.6
    assert document["feature_map_loss"]["images"] == 8
    assert document["feature_maps"]["b"]["step"] == load_plan("plan.json").feature_maps["b"].step > 1
    shown = qonnx("convert", "model.onnx", "out.onnx", "--plan", "plan.json", *options[:6]).out
    assert "points lost on 8 images" in shown

    options = (
        "--feature-maps",
        "haar",
        "--feature-map-drop",
        0.4,
        "--data",
        "data.npz",
        "--plan",
        "plan.json",
        "--json",
    )
    document = json.loads(qonnx("convert", "model.onnx", "out.onnx", *options).out)
    assert len(document["feature_maps"]["b"]["dropped"]) == 2
    assert document["feature_map_loss"] is None
