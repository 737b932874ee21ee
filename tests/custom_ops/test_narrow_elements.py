"""Elementwise ops on 8-bit and 16-bit codes, in lanes of 16, 32 and 64 bits, equal the numpy reference, to the bit."""

import itertools

import numpy as np
import pytest
from onnx import helper

from qonnx_tools.arithmetic import integer
from qonnx_tools.arithmetic.fixed_point import FixedPoint
from qonnx_tools.arithmetic.rounding import Rounding

BYTES = (np.int8, np.uint8)
OUTPUTS = [FixedPoint(8, 0), FixedPoint(8, 0, False), FixedPoint(7, 0, False), FixedPoint(16, 0), FixedPoint(32, 0)]


def every(dtype):
    info = np.iinfo(dtype)
    return np.arange(info.min, info.max + 1).astype(dtype)


def pairs(a, b):
    """Every pair of 8-bit codes."""
    return np.repeat(every(a), 256), np.tile(every(b), 256)


def ends(dtype, count, source):
    """Codes of which the ends of the range are many."""
    info = np.iinfo(dtype)
    near = [info.min, info.min + 1, info.max - 1, info.max, *np.clip([-1, 0, 1], info.min, info.max)]
    drawn = source.integers(info.min, info.max, count, endpoint=True)
    return np.where(source.random(count) < 0.5, source.choice(near, count), drawn).astype(dtype)


def output(number):
    target = OUTPUTS[number % len(OUTPUTS)]
    to = helper.np_dtype_to_tensor_dtype(target.carrier)
    return {"bits": target.bits, "signed": int(target.signed), "to": to}, target


def check(found, expected, what):
    assert found.dtype == expected.dtype, what
    np.testing.assert_array_equal(found, expected, err_msg=str(what))


@pytest.mark.parametrize("rounding", Rounding)
@pytest.mark.parametrize("types", list(itertools.product(BYTES, BYTES)))
def test_every_pair_of_bytes(run_codes, rounding, types):
    a, b = pairs(*types)
    # Sums and products of 8-bit codes just fit lanes of 16 bits for some of these, and just do not for others.
    for number, (left_a, left_b, shift) in enumerate(
        [
            (0, 0, 0),
            (0, 0, 1),
            (1, 0, 1),
            (6, 5, 7),
            (7, 0, 7),
            (5, 6, 8),
            (6, 6, 14),
            (0, 0, 15),
            (3, 2, -4),
            (20, 0, 9),
        ]
    ):
        attributes, target = output(number)
        inputs = [a, b, np.int64(left_a), np.int64(left_b), np.int64(shift)]
        found = run_codes("FixedAdd", inputs, attributes | {"rounding": rounding.code}, data=2)
        check(found, integer.add(a, b, (left_a, left_b), shift, target, rounding), (types, left_a, left_b, shift))
    for number, shift in enumerate([0, 1, 6, 7, 8, 13, 14, 15, 30, 31, -2]):
        attributes, target = output(number)
        found = run_codes("FixedMul", [a, b, np.int64(shift)], attributes | {"rounding": rounding.code}, data=2)
        check(found, integer.multiply(a, b, shift, target, rounding), (types, shift))


@pytest.mark.parametrize("rounding", Rounding)
@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.uint16])
def test_every_code_of_one_input(run_codes, rounding, dtype):
    x = every(dtype)
    attributes = {"rounding": rounding.code}
    for number, shift in enumerate([-17, -8, -1, 0, 1, 2, 7, 13, 14, 15, 29, 30, 31, 62]):
        formatted, target = output(number)
        found = run_codes("Requantize", [x, np.int64(shift)], attributes | formatted)
        check(found, integer.requantize(x, shift, target, rounding), (dtype, shift))
    for number, (multiplier, addend, shift) in enumerate(
        [(1, 0, 4), (-127, 128, 7), (128, -5, 7), (32767, 2**30, 16), (-32768, 2**31 - 1, 15), (2**31 - 1, 7, 40)]
    ):
        formatted, target = output(number)
        inputs = [x[None], np.int32(multiplier), np.int64(addend), np.int64(shift)]
        found = run_codes("Affine", inputs, attributes | formatted)
        check(found, integer.affine(x[None], multiplier, addend, shift, target, rounding), (dtype, multiplier, shift))


@pytest.mark.parametrize("op", ["FixedAdd", "FixedMul"])
def test_one_code_for_a_run(run_codes, op):
    """Broadcasting: one input is one code along the inner axis, or along part of the outer ones."""
    full = (2, 3, 5, 47)
    shapes = [(), (1,), (3, 1, 1), (2, 1, 1, 1), (1, 3, 1, 1), (5, 1), (47,), (2, 1, 5, 1)]
    crossed = [((2, 1, 5, 1), (1, 3, 1, 47)), ((3, 1), (1, 70)), ((1, 70), (3, 1))]
    cases = [*((full, shape) for shape in shapes), *((shape, full) for shape in shapes), *crossed]
    dtypes = itertools.cycle(itertools.product([np.int8, np.uint8, np.int16, np.uint16], repeat=2))
    for number, (shapes_of, types) in enumerate(zip(cases, dtypes, strict=False)):
        source = np.random.default_rng(number)
        a, b = (ends(dtype, shape, source) for dtype, shape in zip(types, shapes_of, strict=True))
        attributes, target = output(number)
        rounding = list(Rounding)[number % 6]
        shift = int(source.integers(0, 12))
        if op == "FixedAdd":
            inputs = [a, b, np.int64(number % 3), np.int64(number % 4), np.int64(shift)]
            expected = integer.add(a, b, (number % 3, number % 4), shift, target, rounding)
        else:
            inputs = [a, b, np.int64(shift)]
            expected = integer.multiply(a, b, shift, target, rounding)
        found = run_codes(op, inputs, attributes | {"rounding": rounding.code}, data=2, threads=1 + number % 2)
        check(found, expected, (shapes_of, types, shift))


@pytest.mark.parametrize("count", [1, 7, 15, 16, 17, 31, 32, 33, 63, 64, 65, 1000, 32767, 32768, 32801])
def test_every_remainder(run_codes, count):
    """Numbers of codes that do not fill the last register, or not even the first."""
    source = np.random.default_rng(count)
    for types in [(np.int8, np.uint8), (np.int16, np.int8), (np.uint8, np.uint16), (np.uint16, np.int16)]:
        a, b = (ends(dtype, count, source) for dtype in types)
        attributes, target = output(count)
        inputs = [a, b, np.int64(1), np.int64(0), np.int64(2)]
        check(run_codes("FixedAdd", inputs, attributes, data=2), integer.add(a, b, (1, 0), 2, target), (types, count))
        found = run_codes("FixedMul", [a, b, np.int64(5)], attributes, data=2)
        check(found, integer.multiply(a, b, 5, target), (types, count))
        check(run_codes("Requantize", [a, np.int64(3)], attributes), integer.requantize(a, 3, target), (types, count))
