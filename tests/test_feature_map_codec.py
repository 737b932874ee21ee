"""The compiled codec gives the bytes and the codes of the reference, at every SIMD level, and refuses as it does."""

import os
import subprocess
import sys
import zlib

import numpy as np
import pytest
from feature_map_cases import codings, feature_maps
from hypothesis import given, settings
from hypothesis import strategies as st
from simd_levels import LEVELS, lacks

from qonnx_tools.arithmetic import coding as reference
from qonnx_tools.arithmetic.bitstream import ELEMENTS, Coder, Coding, Transform
from qonnx_tools.arithmetic.fixed_point import FixedPoint
from qonnx_tools.errors import ConfigError, DataError
from qonnx_tools.feature_map_codec import FeatureMapEncoder, compress, decompress

EVERY = [
    Coding(transform, coder, levels)
    for transform in Transform
    for coder in Coder
    for levels in ((1, 2, 3) if transform in ("haar", "wavelet53") else (0,))
]


def assert_as_reference(codes, coding, number_format=None):
    stream = compress(codes, coding, number_format)
    assert stream == reference.encode(codes, coding, number_format)
    expected = reference.round_trip(codes, coding, number_format)
    encoder = FeatureMapEncoder(reference.header_of(codes, coding, number_format))
    for found in (decompress(stream), encoder.round_trip(codes)):
        assert found.dtype == codes.dtype
        np.testing.assert_array_equal(found, expected)


@given(st.data())
@settings(max_examples=250, deadline=None)
def test_bytes_and_codes_are_those_of_the_reference(data):
    codes = data.draw(feature_maps())
    assert_as_reference(codes, data.draw(codings(len(codes))))


@pytest.mark.parametrize("element", ELEMENTS, ids=str)
def test_extremes(element, random):
    limits = np.iinfo(element)
    for coding in EVERY:
        for step in (1, 2.5, 3000.0625):
            codes = random.choice(np.array([limits.min, limits.max], element), (3, 9, 8))
            assert_as_reference(codes, Coding(coding.transform, coding.coder, coding.levels, step))


@pytest.mark.parametrize("coding", EVERY, ids=lambda c: f"{c.transform}-{c.coder}-{c.levels}")
def test_large_maps_come_back(coding, random):
    smooth = np.cumsum(np.cumsum(random.normal(size=(5, 61, 67)), axis=1), axis=2)
    for element, scale in ((np.uint8, 0.6), (np.int16, 90)):
        codes = np.clip(smooth * scale, 0, 255 if element == np.uint8 else 30000).astype(element)
        np.testing.assert_array_equal(decompress(compress(codes, coding)), codes)


@pytest.mark.parametrize("element", [np.uint8, np.int16])
def test_more_channels_than_go_side_by_side(element, random):
    limits = np.iinfo(element)
    codes = random.integers(limits.min, limits.max, (37, 5, 7), element, endpoint=True)
    for coding in EVERY:
        dropped = tuple(random.random(37) < 0.5) if coding.levels else ()
        assert_as_reference(codes, Coding(coding.transform, coding.coder, coding.levels, 2.5, dropped))


@pytest.mark.parametrize(("bits", "signed", "narrow"), [(4, False, False), (5, True, True), (1, True, False)])
def test_number_formats(bits, signed, narrow, random):
    form = FixedPoint(bits, 0, signed, narrow)
    low, high = form.code_range
    codes = random.integers(low, high, (3, 7, 9), endpoint=True).astype(np.int16)
    for coding in EVERY:
        assert_as_reference(codes, Coding(coding.transform, coding.coder, coding.levels, 1.5), form)


def test_an_encoder_is_used_again(random):
    codes = random.integers(0, 256, (20, 4, 6, 6), dtype=np.uint8)
    encoder = FeatureMapEncoder(reference.header_of(codes[0], Coding()))
    assert [encoder.encode(one) for one in codes] == [reference.encode(one, Coding()) for one in codes]
    turned = codes[0].swapaxes(1, 2)
    assert encoder.encode(turned) == reference.encode(turned, Coding())


def test_codes_are_written_where_they_are_wanted(random):
    codes = random.integers(0, 256, (3, 4, 5), dtype=np.uint8)
    stream, room = compress(codes, Coding()), np.zeros((3, 4, 5), np.uint8)
    assert decompress(stream, out=room) is room
    np.testing.assert_array_equal(room, codes)
    for wrong in (
        np.zeros((3, 5, 4), np.uint8),
        np.zeros((3, 4, 5), np.int8),
        np.zeros((3, 4, 10), np.uint8)[..., ::2],
    ):
        with pytest.raises(DataError, match=r"the stream holds uint8 \[3, 4, 5\]; out is"):
            decompress(stream, out=wrong)


DIGESTS = """
import hashlib, numpy as np
from qonnx_tools.arithmetic.bitstream import Coding
from qonnx_tools.feature_map_codec import compress, decompress
random = np.random.default_rng(3)
smooth = np.cumsum(random.normal(size=(9, 31, 45)), axis=2)
for transform, levels in (("none", 0), ("predictive", 0), ("haar", 2), ("wavelet53", 3)):
    for coder in ("sparse-golomb", "rice", "context"):
        for element, scale in ((np.int8, 20), (np.uint8, 40), (np.uint16, 999), (np.int32, 2**26)):
            for step in (1, 7.5):
                limits = np.iinfo(element)
                codes = np.clip(smooth * scale, limits.min, limits.max).astype(element)
                stream = compress(codes, Coding(transform, coder, levels, step))
                print(hashlib.sha256(stream + decompress(stream).tobytes()).hexdigest())
"""


def digests(level):
    environment = {**os.environ, "QONNX_TOOLS_SIMD": level}
    done = subprocess.run(
        [sys.executable, "-P", "-c", DIGESTS], env=environment, capture_output=True, text=True, check=False
    )
    return done.stdout.splitlines() if done.returncode == 0 else done.stderr


@pytest.mark.parametrize("level", LEVELS[1:])
def test_levels_give_the_same_bytes(level):
    if lacks(level):
        pytest.skip(f"this CPU has no {level}")
    expected = digests("portable")
    assert len(expected) == 96
    assert digests(level) == expected


def test_a_level_that_there_is_not_is_one_error():
    assert "ConfigError: the environment variable QONNX_TOOLS_SIMD" in digests("avx9")


def test_damage_is_refused(random):
    stream = compress(random.integers(0, 99, (3, 8, 8), dtype=np.uint8), Coding())
    for damaged, message in (
        (b"", "does not begin with 'QF'"),
        (b"PK" + stream[2:], "does not begin with 'QF'"),
        (stream[:8], "it is damaged"),
        (stream[:-1], "the checksum does not fit"),
        (stream[:6] + bytes([stream[6] + 1]) + stream[7:], "a version that this decoder does not read"),
    ):
        with pytest.raises(DataError, match=message):
            decompress(damaged)
    with pytest.raises(DataError, match="more samples than the limit"):
        decompress(stream, limit=191)


def test_a_few_bytes_do_not_ask_for_much_memory():
    """A map of a quarter of a billion samples in twenty bytes."""
    stream = bytearray(compress(np.zeros((1, 1, 1), np.uint8), Coding("none", "rice")))
    assert bytes(stream[9:12]) == b"\1\1\1"
    stream[9:12] = b"\1" + b"\x80\x80\1" * 2
    stream[2:6] = zlib.crc32(stream[6:]).to_bytes(4, "little")
    with pytest.raises(DataError, match="what no encoder writes"):
        decompress(bytes(stream), limit=1 << 30)


def test_damage_behind_the_checksum_decodes_or_is_refused(random):
    for coding in EVERY:
        stream = compress(random.integers(0, 30, (3, 9, 7), dtype=np.uint8), coding)
        refused = 0
        for _ in range(200):
            damaged = bytearray(stream)
            damaged[random.integers(6, len(stream))] = random.integers(256)
            damaged[2:6] = zlib.crc32(damaged[6:]).to_bytes(4, "little")
            try:
                decompress(bytes(damaged), limit=4096)
            except DataError:
                refused += 1
        assert refused > 10


def test_what_cannot_be_coded_is_refused():
    with pytest.raises(DataError, match=r"codes in 16..16; its format has 0..15"):
        compress(np.full((1, 2, 2), 16, np.uint8), Coding(), FixedPoint(4, 0, signed=False))
    encoder = FeatureMapEncoder(reference.header_of(np.zeros((1, 2, 2), np.uint8), Coding()))
    with pytest.raises(DataError, match=r"is uint8 \[1, 2, 3\]; the encoder is for uint8 \[1, 2, 2\]"):
        encoder.encode(np.zeros((1, 2, 3), np.uint8))
    huge = np.broadcast_to(np.uint8(0), ((1 << 24) + 1, 1, 1))
    with pytest.raises(ConfigError, match="is too large to be coded"):
        compress(huge, Coding())
