"""What a canonical graph is made of: its weighted layers, and the tensors that carry activations.

This is where it is decided which tensors a quantizer belongs on; a scheme then gives each of them a format.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from qonnx_tools.graph import consumers, gs, is_constant, nodes, op_of, producer, sole_consumer
from qonnx_tools.outcome import Skip

WEIGHTED = {"Conv": 0, "ConvTranspose": 1, "Gemm": 1, "MatMul": 1}
"""Layers with constant weights, and the output-channel dimension of the weights (Gemm: 0 when transB is set)."""
# fmt: off
PASSIVE = frozenset({
    "Concat", "DepthToSpace", "Expand", "Flatten", "Gather", "GlobalMaxPool", "Identity", "MaxPool", "Pad", "Reshape",
    "Resize", "Slice", "SpaceToDepth", "Split", "Squeeze", "Tile", "Transpose", "Unsqueeze", "Upsample",
})
"""Operators that move values or choose among them, so that codes pass unchanged (Resize: to the nearest only)."""
CLIPPING = frozenset({"Clip", "Relu"})
"""Activation functions that are the saturation of the layer before them: the quantizer comes after."""
COMPUTING = frozenset({
    "Add", "AveragePool", "BatchNormalization", "Conv", "ConvTranspose", "Div", "Elu", "Exp", "Gelu", "Gemm",
    "GlobalAveragePool", "HardSigmoid", "HardSwish", "LeakyRelu", "MatMul", "Max", "Mean", "Min", "Mish", "Mul",
    "Neg", "PRelu", "ReduceMean", "ReduceSum", "Resize", "Sigmoid", "Softplus", "Sub", "Sum", "Tanh",
})
"""Operators that an accelerator computes on codes: their inputs need a format."""
# fmt: on
LAYER_INPUT = ".for_layers"
"""Ends the name of a tensor that only layers read, made by an ``Identity`` of one that other nodes read, too."""


@dataclass(frozen=True)
class Layer:
    """A layer with weights.

    ``weight``, ``bias``, ``input`` and ``output`` are tensor names; ``sources`` are the tensors whose values reach
    the input through operators that pass values unchanged; ``result`` is the output behind the batch normalization and
    the clipping function that belong to the layer, if any, and ``sum`` that behind an addition after them.
    ``channel_axis`` is the output-channel dimension of the weights; ``weight_shape`` their shape. ``macs`` counts the
    multiplications for one image, or is None where a shape is unknown.
    """

    node: str
    op: str
    weight: str
    bias: str | None
    input: str
    sources: tuple[str, ...]
    output: str
    result: str
    sum: str
    channel_axis: int
    weight_shape: tuple[int, ...]
    macs: int | None


def layers(graph: gs.Graph, through: Callable[[Any], Any] | None = None) -> list[Layer]:
    """Return the weighted layers of ``graph`` in topological order.

    Args:
        graph: a canonical graph with shapes.
        through: maps a tensor to the one that it was quantized from; without it tensors stand for themselves.
    """
    source = through or (lambda tensor: tensor)
    found = []
    for node in nodes(graph, *WEIGHTED):
        if len(node.inputs) < 2 or not is_constant(source(node.inputs[1])):
            continue
        weight = source(node.inputs[1])
        bias = source(node.inputs[2]) if len(node.inputs) > 2 and node.inputs[2].name else None
        found.append(
            Layer(
                node=node.name,
                op=node.op,
                weight=weight.name,
                bias=bias.name if bias is not None and is_constant(bias) else None,
                input=source(node.inputs[0]).name,
                sources=tuple(source(tensor).name for tensor in _origins(node.inputs[0])),
                output=node.outputs[0].name,
                result=_result(node.outputs[0]).name,
                sum=_sum(node.outputs[0]).name,
                channel_axis=_channel_axis(node, weight),
                weight_shape=tuple(weight.shape),
                macs=macs_of(node, tuple(weight.shape)),
            )
        )
    return found


def constants(graph: gs.Graph) -> Iterator[tuple[str, str]]:
    """Yield (tensor, node) for each constant float operand of an elementwise computing operator."""
    for node in nodes(graph, "Add", "Div", "Mul", "Sub", "PRelu", "Max", "Mean", "Min", "Sum"):
        for tensor in node.inputs:
            if is_constant(tensor) and tensor.dtype == np.float32:
                yield tensor.name, node.name


@dataclass(frozen=True)
class Normalization:
    """A batch normalization y = a * x + b that is a unit of its own, or merged behind the layer before it.

    ``scale`` and ``offset`` are the tensors a and b; ``input`` is x, and ``sources`` the tensors whose values reach it.
    """

    node: str
    scale: str
    offset: str
    input: str
    sources: tuple[str, ...]


def normalizations(graph: gs.Graph) -> list[Normalization]:
    """Return the batch normalizations with constant parameters, in topological order."""
    return [
        Normalization(
            node=node.name,
            scale=node.inputs[1].name,
            offset=node.inputs[2].name,
            input=node.inputs[0].name,
            sources=tuple(tensor.name for tensor in _origins(node.inputs[0])),
        )
        for node in nodes(graph, "BatchNormalization")
        if is_constant(*list(node.inputs)[1:])
    ]


def activations(graph: gs.Graph, *, merged: bool = False, sums: bool = False) -> tuple[list[str], list[Skip]]:
    """Return the tensors to quantize, in topological order, and the float tensors left alone with the reason.

    A tensor is quantized where it is made: behind a graph input or a computing operator, after the clipping
    function that follows it, when some operator that computes on codes reads it. With ``merged`` a batch
    normalization belongs to the layer before it too, on either side of the clipping function: the quantizer comes
    after all of them. With ``sums`` so does an addition: what a layer makes for it alone is added as it is.
    """
    deferring = CLIPPING | {"BatchNormalization"} if merged else CLIPPING
    chosen: list[str] = []
    left: list[Skip] = []
    outputs = {tensor.name for tensor in graph.outputs}
    makers = list(graph.inputs)
    makers += [tensor for node in nodes(graph) if not is_passive(node) for tensor in node.outputs]
    for tensor in makers:
        if is_constant(tensor) or tensor.dtype != np.float32:
            continue
        readers, is_result = readers_through(tensor), _reaches(tensor, outputs)
        if readers and not is_result and all(op_of(node) in deferring for node in readers):
            continue  # the quantizer comes behind them
        if sums and _is_summand(tensor, merged=merged):
            continue
        if any(computes(node) for node in readers):
            chosen.append(tensor.name)
        elif is_result or not readers:
            left.append(Skip(tensor.name, "a result of the graph: read at the accumulator's precision"))
        else:
            ops = ", ".join(sorted({node.op for node in readers}))
            left.append(Skip(tensor.name, f"read only by {ops}, which stays in float"))
    return chosen, left


def _is_summand(tensor: Any, *, merged: bool) -> bool:
    """Tell whether ``tensor`` is a layer's result, for one addition alone, and the later one of two such operands."""
    add = sole_consumer(tensor)
    if add is None or op_of(add) != "Add" or not _is_layer_result(tensor, merged=merged):
        return False
    operands: list[Any] = list(add.inputs)
    others = [item for item in operands if item is not tensor]
    if len(others) != 1 or is_constant(others[0]) or others[0].shape != tensor.shape:
        return False
    if sole_consumer(others[0]) is not add or not _is_layer_result(others[0], merged=merged):
        return True
    depths = [_depth(item) for item in operands]
    return operands[depths.index(max(depths))] is tensor


def _is_layer_result(tensor: Any, *, merged: bool) -> bool:
    maker: Any = producer(tensor)
    if maker is not None and merged and op_of(maker) == "BatchNormalization":
        maker = producer(maker.inputs[0])
    return maker is not None and op_of(maker) in WEIGHTED and is_constant(maker.inputs[1])


def _depth(tensor: Any) -> int:
    """Return how many nodes lie one behind the other up to ``tensor``."""
    depths: dict[int, int] = {}
    pending = [tensor]
    while pending:
        current = pending[-1]
        maker = producer(current)
        before = [] if maker is None else [item for item in maker.inputs if not is_constant(item)]
        missing = [item for item in before if id(item) not in depths]
        if missing:
            pending += missing
        else:
            depths[id(current)] = 1 + max((depths[id(item)] for item in before), default=0)
            pending.pop()
    return depths[id(tensor)]


def concatenated(graph: gs.Graph) -> list[tuple[str, ...]]:
    """Return the groups of tensors that meet in a Concat, by name: one wire carries their codes side by side.

    A tensor that several Concats read joins their groups into one.
    """
    groups: list[set[str]] = []
    for node in nodes(graph, "Concat"):
        group = {origin.name for tensor in node.inputs for origin in _origins(tensor)}
        joined = [known for known in groups if known & group]
        groups = [known for known in groups if not known & group] + [group.union(*joined)]
    return [tuple(sorted(group)) for group in groups]


def read_by_layers_alone(graph: gs.Graph) -> frozenset[str]:
    """Return the names of the tensors whose values reach weighted layers, and no other operator that computes."""
    weighted = {layer.node for layer in layers(graph)}
    found = set()
    for tensor in [*graph.inputs, *(tensor for node in nodes(graph) for tensor in node.outputs)]:
        readers = readers_through(tensor)
        if readers and all(node.name in weighted for node in readers):
            found.add(tensor.name)
    return frozenset(found)


def is_passive(node: gs.Node) -> bool:
    """Tell whether codes pass ``node`` unchanged."""
    op = op_of(node)
    if is_layer_input(node):
        return False
    return op in PASSIVE and (op not in ("Resize", "Upsample") or node.attrs.get("mode", "nearest") == "nearest")


def is_layer_input(node: gs.Node) -> bool:
    """Tell whether ``node`` only gives layers a tensor of their own to read, which may have another format."""
    return op_of(node) == "Identity" and str(node.outputs[0].name).endswith(LAYER_INPUT)


def computes(node: gs.Node) -> bool:
    """Tell whether ``node`` reads codes: an accelerator computes it, so that its inputs need a format."""
    return op_of(node) in COMPUTING | CLIPPING or is_layer_input(node)


def readers_through(tensor: gs.Variable) -> list[Any]:
    """Return the nodes that read ``tensor``, looking through those that pass values unchanged."""
    return [
        node
        for carrier in _carriers(tensor)
        for node in consumers(carrier)
        if not is_passive(node) and any(item is carrier for item in data_inputs(node))
    ]


def _reaches(tensor: gs.Variable, outputs: set[str]) -> bool:
    return any(carrier.name in outputs for carrier in _carriers(tensor))


def _carriers(tensor: gs.Variable) -> list[Any]:
    """Return ``tensor`` and every tensor that operators make of it by passing its values on."""
    found, seen = [tensor], {id(tensor)}
    for carrier in found:
        for node in consumers(carrier):
            if is_passive(node) and any(item is carrier for item in data_inputs(node)):
                found.extend(output for output in node.outputs if id(output) not in seen)
                seen.update(id(output) for output in node.outputs)
    return found


def _origins(tensor: gs.Variable) -> list[Any]:
    """Return the tensors that ``tensor`` carries the values of: what is not the output of a passive operator."""
    found, pending, seen = [], [tensor], {id(tensor)}
    while pending:
        current = pending.pop()
        maker = current.inputs[0] if current.inputs else None
        if maker is None or not is_passive(maker):
            found.append(current)
            continue
        data = data_inputs(maker)
        pending.extend(item for item in data if id(item) not in seen)
        seen.update(id(item) for item in data)
    return found


def data_inputs(node: gs.Node) -> list[Any]:
    """Return the inputs whose values ``node`` passes on or computes with, without sizes, indices and scales."""
    return list(node.inputs[:1] if op_of(node) in PASSIVE - {"Concat"} else node.inputs)


def _result(tensor: gs.Variable) -> gs.Variable:
    readers = consumers(tensor)
    while len(readers) == 1 and op_of(readers[0]) in CLIPPING | {"BatchNormalization"}:
        tensor = readers[0].outputs[0]
        readers = consumers(tensor)
    return tensor


def _sum(tensor: gs.Variable) -> gs.Variable:
    result = _result(tensor)
    add = sole_consumer(result)
    return _result(add.outputs[0]) if add is not None and op_of(add) == "Add" else result


def _channel_axis(node: gs.Node, weight: gs.Constant) -> int:
    if node.op == "MatMul":
        return len(weight.shape) - 1
    return 0 if node.op == "Gemm" and node.attrs.get("transB") else WEIGHTED[node.op]


def macs_of(node: gs.Node, weight_shape: tuple[int, ...]) -> int | None:
    """Return the multiply-accumulates of one image, or None where a shape is unknown.

    Each weight is used once for every position of the output, of the input for a ConvTranspose.
    """
    if node.op == "Gemm":
        return math.prod(weight_shape)
    shape = (node.inputs[0] if node.op == "ConvTranspose" else node.outputs[0]).shape
    if shape is None:
        return None
    positions = shape[1:-1] if node.op == "MatMul" else shape[2:]
    if not all(isinstance(size, int) for size in positions):
        return None
    return math.prod(weight_shape) * int(math.prod(positions))
