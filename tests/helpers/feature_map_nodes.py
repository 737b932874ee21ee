"""Inputs and attributes of nodes of FeatureMapRoundTrip, for hypothesis."""

import numpy as np
from hypothesis import strategies as st

from qonnx_tools.arithmetic.fixed_point import FixedPoint
from qonnx_tools.arithmetic.subband_quantization import LARGEST_STEP, STEP_UNIT

TYPES = {np.uint8: 2, np.int8: 3, np.uint16: 4, np.int16: 5, np.int32: 6}


@st.composite
def round_trip_nodes(draw):
    """Codes of any type, anything, extremes or smooth, some outside the format; any transform, step and mask."""
    dtype = draw(st.sampled_from(list(TYPES)))
    limits = np.iinfo(dtype)
    shape = draw(st.tuples(st.integers(0, 3), st.integers(1, 4), st.integers(1, 19), st.integers(1, 19)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    kind = draw(st.sampled_from(("any", "extremes", "smooth")))
    if kind == "any":
        x = rng.integers(limits.min, limits.max, shape, dtype, endpoint=True)
    elif kind == "extremes":
        x = rng.choice(np.array([limits.min, 0, limits.max], dtype), shape)
    else:
        x = np.clip(np.add.outer(np.arange(shape[0] * shape[1]), rng.normal(0, 9, shape[2:])), 0, 127)
        x = x.reshape(shape).astype(dtype)
    signed = bool(limits.min) and draw(st.booleans())
    most = limits.bits - (bool(limits.min) and not signed)
    bits = draw(st.one_of(st.just(most), st.integers(1, most)))
    number_format = FixedPoint(bits, 0, signed, signed and bits > 1 and draw(st.booleans()))
    transform = draw(st.integers(0, 3))
    wavelet = transform > 1
    steps = st.one_of(st.integers(STEP_UNIT, 20 * STEP_UNIT), st.integers(STEP_UNIT, LARGEST_STEP))
    mask = rng.random(draw(st.sampled_from((1, shape[1])))) < 0.5
    attributes = {
        "transform": transform,
        "levels": draw(st.integers(1, 3)) if wavelet else 0,
        "bits": number_format.bits,
        "signed": int(number_format.signed),
        "narrow": int(number_format.narrow),
        "to": TYPES[dtype],
    }
    return [x, np.array(draw(steps)), mask & wavelet], attributes
