"""What a search of bit widths finds, and what it costs to find it: both methods on the same images.

For each network and method: what the plan saves against 8 bits everywhere (memory, multipliers as the paper counts
them, multipliers by their true inputs), the loss of its native graph on the test images that no search has seen, with
the paired 95 % interval, and the work of the search: whole plans measured, inferences (parts of the network count by
their multiplications), seconds by the clock. Printed is a Markdown table, and the mean of each method below it.

    python benchmarks/search.py MODEL:IMAGES:TEST[:PRESET] ... [--methods program sequential] [--max-drop POINTS]
        [--relative] [--batch-norm TREATMENT] [--folder FOLDER] [--json]

IMAGES and TEST are files of labelled images, PRESET is their preprocessing. The folder keeps the journals, so that what
was stopped goes on; its seconds are then those of the last run alone. ``models/train_searched.py`` trains the networks
of the paper.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from measuring import machine, markdown_table

from qonnx_tools.conversion import convert
from qonnx_tools.cost import savings
from qonnx_tools.data import preprocessing
from qonnx_tools.evaluation import evaluate
from qonnx_tools.search.options import METHODS, SearchOptions
from qonnx_tools.search.search import search


@dataclass(frozen=True)
class Subject:
    """A network, the images that are searched with, and those of the final figure."""

    model: Path
    images: Path
    test: Path
    preset: str

    @classmethod
    def parse(cls, text: str) -> "Subject":
        """Read ``MODEL:IMAGES:TEST[:PRESET]``."""
        model, images, test, *preset = text.split(":")
        return cls(Path(model), Path(images), Path(test), preset[0] if preset else "unit")


@dataclass(frozen=True)
class Row:
    """A plan that was found: shares saved, points lost with their interval, and the work that it took."""

    model: str
    method: str
    memory: float
    multipliers: float
    true_inputs: float
    float_top1: float
    drop: float
    drop_low: float
    drop_high: float
    relative_drop: float
    plans: int
    inferences: float
    seconds: float


def measured(subject: Subject, method: str, options: SearchOptions, batch_norm: str, folder: Path) -> Row:
    """Search, convert with what was found, and evaluate."""
    prepared, started = preprocessing(subject.preset), time.perf_counter()
    found = search(
        subject.model,
        str(subject.images),
        folder / f"{subject.model.stem}.{method}",
        scheme_options={"batch_norm": batch_norm},
        options=options,
        preprocessing=prepared,
        resume=True,
    )
    seconds = time.perf_counter() - started
    native = convert(subject.model, plan=found.best.plan).model
    result = evaluate(native, str(subject.test), against=subject.model, preprocessing=prepared)
    if result.against is None or result.against.paired is None or result.against.other.top1 is None:
        sys.exit(f"{subject.test} has no labels; give labelled images")
    paired, reference = result.against.paired, result.against.other.top1.share
    saved = savings(found.best.work)
    return Row(
        subject.model.stem,
        method,
        saved["memory_saving_vs_8bit"],
        saved["multiplier_saving_vs_8bit"],
        saved["multiplier_input_saving_vs_8bit"],
        100 * reference,
        -100 * paired.difference,
        -100 * paired.high,
        -100 * paired.low,
        -paired.difference / reference,
        found.measured,
        found.inferences,
        seconds,
    )


def line(row: Row) -> dict[str, object]:
    """Return a line of the table."""
    return {
        "network": row.model,
        "method": row.method,
        "memory %": f"{100 * row.memory:.1f}",
        "multipliers %": f"{100 * row.multipliers:.1f}",
        "by true inputs %": f"{100 * row.true_inputs:.1f}",
        "float top-1": f"{row.float_top1:.2f}",
        "loss in points": f"{row.drop:+.2f} [{row.drop_low:+.2f}, {row.drop_high:+.2f}]",
        "relative loss %": f"{100 * row.relative_drop:+.2f}",
        "plans measured": row.plans,
        "inferences": f"{row.inferences:,.0f}",
        "s": f"{row.seconds:.0f}",
    }


def means(rows: Sequence[Row]) -> str:
    """Say what the rows of a method come to on average."""
    parts = [100 * np.mean([getattr(row, name) for row in rows]) for name in ("memory", "multipliers", "true_inputs")]
    loss = 100 * np.mean([row.relative_drop for row in rows])
    memory, multipliers, true_inputs = parts
    return (
        f"memory {memory:.1f} %, multipliers {multipliers:.1f} %, by true inputs {true_inputs:.1f} %, "
        f"relative loss {loss:+.2f} %"
    )


def main() -> None:
    """Search every network with every method."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("subjects", nargs="+", type=Subject.parse, metavar="MODEL:IMAGES:TEST[:PRESET]")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--max-drop", type=float, default=1.0, help="points, or with --relative percent")
    parser.add_argument("--relative", action="store_true")
    parser.add_argument("--batch-norm", default="fold")
    parser.add_argument("--folder", type=Path, help="of the journals [a new one]")
    parser.add_argument("--json", action="store_true", help="one line of JSON a row")
    arguments = parser.parse_args()
    folder: Path = arguments.folder or Path(tempfile.mkdtemp())
    rows = []
    for subject in arguments.subjects:
        for method in arguments.methods:
            options = SearchOptions(arguments.max_drop / 100, arguments.relative, method=method)
            rows.append(measured(subject, method, options, arguments.batch_norm, folder))
            if arguments.json:
                print(json.dumps(asdict(rows[-1])), flush=True)
    if arguments.json:
        return
    print(machine())
    print(markdown_table([line(row) for row in rows]))
    for method in arguments.methods:
        print(f"mean, {method}: {means([row for row in rows if row.method == method])}")


if __name__ == "__main__":
    main()
