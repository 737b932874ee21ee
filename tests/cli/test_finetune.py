"""``qonnx finetune``: files, words, numbers, and how it ends."""

import json
import signal
import subprocess
import sys
import time

import numpy as np
import onnx
import pytest

pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'qonnx-tools[finetune]'")

from .conftest import COMMAND

QUICK = ("--epochs", 2, "--batch-size", 8, "--augment", "none")


@pytest.fixture
def data(folder):
    random = np.random.default_rng(3)
    images = random.normal(size=(80, 3, 6, 6)).astype(np.float32)
    np.savez("train.npz", images=images, labels=random.integers(0, 4, 80))
    return folder / "train.npz"


@pytest.fixture
def plan(qonnx, folder, data):
    options = ("--weight-bits", 2, "--activation-bits", 3, "--save-plan", "given.json")
    assert qonnx("convert", "model.onnx", "ptq.onnx", "--data", data, *options).status == 0
    return folder / "given.json"


def test_a_plan_data_and_epochs_give_a_better_model(qonnx, folder, data, plan):
    run = qonnx("finetune", "model.onnx", "out.onnx", "--plan", plan, "--data", data, *QUICK)
    assert (run.status, run.err) == (0, "")
    assert "as given: loss " in run.out
    assert "epoch 2: loss " in run.out
    assert "next: qonnx evaluate out.onnx --against model.onnx" in run.out
    onnx.checker.check_model(onnx.load("out.onnx"))
    assert {path.name for path in (folder / "out.finetune").iterdir()} >= {"state.pt", "log.jsonl", "best.plan.json"}
    assert qonnx("convert", "model.onnx", "again.onnx", "--plan", "out.plan.json").status == 0
    assert (folder / "again.onnx").read_bytes() == (folder / "out.onnx").read_bytes()


def test_json_and_resume(qonnx, folder, data, plan):
    command = ("finetune", "model.onnx", "out.onnx", "--plan", plan, "--data", data, *QUICK, "--json")
    first = json.loads(qonnx(*command).out)
    assert [each["epoch"] for each in first["epochs"]] == [0, 1, 2]
    assert first["best"]["loss"] == min(each["loss"] for each in first["epochs"])
    assert all(each["differing"] == 0 for each in first["epochs"][1:])
    written = (folder / "out.onnx").read_bytes()
    again = json.loads(qonnx(*command, "--resume", folder / "out.finetune").out)
    assert again["epochs"] == first["epochs"]
    assert (folder / "out.onnx").read_bytes() == written
    changed = qonnx(*command, "--lr", 0.5, "--resume", folder / "out.finetune")
    assert changed.status == 1
    assert "holds a training with other options" in changed.line


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (("--epochs", 0), "error: epochs is 0; it must be 1 or more"),
        (("--groups", "half"), "error: groups is 'half'; give shares with commas between them"),
        (("--resume", "nowhere"), "error: --resume 'nowhere' is no folder"),
        (("--retain", 0.5), "error: retain: the plan compresses no feature maps"),
        (("--retain-from", "some"), "error: retain-from is some; it must be one of all, each"),
        (("--rate-weight", 0.5), "error: rate-weight: the plan compresses no feature maps"),
        (("--target", "tpu"), "error: target 'tpu' is unknown"),
        (("--distill", "missing.onnx"), "missing.onnx"),
    ],
)
def test_bad_options_are_one_line_and_leave_nothing(qonnx, folder, data, plan, options, line):
    before = {path.name for path in folder.iterdir()}
    run = qonnx("finetune", "model.onnx", "out.onnx", "--plan", plan, "--data", data, *options)
    assert run.status == 1
    assert line in run.line
    assert {path.name for path in folder.iterdir()} == before


def test_ctrl_c_leaves_a_usable_model_and_a_way_to_go_on(folder, data, plan):
    arguments = ("finetune", "model.onnx", "out.onnx", "--plan", plan, "--data", data, *QUICK, "--epochs", 2000)
    process = subprocess.Popen(
        [*COMMAND, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=folder
    )
    state = folder / "out.finetune" / "state.pt"
    deadline = time.monotonic() + 60
    while not state.exists() and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "wrote out.onnx" in out
    assert "out.onnx is of the best epoch so far; go on with --resume out.finetune" in err
    assert "Traceback" not in err
    onnx.checker.check_model(onnx.load(folder / "out.onnx"))
    assert not list(folder.glob(".*")), "nothing half-written is left"


def test_without_pytorch_it_says_what_to_install(data, plan):
    program = "import sys; sys.modules['torch'] = None\nfrom qonnx_tools.cli import main\nsys.exit(main())"
    arguments = ["finetune", "model.onnx", "out.onnx", "--plan", str(plan), "--data", str(data)]
    run = subprocess.run([sys.executable, "-P", "-c", program, *arguments], capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert run.stderr == "error: qonnx finetune needs PyTorch; run: pip install 'qonnx-tools[finetune]'\n"
