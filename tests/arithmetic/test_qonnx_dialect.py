"""The QONNX dialect against what the qonnx package computed (tests/ops/vectors), and its quirks by hand."""

import json
from pathlib import Path

import numpy as np
import pytest

from qonnx_tools.arithmetic import qonnx_dialect as dialect
from qonnx_tools.errors import ConfigError

VECTORS = Path(__file__).parent.parent / "ops" / "vectors"
FUNCTIONS = {
    "quant": dialect.int_quant,
    "bipolar_quant": dialect.bipolar_quant,
    "trunc_v1": dialect.trunc_v1,
    "trunc_v2": dialect.trunc_v2,
    "float_quant": dialect.float_quant,
}
f32 = np.float32


@pytest.mark.parametrize("name", FUNCTIONS)
def test_equals_the_qonnx_package_to_the_bit(name):
    with np.load(VECTORS / f"{name}.npz") as stored:
        pool, cases = stored["pool"], json.loads(str(stored["cases"]))

    def array(offset, shape):
        return pool[offset : offset + int(np.prod(shape))].reshape(shape)

    assert cases
    for case in cases:
        attributes = {key: value for key, value in case["attributes"].items() if key != "has_subnormal"}
        expected = array(*case["output"])
        found = FUNCTIONS[name](*(array(*given) for given in case["inputs"]), **attributes)
        assert (found.dtype, found.shape) == (f32, expected.shape)
        nan = np.isnan(expected)
        np.testing.assert_array_equal(np.isnan(found), nan, str(case))
        np.testing.assert_array_equal(found[~nan].view(np.int32), expected[~nan].view(np.int32), str(case))


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("ROUND", [-2, -2, -1, -0.0, 0, 0, 1, 2, 2]),
        ("HALF_EVEN", [-2, -2, -1, -0.0, 0, 0, 1, 2, 2]),
        ("CEIL", [-2, -1, -0.0, -0.0, 0, 1, 1, 2, 3]),
        ("FLOOR", [-3, -2, -1, -1, 0, 0, 0, 1, 2]),
        ("UP", [-3, -2, -1, -1, 0, 1, 1, 2, 3]),
        ("DOWN", [-2, -1, -0.0, -0.0, 0, 0, 0, 1, 2]),
        ("HALF_UP", [-3, -2, -1, -1, 0, 1, 1, 2, 3]),
        ("HALF_DOWN", [-2, -1, -1, -0.0, -0.0, 0, 1, 1, 2]),
    ],
)
def test_rounding_by_hand(mode, expected):
    x = np.array([-2.5, -1.5, -0.75, -0.5, 0, 0.5, 0.75, 1.5, 2.5], f32)
    for name in (mode, mode.lower(), mode.title()):
        found = dialect.round_dialect(x, name)
        np.testing.assert_array_equal(found.view(np.int32), np.array(expected, f32).view(np.int32))


def test_half_up_adds_in_float32():
    below_half = np.nextafter(f32(0.5), f32(0))
    assert dialect.int_quant(below_half, 1, 0, 8, rounding_mode="HALF_UP") == 1
    assert dialect.int_quant(below_half, 1, 0, 8, rounding_mode="ROUND") == 0


def test_half_down_of_a_small_number_has_the_other_sign():
    found = dialect.round_dialect(np.array([0.25, -0.25], f32), "HALF_DOWN")
    assert np.signbit(found).tolist() == [True, False]


def test_quant_clips_before_it_rounds():
    # 2**24 - 1 is the largest code; adding a half to it in float32 gives 2**24
    assert dialect.int_quant(1e9, 1, 0, 25, rounding_mode="ROUND") == 2**24 - 1
    assert dialect.int_quant(1e9, 1, 0, 25, rounding_mode="HALF_UP") == 2**24


def test_nan_and_infinities():
    x = np.array([np.nan, np.inf, -np.inf], f32)
    np.testing.assert_array_equal(dialect.int_quant(x, 0.5, 0, 4), [np.nan, 3.5, -4])
    np.testing.assert_array_equal(dialect.int_quant(x, 0.5, 0, 1), [-0.5, 0.5, -0.5])
    np.testing.assert_array_equal(dialect.bipolar_quant(x, 2), [-2, 2, -2])
    np.testing.assert_array_equal(dialect.trunc_v1(x, 1, 0, 8, 4), [np.nan, np.inf, -np.inf])
    np.testing.assert_array_equal(dialect.trunc_v2(x, 1, 0, 8, 16, 4), [np.nan, 112, -128])
    np.testing.assert_array_equal(dialect.float_quant(x, 1, 4, 3, 7, 240), [np.nan] * 3)


def test_float_quant_out_of_range():
    x = np.array([1000, -1000, 1], f32)
    assert dialect.float_quant(x, 1, 4, 3, 7, 240).tolist() == [240, -240, 1]
    assert dialect.float_quant(x, 1, 4, 3, 7, 240, saturation=False, has_inf=True).tolist() == [np.inf, -np.inf, 1]
    found = dialect.float_quant(x, 1, 4, 3, 7, 240, saturation=False, has_nan=True)
    np.testing.assert_array_equal(found, [np.nan, np.nan, 1])


def test_float_quant_step_just_below_a_power_of_two():
    below_8, below_4 = (np.nextafter(f32(power), f32(0)) for power in (8, 4))
    # rounded up to float32, log2 of the first is 3: its step is 1 with three mantissa bits, not 1/2
    assert dialect.float_quant(below_8, 1, 4, 3, 7, 240, rounding_mode="FLOOR") == 7
    assert dialect.float_quant(below_4, 1, 4, 3, 7, 240, rounding_mode="FLOOR") == 3.75


@pytest.mark.parametrize("exponent", range(-126, 128))
def test_the_exponent_is_that_of_the_float64_logarithm(exponent):
    # numpy's float32 log2, whichever way the processor computes it, has the same floor beside powers of two
    codes = np.array(2.0**exponent, f32).view(np.int32) + np.arange(-200, 200, dtype=np.int32)
    values = codes.astype(np.int32).view(f32)
    values = values[np.isfinite(values) & (values >= np.finfo(f32).tiny)]
    np.testing.assert_array_equal(np.floor(dialect._log2(values)), np.floor(np.log2(values)))


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: dialect.int_quant(1, 1, 0, 8, rounding_mode="NEAREST"), "rounding_mode 'NEAREST'"),
        (lambda: dialect.int_quant(1, 1, 0, 0), "bitwidth is 0"),
        (lambda: dialect.int_quant(1, 1, 0, 2.5), "bitwidth is 2.5"),
        (lambda: dialect.int_quant(1, 1, 0, np.nan), "bitwidth is nan"),
        (lambda: dialect.int_quant(1, 1, 0, [4, 8]), r"bitwidth has shape \[2\]"),
        (lambda: dialect.trunc_v1(1, 1, 0, -1, 4), "in_bits is -1"),
        (lambda: dialect.trunc_v2(1, 1, 0, 8, 1, 0), "out_bits is 0"),
        (lambda: dialect.float_quant(1, 1, 4, 3, 7, 240, saturation=False), "set has_inf or has_nan"),
        (lambda: dialect.float_quant(1, 1, 4, 53, 7, 240), "mantissa_bits is 53"),
        (lambda: dialect.float_quant(1, 1, 4, 3, 7, -1), "max_val is -1"),
    ],
)
def test_bad_parameters_are_named(call, named):
    with pytest.raises(ConfigError, match=named):
        call()
