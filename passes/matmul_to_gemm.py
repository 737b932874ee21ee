"""A fully connected layer becomes one node."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from qonnx_tools.graph import (
    constant_value,
    gs,
    is_constant,
    nodes,
    op_of,
    set_constant,
    set_input,
    sole_consumer,
    take_over_output,
)
from qonnx_tools.passes.base import Outcome, Pass, Rewrite, Skip


@dataclass(frozen=True)
class MatmulToGemm(Pass):
    """Turn ``Add(MatMul(x, W), c)`` into ``Gemm(x, W, c)`` for x [M, K], constant W [K, N] and c [N].

    The Gemm keeps the name of the MatMul and the output of the Add; c is stored as [N].
    A MatMul without an Add is left: it has no bias to join, and a Gemm would compute the same with two more attributes.
    Declines an input that is not known to be two-dimensional, a weight that is not a constant matrix, an addend that
    has not one value a column, and a MatMul whose output has another reader or is a graph output.
    """

    name: ClassVar[str] = "matmul-to-gemm"

    def run(self, graph: gs.Graph) -> Iterator[Outcome]:
        for matmul in nodes(graph, "MatMul"):
            add = sole_consumer(matmul.outputs[0])
            reason = _reason_against(matmul, add)
            if reason or add is None:
                yield Skip(matmul.name, reason or "")
                continue
            addend = next(tensor for tensor in add.inputs if tensor is not matmul.outputs[0])
            columns = matmul.inputs[1].shape[1]
            bias = constant_value(addend)
            if bias.shape == (columns,):
                set_input(matmul, 2, addend)
            else:
                stored = np.broadcast_to(bias.ravel(), (columns,)).copy()
                set_constant(graph, matmul, 2, stored, f"{matmul.name}.bias")
            matmul.op = "Gemm"
            matmul.attrs.update(alpha=1.0, beta=1.0, transA=0, transB=0)
            take_over_output(matmul, add)
            yield Rewrite(matmul.name, f"Gemm with the Add '{add.name}' as its bias")


def _reason_against(matmul: gs.Node, add: gs.Node | None) -> str | None:
    rows, weight = matmul.inputs
    if not is_constant(weight) or len(weight.shape) != 2:
        return "its second input is not a constant matrix"
    if rows.shape is None or len(rows.shape) != 2:
        return f"its first input is not known to be two-dimensional: {rows.shape}"
    if add is None:
        return "its output has several readers or is a graph output"
    if op_of(add) != "Add":
        return "no Add follows: without a bias a MatMul says all"
    addends = [tensor for tensor in add.inputs if tensor is not matmul.outputs[0]]
    if len(addends) != 1 or not is_constant(addends[0]):
        return f"what Add '{add.name}' adds is not constant"
    shape = tuple(addends[0].shape)
    columns = weight.shape[1]
    if len(shape) > 2 or shape[:-1] not in {(), (1,)} or shape[-1:] not in {(), (1,), (columns,)}:
        return f"the addend {list(shape)} has not one value a column ({columns})"
    return None
