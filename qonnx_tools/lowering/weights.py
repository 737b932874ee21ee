"""Weights and biases of a layer as its accumulator sees them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from qonnx_tools.arithmetic.accumulator import accumulator_bound
from qonnx_tools.arithmetic.fixed_point import FixedPoint
from qonnx_tools.arithmetic.integer import SHIFT_WEIGHT_BITS, shift_weights
from qonnx_tools.arithmetic.log import Log
from qonnx_tools.arithmetic.log_products import LogUnit, split_scale, usual_guard_bits
from qonnx_tools.graph import gs, is_constant, is_given
from qonnx_tools.lowering.rule import Context, Declined, code_range, codes_of, name_of
from qonnx_tools.lowering.state import Coded
from qonnx_tools.plan import Role

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Weights:
    """Weights: a sum over inputs has the value ``accumulator * scale * 2**-frac``.

    Attributes:
        kind: "Fixed", "Shift" or "Log": what the name of the op begins with.
        tensor: their codes as the node reads them.
        codes: the same, [M, ..].
        frac: fraction bits of the accumulator, [M].
        scale: what log scales have beside a power of two, [M] in (1/4, 1].
        attributes: those of the op that say how to read the codes.
        reach: the narrowest accumulator that no input overflows, from codes and bias codes.
    """

    kind: str
    tensor: Any
    codes: Integers
    frac: Integers
    scale: npt.NDArray[np.float64]
    attributes: dict[str, int]
    reach: Callable[[Integers, Integers], int]

    @property
    def spare_bits(self) -> int:
        """Bits that joining an even and an odd accumulator takes."""
        return int(self.attributes.get("steps", 1) == 2)


def weight_codes(node: gs.Node, context: Context) -> Coded:
    """Return the codes of the weights of ``node``, its second input; decline what is no quantized constant."""
    tensor, name = node.inputs[1], name_of(node.inputs[1])
    coded = context.constant(tensor, Role.WEIGHT)
    if coded is None and is_constant(tensor):
        raise Declined(f"its weights '{name}' have no format; name one in the plan")
    if coded is None:
        raise Declined(f"its weights '{name}' are computed; only constant weights have an integer form")
    return coded


def weights_of(coded: Coded, axis: int, x: Coded, x_scale: float = 1.0) -> Weights:
    """Return the weights that ``coded`` holds, output channels along ``axis``, for inputs ``x`` times ``x_scale``."""
    codes, of = np.moveaxis(codes_of(coded), axis, 0), coded.format
    channels = codes.shape[0]
    if isinstance(x.format, Log):
        return _log_weights(coded, codes, x.format)
    x_range, x_frac = code_range(x), x.frac
    if isinstance(of, FixedPoint):
        frac = np.broadcast_to(np.asarray(of.frac, np.int64), channels)
        scale = np.full(channels, x_scale)
        return Weights("Fixed", coded.tensor, codes, frac + x_frac, scale, {}, _bound_of(x_range, of))
    if not isinstance(of, Log) or of.bits > SHIFT_WEIGHT_BITS[1]:
        raise Declined(
            f"its weights have the format {of}, which is no shift; take a log format of {SHIFT_WEIGHT_BITS[1]} bits "
            "at most"
        )
    scale, exponent = split_scale(np.broadcast_to(np.asarray(of.scale, np.float32).astype(np.float64), channels))
    frac = (of.count - 1) // of.steps - exponent
    attributes = {"weight_bits": of.bits, "steps": of.steps}
    return Weights("Shift", coded.tensor, codes, frac + x_frac, scale, attributes, _bound_of(x_range, of))


def _log_weights(coded: Coded, codes: Integers, x: Log) -> Weights:
    """Return log weights of inputs in log codes: exponents add, and scales multiply behind the accumulator."""
    of = coded.format
    if not isinstance(of, Log) or of.steps != x.steps:
        raise Declined(f"its input has the format {x}, its weights {of}; give both log codes of the same base")
    unit = LogUnit(x.bits, x.signed, of.bits, of.steps, usual_guard_bits(x, of))
    scales = np.broadcast_to(np.asarray(of.scale, np.float32).astype(np.float64), codes.shape[0])
    scale, exponent = split_scale(np.asarray(scales * x.largest))
    attributes = {
        "x_bits": unit.x_bits,
        "x_signed": int(unit.x_signed),
        "weight_bits": unit.weight_bits,
        "steps": unit.steps,
        "guard_bits": unit.guard_bits,
    }
    frac = unit.guard_bits - exponent
    return Weights("Log", coded.tensor, codes, frac, scale, attributes, unit.accumulator_bound)


def _bound_of(x_range: tuple[int, int], of: FixedPoint | Log) -> Callable[[Integers, Integers], int]:
    def bound(codes: Integers, bias: Integers) -> int:
        if isinstance(of, FixedPoint):
            return accumulator_bound(codes, x_range, bias)
        even, odd = shift_weights(codes, of.bits, of.steps)
        return max(accumulator_bound(even, x_range, bias), accumulator_bound(odd, x_range))

    return bound


def bias_of(node: gs.Node, context: Context, channels: int) -> tuple[Integers, Integers]:
    """Return the bias codes of ``node`` and their fraction bits, [M] both; zeros where there is no bias."""
    if not is_given(node, 2):
        return np.zeros(channels, np.int64), np.zeros(channels, np.int64)
    name, coded = name_of(node.inputs[2]), context.constant(node.inputs[2], Role.BIAS)
    if coded is None or not isinstance(coded.format, FixedPoint):
        raise Declined(f"its bias '{name}' is not a constant in fixed point; give it a format in the plan")
    codes = codes_of(coded)
    if codes.size not in (1, channels) or codes.size != (codes.shape[-1] if codes.ndim else 1):
        raise Declined(f"its bias '{name}' has shape {list(codes.shape)}, not one value a channel")
    frac = np.asarray(coded.format.frac, np.int64)
    return np.broadcast_to(codes.reshape(-1), channels), np.broadcast_to(frac, channels)
