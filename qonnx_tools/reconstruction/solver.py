"""Weights on a grid that make the squared error of a layer's output small.

With the Gram matrix H of the inputs and the cross moments B of targets and inputs, the error of the weights q of one
output channel is q H q^T - 2 B q^T + const. It is lessened in two steps:

* column by column in the order of falling input power, each weight is rounded to the grid, and those that follow take
  over its error (optimal brain quantization; Frantar et al., GPTQ, 2022);
* coordinate descent: each weight in turn moves to the level that is best given all the others, until few moves help.

Both are greedy, so the same is done from plain rounding to nearest, and each channel keeps the better end.
All channels of all groups go through the loop side by side.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from qonnx_tools.schemes.family import Family

Array = npt.NDArray[np.float64]
DAMPING = 1e-3
"""Of the mean input power: what a change of a weight costs where the inputs say nothing about it."""
ROUNDING_DAMPING = 1e-2
"""The same while errors are handed on, which needs the inverse of the Gram matrix."""
BLOCK = 128
"""Columns whose effect on the others is applied at once."""
SWEEPS = 2
MANY = 8
"""Candidates; of more, not every one is judged."""
ELEMENTS = 1 << 24
"""Weights that candidates are judged with at once."""


@dataclass(frozen=True)
class Problem:
    """``gram`` ``[G, K, K]`` and ``cross`` ``[G, R, K]``, per position, of a layer with weights ``[G, R, K]``."""

    gram: Array
    cross: Array

    @classmethod
    def damped(cls, gram: Array, cross: Array, weights: Array) -> "Problem":
        """Return the problem with a small cost for leaving the trained ``weights``."""
        power = DAMPING * np.trace(gram, axis1=1, axis2=2)[:, None, None] / gram.shape[1]
        power = np.where(power > 0, power, 1.0)  # a group whose inputs are all zero keeps its weights
        return cls(gram + power * np.eye(gram.shape[1]), cross + power * weights)

    def times(self, count: int) -> "Problem":
        """Return the problem with each group's outputs ``count`` times."""
        return Problem(self.gram, np.tile(self.cross, (1, count, 1)))

    def optimum(self) -> Array:
        """Return the weights of least error, off the grid."""
        return np.asarray(np.swapaxes(np.linalg.solve(self.gram, np.swapaxes(self.cross, 1, 2)), 1, 2))

    def error(self, weights: Array) -> Array:
        """Return the squared error a position of each output, ``[G, R]``, but for a constant."""
        return np.asarray(np.einsum("grk,grk->gr", weights @ self.gram - 2 * self.cross, weights))


@dataclass(frozen=True)
class Grid:
    """The values ``scale * levels`` that a weight may have; ``levels`` ascend, ``scale`` is one a row, ``[G, R]``."""

    levels: Array
    scale: Array

    def nearest(self, values: Array) -> Array:
        """Return the value nearest to each of ``values``, ``[G, R]`` or ``[G, R, K]``."""
        scale = self.scale.reshape(*self.scale.shape, *[1] * (values.ndim - self.scale.ndim))
        if self._step:
            steps = np.rint((values / scale - self.levels[0]) / self._step)
            return np.asarray(self.levels[np.clip(steps, 0, len(self.levels) - 1).astype(np.intp)] * scale)
        return np.asarray(self.levels[np.searchsorted(self._middles, values / scale)] * scale)

    @cached_property
    def _step(self) -> float:
        """The distance of the levels where it is the same everywhere, else 0."""
        steps = np.diff(self.levels)
        return float(steps[0]) if len(steps) and np.allclose(steps, steps[0], rtol=1e-9, atol=0) else 0.0

    @cached_property
    def _middles(self) -> Array:
        return np.asarray((self.levels[1:] + self.levels[:-1]) / 2)


def choose(problem: Problem, family: Family[Any], *, shared: bool = False) -> tuple[npt.NDArray[np.intp], Array]:
    """Return the best candidate of ``family`` for each output, ``[C]``, and the weights ``[G, R, K]`` on its grid.

    A candidate is judged by the error that is left after rounding with it. Of many, which follow each other in size,
    every fourth is judged first, then the neighbours of the best.

    Args:
        problem: of the layer; its G * R outputs are the C channels of the family.
        family: the candidates, in order.
        shared: whether all channels take the same candidate.
    """
    levels, scales = family.levels(), family.scales()
    channels = np.arange(scales.shape[1])
    start, order = problem.optimum(), _order(problem.gram)
    factors = _factors(problem.gram, order)

    def ways(candidates: npt.NDArray[np.intp]) -> tuple[Problem, Grid, Array, Array]:
        """Return the candidates ``[S, C]`` as S times as many outputs of one problem, and both roundings of them."""
        several = problem.times(len(candidates))
        grid = Grid(levels, _beside(scales[candidates, channels], several))
        tiled = np.tile(start, (1, len(candidates), 1))
        return several, grid, round_columns(tiled, grid, factors, order), grid.nearest(tiled)

    def judge(candidates: npt.NDArray[np.intp]) -> Array:
        at_once = max(1, ELEMENTS // problem.cross.size)
        found = []
        for first in range(0, len(candidates), at_once):
            several, _, *rounded = ways(candidates[first : first + at_once])
            found.append(_apart(np.minimum(*map(several.error, rounded)), len(channels)))
        return np.concatenate(found)

    best = _best_candidate(judge, len(scales), len(channels), shared=shared)
    twice = np.stack([best, best])
    _, _, *rounded = ways(best[None])
    both = problem.times(2)
    ends = descend(both, Grid(levels, _beside(scales[twice, channels], both)), np.concatenate(rounded, axis=1))
    one, other = np.split(ends, 2, axis=1)
    return best, np.where((problem.error(one) <= problem.error(other))[..., None], one, other)


def _beside(values: Array, problem: Problem) -> Array:
    """Return ``[S, C]`` as ``[G, R]`` of a problem that was repeated S times."""
    groups, outputs = problem.cross.shape[:2]
    return values.reshape(len(values), groups, -1).swapaxes(0, 1).reshape(groups, outputs)


def _apart(values: Array, channels: int) -> Array:
    """Return ``[G, R]`` of a problem that was repeated as ``[S, C]``."""
    groups = len(values)
    return values.reshape(groups, -1, channels // groups).swapaxes(0, 1).reshape(-1, channels)


def _best_candidate(
    judge: Callable[[npt.NDArray[np.intp]], Array], count: int, channels: int, *, shared: bool
) -> npt.NDArray[np.intp]:
    """Return the candidate with the least error for each channel; ``judge`` tells the errors of rows of them."""
    errors = np.full((count, channels), np.inf)
    every = np.broadcast_to(np.arange(channels), (2, channels))

    def best() -> npt.NDArray[np.intp]:
        if shared:
            return np.full(channels, int(np.argmin(errors.sum(axis=1))))
        return np.asarray(np.argmin(errors, axis=0))

    stride = 4 if count > MANY else 1
    first = np.arange(0, count, stride)
    errors[first] = judge(np.repeat(first[:, None], channels, axis=1))
    while stride > 1:
        stride //= 2
        tried = np.clip(best() + np.array([[-stride], [stride]]), 0, count - 1)
        errors[tried, every] = judge(tried)
    return best()


def round_columns(weights: Array, grid: Grid, factors: Array, order: npt.NDArray[np.intp]) -> Array:
    """Return ``weights`` ``[G, R, K]`` on the grid, columns rounded in ``order`` and their errors handed on.

    ``factors`` is the upper Cholesky factor of the inverse Gram matrix in that order.
    """
    left = np.take_along_axis(weights, order[:, None, :], axis=2)
    done = np.empty_like(left)
    count = left.shape[2]
    for first in range(0, count, BLOCK):
        last = min(first + BLOCK, count)
        errors = np.empty((*left.shape[:2], last - first))
        for column in range(first, last):
            done[..., column] = grid.nearest(left[..., column])
            row = factors[:, column, column:last]
            error = (left[..., column] - done[..., column]) / row[:, :1]
            left[..., column:last] -= error[..., None] * row[:, None, :]
            errors[..., column - first] = error
        left[..., last:] -= errors @ factors[:, first:last, last:]
    result = np.empty_like(done)
    np.put_along_axis(result, np.broadcast_to(order[:, None, :], done.shape), done, axis=2)
    return result


def descend(problem: Problem, grid: Grid, weights: Array, sweeps: int = SWEEPS) -> Array:
    """Return ``weights`` after coordinate descent on the grid; no step makes the error larger."""
    current = weights.copy()
    power = np.diagonal(problem.gram, axis1=1, axis2=2)
    for _ in range(sweeps):
        before = current.copy()
        pull = problem.cross - current @ problem.gram  # half the negative slope
        for first in range(0, power.shape[1], BLOCK):
            block = slice(first, first + BLOCK)
            inner, moved = problem.gram[:, block, block], current[..., block].copy()
            own = pull[..., block]
            for column in range(inner.shape[1]):
                best = grid.nearest(moved[..., column] + own[..., column] / power[:, None, first + column])
                step = best - moved[..., column]
                if step.any():
                    own -= step[..., None] * inner[:, None, column, :]
                    moved[..., column] = best
            step_block = moved - current[..., block]
            current[..., block] = moved
            pull[..., first + BLOCK :] -= step_block @ problem.gram[:, block, first + BLOCK :]
            # columns before the block are looked at again in the next sweep, from a fresh slope
        if np.array_equal(before, current):
            break
    return current


def _order(gram: Array) -> npt.NDArray[np.intp]:
    """Return the columns of each group by falling power, ``[G, K]``."""
    return np.argsort(-np.diagonal(gram, axis1=1, axis2=2), axis=1, kind="stable")


def _factors(gram: Array, order: npt.NDArray[np.intp]) -> Array:
    """Return the upper Cholesky factor of the inverse of the damped Gram matrix, columns in ``order``."""
    sorted_rows = np.take_along_axis(gram, order[:, :, None], axis=1)
    ordered = np.take_along_axis(sorted_rows, order[:, None, :], axis=2)
    damping = ROUNDING_DAMPING * np.trace(gram, axis1=1, axis2=2)[:, None, None] / gram.shape[1]
    inverse = np.linalg.inv(ordered + damping * np.eye(gram.shape[1]))
    return np.asarray(np.swapaxes(np.linalg.cholesky((inverse + np.swapaxes(inverse, 1, 2)) / 2), 1, 2))
