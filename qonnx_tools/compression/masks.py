"""Which channels of a feature map go without their finest bands: those whose bands matter least to the outputs.

What a channel's bands matter is their energy times how much the outputs feel it. The channels are put in groups of like
energy; all bands of a group are left out together, and the squared change of the outputs over the energy that was left
out is what the outputs feel of each unit of it. That takes a few runs of the network behind the map, and no gradient.
Groups are few and bands not independent, so that energies are weighted with the square root of it: halfway, by the
geometric mean, between the energy alone and the effect as measured. Divergences do worse: left out bands are large
errors, which most images show not at all and some entirely.
"""

import numpy as np
import numpy.typing as npt

from qonnx_tools.arithmetic.subband_quantization import NORM_UNIT, NORMS
from qonnx_tools.arithmetic.wavelet import Wavelet, forward
from qonnx_tools.compression.tails import CutMap
from qonnx_tools.compression.trials import returned
from qonnx_tools.feature_map_plan import FeatureMapPlan

GROUPS = 8
"""Of channels, for each map."""
FINEST = ("HL", "LH", "HH")


def dropped_channels(cut: CutMap, plan: FeatureMapPlan, share: float) -> tuple[int, ...]:
    """Return the channels, ``share`` of all rounded to the nearest number, whose finest bands matter least.

    ``plan`` names the wavelet and its levels.
    """
    channels = cut.codes.shape[1]
    count = int(share * channels + 0.5)
    if count in (0, channels):
        return tuple(range(count))
    energies = band_energies(cut.codes, Wavelet(plan.transform))
    effects = energies * np.sqrt(_sensitivities(cut, plan, energies))
    return tuple(sorted(np.lexsort((energies, effects))[:count].tolist()))


def band_energies(codes: npt.NDArray[np.integer], wavelet: Wavelet) -> npt.NDArray[np.float64]:
    """Return the mean energy ``[C]`` of the finest bands of maps ``[N, C, H, W]``, as it shows in the map."""
    bands = forward(codes, wavelet, 1)
    norms = {name: NORMS[wavelet][name][0] / NORM_UNIT for name in FINEST}
    each = [np.square(bands[name, 1] * norms[name]).sum(axis=(2, 3)).mean(axis=0) for name in FINEST]
    return np.asarray(np.sum(each, axis=0), np.float64)


def _sensitivities(cut: CutMap, plan: FeatureMapPlan, energies: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return what the outputs feel of each channel's energy, ``[C]``: one number for a group."""
    found = np.zeros_like(energies)
    for group in np.array_split(np.argsort(energies, kind="stable"), min(GROUPS, len(energies))):
        energy = energies[group].sum()
        trial = FeatureMapPlan(plan.transform, plan.coder, plan.levels, 1.0, tuple(sorted(group.tolist())))
        found[group] = cut.error(returned(cut.codes, cut.format, trial)) / energy if energy else 0.0
    return found
