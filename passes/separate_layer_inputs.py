"""What layers read together with other nodes gets a tensor of its own for the layers."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from qonnx_tools.graph import Names, consumers, gs, is_graph_output, nodes
from qonnx_tools.passes.base import Outcome, Pass, Rewrite
from qonnx_tools.topology import LAYER_INPUT, data_inputs, is_passive, layers, readers_through


@dataclass(frozen=True)
class SeparateLayerInputs(Pass):
    """Read what layers and other nodes read through an ``Identity``, for the layers alone.

    ::

        t -> Conv, Add    becomes    t -> Add, t -> Identity -> t.for_layers -> Conv

    A plan can then give the sum one format and what the layers multiply another. Inputs of the graph are separated
    too, whatever reads them. Moves no arithmetic. Nothing is separated twice.

    Attributes:
        only: the tensors to separate, by name; None is all that it can.
    """

    name: ClassVar[str] = "separate-layer-inputs"
    only: frozenset[str] | None = None

    def run(self, graph: gs.Graph) -> Iterator[Outcome]:
        names, tensors = Names(graph), graph.tensors()
        for source, for_layers in separable(graph).items():
            if self.only is not None and source not in self.only:
                continue
            tensor, name = tensors[source], names.unique(f"{source}{LAYER_INPUT}")
            separate = gs.Variable(name, dtype=tensor.dtype, shape=tensor.shape)
            for node in for_layers:
                node.inputs = [separate if item is tensor else item for item in node.inputs]
            graph.nodes.append(gs.Node("Identity", name, inputs=[tensor], outputs=[separate]))
            yield Rewrite(name, f"'{source}' as {len(for_layers)} node(s) that lead to layers alone read it")


def separable(graph: gs.Graph) -> dict[str, list[gs.Node]]:
    """Return the names of the tensors to separate, in topological order, and the nodes that lead to layers alone."""
    weighted = {layer.node for layer in layers(graph)}
    found = {}
    entries = list(graph.inputs)
    for tensor in [*entries, *(tensor for node in nodes(graph) for tensor in node.outputs)]:
        readers = consumers(tensor)
        for_layers = [node for node in readers if _leads_to_layers_alone(node, tensor, weighted)]
        is_mixed = len(for_layers) < len(readers) or is_graph_output(tensor)
        if for_layers and (is_mixed or any(tensor is entry for entry in entries)):
            found[tensor.name] = for_layers
    return found


def separated(names: Iterable[str]) -> frozenset[str]:
    """Return which tensors are separated, by the names of all of a graph or plan."""
    return frozenset(name.removesuffix(LAYER_INPUT) for name in names if name.endswith(LAYER_INPUT))


def _leads_to_layers_alone(node: gs.Node, tensor: Any, weighted: set[str]) -> bool:
    """Tell whether ``node`` is a layer with ``tensor`` for its input, or moves its values on to layers alone."""
    if node.name in weighted:
        return node.inputs[0] is tensor
    if not is_passive(node) or not any(item is tensor for item in data_inputs(node)):
        return False
    readers = [reader for output in node.outputs for reader in readers_through(output)]
    return bool(readers) and all(reader.name in weighted for reader in readers)
