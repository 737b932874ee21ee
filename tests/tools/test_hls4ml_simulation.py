"""The C simulation of hls4ml computes the native graph's outputs to the bit.

Needs an environment with hls4ml, whose interpreter QONNX_TOOLS_HLS_PYTHON names, and g++. Compiling takes seconds a
network, so that there are few and small ones; benchmarks/hls4ml_simulation.py simulates ResNet-8.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tool_networks import network

from qonnx_tools.conversion import convert
from qonnx_tools.graph import save, to_proto
from qonnx_tools.runtime import run, session

WORKER = Path(__file__).resolve().parents[2] / "benchmarks" / "hls4ml_worker.py"
IMAGES = 200


@pytest.fixture(scope="module")
def interpreter():
    """An interpreter that has hls4ml."""
    named = os.environ.get("QONNX_TOOLS_HLS_PYTHON", sys.executable)
    found = shutil.which(named)
    if found is None or subprocess.run([found, "-c", "import hls4ml"], capture_output=True, check=False).returncode:
        pytest.skip(f"{named} has no hls4ml: name an interpreter that has it in QONNX_TOOLS_HLS_PYTHON")
    if shutil.which("g++") is None:
        pytest.skip("g++ is not installed: hls4ml compiles its C simulation with it")
    return found


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("batch norm", {"batch_norm": "separate"}),
        ("residual", {"scheme": "log", "log_scale": "power-of-two", "rounding": "half_up"}),
        ("shortcut", {"batch_norm": "merge"}),
        ("depthwise", {}),
    ],
    ids=["separate batch norm", "log weights, half up", "shortcut and pooling", "depthwise"],
)
def test_outputs_are_the_native_ones(interpreter, tmp_path, name, options):
    images = np.random.default_rng(1).normal(size=(IMAGES, 3, 8, 8)).astype(np.float32)
    (expected,) = run(session(convert(to_proto(network(name)), **options).model, threads=1), images)
    save(convert(to_proto(network(name)), **options, target="qonnx", tool="hls4ml").model, tmp_path / "model.onnx")
    np.savez(tmp_path / "images.npz", images=images)
    files = [str(tmp_path / each) for each in ("model.onnx", "images.npz", "results.npz", "project")]
    done = subprocess.run([interpreter, str(WORKER), *files], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    found = np.load(tmp_path / "results.npz")["outputs"].reshape(expected.shape)
    np.testing.assert_array_equal(found, expected)
