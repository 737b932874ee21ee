"""A histogram of real numbers that grows with its data, and the error of a format on it."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

BINS = 1 << 14
"""Bins over [-limit, limit): at least 4096 between zero and the largest magnitude, 16 to a step of 8 bits."""

_BLOCK = 1 << 15
"""Values counted at once: what is computed of them stays in the processor's cache."""


@dataclass(frozen=True)
class Histogram:
    """Counts of values in ``BINS`` equal bins over [-limit, limit), with the exact extremes.

    ``limit`` is a power of two at least the largest magnitude, so that two histograms always merge exactly: the
    finer one joins neighbouring bins until the limits agree.
    """

    counts: npt.NDArray[np.int64]
    limit: float
    minimum: float
    maximum: float

    @classmethod
    def of(cls, values: npt.NDArray[np.float32]) -> "Histogram":
        """Count finite ``values`` of any shape, at least one."""
        minimum, maximum = float(values.min()), float(values.max())
        limit = power_of_two_above(max(-minimum, maximum))
        counts = np.zeros(BINS + 1, dtype=np.int64)
        flat = values.reshape(-1)
        for start in range(0, flat.size, _BLOCK):
            scaled = flat[start : start + _BLOCK] * np.float32(BINS / 2 / limit)
            index = (np.floor(scaled, out=scaled) if minimum < 0 else scaled).astype(np.intp)
            index += BINS // 2
            counts += np.bincount(index, minlength=BINS + 1)
        counts[BINS - 1] += counts[BINS]  # a maximum that equals the limit
        return cls(counts[:BINS], limit, minimum, maximum)

    def merge(self, other: "Histogram") -> "Histogram":
        """Return the histogram of both sets of values."""
        limit = max(self.limit, other.limit)
        counts = _widened(self, limit) + _widened(other, limit)
        return Histogram(counts, limit, min(self.minimum, other.minimum), max(self.maximum, other.maximum))

    @property
    def total(self) -> int:
        """Number of values counted."""
        return int(self.counts.sum())

    def occupied(self) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
        """Return one value for each bin that is not empty, and the bin's count.

        The value lies inside its bin at an offset that differs from bin to bin (multiples of the golden ratio), so
        that a format whose step divides the bin width does not find all of them on its grid.
        """
        index = np.flatnonzero(self.counts)
        inside = (index * 0.6180339887498949) % 1.0
        values = (index + inside) * (2 * self.limit / BINS) - self.limit
        return np.clip(values, self.minimum, self.maximum).astype(np.float32), self.counts[index]


def power_of_two_above(magnitude: float) -> float:
    """Return the smallest power of two that is at least ``magnitude``, and at least 2**-60."""
    mantissa, exponent = np.frexp(max(magnitude, 2.0**-60))
    return float(np.ldexp(1.0, exponent - (mantissa == 0.5)))


def _widened(histogram: Histogram, limit: float) -> npt.NDArray[np.int64]:
    counts = histogram.counts
    for _ in range(round(np.log2(limit / histogram.limit))):
        joined = counts.reshape(-1, 2).sum(axis=1)
        counts = np.zeros(BINS, dtype=np.int64)
        counts[BINS // 4 : 3 * BINS // 4] = joined
    return counts
