"""``qonnx search``, and converting with what it found."""

import json

import numpy as np
import onnx
import pytest


@pytest.fixture
def data(folder):
    random = np.random.default_rng(3)
    np.savez("many.npz", images=random.normal(size=(60, 3, 6, 6)).astype(np.float32))
    return folder / "many.npz"


def test_search_then_convert(qonnx, folder, data):
    run = qonnx("search", "model.onnx", "net.plan.json", "--data", data, "--max-drop", 10)
    assert (run.status, run.err) == (0, "")
    assert "accepted: loss" in run.out
    assert "memory: " in run.out
    assert "next: qonnx convert model.onnx CONVERTED.onnx --plan net.plan.json" in run.out
    assert {path.name for path in folder.iterdir()} >= {"net.plan.json", "net.plan.front.json", "net.plan.search"}
    assert qonnx("convert", "model.onnx", "out.onnx", "--plan", "net.plan.json").status == 0
    onnx.checker.check_model(onnx.load("out.onnx"))
    picked = qonnx("convert", "model.onnx", "picked.onnx", "--plan", "net.plan.front.json", "--pick", "drop<=10")
    assert (picked.status, picked.err) == (0, "")
    assert (folder / "picked.onnx").read_bytes() == (folder / "out.onnx").read_bytes()
    again = qonnx("search", "model.onnx", "net.plan.json", "--data", data, "--max-drop", 10, "--resume", "--json")
    document = json.loads(again.out)
    assert (document["accepted"], document["plans_measured"]) == (True, 0)
    assert 0 < document["totals"]["memory_saving_vs_8bit"] < 1
    assert set(document["widths"].values()) <= set(range(1, 17))


def test_search_and_convert_in_one(qonnx, folder, data):
    options = ("--data", data, "--max-drop", 10, "--cost", "memory", "--budget", "memory=0.6")
    run = qonnx("convert", "model.onnx", "out.onnx", "--search", *options)
    assert (run.status, run.err) == (0, "")
    assert "accepted: loss" in run.out
    assert "wrote out.onnx" in run.out
    assert {path.name for path in folder.iterdir()} >= {"out.onnx", "out.plan.json", "out.front.json", "out.search"}
    assert qonnx("search", "model.onnx", "net.json", *options).status == 0
    assert (folder / "net.json").read_text().replace("net.", "") == (folder / "out.plan.json").read_text().replace(
        "out.plan.", ""
    )
    assert qonnx("convert", "model.onnx", "again.onnx", "--plan", "net.json").status == 0
    assert (folder / "again.onnx").read_bytes() == (folder / "out.onnx").read_bytes()


def test_tensor_after_tensor(qonnx, data):
    run = qonnx("search", "model.onnx", "p.json", "--data", data, "--max-drop", 10, "--method", "sequential", "--json")
    assert (run.status, run.err) == (0, "")
    document = json.loads(run.out)
    assert document["plans_measured"] > 50
    accepting = document["inferences"] - 27 * document["plans_measured"]
    assert 0 < accepting <= 18, "the images that the plan was accepted on"
    assert set(document["pruned"]) == {key for key in document["pruned"] if 1 in document["widths"].values()}, (
        "a tensor of one bit is zero"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("convert", "model.onnx", "o.onnx", "--search"), "--search needs images: give --data"),
        (("convert", "model.onnx", "o.onnx", "--max-drop", "1"), "--max-drop goes with --search"),
        (
            ("convert", "model.onnx", "o.onnx", "--search", "--data", "many.npz", "--weight-bits", "4"),
            "--weight-bits is what --search chooses",
        ),
        (
            ("convert", "model.onnx", "o.onnx", "--search", "--data", "many.npz", "--plan", "p.json"),
            "--search makes a plan: leave out --plan",
        ),
        (
            ("search", "model.onnx", "p.json", "--data", "many.npz", "--budget", "memory"),
            "budget is 'memory'; give COST",
        ),
        (
            ("search", "model.onnx", "p.json", "--data", "many.npz", "--cost", "gone.toml"),
            "accelerator 'gone.toml' cannot",
        ),
        (("search", "model.onnx", "p.json", "--data", "many.npz", "--method", "magic"), "method is 'magic'"),
        (("search", "model.onnx", "p.json", "--data", "none.npz"), "none.npz"),
        (("search", "model.onnx", "p.json", "--data", "many.npz", "--cost", "watts"), "cost 'watts' is unknown"),
        (("search", "model.onnx", "p.json", "--data", "many.npz", "--max-drop", "-1"), "max-drop is -1 points"),
        (("search", "model.onnx", "p.json", "--data", "many.npz", "--scheme", "cubic"), "scheme 'cubic' is unknown"),
        (("search", "model.onnx", "model.onnx", "--data", "many.npz"), "OUT and MODEL are the same file"),
        (("convert", "model.onnx", "o.onnx", "--pick", "drop<=1"), "--pick goes with --plan"),
        (
            ("convert", "model.onnx", "o.onnx", "--plan", "gone.json", "--pick", "drop<=1"),
            "front 'gone.json' cannot be",
        ),
    ],
)
@pytest.mark.usefixtures("data")
def test_bad_input_is_one_line(qonnx, folder, arguments, message):
    before = {path.name for path in folder.iterdir()}
    run = qonnx(*arguments)
    assert run.status == 1
    assert message in run.line
    assert {path.name for path in folder.iterdir()} - before <= {"p.search", "o.search"}


def test_inspect_calls_a_tensor_of_zeros_pruned(qonnx, folder):
    assert qonnx("convert", "model.onnx", "out.onnx", "--save-plan", "plan.json").status == 0
    plan = json.loads((folder / "plan.json").read_text())
    line = plan["tensors"]["first_bias"]
    line["format"] |= {"bits": 1, "narrow": True}
    (folder / "plan.json").write_text(json.dumps(plan))
    assert qonnx("convert", "model.onnx", "zero.onnx", "--plan", "plan.json").status == 0
    assert json.loads(qonnx("inspect", "zero.onnx", "--json").out)["pruned"] == ["first_bias"]
    assert "pruned, all of it zero: first_bias" in qonnx("inspect", "zero.onnx").out
    assert "pruned" not in qonnx("inspect", "out.onnx").out
