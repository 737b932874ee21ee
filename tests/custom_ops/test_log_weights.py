"""Log codes as layers have them, few of the largest weights and few small inputs, equal the reference to the bit.

What is rare is multiplied by paths of its own: weights that fill one bit more than a byte holds, sizes of inputs that
whole chunks of a panel lack.
"""

import os

import numpy as np
import pytest

SEED = int(os.environ.get("QONNX_TOOLS_TEST_SEED", "0"))
OUTPUT = {"bits": 32, "signed": 1, "narrow": 0, "to": 6, "rounding": 0}
UNITS = [(5, 5, 2, 22), (5, 5, 1, 24), (5, 5, 1, 32), (4, 4, 2, 10), (6, 6, 2, 24), (5, 4, 1, 20), (3, 5, 2, 9)]
"""Bits of x and of w, steps, guard bits."""


def normal_codes(source, shape, bits, steps, reach):
    """Log codes of normal numbers, the scale ``reach`` standard deviations."""
    count = 2 ** (bits - 1) - 1
    values = source.normal(0, 1 / reach, shape)
    with np.errstate(divide="ignore"):
        down = np.rint(-steps * np.log2(np.abs(values)))
    return (np.sign(values) * np.clip(count - down, 0, count)).astype(np.int8)


def rectified_codes(source, shape, bits, steps, *, far):
    """Codes behind a ReLU: half are 0, small ones are as rare as they are with normal numbers, or rarer still.

    With ``far``, a few are beyond the format.
    """
    count = 2**bits - 1
    values = np.maximum(source.normal(0, 0.25, shape), 0)
    with np.errstate(divide="ignore"):
        down = np.rint(-steps * np.log2(values))
    codes = np.where(values > 0, np.clip(count - down, 0, count), 0)
    some = source.random(shape)
    codes = np.where(some < 2e-4, source.integers(1, count // 2 + 1, shape), codes)
    if far:
        codes = np.where(some > 0.99, source.choice([-128, -1, 127], shape), codes)
    return codes.astype(np.int8)


def attributes_of(unit):
    x_bits, weight_bits, steps, guard_bits = unit
    read = {"x_bits": x_bits, "x_signed": 0, "weight_bits": weight_bits, "steps": steps, "guard_bits": guard_bits}
    return read | OUTPUT


def shift_of(unit):
    """So that outputs of 32 bits hold the sums."""
    return np.asarray(max(0, unit[3] - 18), np.int64)


@pytest.mark.parametrize("accumulator_bits", [32, 48])
@pytest.mark.parametrize("far", [False, True])
@pytest.mark.parametrize("unit", UNITS)
def test_convolutions(unit, far, accumulator_bits, run_codes, reference_codes):
    source = np.random.default_rng([SEED, *unit, accumulator_bits])
    for inner, outer, size, kernel in ((16, 20, 9, 3), (70, 9, 12, 1), (3, 33, 7, 3), (301, 5, 4, 3)):
        x = rectified_codes(source, (2, inner, size, size), unit[0], unit[2], far=far)
        w = normal_codes(source, (outer, inner, kernel, kernel), unit[1], unit[2], 3.0)
        bias = source.integers(-(2**16), 2**16, outer)
        window = {"kernel_shape": [kernel] * 2, "pads": [kernel // 2] * 4, "group": 1}
        attributes = attributes_of(unit) | window | {"accumulator_bits": accumulator_bits}
        inputs = [x, w, shift_of(unit), bias]
        found, expected = run_codes("LogConv", inputs, attributes), reference_codes("LogConv", inputs, attributes)
        assert len(np.unique(expected)) > 20
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("unit", UNITS)
def test_depths_of_many_chunks(unit, run_codes, reference_codes):
    source = np.random.default_rng([SEED, *unit])
    x = np.zeros((3, 17000), np.int8)
    x[0] = rectified_codes(source, (1, 17000), unit[0], unit[2], far=True)
    x[1, 16000:16030] = np.arange(30) % 2 ** unit[0]
    w = normal_codes(source, (12, 17000), unit[1], unit[2], 4.0)
    attributes = attributes_of(unit) | {"transB": 1, "accumulator_bits": 64}
    inputs = [x, w, shift_of(unit)]
    found, expected = run_codes("LogGemm", inputs, attributes), reference_codes("LogGemm", inputs, attributes)
    np.testing.assert_array_equal(found, expected)
    assert expected.any(axis=1).tolist() == [True, True, False]


@pytest.mark.parametrize("steps", [1, 2])
def test_shifts_of_which_few_are_the_largest(steps, run_codes, reference_codes):
    source = np.random.default_rng([SEED, steps])
    for signed in (0, 1):
        x = source.integers(-128 * signed, 256 - 128 * signed, (1, 40, 8, 8)).astype(np.int8 if signed else np.uint8)
        w = normal_codes(source, (24, 40, 3, 3), 5, steps, 4.0)
        w.flat[::97] = 15
        window = {"kernel_shape": [3, 3], "pads": [1] * 4, "group": 1}
        attributes = OUTPUT | window | {"weight_bits": 5, "steps": steps, "accumulator_bits": 32}
        inputs = [x, w, np.int64(0)]
        found, expected = run_codes("ShiftConv", inputs, attributes), reference_codes("ShiftConv", inputs, attributes)
        assert len(np.unique(expected)) > 20
        np.testing.assert_array_equal(found, expected)
