"""How often the native graph and its simulation differ: every model x scheme x treatment of batch normalization.

Both carry out one plan. The native graph computes in integers; the simulation computes in float32, which rounds sums
beyond 2^24 and products with scales that are no powers of two, so that a tie may fall the other way. Counted are:

* codes: of all quantized activations, those that differ, and by how many steps (LSB) at most. A difference goes on to
  all that is computed from it;
* outputs: numbers that differ, the largest difference as a share of the largest output, and the images whose most
  probable class is another one.

    QONNX_TOOLS_ASSETS=... python benchmarks/native_against_simulation.py [--models NAME ...] [--schemes NAME ...]
        [--batch-norm NAME ...] [--option NAME=VALUE ...] [--images N] [--json]
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from measuring import asset, machine, markdown_table

from models import CASES, SCHEMES, Case, data_of
from qonnx_tools.arithmetic.fixed_point import FixedPoint
from qonnx_tools.conversion import Conversion, convert
from qonnx_tools.data import open_data
from qonnx_tools.graph import op_of
from qonnx_tools.origin import origin_of
from qonnx_tools.plan import BatchNorm, Role
from qonnx_tools.quantizers import quantizer_of
from qonnx_tools.runtime import session
from qonnx_tools.schemes.base import make_scheme

IMAGES = 64
BATCH = 8


@dataclass
class Difference:
    """What was compared, and what of it differs."""

    model: str
    scheme: str
    batch_norm: str
    images: int = 0
    codes: int = 0
    codes_that_differ: int = 0
    most_steps: int = 0
    outputs: int = 0
    outputs_that_differ: int = 0
    largest_output: float = 0.0
    largest_difference: float = 0.0
    classes_that_differ: int = 0

    def row(self) -> dict[str, str]:
        """Return the cells of the table."""
        share = self.largest_difference / self.largest_output if self.largest_output else 0.0
        return {
            "model": self.model,
            "scheme": self.scheme,
            "batch norm": self.batch_norm,
            "images": str(self.images),
            "codes that differ": f"{self.codes_that_differ:,} of {self.codes:,}",
            "by LSB at most": str(self.most_steps),
            "outputs that differ": f"{self.outputs_that_differ:,} of {self.outputs:,}",
            "by at most": f"{share:.1e}",
            "classes that differ": str(self.classes_that_differ),
        }


@dataclass(frozen=True)
class Wire:
    """A quantized activation: the names of its codes in the native graph and of its numbers in the simulation."""

    codes: str
    numbers: str
    format: FixedPoint


def compare(
    case: Case, scheme: str, batch_norm: str, images: int, options: Mapping[str, str] | None = None
) -> Difference | None:
    """Make a plan without data, carry it out both ways and run both on the same images.

    None where ``batch_norm`` is not "fold" and there is no batch normalization to treat.
    """
    model = asset("models", f"{case.model}.onnx")
    proposer = make_scheme(scheme, {**(options or {}), "batch_norm": batch_norm})
    simulation = convert(model, scheme=proposer, preprocessing=case.prepared, target="simulation")
    roles = {tensor.role for tensor in simulation.plan.tensors.values()}
    if batch_norm != BatchNorm.FOLD and Role.BATCH_NORM not in roles:
        return None
    native = convert(model, plan=simulation.plan)
    wires = _wires(simulation, native)
    output = native.model.graph.outputs[0].name
    runners = (
        session(native.model, outputs=[wire.codes for wire in wires]),
        session(simulation.model, outputs=[wire.numbers for wire in wires]),
    )
    (entry,) = runners[0].get_inputs()
    found = Difference(case.model, scheme, batch_norm)
    dataset = open_data(data_of(case.test or case.unlabelled), case.prepared, tuple(entry.shape))
    size = entry.shape[0] if isinstance(entry.shape[0], int) else BATCH
    for batch in dataset.batches(size, limit=images):
        if len(batch.images) < size and isinstance(entry.shape[0], int):
            break
        feeds = {entry.name: batch.images}
        codes = runners[0].run([output, *(wire.codes for wire in wires)], feeds)
        numbers = runners[1].run([output, *(wire.numbers for wire in wires)], feeds)
        _count_outputs(found, codes[0], numbers[0])
        for wire, one, other in zip(wires, codes[1:], numbers[1:], strict=True):
            steps = np.abs(one.astype(np.int64) - np.rint(np.ldexp(other.astype(np.float64), wire.format.frac)))
            found.codes += steps.size
            found.codes_that_differ += int(np.count_nonzero(steps))
            found.most_steps = max(found.most_steps, int(steps.max(initial=0)))
        found.images += len(batch.images)
    return found


def _wires(simulation: Conversion, native: Conversion) -> list[Wire]:
    """Return the activations that both graphs quantize."""
    quantized = {}
    for node in simulation.model.graph.nodes:
        quantizer = quantizer_of(node)
        if quantizer is not None and isinstance(quantizer.format, FixedPoint):
            quantized[node.inputs[0].name] = node.outputs[0].name
    found = []
    for node in native.model.graph.nodes:
        origin = origin_of(native.model, node)
        origin = None if origin is None else origin.parts[-1]
        name = None if origin is None else origin.first(Role.ACTIVATION)
        if origin is not None and name is not None and isinstance(origin.makes, FixedPoint):
            found.append(Wire(_behind_bounds(node).name, quantized[name], origin.makes))
    return found


def _behind_bounds(node: Any) -> Any:
    """Return the codes that ``node`` makes, behind the Clip that bounds them where there is one."""
    tensor = node.outputs[0]
    while len(tensor.outputs) == 1 and op_of(tensor.outputs[0]) in {"Cast", "Clip"}:
        tensor = tensor.outputs[0].outputs[0]
    return tensor


def _count_outputs(found: Difference, one: npt.NDArray[Any], other: npt.NDArray[Any]) -> None:
    difference = np.abs(one.astype(np.float64) - other)
    found.outputs += difference.size
    found.outputs_that_differ += int(np.count_nonzero(difference))
    found.largest_difference = max(found.largest_difference, float(difference.max(initial=0)))
    found.largest_output = max(found.largest_output, float(np.abs(other).max(initial=0)))
    if one.ndim == 2:
        found.classes_that_differ += int(np.count_nonzero(one.argmax(axis=1) != other.argmax(axis=1)))


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the options, compare, print."""
    names = [case.model for case in CASES]
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--models", nargs="+", default=names, choices=names, metavar="NAME", help=", ".join(names))
    parser.add_argument("--schemes", nargs="+", default=SCHEMES, metavar="NAME")
    parser.add_argument("--batch-norm", nargs="+", default=list(BatchNorm), choices=list(BatchNorm), metavar="NAME")
    parser.add_argument("--option", nargs="+", default=[], metavar="NAME=VALUE", help="of the scheme")
    parser.add_argument("--images", type=int, default=IMAGES, help="images at most")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    given = {name: value for name, _, value in (item.partition("=") for item in options.option)}
    found: list[Difference] = []
    for case in CASES:
        for scheme in options.schemes if case.model in options.models else ():
            for batch_norm in options.batch_norm:
                difference = compare(case, scheme, str(batch_norm), options.images, given)
                found += [] if difference is None else [difference]
                print(f"{case.model}, {scheme}, {batch_norm}: done", file=sys.stderr)
    if options.json:
        print(json.dumps({"machine": machine(), "results": [asdict(item) for item in found]}, indent=2))
    else:
        print(f"{machine()}\n\n{markdown_table([item.row() for item in found])}")


if __name__ == "__main__":
    main()
