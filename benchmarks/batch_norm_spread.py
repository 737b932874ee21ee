"""What separate formats for batch normalization save when its scales spread: a network rewritten without change.

Channel c of each convolution in front of a batch normalization is multiplied by 2^k and the scale of that channel by
2^-k, with k drawn evenly from 0 .. S (or 0 .. -S with --direction large). The float function stays the same, to the
bit; the scales a = gamma / sqrt(var + eps) now spread over S more octaves, and so do weights and results of the
convolutions. Folding multiplies the factors back, so that folded networks do not change. Printed is for each S the
least convolution width N that loses less than one point of top-1, surely (95 %, paired), found by bisection, and what
separate formats save.

    QONNX_TOOLS_ASSETS=... python benchmarks/batch_norm_spread.py [--octaves S ...] [--limit N] [--json]
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict

import numpy as np
from bit_widths import (
    PER_CHANNEL,
    PER_CHANNEL_APART,
    PER_CLASS,
    PER_LAYER,
    PER_LAYER_APART,
    SHARED,
    WIDTHS,
    Point,
    Treatment,
    measure,
    shown,
)
from measuring import machine, markdown_table
from subjects import BATCH, Subject

from qonnx_tools.graph import Model, constant_value, from_proto, is_constant, nodes, producer, set_constant, to_proto
from qonnx_tools.runtime import run, session

MODEL = "resnet20_cifar10"
TREATMENTS = (SHARED, PER_CLASS, PER_LAYER, PER_LAYER_APART, PER_CHANNEL, PER_CHANNEL_APART)
SAVINGS = ((SHARED, PER_CLASS), (PER_LAYER, PER_LAYER_APART), (PER_CHANNEL, PER_CHANNEL_APART))
"""Pairs of treatments that differ in whether batch normalization has formats of its own."""
OCTAVES = (0, 2, 4, 6, 8, 12, 16)
SEED = 0


def spread(model: Model, octaves: int, *, large: bool) -> Model:
    """Return ``model`` with batch-norm scales that spread over 2^octaves more, computing the same function."""
    copy, random = from_proto(to_proto(model)), np.random.default_rng(SEED)
    graph = copy.graph
    for norm in list(nodes(graph, "BatchNormalization")):
        conv = producer(norm.inputs[0])
        if conv is None or conv.op != "Conv" or len(conv.inputs) != 2 or not is_constant(conv.inputs[1]):
            sys.exit(f"{norm.name}: a convolution with constant weights and no bias is needed before it")
        weights, gamma, mean = (
            constant_value(tensor).astype(np.float32) for tensor in (conv.inputs[1], norm.inputs[1], norm.inputs[3])
        )
        drawn = random.integers(0, octaves + 1, len(weights))
        factor = np.ldexp(np.float32(1), -drawn if large else drawn).astype(np.float32)
        new = [(conv, 1, weights * factor.reshape(-1, *[1] * (weights.ndim - 1)))]
        new += [(norm, 1, gamma / factor), (norm, 3, mean * factor)]
        for node, index, value in new:
            set_constant(graph, node, index, value, node.inputs[index].name)
    return copy


def least_width(subject: Subject, treatment: Treatment) -> tuple[int | None, list[Point]]:
    """Return the least width that passes, the next wider one passing too, and the points measured on the way."""
    points: dict[int, Point] = {}

    def passes(bits: int) -> bool:
        if bits not in points:
            (points[bits],) = measure(subject, treatment, bits)
            print(f"  {treatment.name}, {bits}: {points[bits].difference}", file=sys.stderr)
        return points[bits].surely_within

    failing, passing = min(WIDTHS) - 1, max(WIDTHS)
    while passes(passing):
        while passing - failing > 1:
            middle = (failing + passing) // 2
            failing, passing = (failing, middle) if passes(middle) else (middle, passing)
        if passing == max(WIDTHS) or passes(passing + 1):
            return passing, list(points.values())
        failing, passing = passing + 1, max(WIDTHS)
    return None, list(points.values())


def rows(found: Mapping[int, Mapping[str, int | None]]) -> list[dict[str, str]]:
    """Return the rows of the table: a treatment or a saving each, a column a spread."""
    widest = max(WIDTHS)
    table = [
        {"least N": treatment.name}
        | {f"2^{octaves}": shown(widths[treatment.name]) for octaves, widths in found.items()}
        for treatment in TREATMENTS
    ]
    for together, apart in SAVINGS:
        cells = {}
        for octaves, widths in found.items():
            first, second = widths[together.name], widths[apart.name]
            saved = "-" if second is None else f"> {widest - second}" if first is None else str(first - second)
            cells[f"2^{octaves}"] = saved
        table.append({"least N": f"bits saved: {apart.name}"} | cells)
    return table


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the options, measure, print."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--octaves", nargs="+", type=int, default=OCTAVES, metavar="S")
    parser.add_argument("--direction", choices=("small", "large"), default="small", help="of the scales")
    parser.add_argument("--limit", type=int, help="test images at most")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    base = Subject.of(MODEL, options.limit)
    (test,) = base.tests
    (expected,) = run(session(base.model, threads=1), test.images[:BATCH])
    found: dict[int, dict[str, int | None]] = {}
    points: dict[int, list[Point]] = {}
    for octaves in options.octaves:
        rewritten = spread(base.model, octaves, large=options.direction == "large")
        subject = Subject(rewritten, base.prepared, base.calibration, base.tests)
        (same,) = run(session(subject.model, threads=1), test.images[:BATCH])
        if not np.array_equal(same, expected):
            sys.exit(f"the network with scales over 2^{octaves} computes something else")
        print(f"2^{octaves}", file=sys.stderr)
        found[octaves], points[octaves] = {}, []
        for treatment in TREATMENTS:
            found[octaves][treatment.name], seen = least_width(subject, treatment)
            points[octaves] += seen
    if options.json:
        results = {octaves: [asdict(point) for point in seen] for octaves, seen in points.items()}
        print(json.dumps({"machine": machine(), "least": found, "points": results}, indent=2))
    else:
        print(f"{machine()}\n\n{MODEL}, {len(test.images)} images, scales spread to the {options.direction} side\n")
        print(markdown_table(rows(found)))


if __name__ == "__main__":
    main()
