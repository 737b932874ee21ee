"""Constant nodes become initializers."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from qonnx_tools.graph import evaluate_node, gs, is_graph_output, nodes
from qonnx_tools.passes.base import Outcome, Pass, Rewrite, Skip


@dataclass(frozen=True)
class ConstantsToInitializers(Pass):
    """Turn every ``Constant`` node into an initializer of the same name.

    ::

        Constant(value) -> c -> node      becomes      c: initializer -> node

    Every form of the attribute is read: value, value_float(s), value_int(s), value_string(s). Moves no arithmetic.
    Declines a Constant that is a graph output, which a node has to compute.
    """

    name: ClassVar[str] = "constants-to-initializers"

    def run(self, graph: gs.Graph) -> Iterator[Outcome]:
        for node in nodes(graph, "Constant"):
            tensor = node.outputs[0]
            if is_graph_output(tensor):
                yield Skip(node.name, "is a graph output")
                continue
            (value,) = evaluate_node(node, graph.opset)
            node.outputs = []
            tensor.to_constant(value)
            yield Rewrite(node.name, f"initializer '{tensor.name}' {list(value.shape)}")
