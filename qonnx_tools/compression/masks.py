"""Which channels of a feature map go without their finest bands: those whose bands matter least to the outputs.

What a channel's bands matter is their energy times how much the outputs feel it. The channels are put in groups of like
energy; all bands of a group are left out together, and the squared change of the outputs over the energy that was left
out is what the outputs feel of each unit of it. That takes a few runs of the network behind the map, and no gradient.
Groups are few and bands not independent, so that energies are weighted with the square root of it: halfway, by the
geometric mean, between the energy alone and the effect as measured. Divergences do worse: left out bands are large
errors, which most images show not at all and some entirely.

How many channels each of several maps gives for a share of all bands is found alike: the bands of more and more groups
of a map are left out, those first that matter least, and the change of the outputs is measured. Of that curve the
convex part counts, and channels go in the order of what each number of their bands costs, whatever their map.
"""

from collections.abc import Mapping
from dataclasses import replace

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


def dropped_channels(cut: CutMap, plan: FeatureMapPlan, count: int) -> tuple[int, ...]:
    """Return the ``count`` channels whose finest bands matter least. ``plan`` names the wavelet and its levels."""
    if count in (0, cut.codes.shape[1]):
        return tuple(range(count))
    return tuple(sorted(_ranked(cut, plan)[:count].tolist()))


def counts_of_all(maps: Mapping[str, tuple[CutMap, FeatureMapPlan]], share: float) -> dict[str, int]:
    """Return how many channels of each map go without, for ``share`` of the bands of all of them, by their numbers.

    That is to half a channel. ``maps`` have the plan that names the wavelet beside them.
    """
    sizes = {name: int(np.prod(cut.codes.shape[2:])) for name, (cut, _) in maps.items()}
    left = share * sum(cut.codes.shape[1] * sizes[name] for name, (cut, _) in maps.items())
    counts = dict.fromkeys(maps, 0)
    prices = [
        (price / sizes[name], place, name)
        for name, (cut, plan) in maps.items()
        for place, price in enumerate(_prices(cut, plan))
    ]
    for _, _, name in sorted(prices):
        if sizes[name] / 2 <= left:
            left -= sizes[name]
            counts[name] += 1
    return counts


def _prices(cut: CutMap, plan: FeatureMapPlan) -> npt.NDArray[np.float64]:
    """Return what the outputs change by for each channel, ``[C]``, those that matter least first; it never falls."""
    from scipy.optimize import isotonic_regression  # noqa: PLC0415  # slow to import

    groups = np.array_split(_ranked(cut, plan), min(GROUPS, cut.codes.shape[1]))
    gone = [np.concatenate(groups[: number + 1]) for number in range(len(groups))]
    errors = [0.0, *(_error(cut, plan, channels) for channels in gone)]
    sizes = [len(group) for group in groups]
    return np.repeat(isotonic_regression(np.diff(errors) / sizes, weights=sizes).x, sizes)


def _ranked(cut: CutMap, plan: FeatureMapPlan) -> npt.NDArray[np.intp]:
    """Return the channels in the order of what their finest bands matter, the least first."""
    energies = band_energies(cut.codes, Wavelet(plan.transform))
    effects = energies * np.sqrt(_sensitivities(cut, plan, energies))
    return np.lexsort((energies, effects))


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
        found[group] = _error(cut, plan, group) / energy if energy else 0.0
    return found


def _error(cut: CutMap, plan: FeatureMapPlan, channels: npt.NDArray[np.intp]) -> float:
    """Return the change of the outputs without the finest bands of ``channels``."""
    trial = replace(plan, step=1.0, dropped=tuple(sorted(channels.tolist())))
    return cut.error(returned(cut.codes, cut.format, trial))
