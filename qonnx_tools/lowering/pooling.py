"""Pooling: of a mean, with one multiplication by 1/n and one rounding, or of the largest code."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from onnx import helper

from qonnx_tools.arithmetic.multiplier import MULTIPLIER_BITS, multiplier_shift
from qonnx_tools.arithmetic.window import Window
from qonnx_tools.graph import gs
from qonnx_tools.lowering.rule import Context, Declined, Rule
from qonnx_tools.lowering.state import Coded, Pending, Target, per_tensor


class AveragePoolRule(Rule):
    """``AveragePool`` and ``GlobalAveragePool``: y = round_shift(sum * m, S) with m = round(2**S / n)."""

    ops = frozenset({"AveragePool", "GlobalAveragePool"})

    def lower(self, node: gs.Node, context: Context) -> Pending:
        x, x_format = context.activation(node.inputs[0])
        window = _window(node)
        sizes = window["kernel_shape"] or _sizes(node)
        factor, shift_of_factor = multiplier_shift(1 / math.prod(sizes), MULTIPLIER_BITS)
        multiplier, scale = int(factor), int(shift_of_factor)

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


class MaxPoolRule(Rule):
    """``MaxPool`` and ``GlobalMaxPool``: the largest code, which stands for the largest number in every format.

    Padding never wins, so ``ceil_mode`` is padding at the end, and the whole map is one window.
    """

    ops = frozenset({"MaxPool", "GlobalMaxPool"})

    def lower(self, node: gs.Node, context: Context) -> Coded:
        x = context.codes(node.inputs[0])
        if len(node.outputs) > 1:
            raise Declined("it has more than one output")
        window = Window.of(_sizes(node)) if node.op == "GlobalMaxPool" else _given_window(node)
        if len(window.kernel) > 2:
            raise Declined("only 1-D and 2-D poolings have an integer form")
        attributes = {
            "kernel_shape": list(window.kernel),
            "strides": list(window.strides),
            "pads": list(window.pads),
            "dilations": list(window.dilations),
            "to": int(helper.np_dtype_to_tensor_dtype(x.tensor.dtype)),
        }
        codes = context.emitter.node("FixedMaxPool", [x.tensor], attributes, node.outputs[0], x.tensor.dtype)
        return Coded(codes, x.format, x.axis)


def _sizes(node: gs.Node) -> Sequence[int]:
    """Return the spatial sizes of the input; decline where they are not known."""
    sizes = tuple(node.inputs[0].shape or ())[2:]
    if not sizes or not all(isinstance(size, int) for size in sizes):
        raise Declined("the size of its input is not known")
    return sizes


def _given_window(node: gs.Node) -> Window:
    """Return the window of a ``MaxPool``, with the padding that ``ceil_mode`` asks for."""
    if node.attrs.get("auto_pad", "NOTSET") not in ("NOTSET", "VALID"):
        raise Declined("the size of its input is not known")
    window = Window.of(*(node.attrs.get(name, ()) for name in ("kernel_shape", "strides", "pads", "dilations")))
    rank = len(window.kernel)
    ends = list(window.pads[rank:])
    if node.attrs.get("ceil_mode", 0):
        for at, size in enumerate(_sizes(node)):
            begin, stride, span = window.pads[at], window.strides[at], window.spans[at]
            last = -(-(begin + size + ends[at] - span) // stride) * stride  # where the last window begins
            if last >= begin + size:  # it would read nothing but padding
                last -= stride
            ends[at] = max(ends[at], last + span - begin - size)
    if any(pad >= span for pad, span in zip((*window.pads[:rank], *ends), window.spans * 2, strict=True)):
        raise Declined("its padding is not smaller than its window")
    return Window(window.kernel, window.strides, (*window.pads[:rank], *ends), window.dilations)
