"""What damages are measured on, and what activations do together."""

import numpy as np
from scipy.special import softmax
from small_classifier import small_classifier, small_images

from qonnx_tools.divergence import most_telling
from qonnx_tools.search.options import SearchOptions
from qonnx_tools.search.search import search


def test_the_least_certain_images_are_taken_in_their_order():
    logits = np.array([[9.0, 0, 0], [0.1, 0, 0], [3.0, 0, 0], [0, 0, 0.2]], np.float32)
    np.testing.assert_array_equal(most_telling(logits, 2), [1, 3])
    np.testing.assert_array_equal(most_telling(logits, 3), [1, 2, 3])
    np.testing.assert_array_equal(most_telling(logits, 9), [0, 1, 2, 3])


def test_they_show_most_of_what_small_errors_do():
    random = np.random.default_rng(4)
    logits = random.normal(size=(1000, 10)) * random.uniform(1, 12, size=(1000, 1))
    moved = logits + 0.05 * random.normal(size=logits.shape)
    p, q = softmax(logits, axis=1), softmax(moved, axis=1)
    divergence = (p * np.log(p / q)).sum(axis=1)
    chosen = most_telling(logits, 250)
    assert divergence[chosen].sum() > 2 * 0.25 * divergence.sum(), "twice what as many others show"


def test_of_what_are_no_logits_the_first_are_taken():
    np.testing.assert_array_equal(most_telling(np.zeros((5, 2, 3)), 3), [0, 1, 2])
    np.testing.assert_array_equal(most_telling(np.zeros((2, 2, 3)), 3), [0, 1])


def test_what_activations_do_together_is_measured_once(tmp_path):
    np.savez(tmp_path / "data.npz", images=small_images(600))
    options = SearchOptions(max_drop=0.05)
    found = search(small_classifier(), tmp_path / "data.npz", tmp_path / "s", options=options)
    lines = (tmp_path / "s" / "journal.jsonl").read_text().splitlines()
    assert sum('"key": "together' in line for line in lines) == 1
    again = search(small_classifier(), tmp_path / "data.npz", tmp_path / "s", options=options, resume=True)
    assert (tmp_path / "s" / "journal.jsonl").read_text().splitlines() == lines
    assert again.best == found.best
