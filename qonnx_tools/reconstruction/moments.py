"""What calibration images say of a layer's inputs and of the outputs that it should have: second moments."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Floats = npt.NDArray[np.float32]


@dataclass
class Moments:
    """Sums over the positions of a layer with G groups of R outputs that read K inputs each.

    ``gram`` is sum x x^T ``[G, K, K]``, ``cross`` sum t x^T ``[G, R, K]``, ``inputs`` sum x ``[G, K]``, ``targets``
    sum t ``[G, R]``, ``power`` sum t^2 ``[G, R]``; ``count`` the positions. With weights w and an offset c a channel,

        sum (w x + c - t)^2  =  w gram w^T - 2 cross w^T + ..

    so they say all about the squared error of every choice of weights.
    """

    gram: Array
    cross: Array
    inputs: Array
    targets: Array
    power: Array
    count: int = 0

    @classmethod
    def zero(cls, groups: int, outputs: int, inputs: int) -> "Moments":
        """Return sums of nothing."""
        return cls(
            np.zeros((groups, inputs, inputs)),
            np.zeros((groups, outputs, inputs)),
            np.zeros((groups, inputs)),
            np.zeros((groups, outputs)),
            np.zeros((groups, outputs)),
        )

    def add(self, x: Floats, targets: Floats) -> None:
        """Add positions: ``x`` ``[G, K, n]`` and ``targets`` ``[G, R, n]``."""
        for group, (columns, wanted) in enumerate(zip(x, targets, strict=True)):  # BLAS takes matrices, not stacks
            self.gram[group] += columns @ columns.T
            self.cross[group] += wanted @ columns.T
        self.inputs += x.sum(axis=2, dtype=np.float64)
        self.targets += targets.sum(axis=2, dtype=np.float64)
        self.power += np.square(targets, dtype=np.float64).sum(axis=2)
        self.count += x.shape[2]

    def centred(self) -> tuple[Array, Array]:
        """Return gram and cross about the means, per position: what is left when the offset is the best one."""
        inputs, targets = self.inputs / self.count, self.targets / self.count
        gram = self.gram / self.count - inputs[:, :, None] * inputs[:, None, :]
        return gram, self.cross / self.count - targets[:, :, None] * inputs[:, None, :]

    def plain(self) -> tuple[Array, Array]:
        """Return gram and cross per position, for a layer without an offset."""
        return self.gram / self.count, self.cross / self.count

    def variance(self) -> Array:
        """Return the variance of each target, ``[G, R]``."""
        return np.asarray(self.power / self.count - np.square(self.targets / self.count))

    def offset(self, weights: Array) -> Array:
        """Return the offset ``[G, R]`` of least error for ``weights`` ``[G, R, K]``: mean t - w mean x."""
        return np.asarray((self.targets - (weights @ self.inputs[:, :, None])[..., 0]) / self.count)
