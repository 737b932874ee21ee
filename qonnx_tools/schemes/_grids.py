"""What is added to a sum of products lies on its grid."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from qonnx_tools.arithmetic.fixed_point import FRAC_RANGE, FixedPoint
from qonnx_tools.arithmetic.formats import Format
from qonnx_tools.plan import Role, TensorPlan

Bits = npt.NDArray[np.int64]
"""Fraction bits, 0-d or one a channel."""


def finest_bits(of: Format) -> Bits:
    """Return f such that 2**-f is at most the smallest magnitude of the format, for each channel or 0-d."""
    step = of.decode(1 if of.channels is None else np.ones(of.channels, np.int64), 0)
    return np.asarray(np.ceil(-np.log2(step.astype(np.float64))), dtype=np.int64)


def finest_of(names: Iterable[str], tensors: Mapping[str, TensorPlan]) -> Bits:
    """Return the finest fraction bits of the tensors that have a format; 0 where none has."""
    found = [finest_bits(tensors[name].format).max() for name in names if name in tensors]
    return np.asarray(max(found, default=0), np.int64)


def refined(grid: Bits, bits: Bits) -> Bits:
    """Return ``grid`` with so many more fraction bits, 0-d or one a channel.

    A grid of fewer channels repeats: that of a grouped ConvTranspose, whose weights share formats between groups.
    """
    if grid.ndim and bits.ndim and bits.size != grid.size:
        grid = np.tile(grid, bits.size // grid.size) if bits.size % grid.size == 0 else grid.max()
    return np.asarray(grid + bits, np.int64)


def on_grid(value: npt.NDArray[np.float32], grid: Bits, bits: int, role: Role = Role.BIAS) -> TensorPlan:
    """Return fixed point on the ``grid`` of what it is added to, 0-d or [C], or as near to it as the width allows.

    The channels are the last dimension of ``value``. Where it has one number for all of them, that lies on the
    grid of each; where it has more, as behind a grouped ConvTranspose, the grid repeats.
    """
    channels = value.shape[-1] if value.ndim else 1
    if grid.ndim:
        grid = grid.min() if channels % grid.size else np.tile(grid, channels // grid.size)
    largest = np.abs(value, dtype=np.float64)
    largest = largest.max(axis=tuple(range(value.ndim - 1)) if grid.ndim else None, initial=0.0)
    with np.errstate(divide="ignore"):
        room = np.floor(np.log2((2 ** (bits - 1) - 1) / largest))
    frac = np.clip(np.minimum(grid, room), *FRAC_RANGE).astype(np.int64)
    if frac.ndim == 0 or frac.min() == frac.max():
        return TensorPlan(role, FixedPoint(bits, int(frac.flat[0])))
    return TensorPlan(role, FixedPoint(bits, tuple(frac.tolist())), axis=value.ndim - 1)


def not_finer(plan: TensorPlan, grid: Bits) -> TensorPlan:
    """Return ``plan``, made coarser where its one fixed-point step is finer than that of a channel of ``grid``."""
    if not isinstance(plan.format, FixedPoint) or np.max(plan.format.frac) <= grid.min():
        return plan
    return replace(plan, format=replace(plan.format, frac=int(grid.min())))
