"""Context-adaptive code of a plane: what the neighbours are says how probable each token is.

Channels are coded in pairs, sample by sample: first the sample of the even channel (state 0), then that of the odd one
(state 1). For a sample, with its neighbours as in ``prediction`` and P the sample there of the last channel before the
pair, 0 in the first pair:

    predicted plane:   p = floor((median edge + floor((3W + 3N + NE + NW + 4) / 8) + 1) / 2)
                       activity = |W - NW| + |N - NW| + |N - NE| + |W - p(W)| + |N - p(N)|, the last two 0 outside
                       hint = |p|
    coefficients:      p = 0,  activity = 2|W| + 2|N| + |NW| + |NE|,  hint: given for each sample

With Q(e) = e for e < 2, else 2 floor(log2 e) + the bit below the highest one:

    contexts   min(Q(activity), 13) and which of W, N, (NW and NE) are 0;
               min(Q(|P|), 11) and min(Q(floor((|W| + |N| + 1) / 2)), 11);
               min(Q(hint), 15) and min(Q(activity), 13)

The mean of the three distributions gives the probabilities of the token; they learn it when both samples of a pair
are coded. The sample v is, with s = max(0, floor(log2 activity) - 3), v - p + floor(2^s / 2) = q 2^s + r, and z = 2q or
-2q - 1 as in ``to_unsigned``:

    token 0: v = 0;   1 + z: z <= 12;   14: z = 13 or 14;   15: z >= 15

In plain bits follow r (s bits), z - 13 (1 bit, token 14), and the exponential-Golomb code of order 1 of z - 15
(token 15). Plain bits fill the payload from its front, words of the states from its end.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from qonnx_tools.arithmetic import rans
from qonnx_tools.arithmetic.bits import BitReader, BitWriter
from qonnx_tools.arithmetic.prediction import median_edge, neighbours, to_signed, to_unsigned
from qonnx_tools.arithmetic.wavelet import Integers

ACTIVITIES, PATTERNS, BEFORE, MEANS, HINTS = 14, 8, 12, 12, 16
CONTEXTS = ACTIVITIES * PATTERNS + BEFORE * MEANS + HINTS * ACTIVITIES
"""Of one kind of plane."""
FIRST_ESCAPE, SECOND_ESCAPE = 13, 15
"""z from which on token 14 and token 15 stand for it."""
LONGEST = 48
"""The most zeros that an escape begins with."""


class Sample:
    """What is known of one sample before it is coded."""

    def __init__(self, planes: Integers, errors: Integers, hints: Integers | None, at: tuple[int, int, int]) -> None:
        c, row, column = at
        w, n, nw, ne = neighbours(planes[c], row, column)
        if hints is None:
            self.prediction = (median_edge(w, n, nw) + ((3 * w + 3 * n + ne + nw + 4) >> 3) + 1) >> 1
            activity = abs(w - nw) + abs(n - nw) + abs(n - ne)
            activity += int(errors[c, row, column - 1]) if column else 0
            activity += int(errors[c, row - 1, column]) if row else 0
            hint = abs(self.prediction)
        else:
            self.prediction = 0
            activity = 2 * abs(w) + 2 * abs(n) + abs(nw) + abs(ne)
            hint = int(hints[at])
        earlier = c - c % rans.STATES - 1
        before = abs(int(planes[earlier, row, column])) if earlier >= 0 else 0
        level = min(magnitude_class(activity), ACTIVITIES - 1)
        pattern = (w == 0) + 2 * (n == 0) + 4 * (nw == 0 and ne == 0)
        mean = min(magnitude_class((abs(w) + abs(n) + 1) >> 1), MEANS - 1)
        base = 0 if hints is None else CONTEXTS
        self.contexts = (
            base + level * PATTERNS + pattern,
            base + ACTIVITIES * PATTERNS + min(magnitude_class(before), BEFORE - 1) * MEANS + mean,
            base + ACTIVITIES * PATTERNS + BEFORE * MEANS + min(magnitude_class(hint), HINTS - 1) * ACTIVITIES + level,
        )
        self.shift = max(0, activity.bit_length() - 4)

    @property
    def half(self) -> int:
        """What is added before the division by 2^shift."""
        return (1 << self.shift) >> 1


def magnitude_class(e: int) -> int:
    """Return Q(e): two classes an octave."""
    if e < 2:
        return e
    length = e.bit_length() - 1
    return 2 * length + ((e >> (length - 1)) & 1)


class ContextEncoder:
    """Gathers the tokens and the plain bits of planes."""

    def __init__(self) -> None:
        self._distributions = rans.Distributions(2 * CONTEXTS)
        self._choices: list[rans.Choice] = []
        self._bits = BitWriter()

    def write_plane(self, planes: npt.ArrayLike, hints: Integers | None) -> None:
        """Append the maps ``[C, H, W]`` of one plane, predicted where there are no hints."""
        values = np.asarray(planes, np.int64)
        errors = np.zeros_like(values)
        for pair in _pairs(values.shape):
            seen = []
            for at in pair:
                sample = Sample(values, errors, hints, at)
                errors[at] = abs(int(values[at]) - sample.prediction)
                seen.append((sample.contexts, self._write(int(values[at]), sample, at[0] % rans.STATES)))
            for contexts, token in seen:
                self._distributions.learn(contexts, token)

    def _write(self, value: int, sample: Sample, state: int) -> int:
        """Append one sample; return its token."""
        scaled, rest = divmod(value - sample.prediction + sample.half, 1 << sample.shift)
        number = int(to_unsigned(scaled))
        token = 0 if value == 0 else 1 + min(number, FIRST_ESCAPE) + (number >= SECOND_ESCAPE)
        starts = self._distributions.mixed(*sample.contexts)
        start, stop = int(starts[token]), int(starts[token + 1])
        self._choices.append(rans.Choice(state, start, stop - start))
        if token:
            self._bits.write(rest, sample.shift)
        if token == SECOND_ESCAPE - 1:
            self._bits.write(number - FIRST_ESCAPE, 1)
        elif token == SECOND_ESCAPE:
            half = ((number - SECOND_ESCAPE) >> 1) + 1
            length = half.bit_length() - 1
            self._bits.write_unary(length)
            self._bits.write(half, length)
            self._bits.write(number - SECOND_ESCAPE, 1)
        return token

    def to_bytes(self) -> bytes:
        """Return the payload."""
        return self._bits.to_bytes() + rans.encode(self._choices)


class ContextDecoder:
    """Reads planes from a payload."""

    def __init__(self, payload: bytes) -> None:
        self._distributions = rans.Distributions(2 * CONTEXTS)
        self._states = rans.Decoder(payload)
        self._bits = BitReader(payload)

    def read_plane(self, shape: tuple[int, int, int], hints: Integers | None) -> Integers:
        """Return the maps ``[C, H, W]`` of the next plane."""
        values, errors = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
        for pair in _pairs(shape):
            seen = []
            for at in pair:
                sample = Sample(values, errors, hints, at)
                token = self._states.decode(at[0] % rans.STATES, self._distributions.mixed(*sample.contexts))
                if token:
                    rest = self._bits.read(sample.shift)
                    scaled = int(to_signed(self._number(token)))
                    values[at] = (scaled << sample.shift) + rest - sample.half + sample.prediction
                errors[at] = abs(int(values[at]) - sample.prediction)
                seen.append((sample.contexts, token))
            for contexts, token in seen:
                self._distributions.learn(contexts, token)
        return values

    def _number(self, token: int) -> int:
        if token < SECOND_ESCAPE - 1:
            return token - 1
        if token == SECOND_ESCAPE - 1:
            return FIRST_ESCAPE + self._bits.read(1)
        length = self._bits.read_unary(LONGEST)
        half = (1 << length) + self._bits.read(length)
        return SECOND_ESCAPE + 2 * (half - 1) + self._bits.read(1)

    def finish(self) -> None:
        """Raise ``DataError`` unless all of the payload was read, and no more."""
        self._states.finish(self._bits.bytes_read)


def _pairs(shape: tuple[int, ...]) -> Iterator[list[tuple[int, int, int]]]:
    """Yield the positions of the samples in the order of the stream, those that are coded together in one list."""
    channels, height, width = shape
    for first in range(0, channels, rans.STATES):
        for row in range(height):
            for column in range(width):
                yield [(c, row, column) for c in range(first, min(first + rans.STATES, channels))]
