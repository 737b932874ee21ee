"""Run a QONNX model with the executor of the qonnx package. For qonnx_executor.py, in an environment of its own.

Needs qonnx, onnx and onnxruntime; nothing of qonnx-tools. Reads ``images`` [n, 1, C, H, W] from IN.npz and writes
``outputs`` [n, ...], ``seconds`` [n] and, for the first image, every tensor of the graph as ``tensor:<name>``.

    python benchmarks/qonnx_worker.py MODEL.onnx IN.npz OUT.npz
"""

import sys
import time

import numpy as np


def main(model_file: str, images_file: str, results_file: str) -> None:
    """Execute the model image by image."""
    # only its own environment has qonnx
    from qonnx.core.modelwrapper import ModelWrapper  # type: ignore[import-not-found]  # noqa: PLC0415
    from qonnx.core.onnx_exec import execute_onnx  # type: ignore[import-not-found]  # noqa: PLC0415

    model = ModelWrapper(model_file)
    entry, result = model.graph.input[0].name, model.graph.output[0].name
    images = np.load(images_file)["images"]
    first = execute_onnx(model, {entry: images[0]}, return_full_exec_context=True)
    outputs, seconds = [], []
    for image in images:
        start = time.perf_counter()
        outputs.append(execute_onnx(model, {entry: image})[result])
        seconds.append(time.perf_counter() - start)
    tensors = {f"tensor:{name}": value for name, value in first.items() if name and value is not None}
    np.savez(results_file, outputs=np.stack(outputs), seconds=np.array(seconds), **tensors)


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
