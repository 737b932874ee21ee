"""Graphs of a few layers with random weights: what a lowering rule reads, and what reads its result."""

import numpy as np

from qonnx_tools.graph import from_proto, parse

RANDOM = np.random.default_rng(11)


def model(body, inputs="float[N, 3, 8, 8] x", outputs="float[N, 4, 8, 8] y", **values):
    text = f"""
        <ir_version: 8, opset_import: ["" : 17]>
        example ({inputs}) => ({outputs})
        <{", ".join(f"float[{', '.join(map(str, value.shape))}] {name}" for name, value in values.items())}>
        {{ {body} }}
        """
    return from_proto(parse(text, **{name: value.astype(np.float32) for name, value in values.items()}))


def conv(name, source, target, weight="w", attributes="kernel_shape = [3, 3], pads = [1, 1, 1, 1]"):
    return f"[{name}] {target} = Conv <{attributes}> ({source}, {weight})"


W = RANDOM.normal(size=(4, 3, 3, 3)) * 0.3
V = RANDOM.normal(size=(4, 4, 3, 3)) * 0.3
NORM = {
    "gamma": RANDOM.uniform(0.5, 2, 4),
    "beta": RANDOM.normal(size=4),
    "mean": RANDOM.normal(size=4),
    "variance": RANDOM.uniform(0.5, 2, 4),
}
GRAPHS = {
    "relu": (conv("c", "x", "z") + "\n[r] r = Relu (z)\n" + conv("d", "r", "y", "v"), {"w": W, "v": V}),
    "residual": (
        conv("c", "x", "z") + "\n[r] r = Relu (z)\n" + conv("d", "r", "s", "v")
        + "\n[a] t = Add (s, r)\n[q] u = Relu (t)\n" + conv("e", "u", "y", "v"),
        {"w": W, "v": V},
    ),
    "clip": (
        conv("c", "x", "z") + "\n[r] r = Clip (z, low, high)\n" + conv("d", "r", "y", "v"),
        {"w": W, "v": V, "low": np.array(0.25), "high": np.array(1.5)},
    ),
    "batch norm": (
        conv("c", "x", "z") + "\n[n] b = BatchNormalization (z, gamma, beta, mean, variance)\n[r] r = Relu (b)\n"
        + conv("d", "r", "y", "v"),
        {"w": W, "v": V, **NORM},
    ),
    "concat": (
        conv("c", "x", "z") + "\n[r] r = Relu (z)\n" + conv("d", "r", "s", "v")
        + "\n[k] k = Concat <axis = 1> (r, s)\n" + conv("e", "k", "y", "u"),
        {"w": W, "v": V, "u": RANDOM.normal(size=(4, 8, 3, 3)) * 0.3},
    ),
    "pooling": (
        conv("c", "x", "z") + "\n[r] r = Relu (z)\n[m] m = MaxPool <kernel_shape = [3, 3], pads = [1, 1, 1, 1]> (r)\n"
        "[p] p = AveragePool <kernel_shape = [2, 2]> (m)\n"
        + conv("d", "p", "y", "v", "kernel_shape = [3, 3], pads = [1, 1, 2, 2]"),
        {"w": W, "v": V},
    ),
    "moving": (
        conv("c", "x", "z") + "\n[r] r = Relu (z)\n[t] t = Transpose <perm = [0, 1, 3, 2]> (r)\n"
        + conv("d", "t", "y", "v"),
        {"w": W, "v": V},
    ),
    "depthwise": (
        conv("c", "x", "z") + "\n[r] r = Relu (z)\n"
        + conv("d", "r", "y", "g", "kernel_shape = [3, 3], pads = [1, 1, 1, 1], group = 4"),
        {"w": W, "g": RANDOM.normal(size=(4, 1, 3, 3)) * 0.3},
    ),
    "product": (
        conv("c", "x", "z") + "\n[s] s = Sigmoid (z)\n[p] p = Mul (z, s)\n" + conv("d", "p", "y", "v"),
        {"w": W, "v": V},
    ),
}  # fmt: skip


def images(count=5):
    return RANDOM.normal(size=(count, 3, 8, 8)).astype(np.float32)
