"""Two's-complement fixed point."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from qonnx_tools.arithmetic.formats import Codes, Format, Values
from qonnx_tools.arithmetic.rounding import Rounding, round_to_integer
from qonnx_tools.errors import ConfigError

FRAC_RANGE = (-64, 126)
"""Fraction bits for which 2**frac, 2**-frac and every value stay normal float32 numbers."""
FLOAT32_INTEGERS = 24
"""float32 holds every integer up to 2**24."""


@dataclass(frozen=True)
class FixedPoint(Format):
    """``value = code * 2**-frac``.

    Codes are -2^(bits-1) .. 2^(bits-1)-1 when signed (from -2^(bits-1)+1 when narrow) and 0 .. 2^bits-1 when
    unsigned. ``bits`` is 0..32; 0 is a tensor pruned to zero. ``frac`` is in bits, may be negative or larger
    than ``bits``, and is a tuple for a per-channel format.
    """

    kind: ClassVar[str] = "fixed"
    roundings: ClassVar[type[StrEnum]] = Rounding
    bits: int
    frac: int | tuple[int, ...]
    signed: bool = True
    narrow: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.bits <= 32:
            raise ConfigError(f"bits is {self.bits}; a fixed-point format has 0 to 32 bits")
        if self.narrow and not self.signed:
            raise ConfigError("narrow leaves out the most negative code; an unsigned format has none")
        if self.frac == ():
            raise ConfigError("frac is empty; give one number, or one a channel")
        low, high = FRAC_RANGE
        for frac in np.atleast_1d(self.frac):
            if not low <= frac <= high:
                raise ConfigError(f"frac is {frac}; fraction bits must lie in {low}..{high}")

    def __str__(self) -> str:
        fracs = np.atleast_1d(self.frac)
        power = f"{fracs.min()}" if fracs.min() == fracs.max() else f"{fracs.min()}..{fracs.max()}"
        return f"{'' if self.signed else 'u'}int{self.bits} * 2^-{power}"

    @property
    def channels(self) -> int | None:
        return len(self.frac) if isinstance(self.frac, tuple) else None

    @property
    def code_range(self) -> tuple[int, int]:
        if self.bits == 0:
            return 0, 0
        if self.signed:
            return -(2 ** (self.bits - 1)) + self.narrow, 2 ** (self.bits - 1) - 1
        return 0, 2**self.bits - 1

    @property
    def float_code_range(self) -> tuple[np.float32, np.float32]:
        """The code range as float32; beyond 24 bits the largest float32 integer inside it."""
        low, high = self.code_range
        return -largest_float32_integer(-low), largest_float32_integer(high)

    def encode(self, x: npt.ArrayLike, rounding: str | None = None, axis: int | None = None) -> Codes:
        scaled = self._scaled(x, axis)
        rounded = round_to_integer(scaled, self._mode(rounding)).astype(np.float64)
        codes = np.clip(np.where(np.isnan(rounded), 0.0, rounded), *self.code_range)
        return codes.astype(self.carrier)

    def decode(self, codes: npt.ArrayLike, axis: int | None = None) -> Values:
        wide = np.asarray(codes, dtype=np.float64)
        return np.asarray(wide * self._power(-1, wide, axis), dtype=np.float32)

    def quantize(self, x: npt.ArrayLike, rounding: str | None = None, axis: int | None = None) -> Values:
        scaled = self._scaled(np.asarray(x, dtype=np.float32), axis)
        rounded = np.clip(round_to_integer(scaled, self._mode(rounding)), *self.float_code_range)
        rounded += np.float32(0)  # -0 + 0 is +0
        return np.asarray(rounded * self._power(-1, scaled, axis), dtype=np.float32)

    def _mode(self, rounding: str | None) -> Rounding:
        return list(Rounding)[self.rounding_code(rounding)]

    def _power(self, sign: int, like: npt.NDArray[np.floating], axis: int | None) -> npt.NDArray[np.floating]:
        """``2**(sign * frac)`` in the dtype of ``like``, in a shape that broadcasts against it."""
        frac = self.across(np.asarray(self.frac, dtype=np.int32), like.ndim, axis)
        return np.asarray(np.ldexp(like.dtype.type(1), sign * frac.astype(np.int32)))

    def _scaled(self, x: npt.ArrayLike, axis: int | None) -> npt.NDArray[np.floating]:
        """``x * 2**frac`` in the floating dtype of ``x``: exact, but for what underflows or overflows there."""
        real = np.asarray(x)
        if real.dtype != np.float32:
            real = real.astype(np.float64)
        with np.errstate(over="ignore", under="ignore"):
            return np.asarray(real * self._power(1, real, axis))


def largest_float32_integer(limit: int) -> np.float32:
    """Return the largest integer that float32 holds and that does not exceed ``limit`` >= 0."""
    spare = max(limit.bit_length() - FLOAT32_INTEGERS, 0)
    return np.float32((limit >> spare) << spare)


def common_grid(formats: Sequence[FixedPoint]) -> tuple[int, int, bool]:
    """Return bits, fraction bits and sign of codes that hold every value of all ``formats``, which are per tensor.

    Their grid is the finest one; the bits are those that the widest range needs on it.
    """
    fracs = [int(np.max(item.frac)) for item in formats]
    finest, signed = max(fracs), any(item.signed for item in formats)
    widths = (
        item.bits + (signed and not item.signed) + finest - frac for item, frac in zip(formats, fracs, strict=True)
    )
    return max(widths), finest, signed
