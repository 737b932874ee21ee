"""Every SIMD level and every number of threads gives the same bits."""

import hashlib
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from simd_levels import LEVELS, lacks

SCRIPT = Path(__file__).parent / "print_digests.py"


def run_at(level):
    environment = {**os.environ, "QONNX_TOOLS_SIMD": level}
    return subprocess.run([sys.executable, str(SCRIPT)], capture_output=True, text=True, check=False, env=environment)


@cache
def digests_at(level):
    done = run_at(level)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.splitlines()


@pytest.mark.parametrize("level", LEVELS[1:])
def test_level_equals_portable(level):
    if lacks(level):
        pytest.skip(f"this CPU has no {level}")
    assert digests_at(level)[0] == f"level {level}"
    assert digests_at(level)[1:] == digests_at("portable")[1:]
    assert len(digests_at(level)) > 100


@pytest.mark.parametrize("level", LEVELS[1:])
def test_a_level_that_the_cpu_lacks_is_refused(level):
    if not lacks(level):
        pytest.skip(f"this CPU has {level}")
    done = run_at(level)
    assert done.returncode != 0
    assert f"this CPU does not run level '{level}'" in done.stderr


def test_an_unknown_level_is_refused():
    done = run_at("avx9")
    assert done.returncode != 0
    assert "'avx9'; set it to portable, v2, v3, v4 or amx, or unset it" in done.stderr


@pytest.mark.parametrize("op", ["FixedQuant", "LogQuant", "Quant"])
def test_threads_do_not_matter(op, run_node, random):
    x = random.normal(0, 4, (3, 5, 70001)).astype(np.float32)
    scale = np.array([0.3, 0.5, 1, 2, 1.7], np.float32).reshape(5, 1)
    parameters = {"FixedQuant": [np.arange(5).reshape(5, 1)], "LogQuant": [scale]}
    inputs = [x, *parameters.get(op, [scale, np.float32(0), np.float32(8)])]
    attributes = {"signed": 1, "narrow": 1} if op == "Quant" else {"bits": 5}
    domain = "qonnx.custom_op.general" if op == "Quant" else "qonnx_tools.ops"
    outputs = [run_node(op, inputs, attributes, domain=domain, threads=threads) for threads in (1, 2, 3, 4)]
    assert len({hashlib.sha256(output.tobytes()).hexdigest() for output in outputs}) == 1
