"""Small native graphs of every kind of arithmetic, as files, and their packages."""

from pathlib import Path

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
