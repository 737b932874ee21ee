"""The graphs that native.py compares: a float network, and what becomes of it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from measuring import run_process

from qonnx_tools.conversion import convert
from qonnx_tools.graph import save
from qonnx_tools.runtime import library_path

FLOAT, QUANTIZE_STATIC = "float", "quantize_static"
WORKER = Path(__file__).with_name("onnxruntime_worker.py")


@dataclass(frozen=True)
class Native:
    """Options of a conversion to the target native, under the name ``scheme weight bits/activation bits``."""

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)


FIXED = Native("fixed 8/8")
LOG = Native("log 5/8", {"scheme": "log", "weight_bits": 5})
LOG_LOG = Native(
    "log 5/5 root2",
    {"scheme": "log", "log_base": "sqrt2", "activations": "log", "weight_bits": 5, "activation_bits": 5},
)
TRAINED = (FIXED, LOG, LOG_LOG)
NATIVES = (*TRAINED, Native("fixed 8/16", {"activation_bits": 16}), Native("fixed 10/8", {"weight_bits": 10}))


def graphs(model: Path, folder: Path, natives: tuple[Native, ...], python: Path | None) -> Iterator[tuple[str, Path]]:
    """Yield each kind of graph with its file in ``folder``, the float model itself first.

    Formats come without data; speed depends on them little if at all. With ``python``, which runs onnxruntime's
    quantization, there is onnxruntime's own 8-bit graph too, calibrated on random images: QDQ with uint8 activations
    and int8 weights per channel, its fastest form on x86.
    """
    yield FLOAT, model
    if python is not None:
        out, images = folder / f"{model.stem}.quantize_static.onnx", folder / f"{model.stem}.npz"
        (entry,) = onnx.load(model).graph.input
        shape = [dimension.dim_value for dimension in entry.type.tensor_type.shape.dim][1:]
        np.savez(images, images=np.random.default_rng(0).normal(0, 1, (4, *shape)).astype(np.float32))
        run_process([str(python), str(WORKER), str(model), str(images), str(out), "uint8"])
        yield QUANTIZE_STATIC, out
    for native in natives:
        out = folder / f"{model.stem}.{native.name.replace(' ', '.').replace('/', '.')}.onnx"
        save(convert(model, target="native", **native.options).model, out)
        yield native.name, out


def library_of(kind: str) -> str:
    """Return the library that a session of a kind of graph registers, "-" for none."""
    return "-" if kind in (FLOAT, QUANTIZE_STATIC) else str(library_path())
