"""How the benchmarks find the width that a network needs, and how they spread its batch-norm scales."""

import importlib
from pathlib import Path

import numpy as np
import pytest

from qonnx_tools.graph import constant_value, nodes, producer
from qonnx_tools.graph.load import load
from qonnx_tools.runtime import run, session
from qonnx_tools.statistics import compare_paired, proportion

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def module(monkeypatch):
    monkeypatch.syspath_prepend(FOLDER)
    return importlib.import_module


def point(bits, lost, total=5000):
    """A point where ``lost`` images of ``total`` are no longer right."""
    widths = importlib.import_module("bit_widths")
    right = np.arange(total) >= lost
    paired = compare_paired(np.ones(total, bool), right)
    return widths.Point("t", bits, "images", None, paired, proportion(int(right.sum()), total))


def test_the_knee_is_the_least_width_above_which_all_pass(module):
    widths = module("bit_widths")
    points = [point(bits, lost) for bits, lost in ((16, 0), (12, 10), (11, 20), (10, 200), (9, 15))]
    assert widths.knee(points, lambda each: each.surely_within) == 11
    assert widths.knee(reversed(points), lambda each: each.surely_within) == 11
    assert widths.knee(points[3:], lambda each: each.surely_within) is None


def test_surely_within_looks_at_the_interval(module):
    module("bit_widths")
    near = point(8, 45)
    assert near.about_within
    assert not near.surely_within
    assert near.difference == f"-0.90 [{100 * near.paired.low:+.2f}]"
    assert point(8, 20).surely_within


@pytest.mark.parametrize(
    ("passing", "least"),
    [(range(9, 17), 9), (range(5, 17), 5), ((16,), 16), ((), None), ((16, 15, 14, 13, 10), 13), ((16, 9, 11, 13), 16)],
)
def test_bisection_finds_a_width_that_passes_with_the_next(module, monkeypatch, passing, least):
    module("bit_widths")
    spread = module("batch_norm_spread")
    asked = []

    def measure(_subject, _treatment, bits):
        asked.append(bits)
        return [point(bits, 0 if bits in passing else 1000)]

    monkeypatch.setattr(spread, "measure", measure)
    found, points = spread.least_width(None, spread.SHARED)
    assert found == least
    assert len(points) == len(asked) == len(set(asked)) <= 12


@pytest.mark.parametrize("large", [False, True])
def test_spreading_scales_changes_no_bit_of_the_result(module, digits_model, large, random):
    model = load(digits_model)
    rewritten = module("batch_norm_spread").spread(model, 8, large=large)
    shape = [1 if isinstance(size, str) else size for size in model.graph.inputs[0].shape]
    images = random.random((5, *shape[1:]), dtype=np.float32)
    ratios = []
    for norm, before in zip(*(nodes(each.graph, "BatchNormalization") for each in (rewritten, model)), strict=True):
        ratio = constant_value(norm.inputs[1]) / constant_value(before.inputs[1])
        weights = [constant_value(producer(each.inputs[0]).inputs[1]) for each in (norm, before)]
        np.testing.assert_array_equal(weights[0] * ratio.reshape(-1, 1, 1, 1), weights[1])
        ratios.append(ratio)
    octaves = np.log2(np.concatenate(ratios))
    assert (octaves.min(), octaves.max()) == ((0, 8) if large else (-8, 0))
    (expected,), (found,) = (run(session(each, threads=1), images) for each in (model, rewritten))
    np.testing.assert_array_equal(found, expected)
