"""A residual classifier of three layers with random weights, and images for it."""

import numpy as np

from qonnx_tools.graph import Model, from_proto, parse
from qonnx_tools.runtime import run, session

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
NORMALIZED = """
    <ir_version: 8, opset_import: ["" : 17]>
    g (float[N, 3, 6, 6] x) => (float[N, 5] y)
    <float[4, 3, 3, 3] w, float[4] b, float[4] scale, float[4] offset, float[4] mean, float[4] variance,
     float[4, 5] u, float[5] d>
    {
        [first] a = Conv <pads = [1, 1, 1, 1]> (x, w, b) e = Relu (a)
        [norm] h = BatchNormalization <epsilon = 0.0> (e, scale, offset, mean, variance)
        i = GlobalAveragePool (h) j = Flatten (i)
        [last] y = Gemm (j, u, d)
    }
"""
PARAMETERS = {"scale": (4,), "offset": (4,), "mean": (4,), "variance": (4,)}


def small_classifier() -> Model:
    return _balanced(TEXT, _values(SHAPES))


def normalized_classifier() -> Model:
    """A classifier whose batch normalization follows its activation function, so that it cannot be folded."""
    values = _values({name: SHAPES[name] for name in ("w", "b", "u", "d")} | PARAMETERS)
    return _balanced(NORMALIZED, values | {"variance": np.square(values["variance"]) + np.float32(0.5)})


def _balanced(text: str, values: dict[str, np.ndarray]) -> Model:
    """Return the model with a last bias that makes the mean of every logit zero, so that every class is given."""
    first = from_proto(parse(text, **values))
    logits = run(session(first), small_images(200, seed=7))[0]
    return from_proto(parse(text, **values | {"d": values["d"] - logits.mean(axis=0)}))


def _values(shapes: dict[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    return {name: random.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


def small_images(count: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, 3, 6, 6)).astype(np.float32)
