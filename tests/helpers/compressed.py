"""A small residual network with compressed feature maps, by a plan."""

from dataclasses import replace

from qonnx_tools.conversion import convert
from qonnx_tools.feature_map_plan import FeatureMapPlan
from tests.helpers.small_graphs import GRAPHS, model


def with_maps(maps, example="residual", **options):
    """Return a small network, and its plan in which these of its maps are compressed."""
    text, values = GRAPHS[example]
    network = model(text, **values)
    return network, replace(convert(network, **options).plan, feature_maps=maps)


LOSSY = {
    "r": FeatureMapPlan("wavelet53", levels=2, step=6.5, dropped=(1, 3)),
    "u": FeatureMapPlan("predictive", "rice", step=9.0),
}
"""Of the network "residual": what both branches read, and what the last layer reads."""
