"""Averages become depthwise convolutions, with the multiplier that the accelerator has in the place of 1/n."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from qonnx_tools.arithmetic.fixed_point import FixedPoint
from qonnx_tools.arithmetic.multiplier import MULTIPLIER_BITS, multiplier_shift
from qonnx_tools.graph import Names, gs, nodes, op_of
from qonnx_tools.passes.base import Outcome, Pass, Rewrite, Skip
from qonnx_tools.plan import Role, TensorPlan
from qonnx_tools.quantizers import quantizer_node


@dataclass(frozen=True)
class PoolToConvolution(Pass):
    """Write ``GlobalAveragePool`` and ``AveragePool`` as depthwise convolutions, and ``GlobalMaxPool`` as ``MaxPool``.

    ::

        GlobalAveragePool(x)    becomes    Conv<group = C>(x, FixedQuant(w)),  w = m * 2^-S everywhere, [C, 1, H, W]

    with the multiplier m and the shift S that stand for 1/n on integer codes: 1/n itself where n is a power of two.
    Without ``whole_maps`` only windows are written so. Declines windows that reach into padding that does not count,
    ceil_mode, and maps that are not two-dimensional or of unknown size.
    """

    name: ClassVar[str] = "pool-to-convolution"
    whole_maps: bool = True

    def run(self, graph: gs.Graph) -> Iterator[Outcome]:
        names = Names(graph)
        whole = ("GlobalAveragePool", "GlobalMaxPool") if self.whole_maps else ()
        for node in nodes(graph, "AveragePool", *whole):
            window = _window(node)
            if isinstance(window, str):
                yield Skip(node.name, window)
            elif op_of(node) == "GlobalMaxPool":
                node.op, node.attrs = "MaxPool", window
                yield Rewrite(node.name, "a MaxPool of the whole map")
            else:
                graph.nodes.append(_average(node, window, names))
                yield Rewrite(node.name, "a depthwise convolution")


def _window(node: gs.Node) -> dict[str, Any] | str:
    """Return the attributes of a convolution over the windows of a pooling, or why there is none."""
    shape = tuple(node.inputs[0].shape or ())
    if len(shape) != 4 or not all(isinstance(size, int) for size in shape[1:]):
        return "its input is no map of two dimensions of known size"
    if op_of(node).startswith("Global"):
        return {"kernel_shape": list(shape[2:]), "strides": [1, 1], "pads": [0] * 4, "dilations": [1, 1]}
    attrs = node.attrs
    pads = list(attrs.get("pads", [0] * 4))
    if any(pads) and not attrs.get("count_include_pad", 0):
        return "padding that does not count makes windows of different size"
    if attrs.get("ceil_mode", 0) or attrs.get("auto_pad", "NOTSET") != "NOTSET":
        return "ceil_mode and auto_pad have no convolution"
    given = {"kernel_shape": list(attrs["kernel_shape"]), "strides": list(attrs.get("strides", [1, 1]))}
    return {**given, "pads": pads, "dilations": list(attrs.get("dilations", [1, 1]))}


def _average(node: gs.Node, window: dict[str, Any], names: Names) -> gs.Node:
    """Turn ``node`` into a convolution and return the quantizer of its weights."""
    channels, kernel = node.inputs[0].shape[1], window["kernel_shape"]
    factor, shift = (int(part) for part in multiplier_shift(1 / math.prod(kernel), MULTIPLIER_BITS))
    values = np.full((channels, 1, *kernel), np.ldexp(factor, -shift), np.float32)
    weights = gs.Constant(names.unique(f"{node.name}.weights"), values)
    quantized = gs.Variable(names.unique(f"{node.name}.weights.quantized"), np.float32, values.shape)
    of = FixedPoint(factor.bit_length() + 1, shift)
    quantizer = quantizer_node(
        weights, quantized, names.unique(f"{weights.name}.quantizer"), TensorPlan(Role.WEIGHT, of)
    )
    node.op, node.attrs = "Conv", {**window, "group": channels}
    node.inputs = [node.inputs[0], quantized]
    return quantizer
