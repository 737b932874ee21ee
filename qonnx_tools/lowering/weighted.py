"""Conv and Gemm: multiply, accumulate, add the bias, round once."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from qonnx_tools.arithmetic.accumulator import accumulator_bound
from qonnx_tools.arithmetic.fixed_point import FixedPoint
from qonnx_tools.arithmetic.integer import MOST_SHIFT, SHIFT_WEIGHT_BITS, log_weights
from qonnx_tools.arithmetic.log import Log
from qonnx_tools.arithmetic.rounding import round_shift
from qonnx_tools.graph import gs, is_given
from qonnx_tools.lowering.rule import Context, Declined, Rule, code_range, codes_of
from qonnx_tools.lowering.state import Affine, Coded, Pending, Target, per_tensor

Integers = npt.NDArray[np.int64]
Parameter = tuple[str, npt.ArrayLike, Any]
"""The name, value and element type of an input."""
IDENTITY: list[Parameter] = [("multiplier", 1, np.int32), ("addend", 0, np.int64)]
"""No affine map behind the accumulator; written out, because a function body cannot leave an input out."""

MULTIPLIER_BITS = 15
"""Fraction bits of the multiplier that stands for what a log scale has beside a power of two."""
SPATIAL = ("kernel_shape", "strides", "pads", "dilations", "group")


@dataclass(frozen=True)
class Weights:
    """Weights as the accumulator sees them: ``value = integer * scale * 2**-frac``.

    ``integers`` is [M, ..]; ``frac`` [M] are the fraction bits of an integer, ``scale`` [M] in (1/2, 1] is what a log
    scale has beside a power of two.
    """

    op: str
    codes: Coded
    integers: Integers
    frac: Integers
    scale: npt.NDArray[np.float64]
    attributes: dict[str, int]


class WeightedRule(Rule):
    """``Conv`` and ``Gemm`` with constant weights.

    acc = sum x_code * w_code + bias_code;  y = saturate(round_shift(acc, frac_x + frac_w - frac_y)). With a log scale
    that is no power of two: y = saturate(round_shift(multiplier * acc + addend, ..)).
    """

    ops = frozenset({"Conv", "Gemm"})

    def lower(self, node: gs.Node, context: Context) -> Pending:
        _check(node)
        x, x_format = context.activation(node.inputs[0])
        coded = context.constant(node.inputs[1])
        if coded is None:
            raise Declined(f"weights '{node.inputs[1].name}' are not a quantized constant")
        weights = _weights(node, coded)
        grid = weights.frac + per_tensor(x_format.frac)
        bias, bias_frac = _bias(node, context, len(grid))
        if np.any(weights.scale != 1):
            one = Affine(np.ones_like(grid), np.zeros_like(grid), bias, bias_frac)
            bias = np.zeros_like(bias)
        elif np.any(bias_frac > grid):
            raise Declined("the bias has more fraction bits than the accumulator")
        else:
            one, bias = None, bias << (grid - bias_frac)
        width = accumulator_bound(weights.integers, code_range(x), bias)
        accumulation = _Accumulation(node, context, x, weights, grid, bias, width)
        return accumulation.pending(one)


@dataclass(frozen=True)
class _Accumulation:
    """The node in the making: everything but the affine map behind the accumulator and the output format."""

    node: gs.Node
    context: Context
    x: Coded
    weights: Weights
    grid: Integers
    bias: Integers
    width: int

    def pending(self, affine: Affine | None) -> Pending:
        """Return the result with ``affine`` behind the accumulator; None is none."""
        if affine is None:
            return Pending(lambda target: self.emit(target, self.grid, []), self.grid, self.width, self.pending)
        scaled = bool(np.any(self.weights.scale != 1))
        scale = np.rint(np.ldexp(self.weights.scale, MULTIPLIER_BITS)).astype(np.int64) if scaled else 1
        multiplier = affine.scale * scale
        grid = self.grid + affine.scale_frac + MULTIPLIER_BITS * scaled
        if np.any(affine.offset_frac > grid):
            raise Declined("the offset behind the accumulator has more fraction bits than the product before it")
        addend = affine.offset << (grid - affine.offset_frac)
        product, offset = (int(np.abs(part).max()).bit_length() for part in (multiplier, addend))
        width = max(self.width + product, offset + 1) + 1
        if width > 63:
            raise Declined(f"the result behind the accumulator needs {width} bits; use fewer")
        more: list[Parameter] = [("multiplier", multiplier, np.int32), ("addend", addend, np.int64)]
        again = self.pending if not affine.offset.any() and not affine.scale_frac.any() else None
        return Pending(lambda target: self.emit(target, grid, more), grid, width, again)

    def emit(self, target: Target, grid: Integers, more: list[Parameter]) -> Any:
        make, name = self.context.emitter, self.node.name
        shift = grid - target.frac
        parameters = more or IDENTITY
        if np.any(shift > MOST_SHIFT):  # of a channel whose weights are next to nothing beside the LSB of its results
            beyond = np.clip(shift - MOST_SHIFT, 0, MOST_SHIFT)
            shift = np.minimum(shift, MOST_SHIFT)
            parameters = [(part, round_shift(np.asarray(value), beyond), dtype) for part, value, dtype in parameters]
        inputs = [self.x.tensor, self.weights.codes.tensor, make.constant(f"{name}.shift", shift, np.int64)]
        bias = self.bias if self.bias.any() else 0
        inputs.append(make.constant(f"{name}.bias.codes", bias, np.int64))
        inputs += [make.constant(f"{name}.{part}", value, dtype) for part, value, dtype in parameters]
        attributes = self.weights.attributes | {"accumulator_bits": self.width} | target.attributes
        return make.node(self.weights.op, inputs, attributes, self.node.outputs[0], target.format.carrier)


def _check(node: gs.Node) -> None:
    if node.op == "Conv" and len(node.inputs[0].shape or ()) not in (3, 4):
        raise Declined("only 1-D and 2-D convolutions have an integer form")
    plain = node.attrs.get("alpha", 1.0) == 1.0 and node.attrs.get("beta", 1.0) == 1.0
    if node.op == "Gemm" and (node.attrs.get("transA", 0) or not plain):
        raise Declined("transA, alpha and beta have no integer form")


def _weights(node: gs.Node, coded: Coded) -> Weights:
    transposed = node.op == "Gemm" and not node.attrs.get("transB")
    codes = codes_of(coded)
    axis = 1 if transposed else 0
    channels = codes.shape[axis]
    attributes = {key: node.attrs[key] for key in SPATIAL} if node.op == "Conv" else {"transB": int(not transposed)}
    integers, kind = codes, "Fixed"
    if isinstance(coded.format, FixedPoint):
        frac, scale = np.broadcast_to(np.asarray(coded.format.frac, np.int64), channels), np.ones(channels)
    elif isinstance(coded.format, Log) and coded.format.steps == 1 and coded.format.bits <= SHIFT_WEIGHT_BITS[1]:
        kind = "Shift"
        integers = log_weights(codes, coded.format.bits)
        mantissa, exponent = np.frexp(np.broadcast_to(np.asarray(coded.format.scale, np.float64), channels))
        is_power = mantissa == 0.5
        scale = np.where(is_power, 1.0, mantissa)
        frac = coded.format.count - 1 - (exponent - is_power).astype(np.int64)
        attributes["weight_bits"] = coded.format.bits
    else:
        raise Declined(f"weights in the format {coded.format} have no integer form yet")
    integers = np.moveaxis(integers, axis, 0)
    return Weights(f"{kind}{node.op}", coded, integers, frac.astype(np.int64), scale, attributes)


def _bias(node: gs.Node, context: Context, channels: int) -> tuple[Integers, Integers]:
    """Return the bias codes and their fraction bits, [M] both; zeros where there is no bias."""
    if not is_given(node, 2):
        return np.zeros(channels, np.int64), np.zeros(channels, np.int64)
    coded = context.constant(node.inputs[2])
    if coded is None or not isinstance(coded.format, FixedPoint):
        raise Declined(f"bias '{node.inputs[2].name}' is not a fixed-point constant")
    codes = np.broadcast_to(codes_of(coded).reshape(-1), channels)
    return codes, np.broadcast_to(np.asarray(coded.format.frac, np.int64), channels)
