"""Convolutions in which each channel has filters of its own equal the numpy reference, to the bit."""

import numpy as np
import pytest

OUTPUTS = [
    (8, 1, 0, 3),
    (8, 0, 0, 2),
    (7, 1, 1, 3),
    (5, 0, 0, 3),
    (16, 1, 0, 5),
    (12, 1, 0, 5),
    (16, 0, 0, 4),
    (32, 1, 0, 6),
]
DTYPES = (np.int8, np.uint8, np.int16, np.uint16)
WEIGHTS = (np.int8, np.uint8, np.int16)


def codes(source, dtype, shape):
    """Codes of the whole range, the ends more often."""
    info = np.iinfo(dtype)
    drawn = source.integers(info.min, info.max, shape, endpoint=True)
    return np.where(source.random(shape) < 0.3, source.choice([info.min, info.max], shape), drawn).astype(dtype)


def ending(source, channels, taps, output, dtype):
    """Shifts that bring the sums to about the range of the output, and bias, multiplier, addend."""
    bits, signed, narrow, to = output
    size = int(taps * np.iinfo(dtype).max * 128).bit_length()
    middle = size - bits
    shift = source.integers(middle - 8, middle + 3, channels if source.random() < 0.7 else ())
    kind = source.integers(4)
    bias = source.integers(-(2**size), 2**size, channels) // 4 if kind else None
    multiplier = source.integers(-99, 99, channels).astype(np.int32) if kind == 2 else None
    addend = source.integers(-(2**size), 2**size, channels) if kind > 1 else None
    attributes = {"bits": bits, "signed": signed, "narrow": narrow, "to": to}
    return [np.asarray(np.clip(shift, -14, 40)), bias, multiplier, addend], attributes


def attempt(source, number, kernel, strides, dilations, sizes, dtype, w_dtype):
    channels, filters = int(source.integers(2, 6)), int(source.choice([1, 1, 1, 2, 3]))
    spans = [(size - 1) * dilation + 1 for size, dilation in zip(kernel, dilations, strict=True)]
    pads = [int(source.integers(0, span)) for span in spans * 2]
    if number % 3 == 0:
        pads = [span // 2 for span in spans * 2]
    rank = len(kernel)
    least = [max(span - pads[at] - pads[at + rank], 1) for at, span in enumerate(spans)]
    sizes = [max(size, low) for size, low in zip(sizes, least, strict=True)]
    x = codes(source, dtype, (int(source.integers(1, 3)), channels, *sizes))
    w = codes(source, w_dtype, (channels * filters, 1, *kernel))
    tail, output = ending(source, channels * filters, w[0].size, OUTPUTS[number % len(OUTPUTS)], dtype)
    window = {"kernel_shape": kernel, "strides": strides, "pads": pads, "dilations": dilations, "group": channels}
    width = int(source.choice([64, 64, 32, 30, int(source.integers(8, 33))]))
    attributes = window | output | {"accumulator_bits": width, "rounding": int(source.choice([0, 0, 1, 2, 3, 4, 5]))}
    return [x, w, *tail], attributes


def check(run_codes, reference_codes, inputs, attributes, threads=1):
    found = run_codes("FixedConv", inputs, attributes, threads=threads)
    expected = reference_codes("FixedConv", inputs, attributes)
    what = (attributes, [(value.dtype, value.shape) for value in inputs[:2]])
    assert found.dtype == expected.dtype, what
    np.testing.assert_array_equal(found, expected, err_msg=str(what))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("w_dtype", WEIGHTS)
@pytest.mark.parametrize("size", [3, 5])
def test_square_kernels(run_codes, reference_codes, dtype, w_dtype, size):
    """What networks have: 3x3 and 5x5, stride 1 and 2, on maps of every width up to a few registers."""
    source = np.random.default_rng([size, *np.dtype(dtype).name.encode(), *np.dtype(w_dtype).name.encode()])
    for number, width in enumerate([*range(1, 20), 27, 28, 31, 32, 33, 56, 62, 64, 66, 126, 130]):
        stride = 1 + number % 2 if width < 60 else int(source.integers(1, 3))
        sizes = [int(source.integers(1, 20)), width]
        inputs, attributes = attempt(source, number, [size] * 2, [stride] * 2, [1, 1], sizes, dtype, w_dtype)
        check(run_codes, reference_codes, inputs, attributes)


@pytest.mark.parametrize("dtype", DTYPES)
def test_any_window(run_codes, reference_codes, dtype):
    source = np.random.default_rng([7, *np.dtype(dtype).name.encode()])
    for number in range(90):
        rank = 1 + number % 2
        kernel, strides, dilations = ([int(n) for n in source.integers(1, most, rank)] for most in (8, 6, 4))
        if number % 9 == 0:
            dilations = [int(source.integers(8, 40))] * rank
        sizes = [int(size) for size in source.integers(1, 40, rank)]
        w_dtype = WEIGHTS[number % len(WEIGHTS)]
        inputs, attributes = attempt(source, number, kernel, strides, dilations, sizes, dtype, w_dtype)
        check(run_codes, reference_codes, inputs, attributes, threads=1 + number % 2)


def test_ties_of_every_rounding(run_codes, reference_codes):
    """A filter of one tap: each output is the input, and every second one lies on a tie."""
    x = np.arange(-128, 128).astype(np.int8).reshape(1, 1, 16, 16).repeat(3, axis=1)
    w = np.zeros((3, 1, 3, 3), np.int8)
    w[:, 0, 1, 1] = [1, -1, 3]
    window = {"kernel_shape": [3, 3], "strides": [1, 1], "pads": [1, 1, 1, 1], "dilations": [1, 1], "group": 3}
    for rounding in range(6):
        for shift in (0, 1, 2, 5):
            for accumulator_bits in (8, 32):
                output = {"bits": 8, "signed": 1, "narrow": 0, "to": 3, "rounding": rounding}
                attributes = window | output | {"accumulator_bits": accumulator_bits}
                check(run_codes, reference_codes, [x, w, np.int64(shift)], attributes)


def test_many_channels_on_many_threads(run_codes, reference_codes):
    source = np.random.default_rng(5)
    x, w = codes(source, np.uint8, (3, 96, 23, 23)), codes(source, np.int8, (96, 1, 3, 3))
    window = {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1], "dilations": [1, 1], "group": 96}
    output = {"bits": 8, "signed": 0, "narrow": 0, "to": 2, "rounding": 0, "accumulator_bits": 24}
    inputs = [x, w, source.integers(5, 12, 96), source.integers(-9999, 9999, 96)]
    for threads in (1, 2):
        check(run_codes, reference_codes, inputs, window | output, threads)
