"""The benchmarks start, say how they are used, and say what is missing."""

import json
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
    assert {"conversion", "kernels", "models", "native", "qonnx_executor", "resnets"} <= set(SCRIPTS)
    assert set(WORKERS) == {"hls4ml_worker", "onnxruntime_worker", "qonnx_worker", "session_worker"}


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


@pytest.mark.parametrize(
    "script",
    [
        *("batch_norm_formats", "batch_norm_spread", "batch_norm_treatments"),
        *(
            "conversion",
            "feature_map_codecs",
            "feature_map_round_trip",
            "log_accuracy",
            "models",
            "native_against_simulation",
        ),
    ],
)
def test_missing_assets_are_one_line(script, tmp_path):
    unset = run(script)
    assert unset.returncode == 1
    assert unset.stderr.count("\n") == 1
    assert unset.stderr.startswith("QONNX_TOOLS_ASSETS is not set")
    empty = run(script, QONNX_TOOLS_ASSETS=str(tmp_path))
    assert empty.returncode == 1
    assert empty.stderr.count("\n") == 1
    assert "is missing" in empty.stderr


def test_a_native_graph_differs_nowhere_from_its_simulation_in_fixed_point(assets):
    arguments = ("--models", "mnist8_onnxzoo", "--schemes", "fixed", "--images", "4", "--json")
    done = run("native_against_simulation", *arguments, QONNX_TOOLS_ASSETS=str(assets))
    assert done.returncode == 0
    (found,) = json.loads(done.stdout)["results"]
    assert (found["batch_norm"], found["images"], found["outputs"]) == ("fold", 4, 40)
    assert found["codes"] > 10_000
    assert not {name: found[name] for name in found if "differ" in name and found[name]}


def test_feature_maps_are_smallest_in_codecs_of_this_project(assets):
    arguments = ("--networks", "resnet20_cifar10", "--images", "2", "--steps", "1", "5", "--json")
    done = run("feature_map_codecs", *arguments, QONNX_TOOLS_ASSETS=str(assets))
    assert (done.returncode, done.stderr) == (0, "")
    results = json.loads(done.stdout)["results"]
    for step in (1, 5):
        found = {item["codec"]: item for item in results if item["step"] == step}
        assert {"extended bit-plane", "zstd -19", "predictive, rice", "wavelet53 3, context"} <= set(found)
        assert min(found, key=lambda codec: found[codec]["bits_a_value"]) == "predictive, context"
        assert found["predictive, context"]["root_mean_square_error"] == pytest.approx({1: 0, 5: 1.1}[step], abs=0.3)


def test_kernels_on_few_numbers():
    done = run("kernels", "--elements", "4096", "--rounds", "1")
    assert (done.returncode, done.stderr) == (0, "")
    assert "FixedQuant 8 bits, half even" in done.stdout


@pytest.mark.parametrize(("layers", "parameters"), [(18, 11689512 + 9600), (50, 25557032 + 53120)])
def test_resnets_have_their_parameters_and_statistics(layers, parameters, tmp_path):
    done = run("resnets", str(layers), str(tmp_path / "model.onnx"))
    assert done.stdout.rstrip().endswith(f"{parameters} parameters")


TINY = ("--networks", "resnet18", "--side", "32", "--processes", "1", "--rounds", "1", "--runs", "1")
KINDS = ("float", "quantize_static", "fixed 8/8", "log 5/8", "log 5/5 root2", "fixed 8/16", "fixed 10/8")


def test_native_graphs_of_a_tiny_network():
    done = run("native", *TINY, "--json")
    assert done.returncode == 0, done.stderr
    (rows,) = json.loads(done.stdout)["results"].values()
    assert [(row["graph"], row["threads"]) for row in rows] == [(kind, threads) for kind in KINDS for threads in (1, 2)]
    for row in rows:
        assert row["ms"]["low"] <= row["ms"]["median"] <= row["ms"]["high"]
        assert 50 < row["peak MB"]["median"] < 2000
    assert rows[0]["to float"]["median"] == rows[2]["to quantize_static"]["median"] == 1


def test_native_graphs_layer_by_layer():
    done = run("native", *TINY, "--per-layer", "--json")
    assert done.returncode == 0, done.stderr
    (rows,) = json.loads(done.stdout)["results"].values()
    convolutions = [row for row in rows if row["op"] == "Conv"]
    assert len(convolutions) == 20
    for row in (*convolutions, rows[-1]):
        assert all(float(row[f"{kind} ms"]) > 0 for kind in KINDS[:3]), row
    assert rows[-1]["layer"] == "sum"


def test_native_graphs_without_assets_say_what_is_left_out():
    done = run("native", "--networks", "resnet20_cifar10")
    assert done.returncode == 0
    assert done.stderr == "QONNX_TOOLS_ASSETS is not set: resnet20_cifar10 left out\n"
