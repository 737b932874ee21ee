"""Weights as sums of powers of two, each times a scale a channel, rounded to nearest: APoT's levels, after training.

Source: Li, Dong and Wang 2020, "Additive Powers-of-Two Quantization". They learn the scale in training; here it is, of
many, the one of least squared error.
"""

from itertools import product

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
SCALES = np.linspace(0.3, 1.0, 71)
"""Scales tried, as shares of the largest weight of the channel."""


def levels(bits: int) -> Array:
    """Return the magnitudes of ``bits``-bit codes, sign included: the largest is 1.

    Terms have 2 bits, and a last one 1 bit where that is over. A term is 0 or one of its powers; the powers 2^-1,
    2^-2 .. are dealt out to the terms in turn, each the number that its bits can name.
    """
    wide, narrow = divmod(bits - 1, 2)
    terms: list[list[float]] = [[0.0] for _ in range(wide + narrow)]
    exponent = 0
    while any(len(term) < _room(at, wide) for at, term in enumerate(terms)):
        for at, term in enumerate(terms):
            if len(term) < _room(at, wide) and not (at >= wide and exponent < 2 * wide):
                exponent += 1
                term.append(2.0**-exponent)
    sums = np.unique([sum(chosen) for chosen in product(*terms)])
    return np.asarray(sums / sums.max())


def quantized(weights: npt.NDArray[np.float32], bits: int, axis: int) -> npt.NDArray[np.float32]:
    """Return ``weights`` rounded to the nearest level, each channel along ``axis`` times its scale."""
    rows = np.moveaxis(weights, axis, 0).reshape(weights.shape[axis], -1).astype(np.float64)
    size = levels(bits)
    middles = (size[1:] + size[:-1]) / 2
    best, least = np.zeros_like(rows), np.full(len(rows), np.inf)
    for share in SCALES:
        scale = np.maximum(share * np.abs(rows).max(axis=1, keepdims=True), 1e-30)
        tried = np.sign(rows) * size[np.searchsorted(middles, np.abs(rows) / scale)] * scale
        error = np.square(tried - rows).sum(axis=1)
        better = error < least
        best[better], least[better] = tried[better], error[better]
    moved = np.moveaxis(weights, axis, 0)
    return np.ascontiguousarray(np.moveaxis(best.reshape(moved.shape), 0, axis), dtype=np.float32)


def _room(at: int, wide: int) -> int:
    """Return how many values a term has: 4 with two bits, 2 with one."""
    return 4 if at < wide else 2
