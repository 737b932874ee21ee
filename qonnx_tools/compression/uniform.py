"""One step for all feature maps, relative to the range of each."""

import math
from collections.abc import Mapping, Sequence

from qonnx_tools.arithmetic.bitstream import Coder, Transform
from qonnx_tools.arithmetic.wavelet import LEVELS, Wavelet
from qonnx_tools.compression.options import AUTO, FeatureMapOptions
from qonnx_tools.feature_map_plan import FeatureMapPlan, relative_step
from qonnx_tools.graph import gs
from qonnx_tools.plan import Plan


def uniform_maps(
    graph: gs.Graph, plan: Plan, names: Sequence[str], options: FeatureMapOptions
) -> Mapping[str, FeatureMapPlan]:
    """Return how each of these maps is compressed with the transform and the relative step that ``options`` name.

    "auto" is still to be tuned, and predictive here.
    """
    tensors = graph.tensors()
    return {
        name: FeatureMapPlan(
            Transform.PREDICTIVE if options.transform == AUTO else options.transform,
            options.coder or Coder.CONTEXT,
            levels_of(options, tensors[name].shape),
            relative_step(options.step, plan.tensors[name].format),
        )
        for name in names
    }


def levels_of(options: FeatureMapOptions, shape: Sequence[object]) -> int:
    """Return the levels of a map ``[N, C, H, W]``: until one row or column is left, at most 3; 0 without a wavelet."""
    if options.transform not in list(Wavelet):
        return 0
    fewest, most = LEVELS
    if options.levels is not None:
        return options.levels
    sides = [size for size in shape[2:] if isinstance(size, int)]
    return min(most, max(fewest, math.ceil(math.log2(min(sides))))) if sides else most
