"""Parts of function bodies of the logarithmic format, as text for onnx.parser."""

import numpy as np
import numpy.typing as npt

from qonnx_tools.arithmetic.log import SQRT_HALF, LogRounding
from qonnx_tools.ops.op import Attribute

MOST_BITS = 8

LOG_FORMAT = (
    Attribute("bits", f"2 (unsigned: 1) to {MOST_BITS}"),
    Attribute("steps", "magnitudes an octave: 1 is base 2, 2 is base sqrt 2", 1),
    Attribute("signed", "1: both signs, 0: negative numbers become zero", 1),
)
LOG_ROUNDING = Attribute("rounding", ", ".join(f"{mode.code} {mode.value}" for mode in LogRounding), 0)


def log_tables() -> dict[str, npt.NDArray[np.generic]]:
    """Return the constants of all fragments."""
    most = 2**MOST_BITS - 1
    k = np.arange(most + 1)
    return {
        # Of every k: 2**-(k // steps), and whether k lies between two octaves; the first row for steps = 1.
        "octaves": np.stack([np.ldexp(np.float32(1), -(k // steps)) for steps in (1, 2)]),
        "betweens": np.stack([k % steps == 1 for steps in (1, 2)]),
        "counts": np.array(
            [max(2 ** (bits - signed) - 1, 0) for signed in (0, 1) for bits in range(MOST_BITS + 1)]
        ).astype(np.int64),
        "sizes": np.array(MOST_BITS + 1, np.int64),
        "sqrt_half": np.array(SQRT_HALF),
        "log_half": np.array(np.log(0.5)),
        "log_mode": np.array(LogRounding.LOG.code, np.int64),
        "zero_int": np.array(0, np.int64),
        "one_int": np.array(1, np.int64),
        "zero": np.array(0, np.float32),
        "zero_double": np.array(0, np.float64),
    }


def _reaches(at: str) -> str:
    """Nodes for ``not_<at>``: 1 where ``size`` is below the threshold after magnitude k = ``<at>``, else 0.

    Before k = 0 there is an infinite threshold; after k = K comes one that everything reaches.
    """
    return f"""
    {at}_from_0 = Max({at}, zero_int)
    {at}_k = Min({at}_from_0, last)
    {at}_after = Add({at}_k, one_int)
    {at}_octave = Gather(octave, {at}_k)
    {at}_is_between = Gather(between, {at}_k)
    {at}_part = Where({at}_is_between, odd_scale, scale)
    {at}_single = Mul({at}_part, {at}_octave)
    {at}_magnitude = Cast <to: int = 11> ({at}_single)
    {at}_after_octave = Gather(octave, {at}_after)
    {at}_after_is_between = Gather(between, {at}_after)
    {at}_after_part = Where({at}_after_is_between, odd_scale, scale)
    {at}_after_single = Mul({at}_after_part, {at}_after_octave)
    {at}_after_double = Cast <to: int = 11> ({at}_after_single)
    {at}_is_last = Equal({at}_k, last)
    {at}_to_zero = And({at}_is_last, is_linear)
    {at}_smaller = Where({at}_to_zero, zero_double, {at}_after_double)
    {at}_sum = Add({at}_magnitude, {at}_smaller)
    {at}_product = Mul({at}_magnitude, {at}_smaller)
    {at}_threshold = Where(is_linear, {at}_sum, {at}_product)
    {at}_below = Less(compared, {at}_threshold)
    {at}_is_before_0 = Less({at}, zero_int)
    {at}_refused = Or({at}_below, {at}_is_before_0)
    {at}_is_in = Less({at}, count)
    {at}_not = And({at}_refused, {at}_is_in)
    not_{at} = Cast <to: int = 7> ({at}_not)
"""


MAGNITUDES = """
    bits = Constant <value_int: int = @bits> ()
    steps = Constant <value_int: int = @steps> ()
    signed = Constant <value_int: int = @signed> ()

    signed_at = Mul(signed, sizes)
    count_at = Add(bits, signed_at)
    count = Gather(counts, count_at)
    last = Sub(count, one_int)
    row = Sub(steps, one_int)
    octave = Gather <axis: int = 0> (octaves, row)
    between = Gather <axis: int = 0> (betweens, row)
    odd_scale = Mul(scale, sqrt_half)
"""
"""``count`` K, ``last`` = K - 1, and what the magnitudes k = 0 .. K-1 are computed from."""

CODE = f"""
    mode = Constant <value_int: int = @rounding> ()
    is_log = Equal(mode, log_mode)
    is_linear = Not(is_log)

    is_nan = IsNaN(x)
    number = Where(is_nan, zero, x)
    single_size = Abs(number)
    size = Cast <to: int = 11> (single_size)
    twice = Add(size, size)
    square = Mul(size, size)
    compared = Where(is_linear, twice, square)

    wide_scale = Cast <to: int = 11> (scale)
    ratio = Div(size, wide_scale)
    log_ratio = Log(ratio)
    octaves_down = Div(log_ratio, log_half)
    wide_steps = Cast <to: int = 11> (steps)
    position = Mul(octaves_down, wide_steps)
    wide_count = Cast <to: int = 11> (count)
    from_0 = Max(position, zero_double)
    to_count = Min(from_0, wide_count)
    whole = Round(to_count)
    guess = Cast <to: int = 7> (whole)
    before = Sub(guess, one_int)
{_reaches("before")}
{_reaches("guess")}
    past_before = Add(before, not_before)
    k = Add(past_before, not_guess)
    is_negative = Less(number, zero)
"""
"""``k`` of each element of the float ``x``, after :data:`MAGNITUDES`; ``is_nan`` and ``is_negative``."""

MAGNITUDE = """
    magnitude_at = Min(k, last)
    magnitude_octave = Gather(octave, magnitude_at)
    magnitude_is_between = Gather(between, magnitude_at)
    magnitude_part = Where(magnitude_is_between, odd_scale, scale)
    magnitude = Mul(magnitude_part, magnitude_octave)
    negated = Neg(magnitude)
    signed_magnitude = Where(is_negative, negated, magnitude)
    is_small = Equal(k, count)
    value = Where(is_small, zero, signed_magnitude)
"""
"""``value`` of ``k`` and ``is_negative``; k = K is zero."""
