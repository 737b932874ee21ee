"""The codes of others take the bits that their descriptions say; found by writing them out."""

import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

sys.path.append(str(Path(__file__).resolve().parents[2] / "benchmarks"))
import rival_codecs as rivals


@pytest.fixture
def sparse(random):
    return np.clip(random.normal(-3, 25, (3, 9, 7)), 0, 255).astype(np.uint8)


def written_bit_planes(values):
    """Extended bit-plane compression as a string of bits."""
    out, run = "", 0
    for value in [*values, None]:
        if value == 0 and run < 16:
            run += 1
            continue
        if run:
            out += f"0{run - 1:04b}"
        run = int(value == 0)
        if value:
            out += "1"
    others = [value for value in values if value]
    others += others[-1:] * (-len(others) % 8)
    for start in range(0, len(others), 8):
        out += written_block(others[start : start + 8])
    return out


def written_block(block):
    differences = [(b - a) % 512 for a, b in pairwise(block)]
    planes = [tuple(d >> bit & 1 for d in differences) for bit in range(8, -1, -1)]
    mixed = [tuple(a ^ b for a, b in zip(p, q, strict=True)) for p, q in zip(planes, [(0,) * 7, *planes], strict=False)]
    out, zeros = f"{block[0]:08b}", 0
    for plane, bits in [*zip(planes, mixed, strict=True), (None, None)]:
        if bits is not None and not any(bits):
            zeros += 1
            continue
        if zeros:
            out += "01" if zeros == 1 else f"001{zeros - 2:03b}"
        zeros = 0
        if bits is None:
            break
        ones = [position for position, bit in enumerate(bits) if bit]
        if len(ones) == 7:
            out += "00000"
        elif not any(plane):
            out += "00001"
        elif len(ones) == 1:
            out += f"00011{ones[0]:03b}"
        elif len(ones) == 2 and ones[1] == ones[0] + 1:
            out += f"00010{ones[0]:03b}"
        else:
            out += "1" + "".join(map(str, bits))
    return out


def test_extended_bit_planes(sparse, random):
    cases = [sparse, np.zeros((1, 5, 7)), np.full((2, 4, 4), 9), random.integers(0, 256, (4, 8, 8))]
    cases += [np.cumsum(random.integers(0, 2, (1, 16, 16)), axis=2) + 1, np.array([[[5]]])]
    for codes in cases:
        found = rivals.extended_bit_planes(codes.astype(np.uint8))
        assert found == len(written_bit_planes(codes.astype(int).ravel().tolist()))


def test_zero_run_length(sparse):
    assert rivals.zero_run_length(np.array([[[0, 0, 0, 7, 8, 0]]], np.uint8)) == 3 * (2 + 8)
    assert rivals.zero_run_length(np.array([[[7, 0, 0, 0, 9]]], np.uint8)) == 2 * (2 + 8)
    assert rivals.zero_run_length(np.full((1, 1, 4), 3, np.uint8)) == 4 * (1 + 8)
    pairs, run = 0, 0  # with runs of 5 bits
    for value in sparse.ravel():
        if value or run == 31:
            pairs, run = pairs + 1, 0
        else:
            run += 1
    assert rivals.zero_run_length(sparse) <= (pairs + (run > 0)) * 13


def test_zero_value(sparse):
    assert rivals.zero_value(sparse) == sum(9 if value else 1 for value in sparse.ravel())


def test_huffman_lies_between_entropy_and_one_bit_more(sparse):
    frequencies = np.bincount(sparse.ravel(), minlength=256)
    used = frequencies[frequencies > 0]
    size = (rivals.huffman_lengths(used) * used).sum()
    assert rivals.entropy(sparse) <= size < rivals.entropy(sparse) + sparse.size
    assert rivals.huffman_lengths([5, 1, 1, 2]).tolist() == [1, 3, 3, 2]
    lengths = rivals.huffman_lengths(1 + frequencies)
    assert (0.5 ** lengths.astype(float)).sum() == 1
    assert rivals.huffman(sparse)(sparse) == lengths[sparse.ravel()].sum()


def test_zlib(sparse):
    check_library(rivals.zlib_6, sparse)


@pytest.mark.parametrize("level", [3, 19])
def test_zstandard(sparse, level):
    pytest.importorskip("zstandard", reason="zstandard is not installed: pip install 'qonnx-tools[benchmarks]'")
    check_library(rivals.zstandard(level), sparse)


def check_library(codec, sparse):
    assert 0 < codec(sparse) < 8 * (sparse.size + 64)
    assert codec(np.zeros((1, 64, 64), np.uint8)) < 400
