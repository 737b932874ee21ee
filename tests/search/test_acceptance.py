"""The sequential test: it stops early where that is safe, and keeps its level."""

import numpy as np
import pytest

from qonnx_tools.search.acceptance import LEVEL, LOOKS, accept, critical_value


def batches(reference, candidate, size=50):
    for start in range(0, len(reference), size):
        yield reference[start : start + size], candidate[start : start + size]


def models(random, total, loss, disagreement):
    """Two models that differ on a share of the images, the candidate being worse by ``loss``."""
    reference = random.random(total) < 0.9
    draws = random.random(total)
    candidate = reference.copy()
    candidate[reference & (draws < (disagreement + loss) / 2 / 0.9)] = False
    candidate[~reference & (draws < (disagreement - loss) / 2 / 0.1)] = True
    return reference, candidate


def test_models_that_agree_are_accepted_early():
    right = np.ones(5000, bool)
    verdict = accept(batches(right, right), 5000, 0.01)
    assert (verdict.accepted, verdict.sure, verdict.loss) == (True, True, 0.0)
    assert verdict.images == 500


def test_a_model_that_is_much_worse_is_refused_early():
    verdict = accept(batches(np.ones(5000, bool), np.zeros(5000, bool)), 5000, 0.01)
    assert (verdict.accepted, verdict.sure, verdict.images) == (False, True, 500)
    assert verdict.loss == 1.0


def test_what_no_look_decides_is_decided_by_the_loss():
    right = np.ones(1000, bool)
    wrong = right.copy()
    wrong[::100] = False
    assert not accept(batches(right, wrong), 1000, 0.0095).accepted
    verdict = accept(batches(right, wrong), 1000, 0.0105)
    assert (verdict.accepted, verdict.sure, verdict.images) == (True, False, 1000)
    assert verdict.low < verdict.loss == 0.01 < verdict.high


def test_a_gain_is_no_loss():
    wrong = np.zeros(1000, bool)
    better = wrong.copy()
    better[:100] = True
    assert accept(batches(wrong, better), 1000, 0.0).accepted


def test_sure_verdicts_are_right_as_often_as_the_level_says():
    random = np.random.default_rng(3)
    wrongly = dict.fromkeys((0.01, 0.03), 0)
    for loss in wrongly:
        for _ in range(200):
            verdict = accept(batches(*models(random, 2000, loss, 0.08)), 2000, 0.02)
            wrongly[loss] += verdict.sure and verdict.accepted != (loss <= 0.02)
    assert all(count <= 2 * LEVEL * 200 for count in wrongly.values())


def test_it_stops_before_the_end_where_the_loss_is_far_from_the_budget():
    random = np.random.default_rng(3)
    seen = [accept(batches(*models(random, 5000, 0.0, 0.03)), 5000, 0.02).images for _ in range(20)]
    assert np.mean(seen) < 2500


def test_critical_value():
    assert critical_value(0.05) == pytest.approx(1.96, abs=1e-3)
    assert critical_value(LEVEL / len(LOOKS)) == pytest.approx(2.64, abs=0.01)
