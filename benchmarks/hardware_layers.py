"""Real networks streamed through the processing elements: every layer on codes, each output against the golden one.

Each network is converted in each kind of arithmetic, exported with images of its test set, and simulated by Verilator
from the package alone (``make SIM=verilator``), one product a clock in each layer. Printed is a Markdown table: layers,
outputs that were compared and those that differ, products, seconds of compiling and simulating. Exits 1 where an output
differs.

    QONNX_TOOLS_ASSETS=... python benchmarks/hardware_layers.py [--networks NAME ...] [--kinds NAME ...] [--vectors N]
        [--json]
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from measuring import asset, machine, markdown_table

from models import CASES, Case
from qonnx_tools.conversion import convert
from qonnx_tools.export import export
from qonnx_tools.graph import save

KINDS: Mapping[str, Mapping[str, Any]] = {
    "fixed 8/8": {"scheme": "fixed"},
    "fixed 8/8, batch norm merged": {"scheme": "fixed", "batch_norm": "merge"},
    "fixed 8/8, batch norm separate": {"scheme": "fixed", "batch_norm": "separate"},
    "log 5/8 base 2": {"scheme": "log"},
    "log 5/8 base sqrt 2": {"scheme": "log", "log_base": "sqrt2"},
    "log 5/5 base 2": {"scheme": "log", "activations": "log", "activation_bits": 5},
    "log 5/5 base sqrt 2": {"scheme": "log", "activations": "log", "activation_bits": 5, "log_base": "sqrt2"},
}
"""Weights and activations; with one number the activations are in fixed point."""
CALIBRATION_IMAGES = 64


@dataclass(frozen=True)
class Result:
    """One network in one kind of arithmetic."""

    network: str
    kind: str
    layers: int
    without: tuple[str, ...]
    outputs: int
    differing: int
    products: int
    seconds: float


def measure(case: Case, kind: str, vectors: int, folder: Path) -> Result:
    """Convert, export and simulate a network."""
    model, calibration = asset("models", f"{case.model}.onnx"), asset("data", case.calibration)
    native = convert(
        str(model), data=str(calibration), images=CALIBRATION_IMAGES, preprocessing=case.prepared, **KINDS[kind]
    )
    save(native.model, folder / "native.onnx")
    data = str(asset("data", case.test or case.unlabelled))
    package = export(
        folder / "native.onnx", folder / "package", vectors=vectors, data=data, preprocessing=case.prepared
    )
    layers = package.manifest["layers"]
    started = time.perf_counter()
    done = subprocess.run(
        ["make", "SIM=verilator"],  # noqa: S607
        cwd=package.folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    seconds = time.perf_counter() - started
    found = re.findall(r"layer_\d+: +(\d+) of +(\d+) outputs differ", done.stdout)
    simulated = [layer for layer in layers if "module" in layer["simulation"]]
    if len(found) != len(simulated):
        sys.exit(f"{case.model}, {kind}: the simulation failed: {done.stdout[-400:]}{done.stderr[-400:]}")
    return Result(
        case.model,
        kind,
        len(simulated),
        tuple(layer["op"].rpartition("::")[2] for layer in layers if "none" in layer["simulation"]),
        sum(int(count) for _, count in found),
        sum(int(bad) for bad, _ in found),
        vectors * sum(layer.get("macs") or 0 for layer in layers),
        seconds,
    )


def main() -> None:
    """Parse the command line, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    known = [case.model for case in CASES]
    parser.add_argument("--networks", nargs="+", choices=known, default=["mlperf_tiny_resnet8_cifar10"])
    parser.add_argument("--kinds", nargs="+", choices=list(KINDS), default=list(KINDS))
    parser.add_argument("--vectors", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    results = []
    for case in (case for case in CASES if case.model in options.networks):
        for kind in options.kinds:
            with tempfile.TemporaryDirectory() as folder:
                results.append(measure(case, kind, options.vectors, Path(folder)))
    if options.json:
        print(json.dumps({"machine": machine(), "results": [asdict(result) for result in results]}, indent=2))
    else:
        print(machine())
        print(_table(results))
    sys.exit(any(result.differing for result in results))


def _table(results: list[Result]) -> str:
    return markdown_table(
        [
            {
                "network": result.network,
                "arithmetic": result.kind,
                "layers": result.layers,
                "not simulated": ", ".join(result.without),
                "outputs": f"{result.outputs:,}",
                "differ": result.differing,
                "products": f"{result.products:,}",
                "seconds": f"{result.seconds:.1f}",
            }
            for result in results
        ]
    )


if __name__ == "__main__":
    main()
