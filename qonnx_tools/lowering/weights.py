"""Weights and biases of a layer as its accumulator sees them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from qonnx_tools.arithmetic.fixed_point import FixedPoint
from qonnx_tools.arithmetic.integer import SHIFT_WEIGHT_BITS, log_weights
from qonnx_tools.arithmetic.log import Log
from qonnx_tools.graph import gs, is_constant, is_given
from qonnx_tools.lowering.rule import Context, Declined, codes_of, name_of
from qonnx_tools.lowering.state import Coded
from qonnx_tools.plan import Role

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Weights:
    """Weights: ``value = integer * scale * 2**-frac``.

    Attributes:
        kind: "Fixed" or "Shift": what the name of the op begins with.
        tensor: their codes as the node reads them.
        integers: what the codes multiply by, [M, ..].
        frac: fraction bits of an integer, [M].
        scale: what a log scale has beside a power of two, [M] in (1/2, 1].
        attributes: those of the op that say how to read the codes.
    """

    kind: str
    tensor: Any
    integers: Integers
    frac: Integers
    scale: npt.NDArray[np.float64]
    attributes: dict[str, int]


def weight_codes(node: gs.Node, context: Context) -> Coded:
    """Return the codes of the weights of ``node``, its second input; decline what is no quantized constant."""
    tensor, name = node.inputs[1], name_of(node.inputs[1])
    coded = context.constant(tensor, Role.WEIGHT)
    if coded is None and is_constant(tensor):
        raise Declined(f"its weights '{name}' have no format; name one in the plan")
    if coded is None:
        raise Declined(f"its weights '{name}' are computed; only constant weights have an integer form")
    return coded


def weights_of(coded: Coded, axis: int) -> Weights:
    """Return the weights that ``coded`` holds, whose output channels are along ``axis``; decline other formats."""
    codes = codes_of(coded)
    channels, of = codes.shape[axis], coded.format
    if isinstance(of, FixedPoint):
        integers = np.moveaxis(codes, axis, 0)
        frac = np.broadcast_to(np.asarray(of.frac, np.int64), channels)
        return Weights("Fixed", coded.tensor, integers, frac, np.ones(channels), {})
    if not isinstance(of, Log) or of.steps != 1 or of.bits > SHIFT_WEIGHT_BITS[1]:
        raise Declined(
            f"its weights have the format {of}, which is no shift; take base 2 and at most {SHIFT_WEIGHT_BITS[1]} bits"
        )
    mantissa, exponent = np.frexp(np.broadcast_to(np.asarray(of.scale, np.float64), channels))
    is_power = mantissa == 0.5
    frac = of.count - 1 - (exponent - is_power).astype(np.int64)
    integers = np.moveaxis(log_weights(codes, of.bits), axis, 0)
    return Weights("Shift", coded.tensor, integers, frac, np.where(is_power, 1.0, mantissa), {"weight_bits": of.bits})


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
