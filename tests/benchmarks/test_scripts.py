"""The benchmarks start, say how they are used, and say what is missing."""

import os
import subprocess
import sys

import pytest

SCRIPTS = ("conversion", "kernels", "models", "qonnx_executor", "resnet50")
WORKERS = ("onnxruntime_worker", "qonnx_worker")


def run(repo_root, script, *arguments, **variables):
    environment = {key: value for key, value in os.environ.items() if key != "QONNX_TOOLS_ASSETS"} | variables
    command = [sys.executable, repo_root / "benchmarks" / f"{script}.py", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


def test_every_script_is_known(repo_root):
    parts = {"measuring", "coco"}  # that scripts import
    assert {file.stem for file in (repo_root / "benchmarks").glob("*.py")} == {*SCRIPTS, *WORKERS, *parts}


@pytest.mark.parametrize("script", SCRIPTS)
def test_help(repo_root, script):
    done = run(repo_root, script, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"usage: {script}.py")


@pytest.mark.parametrize("script", WORKERS)
def test_workers_say_how_they_are_used(repo_root, script):
    done = run(repo_root, script)
    assert done.returncode == 1
    assert f"python benchmarks/{script}.py" in done.stderr


@pytest.mark.parametrize("script", ["conversion", "models"])
def test_missing_assets_are_one_line(repo_root, script, tmp_path):
    unset = run(repo_root, script)
    assert unset.returncode == 1
    assert unset.stderr.count("\n") == 1
    assert unset.stderr.startswith("QONNX_TOOLS_ASSETS is not set")
    empty = run(repo_root, script, QONNX_TOOLS_ASSETS=str(tmp_path))
    assert empty.returncode == 1
    assert empty.stderr.count("\n") == 1
    assert "is missing" in empty.stderr


def test_kernels_on_few_numbers(repo_root):
    done = run(repo_root, "kernels", "--elements", "4096", "--rounds", "1")
    assert (done.returncode, done.stderr) == (0, "")
    assert "FixedQuant 8 bits, half even" in done.stdout


def test_resnet50_has_the_parameters_of_a_resnet50(repo_root, tmp_path):
    done = run(repo_root, "resnet50", str(tmp_path / "model.onnx"))
    assert done.stdout.rstrip().endswith("25610152 parameters")  # 25,557,032 trained ones and 53,120 statistics
