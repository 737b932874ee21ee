"""Quantization of values and of wavelet coefficients with one step for the whole map.

A step is a whole number of sixteenths of an LSB, so that it is exact everywhere. Values, without a transform, with
step D = n / 16:

    q = sgn(x) floor((32 |x| + n) / 2n)          x' = sgn(q) floor((|q| n + 8) / 16)

Coefficients of band b, with the norm of its synthesis functions, so that all bands err alike in the map:

    D_b = max(1, round(D / norm_b))     q = sgn(c) floor((2 |c| + D_b) / 2 D_b)     c' = q D_b

At D = 1 every D_b is 1: that is lossless. Ties are rounded away from zero.
"""

from fractions import Fraction

import numpy as np
import numpy.typing as npt

from qonnx_tools.arithmetic.wavelet import Integers, Subband, Wavelet
from qonnx_tools.errors import ConfigError

STEP_UNIT = 16
"""Steps are multiples of 1 / 16 of an LSB."""
LARGEST_STEP = 1 << 20
"""The largest step, in sixteenths."""

NORM_UNIT = 10000
NORMS: dict[Wavelet, dict[str, tuple[int, int, int]]] = {
    Wavelet.WAVELET53: {
        "LL": (15000, 27500, 53750),
        "HL": (10380, 15920, 29190),
        "LH": (10380, 15920, 29190),
        "HH": (7186, 9218, 15860),
    },
    Wavelet.HAAR: {
        "LL": (20000, 40000, 80000),
        "HL": (10000, 20000, 40000),
        "LH": (10000, 20000, 40000),
        "HH": (5000, 10000, 20000),
    },
}
"""Norms of the synthesis functions by level, from the first, in units of 1 / 10000."""


def sixteenths(step: float | Fraction) -> int:
    """Return ``step`` in sixteenths; ``ConfigError`` unless it is a whole number of them, from 1 to 65536."""
    units = Fraction(step) * STEP_UNIT if np.isfinite(float(step)) else Fraction(0)
    if units.denominator != 1 or not STEP_UNIT <= units <= LARGEST_STEP:
        largest = LARGEST_STEP // STEP_UNIT
        raise ConfigError(f"step is {float(step):g}; it must be a multiple of 1/16 in 1..{largest} LSB")
    return int(units)


def band_step(step: int, wavelet: Wavelet, band: Subband) -> int:
    """Return D_b of a band for a step in sixteenths: round(D / norm), ties away from zero, at least 1."""
    if step == STEP_UNIT:
        return 1
    name, level = band
    norm = NORMS[wavelet][name][level - 1]
    return max(1, (2 * step * NORM_UNIT + STEP_UNIT * norm) // (2 * STEP_UNIT * norm))


def quantize_values(x: npt.ArrayLike, step: int) -> Integers:
    """Return q of integers ``x`` for a step in sixteenths."""
    values = np.asarray(x, np.int64)
    return np.asarray(np.sign(values) * ((2 * STEP_UNIT * np.abs(values) + step) // (2 * step)), np.int64)


def dequantize_values(q: npt.ArrayLike, step: int) -> Integers:
    """Return x' of ``q`` for a step in sixteenths."""
    levels = np.asarray(q, np.int64)
    return np.asarray(np.sign(levels) * ((np.abs(levels) * step + STEP_UNIT // 2) // STEP_UNIT), np.int64)


def quantize_coefficients(c: npt.ArrayLike, step: int) -> Integers:
    """Return q of the coefficients ``c`` of a band for its step in LSB."""
    values = np.asarray(c, np.int64)
    return np.asarray(np.sign(values) * ((2 * np.abs(values) + step) // (2 * step)), np.int64)


def dequantize_coefficients(q: npt.ArrayLike, step: int) -> Integers:
    """Return c' of ``q``."""
    return np.asarray(q, np.int64) * step
