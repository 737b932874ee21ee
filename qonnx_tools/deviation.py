"""By how much the outputs of one graph differ from those of another."""

from dataclasses import dataclass

import numpy as np

from qonnx_tools.data import Dataset, Preprocessing
from qonnx_tools.data.synthetic import synthetic_images
from qonnx_tools.graph import Model
from qonnx_tools.runtime import run, session

IMAGES = 64
"""How many images are compared."""


@dataclass(frozen=True)
class Deviation:
    """On ``images`` images, how many ``differ``, the ``largest`` difference and the ``mean`` one, of ``source``.

    ``spread`` is the standard deviation of the outputs, which the differences are to be held against.
    """

    images: int
    differ: int
    largest: float
    mean: float
    spread: float
    source: str


def deviation(model: Model, exact: Model, dataset: Dataset | None, preprocessing: Preprocessing | None) -> Deviation:
    """Run both on images of ``dataset``, or synthetic ones, and compare their first outputs."""
    shape = tuple(exact.graph.inputs[0].shape or ())
    if dataset is None:
        images, source = synthetic_images(shape, IMAGES, 0, preprocessing), "synthetic images"
    else:
        parts = [batch.images for batch in dataset.batches(IMAGES, limit=IMAGES)]
        images, source = np.concatenate(parts), dataset.description
    found, wanted = (
        run(session(each, optimize=False), images)[0].reshape(len(images), -1).astype(np.float64)
        for each in (model, exact)
    )
    gaps = np.abs(found - wanted)
    differ = int(gaps.any(axis=1).sum())
    return Deviation(len(images), differ, float(gaps.max()), float(gaps.mean()), float(wanted.std()), source)
