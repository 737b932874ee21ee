"""FixedQuant computes what ``FixedPoint.quantize`` does, to the bit."""

import itertools

import numpy as np
import pytest

from qonnx_tools.arithmetic.fixed_point import FixedPoint
from qonnx_tools.arithmetic.rounding import Rounding

KINDS = [(1, 0), (1, 1), (0, 0)]  # signed, narrow


def reference(x, frac, bits, signed, narrow, rounding):
    everywhere = np.broadcast_to(frac, x.shape)
    expected = np.zeros_like(x)
    for one in np.unique(frac):
        values = FixedPoint(bits, int(one), bool(signed), bool(narrow)).quantize(x, rounding)
        expected = np.where(everywhere == one, values, expected)
    return expected.astype(np.float32)


def attributes(bits, signed, narrow, rounding):
    return {"bits": bits, "signed": signed, "narrow": narrow, "rounding": rounding.code}


@pytest.mark.parametrize("rounding", Rounding)
@pytest.mark.parametrize("bits", [0, 1, 2, 3, 4, 8, 12, 16, 24, 25, 31, 32])
def test_every_rounding_and_width(rounding, bits, run_node, assert_same_bits, awkward_numbers):
    for (signed, narrow), frac in itertools.product(KINDS, (-3, 0, 4)):
        x = awkward_numbers
        found = run_node("FixedQuant", [x, np.int64(frac)], attributes(bits, signed, narrow, rounding))
        expected = reference(x, np.int64(frac), bits, signed, narrow, rounding)
        assert_same_bits(found, expected, (rounding, bits, signed, narrow, frac))


@pytest.mark.parametrize("frac", [-64, -63, -1, 1, 31, 125, 126])
def test_extreme_fraction_bits(frac, run_node, assert_same_bits, awkward_numbers):
    with np.errstate(over="ignore", under="ignore"):
        x = np.concatenate([awkward_numbers, np.ldexp(awkward_numbers, -frac)]).astype(np.float32)
    for rounding, bits in itertools.product(Rounding, (8, 32)):
        found = run_node("FixedQuant", [x, np.int64(frac)], attributes(bits, 1, 0, rounding))
        assert_same_bits(found, reference(x, np.int64(frac), bits, 1, 0, rounding), (rounding, bits))


SHAPES = [
    ((5, 3, 4, 7), (5, 1, 1, 1)),
    ((5, 3, 4, 7), (3, 1, 1)),
    ((5, 3, 4, 7), (1, 3, 1, 1)),
    ((5, 3, 4, 7), (7,)),
    ((5, 3, 4, 7), (5, 1, 4, 1)),
    ((5, 3, 4, 7), (3, 1, 7)),
    ((5, 3, 4, 7), (5, 3, 4, 7)),
    ((5, 3, 1, 7), (1, 1, 1, 1)),
    ((33,), (33,)),
    ((33,), (1,)),
    ((1,), (1,)),
    ((1, 1, 9), (1, 1)),
    ((), ()),
    ((0,), ()),
    ((2, 0, 3), (3,)),
    ((0, 3), (1, 3)),
    ((3, 0), (3, 1)),
    ((2, 3, 40001), (3, 1)),
    ((50021, 3), (3,)),
    ((3, 33000), (33000,)),
]


@pytest.mark.parametrize(("shape", "frac_shape"), SHAPES)
@pytest.mark.parametrize("constant", [(1,), (), (0, 1)], ids=["constant-frac", "nothing-constant", "all-constant"])
def test_broadcast_fraction_bits(shape, frac_shape, constant, run_node, assert_same_bits, random):
    x = random.normal(0, 10, shape).astype(np.float32)
    frac = random.integers(-2, 5, frac_shape)
    for threads in (1, 2, 4):
        for rounding in (Rounding.HALF_EVEN, Rounding.HALF_AWAY):
            how = {"constant": constant, "threads": threads}
            found = run_node("FixedQuant", [x, frac], attributes(6, 1, 0, rounding), **how)
            assert_same_bits(found, reference(x, frac, 6, 1, 0, rounding), (shape, frac_shape, threads))


@pytest.mark.parametrize("length", [*range(70), 127, 1023, 32767, 32768, 32769, 98305])
def test_every_length(length, run_node, assert_same_bits, random):
    x = random.normal(0, 10, length).astype(np.float32)
    found = run_node("FixedQuant", [x, np.int64(3)], {"bits": 8}, threads=2)
    assert_same_bits(found, FixedPoint(8, 3).quantize(x))
