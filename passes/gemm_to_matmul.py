"""Gemm becomes MatMul and Add, which hls4ml and FINN read."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from qonnx_tools.graph import (
    Names,
    constant_value,
    gs,
    is_constant,
    is_given,
    nodes,
    producer,
    set_constant,
    sole_consumer,
)
from qonnx_tools.passes.base import Outcome, Pass, Rewrite, Skip
from qonnx_tools.quantizers import is_quantizing


@dataclass(frozen=True)
class GemmToMatmul(Pass):
    """Write a ``Gemm`` with constant weights as ``MatMul`` and ``Add``.

    ::

        Gemm<transB = 1>(x, Quant(W), b)    becomes    Add(MatMul(x, Quant(W^T)), b)

    W may lie behind a quantizer, whose parameters are turned with it. Declines transA, alpha and beta, weights that are
    computed, and a quantizer of weights that another node reads.
    """

    name: ClassVar[str] = "gemm-to-matmul"

    def run(self, graph: gs.Graph) -> Iterator[Outcome]:
        names = Names(graph)
        for node in nodes(graph, "Gemm"):
            reason = _declined(node)
            if reason:
                yield Skip(node.name, reason)
                continue
            if node.attrs.get("transB", 0):
                _turn(graph, node, names)
            output = node.outputs[0]
            if is_given(node, 2):
                product = gs.Variable(names.unique(f"{node.name}.product"), output.dtype, output.shape)
                add = gs.Node("Add", names.unique(f"{node.name}.Add"), inputs=[product, node.inputs[2]])
                node.outputs = [product]
                add.outputs = [output]
                graph.nodes.append(add)
            node.op, node.attrs, node.inputs = "MatMul", {}, list(node.inputs)[:2]
            yield Rewrite(node.name, "a MatMul and an Add")


def _declined(node: gs.Node) -> str | None:
    if node.attrs.get("transA", 0) or node.attrs.get("alpha", 1.0) != 1.0 or node.attrs.get("beta", 1.0) != 1.0:
        return "transA, alpha and beta have no place in a MatMul"
    if is_constant(node.inputs[1]):
        return None
    maker = producer(node.inputs[1])
    if maker is None or not is_quantizing(maker) or not is_constant(*maker.inputs):
        return "its weights are computed"
    return None if sole_consumer(node.inputs[1]) is node else "another node reads its quantized weights"


def _turn(graph: gs.Graph, node: gs.Node, names: Names) -> None:
    """Transpose the weights of ``node``, and what their quantizer has one of a channel."""
    maker: Any = node if is_constant(node.inputs[1]) else producer(node.inputs[1])
    places = [1] if maker is node else range(len(maker.inputs))
    for place in places:
        value = constant_value(maker.inputs[place])
        if value.ndim == 2:
            set_constant(graph, maker, place, np.ascontiguousarray(value.T), maker.inputs[place].name, names=names)
    if maker is not node:
        maker.outputs[0].shape = list(reversed(maker.outputs[0].shape or ()))
