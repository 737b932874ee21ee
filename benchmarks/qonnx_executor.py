"""A QONNX graph of ResNet-20 here, in the executor of the qonnx package, and as the float model in onnxruntime.

ResNet-20 is converted (fixed point, 8/8 bits, without data), lowered to ``Quant`` nodes and run on test images, one
at a time. Compared are the logits, bit for bit, and the time. Three runners of the same QONNX file:

* ``session``: qonnx_tools.runtime.session, which computes quantized weights once;
* ``library``: onnxruntime with nothing but the custom-op library registered;
* ``qonnx``: the package's executor, which runs node by node, in an environment of its own, as it needs an older onnx:

    python -m venv qonnx-venv && qonnx-venv/bin/pip install qonnx==1.0.0 onnx==1.20.0 onnxruntime tqdm

    QONNX_TOOLS_ASSETS=... python benchmarks/qonnx_executor.py --qonnx-python qonnx-venv/bin/python [--json]
        [--images N] [--rounds N]

Times are of one thread at batch 1: sessions run in turn, each round once over all images, and a ratio is the median
over the rounds of the ratio within a round, with quartiles. The executor, which takes its own number of threads,
runs once over the images, between two measurements of the sessions.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime as ort
from measuring import Spread, asset, machine, run_process

from qonnx_tools.conversion import convert
from qonnx_tools.data import open_data, preprocessing
from qonnx_tools.graph import Model, from_proto, save, to_proto
from qonnx_tools.passes.lower_to_qonnx import LowerToQonnx
from qonnx_tools.pipeline import run_passes
from qonnx_tools.runtime import library_path, session

MODEL, DATA, PRESET = "resnet20_cifar10.onnx", "cifar10_test.npz", "cifar10"
WORKER = Path(__file__).with_name("qonnx_worker.py")

Array = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Agreement:
    """How a runner's logits compare with the executor's."""

    runner: str
    images: int
    images_equal: int
    logits_equal: int
    logits: int
    largest_difference: float
    same_class: int


@dataclass(frozen=True)
class Difference:
    """A tensor that differs, on the first image."""

    tensor: str
    op: str
    different: int
    elements: int
    largest: float
    largest_in_steps: float | None


def float_model() -> onnx.ModelProto:
    """Return the float model with batch 1, as the executor wants every shape fixed."""
    proto = onnx.load(asset("models", MODEL))
    for value in (*proto.graph.input, *proto.graph.output):
        value.type.tensor_type.shape.dim[0].dim_value = 1
    del proto.graph.value_info[:]
    return proto


def qonnx_model(proto: onnx.ModelProto) -> Model:
    """Convert and lower; end where a quantizer has no QONNX form."""
    converted = convert(proto, scheme="fixed", preprocessing=preprocessing(PRESET), target="simulation").model
    (report,) = run_passes(converted, [LowerToQonnx()])
    if len(report.rewrites) != len(report.outcomes):
        sys.exit(f"not everything was lowered: {report.outcomes}")
    return converted


def plain_session(model: bytes, *, library: bool) -> ort.InferenceSession:
    """Return an onnxruntime session of one thread."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    if library:
        options.register_custom_ops_library(str(library_path()))
    return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def run(runner: ort.InferenceSession, images: Array, names: list[str] | None = None) -> tuple[list[Any], float]:
    """Run ``images`` [n, 1, ...] one by one; return the outputs and the seconds an image."""
    entry = runner.get_inputs()[0].name
    start = time.perf_counter()
    outputs = [runner.run(names, {entry: image}) for image in images]
    return outputs, (time.perf_counter() - start) / len(images)


def times(runners: Mapping[str, ort.InferenceSession], images: Array, rounds: int) -> dict[str, list[float]]:
    """Return the seconds an image of every runner and round."""
    found: dict[str, list[float]] = {name: [] for name in runners}
    for turn in range(rounds + 1):
        for name, runner in runners.items():
            seconds = run(runner, images)[1]
            if turn:  # the first round warms up
                found[name].append(seconds)
    return found


def agreement(name: str, mine: Array, theirs: Array) -> Agreement:
    """Compare logits ``[n, classes]``."""
    equal = mine == theirs
    return Agreement(
        name,
        len(mine),
        int(equal.all(axis=1).sum()),
        int(equal.sum()),
        equal.size,
        float(np.abs(mine - theirs).max()),
        int((mine.argmax(axis=1) == theirs.argmax(axis=1)).sum()),
    )


def differences(model: Model, theirs: Mapping[str, Array], image: Array) -> tuple[int, list[Difference]]:
    """Return how many tensors of one image were compared, and those that the executor computes differently."""
    made = [(tensor.name, node) for node in model.graph.nodes for tensor in node.outputs]
    runner = session(model, threads=1, optimize=False, outputs=[name for name, _ in made])
    present = {output.name for output in runner.get_outputs()}
    names = [name for name, _ in made if name in present and f"tensor:{name}" in theirs]
    ops = dict(made)
    found = []
    for name, mine in zip(names, run(runner, image[None], names)[0][0], strict=True):
        other = theirs[f"tensor:{name}"]
        gap = np.abs(mine - other)
        if gap.any():
            node = ops[name]
            step = float(np.max(node.inputs[1].values)) if node.op == "Quant" else None
            largest = float(gap.max())
            found.append(
                Difference(
                    name, node.op, int((gap > 0).sum()), gap.size, largest, None if step is None else largest / step
                )
            )
    return len(names), found


def main() -> None:
    """Parse the options, measure, print."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--qonnx-python", type=Path, required=True, help="interpreter of an environment with qonnx")
    parser.add_argument("--images", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=21)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if not options.qonnx_python.exists():
        sys.exit(f"--qonnx-python {options.qonnx_python}: no such file; the head of {Path(__file__).name} says more")
    original = float_model()
    model = qonnx_model(original)
    data = open_data(str(asset("data", DATA)), preprocessing(PRESET), (1, 3, 32, 32))
    images = np.stack([batch.images for batch in data.batches(1, limit=options.images)])
    runners = {
        "float": plain_session(original.SerializeToString(), library=False),
        "session": session(model, threads=1),
        "library": plain_session(to_proto(model).SerializeToString(), library=True),
    }
    with tempfile.TemporaryDirectory() as folder:
        file, given, results = (str(Path(folder) / name) for name in ("model.onnx", "images.npz", "results.npz"))
        save(from_proto(to_proto(model)), file)
        np.savez(given, images=images)
        before = times(runners, images, options.rounds)
        run_process([str(options.qonnx_python), str(WORKER), file, given, results])
        after = times(runners, images, options.rounds)
        theirs = dict(np.load(results))
    seconds = {name: np.array([*before[name], *after[name]]) for name in runners}
    logits = theirs["outputs"].reshape(options.images, -1)
    agreements = [
        agreement(name, np.concatenate([outputs[0] for outputs in run(runners[name], images)[0]]), logits)
        for name in ("session", "library")
    ]
    compared, found = differences(model, theirs, images[0])
    executor = float(np.median(theirs["seconds"]))
    report = {
        "machine": machine(),
        "agreement": [asdict(each) for each in agreements],
        "tensors_compared_on_first_image": compared,
        "differences_on_first_image": [asdict(each) for each in found],
        "milliseconds": {name: asdict(Spread.of(1e3 * values)) for name, values in seconds.items()}
        | {"qonnx": asdict(Spread.of(1e3 * theirs["seconds"]))},
        "speed_to_executor": {name: asdict(Spread.of(executor / seconds[name])) for name in ("session", "library")},
        "time_to_float": {name: asdict(Spread.of(seconds[name] / seconds["float"])) for name in ("session", "library")},
    }
    print(json.dumps(report, indent=2) if options.json else as_text(report, agreements, found))


def as_text(report: Mapping[str, Any], agreements: list[Agreement], found: list[Difference]) -> str:
    """Return the report as lines to read."""
    lines = [report["machine"]]
    lines += [
        f"{each.runner} and executor: {each.images_equal} of {each.images} images equal to the bit "
        f"({each.logits_equal} of {each.logits} logits), largest difference {each.largest_difference:.3g}, "
        f"same class on {each.same_class}"
        for each in agreements
    ]
    lines.append(f"first image: {len(found)} of {report['tensors_compared_on_first_image']} tensors differ")
    lines += [
        f"  {each.tensor} ({each.op}), {each.different} of {each.elements}, by at most "
        f"{each.largest:.3g}" + (f", {each.largest_in_steps:g} steps" if each.largest_in_steps is not None else "")
        for each in found
    ]
    lines += [f"{name}: {Spread(**spread)} ms an image" for name, spread in report["milliseconds"].items()]
    lines += [
        f"{name}: {Spread(**spread)} times the executor's speed" for name, spread in report["speed_to_executor"].items()
    ]
    lines += [
        f"{name}: {Spread(**spread)} times the float model's time" for name, spread in report["time_to_float"].items()
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
