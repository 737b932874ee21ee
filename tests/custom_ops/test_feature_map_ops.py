"""The kernels of the ops of compressed feature maps equal their references; what cannot be computed is refused."""

import os
import zlib

import numpy as np
import pytest
from feature_map_nodes import round_trip_nodes
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from qonnx_tools import ops
from qonnx_tools.errors import QonnxToolsError
from qonnx_tools.ops._codes import target_of

TABLE = {name: op for (domain, name), op in ops.op_table().items() if domain == ops.DOMAIN}
BYTE = {"transform": 3, "levels": 2, "bits": 8, "signed": 1, "to": 3}
some = settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
SEED = int(os.environ.get("QONNX_TOOLS_TEST_SEED", "0"))


def maps(shape=(2, 3, 6, 5), step=40, dropped=(False,), dtype=np.int8):
    limits = np.iinfo(dtype)
    x = np.random.default_rng(5).integers(limits.min, limits.max, shape, dtype, endpoint=True)
    return [x, np.array(step), np.array(dropped)]


@seed(SEED)
@some
@given(round_trip_nodes(), st.integers(1, 3), st.booleans())
def test_a_round_trip_is_that_of_the_reference(run_codes, case, threads, constant):
    inputs, attributes = case
    (expected,) = TABLE["FeatureMapRoundTrip"].reference(inputs, attributes)
    found = run_codes("FeatureMapRoundTrip", inputs, attributes, threads, None if constant else (1,))
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected, str(attributes))


@seed(SEED)
@some
@given(round_trip_nodes(), st.sampled_from((0, 1, 2)), st.integers(1, 3))
def test_streams_are_those_of_the_reference_and_come_back_as_a_round_trip(run_codes, case, coder, threads):
    (x, *parameters), attributes = case
    inputs = [np.clip(x, *target_of(attributes).code_range).astype(x.dtype), *parameters]
    (expected,) = TABLE["FeatureMapEncode"].reference(inputs, attributes | {"coder": coder})
    streams = run_codes("FeatureMapEncode", inputs, attributes | {"coder": coder}, threads)
    assert streams.dtype == np.uint8
    np.testing.assert_array_equal(streams, expected)
    wanted = {name: attributes[name] for name in ("bits", "signed", "narrow", "to")} | {"shape": x.shape[1:]}
    (maps,) = TABLE["FeatureMapRoundTrip"].reference(inputs, attributes)
    for found in (
        run_codes("FeatureMapDecode", [streams], wanted, threads),
        *TABLE["FeatureMapDecode"].reference([streams], wanted),
    ):
        assert found.dtype == x.dtype
        np.testing.assert_array_equal(found, maps)


@pytest.mark.parametrize("transform", range(4))
@pytest.mark.parametrize("dtype", [np.uint8, np.int16])
def test_maps_that_several_workers_share(run_codes, transform, dtype):
    inputs = maps((3, 5, 120, 97), 50, [True, False, True, True, False] if transform > 1 else [False], dtype)
    attributes = {"transform": transform, "levels": 2 if transform > 1 else 0, "bits": 8 * dtype(0).itemsize}
    attributes |= {"signed": int(dtype == np.int16), "to": 5 if dtype == np.int16 else 2}
    (expected,) = TABLE["FeatureMapRoundTrip"].reference(inputs, attributes)
    for threads in (1, 4):
        np.testing.assert_array_equal(run_codes("FeatureMapRoundTrip", inputs, attributes, threads), expected)


@pytest.mark.parametrize("shape", [(1, 16, 4, 4), (3, 13, 7, 5), (2, 17, 1, 9), (5, 4, 8, 3)])
@pytest.mark.parametrize("transform", [2, 3])
def test_more_channels_than_go_side_by_side(run_codes, transform, shape):
    inputs = maps(shape, 50, np.arange(shape[1]) % 3 == 1)
    for levels in (1, 2, 3):
        attributes = BYTE | {"transform": transform, "levels": levels}
        (expected,) = TABLE["FeatureMapRoundTrip"].reference(inputs, attributes)
        np.testing.assert_array_equal(run_codes("FeatureMapRoundTrip", inputs, attributes, 2), expected)


REFUSED = [
    (maps(), {"transform": 4}, "attribute 'transform' is 4; it must lie in 0..3"),
    (maps(), {"levels": 0}, "attribute 'levels' is 0; attribute 'transform' 3 takes 1 to 3"),
    (maps(), {"levels": 4}, "attribute 'levels' is 4; it must lie in 0..3"),
    (maps(), {"transform": 1}, "attribute 'levels' is 2; attribute 'transform' 1 takes 0"),
    (maps(), {"bits": 0}, "attribute 'bits' is 0; it must lie in 1..32"),
    (maps(), {"bits": 9}, "is int8, which does not hold the codes -256..255 of 9 bits"),
    (maps(), {"signed": 0, "narrow": 1}, "only a signed format can be narrow"),
    (maps(), {"to": 5}, "input 'x' is int8; attribute 'to' says int16, which it must be"),
    (maps(step=15), {}, "input 'step' is 15; it must be a whole number in 16..1048576"),
    (maps(step=[40]), {}, "input 'step' has shape [1]; give a 0-d tensor"),
    (maps(dropped=[[True]]), {}, "input 'dropped' has shape [1, 1]; give one value a channel, or one for all"),
    (maps(dropped=[True]), {"transform": 1, "levels": 0}, "leaves out bands; attribute 'transform' 1 has none"),
    ([maps()[0], np.float32(40), maps()[2]], {}, "input 'step' is float32; give it as one of int64"),
    ([*maps()[:2], np.int8([0])], {}, "input 'dropped' is int8; give it as one of bool"),
    ([maps()[0].astype(np.float32), *maps()[1:]], {}, "input 'x' is float32; give it as one of int8, uint8, int16"),
]


@pytest.mark.parametrize(("inputs", "changed", "message"), REFUSED)
def test_a_node_that_cannot_be_is_refused(create_codes, inputs, changed, message):
    with pytest.raises(Exception, match="the_node") as refusal:
        create_codes("FeatureMapRoundTrip", inputs, BYTE | changed)
    assert message in str(refusal.value)


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (maps(shape=(3, 6, 5)), "input 'x' has shape [3, 6, 5]; a feature map is [N, C, H, W], none but N 0"),
        (maps(shape=(1, 3, 0, 5)), "input 'x' has shape [1, 3, 0, 5]; a feature map is"),
        (maps(dropped=[True, False]), "input 'dropped' has shape [2]; input 'x' of shape [2, 3, 6, 5] asks for [3]"),
    ],
)
def test_maps_that_do_not_fit_are_refused(run_codes, inputs, message):
    with pytest.raises(Exception, match="the_node") as refusal:
        run_codes("FeatureMapRoundTrip", inputs, BYTE)
    assert message in str(refusal.value)


@pytest.mark.parametrize(("inputs", "changed", "message"), REFUSED)
def test_what_cannot_be_taken_there_and_back_is_not_encoded(create_codes, inputs, changed, message):
    with pytest.raises(Exception, match="the_node") as refusal:
        create_codes("FeatureMapEncode", inputs, BYTE | {"coder": 1} | changed)
    assert message in str(refusal.value)


@pytest.mark.parametrize(
    ("inputs", "changed", "message"),
    [
        (maps(shape=(3, 6, 5)), {}, "input 'x' has shape [3, 6, 5]; a feature map is"),
        (maps(), {"coder": 3}, "attribute 'coder' is 3; it must lie in 0..2"),
        (maps(), {"bits": 4}, "image 0 of input 'x' has codes outside -8..7, which attributes 'bits', 'signed' and"),
    ],
)
def test_codes_that_cannot_be_encoded_are_refused(run_codes, inputs, changed, message):
    attributes = BYTE | {"coder": 1} | changed
    with pytest.raises(Exception, match="the_node") as refusal:
        run_codes("FeatureMapEncode", inputs, attributes)
    assert message in str(refusal.value)
    with pytest.raises(QonnxToolsError):
        TABLE["FeatureMapEncode"].reference(inputs, attributes)


MAP = {"bits": 8, "signed": 1, "to": 3, "shape": [3, 6, 5]}


def sealed(stream):
    """The stream with the checksum of what is in it."""
    return stream[:2] + zlib.crc32(stream[6:]).to_bytes(4, "little") + stream[6:]


def changed_at(stream, position, value):
    return stream[:position] + bytes([value]) + stream[position + 1 :]


DAMAGES = {
    "magic": (lambda s: b"PK" + s[2:], "stream 0 of input 'streams' does not begin with 'QF'"),
    "second": (lambda s: s + b"Q", "stream 1 of input 'streams' does not begin with 'QF'"),
    "version": (lambda s: changed_at(s, 6, s[6] | 2), "is of a version that this library does not read"),
    "checksum": (lambda s: changed_at(s, len(s) - 1, s[-1] ^ 1), "does not fit its checksum; it is damaged"),
    "payload": (lambda s: sealed(s[:-12] + bytes(12)), "holds what no encoder writes, or ends too early"),
    "truncated": (lambda s: s[:-1], "holds what no encoder writes, or ends too early"),
    "header": (lambda s: s[:8], "holds what no encoder writes, or ends too early"),
    "shape": (
        lambda s: sealed(changed_at(changed_at(s, 9, 5), 11, 3)),
        "stream 0 of input 'streams' holds int8 [5, 6, 3] in -128..127; the attributes say int8 [3, 6, 5] in -128..127",
    ),
    "size": (lambda s: sealed(changed_at(s, 9, 4)), "holds more codes than attribute 'shape' says"),
    "format": (lambda s: sealed(changed_at(s, 8, s[8] - 1)), "in -64..63; the attributes say int8 [3, 6, 5] in -128"),
}


@pytest.mark.parametrize("name", DAMAGES)
@pytest.mark.parametrize("coder", range(3))
def test_damaged_streams_are_errors(run_codes, coder, name):
    damage, message = DAMAGES[name]
    (stream,) = TABLE["FeatureMapEncode"].reference(maps((1, 3, 6, 5)), BYTE | {"coder": coder})
    damaged = np.frombuffer(damage(stream.tobytes()), np.uint8)
    with pytest.raises(Exception, match="the_node") as refusal:
        run_codes("FeatureMapDecode", [damaged], MAP)
    assert message in str(refusal.value)
    with pytest.raises(QonnxToolsError):
        TABLE["FeatureMapDecode"].reference([damaged], MAP)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"shape": [3, 6]}, "attribute 'shape' has 2 numbers; give 3: C, H, W"),
        ({"shape": [3, 0, 5]}, "attribute 'shape' is 3, 0, 5; no feature map has it"),
        ({"bits": 9}, "is int8, which does not hold the codes -256..255 of 9 bits"),
        ({"to": 12}, "attribute 'to' is 12; choose 2 (uint8)"),
    ],
)
def test_a_decoder_that_cannot_be_is_refused(create_codes, changed, message):
    streams = np.zeros(4, np.uint8)
    with pytest.raises(Exception, match="the_node") as refusal:
        create_codes("FeatureMapDecode", [streams], MAP | changed)
    assert message in str(refusal.value)
    with pytest.raises(QonnxToolsError):
        TABLE["FeatureMapDecode"].reference([streams], MAP | changed)
