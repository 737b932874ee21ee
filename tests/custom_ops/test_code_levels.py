"""The ops on codes equal the reference at every SIMD level, not only at the one that this CPU would take."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from simd_levels import LEVELS, lacks

HERE = Path(__file__).parent


@pytest.mark.parametrize("level", LEVELS)
def test_level(level):
    if lacks(level):
        pytest.skip(f"this CPU has no {level}")
    if level == [each for each in LEVELS if not lacks(each)][-1]:
        pytest.skip(f"{level} is the level of this CPU, at which these tests run without being told")
    names = ("weighted_ops", "convolution_add", "log_weights", "convolution_shapes", "depthwise", "code_ops")
    tests = [str(HERE / f"test_{name}.py") for name in (*names, "narrow_elements", "epilogue", "feature_map_ops")]
    environment = {**os.environ, "QONNX_TOOLS_SIMD": level, "QONNX_TOOLS_TEST_SEED": "1"}
    command = [sys.executable, "-P", "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=HERE.parent.parent)
    assert done.returncode == 0, done.stdout[-3000:]
