"""Small native graphs of every kind of arithmetic, as files, and simulations of packages."""

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
from small_classifier import normalized_classifier, small_classifier

from qonnx_tools.conversion import convert
from qonnx_tools.graph import save

KINDS = {
    "fixed": {"scheme": "fixed"},
    "half_up": {"scheme": "fixed", "rounding": "half_up", "weight_bits": 4, "activation_bits": 5},
    "wrapping": {"scheme": "fixed", "accumulator_bits": 12},
    "merge": {"scheme": "fixed", "batch_norm": "merge"},
    "separate": {"scheme": "fixed", "batch_norm": "separate"},
    "shift": {"scheme": "log"},
    "shift_sqrt2": {"scheme": "log", "log_base": "sqrt2"},
    "log": {"scheme": "log", "activations": "log", "activation_bits": 4},
    "log_sqrt2": {"scheme": "log", "activations": "log", "activation_bits": 5, "log_base": "sqrt2"},
}
"""Options of ``convert``, by a name."""
NORMALIZED = {"merge", "separate"}


def native_file(folder: Path, kind: str) -> Path:
    """Convert a small classifier and return the file of its native graph."""
    options = dict(KINDS[kind])
    path = folder / f"{kind}.onnx"
    source = normalized_classifier() if kind in NORMALIZED else small_classifier()
    save(convert(source, **options).model, path)
    return path


def simulate(folder, *arguments):
    """Run the package's Makefile: exit status, what it printed, and by layer (differing, outputs)."""
    make = shutil.which("make")
    done = subprocess.run([make, *arguments], cwd=folder, capture_output=True, text=True, check=False)
    found = re.findall(r"(layer_\d+): +(\d+) of +(\d+) outputs differ", done.stdout)
    return done.returncode, done.stdout + done.stderr, {name: (int(bad), int(count)) for name, bad, count in found}


def benches(result):
    return [layer for layer in result.manifest["layers"] if "module" in layer["simulation"]]


def assert_all_equal(result, *arguments):
    status, shown, layers = simulate(result.folder, *arguments)
    assert status == 0, shown
    tensors = result.manifest["tensors"]
    expected = {
        layer["simulation"]["module"]: (
            0,
            result.manifest["vectors"] * int(np.prod(tensors[layer["outputs"][0]]["shape"])),
        )
        for layer in benches(result)
    }
    assert layers == expected
    assert expected
