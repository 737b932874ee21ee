"""Feature maps and codings of every kind, for hypothesis."""

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from qonnx_tools.arithmetic.bitstream import ELEMENTS, Coder, Coding, Transform
from qonnx_tools.arithmetic.subband_quantization import LARGEST_STEP, STEP_UNIT


@st.composite
def feature_maps(draw):
    """Codes ``[C, H, W]`` of any element type: anything, constants, extremes, or sparse small ones as after a ReLU."""
    element = draw(st.sampled_from(ELEMENTS))
    shape = draw(st.tuples(st.integers(1, 5), st.integers(1, 19), st.integers(1, 19)))
    limits = np.iinfo(element)
    kind = draw(st.sampled_from(("any", "constant", "extremes", "sparse")))
    if kind == "any":
        return draw(arrays.arrays(element, shape, elements=st.integers(limits.min, limits.max)))
    if kind == "constant":
        return np.full(shape, draw(st.integers(limits.min, limits.max)), element)
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    if kind == "extremes":
        return random.choice(np.array([limits.min, 0, limits.max], element), shape)
    return np.clip(random.normal(-5, draw(st.sampled_from((1, 9, 60))), shape), 0, 127).astype(element)


@st.composite
def codings(draw, channels, *, lossless=False):
    """A coding for a map with so many channels."""
    transform = draw(st.sampled_from(Transform))
    wavelet = transform in (Transform.HAAR, Transform.WAVELET53)
    steps = st.one_of(st.integers(STEP_UNIT, 20 * STEP_UNIT), st.integers(STEP_UNIT, LARGEST_STEP))
    dropped = st.lists(st.booleans(), min_size=channels, max_size=channels).map(tuple)
    return Coding(
        transform,
        draw(st.sampled_from(Coder)),
        draw(st.integers(1, 3)) if wavelet else 0,
        1 if lossless else draw(steps) / STEP_UNIT,
        draw(dropped) if wavelet and not lossless else (),
    )
