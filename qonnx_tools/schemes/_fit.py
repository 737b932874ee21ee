"""The format of a family that stands for given numbers with least squared error."""

from collections.abc import Iterable
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from qonnx_tools.arithmetic.fixed_point import FRAC_RANGE, FixedPoint
from qonnx_tools.arithmetic.formats import Format
from qonnx_tools.arithmetic.log import Log
from qonnx_tools.errors import ConfigError
from qonnx_tools.histogram import Histogram

EXACT_UP_TO = 1 << 16
"""Tensors with more elements than this are judged by their histogram."""
FINER_STEPS = 5
"""How many halvings of the step that just avoids saturation are tried; each halves the range too."""
LOG_CANDIDATES = np.arange(-2, 14) / 8
"""Octaves below the largest magnitude at which a log scale is tried."""

F = TypeVar("F", bound=Format)
Sample = tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]
"""Values and how often each occurs."""


def sample(values: npt.NDArray[np.float32]) -> Sample:
    """Return the elements of ``values`` with counts, exactly where there are few, else by histogram."""
    if values.size > EXACT_UP_TO:
        return Histogram.of(values).occupied()
    return values.ravel(), np.ones(values.size, dtype=np.int64)


def squared_error(candidate: Format, of: Sample, rounding: str | None = None) -> float:
    """Return the sum of (x - quantize(x))^2 over the sample, in float64."""
    values, counts = of
    error = values.astype(np.float64) - candidate.quantize(values, rounding)
    return float(np.dot(error * error, counts))


def best(candidates: Iterable[F], of: Sample, rounding: str | None = None) -> F:
    """Return the candidate of least squared error, the first of equals."""
    return min(candidates, key=lambda candidate: squared_error(candidate, of, rounding))


def fit_fixed(of: Sample, bits: int, *, signed: bool, narrow: bool = False, rounding: str | None = None) -> FixedPoint:
    """Return the fixed-point format of ``bits`` bits with the best fraction bits, per tensor."""
    values, _ = of
    largest = float(np.abs(values).max(initial=0.0))
    if largest == 0.0:
        return FixedPoint(bits, max(bits - signed, 0), signed, narrow)
    frac = bits - signed - int(np.ceil(np.log2(largest)))
    candidates = [
        FixedPoint(bits, min(max(frac + finer, FRAC_RANGE[0]), FRAC_RANGE[1]), signed, narrow)
        for finer in range(-1, FINER_STEPS)
    ]
    return best(candidates, of, rounding)


def fit_log(of: Sample, bits: int, steps: int, *, signed: bool, rounding: str | None = None) -> Log:
    """Return the log format of ``bits`` bits and ``steps`` an octave with the best scale, per tensor."""
    values, _ = of
    largest = float(np.abs(values).max(initial=0.0))
    if largest == 0.0:
        return Log(bits, 1.0, steps, signed)
    candidates = []
    for octaves in LOG_CANDIDATES:
        try:
            candidates.append(Log(bits, float(np.float32(largest * 2.0**-octaves)), steps, signed))
        except ConfigError:  # the smallest magnitude would leave float32's normal range
            continue
    if not candidates:
        return Log(bits, 1.0, steps, signed)
    return best(candidates, of, rounding)
