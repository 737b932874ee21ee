"""Range coding of symbols with two interleaved states (rANS), and the adaptive distributions of 16 symbols.

A distribution is the 16 starts ``e[0] = 0 < e[1] < ... < e[15] < 2^15``: symbol s has the probability
``(e[s+1] - e[s]) / 2^15``. A state x lies in 2^16 .. 2^32 - 1 and begins, for the encoder, at 2^16:

    encode:  if x >= f 2^17: put the 16 low bits of x, x = floor(x / 2^16);   x = floor(x / f) 2^15 + start + x mod f
    decode:  slot = x mod 2^15;  x = f floor(x / 2^15) + slot - start;   if x < 2^16: x = 2^16 x + next 16 bits

The encoder goes through the symbols from the last to the first, so that the decoder reads the words from the end of
the payload to its front: state 0 (32 bits), state 1, then words of 16 bits, all little-endian.

Source: Duda, "Asymmetric numeral systems", 2013; Giesen, "Interleaved entropy coders", 2014.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from qonnx_tools.arithmetic.wavelet import Integers
from qonnx_tools.errors import DataError

SYMBOLS = 16
PROBABILITY_BITS = 15
TOTAL = 1 << PROBABILITY_BITS
WORD_BITS = 16
LOWEST_STATE = 1 << 16
STATES = 2
STATE_BYTES = 4

LEAST_PROBABILITY = 4
"""Of every symbol in every distribution, in 1 / 2^15."""
FIRST_RATE, LAST_RATE = 25206, 936
"""By how much of the way a distribution moves towards its first symbols and, in the end, later ones, in 1 / 2^16."""


@dataclass(frozen=True)
class Choice:
    """A symbol as the state sees it: which state, where it starts, and how probable it is, in 1 / 2^15."""

    state: int
    start: int
    frequency: int


class Distributions:
    """Adaptive distributions, by context; all begin uniform."""

    def __init__(self, contexts: int) -> None:
        self._starts = np.tile(np.arange(SYMBOLS, dtype=np.int64) * (TOTAL // SYMBOLS), (contexts, 1))
        self._rates = np.full(contexts, FIRST_RATE, np.int64)

    def mixed(self, first: int, second: int, third: int) -> Integers:
        """Return the starts of the mean of three distributions, and ``TOTAL``: weights 1/4, 1/4 and 1/2."""
        mean = (self._starts[first] + self._starts[second] + 1) >> 1
        return np.append((mean + self._starts[third] + 1) >> 1, TOTAL)

    def learn(self, contexts: Sequence[int], symbol: int) -> None:
        """Move each distribution towards ``symbol``, and its rate towards the last one.

        e += floor((target - e) rate / 2^16),  then  rate += floor((last - rate) rate / 2^16): about 1 / (seen + 2.6)
        """
        position = np.arange(SYMBOLS)
        below, above = LEAST_PROBABILITY * position, TOTAL - LEAST_PROBABILITY * (SYMBOLS - position)
        target = np.where(position <= symbol, below, above)
        for context in contexts:
            rate = int(self._rates[context])
            self._starts[context] += ((target - self._starts[context]) * rate) >> 16
            self._rates[context] += ((LAST_RATE - rate) * rate) >> 16


def encode(choices: Sequence[Choice]) -> bytes:
    """Return the words of symbols, in the order in which a decoder wants them from the end."""
    states = [LOWEST_STATE] * STATES
    out = bytearray()
    for choice in reversed(choices):
        x = states[choice.state]
        if x >= choice.frequency << (32 - PROBABILITY_BITS):
            out += (x & 0xFFFF).to_bytes(2, "little")
            x >>= WORD_BITS
        states[choice.state] = (x // choice.frequency << PROBABILITY_BITS) + choice.start + x % choice.frequency
    for x in reversed(states):
        out += x.to_bytes(STATE_BYTES, "little")
    return bytes(out)


class Decoder:
    """The states of a payload, and how far from its end they have read."""

    def __init__(self, payload: bytes) -> None:
        self._payload = payload
        self.end = len(payload)
        self._states = [self._take(STATE_BYTES) for _ in range(STATES)]

    def decode(self, state: int, starts: Integers) -> int:
        """Return the next symbol of ``state``, whose distribution is ``starts``, 17 numbers."""
        x = self._states[state]
        slot = x % TOTAL
        symbol = int(np.searchsorted(starts, slot, side="right")) - 1
        start, stop = int(starts[symbol]), int(starts[symbol + 1])
        x = (stop - start) * (x >> PROBABILITY_BITS) + slot - start
        if x < LOWEST_STATE:
            x = (x << WORD_BITS) + self._take(WORD_BITS // 8)
        self._states[state] = x
        return symbol

    def finish(self, front: int) -> None:
        """Raise ``DataError`` unless the states are those that an encoder begins with, and meet ``front``."""
        if self._states != [LOWEST_STATE] * STATES or self.end != front:
            raise DataError("the stream does not end where its symbols do; it is damaged")

    def _take(self, count: int) -> int:
        if self.end < count:
            raise DataError("the stream ends too early; it is damaged")
        self.end -= count
        return int.from_bytes(self._payload[self.end : self.end + count], "little")
