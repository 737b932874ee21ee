"""What each scheme costs in accuracy on real networks: every model x scheme x (calibrated on images | without data).

Each model is converted with default options (fixed: 8/8 bits, log: 5/8) to the native graph, or with ``--target
simulation`` to quantizers on floats, run on its whole test set and compared with the float model on the same images.
Printed is a Markdown table:

* top-1 with its 95 % interval, and the paired difference to the float model, in points, with its interval;
* agreement: images on which both predict the same class; SQNR: power of the float outputs over that of the error;
* seconds of the conversion, calibration included.

    QONNX_TOOLS_ASSETS=... python benchmarks/models.py [--models NAME ...] [--schemes NAME ...] [--target NAME]
        [--fit HOW] [--limit N] [--json]

ImageNet's 100 validation images measure accuracy; 500 others, which the networks may have been trained on, only
agreement. The detector has no labels here: its SQNR is taken on half of the COCO images, the other half calibrates.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

from measuring import asset, machine, markdown_table

from qonnx_tools.conversion import convert
from qonnx_tools.data import ChannelOrder, Preprocessing, preprocessing
from qonnx_tools.evaluation import Evaluation, evaluate
from qonnx_tools.schemes.base import FITS
from qonnx_tools.statistics import PairedComparison, Proportion
from qonnx_tools.targets import NATIVE, SIMULATION

IMAGES = 512
"""Calibration images."""
SCHEMES = ("fixed", "log")


@dataclass(frozen=True)
class Case:
    """A model with its data: files in data/, or ``module:function``. ``unlabelled`` only measures agreement."""

    model: str
    prepared: Preprocessing
    calibration: str
    test: str = ""
    unlabelled: str = ""


CASES = (
    Case("resnet20_cifar10", preprocessing("cifar10"), "cifar10_train.npz", "cifar10_test.npz"),
    Case("resnet32_cifar10", preprocessing("cifar10"), "cifar10_train.npz", "cifar10_test.npz"),
    Case("mlperf_tiny_resnet8_cifar10", preprocessing("raw"), "cifar10_train.npz", "cifar10_test.npz"),
    Case("cnn6_fashion_mnist", preprocessing("fashion-mnist"), "fashion_mnist_train.npz", "fashion_mnist_test.npz"),
    Case("mnist8_onnxzoo", preprocessing("raw"), "mnist_train.npz", "mnist_test.npz"),
    Case(
        "mobilenet_v1_075_imagenet",
        preprocessing("mobilenet"),
        "imagenette_calibration400",
        "imagenet_val100",
        "imagenet_sample500",
    ),
    Case(
        "squeezenet11_imagenet",
        preprocessing("caffe"),
        "imagenette_calibration400",
        "imagenet_val100",
        "imagenet_sample500",
    ),
    Case(
        "yolox_nano_coco",
        preprocessing("raw", channel_order=ChannelOrder.BGR),
        "coco:calibration",
        unlabelled="coco:test",
    ),
)


@dataclass(frozen=True)
class Result:
    """One conversion, measured on one set of images. Proportions are None where there are no labels or classes."""

    model: str
    scheme: str
    target: str
    calibration: str
    test: str
    images: int
    float_top1: Proportion | None
    top1: Proportion | None
    difference: PairedComparison | None
    agreement: Proportion | None
    sqnr_db: float
    seconds: float

    def row(self) -> dict[str, str]:
        """Return the cells of the table."""
        return {
            "model": self.model,
            "scheme": self.scheme,
            "target": self.target,
            "calibration": self.calibration,
            "measured on": f"{self.test}, {self.images}",
            "float top-1 %": _percent(self.float_top1, interval=False),
            "top-1 %": _percent(self.top1),
            "difference, points": _points(self.difference),
            "agreement %": _percent(self.agreement, interval=False),
            "SQNR dB": f"{self.sqnr_db:.1f}",
            "seconds": f"{self.seconds:.2f}",
        }


def measure(
    case: Case, scheme: str, target: str, *, calibrated: bool, limit: int | None, fit: str = "auto"
) -> Iterator[Result]:
    """Convert once, and evaluate on every test set of the case."""
    model = asset("models", f"{case.model}.onnx")
    data = data_of(case.calibration) if calibrated else None
    start = time.perf_counter()
    conversion = convert(
        model, scheme=scheme, data=data, images=IMAGES, preprocessing=case.prepared, target=target, fit=fit
    )
    seconds = time.perf_counter() - start
    used = f"{conversion.calibration.images} images" if calibrated and conversion.calibration else "no data"
    for test, labelled in ((case.test, True), (case.unlabelled, False)):
        if test:
            found = _evaluate(conversion.model, test, str(model), case.prepared, labelled=labelled, limit=limit)
            if found.against is None:
                continue
            yield Result(
                model=case.model,
                scheme=scheme,
                target=target,
                calibration=used,
                test=test,
                images=found.images,
                float_top1=found.against.other.top1,
                top1=found.model.top1,
                difference=found.against.paired,
                agreement=found.against.agreement,
                sqnr_db=found.against.sqnr_db,
                seconds=seconds,
            )


def _evaluate(
    model: object, test: str, against: str, prepared: Preprocessing, *, labelled: bool, limit: int | None
) -> Evaluation:
    return evaluate(
        model,  # type: ignore[arg-type]
        data_of(test),
        against=against,
        preprocessing=prepared,
        labelled=labelled,
        limit=limit,
    )


def data_of(name: str) -> str:
    """Return what ``open_data`` takes for the data of a case."""
    return name if ":" in name else str(asset("data", name))


def _percent(of: Proportion | None, *, interval: bool = True) -> str:
    if of is None:
        return "-"
    return f"{100 * of.share:.2f}" + (f" ({100 * of.low:.2f}..{100 * of.high:.2f})" if interval else "")


def _points(of: PairedComparison | None) -> str:
    return "-" if of is None else f"{100 * of.difference:+.2f} ({100 * of.low:+.2f}..{100 * of.high:+.2f})"


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the options, measure, print."""
    names = [case.model for case in CASES]
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--models", nargs="+", default=names, choices=names, metavar="NAME", help=", ".join(names))
    parser.add_argument("--schemes", nargs="+", default=SCHEMES, metavar="NAME")
    parser.add_argument("--target", default=NATIVE, choices=(NATIVE, SIMULATION), help="what is run")
    parser.add_argument("--fit", default="auto", choices=FITS, help="what weights are fitted to")
    parser.add_argument("--limit", type=int, help="test images at most")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    results: list[Result] = []
    for case in CASES:
        if case.model in options.models:
            for scheme in options.schemes:
                for calibrated in (True, False):
                    results += measure(
                        case,
                        scheme,
                        options.target,
                        calibrated=calibrated,
                        limit=options.limit,
                        fit=options.fit,
                    )
                    print(f"{case.model}, {scheme}: done", file=sys.stderr)
    if options.json:
        print(json.dumps({"machine": machine(), "results": [asdict(result) for result in results]}, indent=2))
    else:
        print(f"{machine()}\n\n{markdown_table([result.row() for result in results])}")


if __name__ == "__main__":
    main()
