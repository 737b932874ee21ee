"""How narrow convolutions can be when batch normalization has formats of its own, shares theirs, or is folded away.

After Kang 2018: convolution bits N, those of weights and activations, from 16 down, with batch normalization as a unit
of its own in the same formats (BN N) or in others (BN 16), by what shares one format, and folded into the weights.
Formats come from training images. Printed are, for each width, the difference in top-1 to the float model on the same
images, in points, with the lower end of its 95 % interval; then the knees: the least width from which on all wider ones
stay within one point, by that lower end and by the difference itself. 100 images can only tell the latter.

    QONNX_TOOLS_ASSETS=... python benchmarks/batch_norm_formats.py [--models NAME ...] [--limit N] [--json]

The graphs are native ones; `--target simulation` runs their simulation, which is slower.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict

from bit_widths import (
    FOLDED,
    FOLDED_CHANNELS,
    PER_CHANNEL,
    PER_CHANNEL_APART,
    PER_CLASS,
    PER_CLASS_ROLES,
    PER_LAYER,
    PER_LAYER_APART,
    SHARED,
    SHARED_ROLES,
    WIDTHS,
    Point,
    knee,
    measure,
    shown,
)
from measuring import machine, markdown_table
from subjects import Subject

TREATMENTS = (
    SHARED,
    PER_CLASS,
    SHARED_ROLES,
    PER_CLASS_ROLES,
    PER_LAYER,
    PER_LAYER_APART,
    PER_CHANNEL,
    PER_CHANNEL_APART,
    FOLDED,
    FOLDED_CHANNELS,
)
MODELS = ("resnet20_cifar10", "mobilenet_v1_075_imagenet")
HOPELESS = 0.5
"""Narrower widths are not tried once two in a row lose this share of accuracy."""


def measured(model: str, limit: int | None, target: str) -> list[Point]:
    """Return the points of every treatment at every width."""
    subject = Subject.of(model, limit)
    points: list[Point] = []
    for treatment in TREATMENTS:
        lost = 0
        for bits in WIDTHS:
            found = measure(subject, treatment, bits, target)
            points += found
            lost = lost + 1 if found[0].paired and found[0].paired.difference < -HOPELESS else 0
            print(f"{model}, {treatment.name}, {bits}: {found[0].difference}", file=sys.stderr)
            if lost > 1:
                break
    return points


def curves(points: Sequence[Point]) -> list[dict[str, str]]:
    """Return the rows of the table: a treatment each, a column a width."""
    cells = {(point.treatment, point.bits): point.difference for point in points}
    names = dict.fromkeys(point.treatment for point in points)
    return [
        {"formats": name} | {f"N = {bits}": cells.get((name, bits), "") for bits in sorted(WIDTHS, reverse=True)}
        for name in names
    ]


def knees(points: Sequence[Point]) -> list[dict[str, str]]:
    """Return the knee of every treatment, by the interval and by the difference."""
    rows = []
    for name in dict.fromkeys(point.treatment for point in points):
        own = [point for point in points if point.treatment == name]
        sure, about = knee(own, lambda point: point.surely_within), knee(own, lambda point: point.about_within)
        rows.append({"formats": name, "least N, interval": shown(sure), "least N, difference": shown(about)})
    return rows


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the options, measure, print."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--models", nargs="+", default=MODELS, choices=MODELS, metavar="NAME", help=", ".join(MODELS))
    parser.add_argument("--limit", type=int, help="test images at most")
    parser.add_argument("--target", choices=("native", "simulation"), default="native")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    found = {model: measured(model, options.limit, options.target) for model in options.models}
    if options.json:
        results = {model: [asdict(point) for point in points] for model, points in found.items()}
        print(json.dumps({"machine": machine(), "results": results}, indent=2))
        return
    print(machine())
    for model, points in found.items():
        for test in dict.fromkeys(point.test for point in points):
            own = [point for point in points if point.test == test]
            labelled = own[0].paired is not None
            what = "difference in top-1, points" if labelled else "agreement with the float model, %"
            print(f"\n{model} on {own[0].agreement.total} images of {test}: {what}\n\n{markdown_table(curves(own))}")
            if labelled:
                print(f"\n{markdown_table(knees(own))}")


if __name__ == "__main__":
    main()
