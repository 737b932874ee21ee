"""A weighted layer as a matrix product: rows of weights, columns of inputs, targets."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from qonnx_tools.arithmetic.window import Window
from qonnx_tools.graph import gs

Floats = npt.NDArray[np.float32]
SUPPORTED = ("Conv", "Gemm", "MatMul")
Positions = tuple[slice, ...]
"""Of a map: one slice a dimension."""


@dataclass(frozen=True)
class LayerView:
    """A Conv, or a Gemm or MatMul with a matrix of weights, as G products of ``[R, K]`` by ``[K, positions]``.

    ``shape`` is that of the weights; ``groups`` G; ``transposed`` says that the weights are ``[K, R]``.
    """

    shape: tuple[int, ...]
    groups: int
    transposed: bool
    window: Window | None

    @classmethod
    def of(cls, node: gs.Node, shape: tuple[int, ...]) -> "LayerView | None":
        """Return the view of ``node``, or None where it is no such product."""
        if node.op == "Conv":
            attributes: dict[str, Any] = dict(node.attrs)
            window = Window.of(
                shape[2:], attributes.get("strides", ()), attributes.get("pads", ()), attributes.get("dilations", ())
            )
            return cls(shape, int(attributes.get("group", 1)), False, window)
        if node.op not in SUPPORTED or len(shape) != 2 or node.attrs.get("transA"):
            return None
        if node.attrs.get("alpha", 1.0) != 1.0 or node.attrs.get("beta", 1.0) != 1.0:
            return None
        return cls(shape, 1, not node.attrs.get("transB", 0), None)

    @property
    def outputs(self) -> int:
        """All output channels, G * R."""
        return self.shape[1] if self.transposed else self.shape[0]

    def rows(self, weights: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return weights as ``[G, R, K]``."""
        matrix = weights.T if self.transposed else weights
        return matrix.reshape(self.groups, self.outputs // self.groups, -1)

    def weights(self, rows: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return ``[G, R, K]`` in the shape of the weights."""
        if self.transposed:
            return np.ascontiguousarray(rows[0].T)
        return rows.reshape(self.shape)

    def columns(self, x: npt.NDArray[Any], positions: Positions = ()) -> npt.NDArray[Any]:
        """Return what output positions, of a window those at ``positions``, read of ``x``: ``[G, K, positions]``."""
        if self.window is None:
            return np.ascontiguousarray(x.reshape(-1, x.shape[-1]).T)[None]
        read = np.stack([each[:, :, *positions] for each in self.window.views(x)], axis=2)  # [N, C, taps, *O]
        batch, channels, taps = read.shape[:3]
        grouped = read.reshape(batch, self.groups, channels // self.groups * taps, -1)
        return np.ascontiguousarray(grouped.transpose(1, 2, 0, 3)).reshape(self.groups, grouped.shape[2], -1)

    def targets(self, y: Floats, positions: Positions = ()) -> Floats:
        """Return outputs ``y``, of a window those at ``positions``, as ``[G, R, positions]``."""
        if self.window is None:
            return np.ascontiguousarray(y.reshape(-1, y.shape[-1]).T)[None]
        by_channel = np.moveaxis(y[:, :, *positions].reshape(*y.shape[:2], -1), 1, 0)
        return np.ascontiguousarray(by_channel).reshape(self.groups, y.shape[1] // self.groups, -1)
