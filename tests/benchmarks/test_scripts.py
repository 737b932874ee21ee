"""The benchmarks start, say how they are used, and say what is missing."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"
SCRIPTS = sorted(file.stem for file in FOLDER.glob("*.py") if "ArgumentParser(" in file.read_text())
WORKERS = sorted(file.stem for file in FOLDER.glob("*_worker.py"))


def run(script, *arguments, **variables):
    environment = {key: value for key, value in os.environ.items() if key != "QONNX_TOOLS_ASSETS"} | variables
    command = [sys.executable, FOLDER / f"{script}.py", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


def test_they_are_found():
    assert {"conversion", "kernels", "models", "qonnx_executor", "resnet50"} <= set(SCRIPTS)
    assert set(WORKERS) == {"onnxruntime_worker", "qonnx_worker"}


@pytest.mark.parametrize("script", SCRIPTS)
def test_help(script):
    done = run(script, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"usage: {script}.py")


@pytest.mark.parametrize("script", WORKERS)
def test_workers_say_how_they_are_used(script):
    done = run(script)
    assert done.returncode == 1
    assert f"python benchmarks/{script}.py" in done.stderr


@pytest.mark.parametrize("script", ["conversion", "models"])
def test_missing_assets_are_one_line(script, tmp_path):
    unset = run(script)
    assert unset.returncode == 1
    assert unset.stderr.count("\n") == 1
    assert unset.stderr.startswith("QONNX_TOOLS_ASSETS is not set")
    empty = run(script, QONNX_TOOLS_ASSETS=str(tmp_path))
    assert empty.returncode == 1
    assert empty.stderr.count("\n") == 1
    assert "is missing" in empty.stderr


def test_kernels_on_few_numbers():
    done = run("kernels", "--elements", "4096", "--rounds", "1")
    assert (done.returncode, done.stderr) == (0, "")
    assert "FixedQuant 8 bits, half even" in done.stdout


def test_resnet50_has_the_parameters_of_a_resnet50(tmp_path):
    done = run("resnet50", str(tmp_path / "model.onnx"))
    assert done.stdout.rstrip().endswith("25610152 parameters")  # 25,557,032 trained ones and 53,120 statistics
