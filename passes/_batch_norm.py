"""What a batch normalization computes, for the passes that rewrite it."""

import numpy as np
import numpy.typing as npt

from qonnx_tools.errors import UnsupportedError
from qonnx_tools.graph import constant_value, gs, is_constant, is_graph_output

Vector = npt.NDArray[np.float64]
_EPSILON = 1e-5  # ONNX's default


def reason_against(norm: gs.Node) -> str | None:
    """Return why ``norm`` is no constant affine map, or None where it is one."""
    if norm.attrs.get("training_mode", 0):
        return "it is in training mode"
    if any(tensor.outputs or is_graph_output(tensor) for tensor in list(norm.outputs)[1:]):
        return "its running statistics are read"
    if not is_constant(*list(norm.inputs)[1:]):
        return "its parameters are not constant"
    return None


def affine(norm: gs.Node) -> tuple[Vector, Vector]:
    """Return a and s, [channels] each."""
    gamma, beta, mean, variance = (constant_value(tensor).astype(np.float64) for tensor in list(norm.inputs)[1:])
    spread = variance + float(np.float32(norm.attrs.get("epsilon", _EPSILON)))
    if not (spread > 0).all():
        channel = int(np.argmin(spread > 0))
        raise UnsupportedError(
            norm.name, f"variance + epsilon is {spread[channel]:.9g} in channel {channel}; it must be positive"
        )
    scale = gamma / np.sqrt(spread)
    return scale, beta - scale * mean
