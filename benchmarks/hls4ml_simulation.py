"""ResNet-8 in the C simulation of hls4ml, compared with the native graph, image by image and bit by bit.

The model is converted with ``--target qonnx --for hls4ml`` (fixed point, 8/8 bits, without data), and hls4ml reads the
file as it is. Also measured: how long the conversion of ResNet-20 takes, from the float file to the file for hls4ml.

    python -m venv hls-venv && hls-venv/bin/pip install hls4ml==1.3.0 qonnx==1.0.0 onnx==1.20.0

    QONNX_TOOLS_ASSETS=... python benchmarks/hls4ml_simulation.py --hls-python hls-venv/bin/python [--json]
        [--images N] [--scheme fixed|log] [--batch-norm fold|merge|separate] [--io-type io_stream|io_parallel]
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from measuring import asset, machine, run_process

from qonnx_tools.conversion import convert
from qonnx_tools.data import open_data, preprocessing
from qonnx_tools.graph import save
from qonnx_tools.runtime import run, session

MODEL, DATA, PREPARED = "mlperf_tiny_resnet8_cifar10.onnx", "cifar10_test.npz", "resnet20_cifar10.onnx"
WORKER = Path(__file__).with_name("hls4ml_worker.py")


def main() -> None:
    """Parse the options, simulate, compare, print."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--hls-python", type=Path, required=True, help="interpreter of an environment with hls4ml")
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--scheme", default="fixed")
    parser.add_argument("--batch-norm", default="fold")
    parser.add_argument("--io-type", default="io_stream")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if not options.hls_python.exists():
        sys.exit(f"--hls-python {options.hls_python}: no such file; the head of {Path(__file__).name} says more")
    start = time.perf_counter()
    convert(asset("models", PREPARED), preprocessing=preprocessing("cifar10"), target="qonnx", tool="hls4ml")
    prepared = time.perf_counter() - start
    wanted = {"scheme": options.scheme, "batch_norm": options.batch_norm, "preprocessing": preprocessing("raw")}
    if options.scheme == "log":
        wanted["log_scale"] = "power-of-two"
    native = convert(asset("models", MODEL), **wanted).model
    laid_out = convert(asset("models", MODEL), **wanted, target="qonnx", tool="hls4ml").model
    data = open_data(str(asset("data", DATA)), preprocessing("raw"), (1, 3, 32, 32))
    images = np.concatenate([batch.images for batch in data.batches(50, limit=options.images)])
    expected = run(session(native, threads=1), images)[0].reshape(len(images), -1)
    with tempfile.TemporaryDirectory() as folder:
        file, given, results = (str(Path(folder) / name) for name in ("model.onnx", "images.npz", "results.npz"))
        save(laid_out, file)
        np.savez(given, images=images)
        project = str(Path(folder) / "project")
        run_process([str(options.hls_python), str(WORKER), file, given, results, project, options.io_type])
        found = dict(np.load(results))
    outputs = found["outputs"].reshape(len(images), -1)
    report = {
        "machine": machine(),
        "images": len(images),
        "images_equal": int((outputs == expected).all(axis=1).sum()),
        "largest_difference": float(np.abs(outputs - expected).max()),
        "seconds_to_prepare_resnet20": prepared,
        **{f"seconds_to_{step}": float(found[step]) for step in ("ingest", "compile", "predict")},
    }
    print(json.dumps(report, indent=2) if options.json else "\n".join(f"{name}: {it}" for name, it in report.items()))


if __name__ == "__main__":
    main()
