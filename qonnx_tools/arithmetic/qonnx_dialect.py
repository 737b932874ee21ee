"""The ops of the QONNX dialect: Quant, IntQuant, BipolarQuant, Trunc and FloatQuant.

The definition is what the functions of the qonnx package, version 1.0.0, compute from float32 tensors with
numpy 2: float32 in every step, so results depend on the order of the steps. Three properties surprise:

* HALF_UP is ``sign(x) * floor(|x| + 0.5)`` with a float32 sum, so that 0.49999997 becomes 1;
* clipping comes before rounding, so that HALF_UP may leave the range where it moves integers, beyond 2**23;
* the sign of a zero result follows from the same formulas (HALF_DOWN of 0.3 is -0).

Every parameter broadcasts to ``x``; bit widths, like all other counts of bits, are single whole numbers.
numpy's float32 log2 and exp2 differ between processors. Here log2 is the float64 result rounded to float32, and
2**n is exact; ``docs/qonnx-dialect.md`` says where that shows.

Source: Pappalardo et al. 2022 (QONNX); Xilinx Brevitas.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from qonnx_tools.errors import ConfigError

Tensor = npt.NDArray[np.float32]

MOST_BITS = 64
_HALF = np.float32(0.5)
_ROUNDINGS: dict[str, Callable[[Tensor], Tensor]] = {
    "ROUND": np.rint,
    "HALF_EVEN": np.rint,
    "CEIL": np.ceil,
    "FLOOR": np.floor,
    "UP": lambda x: np.sign(x) * np.ceil(np.abs(x)),
    "DOWN": np.trunc,
    "HALF_UP": lambda x: np.sign(x) * np.floor(np.abs(x) + _HALF),
    "HALF_DOWN": lambda x: np.sign(x) * np.ceil(np.abs(x) - _HALF),
}


def round_dialect(x: Tensor, rounding_mode: str) -> Tensor:
    """Round to integers: ROUND = HALF_EVEN, CEIL, FLOOR, UP (away from zero), DOWN, HALF_UP (away), HALF_DOWN.

    Names are read in any case. NaN and infinities are returned as they are.
    """
    rule = _ROUNDINGS.get(rounding_mode.upper())
    if rule is None:
        raise ConfigError(f"rounding_mode '{rounding_mode}' is unknown; choose one of {', '.join(_ROUNDINGS)}")
    return rule(x)


def int_quant(
    x: npt.ArrayLike,
    scale: npt.ArrayLike,
    zero_point: npt.ArrayLike,
    bit_width: npt.ArrayLike,
    *,
    signed: bool = True,
    narrow: bool = False,
    rounding_mode: str = "ROUND",
) -> Tensor:
    """Quant and IntQuant: ``(round(clip(x / scale + zero_point)) - zero_point) * scale``.

    With one signed bit, codes are -1 and +1 instead: +1 where ``x / scale + zero_point >= 0``, -1 elsewhere, NaN
    included. Otherwise NaN stays NaN. The clip bounds are float32, so beyond 24 bits they may be one more than the
    largest code.
    """
    bits = whole_number("bitwidth", bit_width, 1, MOST_BITS)
    s, z = _float32(scale), _float32(zero_point)
    with np.errstate(all="ignore"):
        y = _float32(x) / s + z
        y = _bipolar(y) if bits == 1 and signed else round_dialect(_clip(y, bits, signed, narrow), rounding_mode)
        return np.asarray((y - z) * s)


def bipolar_quant(x: npt.ArrayLike, scale: npt.ArrayLike) -> Tensor:
    """BipolarQuant: ``scale`` where ``x >= 0`` (both zeros), ``-scale`` elsewhere, NaN included."""
    with np.errstate(all="ignore"):
        return np.asarray(_bipolar(_float32(x)) * _float32(scale))


def trunc_v1(
    x: npt.ArrayLike,
    scale: npt.ArrayLike,
    zero_point: npt.ArrayLike,
    in_bits: npt.ArrayLike,
    out_bits: npt.ArrayLike,
    *,
    rounding_mode: str = "FLOOR",
) -> Tensor:
    """Trunc of version 1: codes shifted right by ``in_bits - out_bits``, the scale kept.

    ``(round(rint(x / scale + zero_point) / 2**(in_bits - out_bits)) - zero_point) * scale``; nothing saturates.
    """
    shift = whole_number("in_bits", in_bits, 0, MOST_BITS) - whole_number("out_bits", out_bits, 0, MOST_BITS)
    s, z = _float32(scale), _float32(zero_point)
    with np.errstate(all="ignore"):
        codes = np.rint(_float32(x) / s + z)
        return np.asarray((round_dialect(codes / _power_of_two(shift), rounding_mode) - z) * s)


def trunc_v2(
    x: npt.ArrayLike,
    scale: npt.ArrayLike,
    zero_point: npt.ArrayLike,
    in_bits: npt.ArrayLike,
    out_scale: npt.ArrayLike,
    out_bits: npt.ArrayLike,
    *,
    rounding_mode: str = "FLOOR",
    signed: bool = True,
    narrow: bool = False,
) -> Tensor:
    """Trunc of version 2: codes divided by t = 2**rint(log2(out_scale / scale)), clipped, rounded.

    ``(round(clip(rint(x / scale + zero_point) / t)) - zero_point / t) * out_scale``; ``in_bits`` is not used.
    """
    whole_number("in_bits", in_bits, 0, MOST_BITS)
    bits = whole_number("out_bits", out_bits, 1, MOST_BITS)
    s, z, out = _float32(scale), _float32(zero_point), _float32(out_scale)
    with np.errstate(all="ignore"):
        ratio = _power_of_two(np.rint(_log2(out / s)))
        codes = np.rint(_float32(x) / s + z) / ratio
        rounded = round_dialect(_clip(codes, bits, signed, narrow), rounding_mode)
        return np.asarray((rounded - z / ratio) * out)


def float_quant(
    x: npt.ArrayLike,
    scale: npt.ArrayLike,
    exponent_bits: npt.ArrayLike,
    mantissa_bits: npt.ArrayLike,
    exponent_bias: npt.ArrayLike,
    max_val: npt.ArrayLike,
    *,
    rounding_mode: str = "ROUND",
    has_inf: bool = False,
    has_nan: bool = False,
    saturation: bool = True,
) -> Tensor:
    """FloatQuant: the nearest number of a small floating-point format, subnormals included, times ``scale``.

    With v = x / scale, the step is u = 2**max(floor(log2(|v| + 2**-126)) - mantissa_bits, 1 - bias - mantissa_bits)
    and the result u * round(v / u), limited to +-min(max_val, (2 - 2**-mantissa_bits) * 2**(2**exponent_bits - 1 -
    bias)). Without ``saturation`` what lies beyond becomes infinite (``has_inf``) or NaN (``has_nan``). NaN and
    both infinities give NaN. log2 rounds to float32: the last numbers below 2**k, k >= 3 or k <= -2, have the step
    of the octave above.

    Raises:
        ConfigError: neither ``saturation`` nor ``has_inf`` nor ``has_nan``; ``max_val`` is negative.
    """
    exponent = whole_number("exponent_bits", exponent_bits, 0, 16)
    mantissa = whole_number("mantissa_bits", mantissa_bits, 0, 52)
    bias = whole_number("exponent_bias", exponent_bias, -65536, 65536)
    if not (saturation or has_inf or has_nan):
        raise ConfigError("saturation is 0 but the format has neither infinity nor NaN; set has_inf or has_nan to 1")
    largest = _single("max_val", max_val)
    if not largest >= 0:
        raise ConfigError(f"max_val is {largest:g}; it must not be negative")
    s = _float32(scale)
    with np.errstate(all="ignore"):
        v = _float32(x) / s
        floor_log2 = np.floor(_log2(np.abs(v) + np.finfo(np.float32).tiny))
        step = _power_of_two(np.maximum(floor_log2 - np.float32(mantissa), np.float32(1 - bias - mantissa)))
        y = (step * round_dialect(v / step, rounding_mode)).astype(np.float64)
        top_power = _power_of_two(np.float32(2.0**exponent) - np.float32(1) - np.float32(bias)).astype(np.float64)
        top = np.minimum((2 - 2.0**-mantissa) * top_power, largest)
        limited = np.clip(y, -top, top)
        if not saturation:
            beyond = np.abs(y) > top
            if has_inf:
                limited = np.where(beyond, np.copysign(np.inf, y), limited)
            else:
                limited = np.where(beyond | np.isinf(y), np.nan, limited)
        return np.asarray(limited * s.astype(np.float64)).astype(np.float32)


def whole_number(name: str, value: npt.ArrayLike, least: int, most: int) -> int:
    """Return the one number in ``value``; ``ConfigError`` if it is not a whole number in least..most."""
    number = _single(name, value)
    if not least <= number <= most or number != np.rint(number):
        raise ConfigError(f"{name} is {number:g}; it must be a whole number in {least}..{most}")
    return int(number)


def _single(name: str, value: npt.ArrayLike) -> float:
    array = np.asarray(value)
    if array.size != 1:
        raise ConfigError(f"{name} has shape {list(array.shape)}; it must be a single number")
    return float(array.reshape(()))


def _float32(value: npt.ArrayLike) -> Tensor:
    return np.asarray(value, dtype=np.float32)


def _bipolar(y: Tensor) -> Tensor:
    return np.where(y >= 0, np.float32(1), np.float32(-1))


def _clip(y: Tensor, bits: int, signed: bool, narrow: bool) -> Tensor:
    """Limit to the codes, NaN kept; unsigned and narrow leaves out the largest code."""
    span = _power_of_two(bits - signed)
    low = np.float32(narrow) - span if signed else np.float32(0)
    high = span - np.float32(2 if narrow and not signed else 1)
    return np.where(y > high, high, np.where(y < low, low, y))


def _power_of_two(exponent: npt.ArrayLike) -> Tensor:
    """2**exponent as float32 for whole exponents: 0 and infinity beyond the range, NaN for NaN."""
    e = np.asarray(exponent, dtype=np.float32)
    power = np.ldexp(np.float32(1), np.nan_to_num(np.clip(e, -200, 200)).astype(np.int32))
    return np.where(np.isnan(e), np.float32(np.nan), power)


def _log2(x: Tensor) -> Tensor:
    return np.log2(x.astype(np.float64)).astype(np.float32)
