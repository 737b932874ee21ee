"""Memory images: integers of some width as packed bits, and as the text that Verilog's ``$readmemh`` reads.

Both hold the same words in the same order, negative numbers in two's complement. Packed, one word follows the other
without a gap, the lowest bit of a word first, the first bit of a byte being its lowest; zeros fill the last byte.
As text, each word is a line of ceil(bits / 4) hexadecimal digits.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from qonnx_tools.errors import ConfigError

WIDEST_WORD = 64


def packed(numbers: npt.ArrayLike, bits: int) -> bytes:
    """Return the ``bits`` lowest bits of each number, one word after the other.

    Raises:
        ConfigError: a number needs more bits, read with or without a sign.
    """
    words = _words(numbers, bits)
    places = np.arange(bits, dtype=np.uint64)
    return np.packbits(((words[:, None] >> places) & np.uint64(1)).astype(np.uint8), bitorder="little").tobytes()


def unpacked(image: bytes, bits: int, count: int, *, signed: bool) -> npt.NDArray[np.int64]:
    """Return the first ``count`` words of a packed image."""
    ones = np.unpackbits(np.frombuffer(image, np.uint8), bitorder="little")[: bits * count].reshape(count, bits)
    words = (ones.astype(np.uint64) << np.arange(bits, dtype=np.uint64)).sum(axis=1, dtype=np.uint64).astype(np.int64)
    unused = np.int64(WIDEST_WORD - bits)
    return np.asarray((words << unused) >> unused) if signed else words


def hexadecimal(numbers: npt.ArrayLike, bits: int) -> str:
    """Return the lines for ``$readmemh``. Raises ``ConfigError`` as :func:`packed` does."""
    digits = -(-bits // 4)
    return "".join(f"{word:0{digits}x}\n" for word in _words(numbers, bits).tolist())


def _words(numbers: npt.ArrayLike, bits: int) -> npt.NDArray[np.uint64]:
    if not 1 <= bits <= WIDEST_WORD:
        raise ConfigError(f"a word of {bits} bits is out of range; it has 1 to {WIDEST_WORD}")
    given: npt.NDArray[Any] = np.asarray(numbers).ravel()
    if given.dtype == np.uint64:
        words = given
    else:
        wide = given.astype(np.int64)
        low, high = (int(wide.min()), int(wide.max())) if wide.size else (0, 0)
        if low < -(2 ** (bits - 1)) or high >= 2**bits or (low < 0 and high >= 2 ** (bits - 1)):
            raise ConfigError(f"numbers from {low} to {high} do not fit words of {bits} bits")
        words = wide.astype(np.uint64)
    return words & np.uint64(2**bits - 1)
