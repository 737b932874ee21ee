"""Batch normalization folded, merged behind the accumulator, or a unit of its own: every scheme at its default bits.

Each network with batch normalization is calibrated on training images, converted to its native graph with each
treatment and each width of the unit, and run on its test images. Printed are top-1, its difference to the folded
network on the same images, in points, with the 95 % interval; agreement with the float model's predictions; and the
SQNR of the outputs.

    QONNX_TOOLS_ASSETS=... python benchmarks/batch_norm_treatments.py [--models NAME ...] [--schemes NAME ...]
        [--bits N ...] [--fit HOW] [--limit N] [--json]
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from measuring import machine, markdown_table
from subjects import Logits, Subject, TestSet

from qonnx_tools.plan import BatchNorm
from qonnx_tools.schemes.base import FITS, make_scheme
from qonnx_tools.statistics import PairedComparison, Proportion, compare_paired, proportion

MODELS = (
    "resnet20_cifar10",
    "resnet32_cifar10",
    "mlperf_tiny_resnet8_cifar10",
    "cnn6_fashion_mnist",
    "mobilenet_v1_075_imagenet",
)
SCHEMES = ("fixed", "log")
BITS = (8, 12, 16)
"""Widths of the batch-norm unit."""


@dataclass(frozen=True)
class Result:
    """A network with one treatment, on one test set; ``bits`` are those of the unit, None where it is folded away."""

    model: str
    scheme: str
    batch_norm: BatchNorm
    bits: int | None
    test: str
    top1: Proportion | None
    against_folded: PairedComparison | None
    agreement: Proportion
    sqnr_db: float

    def row(self) -> dict[str, str]:
        """Return the cells of the table."""
        top1, paired = self.top1, self.against_folded
        points = [100 * part for part in (paired.difference, paired.low, paired.high)] if paired else []
        return {
            "model": f"{self.model}, {self.test} ({self.agreement.total})",
            "scheme": self.scheme,
            "batch norm": self.batch_norm if self.bits is None else f"{self.batch_norm}, {self.bits} bits",
            "top-1 %": f"{100 * top1.share:.2f}" if top1 else "",
            "against folded": "{:+.2f} [{:+.2f}, {:+.2f}]".format(*points) if points else "",
            "agreement %": f"{100 * self.agreement.share:.2f}",
            "SQNR dB": f"{self.sqnr_db:.1f}",
        }


def measure(
    subject: Subject, model: str, scheme: str, widths: Sequence[int], fit: str, target: str
) -> Iterator[Result]:
    """Yield the results of every treatment, the folded network first."""
    folded: list[Logits] = []
    treatments: list[tuple[BatchNorm, int | None]] = [(BatchNorm.FOLD, None)]
    treatments += [(each, bits) for each in (BatchNorm.MERGE, BatchNorm.SEPARATE) for bits in widths]
    for batch_norm, bits in treatments:
        proposer = make_scheme(scheme, {"batch_norm": batch_norm, "batch_norm_bits": bits, "fit": fit})
        found = subject.outputs(subject.converted(proposer, target))
        folded = folded or found
        for test, output, reference in zip(subject.tests, found, folded, strict=True):
            expected = subject.expected(test)
            same = int((output.argmax(axis=1) == expected.argmax(axis=1)).sum())
            top1, paired = _accuracy(test, output, reference)
            agreement = proportion(same, len(output))
            yield Result(model, scheme, batch_norm, bits, test.name, top1, paired, agreement, _sqnr(output, expected))


def _accuracy(
    test: TestSet, output: Logits, reference: Logits
) -> tuple[Proportion, PairedComparison | None] | tuple[None, None]:
    if test.labels is None:
        return None, None
    right, before = (item.argmax(axis=1) == test.labels for item in (output, reference))
    return proportion(int(right.sum()), len(right)), None if output is reference else compare_paired(before, right)


def _sqnr(output: Logits, expected: Logits) -> float:
    """Return the power of the float outputs over that of the difference, in decibels."""
    signal, noise = (np.square(part, dtype=np.float64).sum() for part in (expected, output - expected))
    return float(10 * np.log10(signal / noise))


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the options, measure, print."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--models", nargs="+", default=MODELS, choices=MODELS, metavar="NAME", help=", ".join(MODELS))
    parser.add_argument("--schemes", nargs="+", default=SCHEMES, metavar="NAME")
    parser.add_argument("--bits", nargs="+", type=int, default=BITS, metavar="N", help="of the batch-norm unit")
    parser.add_argument("--fit", choices=FITS, default="auto", help="what weights are fitted to")
    parser.add_argument("--limit", type=int, help="test images at most")
    parser.add_argument("--target", choices=("native", "simulation"), default="native")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    results: list[Result] = []
    for model in options.models:
        subject = Subject.of(model, options.limit)
        for scheme in options.schemes:
            for result in measure(subject, model, scheme, options.bits, options.fit, options.target):
                results.append(result)
                print(" | ".join(result.row().values()), file=sys.stderr)
    if options.json:
        print(json.dumps({"machine": machine(), "results": [asdict(result) for result in results]}, indent=2))
    else:
        print(f"{machine()}\n\n{markdown_table([result.row() for result in results])}")


if __name__ == "__main__":
    main()
