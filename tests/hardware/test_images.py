"""Memory images: the bits of every word, where they lie, and back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qonnx_tools.arithmetic.bits import BitWriter
from qonnx_tools.errors import ConfigError
from qonnx_tools.hardware.images import hexadecimal, packed, unpacked


@given(st.data(), st.integers(1, 64), st.booleans())
def test_words_lie_as_a_bit_writer_writes_them(data, bits, signed):
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2 ** min(bits, 63) - 1)
    numbers = np.array(data.draw(st.lists(st.integers(low, high), max_size=20)), np.int64)
    writer = BitWriter()
    for number in numbers.tolist():
        writer.write(number, bits)
    image = packed(numbers, bits)
    assert image == writer.to_bytes()
    np.testing.assert_array_equal(unpacked(image, bits, numbers.size, signed=signed), numbers)


def test_text_has_a_line_a_word_in_twos_complement():
    assert hexadecimal(np.array([[0, -1], [15, -16]], np.int8), 5) == "00\n1f\n0f\n10\n"
    assert hexadecimal(np.array([-1, 2**63 - 1]), 64) == "f" * 16 + "\n7" + "f" * 15 + "\n"
    assert hexadecimal(np.array([2**64 - 1], np.uint64), 64) == "f" * 16 + "\n"
    assert hexadecimal(np.array([], np.int8), 3) == ""


@pytest.mark.parametrize(("numbers", "bits"), [([16], 4), ([-9], 4), ([-1, 8], 4), ([0], 0), ([0], 65)])
def test_what_does_not_fit_is_refused(numbers, bits):
    with pytest.raises(ConfigError, match=r"do not fit words of 4 bits|out of range"):
        packed(numbers, bits)


def test_words_fit_with_or_without_a_sign():
    assert hexadecimal([15], 4) == "f\n"
    assert hexadecimal([-8, 7], 4) == "8\n7\n"
