"""Networks whose channels or branches differ by tens of orders of magnitude: what is emitted runs."""

import numpy as np
import pytest
from native_runs import compare_everywhere

from qonnx_tools.conversion import convert
from qonnx_tools.graph import from_proto, parse
from qonnx_tools.runtime import session

NET = """
    <ir_version: 8, opset_import: ["" : 17]>
    net (float[N, 3, 5, 5] x) => (float[N, 4, 5, 5] y)
    <float[3, 3, 3, 3] w, float[4, {channels}, 1, 1] v>
    {{
        [c] z = Conv <pads = [1, 1, 1, 1]> (x, w)
        [j] s = {join} (x, z)
        [d] y = Conv (s, v)
    }}
    """


def converted(join, size, channels=3, **options):
    random = np.random.default_rng(4)
    w = random.normal(size=(3, 3, 3, 3)) * np.reshape(size, (-1, 1, 1, 1))
    values = {"w": w, "v": random.normal(size=(4, channels, 1, 1))}
    text = NET.format(join=join, channels=channels)
    model = from_proto(parse(text, **{name: value.astype(np.float32) for name, value in values.items()}))
    native = convert(model, target="native", **options)
    compare_everywhere(native.model, {"x": random.normal(size=(2, 3, 5, 5)).astype(np.float32)})
    return [outcome.reason for outcome in native.in_float]


@pytest.mark.parametrize("size", [0, 1e-38, 1e-20, 1e-9, 1e-6])
@pytest.mark.parametrize("options", [{}, {"scheme": "log"}, {"scheme": "log", "weight_bits": 6}], ids=str)
def test_a_channel_of_next_to_nothing(size, options):
    assert converted("Add", [1, size, 1], **options) == []


@pytest.mark.parametrize("size", [1e-38, 1e-30, 1e-20, 1e-12])
@pytest.mark.parametrize("scheme", ["fixed", "log"])
def test_a_branch_of_next_to_nothing_beside_another(size, scheme):
    assert converted("Concat <axis = 1>", size, 6, scheme=scheme) == []


@pytest.mark.parametrize("size", [1e-38, 1e-20, 1e20])
def test_a_sum_of_what_does_not_fit_one_grid_stays_in_float(size):
    reasons = converted("Add", size)
    assert any("bits on one grid; give its inputs closer formats" in reason for reason in reasons)


@pytest.mark.parametrize("size", [1e-38, 1e-36, 1e-30])
@pytest.mark.parametrize("other", ["x", "z"])
@pytest.mark.parametrize("scheme", ["fixed", "log"])
def test_a_product_below_the_finest_format_is_rounded_to_it(size, other, scheme):
    """Its own grid is finer than 2**-126, which no format has."""
    text = """
    <ir_version: 8, opset_import: ["" : 17]>
    net (float[N, 3, 5, 5] x) => (float[N, 3, 5, 5] y) <float[3, 3, 3, 3] w>
    {{ z = Conv <pads = [1, 1, 1, 1]> (x, w) y = Mul (z, {other}) }}
    """
    random = np.random.default_rng(4)
    w = (random.normal(size=(3, 3, 3, 3)) * size).astype(np.float32)
    x = random.normal(size=(2, 3, 5, 5)).astype(np.float32)
    native = convert(parse(text.format(other=other), w=w), scheme=scheme)
    assert not native.in_float
    found = compare_everywhere(native.model, {"x": x}).kernels["y"]
    expected = session(convert(parse(text.format(other=other), w=w), scheme=scheme, target="simulation").model)
    assert np.abs(found - expected.run(None, {"x": x})[0]).max() <= 2.0**-127
