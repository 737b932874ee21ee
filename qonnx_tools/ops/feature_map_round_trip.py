"""FeatureMapRoundTrip: codes of feature maps as they come back from being compressed."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx

from qonnx_tools.arithmetic import coding
from qonnx_tools.arithmetic.bitstream import Transform
from qonnx_tools.arithmetic.subband_quantization import NORM_UNIT, NORMS, STEP_UNIT
from qonnx_tools.arithmetic.wavelet import LEVELS, Wavelet
from qonnx_tools.ops._codes import CodesOp, target_of
from qonnx_tools.ops._feature_map import CODING_INPUTS, MAP_FORMAT, TRANSFORM, check_map, coding_of
from qonnx_tools.ops._fixed_point import BOUNDS, MOST_BITS, formats
from qonnx_tools.ops.function import function

_PERIOD = 1 << LEVELS[1]
"""The band of a coefficient repeats after so many rows and columns."""


class FeatureMapRoundTrip(CodesOp):
    """Transform, quantize, and take back every map of a batch: what decoding its stream would give.

    A coder loses nothing, so the node knows none. Codes outside the number format are first clamped to it.
    """

    name = "FeatureMapRoundTrip"
    inputs = CODING_INPUTS
    attributes = (*TRANSFORM, *MAP_FORMAT)

    def check(self, inputs: Sequence[npt.NDArray[Any]]) -> None:
        check_map(self, inputs)

    def compute(self, inputs: Sequence[npt.NDArray[Any]], attributes: Mapping[str, Any]) -> npt.NDArray[Any]:
        x, chosen, number_format = inputs[0], coding_of(inputs, attributes), target_of(attributes)
        y: npt.NDArray[Any] = np.clip(x, *number_format.code_range).astype(x.dtype)
        for codes in y:
            codes[:] = coding.round_trip(codes, chosen, number_format)
        return y

    def body(self, opset: int) -> onnx.FunctionProto:
        places = range(_PERIOD)
        finest = [[bool((row | column) & 1) for column in places] for row in places]
        ranges = np.array([target.code_range for target in formats()], np.int64)
        tables: dict[str, npt.NDArray[Any]] = {
            "norms": np.array([[[NORM_UNIT] * _PERIOD] * _PERIOD, *map(_norms, _wavelets())], np.int64),
            "finest_period": np.array(finest),
            "period": np.array(_PERIOD, np.int64),
            "strides": np.int64(1) << np.arange(LEVELS[1]),
            "first_wavelet": np.array(_code(next(iter(Wavelet))), np.int64),
            "haar": np.array(_code(Wavelet.HAAR), np.int64),
            "most_levels": np.array(LEVELS[1], np.int64),
            "lows": ranges[:, 0],
            "highs": ranges[:, 1],
            "sizes": np.array(MOST_BITS + 1, np.int64),
            "zero": np.array(0, np.int64),
            "one": np.array(1, np.int64),
            "two": np.array(2, np.int64),
            "four": np.array(4, np.int64),
            "unit": np.array(STEP_UNIT, np.int64),
            "half_unit": np.array(STEP_UNIT // 2, np.int64),
            "two_units": np.array(2 * STEP_UNIT, np.int64),
            "two_norm_units": np.array(2 * NORM_UNIT, np.int64),
            "height_axis": np.array(2, np.int64),
            "width_axis": np.array(3, np.int64),
            "along_channels": np.array([1, -1, 1, 1], np.int64),
            "upright": np.array([-1, 1], np.int64),
            "always": np.array(True),
        }
        return function(self, opset, tables, _BODY)


def _code(wavelet: Wavelet) -> int:
    return list(Transform).index(Transform(wavelet))


def _wavelets() -> list[tuple[Wavelet, int]]:
    """Return wavelets and levels in the order of their norms, which follow those of no wavelet."""
    return [(wavelet, levels) for wavelet in sorted(Wavelet, key=_code) for levels in range(1, LEVELS[1] + 1)]


def _norms(chosen: tuple[Wavelet, int]) -> list[list[int]]:
    """Return the norm of the band that each place belongs to, lifting being in place."""
    wavelet, levels = chosen

    def norm(row: int, column: int) -> int:
        for level in range(levels):
            odd_row, odd_column = row >> level & 1, column >> level & 1
            if odd_row or odd_column:
                return NORMS[wavelet]["LH"[odd_column] + "LH"[odd_row]][level]
        return NORMS[wavelet]["LL"][levels - 1]

    return [[norm(row, column) for column in range(_PERIOD)] for row in range(_PERIOD)]


def _neighbours(at: str, v: str) -> str:
    """Nodes for lifting maps ``v`` along their last axis in pass ``at``, in place: the low half stays at even places.

    Where the neighbours of a place are (``*_before``, ``*_after``), and 1 at the places that each step changes. In Haar
    both neighbours are the one that counts: floor((a + a) / 2) = a and floor((a + a) / 4) = floor(a / 2), as in 5/3.
    """
    return f"""
    level = Div({at}, two)
    stride = Gather(strides, level)
    map_shape = Shape({v})
    count = Gather(map_shape, width_axis)
    last_place = Sub(count, one)
    place = Range(zero, count, one)
    before = Sub(place, stride)
    after = Add(place, stride)
    is_first = Less(before, zero)
    is_after_inside = Less(after, count)
    mirrored_before = Where(is_first, after, before)
    mirrored_after = Where(is_after_inside, after, before)
    before_at = Min(mirrored_before, last_place)
    after_at = Max(mirrored_after, zero)
    predict_after = Where(is_haar, before_at, after_at)
    update_before = Where(is_haar, after_at, before_at)
    two_strides = Add(stride, stride)
    within = Mod(place, two_strides)
    is_odd = Equal(within, stride)
    is_even = Equal(within, zero)
    is_more = Less(stride, count)
    is_after_or_mirrored = Or(is_after_inside, is_mirrored)
    is_updated = And(is_more, is_after_or_mirrored)
    is_low = And(is_even, is_updated)
    line_count = Gather(map_shape, height_axis)
    line = Range(zero, line_count, one)
    line_rest = Mod(line, stride)
    is_of_level_flat = Equal(line_rest, zero)
    is_of_level = Reshape(is_of_level_flat, upright)
    is_changed_odd = And(is_of_level, is_odd)
    is_changed_even = And(is_of_level, is_low)
    odd = Cast <to: int = 7> (is_changed_odd)
    even = Cast <to: int = 7> (is_changed_even)
"""


def _step(name: str, v: str, before: str, after: str, offset: str, divisor: str, mask: str) -> str:
    """Nodes for ``name``: floor((v[before] + v[after] + offset) / divisor) at the places of a mask, 0 elsewhere."""
    return f"""
    {name}_left = Gather <axis: int = 3> ({v}, {before})
    {name}_right = Gather <axis: int = 3> ({v}, {after})
    {name}_both = Add({name}_left, {name}_right)
    {name}_sum = Add({name}_both, {offset})
    {name}_rest = Mod({name}_sum, {divisor})
    {name}_multiple = Sub({name}_sum, {name}_rest)
    {name}_floor = Div({name}_multiple, {divisor})
    {name} = Mul({name}_floor, {mask})
"""


_PREDICTION = ("predict", "before_at", "predict_after", "zero", "two", "odd")
_UPDATE = ("update", "update_before", "after_at", "update_offset", "four", "even")

# A loop runs twice a level, over maps that lie on their side every other time; without a wavelet it does not run.
# Coefficients stay in place: those of level l at multiples of 2**(l-1), details at odd ones. Divisions are of numbers
# from 0 up, or of multiples.
_BODY = f"""
    transform = Constant <value_int: int = @transform> ()
    levels = Constant <value_int: int = @levels> ()
    is_no_wavelet = Less(transform, first_wavelet)
    is_wavelet = Not(is_no_wavelet)
    is_haar = Equal(transform, haar)
    is_mirrored = Not(is_haar)
    update_offset = Where(is_haar, zero, two)
    passes = Add(levels, levels)
    last_pass = Sub(passes, one)
{BOUNDS}
    wide = Cast <to: int = 7> (x)
    is_above = Greater(wide, high)
    not_above = Where(is_above, high, wide)
    is_below = Less(not_above, low)
    codes = Where(is_below, low, not_above)

    coefficients = Loop <body: graph =
        forward (int64 k, bool go, int64[n, c, h, w] v) => (bool go_on, int64[n, c, g, u] turned) {{
{_neighbours("k", "v")}
{_step(_PREDICTION[0], "v", *_PREDICTION[1:])}
    predicted = Sub(v, predict)
{_step(_UPDATE[0], "predicted", *_UPDATE[1:])}
    updated = Add(predicted, update)
    turned = Transpose <perm: ints = [0, 1, 3, 2]> (updated)
    go_on = Identity(go)
    }}> (passes, always, codes)

    wavelet = Sub(transform, first_wavelet)
    wavelet_at = Mul(wavelet, most_levels)
    level_at = Add(wavelet_at, levels)
    norms_at = Where(is_wavelet, level_at, zero)
    norm = Gather(norms, norms_at)
    norm_units = Mul(norm, unit)
    step_units = Mul(step, two_norm_units)
    dividend = Add(step_units, norm_units)
    divisor = Mul(norm, two_units)
    rounded_step = Div(dividend, divisor)
    is_small = Less(rounded_step, one)
    band_step = Where(is_small, one, rounded_step)
    is_lossless = Equal(step, unit)
    wavelet_step = Where(is_lossless, one, band_step)
    steps = Where(is_wavelet, wavelet_step, step)
    x_shape = Shape(x)
    height = Gather(x_shape, height_axis)
    width = Gather(x_shape, width_axis)
    row = Range(zero, height, one)
    column = Range(zero, width, one)
    row_at = Mod(row, period)
    column_at = Mod(column, period)
    row_steps = Gather(steps, row_at)
    each_step = Gather <axis: int = 1> (row_steps, column_at)

    units = Where(is_wavelet, two, two_units)
    is_negative = Less(coefficients, zero)
    negated = Neg(coefficients)
    size = Where(is_negative, negated, coefficients)
    size_units = Mul(size, units)
    size_and_half = Add(size_units, each_step)
    two_steps = Add(each_step, each_step)
    quantum = Div(size_and_half, two_steps)
    back = Mul(quantum, each_step)
    offset = Where(is_wavelet, zero, half_unit)
    back_and_half = Add(back, offset)
    back_units = Where(is_wavelet, one, unit)
    size_back = Div(back_and_half, back_units)
    minus_size_back = Neg(size_back)
    dequantized = Where(is_negative, minus_size_back, size_back)
    row_finest = Gather(finest_period, row_at)
    finest = Gather <axis: int = 1> (row_finest, column_at)
    finest_of_wavelet = And(finest, is_wavelet)
    dropped_along = Reshape(dropped, along_channels)
    is_left_out = And(dropped_along, finest_of_wavelet)
    kept = Where(is_left_out, zero, dequantized)

    values = Loop <body: graph =
        inverse (int64 k, bool go, int64[n, c, h, w] v) => (bool go_on, int64[n, c, g, u] joined) {{
    turned = Transpose <perm: ints = [0, 1, 3, 2]> (v)
    at = Sub(last_pass, k)
{_neighbours("at", "turned")}
{_step(_UPDATE[0], "turned", *_UPDATE[1:])}
    evens = Sub(turned, update)
{_step(_PREDICTION[0], "evens", *_PREDICTION[1:])}
    joined = Add(evens, predict)
    go_on = Identity(go)
    }}> (passes, always, kept)

    is_value_above = Greater(values, high)
    value_not_above = Where(is_value_above, high, values)
    is_value_below = Less(value_not_above, low)
    value = Where(is_value_below, low, value_not_above)
    y = Cast <to: int = @to> (value)
"""
