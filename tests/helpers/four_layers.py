"""Four layers in a row as a scheme sees them, with random weights and activations."""

import numpy as np

from qonnx_tools.histogram import Histogram
from qonnx_tools.schemes.network import Network
from qonnx_tools.topology import Layer

RANDOM = np.random.default_rng(3)


def layer(name, source):
    return Layer(
        name,
        "Conv",
        f"{name}.weight",
        f"{name}.bias",
        source,
        (source,),
        f"{name}.out",
        f"{name}.out",
        f"{name}.out",
        0,
        (4, 4, 3, 3),
        None,
    )


LAYERS = (layer("first", "x"), layer("block/a", "a"), layer("block/b", "b"), layer("last", "c"))
NETWORK = Network(
    layers=LAYERS,
    constants=("offset",),
    values={
        "offset": np.float32([-3.0, 2.0]),
        **{item.weight: RANDOM.normal(size=(4, 4, 3, 3)).astype(np.float32) for item in LAYERS},
        **{item.bias: RANDOM.normal(size=4).astype(np.float32) for item in LAYERS},
    },
    histograms={
        "x": Histogram.of(RANDOM.normal(size=1000).astype(np.float32)),
        **{name: Histogram.of(np.maximum(RANDOM.normal(size=1000), 0).astype(np.float32)) for name in "abc"},
    },
)
