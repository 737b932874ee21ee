"""Average pooling: a sum, one multiplication by 1/n, one rounding."""

import math
from typing import Any

import numpy as np

from qonnx_tools.graph import gs
from qonnx_tools.lowering.rule import Context, Declined, Rule
from qonnx_tools.lowering.state import Pending, Target, per_tensor

RECIPROCAL_BITS = 16
"""Significant bits of the integer that stands for 1/n."""


class AveragePoolRule(Rule):
    """``AveragePool`` and ``GlobalAveragePool``: y = round_shift(sum * m, S) with m = round(2**S / n)."""

    ops = frozenset({"AveragePool", "GlobalAveragePool"})

    def lower(self, node: gs.Node, context: Context) -> Pending:
        x, x_format = context.activation(node.inputs[0])
        window = _window(node)
        sizes = window["kernel_shape"] or (node.inputs[0].shape or ())[2:]
        if not sizes or not all(isinstance(size, int) for size in sizes):
            raise Declined("the size of its input is not known")
        count = math.prod(sizes)
        extra = 0 if count & (count - 1) == 0 else RECIPROCAL_BITS
        scale = (count - 1).bit_length() + extra
        multiplier = round(2**scale / count)

        def emit(target: Target) -> Any:
            make = context.emitter
            shift = make.constant(f"{node.name}.shift", scale + per_tensor(x_format.frac) - target.frac, np.int64)
            inputs = [x.tensor, make.constant(f"{node.name}.multiplier", multiplier, np.int32), shift]
            return make.node(
                "FixedAveragePool", inputs, window | target.attributes, node.outputs[0], target.format.carrier
            )

        return Pending(emit, np.array(per_tensor(x_format.frac) + scale), x_format.bits + 1 + scale)


def _window(node: gs.Node) -> dict[str, list[int]]:
    """Return the window attributes of the integer op; an empty kernel is the whole image."""
    if node.op == "GlobalAveragePool":
        return {"kernel_shape": [], "strides": [], "pads": []}
    pads = list(node.attrs.get("pads", []))
    if any(pads) and not node.attrs.get("count_include_pad", 0):
        raise Declined("padding that does not count makes windows of different size")
    if node.attrs.get("ceil_mode", 0) or any(step != 1 for step in node.attrs.get("dilations", [])):
        raise Declined("ceil_mode and dilations have no integer form")
    return {
        "kernel_shape": list(node.attrs["kernel_shape"]),
        "strides": list(node.attrs.get("strides", [])),
        "pads": pads,
    }
