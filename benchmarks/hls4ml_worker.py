"""C simulation of a QONNX model by hls4ml. For hls4ml_simulation.py and tests, in an environment of its own.

Needs hls4ml, onnx and g++ (``pip install 'qonnx-tools[hls]'``); nothing of qonnx-tools. Reads ``images`` [n, C, H, W]
from IN.npz; writes ``outputs`` [n, ...] and the seconds to ``ingest``, ``compile`` and ``predict``.

    python benchmarks/hls4ml_worker.py MODEL.onnx IN.npz OUT.npz FOLDER [io_parallel|io_stream]
"""

import sys
import time

import numpy as np
import onnx

PRECISION = "fixed<64,24>"
"""Of everything that no Quant says: it holds a float32 image to 2^-40, and batch-norm constants."""


def main(model_file: str, images_file: str, results_file: str, folder: str, io_type: str = "io_parallel") -> None:
    """Convert, compile and run."""
    # only its own environment has hls4ml
    import hls4ml  # type: ignore[import-not-found]  # noqa: PLC0415

    model = onnx.load(model_file)
    start = time.perf_counter()
    config = hls4ml.utils.config_from_onnx_model(
        model, granularity="name", backend="Vitis", default_precision=PRECISION
    )
    config["LayerName"][model.graph.input[0].name]["Precision"] = {"result": PRECISION}
    made = hls4ml.converters.convert_from_onnx_model(
        model, output_dir=folder, backend="Vitis", io_type=io_type, hls_config=config
    )
    ingested = time.perf_counter()
    made.compile()
    compiled = time.perf_counter()
    outputs = made.predict(np.ascontiguousarray(np.load(images_file)["images"], np.float32))
    done = time.perf_counter()
    np.savez(
        results_file,
        outputs=outputs,
        ingest=np.array(ingested - start),
        compile=np.array(compiled - ingested),
        predict=np.array(done - compiled),
    )


if __name__ == "__main__":
    if len(sys.argv) not in (5, 6):
        sys.exit(__doc__)
    main(*sys.argv[1:])
