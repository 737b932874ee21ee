"""Formats of what depends on other formats: biases and offsets, which lie on the grid of the sums they are added to."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from qonnx_tools.arithmetic.fixed_point import FixedPoint
from qonnx_tools.plan import Plan, Role, TensorPlan
from qonnx_tools.schemes._fit import fit_fixed, fit_fixed_channels, sample
from qonnx_tools.schemes._grids import Bits, finest_bits, finest_of, not_finer, on_grid, refined
from qonnx_tools.topology import Layer, Normalization

SCALE_FRAC = 20
"""Most fraction bits of a batch-norm scale: what lies below changes no output, and shifts stay small."""


def scale_format(value: npt.NDArray[np.float32], bits: int, rounding: str | None, *, by_channel: bool) -> TensorPlan:
    """Return fixed point for the scale of a batch normalization."""
    if not by_channel:
        fitted = fit_fixed(sample(value), bits, signed=True, rounding=rounding)
        return TensorPlan(Role.BATCH_NORM, FixedPoint(bits, min(int(np.max(fitted.frac)), SCALE_FRAC)), rounding)
    fracs = np.minimum(fit_fixed_channels(value.reshape(-1, 1), 0, bits, rounding).frac, SCALE_FRAC)
    return TensorPlan(Role.BATCH_NORM, FixedPoint(bits, tuple(fracs.tolist())), rounding, 0)


def refitted(
    plan: Plan,
    values: Mapping[str, npt.NDArray[np.float32]],
    layers: Iterable[Layer],
    normalizations: Iterable[Normalization],
) -> Plan:
    """Return ``plan`` with the formats that other values and scales ask for, of the same widths.

    Batch-norm scales are fitted to their ``values``; biases and offsets are put on the grid of their sums again.
    """
    tensors = dict(plan.tensors)
    grids: dict[str, Bits] = {}

    def place(name: str | None, grid: Bits) -> None:
        line = tensors.get(name or "")
        if name is None or line is None or not isinstance(line.format, FixedPoint):
            return
        if line.role is Role.CONSTANT or (line.role is Role.BATCH_NORM and line.rounding is not None):
            tensors[name] = not_finer(line, grid)
        else:
            tensors[name] = on_grid(values[name], grid, line.format.bits, line.role)

    for layer in layers:
        if layer.weight in tensors:
            grids[layer.output] = finest_bits(tensors[layer.weight].format) + finest_of(layer.sources, tensors)
            place(layer.bias, grids[layer.output])
    for unit in normalizations:
        line = tensors.get(unit.scale)
        if line is None or not isinstance(line.format, FixedPoint):
            continue
        by_channel = line.format.channels is not None
        scale = scale_format(values[unit.scale], line.format.bits, line.rounding, by_channel=by_channel)
        tensors[unit.scale] = scale
        stored = any(name in tensors for name in unit.sources)
        grid = finest_of(unit.sources, tensors) if stored else grids.get(unit.input, np.asarray(0))
        place(unit.offset, refined(grid, finest_bits(scale.format)))
    return replace(plan, tensors=tensors)
