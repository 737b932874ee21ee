"""Products of logarithmic codes: exponents add, and what adds up are powers of two.

With base sqrt(2) every second product is a power of two times sqrt(2). Products of either kind have an accumulator of
their own, the even and the odd one; they meet once an output, in :func:`joined`.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from qonnx_tools.arithmetic.accumulator import accumulator_bound
from qonnx_tools.arithmetic.integer import Integers, log_weight_range
from qonnx_tools.arithmetic.log import Log, LogRounding, thresholds
from qonnx_tools.arithmetic.rounding import round_shift
from qonnx_tools.errors import ConfigError

HALF_ROOT = 46341
"""1/sqrt(2) at 16 fraction bits."""
HALF_ROOT_BITS = 16
MOST_GUARD_BITS = 32
USUAL_GUARD_BITS = 24
"""Guard bits that a converted model gets where no product is lost would take more."""


@dataclass(frozen=True)
class LogUnit:
    """What multiplies codes of two log formats that have the base in common, by adding exponents.

    The largest product, of the two scales, is 2**guard_bits; one that is e steps smaller is
    2**(guard_bits - e / steps). A product below 1 is dropped.

    Attributes:
        x_bits: of the codes x, whose largest is K_x.
        x_signed: whether they have both signs.
        weight_bits: of the codes w, which have both signs; their largest is K_w.
        steps: steps an octave of both: 1 is base 2, 2 is base sqrt(2).
        guard_bits: fraction bits of the product of two unit magnitudes.
    """

    x_bits: int
    x_signed: bool
    weight_bits: int
    steps: int
    guard_bits: int

    def __post_init__(self) -> None:
        if not 0 <= self.guard_bits <= MOST_GUARD_BITS:
            raise ConfigError(f"guard_bits is {self.guard_bits}; it must lie in 0..{MOST_GUARD_BITS}")
        for bits, signed in ((self.x_bits, self.x_signed), (self.weight_bits, True)):
            Log(bits, 2.0**126, self.steps, signed)  # refuses what no log format has

    @property
    def x_count(self) -> int:
        """K_x, the largest code of x."""
        return int(2 ** (self.x_bits - self.x_signed) - 1)

    @property
    def weight_count(self) -> int:
        """K_w, the largest code of w."""
        return int(2 ** (self.weight_bits - 1) - 1)

    @property
    def exact_guard_bits(self) -> int:
        """The fewest guard bits with which no product is dropped."""
        return (self.x_count + self.weight_count - 2) // self.steps

    def products(self, x: npt.ArrayLike, w: npt.ArrayLike) -> tuple[Integers, Integers]:
        """Return the even and the odd product of each pair of codes; one of the two is 0.

        Codes of x beyond the format count as the nearest inside.
        """
        lowest = -self.x_count if self.x_signed else 0
        x_codes, w_codes = np.clip(np.asarray(x).astype(np.int64), lowest, self.x_count), self.weights(w)
        steps_down = (self.x_count - np.abs(x_codes)) + (self.weight_count - np.abs(w_codes))
        exponent = self.guard_bits - steps_down // self.steps
        size = np.where(exponent >= 0, np.int64(1) << np.maximum(exponent, 0), 0)
        product = np.sign(x_codes) * np.sign(w_codes) * size
        is_odd = steps_down % self.steps == 1
        return np.where(is_odd, 0, product), np.where(is_odd, product, 0)

    def sums(
        self, x: npt.ArrayLike, w: npt.ArrayLike, accumulate: Callable[[Integers, Integers], Integers]
    ) -> tuple[Integers, Integers]:
        """Return the even and the odd sums of products of x and w.

        Args:
            x: codes.
            w: codes.
            accumulate: the sums of products of integers that take the places of x and w: a convolution, for example.
        """
        weights = self.weights(w)
        even = odd = accumulate(np.zeros_like(np.asarray(x), np.int64), weights)
        for code in range(1, self.weight_count + 1):
            signs = np.where(np.abs(weights) == code, np.sign(weights), 0)
            if not signs.any():
                continue
            even_terms, odd_terms = self.products(x, code)
            even = even + accumulate(even_terms, signs)
            if self.steps == 2:
                odd = odd + accumulate(odd_terms, signs)
        return even, odd

    def weights(self, w: npt.ArrayLike) -> Integers:
        """Return the codes w in int64; ``ConfigError`` where one is outside the format."""
        return log_weight_range(w, self.weight_bits)

    def largest_products(self, w: npt.ArrayLike) -> tuple[Integers, Integers]:
        """Return, for each weight, its largest even and its largest odd product with a positive x, signed as it is."""
        sizes = [self.products(self.x_count - less, w) for less in range(min(self.steps, self.x_count))]
        even, odd = (np.stack(parts) for parts in zip(*sizes, strict=True))
        return even.sum(axis=0), odd.sum(axis=0)

    def accumulator_bound(self, w: npt.ArrayLike, bias: npt.ArrayLike | None = None, axis: int = 0) -> int:
        """Return the bits of the narrowest accumulators, even and odd, that no input overflows.

        The bias, at the LSB of the accumulators, is in the even one. ``axis`` is that of the outputs in ``w``.
        """
        even, odd = self.largest_products(w)
        signs = (-1 if self.x_signed else 0, 1)
        return max(accumulator_bound(even, signs, bias, axis), accumulator_bound(odd, signs, axis=axis))


def joined(even: npt.ArrayLike, odd: npt.ArrayLike) -> Integers:
    """Return ``even + odd / sqrt(2)``, rounded: ``even + round_shift(odd * 46341, 16)``, modulo 2**64."""
    scaled = np.asarray(odd).astype(np.int64) * np.int64(HALF_ROOT)
    return np.asarray(even).astype(np.int64) + round_shift(scaled, HALF_ROOT_BITS)


def usual_guard_bits(x: Log, w: Log) -> int:
    """Return the guard bits for inputs of format ``x`` and weights of format ``w``: none dropped, or 24 at most."""
    unit = LogUnit(x.bits, x.signed, w.bits, w.steps, 0)
    return min(unit.exact_guard_bits, USUAL_GUARD_BITS)


def split_scale(numbers: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], Integers]:
    """Return positive ``numbers`` as factors in (1/2, 1] and exponents of two."""
    mantissa, exponent = np.frexp(numbers)
    is_power = mantissa == 0.5
    return np.where(is_power, 1.0, mantissa), (exponent - is_power).astype(np.int64)


def thresholds_on_grid(of: Log, rounding: str | None, frac: int) -> Integers:
    """Return the smallest integers n for which n * 2**-frac has the codes 1 .. K of the per-tensor format ``of``."""
    mode = list(LogRounding)[of.rounding_code(rounding)]
    reached = thresholds(np.float32(of.largest), of.count, of.steps, mode)[::-1].tolist()
    if mode is LogRounding.LINEAR:
        return np.array([max(1, _ceil(Fraction(size) * Fraction(2) ** frac)) for size in reached], np.int64)
    return np.array([max(1, _ceil_root(Fraction(square) * Fraction(4) ** frac)) for square in reached], np.int64)


def _ceil(value: Fraction) -> int:
    return min(-(-value.numerator // value.denominator), 2**62)


def _ceil_root(square: Fraction) -> int:
    """Return the smallest integer whose square is at least ``square``, above 0."""
    return min(math.isqrt(-(-square.numerator // square.denominator) - 1) + 1, 2**62)


def threshold_codes(x: npt.ArrayLike, thresholds: npt.ArrayLike, *, signed: bool) -> Integers:
    """Return log codes of integers: sign(x) times how many of the ``thresholds`` |x| reaches; unsigned, 0 for x < 0.

    Args:
        x: integers on the grid of the thresholds.
        thresholds: [K], not falling: what code 1, code 2 .. asks for.
        signed: whether negative numbers have codes of their own.
    """
    wide = np.asarray(x).astype(np.int64)
    reached = np.searchsorted(np.asarray(thresholds).astype(np.int64), np.abs(wide), side="right")
    return np.asarray(np.where(wide < 0, -reached if signed else 0, reached))
