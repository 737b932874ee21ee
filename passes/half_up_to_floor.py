"""Rounding of ties upward is an addition and a floor."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from qonnx_tools.arithmetic.fixed_point import FRAC_RANGE, FixedPoint
from qonnx_tools.arithmetic.rounding import Rounding
from qonnx_tools.graph import (
    Names,
    constant_value,
    gs,
    input_value,
    is_constant,
    is_given,
    nodes,
    op_of,
    producer,
    sole_consumer,
)
from qonnx_tools.ops import DOMAIN
from qonnx_tools.origin import note_tensor
from qonnx_tools.passes.base import Outcome, Pass, Rewrite, Skip
from qonnx_tools.plan import Role, TensorPlan
from qonnx_tools.quantizers import quantizer_node, quantizer_of

MOST_BITS = 32
HALF_UP, FLOOR = Rounding.HALF_UP.code, Rounding.FLOOR.code


@dataclass(frozen=True)
class HalfUpToFloor(Pass):
    """Write rounding to nearest, ties upward, as half a step more and rounding down, for tools that have no other.

    ::

        FixedQuant<half_up>(x, f)    becomes    FixedQuant<floor>(Add(x, 2^(-f-1)), f)

    Behind a convolution or a Gemm that nothing else reads, the half step is added to the bias: hls4ml cannot join such
    an Add with a convolution. The same in exact arithmetic, as that of hls4ml is; float32 rounds the sum. Declines
    fraction bits that differ per channel.
    """

    name: ClassVar[str] = "half-up-to-floor"

    def run(self, graph: gs.Graph) -> Iterator[Outcome]:
        names = Names(graph)
        for node in list(nodes(graph, f"{DOMAIN}::FixedQuant")):
            if is_constant(node.inputs[0]) or node.attrs.get("rounding", 0) != HALF_UP:
                continue
            frac = input_value(node, 1)
            if frac is None or frac.size != 1:
                yield Skip(node.name, "its fraction bits differ per channel")
                continue
            source: Any = node.inputs[0]
            node.attrs = {**node.attrs, "rounding": FLOOR}
            layer: Any = producer(source)
            is_alone = layer is not None and op_of(layer) in ("Conv", "Gemm") and sole_consumer(source) is node
            if is_alone and _into_bias(layer, int(frac.item()) + 1, graph, names):
                yield Rewrite(node.name, "half a step more in the bias, rounded down")
                continue
            half = gs.Constant(
                names.unique(f"{node.name}.half"), np.array(np.ldexp(1.0, -int(frac.item()) - 1), np.float32)
            )
            raised = gs.Variable(names.unique(f"{source.name}.raised"), source.dtype, source.shape)
            add = gs.Node("Add", names.unique(f"{node.name}.raise"), inputs=[source, half], outputs=[raised])
            note_tensor(add, source.name)
            graph.nodes.append(add)
            node.inputs = [raised, *list(node.inputs)[1:]]
            yield Rewrite(node.name, "half a step more, rounded down")


def _into_bias(layer: gs.Node, half_frac: int, graph: gs.Graph, names: Names) -> bool:
    """Add 2^-half_frac to the quantized bias of a layer; tell whether its grid and 32 bits hold that."""
    shape = layer.outputs[0].shape
    if shape is None or not isinstance(shape[1], int):
        return False
    values, frac = np.zeros(shape[1], np.float64), half_frac
    if is_given(layer, 2):
        quantizer = producer(layer.inputs[2])
        found = None if quantizer is None or not is_constant(quantizer.inputs[0]) else quantizer_of(quantizer)
        if quantizer is None or found is None or not isinstance(found.format, FixedPoint):
            return False
        values = found.format.quantize(constant_value(quantizer.inputs[0]), found.rounding, found.axis).astype(
            np.float64
        )
        frac = max(half_frac, int(np.max(found.format.frac)))
    codes = np.ldexp(values + np.ldexp(1.0, -half_frac), frac)
    bits = int(np.abs(codes).max()).bit_length() + 1
    if bits > MOST_BITS or not FRAC_RANGE[0] <= frac <= FRAC_RANGE[1]:
        return False
    bias = gs.Constant(names.unique(f"{layer.name}.raised_bias"), np.ldexp(codes, -frac).astype(np.float32))
    quantized = gs.Variable(names.unique(f"{bias.name}.quantized"), np.float32, bias.shape)
    plan = TensorPlan(Role.BIAS, FixedPoint(bits, frac))
    graph.nodes.append(quantizer_node(bias, quantized, names.unique(f"{bias.name}.quantizer"), plan))
    layer.inputs = [*list(layer.inputs)[:2], quantized]
    return True
