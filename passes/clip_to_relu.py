"""Clipping that the format behind it does anyway is a Relu."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from qonnx_tools.arithmetic.fixed_point import FixedPoint
from qonnx_tools.graph import consumers, gs, input_value, is_graph_output, nodes
from qonnx_tools.passes.base import Outcome, Pass, Rewrite, Skip
from qonnx_tools.quantizers import quantizer_of


@dataclass(frozen=True)
class ClipToRelu(Pass):
    """Write ``Clip(x, 0, c)`` as ``Relu(x)`` where a quantizer behind it saturates at c or below.

    Declines other bounds, and a result that anything but such quantizers reads.
    """

    name: ClassVar[str] = "clip-to-relu"

    def run(self, graph: gs.Graph) -> Iterator[Outcome]:
        for node in nodes(graph, "Clip"):
            low, high = input_value(node, 1), input_value(node, 2)
            if low is None or low.size != 1 or low.item() != 0:
                yield Skip(node.name, "its lower bound is not 0")
                continue
            limit = np.inf if high is None else float(high.item())
            readers = consumers(node.outputs[0])
            if is_graph_output(node.outputs[0]) or not readers or any(_largest(each) > limit for each in readers):
                yield Skip(node.name, f"a format behind it goes beyond {limit:g}; give it one that ends there")
                continue
            node.op, node.inputs = "Relu", [node.inputs[0]]
            yield Rewrite(node.name, "its upper bound is that of the format behind it")


def _largest(node: Any) -> float:
    """Return the largest number that a quantizer gives; infinity for anything else."""
    quantizer = quantizer_of(node)
    if quantizer is None or not isinstance(quantizer.format, FixedPoint) or not isinstance(quantizer.format.frac, int):
        return float("inf")
    return float(np.ldexp(1.0 * quantizer.format.code_range[1], -quantizer.format.frac))
