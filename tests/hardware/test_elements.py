"""Processing elements equal the arithmetic to the bit: all codes of small formats; ends, random codes of wide ones."""

import itertools

import numpy as np
import pytest
from elements import BENCHES, ELEMENTS, HARDWARE, need, run, simulated

from qonnx_tools.arithmetic import integer
from qonnx_tools.arithmetic.fixed_point import FixedPoint
from qonnx_tools.arithmetic.log_products import LogUnit, joined, threshold_codes
from qonnx_tools.arithmetic.rounding import Rounding
from qonnx_tools.arithmetic.wavelet import Wavelet, join, split


def codes(bits, *, signed=True):
    return np.arange(*((-(2 ** (bits - 1)), 2 ** (bits - 1)) if signed else (0, 2**bits)))


def ends_and_random(bits, count, random):
    """Signed numbers of ``bits``: both ends, around zero, around each power of two, and random ones."""
    powers = [sign * 2**at + near for at in range(bits - 1) for sign in (-1, 1) for near in (-1, 0, 1)]
    ends = [-(2 ** (bits - 1)), -(2 ** (bits - 1)) + 1, 2 ** (bits - 1) - 1, 2 ** (bits - 1) - 2]
    drawn = random.integers(-(2 ** (bits - 1)), 2 ** (bits - 1), count).tolist()
    return np.array([*ends, *(each for each in powers if abs(each) < 2 ** (bits - 1)), *drawn], np.int64)


def pairs(*columns):
    return [np.array(column) for column in zip(*itertools.product(*(each.tolist() for each in columns)), strict=True)]


@pytest.mark.parametrize("path", [*ELEMENTS, *BENCHES], ids=lambda path: path.stem)
def test_verilator_finds_nothing_to_say(tmp_path, path):
    need("verilator")
    strict = ["-Wall", "-Wno-UNUSEDSIGNAL"] if path in ELEMENTS else []
    command = ["verilator", "--lint-only", "--language", "1364-2005", *strict, "-y", str(HARDWARE), str(path)]
    assert run(command, tmp_path) == ("", "")


@pytest.mark.parametrize("rounding", Rounding)
@pytest.mark.parametrize("target", [FixedPoint(4, 0), FixedPoint(5, 0, signed=False), FixedPoint(4, 0, narrow=True)])
def test_requantizer_on_all_small_codes(tmp_path, rounding, target):
    t, shift = pairs(codes(8), np.arange(-4, 12))
    low, high = target.code_range
    parameters = {
        "T_BITS": 8, "MOST_RIGHT": 11, "MOST_LEFT": 4, "ROUNDING": rounding.code, "OUT_BITS": target.bits,
        "LOWEST": low, "HIGHEST": high,
    }  # fmt: skip
    found = simulated(tmp_path, "qonnx_requantize", parameters, {"t": (t, 8), "shift": (shift, 7)}, {"y": target.bits})
    expected = integer.requantize(t, shift, target, rounding)
    np.testing.assert_array_equal(found["y"] % 2**target.bits, expected.astype(object) % 2**target.bits)


@pytest.mark.parametrize("rounding", Rounding)
@pytest.mark.parametrize(("bits", "out"), [(61, 32), (24, 8), (40, 16), (3, 1)])
def test_requantizer_on_wide_codes(tmp_path, random, rounding, bits, out):
    t = ends_and_random(bits, 200, random)
    shift = random.integers(0, 63, t.size)
    ties = (random.integers(-64, 64, 300) * 2 + 1) << 4
    t, shift = (
        np.append(t, ties[np.abs(ties) < 2 ** (bits - 1)]),
        np.append(shift, np.full(np.sum(np.abs(ties) < 2 ** (bits - 1)), 5)),
    )
    target = FixedPoint(out, 0)
    low, high = target.code_range
    parameters = {
        "T_BITS": bits, "MOST_RIGHT": 62, "ROUNDING": rounding.code, "OUT_BITS": out, "LOWEST": low, "HIGHEST": high,
    }  # fmt: skip
    found = simulated(tmp_path, "qonnx_requantize", parameters, {"t": (t, bits), "shift": (shift, 7)}, {"y": out})
    np.testing.assert_array_equal(found["y"], integer.requantize(t, shift, target, rounding))


def streamed(tmp_path, module, parameters, x, w, x_bits, bias, outputs):
    """Feed rows of x, w, bias as sums of 3 products each; return the accumulators after each."""
    count = len(x)
    bits, width = parameters["ACC_BITS"], parameters["W_BITS"]
    inputs = {
        "x": (x, x_bits), "w": (w, width), "bias": (bias, bits), "enable": (np.ones(count, np.int64), 1),
        "first": (np.arange(count) % 3 == 0, 1),
    }  # fmt: skip
    return simulated(tmp_path, module, parameters, inputs, dict.fromkeys(outputs, bits), clocked=True)


def summed(products, bias, bits):
    """The accumulator after each product: it starts anew, from its bias, at every third."""
    starts = np.arange(len(products)) // 3 * 3
    sums = np.cumsum(products)
    return integer.wrap(sums - sums[starts] + products[starts] + bias[starts], bits)


@pytest.mark.parametrize("acc_bits", [5, 14])
@pytest.mark.parametrize(("x_bits", "x_signed"), [(4, True), (4, False), (1, False), (1, True)])
def test_fixed_mac(tmp_path, random, x_bits, x_signed, acc_bits):
    x, w = pairs(codes(x_bits, signed=x_signed), codes(4))
    bias = random.integers(-(2 ** (acc_bits - 1)), 2 ** (acc_bits - 1), x.size)
    parameters = {"X_BITS": x_bits, "X_SIGNED": int(x_signed), "W_BITS": 4, "ACC_BITS": acc_bits}
    found = streamed(tmp_path, "qonnx_fixed_mac", parameters, x, w, x_bits, bias, ["acc"])
    np.testing.assert_array_equal(found["acc"], summed(x * w, bias, acc_bits))


def test_fixed_mac_on_wide_codes(tmp_path, random):
    x, w = ends_and_random(16, 400, random), ends_and_random(16, 400, random)[::-1]
    bias = ends_and_random(48, 400, random)[: x.size]
    parameters = {"X_BITS": 16, "X_SIGNED": 1, "W_BITS": 16, "ACC_BITS": 48}
    found = streamed(tmp_path, "qonnx_fixed_mac", parameters, x, w, 16, bias, ["acc"])
    np.testing.assert_array_equal(found["acc"], summed(x * w, bias, 48))


@pytest.mark.parametrize("steps", [1, 2])
@pytest.mark.parametrize(("x_bits", "x_signed"), [(4, True), (4, False), (1, True)])
@pytest.mark.parametrize(("w_bits", "acc_bits"), [(2, 9), (4, 6), (5, 24), (6, 40)])
def test_shift_mac(tmp_path, random, steps, x_bits, x_signed, w_bits, acc_bits):
    x, w = pairs(codes(x_bits, signed=x_signed), codes(w_bits)[1:])
    order = random.permutation(x.size)
    x, w = x[order], w[order]
    bias = random.integers(-(2 ** (acc_bits - 1)), 2 ** (acc_bits - 1), x.size)
    parameters = {
        "X_BITS": x_bits, "X_SIGNED": int(x_signed), "W_BITS": w_bits, "STEPS": steps, "ACC_BITS": acc_bits,
    }  # fmt: skip
    found = streamed(tmp_path, "qonnx_shift_mac", parameters, x, w, x_bits, bias, ["even", "odd"])
    even, odd = integer.shift_weights(w, w_bits, steps)
    np.testing.assert_array_equal(found["even"], summed(x * even, bias, acc_bits))
    np.testing.assert_array_equal(found["odd"], summed(x * odd, 0 * bias, acc_bits))


@pytest.mark.parametrize("steps", [1, 2])
@pytest.mark.parametrize(("x_bits", "x_signed"), [(4, True), (4, False), (1, False)])
@pytest.mark.parametrize(
    ("w_bits", "guard_bits", "acc_bits"), [(4, 24, 32), (2, 0, 8), (4, 9, 6), (5, 32, 40), (5, 3, 20)]
)
def test_log_mac(tmp_path, random, steps, x_bits, x_signed, w_bits, guard_bits, acc_bits):
    unit = LogUnit(x_bits, x_signed, w_bits, steps, guard_bits)
    x, w = pairs(codes(x_bits, signed=x_signed), codes(w_bits)[1:])
    order = random.permutation(x.size)
    x, w = x[order], w[order]
    bias = random.integers(-(2 ** (acc_bits - 1)), 2 ** (acc_bits - 1), x.size)
    parameters = {
        "X_BITS": x_bits, "X_SIGNED": int(x_signed), "X_MOST": unit.x_count, "W_BITS": w_bits, "STEPS": steps,
        "GUARD_BITS": guard_bits, "ACC_BITS": acc_bits,
    }  # fmt: skip
    found = streamed(tmp_path, "qonnx_log_mac", parameters, x, w, x_bits, bias, ["even", "odd"])
    even, odd = unit.products(x, w)
    np.testing.assert_array_equal(found["even"], summed(even, bias, acc_bits))
    np.testing.assert_array_equal(found["odd"], summed(odd, 0 * bias, acc_bits))


def test_log_mac_of_wide_wires_and_formats(tmp_path, random):
    unit = LogUnit(7, True, 8, 2, 20)
    x = np.append(ends_and_random(9, 800, random), [-256, 255])
    w = random.integers(-127, 128, x.size)
    bias = np.zeros(x.size, np.int64)
    parameters = {
        "X_BITS": 9, "X_SIGNED": 1, "X_MOST": unit.x_count, "W_BITS": 8, "STEPS": 2, "GUARD_BITS": 20, "ACC_BITS": 30,
    }  # fmt: skip
    found = streamed(tmp_path, "qonnx_log_mac", parameters, x, w, 9, bias, ["even", "odd"])
    even, odd = unit.products(x, w)
    np.testing.assert_array_equal(found["even"], summed(even, bias, 30))
    np.testing.assert_array_equal(found["odd"], summed(odd, bias, 30))


@pytest.mark.parametrize("bits", [3, 8, 40])
def test_join_of_two_accumulators(tmp_path, random, bits):
    odd = codes(bits) if bits <= 8 else ends_and_random(bits, 500, random)
    even = random.integers(-(2 ** (bits - 1)), 2 ** (bits - 1), odd.size)
    even[:2] = -(2 ** (bits - 1))
    inputs = {"even": (even, bits), "odd": (odd, bits)}
    found = simulated(tmp_path, "qonnx_join", {"ACC_BITS": bits}, inputs, {"acc": bits + 1})
    np.testing.assert_array_equal(found["acc"], joined(even, odd))


@pytest.mark.parametrize("rounding", Rounding)
@pytest.mark.parametrize(("x_bits", "m_bits", "a_bits", "t_bits"), [(5, 3, 6, 9), (22, 16, 40, 41), (30, 25, 58, 61)])
def test_batch_norm_unit(tmp_path, random, rounding, x_bits, m_bits, a_bits, t_bits):
    x, multiplier, addend = (ends_and_random(bits, 700, random) for bits in (x_bits, m_bits, a_bits))
    if x_bits == 5:
        x, multiplier, addend = pairs(codes(5), codes(3), codes(6)[::7])
    count = min(map(len, (x, multiplier, addend)))
    x, multiplier, addend = (random.permutation(each)[:count] if x_bits > 5 else each
                             for each in (x, multiplier, addend))  # fmt: skip
    shift = random.integers(-1, min(t_bits, 40), count)
    target = FixedPoint(8, 0, signed=False)
    parameters = {
        "X_BITS": x_bits, "M_BITS": m_bits, "A_BITS": a_bits, "T_BITS": t_bits, "MOST_RIGHT": 39, "MOST_LEFT": 1,
        "ROUNDING": rounding.code, "OUT_BITS": 8, "LOWEST": 3, "HIGHEST": 250,
    }  # fmt: skip
    inputs = {"x": (x, x_bits), "multiplier": (multiplier, m_bits), "addend": (addend, a_bits), "shift": (shift, 7)}
    found = simulated(tmp_path, "qonnx_batch_norm", parameters, inputs, {"y": 8})["y"] % 256
    by_row = [integer.affine(*row, target, rounding) for row in zip(x, multiplier, addend, shift, strict=True)]
    np.testing.assert_array_equal(found, np.clip(np.array(by_row, np.int64), 3, 250))


@pytest.mark.parametrize(("lefts", "shift"), [((0, 0), 0), ((2, 0), 3), ((0, 3), 1), ((1, 0), -2)])
@pytest.mark.parametrize(("a_signed", "b_signed"), [(True, False), (False, False), (True, True)])
def test_sum_of_two(tmp_path, lefts, shift, a_signed, b_signed):
    a, b = pairs(codes(5, signed=a_signed), codes(4, signed=b_signed))
    parameters = {
        "A_BITS": 5, "A_SIGNED": int(a_signed), "B_BITS": 4, "B_SIGNED": int(b_signed), "LEFT_A": lefts[0],
        "LEFT_B": lefts[1], "SHIFT": shift, "ROUNDING": 0, "OUT_BITS": 5, "LOWEST": -16, "HIGHEST": 15,
    }  # fmt: skip
    found = simulated(tmp_path, "qonnx_add", parameters, {"a": (a, 5), "b": (b, 4)}, {"y": 5})
    np.testing.assert_array_equal(found["y"], integer.add(a, b, lefts, shift, FixedPoint(5, 0)))


@pytest.mark.parametrize("inverse", [0, 1])
@pytest.mark.parametrize("update", [0, 1])
def test_lifting_step_on_all_small_codes(tmp_path, update, inverse):
    left, centre, right = pairs(codes(4), codes(4), codes(4))
    inputs = {"left": (left, 4), "centre": (centre, 4), "right": (right, 4)}
    found = simulated(
        tmp_path, "qonnx_lifting53", {"X_BITS": 4, "UPDATE": update, "INVERSE": inverse}, inputs, {"y": 6}
    )
    step = (left + right + 2) // 4 if update else (left + right) // 2
    np.testing.assert_array_equal(found["y"], centre + step if update != inverse else centre - step)


@pytest.mark.parametrize("size", [9, 16])
def test_lifting_steps_make_the_wavelet_and_take_it_back(tmp_path, random, size):
    samples = random.integers(-512, 512, size)
    low, high = split(samples, Wavelet.WAVELET53, 0)

    def step(centre, left, right, **parameters):
        inputs = {name: (each, 12) for name, each in (("left", left), ("centre", centre), ("right", right))}
        return simulated(tmp_path, "qonnx_lifting53", {"X_BITS": 12, **parameters}, inputs, {"y": 14})["y"].astype(int)

    def beside(details):
        return details[np.maximum(np.arange(len(low)) - 1, 0)], details[np.minimum(np.arange(len(low)), len(high) - 1)]

    even, odd = samples[0::2], samples[1::2]
    after = even[np.minimum(np.arange(len(odd)) + 1, len(even) - 1)]
    details = step(odd, even[: len(odd)], after, UPDATE=0)
    np.testing.assert_array_equal(details, high)
    np.testing.assert_array_equal(step(even, *beside(details), UPDATE=1), low)
    back = step(low, *beside(high), UPDATE=1, INVERSE=1)
    np.testing.assert_array_equal(back, join(low, high, Wavelet.WAVELET53, 0)[0::2])
    after = back[np.minimum(np.arange(len(odd)) + 1, len(even) - 1)]
    np.testing.assert_array_equal(step(high, back[: len(odd)], after, UPDATE=0, INVERSE=1), odd)


@pytest.mark.parametrize("signed", [True, False])
def test_largest_of_a_window(tmp_path, random, signed):
    rows = random.integers(*((-16, 16) if signed else (0, 32)), (200, 4))
    present = random.random(rows.shape) < 0.7
    present[:, 2] = True
    first = np.tile([1, 0, 0, 0], len(rows))
    inputs = {
        "x": (rows, 5), "present": (present.ravel(), 1), "first": (first, 1), "enable": (np.ones(rows.size, int), 1),
    }  # fmt: skip
    inputs["x"] = (rows.ravel(), 5)
    found = simulated(tmp_path, "qonnx_max", {"X_BITS": 5, "X_SIGNED": int(signed)}, inputs, {"y": 5}, clocked=True)
    expected = np.where(present, rows, -16 if signed else 0).max(axis=1)
    np.testing.assert_array_equal((found["y"][3::4] - expected) % 32, 0)


@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("thresholds", [[1, 4, 4, 9, 20], [3]])
def test_log_codes_by_thresholds(tmp_path, signed, thresholds):
    x = codes(7)
    bits = 4
    packed = sum(value << (5 * at) for at, value in enumerate(thresholds))
    width = 5 * len(thresholds)
    parameters = {"X_BITS": 7, "COUNT": len(thresholds), "T_BITS": 5, "OUT_BITS": bits, "OUT_SIGNED": int(signed)}
    inputs = {"x": (x, 7), "thresholds": (np.full(x.size, packed), width)}
    found = simulated(tmp_path, "qonnx_log_requantize", parameters, inputs, {"y": bits})
    np.testing.assert_array_equal(found["y"], threshold_codes(x, thresholds, signed=signed))
