"""Median-edge prediction along a map, and the unsigned numbers that signed ones become.

The neighbours of a sample are W (left), N (above), NW and NE. Where one lies outside the map another stands for it: W
is N in the first column, N is W in the first row, NW is N in either, NE is N in the first row and the last column; the
first sample has none: all are 0.

    median edge = min(W, N) if NW >= max(W, N);  max(W, N) if NW <= min(W, N);  else W + N - NW

Source: Weinberger, Seroussi, Sapiro, "The LOCO-I lossless image compression algorithm", 2000.
"""

import numpy as np
import numpy.typing as npt

from qonnx_tools.arithmetic.wavelet import Integers


def median_edge(w: int, n: int, nw: int) -> int:
    """Return the prediction from three neighbours: the median of W, N and W + N - NW."""
    return max(min(w, n), min(max(w, n), w + n - nw))


def residuals(x: npt.ArrayLike) -> Integers:
    """Return ``x - median edge`` for maps ``[C, H, W]``."""
    values = np.asarray(x, np.int64)
    if values.size == 0:
        return values
    west, north, corner = np.zeros_like(values), np.zeros_like(values), np.zeros_like(values)
    west[:, :, 1:] = values[:, :, :-1]
    north[:, 1:] = values[:, :-1]
    corner[:, 1:, 1:] = values[:, :-1, :-1]
    west[:, 1:, 0], corner[:, 1:, 0] = north[:, 1:, 0], north[:, 1:, 0]
    north[:, 0], corner[:, 0] = west[:, 0], west[:, 0]
    least, most = np.minimum(west, north), np.maximum(west, north)
    return np.asarray(values - np.maximum(least, np.minimum(most, west + north - corner)), np.int64)


def from_residuals(e: npt.ArrayLike) -> Integers:
    """Return the maps ``[C, H, W]`` that have these residuals."""
    x = np.array(e, np.int64)
    channels, height, width = x.shape
    for c in range(channels):
        for row in range(height):
            for column in range(width):
                w, n, nw, _ = neighbours(x[c], row, column)
                x[c, row, column] += median_edge(w, n, nw)
    return x


def neighbours(plane: Integers, row: int, column: int) -> tuple[int, int, int, int]:
    """Return W, N, NW and NE of a sample of a map ``[H, W]``."""
    if row == 0:
        w = int(plane[0, column - 1]) if column else 0
        return w, w, w, w
    n = int(plane[row - 1, column])
    w = int(plane[row, column - 1]) if column else n
    nw = int(plane[row - 1, column - 1]) if column else n
    ne = int(plane[row - 1, column + 1]) if column + 1 < plane.shape[1] else n
    return w, n, nw, ne


def to_unsigned(v: npt.ArrayLike) -> Integers:
    """Return 2v for v >= 0 and -2v - 1 for v < 0."""
    values = np.asarray(v, np.int64)
    return np.where(values < 0, -2 * values - 1, 2 * values)


def to_signed(u: npt.ArrayLike) -> Integers:
    """Return v of :func:`to_unsigned`."""
    values = np.asarray(u, np.int64)
    return np.where(values & 1, -(values >> 1) - 1, values >> 1)
