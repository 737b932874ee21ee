"""What the constants of a converted network take, packed to the bit, beside float32: every model x format.

Counted of the native graph are the codes of weights, each as wide as its format says, and all other constants of its
integer ops (biases, shifts, multipliers and addends of channels, tables), each tensor as wide as its largest number
needs; of the float model, 32 bits for each weight and bias of the layers that became integer. Beside it the size of
the .onnx file, which holds codes in whole bytes. Conversions are data-free: sizes do not depend on the data.

    QONNX_TOOLS_ASSETS=... python benchmarks/model_bytes.py [--models NAME ...] [--json]
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt
from measuring import asset, machine, markdown_table

from models import CASES
from qonnx_tools.conversion import convert
from qonnx_tools.graph import constant_value, is_constant, nodes, to_proto
from qonnx_tools.ops import DOMAIN
from qonnx_tools.origin import origin_of
from qonnx_tools.plan import Role

FORMATS: dict[str, dict[str, object]] = {
    "fixed 8": {"scheme": "fixed"},
    "fixed 4": {"scheme": "fixed", "weight_bits": 4},
    **{f"log {bits}": {"scheme": "log", "weight_bits": bits} for bits in (6, 5, 4, 3)},
}


@dataclass(frozen=True)
class Size:
    """Bytes of one network in one format; of float32 both count what the float graph has."""

    model: str
    format: str
    weights: int
    others: int
    file: int

    @property
    def packed(self) -> int:
        return self.weights + self.others


def width(values: npt.NDArray[np.generic]) -> int:
    """Return the bits of the narrowest numbers that hold all ``values``: in two's complement where one is negative."""
    low, high = int(values.min()), int(values.max())
    return max(high.bit_length(), (-low - 1).bit_length() if low < 0 else 0) + (low < 0)


def converted(model: str, name: str) -> tuple[Size, Size]:
    """Return the sizes of a model in one format and in float32."""
    conversion = convert(asset("models", f"{model}.onnx"), **FORMATS[name])  # type: ignore[arg-type]  # by name
    native, counted = conversion.model, set[str]()
    weights, others, numbers = 0, 0, 0
    for node in nodes(native.graph):
        origin = origin_of(native, node)
        weight = origin.first(Role.WEIGHT) if origin else None
        for place, tensor in enumerate(node.inputs):
            if node.domain != DOMAIN or not is_constant(tensor) or tensor.name in counted:
                continue
            counted.add(tensor.name)
            values = constant_value(tensor)
            if origin is not None and weight is not None and place == 1:
                weights += values.size * origin.tensors[weight].format.bits
            else:
                others += values.size * width(values)
        if origin is not None and weight is not None:
            numbers += sum(int(np.prod(shape)) for shape in origin.shapes.values())
    size = Size(model, name, -(-weights // 8), -(-others // 8), to_proto(native).ByteSize())
    return size, Size(model, "float32", 4 * numbers, 0, asset("models", f"{model}.onnx").stat().st_size)


def row(sizes: Sequence[Size]) -> dict[str, str]:
    """Return the cells of one network: KiB packed, a share of float32, and KiB of the file."""
    whole = next(size.packed for size in sizes if size.format == "float32")
    cells = {"model": sizes[0].model}
    for size in sizes:
        share = "" if size.format == "float32" else f" ({size.packed / whole:.3f})"
        cells[size.format] = f"{size.packed / 1024:.1f}{share}, file {size.file / 1024:.0f}"
    return cells


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the options, convert, print."""
    known = [case.model for case in CASES]
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--models", nargs="+", default=known, choices=known, metavar="NAME", help=", ".join(known))
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    found: dict[str, list[Size]] = {}
    for model in options.models:
        pairs = [converted(model, name) for name in FORMATS]
        found[model] = [pairs[0][1], *(size for size, _ in pairs)]
        print(model, file=sys.stderr)
    if options.json:
        print(json.dumps({"machine": machine(), "results": [asdict(size) for each in found.values() for size in each]}))
    else:
        print(f"{machine()}\n\nKiB (share of float32)\n\n{markdown_table([row(sizes) for sizes in found.values()])}")


if __name__ == "__main__":
    main()
