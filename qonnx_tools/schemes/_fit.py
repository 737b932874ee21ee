"""The format of a family that stands for given numbers with least squared error."""

from typing import Any

import numpy as np
import numpy.typing as npt

from qonnx_tools.arithmetic.fixed_point import FRAC_RANGE, FixedPoint
from qonnx_tools.arithmetic.formats import Format
from qonnx_tools.arithmetic.log import Log, LogRounding, magnitudes, thresholds
from qonnx_tools.histogram import Histogram
from qonnx_tools.schemes.family import Family, Parameters

EXACT_UP_TO = 1 << 16
"""Tensors with more elements than this are judged by their histogram."""
FINER_STEPS = 5
"""How many halvings of the step that just avoids saturation are tried; each halves the range too."""
CHANNEL_SPREAD = 20
"""Octaves that the channels of a layer may lie apart: shifts stay small, and what is smaller changes no output."""
SCALE_BITS = 15
"""Significant bits of a log scale."""
LOG_CANDIDATES = np.arange(-4, 13) / 8
"""Octaves below the largest magnitude at which a log scale is tried: above it the next magnitude may fit better."""
POWER_CANDIDATES = np.arange(-1, 3)
"""The same for scales that are powers of two."""

Array = npt.NDArray[np.float32]
Sample = tuple[Array, npt.NDArray[np.int64]]
"""Values and how often each occurs."""


def sample(values: Array) -> Sample:
    """Return the elements of ``values`` with counts, exactly where there are few, else by histogram."""
    if values.size > EXACT_UP_TO:
        return Histogram.of(values).occupied()
    return values.ravel(), np.ones(values.size, dtype=np.int64)


def squared_error(candidate: Format, of: Sample, rounding: str | None = None) -> float:
    """Return the sum of (x - quantize(x))^2 over the sample, in float64."""
    values, counts = of
    error = values.astype(np.float64) - candidate.quantize(values, rounding)
    return float(np.dot(error * error, counts))


def fit_fixed(of: Sample, bits: int, *, signed: bool, narrow: bool = False, rounding: str | None = None) -> FixedPoint:
    """Return the fixed-point format of ``bits`` bits with the best fraction bits, per tensor."""
    candidates = fixed_formats(np.abs(of[0]).max(initial=0.0), bits, signed=signed, narrow=narrow)
    return min(candidates, key=lambda candidate: squared_error(candidate, of, rounding))


def fit_fixed_channels(values: Array, axis: int, bits: int, rounding: str | None = None) -> FixedPoint:
    """Return the signed fixed-point format of ``bits`` bits with the best fraction bits for each channel."""
    rows = _rows(values, axis)
    family = fixed_family(rows, bits)
    return family.format_of(_best_for_rows(family, rows, rounding))


def fit_log(
    of: Sample, bits: int, steps: int, *, signed: bool, power_of_two: bool = False, rounding: str | None = None
) -> Log:
    """Return the log format of ``bits`` bits and ``steps`` an octave with the best scale, per tensor."""
    candidates = log_formats(np.abs(of[0]).max(initial=0.0), bits, steps, signed=signed, power_of_two=power_of_two)
    return min(candidates, key=lambda candidate: squared_error(candidate, of, rounding))


def fit_log_channels(
    values: Array, axis: int, bits: int, steps: int, *, power_of_two: bool = False, rounding: str | None = None
) -> Log:
    """Return the signed log format of ``bits`` bits and ``steps`` an octave with the best scale for each channel."""
    rows = _rows(values, axis)
    family = log_family(rows, bits, steps, power_of_two=power_of_two)
    mode = list(LogRounding)[Log.rounding_code(rounding)]
    scales = family.parameters.T
    errors = [_log_errors(row, own, bits, steps, mode) for row, own in zip(rows, scales, strict=True)]
    return family.choice(np.argmin(errors, axis=1))


def fixed_formats(largest: float, bits: int, *, signed: bool, narrow: bool = False) -> list[FixedPoint]:
    """Return the fixed-point formats of ``bits`` bits to try for numbers up to ``largest``."""
    return [FixedPoint(bits, int(frac), signed, narrow) for frac in _fracs(largest, bits, signed)]


def log_formats(largest: float, bits: int, steps: int, *, signed: bool, power_of_two: bool = False) -> list[Log]:
    """Return the log formats of ``bits`` bits and ``steps`` an octave to try for numbers up to ``largest``."""
    scales = _scales(largest, bits, steps, signed, power_of_two=power_of_two)
    return [Log(bits, float(scale), steps, signed) for scale in scales]


def fixed_family(rows: Array, bits: int) -> Family[FixedPoint]:
    """Return the signed fixed-point formats of ``bits`` bits to try for each of ``rows`` ``[C, n]``."""
    return Family(_fracs(_largest(rows), bits, signed=True), lambda fracs: FixedPoint(bits, _parameter(fracs)))


def log_family(rows: Array, bits: int, steps: int, *, power_of_two: bool = False) -> Family[Log]:
    """Return the signed log formats of ``bits`` bits and ``steps`` an octave to try for each of ``rows`` ``[C, n]``."""
    scales = _scales(_largest(rows), bits, steps, signed=True, power_of_two=power_of_two)
    return Family(scales, lambda scale: Log(bits, _parameter(scale), steps))


def _log_errors(row: Array, scales: Array, bits: int, steps: int, mode: LogRounding) -> npt.NDArray[np.float64]:
    """Return the squared error of each signed log format with ``scales`` on ``row``.

    Sorted by magnitude, the numbers of a code are a run, and with n of them, their sum and their sum of squares the
    error of a code's value v is  sum x^2 - 2 v sum x + n v^2.  So all formats share one sort.
    """
    count = 2 ** (bits - 1) - 1
    size = np.sort(np.abs(row.astype(np.float64)))
    reached = thresholds(scales, count, steps, mode)[:, ::-1]
    first = np.searchsorted(size * size if mode is LogRounding.LOG else size, reached, side="left")
    ends = np.concatenate([first, np.full((len(scales), 1), size.size)], axis=1)
    sums = np.concatenate([[0.0], np.cumsum(size)])
    values = magnitudes(scales, count, steps)[:, ::-1].astype(np.float64)
    gained = 2 * values * np.diff(sums[ends], axis=1) - values**2 * np.diff(ends, axis=1)
    return np.asarray(np.dot(size, size) - gained.sum(axis=1))


def _fracs(largest: npt.ArrayLike, bits: int, signed: bool) -> npt.NDArray[np.int64]:
    """Return the fraction bits to try for each largest magnitude, ``[candidates, *largest.shape]``, coarsest first."""
    size = np.asarray(largest, dtype=np.float64)
    whole = np.ceil(np.log2(np.where(size > 0, size, 1.0))).astype(np.int64)
    finer = np.arange(-1, FINER_STEPS).reshape(-1, *[1] * size.ndim)
    return np.asarray(np.clip(bits - int(signed) - whole + finer, *FRAC_RANGE))


def _scales(
    largest: npt.ArrayLike, bits: int, steps: int, signed: bool, *, power_of_two: bool = False
) -> npt.NDArray[np.float32]:
    """Return the scales to try, ``[candidates, *largest.shape]``: those whose magnitudes float32 can hold.

    Each has SCALE_BITS significant bits, so that a small integer multiplier behind the accumulator stands for it; or
    just one, where it must be a ``power_of_two``.
    """
    size = np.asarray(largest, dtype=np.float64)
    lowest = 2.0**-126 * 2.0 ** ((Log(bits, 2.0**126, steps, signed).count - 1) / steps) * 2
    candidates = POWER_CANDIDATES if power_of_two else LOG_CANDIDATES
    octaves = candidates.reshape(-1, *[1] * size.ndim)
    mantissas, exponents = np.frexp(np.clip(np.where(size > 0, size, 1.0) * 2.0**-octaves, lowest, 2.0**126))
    significant = 0 if power_of_two else SCALE_BITS  # a mantissa of 1/2 to 1 becomes 1
    rounded = np.ldexp(
        np.ceil(mantissas) if power_of_two else np.rint(np.ldexp(mantissas, SCALE_BITS)), exponents - significant
    )
    return np.array(np.minimum(rounded, 2.0**126), dtype=np.float32)


def _rows(values: Array, axis: int) -> Array:
    """Return ``values`` as ``[channels, others]``."""
    return np.ascontiguousarray(np.moveaxis(values, axis, 0)).reshape(values.shape[axis], -1)


def _largest(rows: Array) -> npt.NDArray[np.float64]:
    """Return the largest magnitude of each row, but at least 2**-CHANNEL_SPREAD of the largest of all."""
    largest = np.abs(rows, dtype=np.float64).max(axis=1, initial=0.0)
    return np.asarray(np.maximum(largest, largest.max(initial=0.0) * 2.0**-CHANNEL_SPREAD))


def _best_for_rows(family: Family[Any], rows: Array, rounding: str | None) -> Parameters:
    """Return for each row the first of its candidates, ``[candidates, rows]``, with the least squared error.

    The error of a row's extremes alone is a lower bound. Where it exceeds the least error so far, which holds for
    most candidates that saturate, the others are not looked at.
    """
    extremes = np.stack([rows.min(axis=1, initial=0.0), rows.max(axis=1, initial=0.0)], axis=1)
    candidates, format_of = family.parameters, family.format_of
    errors = np.full(candidates.shape, np.inf)
    least = np.full(len(rows), np.inf)
    for parameters, error in zip(candidates, errors, strict=True):
        tried = _row_errors(format_of(parameters), extremes, rounding) <= least
        if tried.any():
            seen = rows if tried.all() else rows[tried]
            error[tried] = _row_errors(format_of(parameters[tried]), seen, rounding)
            np.minimum(least, error, out=least)
    return np.asarray(candidates[np.argmin(errors, axis=0), np.arange(len(rows))])


def _row_errors(candidate: Format, rows: Array, rounding: str | None) -> npt.NDArray[np.float64]:
    error = (rows - candidate.quantize(rows, rounding, 0)).astype(np.float64)
    return np.asarray(np.square(error, out=error).sum(axis=1))


def _parameter(values: Parameters) -> Any:
    """Return ``values`` as a format takes them: a number, or one a channel."""
    return tuple(values.tolist()) if values.ndim else values.item()
