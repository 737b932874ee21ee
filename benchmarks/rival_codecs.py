"""How many bits published codes for feature maps take, for 8-bit codes; and the general compressors of libraries.

Each takes the codes of one map ``[C, H, W]``, uint8, and returns bits. The comparison leans to the rivals: no headers,
the best run length of each map, a Huffman table that costs nothing.
"""

import heapq
import zlib
from collections.abc import Callable
from itertools import count

import numpy as np
import numpy.typing as npt

Codes = npt.NDArray[np.uint8]
Bits = Callable[[Codes], float]

WIDTH = 8
"""Bits of a code."""
BLOCK = 8
"""Codes in a block of bit planes."""
LONGEST_BURST = 16
"""Zeros that one symbol of extended bit-plane compression stands for."""


def zero_run_length(codes: Codes) -> int:
    """Pairs of a run of zeros and the code behind it, runs in 1 to 8 bits, whichever are best for the map.

    Source: Chen et al., "Eyeriss", JSSC 2017, which has 5 bits.
    """
    values = codes.ravel()
    present = np.flatnonzero(np.append(values, 1))  # a last run ends behind the map
    runs = np.diff(present, prepend=-1) - 1
    if values.size and values[-1]:
        runs = runs[:-1]
    return min(int((1 + runs // 2**bits).sum()) * (bits + WIDTH) for bits in range(1, WIDTH + 1))


def zero_value(codes: Codes) -> int:
    """A bit for each code that says whether it is 0, and the others.

    Source: Rhu et al., "Compressing DMA engine", HPCA 2018.
    """
    return codes.size + WIDTH * int(np.count_nonzero(codes))


def extended_bit_planes(codes: Codes) -> int:
    """A stream that tells zeros from others, bursts of zeros in one symbol, and bit planes of blocks of the others.

    1 for a code other than 0; 0 and 4 bits for a burst of up to 16 zeros. Of a block of 8 codes the first is plain;
    the 7 differences, 9 bits each, are 9 planes of 7 bits, each exclusive-or the one above, and each a symbol:

        2 to 9 planes of zeros: 001 and 3 bits;   one: 01;   all ones: 00000;   0 before the exclusive-or: 00001
        two neighbouring ones: 00010 and 3 bits;   a single one: 00011 and 3 bits;   anything: 1 and 7 bits

    Source: Cavigelli, Rutishauser, Benini, "EBPC", JETCAS 2019.
    """
    values = codes.ravel()
    zero = np.concatenate([[False], values == 0, [False]])
    edges = np.flatnonzero(np.diff(zero.astype(np.int8)))
    bursts = edges[1::2] - edges[0::2]
    others = values[values != 0].astype(np.int64)
    flags = others.size + 5 * int((-(-bursts // LONGEST_BURST)).sum())
    return int(flags + _block_bits(others).sum())


def _block_bits(values: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return the bits of each block; the last one is filled up with its last code."""
    if not values.size:
        return np.zeros(0, np.int64)
    filled = np.append(values, np.repeat(values[-1:], -values.size % BLOCK)).reshape(-1, BLOCK)
    differences = np.diff(filled, axis=1) & (2 ** (WIDTH + 1) - 1)
    planes = (differences[:, :, None] >> np.arange(WIDTH, -1, -1)) & 1  # [blocks, 7, 9], the highest bit first
    words = (planes << np.arange(BLOCK - 1)[:, None]).sum(axis=1)
    mixed = words ^ np.concatenate([np.zeros((len(words), 1), np.int64), words[:, :-1]], axis=1)
    ones = sum((mixed >> bit) & 1 for bit in range(BLOCK - 1))
    pair = (ones == 2) & ((mixed & (mixed >> 1)) != 0)
    plain = np.full(mixed.shape, BLOCK)
    plain[(ones == 1) | pair] = 8
    plain[words == 0] = 5
    plain[mixed == 2 ** (BLOCK - 1) - 1] = 5
    zeros = mixed == 0
    starts = zeros & ~np.concatenate([np.zeros((len(zeros), 1), bool), zeros[:, :-1]], axis=1)
    following = np.concatenate([zeros[:, 1:], np.zeros((len(zeros), 1), bool)], axis=1)
    runs = np.where(starts, np.where(following, 6, 2), 0)
    return np.asarray(WIDTH + np.where(zeros, runs, plain).sum(axis=1), np.int64)


def entropy(codes: Codes) -> float:
    """The first-order entropy of the map: what no code of single symbols falls below."""
    found = np.bincount(codes.ravel())
    shares = found[found > 0] / codes.size
    return float(-codes.size * (shares * np.log2(shares)).sum())


def huffman(training: Codes) -> Bits:
    """Return a Huffman code with the lengths that are best for other maps of the same layer."""
    lengths = huffman_lengths(1 + np.bincount(training.ravel(), minlength=256))
    return lambda codes: int(lengths[codes.ravel()].sum())


def huffman_lengths(frequencies: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """Return the length of the code word of each symbol."""
    order = count()
    lengths = np.zeros(len(np.asarray(frequencies)), np.int64)
    heap = [(int(frequency), next(order), [symbol]) for symbol, frequency in enumerate(np.asarray(frequencies))]
    heapq.heapify(heap)
    while len(heap) > 1:
        first, _, left = heapq.heappop(heap)
        second, _, right = heapq.heappop(heap)
        lengths[left + right] += 1
        heapq.heappush(heap, (first + second, next(order), left + right))
    return lengths


def zlib_6(codes: Codes) -> int:
    """Zlib at its usual level."""
    return 8 * len(zlib.compress(codes.tobytes(), 6))


def zstandard(level: int) -> Bits:
    """Return zstd at a level; its library is in the extra ``benchmarks``."""
    import zstandard as library  # noqa: PLC0415  # optional

    compressor = library.ZstdCompressor(level=level)
    return lambda codes: 8 * len(compressor.compress(codes.tobytes()))
