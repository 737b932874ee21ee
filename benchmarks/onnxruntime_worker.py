"""Quantize a model with onnxruntime's own tools. For conversion.py, which measures this process, and native.py.

Needs numpy, onnx and onnxruntime, nothing of qonnx-tools. Calibrates on ``images`` of IMAGES.npz, one at a time.
Without sympy, quant_pre_process cannot infer shapes symbolically; that step is then left out. Activations are int8,
or uint8, which onnxruntime runs faster on x86.

    python benchmarks/onnxruntime_worker.py MODEL.onnx IMAGES.npz OUT.onnx [uint8]
"""

import importlib.util
import sys

import numpy as np
import onnx
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process


class _Reader(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime is untyped
    """Calibration images as onnxruntime asks for them."""

    def __init__(self, file: str, name: str) -> None:
        self._feeds = iter([{name: image[None]} for image in np.load(file)["images"]])

    def get_next(self) -> dict[str, np.ndarray] | None:
        return next(self._feeds, None)


def main(model: str, images: str, out: str, activations: str = "int8") -> None:
    """Prepare, calibrate by minimum and maximum, write QDQ with int8 weights per channel."""
    prepared = f"{out}.prepared.onnx"
    quant_pre_process(model, prepared, skip_symbolic_shape=importlib.util.find_spec("sympy") is None)
    quantize_static(
        prepared,
        out,
        _Reader(images, onnx.load(prepared, load_external_data=False).graph.input[0].name),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        weight_type=QuantType.QInt8,
        activation_type=QuantType.QUInt8 if activations == "uint8" else QuantType.QInt8,
    )


if __name__ == "__main__":
    if len(sys.argv) not in (4, 5) or sys.argv[4:] not in ([], ["uint8"]):
        sys.exit(__doc__)
    main(*sys.argv[1:])
