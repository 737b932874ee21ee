"""Maps are laid out as [N, H, W, C]."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from qonnx_tools.graph import (
    Names,
    constant_value,
    gs,
    is_constant,
    is_graph_output,
    nodes,
    op_of,
    producer,
    set_constant,
    sole_consumer,
)
from qonnx_tools.ops import QONNX_DOMAINS
from qonnx_tools.ops.channels_last import CHANNELS_LAST, LAID_OUT
from qonnx_tools.passes.base import Outcome, Pass, Rewrite, Skip

TO_LAST, TO_FIRST = [0, 2, 3, 1], [0, 3, 1, 2]
ELEMENTWISE = frozenset(
    {"Add", "Concat", "Identity", "Mul", "Relu", "Sigmoid", "Sub", "Tanh", f"{QONNX_DOMAINS[0]}::Quant"}
)
"""Operators that read maps in any layout, once constants and axes are turned along."""
FREE = frozenset({"Flatten", "Reshape", "Transpose"})
"""Operators that read the old layout, behind a Transpose, in every tool."""


@dataclass(frozen=True)
class ToChannelsLast(Pass):
    """Lay the maps of a graph out as [N, H, W, C], with the ops that the qonnx package has for it.

    ::

        Conv(x, W)    becomes    qonnx.custom_op.channels_last::Conv(x', W'),  W' = [out, H, W, in/group]

    and MaxPool and BatchNormalization likewise; Quant, Relu, Add, Concat and their kind read the new layout. A
    ``Transpose`` stands behind inputs, before outputs, and before every other operator that reads maps; none before a
    Flatten of maps of one element a channel, or one that a MatMul reads: its weights are put in the new order.
    Declines what it leaves in the old layout, with the op.
    """

    name: ClassVar[str] = "to-channels-last"

    def run(self, graph: gs.Graph) -> Iterator[Outcome]:
        if any(node.domain == CHANNELS_LAST for node in graph.nodes) or not list(nodes(graph, *LAID_OUT)):
            return  # it is laid out already, or nothing asks for it
        layout = _Layout(graph)
        for node in list(nodes(graph)):
            if any(_rank(tensor) == 4 and not is_constant(tensor) for tensor in node.inputs):
                outcome = layout.visit(node)
                if outcome is not None:
                    yield outcome
        layout.finish()


class _Layout:
    def __init__(self, graph: gs.Graph) -> None:
        self.graph, self.names = graph, Names(graph)
        self.last: dict[int, Any] = {}
        self.first: dict[int, Any] = {}
        self.ends: list[Any] = []

    def visit(self, node: gs.Node) -> Outcome | None:
        op = op_of(node)
        if op == "Flatten" and node.attrs.get("axis", 1) == 1 and self._is_flat(node.inputs[0]):
            node.inputs = [self._as_last(node.inputs[0])]
            return Rewrite(node.name, "maps of one element a channel are flat in both layouts")
        if op == "Flatten" and node.attrs.get("axis", 1) == 1 and self._flatten(node):
            return Rewrite(node.name, "the rows of the weights behind it are in the new order")
        if (op not in LAID_OUT and op not in ELEMENTWISE) or not self._can(node):
            node.inputs = [self.first_of(tensor) for tensor in node.inputs]
            return (
                None if op in FREE else Skip(node.name, f"{op} has no form for channels last; it reads the old layout")
            )
        if op in LAID_OUT:
            self._lay_out(node)
        elif op == "Concat":
            node.attrs["axis"] = [0, 3, 1, 2][node.attrs["axis"]]
        node.inputs = [self._as_last(tensor, place, node) for place, tensor in enumerate(node.inputs)]
        for output in node.outputs:
            self._turn(output)
        return Rewrite(node.name, f"{op} of maps with channels last")

    def _flatten(self, node: gs.Node) -> bool:
        """Let a Flatten read the new layout, where weights behind it can be put in that order."""
        tensor = node.inputs[0]
        is_turned = self.last.get(id(tensor)) is tensor
        shape = [tensor.shape[at] for at in TO_FIRST] if is_turned else list(tensor.shape)
        reader = sole_consumer(node.outputs[0])
        while reader is not None and op_of(reader) in ("Relu", f"{QONNX_DOMAINS[0]}::Quant"):
            reader = sole_consumer(reader.outputs[0])
        if reader is None or op_of(reader) != "MatMul" or not all(isinstance(size, int) for size in shape[1:]):
            return False
        weights = reader.inputs[1]
        maker = reader if is_constant(weights) else producer(weights)
        place = 1 if maker is reader else 0
        if maker is None or not is_constant(*list(maker.inputs)[place:]) or sole_consumer(weights) is not reader:
            return False
        value = constant_value(maker.inputs[place])
        rows = value.reshape(*shape[1:], -1).transpose(1, 2, 0, 3).reshape(value.shape)
        set_constant(self.graph, maker, place, np.ascontiguousarray(rows), maker.inputs[place].name, names=self.names)
        node.inputs = [self._as_last(tensor)]
        return True

    def _is_flat(self, tensor: Any) -> bool:
        """Tell whether maps have one element a channel."""
        is_turned = self.last.get(id(tensor)) is tensor
        return tuple(tensor.shape[1:3] if is_turned else tensor.shape[2:]) == (1, 1)

    def _can(self, node: gs.Node) -> bool:
        if any(_rank(tensor) != 4 for tensor in node.outputs):
            return False
        if op_of(node) == "MaxPool":
            return len(node.outputs) == 1 and not node.attrs.get("ceil_mode", 0)
        return True

    def _lay_out(self, node: gs.Node) -> None:
        """Give ``node`` the op and the constants of the new layout."""
        if node.op == "Conv":
            self._turn_weights(node)
            if len(node.inputs) < 3:
                zeros = np.zeros(node.outputs[0].shape[1], np.float32)
                node.inputs = [*node.inputs, gs.Constant(self.names.unique(f"{node.name}.bias"), zeros)]
        if node.op == "MaxPool":
            sizes = {"strides": [1, 1], "pads": [0] * 4, "dilations": [1, 1]}
            node.attrs = {name: list(node.attrs.get(name, sizes.get(name, []))) for name in ("kernel_shape", *sizes)}
        if node.op == "BatchNormalization":
            node.attrs = {"epsilon": float(node.attrs.get("epsilon", 1e-5))}
        node.domain = CHANNELS_LAST

    def _turn_weights(self, node: gs.Node) -> None:
        """Transpose the constant weights of a convolution, or what their quantizer reads of them."""
        weights = node.inputs[1]
        maker = None if is_constant(weights) else producer(weights)
        if maker is not None and is_constant(*maker.inputs):
            for place, tensor in enumerate(maker.inputs):
                if _rank(tensor) == 4:
                    turned = np.ascontiguousarray(constant_value(tensor).transpose(TO_LAST))
                    set_constant(self.graph, maker, place, turned, tensor.name, names=self.names)
            maker.outputs[0].shape = [maker.outputs[0].shape[at] for at in TO_LAST]
            self.last[id(weights)] = weights

    def _as_last(self, tensor: Any, place: int = 0, node: Any = None) -> Any:
        """Return a tensor in the new layout: turned already, a constant turned here, or behind a Transpose."""
        if is_constant(tensor):
            return self._constant_as_last(tensor)
        if _rank(tensor) != 4 or (node is not None and op_of(node) == f"{QONNX_DOMAINS[0]}::Quant" and place):
            return tensor
        if id(tensor) not in self.last:
            self.last[id(tensor)] = self._transposed(tensor, TO_LAST, f"{tensor.name}.channels_last")
        return self.last[id(tensor)]

    def _constant_as_last(self, tensor: Any) -> Any:
        value = constant_value(tensor)
        if value.ndim < 3 or value.size == 1:
            return tensor
        wide = value.reshape((1,) * (4 - value.ndim) + value.shape)
        return gs.Constant(self.names.unique(f"{tensor.name}.channels_last"), wide.transpose(TO_LAST).copy())

    def first_of(self, tensor: Any) -> Any:
        """Return a tensor in the old layout."""
        if is_constant(tensor) or id(tensor) not in self.last or self.last[id(tensor)] is not tensor:
            return tensor
        if id(tensor) not in self.first:
            self.first[id(tensor)] = self._transposed(tensor, TO_FIRST, f"{tensor.name}.channels_first")
        return self.first[id(tensor)]

    def _turn(self, tensor: Any) -> None:
        """Note that ``tensor`` has the new layout; a graph output keeps the old one, behind a Transpose."""
        if is_graph_output(tensor):
            maker = tensor.inputs[0]
            turned = gs.Variable(self.names.unique(f"{tensor.name}.channels_last"), tensor.dtype)
            turned.shape = [tensor.shape[at] for at in TO_LAST]
            maker.outputs = [turned if item is tensor else item for item in maker.outputs]
            self.last[id(tensor)] = turned
            self.last[id(turned)] = turned
            self.ends.append((tensor, turned))
            return
        tensor.shape = [tensor.shape[at] for at in TO_LAST]
        self.last[id(tensor)] = tensor

    def finish(self) -> None:
        """Make the graph outputs of what was laid out anew."""
        for output, turned in self.ends:
            name = self.names.unique(f"{output.name}.Transpose")
            self.graph.nodes.append(gs.Node("Transpose", name, {"perm": TO_FIRST}, [turned], [output]))

    def _transposed(self, tensor: Any, order: list[int], wish: str) -> Any:
        output = gs.Variable(self.names.unique(wish), tensor.dtype, [tensor.shape[at] for at in order])
        name = self.names.unique(f"{wish}.Transpose")
        self.graph.nodes.append(gs.Node("Transpose", name, {"perm": list(order)}, [tensor], [output]))
        return output


def _rank(tensor: Any) -> int | None:
    return None if tensor.shape is None else len(tensor.shape)
