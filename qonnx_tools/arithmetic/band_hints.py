"""What the bands before say of how large the coefficients of a band are.

    hint(HL) = |parent|,   hint(LH) = |parent| + |HL|,   hint(HH) = |parent| + |HL| + |LH|

at the same place of the same channel; the parent of (y, x) is (floor(y / 2), floor(x / 2)) in the band of the same
orientation one level coarser. What lies outside a band, or in no band, is 0.
"""

from collections.abc import Mapping

import numpy as np

from qonnx_tools.arithmetic.wavelet import Integers, Subband

BEFORE: dict[str, tuple[str, ...]] = {"HL": (), "LH": ("HL",), "HH": ("HL", "LH")}
"""Bands of the same level that come before."""


def band_hints(band: Subband, shape: tuple[int, int, int], known: Mapping[Subband, Integers]) -> Integers:
    """Return the hints for a band of ``shape``; ``known`` are the bands before, of the same channels."""
    name, level = band
    found = np.zeros(shape, np.int64)
    for other in BEFORE.get(name, ()):
        _add(found, np.abs(known[other, level]))
    parent = known.get((name, level + 1))
    if parent is not None:
        _add(found, np.abs(parent).repeat(2, axis=1).repeat(2, axis=2))
    return found


def _add(found: Integers, magnitudes: Integers) -> None:
    rows, columns = (min(sides) for sides in zip(found.shape[1:], magnitudes.shape[1:], strict=True))
    found[:, :rows, :columns] += magnitudes[:, :rows, :columns]
