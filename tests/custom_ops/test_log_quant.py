"""LogQuant computes what ``Log.quantize`` does, to the bit."""

import itertools

import numpy as np
import pytest

from qonnx_tools.arithmetic.log import SMALLEST_NORMAL, Log, LogRounding, magnitudes

SCALES = (1.0, 0.37, 3.999999, 1e-3, 1.7e38, 3.4e38)


SHAPES = [
    ((5, 3, 4, 7), (5, 1, 1, 1)),
    ((5, 3, 4, 7), (3, 1, 1)),
    ((5, 3, 4, 7), (7,)),
    ((5, 3, 4, 7), (3, 1, 7)),
    ((), ()),
    ((0,), ()),
    ((4, 0), (1,)),
    ((2, 3, 40001), (3, 1)),
    ((50021, 3), (3,)),
    ((65, 1), (65, 1)),
]


def around_thresholds(scale, count, steps):
    """Each magnitude, each threshold of either rounding rule, and their neighbours, of both signs."""
    levels = magnitudes(np.float32(scale), count + 2, steps).astype(np.float64)
    means = np.concatenate([levels, (levels[:-1] + levels[1:]) / 2, np.sqrt(levels[:-1] * levels[1:]), levels / 2])
    with np.errstate(over="ignore", under="ignore"):
        values = means.astype(np.float32)
        values = np.concatenate([values, np.nextafter(values, np.float32(np.inf)), np.nextafter(values, np.float32(0))])
    return np.concatenate([values, -values])


@pytest.mark.parametrize("rounding", LogRounding)
@pytest.mark.parametrize("steps", [1, 2])
@pytest.mark.parametrize("signed", [1, 0])
@pytest.mark.parametrize("bits", range(1, 9))
def test_every_format(bits, signed, steps, rounding, run_node, assert_same_bits, awkward_numbers):
    if signed and bits == 1:
        pytest.skip("a signed log format has at least 2 bits")
    for scale in (*SCALES, smallest_scale(bits, signed, steps)):
        try:
            log = Log(bits, scale, steps, bool(signed))
        except Exception:  # noqa: BLE001, S112  # too many magnitudes for this scale: tested elsewhere
            continue
        with np.errstate(over="ignore"):
            scaled = awkward_numbers * np.float32(scale)
        x = np.concatenate([awkward_numbers, scaled, around_thresholds(scale, log.count, steps)])
        attributes = {"bits": bits, "signed": signed, "steps": steps, "rounding": rounding.code}
        found = run_node("LogQuant", [x, np.float32(scale)], attributes)
        assert_same_bits(found, log.quantize(x, rounding), (attributes, scale))


def smallest_scale(bits, signed, steps):
    """The least power of two whose magnitudes are all normal."""
    count = 2 ** (bits - 1) - 1 if signed else 2**bits - 1
    return float(SMALLEST_NORMAL * 2.0 ** min(-(-count // steps), 250))


@pytest.mark.parametrize(
    ("shape", "scale_shape"),
    SHAPES,
)
@pytest.mark.parametrize("steps", [1, 2])
def test_broadcast_scale(shape, scale_shape, steps, run_node, assert_same_bits, random):
    x = random.normal(0, 1, shape).astype(np.float32)
    scale = random.uniform(0.5, 3, scale_shape).astype(np.float32)
    everywhere = np.broadcast_to(scale, shape)
    for rounding, threads in itertools.product(LogRounding, (1, 2, 4)):
        expected = np.zeros_like(x)
        for one in np.unique(scale):
            expected = np.where(everywhere == one, Log(5, float(one), steps).quantize(x, rounding), expected)
        attributes = {"bits": 5, "steps": steps, "rounding": rounding.code}
        for constant in ((1,), (), (0, 1)):
            found = run_node("LogQuant", [x, scale], attributes, threads=threads, constant=constant)
            assert_same_bits(found, expected.astype(np.float32), (rounding, threads, constant))
