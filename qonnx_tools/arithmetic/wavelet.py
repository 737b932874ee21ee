"""Integer wavelets by lifting, lossless for every size.

One dimension, N samples, of which the low half has ceil(N / 2) and the high half floor(N / 2); N = 1 is the identity:

    5/3:   d[n] = x[2n+1] - floor((x[2n] + x[2n+2]) / 2)     s[n] = x[2n] + floor((d[n-1] + d[n] + 2) / 4)
    Haar:  d[n] = x[2n+1] - x[2n]                            s[n] = x[2n] + floor(d[n] / 2)

What lies outside is mirrored: x[N] = x[N-2], d[-1] = d[0], d[floor(N/2)] = d[floor(N/2) - 1]. In Haar an odd last
sample is low as it is. Two dimensions: rows first (along the width), then columns; the next level does LL again.

Source: Calderbank, Daubechies, Sweldens, Yeo, "Wavelet transforms that map integers to integers", 1998.
"""

from collections.abc import Callable, Mapping
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from qonnx_tools.errors import ConfigError

Integers = npt.NDArray[np.int64]
Subband = tuple[str, int]
"""Orientation and level: ``("HL", 1)`` is the finest band that is high along the width and low along the height."""

LEVELS = (1, 3)
"""Fewest and most levels."""


class Wavelet(StrEnum):
    """The integer wavelets."""

    HAAR = "haar"
    WAVELET53 = "wavelet53"


def subbands(levels: int) -> tuple[Subband, ...]:
    """Return the bands of a transform from the coarsest to the finest, the order of every stream."""
    details = [(name, level) for level in range(levels, 0, -1) for name in ("HL", "LH", "HH")]
    return (("LL", levels), *details)


def subband_shape(band: Subband, height: int, width: int) -> tuple[int, int]:
    """Return height and width of a band of a ``[height, width]`` map; either may be 0."""
    name, level = band
    for _ in range(level - 1):
        height, width = -(-height // 2), -(-width // 2)
    low = (-(-height // 2), -(-width // 2))
    return (height // 2 if name[1] == "H" else low[0], width // 2 if name[0] == "H" else low[1])


def forward(x: npt.ArrayLike, wavelet: Wavelet, levels: int) -> dict[Subband, Integers]:
    """Return the bands of integers ``[..., H, W]``, in the order of :func:`subbands`."""
    low = np.asarray(x, np.int64)
    _check(levels)
    found: dict[Subband, Integers] = {}
    for level in range(1, levels + 1):
        left, right = split(low, wavelet, axis=-1)
        low, lh = split(left, wavelet, axis=-2)
        hl, hh = split(right, wavelet, axis=-2)
        found |= {("HL", level): hl, ("LH", level): lh, ("HH", level): hh}
    return {band: found.get(band, low) for band in subbands(levels)}


def inverse(bands: Mapping[Subband, npt.NDArray[np.integer]], wavelet: Wavelet) -> Integers:
    """Return the integers ``[..., H, W]`` whose bands these are."""
    levels = max(level for _, level in bands)
    low = np.asarray(bands["LL", levels], np.int64)
    for level in range(levels, 0, -1):
        left = join(low, bands["LH", level], wavelet, axis=-2)
        right = join(bands["HL", level], bands["HH", level], wavelet, axis=-2)
        low = join(left, right, wavelet, axis=-1)
    return low


def split(x: npt.NDArray[np.integer], wavelet: Wavelet, axis: int) -> tuple[Integers, Integers]:
    """Return the low and the high half along ``axis``."""
    samples = np.moveaxis(np.asarray(x, np.int64), axis, 0)
    even, odd = samples[0::2], samples[1::2]
    predict, update = _STEPS[wavelet]
    high = odd - predict(even, len(odd))
    low = even + update(high, len(even))
    return np.moveaxis(low, 0, axis), np.moveaxis(high, 0, axis)


def join(low: npt.NDArray[np.integer], high: npt.NDArray[np.integer], wavelet: Wavelet, axis: int) -> Integers:
    """Return the samples whose halves along ``axis`` these are."""
    s, d = (np.moveaxis(np.asarray(half, np.int64), axis, 0) for half in (low, high))
    predict, update = _STEPS[wavelet]
    x = np.empty((len(s) + len(d), *s.shape[1:]), np.int64)
    x[0::2] = s - update(d, len(s))
    x[1::2] = d + predict(x[0::2], len(d))
    return np.moveaxis(x, 0, axis)


def _check(levels: int) -> None:
    fewest, most = LEVELS
    if not fewest <= levels <= most:
        raise ConfigError(f"levels is {levels}; a wavelet has {fewest} to {most}")


def _predict_53(even: Integers, odd_count: int) -> Integers:
    following = np.concatenate([even[1:], even[-1:]])[:odd_count]
    return np.asarray((even[:odd_count] + following) >> 1, np.int64)


def _update_53(high: Integers, even_count: int) -> Integers:
    if len(high) == 0:
        return np.zeros((even_count, *high.shape[1:]), np.int64)
    before = np.concatenate([high[:1], high])[:even_count]
    after = np.concatenate([high, high[-1:]])[:even_count]
    return np.asarray((before + after + 2) >> 2, np.int64)


def _predict_haar(even: Integers, odd_count: int) -> Integers:
    return even[:odd_count]


def _update_haar(high: Integers, even_count: int) -> Integers:
    last = np.zeros((even_count - len(high), *high.shape[1:]), np.int64)
    return np.concatenate([high >> 1, last])


_Step = Callable[[Integers, int], Integers]
_STEPS: dict[Wavelet, tuple[_Step, _Step]] = {
    Wavelet.WAVELET53: (_predict_53, _update_53),
    Wavelet.HAAR: (_predict_haar, _update_haar),
}
