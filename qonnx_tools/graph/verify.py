"""Check a graph after a pass, in time linear in its nodes."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from qonnx_tools.errors import ModelError
from qonnx_tools.graph.check import check_ops
from qonnx_tools.graph.edit import is_graph_output
from qonnx_tools.graph.export import onnx_type
from qonnx_tools.graph.model import Model
from qonnx_tools.graph.order import topological_order
from qonnx_tools.graph.surgeon import gs

Interface = tuple[tuple[str, int | None, tuple[Any, ...] | None], ...]


@dataclass(frozen=True)
class Signature:
    """What a pass must leave as it is: (name, element type, shape) of the graph inputs and outputs, in order.

    ``functions`` and ``opsets`` are what :func:`verify` needs to know which ops are defined.
    """

    inputs: Interface
    outputs: Interface
    functions: frozenset[tuple[str, str]] = frozenset()
    opsets: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, model: Model | gs.Graph) -> "Signature":
        graph = model.graph if isinstance(model, Model) else model
        return cls(
            inputs=_interface(graph.inputs),
            outputs=_interface(graph.outputs),
            functions=frozenset(model.functions) if isinstance(model, Model) else frozenset(),
            opsets=dict(model.opsets) if isinstance(model, Model) else {"": graph.opset},
        )


def verify(model: Model | gs.Graph, *, before: Signature) -> None:
    """Check that the graph is one that may be saved and still has the interface it had ``before``.

    Names are unique, every tensor has one source, inputs and outputs are the same, every op is known, no cycles.

    Raises:
        ModelError: says what is wrong and where.
    """
    graph = model.graph if isinstance(model, Model) else model
    for what, was, now in (
        ("inputs", before.inputs, _interface(graph.inputs)),
        ("outputs", before.outputs, _interface(graph.outputs)),
    ):
        if was != now:
            raise ModelError(f"the graph {what} changed from {_show(was)} to {_show(now)}")
    _verify_nodes(graph)
    _verify_tensors(graph)
    check_ops(((node.domain, node.op, node.name) for node in graph.nodes), before.opsets, before.functions)
    topological_order(graph)


def _verify_nodes(graph: gs.Graph) -> None:
    names: set[str] = set()
    for node in graph.nodes:
        if not node.name:
            raise ModelError(f"a {node.op} node has no name")
        if node.name in names:
            raise ModelError(f"two nodes share the name '{node.name}'")
        names.add(node.name)


def _verify_tensors(graph: gs.Graph) -> None:
    provided = _provided(graph)
    named: dict[str, Any] = {}
    read = [(tensor, f"node '{node.name}' reads") for node in graph.nodes for tensor in node.inputs]
    ends = [(tensor, "the graph returns") for tensor in graph.outputs]
    made = [(tensor, f"node '{node.name}' computes") for node in graph.nodes for tensor in node.outputs]
    for tensor, who in [*read, *ends, *made]:
        if tensor.is_empty():
            continue
        if named.setdefault(tensor.name, tensor) is not tensor:
            raise ModelError(f"{who} tensor '{tensor.name}', but another tensor has the same name")
        if id(tensor) not in provided and not isinstance(tensor, gs.Constant):
            raise ModelError(f"{who} tensor '{tensor.name}', which nothing provides")
    for tensor in graph.outputs:
        if not is_graph_output(tensor):
            raise ModelError(f"graph output '{tensor.name}' was replaced by another tensor object; keep the tensor")


def _provided(graph: gs.Graph) -> set[int]:
    """Return the ids of the graph inputs and of all that nodes compute, checking that each has one source."""
    for tensor in graph.inputs:
        if tensor.inputs:
            raise ModelError(f"node '{tensor.inputs[0].name}' computes the graph input '{tensor.name}'")
    for node in graph.nodes:
        for tensor in node.outputs:
            if isinstance(tensor, gs.Constant):
                raise ModelError(f"node '{node.name}' computes the initializer '{tensor.name}'")
            if len(tensor.inputs) > 1:
                raise ModelError(f"tensor '{tensor.name}' is computed by {len(tensor.inputs)} nodes")
    return {id(tensor) for tensor in [*graph.inputs, *(made for node in graph.nodes for made in node.outputs)]}


def _interface(tensors: list[gs.Tensor]) -> Interface:
    return tuple(
        (
            tensor.name,
            None if tensor.dtype is None else onnx_type(tensor.dtype),
            None if tensor.shape is None else tuple(int(d) if isinstance(d, np.integer) else d for d in tensor.shape),
        )
        for tensor in tensors
    )


def _show(interface: Interface) -> str:
    return ", ".join(f"{name}{list(shape or [])}" for name, _, shape in interface) or "none"
