"""What becomes of accumulators: every rounding, carrier and width of the numbers on the way equals the reference."""

import numpy as np
import pytest

PIXELS = 151  # no multiple of a register's lanes
# largest bits of bias, of multiplier and of addend, and of the shift
WIDTHS = {
    "32 bits hold all": (20, 0, 0, 18),
    "32 bits, with an addend": (20, 0, 24, 20),
    "products of 64 bits": (20, 15, 40, 40),
    "the widest products that 64 bits hold": (30, 31, 61, 62),
    "codes before clipping beyond 32 bits": (30, 31, 50, 12),
    "products that 64 bits may not hold": (31, 31, 63, 62),
}
CARRIERS = [(2, 8, 0), (2, 5, 0), (3, 8, 1), (3, 6, 1), (4, 16, 0), (5, 16, 1), (5, 11, 1), (6, 32, 1), (6, 20, 1)]


def signed(source, bits, count):
    """Numbers of up to ``bits`` bits beside the sign, ends and powers of two among them."""
    values = source.integers(-(2**bits), 2**bits, count)
    powers = 2 ** source.integers(0, bits + 1, count) * source.choice([-1, 1], count)
    return np.clip(np.where(source.random(count) < 0.3, powers, values), -(2**bits), 2**bits - 1)


@pytest.mark.parametrize("accumulator_bits", [7, 24, 32, 36, 64])
@pytest.mark.parametrize("rounding", range(6))
@pytest.mark.parametrize("width", WIDTHS)
def test_every_width(width, rounding, accumulator_bits, run_codes, reference_codes):
    source = np.random.default_rng([len(width), rounding, accumulator_bits])
    bias_bits, multiplier_bits, addend_bits, most_shift = WIDTHS[width]
    for to, bits, is_signed in CARRIERS:
        channels = 40
        x = source.integers(-(2**15), 2**15, (1, 1, 1, PIXELS)).astype(np.int16)
        w = source.choice([-1, 1, 3], (channels, 1, 1, 1)).astype(np.int8)
        shift = source.integers(max(0, most_shift - 20), most_shift, channels, endpoint=True)
        inputs = [x, w, shift, signed(source, bias_bits, channels)]
        inputs.append(signed(source, multiplier_bits, channels).astype(np.int32) if multiplier_bits else None)
        inputs.append(signed(source, addend_bits, channels) if addend_bits else None)
        attributes = {"bits": bits, "signed": is_signed, "to": to, "narrow": 0, "rounding": rounding, "group": 1}
        attributes |= {"kernel_shape": [1, 1], "accumulator_bits": accumulator_bits}
        expected = reference_codes("FixedConv", inputs, attributes)
        np.testing.assert_array_equal(run_codes("FixedConv", inputs, attributes), expected, err_msg=str(attributes))
