"""Whole native graphs beside the float model and onnxruntime's own 8-bit graph: time, memory, threads, layers.

* ResNet-18 and ResNet-50 with random weights (resnets.py), batch 1, every kind of graph with one thread and with two.
* The real networks, batch 1, one thread. resnet20_cifar10 also with batches of 64.
* --per-layer instead shows where the time of each network goes, node by node of the float model.

Every session has a fresh process of its own; all are run in turn, so that drifts of the machine hit all alike. Shown
are medians with quartiles over the rounds; ratios are taken within a round. "peak MB" is the most memory that such a
process held, the Python interpreter, numpy and onnxruntime (70 MB together) included.

    QONNX_TOOLS_ASSETS=... python benchmarks/native.py [--networks NAME ...] [--per-layer] [--json] [...]

Without QONNX_TOOLS_ASSETS the real networks are left out. --onnxruntime-python: see conversion.py.
"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import onnx
from graph_kinds import FIXED, FLOAT, NATIVES, QUANTIZE_STATIC, TRAINED, graphs, library_of
from layer_times import Layer, layer_times
from measuring import ASSETS, Spread, asset, machine, markdown_table
from resnets import SIDE, resnet
from session_processes import Job, Measured, profile, run_in_turn

RANDOM = {"resnet18": 18, "resnet50": 50}
REAL = (
    *("resnet20_cifar10", "resnet32_cifar10", "mlperf_tiny_resnet8_cifar10", "cnn6_fashion_mnist", "mnist8_onnxzoo"),
    *("mobilenet_v1_075_imagenet", "squeezenet11_imagenet", "yolox_nano_coco"),
)
BATCHED, BATCH = "resnet20_cifar10", 64
Setting = tuple[str, int]
"""Kind of graph, and threads."""
Row = dict[str, object]


def random_network(name: str, folder: Path, options: argparse.Namespace) -> Iterator[Row]:
    """Measure all kinds of one ResNet, a row a kind and number of threads."""
    model = _written(name, folder, options)
    made = dict(graphs(model, folder, NATIVES, options.onnxruntime_python))
    jobs = {
        (kind, threads): Job(file, library_of(kind), threads)
        for kind, file in made.items()
        for threads in options.threads
    }
    found = run_in_turn(jobs, options.processes, options.rounds, options.runs)
    for kind in made:
        for threads in options.threads:
            mine = found[kind, threads]
            row: Row = {"network": name, "graph": kind, "threads": threads, "ms": Spread.of(mine.milliseconds)}
            row |= {f"to {peer}": ratio(mine, found[peer, threads]) for peer in (FLOAT, QUANTIZE_STATIC)}
            row["gain of threads"] = ratio(found[kind, options.threads[0]], mine)
            yield row | {"peak MB": Spread.of(mine.peak)}


def real_network(name: str, folder: Path, options: argparse.Namespace) -> Iterator[Row]:
    """Measure one trained network, in float and native, batch 1."""
    made = dict(graphs(asset("models", f"{name}.onnx"), folder, TRAINED, None))
    jobs = {kind: Job(file, library_of(kind), 1) for kind, file in made.items()}
    found = run_in_turn(jobs, options.processes, options.rounds, options.runs)
    row: Row = {"network": name} | {f"{kind} ms": Spread.of(found[kind].milliseconds) for kind in made}
    yield row | {f"{kind} to float": ratio(found[kind], found[FLOAT]) for kind in list(made)[1:]}


def batches(folder: Path, options: argparse.Namespace) -> Iterator[Row]:
    """Measure batches of one trained network, in images a second."""
    made = dict(graphs(asset("models", f"{BATCHED}.onnx"), folder, TRAINED, None))
    jobs = {
        (kind, threads): Job(file, library_of(kind), threads, BATCH)
        for kind, file in made.items()
        for threads in options.threads
    }
    found = run_in_turn(jobs, options.processes, options.rounds, max(1, options.runs // 2))
    for threads in options.threads:
        row: Row = {"network": BATCHED, "batch": BATCH, "threads": threads}
        for kind in made:
            row[f"{kind} images/s"] = Spread.of(1e3 * BATCH / np.array(found[kind, threads].milliseconds))
        yield row | {f"{kind} to float": ratio(found[FLOAT, threads], found[kind, threads]) for kind in list(made)[1:]}


def layers(name: str, folder: Path, options: argparse.Namespace) -> Iterator[Row]:
    """Take one network apart: a row a node of the float model, then the sums."""
    is_random = name in RANDOM
    model = _written(name, folder, options) if is_random else asset("models", f"{name}.onnx")
    made = dict(graphs(model, folder, (FIXED,), options.onnxruntime_python if is_random else None))
    profiles = {kind: profile(Job(file, library_of(kind), 1), options.rounds) for kind, file in made.items()}
    found = layer_times(model, profiles)
    total = Layer("sum", "")
    for kind, nodes in profiles.items():
        total.milliseconds[kind] = sum(time for *_, time in nodes.values())
    for layer in [*found, total]:
        row: Row = {"network": name, "layer": layer.name, "op": layer.op, "shape": "x".join(map(str, layer.shape))}
        row |= {f"{kind} ms": _milliseconds(layer, kind) for kind in made}
        times = [layer.milliseconds.get(kind) for kind in (FIXED.name, FLOAT)]
        yield row | {"native to float": f"{times[0] / times[1]:.2f}" if times[0] and times[1] else "-"}


def ratio(mine: Measured, other: Measured) -> Spread:
    """Return the quotient of the times of two jobs, round by round."""
    return Spread.of(np.array(mine.milliseconds) / np.array(other.milliseconds))


def tables(options: argparse.Namespace, folder: Path) -> Iterator[tuple[str, list[Row]]]:
    """Measure everything; yield each table with its title."""
    real = [name for name in options.networks if name in REAL]
    if real and not os.environ.get(ASSETS):
        print(f"{ASSETS} is not set: {', '.join(real)} left out", file=sys.stderr)
        real = []
    names = [name for name in options.networks if name in RANDOM or name in real]
    if options.per_layer:
        for name in names:
            yield f"{name}, node by node, one thread", list(layers(name, folder, options))
        return
    random = [row for name in names if name in RANDOM for row in random_network(name, folder, options)]
    yield "Random weights, batch 1; the bits are those of weights/activations", random
    yield "Trained networks, batch 1, one thread", [row for name in real for row in real_network(name, folder, options)]
    yield f"Batches of {BATCH}", list(batches(folder, options)) if BATCHED in real else []


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the options, measure, print."""
    names = [*RANDOM, *REAL]
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--networks", nargs="+", default=names, choices=names, metavar="NAME", help=", ".join(names))
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2], metavar="N")
    parser.add_argument("--processes", type=int, default=3, help="fresh processes a graph, one after another")
    parser.add_argument("--rounds", type=int, default=7, help="rounds in each process; runs of a profile")
    parser.add_argument("--runs", type=int, default=5, help="runs of each graph in a round")
    parser.add_argument("--side", type=int, default=SIDE, help="height and width of the ResNets' images")
    parser.add_argument("--per-layer", action="store_true")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--onnxruntime-python", type=Path, default=Path(sys.executable))
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        found = {title: rows for title, rows in tables(options, Path(folder)) if rows}
    if options.json:
        plain = {title: [_plain(row) for row in rows] for title, rows in found.items()}
        print(json.dumps({"machine": machine(), "results": plain}, indent=2))
        return
    print(machine())
    for title, rows in found.items():
        print(f"\n{title}\n\n{markdown_table([{k: _cell(v) for k, v in row.items()} for row in rows])}")


def _written(name: str, folder: Path, options: argparse.Namespace) -> Path:
    file = folder / f"{name}.onnx"
    onnx.save(resnet(RANDOM[name], options.side), file)
    return file


def _milliseconds(layer: Layer, kind: str) -> str:
    return f"{layer.milliseconds[kind]:.3f}" if kind in layer.milliseconds else "-"


def _plain(row: Mapping[str, object]) -> Row:
    return {key: asdict(value) if isinstance(value, Spread) else value for key, value in row.items()}


def _cell(value: object) -> object:
    return f"{value.median:.3g} ({value.low:.3g}..{value.high:.3g})" if isinstance(value, Spread) else value


if __name__ == "__main__":
    main()
