"""The kernels of the ops of compressed feature maps equal their references; what cannot be computed is refused."""

import os

import numpy as np
import pytest
from feature_map_nodes import round_trip_nodes
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from qonnx_tools import ops

TABLE = {name: op for (domain, name), op in ops.op_table().items() if domain == ops.DOMAIN}
BYTE = {"transform": 3, "levels": 2, "bits": 8, "signed": 1, "to": 3}
some = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
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


@pytest.mark.parametrize("transform", range(4))
@pytest.mark.parametrize("dtype", [np.uint8, np.int16])
def test_maps_that_several_workers_share(run_codes, transform, dtype):
    inputs = maps((3, 5, 120, 97), 50, [True, False, True, True, False] if transform > 1 else [False], dtype)
    attributes = {"transform": transform, "levels": 2 if transform > 1 else 0, "bits": 8 * dtype(0).itemsize}
    attributes |= {"signed": int(dtype == np.int16), "to": 5 if dtype == np.int16 else 2}
    (expected,) = TABLE["FeatureMapRoundTrip"].reference(inputs, attributes)
    for threads in (1, 4):
        np.testing.assert_array_equal(run_codes("FeatureMapRoundTrip", inputs, attributes, threads), expected)


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
