"""Log codes from results and from fixed-point codes, and back."""

from typing import Any

import numpy as np

from qonnx_tools.arithmetic.fixed_point import FixedPoint
from qonnx_tools.arithmetic.formats import Format
from qonnx_tools.arithmetic.log import Log
from qonnx_tools.arithmetic.log_products import split_scale, thresholds_on_grid
from qonnx_tools.lowering.state import Coded, Emitter, Pending, Target, element_type

EXACT_BITS = 32
"""Bits of a result on its way to log codes."""
WIDEST_TERM = 62
"""Bits that a result may have on the grid that it is shifted to."""
GRID_BITS = 16
"""Bits of fixed-point codes that stand for log codes."""
LOOKUP_BITS = 12
"""Widest input of a table."""


def unrounded(pending: Pending, of: Log) -> tuple[Coded, Log]:
    """Make 32-bit codes of a result, for :func:`by_thresholds`, and return what they are to be log codes of.

    They are rounded toward zero and saturate at the scale: on a grid that holds the thresholds, no comparison with
    these is changed. Where a multiplier that is rounded follows the accumulator anyway, it divides by what the scale
    has beside a power of two: then the thresholds of all layers are the same.
    """
    if pending.normalized is not None:
        (factor,), (exponent,) = split_scale(np.array([of.largest]))
        pending = pending.normalized(float(factor))
        of = Log(of.bits, float(2.0**exponent), of.steps, of.signed)
    exact = _exact_format(pending, of)
    return Coded(pending.emit(Target(exact, "toward_zero", *exact.code_range)), exact), of


def _exact_format(pending: Pending, of: Log) -> FixedPoint:
    """Return 32 bits that reach as far as the scale of ``of``, on no finer grid than the result has."""
    _, (exponent,) = split_scale(np.array([of.largest]))
    grid = np.asarray(pending.grid)
    finest = min(int(grid.max()), WIDEST_TERM - pending.width + int(grid.min()))
    return FixedPoint(EXACT_BITS, min(EXACT_BITS - 1 - int(exponent), finest))


def codes_of_codes(coded: Coded, of: FixedPoint | Log, rounding: str, make: Emitter, like: Any) -> Any:
    """Make codes of log codes, or log codes of others: by a table, or by thresholds where that would be long."""
    if coded.format.bits > LOOKUP_BITS and isinstance(of, Log):
        return by_thresholds(coded, of, rounding, make, like)
    return _looked_up(coded, of.encode(coded.format.decode(table_codes(coded.format)), rounding), of, make, like)


def decoded(coded: Coded, make: Emitter, like: Any) -> tuple[Coded, FixedPoint]:
    """Make fixed-point codes of log codes: to nearest on the finest grid on which 16 bits hold the scale."""
    of, signed = coded.format, is_signed(coded.format)
    largest = float(of.decode(of.code_range[1]))
    _, exponent = np.frexp((2.0 ** (GRID_BITS - signed) - 1) / largest)
    grid = FixedPoint(GRID_BITS, int(exponent) - 1, signed)
    return Coded(_looked_up(coded, grid.encode(of.decode(table_codes(of))), grid, make, like), grid), grid


def as_powers(coded: Coded, of: Log, make: Emitter, like: Any) -> tuple[Coded, float] | None:
    """Make fixed-point codes that stand, times a factor, for codes of ``of`` exactly; None where 16 bits do not.

    The factor is what the scale has beside a power of two.
    """
    if of.steps != 1 or of.count > GRID_BITS - of.signed:
        return None
    (factor,), (exponent,) = split_scale(np.array([of.largest]))
    powers = FixedPoint(of.count + of.signed, of.count - 1 - int(exponent), of.signed)
    codes = table_codes(of)
    table = np.sign(codes) * 2 ** np.maximum(np.abs(codes) - 1, 0)
    return Coded(_looked_up(coded, table, powers, make, like), powers), float(factor)


def is_signed(of: Format) -> bool:
    """Return whether codes of a format have both signs."""
    return bool(of.code_range[0] < 0)


def table_codes(of: Format) -> Any:
    """Return the codes that the entries of a table are for: those beyond the format are the nearest inside."""
    lowest = -(2 ** (of.bits - 1)) if is_signed(of) else 0
    return np.clip(np.arange(lowest, lowest + 2**of.bits), *of.code_range)


def _looked_up(coded: Coded, entries: Any, of: Format, make: Emitter, like: Any) -> Any:
    table = make.constant(f"{like.name}.table", entries, of.carrier)
    attributes = {
        "input_bits": coded.format.bits,
        "input_signed": int(is_signed(coded.format)),
        "to": element_type(of),
    }
    return make.node("Lookup", [coded.tensor, table], attributes, like, of.carrier)


def by_thresholds(coded: Coded, of: Log, rounding: str, make: Emitter, like: Any) -> Any:
    """Make log codes of fixed-point codes by comparing them with the thresholds of ``of`` on their grid."""
    reached = make.constant(f"{like.name}.thresholds", thresholds_on_grid(of, rounding, coded.frac), np.int64)
    attributes = {"bits": of.bits, "signed": int(of.signed), "to": element_type(of)}
    return make.node("LogRequantize", [coded.tensor, reached], attributes, like, of.carrier)
