"""Rounding rules. A name always carries its tie rule."""

from enum import StrEnum

import numpy as np
import numpy.typing as npt

from qonnx_tools.errors import ConfigError


class Rounding(StrEnum):
    """How a real number becomes an integer."""

    HALF_EVEN = "half_even"
    """To nearest, ties to the even integer: ONNX QuantizeLinear, qonnx ROUND, hls4ml RND_CONV."""
    HALF_UP = "half_up"
    """To nearest, ties toward +infinity: floor(x + 1/2), one adder in hardware; FINN."""
    HALF_AWAY = "half_away"
    """To nearest, ties away from zero."""
    FLOOR = "floor"
    """Toward -infinity."""
    CEIL = "ceil"
    """Toward +infinity."""
    TOWARD_ZERO = "toward_zero"
    """Toward zero (truncation)."""

    @property
    def code(self) -> int:
        """The integer that stands for this mode in ONNX attributes: its position in this class, from 0."""
        return list(Rounding).index(self)


def round_to_integer(x: npt.NDArray[np.floating], mode: Rounding = Rounding.HALF_EVEN) -> npt.NDArray[np.floating]:
    """Round each element to an integer, in the floating dtype of ``x``, exactly.

    ``x - rint(x)`` is exact in floating point, so ties are recognised exactly; ``floor(x + 0.5)`` is not.
    NaN and infinities are returned as they are. A zero result may carry either sign.
    """
    match mode:
        case Rounding.FLOOR:
            return np.asarray(np.floor(x))
        case Rounding.CEIL:
            return np.asarray(np.ceil(x))
        case Rounding.TOWARD_ZERO:
            return np.asarray(np.trunc(x))
    nearest: npt.NDArray[np.floating] = np.rint(x)
    if mode is Rounding.HALF_EVEN:
        return nearest
    with np.errstate(invalid="ignore"):
        rest = x - nearest
    one = x.dtype.type(1)
    if mode is Rounding.HALF_UP:
        return np.asarray(np.where(rest == 0.5, nearest + one, nearest))
    rounded_up = np.where((rest == 0.5) & (x > 0), nearest + one, nearest)
    return np.asarray(np.where((rest == -0.5) & (x < 0), nearest - one, rounded_up))


def round_shift(
    value: npt.NDArray[np.int64], shift: int | npt.NDArray[np.int64], mode: Rounding = Rounding.HALF_EVEN
) -> npt.NDArray[np.int64]:
    """Return ``value / 2**shift`` rounded to an integer; a negative ``shift`` is an exact left shift.

    Args:
        value: integers; a left shift must not overflow int64.
        shift: -62 to 62, a number or an array that broadcasts against ``value``.
        mode: the rounding rule.
    """
    v = np.asarray(value, dtype=np.int64)
    s = np.asarray(shift, dtype=np.int64)
    if np.any(np.abs(s) > 62):
        raise ConfigError(f"shift {int(s.flat[np.abs(s).argmax()])} is out of range; it must lie in -62..62")
    right = np.maximum(s, 0)
    floor = v >> right
    rest = v - (floor << right)  # in 0 .. 2**right - 1, also for negative v
    half = (np.int64(1) << right) >> 1
    tie, above = (rest == half) & (right > 0), rest > half
    match mode:
        case Rounding.HALF_EVEN:
            up = above | (tie & (floor & 1 == 1))
        case Rounding.HALF_UP:
            up = above | tie
        case Rounding.HALF_AWAY:
            up = above | (tie & (v > 0))
        case Rounding.FLOOR:
            up = np.zeros_like(tie)
        case Rounding.CEIL:
            up = rest > 0
        case Rounding.TOWARD_ZERO:
            up = (rest > 0) & (v < 0)
    return np.asarray((floor + up) << np.maximum(-s, 0))
