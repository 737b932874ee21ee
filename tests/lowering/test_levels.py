"""Every SIMD level, one thread and two, optimizations on and off: each tensor is what the reference makes of it."""

import os
import subprocess
import sys
from pathlib import Path
from random import Random

import numpy as np
import onnx
import pytest
from native_runs import all_outputs, by_references, without_float
from print_tensor_digests import digest
from random_network import random_images, random_network, random_options
from real_networks import feeds, model_path
from simd_levels import LEVELS, lacks

from qonnx_tools.conversion import convert

SCRIPT = Path(__file__).parents[1] / "helpers" / "print_tensor_digests.py"
SETTINGS = 8
"""All outputs or the last ones, times threads, times optimization."""
REAL = ("resnet20_cifar10", "mobilenet_v1_075_imagenet")
RANDOM_GRAPHS = 24


def write(folder, name, model, given):
    """Write graph and inputs; return the digests of its tensors by the references."""
    proto, inputs, _ = without_float(all_outputs(model), given)
    onnx.save(proto, folder / f"{name}.onnx")
    np.savez(folder / f"{name}.npz", **inputs)
    return {(name, tensor): digest(value) for tensor, value in by_references(proto, inputs).items()}


@pytest.fixture(scope="module")
def random_graphs(tmp_path_factory):
    folder, expected = tmp_path_factory.mktemp("random"), {}
    for seed in range(RANDOM_GRAPHS):
        source = Random(seed)  # noqa: S311  # not for secrets
        network = random_network(source)
        options = random_options(source, ("fixed", "log")[seed % 2])
        native = convert(network, target="native", **options).model
        expected |= write(folder, f"random{seed}", native, random_images(network, source))
    return folder, expected


@pytest.fixture(scope="module")
def real_graphs(tmp_path_factory, assets):
    folder, expected = tmp_path_factory.mktemp("real"), {}
    for name in REAL:
        path = model_path(name, assets)
        for scheme in ("fixed", "log"):
            native = convert(path, scheme=scheme, target="native").model
            expected |= write(folder, f"{name}_{scheme}", native, feeds(name, path))
    return folder, expected


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("graphs", ["random_graphs", "real_graphs"])
def test_tensors_at_every_level_are_the_references(graphs, level, request, count_equal):
    if lacks(level):
        pytest.skip(f"this CPU has no {level}")
    folder, expected = request.getfixturevalue(graphs)
    environment = {**os.environ, "QONNX_TOOLS_SIMD": level}
    command = [sys.executable, str(SCRIPT), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if level == "amx" and "does not run level" in done.stderr:
        pytest.skip("Linux does not grant this process the registers of amx")
    assert done.returncode == 0, done.stderr[-2000:]
    *lines, used = [line.split("\t") for line in done.stdout.splitlines()]
    assert used == ["level", level]
    different = [line for line in lines if expected[line[0], line[2]] != line[3]]
    assert not different, different[:5]
    settings = {(name, setting) for name, setting, *_ in lines}
    assert len(settings) == SETTINGS * len({name for name, _ in expected})
    assert {(name, tensor) for name, _, tensor, *_ in lines} == expected.keys()
    count_equal("every SIMD level, threads and optimizations = reference", len(lines), sum(int(x[-1]) for x in lines))
