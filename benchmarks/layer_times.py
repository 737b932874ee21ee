"""Where the time goes: the nodes that onnxruntime runs, gathered by the nodes of the float model that they stand for.

onnxruntime fuses nodes and renames them, and so does the lowering; all keep the name of a node or of a tensor in
front. A convolution that is named after what follows it (its batch norm, its Relu, the Add behind it) is still the
convolution.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import onnx

WEIGHTED = re.compile("Conv|Gemm|MatMul")
FOLLOWING = frozenset({"BatchNormalization", "Relu", "Clip", "LeakyRelu", "Add"})
"""Ops that are computed together with the convolution before them."""
OTHER = "(other)"

Nodes = Mapping[str, tuple[str, list[int], float]]
"""Op, output shape and milliseconds of every node that ran, by name."""


@dataclass
class Layer:
    """A node of the float model: its output shape, and milliseconds by kind of graph."""

    name: str
    op: str
    shape: list[int] = field(default_factory=list)
    milliseconds: dict[str, float] = field(default_factory=dict)


def layer_times(model: Path, profiles: Mapping[str, Nodes]) -> list[Layer]:
    """Return the nodes of ``model`` that take time in any of the ``profiles``, in the model's order."""
    nodes = list(onnx.load(model).graph.node)
    layers = [Layer(node.name or node.output[0], node.op_type) for node in nodes]
    names = {name: position for position, node in enumerate(nodes) for name in (node.name, node.output[0]) if name}
    heads = _heads(nodes)
    layers.append(Layer(OTHER, ""))
    for kind, profile in profiles.items():
        for name, (op, shape, time) in profile.items():
            position = _known(name, names)
            if position is not None and WEIGHTED.search(op):
                position = heads.get(position, position)
            layer = layers[-1 if position is None else position]
            layer.milliseconds[kind] = layer.milliseconds.get(kind, 0.0) + time
            layer.shape = shape or layer.shape
    return [layer for layer in layers if layer.milliseconds]


def _known(name: str, names: Mapping[str, int]) -> int | None:
    """Return the node whose name, or whose output's name, is the longest beginning of ``name``."""
    ends = [len(name), *(match.start() for match in reversed(list(re.finditer(r"[^a-zA-Z0-9]", name))))]
    return next((names[name[:end]] for end in ends if name[:end] in names), None)


def _heads(nodes: Iterable[onnx.NodeProto]) -> dict[int, int]:
    """Return for each node that follows a weighted one the position of the last weighted one that it follows."""
    made: dict[str, int] = {}
    heads: dict[int, int] = {}
    for position, node in enumerate(nodes):
        if WEIGHTED.search(node.op_type):
            heads[position] = position
        elif node.op_type in FOLLOWING:
            before = [made[name] for name in node.input if name in made]
            if before:
                heads[position] = max(before)
        if position in heads:
            made[node.output[0]] = heads[position]
    return heads
