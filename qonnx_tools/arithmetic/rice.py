"""Adaptive Rice code in blocks of 16, laid out so that eight numbers can be read at once.

State A, 64 times the running mean of the numbers u, is 512 at the start of a stream. A block of up to 16 numbers has
the parameter k = bit length of floor(A / 128), at most 40, and is coded as

    [if A < 16: one bit, 0 if all numbers are 0, and then nothing follows]
    group of up to 8 numbers:  min(floor(u / 2^k), 24) zeros and a one, of each number
                               the k low bits of each number
                               floor(u / 2^k) in 48 bits, of each number where it is 24 or more

(16 bits instead of 48 for codes of 8 bits). After a block of 16: A = A - floor(A / 4) + sum of its numbers, at
most 2^46. A plane ends a block; the state goes on.

Source: Rice, "Some practical universal noiseless coding techniques", 1979.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from qonnx_tools.arithmetic.bits import BitReader, BitWriter
from qonnx_tools.arithmetic.wavelet import Integers

BLOCK, GROUP = 16, 8
START = 512
SPARSE = 16
LARGEST_PARAMETER = 40
LARGEST_STATE = 1 << 46
ESCAPE = 24
"""From this quotient on it is written in plain."""


class RiceState:
    """What encoder and decoder know from the numbers before."""

    def __init__(self) -> None:
        self._state = START

    @property
    def parameter(self) -> int:
        """K of the next block."""
        return min((self._state >> 7).bit_length(), LARGEST_PARAMETER)

    @property
    def sparse(self) -> bool:
        """Whether the next block begins with a bit that says if it has numbers other than 0."""
        return self._state < SPARSE

    def see(self, block: list[int]) -> None:
        """Take note of a block."""
        if len(block) == BLOCK:
            self._state = min(self._state - (self._state >> 2) + sum(block), LARGEST_STATE)


def write_plane(u: npt.ArrayLike, state: RiceState, escape_bits: int, out: BitWriter) -> None:
    """Append the codes of a plane."""
    numbers = np.asarray(u).ravel().tolist()
    for begin in range(0, len(numbers), BLOCK):
        block = numbers[begin : begin + BLOCK]
        present = any(block)
        if state.sparse:
            out.write(present, 1)
        if present or not state.sparse:
            for group in (block[:GROUP], block[GROUP:]):
                _write_group(group, state.parameter, escape_bits, out)
        state.see(block)


def read_plane(count: int, state: RiceState, escape_bits: int, bits: BitReader) -> Integers:
    """Return the next ``count`` numbers."""
    found: list[int] = []
    while len(found) < count:
        size = min(BLOCK, count - len(found))
        block = [0] * size
        if not state.sparse or bits.read(1):
            block = [
                number
                for length in (min(size, GROUP), size - min(size, GROUP))
                for number in _read_group(length, state.parameter, escape_bits, bits)
            ]
        state.see(block)
        found += block
    return np.array(found, np.int64)


def _write_group(group: list[int], parameter: int, escape_bits: int, out: BitWriter) -> None:
    for number in group:
        out.write_unary(min(number >> parameter, ESCAPE))
    for number in group:
        out.write(number, parameter)
    for number in group:
        if number >> parameter >= ESCAPE:
            out.write(number >> parameter, escape_bits)


def _read_group(count: int, parameter: int, escape_bits: int, bits: BitReader) -> Iterator[int]:
    quotients = [bits.read_unary(ESCAPE) for _ in range(count)]
    low = [bits.read(parameter) for _ in range(count)]
    for quotient, rest in zip(quotients, low, strict=True):
        whole = bits.read(escape_bits) if quotient == ESCAPE else quotient
        yield (whole << parameter) + rest
