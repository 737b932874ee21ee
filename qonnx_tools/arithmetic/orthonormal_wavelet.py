"""Orthonormal float wavelets, periodised, for comparison with the integer ones.

Along an axis of even length N, with the low-pass filter h of Haar or Daubechies' db2 and g[k] = (-1)^k h[K-1-k]:

    low[n] = sum_k h[k] x[(2n + k) mod N]        high[n] = sum_k g[k] x[(2n + k) mod N]

An odd axis is made even first by repeating its last sample. The transform is orthonormal: the error of the
coefficients is the error of the samples.

Source: Daubechies, "Ten lectures on wavelets", 1992.
"""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from qonnx_tools.arithmetic.wavelet import Subband, subbands
from qonnx_tools.errors import ConfigError

Floats = npt.NDArray[np.float64]

_ROOT3 = np.sqrt(3.0)
FILTERS: dict[str, Floats] = {
    "haar": np.array([1.0, 1.0]) / np.sqrt(2.0),
    "db2": np.array([1 + _ROOT3, 3 + _ROOT3, 3 - _ROOT3, 1 - _ROOT3]) / (4 * np.sqrt(2.0)),
}
"""Low-pass filters."""


def orthonormal_forward(x: npt.ArrayLike, wavelet: str, levels: int) -> dict[Subband, Floats]:
    """Return the bands of ``x`` ``[..., H, W]``, from the coarsest to the finest."""
    low = np.asarray(x, np.float64)
    found: dict[Subband, Floats] = {}
    for level in range(1, levels + 1):
        left, right = (_filtered(low, taps, -1) for taps in _taps(wavelet))
        low, lh = (_filtered(left, taps, -2) for taps in _taps(wavelet))
        hl, hh = (_filtered(right, taps, -2) for taps in _taps(wavelet))
        found |= {("HL", level): hl, ("LH", level): lh, ("HH", level): hh}
    return {band: found.get(band, low) for band in subbands(levels)}


def orthonormal_inverse(bands: Mapping[Subband, Floats], wavelet: str, height: int, width: int) -> Floats:
    """Return ``x`` ``[..., height, width]``, whose bands these are."""
    levels = max(level for _, level in bands)
    sizes = [(height, width)]
    for _ in range(levels - 1):
        sizes.append((-(-sizes[-1][0] // 2), -(-sizes[-1][1] // 2)))
    low = bands["LL", levels]
    for level, (rows, columns) in zip(range(levels, 0, -1), reversed(sizes), strict=True):
        left = _joined(low, bands["LH", level], wavelet, -2)
        right = _joined(bands["HL", level], bands["HH", level], wavelet, -2)
        low = _joined(left, right, wavelet, -1)[..., :rows, :columns]
    return low


def _taps(wavelet: str) -> tuple[Floats, Floats]:
    if wavelet not in FILTERS:
        raise ConfigError(f"wavelet '{wavelet}' is unknown; choose one of {', '.join(FILTERS)}")
    low = FILTERS[wavelet]
    return low, low[::-1] * (-1.0) ** np.arange(len(low))


def _filtered(x: Floats, taps: Floats, axis: int) -> Floats:
    samples = np.moveaxis(x, axis, -1)
    if samples.shape[-1] % 2:
        samples = np.concatenate([samples, samples[..., -1:]], axis=-1)
    found = sum(tap * np.roll(samples, -k, axis=-1)[..., 0::2] for k, tap in enumerate(taps))
    return np.moveaxis(np.asarray(found), -1, axis)


def _joined(low: Floats, high: Floats, wavelet: str, axis: int) -> Floats:
    halves = [np.moveaxis(half, axis, -1) for half in (low, high)]
    count = 2 * halves[0].shape[-1]
    x = np.zeros((*halves[0].shape[:-1], count))
    for half, taps in zip(halves, _taps(wavelet), strict=True):
        for k, tap in enumerate(taps):
            x[..., (2 * np.arange(count // 2) + k) % count] += tap * half
    return np.moveaxis(x, -1, axis)
