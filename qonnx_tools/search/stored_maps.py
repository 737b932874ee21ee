"""The feature maps that a search stores compressed, and how many bytes they take at each width.

Their streams are lossless, so that a plan computes the same with and without them; a narrower map has fewer bytes.
"""

from collections.abc import Mapping

import numpy as np

from qonnx_tools.compression.choice import chosen_maps
from qonnx_tools.compression.trials import mean_bytes
from qonnx_tools.cost import UNIFORM_BITS
from qonnx_tools.feature_map_plan import FeatureMapPlan
from qonnx_tools.runtime import run, session
from qonnx_tools.search.images import Images
from qonnx_tools.search.space import ACTIVATION, Space, bits_of

IMAGES = 32
"""Whose streams are measured."""
LOSSLESS = FeatureMapPlan()

Sizes = Mapping[str, Mapping[int, float]]
"""Mean bytes of the streams of one image, by tensor and width."""


def stored_maps(space: Space) -> tuple[str, ...]:
    """Return the feature maps that are stored compressed: the outputs of blocks, in graph order.

    Raises:
        ConfigError: the network has none in one fixed-point format.
    """
    return chosen_maps(space.model.graph, space.plan(space.widest()))


def stored_sizes(space: Space, names: tuple[str, ...], images: Images) -> Sizes:
    """Return how many bytes the maps ``names`` of the float network take, rounded to each width that they may have."""
    values = run(session(space.model, outputs=names), images.images[:IMAGES], names)
    of_maps = [choice for choice in space.choices if choice.kind == ACTIVATION]
    widths = {name: tuple(map(bits_of, choice.widths)) for choice in of_maps for name in choice.tensors}
    sizes: dict[str, dict[int, float]] = {name: {} for name in names}
    for width in sorted({UNIFORM_BITS, *(width for name in names for width in widths.get(name, ()))}):
        chosen = {choice.key: width for choice in space.choices if choice.kind == ACTIVATION}
        plan = space.plan({**space.widest(), **chosen})
        for name, maps in zip(names, values, strict=True):
            of = plan.tensors[name]
            codes = of.format.encode(np.asarray(maps), of.rounding).astype(of.format.carrier)
            sizes[name][width] = mean_bytes(codes, of.format, LOSSLESS)  # type: ignore[arg-type]  # fixed point: chosen
    return sizes
