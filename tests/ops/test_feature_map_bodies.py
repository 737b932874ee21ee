"""The function body of FeatureMapRoundTrip equals its reference, which goes through streams of every coder."""

import numpy as np
import pytest
from feature_map_nodes import round_trip_nodes
from hypothesis import given, settings
from hypothesis import strategies as st

from qonnx_tools import ops
from qonnx_tools.arithmetic import coding
from qonnx_tools.arithmetic.bitstream import Coder, Coding, Transform
from qonnx_tools.arithmetic.fixed_point import FixedPoint
from qonnx_tools.arithmetic.subband_quantization import STEP_UNIT
from qonnx_tools.errors import ConfigError

OP = ops.op_table()[ops.DOMAIN, "FeatureMapRoundTrip"]
BYTE = {"transform": 3, "levels": 2, "bits": 8, "to": 3}


def node(shape=(2, 3, 6, 5), step=40, dropped=(False,), dtype=np.int8):
    limits = np.iinfo(dtype)
    x = np.random.default_rng(5).integers(limits.min, limits.max, shape, dtype, endpoint=True)
    return [x, np.array(step), np.array(dropped)]


@settings(deadline=None, max_examples=80)
@given(round_trip_nodes(), st.booleans())
def test_any_node(check_body, case, constant):
    inputs, attributes = case
    check_body(OP, inputs, attributes, constant=("step", "dropped") if constant else (), onnx_too=inputs[0].size > 0)


@pytest.mark.parametrize("transform", range(4))
@pytest.mark.parametrize("side", [1, 2, 7])
def test_any_size(check_body, transform, side):
    for other in (1, 2, 3, 4, 9):
        for levels in (1, 3) if transform > 1 else (0,):
            attributes = {**BYTE, "transform": transform, "levels": levels}
            check_body(OP, node((1, 2, side, other)), attributes, onnx_too=other == 4)


def test_a_batch_goes_image_by_image():
    inputs, attributes = node(dropped=[True, False, True]), {**BYTE, "bits": 7}
    (y,) = OP.reference(inputs, attributes)
    for x, found in zip(np.clip(inputs[0], -64, 63), y, strict=True):
        for coder in Coder:
            chosen = Coding(Transform.WAVELET53, coder, 2, 40 / STEP_UNIT, (True, False, True))
            stream = coding.encode(x, chosen, FixedPoint(7, 0))
            np.testing.assert_array_equal(coding.decode(stream), found)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"transform": 4}, "attribute 'transform' is 4; choose one of 0 none, 1 predictive, 2 haar, 3 wavelet53"),
        ({"levels": 0}, "levels is 0; transform 'wavelet53' has 1 to 3"),
        ({"levels": 4}, "levels is 4; transform 'wavelet53' has 1 to 3"),
        ({"transform": 1}, "levels is 2; transform 'predictive' has none, take 0"),
        ({"bits": 0}, "does not hold the codes of a format of 0 bits"),
        ({"to": 5}, "attribute 'to' is 5; x has type int8"),
    ],
)
def test_attributes_that_cannot_be_are_named(changed, message):
    with pytest.raises(ConfigError, match=message):
        OP.reference(node(), {**BYTE, **changed})


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (node(shape=(3, 6, 5)), r"input 'x' has shape \[3, 6, 5\]; a feature map is \[N, C, H, W\], none but N 0"),
        (node(shape=(1, 3, 0, 5)), r"input 'x' has shape \[1, 3, 0, 5\]; a feature map is"),
        (node(dropped=[True, False]), r"input 'dropped' has shape \[2\]; give \[3\], one a channel, or \[1\]"),
        (node(step=[40]), r"input 'step' has shape \[1\]; give a 0-d tensor"),
        (node(step=15), r"step is 0.9375; it must be a multiple of 1/16 in 1..65536 LSB"),
    ],
)
def test_inputs_that_cannot_be_are_named(inputs, message):
    with pytest.raises(ConfigError, match=message):
        OP.reference(inputs, BYTE)


def test_only_wavelets_have_bands_to_leave_out():
    with pytest.raises(ConfigError, match="dropped: transform 'predictive' has no bands to leave out"):
        OP.reference(node(dropped=[True]), {**BYTE, "transform": 1, "levels": 0})
