"""Images in parts."""

import numpy as np
import pytest

from qonnx_tools.errors import DataError
from qonnx_tools.search import images as module
from qonnx_tools.search.images import Images, Parts


def numbered(count):
    values = np.arange(count, dtype=np.float32).reshape(-1, 1, 1, 1) * np.ones((1, 1, 2, 2), np.float32)
    return Images(values, np.arange(count), "numbers")


def seen(part):
    return set(part.labels.tolist())


def test_no_two_parts_share_an_image():
    parts = Parts.of(numbered(100))
    tuning, comparison, acceptance = seen(parts.tuning), seen(parts.comparison), seen(parts.acceptance)
    assert (len(tuning), len(comparison), len(acceptance)) == (25, 45, 30)
    assert tuning | comparison | acceptance == set(range(100))
    for part in (parts.tuning, parts.comparison, parts.acceptance):
        np.testing.assert_array_equal(part.images[:, 0, 0, 0], part.labels)


def test_too_few():
    with pytest.raises(DataError, match="numbers: a search needs 12 images or more"):
        Parts.of(numbered(11))


def test_no_more_than_memory_holds(monkeypatch):
    monkeypatch.setattr(module, "MOST_BYTES", 40 * 16)
    parts = Parts.of(numbered(1000))
    assert len(parts.tuning) + len(parts.comparison) + len(parts.acceptance) == 40
