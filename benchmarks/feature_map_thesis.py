"""The wavelet compression of feature maps of Yang (thesis, 2019) on a residual network, without retraining, in bytes.

Each block's output x is rounded to q8 = clip(rint(255 x / M), 0, 255), M the largest value on training images, and goes
through three levels of the orthonormal db2 wavelet. Coefficients are rounded with the step 255 kappa to at most +-128;
the thesis has kappas of .014 to .022 from layer to layer, here it is .018 in all. Of the last map only LL is kept, for
average pooling follows. In a share of each map's channels, those with the least energy in them on training images, the
finest HL, LH and HH are left out. What is kept of a map is one stream of the coder sparse-golomb, header counted, and a
bit for each channel of the mask. The network goes on with the decoded map; nothing else in it is rounded.

    python benchmarks/feature_map_thesis.py [--network NAME] [--limit N] [--kappa K] [--json]
"""

import argparse
import json
import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from feature_map_codecs import stored
from measuring import asset, machine, markdown_table
from subjects import TestSet

from models import CASES
from qonnx_tools.arithmetic.bitstream import Coding
from qonnx_tools.arithmetic.orthonormal_wavelet import orthonormal_forward, orthonormal_inverse
from qonnx_tools.arithmetic.wavelet import Subband
from qonnx_tools.feature_map_codec import compress
from qonnx_tools.graph import Model, constant_value, is_constant, load, nodes, part_model
from qonnx_tools.runtime import session
from qonnx_tools.statistics import compare_paired

TRAINING_IMAGES = 512
BATCH = 50
RETAINED = (1.0, 0.75, 0.5, 0.25)
WAVELET, LEVELS, LARGEST = "db2", 3, 128
FINEST = (("HL", 1), ("LH", 1), ("HH", 1))
CODING = Coding(transform="none", coder="sparse-golomb")

Maps = npt.NDArray[np.float32]
Bands = dict[Subband, npt.NDArray[np.float64]]


@dataclass(frozen=True)
class Row:
    """What became of the network with this share of high-frequency parts retained."""

    retained: float
    ratio_vs_32bit: float
    bits_a_value: float
    top1: float
    drop: float
    drop_low: float
    drop_high: float
    images: int


@dataclass(frozen=True)
class Map:
    """How one map is compressed: its largest value, the step of its coefficients, the channels without finest bands."""

    largest: float
    step: float
    dropped: npt.NDArray[np.bool_]
    only_low: bool

    def coefficients(self, x: Maps) -> Bands:
        """Return the rounded coefficients of ``x`` ``[N, C, H, W]``."""
        codes = np.clip(np.rint(x * (255 / self.largest)), 0, 255)
        bands = orthonormal_forward(codes, WAVELET, LEVELS)
        rounded = {band: np.clip(np.rint(c / self.step), -LARGEST, LARGEST) for band, c in bands.items()}
        for band, c in rounded.items():
            if self.only_low and band[0] != "LL":
                c[:] = 0
            elif band in FINEST:
                c[:, self.dropped] = 0
        return rounded

    def decoded(self, bands: Bands, shape: tuple[int, ...]) -> Maps:
        """Return the map of ``shape`` as the next layer reads it."""
        found = orthonormal_inverse({band: c * self.step for band, c in bands.items()}, WAVELET, *shape[2:])
        return np.asarray(found * (self.largest / 255), np.float32)

    def size(self, bands: Bands, image: int) -> int:
        """Return the bytes of one image's map."""
        kept = []
        for band, c in bands.items():
            if self.only_low and band[0] != "LL":
                continue
            kept.append((c[image, ~self.dropped] if band in FINEST else c[image]).reshape(-1))
        mask = math.ceil(len(self.dropped) / 8) if self.dropped.any() else 0
        return len(compress(np.concatenate(kept).astype(np.int16)[None, None], CODING)) + mask


class Stages:
    """A network in parts, each from one stored map to the next."""

    def __init__(self, model: Model, maps: Sequence[str]) -> None:
        (entry,) = model.graph.inputs
        (result,) = model.graph.outputs
        self.names = [entry.name, *maps, result.name]
        order = list(nodes(model.graph))
        self._parts: list[Any] = []
        for first, last in zip(self.names, self.names[1:], strict=False):
            wanted, part = {last}, []
            for node in reversed(order):
                if any(tensor.name in wanted for tensor in node.outputs):
                    part.append(node)
                    wanted |= {tensor.name for tensor in node.inputs} - {first}
            part.reverse()
            made = {tensor.name for node in part for tensor in node.outputs}
            read = [tensor for node in part for tensor in node.inputs if not tensor.is_empty()]
            constants = {tensor.name: constant_value(tensor) for tensor in read if is_constant(tensor)}
            if {tensor.name for tensor in read} - made - constants.keys() - {first}:
                sys.exit(f"what lies behind '{first}' also reads other tensors; the network has no such blocks")
            tensor = model.graph.tensors()[first]
            example = np.empty((1, *tensor.shape[1:]), np.float32)
            self._parts.append(session(part_model(part, {first: example}, [last], model.opsets, constants), threads=1))

    def run(self, at: int, x: Maps) -> Maps:
        """Return what part ``at`` makes of ``x``."""
        (found,) = self._parts[at].run(None, {self.names[at]: x})
        return np.asarray(found)

    @property
    def count(self) -> int:
        """How many parts there are."""
        return len(self._parts)


def batches(images: Maps) -> Iterator[Maps]:
    """Yield a few images at a time."""
    for start in range(0, len(images), BATCH):
        yield images[start : start + BATCH]


def maps_of(stages: Stages, images: Maps, retained: float, kappa: float) -> list[Map]:
    """Return how each map is compressed, by what it looks like on training images."""
    chosen: list[Map] = []
    last = stages.count - 2
    for at in range(last + 1):
        images = np.concatenate([stages.run(at, batch) for batch in batches(images)])
        largest = float(images.max())
        bands = orthonormal_forward(images[:BATCH] * (255 / largest), WAVELET, LEVELS)
        energy = sum(np.square(bands[band]).sum(axis=(0, 2, 3)) for band in FINEST)
        dropped = np.zeros(images.shape[1], bool)
        dropped[np.argsort(energy)[: round((1 - retained) * images.shape[1])]] = True
        chosen.append(Map(largest, 255 * kappa, dropped, at == last))
    return chosen


def measured(stages: Stages, chosen: Sequence[Map], images: Maps) -> tuple[npt.NDArray[np.intp], int, int]:
    """Return the class of each image, the bytes of all maps, and the values in them."""
    classes, size, values = [], 0, 0
    for batch in batches(images):
        x = batch
        for at in range(stages.count):
            x = stages.run(at, x)
            if at < len(chosen):
                bands = chosen[at].coefficients(x)
                size += sum(chosen[at].size(bands, image) for image in range(len(x)))
                values += x.size
                x = chosen[at].decoded(bands, x.shape)
        classes.append(x.argmax(axis=1))
    return np.concatenate(classes), size, values


def line(row: Row) -> dict[str, object]:
    """Return a line of the table."""
    return {
        "retained": f"{row.retained:g}",
        "ratio against 32 bits": f"{row.ratio_vs_32bit:.2f}",
        "bits a value": f"{row.bits_a_value:.2f}",
        "top-1 %": f"{100 * row.top1:.2f}",
        "loss in points": f"{row.drop:+.2f} [{row.drop_low:+.2f}, {row.drop_high:+.2f}]",
    }


def main() -> None:
    """Compress with every share retained."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", default="resnet20_cifar10")
    parser.add_argument("--limit", type=int, help="test images [all]")
    parser.add_argument("--kappa", type=float, default=0.018, help="step of coefficients by 255 [%(default)s]")
    parser.add_argument("--json", action="store_true", help="one line of JSON a row")
    arguments = parser.parse_args()
    (case,) = (case for case in CASES if case.model == arguments.network)
    model = load(asset("models", f"{arguments.network}.onnx"))
    shape = tuple(model.graph.inputs[0].shape)
    training = TestSet.of(case.calibration, case.prepared, shape, TRAINING_IMAGES, labelled=False)
    test = TestSet.of(case.test, case.prepared, shape, arguments.limit, labelled=True)
    maps = stored(model)
    stages, whole = Stages(model, maps), session(model, threads=1)
    entry = whole.get_inputs()[0].name
    plain = np.concatenate([whole.run(None, {entry: batch})[0].argmax(axis=1) for batch in batches(test.images)])
    rows = []
    for retained in RETAINED:
        classes, size, values = measured(
            stages, maps_of(stages, training.images, retained, arguments.kappa), test.images
        )
        difference = compare_paired(plain == test.labels, classes == test.labels)
        top1 = float((classes == test.labels).mean())
        drop, low, high = (-100 * each for each in (difference.difference, difference.high, difference.low))
        rows.append(Row(retained, 4 * values / size, 8 * size / values, top1, drop, low, high, len(classes)))
        if arguments.json:
            print(json.dumps(asdict(rows[-1])), flush=True)
    if not arguments.json:
        print(machine())
        print(f"float top-1: {100 * float((plain == test.labels).mean()):.2f} % of {len(plain)} images")
        print(markdown_table([line(row) for row in rows]))


if __name__ == "__main__":
    main()
