"""Small tools to read and edit a graph in a pass.

onnx-graphsurgeon compares tensors and nodes by content, so everything here compares with ``is``, and inputs are
always replaced as a whole list.
"""

from collections.abc import Collection, Iterator

import numpy as np
import numpy.typing as npt

from qonnx_tools.graph.order import topological_order
from qonnx_tools.graph.project import plain_domain
from qonnx_tools.graph.surgeon import gs

Array = npt.NDArray[np.generic]


def nodes(graph: gs.Graph, *ops: str) -> Iterator[gs.Node]:
    """Iterate over a snapshot of the nodes in topological order, only those of ``ops`` where any are given.

    ``"Conv"`` is a Conv of the default domain; write ``"domain::Name"`` for another domain.
    A node that the caller disconnects on the way is not visited any more.
    """
    mark_outputs(graph)
    for node in topological_order(graph):
        if (not ops or op_of(node) in ops) and node.outputs:
            yield node


def op_of(node: gs.Node) -> str:
    """Return ``Name`` for an op of the default domain and ``domain::Name`` for any other."""
    domain = plain_domain(node.domain)
    return f"{domain}::{node.op}" if domain else str(node.op)


def mark_outputs(graph: gs.Graph) -> None:
    """Note on each graph output that it is one, for :func:`is_graph_output`."""
    for tensor in graph.outputs:
        tensor.is_graph_output = True


def is_graph_output(tensor: gs.Tensor) -> bool:
    """Tell whether ``tensor`` is an output of its graph."""
    return bool(getattr(tensor, "is_graph_output", False))


def producer(tensor: gs.Tensor) -> gs.Node | None:
    """Return the node that computes ``tensor``, or None for a graph input or a constant."""
    return tensor.inputs[0] if tensor.inputs else None


def consumers(tensor: gs.Tensor) -> list[gs.Node]:
    """Return the nodes that read ``tensor``, each once."""
    return list({id(node): node for node in tensor.outputs}.values())


def sole_consumer(tensor: gs.Tensor) -> gs.Node | None:
    """Return the one node that reads ``tensor``, once; None if there are more readers or it is a graph output."""
    if len(tensor.outputs) != 1 or is_graph_output(tensor):
        return None
    return tensor.outputs[0]


def is_given(node: gs.Node, index: int) -> bool:
    """Tell whether ``node`` has input ``index``: optional inputs may be missing at the end or left empty."""
    return len(node.inputs) > index and not node.inputs[index].is_empty()


def is_constant(*tensors: gs.Tensor) -> bool:
    """Tell whether all ``tensors`` are initializers."""
    return all(isinstance(tensor, gs.Constant) for tensor in tensors)


def constant_value(tensor: gs.Tensor) -> Array:
    """Return the value of an initializer."""
    return np.asarray(tensor.values)


def input_value(node: gs.Node, index: int) -> Array | None:
    """Return the constant input ``index`` of ``node``, or None where it is left out or computed."""
    if not is_given(node, index) or not is_constant(node.inputs[index]):
        return None
    return constant_value(node.inputs[index])


def replace_input(node: gs.Node, old: gs.Tensor, new: gs.Tensor) -> None:
    """Let ``node`` read ``new`` wherever it reads ``old``."""
    node.inputs = [new if tensor is old else tensor for tensor in node.inputs]


def set_input(node: gs.Node, index: int, tensor: gs.Tensor) -> None:
    """Set input ``index`` of ``node``, filling up with empty inputs before it."""
    inputs = list(node.inputs)
    inputs += [gs.Variable.empty() for _ in range(index + 1 - len(inputs))]
    inputs[index] = tensor
    node.inputs = inputs


def set_constant(
    graph: gs.Graph, node: gs.Node, index: int, value: Array, name: str, *, names: "Names | None" = None
) -> gs.Tensor:
    """Set input ``index`` of ``node`` to a constant.

    A constant that nobody else reads gets the new value and keeps its name; a shared one stays as it is for its other
    readers and ``node`` gets a copy under a new name. Where there was no input, the constant is called ``name``.
    ``names`` gives out the new name, where the caller has them already.
    """
    old = node.inputs[index] if is_given(node, index) else None
    if isinstance(old, gs.Constant) and sole_consumer(old) is node:
        old.values = value
        return old
    new = gs.Constant((names or Names(graph)).unique(name if old is None else old.name), value)
    set_input(node, index, new)
    return new


def disconnect(node: gs.Node) -> None:
    """Take ``node`` off all its tensors; the pipeline removes it from the graph."""
    node.inputs = []
    node.outputs = []


def take_over_output(node: gs.Node, removed: gs.Node) -> None:
    """Let ``node`` compute the output of ``removed`` in place of its own, and take ``removed`` out.

    ::

        node -> a -> removed -> b     becomes     node -> b
    """
    output = removed.outputs[0]
    disconnect(removed)
    node.outputs = [output, *list(node.outputs)[1:]]


def insert_after(graph: gs.Graph, tensor: gs.Tensor, node: gs.Node) -> gs.Tensor:
    """Let ``node`` read ``tensor`` as its first input and all former readers of ``tensor`` read the node's output.

    A graph output keeps its name: then the node computes ``tensor`` itself, and its producer a new tensor before it.
    Returns the tensor that the node reads.
    """
    readers = consumers(tensor)
    if is_graph_output(tensor):
        before = gs.Variable(unique_name(graph, f"{tensor.name}.{node.op}.input"), tensor.dtype, tensor.shape)
        for maker in list(tensor.inputs):
            maker.outputs = [before if output is tensor else output for output in maker.outputs]
        node.outputs = [tensor]
    else:
        before = tensor
        if not node.outputs:
            name = unique_name(graph, f"{tensor.name}.{node.op}")
            node.outputs = [gs.Variable(name, tensor.dtype, tensor.shape)]
        for reader in readers:
            replace_input(reader, tensor, node.outputs[0])
    node.inputs = [before, *list(node.inputs)[1:]]
    graph.nodes.append(node)
    return before


def tensor_names(graph: gs.Graph) -> set[str]:
    """Return the names of all tensors of ``graph``."""
    used = {tensor.name for tensor in [*graph.inputs, *graph.outputs]}
    used.update(tensor.name for node in graph.nodes for tensor in [*node.inputs, *node.outputs])
    used.discard("")
    return used


def unique_name(graph: gs.Graph, wish: str, *, taken: Collection[str] = ()) -> str:
    """Return ``wish``, or ``wish_2``, ``wish_3`` …: the first that no tensor and no node of ``graph`` has.

    Reads the whole graph; for many names use :class:`Names`.
    """
    return Names(graph, taken=taken).unique(wish)


class Names:
    """Gives out many new names: reads the names of a graph once, and remembers what it gave."""

    def __init__(self, graph: gs.Graph, *, taken: Collection[str] = ()) -> None:
        self._used = tensor_names(graph) | {node.name for node in graph.nodes} | set(taken)

    def unique(self, wish: str) -> str:
        """Return ``wish``, or ``wish_2``, ``wish_3`` …: the first that is free, which then is taken."""
        name, count = wish, 1
        while name in self._used:
            count += 1
            name = f"{wish}_{count}"
        self._used.add(name)
        return name
