"""A residual classifier of three layers with random weights, and images for it."""

import numpy as np

from qonnx_tools.graph import Model, from_proto, parse

TEXT = """
    <ir_version: 8, opset_import: ["" : 17]>
    g (float[N, 3, 6, 6] x) => (float[N, 5] y)
    <float[4, 3, 3, 3] w, float[4] b, float[4, 4, 3, 3] v, float[4] c, float[4, 5] u, float[5] d>
    {
        [first] a = Conv <pads = [1, 1, 1, 1]> (x, w, b) e = Relu (a)
        [second] f = Conv <pads = [1, 1, 1, 1]> (e, v, c) g = Add (e, f) h = Relu (g)
        i = GlobalAveragePool (h) j = Flatten (i)
        [last] y = Gemm (j, u, d)
    }
"""
SHAPES = {"w": (4, 3, 3, 3), "b": (4,), "v": (4, 4, 3, 3), "c": (4,), "u": (4, 5), "d": (5,)}


def small_classifier() -> Model:
    random = np.random.default_rng(0)
    return from_proto(
        parse(TEXT, **{name: random.normal(size=shape).astype(np.float32) for name, shape in SHAPES.items()})
    )


def small_images(count: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, 3, 6, 6)).astype(np.float32)
