"""Calibration: the histograms of all activations at once, from batches that are dropped as soon as they are counted."""

import weakref

import numpy as np
import pytest

from qonnx_tools.calibration import FLOATS_A_RUN, MAX_BATCH, batch_size, calibrate, count_values
from qonnx_tools.data import Batch, Dataset
from qonnx_tools.errors import DataError
from qonnx_tools.graph import from_proto, parse
from qonnx_tools.histogram import Histogram
from qonnx_tools.runtime import session

TEXT = """
<ir_version: 8, opset_import: ["" : 17]> g (float[N, 2, 4, 4] x) => (float[N, 3, 4, 4] y)
<float[3, 2, 3, 3] w, float[3, 3, 1, 1] v>
{ a = Conv <pads = [1, 1, 1, 1]> (x, w) b = Relu (a) y = Conv (b, v) }
"""
TENSORS = ["x", "b", "y"]
IMAGES = (np.random.default_rng(5).normal(size=(150, 2, 4, 4)) * np.linspace(0.1, 9, 150)[:, None, None, None]).astype(
    np.float32
)


class Stream(Dataset):
    """Hands out batches and watches that nobody keeps them."""

    description = "watched images"
    notes = ()
    has_labels = False

    def __init__(self, images):
        self.images = images
        self.alive: list[int] = []
        self.sizes: list[int] = []

    def count(self, limit=None):
        return min(len(self.images), limit or len(self.images))

    def batches(self, size, limit=None):
        given: list[weakref.ref] = []
        total = self.count(limit)
        for start in range(0, total, size):
            images = self.images[start : min(start + size, total)].copy()
            given.append(weakref.ref(images))
            self.sizes.append(len(images))
            batch = Batch(images, None)
            del images
            yield batch
            del batch
            self.alive.append(sum(each() is not None for each in given))


def model(batch="N"):
    return from_proto(parse(TEXT.replace("[N,", f"[{batch},")))


def same(one: Histogram, other: Histogram) -> bool:
    limits = (one.limit, one.minimum, one.maximum) == (other.limit, other.minimum, other.maximum)
    return limits and np.array_equal(one.counts, other.counts)


def all_at_once(images):
    runner = session(model(), outputs=["b"])
    values = dict(zip(["b", "y"], runner.run(["b", "y"], {"x": images}), strict=True)) | {"x": images}
    return {name: Histogram.of(values[name]) for name in TENSORS}


@pytest.mark.parametrize("batch", ["N", 1, 64, 49])
def test_histograms_are_those_of_all_activations_at_once(batch):
    data = Stream(IMAGES)
    found = calibrate(model(batch), TENSORS, data)
    assert list(found.histograms) == TENSORS
    expected = all_at_once(IMAGES)
    assert all(same(found.histograms[name], expected[name]) for name in TENSORS)
    assert (found.images, found.source) == (150, "150 of watched images")
    assert data.sizes[0] == (MAX_BATCH if batch == "N" else batch)


def test_a_limit():
    found = calibrate(model(), TENSORS, Stream(IMAGES), limit=70)
    expected = all_at_once(IMAGES[:70])
    assert all(same(found.histograms[name], expected[name]) for name in TENSORS)
    assert found.images == 70


def test_batches_are_dropped_before_the_next_but_one():
    data = Stream(IMAGES)
    calibrate(model(10), TENSORS, data)
    assert data.sizes == [10] * 15
    assert max(data.alive) <= 1


def test_progress():
    seen = []
    calibrate(model(60), TENSORS, Stream(IMAGES), progress=lambda *pair: seen.append(pair))
    assert seen == [(60, 150), (120, 150), (150, 150)]


def test_images_are_few_where_activations_are_many():
    assert batch_size(model(), TENSORS) == MAX_BATCH
    assert batch_size(model(7), TENSORS) == 7
    large = from_proto(parse(TEXT.replace("4, 4]", "1024, 1024]")))
    assert batch_size(large, TENSORS) == 1
    middle = from_proto(parse(TEXT.replace("4, 4]", "256, 256]")))
    floats = (2 + 3 + 3) * 256 * 256
    assert batch_size(middle, TENSORS) == FLOATS_A_RUN // floats == 8


def test_the_input_alone():
    found = calibrate(model(), ["x"], Stream(IMAGES))
    assert same(found.histograms["x"], Histogram.of(IMAGES))


@pytest.mark.parametrize("place", [0, 149])
def test_a_tensor_that_is_not_finite_is_named(place):
    images = IMAGES.copy()
    images[place] = 3e38
    with pytest.raises(DataError, match="tensor 'b' is not finite on the calibration images; check their preprocess"):
        calibrate(model(), TENSORS, Stream(images))


def test_no_images():
    with pytest.raises(DataError, match="watched images: there are no images to calibrate on"):
        calibrate(model(), TENSORS, Stream(IMAGES[:0]))


def test_count_values():
    found = count_values(model(), "x", TENSORS, IMAGES)
    expected = all_at_once(IMAGES)
    assert all(same(found[name], expected[name]) for name in TENSORS)
