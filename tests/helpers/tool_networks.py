"""Small networks for hls4ml and FINN: each has some of the cases that these tools take in their own way."""

import numpy as np
from small_graphs import NORM, V, W, conv

from qonnx_tools.graph import from_proto, parse

RANDOM = np.random.default_rng(3)
HEAD = {"m": RANDOM.normal(size=(5, 4)), "n": RANDOM.normal(size=5)}
END = "\n[p] p = GlobalAveragePool (u)\n[f] f = Flatten (p)\n[g] y = Gemm <transB = 1> (f, m, n)"
NORMED = (
    conv("c", "x", "z") + "\n[b] b = BatchNormalization (z, gamma, beta, mean, variance)\n[r] r = Relu (b)\n"
    + conv("d", "r", "s", "v") + "\n[q] u = Relu (s)" + END
)  # fmt: skip
STRIDED = "kernel_shape = [3, 3], pads = [1, 1, 1, 1], strides = [2, 2], group = 4"
BODIES = {
    "residual": (
        conv("c", "x", "z") + "\n[r] r = Relu (z)\n" + conv("d", "r", "s", "v")
        + "\n[a] t = Add (s, r)\n[q] u = Relu (t)" + END,
        {"w": W, "v": V},
    ),
    "batch norm": (NORMED, {"w": W, "v": V, **NORM}),
    "depthwise": (
        conv("c", "x", "z") + "\n[r] r = Relu (z)\n[k] k = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (r)\n"
        + conv("d", "k", "s", "h", STRIDED) + "\n[q] u = Relu (s)" + END,
        {"w": W, "h": RANDOM.normal(size=(4, 1, 3, 3)) * 0.3},
    ),
    "concat and flatten": (
        conv("c", "x", "z", "w", "kernel_shape = [3, 3], strides = [2, 2]") + "\n[r] r = Relu (z)\n"
        + conv("d", "r", "s", "v") + "\n[q] q = Relu (s)\n[k] k = Concat <axis = 1> (q, r)\n[f] f = Flatten (k)\n"
        + "[g] y = Gemm <transB = 1> (f, m, n)",
        {"w": W, "v": V, "m": RANDOM.normal(size=(5, 72))},
    ),
    "shortcut": (
        conv("c", "x", "z") + "\n[r] r = Relu (z)\n"
        "[i] i = Slice (r, zero, most, rows, two)\n[j] j = Slice (i, zero, most, columns, two)\n"
        "[k] k = Pad (j, around)\n" + conv("d", "r", "s", "o", "kernel_shape = [3, 3], pads = [1, 1, 1, 1], "
        "strides = [2, 2]") + "\n[a] t = Add (s, k)\n[q] q = Relu (t)\n"
        "[o] o2 = AveragePool <kernel_shape = [2, 2], strides = [2, 2]> (q)\n"
        "[e] e = Conv <kernel_shape = [1, 1]> (o2, l)\n[v] u = Relu (e)" + END,
        {"w": W, "o": RANDOM.normal(size=(8, 4, 3, 3)) * 0.3, "l": RANDOM.normal(size=(4, 8, 1, 1))},
    ),
}  # fmt: skip
SLICES = {
    "zero": np.array([0]), "most": np.array([2**62]), "rows": np.array([2]), "columns": np.array([3]),
    "two": np.array([2]), "around": np.array([0, 2, 0, 0, 0, 2, 0, 0]),
}  # fmt: skip


def network(name):
    """One of the networks above, in float."""
    body, values = BODIES[name]
    given = {**HEAD, **values, **(SLICES if "Slice" in body else {})}
    arrays = {each: value.astype(np.int64 if value.dtype.kind == "i" else np.float32) for each, value in given.items()}
    kinds = {np.dtype(np.int64): "int64", np.dtype(np.float32): "float"}
    declared = ", ".join(f"{kinds[a.dtype]}[{', '.join(map(str, a.shape))}] {each}" for each, a in arrays.items())
    text = f"""
        <ir_version: 8, opset_import: ["" : 17]>
        example (float[N, 3, 8, 8] x) => (float[N, 5] y) <{declared}> {{ {body} }}
        """
    return from_proto(parse(text, **arrays))
