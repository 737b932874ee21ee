"""Streams of feature maps: they come back, their bytes stay as they are, and damage is noticed."""

import zlib

import numpy as np
import pytest
from feature_map_cases import codings, feature_maps
from hypothesis import given, settings
from hypothesis import strategies as st

from qonnx_tools.arithmetic import prediction, rans, sparse_golomb
from qonnx_tools.arithmetic.bits import BitReader, BitWriter
from qonnx_tools.arithmetic.bitstream import Coder, Coding, Transform, read_stream
from qonnx_tools.arithmetic.coding import decode, encode, round_trip
from qonnx_tools.arithmetic.fixed_point import FixedPoint
from qonnx_tools.errors import ConfigError, DataError

EVERY = [
    Coding(transform, coder, 2 if transform in ("haar", "wavelet53") else 0)
    for transform in Transform
    for coder in Coder
]
SMALL = np.array([[[0, 3, 7], [0, 0, 9]], [[1, 1, 1], [255, 0, 2]], [[0, 0, 0], [0, 0, 0]]], np.uint8)


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_lossless_streams_come_back(data):
    codes = data.draw(feature_maps())
    coding = data.draw(codings(len(codes), lossless=True))
    back = decode(encode(codes, coding))
    assert back.dtype == codes.dtype
    np.testing.assert_array_equal(back, codes)


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_streams_hold_what_was_quantized(data):
    codes = data.draw(feature_maps())
    coding = data.draw(codings(len(codes)))
    stream = encode(codes, coding)
    np.testing.assert_array_equal(decode(stream), round_trip(codes, coding))
    assert read_stream(stream)[0].coding == coding or not any(coding.dropped)


def test_bytes_of_version_1():
    """A stream of every kind, as its first decoder read it."""
    found = {f"{c.transform} {c.coder}": encode(SMALL, c).hex() for c in EVERY}
    assert found == GOLDEN


def test_coarser_steps_take_fewer_bytes(random):
    codes = np.clip(random.normal(0, 30, (8, 16, 16)), 0, 255).astype(np.uint8)
    for coding in EVERY:
        sizes = [len(encode(codes, Coding(coding.transform, coding.coder, coding.levels, step))) for step in (1, 4, 16)]
        assert sizes == sorted(sizes, reverse=True)


def test_dropped_channels_lose_their_finest_bands_alone(random):
    codes = random.integers(0, 256, (3, 8, 8), dtype=np.uint8)
    coding = Coding("haar", "rice", 1, dropped=(False, True, False))
    back = decode(encode(codes, coding))
    np.testing.assert_array_equal(back[[0, 2]], codes[[0, 2]])
    assert len(np.unique(back[1].reshape(4, 2, 4, 2).swapaxes(1, 2).reshape(16, 4), axis=1)[0]) == 1
    blocks = codes[1].astype(int).reshape(4, 2, 4, 2)
    assert np.abs(back[1].reshape(4, 2, 4, 2)[:, 0, :, 0] - blocks.mean((1, 3))).max() <= 1


def test_values_are_clamped_to_the_number_format():
    codes = np.array([[[15, 15, 0, 15]]], np.uint8)
    form = FixedPoint(4, 0, signed=False)
    assert decode(encode(codes, Coding("none", "rice", step=7), form)).max() == 14
    assert decode(encode(codes, Coding("none", "rice", step=10), form)).max() == 15
    assert read_stream(encode(codes, Coding(), form))[0].number_format == form


@pytest.mark.parametrize("coding", EVERY, ids=lambda c: f"{c.transform}-{c.coder}")
def test_every_changed_or_missing_byte_is_noticed(coding):
    stream = encode(SMALL, coding)
    for position in range(len(stream)):
        with pytest.raises(DataError):
            decode(stream[:position])
        with pytest.raises(DataError):
            decode(stream[:position] + bytes([stream[position] ^ 0x10]) + stream[position + 1 :])
    with pytest.raises(DataError):
        decode(stream + b"\0")


@pytest.mark.parametrize("coding", EVERY, ids=lambda c: f"{c.transform}-{c.coder}")
def test_damage_with_a_right_checksum_decodes_or_is_refused(coding, random):
    stream = encode(SMALL, coding)
    for _ in range(60):
        damaged = bytearray(stream)
        damaged[random.integers(6, len(stream))] ^= 1 << random.integers(8)
        damaged[2:6] = zlib.crc32(damaged[6:]).to_bytes(4, "little")
        try:
            decode(bytes(damaged), limit=1000)
        except DataError as error:
            assert "\n" not in str(error)  # noqa: PT017  # either is right


def test_a_map_beyond_the_limit_is_refused():
    stream = encode(SMALL, Coding())
    with pytest.raises(DataError, match="holds 18 samples, more than the limit of 17"):
        decode(stream, limit=17)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"transform": "db2"}, "transform 'db2' is unknown; choose one of none, predictive, haar, wavelet53"),
        ({"coder": "zip"}, "coder 'zip' is unknown; choose one of sparse-golomb, rice, context"),
        ({"levels": 1}, "levels is 1; transform 'predictive' has none, take 0"),
        ({"transform": "haar"}, "levels is 0; transform 'haar' has 1 to 3"),
        ({"step": 1.03}, "step is 1.03; it must be a multiple of 1/16"),
        ({"dropped": (True,)}, "dropped: transform 'predictive' has no bands to leave out"),
    ],
)
def test_codings_that_there_are_not(options, message):
    with pytest.raises(ConfigError, match=message):
        Coding(**options)


@pytest.mark.parametrize(
    ("codes", "number_format", "error", "message"),
    [
        (np.zeros((2, 2), np.uint8), None, DataError, r"has the shape \[C, H, W\]"),
        (np.zeros((0, 2, 2), np.uint8), None, DataError, "none of them 0"),
        (np.zeros((1, 2, 2), np.float32), None, DataError, "these are float32"),
        (np.full((1, 2, 2), 16, np.uint8), FixedPoint(4, 0, signed=False), DataError, r"codes in 16..16; .* 0..15"),
        (np.zeros((1, 2, 2), np.uint8), FixedPoint(8, 0), ConfigError, "uint8 does not hold the codes"),
    ],
)
def test_maps_that_cannot_be_coded(codes, number_format, error, message):
    with pytest.raises(error, match=message):
        encode(codes, Coding(), number_format)


def test_a_mask_must_fit_the_channels():
    with pytest.raises(ConfigError, match="dropped is for 2 channels; the feature map has 3"):
        encode(SMALL, Coding("haar", levels=1, dropped=(True, False)))


def test_residuals_come_back(random):
    x = random.integers(-99, 99, (3, 6, 5))
    np.testing.assert_array_equal(prediction.from_residuals(prediction.residuals(x)), x)
    np.testing.assert_array_equal(prediction.to_signed(prediction.to_unsigned(x)), x)


def test_median_edge_is_the_median(random):
    for w, n, nw in random.integers(-20, 20, (200, 3)).tolist():
        assert prediction.median_edge(w, n, nw) == sorted((w, n, w + n - nw))[1]


@given(st.lists(st.integers(0, 2**44), min_size=1, max_size=40))
@settings(deadline=None)
def test_code_lengths_are_those_written(numbers):
    out = BitWriter()
    sparse_golomb.write_plane(numbers, out)
    bits = sparse_golomb.ORDER_BITS + sparse_golomb.code_lengths(numbers, sparse_golomb.best_order(numbers)).sum()
    assert len(out.to_bytes()) == (bits + 7) // 8
    np.testing.assert_array_equal(sparse_golomb.read_plane(len(numbers), BitReader(out.to_bytes())), numbers)


def test_distributions_stay_distributions(random):
    """Every symbol keeps a probability, however one-sided the symbols are."""
    distributions = rans.Distributions(3)
    for symbol in [*random.integers(0, 16, 300).tolist(), *[15] * 600, *[0] * 600, *[7] * 600]:
        distributions.learn((0, 1, 2), symbol)
        starts = distributions.mixed(0, 1, 2)
        assert (starts[0], starts[-1]) == (0, rans.TOTAL)
        assert np.diff(starts).min() >= rans.LEAST_PROBABILITY


GOLDEN = {
    "none sparse-golomb": "51464ef6e888010107030203100941cf13f37fc07f1500",
    "none rice": "5146c8affc8c410107030203100f3b870d480a0000f0974100f8011800",
    "none context": "5146c64c4abe810107030203101100f101ab83131b6160989e590028000100",
    "predictive sparse-golomb": "5146299a38ee010907030203100b414f6ad913d03fe05f0500",
    "predictive rice": "51462924bd374109070302031014bbc34025040000080000f0832500fc00fc000c00",
    "predictive context": "5146129cad27810907030203101180f709ab838b186160549c400028000100",
    "haar sparse-golomb": "5146bc89d7770151070302031012e3471cf9231800a002fe85d540ff092de01f",
    "haar rice": "5146e62b9bde415107030203101c020c8000805104000058c707c00000001f52c007400000805bfc0000",
    "haar context": "514640f7f43a8151070302031018300f62c01cf01e02e201cbadd7028d7d967b0300344c4803",
    "wavelet53 sparse-golomb": "514624308b5f0159070302031013e3c604f9435000800efc9d057a3f9fb183c000",
    "wavelet53 rice": "5146d04ae0bc415907030203101d01b640000080317c000400bc6300008000800f2cf002100000e01f1f00",
    "wavelet53 context": "51463ef166b38159070302031018500fbc8119e06d009803d71f377b8d7d967b03003d3ab800",
}
