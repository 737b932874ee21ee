"""Nodes that pass their input through are removed."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from qonnx_tools.graph import (
    consumers,
    disconnect,
    gs,
    input_value,
    is_given,
    is_graph_output,
    nodes,
    producer,
    replace_input,
)
from qonnx_tools.passes.base import Outcome, Pass, Rewrite, Skip

_TRAINING_MODE = 2  # input of Dropout


@dataclass(frozen=True)
class RemoveIdentity(Pass):
    """Remove ``Identity`` and inference-mode ``Dropout``.

    ::

        a -> Identity -> b -> node      becomes      a -> node
        node -> a -> Identity -> output becomes      node -> output

    Moves no arithmetic; a graph output keeps its name. Declines a node that joins a graph output to a graph input, an
    initializer or another graph output, a Dropout in training mode, and one whose mask is read.
    """

    name: ClassVar[str] = "remove-identity"

    def run(self, graph: gs.Graph) -> Iterator[Outcome]:
        for node in nodes(graph, "Identity", "Dropout"):
            reason = _reason_to_keep(node)
            if reason:
                yield Skip(node.name, reason)
                continue
            source, target = node.inputs[0], node.outputs[0]
            disconnect(node)
            if is_graph_output(target):
                maker = source.inputs[0]
                maker.outputs = [target if tensor is source else tensor for tensor in maker.outputs]
                source, target = target, source
            for reader in consumers(target):
                replace_input(reader, target, source)
            yield Rewrite(node.name, f"removed {node.op}; '{source.name}' stands for '{target.name}'")


def _reason_to_keep(node: gs.Node) -> str | None:
    if node.op == "Dropout":
        if is_given(node, _TRAINING_MODE):
            training = input_value(node, _TRAINING_MODE)
            if training is None:
                return "whether it is in training mode is not constant"
            if training.any():
                return "it is in training mode"
        if any(mask.outputs or is_graph_output(mask) for mask in list(node.outputs)[1:]):
            return "its mask is read"
    source, target = node.inputs[0], node.outputs[0]
    if is_graph_output(target) and producer(source) is None:
        return f"joins graph output '{target.name}' to '{source.name}', which no node computes"
    if is_graph_output(target) and is_graph_output(source):
        return f"joins two graph outputs, '{source.name}' and '{target.name}'"
    return None
