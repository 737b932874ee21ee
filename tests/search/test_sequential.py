"""The search tensor after tensor, with losses that are made up, and on a small network."""

import numpy as np
import pytest
from small_classifier import normalized_classifier, small_classifier, small_images

from qonnx_tools.arithmetic.fixed_point import FixedPoint
from qonnx_tools.conversion import convert
from qonnx_tools.errors import ConfigError
from qonnx_tools.preparation import open_images
from qonnx_tools.runtime import run, session
from qonnx_tools.search.images import Parts
from qonnx_tools.search.options import SEQUENTIAL, SearchOptions
from qonnx_tools.search.search import search
from qonnx_tools.search.sequential import Component, component_budgets, sequential


def component(groups, budgets, bits=12, largest=1.0):
    return Component("weights", tuple(groups), (largest,) * len(groups), bits, tuple(budgets))


def last(components, loss, budget):
    return list(sequential(tuple(components), loss, budget))[-1]


def test_budgets_are_those_of_the_paper():
    weights, biases, activations = component_budgets(0.01, 4, 3, 2)
    assert weights == pytest.approx((0.00125, 0.0025, 0.00375, 0.005))
    assert biases == pytest.approx((0.005,) * 3)
    assert activations == pytest.approx((0.0075, 0.01))


@pytest.mark.parametrize(("largest", "frac"), [(1.0, 11), (0.9, 11), (1.1, 10), (0.25, 13), (0.0, 11)])
def test_it_starts_where_the_largest_magnitude_fits(largest, frac):
    seen = []

    def loss(formats):
        seen.append(formats["w"])
        return 0.0

    next(sequential((component([("w",)], [0.1], largest=largest),), loss, 0.1))
    assert seen[0] == FixedPoint(12, frac, narrow=True)


def test_it_starts_wider_where_the_component_loses_too_much():
    def loss(formats):
        return 0.0 if formats["w"].bits >= 20 else 0.01

    assert last([component([("w",)], [0.0])], loss, 0.01)["w"].bits == 20


def test_a_component_that_loses_too_much_however_wide():
    with pytest.raises(ConfigError, match="the weights lose more than half of the budget even with 24 bits"):
        last([component([("w",)], [0.0])], lambda _: 1.0, 0.01)


def test_both_go_down_together_then_bits_alone():
    """A tensor that needs 3 fraction bits and a range of 1, whatever its width says: 4 bits, then 3 that clip."""

    def loss(formats):
        of = formats["w"]
        return 0.0 if of.frac >= 3 and of.bits - of.frac >= 0 else 1.0

    assert last([component([("w",)], [0.5])], loss, 1.0)["w"] == FixedPoint(3, 3, narrow=True)


def test_it_looks_past_the_first_failure():
    fails = {9, 7, 6}
    seen = set()

    def loss(formats):
        seen.add((formats["w"].bits, formats["w"].frac))
        return 1.0 if formats["w"].bits in fails else 0.0

    assert last([component([("w",)], [0.5])], loss, 1.0)["w"].bits == 8
    assert min(bits for bits, frac in seen if bits - frac == 1) == 7, "the second that fails is the last"


def test_a_wider_neighbour_is_taken_where_it_gains():
    for gain, bits in ((0.0014, 4), (0.0016, 5)):

        def loss(formats, gain=gain):
            return {True: 0.01, False: 1.0}[formats["w"].bits >= 4] - gain * (formats["w"].bits >= 5)

        assert last([component([("w",)], [0.01])], loss, 1.0)["w"].bits == bits


def test_what_is_chosen_stays_and_groups_share_a_format():
    seen = []

    def loss(formats):
        seen.append(dict(formats))
        return 0.0

    parts = [component([("a",), ("b", "c")], [0.1, 0.1]), component([("d",)], [0.1], bits=8)]
    found = last(parts, loss, 0.1)
    assert list(found) == ["a", "b", "c", "d"]
    assert found["b"] == found["c"]
    assert all(of.bits == 1 and of.code_range == (0, 0) for of in found.values()), "nothing is lost: all is pruned"
    assert all("a" in formats for formats in seen if "b" in formats)
    assert all(formats["a"].bits == 1 for formats in seen if formats["b"].bits < 12)


@pytest.fixture
def data(tmp_path):
    path = tmp_path / "data.npz"
    np.savez(path, images=small_images(600))
    return path


def test_on_a_network(data, tmp_path):
    options = SearchOptions(max_drop=0.1, method=SEQUENTIAL)
    result = search(small_classifier(), data, tmp_path / "s", options=options)
    assert 0 < result.best.loss <= 0.1
    formats = {name: of.format for name, of in result.best.plan.tensors.items()}
    assert all(of.narrow and of.signed and isinstance(of.frac, int) for of in formats.values())
    assert {of.bits for of in formats.values()} - {8, 12}, "something was narrowed"
    assert result.inferences == 270 * result.measured + result.verdict.images
    again = search(small_classifier(), data, tmp_path / "s", options=options, resume=True)
    assert (again.measured, again.best, again.inferences) == (0, result.best, result.inferences)


def test_what_it_measured_is_what_the_converted_graph_does(data, tmp_path):
    model = normalized_classifier()
    options = SearchOptions(max_drop=0.1, method=SEQUENTIAL)
    result = search(model, data, tmp_path / "s", scheme_options={"batch_norm": "merge"}, options=options)
    images = Parts.of(open_images(data, None, result.prepared.model)).comparison.images
    converted = run(session(convert(model, plan=result.best.plan).model), images)[0]
    trained = run(session(model), images)[0]
    agree = (converted.argmax(axis=1) == trained.argmax(axis=1)).mean()
    assert 1 - agree == pytest.approx(result.best.loss)
