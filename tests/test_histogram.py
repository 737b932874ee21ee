"""Histograms: counts are exact, merging equals counting together."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from qonnx_tools.histogram import BINS, Histogram, power_of_two_above

values = hnp.arrays(
    np.float32,
    st.integers(1, 60),
    elements=st.floats(-1000, 1000, width=32).filter(lambda x: x == 0 or abs(x) > 1e-20),
)


@given(values)
def test_every_value_is_counted_in_its_bin(x):
    histogram = Histogram.of(x)
    assert histogram.total == x.size
    assert histogram.minimum == x.min()
    assert histogram.maximum == x.max()
    width = 2 * histogram.limit / BINS
    expected = np.minimum(np.floor(x.astype(np.float64) / width).astype(int) + BINS // 2, BINS - 1)
    np.testing.assert_array_equal(histogram.counts, np.bincount(expected, minlength=BINS))


@given(values, values)
def test_merging_equals_counting_together(x, y):
    # A value that equals the limit of its own histogram sits in the last bin there; leave those out.
    x, y = (part[np.abs(part) < power_of_two_above(float(np.abs(part).max()))] for part in (x, y))
    if not x.size or not y.size:
        return
    together = Histogram.of(np.concatenate([x, y]))
    merged = Histogram.of(x).merge(Histogram.of(y))
    if merged.limit == together.limit:
        np.testing.assert_array_equal(merged.counts, together.counts)
    assert (merged.minimum, merged.maximum) == (together.minimum, together.maximum)


def test_one_value_stands_for_each_bin():
    x = np.random.default_rng(1).normal(size=10_000).astype(np.float32)
    points, counts = Histogram.of(x).occupied()
    assert counts.sum() == x.size
    assert points.min() >= x.min()
    assert points.max() <= x.max()
    # The representation keeps the moments to within a bin.
    width = 2 * Histogram.of(x).limit / BINS
    assert np.average(points, weights=counts) == pytest.approx(x.mean(dtype=np.float64), abs=width)
    assert np.all(np.diff(points) > 0)


@pytest.mark.parametrize(
    ("magnitude", "power"),
    [(1.0, 1.0), (1.0001, 2.0), (0.75, 1.0), (0.0, 2.0**-60), (1e-30, 2.0**-60), (3e38, 2.0**128)],
)
def test_power_of_two_above(magnitude, power):
    assert power_of_two_above(magnitude) == power


def test_all_zero_values():
    histogram = Histogram.of(np.zeros(7, np.float32))
    points, counts = histogram.occupied()
    assert points.tolist() == [0.0]
    assert counts.tolist() == [7]
