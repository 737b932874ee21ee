"""LogQuant: the normalised logarithmic format, on floats."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx

from qonnx_tools.arithmetic.log import SQRT_HALF, Log, LogRounding
from qonnx_tools.ops.function import function
from qonnx_tools.ops.op import DOMAIN, Attribute, FormatOp, Input

MOST_BITS = 8


class LogQuant(FormatOp):
    """Replace each element by zero or one of +-scale * g**-k, g = 2**(1/steps), k = 0 .. K-1.

    K is 2**(bits-1) - 1 when signed and 2**bits - 1 when unsigned. Magnitudes above scale saturate. NaN stays NaN,
    zero is +0. The smallest magnitude must not fall below 2**-126.
    """

    domains = (DOMAIN,)
    name = "LogQuant"
    inputs = (Input("x", "any tensor"), Input("scale", "the largest magnitude, positive; broadcasts to x"))
    attributes = (
        Attribute("bits", f"2 (unsigned: 1) to {MOST_BITS}"),
        Attribute("steps", "magnitudes an octave: 1 is base 2, 2 is base sqrt 2", 1),
        Attribute("signed", "1: both signs, 0: negative numbers become zero", 1),
        Attribute("rounding", ", ".join(f"{mode.code} {mode.value}" for mode in LogRounding), 0),
    )

    format = Log

    def format_of(self, attributes: Mapping[str, Any], parameter: Any) -> Log:
        return Log(attributes["bits"], parameter, attributes["steps"], bool(attributes["signed"]))

    def parameters_of(self, number_format: Log) -> tuple[npt.NDArray[np.float32], dict[str, int | str]]:
        return np.asarray(number_format.scale, np.float32), {
            "bits": number_format.bits,
            "steps": number_format.steps,
            "signed": int(number_format.signed),
        }

    def body(self, opset: int) -> onnx.FunctionProto:
        most = 2**MOST_BITS - 1
        k = np.arange(most + 1)
        tables = {
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
        return function(
            self, opset, tables, _BODY.format(**{f"reach_{at}": _reaches(at) for at in ("before", "guess")})
        )


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


# k counts the magnitudes down from the scale; K stands for zero. A logarithm guesses k to within one, then two exact
# comparisons settle it, so that no result depends on how a runtime computes logarithms. Sums and products of two
# float32 numbers that close are exact in double.
_BODY = """
    bits = Constant <value_int: int = @bits> ()
    steps = Constant <value_int: int = @steps> ()
    signed = Constant <value_int: int = @signed> ()
    mode = Constant <value_int: int = @rounding> ()

    signed_at = Mul(signed, sizes)
    count_at = Add(bits, signed_at)
    count = Gather(counts, count_at)
    last = Sub(count, one_int)
    row = Sub(steps, one_int)
    octave = Gather <axis: int = 0> (octaves, row)
    between = Gather <axis: int = 0> (betweens, row)
    odd_scale = Mul(scale, sqrt_half)
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
{reach_before}
{reach_guess}
    past_before = Add(before, not_before)
    k = Add(past_before, not_guess)

    magnitude_at = Min(k, last)
    magnitude_octave = Gather(octave, magnitude_at)
    magnitude_is_between = Gather(between, magnitude_at)
    magnitude_part = Where(magnitude_is_between, odd_scale, scale)
    magnitude = Mul(magnitude_part, magnitude_octave)
    is_negative = Less(number, zero)
    negated = Neg(magnitude)
    value = Where(is_negative, negated, magnitude)
    is_unsigned = Equal(signed, zero_int)
    has_no_sign = And(is_negative, is_unsigned)
    is_small = Equal(k, count)
    is_zero = Or(is_small, has_no_sign)
    finite = Where(is_zero, zero, value)
    y = Where(is_nan, x, finite)
"""
