"""Convolution, pooling and batch normalization of maps [N, H, W, C], as the qonnx package names them for hls4ml.

They are no ops of this project: their bodies let onnxruntime run, and onnx check, a graph that is laid out so.
"""

from collections.abc import Mapping
from functools import cache

import onnx
import onnx.parser

CHANNELS_LAST = "qonnx.custom_op.channels_last"
"""The domain of these ops. Their weights are [out, H, W, in/group]."""

_BODIES: Mapping[str, tuple[str, str]] = {
    "Conv": (
        "<kernel_shape, strides, pads, dilations, group> (x, w, b)",
        """
        first = Transpose <perm = [0, 3, 1, 2]> (x)
        weights = Transpose <perm = [0, 3, 1, 2]> (w)
        result = Conv <kernel_shape: ints = @kernel_shape, strides: ints = @strides, pads: ints = @pads,
            dilations: ints = @dilations, group: int = @group> (first, weights, b)
        """,
    ),
    "MaxPool": (
        "<kernel_shape, strides, pads, dilations> (x)",
        """
        first = Transpose <perm = [0, 3, 1, 2]> (x)
        result = MaxPool <kernel_shape: ints = @kernel_shape, strides: ints = @strides, pads: ints = @pads,
            dilations: ints = @dilations> (first)
        """,
    ),
    "BatchNormalization": (
        "<epsilon> (x, scale, offset, mean, variance)",
        """
        first = Transpose <perm = [0, 3, 1, 2]> (x)
        result = BatchNormalization <epsilon: float = @epsilon> (first, scale, offset, mean, variance)
        """,
    ),
}
LAID_OUT = frozenset(_BODIES)
"""The names of the ops."""


@cache
def channels_last_body(name: str, opset: int) -> onnx.FunctionProto:
    """Return the op ``name`` as a function that imports the default domain's ``opset``."""
    head, text = _BODIES[name]
    return onnx.parser.parse_function(
        f'<domain: "{CHANNELS_LAST}", opset_import: ["": {opset}]>\n{name} {head} => (y)\n'
        f"{{{text}\n y = Transpose <perm = [0, 2, 3, 1]> (result) }}"
    )
