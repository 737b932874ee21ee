"""The addition at the end of a residual block joins the convolution before it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from qonnx_tools.graph import disconnect, gs, nodes, op_of, producer, sole_consumer
from qonnx_tools.ops import DOMAIN, ConvAddOp, op_table
from qonnx_tools.origin import note_origin, origin_noted
from qonnx_tools.passes.base import Outcome, Pass, Rewrite, Skip


@dataclass(frozen=True)
class FuseResidualAdd(Pass):
    """Compute a ``FixedAdd`` in the convolution on codes that makes one of its operands.

    ::

        FixedConv(x, w, ..) -> a,  FixedAdd(a, b)     becomes     FixedConvAdd(x, w, .., b)

    and the same of ShiftConv and LogConv. Every code is the same: the new op rounds and saturates the convolution's
    result as before, and only the tensor between the two is gone. Of two convolutions the later one is taken.

    Declines an addition none of whose operands is a convolution's, read by nothing else and no graph output, and one
    whose operands broadcast or have unknown shapes.
    """

    name: ClassVar[str] = "fuse-residual-add"

    def run(self, graph: gs.Graph) -> Iterator[Outcome]:
        fused = _fused_ops()
        order = {id(node): position for position, node in enumerate(nodes(graph))}
        for add in nodes(graph, f"{DOMAIN}::FixedAdd"):
            makers = {side: maker for side in (0, 1) if (maker := _maker(add, side, fused)) is not None}
            shapes = [tensor.shape for tensor in add.inputs[:2]]
            if not makers:
                yield Skip(add.name, "no operand is the result of a convolution that nothing else reads")
            elif not _are_equal(*shapes):
                given = " and ".join("unknown" if shape is None else str(list(shape)) for shape in shapes)
                yield Skip(add.name, f"its operands have the shapes {given}; a convolution adds only equal ones")
            else:
                side = max(makers, key=lambda side: order[id(makers[side])])
                conv = makers[side]
                _fuse(conv, add, side, fused[op_of(conv)])
                yield Rewrite(add.name, f"an addition in {conv.name}")


def _fused_ops() -> Mapping[str, ConvAddOp]:
    """Return the ops that add, by the convolution that they begin with."""
    return {f"{DOMAIN}::{op.conv.name}": op for op in op_table().values() if isinstance(op, ConvAddOp)}


def _maker(add: gs.Node, side: int, fused: Mapping[str, ConvAddOp]) -> gs.Node | None:
    """Return the convolution that makes an operand for ``add`` alone, or None."""
    maker = producer(add.inputs[side])
    if maker is None or op_of(maker) not in fused or sole_consumer(add.inputs[side]) is not add:
        return None
    return maker if len(maker.inputs) == len(fused[op_of(maker)].conv.inputs) else None


def _are_equal(shape: Any, other: Any) -> bool:
    """Tell whether two shapes are known and the same."""
    return shape is not None and other is not None and list(shape) == list(other) and None not in shape


def _fuse(conv: gs.Node, add: gs.Node, side: int, op: ConvAddOp) -> None:
    """Turn ``add`` into a node of ``op`` and take ``conv`` off the graph."""
    origin, behind = origin_noted(conv), origin_noted(add)
    operands, lefts, shift = list(add.inputs)[:2], list(add.inputs)[2:4], add.inputs[4]
    inputs = [*conv.inputs, operands[1 - side], lefts[side], lefts[1 - side], shift]
    attributes = op.node_attributes(conv.attrs, add.attrs)
    disconnect(conv)
    add.op, add.inputs, add.attrs = op.name, inputs, attributes
    if origin is not None:
        note_origin(add, replace(origin, then=behind))
