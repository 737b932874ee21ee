"""What travels on the wires of a native graph: codes of a width, or float32 numbers."""

from dataclasses import dataclass
from typing import Any

from qonnx_tools.arithmetic.accumulator import bits_for
from qonnx_tools.arithmetic.formats import Format
from qonnx_tools.contents import Contents
from qonnx_tools.graph import constant_value, gs, is_constant, nodes
from qonnx_tools.ops import DOMAIN

FLOAT_BITS = 32


@dataclass(frozen=True)
class Wire:
    """A tensor that is no constant.

    Attributes:
        tensor: its name.
        kind: "codes", or "float32".
        bits: of one number.
        signed: whether codes have both signs.
        format: what the codes stand for, where the graph says.
    """

    tensor: str
    kind: str
    bits: int
    signed: bool
    format: Format | None = None

    @property
    def code_range(self) -> tuple[int, int]:
        """Smallest and largest code that the width allows."""
        return (-(2 ** (self.bits - 1)), 2 ** (self.bits - 1) - 1) if self.signed else (0, 2**self.bits - 1)


def wires(contents: Contents) -> dict[str, Wire]:
    """Return every tensor of a native graph that is no constant, by name, in topological order."""
    found = {tensor.name: Wire(tensor.name, "float32", FLOAT_BITS, signed=True) for tensor in contents.graph.inputs}
    for node in nodes(contents.graph):
        for tensor in node.outputs:
            if not tensor.is_empty():
                found[tensor.name] = _made(node, tensor.name, contents, found)
    return found


def width(low: int, high: int) -> int:
    """Return the bits of codes from ``low`` to ``high``: with a sign only where there are negative ones."""
    return bits_for(low, high) if low < 0 else max(1, high.bit_length())


def _made(node: gs.Node, name: str, contents: Contents, found: dict[str, Wire]) -> Wire:
    origin = contents.origins.get(node.name)
    makes = origin.parts[-1].makes if origin is not None else None
    own = node.domain == DOMAIN
    if own and node.op == "FeatureMapRoundTrip":
        makes = found[node.inputs[0].name].format
    if own and "bits" in node.attrs and "to" in node.attrs:
        return Wire(name, "codes", max(1, int(node.attrs["bits"])), bool(node.attrs.get("signed", 1)), makes)
    if own and node.op == "Lookup":
        table = constant_value(node.inputs[1])
        low, high = makes.code_range if makes is not None else (int(table.min()), int(table.max()))
        return Wire(name, "codes", width(low, high), low < 0, makes)
    if own and node.op in {"Dequantize", "LogDequantize", "FixedQuant", "LogQuant"}:
        return Wire(name, "float32", FLOAT_BITS, signed=True)
    return _passed(node, name, found)


def _passed(node: gs.Node, name: str, found: dict[str, Wire]) -> Wire:
    """Return the wire behind an op that moves numbers: codes where it reads any."""
    read: list[Any] = [tensor for tensor in node.inputs if not tensor.is_empty() and not is_constant(tensor)]
    coded = [found[tensor.name] for tensor in read if found[tensor.name].kind == "codes"]
    if not coded:
        return Wire(name, "float32", FLOAT_BITS, signed=True)
    widest = max(coded, key=lambda wire: wire.bits + (not wire.signed and any(other.signed for other in coded)))
    return Wire(name, "codes", widest.bits, any(wire.signed for wire in coded), widest.format)
