"""What logarithmic weights and activations cost in accuracy, and how long it takes to choose them.

Each network is converted with training images to the native graph, its weights fitted to the outputs of their layers,
and compared with the float model on the same test images. Printed is a Markdown table:

* formats: W and A are bits of weights and activations, sqrt2 the base where it is not 2; "log A" are log activations,
  beside 8-bit fixed point where more than layers reads them; options of ``qonnx convert`` that are not the default;
* the paired difference in top-1, in points, with its 95 % interval, and the loss that is allowed, where there is one;
* agreement: images on which both predict the same class; SQNR: power of the float outputs over that of the error;
* seconds of the conversion, by the clock and of the processor.

    QONNX_TOOLS_ASSETS=... python benchmarks/log_accuracy.py [--models NAME ...] [--formats NAME ...] [--images N]
        [--fit HOW] [--passes NAME ...] [--target NAME] [--limit N] [--json]

ImageNet's 100 validation images measure accuracy; 500 others, which the networks may have been trained on, only
agreement.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from measuring import asset, machine, markdown_table

from models import CASES, Case, data_of
from qonnx_tools.conversion import convert
from qonnx_tools.evaluation import evaluate
from qonnx_tools.schemes.base import FITS
from qonnx_tools.statistics import PairedComparison, Proportion
from qonnx_tools.targets import NATIVE, SIMULATION

IMAGES = 1024
"""Calibration images."""
DETAILED = "resnet20_cifar10"
MODELS = (DETAILED, "mlperf_tiny_resnet8_cifar10", "mobilenet_v1_075_imagenet", "squeezenet11_imagenet")


@dataclass(frozen=True)
class Formats:
    """Options of a scheme. ``allowed`` is the loss in points that is allowed on the detailed network, if any."""

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)
    allowed: float | None = None
    everywhere: bool = False

    @classmethod
    def log(
        cls,
        weights: int,
        inputs: int | None = None,
        allowed: float | None = None,
        *,
        root: bool = False,
        everywhere: bool = False,
        **more: str,
    ) -> "Formats":
        """Log weights, and with ``inputs`` log activations of so many bits; others are 8-bit fixed point."""
        options = {"scheme": "log", "weight_bits": weights, "log_base": "sqrt2" if root else "2", **more}
        if inputs is not None:
            options |= {"activations": "log", "activation_bits": inputs}
        named = [f"W{weights} " + (f"log A{inputs}" if inputs else "A8"), *(["sqrt2"] if root else [])]
        named += [f"{option} {value}" for option, value in more.items()]
        return cls(", ".join(named).replace("_", "-"), options, allowed, everywhere)

    @classmethod
    def fixed(cls, weights: int, activations: int = 8) -> "Formats":
        """Fixed point."""
        options = {"scheme": "fixed", "weight_bits": weights, "activation_bits": activations}
        return cls(f"fixed W{weights} A{activations}", options)


FORMATS = (
    Formats.log(5, allowed=0.4, everywhere=True),
    Formats.log(5, root=True, everywhere=True),
    Formats.log(6, everywhere=True),
    Formats.log(6, root=True, everywhere=True),
    Formats.log(4, allowed=0.7),
    Formats.log(4, allowed=0.3, root=True),
    Formats.log(3, allowed=1.8),
    Formats.log(5, 5, allowed=0.8, root=True),
    Formats.log(6, 5, allowed=0.5, root=True),
    Formats.log(5, 4, allowed=4.0),
    Formats.log(5, 5, 0.8, root=True, first_last="fixed8"),
    Formats.log(6, 5, 0.5, root=True, first_last="fixed8"),
    Formats.log(5, 4, 4.0, first_last="fixed8"),
    Formats.log(5, 5, root=True, trunk="fixed8-log"),
    Formats.log(6, 5, root=True, trunk="fixed8-log"),
    Formats.fixed(5),
    Formats.fixed(4),
    Formats.fixed(3),
)
"""All for the detailed network, and those that are ``everywhere`` for every one."""


@dataclass(frozen=True)
class Result:
    """One conversion, measured on one set of images. Proportions are None where there are no labels."""

    model: str
    formats: str
    test: str
    images: int
    top1: Proportion | None
    difference: PairedComparison | None
    allowed: float | None
    agreement: Proportion | None
    sqnr_db: float
    seconds: float
    processor_seconds: float

    @property
    def passes(self) -> bool | None:
        """Whether the loss is no more than is allowed."""
        if self.difference is None or self.allowed is None:
            return None
        return -100 * self.difference.difference <= self.allowed

    def row(self) -> dict[str, str]:
        """Return the cells of the table."""
        allowed = "-" if self.allowed is None else f"-{self.allowed:.1f}: {'met' if self.passes else 'missed'}"
        return {
            "model": self.model,
            "formats": self.formats,
            "measured on": f"{self.test}, {self.images}",
            "top-1 %": "-" if self.top1 is None else f"{100 * self.top1.share:.2f}",
            "difference, points": _points(self.difference),
            "allowed": allowed,
            "agreement %": "-" if self.agreement is None else f"{100 * self.agreement.share:.2f}",
            "SQNR dB": f"{self.sqnr_db:.1f}",
            "seconds (CPU)": f"{self.seconds:.1f} ({self.processor_seconds:.1f})",
        }


def measure(case: Case, formats: Formats, options: argparse.Namespace) -> Iterator[Result]:
    """Convert once, and evaluate on every test set of the case."""
    model = asset("models", f"{case.model}.onnx")
    start = time.perf_counter(), time.process_time()
    converted = convert(
        model,
        data=data_of(case.calibration),
        images=options.images,
        preprocessing=case.prepared,
        passes=options.passes,
        target=options.target,
        fit=options.fit,
        **formats.options,
    ).model
    seconds = time.perf_counter() - start[0], time.process_time() - start[1]
    for test, labelled in ((case.test, True), (case.unlabelled, False)):
        if not test:
            continue
        found = evaluate(
            converted,
            data_of(test),
            against=model,
            preprocessing=case.prepared,
            labelled=labelled,
            limit=options.limit,
        )
        if found.against is not None:
            yield Result(
                model=case.model,
                formats=formats.name,
                test=test,
                images=found.images,
                top1=found.model.top1,
                difference=found.against.paired,
                allowed=formats.allowed if case.model == DETAILED and labelled else None,
                agreement=found.against.agreement,
                sqnr_db=found.against.sqnr_db,
                seconds=seconds[0],
                processor_seconds=seconds[1],
            )


def _points(of: PairedComparison | None) -> str:
    return "-" if of is None else f"{100 * of.difference:+.2f} ({100 * of.low:+.2f}..{100 * of.high:+.2f})"


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the options, measure, print."""
    names = [formats.name for formats in FORMATS]
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--models", nargs="+", default=MODELS, choices=[case.model for case in CASES], metavar="NAME")
    parser.add_argument("--formats", nargs="+", choices=names, metavar="NAME", help="; ".join(names))
    parser.add_argument("--images", type=int, default=IMAGES, help="calibration images at most")
    parser.add_argument("--fit", default="auto", choices=FITS, help="what weights are fitted to")
    parser.add_argument("--passes", nargs="+", default=(), metavar="NAME", help="passes to run on the canonical graph")
    parser.add_argument("--target", default=NATIVE, choices=(NATIVE, SIMULATION), help="what is run")
    parser.add_argument("--limit", type=int, help="test images at most")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    results: list[Result] = []
    for case in CASES:
        for formats in FORMATS:
            wanted = (
                formats.name in options.formats if options.formats else case.model == DETAILED or formats.everywhere
            )
            if case.model in options.models and wanted:
                results += measure(case, formats, options)
                print(f"{case.model}, {formats.name}: done", file=sys.stderr)
    if options.json:
        print(json.dumps({"machine": machine(), "results": [asdict(result) for result in results]}, indent=2))
    else:
        print(f"{machine()}\n\n{markdown_table([result.row() for result in results])}")


if __name__ == "__main__":
    main()
