"""One scale for the whole of a constant that has one a channel."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from qonnx_tools.graph import Names, constant_value, gs, is_constant, nodes, set_constant
from qonnx_tools.ops import QONNX_DOMAINS, op_table
from qonnx_tools.passes.base import Outcome, Pass, Rewrite, Skip

MOST_BITS = 48


@dataclass(frozen=True)
class ShareScales(Pass):
    """Give each ``Quant`` of a constant one scale: the finest of its channels, and the bits that this takes.

    ::

        Quant(w, [2^-5, 2^-7], 0, 8)    becomes    Quant(w', 2^-7, 0, 10),  w' = Quant(w, [2^-5, 2^-7], 0, 8)

    Its values stay the same: a scale that is a power of two and coarser is a multiple of the finest. Declines scales
    that are no powers of two, and values that need more than 48 bits on the finest.
    """

    name: ClassVar[str] = "share-scales"

    def run(self, graph: gs.Graph) -> Iterator[Outcome]:
        names = Names(graph)
        for node in nodes(graph, f"{QONNX_DOMAINS[0]}::Quant"):
            if not is_constant(*node.inputs) or constant_value(node.inputs[1]).size == 1:
                continue
            scales = constant_value(node.inputs[1]).astype(np.float64)
            values = _values(node)
            scale = float(scales.min())
            codes = np.asarray(values, np.float64) / scale
            bits = 1 + max(1, int(np.abs(codes).max(initial=0)).bit_length())
            if np.any(np.frexp(scales)[0] != 0.5):
                yield Skip(node.name, "its scales are no powers of two")
            elif bits > MOST_BITS:
                yield Skip(node.name, f"on one scale its values need {bits} bits; give it one format for the tensor")
            else:
                set_constant(graph, node, 0, values, node.inputs[0].name, names=names)
                parameters = {"scale": np.float32(scale), "zeropt": np.float32(0), "bitwidth": np.float32(bits)}
                node.inputs = [
                    node.inputs[0],
                    *(
                        gs.Constant(names.unique(f"{node.name}.{name}"), np.array(at))
                        for name, at in parameters.items()
                    ),
                ]
                node.attrs = {**node.attrs, "signed": 1, "narrow": 1}
                yield Rewrite(node.name, f"{scales.size} scales become one, {bits} bits")


def _values(node: gs.Node) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    op = op_table()[node.domain, node.op]
    (values,) = op.reference([constant_value(tensor) for tensor in node.inputs], dict(node.attrs))
    return np.asarray(values, np.float32)
