"""A shortcut without weights, slices and channels of zeros, becomes a convolution by ones."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from qonnx_tools.arithmetic.fixed_point import FixedPoint
from qonnx_tools.graph import (
    Names,
    disconnect,
    gs,
    input_value,
    is_given,
    nodes,
    op_of,
    producer,
    sole_consumer,
)
from qonnx_tools.passes.base import Outcome, Pass, Rewrite, Skip
from qonnx_tools.plan import Role, TensorPlan
from qonnx_tools.quantizers import quantizer_node

ONES = FixedPoint(2, 0)
"""The format of weights that are 0 and 1."""


@dataclass(frozen=True)
class ShortcutToConvolution(Pass):
    """Write strided slices of maps, and a padding with channels of zeros behind them, as one convolution.

    ::

        Slice(x, rows ::2), Slice(.., columns ::2), Pad(.., channels)

        becomes    Conv<strides = [2, 2]>(x, FixedQuant(w))

    with 1x1 weights that are 1 from each channel to its place, and else 0: the same numbers. Residual networks that
    shrink their maps without weights have it, and tools that know neither Slice nor channels of zeros read it so.
    Declines other slices, and other padding.
    """

    name: ClassVar[str] = "shortcut-to-convolution"

    def run(self, graph: gs.Graph) -> Iterator[Outcome]:
        names = Names(graph)
        for last in list(nodes(graph, "Pad", "Slice")):
            if not last.outputs or _continues(last):
                continue
            chain = _chain(last)
            read = [_strides(node) if op_of(node) == "Slice" else _padding(node) for node in chain]
            source = chain[0].inputs[0]
            shape = source.shape
            if any(item is None for item in read) or shape is None or len(shape) != 4:
                yield Skip(last.name, "only every n-th row and column, and whole channels of zeros, are a convolution")
                continue
            strides, before, after = [1, 1], 0, 0
            for node, item in zip(chain, read, strict=True):
                if item is not None and op_of(node) == "Slice":
                    strides = [a * b for a, b in zip(strides, item, strict=True)]
                elif item is not None:
                    before, after = before + item[0], after + item[1]
            weights = np.zeros((before + shape[1] + after, shape[1], 1, 1), np.float32)
            weights[before + np.arange(shape[1]), np.arange(shape[1])] = 1
            output = last.outputs[0]
            for node in chain:
                disconnect(node)
            constant = gs.Constant(names.unique(f"{last.name}.weights"), weights)
            quantized = gs.Variable(names.unique(f"{constant.name}.quantized"), np.float32, weights.shape)
            plan = TensorPlan(Role.WEIGHT, ONES)
            graph.nodes.append(quantizer_node(constant, quantized, names.unique(f"{constant.name}.quantizer"), plan))
            window = {"kernel_shape": [1, 1], "strides": strides, "pads": [0] * 4, "dilations": [1, 1], "group": 1}
            name = names.unique(f"{last.name}.Conv")
            graph.nodes.append(gs.Node("Conv", name, window, [source, quantized], [output]))
            yield Rewrite(last.name, f"a convolution by ones in the place of {len(chain)} nodes")


def _continues(node: gs.Node) -> bool:
    reader = sole_consumer(node.outputs[0])
    return reader is not None and op_of(reader) in ("Slice", "Pad") and reader.inputs[0] is node.outputs[0]


def _chain(last: gs.Node) -> list[Any]:
    """Return the slices and paddings that end in ``last``, in order."""
    chain: list[Any] = [last]
    while (maker := producer(chain[0].inputs[0])) is not None and op_of(maker) in ("Slice", "Pad"):
        if not _continues(maker):
            break
        chain.insert(0, maker)
    return chain


def _strides(node: gs.Node) -> list[int] | None:
    """Return the steps along rows and columns of a Slice that takes nothing else away; None for another one."""
    shape = node.inputs[0].shape
    starts, ends, axes, steps = (input_value(node, at) for at in (1, 2, 3, 4))
    if shape is None or starts is None or ends is None or axes is None:
        return None
    found = [1, 1]
    taken = np.ones(len(starts), np.int64) if steps is None else steps
    for start, end, axis, step in zip(starts, ends, axes, taken, strict=True):
        at = int(axis) % len(shape)
        size = shape[at]
        if at not in (2, 3) or not isinstance(size, int) or start != 0 or end < size or step < 1:
            return None
        found[at - 2] = int(step)
    return found


def _padding(node: gs.Node) -> list[int] | None:
    """Return how many channels of zeros a Pad sets before and behind; None where it pads anything else."""
    pads = input_value(node, 1)
    value = input_value(node, 2)
    if node.attrs.get("mode", "constant") != "constant" or pads is None or pads.size != 8 or is_given(node, 3):
        return None
    if is_given(node, 2) and (value is None or np.any(value)):
        return None
    others = [int(pad) for at, pad in enumerate(pads) if at not in (1, 5)]
    return None if any(others) or pads.min() < 0 else [int(pads[1]), int(pads[5])]
