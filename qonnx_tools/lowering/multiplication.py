"""An affine map behind an accumulator, as integers that stay within 64 bits."""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from qonnx_tools.arithmetic.multiplier import MOST_MULTIPLIER_BITS, MULTIPLIER_BITS, multiplier_shift
from qonnx_tools.lowering.rule import Declined
from qonnx_tools.lowering.state import Affine

Integers = npt.NDArray[np.int64]

WIDEST_RESULT = 61
"""Bits of ``multiplier * acc + addend``: a right shift beyond 62 of it rounds as one by 62 does."""
LEAST_MULTIPLIER_BITS = 8
"""Fewest bits of a multiplier that the width of the accumulator leaves; below, the node stays in float."""


@dataclass(frozen=True)
class Multiplication:
    """t = multiplier * acc + addend, [C] each; t has ``grid`` fraction bits a channel and needs ``width`` bits."""

    multiplier: Integers
    addend: Integers
    grid: Integers
    width: int


def multiplication(
    affine: Affine, scale: npt.NDArray[np.float64], grid: Integers, width: int, divisor: float = 1.0
) -> Multiplication:
    """Return the integers for ``affine``, of an accumulator times ``scale``, divided by ``divisor``.

    Where ``scale`` is 1 they are exact: the codes of the affine map, the offset brought to the grid of the product.
    Elsewhere ``multiplier`` is the product of both factors in ``MULTIPLIER_BITS`` bits. A channel whose result would
    need more than 61 bits, or whose multiplier more than 31, has as many bits fewer in both, rounded to the nearest.

    Args:
        affine: the map, [C].
        scale: a further factor, [C]: of a log scale what is beside its power of two.
        grid: fraction bits of the accumulator, [C].
        width: bits of the accumulator.
        divisor: of the whole; the offset is then rounded to the grid of the product.

    Raises:
        Declined: the accumulator is so wide that the multiplier would have fewer than 8 bits.
    """
    if width + LEAST_MULTIPLIER_BITS + 1 > WIDEST_RESULT:
        raise Declined(
            f"sums of {width} bits leave no room for a multiplier behind them; use fewer weight or activation bits"
        )
    factor = np.ldexp(affine.scale.astype(np.float64), -affine.scale_frac.astype(np.int32)) * scale / divisor
    rounded, shift = multiplier_shift(factor, MULTIPLIER_BITS)
    is_exact = (scale == 1) & (divisor == 1)
    multipliers = np.where(is_exact, affine.scale, rounded).tolist()
    downs = (grid + np.where(is_exact, affine.scale_frac, shift)).tolist()
    offsets, offset_fracs = affine.offset.tolist(), affine.offset_frac.tolist()
    if divisor != 1:
        parts = zip(offsets, offset_fracs, downs, strict=True)
        offsets = [round(offset * Fraction(2) ** (down - at) / Fraction(divisor)) for offset, at, down in parts]
        offset_fracs = downs
    channels = zip(multipliers, downs, offsets, offset_fracs, strict=True)
    fitted = [_fitted(width, *channel) for channel in channels]
    multiplier, addend, fracs, widths = (list(part) for part in zip(*fitted, strict=True))
    return Multiplication(np.array(multiplier), np.array(addend), np.array(fracs), max(widths))


def _fitted(width: int, multiplier: int, frac: int, offset: int, offset_frac: int) -> tuple[int, int, int, int]:
    """Return multiplier, addend, fraction bits and width of the result of one channel, on unbounded integers."""
    up = max(0, offset_frac - frac) if offset else 0
    multiplier, frac = multiplier << up, frac + up
    addend = offset << (frac - offset_frac) if offset else 0
    fewer = 0
    while True:
        shown = _rounded(multiplier, fewer), _rounded(addend, fewer)
        needed = max(width + shown[0].bit_length(), shown[1].bit_length() + 1) + 1
        excess = max(needed - WIDEST_RESULT, shown[0].bit_length() - MOST_MULTIPLIER_BITS)
        if excess <= 0:
            return *shown, frac - fewer, needed
        fewer += excess


def _rounded(value: int, shift: int) -> int:
    """Return ``value / 2**shift``, ties to even, for integers of any size."""
    floor, rest = divmod(value, 1 << shift)
    half = (1 << shift) >> 1
    return floor + (rest > half or (rest == half and shift > 0 and floor % 2 == 1))
