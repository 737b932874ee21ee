"""The ops on codes equal the reference at every SIMD level, not only at the one that this CPU would take."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
FLAGS = {"portable": set(), "v2": {"sse4_2"}, "v3": {"avx2", "fma"}, "v4": {"avx512bw", "avx512vl", "avx512_vnni"}}


@pytest.mark.parametrize("level", FLAGS)
def test_level(level):
    flags = Path("/proc/cpuinfo").read_text().split() if Path("/proc/cpuinfo").exists() else []
    if not FLAGS[level] <= set(flags):
        pytest.skip(f"this CPU has no {level}")
    tests = [str(HERE / name) for name in ("test_weighted_ops.py", "test_code_ops.py", "test_narrow_elements.py")]
    environment = {**os.environ, "QONNX_TOOLS_SIMD": level, "QONNX_TOOLS_TEST_SEED": "1"}
    command = [sys.executable, "-P", "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=HERE.parent.parent)
    assert done.returncode == 0, done.stdout[-3000:]
