"""Normalised logarithmic format: zero, and magnitudes that fall by a constant ratio from a scale."""

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from qonnx_tools.arithmetic.formats import Codes, Format, Values
from qonnx_tools.errors import ConfigError

SQRT_HALF = np.float32(0.70710677)
"""1/sqrt(2) as float32, 0x1.6a09e6p-1: the ratio of the first two magnitudes of a base-sqrt(2) format."""
SMALLEST_NORMAL = float(np.finfo(np.float32).tiny)


class LogRounding(StrEnum):
    """Where the threshold between two neighbouring magnitudes lies; a magnitude on it takes the larger."""

    LINEAR = "linear"
    """Their arithmetic mean: least error. Below half the smallest magnitude is zero."""
    LOG = "log"
    """Their geometric mean. Below the smallest magnitude times g**-0.5 is zero."""

    @property
    def code(self) -> int:
        """The integer that stands for this mode in ONNX attributes: its position in this class, from 0."""
        return list(LogRounding).index(self)


@dataclass(frozen=True)
class Log(Format):
    """Zero and ``+-scale * g**-k``, k = 0 .. K-1, with g = 2**(1/steps).

    K is 2^(bits-1)-1 when signed and 2^bits-1 when unsigned. The code of zero is 0, of any other value
    ``sign * (K - k)``: a larger code is a larger magnitude. ``scale`` is the largest magnitude; it is rounded
    to float32, and is a tuple for a per-channel format. ``steps`` is 1 (base 2) or 2 (base sqrt 2).

    Every magnitude is a float32 number: ``scale * 2**-j`` exactly and, for base sqrt 2, between them
    ``fl32(scale * SQRT_HALF) * 2**-j``. The smallest must not fall below 2**-126.

    Source: Miyashita et al. 2016; Lu and Tsay 2019 for the normalisation.
    """

    kind: ClassVar[str] = "log"
    roundings: ClassVar[type[StrEnum]] = LogRounding
    bits: int
    scale: float | tuple[float, ...]
    steps: int = 1
    signed: bool = True

    def __post_init__(self) -> None:
        if self.steps not in (1, 2):
            raise ConfigError(f"steps is {self.steps}; a log format has 1 (base 2) or 2 (base sqrt 2) steps an octave")
        if not (2 if self.signed else 1) <= self.bits <= 8:
            raise ConfigError(f"bits is {self.bits}; a log format has 2 to 8 bits signed, 1 to 8 unsigned")
        if self.scale == ():
            raise ConfigError("scale is empty; give one number, or one a channel")
        for scale in np.atleast_1d(np.asarray(self.scale, dtype=np.float64)):
            if not (np.isfinite(scale) and scale > 0 and np.isfinite(np.float32(scale))):
                raise ConfigError(f"scale is {scale}; it must be a positive float32 number")
            octaves, between = divmod(self.count - 1, self.steps)
            largest = np.float32(scale) * SQRT_HALF if between else np.float32(scale)
            if float(largest) * 2.0**-octaves < SMALLEST_NORMAL:
                raise ConfigError(
                    f"scale {scale} with {self.count} magnitudes reaches below 2**-126; "
                    "use fewer bits, a larger scale or base sqrt 2"
                )

    def __str__(self) -> str:
        scales = np.atleast_1d(self.scale)
        scale = f"{scales.min():.4g}" if scales.min() == scales.max() else f"{scales.min():.4g}..{scales.max():.4g}"
        base = "2" if self.steps == 1 else "sqrt2"
        return f"{'+-' if self.signed else ''}log{self.bits} {scale} * {base}^-k"

    @property
    def channels(self) -> int | None:
        return len(self.scale) if isinstance(self.scale, tuple) else None

    @property
    def largest(self) -> float:
        """The largest magnitude: the scale in float32, of a per-channel format the largest scale."""
        return float(np.asarray(self.scale, dtype=np.float32).max())

    @property
    def count(self) -> int:
        """K, the number of magnitudes."""
        return int(2 ** (self.bits - 1) - 1 if self.signed else 2**self.bits - 1)

    @property
    def code_range(self) -> tuple[int, int]:
        return (-self.count if self.signed else 0), self.count

    def encode(self, x: npt.ArrayLike, rounding: str | None = None, axis: int | None = None) -> Codes:
        real = np.asarray(x, dtype=np.float32)
        mode = list(LogRounding)[self.rounding_code(rounding)]
        codes = np.zeros(real.shape, dtype=self.carrier)
        for scale, part in self._channels(real.ndim, axis):
            size = magnitude_codes(np.abs(real[part]), scale, self.count, self.steps, mode)
            codes[part] = np.where(real[part] < 0, -size if self.signed else 0, size)
        return codes

    def decode(self, codes: npt.ArrayLike, axis: int | None = None) -> Values:
        integers = np.asarray(codes).astype(np.int64)
        values = np.zeros(integers.shape, dtype=np.float32)
        for scale, part in self._channels(integers.ndim, axis):
            table = np.append(np.float32(0), magnitudes(scale, self.count, self.steps)[::-1])
            values[part] = np.where(integers[part] < 0, -1, 1).astype(np.float32) * table[np.abs(integers[part])]
        return values

    def quantize(self, x: npt.ArrayLike, rounding: str | None = None, axis: int | None = None) -> Values:
        real = np.asarray(x, dtype=np.float32)
        return np.where(np.isnan(real), np.float32(np.nan), self.decode(self.encode(real, rounding, axis), axis))

    def _channels(self, rank: int, axis: int | None) -> list[tuple[np.float32, tuple[slice | int, ...]]]:
        """Each scale with the index of the elements that it serves."""
        scales = np.asarray(self.scale, dtype=np.float32)
        if scales.ndim == 0:
            return [(np.float32(scales), (...,))]  # type: ignore[list-item]  # Ellipsis is an index too
        self.across(scales, rank, axis)
        before = (slice(None),) * ((axis or 0) % rank)
        return [(scale, (*before, channel)) for channel, scale in enumerate(scales)]


def magnitudes(scale: npt.NDArray[np.float32] | np.float32, count: int, steps: int) -> Values:
    """Return the magnitudes ``scale * g**-k`` for k = 0 .. count-1, largest first: ``[*scale.shape, count]``."""
    k = np.arange(count)
    octave_parts = np.stack([scale, scale * SQRT_HALF], axis=-1).astype(np.float32)
    return np.ldexp(octave_parts[..., k % steps], -(k // steps)).astype(np.float32)


def thresholds(
    scale: npt.NDArray[np.float32] | np.float32, count: int, steps: int, mode: LogRounding
) -> npt.NDArray[np.float64]:
    """Return what a magnitude must reach for the codes count .. 1, ``[*scale.shape, count]``, largest first.

    For linear rounding these are magnitudes, for log rounding squares of magnitudes. All are exact: the mean of two
    neighbouring float32 magnitudes and the product of two float32 numbers are float64 numbers.
    """
    levels = magnitudes(scale, count + 1, steps).astype(np.float64)
    if mode is LogRounding.LOG:
        return np.asarray(levels[..., :-1] * levels[..., 1:])
    levels[..., count] = 0.0  # the last threshold is half the smallest magnitude
    return np.asarray((levels[..., :-1] + levels[..., 1:]) / 2)


def magnitude_codes(
    size: npt.NDArray[np.float32], scale: np.float32, count: int, steps: int, mode: LogRounding
) -> npt.NDArray[np.int64]:
    """Return 0 (zero) .. count (the scale) for each magnitude ``size`` >= 0; NaN gives 0.

    The code is the number of thresholds that ``size`` reaches.
    """
    wide = size.astype(np.float64)
    compared = wide * wide if mode is LogRounding.LOG else wide
    codes = np.searchsorted(thresholds(scale, count, steps, mode)[::-1], compared, side="right")
    return np.where(np.isnan(wide), 0, codes)
