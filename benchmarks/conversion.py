"""Wall time and peak memory of a conversion, as the command line is used: one fresh process a run.

* ResNet-20 with 512 calibration images: ``qonnx convert``.
* ResNet-50 with random weights (resnets.py) and 8 images: ``qonnx convert`` and, in turn, onnxruntime's own
  quant_pre_process and quantize_static (QDQ, int8 weights per channel, int8 activations, MinMax) on the same images.
  quant_pre_process wants sympy, which qonnx-tools does not need: --onnxruntime-python names the interpreter of an
  environment with onnxruntime, onnx and sympy. Without sympy, shapes are not inferred symbolically, which is faster.

    QONNX_TOOLS_ASSETS=... python benchmarks/conversion.py [--rounds N] [--onnxruntime-python PYTHON] [--json]

Shown are medians with quartiles; the ratio of a round is our time over onnxruntime's.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx
from measuring import Process, Spread, asset, machine, run_process
from resnets import resnet

IMAGES_20, IMAGES_50 = 512, 8
QONNX = Path(sys.executable).with_name("qonnx")
WORKER = Path(__file__).with_name("onnxruntime_worker.py")


def resnet20s(folder: Path, rounds: int) -> list[Process]:
    """Convert ResNet-20 with real images, ``rounds`` times."""
    model, data = asset("models", "resnet20_cifar10.onnx"), asset("data", "cifar10_train.npz")
    command = [str(QONNX), "convert", str(model), str(folder / "resnet20.onnx"), "--data", str(data)]
    command += ["--images", str(IMAGES_20), "--preset", "cifar10"]
    return [run_process(command) for _ in range(rounds + 1)][1:]  # the first run warms the disk cache


def resnet50s(folder: Path, rounds: int, python: Path) -> tuple[list[Process], list[Process]]:
    """Convert ResNet-50 in turn with ours and with onnxruntime's quantization, ``rounds`` times."""
    model, data = str(folder / "resnet50.onnx"), str(folder / "images.npz")
    onnx.save(resnet(50), model)
    images = np.random.default_rng(0).normal(0, 1, (IMAGES_50, 3, 224, 224)).astype(np.float32)
    np.savez(data, images=images)
    ours = [str(QONNX), "convert", model, str(folder / "ours.onnx"), "--data", data]
    theirs = [str(python), str(WORKER), model, data, str(folder / "theirs.onnx")]
    pairs = [(run_process(ours), run_process(theirs)) for _ in range(rounds + 1)][1:]
    return [pair[0] for pair in pairs], [pair[1] for pair in pairs]


def summary(runs: list[Process]) -> dict[str, Spread]:
    """Return the spread of time and memory."""
    return {
        "seconds": Spread.of([run.seconds for run in runs]),
        "peak_megabytes": Spread.of([run.peak_megabytes for run in runs]),
    }


def main() -> None:
    """Parse the options, measure, print."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--onnxruntime-python", type=Path, default=Path(sys.executable))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        small = resnet20s(Path(name), options.rounds)
        ours, theirs = resnet50s(Path(name), options.rounds, options.onnxruntime_python)
    ratio = Spread.of([mine.seconds / other.seconds for mine, other in zip(ours, theirs, strict=True)])
    has_sympy = subprocess.run([options.onnxruntime_python, "-c", "import sympy"], check=False, capture_output=True)
    inference = "without" if has_sympy.returncode else "with"
    results = {
        f"resnet20, {IMAGES_20} images, qonnx convert": summary(small),
        f"resnet50, {IMAGES_50} images, qonnx convert": summary(ours),
        f"resnet50, {IMAGES_50} images, onnxruntime {inference} symbolic shape inference": summary(theirs),
        "resnet50, ours / onnxruntime": {"ratio": ratio},
    }
    if options.json:
        plain = {label: {key: vars(value) for key, value in found.items()} for label, found in results.items()}
        print(json.dumps({"machine": machine(), "rounds": options.rounds, "results": plain}, indent=2))
        return
    print(machine())
    for label, found in results.items():
        print(f"{label}: " + ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in found.items()))


if __name__ == "__main__":
    main()
