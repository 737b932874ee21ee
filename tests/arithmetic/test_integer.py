"""Operators on codes against Python's unbounded integers."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import signal

from qonnx_tools.arithmetic import integer
from qonnx_tools.arithmetic.fixed_point import FixedPoint
from qonnx_tools.arithmetic.log import Log
from qonnx_tools.arithmetic.rounding import Rounding
from qonnx_tools.arithmetic.window import Window
from qonnx_tools.errors import ConfigError

MODES = list(Rounding)
INT64 = st.integers(-(2**63), 2**63 - 1)
formats = st.builds(
    lambda bits, kind: FixedPoint(bits, 0, kind != "unsigned", kind == "narrow"),
    st.integers(0, 31),
    st.sampled_from(["signed", "narrow", "unsigned"]),
)


def wrapped(value, bits):
    return (value + 2 ** (bits - 1)) % 2**bits - 2 ** (bits - 1)


def ended(value, shift, target, mode):
    """saturate(round_shift(value, shift)) in exact arithmetic."""
    real = Fraction(value) / Fraction(2) ** shift
    below, above = math.floor(real), math.ceil(real)
    nearest = min((below, above), key=lambda whole: abs(real - whole))
    tie = real - below == Fraction(1, 2)
    rounded = {
        "half_even": (below if below % 2 == 0 else above) if tie else nearest,
        "half_up": above if tie else nearest,
        "half_away": (above if real > 0 else below) if tie else nearest,
        "floor": below,
        "ceil": above,
        "toward_zero": below if real > 0 else above,
    }[mode]
    low, high = target.code_range
    return min(max(rounded, low), high)


def convolution(x, w, window, group):
    """The definition, one product after the other, in Python integers."""
    rank = len(window.kernel)
    padded = np.pad(
        x.astype(object), [(0, 0), (0, 0), *((window.pads[at], window.pads[at + rank]) for at in range(rank))]
    )
    out = [
        (padded.shape[2 + at] - window.dilations[at] * (window.kernel[at] - 1) - 1) // window.strides[at] + 1
        for at in range(rank)
    ]
    y = np.zeros((x.shape[0], w.shape[0], *out), object)
    per_group = w.shape[0] // group
    for n, m in itertools.product(range(x.shape[0]), range(w.shape[0])):
        first = m // per_group * w.shape[1]
        for place in np.ndindex(*out):
            for c, *tap in np.ndindex(*w.shape[1:]):
                read = [place[at] * window.strides[at] + tap[at] * window.dilations[at] for at in range(rank)]
                y[(n, m, *place)] += padded[(n, first + c, *read)] * int(w[(m, c, *tap)])
    return y


@settings(deadline=None)
@given(INT64, st.integers(1, 64))
def test_wrap(value, bits):
    assert int(integer.wrap(np.int64(value), bits)) == wrapped(value, bits)


@pytest.mark.parametrize("bits", [1, 2, 5, 8])
def test_wrap_of_every_small_number(bits):
    values = np.arange(-700, 701)
    assert integer.wrap(values, bits).tolist() == [wrapped(value, bits) for value in values.tolist()]


@pytest.mark.parametrize("bits", [0, 65, -1])
def test_a_width_out_of_range_is_named(bits):
    with pytest.raises(ConfigError, match=f"accumulator_bits is {bits}; an accumulator has 1 to 64 bits"):
        integer.wrap(np.int64(1), bits)


@settings(deadline=None, max_examples=300)
@given(st.integers(-(2**62), 2**62), st.integers(0, 62), formats, st.sampled_from(MODES))
def test_requantize(value, shift, target, mode):
    found = integer.requantize(np.int64(value), shift, target, mode)
    assert int(found) == ended(value, shift, target, mode)
    assert found.dtype == target.carrier


@settings(deadline=None)
@given(st.integers(0, 40), st.data(), formats)
def test_requantize_to_the_left(shift, data, target):
    value = data.draw(st.integers(-(2 ** (62 - shift)), 2 ** (62 - shift)))
    assert int(integer.requantize(value, -shift, target)) == ended(value, -shift, target, "half_even")


@settings(deadline=None)
@given(st.data(), formats, st.sampled_from(MODES), st.sampled_from([0, 1, 2, -1]))
def test_affine(data, target, mode, axis):
    x = np.array(data.draw(st.lists(st.integers(-(2**30), 2**30), min_size=24, max_size=24))).reshape(2, 3, 4)
    channels = x.shape[axis]

    def parameter(low, high):
        numbers = st.integers(low, high)
        return np.array(data.draw(numbers | st.lists(numbers, min_size=channels, max_size=channels)))

    multiplier, addend, shift = parameter(-(2**31), 2**31 - 1), parameter(-(2**61), 2**61), parameter(0, 62)
    found = integer.affine(x, multiplier, addend, shift, target, mode, axis)
    for place in np.ndindex(x.shape):
        m, a, s = (int(each if each.ndim == 0 else each[place[axis]]) for each in (multiplier, addend, shift))
        assert int(found[place]) == ended(m * int(x[place]) + a, s, target, mode)


def test_a_parameter_that_does_not_fit_is_named():
    with pytest.raises(ConfigError, match=r"shape \[4\] does not fit axis 1 of \[2, 3\]"):
        integer.affine(np.zeros((2, 3)), np.ones(4), 0, 0, FixedPoint(8, 0))
    with pytest.raises(ConfigError, match=r"shape \[2\] does not fit axis 1 of \[2\]"):
        integer.affine(np.zeros(2), np.ones(2), 0, 0, FixedPoint(8, 0))


@settings(deadline=None)
@given(
    *[st.integers(-(2**31), 2**31 - 1)] * 2,
    *[st.integers(0, 29)] * 2,
    st.integers(-1, 62),
    formats,
    st.sampled_from(MODES),
)
def test_add(a, b, left_a, left_b, shift, target, mode):
    found = integer.add(a, b, (left_a, left_b), shift, target, mode)
    assert int(found) == ended((a << left_a) + (b << left_b), shift, target, mode)


def test_add_broadcasts_and_refuses_right_shifts():
    found = integer.add(np.array([[1], [2]], np.int8), np.array([10, 20], np.int8), (1, 0), 0, FixedPoint(8, 0))
    assert found.tolist() == [[12, 22], [14, 24]]
    with pytest.raises(ConfigError, match=r"a left shift of -1 is out of range; it must lie in 0\.\.62"):
        integer.add(1, 1, (0, -1), 0, FixedPoint(8, 0))


@settings(deadline=None)
@given(*[st.integers(-(2**31), 2**31 - 1)] * 2, st.integers(0, 62), formats, st.sampled_from(MODES))
def test_multiply(a, b, shift, target, mode):
    assert int(integer.multiply(a, b, shift, target, mode)) == ended(a * b, shift, target, mode)


@st.composite
def convolutions(draw, most_bits=16):
    rank = draw(st.integers(1, 2))
    sizes = st.lists(st.integers(1, 3), min_size=rank, max_size=rank)
    kernel, strides, dilations = draw(sizes), draw(sizes), draw(sizes)
    pads = draw(st.lists(st.integers(0, 2), min_size=2 * rank, max_size=2 * rank))
    group, inner, outer = draw(st.integers(1, 3)), draw(st.integers(1, 2)), draw(st.integers(1, 2))
    spans = [(size - 1) * dilation + 1 for size, dilation in zip(kernel, dilations, strict=True)]
    spatial = [max(span - pads[at] - pads[at + rank], 1) + draw(st.integers(0, 3)) for at, span in enumerate(spans)]
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    x_bits, w_bits = draw(st.integers(1, most_bits)), draw(st.integers(1, most_bits))
    x = rng.integers(
        *FixedPoint(x_bits, 0, draw(st.booleans())).code_range,
        (draw(st.integers(0, 2)), group * inner, *spatial),
        endpoint=True,
    )
    w = rng.integers(*FixedPoint(w_bits, 0).code_range, (group * outer, inner, *kernel), endpoint=True)
    return x, w, Window.of(kernel, strides, pads, dilations), group


@settings(deadline=None)
@given(convolutions())
def test_convolve(case):
    x, w, window, group = case
    np.testing.assert_array_equal(integer.convolve(x, w, window, group), convolution(x, w, window, group))


@settings(deadline=None, max_examples=25)
@given(convolutions(most_bits=31))
def test_wide_sums_are_exact_too(case):
    x, w, window, group = case
    np.testing.assert_array_equal(integer.convolve(x, w, window, group), convolution(x, w, window, group))


def test_sums_beyond_int64_wrap():
    x, w = np.full((1, 4, 1), 2**31 - 1), np.full((1, 4, 1), 2**31 - 1)
    (found,) = integer.convolve(x, w, Window.of([1])).ravel().tolist()
    assert found == wrapped(4 * (2**31 - 1) ** 2, 64)


def test_convolve_like_scipy():
    rng = np.random.default_rng(3)
    x, w = rng.integers(-128, 128, (1, 5, 9, 8)), rng.integers(-128, 128, (4, 5, 3, 2))
    found = integer.convolve(x, w, Window.of([3, 2]))
    for m in range(4):
        planes = sum(signal.correlate2d(x[0, c], w[m, c], "valid") for c in range(5))
        np.testing.assert_array_equal(found[0, m], planes)


@pytest.mark.parametrize(
    ("x", "w", "window", "group", "message"),
    [
        ((1, 2, 5, 5, 5), (1, 2, 1, 1, 1), Window.of([1, 1, 1]), 1, "no 1-D or 2-D convolution"),
        ((1, 2, 5, 5), (1, 2, 1), Window.of([1]), 1, "no 1-D or 2-D convolution"),
        ((1, 2, 5), (1, 2, 3), Window.of([2]), 1, r"kernel_shape is \[2\], but w has shape \[1, 2, 3\]"),
        ((1, 3, 5), (1, 2, 3), Window.of([3]), 1, "and group 1 do not fit"),
        ((1, 4, 5), (3, 2, 3), Window.of([3]), 2, "and group 2 do not fit"),
        ((1, 2, 5), (1, 2, 3), Window.of([3]), 0, "and group 0 do not fit"),
        ((1, 2, 2), (1, 2, 3), Window.of([3]), 1, r"a map \[2\], padded \[2\], is smaller than the window"),
    ],
)
def test_shapes_that_do_not_fit_are_named(x, w, window, group, message):
    with pytest.raises(ConfigError, match=message):
        integer.convolve(np.zeros(x), np.zeros(w), window, group)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"kernel": []}, "kernel_shape is empty"),
        ({"kernel": [0]}, r"kernel_shape is \[0\]; give 1 numbers from 1 up"),
        ({"kernel": [3], "strides": [1, 1]}, r"strides is \[1, 1\]; give 1 numbers from 1 up"),
        ({"kernel": [3], "pads": [1]}, r"pads is \[1\]; give 2 numbers from 0 up"),
        ({"kernel": [3], "pads": [1, -1]}, r"pads is \[1, -1\]"),
        ({"kernel": [3], "dilations": [0]}, r"dilations is \[0\]"),
    ],
)
def test_a_window_names_what_is_wrong(fields, message):
    with pytest.raises(ConfigError, match=message):
        Window.of(**fields)


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.booleans(), st.sampled_from([8, 16, 31]))
def test_gemm(seed, transpose, bits):
    rng = np.random.default_rng(seed)
    n, k, m = rng.integers(0, 6, 3)
    x, w = (rng.integers(-(2 ** (bits - 1)), 2 ** (bits - 1), shape) for shape in ((n, k), (k, m)))
    expected = [[sum(int(x[a, c]) * int(w[c, b]) for c in range(k)) for b in range(m)] for a in range(n)]
    found = integer.gemm(x, w.T if transpose else w, transpose=transpose)
    assert (found.dtype, found.shape, found.tolist()) == (np.int64, (n, m), expected)


@pytest.mark.parametrize(
    ("x", "w", "transpose"), [((2, 3), (2, 3), False), ((2, 3), (3, 2), True), ((3,), (3, 2), False)]
)
def test_matrices_that_do_not_fit_are_named(x, w, transpose):
    with pytest.raises(ConfigError, match="do not fit; x is"):
        integer.gemm(np.zeros(x), np.zeros(w), transpose=transpose)


@pytest.mark.parametrize("bits", range(2, 7))
def test_log_weights_are_the_values_over_the_smallest(bits):
    largest = 2 ** (bits - 1) - 1
    codes = np.arange(-largest, largest + 1)
    found = integer.log_weights(codes.astype(np.int8), bits)
    assert found.tolist() == [0 if c == 0 else int(math.copysign(2 ** (abs(c) - 1), c)) for c in codes.tolist()]
    values = Log(bits, 1.0).decode(codes).astype(np.float64)
    np.testing.assert_array_equal(found * 2.0 ** -(largest - 1), values)
    for outside in (largest + 1, -largest - 1):
        with pytest.raises(ConfigError, match=f"a weight has code {outside}; {bits} bits hold"):
            integer.log_weights(np.array([1, outside]), bits)


@pytest.mark.parametrize("bits", [1, 7])
def test_log_weights_of_other_widths_are_refused(bits):
    with pytest.raises(ConfigError, match=f"weight_bits is {bits}; weights that are shifts have 2 to 6 bits"):
        integer.log_weights(np.zeros(1), bits)


@settings(deadline=None)
@given(convolutions(), st.integers(1, 2**20), st.integers(0, 30), formats, st.sampled_from(MODES))
def test_average_pool(case, multiplier, shift, target, mode):
    x, _, window, _ = case
    ones = np.ones((x.shape[1], 1, *window.kernel), np.int64)
    sums = convolution(x, ones, window, x.shape[1])
    found = integer.average_pool(x, window, multiplier, shift, target, mode)
    expected = [ended(int(total) * multiplier, shift, target, mode) for total in sums.ravel()]
    assert (found.shape, found.ravel().tolist()) == (sums.shape, expected)


def test_global_average_pool():
    x = np.arange(2 * 3 * 4 * 4).reshape(2, 3, 4, 4)
    found = integer.average_pool(x, None, 1, 4, FixedPoint(16, 0))
    np.testing.assert_array_equal(found, np.rint(x.mean(axis=(2, 3), keepdims=True)))
    with pytest.raises(ConfigError, match=r"x \[2, 3\] is no 1-D or 2-D feature map"):
        integer.average_pool(np.zeros((2, 3)), None, 1, 0, FixedPoint(8, 0))


@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("bits", [1, 4, 8])
def test_lookup(bits, signed):
    low, high = FixedPoint(bits, 0, signed).code_range
    table = np.arange(2**bits, dtype=np.int16) * 3 - 7
    codes = np.arange(low, high + 1)
    found = integer.lookup(codes.reshape(2, -1), table, bits, signed=signed)
    assert found.dtype == np.int16
    np.testing.assert_array_equal(found, table.reshape(2, -1))
    assert integer.lookup(np.array([low - 1, high + 1]), table, bits, signed=signed).tolist() == [table[0], table[-1]]


def test_a_table_that_does_not_fit_is_named():
    with pytest.raises(ConfigError, match=r"the table has shape \[9\]; 3 bits take \[8\]"):
        integer.lookup(np.zeros(1), np.zeros(9), 3)
    with pytest.raises(ConfigError, match="input_bits is 17; a table has codes of 1 to 16 bits"):
        integer.lookup(np.zeros(1), np.zeros(2), 17)
