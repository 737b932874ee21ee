"""How many channels of each of several maps go without their finest bands, where a share of all of them does."""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pytest

from qonnx_tools.arithmetic.fixed_point import FixedPoint
from qonnx_tools.arithmetic.wavelet import Wavelet
from qonnx_tools.compression.masks import band_energies, counts_of_all, dropped_channels
from qonnx_tools.compression.tails import CutMap
from qonnx_tools.feature_map_plan import FeatureMapPlan

OF = FixedPoint(8, 0, signed=False)
HAAR = FeatureMapPlan("haar", levels=1)


@dataclass(frozen=True)
class FeltBy:
    """A network behind a map that feels the squared change of each channel as much as ``weights`` ``[C]`` say."""

    weights: npt.NDArray[np.float64]
    codes: npt.NDArray[np.uint8]

    def error(self, values):
        return float(np.square(values - self.codes).sum(axis=(0, 2, 3)) @ self.weights)


def felt(weights, side):
    """A map of noise of the same energy in every channel, and a network that feels its channels so."""
    plane = np.random.default_rng(side).integers(60, 200, (8, 1, side, side))
    codes = np.repeat(plane, len(weights), axis=1).astype(np.uint8)
    return CutMap("x", OF, codes, FeltBy(np.array(weights, float), codes)), HAAR


def test_bands_go_where_each_number_of_them_costs_least():
    maps = {"small": felt([1, 1, 1, 9, 9, 9, 9, 9], 8), "large": felt([5, 5, 0.1, 0.1], 16)}
    assert counts_of_all(maps, 0.0) == {"small": 0, "large": 0}
    assert counts_of_all(maps, 1.0) == {"small": 8, "large": 4}
    # 1,536 numbers: 2 of the large ones at a tenth are 512, 3 of the small ones 192
    assert counts_of_all(maps, 512 / 1536) == {"small": 0, "large": 2}
    assert counts_of_all(maps, 704 / 1536) == {"small": 3, "large": 2}
    assert counts_of_all(maps, 960 / 1536) == {"small": 3, "large": 3}
    assert counts_of_all(maps, 1216 / 1536) == {"small": 3, "large": 4}


@pytest.mark.parametrize("share", np.linspace(0.05, 0.95, 7))
def test_the_share_is_met_to_half_a_channel(share):
    random = np.random.default_rng(3)
    maps = {f"{side}": felt(random.lognormal(size=12), side) for side in (4, 8, 12)}
    sizes = {name: cut.codes[0, 0].size for name, (cut, _) in maps.items()}
    counts = counts_of_all(maps, share)
    found = sum(count * sizes[name] for name, count in counts.items())
    assert abs(found - share * 12 * sum(sizes.values())) <= max(sizes.values()) / 2


def test_the_channels_are_those_of_least_effect():
    cut, plan = felt([3, 0.5, 2, 0.1, 8, 1], 8)
    assert dropped_channels(cut, plan, 3) == (1, 3, 5)
    quiet = replace(cut, codes=cut.codes.copy())
    quiet.codes[:, 4] = 100
    assert band_energies(quiet.codes, Wavelet.HAAR)[4] == 0
    assert 4 in dropped_channels(quiet, plan, 1)
