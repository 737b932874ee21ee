"""Feature maps of real networks in bits a value: codecs of this project beside others, and their speed.

The maps are what a network stores after its activations, in 8 bits (code = value / (maximum of the layer / 255)). At a
step above 1 all codecs without a wavelet code the same quantized numbers; wavelets quantize their coefficients with the
same step, and the error of each is in the table. Streams are whole files of one map, headers counted.

    python benchmarks/feature_map_codecs.py [--networks NAME ...] [--images N] [--steps D ...] [--speed] [--json]
"""

import argparse
import importlib.util
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import rival_codecs as rivals
from measuring import asset, machine, markdown_table

from models import CASES
from qonnx_tools.arithmetic.bitstream import Coding
from qonnx_tools.arithmetic.coding import header_of
from qonnx_tools.arithmetic.subband_quantization import dequantize_values, quantize_values, sixteenths
from qonnx_tools.data import open_data
from qonnx_tools.feature_map_codec import FeatureMapEncoder, decompress
from qonnx_tools.graph import Model, load
from qonnx_tools.runtime import run, session

NETWORKS = ("resnet20_cifar10", "mobilenet_v1_075_imagenet", "squeezenet11_imagenet")
TRAINING = {"resnet20_cifar10": 256}
USUAL_TRAINING = 16
"""Calibration images for the maxima of the layers and the Huffman codes."""
CODERS = ("context", "rice", "sparse-golomb")
TRANSFORMS = (("predictive", 0), ("none", 0), ("haar", 1), ("haar", 3), ("wavelet53", 1), ("wavelet53", 3))
SPEEDS = (("predictive", 0), ("none", 0), ("haar", 1), ("wavelet53", 1), ("wavelet53", 3))
ROUNDS, SPEED_IMAGES = 25, 16

Codes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Result:
    """A codec on all maps of a network at one step."""

    network: str
    codec: str
    step: float
    bits_a_value: float
    root_mean_square_error: float


@dataclass(frozen=True)
class Speed:
    """Megabytes of 8-bit codes in a second, on one core."""

    codec: str
    shape: tuple[int, ...]
    encode: float
    decode: float


def stored(model: Model) -> list[str]:
    """Return the tensors whose maps are stored: outputs of residual sums after their ReLU, else of all activations."""
    nodes = model.graph.nodes
    sums = {tensor.name for node in nodes if node.op == "Add" for tensor in node.outputs}
    active = [node for node in nodes if node.op in ("Relu", "Clip")]
    after_sums = [node for node in active if node.inputs[0].name in sums]
    return [node.outputs[0].name for node in after_sums or active]


def layers(network: str, images: int) -> Iterator[tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]]:
    """Yield the maps of each layer, ``[image, C, H, W]``: of training images, and of those that are measured."""
    (case,) = (case for case in CASES if case.model == network)
    model = load(asset("models", f"{network}.onnx"))
    names = stored(model)
    shape = tuple(model.graph.inputs[0].shape)
    runner = session(model, threads=1, outputs=names)
    parts = []
    calibration = TRAINING.get(network, USUAL_TRAINING)
    for name, wanted in ((case.calibration, calibration), (case.test or case.calibration, images)):
        batches = open_data(str(asset("data", name)), case.prepared, shape).batches(wanted, limit=wanted)
        parts.append(run(runner, next(iter(batches)).images, names))
    for training, measured in zip(*parts, strict=True):
        if training.ndim == 4 and training.shape[2] > 1:
            scale = training.max() / 255
            yield tuple(np.clip(np.rint(part / scale), 0, 255).astype(np.uint8) for part in (training, measured))


def others(training: Codes) -> dict[str, Callable[[Codes], float]]:
    """Return the codecs of others, by name; ``training`` are maps of the same layer."""
    found: dict[str, Callable[[Codes], float]] = {
        "zero run-length": rivals.zero_run_length,
        "zero-value": rivals.zero_value,
        "extended bit-plane": rivals.extended_bit_planes,
        "static Huffman": rivals.huffman(training),
        "first-order entropy": rivals.entropy,
        "zlib -6": rivals.zlib_6,
    }
    if importlib.util.find_spec("zstandard"):  # in the extra "benchmarks"
        found |= {f"zstd -{level}": rivals.zstandard(level) for level in (3, 19)}
    return found


def compare(network: str, images: int, steps: Sequence[float]) -> list[Result]:
    """Return the results of every codec on a network."""
    bits: dict[tuple[str, float], float] = {}
    errors: dict[tuple[str, float], float] = {}
    total = 0

    def add(codec: str, step: float, size: float, codes: Codes, decoded: npt.NDArray[Any]) -> None:
        difference = decoded.astype(np.float64) - codes
        bits[codec, step] = bits.get((codec, step), 0) + size
        errors[codec, step] = errors.get((codec, step), 0) + float((difference**2).sum())

    for training, measured in layers(network, images):
        total += measured.size
        for step in steps:
            units = sixteenths(step)
            found = others(quantize_values(training, units).astype(np.uint8))
            for codes in measured:
                numbers = quantize_values(codes, units)
                decoded = np.minimum(dequantize_values(numbers, units), 255)
                for name, codec in found.items():
                    add(name, step, codec(numbers.astype(np.uint8)), codes, decoded)
            for transform, levels in TRANSFORMS:
                for coder in CODERS:
                    encoder = FeatureMapEncoder(header_of(measured[0], Coding(transform, coder, levels, step)))
                    for codes in measured:
                        stream = encoder.encode(codes)
                        name = f"{transform}{f' {levels}' if levels else ''}, {coder}"
                        add(name, step, 8 * len(stream), codes, decompress(stream))
    return [
        Result(network, codec, step, size / total, float(np.sqrt(errors[codec, step] / total)))
        for (codec, step), size in bits.items()
    ]


def speeds() -> Iterator[Speed]:
    """Yield the speed of each coder on the maps of a few images, one behind the other, of three layers of ResNet-20.

    So the time of a call from Python hardly counts.
    """
    maps = {measured.shape[2:]: measured for _, measured in layers(NETWORKS[0], SPEED_IMAGES)}
    for measured in maps.values():
        codes = np.ascontiguousarray(measured.reshape(-1, *measured.shape[2:]))
        room = np.empty_like(codes)
        for transform, levels in SPEEDS:
            for coder in CODERS:
                encoder = FeatureMapEncoder(header_of(codes, Coding(transform, coder, levels)))
                stream = encoder.encode(codes)
                taken = best(partial(encoder.encode, codes)), best(partial(decompress, stream, out=room))
                name = f"{transform}{f' {levels}' if levels else ''}, {coder}"
                yield Speed(name, codes.shape, *(codes.size / seconds / 1e6 for seconds in taken))


def best(work: Callable[[], object]) -> float:
    """Return the shortest time that ``work`` took, in seconds."""
    found = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        work()
        found.append(time.perf_counter() - start)
    return min(found)


def table(results: Sequence[Result], steps: Sequence[float]) -> str:
    """Return the results of one network as a table, the smallest lossless codec first."""
    rows: dict[str, dict[str, object]] = {}
    order = sorted({item.codec for item in results}, key=lambda codec: _bits(results, codec, steps[0]))
    for codec in order:
        rows[codec] = {"codec": codec}
        for step in steps:
            (found,) = (item for item in results if (item.codec, item.step) == (codec, step))
            rows[codec][f"step {step:g}: bits (error)"] = (
                f"{found.bits_a_value:.3f} ({found.root_mean_square_error:.2f})"
            )
        rows[codec]["against 8 bits"] = f"{8 / _bits(results, codec, steps[0]):.2f}"
    return markdown_table(list(rows.values()))


def _bits(results: Sequence[Result], codec: str, step: float) -> float:
    return next(item.bits_a_value for item in results if (item.codec, item.step) == (codec, step))


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--networks", nargs="*", default=NETWORKS, choices=NETWORKS)
    parser.add_argument("--images", type=int, default=16)
    parser.add_argument("--steps", type=float, nargs="+", default=(1, 2.5, 5, 10, 20))
    parser.add_argument("--speed", action="store_true", help="measure speeds, too")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    results = [item for network in options.networks for item in compare(network, options.images, options.steps)]
    measured = list(speeds()) if options.speed else []
    if options.json:
        document = {"machine": machine(), "results": [asdict(item) for item in results]}
        print(json.dumps(document | {"speeds": [asdict(item) for item in measured]}, indent=2))
        return
    print(machine())
    for network in options.networks:
        print(f"\n{network}, {options.images} images\n")
        print(table([item for item in results if item.network == network], options.steps))
    if measured:
        print("\nMB/s of 8-bit codes, one core\n")
        print(
            markdown_table(
                [
                    {
                        "codec": item.codec,
                        "map": "x".join(map(str, item.shape)),
                        "encode": f"{item.encode:.0f}",
                        "decode": f"{item.decode:.0f}",
                    }
                    for item in measured
                ]
            )
        )


if __name__ == "__main__":
    main()
