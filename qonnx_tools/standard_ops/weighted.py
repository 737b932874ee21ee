"""Layers with weights, in float32 while no sum needs more than 24 bits and a sign."""

from typing import Any

import numpy as np
import numpy.typing as npt

from qonnx_tools.arithmetic.integer import MOST_SHIFT, log_weights
from qonnx_tools.graph import constant_value, gs, input_value, is_constant
from qonnx_tools.origin import Origin
from qonnx_tools.standard_ops.maker import EXACT_BITS, EXACT_SCALES, IN_FLOAT, Maker, bounds, complete, rounding_of
from qonnx_tools.standard_ops.rule import NotInFloat, StandardRule, fraction_bits

SPATIAL = ("kernel_shape", "strides", "pads", "dilations", "group")


class LayerRule(StandardRule):
    """``DequantizeLinear -> Conv -> Add -> Clip -> QuantizeLinear``, or a Gemm in the place of the Conv.

    Every product and sum is an integer of at most 24 bits and a sign times a power of two, so that float32 adds them
    exactly, in any order; the bias is an Add of its own, which keeps onnxruntime from taking integer kernels: those
    multiply uint8 by int8 in 16 bits on CPUs without VNNI, which saturates. For a Gemm, which it fuses without
    looking behind it, weights are Cast and Mul for the same reason.
    """

    ops = frozenset({"FixedConv", "FixedGemm", "ShiftConv", "ShiftGemm"})

    def lower(self, node: gs.Node, origin: Origin | None, make: Maker) -> None:
        attributes = complete(node)
        if origin is None or not origin.reads:
            raise NotInFloat("it does not say what its codes stand for")
        _check(node, origin, attributes)
        x_frac, y_frac = fraction_bits(origin.reads[0], "its input"), fraction_bits(origin.makes, "its result")
        codes, shift = constant_value(node.inputs[1]), np.asarray(input_value(node, 2), np.int64)
        is_conv = node.op.endswith("Conv")
        axis = 0 if is_conv or attributes["transB"] else 1
        grid = np.broadcast_to(shift + y_frac, codes.shape[axis])
        if grid.min() < EXACT_SCALES[0] or grid.max() > EXACT_SCALES[1]:
            raise NotInFloat("its sums are too large or too small for float32")
        _check_result(attributes, shift)
        x = make.floats(node.inputs[0], np.array(x_frac), 0)
        w_frac = grid - x_frac if shift.ndim else np.array(grid[0] - x_frac)
        w = self._weights(node, codes, attributes, w_frac, axis, make, plain=not is_conv)
        if is_conv:
            y = make.add("Conv", [x, w], **{name: attributes[name] for name in SPATIAL})
        else:
            y = make.add("Gemm", [x, w], transB=int(attributes["transB"]))
        y = _with_bias(y, node, grid, len(node.inputs[0].shape or ()), make)
        if attributes["bits"] > EXACT_BITS:
            make.add("Cast", [make.scaled(y, np.array(y_frac))], node.outputs[0], to=int(attributes["to"]))
        else:
            make.codes(y, y_frac, attributes, node.outputs[0])

    def _weights(
        self,
        node: gs.Node,
        codes: npt.NDArray[Any],
        attributes: dict[str, Any],
        frac: npt.NDArray[np.int64],
        axis: int,
        make: Maker,
        *,
        plain: bool,
    ) -> Any:
        stored = node.inputs[1]
        if node.op.startswith("Shift"):
            powers = log_weights(codes, attributes["weight_bits"])
            stored = make.constant("weights", powers, np.int32)
            plain = True
        return make.floats(stored, frac, axis, plain=plain)


def _check(node: gs.Node, origin: Origin, attributes: dict[str, Any]) -> None:
    """Raise ``NotInFloat`` unless sums are exact in float32 and nothing multiplies them."""
    if attributes["accumulator_bits"] > EXACT_BITS + 1:
        raise NotInFloat(f"its sums need {attributes['accumulator_bits']} bits, float32 holds {EXACT_BITS} and a sign")
    if origin.safe_accumulator_bits is not None:
        raise NotInFloat("its sums wrap")
    if attributes.get("steps", 1) != 1:
        raise NotInFloat("base sqrt 2 has two accumulators")
    if not is_constant(*list(node.inputs)[1:]):
        raise NotInFloat("its parameters are computed")
    multiplier, addend = input_value(node, 4), input_value(node, 5)
    if (multiplier is not None and np.any(multiplier != 1)) or (addend is not None and np.any(addend)):
        raise NotInFloat("a multiplier follows its accumulator")


def _check_result(attributes: dict[str, Any], shift: npt.NDArray[np.int64]) -> None:
    """Raise ``NotInFloat`` unless rounding and saturation are exact in float32."""
    if np.any(np.abs(shift) >= MOST_SHIFT):
        raise NotInFloat("its shift is cut short")
    if attributes["bits"] > EXACT_BITS:
        low, high = bounds(attributes)
        reach = 2 ** (attributes["accumulator_bits"] - 1 - int(shift.min()))
        if np.any(shift > 0) or -reach < low or reach - 1 > high:
            raise NotInFloat(f"float32 does not round or saturate to {attributes['bits']} bits")
    elif rounding_of(attributes) not in IN_FLOAT:
        raise NotInFloat(f"no standard op rounds {rounding_of(attributes)}")


def _with_bias(y: Any, node: gs.Node, grid: npt.NDArray[np.int64], rank: int, make: Maker) -> Any:
    bias = input_value(node, 3)
    if bias is None or not np.any(bias):
        bias = np.zeros(1, np.int64) if bias is None else bias
    sizes = [1] * rank
    sizes[1] = len(grid)
    codes = np.broadcast_to(bias.ravel(), len(grid)).reshape(sizes)
    stored = make.constant("bias", codes, np.int32)
    frac = grid if np.any(grid != grid[0]) else np.array(grid[0])
    return make.add("Add", [y, make.floats(stored, frac, 1)])
