"""Makes standard nodes: scaling by powers of two, codes to floats and floats to codes."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from qonnx_tools.arithmetic.fixed_point import FixedPoint
from qonnx_tools.arithmetic.rounding import Rounding
from qonnx_tools.graph import Names, gs, is_constant
from qonnx_tools.ops import op_table

BYTES = (np.dtype(np.int8), np.dtype(np.uint8))
"""Element types that QuantizeLinear and DequantizeLinear have in every opset."""
EXACT_BITS = 24
"""float32 holds every integer of so many bits and a sign."""
EXACT_SCALES = (-100, 125)
"""Fraction bits of sums for which every sum is a normal float32 number."""
IN_FLOAT: Mapping[Rounding, str] = {
    Rounding.HALF_EVEN: "Round",
    Rounding.FLOOR: "Floor",
    Rounding.CEIL: "Ceil",
}
"""The standard op of a rounding rule."""


class Maker:
    """Adds nodes to a graph that take the place of ``node``, with names made of its name."""

    def __init__(self, graph: gs.Graph, names: Names, node: gs.Node) -> None:
        self.graph, self.names, self.node = graph, names, node
        self.made: list[gs.Node] = []

    def add(self, op: str, inputs: Sequence[Any], output: Any = None, **attributes: Any) -> Any:
        """Add a node and return its output, a new tensor unless it is given."""
        name = self.names.unique(f"{self.node.name}.{op}")
        result = gs.Variable(self.names.unique(f"{name}.y")) if output is None else output
        self.made.append(gs.Node(op=op, name=name, attrs=attributes, inputs=list(inputs), outputs=[result]))
        return result

    def constant(self, what: str, value: npt.ArrayLike, dtype: Any) -> gs.Constant:
        """Return a new initializer."""
        return gs.Constant(self.names.unique(f"{self.node.name}.{what}"), np.array(value, dtype=dtype, order="C"))

    def scaled(self, x: Any, octaves: npt.NDArray[np.int64], output: Any = None) -> Any:
        """Return ``x * 2**octaves``, which broadcasts to x."""
        factor = self.constant("factor", np.ldexp(1.0, octaves), np.float32)
        return self.add("Mul", [x, factor], output)

    def floats(
        self, codes: Any, frac: npt.NDArray[np.int64], axis: int, output: Any = None, *, plain: bool = False
    ) -> Any:
        """Return the numbers that ``codes`` stand for: ``codes * 2**-frac``, with ``frac`` 0-d or one a channel.

        By DequantizeLinear, or with ``plain`` or 16-bit codes by Cast and Mul.
        """
        stored = codes.values.dtype if is_constant(codes) else np.dtype(codes.dtype)
        frac = frac.reshape(()) if frac.size == 1 else frac.ravel()
        if plain or stored not in (*BYTES, np.dtype(np.int32)):
            wide = self.add("Cast", [codes], to=1)
            sizes = [1] * len(codes.shape)
            if frac.size > 1:
                sizes[axis] = frac.size
                frac = frac.reshape(sizes)
            return self.scaled(wide, -frac, output)
        scale = self.constant("scale", np.ldexp(1.0, -frac), np.float32)
        attributes = {"axis": axis} if frac.size > 1 else {}
        inputs = [codes, scale]
        if stored != np.int32:
            inputs.append(self.constant("zero_point", np.zeros(frac.shape), stored))
        return self.add("DequantizeLinear", inputs, output, **attributes)

    def codes(self, x: Any, frac: int, attributes: Mapping[str, Any], output: Any, *, plain: bool = False) -> None:
        """Make codes with the output attributes of an op of ours: ``saturate(round(x * 2**frac))``.

        By Clip and QuantizeLinear where the carrier is a byte and ties go to even; else, and with ``plain``, by Mul, a
        rounding op, Clip and Cast.
        """
        carrier, rounding = np.dtype(output.dtype), rounding_of(attributes)
        low, high = bounds(attributes)
        ends = np.iinfo(carrier)
        if carrier in BYTES and rounding is Rounding.HALF_EVEN and not plain:
            if (low, high) != (ends.min, ends.max):
                x = self.clipped(x, *(float(np.ldexp(1.0 * bound, -frac)) for bound in (low, high)))
            scale = self.constant("scale", np.ldexp(1.0, -frac), np.float32)
            self.add("QuantizeLinear", [x, scale, self.constant("zero_point", 0, carrier)], output)
            return
        whole = self.add(IN_FLOAT[rounding], [self.scaled(x, np.array(frac))])
        self.add("Cast", [self.clipped(whole, low, high)], output, to=int(attributes["to"]))

    def clipped(self, x: Any, low: float, high: float) -> Any:
        """Return ``x`` between two bounds."""
        return self.add("Clip", [x, self.constant("low", low, np.float32), self.constant("high", high, np.float32)])


def complete(node: gs.Node) -> dict[str, Any]:
    """Return the attributes of a node of ours, defaults filled in."""
    return dict(op_table()[node.domain, node.op].complete(dict(node.attrs)))


def rounding_of(attributes: Mapping[str, Any]) -> Rounding:
    """Return the rounding rule of an op that makes codes."""
    return list(Rounding)[int(attributes["rounding"])]


def bounds(attributes: Mapping[str, Any]) -> tuple[int, int]:
    """Return the smallest and the largest code that an op makes."""
    signed, narrow = bool(attributes["signed"]), bool(attributes["narrow"])
    low, high = FixedPoint(int(attributes["bits"]), 0, signed, narrow).code_range
    low, high = max(low, int(attributes.get("lowest", low))), min(high, int(attributes.get("highest", high)))
    return low, max(high, low)
