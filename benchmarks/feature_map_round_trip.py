"""How long a native graph takes that reads feature maps as they come back from being compressed, beside the plain one.

Each network is converted to 8-bit fixed point without data, then again with the outputs of its blocks, or with all its
maps, compressed in each way, half of the channels without their finest bands. Every session has a fresh process of its
own with one thread, and all are run in turn; shown are medians with quartiles over the rounds, and ratios within a
round. With --without-library the graphs run by their function bodies, where onnxruntime is all there is.

    python benchmarks/feature_map_round_trip.py [--networks NAME ...] [--step D] [--batch N] [--rounds N] [--json]
"""

import argparse
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from feature_map_codecs import stored
from measuring import Spread, asset, machine, markdown_table
from native import ratio
from session_processes import Job, run_in_turn

from qonnx_tools.conversion import convert
from qonnx_tools.feature_map_plan import FeatureMapPlan, why_not_compressed
from qonnx_tools.graph import load, save
from qonnx_tools.plan import Plan, Role
from qonnx_tools.runtime import library_path

WAYS = (("predictive", 0), ("haar", 1), ("haar", 3), ("wavelet53", 1), ("wavelet53", 3))
PLAIN = "plain"
Row = dict[str, object]


def graphs(network: str, step: float, folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield each kind of graph with its file in ``folder``, the plain one first."""
    source = asset("models", f"{network}.onnx")
    converted = convert(source, scheme="fixed")
    float_model = load(source)
    channels = {name: tensor.shape[1] for name, tensor in float_model.graph.tensors().items() if _is_map(tensor.shape)}
    places = {
        "block outputs": [name for name in stored(float_model) if name in channels],
        "all maps": _maps(converted.plan),
    }
    plans = {PLAIN: converted.plan}
    for place, names in places.items():
        for transform, levels in WAYS:
            maps = {
                name: FeatureMapPlan(
                    transform,
                    levels=levels,
                    step=step,
                    dropped=tuple(range(0, channels[name], 2)) if levels else (),
                )
                for name in names
                if name in channels
            }
            plans[f"{transform} {levels or ''}".strip() + f", {place} ({len(maps)})"] = replace(
                converted.plan, feature_maps=maps
            )
    for kind, plan in plans.items():
        file = folder / f"{network}.{len(list(folder.iterdir()))}.onnx"
        save(convert(source, plan=plan).model, file)
        yield kind, file


def _is_map(shape: Sequence[object] | None) -> bool:
    return shape is not None and len(shape) == 4 and shape[2:] != [1, 1]


def _maps(plan: Plan) -> list[str]:
    """Return the activations that can be compressed."""
    activations = {name: of for name, of in plan.tensors.items() if of.role is Role.ACTIVATION}
    return [name for name, of in activations.items() if why_not_compressed(of.format) is None]


def measure(network: str, options: argparse.Namespace, folder: Path) -> Iterator[Row]:
    """Yield a row a graph."""
    library = "-" if options.without_library else str(library_path())
    files = dict(graphs(network, options.step, folder))
    jobs = {kind: Job(file, library, 1, options.batch) for kind, file in files.items()}
    found = run_in_turn(jobs, options.processes, options.rounds, options.runs)
    for kind, mine in found.items():
        row: Row = {"network": network, "graph": kind, "ms": Spread.of(mine.milliseconds)}
        yield row | {"least ms": f"{min(mine.milliseconds):.4g}", "to plain": ratio(mine, found[PLAIN])}


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the options, measure, print."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--networks", nargs="+", default=["resnet20_cifar10"], metavar="NAME")
    parser.add_argument("--step", type=float, default=2.5, help="in LSB; 1 is lossless")
    parser.add_argument("--batch", type=int, default=1, help="images at a time, where the model lets it")
    parser.add_argument("--processes", type=int, default=1, help="fresh processes a graph, one after another")
    parser.add_argument("--rounds", type=int, default=15, help="rounds in each process")
    parser.add_argument("--runs", type=int, default=9, help="runs of each graph in a round")
    parser.add_argument("--without-library", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    rows: list[Row] = []
    for network in options.networks:
        with tempfile.TemporaryDirectory() as folder:
            rows += measure(network, options, Path(folder))
    if options.json:
        print(json.dumps({"machine": machine(), "results": [_plain(row) for row in rows]}, indent=2))
        return
    print(f"{machine()}\n\n{markdown_table(rows)}")


def _plain(row: Mapping[str, object]) -> Row:
    return {key: asdict(value) if isinstance(value, Spread) else value for key, value in row.items()}


if __name__ == "__main__":
    main()
