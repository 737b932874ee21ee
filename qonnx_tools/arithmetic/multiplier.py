"""A real factor as an integer multiplier and a shift."""

import numpy as np
import numpy.typing as npt

from qonnx_tools.errors import ConfigError

MULTIPLIER_BITS = 24
"""Significant bits of the multipliers that stand for real factors: a float32 factor, such as a log scale, is exact."""
MOST_MULTIPLIER_BITS = 31
MOST_SHIFT = 62


def multiplier_shift(factor: npt.ArrayLike, bits: int) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]:
    """Return ``multiplier`` and ``shift`` with ``multiplier * 2**-shift`` as near to ``factor`` as ``bits`` bits allow.

    With |factor| = f * 2**e, 1/2 <= f < 1:  multiplier = sign * half_even(f * 2**bits),  shift = bits - e. Common
    factors of two are then taken out, so that the multiplier is odd and a power of two is a pure shift.

    Error: |multiplier * 2**-shift - factor| <= |factor| * 2**-bits. Where the factor is so small that the shift would
    pass 62, it is 62, and the error is at most 2**-63; such a multiplier has fewer bits and may be 0.

    Args:
        factor: finite numbers of any shape, taken as float64. 0 gives multiplier 0 and shift 0.
        bits: of the multiplier's magnitude, 1 to 31.

    Returns:
        ``multiplier`` and ``shift`` (-62 to 62), shaped like ``factor``.

    Raises:
        ConfigError: ``bits`` is out of range, or a factor is not finite or too large for a left shift of 62.
    """
    real = np.asarray(factor, dtype=np.float64)
    if not 1 <= bits <= MOST_MULTIPLIER_BITS:
        raise ConfigError(f"a multiplier of {bits} bits is out of range; it has 1 to {MOST_MULTIPLIER_BITS}")
    if not np.isfinite(real).all():
        raise ConfigError("a factor is not finite; a multiplier needs a finite number")
    _, exponent = np.frexp(real)
    shift = np.minimum(bits - exponent.astype(np.int64), MOST_SHIFT)
    multiplier = np.rint(np.ldexp(real, shift.astype(np.int32))).astype(np.int64)  # exact but for rint
    lowest_bit = multiplier & -multiplier
    twos = np.where(multiplier == 0, shift, np.frexp(lowest_bit.astype(np.float64))[1] - 1)
    multiplier, shift = multiplier >> np.where(multiplier == 0, 0, twos), shift - twos
    if np.any(shift < -MOST_SHIFT):
        raise ConfigError(f"factor {real.flat[shift.argmin()]} is too large: it needs a left shift beyond {MOST_SHIFT}")
    return multiplier.astype(np.int32), shift
