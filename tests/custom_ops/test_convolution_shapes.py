"""Convolutions whose shapes and numbers reach every way of dividing the work equal the numpy reference, to the bit."""

import numpy as np
import pytest

# x, w, attributes beside the kernel; what each shape is for
SHAPES = {
    "several chunks of pixels, rows beyond a block": ((1, 8, 40, 45), (70, 8, 3, 3), {"pads": [1] * 4}),
    "images that share tiles": ((5, 20, 7, 7), (33, 20, 1, 1), {}),
    "padded images that share tiles": ((6, 5, 5, 5), (17, 5, 3, 3), {"pads": [1] * 4}),
    "pixels that 1x1 skips": ((2, 9, 21, 23), (7, 9, 1, 1), {"strides": [2, 2]}),
    "pixels that taps skip": ((2, 3, 21, 40), (5, 3, 7, 7), {"strides": [2, 2], "pads": [3] * 4}),
    "strides of 3 with dilation": ((1, 6, 30, 29), (4, 6, 2, 3), {"strides": [3, 3], "dilations": [2, 4]}),
    "output channels divided": ((1, 130, 6, 7), (200, 130, 3, 3), {"pads": [0, 1, 2, 3]}),
    "groups": ((2, 12, 9, 10), (54, 4, 3, 3), {"pads": [1] * 4, "group": 3}),
    "one axis": ((2, 3, 700), (4, 3, 5), {"pads": [2, 2]}),
    "padding alone": ((1, 4, 2, 2), (3, 4, 3, 3), {"pads": [4] * 4, "strides": [3, 3]}),
}
# x, w and accumulator bits: one and more bytes on either side, sums beyond 32 bits or wrapped in them
NUMBERS = [
    (np.uint8, np.int8, 32),
    (np.int8, np.int8, 20),
    (np.int8, np.int16, 32),
    (np.uint8, np.uint16, 40),
    (np.int16, np.int8, 32),
    (np.int16, np.int8, 48),
    (np.uint16, np.int8, 40),
    (np.int16, np.int16, 32),
    (np.int16, np.int16, 64),
    (np.uint16, np.uint16, 64),
    (np.uint16, np.uint8, 50),
]
FORMATS = [{"bits": 8, "signed": 0, "to": 2}, {"bits": 16, "signed": 1, "to": 5}, {"bits": 32, "signed": 1, "to": 6}]


def whole_range(source, dtype, shape):
    info = np.iinfo(dtype)
    values = source.integers(info.min, info.max, shape, endpoint=True)
    return np.where(source.random(shape) < 0.1, source.choice([info.min, info.max], shape), values).astype(dtype)


def assert_exact(run_codes, reference_codes, op, inputs, attributes):
    attributes = {"narrow": 0, "rounding": 0, "group": 1, "kernel_shape": list(inputs[1].shape[2:])} | attributes
    expected = reference_codes(op, inputs, attributes)
    assert len(np.unique(expected)) > 1
    for threads in (1, 2):
        np.testing.assert_array_equal(run_codes(op, inputs, attributes, threads=threads), expected)


@pytest.mark.parametrize("numbers", NUMBERS, ids=lambda n: f"{n[0].__name__}-{n[1].__name__}-{n[2]}")
@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_and_number(shape, numbers, run_codes, reference_codes):
    x_shape, w_shape, window = SHAPES[shape]
    x_type, w_type, accumulator_bits = numbers
    source = np.random.default_rng([len(shape), accumulator_bits, np.iinfo(w_type).bits])
    w = whole_range(source, w_type, w_shape)
    growth = np.log2(w[0].size) / (1 if np.iinfo(w_type).min == 0 else 2)
    sum_bits = min(np.iinfo(x_type).bits + np.iinfo(w_type).bits + int(growth), accumulator_bits)
    output = FORMATS[int(source.integers(len(FORMATS)))]
    shift = np.int64(max(0, sum_bits - output["bits"] + 1))
    bias = source.integers(-(2**20), 2**20, w_shape[0])
    inputs = [whole_range(source, x_type, x_shape), w, shift, bias]
    attributes = window | output | {"accumulator_bits": accumulator_bits}
    assert_exact(run_codes, reference_codes, "FixedConv", inputs, attributes)


@pytest.mark.parametrize("accumulator_bits", [32, 40])
@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize(("x_type", "w_type"), [(np.uint8, np.int8), (np.int8, np.int16), (np.uint16, np.int8)])
def test_sums_at_their_bounds(x_type, w_type, sign, accumulator_bits, run_codes, reference_codes):
    """The largest codes with the largest weights, so many that 32 bits do not hold the sums of bytes."""
    largest_x, largest_w = np.iinfo(x_type).max, np.iinfo(w_type).min
    x = np.full((1, 66000, 1, 2), largest_x, x_type)
    x[..., 1] = np.random.default_rng(1).choice([largest_x, largest_x - 1], x.shape[:-1])
    w = np.full((2, 66000, 1, 1), largest_w, w_type)
    if sign > 0:
        w[1:] = np.iinfo(w_type).max
    attributes = {"bits": 32, "signed": 1, "to": 6, "accumulator_bits": accumulator_bits}
    assert_exact(run_codes, reference_codes, "FixedConv", [x, w, np.int64(9)], attributes)


@pytest.mark.parametrize("bits", [3, 5, 6])
@pytest.mark.parametrize("x_type", [np.uint8, np.int8, np.int16, np.uint16])
@pytest.mark.parametrize("spread", ["all octaves", "few far below the largest"])
def test_log_weights(spread, bits, x_type, run_codes, reference_codes):
    source = np.random.default_rng(bits)
    largest = 2 ** (bits - 1) - 1
    w = source.integers(-largest, largest, (37, 6, 3, 3), endpoint=True).astype(np.int8)
    if spread != "all octaves":
        near = largest - source.integers(0, min(7, largest), w.shape, endpoint=True)
        w = np.where(source.random(w.shape) < 0.05, w, near * source.choice([-1, 1], w.shape)).astype(np.int8)
    x = whole_range(source, x_type, (1, 6, 20, 19))
    channels = [source.integers(-(2**15), 2**15, 37).astype(np.int32), source.integers(-(2**30), 2**30, 37)]
    shift = np.int64(largest + np.iinfo(x_type).bits + 10)
    attributes = {"bits": 8, "signed": 1, "to": 3, "accumulator_bits": 64, "weight_bits": bits}
    assert_exact(run_codes, reference_codes, "ShiftConv", [x, w, shift, None, *channels], attributes)
