"""A division by a constant becomes a multiplication."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from qonnx_tools.graph import constant_value, gs, is_constant, nodes, set_constant
from qonnx_tools.passes.base import Outcome, Pass, Rewrite, Skip


@dataclass(frozen=True)
class DivToMul(Pass):
    """Turn ``Div(x, c)`` with a float constant c into ``Mul(x, 1 / c)``, computed in float64 and rounded once.

    A constant that another node reads is copied. Declines a divisor that is computed, or of which an entry has no
    finite reciprocal in float32.
    """

    name: ClassVar[str] = "div-to-mul"

    def run(self, graph: gs.Graph) -> Iterator[Outcome]:
        for node in nodes(graph, "Div"):
            divisor = node.inputs[1]
            if not is_constant(divisor):
                yield Skip(node.name, f"its divisor '{divisor.name}' is computed")
                continue
            if divisor.dtype != np.float32:
                continue
            with np.errstate(divide="ignore", over="ignore"):
                reciprocal = (1 / constant_value(divisor).astype(np.float64)).astype(np.float32)
            if not np.isfinite(reciprocal).all():
                yield Skip(node.name, f"an entry of its divisor '{divisor.name}' has no finite reciprocal")
                continue
            set_constant(graph, node, 1, reciprocal, divisor.name)
            node.op = "Mul"
            yield Rewrite(node.name, f"Mul with the reciprocal of '{divisor.name}'")
