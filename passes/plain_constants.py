"""Constants other than weights are stored quantized, without a quantizer."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from qonnx_tools.graph import Names, constant_value, consumers, disconnect, gs, is_constant, nodes
from qonnx_tools.ops import QONNX_DOMAINS, op_table
from qonnx_tools.passes.base import Outcome, Pass, Rewrite
from qonnx_tools.topology import WEIGHTED


@dataclass(frozen=True)
class PlainConstants(Pass):
    """Write ``Quant(b)`` of a constant that is no weight as the constant that it gives.

    ::

        Gemm(x, Quant(W), Quant(b))    becomes    Gemm(x, Quant(W), b'),  b' = Quant(b)

    FINN cannot move a Quant of a bias; the numbers are the same.
    """

    name: ClassVar[str] = "plain-constants"

    def run(self, graph: gs.Graph) -> Iterator[Outcome]:
        names = Names(graph)
        for node in nodes(graph, f"{QONNX_DOMAINS[0]}::Quant"):
            output: Any = node.outputs[0]
            readers = consumers(output)
            if not is_constant(*node.inputs) or not readers or any(_is_weight(output, each) for each in readers):
                continue
            op = op_table()[node.domain, node.op]
            (values,) = op.reference([constant_value(tensor) for tensor in node.inputs], dict(node.attrs))
            stored = gs.Constant(names.unique(f"{node.inputs[0].name}.stored"), np.asarray(values, np.float32))
            for reader in readers:
                reader.inputs = [stored if item is output else item for item in reader.inputs]
            yield Rewrite(node.name, f"'{node.inputs[0].name}' is stored quantized")
            disconnect(node)


def _is_weight(tensor: Any, reader: Any) -> bool:
    return reader.op in WEIGHTED and len(reader.inputs) > 1 and reader.inputs[1] is tensor
